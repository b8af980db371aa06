"""ETRN (RFC 1985): a customer whose server is not always there asks a back-up MX for his mail. Who may ask, what it makes
happen, and what it does not."""

import socket
import time
import unittest

from harness import relais
from harness.fake_smtp import FakeServer

RULES = '127.0.0.2:allow,RELAYCLIENT=""\n:allow\n'
CUSTOMER = "127.0.0.2"


class Etrn(relais.TestCase):
    def setUp(self):
        self.port = relais.free_port()
        self.i = self.instance(control={"rcpthosts": "mail.test\ncustomer.test\nother.test", "etrn": "customer.test",
                                        "smtproutes": f"customer.test:127.0.0.1:{self.port}\nother.test:127.0.0.1:{self.port}"})
        self.i.rules(RULES)
        self.i.start()

    def ask(self, line="ETRN customer.test", source=CUSTOMER):
        with self.i.smtp(source=source) as s:
            s.line(line)
            return str(s.reply())

    def waiting(self, *recipients):
        """A message to each, tried in vain."""
        for recipient in recipients:
            self.i.send("a@x.test", [recipient], f"Subject: for {recipient}\n\nhello\n")
        self.i.wait_log("deferral", count=len(recipients))

    def turns(self):
        return sum("turn: what waits for" in line for line in self.i.log())

    def test_what_waits_arrives(self):
        self.waiting("b@customer.test", "c@customer.test", "d@other.test")
        with FakeServer(port=self.port) as server:
            self.assertTrue(self.ask("etrn Customer.Test").startswith("250 ok"))
            self.i.wait_for(lambda: sum(len(s.messages) for s in server.sessions) == 2, 20, "the mail")
            self.i.wait_log("etrn from 127.0.0.2 for Customer.Test", "smtpd")
            subjects = b"".join(m for s in server.sessions for m in s.messages)
            self.assertNotIn(b"other.test", subjects)
        # Once a minute is enough.
        self.assertTrue(self.ask().startswith("250 ok"))
        self.assertEqual(self.turns(), 1)

    def test_after_a_restart_too(self):
        self.waiting("b@customer.test", "d@other.test")
        with FakeServer(port=self.port) as server:
            self.end_send()
            self.i.start_send()
            self.assertTrue(self.ask().startswith("250 ok"))
            self.i.wait_for(lambda: any(s.messages for s in server.sessions), 20, "the mail")

    def end_send(self):
        self.i.running["send"].terminate()
        self.i.running["send"].wait(60)

    def test_who_may_ask_for_what(self):
        with self.i.smtp(ehlo=None, source=CUSTOMER) as s:
            self.assertIn("ETRN", str(s.command("EHLO c")))
        with self.i.smtp(ehlo=None) as s:
            self.assertNotIn("ETRN", str(s.command("EHLO c")))
        self.assertTrue(self.ask(source="127.0.0.1").startswith("459"))
        for what in ("other.test", "@customer.test", "#queue", "x.customer.test", "customer.test.x", "*", "\xff.test", "a" * 1500):
            self.assertTrue(self.ask(f"ETRN {what}").startswith("459"), what)
        for what in ("", " ", "a b", "<customer.test>"):
            self.assertTrue(self.ask(f"ETRN {what}").startswith("501"), what)
        self.assertTrue(self.ask("ETRN customer.test\0").startswith("500"))
        self.assertEqual(self.turns(), 0)

    def test_without_the_file_it_is_unknown(self):
        (self.i.home / "control/etrn").unlink()
        self.assertTrue(self.ask().startswith("500 unimplemented"))

    def test_when_qmail_send_is_away(self):
        self.end_send()
        self.assertTrue(self.ask().startswith("458"))

    def test_the_socket_takes_anything(self):
        path = str(self.i.home / "sockets/turn")
        self.waiting("b@customer.test")
        silent = []
        for _ in range(100):
            s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.addCleanup(s.close)
            s.settimeout(20)
            s.connect(path)
            silent.append(s)
        for packet in (b"\0", b"x" * 60000, b"other.test", b"customer.test\0", b"customer.test", b"customer.test"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
                s.settimeout(20)
                s.connect(path)
                s.send(packet)
        self.i.wait_log("turn: what waits for customer.test is tried now")
        time.sleep(0.5)
        self.assertEqual(self.turns(), 1)

    @unittest.skipUnless(relais.IS_ROOT, "needs several users")
    def test_the_socket_is_for_servers_alone(self):
        info = (self.i.home / "sockets/turn").stat()
        self.assertEqual((info.st_mode & 0o777, info.st_uid), (0o600, self.i.ids("qmaild")[0] if not self.i.single else info.st_uid))


if __name__ == "__main__":
    relais.main()
