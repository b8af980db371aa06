"""The processes that deliver into users' Maildirs, beside the work of an administrator: userdel, useradd, umount."""

import pathlib
import subprocess
import unittest

from harness import lspawn, namespace, relais

namespace.enter()


class Accounts(relais.TestCase):
    """A real account, in this file's own view of /etc."""

    @classmethod
    def setUpClass(cls):
        namespace.require()
        cls.addClassCleanup(namespace.private("/etc"))

    def setUp(self):
        self.i = self.instance()
        self.home = self.i.directory / "home" / "rlanna"
        self.home.parent.mkdir(parents=True, exist_ok=True)
        self.useradd("rlanna")
        self.addCleanup(subprocess.run, ["userdel", "-f", "rlanna"], capture_output=True)
        self.s = lspawn.Spawner(self.i)
        self.addCleanup(self.s.close)

    def useradd(self, name, *options):
        home = self.home.parent / name
        subprocess.run(["useradd", "-M", "-d", home, *options, name], check=True, capture_output=True)
        home.mkdir(mode=0o700, exist_ok=True)
        maildir = home / "Maildir"
        for part in ("", "tmp", "new", "cur"):
            (maildir / part).mkdir(mode=0o700, exist_ok=True)
        subprocess.run(["chown", "-R", f"{name}:", home], check=True)

    def deliver(self, outcome="success"):
        report = self.s.deliver("rlanna@mail.test")
        self.assertEqual(report.outcome, outcome, report)

    def files(self):
        return len(list((self.home / "Maildir/new").iterdir()))

    def wait_for_no_process(self):
        self.i.wait_for(lambda: not self.i.processes("qmail-local"), 20, "the end of the processes of users")

    def test_userdel_between_two_deliveries(self):
        self.deliver()
        self.assertTrue(self.i.processes("qmail-local"))
        (self.i.home / "control/defaultdomain").write_text("mail.test\n")
        self.wait_for_no_process()
        done = subprocess.run(["userdel", "rlanna"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.deliver("failure")
        self.assertEqual(self.files(), 1)

    def test_a_changed_passwd_ends_them_and_a_new_uid_counts_at_once(self):
        self.deliver()
        first = self.i.processes("qmail-local")
        subprocess.run(["userdel", "-f", "rlanna"], check=True, capture_output=True)
        self.wait_for_no_process()
        self.useradd("rlanna", "-u", str(first[0].uid + 7))
        self.deliver()
        self.assertEqual({path.stat().st_uid for path in (self.home / "Maildir/new").iterdir()}, {first[0].uid + 7})

    def test_a_home_can_be_unmounted_beside_an_idle_process(self):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", self.home], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.home], capture_output=True)
        subprocess.run(["userdel", "-f", "rlanna"], check=True, capture_output=True)
        self.useradd("rlanna")
        self.deliver()
        process = self.i.processes("qmail-local")[0]
        self.i.wait_for(lambda: b"idle" in pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes(), 20, "an idle process")
        done = subprocess.run(["umount", self.home], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
