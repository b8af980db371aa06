"""qmailctl top: one picture where there is no terminal; in one a screen that renews itself, fits the window, and ends with q."""

import contextlib
import fcntl
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

from harness import relais

SEQUENCE = re.compile(rb"\x1b\[[?0-9;]*[A-Za-z]")


class Screen:
    """qmailctl top in a terminal of its own."""

    def __init__(self, test, i, columns=100, rows=40, term="xterm"):
        self.i, self.shown = i, b""
        self.ours, theirs = pty.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(theirs)
        options = i._identity(i.ids("qmailq")) if i.single and relais.IS_ROOT else {}
        self.process = subprocess.Popen([relais.program("qmailctl"), "top", str(i.home)], stdin=theirs, stdout=theirs, stderr=theirs,
                                        env={**i.environment, "TERM": term, "LC_ALL": "C.UTF-8"}, start_new_session=True, **options)
        self.theirs = theirs
        test.addCleanup(self.close)

    def resize(self, columns, rows):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        for fd in (self.ours, self.theirs):
            os.close(fd)

    def wait(self, part, seconds=30):
        """What came, until part is in it, and then nothing more for a moment."""
        deadline = time.monotonic() + seconds * relais.PATIENCE
        while True:
            ready, _, _ = select.select([self.ours], [], [], 0.3)
            if ready:
                self.shown += os.read(self.ours, 65536)
            elif part in self.shown:
                taken, self.shown = self.shown, b""
                return taken
            if time.monotonic() > deadline:
                raise AssertionError(f"{part!r} was not shown: {self.shown!r}")

    def type(self, keys):
        os.write(self.ours, keys)


def lines(picture):
    """The last whole picture's lines, without sequences."""
    last = picture.rpartition(b"\x1b[H")[2].partition(b"\x1b[J")[0]
    return [SEQUENCE.sub(b"", line).decode().rstrip("\r") for line in last.split(b"\n")]


class Top(relais.TestCase):
    def started(self):
        self.i = i = self.instance()
        self.bob = i.add_user("bob")
        self.bob.write(".qmail-slow", "|sleep 60\n")
        self.bob.write(".qmail-ok", "./Maildir/\n")
        return i.start(smtpd=None)

    def slow(self):
        self.assertEqual(self.i.submit("a@b.example", ["bob-slow@mail.test"]), 0)
        self.i.wait_log("to local bob-slow@mail.test")

    def test_where_there_is_no_terminal_it_is_one_picture(self):
        i = self.started()
        self.slow()
        shown = i.run("qmailctl", "top", i.home)
        self.assertEqual((shown.code, shown.err), (0, ""), shown)
        self.assertNotIn("\x1b", shown.out)
        self.assertRegex(shown.out, rf"^relais {re.escape(str(i.home))[:40]}")
        self.assertRegex(shown.out, r"\nlocal +1 of 10 ")
        self.assertRegex(shown.out, r"\nQueue: 1 messages")
        self.assertRegex(shown.out, r"\nbob-slow@mail\.test +1 +0 +0\n")
        self.assertRegex(shown.out, r"\nSlowest ")
        self.assertTrue(all(len(line) <= 80 for line in shown.out.splitlines()), shown.out)

    def test_it_renews_itself_fits_the_window_and_ends_with_q(self):
        i = self.started()
        screen = Screen(self, i)
        first = screen.wait(b"\x1b[J")
        self.assertTrue(first.startswith(b"\x1b[?1049h"), first)
        self.assertIn("Places taken", first.decode())
        for number in range(3):
            i.submit("a@b.example", ["bob-ok@mail.test"])
        self.bob.wait_messages(3)
        deadline = time.monotonic() + 30 * relais.PATIENCE
        while not re.search(r"delivered here +\d\.\d ", "\n".join(lines(screen.wait(b"\x1b[J")))):
            self.assertLess(time.monotonic(), deadline, "no rate was shown")
        for columns, rows in ((40, 10), (7, 3), (200, 60), (100, 40)):
            screen.resize(columns, rows)
            # A terminal of a session that it does not lead tells nobody.
            screen.process.send_signal(signal.SIGWINCH)
            shown = lines(screen.wait(b"\x1b[J"))
            self.assertLessEqual(len(shown), rows)
            self.assertLessEqual(max(map(len, shown)), columns, shown)
        screen.type(b"x")
        screen.wait(b"\x1b[J")
        screen.type(b"q")
        self.assertEqual(screen.process.wait(30 * relais.PATIENCE), 0)
        self.assertTrue(screen.wait(b"\x1b[?1049l").endswith(b"\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"))
        self.assertEqual(termios.tcgetattr(screen.theirs), screen.before)

    def test_qmail_send_may_end_and_come_back(self):
        i = self.started()
        screen = Screen(self, i)
        screen.wait(b"Places taken")
        i.kill("qmail-send")
        i.wait_for(lambda: i.processes("qmail-send"), what="the next qmail-send")
        self.slow()
        screen.wait(b"bob-slow@mail.test", 60)
        self.assertIsNone(screen.process.poll())
        screen.process.send_signal(signal.SIGTERM)
        self.assertEqual(screen.process.wait(30 * relais.PATIENCE), 0)
        screen.wait(b"\x1b[?1049l")
        self.assertEqual(termios.tcgetattr(screen.theirs), screen.before)

    def test_every_signal_that_ends_it_gives_the_terminal_back(self):
        i = self.instance()
        for number in (signal.SIGQUIT, signal.SIGINT, signal.SIGHUP):
            screen = Screen(self, i)
            screen.wait(b"\x1b[J")
            screen.process.send_signal(number)
            self.assertEqual(screen.process.wait(30 * relais.PATIENCE), 0, number)
            screen.wait(b"\x1b[?1049l")
            self.assertEqual(termios.tcgetattr(screen.theirs), screen.before)

    def test_without_qmail_send_it_says_so(self):
        i = self.instance()
        shown = i.run("qmailctl", "top", i.home)
        self.assertEqual(shown.code, 0, shown)
        self.assertIn("! qmail-send does not run", shown.out)

    @staticmethod
    def is_over(process):
        try:
            return process.status()["State"].startswith("Z")
        except FileNotFoundError:
            return True

    @unittest.skipUnless(relais.IS_ROOT, "a system instance needs root")
    def test_who_looks(self):
        i = self.started()
        screen = Screen(self, i)
        screen.wait(b"Places taken")
        found = [relais.Process(int(pid)) for pid in
                 [screen.process.pid, *pathlib.Path(f"/proc/{screen.process.pid}/task/{screen.process.pid}/children").read_text().split()]]
        if not i.single:
            self.assertEqual([p.uid for p in found], [i.ids("qmailm")[0], 0], "one half that draws, one that keeps the door")
            # qmail-send obeys every verb on its socket: who parses what strangers wrote has the other half alone.
            fds = pathlib.Path(f"/proc/{found[0].pid}/fd")
            self.assertEqual(len([fd for fd in fds.iterdir() if os.readlink(fd).startswith("socket:")]), 1)
            if relais.CONFINED:
                self.assertEqual(found[1].status()["Seccomp"], "2")
        screen.type(b"q")
        screen.process.wait(30 * relais.PATIENCE)
        i.wait_for(lambda: all(self.is_over(p) for p in found[1:]), what="the end of both halves")
        tried = i.run("qmailctl", "top", i.home, user=self.bob)
        self.assertEqual(tried.code, 100, tried)
        self.assertIn("run this as root", tried.err)


if __name__ == "__main__":
    relais.main()
