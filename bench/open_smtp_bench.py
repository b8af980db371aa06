#!/usr/bin/env python3
"""Measures the open-smtp store of a whole instance: bench/open_smtp_bench.cc beside qmail-start and open-smtpd. Prints
its figures, the ratio to the scheme with one file and one lock, and what open-smtpd's memory did.

    bench/open_smtp_bench.py [SECONDS [ENTRIES]]
"""

import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
from harness import relais  # noqa: E402


def memory(instance):
    """Resident kilobytes of open-smtpd."""
    (daemon,) = instance.wait_for(lambda: instance.processes("open-smtpd"), what="open-smtpd")
    return int(daemon.status()["VmRSS"].split()[0])


def processor(instance):
    """Seconds of processor time that open-smtpd has used."""
    (daemon,) = instance.processes("open-smtpd")
    fields = pathlib.Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def main():
    seconds, entries = (sys.argv[1:] + ["10", "100000"][len(sys.argv) - 1 :])[:2]
    with relais.Instance() as i:
        i.start(None)
        (i.home / "old").mkdir()
        before = memory(i)
        (daemon,) = i.processes("open-smtpd")
        words = [relais.program("open_smtp_bench"), seconds, entries, str(daemon.pid)]
        figures = {}
        with subprocess.Popen(words, env=i.environment, stdout=subprocess.PIPE, text=True) as bench:
            for line in bench.stdout:
                print(line, end="", flush=True)
                figures.update([line.split()])
        print(f"open_smtpd_cpu_seconds {processor(i):.2f}")
        print(f"open_smtpd_kb_before {before}\nopen_smtpd_kb_after {memory(i)}")
        if bench.returncode:
            sys.exit(bench.returncode)
        print(f"ratio {float(figures['steady_logins_per_second']) / float(figures['old_scheme_logins_per_second']):.0f}")


main()
