"""Who has taken over a process that speaks with other servers finds the password of its own order there, and no other."""

import os
import pathlib
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from harness import relais
from harness.fake_smtp import FakeServer

PASSWORDS = {"one.test": "first-correct-horse", "two.test": "second-battery-staple", "three.test": "third-which-nobody-uses"}
SENDER, SENDERS_PASSWORD = "boss@here.test", "fourth-of-a-sender"


@unittest.skipUnless(relais.IS_ROOT, "reads the memory of other users' processes")
class RemotePasswords(relais.TestCase):
    def secret(self, i, name, lines):
        i.control(name, "\n".join(lines))
        os.chown(i.home / "control" / name, *i.ids("qmailr"))
        (i.home / "control" / name).chmod(0o400)

    def passwords_in(self, process):
        areas = [octets for _, octets in relais.Process(process.pid).memory()]
        return {password for password in (*PASSWORDS.values(), SENDERS_PASSWORD) if any(password.encode() in area for area in areas)}

    def test_a_process_has_no_password_but_its_orders(self):
        gate = threading.Event()
        self.addCleanup(gate.set)
        replies = {"EHLO": b"250-fake.test\r\n250 AUTH PLAIN\r\n", "AUTH": b"235 ok\r\n",
                   "dot": lambda session, line: (gate.wait(300), b"250 ok\r\n")[1]}
        with FakeServer(**replies) as server:
            i = self.instance(control={"tlsdestinations": "127.0.0.1:none cleartext", "remoteidle": "60"})
            where = f"127.0.0.1:{server.port}"
            self.secret(i, "smtproutes", [f"{domain}:{where}|user|{password}" for domain, password in PASSWORDS.items()])
            self.secret(i, "authsenders", [f"{SENDER}:{where}|user|{SENDERS_PASSWORD}"])
            i.look_for_no_leaks()
            i.start_send()
            for domain in ("one.test", "two.test"):
                self.assertEqual(i.submit("me@here.test", [f"you@{domain}"]), 0)
            i.wait_for(lambda: len(server.messages) == 2, 60, "two deliveries")
            found = [self.passwords_in(process) for process in i.processes("qmail-remote")]
            self.assertLessEqual(max(map(len, found)), 1, found)
            self.assertEqual(set().union(*found), {PASSWORDS["one.test"], PASSWORDS["two.test"]})
            self.assertEqual([self.passwords_in(process) for process in i.processes("qmail-rspawn")], [set()])
            gate.set()
            i.wait_empty()
            # One after the other: the route of a sender, then a password that has changed.
            self.assertEqual(i.submit(SENDER, ["you@elsewhere.test"]), 0)
            i.wait_empty()
            self.secret(i, "smtproutes", [f"one.test:{where}|user|a-new-one"])
            self.assertEqual(i.submit("me@here.test", ["you@one.test."]), 0)
            i.wait_empty()
            asked = [line for session in server.sessions for line in session.commands if line.startswith(b"AUTH")]
            self.assertEqual(len(set(asked)), 4, asked)


if __name__ == "__main__":
    relais.main()
