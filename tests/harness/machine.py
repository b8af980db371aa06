"""A system that has booted its own systemd in a directory: systemd-nspawn, with a loopback interface and no other. Root only."""

import os
import pathlib
import re
import signal
import subprocess
import time

PATIENCE = 120  # seconds for whatever is waited for
ENVIRONMENT = ["env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
               "DEBIAN_FRONTEND=noninteractive", "HOME=/root"]


class Failed(Exception):
    pass


class Machine:
    """A root that has been booted."""

    def __init__(self, root):
        self.root = root
        self.nspawn = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "systemd-nspawn", "-q", "-D", str(root), "--private-network", "--register=no", "--keep-unit", "--boot"],
            stdin=subprocess.DEVNULL, stdout=(root.parent / "console").open("w"), stderr=subprocess.STDOUT)
        self.init = None
        try:
            self.init = self.wait("the root has an init", self.find_init)
            self.wait("it has booted", lambda: self.run("systemctl is-system-running", check=False).strip() in ("running", "degraded"))
        except BaseException:
            self.end()
            raise

    def find_init(self):
        if self.nspawn.poll() is not None:
            raise Failed("systemd-nspawn has ended: " + (self.root.parent / "console").read_text(errors="replace")[-2000:])
        for status in pathlib.Path("/proc").glob("[0-9]*/status"):
            try:
                text = status.read_text()
            except OSError:
                continue
            if re.search(rf"(?m)^PPid:\t{self.nspawn.pid}$", text) and re.search(r"(?m)^NSpid:.*\t1$", text):
                return int(status.parent.name)
        return None

    def wait(self, what, condition):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if found := condition():
                return found
            time.sleep(0.2)
        raise Failed(f"waited {PATIENCE} seconds until {what}")

    def run(self, script, check=True):
        done = subprocess.run(["nsenter", "-t", str(self.init), "-a", *ENVIRONMENT, "sh", "-ec", script], capture_output=True, text=True,
                              timeout=600, stdin=subprocess.DEVNULL)
        if check and done.returncode:
            raise Failed(f"{script}\nexit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def until(self, script):
        self.wait(script, lambda: self.run(f"if {script}; then echo yes; fi", check=False).endswith("yes\n"))

    def expect(self, script, pattern):
        said = self.run(script, check=False)
        if not re.search(pattern, said, re.M):
            raise Failed(f"{script}\nsays nothing like {pattern}:\n{said}")
        return said

    def end(self):
        if self.nspawn.poll() is None:
            self.nspawn.terminate()  # nspawn asks the system in it to power off
            try:
                self.nspawn.wait(60)
            except subprocess.TimeoutExpired:
                os.kill(self.init or self.nspawn.pid, signal.SIGKILL)
                self.nspawn.wait()
