"""Mail programs submit from elsewhere, so by TLS: STARTTLS and TLS from the first octet, on our own listener (confined by seccomp) and under
tcpserver, with every mechanism; SCRAM bound to the connection; resumed sessions; POP3; and one instance as the smarthost of another."""

import hashlib
import os
import shutil
import smtplib
import socket
import ssl
import subprocess
import time

from harness import nodemailer
from harness import pop3
from harness import relais
from harness.logins import OK, b64, cram, loose, plain, scram

LIMIT = 120
PASSWORD = "correct-horse-7"
ELSEWHERE = "192.0.2.7"
MESSAGE = "From: anna@mail.test\nTo: anna@mail.test\nSubject: hello\n\nby {}\n"


class Secure(relais.Smtp):
    """A client that has switched to TLS."""

    def __init__(self, port, first=False, context=None):
        super().__init__(port, greeting=None if first else 220)
        if not first:
            self.command("EHLO client.test")
            self.command("STARTTLS", 220)
        self.socket = (context or loose()).wrap_socket(self.socket, server_hostname="mail.test")
        if first:
            self.expect(220)

    def end_point(self):
        return hashlib.sha256(self.socket.getpeercert(True)).digest()


def bound(smtp, mechanism, header, binding=b""):
    return repr(scram(smtp, "anna", PASSWORD, mechanism, header, binding))


def login(smtp):
    smtp.command("AUTH LOGIN", 334)
    smtp.command(b64("anna%mail.test"), 334)
    return repr(smtp.command(b64(PASSWORD), None))


WAYS = {
    "PLAIN": lambda s: repr(s.command("AUTH PLAIN " + plain("anna", PASSWORD), None)),
    "LOGIN": login,
    "CRAM-MD5": lambda s: repr(cram(s, "anna", PASSWORD)),
    "SCRAM-SHA-256": lambda s: bound(s, "SCRAM-SHA-256", "n,,"),
    "SCRAM-SHA-256-PLUS": lambda s: bound(s, "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,", s.end_point()),
}


class Base(relais.TestCase):
    """An instance whose servers believe every client to be elsewhere."""

    def setUp(self):
        self.i = self.instance(control={"rcpthosts": "mail.test"})
        self.anna = self.i.add_user("anna")
        pop3.set_password(self.i, "anna", PASSWORD, "--store-secret")
        self.i.rules(f':allow,TCPREMOTEIP="{ELSEWHERE}"\n')

    def serve(self, name, first=False, tcpserver=False):
        """Starts a submission server; returns its port."""
        i, port = self.i, relais.free_port()
        program = [relais.program("qmail-smtpd"), *(["--tls"] if first else [])]
        rules = ["-x", i.home / "tcp.smtp.cdb"]
        uid, gid = i.ids("qmaild")
        drop = ["-u", uid, "-g", gid] if relais.IS_ROOT and not i.single else []
        command = ["tcpserver", "-v", "-RH", "-l", i.me, *drop, *rules, "127.0.0.1", port, *program] if tcpserver else \
            [*program, "-l", f"127.0.0.1:{port}", *rules]
        i.spawn(name, command, i.ids("qmaild") if i.single else None, {"SUBMISSION": "1"})

        def answers():
            try:
                Secure(port, first).close()
                return True
            except (OSError, EOFError, AssertionError):
                return False
        i.wait_for(answers, LIMIT, f"TLS on port {port}")
        return port

    def no_secrets(self):
        forms = (PASSWORD, b64(PASSWORD), b64(f"\0anna\0{PASSWORD}"))
        for log in self.i.logs.iterdir():
            for form in forms:
                self.assertNotIn(form.encode(), log.read_bytes(), log)


class Servers(Base):
    """Every mechanism on every kind of server."""

    def every_mechanism(self, first, tcpserver):
        self.i.start(smtpd=None)
        port = self.serve("server", first, tcpserver)
        if not first:
            with relais.Smtp(port) as client:
                offered = repr(client.command("EHLO x"))
                self.assertIn("STARTTLS", offered)
                self.assertNotIn("AUTH", offered)
                self.assertEqual(repr(client.command("AUTH PLAIN " + b64(f"\0anna\0{PASSWORD}"), 530)),
                                 "530 must issue a STARTTLS command first (#5.7.0)")
        for count, (name, way) in enumerate(WAYS.items(), 1):
            with self.subTest(name), Secure(port, first) as client:
                offered = repr(client.command("EHLO x"))
                self.assertNotIn("STARTTLS", offered)
                self.assertIn("AUTH LOGIN CRAM-MD5 PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS", offered)
                client.command("MAIL FROM:<anna@mail.test>", 530)
                self.assertEqual(way(client), OK)
                self.assertNotIn("AUTH", repr(client.command("EHLO x")))
                client.deliver("anna@mail.test", ["anna@mail.test"], MESSAGE.format(name))
                message = self.anna.wait_messages(count, LIMIT)[-1]
                self.assertRegex(message, rb"\(192\.0\.2\.7\)\n  by mail\.test with ESMTPSA \(TLSv1\.3 TLS_[A-Z0-9_]+\); ")
                self.assertRegex(message, rb"(?m)^Date: ")
                self.assertRegex(message, rb"(?m)^Message-ID: ")
                self.assertNotIn(b"anna@mail.test@", message)
        self.i.wait_log("login anna@mail.test tls TLSv1.3/TLS_", "server", LIMIT, len(WAYS))
        self.assertNotIn("died by signal", "\n".join(self.i.log("server")))
        self.no_secrets()

    def test_starttls_listener(self):
        self.every_mechanism(False, False)

    def test_starttls_tcpserver(self):
        self.every_mechanism(False, True)

    def test_tls_first_listener(self):
        self.every_mechanism(True, False)

    def test_tls_first_tcpserver(self):
        self.every_mechanism(True, True)


class Sessions(Base):
    def setUp(self):
        super().setUp()
        self.i.start(smtpd=None)
        self.port = self.serve("server")

    def test_a_login_ends_at_starttls(self):
        # CRAM-MD5 in clear, where a site allows logins before TLS.
        self.i.control("submissiontls", "0")
        with relais.Smtp(self.port) as client:
            client.command("EHLO x")
            self.assertEqual(WAYS["CRAM-MD5"](client), OK)
            client.command("MAIL FROM:<anna@mail.test>")
            client.command("STARTTLS", 220)
            client.socket = loose().wrap_socket(client.socket, server_hostname="mail.test")
            client.command("RCPT TO:<anna@mail.test>", 503)
            client.command("MAIL FROM:<anna@mail.test>", 530)
            self.assertEqual(repr(client.command("AUTH PLAIN x", 503)), "503 EHLO first (#5.5.1)")
            self.assertIn("AUTH LOGIN", repr(client.command("EHLO x")))
            self.assertEqual(WAYS["PLAIN"](client), OK)

    def test_receivedauth(self):
        self.i.control("receivedauth", "1")
        with Secure(self.port) as client:
            client.command("EHLO x")
            WAYS["SCRAM-SHA-256"](client)
            client.deliver("anna@mail.test", ["anna@mail.test"], MESSAGE.format("SCRAM"))
        (message,) = self.anna.wait_messages(1, LIMIT)
        self.assertRegex(message, rb"\(anna@mail\.test@192\.0\.2\.7\)\n  by mail\.test with ESMTPSA \(TLS")

    def test_bindings_that_are_wrong(self):
        other = hashlib.sha256(b"another certificate").digest()
        for what, mechanism, header, binding in (
                ("somebody between us", "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,", other),
                ("no binding", "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,", b""),
                ("the mechanism without", "SCRAM-SHA-256-PLUS", "n,,", b""),
                ("binding in the mechanism without", "SCRAM-SHA-256", "p=tls-server-end-point,,", other),
                ("a kind that nobody has", "SCRAM-SHA-256-PLUS", "p=tls-unique,,", other),
                ("-PLUS was taken from the offer", "SCRAM-SHA-256", "y,,", b"")):
            with self.subTest(what), Secure(self.port) as client:
                client.command("EHLO x")
                reply = bound(client, mechanism, header, binding)
                self.assertRegex(reply, "^(535|501) ")
                client.command("MAIL FROM:<anna@mail.test>", 530)

    def test_without_binding_by_the_sites_wish(self):
        """Who could bind says so ("y"), and is no victim of somebody who took -PLUS from the offer."""
        self.i.control("authmechanisms", "plain scram-sha-256")
        with Secure(self.port) as client:
            self.assertIn("AUTH PLAIN SCRAM-SHA-256\n", repr(client.command("EHLO x")))
            self.assertIn("504", bound(client, "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,", client.end_point()))
            self.assertEqual(bound(client, "SCRAM-SHA-256", "y,,"), OK)

    def test_a_resumed_session_logs_in_anew(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version):
                context = loose()
                context.minimum_version = context.maximum_version = version
                with Secure(self.port, context=context) as client:
                    client.command("EHLO x")
                    self.assertEqual(WAYS["SCRAM-SHA-256-PLUS"](client), OK)
                    session = client.socket.session
                with relais.Smtp(self.port) as client:
                    client.command("EHLO x")
                    client.command("STARTTLS", 220)
                    client.socket = context.wrap_socket(client.socket, server_hostname="mail.test", session=session)
                    self.assertTrue(client.socket.session_reused)
                    client.command("EHLO x")
                    client.command("MAIL FROM:<anna@mail.test>", 530)
                    # A resumed session of TLS 1.2 shows no certificate: Python has the one of the session.
                    client.end_point = lambda c=client: hashlib.sha256(c.socket.getpeercert(True)).digest()
                    self.assertEqual(WAYS["SCRAM-SHA-256-PLUS"](client), OK)

    def test_records_split_and_joined(self):
        """An octet in each record, and everything in one, up to the end of a message."""
        said = [b"EHLO x\r\n", b"AUTH PLAIN " + b64(f"\0anna\0{PASSWORD}").encode() + b"\r\n", b"MAIL FROM:<anna@mail.test>\r\n",
                b"RCPT TO:<anna@mail.test>\r\n", b"DATA\r\n"]
        text = relais.Smtp.stuffed(MESSAGE.format("records"))
        with Secure(self.port) as client:
            for octet in b"".join(said):
                client.socket.sendall(bytes([octet]))
            for code in (250, 235, 250, 250, 354):
                client.expect(code)
            for octet in text:
                client.socket.sendall(bytes([octet]))
            client.expect(250)
        with Secure(self.port) as client:
            client.raw(b"".join(said) + text + b"QUIT\r\n")
            for code in (250, 235, 250, 250, 354, 250, 221):
                client.expect(code)
        self.anna.wait_messages(2, LIMIT)

    def test_odd_credentials(self):
        cases = {
            "a NUL more": (b64(f"\0anna\0{PASSWORD}\0"), (535, 501)),
            "a NUL in the password": (b64(f"\0anna\0corr\0{PASSWORD}"), (535, 501)),
            "no NUL": (b64("anna"), 501),
            "empty name": (b64(f"\0\0{PASSWORD}"), (535, 501)),
            "empty password": (b64("\0anna\0"), (535, 501)),
            "8 KB of name": (b64("\0" + "a" * 8000 + f"\0{PASSWORD}"), (535, 501)),
            "64 KB of name": (b64("\0" + "a" * 65536 + f"\0{PASSWORD}"), 500),
            "not UTF-8": (b64(b"\0\xff\xfe\0\xff"), (535, 501)),
            "a line's end in the name": (b64(f"\0anna\r\nMAIL\0{PASSWORD}"), (535, 501)),
        }
        for what, (text, code) in cases.items():
            with self.subTest(what), Secure(self.port) as client:
                client.command("EHLO x")
                client.command("AUTH PLAIN " + text, code)
                client.command("MAIL FROM:<anna@mail.test>", 530)
        for name in ("anna", "anna@mail.test", "anna%mail.test", "ANNA@Mail.Test"):
            with self.subTest(name), Secure(self.port) as client:
                client.command("EHLO x")
                self.assertEqual(repr(client.command("AUTH PLAIN " + plain(name, PASSWORD), None)), OK)
        self.no_secrets()

    def places_of(self, needles, name):
        """Which of the needles stand where in the memory, the command line or the environment of the processes of that name."""
        found = []
        for process in self.i.processes(name):
            for file in ("cmdline", "environ"):
                with relais.gone(), open(f"/proc/{process.pid}/{file}", "rb") as stream:
                    octets = stream.read()
                    found += [(needle, file) for needle in needles if needle in octets]
            # The data base is mapped, and root's.
            for area, octets in process.memory():
                if "passwd.cdb" not in area:
                    found += [(needle, area) for needle in needles if needle in octets]
        return found

    def test_no_password_stays_in_memory(self):
        """Neither in a core, were there one, nor where ps(1) shows it: not even while the session goes on."""
        if not relais.IS_ROOT:
            self.skipTest("only root may look into other processes")
        forms = [PASSWORD.encode(), b64(PASSWORD).encode(), b64(f"\0anna\0{PASSWORD}").encode()]
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for way in ("PLAIN", "LOGIN"):
                with self.subTest(f"{way}, {version.name}"):
                    context = loose()
                    context.minimum_version = context.maximum_version = version
                    with Secure(self.port, context=context) as client:
                        client.command("EHLO x")
                        self.assertEqual(WAYS[way](client), OK)
                        for name in ("qmail-smtpd", "qmail-authd", "qmail-keyd"):
                            # What was read is wiped when the answer has been sent.
                            self.i.wait_for(lambda name=name: not self.places_of(forms, name), 20, f"{name} to forget the password")
                        # It was looked for in the right place: who logged in is known there.
                        self.assertTrue(self.places_of([b"anna@mail.test"], "qmail-smtpd"))
                        for process in self.i.processes("qmail-smtpd"):
                            # No core is written of what is not dumpable, and no other process of the user may look: /proc is root's then.
                            with relais.gone():
                                self.assertEqual(os.stat(f"/proc/{process.pid}/mem").st_uid, 0)

    def test_authd_hangs(self):
        """EHLO offers what is known and waits for nobody; a login is put off."""
        def quickest():
            begun = time.monotonic()
            with Secure(self.port) as client:
                self.assertIn("AUTH LOGIN", repr(client.command("EHLO x")))
                client.command("NOOP")
            return time.monotonic() - begun
        quickest()
        self.i.kill("qmail-authd", 19)
        try:
            # Who asked it would wait for a second at least, twice.
            self.i.wait_for(lambda: quickest() < 0.9, LIMIT, "an EHLO that does not wait")
        finally:
            self.i.kill("qmail-authd", 18)

    def test_authd_dies_during_scram(self):
        with Secure(self.port) as client:
            client.command("EHLO x")
            client.command("AUTH SCRAM-SHA-256 " + b64("n,,n=anna,r=clientnonce"), 334)
            self.i.kill("qmail-authd")
            client.command(b64("c=biws,r=wrong,p=" + b64("x" * 32)), (454, 535, 501))
            client.command("NOOP")
        self.i.wait_for(lambda: self.log_in() == OK, LIMIT, "a login")

    def log_in(self):
        with Secure(self.port) as client:
            client.command("EHLO x")
            return WAYS["PLAIN"](client)


class Programs(Base):
    """As they are installed, each with a home of its own."""

    def setUp(self):
        super().setUp()
        self.i.control("me", "localhost")
        self.i.start(smtpd=None)
        self.certificate = self.i.directory / "cert.pem"
        self.port = self.serve("server")
        self.port_first = self.serve("server2", first=True)
        self.sent = 0

    def run_client(self, *words, input="", code=0):
        if not shutil.which(str(words[0])) or (words[0] == "git" and not os.path.exists("/usr/lib/git-core/git-send-email")):
            self.skipTest(f"{words[0]} is not installed (packages.txt, section test)")
        done = subprocess.run([str(word) for word in words], input=input, capture_output=True, text=True, timeout=LIMIT,
                              cwd=self.i.directory, env={"PATH": os.environ["PATH"], "HOME": str(self.i.directory), "LC_ALL": "C"})
        self.assertEqual(done.returncode == 0, code == 0, f"{words}\n{done.stdout}\n{done.stderr}")
        return done.stdout + done.stderr

    def arrived(self, text):
        self.sent += 1
        self.i.wait_for(lambda: [m for m in self.anna.messages() if relais.octets(text) in m], LIMIT, text)
        self.assertEqual(len(self.anna.messages()), self.sent)
        self.no_secrets()

    def test_swaks(self):
        for tls, port in (("-tls", self.port), ("--tls-on-connect", self.port_first)):
            for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
                self.run_client("swaks", tls, "-s", f"127.0.0.1:{port}", "-f", "anna@mail.test", "-t", "anna@mail.test", "-a", mechanism,
                                "-au", "anna", "-ap", PASSWORD, "--body", f"swaks {tls} {mechanism}")
                self.arrived(f"swaks {tls} {mechanism}")
        # Who does not encrypt is not even asked for a password.
        self.run_client("swaks", "-s", f"127.0.0.1:{self.port}", "-f", "anna@mail.test", "-t", "anna@mail.test", "-a", "PLAIN", "-au", "anna",
                        "-ap", PASSWORD, code=1)
        self.assertEqual(len(self.anna.messages()), self.sent)

    def test_msmtp(self):
        settings = self.i.directory / "msmtprc"
        for starttls, port in (("on", self.port), ("off", self.port_first)):
            for mechanism in ("plain", "login", "cram-md5", "scram-sha-256"):
                settings.write_text(f"account default\nhost 127.0.0.1\nport {port}\nfrom anna@mail.test\nauth {mechanism}\nuser anna@mail.test\n"
                                    f"password {PASSWORD}\ntls on\ntls_starttls {starttls}\ntls_certcheck off\n")
                settings.chmod(0o600)
                self.run_client("msmtp", "-C", settings, "anna@mail.test", input=MESSAGE.format(f"msmtp {starttls} {mechanism}"))
                self.arrived(f"msmtp {starttls} {mechanism}")

    def test_curl(self):
        for scheme, port, more in (("smtp", self.port, ["--ssl-reqd"]), ("smtps", self.port_first, [])):
            for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
                self.run_client("curl", "-sSk", "--crlf", f"{scheme}://127.0.0.1:{port}", *more, "--login-options", f"AUTH={mechanism}",
                                "-u", f"anna:{PASSWORD}", "--mail-from", "anna@mail.test", "--mail-rcpt", "anna@mail.test", "-T", "-",
                                input=MESSAGE.format(f"curl {scheme} {mechanism}"))
                self.arrived(f"curl {scheme} {mechanism}")

    def test_smtplib(self):
        for first, port in ((False, self.port), (True, self.port_first)):
            kind = smtplib.SMTP_SSL if first else smtplib.SMTP
            with kind("127.0.0.1", port, timeout=LIMIT, **({"context": loose()} if first else {})) as client:
                if not first:
                    client.starttls(context=loose())
                client.login("anna", PASSWORD)
                client.sendmail("anna@mail.test", ["anna@mail.test"], MESSAGE.format(f"smtplib {first}"))
            self.arrived(f"smtplib {first}")

    def test_s_nail(self):
        for scheme, port in (("smtp", self.port), ("smtps", self.port_first)):
            self.run_client("s-nail", "-:/", "-S", "v15-compat", "-S", f"mta={scheme}://anna:{PASSWORD}@127.0.0.1:{port}", "-S", "smtp-use-starttls",
                            "-S", "smtp-auth=plain", "-S", "tls-verify=ignore", "-S", "DEAD=/dev/null", "-S", "sendwait", "-r", "anna@mail.test",
                            "-s", "hello", "anna@mail.test", input=f"s-nail {scheme}\n")
            self.arrived(f"s-nail {scheme}")

    def test_mutt(self):
        settings = self.i.directory / "muttrc"
        text = (self.i.home / "control/servercert.pem").read_text()
        end = "-----END CERTIFICATE-----\n"
        self.certificate.write_text(text[text.index("-----BEGIN CERTIFICATE"):text.index(end)] + end)
        for scheme, port in (("smtp", self.port), ("smtps", self.port_first)):
            settings.write_text(f'set smtp_url="{scheme}://anna@127.0.0.1:{port}/"\nset smtp_pass="{PASSWORD}"\nset ssl_starttls=yes\n'
                                f'set ssl_force_tls=yes\nset certificate_file="{self.certificate}"\nset ssl_verify_host=no\nset from="anna@mail.test"\n'
                                "set use_envelope_from=yes\nset copy=no\nset sendmail=/bin/false\n")
            # Debian 12's mutt takes -PLUS wherever it is offered under TLS 1.3, and cannot bind there.
            with settings.open("a") as file:
                file.write('set smtp_authenticators="scram-sha-256:plain"\n' if scheme == "smtp" else "")
            self.i.control("authmechanisms", None if scheme == "smtp" else "login cram-md5 plain scram-sha-256")
            self.run_client("mutt", "-F", settings, "-s", "hello", "--", "anna@mail.test", input=f"mutt {scheme}\n")
            self.arrived(f"mutt {scheme}")
        # Who encrypts to nobody that he knows sends nothing.
        self.certificate.write_text("")
        self.run_client("mutt", "-F", settings, "-s", "hello", "--", "anna@mail.test", input="mutt in vain\n", code=1)
        self.assertEqual(len(self.anna.messages()), self.sent)

    def test_nodemailer(self):
        require = nodemailer.installed_in(self.i.directory / "node")
        script = require / "send.js"
        script.write_text("""
const [port, first, method, password] = process.argv.slice(2);
const transport = require("nodemailer").createTransport({host: "127.0.0.1", port: Number(port), secure: first === "1", requireTLS: true,
  authMethod: method, auth: {user: "anna", pass: password}, tls: {rejectUnauthorized: false}});
transport.sendMail({from: "anna@mail.test", to: "anna@mail.test", subject: "hello", text: `nodemailer ${first} ${method}`})
  .then(() => process.exit(0), error => { console.log(error.response || String(error)); process.exit(1); });
""")
        for first, port in (("0", self.port), ("1", self.port_first)):
            for method in ("PLAIN", "LOGIN", "CRAM-MD5"):
                self.run_client("node", script, port, first, method, PASSWORD)
                self.arrived(f"nodemailer {first} {method}")
            self.assertIn("535 authentication failed (#5.7.1)", self.run_client("node", script, port, first, "PLAIN", "wrong", code=1))

    def test_git_send_email(self):
        patch = self.i.directory / "0001.patch"
        for encryption, port in (("tls", self.port), ("ssl", self.port_first)):
            patch.write_text("From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\nFrom: Anna <anna@mail.test>\n"
                             f"Date: Sun, 22 Nov 2026 12:00:00 +0000\nSubject: [PATCH] a change\n\ngit send-email {encryption}\n---\n")
            self.run_client("git", "-c", "user.name=Anna", "-c", "user.email=anna@mail.test", "-c", "sendemail.smtpSSLCertPath=",
                            "send-email", "--smtp-server=127.0.0.1",
                            f"--smtp-server-port={port}", "--smtp-user=anna", f"--smtp-pass={PASSWORD}", f"--smtp-encryption={encryption}",
                            "--confirm=never", "--quiet", "--suppress-cc=all", "--to=anna@mail.test", patch)
            self.arrived(f"git send-email {encryption}")


class Pop3(Base):
    def test_passwords_come_in_tls_from_elsewhere(self):
        self.i.start(smtpd=None)
        self.i.wait_for((self.i.home / "sockets/keys").is_socket, LIMIT, "the socket of qmail-keyd")
        pop3.make_message(self.anna, "1.x", "Subject: one\n\nhello\n")
        port = pop3.start_server(self.i, elsewhere=ELSEWHERE)
        first = pop3.start_server(self.i, name="pop3s", popup=("--tls",), elsewhere=ELSEWHERE)
        with pop3.Client(port) as client:
            self.assertIn("-ERR", client.command("USER anna"))
        for tls_first in (False, True):
            with self.subTest(tls_first=tls_first):
                if tls_first:
                    client = pop3.Client.__new__(pop3.Client)
                    client.socket = loose().wrap_socket(socket.create_connection(("127.0.0.1", first), LIMIT))
                    client.file = client.socket.makefile("rb")
                    client.greeting = client.line()
                else:
                    client = pop3.Client(port)
                    self.assertIn("+OK", client.command("STLS"))
                    client.file.close()
                    client.socket = loose().wrap_socket(client.socket)
                    client.file = client.socket.makefile("rb")
                self.assertIn("+OK", client.login("anna%mail.test", PASSWORD))
                self.assertIn("+OK", client.command("RETR 1"))
                self.assertIn("Subject: one", client.lines())
                self.assertIn("+OK", client.command("QUIT"))
                client.file.close()
                client.socket.close()
        self.no_secrets()


class Smarthost(Base):
    """One instance sends everything through another's submission server."""

    def setUp(self):
        super().setUp()
        self.i.start(smtpd=None)
        self.port = self.serve("server")
        self.port_first = self.serve("server2", first=True)
        self.from_us = self.instance(me="client.test")
        text = (self.i.home / "control/servercert.pem").read_text()
        end = "-----END CERTIFICATE-----\n"
        self.from_us.control("ca.pem", text[text.index("-----BEGIN CERTIFICATE"):text.index(end)] + end)

    def send(self, port, destinations, password=PASSWORD):
        """Puts one message into the client's queue; it is delivered or deferred once."""
        path = self.from_us.home / "control/smtproutes"
        self.from_us.control("smtproutes", f":127.0.0.1:{port}|anna%mail.test|{password}")
        path.chmod(0o400)
        if relais.IS_ROOT:
            os.chown(path, *self.from_us.ids("qmailr"))
        self.from_us.control("tlsdestinations", destinations)
        if "send" not in self.from_us.running:
            self.from_us.start(smtpd=None)
        self.assertEqual(self.from_us.submit("anna@mail.test", ["anna@mail.test"], "Subject: through another\n\nx\n"), 0)

    def test_starttls_and_tls_first(self):
        for count, (port, word) in enumerate(((self.port, ""), (self.port_first, " implicit")), 1):
            with self.subTest(word):
                self.send(port, f"127.0.0.1:verify{word} ca=ca.pem name=mail.test")
                message = self.anna.wait_messages(count, LIMIT)[-1]
                self.assertRegex(message, rb"with ESMTPSA \(TLSv1\.3 ")
                self.from_us.wait_log("TLSv1.3", "send", LIMIT, count)
        self.i.wait_log("login anna@mail.test tls TLSv1.3/", "server", LIMIT)
        self.i.wait_log("login anna@mail.test tls TLSv1.3/", "server2", LIMIT)
        self.from_us.wait_empty(LIMIT)
        for log in self.from_us.logs.iterdir():
            self.assertNotIn(PASSWORD.encode(), log.read_bytes())

    def deferred(self, text, *arguments):
        self.send(*arguments)
        line = self.from_us.wait_log("deferral:", "send", LIMIT)[-1]
        self.assertIn(text, line.replace("_", " "))
        self.assertEqual(len(self.from_us.queue_files()), 1)
        self.assertEqual(self.anna.messages(), [])

    def test_a_wrong_password_defers(self):
        self.deferred("535 authentication failed (#5.7.1)", self.port, "127.0.0.1:verify ca=ca.pem name=mail.test", "wrong")

    def test_another_name_defers(self):
        self.deferred("the connection could not be secured", self.port, "127.0.0.1:verify ca=ca.pem name=other.test")

    def test_an_unknown_authority_defers(self):
        self.deferred("its certificate is self-signed (CN=mail.test)", self.port, "")

    def test_clear_text_defers(self):
        # A route that asks for no TLS, to a server that takes no login without.
        self.deferred("offers no AUTH", self.port, "127.0.0.1:none cleartext")


if __name__ == "__main__":
    relais.main()
