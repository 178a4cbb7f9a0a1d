//! The thin binary: everything is in the library.

/// What a scan leaves behind goes back to the system, so that the next stage does not pay for it; docs/performance.md
/// has the figures.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    clickaudit::cli::main()
}
