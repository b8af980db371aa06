"""A program in $QMAILQUEUE is foreign code, which strangers' mail goes through: it has a user of its own, and those who speak with
clients stay confined."""

import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from harness import relais

SHOW = """#!/bin/sh
{{ id -u; id -g; id -G; echo "$TCPREMOTEIP $WORD"; echo $(ls /proc/self/fd); }} >{out}
while test -e {gate}; do sleep 0.05; done
exec {queue}
"""


@unittest.skipUnless(relais.IS_ROOT, "needs a system instance")
class Filters(relais.TestCase):
    def setUp(self):
        self.i = self.instance()
        self.bob = self.i.add_user("bob")
        self.shared = self.i.directory / "shared"
        self.shared.mkdir()
        self.shared.chmod(0o777)
        self.gate = self.shared / "gate"
        self.i.look_for_no_leaks()

    def program(self, text, name="filter"):
        path = self.i.directory / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def show(self):
        return self.program(SHOW.format(out=self.shared / "out", gate=self.gate, queue=relais.program("qmail-queue")))

    def rules(self, program):
        self.i.rules(f':allow,QMAILQUEUE="{program}",WORD="of the rule"\n')

    def shown(self):
        out = self.shared / "out"
        self.i.wait_for(lambda: out.exists() and out.read_text().count("\n") > 4, what="the filter")
        return out.read_text().splitlines()

    def test_a_filter_has_a_user_of_its_own(self):
        self.rules(self.show())
        self.i.start()
        self.gate.touch()
        with self.i.smtp() as client:
            client.command("MAIL FROM:<a@b.example>")
            client.command("RCPT TO:<bob@mail.test>")
            client.command("DATA", 354)
            client.raw(b"Subject: x\r\n\r\nx\r\n.\r\n")
            uid, gid, groups, words, descriptors = self.shown()
            wanted = self.i.ids("qmailf")
            self.assertEqual((int(uid), int(gid), groups), (*wanted, str(wanted[1])))
            self.assertEqual(words, "127.0.0.1 of the rule")
            # 3 is the directory itself, or the shell's own copy of its script.
            self.assertLessEqual(set(descriptors.split()), {"0", "1", "2", "3", "6", "10"})
            for process in self.i.processes("qmail-smtpd"):
                if process.uid == self.i.ids("qmaild")[0] and process.pid != self.i.running["smtpd"].pid and relais.CONFINED:
                    self.assertEqual(process.status()["Seccomp"], "2", process)
            self.gate.unlink()
            client.expect(250)
        message = self.bob.wait_messages(1)[0]
        self.assertIn(b" invoked from network)", message)

    def test_a_filter_that_ends_all_of_its_user(self):
        """The runner is of its user. Its message is deferred, and the next one is served."""
        self.rules(self.program("#!/bin/sh\nkill -9 -1\nsleep 1\nexit 0\n"))
        self.i.start()
        with self.i.smtp() as client:
            client.deliver("a@b.example", ["bob@mail.test"], "x\n", code=451)
        self.i.wait_log("the runner of filters has died, starting it again", "smtpd")
        self.rules(self.show())
        self.i.send("a@b.example", ["bob@mail.test"], "x\n")
        self.bob.wait_messages(1)

    def test_half_a_message_is_none(self):
        """A client that goes in the middle of it: the filter is killed."""
        pid = self.shared / "pid"
        self.rules(self.program(f"#!/bin/sh\necho $$ >{pid}\ncat >/dev/null\ncat <&1 >/dev/null\ntouch {self.shared}/whole\n"))
        self.i.start()
        with self.i.smtp() as client:
            client.command("MAIL FROM:<a@b.example>")
            client.command("RCPT TO:<bob@mail.test>")
            client.command("DATA", 354)
            client.raw(b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 5000)
            self.i.wait_for(lambda: pid.exists() and pid.read_text().strip(), what="the filter")
        self.i.wait_for(lambda: not os.path.exists(f"/proc/{pid.read_text().strip()}"), what="the end of the filter")
        self.assertFalse((self.shared / "whole").exists())

    def test_an_instance_without_the_role(self):
        """Its filters run as before, and the log says so; --repair adds the role."""
        owners = self.i.home / "control/owners"
        # It has none of those that came later either.
        text = owners.read_text()
        owners.write_text(text[:text.index("qmailf:")])
        self.rules(self.show())
        self.i.start()
        self.i.send("a@b.example", ["bob@mail.test"], "x\n")
        self.assertEqual(int(self.shown()[0]), self.i.ids("qmaild")[0])
        self.i.wait_log("control/owners has no line for qmailf, whose programs run as qmaild: qmail-setup --repair adds it", "smtpd")
        self.assertIn("added a line for qmailf to control/owners", self.i.run("qmail-setup", "--repair", self.i.home).out)
        self.i.stop()
        (self.shared / "out").unlink()
        self.i.start()
        self.i.send("a@b.example", ["bob@mail.test"], "x\n")
        self.assertEqual(int(self.shown()[0]), self.i.ids("qmailf")[0])

    def test_the_guardian_ends_with_its_listener(self):
        self.rules(self.show())
        self.i.start()
        self.i.send("a@b.example", ["bob@mail.test"], "x\n")
        self.i.running["smtpd"].terminate()
        self.i.wait_for(lambda: not self.i.processes("qmail-smtpd"), 30, "the end of the listener")


if __name__ == "__main__":
    relais.main()
