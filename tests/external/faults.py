"""What a run leaves behind when the machine fails it: killed at any call, a full disk, a read-only disk, a stdout that
is gone, a link where an output should be. Every output is the old one or the new one, never a part of either; and
whoever asks the manifest never takes a mixture of two runs for one.

    python tests/external/faults.py CLICKAUDIT

Needs nothing but Python. Kills and failing calls are injected with strace, full and read-only disks are mounted: what
is missing or not permitted is said to be absent, by name.
"""

import csv
import filecmp
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile

PROGRAM = str(pathlib.Path(sys.argv[1]).resolve())
SAMPLE = pathlib.Path(__file__).parents[2] / "sample-data"
OUTPUTS = [
    "json=out/report.json", "ndjson=out/report.ndjson", "csv=out/groups.csv", "md=out/report.md",
    "blocklist:lines=out/{traffic_source}.txt", "profit-list:csv=out/cut.csv", "evidence=out/pack",
]
RENAMES = "rename,renameat,renameat2"
checks = 0


def check(condition, what):
    global checks
    checks += 1
    if not condition:
        sys.exit(f"FAILED: {what}")


def run(folder, *arguments, before=(), **more):
    more.setdefault("stdout", subprocess.PIPE)
    return subprocess.run([*before, PROGRAM, *arguments], cwd=folder, stderr=subprocess.PIPE, text=True, **more)


def audit(folder, which, before=(), extra=(), outputs=OUTPUTS, **more):
    outputs = [word for output in outputs for word in ("-o", output)]
    inputs = [f"../{which}/clicks.csv", f"../{which}/conversions.csv"]
    manifest = ["--manifest", "out/run.json", "--rejects", "out/rejects.csv"]
    return run(folder, "audit", *inputs, "-q", "--threads", "1", "--max-click-share", "100%", "--max-source-share",
               "100%", "--max-spend-share", "100%", "--max-revenue-share", "100%", *outputs, *manifest, *extra,
               before=before, **more)


def tree(folder):
    """Every file below a folder, without what a killed run was just writing."""
    files = (path for path in folder.rglob("*") if path.is_file())
    names = ((str(path.relative_to(folder)), path) for path in files)
    return {name: path.read_bytes() for name, path in names if ".clickaudit-" not in name}


def units(files):
    """Files by the output that they belong to: a folder is one output."""
    found = {}
    placed = any(name.startswith("pack/") for name in files)
    for name, content in files.items():
        top = name.split("/")[0]
        if placed and top == ".pack.before":
            continue
        unit = "pack" if top in ("pack", ".pack.before") else top
        found.setdefault(unit, {})[name.replace(".pack.before", "pack", 1)] = content
    return found


class Bench:
    """A folder with two exports, and what a run makes of each of them."""

    def __init__(self, root):
        self.root = root
        for which in ("old", "new"):
            (root / which).mkdir()
            for name in ("clicks.csv", "conversions.csv"):
                self.export(SAMPLE / name, root / which / name, which == "new")
        self.made = {}
        for which in ("old", "new"):
            folder = self.place(f"made-{which}")
            done = audit(folder, which)
            check(done.returncode == 0, done.stderr)
            self.made[which] = tree(folder / "out")
        old, new = (units(self.made[which]) for which in ("old", "new"))
        differ = [name for name in old if old[name] != new.get(name)]
        check(len(differ) > 7 and "run.json" in differ, f"the exports make different outputs: {differ}")

    def export(self, sample, path, renamed):
        """A copy of the sample's export; the new one has other names for its sources."""
        with open(sample, newline="") as read, open(path, "w", newline="") as write:
            rows = csv.DictReader(read)
            out = csv.DictWriter(write, rows.fieldnames)
            out.writeheader()
            for row in rows:
                if renamed and row.get("source"):
                    row["source"] = "n" + row["source"]
                out.writerow(row)

    def place(self, name):
        folder = self.root / name
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "out").mkdir(parents=True)
        return folder

    def standing(self, name="standing"):
        """A folder in which the old run's outputs stand."""
        folder = self.place(name)
        shutil.copytree(self.root / "made-old/out", folder / "out", dirs_exist_ok=True)
        return folder


def old_or_new(bench, folder, what):
    """Every output is the old one or the new one; the manifest tells a mixture. Gives back the new ones' names."""
    found, old, new = units(tree(folder / "out")), units(bench.made["old"]), units(bench.made["new"])
    for name, content in found.items():
        check(content in (old.get(name), new.get(name)), f"{what}: {name} is neither the old nor the new one")
    check(set(old) <= set(found), f"{what}: {set(old) - set(found)} is gone")
    told = new if found["run.json"] == new["run.json"] else old
    aside = (folder / "out" / ".pack.before").exists() and not (folder / "out" / "pack").exists()
    named = {entry["path"].split("/")[0] for entry in json.loads(found["run.json"]["run.json"])["outputs"]}
    whole = all(found.get(name) == told.get(name) for name in named) and not aside
    verified = run(folder, "verify", "out/run.json")
    check(verified.returncode == (0 if whole else 3), f"{what}: verify says {verified.stdout}")
    return {name for name in found if old.get(name) != new.get(name) and found[name] == new.get(name)}


def left_alone(bench, folder, what):
    check(tree(folder / "out") == bench.made["old"], f"{what}: outputs changed")
    left = [p.name for p in (folder / "out").rglob(".clickaudit-*")]
    check(not left, f"{what}: {left} is left behind")


# ---------------------------------------------------------------- kills


def traced(inject):
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={inject.split(':')[0]}", "-e",
            f"inject={inject}"]


def each_kill(bench, call):
    """Kills a run at each call of a kind; how many outputs were the new ones each time."""
    seen, at = [], 1
    while True:
        folder, what = bench.standing(), f"killed at {call} {at}"
        done = audit(folder, "new", before=traced(f"{call}:signal=KILL:when={at}"))
        seen.append(len(old_or_new(bench, folder, what)))
        if done.returncode == 0:
            return seen
        again = audit(folder, "new")
        check(again.returncode == 0, f"{what}, then run again: {again.stderr}")
        check(tree(folder / "out") == bench.made["new"], f"{what}: the next run does not mend it")
        at += 1


def kills(bench):
    # Files and folders are renamed by different calls, and strace counts each kind by itself.
    files, folders = each_kill(bench, "renameat"), each_kill(bench, "rename")
    check(files == sorted(files) and len(set(files)) > 6, f"a kill at each rename leaves one output more: {files}")
    check(len(folders) == 3 and folders == sorted(folders), f"a folder takes two renames: {folders}")
    for call, times in (("fsync", (1, 3, 9)), ("linkat", (1, 4)), ("unlink,unlinkat", (1, 2, 5))):
        for when in times:
            folder = bench.standing()
            audit(folder, "new", before=traced(f"{call}:signal=KILL:when={when}"))
            new = old_or_new(bench, folder, f"killed at {call} {when}")
            check(call != "fsync" or not new, f"{new} came into place before everything was flushed")
    print(f"killed at each of {len(files) + len(folders) - 2} renames, and at other calls: old or new, and the manifest tells")


def failing_calls(bench):
    for call, error, code in (("fsync", "EIO", 5), (RENAMES, "EIO", 5), ("linkat", "EPERM", 0)):
        folder = bench.standing()
        done = audit(folder, "new", before=traced(f"{call}:error={error}:when=3+"))
        check(done.returncode == code, f"{call} fails: exit {done.returncode}, not {code}: {done.stderr}")
        if code:
            check("cannot write" in done.stderr and "out/" in done.stderr, f"{call} fails: {done.stderr}")
            if call == "fsync":
                left_alone(bench, folder, f"{call} fails")
        else:
            check(tree(folder / "out") == bench.made["new"], "without second names copies are kept")
    folder = bench.standing()
    done = audit(folder, "new", before=traced(f"{RENAMES}:error=ENOSPC:when=6"))
    check(done.returncode == 5, f"the sixth rename fails: exit {done.returncode}")
    left_alone(bench, folder, "the sixth rename fails")
    print("calls that fail are taken back")


def lists(bench):
    """A list as a state, and its files."""
    folder = bench.place("lists")
    for which in ("old", "new"):
        (folder / f"{which}.json").write_bytes(bench.made[which]["report.json"])
    brakes = ["--max-new", "1000", "--max-shrink", "100%", "--max-source-share", "100%", "--max-click-share", "100%",
              "--max-spend-share", "100%", "--max-revenue-share", "100%"]
    outputs = ["-o", "blocklist:lines=out/{traffic_source}.txt", "-o", "profit-list:csv=out/cut.csv"]

    def apply(report, before=()):
        return run(folder, "blocklist", "apply", f"{report}.json", "--state", "state", *brakes, *outputs, before=before)

    def start():
        for name in ("state", "out"):
            shutil.rmtree(folder / name, ignore_errors=True)
        (folder / "out").mkdir()
        done = apply("old")
        check(done.returncode == 0, done.stderr)
        return tree(folder / "out"), tree(folder / "state")

    old, old_state = start()
    check(apply("new").returncode == 0, "a second night")
    new, new_state = tree(folder / "out"), tree(folder / "state")
    check(old != new and old_state != new_state, "two nights make two lists")
    steps = [(call, at) for call in ("renameat", "linkat", "rename") for at in range(1, 20)]
    killed, over = 0, set()
    for call, at in steps:
        if call in over:
            continue
        start()
        done = apply("new", before=traced(f"{call}:signal=KILL:when={at}"))
        for name, content in tree(folder / "out").items():
            check(content in (old.get(name), new.get(name)), f"lists killed at {at}: {name}")
        state = {n: c for n, c in tree(folder / "state").items() if n in new_state}
        known = [{n: c for n, c in of.items() if n in new_state} for of in (old_state, new_state)]
        check(state in known, f"lists killed at {at}: the state is neither the old nor the new one")
        if done.returncode == 0:
            over.add(call)
            continue
        killed += 1
        again = apply("new")
        check(again.returncode == 0, f"lists killed at {at}, then applied again: {again.stderr}")
        check(tree(folder / "out") == new, f"lists killed at {at}: applying again mends nothing")
    check(killed > 3, f"the state and its lists take several steps: {killed}")
    print(f"lists killed at each of {killed} steps: old or new, and the next apply mends them")


# ---------------------------------------------------------------- disks


def mounted(folder, size):
    """Makes a disk of its own of a folder; False where that is not permitted."""
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], stderr=subprocess.PIPE)
    return done.returncode == 0


def disks(bench):
    folder = bench.place("disk")
    out = folder / "out"
    size = sum(len(content) for content in bench.made["old"].values())
    pages = sum(-(-len(content) // 4096) for content in bench.made["old"].values())
    if not mounted(out, f"{(pages + 40) * 4}k"):
        print("absent: full and read-only disks (mounting is not permitted)")
        return
    try:
        done = audit(folder, "old")
        check(done.returncode == 0, f"{size} bytes fit: {done.stderr}")
        done = audit(folder, "new")
        check(done.returncode == 5, f"full disk: exit {done.returncode}: {done.stderr}")
        check("cannot write out/" in done.stderr, f"full disk: {done.stderr}")
        left_alone(bench, folder, "full disk")
        check(run(folder, "verify", "out/run.json").returncode == 0, "full disk: the manifest stands")
        subprocess.run(["mount", "-o", "remount,ro", out], check=True)
        done = audit(folder, "new")
        check(done.returncode == 5 and "cannot write out/" in done.stderr, f"read-only disk: {done.stderr}")
        left_alone(bench, folder, "read-only disk")
    finally:
        subprocess.run(["umount", out], check=True)
    print("full and read-only disks: exit 5 with the path, and everything stands as it was")


def nightly(folder, which, *more, before=()):
    """A night with a store, as cron runs it: the store, a chat message and a list."""
    return run(folder, "audit", "--clicks", f"../{which}/clicks.csv", "--conversions", f"../{which}/conversions.csv",
               "-q", "--store", "store", "--threads", "1", "--accept", "volume", "-o", "brief=out/brief.txt", "-o",
               "json=out/report.json", *more, before=before)


def stores(bench):
    """A store that cannot be written: nothing of it changes, no output is replaced, and the next night goes on."""
    folder = bench.place("night")
    done = nightly(folder, "old")
    check(done.returncode == 0, f"a night: {done.stderr}")
    store, old = folder / "store", tree(folder / "out")
    kept = tree(store)
    check(any(name.startswith("runs/") for name in kept), f"a night is remembered: {sorted(kept)}")
    bound = subprocess.run(["mount", "--bind", store, store], stderr=subprocess.PIPE)
    if bound.returncode:
        print("absent: a store on a read-only disk (mounting is not permitted)")
        return
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", store], check=True)
        done = nightly(folder, "new")
        check(done.returncode == 5 and "store" in done.stderr, f"read-only store: {done.returncode}: {done.stderr}")
        check(tree(store) == kept and tree(folder / "out") == old, "read-only store: something changed")
        for reading in (["history", "--store", "store", "2977431"], ["store", "status", "--store", "store"]):
            done = run(folder, *reading)
            check(done.returncode == 0, f"read-only store: {' '.join(reading)}: {done.stderr}")
    finally:
        subprocess.run(["umount", store], check=True)
    done = nightly(folder, "new")
    check(done.returncode == 0, f"a store that can be written again: {done.stderr}")
    check(tree(store) != kept, "a store that can be written again takes the night")
    print("a store on a read-only disk: exit 5, nothing changes, and it can still be read")


def offline(bench):
    """Whole nights without any network device, not even a loopback."""
    alone = ["unshare", "-n"]
    if not shutil.which("unshare") or subprocess.run([*alone, "true"], stderr=subprocess.PIPE).returncode:
        alone = ["unshare", "-r", "-n"]
        if not shutil.which("unshare") or subprocess.run([*alone, "true"], stderr=subprocess.PIPE).returncode:
            print("absent: runs without a network (unshare is not there, or not permitted)")
            return
    with_network, without = bench.place("online"), bench.place("offline")
    for which in ("old", "new"):
        check(nightly(with_network, which).returncode == 0, "a night with a network")
        done = nightly(without, which, before=alone)
        check(done.returncode == 0, f"a night without a network: {done.stderr}")
    check(tree(with_network / "out") == tree(without / "out"), "nights without a network come to something else")
    print("two nights without a network come to the same, byte for byte")


def limits(bench):
    """A file may not grow: the same where nothing can be mounted."""
    folder = bench.standing()

    def short():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    # The intake needs room, too, and has the limit: whatever stops first, nothing has changed.
    done = audit(folder, "new", preexec_fn=short)
    check(done.returncode != 0, "a file that may not grow")
    check(tree(folder / "out") == bench.made["old"], "a file that may not grow: outputs changed")
    print("files that may not grow: everything stands as it was")


# ---------------------------------------------------------------- stdout and links


def stdout(bench):
    with_table = [*OUTPUTS, "table=-"]
    if os.path.exists("/dev/full"):
        folder = bench.standing()
        with open("/dev/full", "w") as full:
            done = audit(folder, "new", outputs=with_table, stdout=full)
        check(done.returncode == 5 and "cannot write to stdout" in done.stderr, f"full stdout: {done.stderr}")
        left_alone(bench, folder, "full stdout")
    folder = bench.standing()
    read, write = os.pipe()
    os.close(read)
    done = audit(folder, "new", outputs=with_table, stdout=write)
    os.close(write)
    check(done.returncode == 0, f"a reader that went away: {done.stderr}")
    check(tree(folder / "out") == bench.made["new"], "a reader that went away: the files are there")
    folder = bench.standing()
    done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", PROGRAM, "audit", "../new/clicks.csv",
                           "../new/conversions.csv", "-q", "-o", "csv=out/groups.csv", "-o", "table=-"], cwd=folder,
                          stderr=subprocess.PIPE, text=True)
    check(done.returncode in (0, 5), f"closed stdout: {done.stderr}")
    expected = bench.made["new" if done.returncode == 0 else "old"]["groups.csv"]
    check((folder / "out/groups.csv").read_bytes() == expected, "closed stdout: a mixture")
    print("a full, a broken and a closed stdout")


def links(bench):
    folder = bench.standing()
    precious = folder / "precious"
    precious.write_text("precious")
    names = ["report.json", "groups.csv", "cut.csv", "run.json", "rejects.csv"]
    names += [name for name in bench.made["new"] if name.endswith(".txt") and "/" not in name]
    for name in names:
        (folder / "out" / name).unlink()
        (folder / "out" / name).symlink_to(precious)
    done = audit(folder, "new")
    check(done.returncode == 0, done.stderr)
    check(precious.read_text() == "precious", "a link was followed")
    check(not any((folder / "out" / name).is_symlink() for name in names), "a link stands where an output should")
    check(tree(folder / "out") == bench.made["new"], "links: the outputs")
    shutil.rmtree(folder / "out/pack")
    shutil.copytree(bench.root / "made-old/out/pack", folder / "elsewhere")
    (folder / "out/pack").symlink_to(folder / "elsewhere")
    before = tree(folder / "out")
    done = audit(folder, "old")
    check(done.returncode == 5 and "is not replaced" in done.stderr, f"a link for a folder: {done.stderr}")
    check(tree(folder / "out") == before, "a link for a folder: outputs changed")
    check(not filecmp.dircmp(folder / "elsewhere", bench.root / "made-old/out/pack").diff_files, "the link was followed")
    print("links are replaced and never followed")


def main():
    with tempfile.TemporaryDirectory() as root:
        bench = Bench(pathlib.Path(root))
        if shutil.which("strace") and run(root, "--version", before=traced("fsync:signal=KILL:when=1")).returncode == 0:
            kills(bench)
            failing_calls(bench)
            lists(bench)
        else:
            print("absent: kills and failing calls (strace is not there, or may not trace)")
        disks(bench)
        stores(bench)
        offline(bench)
        limits(bench)
        stdout(bench)
        links(bench)
    print(f"{checks} checks")


if __name__ == "__main__":
    main()
