"""What hostile clients get once TLS is spoken, or is about to be: broken records, words in clear, half-closed connections, floods of TLS's own
messages, commands in odd places. The message of such a client is never delivered, nothing is said in clear, and the server goes on."""

import contextlib
import os
import socket
import ssl
import struct
import subprocess

from harness import relais
import tls_test
from tls_test import LIMIT, loose, openssl

ENVELOPE = b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<bob@mail.test>\r\nDATA\r\n"
HALF = b"Subject: half\r\n\r\nhalf\r\n"


def record(kind, size, body, version=0x0303):
    return struct.pack("!BHH", kind, version, size) + body


class Hostile(tls_test.Base):
    def setUp(self):
        super().setUp()
        self.i.start()

    def tearDown(self):
        # Nobody died of it, and the next client is served.
        self.assertNotIn("died by signal", "\n".join(self.i.log("smtpd")))
        with self.i.smtp() as client:
            client.deliver("a@b.example", ["bob@mail.test"], "Subject: after\n\nx\n")
        self.i.wait_empty(LIMIT)
        self.assertEqual([m for m in self.bob.messages() if b"half" in m], [])

    def encrypted(self, said=b"", code=b"", **options):
        t = self.starttls(context=self.context(**options))
        t.sendall(said)
        got = b""
        while code not in got:
            part = t.recv(4096)
            self.assertTrue(part, got)
            got += part
        return t

    @staticmethod
    def context(version=None):
        made = loose()
        if version:
            made.minimum_version = made.maximum_version = version
        return made

    def rest_below_tls(self, t):
        """What comes on the wire, until the server closes."""
        below = socket.socket(fileno=os.dup(t.fileno()))
        below.settimeout(LIMIT)
        with below:
            return self.read_all(below)

    def test_records_in_the_middle_of_a_message(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for name, octets in {
                "in clear": b"\r\n.\r\nQUIT\r\n",
                "garbage in a record": record(23, 40, b"g" * 40),
                "too large": record(23, 0x4800, b"g" * 0x4800),
                "of no kind": record(99, 5, b"ggggg"),
                "empty ones": record(23, 0, b"") * 100,
                "a handshake in clear": record(22, 4, b"\x01\x00\x00\x00"),
                "SSL 2": b"\x80\x2e\x01\x00\x02" + b"g" * 43,
                "a close in clear": record(21, 2, b"\x01\x00"),
            }.items():
                with self.subTest(f"{name}, {version.name}"):
                    t = self.encrypted(ENVELOPE, b"354", version=version)
                    t.sendall(HALF)
                    os.write(t.fileno(), octets)
                    # Alerts at most.
                    self.assertNotRegex(self.rest_below_tls(t), rb"[0-9]{3}[ -][a-z]")
                    t.close()

    def test_half_a_record(self):
        t = self.encrypted(ENVELOPE, b"354")
        os.write(t.fileno(), record(23, 4000, b"x" * 100))
        t.shutdown(socket.SHUT_WR)
        self.assertNotRegex(self.rest_below_tls(t), rb"[0-9]{3}[ -][a-z]")
        t.close()

    def test_an_end_in_the_middle_of_a_message(self):
        """Properly, by close_notify: it is no end of a message either."""
        t = self.encrypted(ENVELOPE, b"354")
        t.sendall(HALF)
        try:
            t.unwrap()
        except (ssl.SSLError, OSError):
            pass
        t.close()

    def test_half_closed_after_a_whole_message(self):
        """Who says everything and then only listens has his replies, and his message."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version.name):
                before = len(self.bob.messages())
                t = self.encrypted(version=version)
                t.sendall(ENVELOPE + b"Subject: whole\r\n\r\nx\r\n.\r\nQUIT\r\n")
                t.shutdown(socket.SHUT_WR)
                below = self.rest_below_tls(t)
                self.assertGreater(len(below), 100)
                t.close()
                self.bob.wait_messages(before + 1, LIMIT)

    def test_starttls_in_odd_places(self):
        with self.i.smtp(ehlo=None) as client:
            for line, code in (("STARTTLS\0", 500), ("STARTTLS now", 501), ("STARTTLS\rNOOP", 500), ("STAR" + "T" * 3000, 500)):
                client.command(line, code)
            client.raw("STARTTLS\n")
            client.expect(500)
            client.command("NOOP")
        # Within a transaction, and twice in one packet: the second is dropped with everything else that came in clear.
        client = relais.Smtp(self.i.port)
        client.command("EHLO x")
        client.command("MAIL FROM:<a@b.example>")
        client.raw(b"STARTTLS\r\nSTARTTLS\r\nRSET\r\n")
        client.expect(220)
        client.socket = loose().wrap_socket(client.socket, server_hostname="mail.test")
        client.command("RCPT TO:<bob@mail.test>", 503)
        client.command("STARTTLS", 503)
        client.command("QUIT", 221)
        client.close()
        # Before EHLO it is in order; garbage before it is only garbage.
        client = relais.Smtp(self.i.port)
        client.raw(b"\x16\x03\x01\x02\x00\x01\r\n\xff\xfe\r\n")
        client.expect((500, 502))
        client.expect((500, 502))
        client.command("STARTTLS", 220)
        client.socket = loose().wrap_socket(client.socket, server_hostname="mail.test")
        client.command("NOOP")
        client.close()

    def test_a_hello_in_the_packet_of_starttls(self):
        """A handshake that begins in clear text's packet is dropped with it: nothing of it is answered, in clear or otherwise."""
        self.i.control("timeoutsmtpd", "10")
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        hello = loose().wrap_bio(incoming, outgoing, server_hostname="mail.test")
        with self.assertRaises(ssl.SSLWantReadError):
            hello.do_handshake()
        client = relais.Smtp(self.i.port)
        client.raw(b"STARTTLS\r\n" + outgoing.read())
        client.expect(220)
        self.assertEqual(self.read_all(client.socket), b"")
        client.close()
        self.i.wait_log("TLS handshake timed out", "smtpd", LIMIT)

    def test_tls_first_and_words_in_clear(self):
        port = relais.free_port()
        self.i.spawn("smtps", [relais.program("qmail-smtpd"), "-l", f"127.0.0.1:{port}", "--tls"], self.i.ids("qmaild") if self.i.single else None)
        self.i.wait_for(lambda: "TLSv1.3" in openssl("s_client", "-connect", f"127.0.0.1:{port}", stdin="QUIT\n"), LIMIT, "TLS")
        for octets in (b"EHLO x\r\n", b"\r\n" * 1000, b"\x80\x80\x01\x03\x01", record(22, 0, b""), record(21, 2, b"\x02\x28")):
            with self.subTest(octets[:10]), socket.create_connection(("127.0.0.1", port), LIMIT) as s:
                try:
                    s.sendall(octets)
                    s.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                self.assertNotRegex(self.read_all(s), rb"[0-9]{3}[ -][a-z]")
        self.i.wait_log("TLS handshake failed", "smtps", LIMIT, 5)

    def talk(self, version, *steps):
        """s_client takes letters as orders, one a read: each step waits for what it brings. Returns all that was said."""
        client = subprocess.Popen(["openssl", "s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{self.i.port}", version, "-crlf"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0)
        said = b""
        try:
            for text, wanted in (("", b"250 SIZE"), *steps):
                # Of one that has ended already, what it said last is still to be read.
                with contextlib.suppress(BrokenPipeError):
                    client.stdin.write(text.encode())
                seen = len(said)
                while wanted not in said[seen:]:
                    part = os.read(client.stdout.fileno(), 65536)
                    if not part:
                        return said + b" ended"
                    said += part
            return said
        finally:
            client.kill()
            client.wait()
            client.stdin.close()
            client.stdout.close()

    def test_new_keys_again_and_again(self):
        said = self.talk("-tls1_3", *[("K\n", b"KEYUPDATE")] * 100, ("NOOP\n", b"250 ok"))
        self.assertFalse(said.endswith(b" ended"), said)

    def test_renegotiation(self):
        """Refused by an alert; the client's own OpenSSL then gives up."""
        said = self.talk("-tls1_2", ("NOOP\n", b"250 ok"), ("R\n", b"RENEGOTIATING"), ("NOOP\n", b"never said"))
        self.assertTrue(said.endswith(b" ended"), said)
        self.assertIn(b"no renegotiation", said)

    def test_names_that_are_none(self):
        """A server name is a name of a certificate or none: not of a file, nor a line of a log."""
        wanted = self.served_certificate()
        (self.i.home / "control/servercerts").mkdir(exist_ok=True)
        tls_test.make_certificate(self.i.home / "control/servercerts/other.test.pem", "other.test")
        self.i.wait_for(lambda: "other.test" in openssl("s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{self.i.port}", "-servername",
                                                        "other.test", stdin="QUIT\n"), LIMIT, "the certificate for a name")
        for name in ("../servercert", "../servercerts/other.test", "other.test.pem", "x" * 255, "other.test\r\n250 ok", "%s%n", ".", "*"):
            with self.subTest(name[:20]):
                said = openssl("s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{self.i.port}", "-servername", name, stdin="QUIT\n")
                self.assertIn("".join(wanted.split("\n")[1:4]), said.replace("\n", ""))

    def test_old_versions_and_weak_ciphers(self):
        for words in (("-tls1",), ("-tls1_1",), ("-tls1_2", "-cipher", "AES128-SHA"), ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"),
                      ("-tls1_2", "-cipher", "NULL:@SECLEVEL=0"), ("-tls1_2", "-cipher", "aNULL:@SECLEVEL=0")):
            with self.subTest(words):
                said = openssl("s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{self.i.port}", *words, stdin="QUIT\n")
                self.assertNotRegex(said, r"(?m)^New, TLSv|^221 ")
                self.assertNotIn("-----BEGIN CERTIFICATE", said)


if __name__ == "__main__":
    relais.main()
