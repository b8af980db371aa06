"""A test file of its own network, and of its own view of the machine's files: begin it with

    from harness import namespace
    namespace.enter()           before anything is started: the file is run again in fresh namespaces, loopback up

Nothing that it does to addresses, routes, ports or private() directories reaches the machine. Root only; the tests of a file that could
not enter are skipped."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

MARK = "RELAIS_IN_NAMESPACE"


def enter():
    if os.environ.get(MARK) or os.geteuid() != 0:
        return
    command = ["unshare", "--net", "--mount", "--"]
    if subprocess.run([*command, "true"], capture_output=True).returncode == 0:
        os.environ[MARK] = "1"
        os.execvp(command[0], [*command, sys.executable, "-B", *sys.argv])


def require():
    """To be called in setUpClass."""
    if not os.environ.get(MARK):
        raise unittest.SkipTest("no namespaces here, or not root")
    ip("link", "set", "lo", "up")


def ip(*words):
    done = subprocess.run(["ip", *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        raise unittest.SkipTest(f"ip {' '.join(map(str, words))}: {done.stderr.strip()}")


def private(*paths):
    """What is changed below these from now on, nobody else sees. Returns what undoes it."""
    store = pathlib.Path(tempfile.mkdtemp(prefix="rlns.", dir="/tmp"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", store], check=True)
    for number, path in enumerate(paths):
        upper, work = store / f"{number}", store / f"{number}.work"
        upper.mkdir()
        work.mkdir()
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={path},upperdir={upper},workdir={work}", path], check=True)

    def undo():
        for path in (*paths, store):
            subprocess.run(["umount", "-l", path], check=True)
        shutil.rmtree(store, ignore_errors=True)
    return undo


class SilentWire:
    """A wire by which connections to these addresses leave, and at whose other end nobody answers."""

    def __init__(self, device, *addresses):
        ip("link", "add", device, "type", "veth", "peer", "name", device + "-end")
        for each in (device, device + "-end"):
            pathlib.Path(f"/proc/sys/net/ipv6/conf/{each}/accept_dad").write_text("0")
            ip("link", "set", each, "up")
        for address in addresses:
            family = "-6" if ":" in address else "-4"
            ip(family, "route", "add", address, "dev", device)
            ip(family, "neigh", "add", address, "lladdr", "02:00:00:00:00:99", "dev", device)
        self.end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.end.bind((device + "-end", 0))
        self.end.setblocking(False)

    def packets(self):
        """Of TCP, that have come since the last call."""
        count = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                frame = self.end.recv(2000)
                count += (frame[12:14], frame[23]) == (b"\x08\x00", 6) or (frame[12:14], frame[20]) == (b"\x86\xdd", 6)
        return count
