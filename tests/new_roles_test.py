"""An instance that is older than some roles: its programs run as those of before did, and qmail-setup --repair adds them,
while mail and logins go on."""

import contextlib
import itertools
import os
import re
import stat
import struct
import threading
import time
import unittest

import auth_test
from harness import pop3
from harness import relais
from harness.pop3 import ask_authd as ask

PASSWORD = "correct horse"
# What new instances have got since the first version.
LATER_FILES = ("bounceformat", "checks", "chunking", "concurrencyremote", "dane", "databytes", "delaywarning", "deliverby", "dsnfrom", "enhancedcodes", "futurerelease", "holddays", "keeptrace", "limitslocal", "mailauth", "minimumuid", "mtpriority", "perip", "proctitle", "queueminfree",
               "ratelimits", "recipientcheck", "refusalid", "refusedlimit", "refusedpause", "requiretls", "smtplimits", "smtputf8", "stresstimeout", "tlsmemory")


class Load:
    """Messages and logins without end; what was accepted is counted."""

    def __init__(self, i, account):
        self.i, self.account = i, account
        self.accepted, self.logins = [], 0
        self.wrong = []
        self.ends = threading.Event()
        self.threads = [threading.Thread(target=each) for each in (self.send, self.log_in)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        for thread in self.threads:
            thread.join()

    def send(self):
        for number in itertools.takewhile(lambda _: not self.ends.is_set(), itertools.count()):
            if self.i.submit("a@b.example", [self.account], f"Subject: {number}\n\nx\n") == 0:
                self.accepted.append(number)

    def log_in(self):
        while not self.ends.is_set():
            # A daemon that dies resets its connections.
            with contextlib.suppress(OSError, struct.error):
                letter, fields = ask(self.i, self.account, PASSWORD)
                if letter == "K":
                    self.logins += 1
                elif letter != "T":
                    self.wrong.append((letter, fields))
            time.sleep(0.01)

    def go_on(self):
        """Both have had success since."""
        accepted, logins = len(self.accepted), self.logins
        self.i.wait_for(lambda: len(self.accepted) > accepted + 3 and self.logins > logins + 3, 60, "mail and logins that go on")


@unittest.skipUnless(relais.IS_ROOT, "needs a system instance")
class NewRoles(relais.TestCase):
    def old_instance(self):
        """Laid out as 7d76660 did."""
        i = self.instance()
        self.anna = i.add_user("anna")
        pop3.set_password(i, "anna", PASSWORD)
        for name in LATER_FILES:
            i.control(name, None)
        owners = (i.home / "control/owners").read_text().splitlines()
        i.control("owners", "\n".join(line for line in owners if line.split(":")[0] in ("instance", *relais.ROLES)))
        self.database = i.home / "users/passwd.cdb"
        os.chown(self.database, 0, 0)
        self.database.chmod(0o600)
        return i

    def wait_roles(self, i, speaking, checks):
        def seen():
            with contextlib.suppress(OSError):
                found = auth_test.Auth.halves(i)
                return found[1].uid == speaking and {p.uid for p in found[2]} == {checks}
            return False
        i.wait_for(seen, 60, f"qmail-authd as {speaking} with checks as {checks}")

    def test_an_upgrade_under_load(self):
        i = self.old_instance()
        i.start(smtpd=None)
        with Load(i, f"anna@{i.me}") as load:
            # The new programs are there, nobody has repaired anything, and each daemon dies.
            self.wait_roles(i, 0, i.ids("qmailp")[0])
            load.go_on()
            for name in ("qmail-authd", "qmail-queued", "qmail-lspawn", "qmail-rspawn", "qmail-resolver"):
                i.kill(name)
            load.go_on()
            self.wait_roles(i, 0, i.ids("qmailp")[0])
            log = "\n".join(i.log("send"))
            for name, before in (("qmaila", "root"), ("qmailh", "qmailp"), ("qmailv", "qmailp"), ("qmailc", "qmailp"), ("qmailm", "qmailp"), ("qmailt", "qmailp"), ("qmailw", "qmailn"), ("qmailx", "qmailn"), ("qmailb", "qmailm")):
                self.assertIn(f"control/owners has no line for {name}, whose programs run as {before}: qmail-setup --repair adds it", log)
            check = i.run("qmail-setup", "--check", i.home)
            self.assertIn("control/owners has no line for qmaila", check.out)
            repair = i.run("qmail-setup", "--repair", i.home)
            self.assertEqual(repair.code, 0, repair)
            for name in relais.LATER_ROLES:
                self.assertIn(f"added a line for {name} to control/owners", repair.out)
            load.go_on()
            self.wait_roles(i, 0, i.ids("qmailp")[0])  # what runs goes on as it was
            for process in auth_test.Auth.halves(i)[2]:
                os.kill(process.pid, 9)
            load.go_on()
            os.kill(auth_test.Auth.halves(i)[1].pid, 9)
            self.wait_roles(i, i.ids("qmaila")[0], i.ids("qmailh")[0])
            load.go_on()
        self.assertEqual(load.wrong, [])
        i.wait_empty()
        arrived = [int(re.search(rb"^Subject: (\d+)$", m, re.M)[1]) for m in self.anna.messages()]
        # A message whose acknowledgement died with qmail-queued was left in drop/ as well.
        self.assertLessEqual(len(arrived) - len(set(arrived)), 1)
        self.assertEqual(set(load.accepted) - set(arrived), set())
        self.assertEqual(i.run("qmail-setup", "--check", i.home).code, 0)

    def test_the_numbers_of_before_stay(self):
        i = self.old_instance()
        before = (i.home / "control/owners").read_text().splitlines()
        self.assertEqual(i.run("qmail-setup", "--repair", i.home).code, 0)
        after = (i.home / "control/owners").read_text().splitlines()
        self.assertEqual(after[:len(before)], before)
        self.assertEqual(after[len(before):], [f"{name}:{uid}:{gid}" for name in relais.LATER_ROLES for uid, gid in [i.ids(name)]])
        status = self.database.stat()
        self.assertEqual((stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid), (0o440, 0, i.ids("qmaila")[1]))

    def test_a_repair_that_was_cut_off(self):
        """What qmaila must be able to read is its own before control/owners names it: programs of before and after can read it."""
        i = self.old_instance()
        os.chown(self.database, 0, i.ids("qmaila")[1])
        self.database.chmod(0o440)
        i.start(smtpd=None)
        self.assertEqual(ask(i, "anna", PASSWORD)[0], "K")
        self.assertEqual(i.run("qmail-setup", "--repair", i.home).code, 0)
        i.kill("qmail-authd")
        self.wait_roles(i, i.ids("qmaila")[0], i.ids("qmailh")[0])
        i.wait_for(lambda: ask(i, "anna", PASSWORD)[0] == "K", 30, "a login")

    def test_what_cannot_be_mended_adds_no_role(self):
        i = self.old_instance()
        os.link(self.database, i.home / "users/second")
        repair = i.run("qmail-setup", "--repair", i.home)
        self.assertNotEqual(repair.code, 0)
        self.assertIn("no role is added to control/owners", repair.out + repair.err)
        self.assertNotIn("qmaila", (i.home / "control/owners").read_text())


if __name__ == "__main__":
    relais.main()
