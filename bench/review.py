"""How fast `tidegate check` is, and what it names, on a generated history with labelled hazards.

usage: python bench/review.py [--files N] [--seed N] [--keep DIR] [--zdm PROGRAM]

Writes a Django project and an Alembic environment of N migrations each, state-tracked, so that
every file would apply to a real server: about half of them harmless, the rest one labelled hazard
each (bench/histories.py). Prints the CPU seconds of a cold review, the wall time of a review after
one file changed, for each label the share that was named, and the findings on harmless files.

--zdm names the program of the linter zdm (PyPI), which is then run at its defaults in the same
folders: its CPU seconds, and for each label the files on which it says anything at all.
Other linters need a project and a database: bench/peers.py, on what --keep has left.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from histories import history, write

ROUNDS = 5


def timed(command: list[str], where: Path, cache: str) -> tuple[float, float, str]:
    """Return CPU seconds, wall seconds and what was printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    environ = {**os.environ, "TIDEGATE_CACHE": cache}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has its bytecode
    done = subprocess.run(command, cwd=where, env=environ, capture_output=True, text=True)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, wall, done.stdout


def measure(where: Path, labels: dict[str, str]) -> None:
    """Print what one project costs and what is named in it."""
    command = [sys.executable, "-m", "tidegate", "check", "--format", "json"]
    timed(command, where, "off")
    cold = sorted(timed(command, where, "off")[0] for _ in range(ROUNDS))[ROUNDS // 2]
    cache = str(where.parent / f"cache-{where.name}")
    out = timed(command, where, cache)[2]
    path = sorted(where.rglob("*step.py"))[-1]
    warm, named = [], [*command, path.relative_to(where).as_posix()]
    for _ in range(ROUNDS):
        with path.open("a") as file:
            file.write("# changed\n")
        warm.append(timed(named, where, cache)[:2])
    cpu, wall = (sorted(times)[ROUNDS // 2] for times in zip(*warm, strict=True))
    print(
        f"{where.name}: cold {cold:.2f} CPU s; one changed file, warm {cpu:.2f} CPU s, {wall:.3f} s"
    )
    found: dict[str, set[str]] = {}
    grave: Counter[str] = Counter()
    for row in json.loads(out)["findings"]:
        found.setdefault(row["path"], set()).add(row["rule"])
        if row["severity"] != "info":
            grave[row["path"]] += 1
    named_at = {path: set(rules) for path, rules in found.items()}
    table(where, labels, lambda path, label: set(label.split("+")) <= named_at.get(path, set()))
    quiet = harmless(where, labels)
    false = sum(grave[path] for path in quiet)
    print(f"  {'errors and warnings on harmless files':<42} {false:>4} of {len(quiet)}")


def harmless(where: Path, labels: dict[str, str]) -> list[str]:
    """Return the paths of a project whose label is empty."""
    return [path for path, own in labels.items() if not own and (where / path).exists()]


def table(where: Path, labels: dict[str, str], says: Callable[[str, str], bool]) -> None:
    """Print for each label the number of files for which `says(path, label)`."""
    ours = {path: label for path, label in labels.items() if (where / path).exists()}
    for label in sorted(set(ours.values()) - {""}):
        paths = [path for path, own in ours.items() if own == label]
        hit = sum(says(path, label) for path in paths)
        print(f"  {label:<42} {hit:>4} of {len(paths)}")


def run_zdm(program: str, where: Path, labels: dict[str, str]) -> None:
    """Print what zdm costs and on which files it says anything."""
    cpu, _, out = timed([program, "--output-format", "json", "."], where, "off")
    rows = json.loads(out)["diagnostics"]
    said = {row["path"].removeprefix("./") for row in rows}
    grave = [row["path"].removeprefix("./") for row in rows if row["severity"] != "info"]
    print(f"zdm on {where.name}: {cpu:.2f} CPU s; files on which it says anything:")
    table(where, labels, lambda path, label: path in said)
    quiet = set(harmless(where, labels))
    false = sum(path in quiet for path in grave)
    print(f"  {'errors and warnings on harmless files':<42} {false:>4} of {len(quiet)}")


def main(argv: list[str]) -> int:
    """Run the bench."""
    files, seed, keep, zdm = 1000, 7, "", ""
    while argv:
        word = argv.pop(0)
        if word == "--files":
            files = int(argv.pop(0))
        elif word == "--seed":
            seed = int(argv.pop(0))
        elif word == "--keep":
            keep = argv.pop(0)
        elif word == "--zdm":
            zdm = argv.pop(0)
        else:
            print(__doc__)
            return 2
    root = Path(keep or tempfile.mkdtemp(prefix="tidegate-review-"))
    try:
        labels = write(history(files, seed), root)
        (root / "labels.json").write_text(json.dumps(labels))  # for bench/peers.py
        for name in ("django", "alembic"):
            measure(root / name, labels)
            if zdm:
                run_zdm(zdm, root / name, labels)
    finally:
        if not keep:
            shutil.rmtree(root, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
