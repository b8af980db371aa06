"""A day of bad luck in short: each second some program of a supervised instance is killed, every few seconds an administrator restarts it or
cuts off a delivery, and there are always deliveries that hang. What was acknowledged arrives, and mail never stands still.

RELAIS_SOAK_SECONDS says how long; `make soak` takes ten minutes."""

import contextlib
import os
import random
import re
import signal
import threading
import time

from harness import relais
from harness.fake_smtp import SILENT, FakeServer
from harness.sink import Sink
from kill_test import Client
from run_test import Supervised

SECONDS = int(os.environ.get("RELAIS_SOAK_SECONDS", "20"))
STANDSTILL = 60
# Each of these is as likely as the others, however many processes it has.
PROGRAMS = ("qmail-start", "qmail-queued", "qmail-send", "qmail-lspawn", "qmail-local", "qmail-rspawn", "qmail-remote", "qmail-smtpd", "qmail-rcptd",
            "qmail-resolver", "qmail-keyd", "qmail-authd", "open-smtpd", "qmail-getpw", "tcpserver", "multilog",
            # What an administrator has to start again: 20 seconds are too short for that.
            *(("supervise", "svscan") if SECONDS >= 60 else ()))


class Pulse:
    """When something last happened, and the longest pause between two times."""

    def __init__(self):
        self.last, self.longest, self.count = time.monotonic(), 0.0, 0

    def beat(self):
        self.look()
        self.last = time.monotonic()
        self.count += 1

    def look(self):
        self.longest = max(self.longest, time.monotonic() - self.last)


class Soak(relais.TestCase):
    def setUp(self):
        self.arrived, self.killed, self.restarts, self.cuts = {}, dict.fromkeys(PROGRAMS, 0), 0, 0
        self.pulses = {name: Pulse() for name in ("acceptance", "local", "remote")}
        self.acknowledged = 0
        self.begin, self.story = time.monotonic(), []

    def made(self, sink):
        silent = FakeServer(greeting=SILENT)
        self.addCleanup(silent.stop)
        i = Supervised(single=not relais.IS_ROOT)
        self.addCleanup(i.remove)
        i.look_for_no_leaks()
        i.control("smtproutes", f"sink.test:127.0.0.1:{sink.port}\nsilent.test:127.0.0.1:{silent.port}")
        i.control("rcpthosts", f"{i.me}\nsink.test\nsilent.test")
        i.control("concurrencylocal", "100")
        self.bob = i.add_user("bob")
        self.bob.write(".qmail-slow", "|sleep 0.1\n./Maildir/\n")
        self.bob.write(".qmail-hangs", "|sleep 45\n./Maildir/\n")
        return i.start()

    def keep(self, _sender, _recipients, data):
        self.note(data, "remote")

    def note(self, data, pulse):
        key = re.search(rb"Subject: (\S+)", data)[1].decode()
        self.arrived[key] = self.arrived.get(key, 0) + 1
        if not key.startswith("hangs"):
            self.pulses[pulse].beat()

    def collect(self):
        for path in self.bob.files():
            self.note(path.read_bytes(), "local")
            path.unlink()

    def watch(self, clients, enough):
        """Takes what has come into bob's Maildir, and note of the time, whatever the administrator does meanwhile."""
        while not enough.wait(0.1):
            self.collect()
            count = sum(len(client.acknowledged) for client in clients)
            if count > self.acknowledged:
                self.acknowledged = count
                self.pulses["acceptance"].beat()
            for pulse in self.pulses.values():
                pulse.look()

    def kill_one(self, i):
        found = {}
        for process in i.processes():
            found.setdefault(process.name, []).append(process.pid)
        name = random.choice([name for name in PROGRAMS if name in found] or [None])
        if name is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(random.choice(found[name]), signal.SIGKILL)
            self.killed[name] += 1
            self.tell(f"killed {name}")
        if name == "svscan":
            self.start(i)

    def tell(self, what):
        self.story.append(f"{time.monotonic() - self.begin:.1f} {what}")

    def cut_one(self, i):
        """A delivery that hangs, as an administrator finds it."""
        numbers = re.findall(r"^delivery (\d+): msg \d+ to (?:local bob-hangs|remote silent)", i.run("queue-list", "cut").out, re.M)
        for number in numbers[:1]:
            self.cuts += i.run("queue-list", "cut", number).code == 0

    def restart(self, i):
        self.restarts += 1
        done = i.run("qmailctl", "restart")
        # A program that it looks at may have been killed at that moment: whoever is told so tries again.
        self.tell(f"restart: {done.code}")
        if done.code:
            self.start(i)

    @staticmethod
    def start(i):
        i.wait_for(lambda: i.run("qmailctl", "start").code == 0, 30, "a start")
        i.know_svscan()

    def bad_luck(self, i):
        begin = time.monotonic()
        for second in range(1, SECONDS + 1):
            self.kill_one(i)
            if second % 7 == 3:
                threads = [threading.Thread(target=self.hang, args=(i, f"hangs-{second}-{n}", to), daemon=True)
                           for n, to in enumerate((f"bob-hangs@{i.me}", "x@silent.test"))]
                for thread in threads:
                    thread.start()
            if second % 19 == 9:
                self.restart(i)
            if second % 23 == 15:
                self.cut_one(i)
            i.reap()
            for name, pulse in self.pulses.items():
                self.assertLess(pulse.longest, STANDSTILL, f"{name} stands still since {time.monotonic() - pulse.last:.0f} s\n{self.story}\n{i.picture()}")
            time.sleep(max(0, begin + second - time.monotonic()))

    def hang(self, i, key, recipient):
        """One that hangs is acknowledged as others are."""
        with contextlib.suppress(OSError, EOFError, AssertionError), relais.Smtp(i.port, timeout=10) as smtp:
            smtp.command("HELO client.test")
            smtp.deliver("hangs@from.test", [recipient], f"Subject: {key}\n\nx\n")
            self.hanging.append(key)

    def test_what_was_acknowledged_arrives_and_mail_never_stands_still(self):
        self.hanging = []
        with Sink(keep=self.keep) as sink:
            i = self.made(sink)
            clients = [Client(i, f"client{n}", [self.bob.address, f"bob-slow@{i.me}", "user@sink.test"]) for n in range(3)]
            for client in clients:
                client.start()
            enough = threading.Event()
            watcher = threading.Thread(target=self.watch, args=(clients, enough), daemon=True)
            watcher.start()
            try:
                self.bad_luck(i)
            finally:
                enough.set()
                watcher.join(60)
            for client in clients:
                client.enough.set()
            for client in clients:
                client.join(60)
            # Now nothing hangs any more.
            self.bob.write(".qmail-hangs", "./Maildir/\n")
            i.control("smtproutes", f":127.0.0.1:{sink.port}")
            self.start(i)
            acknowledged = {key for client in clients for key in client.acknowledged} | set(self.hanging)
            end = time.monotonic() + 120 * relais.PATIENCE
            while i.queue_files() and time.monotonic() < end:
                i.ctl("flush")
                self.cut_one(i)
                time.sleep(1)
                self.collect()
            self.collect()
            left = i.queue_files()
            self.assertFalse(left, f"{self.story}\n{i.run('queue-list').out if left else ''}\n{i.picture() if left else ''}")
            lost = acknowledged - set(self.arrived)
        twice = sum(count - 1 for count in self.arrived.values())
        pauses = ", ".join(f"{name} {pulse.longest:.1f} s" for name, pulse in self.pulses.items())
        print(f"{SECONDS} s: {sum(self.killed.values())} kills {({k: v for k, v in self.killed.items() if v})}, {self.restarts} restarts, {self.cuts} cuts, "
              f"{len(self.hanging)} hanging; {len(acknowledged)} acknowledged, {len(lost)} lost, {twice} second copies; longest pauses: {pauses}")
        self.assertFalse(lost, f"{sorted(lost)[:5]}\n{i.picture() if lost else ''}")
        self.assertGreater(len(acknowledged), SECONDS, "there was no load")


if __name__ == "__main__":
    relais.main()
