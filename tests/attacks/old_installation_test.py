"""Who had a role of a qmail installation that qmail-import reads as root has put traps there: names of files that are not its own,
names that command a terminal, times that nobody has."""

import os
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from harness import relais  # noqa: E402
from harness.old_qmail import OldQmail  # noqa: E402

SECRET = "root:$6$hash:19000:0:99999:7:::\n"


class OldInstallation(relais.TestCase):
    def setUp(self):
        self.i = self.instance()
        self.old = OldQmail(self.i.directory / "old")
        self.secret = self.i.directory / "secret"
        self.secret.write_text(SECRET)

    def bring(self, code):
        if self.i.single and relais.IS_ROOT:
            subprocess.run(["chown", "-R", str(self.i.ids("qmailq")[0]), self.old.directory], check=True)
        done = self.i.run("qmail-import", self.old.directory, self.i.home)
        self.assertEqual(done.code, code, done)
        return done.out

    def whole_queue(self):
        return b"".join(path.read_bytes() for path in self.i.queue_files())

    @unittest.skipUnless(relais.IS_ROOT, "only root reads what is not its own")
    def test_a_file_of_somebody_else_has_a_name_in_the_queue(self):
        number = self.old.waiting("x@far.test", remote=["Tme@far.test"])
        self.old.path("mess", number).unlink()
        os.chown(self.secret, 12345, 12345)
        os.link(self.secret, self.old.path("mess", number))
        said = self.bring(1)
        self.assertIn(f"FAULT    queue/mess/{number % 23}/{number}: it has other names, and another owner than its directory\n", said)
        self.assertNotIn(SECRET.encode(), self.whole_queue())

    @unittest.skipUnless(relais.IS_ROOT, "only root reads what is not its own")
    def test_a_file_of_somebody_else_has_a_name_in_alias(self):
        os.chown(self.secret, 12345, 12345)
        os.link(self.secret, self.old.directory / "alias/.qmail-me")
        (self.old.directory / "alias/.qmail-one").write_text("&anna\n")
        os.link(self.old.directory / "alias/.qmail-one", self.old.directory / "alias/.qmail-two")
        said = self.bring(0)
        self.assertIn("by hand  alias/.qmail-me: it has other names, and another owner than its directory\n", said)
        self.assertFalse((self.i.home / "alias/.qmail-me").exists())
        for name in ("one", "two"):
            self.assertEqual((self.i.home / f"alias/.qmail-{name}").read_text(), "&anna\n")

    def test_names_that_command_a_terminal_or_the_ledger(self):
        (self.old.directory / "alias/.qmail-\x1b[2J").write_text("&anna\n")
        (self.old.directory / "alias/.qmail-x\ncontrol\u2028").write_text("&anna\n")
        (self.old.directory / "alias/.qmail-q\nalias").mkdir()
        (self.old.directory / "queue/mess/3/\x1b]0;owned\x07").write_text("x")
        said = self.bring(1)
        for octet in said:
            self.assertTrue(octet.isprintable() or octet == "\n", ascii(octet))
        self.assertIn("by hand  alias/.qmail-_[2J: its name is no text\n", said)
        ledger = self.i.home / "imported"
        self.assertNotIn("control", ledger.read_text() if ledger.exists() else "")

    def test_a_message_without_a_time_is_delivered(self):
        number = self.old.waiting("x@far.test", remote=["Tme@far.test"])
        os.utime(self.old.path("info", number), (0, 0))
        said = self.bring(0)
        self.assertIn(f"1 messages are in {self.i.home}/queue now", said)
        self.assertIn("remote\tme@far.test", self.i.run("qmail-qread").out)


if __name__ == "__main__":
    relais.main()
