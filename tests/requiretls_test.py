"""REQUIRETLS and TLS-Required (RFC 8689): qmail-remote against servers with TLS whose MX records a real nsd serves, signed and not;
and what a whole instance takes, passes on and returns."""

import pathlib
import shutil
import tempfile

from harness import dns
from harness import nodemailer
from harness import relais
from harness.logins import loose
from harness.tls_peers import Authority, TlsServer
from remote_test import RemoteCase
from rspawn_test import Spawner

ASKING = b"requiretls yes\0\0"
OFFERING = b"250-fake.test\r\n250-REQUIRETLS\r\n250 PIPELINING\r\n"
FREE = b"Subject: test\nTLS-Required: No\n\nhello\n"
# Hosts of test. and their addresses; a domain of the same name has it as its MX.
HOSTS = {"good": 21, "silent": 22, "plain": 23, "wrong": 24, "dane": 24, "danewrong": 21}


class Case(RemoteCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="rlrequire.", dir="/tmp"))
        cls.directory.chmod(0o755)
        cls.port = relais.free_port()
        cls.authority = Authority(cls.directory / "ca")
        cls.good = cls.authority.certificate("good-host.test", "silent-host.test", "host.open.test", "nomx.open.test")
        cls.own = cls.authority.self_signed("elsewhere.example")
        zone = [f"{host} MX 10 {host}-host\n{host}-host A 127.0.0.{last}" for host, last in HOSTS.items()]
        zone += [f"_{cls.port}._tcp.dane-host TLSA 3 0 1 {cls.own.digest()}", f"_{cls.port}._tcp.danewrong-host TLSA 3 0 1 {'ab' * 32}",
                 "second MX 10 silent-host\nsecond MX 20 good-host", "dead-host A 127.0.0.29", "half MX 10 silent-host\nhalf MX 20 dead-host",
                 "open NS ns.open\nns.open A 127.0.0.1"]
        cls.nsd = dns.Nsd({"test": "\n".join(zone) + "\n", "open.test": "@ MX 10 host\nhost A 127.0.0.21\nnomx A 127.0.0.21\n"}, signed=("test",))

    @classmethod
    def tearDownClass(cls):
        cls.nsd.stop()
        shutil.rmtree(cls.directory)

    def setUp(self):
        self.servers = {}
        for last, options in ((21, {"certificate": self.good}), (22, {"certificate": self.good}), (23, {"starttls": False}),
                              (24, {"certificate": self.own})):
            self.servers[last] = TlsServer(address=f"127.0.0.{last}", port=self.port, **options)
            self.addCleanup(self.servers[last].stop)
            if last != 22:
                self.servers[last].hello_in_tls = OFFERING

    def made(self, **control):
        i = self.instance(control={
            "dnsservers": self.nsd.server, "dnsanchors": self.nsd.anchors, "dane": "1", "smtproutes": f"::{self.port}", "privatemx": ".test",
            "mtastsca": "test-ca.pem", "timeoutremote": "30", "timeoutdns": "10", "timeoutconnect": "5", "requiretls": "1", **control})
        i.control("test-ca.pem", self.authority.root.cert.read_bytes())
        return i

    def commands(self, last, verb=b"MAIL"):
        return [c for session in self.servers[last].sessions for c in session.commands if c.upper().startswith(verb)]


class Out(Case):
    def spawner(self, **control):
        return self.started(self.made(**control))

    def started(self, i):
        dns.start_resolver(i)
        spawner = Spawner(i)
        self.addCleanup(spawner.close)
        return spawner

    def deliver(self, spawner, host, extension=ASKING, **options):
        report = spawner.deliver(host=host, recipients=(f"you@{host}",), extension=extension, **options)
        (outcome, text), (status, _) = report.recipients[0], report.details[0]
        return outcome, status, text, report.tls

    def test_who_promises_the_same_gets_it(self):
        spawner = self.spawner()
        for domain in ("good.test", "nomx.open.test"):
            outcome, _, text, tls = self.deliver(spawner, domain)
            self.assertEqual(outcome, "r", text)
            self.assertTrue(tls.endswith("certificate verified, REQUIRETLS"), tls)
            self.assertTrue(text.endswith("certificate verified, REQUIRETLS"), text)
        outcome, _, text, tls = self.deliver(spawner, "dane.test")
        self.assertEqual((outcome, tls.endswith("certificate verified by DANE, REQUIRETLS")), ("r", True), text)
        self.assertEqual(self.commands(21), [b"MAIL FROM:<me@here.test> REQUIRETLS"] * 2)
        # The best server does not offer it, the next one does.
        self.assertEqual(self.deliver(spawner, "second.test")[0], "r")
        self.assertEqual(len(self.commands(21)), 3)
        self.assertEqual((self.commands(22), self.commands(22, b"QUIT")), ([], [b"QUIT"]))

    def test_who_does_not_gets_nothing_and_the_sender_is_told(self):
        spawner = self.spawner()
        for domain, status, words in (("silent.test", "5.7.30", "does not offer REQUIRETLS"),
                                      ("plain.test", "5.7.10", "(the message asks for it, REQUIRETLS) and it does not offer STARTTLS"),
                                      ("wrong.test", "5.7.10", "could not be secured"),
                                      ("open.test", "5.7.10", "neither DNSSEC nor a policy (MTA-STS) says that host.open.test")):
            outcome, told, text, _ = self.deliver(spawner, domain)
            self.assertEqual((outcome, told), ("h", status), text)
            self.assertIn(words, text)
        # Another server that cannot be reached now may offer it.
        self.assertEqual(self.deliver(spawner, "half.test")[0], "s")
        self.assertEqual([self.commands(last) for last in self.servers], [[]] * 4)
        # Ordinary mail goes on to all of them.
        for domain in ("silent.test", "plain.test", "wrong.test", "open.test"):
            self.assertEqual(self.deliver(spawner, domain, b"")[0], "r", domain)

    def test_a_bounce_is_verified_and_needs_no_promise(self):
        """RFC 8689, 5: want of REQUIRETLS loses no report."""
        spawner = self.spawner(remoteidle="60")
        for sender in ("", "#@[]"):
            outcome, _, text, _ = self.deliver(spawner, "silent.test", sender=sender)
            self.assertEqual(outcome, "r", text)
        self.assertEqual(self.commands(22), [b"MAIL FROM:<>"] * 2)
        # The sender's own mail is held to it as before, on that connection too.
        self.assertEqual(self.deliver(spawner, "silent.test")[:2], ("h", "5.7.30"))
        self.assertEqual(self.deliver(spawner, "open.test", sender="")[0], "r")
        self.assertEqual(self.deliver(spawner, "wrong.test", sender="")[0], "s")
        self.assertEqual(self.deliver(spawner, "good.test", sender="")[0], "r")
        self.assertIn(b"MAIL FROM:<> REQUIRETLS", self.commands(21))

    def test_a_connection_that_was_not_held_to_it_is_not_used(self):
        spawner = self.spawner(remoteidle="60")
        for extension in (b"", ASKING, b"", ASKING):
            self.assertEqual(self.deliver(spawner, "good.test", extension)[0], "r")
        said = [[b"REQUIRETLS" in c for c in session.commands if c.startswith(b"MAIL")] for session in self.servers[21].sessions]
        self.assertTrue(all(len(set(mails)) <= 1 for mails in said), said)
        self.assertEqual(sum(sum(mails) for mails in said), 2)

    def test_a_line_of_the_administrator_verifies_in_its_place(self):
        spawner = self.spawner(tlsdestinations=f"wrong.test:fingerprint sha256={self.own.digest()}\nplain.test:none")
        self.assertEqual(self.deliver(spawner, "wrong.test")[0], "r")
        self.assertEqual(self.deliver(spawner, "plain.test")[:2], ("h", "5.7.10"))

    def test_a_message_that_needs_no_tls_is_not_held_to_it(self):
        spawner = self.spawner()
        self.assertEqual(self.deliver(spawner, "danewrong.test", b"")[0], "s")
        outcome, _, text, tls = self.deliver(spawner, "danewrong.test", b"", message=FREE)
        self.assertEqual((outcome, tls.endswith("certificate not verified, TLS-Required: No")), ("r", True), text)
        # That connection is none for others, nor does the field count beside the parameter, or twice.
        self.assertEqual(self.deliver(spawner, "danewrong.test", b"")[0], "s")
        self.assertEqual(self.deliver(spawner, "danewrong.test", message=FREE)[:2], ("h", "5.7.10"))
        self.assertEqual(self.deliver(spawner, "danewrong.test", b"", message=b"TLS-Required: No\n" + FREE)[0], "s")

    def test_the_administrators_lines_stand_unless_they_are_to_yield(self):
        i = self.made(tlsdestinations="plain.test:encrypt")
        spawner = self.started(i)
        self.assertEqual(self.deliver(spawner, "plain.test", b"", message=FREE)[0], "s")
        i.control("requiretls", "2")
        outcome, _, text, _ = self.deliver(spawner, "plain.test", b"", message=FREE)
        self.assertEqual((outcome, text.splitlines()[-1].rpartition("/")[2]), ("r", "Not encrypted: TLS-Required: No"), text)
        i.control("requiretls", None)
        self.assertEqual(self.deliver(spawner, "danewrong.test", b"", message=FREE)[0], "s")


class Whole(Case):
    def client(self, i):
        """In TLS, EHLO said; and what was offered before."""
        client = relais.Smtp(i.port)
        self.addCleanup(client.close)
        before = client.command("EHLO client.test")
        client.command("STARTTLS", 220)
        client.socket = loose().wrap_socket(client.socket, server_hostname="mail.test")
        return client, before

    def test_it_is_offered_in_tls_alone_and_kept_to_the_next_server(self):
        i = self.made(rcpthosts="mail.test", bounceformat="both")
        i.add_user("bob")
        ann = i.add_user("ann")
        (ann.home / ".qmail").write_text("&ann@good.test\n./Maildir/\n")
        (ann.home / ".qmail-away").write_text("&ann@silent.test\n")
        i.start()
        i.wait_for((i.home / "sockets/keys").is_socket, 60, "the socket of qmail-keyd")
        client, before = self.client(i)
        self.assertNotIn("REQUIRETLS", str(before))
        self.assertIn("250-REQUIRETLS", client.command("EHLO client.test").lines)
        for sender, recipient in (("eve@good.test", "ann"), ("eve@good.test", "ann-away")):
            client.command(f"MAIL FROM:<{sender}> REQUIRETLS", 250)
            client.command(f"RCPT TO:<{recipient}@mail.test>", 250)
            client.command("DATA", 354)
            client.raw(b"Subject: secret\r\n\r\nthe body\r\n.\r\n")
            client.expect(250)
        client.close()
        i.wait_empty(60)
        ann.wait_messages(1)
        # The forward, and the bounce of the one that could not go on: its header alone, and protected as it was.
        self.assertEqual(sorted(self.commands(21)), [b"MAIL FROM:<> REQUIRETLS", b"MAIL FROM:<eve@good.test> REQUIRETLS"])
        self.assertEqual(self.commands(22), [])
        bounce, = (m for session in self.servers[21].sessions for m in session.messages if b"failure notice" in m)
        self.assertIn(b"Status: 5.7.30", bounce)
        self.assertIn(b"Subject: secret", bounce)
        self.assertNotIn(b"the body", bounce)

    def test_nodemailer_asks_for_it_with_dsn_and_utf8_beside_it(self):
        i = self.made(rcpthosts="mail.test", dsnfrom="127.0.0.1", smtputf8="1")
        (i.add_user("ann").home / ".qmail").write_text("&ann@good.test\n")
        self.servers[21].hello_in_tls = OFFERING.replace(b"250 ", b"250-DSN\r\n250-SMTPUTF8\r\n250-8BITMIME\r\n250 ")
        folder = nodemailer.installed_in(i.directory / "node")
        (folder / "send.js").write_text("""
const transport = require("nodemailer").createTransport({host: "127.0.0.1", port: Number(process.argv[2]), requireTLS: true,
  tls: {rejectUnauthorized: false}});
transport.sendMail({from: "jörg@good.test", to: "ann@mail.test", subject: "hello", text: "hello", requireTLSExtensionEnabled: true,
  dsn: {id: "id+1", return: "headers", notify: ["failure"], recipient: "old@good.test"}})
  .then(() => process.exit(0), error => { console.log(error.response || String(error)); process.exit(1); });
""")
        i.start()
        i.wait_for((i.home / "sockets/keys").is_socket, 60, "the socket of qmail-keyd")
        done = i.run("/usr/bin/env", "node", folder / "send.js", i.port)
        self.assertEqual(done.code, 0, done)
        i.wait_empty(60)
        self.assertEqual(self.commands(21), ["MAIL FROM:<jörg@good.test> BODY=8BITMIME SMTPUTF8 REQUIRETLS RET=HDRS ENVID=id+2B1".encode()])
        self.assertEqual(self.commands(21, b"RCPT"), [b"RCPT TO:<ann@good.test> NOTIFY=FAILURE ORCPT=rfc822;old@good.test"])
        # Who does not offer it is not sent to.
        i.control("requiretls", None)
        done = i.run("/usr/bin/env", "node", folder / "send.js", i.port)
        self.assertEqual((done.code, "REQUIRETLS" in done.out), (1, True), done)

    def test_in_the_clear_and_without_the_file_it_is_unknown(self):
        i = self.made()
        i.start_send()
        i.start_listener()
        with i.smtp() as client:
            client.command("MAIL FROM:<> REQUIRETLS", 555)
        i.wait_for((i.home / "sockets/keys").is_socket, 60, "the socket of qmail-keyd")
        i.control("requiretls", None)
        client, _ = self.client(i)
        self.assertNotIn("REQUIRETLS", str(client.command("EHLO client.test")))
        client.command("MAIL FROM:<> REQUIRETLS", 555)

    def test_a_bounce_in_the_classic_form_has_the_header_alone(self):
        i = self.made(rcpthosts="mail.test")
        (i.add_user("ann").home / ".qmail").write_text("&ann@silent.test\n")
        i.start()
        i.wait_for((i.home / "sockets/keys").is_socket, 60, "the socket of qmail-keyd")
        client, _ = self.client(i)
        client.command("EHLO client.test")
        client.command("MAIL FROM:<eve@good.test> REQUIRETLS", 250)
        client.command("RCPT TO:<ann@mail.test>", 250)
        client.command("DATA", 354)
        client.raw(b"Subject: secret\r\n\r\nthe body\r\n.\r\n")
        client.expect(250)
        client.close()
        i.wait_empty(60)
        self.assertEqual(self.commands(21), [b"MAIL FROM:<> REQUIRETLS"])
        (bounce,), = (session.messages for session in self.servers[21].sessions if session.messages)
        self.assertIn(b"--- Below this line is a copy of the message.", bounce)
        self.assertIn(b"Subject: secret", bounce)
        self.assertNotIn(b"the body", bounce)

    def test_route_explain_says_what_it_would_meet(self):
        i = self.made()
        dns.start_resolver(i)

        def ask(domain):
            return i.run("route-explain", "--requiretls", f"you@{domain}")
        self.assertIn("whether good-host.test offers REQUIRETLS is not known", ask("good.test").out)
        self.assertIn("host.open.test takes mail for open.test: it bounces (5.7.10)", ask("open.test").out)
        for domain in ("good.test", "silent.test"):
            self.assertEqual(self.remote(i, domain).letter, "K")
        told = ask("good.test")
        self.assertEqual((told.code, "REQUIRETLS (at a delivery" in told.out), (0, True), told.out)
        told = ask("silent.test")
        self.assertEqual(told.code, 1, told.out)
        self.assertIn("silent-host.test did not offer REQUIRETLS when it was last spoken to", told.out)


if __name__ == "__main__":
    relais.main()
