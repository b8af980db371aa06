"""Lines have at most 110 columns in C++ and 120 in Markdown. What cannot be folded may be longer: tables, indented blocks of
Markdown, and the indented lines of a comment, which are formats and command lines."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIMITS = {".cc": 110, ".h": 110, ".md": 120}
UNFOLDABLE = {".cc": re.compile(r"\s*//  "), ".h": re.compile(r"\s*//  "), ".md": re.compile(r"\||    ")}


def sources():
    """What git knows; in a tree without git, everything that is not built."""
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 0:
        return [ROOT / name for name in done.stdout.splitlines()]
    return [path for path in ROOT.rglob("*") if "build" not in path.parts]


def main():
    problems, seen = [], 0
    for path in sources():
        limit = LIMITS.get(path.suffix)
        if limit is None or not path.exists():
            continue
        seen += 1
        for number, line in enumerate(path.read_text(errors="replace").split("\n"), 1):
            if len(line) > limit and not UNFOLDABLE[path.suffix].match(line):
                problems.append(f"{path.relative_to(ROOT)}:{number}: {len(line)} columns, {limit} are allowed")
    print("\n".join(problems) or f"{seen} files keep their width")
    return bool(problems) or seen == 0


sys.exit(main())
