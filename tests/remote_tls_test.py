"""qmail-remote by hand, against servers with TLS and AUTH: what it asks of them, what it does when they fail, and that a password
and a message with a login never go where they must not."""

import base64
import contextlib
import os
import pathlib
import shutil
import struct
import tempfile
import threading
import time
import unittest
import unittest.mock

from harness import dns
from harness import gnu_sasl
from harness import relais
from harness.fake_smtp import CLOSE, SILENT, SilentHost
from remote_test import RemoteCase
from rspawn_test import Spawner
from harness.tls_peers import PASSWORD, USER, Authority, TlsServer, close_halfway, garbage_after_starttls

ALL = ("SCRAM-SHA-256", "PLAIN", "LOGIN", "CRAM-MD5")
SECURED = "Encrypted: TLSv1.3, TLS_AES_256_GCM_SHA384"
UNVERIFIED = SECURED + ", certificate not verified"


class TlsCase(RemoteCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="rltls.", dir="/tmp"))
        cls.directory.chmod(0o755)
        cls.authority = Authority(cls.directory / "ca")
        cls.good = cls.authority.certificate("smart.test", "*.wild.test", "127.0.0.1")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.directory)

    def tls(self, certificate=None, **options):
        server = TlsServer(certificate or self.good, **options)
        self.addCleanup(server.stop)
        return server

    def secret(self, i, name, text, mode=0o400):
        """Writes a control file as its administrator should."""
        i.control(name, text)
        path = i.home / "control" / name
        path.chmod(mode)
        if relais.IS_ROOT:
            os.chown(path, *i.ids("qmailr"))

    def to(self, server, destinations=None, credentials=False, control=None):
        """An instance whose mail all goes to that server."""
        host = f"[{server.address}]" if ":" in server.address else server.address
        i = self.instance(control={"timeoutremote": "60", **(control or {})})
        login = f"|{USER}|{PASSWORD}" if credentials else ""
        self.secret(i, "smtproutes", f":{host}:{server.port}{login}")
        i.control("test-ca.pem", self.authority.root.cert.read_bytes())
        if destinations is not None:
            i.control("tlsdestinations", destinations.replace("CA", "ca=test-ca.pem"))
        return i

    def assert_deferred(self, report, *parts):
        self.assertEqual((report.letter, report.recipients), ("Z", []), report)
        for part in parts:
            self.assertIn(part, report.text)

    def assert_nothing_sent(self, server):
        self.assertEqual(server.messages, [])
        for session in server.sessions:
            self.assertFalse([c for c in session.commands if c.upper().startswith((b"MAIL", b"RCPT", b"DATA"))])


class Memory(TlsCase):
    """A server that was encrypted is held to it (control/tlsmemory)."""

    MEMORY = {"tlsmemory": "2592000", "timeoutremote": "10"}

    def changed(self, i, **times):
        """The one record of the table, with other times: what a clock would have made of it."""
        path = i.home / "queue/lock/servers"
        octets = bytearray(path.read_bytes())
        (at,) = [at for at in range(384, len(octets), 48) if any(octets[at:at + 16])]
        for place, name in ((16, "encrypted"), (20, "failing_since"), (24, "failed")):
            if name in times:
                struct.pack_into("<I", octets, at + place, int(time.time()) - times[name])
        path.write_bytes(octets)

    def test_a_server_that_no_longer_offers_tls_gets_nothing(self):
        server = self.tls()
        i = self.to(server, control=self.MEMORY)
        self.assertIn(SECURED, self.remote(i).text)
        server.hello = b"250-fake.test\r\n250 PIPELINING\r\n"
        for _ in range(2):
            self.assert_deferred(self.remote(i), "TLS is required (it was encrypted ", ", and control/tlsmemory holds it to that for a day) "
                                 "and it does not offer STARTTLS. (#4.7.10)")
        self.assertEqual(len(server.messages), 1)
        # A line of the administrator's goes before it.
        i.control("tlsdestinations", "127.0.0.1:may")
        self.assertEqual(self.remote(i).text, "127.0.0.1 accepted message.\nRemote host said: 250 queued\n")

    def test_another_port_is_another_server(self):
        """A filter on this host, say, that speaks no TLS beside a server that does."""
        server, plain = self.tls(), self.tls()
        plain.hello = b"250-fake.test\r\n250 PIPELINING\r\n"
        i = self.to(server, control=self.MEMORY)
        self.assertIn(SECURED, self.remote(i).text)
        self.secret(i, "smtproutes", f":127.0.0.1:{plain.port}")
        self.assertEqual(self.remote(i).letter, "K")
        self.assertEqual(len(plain.messages), 1)

    def test_without_the_file_nothing_has_changed(self):
        server = self.tls()
        for control in ({}, {"tlsmemory": "0"}):
            i = self.to(server, control=control)
            server.hello = b"250-fake.test\r\n250-STARTTLS\r\n250 PIPELINING\r\n"
            self.assertIn(SECURED, self.remote(i).text)
            server.hello = b"250-fake.test\r\n250 PIPELINING\r\n"
            self.assertEqual(self.remote(i).letter, "K")

    def test_a_handshake_that_fails_or_hangs_is_no_way_out(self):
        hang = lambda session, line: (session.socket.sendall(b"220 go\r\n"), SILENT)[1]
        for how in (hang, close_halfway(), b"454 not now\r\n"):
            server = self.tls()
            i = self.to(server, control=self.MEMORY)
            self.assertIn(SECURED, self.remote(i).text)
            usual, server.replies["STARTTLS"] = server.replies["STARTTLS"], how
            self.assert_deferred(self.remote(i), "control/tlsmemory holds it to that for a day")
            self.assertEqual(len(server.messages), 1)
            server.replies["STARTTLS"] = usual
            self.assertIn(SECURED, self.remote(i).text)

    def test_a_process_of_the_pool_asks_again_after_a_handshake_that_hung(self):
        server = self.tls()
        i = self.to(server, control={**self.MEMORY, "remotemessages": "1"})
        spawner = Spawner(i)
        self.addCleanup(spawner.close)
        self.assertIn("Encrypted", spawner.deliver().recipients[0][1])
        server.replies["STARTTLS"] = lambda session, line: (session.socket.sendall(b"220 go\r\n"), SILENT)[1]
        for _ in range(2):
            self.assertIn("control/tlsmemory", spawner.deliver().recipients[0][1])
        self.assertEqual([b"STARTTLS" in session.commands for session in server.sessions], [True, True, True])

    def test_after_a_day_of_failures_it_goes_in_clear_and_says_so(self):
        server = self.tls()
        i = self.to(server, control=self.MEMORY)
        self.assertIn(SECURED, self.remote(i).text)
        hello, server.hello = server.hello, b"250-fake.test\r\n250 PIPELINING\r\n"
        self.assertEqual(self.remote(i).letter, "Z")
        self.changed(i, encrypted=3 * 86400, failing_since=86400 - 600, failed=600)
        self.assertEqual(self.remote(i).letter, "Z")
        self.changed(i, encrypted=3 * 86400, failing_since=86400 + 600, failed=600)
        for _ in range(2):
            report = self.remote(i)
            self.assertEqual(report.letter, "K", report)
            self.assertRegex(report.text, r"\nNot encrypted: TLS has failed since [^\n]+, the server was encrypted [^\n]+\n$")
        server.hello = hello
        self.assertIn(SECURED, self.remote(i).text)
        server.hello = b"250-fake.test\r\n250 PIPELINING\r\n"
        self.assertEqual(self.remote(i).letter, "Z")
        # What is longer ago than the file says is forgotten.
        self.changed(i, encrypted=2592001)
        self.assertEqual(self.remote(i).letter, "K")

    def test_a_link_in_its_place_is_not_followed(self):
        server = self.tls()
        i = self.to(server, control=self.MEMORY)
        table, foreign = i.home / "queue/lock/servers", i.directory / "foreign"
        for content in (b"", b"root:x:0:0\n"):
            for make in (table.symlink_to, table.hardlink_to):
                foreign.write_bytes(content)
                make(foreign)
                before = foreign.stat()
                self.assertIn(SECURED, self.remote(i).text)
                self.assertEqual((foreign.read_bytes(), foreign.stat().st_uid), (content, before.st_uid))
                table.unlink()

    def test_a_table_that_is_damaged_or_cannot_be_used_is_none(self):
        server = self.tls()
        i = self.to(server, control=self.MEMORY)
        table = i.home / "queue/lock/servers"
        for content in (b"x", os.urandom(5000), b"relais servers 1" + bytes(100), b"relais servers 1" + os.urandom(368 + 48 * 800)):
            table.write_bytes(content)
            if relais.IS_ROOT:
                os.chown(table, *i.ids("qmailr"))
            server.hello = b"250-fake.test\r\n250-STARTTLS\r\n250 PIPELINING\r\n"
            self.assertIn(SECURED, self.remote(i).text)
        table.unlink()
        table.mkdir()
        self.assertIn(SECURED, self.remote(i).text)


class Encryption(TlsCase):
    def test_tls_wherever_it_is_offered(self):
        server = self.tls()
        report = self.remote(self.to(server))
        self.assertEqual((report.letter, report.recipients), ("K", [("r", "")]), report)
        self.assertEqual(report.text, f"127.0.0.1 accepted message.\nRemote host said: 250 queued\n{UNVERIFIED}\n")
        (session,) = server.sessions
        self.assertEqual(session.clear, b"EHLO mail.test\r\nSTARTTLS\r\n")
        self.assertEqual(session.commands[2], b"EHLO mail.test")
        self.assertEqual(server.messages, [b"Subject: test\r\n\r\nhello\r\n"])

    def test_a_large_message_under_tls(self):
        server = self.tls()
        i = self.to(server, control={"timeoutremote": "60"})
        message = b"".join(b".%07d" % n + b"q" * (n % 300) + b"\n" for n in range(30000))
        self.assertEqual(self.remote(i, message=message).letter, "K")
        self.assertEqual(server.messages[0], message.replace(b"\n", b"\r\n").replace(b"\r\n.", b"\r\n..").replace(b".", b"..", 1))

    def test_none_is_none(self):
        server = self.tls()
        report = self.remote(self.to(server, "127.0.0.1:none"))
        self.assertEqual(report.text, "127.0.0.1 accepted message.\nRemote host said: 250 queued\n")
        self.assertIsNone(server.sessions[0].version)

    def test_a_broken_handshake_falls_back_only_where_that_is_allowed(self):
        for how in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x16\x03\x01" + b"\xff" * 60000, b"\0" * 100, b"220 again\r\n", CLOSE):
            with garbage_after_starttls(how) as server:
                i = self.to(server)
                report = self.remote(i)
                self.assertEqual((report.letter, report.text.count("Encrypted")), ("K", 0), report)
                self.assertEqual(len(server.sessions), 2)  # never the same connection
                self.assertNotIn(b"STARTTLS", server.sessions[1].commands)
                for level in ("encrypt", "verify CA"):
                    i.control("tlsdestinations", f"127.0.0.1:{level}".replace("CA", "ca=test-ca.pem"))
                    self.assert_deferred(self.remote(i), "Connected to 127.0.0.1 but the connection could not be secured: ", "(#4.7.5)")
                self.assertEqual(len(server.messages), 1)

    def test_a_handshake_that_hangs_or_ends_halfway(self):
        for how in (SILENT, close_halfway()):
            replies = {"STARTTLS": (lambda session, line: (session.socket.sendall(b"220 go\r\n"), SILENT)[1]) if how == SILENT else how}
            server = self.tls(**replies)
            i = self.to(server, "127.0.0.1:encrypt", control={"timeoutremote": "10"})
            report = self.remote(i)
            self.assert_deferred(report, "timed out" if how == SILENT else "closed")
            i.control("tlsdestinations", None)
            self.assertEqual(self.remote(i).letter, "K")
            self.assertEqual(len(server.messages), 1)

    def test_a_handshake_drop_by_drop_ends(self):
        def drip(session, line):
            session.socket.sendall(b"220 go\r\n")
            for octet in b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc" + b"\x03" * 1000:
                session.socket.sendall(bytes([octet]))
                time.sleep(0.1)
            return CLOSE

        server = self.tls(STARTTLS=drip)
        begin = time.monotonic()
        self.assert_deferred(self.remote(self.to(server, "127.0.0.1:encrypt", control={"timeoutremote": "5"})), "(#4.7.5)")
        self.assertLess(time.monotonic() - begin, 60)
        self.assert_nothing_sent(server)

    def test_starttls_refused(self):
        for reply in (b"454 not now\r\n", b"502 what?\r\n"):
            server = self.tls(STARTTLS=reply)
            i = self.to(server)
            self.assertEqual(self.remote(i).letter, "K")
            self.assertEqual(len(server.sessions), 1)
            i.control("tlsdestinations", "127.0.0.1:encrypt")
            self.assert_deferred(self.remote(i), "TLS is required and STARTTLS was refused. (#4.7.10)\nRemote host said: " + reply.decode().strip())
            self.assertEqual(len(server.messages), 1)

    def test_stripped_starttls_defers_where_tls_is_required(self):
        for offered in (b"250 fake.test\r\n", b"250-fake.test\r\n250 XXXXXXXA\r\n"):
            server = self.tls(EHLO=offered)
            for level in ("encrypt", "verify CA", "fingerprint sha256=" + "0" * 64):
                i = self.to(server, f"127.0.0.1:{level}")
                self.assert_deferred(self.remote(i), "Connected to 127.0.0.1 but TLS is required and it does not offer STARTTLS. (#4.7.10)")
            self.assert_nothing_sent(server)

    def test_an_answer_in_the_clear_behind_that_to_starttls_is_an_attack(self):
        def starttls(session, line):
            session.socket.sendall(b"220 go\r\n250-injected\r\n250 AUTH PLAIN\r\n")
            session.start_tls()
            return b""

        server = self.tls(STARTTLS=starttls)
        i = self.to(server, "127.0.0.1:encrypt")
        self.assert_deferred(self.remote(i), "it spoke on after its answer to STARTTLS, in the clear. (#4.7.5)")
        self.assert_nothing_sent(server)

    def test_what_was_offered_in_the_clear_does_not_count_under_tls(self):
        server = self.tls(EHLO=lambda session, line: b"250 fake.test\r\n" if session.version else b"250-fake.test\r\n250-STARTTLS\r\n250 SIZE 3\r\n")
        self.assertEqual(self.remote(self.to(server)).letter, "K")
        self.assertEqual(server.sessions[0].commands[3], b"MAIL FROM:<me@here.test>")

    def test_implicit_tls(self):
        server = self.tls(implicit=True)
        i = self.to(server, "127.0.0.1:may implicit")
        report = self.remote(i)
        self.assertEqual((report.letter, report.text.splitlines()[-1]), ("K", UNVERIFIED))
        self.assertEqual(server.sessions[0].clear, b"")
        plain = self.server()
        self.assert_deferred(self.remote(self.to(plain, "127.0.0.1:may implicit")), "could not be secured")

    def test_at_least_tls_13(self):
        import ssl
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.good.cert, self.good.key)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        server = TlsServer(context=context)
        self.addCleanup(server.stop)
        i = self.to(server)
        self.assertIn("Encrypted: TLSv1.2, ECDHE-ECDSA-AES256-GCM-SHA384", self.remote(i).text)
        i.control("tlsdestinations", "127.0.0.1:encrypt min=1.3")
        self.assert_deferred(self.remote(i), "could not be secured")

    def test_hanging_up_at_every_stage_under_tls_defers(self):
        for stage in ("MAIL", "RCPT", "DATA", "dot"):
            for how in (CLOSE, SILENT):
                server = self.tls(**{stage: how})
                report = self.remote(self.to(server, control={"timeoutremote": "10" if how == SILENT else "60"}))
                self.assertEqual(report.letter, "Z", (stage, how))
                self.assertIn("it did not answer in time." if how == SILENT else "connection died.", report.text)


class Certificates(TlsCase):
    def expect(self, certificate, line, part=None):
        server = self.tls(certificate)
        report = self.remote(self.to(server, line))
        if part is None:
            self.assertEqual(report.letter, "K", report)
            return report
        self.assert_deferred(report, "the connection could not be secured: " + part, "(#4.7.5)")
        self.assert_nothing_sent(server)

    def test_right_ones(self):
        report = self.expect(self.good, "127.0.0.1:verify CA")
        self.assertEqual(report.text.splitlines()[-1], SECURED + ", certificate verified")
        self.expect(self.good, "127.0.0.1:verify CA name=smart.test")
        self.expect(self.good, "127.0.0.1:verify CA name=other.test name=SMART.test")
        self.expect(self.good, "127.0.0.1:verify CA name=mx.wild.test")
        self.expect(self.good, ":verify CA")

    def test_wrong_ones(self):
        other = Authority(self.directory / "other", "Other Authority")
        self.expect(self.authority.certificate("other.test"), "127.0.0.1:verify CA", "its certificate is for other.test, not for 127.0.0.1")
        self.expect(self.good, "127.0.0.1:verify CA name=a.mx.wild.test", "its certificate is for smart.test, *.wild.test, not for a.mx.wild.test")
        self.expect(self.good, "127.0.0.1:verify CA name=wild.test", "its certificate is for")
        self.expect(self.authority.certificate("127.0.0.1", days=-2), "127.0.0.1:verify CA", "its certificate expired on 20")
        self.expect(self.authority.self_signed("127.0.0.1"), "127.0.0.1:verify CA", "its certificate is self-signed (CN=127.0.0.1)")
        self.expect(other.certificate("127.0.0.1"), "127.0.0.1:verify CA",
                    "its certificate is signed by an authority that is not trusted here (CN=Other Authority)")
        self.expect(self.good, "127.0.0.1:verify", "its certificate is signed by an authority that is not trusted here (CN=Test Authority)")
        self.expect(self.good, "127.0.0.1:verify ca=no-such-file", "unable to read certificates of authorities from ")

    def test_nobody_asks(self):
        for certificate in (self.authority.certificate("127.0.0.1", days=-2), self.authority.self_signed("x.test")):
            self.assertIn(UNVERIFIED + "\n", self.expect(certificate, "127.0.0.1:encrypt").text)
            self.assertIn(UNVERIFIED + "\n", self.expect(certificate, "127.0.0.1:may").text)

    def test_fingerprints(self):
        own = self.authority.self_signed("x.test")
        report = self.expect(own, f"127.0.0.1:fingerprint sha256={'0' * 64} sha256={own.digest()}")
        self.assertIn(SECURED + ", fingerprint verified\n", report.text)
        self.expect(own, f"127.0.0.1:fingerprint sha256={self.good.digest()}", f"its certificate has another fingerprint: sha256={own.digest()}")

    def test_a_line_that_cannot_be_understood_defers(self):
        for line in ("127.0.0.1:verfy", "127.0.0.1 verify", "127.0.0.1:may ca=x"):
            server = self.tls()
            self.assert_deferred(self.remote(self.to(server, line)), "Unable to read control files. (#4.3.0)\ncontrol/tlsdestinations cannot be used: " + line)
            self.assert_nothing_sent(server)


class Logins(TlsCase):
    LINE = "127.0.0.1:verify CA"

    def test_every_mechanism(self):
        for mechanism in ALL:
            server = self.tls(mechanisms=(mechanism,))
            report = self.remote(self.to(server, self.LINE, credentials=True))
            self.assertEqual(report.letter, "K", report)
            self.assertEqual(report.text.splitlines()[-1], f"{SECURED}, certificate verified, authenticated: {mechanism}")
            self.assertEqual(server.sessions[0].user, USER)

    def test_the_older_form_of_the_offer(self):
        server = self.tls(mechanisms=("PLAIN",))
        server.hello_in_tls = b"250-fake.test\r\n250 AUTH=LOGIN PLAIN\r\n"
        self.assertEqual(self.remote(self.to(server, self.LINE, credentials=True)).letter, "K")
        self.assertEqual(server.sessions[0].mechanisms, ["PLAIN"])

    def test_order_and_giving_way(self):
        server = self.tls(mechanisms=ALL[::-1])
        i = self.to(server, self.LINE, credentials=True)
        self.assertEqual(self.remote(i).letter, "K")
        server.refuse = ("SCRAM-SHA-256",)
        self.assertEqual(self.remote(i).letter, "K")
        server.refuse = ("SCRAM-SHA-256", "PLAIN", "LOGIN")
        self.assertEqual(self.remote(i).letter, "K")
        self.assertEqual([s.mechanisms for s in server.sessions], [["SCRAM-SHA-256"], ["SCRAM-SHA-256", "PLAIN"], [*ALL]])

    def test_answers_to_auth_are_judged_by_their_first_digit(self):
        def login(session, line):
            for question in (b"300 User?\r\n", b"399 and the password, please\r\n"):
                session.socket.sendall(question)
                session.read_line()
            session.user = "anna"
            return b"250 welcome\r\n"
        for mechanism, answer in (("PLAIN", lambda session, line: (setattr(session, "user", "anna"), b"254 Authentication OK\r\n")[1]), ("LOGIN", login)):
            server = self.tls(mechanisms=(mechanism,), AUTH=answer)
            report = self.remote(self.to(server, self.LINE, credentials=True))
            self.assertEqual(report.letter, "K", report)
            self.assertIn(f"authenticated: {mechanism}", report.text)

    def test_a_wrong_password(self):
        server = self.tls(mechanisms=ALL)
        i = self.to(server, self.LINE)
        self.secret(i, "smtproutes", f":127.0.0.1:{server.port}|{USER}|wrong")
        report = self.remote(i)
        self.assert_deferred(report, "Connected to 127.0.0.1 but it refused our login, and this route sends nothing without a login. (#4.7.8)\n"
                             "Remote host said: 535 5.7.8 authentication failed\n")
        # An account is locked for many failures: the password is tried in one other form, not in all.
        self.assertEqual(server.sessions[0].mechanisms, ["SCRAM-SHA-256", "PLAIN"])
        self.assert_nothing_sent(server)

    def test_a_mechanism_that_the_server_cannot_use_costs_no_try(self):
        for code in (500, 501, 502, 503, 504, 530, 534, 538, 555):
            server = self.tls(mechanisms=ALL)
            check = server.replies["AUTH"]
            server.replies["AUTH"] = lambda session, line: check(session, line) if b"CRAM-MD5" in line else f"{code} no\r\n".encode()
            self.assertIn("authenticated: CRAM-MD5", self.remote(self.to(server, self.LINE, credentials=True)).text, code)

    def test_what_was_said_of_the_password_is_told_whatever_comes_after(self):
        for after in (b"504 not this one\r\n", b"454 later\r\n", b"421 too many\r\n", CLOSE):
            answers = iter((b"535 5.7.8 wrong\r\n",))
            server = self.tls(mechanisms=ALL, AUTH=lambda session, line: next(answers, after))
            self.assert_deferred(self.remote(self.to(server, self.LINE, credentials=True)), "it refused our login", "said: 535 5.7.8 wrong\n")
            self.assertLessEqual(len([c for c in server.sessions[0].commands if c.startswith(b"AUTH")]), 4)
            self.assert_nothing_sent(server)

    def test_bound_to_the_connection_with_gnu_sasl(self):
        """Another's SCRAM-SHA-256-PLUS takes ours, and only on the connection that we mean."""
        for options, words in (({}, "TLSv1.3"), ({"tls_12": True}, "TLSv1.2")):
            server = gnu_sasl.BoundServer(self.good, PASSWORD, **options)
            self.addCleanup(server.stop)
            report = self.remote(self.to(server, self.LINE, credentials=True))
            self.assertIn(f"Encrypted: {words}", report.text)
            self.assertTrue(report.text.endswith(", certificate verified, authenticated: SCRAM-SHA-256-PLUS\n"), report)
        for options in ({"between_us": True}, {"password": "another"}):
            server = gnu_sasl.BoundServer(self.good, **{"password": PASSWORD, **options})
            self.addCleanup(server.stop)
            self.assert_deferred(self.remote(self.to(server, self.LINE, credentials=True)), "it refused our login")
            # The same without the binding is not even asked.
            self.assertEqual(server.sessions[0].mechanisms, ["SCRAM-SHA-256-PLUS"])
            self.assert_nothing_sent(server)

    def test_no_auth_no_tls_no_certificate_no_mail(self):
        refused = ", and this route sends nothing without a login. (#4.7.8)"
        for server, line, part in (
                (self.tls(), self.LINE, "it offers no AUTH" + refused),
                (self.tls(mechanisms=("GSSAPI", "NTLM")), self.LINE, "of what it offers for AUTH nothing may be used here: GSSAPI NTLM" + refused),
                (self.tls(mechanisms=ALL, starttls=False, auth_in_clear=True), self.LINE, "TLS is required and it does not offer STARTTLS"),
                # The built-in rule: a password asks for a verified server, whatever holds for the rest.
                (self.tls(mechanisms=ALL), None, "not trusted here"),
                (self.tls(mechanisms=ALL), ":none", "not trusted here"),
                (self.tls(mechanisms=ALL, starttls=False, auth_in_clear=True), None, "TLS is required"),
                (self.server(EHLO=b"502 no\r\n"), None, "TLS is required"),
                (self.server(), "127.0.0.1:none", "it offers no AUTH" + refused),
                (self.tls(mechanisms=("PLAIN", "LOGIN"), auth_in_clear=True), "127.0.0.1:none", "nothing may be used here: PLAIN LOGIN" + refused),
                (self.tls(mechanisms=ALL, AUTH=b"454 4.7.0 later\r\n"), self.LINE, "it cannot check our login now" + refused),
                (self.tls(mechanisms=ALL, AUTH=b"421 closing\r\n"), self.LINE, "it cannot check our login now" + refused),
                (self.tls(mechanisms=ALL, AUTH=b"250 welcome\r\n"), self.LINE, "it cannot prove that it knows our password" + refused),
                (self.tls(mechanisms=ALL, AUTH=CLOSE), self.LINE, "connection died. (#4.4.2)"),
                (self.tls(mechanisms=("PLAIN",), AUTH=b"334 !!!\r\n"), self.LINE, "what it asked for the login makes no sense"),
                (self.tls(mechanisms=("SCRAM-SHA-256", "PLAIN"), impostor=True), self.LINE, "what it asked for the login makes no sense"),
                (self.tls(mechanisms=("SCRAM-SHA-256", "PLAIN"), AUTH=b"235 welcome\r\n"), self.LINE, "it cannot prove that it knows our password")):
            report = self.remote(self.to(server, line, credentials=True))
            self.assert_deferred(report, "Connected to 127.0.0.1 but ", part)
            self.assertNotIn(PASSWORD, repr(report))
            self.assert_nothing_sent(server)
            for session in server.sessions:
                self.assertNotIn("PLAIN", session.__dict__.get("mechanisms", []) if server.replies.get("impostor") else [])

    def test_what_is_asked_of_a_recipients_servers_is_not_for_who_gets_our_password(self):
        server = self.tls(mechanisms=ALL, starttls=False, auth_in_clear=True)
        i = self.to(server, "there.test:none cleartext", credentials=True)
        self.assert_deferred(self.remote(i, "there.test"), "TLS is required and it does not offer STARTTLS")
        self.assertEqual(server.sessions[-1].mechanisms, [])

    def test_a_password_is_not_for_whoever_an_mx_names(self):
        server = self.tls(mechanisms=ALL)
        i = self.to(server, self.LINE)
        self.secret(i, "smtproutes", f"::{server.port}|{USER}|{PASSWORD}")
        self.assert_deferred(self.remote(i, "[127.0.0.1]"), "control/smtproutes cannot be used: ", "a route with a password must name its server")
        self.assertEqual(server.sessions, [])

    def test_without_tls_the_password_itself_goes_only_where_a_line_says_so(self):
        server = self.tls(mechanisms=ALL, auth_in_clear=True, refuse=("SCRAM-SHA-256",))
        i = self.to(server, "127.0.0.1:none", credentials=True)
        self.assertEqual(self.remote(i).text.splitlines()[-1], "Authenticated: CRAM-MD5")
        server.refuse = ("SCRAM-SHA-256", "CRAM-MD5")
        self.assert_deferred(self.remote(i), "it refused our login")
        self.assertEqual(server.sessions[1].mechanisms, ["SCRAM-SHA-256", "CRAM-MD5"])
        i.control("tlsdestinations", "127.0.0.1:none cleartext")
        self.assertEqual(self.remote(i).text.splitlines()[-1], "Authenticated: PLAIN")

    def test_a_server_nobody_verifies_sees_the_password_last(self):
        server = self.tls(mechanisms=ALL)
        i = self.to(server, "127.0.0.1:encrypt", credentials=True)
        server.refuse = ("SCRAM-SHA-256", "CRAM-MD5")
        self.assertEqual(self.remote(i).letter, "K")
        self.assertEqual(server.sessions[0].mechanisms, ["SCRAM-SHA-256", "CRAM-MD5", "PLAIN"])

    def test_per_sender(self):
        other, server = self.server("127.0.0.2"), self.tls(mechanisms=ALL)
        i = self.to(other, self.LINE)
        self.secret(i, "authsenders", f"@smart.test:127.0.0.1:{server.port}|{USER}|{PASSWORD}")
        self.assertEqual(self.remote(i, sender="anna@SMART.test").letter, "K")
        self.assertEqual((len(server.messages), len(other.messages)), (1, 0))
        self.assertEqual(self.remote(i, sender="me@here.test").letter, "K")
        self.assertEqual(self.remote(i, sender="").letter, "K")
        self.assertEqual((len(server.messages), len(other.messages)), (1, 2))

    def test_files_with_passwords_must_be_closed(self):
        server = self.tls(mechanisms=ALL)
        i = self.to(server, self.LINE, credentials=True)
        path = i.home / "control/smtproutes"
        for mode in (0o644, 0o640, 0o604):
            path.chmod(mode)
            report = self.remote(i)
            self.assert_deferred(report, "Unable to read control files. (#4.3.0)\n", "smtproutes holds passwords and others may read it (chown qmailr ", "chmod 400")
            self.assertNotIn(PASSWORD, repr(report))
            self.assertIn("holds passwords and others may read it", i.run("qmail-showctl", "--check").out)
            self.assertIn("holds passwords and others may read it", i.run("qmail-setup", "--check", i.home).out)
        self.assert_nothing_sent(server)
        i.run("qmail-setup", "--repair", i.home)
        self.assertEqual(path.stat().st_mode & 0o777, 0o400)
        self.assertEqual(self.remote(i).letter, "K")
        self.assertNotIn("smtproutes", i.run("qmail-showctl", "--check").out)
        shown = i.run("qmail-showctl").out
        self.assertIn(f"|{USER}|...", shown)
        self.assertNotIn(PASSWORD, shown)
        if relais.IS_ROOT and not i.single:
            os.chown(path, 0, 0)
            self.assert_deferred(self.remote(i), "Permission denied (chown qmailr ")
            self.assertIn("does not belong to qmailr", i.run("qmail-showctl", "--check").out)

    def test_half_a_login_sends_nothing(self):
        server = self.tls(mechanisms=ALL)
        i = self.to(server, self.LINE)
        for half in ("|", f"|{USER}", f"|{USER}|", f"||{PASSWORD}"):
            self.secret(i, "smtproutes", f":127.0.0.1:{server.port}{half}")
            report = self.remote(i)
            self.assert_deferred(report, "control/smtproutes cannot be used")
            self.assertNotIn(PASSWORD, repr(report))
        self.assert_nothing_sent(server)

    def test_what_repeats_the_password_is_not_told(self):
        for said in (PASSWORD, "AGFubmFAc21hcnQudGVzdABjMHJyZWN0LWhvcnNlfGJhdHRlcnk=", "YzBycmVjdC1ob3JzZXxiYXR0ZXJ5", PASSWORD.upper()):
            server = self.tls(mechanisms=("PLAIN",), AUTH=lambda session, line: f"535-no\r\n535 bad login {said}\r\n".encode())
            report = self.remote(self.to(server, self.LINE, credentials=True))
            self.assert_deferred(report, "it refused our login", "535 (what it said repeats the password)")
            self.assertNotIn(said, repr(report))

    def test_long_and_odd_passwords(self):
        for password in ("x" * 3000, "|", "ü|\"' ", "a|b|c"):
            with unittest.mock.patch("harness.tls_peers.PASSWORD", password):
                server = self.tls(mechanisms=("PLAIN",))
                i = self.to(server, self.LINE)
                self.secret(i, "smtproutes", f":127.0.0.1:{server.port}|{USER}|{password}")
                # Blanks at the end of a line do not count in any control file.
                if password.endswith(" "):
                    self.assert_deferred(self.remote(i), "it refused our login")
                else:
                    self.assertEqual(self.remote(i).letter, "K", password)

    def test_endless_challenges_end(self):
        server = self.tls(mechanisms=("LOGIN",), AUTH=lambda session, line: b"334 VXNlcm5hbWU6\r\n" * 50)
        begin = time.monotonic()
        self.assert_deferred(self.remote(self.to(server, self.LINE, credentials=True)))
        self.assertLess(time.monotonic() - begin, 60)
        self.assert_nothing_sent(server)


class Addresses(TlsCase):
    def test_families(self):
        v4, v6 = self.server(), self.server("::1")
        i = self.instance(control={"smtproutes": f"four:127.0.0.1:{v4.port}\nsix:[::1]:{v6.port}"})
        for versions, four, six in (("4", "K", "Z"), ("6", "Z", "K"), ("46", "K", "K"), ("64", "K", "K")):
            i.control("ipversions", versions)
            self.assertEqual((self.remote(i, "four").letter, self.remote(i, "six").letter), (four, six), versions)
        i.control("ipversions", "4")
        self.assertIn("has only addresses of the family that control/ipversions turns off. (#4.4.4)", self.remote(i, "six").text)
        i.control("ipversions", "yes")
        self.assert_deferred(self.remote(i, "four"), "control/ipversions must be 4, 6, 46 or 64")

    def test_our_own_address_and_name(self):
        server = self.server(greeting=lambda session, line: f"220 {session.socket.getpeername()[0]}\r\n".encode())
        seen = []
        server.replies["EHLO"] = lambda session, line: (seen.append((session.socket.getpeername()[0], line.decode())), b"250 x\r\n")[1]
        i = self.instance(control={"smtproutes": f":127.0.0.1:{server.port}", "outgoingip": "127.0.0.7",
                                   "domainips": "@a.test:127.0.0.8|helo.a.test\nb.test:127.0.0.9,::1\n@c.test:|c.test"})
        for sender, host, wanted in (("x@y.test", "there.test", ("127.0.0.7", "EHLO mail.test")), ("x@a.test", "b.test", ("127.0.0.8", "EHLO helo.a.test")),
                                     ("x@y.test", "b.test", ("127.0.0.9", "EHLO mail.test")), ("x@c.test", "z.test", ("127.0.0.7", "EHLO c.test"))):
            self.assertEqual(self.remote(i, host, sender=sender).letter, "K")
            self.assertEqual(seen[-1], wanted)
        i.control("outgoingip", "192.0.2.77")
        self.assert_deferred(self.remote(i), "Sorry, I cannot connect from 192.0.2.77, which control/outgoingip or control/domainips names. (#4.4.1)")
        i.control("outgoingip", "eth0")
        self.assert_deferred(self.remote(i), "control/outgoingip: eth0 cannot be used")


class Pool(TlsCase):
    """The same under qmail-rspawn: connections and sessions are shared by those who may share them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.nsd = dns.Nsd({"test": "both MX 10 both-host\nboth-host A 127.0.0.1\nboth-host AAAA ::1\n"})

    @classmethod
    def tearDownClass(cls):
        cls.nsd.stop()
        super().tearDownClass()

    def pool(self, i):
        spawner = Spawner(i)
        self.addCleanup(spawner.close)
        return spawner

    def assert_accepted(self, report):
        self.assertEqual([outcome for outcome, _ in report.recipients], ["r"], report)
        return report.recipients[0][1]

    def test_a_connection_is_used_again(self):
        server = self.tls(mechanisms=ALL)
        spawner = self.pool(self.to(server, "127.0.0.1:verify CA", credentials=True, control={"remoteidle": "30"}))
        for _ in range(5):
            self.assertIn(SECURED + ", certificate verified, authenticated: SCRAM-SHA-256", self.assert_accepted(spawner.deliver()))
        self.assertEqual([len(session.messages) for session in server.sessions], [5])

    def test_sessions_are_resumed_by_every_process(self):
        server = self.tls()
        spawner = self.pool(self.to(server, "127.0.0.1:verify CA", control={"remotemessages": "1"}))
        self.assert_accepted(spawner.deliver())
        held = threading.Event()
        server.replies["dot"] = lambda session, line: (held.wait(60), b"250 ok\r\n")[1]
        for _ in range(4):
            spawner.order()
        self.assertTrue(relais.wait_until(lambda: len(server.sessions) == 5, 60))
        held.set()
        for _ in range(4):
            self.assertIn("certificate verified", self.assert_accepted(spawner.report()))
        self.assertEqual([session.resumed for session in server.sessions], [False, True, True, True, True])

    def test_what_was_not_verified_is_not_resumed_where_that_is_asked_for(self):
        server = self.tls(self.authority.self_signed("127.0.0.1"))
        i = self.to(server, "127.0.0.1:encrypt", control={"remotemessages": "1"})
        spawner = self.pool(i)
        self.assert_accepted(spawner.deliver())
        i.control("tlsdestinations", "127.0.0.1:verify ca=test-ca.pem")
        report = spawner.deliver()
        self.assertIn("self-signed", report.recipients[0][1])
        self.assertEqual((len(server.messages), report.recipients[0][0], report.connection_failed), (1, "s", True))

    def test_each_sender_his_own_connection(self):
        server = self.tls(mechanisms=("PLAIN",), AUTH=lambda session, line: (setattr(session, "user", line.split()[2]), b"235 ok\r\n")[1])
        i = self.to(server, "127.0.0.1:verify CA", control={"remoteidle": "30"})
        self.secret(i, "authsenders", f"@a.test:127.0.0.1:{server.port}|a|x\n@b.test:127.0.0.1:{server.port}|b|y")
        spawner = self.pool(i)
        for sender in ("x@a.test", "x@b.test", "y@a.test", "y@b.test"):
            self.assertEqual((self.assert_accepted(spawner.deliver(sender=sender)) and True), True)
        logins = {"a": base64.b64encode(b"\0a\0x"), "b": base64.b64encode(b"\0b\0y")}
        seen = [(session.user, c) for session in server.sessions for c in session.commands if c.startswith(b"MAIL")]
        self.assertEqual(sorted(seen), sorted((logins[d], f"MAIL FROM:<{u}@{d}.test>".encode()) for d in "ab" for u in "xy"))
        # What goes by its sender says nothing of the recipients' domain.
        self.assertEqual(spawner.deliver(sender="x@a.test").mx_group, "")

    def test_a_changed_password_is_used_at_once(self):
        server = self.tls(mechanisms=ALL)
        i = self.to(server, "127.0.0.1:verify CA", control={"remoteidle": "30"})
        self.secret(i, "smtproutes", f":127.0.0.1:{server.port}|{USER}|wrong")
        spawner = self.pool(i)
        self.assertIn("refused our login", spawner.deliver().recipients[0][1])
        self.secret(i, "smtproutes", f":127.0.0.1:{server.port}|{USER}|{PASSWORD}")
        self.assert_accepted(spawner.deliver())
        self.secret(i, "smtproutes", f":127.0.0.1:{server.port}|{USER}|wrong again")
        self.assertIn("refused our login", spawner.deliver().recipients[0][1])
        self.assertEqual(len(server.messages), 1)

    def test_a_wrong_password_is_not_tried_for_every_message(self):
        server = self.tls(mechanisms=ALL)
        i = self.to(server, "127.0.0.1:verify CA", control={"remotemessages": "1"})
        self.secret(i, "smtproutes", f":127.0.0.1:{server.port}|{USER}|wrong")
        spawner = self.pool(i)
        for number in range(30):
            spawner.order(host=f"d{number}.test")
        texts = sorted((spawner.report().recipients[0] for _ in range(30)), key=lambda each: "535" not in each[1])
        self.assertEqual({outcome for outcome, _ in texts}, {"s"})
        self.assertIn("it refused our login", texts[0][1])
        for _, text in texts[1:]:
            self.assertRegex(text, r"^Sorry, 127\.0\.0\.1 refused our login \d minutes? ago, and this route sends nothing without a login\. "
                             r"It is not asked again for \d minutes, unless control/smtproutes changes\. \(#4\.7\.8\)$")
        self.assertEqual([session.mechanisms for session in server.sessions], [["SCRAM-SHA-256", "PLAIN"]])
        self.secret(i, "smtproutes", f":127.0.0.1:{server.port}|{USER}|{PASSWORD}")
        self.assert_accepted(spawner.deliver())

    def test_a_form_of_the_password_that_a_server_lacks_is_not_tried_again(self):
        server = self.tls(mechanisms=ALL)
        check = server.replies["AUTH"]
        server.replies["AUTH"] = lambda session, line: (check(session, line), b"535 no such secret\r\n")[1] if b"SCRAM" in line else check(session, line)
        spawner = self.pool(self.to(server, "127.0.0.1:verify CA", credentials=True, control={"remotemessages": "1"}))
        for _ in range(10):
            spawner.order()
        for _ in range(10):
            self.assertIn("authenticated: PLAIN", self.assert_accepted(spawner.report()))
        self.assertEqual([session.mechanisms for session in server.sessions], [["SCRAM-SHA-256", "PLAIN"]] + [["PLAIN"]] * 9)

    def test_who_finds_out_about_a_login_and_hears_nothing_holds_nobody_up(self):
        server = self.tls(mechanisms=ALL, AUTH=b"454 later\r\n")
        spawner = self.pool(self.to(server, "127.0.0.1:verify CA", credentials=True))
        for _ in range(10):
            spawner.order()
        for _ in range(10):
            self.assertIn("it cannot check our login now", spawner.report().recipients[0][1])

    def test_who_hangs_in_the_handshake_costs_one_message_only(self):
        server = self.tls(STARTTLS=lambda session, line: (session.socket.sendall(b"220 go\r\n"), SILENT)[1])
        spawner = self.pool(self.to(server, control={"remotemessages": "1", "timeoutremote": "10"}))
        for _ in range(3):
            self.assertNotIn("Encrypted", self.assert_accepted(spawner.deliver()))
        self.assertEqual([b"STARTTLS" in session.commands for session in server.sessions], [True, False, False, False])

    def test_the_family_that_does_not_answer_goes_last_from_then_on(self):
        with SilentHost() as silent:
            server = self.server("::1", silent.port)
            i = self.instance(control={"dnsservers": self.nsd.server, "smtproutes": f"::{silent.port}", "privatemx": ".test",
                                       "ipversions": "46", "remotemessages": "1", "timeoutconnect": "30"})
            dns.start_resolver(i)
            spawner = self.pool(i)
            for _ in range(3):
                self.assertTrue(self.assert_accepted(spawner.deliver(host="both.test")).startswith("::1 accepted"))
            self.assertEqual(len(server.sessions), 3)
            fresh = time.monotonic()
            spawner.deliver(host="both.test")
            self.assertLess(time.monotonic() - fresh, 25)

    def test_a_refused_login_is_not_tried_at_every_address(self):
        first = self.tls(mechanisms=("PLAIN",), AUTH=b"535 no\r\n")
        second = TlsServer(self.good, "::1", first.port, mechanisms=("PLAIN",))
        self.addCleanup(second.stop)
        i = self.instance(control={"dnsservers": self.nsd.server, "ipversions": "46", "test-ca.pem": self.authority.root.cert.read_bytes(),
                                   "tlsdestinations": "both-host.test:verify ca=test-ca.pem name=smart.test"})
        self.secret(i, "smtproutes", f":both-host.test:{first.port}|{USER}|{PASSWORD}")
        dns.start_resolver(i)
        self.assertIn("it refused our login", self.pool(i).deliver().recipients[0][1])
        self.assertEqual((len(first.sessions), second.sessions), (1, []))

    def test_no_password_in_titles_and_memory_of_the_parent(self):
        held = threading.Event()
        server = self.tls(mechanisms=("PLAIN",), dot=lambda session, line: (held.wait(60), b"250 ok\r\n")[1])
        i = self.to(server, "127.0.0.1:verify CA", credentials=True)
        spawner = self.pool(i)
        spawner.order()
        self.assertTrue(relais.wait_until(lambda: server.messages, 60))
        for process in i.processes("qmail-remote") + i.processes("qmail-rspawn"):
            for name in ("cmdline", "environ", "comm"):
                self.assertNotIn(PASSWORD.encode(), pathlib.Path(f"/proc/{process.pid}/{name}").read_bytes())
        looked_at = 0
        for area, octets in relais.Process(spawner.process.pid).memory():
            looked_at += 1
            self.assertFalse(PASSWORD.encode() in octets, area)
        self.assertGreater(looked_at, 10)
        held.set()
        self.assert_accepted(spawner.report())


if __name__ == "__main__":
    relais.main()
