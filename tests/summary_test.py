"""The postmaster's summary: what it says, when it is sent, and that each period is told once."""

import concurrent.futures
import contextlib
import fcntl
import os
import re
import time
import unittest

from harness import relais

DAY = 86400


class Summary(relais.TestCase):
    def started(self, summary="daily bob@mail.test", **control):
        self.i = i = self.instance(control={"summary": summary, "rcpthosts": "mail.test", "keeptrace": "14 1G", **control})
        self.bob = i.add_user("bob")
        self.state = i.home / "users/summary"
        i.start()
        i.wait_for(self.state.exists, 60, "the first look of qmail-summary")
        # The console's half has asked, and may not have ended yet.
        with self.locked():
            return i

    @contextlib.contextmanager
    def locked(self):
        """As each run has it: while one is at it, another does nothing."""
        with open(self.i.home / "users/summary.lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def ask(self, code=0):
        done = self.i.run("qmail-summary", "--due")
        self.assertEqual(done.code, code, done)
        return done.err

    def change(self, name, ago):
        """A time in the state, as if it had been so long ago; the line is made if there is none."""
        with self.locked():
            text = re.sub(rf"^{name} .*\n", "", self.state.read_text(), flags=re.M)
            self.state.write_text(text + f"{name} {int(time.time()) - ago}\n")

    def summaries(self):
        return [m.decode() for m in self.bob.messages() if b"Subject: Mail of " in m]

    def test_each_period_is_told_once(self):
        i = self.started()
        for _ in range(3):
            i.send("a@b.example", ["bob@mail.test"], "Subject: x\n\ny\n")
        with i.smtp() as client:
            client.command("HELO x")
            client.command("MAIL FROM:<a@b.example>")
            client.command("RCPT TO:<x@elsewhere.example>", 553)
        i.wait_for(lambda: len(self.bob.messages()) == 3, 60, "mail")
        i.wait_for(lambda: "clients" in self.i.run("qmail-summary", "--print").out and
                   re.search(r"delivered here +3\n", self.i.run("qmail-summary", "--print").out), 60, "what was delivered")
        self.assertEqual(self.ask(), "")
        self.change("since", 2 * DAY)
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            said = list(pool.map(lambda _: self.ask(), range(6)))
        self.assertEqual(sum("summary sent to bob@mail.test: msg " in each for each in said), 1, said)
        i.wait_for(self.summaries, 60, "the summary")
        (text,) = self.summaries()
        self.assertRegex(text, r"(?m)^Auto-Submitted: auto-generated$")
        self.assertRegex(text, r"(?m)^Return-Path: <>$")
        self.assertRegex(text, r"accepted from clients +3\n")
        self.assertRegex(text, r"delivered here +3\n")
        self.assertRegex(text, r"Refused\n  all +1\n    rcpthosts +1\n")
        self.assertRegex(text, r"control/servercert.pem: ends in \d+ days, on ")
        self.assertIn("Slowest destinations\n  none", text)
        self.assertRegex(text, r"the queue's disk: \d+ of \d+ MiB free")
        # The half of the console that asks is started anew, and so is everything.
        i.stop()
        i.start()
        self.assertEqual(self.ask(), "")
        i.wait_empty()
        self.assertEqual(len(self.summaries()), 1)
        self.assertEqual(self.state.stat().st_mode & 0o777, 0o600)
        # The next one compares.
        self.change("since", DAY)
        self.assertIn("this time", i.run("qmail-summary", "--print").out)
        # The console's half, which asks too, may be at it already.
        i.wait_for(lambda: self.ask() or len(self.summaries()) == 2, 60, "the second summary")
        i.wait_for(lambda: len(self.summaries()) == 2, 60, "its delivery")

    def test_who_locks_users_keeps_it_from_nobody(self):
        """Anybody may: it is a directory that all can read."""
        i = self.started()
        self.change("since", 2 * DAY)
        held = os.open(i.home / "users", os.O_RDONLY)
        self.addCleanup(os.close, held)
        fcntl.flock(held, fcntl.LOCK_EX)
        self.assertIn("sent to bob@mail.test", self.ask())
        self.assertEqual(self.ask(), "")

    def test_a_run_that_was_killed_is_made_good_an_hour_later(self):
        i = self.started()
        self.change("since", 2 * DAY)
        self.change("trying", 600)
        self.assertEqual(self.ask(), "")
        self.change("trying", 3700)
        self.assertIn("sent to bob@mail.test", self.ask())
        i.wait_for(self.summaries, 60, "the summary")
        first = re.search(r"Message-ID: (\S+)", self.summaries()[0])[1]
        # A clock that was years ahead, and a state that is none, begin a period anew.
        self.change("since", -400 * DAY)
        self.assertIn("from now on", self.ask())
        self.state.write_text("nonsense\n")
        self.assertRegex(self.ask(), "users/summary is no state.*\n.*from now on")
        # What nobody can be told is no reason to forget it.
        i.control("summary", "weekly")
        self.change("since", 8 * DAY)
        self.assertIn("sent to postmaster@mail.test", self.ask())
        self.assertRegex(first, r"^<summary\.\d+@mail\.test>$")

    def test_what_is_wrong_is_said_and_nothing_is_sent(self):
        i = self.instance(control={"summary": "hourly"})
        self.assertIn('not "daily" or "weekly"', i.run("qmail-summary", "--due").err)
        self.assertEqual(i.run("qmail-summary", "--due").code, 100)
        self.assertEqual(i.run("qmail-summary").code, 100)
        shown = i.run("qmail-summary", "--print")
        self.assertEqual(shown.code, 0, shown)
        self.assertIn("all that was counted until", shown.out)
        i.control("summary", None)
        self.assertEqual(i.run("qmail-summary", "--due").code, 0)
        self.assertFalse((i.home / "users/summary").exists())
        # A certificate that is a pipe keeps nobody waiting, and one with other octets is named.
        (i.home / "control/servercerts/odd name.pem").write_text("no certificate\n")
        self.assertIn("control/servercerts/odd_name.pem: cannot be read", i.run("qmail-summary", "--print").out)


if __name__ == "__main__":
    relais.main()
