"""TLS as clients see it: STARTTLS on the SMTP server under its listener and under tcpserver, TLS from the first octet, POP3 with STLS and
without, certificates that change, resumption across processes, and what hostile clients get."""

import os
import poplib
import re
import signal
import smtplib
import socket
import ssl
import struct
import subprocess
import tempfile
import time
import pathlib

from harness import pop3
from harness import relais
from harness.logins import loose

LIMIT = 120


def openssl(*words, stdin="", timeout=LIMIT):
    result = subprocess.run(["openssl", *map(str, words)], input=stdin.encode(), capture_output=True, timeout=timeout)
    return (result.stdout + result.stderr).decode(errors="replace")


def make_certificate(path, name, key="ec", days=30):
    """A self-signed certificate with its key in one file; returns the certificate's PEM."""
    words = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["rsa:2048"], "ed25519": ["ed25519"]}[key]
    with tempfile.TemporaryDirectory() as d:
        openssl("req", "-x509", "-newkey", *words, "-nodes", "-days", days, "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
                "-keyout", f"{d}/key", "-out", f"{d}/cert")
        certificate = pathlib.Path(f"{d}/cert").read_text()
        text = certificate + pathlib.Path(f"{d}/key").read_text()
    replace(path, text)
    return certificate


def replace(path, text, mode=0o600):
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.chmod(mode)
    new.rename(path)


class Base(relais.TestCase):
    def setUp(self):
        super().setUp()
        self.i = self.instance()
        self.bob = self.i.add_user("bob")

    def keyd_ready(self):
        self.i.wait_for((self.i.home / "sockets/keys").is_socket, LIMIT, "the socket of qmail-keyd")

    def starttls(self, port=None, context=None, **options):
        client = relais.Smtp(port or self.i.port, **options)
        self.assertIn("STARTTLS", str(client.command("EHLO client.test")))
        client.command("STARTTLS", 220)
        return (context or loose()).wrap_socket(client.socket, server_hostname="mail.test")

    def send(self, client, subject="x"):
        client.sendmail("a@b.example", ["bob@mail.test"], f"Subject: {subject}\r\n\r\nhello\r\n")

    def served_certificate(self, name="mail.test"):
        with smtplib.SMTP("127.0.0.1", self.i.port, timeout=LIMIT) as client:
            client._host = name
            client.starttls(context=loose())
            return ssl.DER_cert_to_PEM_cert(client.sock.getpeercert(True))

    @staticmethod
    def read_all(s):
        got = b""
        try:
            while part := s.recv(65536):
                got += part
        except ConnectionError:
            pass
        return got


class Listener(Base):
    def test_mail_by_starttls(self):
        self.i.start()
        with smtplib.SMTP("127.0.0.1", self.i.port, timeout=LIMIT) as client:
            client.ehlo("client.test")
            self.assertTrue(client.has_extn("starttls"))
            context = ssl.create_default_context(cadata=self.served_certificate())
            client._host = "mail.test"
            client.starttls(context=context)
            client.ehlo("client.test")
            self.assertFalse(client.has_extn("starttls"))
            self.send(client)
        (message,) = self.bob.wait_messages(1, seconds=LIMIT)
        self.assertRegex(message, rb"by mail.test with ESMTPS \(TLSv1.3 TLS_[A-Z0-9_]+\); ")
        self.i.wait_log("tls TLSv1.3/TLS_", "smtpd", seconds=LIMIT)

    def test_swaks(self):
        self.i.start()
        result = subprocess.run(["swaks", "--tls", "--server", "127.0.0.1", "--port", str(self.i.port), "--from", "a@b.example", "--to",
                                 "bob@mail.test"], capture_output=True, timeout=LIMIT)
        self.assertEqual(result.returncode, 0, result)
        self.bob.wait_messages(1, seconds=LIMIT)

    def test_plaintext_after_starttls_is_never_executed(self):
        self.i.start()
        # CVE-2011-0411: in one packet with the command, and in one before the handshake.
        injected = b"STARTTLS\r\nMAIL FROM:<evil@b.example>\r\nRCPT TO:<bob@mail.test>\r\n"
        with socket.create_connection(("127.0.0.1", self.i.port), LIMIT) as s:
            s.recv(4096)
            s.sendall(b"EHLO x\r\n" + injected)
            got = b""
            while b"220 ready for tls\r\n" not in got:
                got += s.recv(4096)
            self.assertTrue(got.endswith(b"220 ready for tls\r\n"), got)
            with loose().wrap_socket(s, server_hostname="mail.test") as t:
                t.sendall(b"DATA\r\n")
                self.assertEqual(t.recv(4096), b"503 MAIL first (#5.5.1)\r\n")
                # EHLO is forgotten too: HELO's name in the trace field comes from TLS alone.
                t.sendall(b"MAIL FROM:<a@b.example>\r\n")
                self.assertEqual(t.recv(4096), b"250 ok\r\n")
        with socket.create_connection(("127.0.0.1", self.i.port), LIMIT) as s:
            s.recv(4096)
            s.sendall(b"STARTTLS\r\n")
            self.assertEqual(s.recv(4096), b"220 ready for tls\r\n")
            s.sendall(b"MAIL FROM:<evil@b.example>\r\n")
            self.assertNotIn(b"250", self.read_all(s))

    def test_odd_commands(self):
        self.i.start()
        with self.i.smtp() as client:
            client.command("STARTTLS now", 501)
            client.command("NOOP")
        t = self.starttls()
        t.sendall(b"STARTTLS\r\n")
        self.assertEqual(t.recv(4096), b"503 TLS is on already (#5.5.1)\r\n")
        t.sendall(b"EHLO x\r\n")
        self.assertNotIn(b"STARTTLS", t.recv(4096))
        t.sendall(b"QUIT\r\n")
        self.assertTrue(t.recv(4096).startswith(b"221 "))
        # The end is TLS's own: close_notify, not only a closed connection.
        self.assertEqual(t.recv(4096), b"")
        t.close()

    def test_hostile_handshakes(self):
        self.i.control("timeoutsmtpd", "10")
        self.i.start()
        hello = b"\x16\x03\x01"
        for name, octets in {
            "garbage": b"GET / HTTP/1.0\r\n\r\n",
            "truncated": hello + struct.pack("!H", 300) + b"\x01\x00\x01\x28\x03\x03" + b"r" * 40,
            "oversized record": hello + b"\xff\xff" + b"x" * 70000,
            "oversized message": hello + b"\x40\x00" + b"\x01\xff\xff\xff" + b"x" * 16380,
            "nothing": b"",
        }.items():
            with self.subTest(name):
                with socket.create_connection(("127.0.0.1", self.i.port), LIMIT) as s:
                    s.recv(4096)
                    s.sendall(b"STARTTLS\r\n")
                    self.assertEqual(s.recv(4096), b"220 ready for tls\r\n")
                    try:
                        s.sendall(octets)
                        s.shutdown(socket.SHUT_WR)
                    except OSError:
                        pass
                    got = self.read_all(s)
                    # An alert at most, and no word in clear.
                    self.assertNotRegex(got, rb"[0-9]{3} ")
        # A drip of single octets does not outlive the limit.
        with socket.create_connection(("127.0.0.1", self.i.port), LIMIT) as s:
            s.recv(4096)
            s.sendall(b"STARTTLS\r\n")
            s.recv(4096)
            s.settimeout(0.3)
            sent = 0
            for octet in hello + b"\x3f\xff\x01\x00\x3f\xfb" + b"x" * 400:
                try:
                    s.sendall(bytes([octet]))
                    sent += 1
                    if s.recv(10) == b"":
                        break
                except TimeoutError:
                    continue
                except OSError:
                    break
            self.assertLess(sent, 300)
        self.i.wait_log("TLS handshake timed out", "smtpd", seconds=LIMIT)
        self.i.wait_log("TLS handshake failed", "smtpd", seconds=LIMIT)
        # Nobody died of it.
        self.assertNotIn("died by signal", "\n".join(map(str, self.i.log("smtpd"))))
        self.starttls().close()

    def test_renegotiation_is_refused(self):
        self.i.start()
        said = openssl("s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{self.i.port}", "-tls1_2", stdin="R\n", timeout=LIMIT)
        self.assertRegex(said, "no renegotiation|no_renegotiation|handshake failure")

    def test_a_cut_connection_loses_the_message(self):
        self.i.start()
        t = self.starttls()
        t.sendall(b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<bob@mail.test>\r\nDATA\r\n")
        got = b""
        while b"354" not in got:
            got += t.recv(4096)
        t.sendall(b"Subject: half\r\n\r\nhalf\r\n")
        # Without close_notify, from below TLS.
        socket.socket.shutdown(t, socket.SHUT_RDWR)
        t.close()
        self.i.wait_empty(LIMIT)
        self.assertEqual(self.bob.messages(), [])

    def test_certificates_change_without_restart(self):
        self.i.start()
        first = self.served_certificate()
        path = self.i.home / "control/servercert.pem"
        for key in ("rsa", "ed25519", "ec"):
            wanted = make_certificate(path, "mail.test", key)
            self.i.wait_for(lambda: self.served_certificate().split() == wanted.split(), LIMIT, f"the new {key} certificate")
            self.assertNotEqual(first.split(), wanted.split())
        # Half a file: the last good one stays.
        replace(path, wanted)
        self.i.wait_log("the one before it stays in use", "send", seconds=LIMIT)
        self.assertEqual(self.served_certificate().split(), wanted.split())
        other = make_certificate(self.i.home / "control/servercerts/other.test.pem", "other.test")
        self.i.wait_for(lambda: self.served_certificate("other.test").split() == other.split(), LIMIT, "the certificate for a name")
        self.assertEqual(self.served_certificate("mail.test").split(), wanted.split())

    def test_a_link_in_the_middle_is_turned(self):
        """As tools that renew certificates do: control's link leads to a link that leads to the file of this renewal."""
        archive, live = self.i.directory / "archive", self.i.directory / "live"
        archive.mkdir(0o700)
        live.mkdir(0o700)
        if self.i.single and relais.IS_ROOT:
            os.chown(archive, *self.i.ids("qmailq"))
            os.chown(live, *self.i.ids("qmailq"))
        certificates = []
        for number in (1, 2):
            certificates.append(make_certificate(archive / f"cert{number}.pem", f"renewal{number}.test"))
            if self.i.single and relais.IS_ROOT:
                os.chown(archive / f"cert{number}.pem", *self.i.ids("qmailq"))

        def turn(link, target):
            new = link.with_name(".new")
            new.symlink_to(target)
            new.rename(link)

        turn(live / "cert.pem", "../archive/cert1.pem")
        turn(self.i.home / "control/servercert.pem", live / "cert.pem")
        self.i.start()
        self.assertEqual(self.served_certificate().split(), certificates[0].split())
        turn(live / "cert.pem", "../archive/cert2.pem")
        # Without being told, qmail-keyd looks once a minute.
        self.i.wait_for(lambda: self.served_certificate().split() == certificates[1].split(), 30, "the next certificate")

    def test_settings_that_are_wrong(self):
        self.i.control("tlsminversion", "9")
        for server in ("listener", "tcpserver"):
            with self.subTest(server):
                self.i.start(smtpd=server)

                def offered():
                    with self.i.smtp(ehlo=None) as client:
                        return "STARTTLS" in str(client.command("EHLO x"))
                # After a restart qmail-start may not have its socket yet.
                self.i.wait_for(offered, LIMIT, "STARTTLS")
                with self.i.smtp() as client:
                    # Nobody is sent into a handshake that cannot be.
                    self.assertEqual(repr(client.command("STARTTLS", 454)), "454 TLS not available now, try again later (#4.7.0)")
                    client.deliver("a@b.example", ["bob@mail.test"], f"Subject: {server}\n\nx\n")
                self.i.wait_log("control/tlsminversion is none of 1.0, 1.1, 1.2, 1.3: 9", "smtpd", LIMIT)
                self.i.stop()

    def test_no_certificate_no_starttls(self):
        (self.i.home / "control/servercert.pem").unlink()
        self.i.start()
        self.i.wait_log("there is no certificate", "send", seconds=LIMIT)
        with self.i.smtp(ehlo=None) as client:
            self.assertNotIn("STARTTLS", str(client.command("EHLO x")))
            client.command("STARTTLS", 502)
            client.command("NOOP")
        wanted = make_certificate(self.i.home / "control/servercert.pem", "mail.test")

        def offered():
            with self.i.smtp(ehlo=None) as client:
                return "STARTTLS" in str(client.command("EHLO x"))
        self.i.wait_for(offered, LIMIT, "STARTTLS")
        self.assertEqual(self.served_certificate().split(), wanted.split())

    def test_no_starttls_through_pipes(self):
        """recordio and its like: what the client says comes on one descriptor and the answers leave by another."""
        self.i.start()
        self.keyd_ready()
        session = b"EHLO x\r\nSTARTTLS\r\nQUIT\r\n"
        result = self.i.run("qmail-smtpd", input=session, env={"TCPREMOTEIP": "192.0.2.1"})
        self.assertNotIn("250-STARTTLS", result.out)
        self.assertRegex(result.out, r"\n502 unimplemented \(#5.5.1\)\r\n221 ")
        ours, theirs = socket.socketpair()
        with ours:
            with theirs, subprocess.Popen([relais.program("qmail-smtpd")], stdin=theirs, stdout=theirs, env=self.i.environment) as process:
                theirs.close()
                ours.sendall(b"EHLO x\r\nQUIT\r\n")
                with ours.makefile("rb") as replies:
                    self.assertIn(b"250-STARTTLS\r\n", replies.read())
            self.assertEqual(process.returncode, 0)

    def test_keyd_ends_a_connection_with_what_a_handshake_asks_last(self):
        self.i.start()
        self.served_certificate()
        script = """if True:
            import socket, struct, sys
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(120)
            s.connect(sys.argv[1])
            def ask(request):
                s.sendall(struct.pack("<I", len(request)) + request)
                head = s.recv(4, socket.MSG_WAITALL)
                return s.recv(struct.unpack("<I", head)[0], socket.MSG_WAITALL)
            name = ask(b"N")[1:17]
            print(ask(b"T" + bytes(16))[:2].decode(), ask(b"T" + name)[:2].decode(), s.recv(1) == b"")"""
        user = relais.User(self.i, "qmaild", *self.i.ids("qmaild"), None) if relais.IS_ROOT and not self.i.single else None
        done = self.i.run("/usr/bin/python3", "-c", script, self.i.home / "sockets/keys", user=user)
        self.assertEqual((done.out, done.err), ("T0 T1 True\n", ""))

    def test_keyd_killed(self):
        self.i.start()
        self.served_certificate()
        client = relais.Smtp(self.i.port)
        client.command("EHLO x")
        client.command("STARTTLS", 220)
        self.i.kill("qmail-keyd")
        # The handshake waits for the next one, some seconds; a busy machine may need several tries.
        def answered():
            nonlocal client
            try:
                with loose().wrap_socket(client.socket, server_hostname="mail.test") as t:
                    t.sendall(b"NOOP\r\n")
                    return t.recv(100) == b"250 ok\r\n"
            except OSError:
                client = relais.Smtp(self.i.port)
                client.command("STARTTLS", 220)
        self.i.wait_for(answered, LIMIT, "a handshake")
        self.i.wait_log("qmail-keyd", "send", seconds=LIMIT)
        self.served_certificate()

    def test_clients_do_not_wait_while_keyd_is_away(self):
        self.i.start()
        self.served_certificate()

        def longest(seconds):
            worst = 0.0
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                begun = time.monotonic()
                with self.i.smtp():
                    worst = max(worst, time.monotonic() - begun)
            return worst

        # Its socket, which is qmail-start's, takes connections all the same.
        self.i.kill("qmail-start", signal.SIGSTOP)
        try:
            self.i.kill("qmail-keyd")
            # A listener that waits for it does so for five seconds, in every six; a busy machine not three times in a row.
            self.assertTrue(any(longest(8) < 4 for _ in range(3)))
        finally:
            self.i.kill("qmail-start", signal.SIGCONT)
        self.served_certificate()

    def test_keyd_hangs(self):
        """A client in the middle of STARTTLS is let go after some seconds, and why is logged."""
        self.i.start()
        self.served_certificate()
        self.i.kill("qmail-keyd", signal.SIGSTOP)
        try:
            client = relais.Smtp(self.i.port)
            client.command("STARTTLS", 220)
            begun = time.monotonic()
            with self.assertRaises(OSError):
                loose().wrap_socket(client.socket, server_hostname="mail.test")
            self.assertLess(time.monotonic() - begun, 40)
            self.i.wait_log("TLS handshake failed: qmail-keyd does not answer", "smtpd", LIMIT)
        finally:
            self.i.kill("qmail-keyd", signal.SIGCONT)
        self.served_certificate()

    def test_keyd_gone_for_good(self):
        """Once the listener knows that it is gone, STARTTLS is answered in clear: not now."""
        self.i.start()
        self.served_certificate()
        self.i.kill("qmail-start", signal.SIGSTOP)
        try:
            self.i.kill("qmail-keyd")
            self.i.wait_for(lambda: not self.i.processes("qmail-keyd"), LIMIT, "the end of qmail-keyd")

            def refused():
                with self.i.smtp() as client:
                    reply = client.command("STARTTLS", None)
                    if reply.code == 220:
                        return False  # it was not known yet
                    self.assertEqual(repr(reply), "454 TLS not available now, try again later (#4.7.0)")
                    client.deliver("a@b.example", ["bob@mail.test"], "Subject: in clear\n\nx\n", code=None)
                    return True
            begun = time.monotonic()
            self.i.wait_for(refused, LIMIT, "454")
            self.assertLess(time.monotonic() - begun, 60)
            self.i.wait_log("454 TLS not available now, try again later (#4.7.0): ", "smtpd", LIMIT)
        finally:
            self.i.kill("qmail-start", signal.SIGCONT)
        self.i.wait_for(lambda: self.resumed("-tls1_3") or True, LIMIT, "TLS")

    def resumed(self, *versions, reload=False):
        with tempfile.NamedTemporaryFile() as session:
            words = ["s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{self.i.port}", *versions]
            said = openssl(*words, "-ign_eof", "-sess_out", session.name, stdin="QUIT\r\n")
            self.assertIn("New, ", said)
            if reload:
                reload()
            return "Reused, " in openssl(*words, "-ign_eof", "-sess_in", session.name, stdin="QUIT\r\n")

    def test_resumption_across_processes(self):
        self.i.start()
        for version in ("-tls1_3", "-tls1_2"):
            with self.subTest(version):
                self.assertTrue(self.resumed(version))
        # A new qmail-keyd knows no old tickets, and the handshake is a full one.
        def kill():
            self.i.kill("qmail-keyd")
        self.assertFalse(self.resumed("-tls1_3", reload=kill))

    def test_resumption_after_rotation(self):
        # A key makes tickets for so many seconds; they are known for two more of these, which a busy machine may need.
        lifetime = 2
        for _ in range(5):
            self.i.control("tlsticketlifetime", str(lifetime))
            self.i.start()
            # The wait is what is tested: only time makes a new key.
            begun = time.monotonic()
            resumed = self.resumed("-tls1_3", reload=lambda: time.sleep(lifetime + 0.1))
            if resumed or time.monotonic() - begun < 2 * lifetime:
                break
            self.i.stop()
            lifetime *= 2
        self.assertTrue(resumed)

    def test_tls_first(self):
        self.i.start(smtpd=None)
        self.i.port = relais.free_port()
        self.i.spawn("smtps", [relais.program("qmail-smtpd"), "-l", f"127.0.0.1:{self.i.port}", "--tls", "-x", self.i.home / "tcp.smtp.cdb"],
                     self.i.ids("qmaild") if self.i.single else None)
        self.i._wait_port("127.0.0.1", greets=False)
        with smtplib.SMTP_SSL("127.0.0.1", self.i.port, context=loose(), timeout=LIMIT) as client:
            client.ehlo("client.test")
            self.assertFalse(client.has_extn("starttls"))
            self.send(client)
        (message,) = self.bob.wait_messages(1, seconds=LIMIT)
        self.assertIn(b"with ESMTPS (TLSv1.3 ", message)
        # A client that speaks in clear gets no word in clear.
        with socket.create_connection(("127.0.0.1", self.i.port), LIMIT) as s:
            s.sendall(b"EHLO x\r\n")
            self.assertNotRegex(self.read_all(s), rb"[0-9]{3}[ -]")

    def test_versions_and_ciphers(self):
        self.i.control("tlsminversion", "1.3")
        self.i.start()
        old = loose()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with self.assertRaises(OSError):
            self.starttls(context=old)
        self.i.control("tlsminversion", "1.2")
        self.i.control("tlsserverciphers", "ECDHE-ECDSA-CHACHA20-POLY1305")

        def works():
            try:
                with self.starttls(context=old) as t:
                    return t.cipher()[0]
            except OSError:
                return None
        self.i.wait_for(lambda: works() == "ECDHE-ECDSA-CHACHA20-POLY1305", LIMIT, "the cipher")

    def test_client_certificates_may_relay(self):
        d = self.i.directory
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 30, "-subj", "/CN=ca", "-keyout", d / "ca.key", "-out", d / "ca.pem")
        for name in ("relay", "other"):
            openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/O=Site/CN={name}", "-keyout", d / f"{name}.key", "-out", d / f"{name}.csr")
            openssl("x509", "-req", "-in", d / f"{name}.csr", "-CA", d / "ca.pem", "-CAkey", d / "ca.key", "-CAcreateserial", "-out",
                    d / f"{name}.pem")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 30, "-subj", "/O=Site/CN=relay", "-keyout", d / "forged.key", "-out",
                d / "forged.pem")
        self.i.control("clientca.pem", (d / "ca.pem").read_text())
        self.i.control("tlsclients", "CN=relay,O=Site\n")
        self.i.start()
        for name, code in (("relay", 250), ("other", 553), ("forged", 553), (None, 553)):
            with self.subTest(name), smtplib.SMTP("127.0.0.1", self.i.port, timeout=LIMIT) as client:
                context = loose()
                if name:
                    context.load_cert_chain(d / f"{name}.pem", d / f"{name}.key")
                client.starttls(context=context)
                client.ehlo("x")
                client.mail("a@b.example")
                self.assertEqual(client.rcpt("x@foreign.example")[0], code)


class Scanned(Base):
    """What sslscan finds, by the measure of grade A: TLS 1.2 and 1.3 only, forward secrecy, authenticated ciphers, no old weakness."""

    def check(self, port, *options):
        said = subprocess.run(["sslscan", "--no-colour", *options, f"127.0.0.1:{port}"], capture_output=True,
                              timeout=LIMIT).stdout.decode(errors="replace")
        for version in ("SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1"):
            self.assertRegex(said, rf"{re.escape(version)}\s+disabled")
        for version in ("TLSv1.2", "TLSv1.3"):
            self.assertRegex(said, rf"{re.escape(version)}\s+enabled")
        self.assertNotIn("Compression enabled", said)
        self.assertNotRegex(said, "TLSv1.[0-9] vulnerable to heartbleed|Insecure session renegotiation")
        accepted = re.findall(r"^(?:Preferred|Accepted)\s+(\S+)\s+(\d+) bits\s+(\S+)", said, re.M)
        self.assertGreater(len(accepted), 3, said)
        for version, bits, cipher in accepted:
            self.assertGreaterEqual(int(bits), 128, said)
            self.assertRegex(cipher, r"^TLS_(AES|CHACHA20)|^(EC)?DHE-.*(GCM|CHACHA20)", said)

    def test_port_25(self):
        self.i.start()
        self.check(self.i.port, "--starttls-smtp")

    def test_port_465(self):
        self.i.start(smtpd=None)
        self.i.port = relais.free_port()
        self.i.spawn("smtps", [relais.program("qmail-smtpd"), "-l", f"127.0.0.1:{self.i.port}", "--tls"],
                     self.i.ids("qmaild") if self.i.single else None)
        self.i._wait_port("127.0.0.1", greets=False)
        self.check(self.i.port)

    def test_port_995(self):
        self.i.start(smtpd=None)
        self.keyd_ready()
        self.check(pop3.start_server(self.i, popup=("--tls",)))


class Showctl(Base):
    def test_what_is_wrong_with_certificates(self):
        path = self.i.home / "control/servercert.pem"
        check = lambda: self.i.run("qmail-showctl", "--check").out
        self.assertNotIn("PRIVATE KEY", self.i.run("qmail-showctl").out)
        self.assertIn("servercert.pem: note: the certificate is signed by itself", check())
        path.chmod(0o644)
        self.assertIn("others than its owner can read the private key", check())
        make_certificate(path, "other.test")
        self.assertIn("warning: the certificate is not valid for the name mail.test", check())
        make_certificate(path, "mail.test", days=3)
        self.assertRegex(check(), "warning: the certificate expires in [23] days")
        replace(path, path.read_text().split("-----BEGIN PRIVATE")[0])
        self.assertIn("warning: there is no private key", check())
        path.unlink()
        self.assertIn("warning: it is missing: TLS is not offered", check())


class UnderTcpserver(Base):
    def test_without_keyd(self):
        self.i.start_tcpserver()
        with self.i.smtp(ehlo=None) as client:
            self.assertNotIn("STARTTLS", str(client.command("EHLO x")))
            client.command("STARTTLS", 502)
        self.i.wait_log("TLS is not offered: unable to connect to", "smtpd", seconds=LIMIT)

    def test_starttls(self):
        self.i.start(smtpd="tcpserver")
        with smtplib.SMTP("127.0.0.1", self.i.port, timeout=LIMIT) as client:
            client.starttls(context=loose())
            client.ehlo("client.test")
            self.send(client)
        (message,) = self.bob.wait_messages(1, seconds=LIMIT)
        self.assertIn(b"with ESMTPS (TLSv1.3 ", message)

    def test_tls_first(self):
        self.i.start(smtpd=None)
        self.i.port = relais.free_port()
        uid, gid = self.i.ids("qmaild")
        drop = ["-u", uid, "-g", gid] if relais.IS_ROOT and not self.i.single else []
        self.i.spawn("smtps", ["tcpserver", "-RHl0", *drop, "127.0.0.1", self.i.port, relais.program("qmail-smtpd"), "--tls"],
                     self.i.ids("qmaild") if self.i.single else None)
        self.i._wait_port("127.0.0.1", greets=False)
        self.keyd_ready()
        with smtplib.SMTP_SSL("127.0.0.1", self.i.port, context=loose(), timeout=LIMIT) as client:
            self.send(client)
        self.bob.wait_messages(1, seconds=LIMIT)


class Pop3(Base):
    def setUp(self):
        super().setUp()
        self.i.start(smtpd=None)
        self.keyd_ready()

    def test_stls(self):
        port = pop3.start_server(self.i)
        client = poplib.POP3("127.0.0.1", port, timeout=LIMIT)
        self.assertIn("STLS", client.capa())
        client.stls(context=loose())
        self.assertNotIn("STLS", client.capa())
        with self.assertRaisesRegex(poplib.error_proto, "TLS is on already"):
            client._shortcmd("STLS")
        client.quit()

    def test_settings_that_are_wrong(self):
        """Nobody is sent into a handshake that cannot be; the session goes on."""
        self.i.control("tlsminversion", "9")
        with pop3.Client(pop3.start_server(self.i)) as client:
            self.assertEqual(client.command("STLS"), "-ERR [SYS/TEMP] TLS is not available now, try again later")
            self.assertTrue(client.command("CAPA").startswith("+OK"))
            self.assertIn("STLS", client.lines())
            # It is asked anew each time.
            self.i.control("tlsminversion", "1.2")
            self.assertEqual(client.command("STLS"), "+OK ready for tls")
            client.file.close()
            client.socket = loose().wrap_socket(client.socket)
            client.file = client.socket.makefile("rb")
            self.assertTrue(client.command("CAPA").startswith("+OK"))
        self.i.wait_log("STLS is refused: control/tlsminversion is none of 1.0, 1.1, 1.2, 1.3: 9", "pop3", LIMIT)

    def test_a_login_and_a_message(self):
        pop3.set_password(self.i, "bob", "secret")
        pop3.make_message(self.bob, "1.x", "Subject: one\n\nhello\n")
        port = pop3.start_server(self.i, popup=("--tls",))
        client = poplib.POP3_SSL("127.0.0.1", port, context=loose(), timeout=LIMIT)
        client.user("bob")
        client.pass_("secret")
        self.assertIn(b"Subject: one", client.retr(1)[1])
        client.quit()

    def test_tls_first(self):
        port = pop3.start_server(self.i, popup=("--tls",))
        client = poplib.POP3_SSL("127.0.0.1", port, context=loose(), timeout=LIMIT)
        self.assertNotIn("STLS", client.capa())
        client.quit()

    def test_plaintext_after_stls_is_never_executed(self):
        port = pop3.start_server(self.i)
        with socket.create_connection(("127.0.0.1", port), LIMIT) as s:
            s.recv(4096)
            s.sendall(b"STLS\r\nQUIT\r\nCAPA\r\n")
            got = self.read_all(s)
            self.assertTrue(got.startswith(b"+OK ready for tls\r\n"), got)
            self.assertEqual(got.count(b"+OK"), 1, got)


if __name__ == "__main__":
    relais.main()
