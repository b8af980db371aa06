"""Every installed program has a manual page, mandoc finds nothing wrong in any page, and man can read each.

    check_manuals.py MADE PROGRAM...

MADE is a page that the build makes.
"""

import os
import pathlib
import re
import subprocess
import sys

PAGES = pathlib.Path(__file__).resolve().parent.parent / "docs/man"


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "MANPAGER": "cat", "LC_ALL": "C.UTF-8"})
    return done.returncode, done.stdout + done.stderr


def main():
    problems = []
    made, programs = sys.argv[1], sys.argv[2:]
    pages = [*sorted(PAGES.glob("*.[1-8]")), pathlib.Path(made)]
    names = {page.stem for page in pages}
    problems += [f"docs/man has no page for the program {name}" for name in programs if name not in names]
    for page in pages:
        code, text = run("mandoc", "-Tlint", "-W", "warning", page)
        if code:
            problems.append(text)
        code, text = run("man", "-l", page)
        plain = re.sub(r".\x08", "", text)
        if code or not all(f"\n{heading}" in plain for heading in ("NAME", "DESCRIPTION")):
            problems.append(f"man -l {page}: {text[:500]}")
    print("\n".join(problems) or f"{len(pages)} pages for {len(programs)} programs")
    return bool(problems) or not pages


sys.exit(main())
