"""Outside of tests, fuzzers and benchmarks no C++ file has more than 350 lines and no function more than 60. By the layout that
clang-format gives: a function ends with the first brace in the column where it began."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILE_LIMIT, FUNCTION_LIMIT = 350, 60
UNCHECKED = re.compile(r"^(tests|bench|fuzz)/|_(test|fuzz|bench)\.cc$|(^|/)test_\w+\.h$|_fixture\.h$")
# A line that opens a function's body: it ends with a brace behind its parameters, or the last line of an initialiser list.
OPENS = re.compile(r"^(\s*)(?!namespace|class|struct|enum|union|\}|extern)\S.*[)\]\w&}>]\s*\{$")
NO_FUNCTION = re.compile(r"^\s*(namespace|class|struct|enum|union|extern)\b|^\s*inline constexpr [^(]*\{$|=\s*\{*$|^\s*\{$")


def sources():
    done = subprocess.run(["git", "ls-files", "*.cc", "*.h"], cwd=ROOT, capture_output=True, text=True)
    names = done.stdout.splitlines() if done.returncode == 0 else [str(path.relative_to(ROOT)) for path in ROOT.rglob("*.[ch]*")]
    return [name for name in names if not UNCHECKED.search(name) and not name.startswith("build/") and (ROOT / name).exists()]


def functions(lines):
    """(first line, number of lines) of each outermost block that is not a class or namespace."""
    at = 0
    while at < len(lines):
        opens = OPENS.match(lines[at])
        if not opens or NO_FUNCTION.search(lines[at]):
            at += 1
            continue
        # Its parameters may begin some lines above.
        first = at
        while first > 0 and lines[first - 1].strip() and len(lines[first]) - len(lines[first].lstrip()) > 0 \
                and not lines[first - 1].rstrip().endswith((";", "}", ":", "{")) and not lines[first - 1].lstrip().startswith("//"):
            first -= 1
        indent = re.match(r"\s*", lines[first]).group()
        end = next((i for i in range(at, len(lines)) if re.match(indent + r"\}", lines[i])), at)
        yield first + 1, end - first + 1
        at = end + 1


def main():
    problems, seen = [], 0
    for name in sources():
        seen += 1
        lines = (ROOT / name).read_text(errors="replace").split("\n")
        count = len(lines) - 1
        if count > FILE_LIMIT:
            problems.append(f"{name}: {count} lines, {FILE_LIMIT} are allowed")
        problems += [f"{name}:{first}: a function of {length} lines, {FUNCTION_LIMIT} are allowed"
                     for first, length in functions(lines) if length > FUNCTION_LIMIT]
    print("\n".join(problems) or f"{seen} files and their functions keep their size")
    return bool(problems) or seen == 0


sys.exit(main())
