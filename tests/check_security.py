"""Every test that docs/security.md names exists, every statement of its lists names one, and so does its table of fuzzers."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = "## Attacks that fail"
LISTS = "## What may be taken over, and what is lost then"


def tests_that_exist():
    names = set()
    for path in ROOT.glob("tests/**/*_test.py"):
        names.update(re.findall(r"^\s*(?:def|class) (\w+)", path.read_text(), re.M))
    for path in ROOT.glob("*/*_test.cc"):
        names.update(re.findall(r"^TEST(?:_F|_P)?\(\w+, (\w+)\)", path.read_text(), re.M))
    return names


def named(text):
    """What stands in parentheses, in backquotes, as a list of tests does."""
    for group in re.findall(r"\((`\w+`(?:,\s+`\w+`)*)\)", text):
        yield from re.findall(r"`(\w+)`", group)


def section(page, title):
    begin = page.index(title)
    return page[begin:page.index("\n## ", begin)]


def wrong_things(page):
    known = tests_that_exist()
    for row in section(page, TABLE).splitlines():
        if row.startswith("| ") and not row.startswith("| attack"):
            tests = re.findall(r"`(\w+)`", row.split("|")[-2])
            if not tests:
                yield f"no test in: {row}"
            yield from (f"no such test: {name}" for name in tests if name not in known)
    yield from (f"no such test: {name}" for name in named(page) if name not in known)
    for item in re.split(r"\n- ", section(page, LISTS))[1:]:
        if not any(True for _ in named(item)):
            yield f"a statement without a test: {item.splitlines()[0]}"
    fuzzers = {name for path in ROOT.glob("*/CMakeLists.txt") for name in re.findall(r"^relais_fuzz\((\w+)", path.read_text(), re.M)}
    rows = set(re.findall(r"^\| (\w+_fuzz) \|", page, re.M))
    yield from (f"no such fuzzer: {name}" for name in sorted(rows - fuzzers))


def main():
    wrong = list(wrong_things((ROOT / "docs/security.md").read_text()))
    print("\n".join(wrong) if wrong else "every test that docs/security.md names is there")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
