"""Keeps the layers of docs/architecture.md in the #include lines: base/ knows nothing else of ours; mail/ and control/
know base/, net/ these two, tls/ these but mail/, authres/ all of them; other folders know all of them and the
protocol headers that the architecture page names. A source file is never included. Tests, fuzzers and benchmarks
may look everywhere."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = re.findall(r"add_subdirectory\((\w+)\)", (ROOT / "CMakeLists.txt").read_text()) + ["fuzz"]
UNCHECKED = {"tests"}
BELOW = {"base": set(), "mail": {"base"}, "control": {"base"}, "net": {"base", "control", "mail"}, "sasl": {"base"},
         "tls": {"base", "control", "net"},
         "authres": {"base", "control", "mail", "net", "sasl", "tls"}}
COMMON = {"base", "mail", "net", "control", "sasl", "tls", "authres"}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def client_headers():
    """The headers that relais_public() names in the CMakeLists.txt of their folder."""
    return {f"{folder}/{header}" for folder in FOLDERS
            for names in re.findall(r"^relais_public\(([^)]*)\)", listing(folder), re.MULTILINE) for header in names.split()}


def listing(folder):
    page = ROOT / folder / "CMakeLists.txt"
    return page.read_text() if page.exists() else ""


def is_program(path):
    return path.name.startswith("qmail-") and path.name.endswith(".cc")


def problem(folder, path, included, clients):
    target = included.split("/")[0] if "/" in included else None
    if target is None:
        return "give the folder, as in \"base/text.h\""
    if not (ROOT / included).exists():
        return "no such file"
    if not included.endswith(".h"):
        return "a source file is never included"
    if target == folder or folder in ("bench", "fuzz") or path.name.endswith(("_test.cc", "_fuzz.cc", "_bench.cc")):
        return None
    if target in BELOW.get(folder, COMMON) or ((folder not in BELOW or is_program(path)) and included in clients):
        return None
    return f"{folder}/ may not know {target}/ by this header"


def main():
    clients, problems, seen = client_headers(), [], 0
    for folder in set(FOLDERS) - UNCHECKED:
        for path in sorted([*(ROOT / folder).rglob("*.cc"), *(ROOT / folder).rglob("*.h")]):
            source = path.read_text()
            for included in INCLUDE.findall(source):
                seen += 1
                wrong = problem(folder, path, included, clients)
                if wrong:
                    problems.append(f'{path.relative_to(ROOT)}: #include "{included}": {wrong}')
            if path.suffix == ".h" and "#pragma once" not in source:
                problems.append(f"{path.relative_to(ROOT)}: no #pragma once")
    print("\n".join(problems) or f"{seen} include lines keep the layers")
    return bool(problems) or seen == 0


sys.exit(main())
