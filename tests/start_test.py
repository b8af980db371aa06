"""qmail-start with programs that only tell what they were given: users, descriptors, who is started again, in which order
everything ends."""

import contextlib
import json
import os
import pathlib
import signal
import stat
import subprocess

from harness import relais

FAKE = r"""#!/usr/bin/python3 -SE
import json, os, signal, socket, sys
name = os.path.basename(sys.argv[0])
told = os.path.join(os.environ["FAKES"], name + "." + str(os.getpid()))
signals = []
def note(number, frame):
    signals.append(number)
    tell()
def end(number, frame):
    os._exit(0)
def link(fd):
    return os.readlink("/proc/self/fd/%s" % fd)
def tell():
    fds = {int(fd): link(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + fd)}
    with open(told + ".new", "w") as out:
        json.dump({"uid": os.getresuid(), "gid": os.getresgid(), "groups": os.getgroups(), "args": sys.argv[1:],
                   "fds": fds, "pid": os.getpid(),
                   "signals": signals}, out)
    os.rename(told + ".new", told)
signal.signal(signal.SIGHUP, note)
signal.signal(signal.SIGALRM, note)
signal.signal(signal.SIGTERM, end)
signal.pthread_sigmask(signal.SIG_SETMASK, [])
tell()
if name in ("qmail-lspawn", "qmail-rspawn"):
    if os.environ.get("STUBBORN") and os.path.exists(os.environ["STUBBORN"]):
        socket.socket(fileno=3).recv(1)
        while os.path.exists(os.environ["STUBBORN"]):
            signal.sigtimedwait([], 0.02)
    else:
        socket.socket(fileno=3).recv(1)
elif name == "qmail-send":
    import select
    channels = [socket.socket(fileno=4), socket.socket(fileno=5)]
    select.select(channels, [], [])
elif name == "logger":
    for line in sys.stdin:
        print("logged: " + line, end="", flush=True)
else:
    while True:
        signal.pause()
"""

ROLES = {"qmail-queued": "qmailq", "qmail-resolver": "qmailn", "open-smtpd": "qmailo", "qmail-send": "qmails", "qmail-rspawn": "qmailr"}
GENERATION = ("qmail-send", "qmail-lspawn", "qmail-rspawn")


class StartTest(relais.TestCase):
    def make(self, **options):
        i = self.instance(**options)
        os.unlink(i.home / "bin")
        (i.home / "bin").mkdir()
        for name in (*ROLES, "qmail-lspawn", "logger"):
            path = i.home / "bin" / name
            path.write_text(FAKE)
            path.chmod(0o755)
        self.fakes = i.directory / "fakes"
        self.fakes.mkdir()
        self.fakes.chmod(0o777)
        if i.single and relais.IS_ROOT:
            os.chown(i.home / "sockets", *i.ids("qmailq"))
        i.environment["FAKES"] = str(self.fakes)
        i.environment["STUBBORN"] = str(i.directory / "stubborn")
        return i

    def begin(self, i, *args):
        daemon = i.spawn("send", [relais.program("qmail-start"), *args], i.ids("qmailq") if i.single else None)
        return daemon

    def told(self, i, name, other_than=()):
        """What the living fake of that name was given."""
        def look():
            for path in self.fakes.glob(name + ".*"):
                if path.suffix == ".new" or not path.suffix[1:].isdigit() or int(path.suffix[1:]) in other_than:
                    continue
                with contextlib.suppress(OSError, ValueError):
                    told = json.loads(path.read_text())
                    if any(p.pid == told["pid"] for p in i.processes()):
                        return told
            return None
        return i.wait_for(look, 20, name)

    def test_users_descriptors_and_sockets(self):
        i = self.make()
        self.begin(i)
        count = {"qmail-queued": 7, "qmail-resolver": 4, "qmail-send": 10, "qmail-lspawn": 5, "qmail-rspawn": 5}
        for name, fds in count.items():
            told = self.told(i, name)
            self.assertEqual(sorted(told["fds"]), [str(fd) for fd in range(fds)], name)
            self.assertEqual(told["fds"]["0"], "/dev/null")
            if name in ROLES:
                uid, gid = i.ids(ROLES[name])
                self.assertEqual((told["uid"], told["gid"]), ([uid] * 3, [gid] * 3), name)
                self.assertLessEqual(set(told["groups"]), {gid} if i.single else set(), name)
            elif relais.IS_ROOT:
                self.assertEqual(told["uid"], [0] * 3)
        send, lspawn, rspawn, queued = (self.told(i, name) for name in (*GENERATION, "qmail-queued"))
        self.assertEqual(send["fds"]["3"], queued["fds"]["6"])
        self.assertTrue(send["fds"]["6"].endswith("queue/lock/send"))
        for told in (lspawn, rspawn):
            self.assertTrue(told["fds"]["4"].startswith("socket:"))
        self.assertEqual(lspawn["args"], ["./Maildir/"])
        modes = {"queue-network": (0o600, "qmaild"), "queue-bounce": (0o600, "qmails"), "queue-submit": (0o666, None),
                 "resolver": (0o666, None), "send-control": (0o600, None)}
        for name, (mode, role) in modes.items():
            info = (i.home / "sockets" / name).stat()
            self.assertEqual(stat.S_IMODE(info.st_mode), mode, name)
            if relais.IS_ROOT and not i.single:
                self.assertEqual(info.st_uid, i.ids(role)[0] if role else 0, name)

    def test_the_architecture_page_has_the_table_of_daemons(self):
        table = subprocess.run([relais.program("list_daemons")], capture_output=True, text=True, check=True).stdout
        self.assertIn(table, (relais.ROOT / "docs/architecture.md").read_text())

    def test_default_delivery_as_argument(self):
        i = self.make()
        self.begin(i, "|deliver it\n./Mailbox")
        self.assertEqual(self.told(i, "qmail-lspawn")["args"], ["|deliver it\n./Mailbox"])

    def test_logger_gets_everything(self):
        i = self.make()
        self.begin(i, "./Maildir/", str(i.home / "bin/logger"), "a", "b")
        logger = self.told(i, "logger")
        self.assertEqual(logger["args"], ["a", "b"])
        self.assertEqual(logger["uid"], [i.ids("qmaill")[0]] * 3)
        self.told(i, "qmail-send")
        os.kill(self.told(i, "qmail-queued")["pid"], signal.SIGKILL)
        i.wait_log("logged: qmail-start: alert: qmail-queued was killed by signal 9")
        i.stop()

    def test_signals_are_passed_on(self):
        i = self.make()
        daemon = self.begin(i)
        self.told(i, "qmail-send")
        daemon.send_signal(signal.SIGHUP)
        i.wait_for(lambda: signal.SIGHUP in self.told(i, "qmail-send")["signals"])
        daemon.send_signal(signal.SIGALRM)
        i.wait_for(lambda: signal.SIGALRM in self.told(i, "qmail-send")["signals"])
        daemon.terminate()
        self.assertEqual(daemon.wait(60), 0)
        self.assertEqual(i.processes(), [])

    def test_services_alone_are_started_again(self):
        i = self.make()
        self.begin(i)
        generation = [self.told(i, name)["pid"] for name in GENERATION]
        for name in ("qmail-queued", "qmail-resolver"):
            old = self.told(i, name)
            os.kill(old["pid"], signal.SIGKILL)
            new = self.told(i, name, {old["pid"]})
            self.assertEqual({k: v for k, v in new["fds"].items() if k > "2"},
                             {k: v for k, v in old["fds"].items() if k > "2"})
        self.assertEqual([self.told(i, name)["pid"] for name in GENERATION], generation)

    def test_the_three_start_together(self):
        i = self.make()
        self.begin(i)
        for victim in GENERATION:
            old = {name: self.told(i, name) for name in GENERATION}
            queued = self.told(i, "qmail-queued")["pid"]
            os.kill(old[victim]["pid"], signal.SIGKILL)
            for name in GENERATION:
                pids = {told["pid"] for told in old.values()}
                new = self.told(i, name, pids)
                if name == "qmail-send":
                    self.assertNotEqual(new["fds"]["4"], old[name]["fds"]["4"])
                    self.assertEqual(new["fds"]["3"], old[name]["fds"]["3"])
                    self.assertEqual(new["fds"]["7"], old[name]["fds"]["7"])
            self.assertEqual(self.told(i, "qmail-queued")["pid"], queued)

    def test_killed_then_started_again_asks_the_spawners_that_live(self):
        i = self.make()
        stubborn = pathlib.Path(i.environment["STUBBORN"])
        stubborn.touch()
        daemon = self.begin(i)
        old = {name: self.told(i, name)["pid"] for name in (*ROLES, "qmail-lspawn")}
        daemon.kill()
        daemon.wait()
        # Everything that has no delivery ends by itself.
        i.wait_for(lambda: {p.pid for p in i.processes()} == {old["qmail-lspawn"], old["qmail-rspawn"]})
        self.begin(i)
        send = self.told(i, "qmail-send", {old["qmail-send"]})
        self.assertEqual([sorted(word) for word in send["args"]], [["l", "r", "s"]])
        self.assertTrue(send["fds"]["8"].startswith("socket:") and send["fds"]["9"].startswith("socket:"))
        for name in ("lspawn.1", "lspawn.2", "rspawn.1", "rspawn.2"):
            self.assertEqual(stat.S_IMODE((i.home / "sockets" / name).stat().st_mode), 0o600)
        stubborn.unlink()
        i.wait_for(lambda: len(i.processes("qmail-lspawn")) == 1)
        # The sockets of those that have gone are removed.
        os.kill(send["pid"], signal.SIGKILL)
        self.assertEqual(self.told(i, "qmail-send", {old["qmail-send"], send["pid"]})["args"], ["s"])
        self.assertFalse((i.home / "sockets/lspawn.2").exists())

    def test_only_one_at_a_time(self):
        i = self.make()
        self.begin(i)
        self.told(i, "qmail-send")
        inode = (i.home / "sockets/queue-submit").stat().st_ino
        second = i.spawn("second", [relais.program("qmail-start")], i.ids("qmailq") if i.single else None)
        self.assertEqual(second.wait(60), 111)
        i.wait_log("is another qmail-start running?", "second")
        self.assertEqual((i.home / "sockets/queue-submit").stat().st_ino, inode)

    def test_wrong_user(self):
        i = self.make()
        if not relais.IS_ROOT:
            self.skipTest("needs root")
        daemon = i.spawn("send", [relais.program("qmail-start")], i.ids("qmailq"))
        self.assertEqual(daemon.wait(60), 100)
        i.wait_log("so it must be started by root")
        single = self.make(single=True)
        daemon = single.spawn("send", [relais.program("qmail-start")])
        self.assertEqual(daemon.wait(60), 100)
        single.wait_log("not root")
        daemon = single.spawn("other", [relais.program("qmail-start")], (4711, 4711))
        self.assertEqual(daemon.wait(60), 100)
        single.wait_log("another user", "other")

    def test_user_instance(self):
        i = self.make(single=True)
        self.begin(i)
        for name in (*ROLES, "qmail-lspawn"):
            self.assertEqual(self.told(i, name)["uid"], [i.ids("qmailq")[0]] * 3)

    def test_missing_owners(self):
        i = self.make()
        i.control("owners", None)
        daemon = self.begin(i)
        self.assertEqual(daemon.wait(60), 100)
        i.wait_log("control/owners: there is no such file")


if __name__ == "__main__":
    relais.main()
