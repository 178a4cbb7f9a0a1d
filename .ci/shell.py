"""Checks what the documents tell people to run: every `sh` block by shellcheck, the units by systemd-analyze.

usage: shell.py SHELLCHECK CLICKAUDIT; prints what was checked, and ends with 1 if anything is wrong.
"""
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
# SC2154: variables such as $TRACKER are the reader's. SC2164: a reader sees a failed cd.
EXCLUDED = "SC2154,SC2164"


def blocks():
    for page in sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("rules/*.md"), *ROOT.glob("bench/**/*.md")]):
        for block in re.finditer(r"^```sh\n(.*?)^```", page.read_text(), re.M | re.S):
            line = page.read_text()[: block.start()].count("\n") + 1
            yield f"{page.relative_to(ROOT)}:{line}", block.group(1)


def shellcheck(program):
    bad = 0
    places = list(blocks())
    for place, text in places:
        done = subprocess.run([program, "--shell=bash", f"--exclude={EXCLUDED}", "-"], input=text, text=True,
                              capture_output=True)
        if done.returncode:
            bad += 1
            print(f"{place}:\n{done.stdout}")
    print(f"shellcheck: {len(places)} blocks, {bad} with faults")
    return bad


def units(clickaudit):
    if not shutil.which("systemd-analyze"):
        print("absent: systemd-analyze")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for unit in sorted((ROOT / "docs/nightly").glob("*.service")) + sorted((ROOT / "docs/nightly").glob("*.timer")):
            copy = Path(folder) / unit.name.replace("@.", "@clickaudit.")
            # The program stands elsewhere here, and mail may not be installed: both are the reader's.
            copy.write_text(unit.read_text().replace("/usr/local/bin/clickaudit", clickaudit))
            files.append(copy)
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", *files], capture_output=True, text=True)
    ours = [line for line in done.stderr.splitlines() if "clickaudit" in line]
    print("\n".join([*ours, f"systemd-analyze: {len(files)} units, {len(ours)} with faults"]))
    return len(ours)


sys.exit(1 if shellcheck(sys.argv[1]) + units(sys.argv[2]) else 0)
