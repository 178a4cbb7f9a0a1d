# What is done here every day; `just --list` shows it. Needs just 1.0 or newer.

# check, clippy, tests: while editing
default:
    cargo check --locked --all-targets
    cargo clippy --locked --all-targets -- -D warnings
    cargo test --locked

# everything a change must pass, as CI runs it
ci:
    .ci/run

# accept changed documents and README output; read the diff before you commit it
bless:
    BLESS=1 cargo test --locked documents

# 5 million clicks beside DuckDB; see bench/README.md
bench:
    cargo build --release --locked
    python3 bench/run.py

# CPU of the comparison with peers, per row and signal
bench-peers:
    cargo bench --locked --bench peers

# 1,000 rules about 100,000 groups
bench-rules:
    cargo bench --locked --bench rules

# make sample-data/ again with the generator
sample:
    cargo run --locked -- simulate --sample sample-data
