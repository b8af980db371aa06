"""Real Dovecot, by the configuration of docs/dovecot.md: a POP3 or IMAP login opens SMTP, and nothing else does."""

import base64
import imaplib
import json
import poplib

from harness import peers
from harness import relais


class Dovecot(relais.TestCase):
    def setUp(self):
        self.i = self.instance(control={"rcpthosts": "mail.test"})
        self.dovecot = self.entered()

    def entered(self):
        server = peers.Dovecot(self.i)
        server.__enter__()
        self.addCleanup(server.__exit__)
        return server

    def relays(self, address):
        with relais.Smtp(self.i.port, address) as client:
            client.command("EHLO client.test")
            client.command("MAIL FROM:<anna@client.test>")
            return client.command("RCPT TO:<joe@foreign.example>", (250, 553)).code == 250

    def pop3(self, address, password="secret"):
        client = poplib.POP3(address, self.dovecot.pop3_port, timeout=90)
        try:
            client.user("anna")
            client.pass_(password)
        finally:
            client.close()

    def imap(self, address, password="secret"):
        with imaplib.IMAP4(address, self.dovecot.imap_port, timeout=90) as client:
            client.login("anna", password)

    def opens(self, login, service, address):
        self.i.start("listener", address)
        self.assertFalse(self.relays(address))
        self.assertRaises((poplib.error_proto, imaplib.IMAP4.error), login, address, "wrong")
        self.assertFalse(self.relays(address))
        login(address)
        self.assertTrue(self.relays(address), self.dovecot.log())
        (entry,) = json.loads(self.i.run("open-smtp", "list", "--json").out)
        self.assertEqual((entry["address"], entry["user"], entry["service"]), (address, "anna", service))
        self.i.control("opensmtplifetime", str(entry["age"] + 2))
        self.i.wait_for(lambda: not self.relays(address), 60, "the end of the lifetime")
        self.i.control("opensmtplifetime", "10800")
        login(address)
        self.assertTrue(self.relays(address))

    def test_pop3_v4(self):
        self.opens(self.pop3, "pop3", "127.0.0.1")

    def test_pop3_v6(self):
        self.opens(self.pop3, "pop3", "::1")

    def test_imap_v4(self):
        self.opens(self.imap, "imap", "127.0.0.1")

    def test_imap_v6(self):
        self.opens(self.imap, "imap", "::1")

    def test_login_works_without_open_smtpd(self):
        self.imap("127.0.0.1")
        self.pop3("127.0.0.1")
        self.i.wait_for(lambda: self.dovecot.log().count("open-smtpd does not run") >= 2, what="a word in Dovecot's log")

    def test_passwords_that_dovecot_knows(self):
        """control/authdovecot: qmail-authd asks Dovecot about logins over SMTP."""
        self.i.control("authdovecot", f"{self.dovecot.directory}/run/auth-client")
        self.i.start()
        for user in ("anna", "Anna%mail.test", "anna@mail.test"):
            with self.i.smtp(ehlo=None) as smtp:
                self.assertIn("250-AUTH LOGIN PLAIN\n", repr(smtp.command("EHLO x")))
                for password, code in (("wrong", 535), ("secret", 235)):
                    smtp.command("AUTH PLAIN " + base64.b64encode(f"\0{user}\0{password}".encode()).decode(), code)
                smtp.command("MAIL FROM:<anna@mail.test>")
                smtp.command("RCPT TO:<joe@foreign.example>")
        self.i.control("authcache", "0")
        self.dovecot.__exit__()
        with self.i.smtp() as smtp:
            smtp.command("AUTH PLAIN " + base64.b64encode(b"\0bert\0secret").decode(), 454)


if __name__ == "__main__":
    relais.main()
