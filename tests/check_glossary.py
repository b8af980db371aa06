"""Each place that docs/glossary.md names is there, and has one of the row's words in its text."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROW = re.compile(r"(?m)^\| (.+?) \| (.+) \| (.+?) \|$")


def text_of(place):
    path = ROOT / place
    if path.is_dir():
        return "\n".join([place, *(each.read_text() for each in sorted(path.glob("*.h")))])
    return path.read_text() if path.exists() else None


def main():
    rows = [row for row in ROW.findall((ROOT / "docs/glossary.md").read_text()) if row[0] != "word"]
    problems = []
    for words, meaning, places in rows:
        named = re.findall(r"[\w./-]+/[\w.-]*", places) or re.findall(r"[\w-]+/[\w.-]+\.h", meaning)
        for place in named or problems.append(f"{words}: no place is named") or ():
            text = text_of(place)
            stems = [word.strip().split()[-1].removesuffix("ed").removesuffix("s") for word in words.split(",")]
            if text is None:
                problems.append(f"{words}: there is no {place}")
            elif not any(re.search(stem, text, re.I) for stem in stems):
                problems.append(f"{words}: {place} does not know the word")
    for problem in problems:
        print(problem)
    print(f"{len(rows)} words have their places")
    return 1 if problems else 0


sys.exit(main())
