"""What the benchmarks need of the machine."""

import contextlib
import os
import pathlib
import subprocess


def cpu_seconds():
    """What both cores have spent so far, idle and waiting for I/O left out."""
    user, nice, system, _idle, _wait, irq, softirq = map(int, pathlib.Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def monitor_seconds():
    """CPU of the kernel's own watch over memory (DAMON), if it runs here: it walks through all processes that share a page."""
    total = 0
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, _, rest = path.read_text().partition("(")[2].rpartition(")")
            total += sum(map(int, rest.split()[11:13])) if name.startswith("kdamond") else 0
    return total / os.sysconf("SC_CLK_TCK")


def cpu_of(instance, name=None):
    """Seconds of CPU of an instance's processes, or of those with that name, and of their children that have ended."""
    total = 0
    for process in instance.processes(name):
        with contextlib.suppress(OSError):
            fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15]))
    return total / os.sysconf("SC_CLK_TCK")


def tree_seconds(roots):
    """Seconds of CPU of these processes and all below them, with those that have ended."""
    parents, used = {}, {}
    for entry in os.listdir("/proc"):
        try:
            words = pathlib.Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()
        except (OSError, NotADirectoryError):
            continue
        if entry.isdigit():
            parents[int(entry)] = int(words[1])
            used[int(entry)] = sum(map(int, words[11:15]))

    def belongs(pid):
        while pid in parents and pid not in roots:
            pid = parents[pid]
        return pid in roots
    return sum(ticks for pid, ticks in used.items() if belongs(pid)) / os.sysconf("SC_CLK_TCK")


def make_certificate(path):
    """A self-signed one of P-256 for mail.test: path/cert and path/key."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
                    "/CN=mail.test", "-keyout", path / "key", "-out", path / "cert"], check=True, capture_output=True)
