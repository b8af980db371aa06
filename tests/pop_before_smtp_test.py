"""POP before SMTP with everything real: tcpserver in front of qmail-popup and of qmail-smtpd, and other people's clients. A client is
refused, logs in, may send, and is refused again when the lifetime is over. The same behind Dovecot."""

import json

from harness import mail_clients
from harness import peers
from harness import pop3
from harness import relais

CHAIN = ("open-smtp-channel", "checkpassword", "open-smtp-allow", "qmail-pop3d", "Maildir")
MESSAGE = "Subject: kept on the server\n\nhello\n"
REFUSAL = "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"


class Door(relais.TestCase):
    """What a login must do, whoever serves it."""

    user, password = "anna", "sesame"

    def setUp(self):
        self.i = self.instance(control={"rcpthosts": "mail.test"})

    def refusal(self, address):
        return mail_clients.swaks_may_send(address, self.i.port, "anna@client.test", "joe@foreign.example")

    def entries(self):
        return json.loads(self.i.run("open-smtp", "list", "--json").out)

    def close_by_time(self, address):
        """Lets the lifetime end soon: what it is makes no difference, and so no slow machine can come too late."""
        (entry,) = self.entries()
        lifetime = entry["age"] + 2
        self.i.control("opensmtplifetime", str(lifetime))
        self.assertEqual(self.i.wait_for(lambda: self.refusal(address), 60, "the end of the lifetime"), REFUSAL)
        (entry,) = self.entries()
        self.assertFalse(entry["live"], "refused while it counts")
        self.assertGreaterEqual(entry["age"], lifetime)

    def opens(self, client, address, port, service="pop3", stored="anna@mail.test"):
        self.assertEqual(self.refusal(address), REFUSAL)
        self.assertRaises(mail_clients.Refused, client, address, port, self.user, "wrong")
        self.assertEqual(self.refusal(address), REFUSAL, "a wrong password opens nothing")
        fetched = client(address, port, self.user, self.password)
        self.assertIsNone(self.refusal(address))
        (entry,) = self.entries()
        self.assertEqual((entry["address"], entry["user"], entry["service"]), (address, stored, service))
        self.close_by_time(address)
        self.assertRegex(self.i.wait_log("(last login", "smtpd")[-1],
                         rf"no rule, no open-smtp entry \(last login .* ago by {stored} over {service}\), not authenticated")
        # Another login opens it again.
        self.i.control("opensmtplifetime", "10800")
        client(address, port, self.user, self.password)
        self.assertIsNone(self.refusal(address))
        return fetched


class OurPop3(Door):
    def through(self, client, address):
        anna = self.i.add_user("anna")
        self.i.start("tcpserver", address)
        pop3.set_password(self.i, "anna", self.password)
        pop3.make_message(anna, "1700000000.1.host", MESSAGE)
        return self.opens(client, address, pop3.start_server(self.i, address, CHAIN))

    def test_mpop_v4(self):
        self.assertIn("kept on the server", self.through(mail_clients.mpop, "127.0.0.1"))

    def test_mpop_v6(self):
        self.assertIn("kept on the server", self.through(mail_clients.mpop, "::1"))

    def test_fetchmail_v4(self):
        self.assertIn("kept on the server", self.through(mail_clients.fetchmail, "127.0.0.1"))

    def test_fetchmail_v6(self):
        self.assertIn("kept on the server", self.through(mail_clients.fetchmail, "::1"))

    def test_curl_v4(self):
        self.assertIn("1 ", self.through(mail_clients.curl, "127.0.0.1"))

    def test_curl_v6(self):
        self.assertIn("1 ", self.through(mail_clients.curl, "::1"))

    def test_login_on_one_family_does_not_open_the_other(self):
        self.i.add_user("anna")
        self.i.start("tcpserver", "127.0.0.1")
        pop3.set_password(self.i, "anna", self.password)
        port = pop3.start_server(self.i, "::1", CHAIN)
        mail_clients.curl("::1", port, "anna@mail.test", self.password)
        self.assertEqual([e["address"] for e in self.entries()], ["::1"])
        self.assertEqual(self.refusal("127.0.0.1"), REFUSAL)


class BehindDovecot(Door):
    password = "secret"

    def through(self, client, address, service):
        dovecot = peers.Dovecot(self.i)
        dovecot.__enter__()
        self.addCleanup(dovecot.__exit__)
        self.i.start("tcpserver", address)
        self.opens(client, address, dovecot.pop3_port if service == "pop3" else dovecot.imap_port, service, "anna")

    def test_mpop_v4(self):
        self.through(mail_clients.mpop, "127.0.0.1", "pop3")

    def test_fetchmail_v6(self):
        self.through(mail_clients.fetchmail, "::1", "pop3")

    def test_curl_imap_v4(self):
        self.through(mail_clients.curl_imap, "127.0.0.1", "imap")

    def test_curl_imap_v6(self):
        self.through(mail_clients.curl_imap, "::1", "imap")


del Door

if __name__ == "__main__":
    relais.main()
