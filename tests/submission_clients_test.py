"""Mail programs submit to us: swaks with each mechanism, Python's smtplib, curl, msmtp, s-nail, git send-email, nodemailer.
On loopback, where passwords may come in clear."""

import os
import pathlib
import shutil
import smtplib
import subprocess

from harness import nodemailer
from harness import pop3
from harness import relais

PASSWORD = "correct-horse-7"
MESSAGE = "From: anna@mail.test\nTo: anna@mail.test\nSubject: hello\n\nby {}\n"


class Clients(relais.TestCase):
    def setUp(self):
        self.i = self.instance(control={"rcpthosts": "mail.test"})
        self.anna = self.i.add_user("anna")
        pop3.set_password(self.i, "anna", PASSWORD, "--store-secret")
        self.i.start(env={"SUBMISSION": "1"})
        self.sent = 0

    def run_client(self, *words, input="", env=None, code=0):
        """Runs it as it is installed, with a home of its own."""
        done = subprocess.run([str(word) for word in words], input=input, capture_output=True, text=True, timeout=400,
                              cwd=self.i.directory, env={"PATH": os.environ["PATH"], "HOME": str(self.i.directory), "LC_ALL": "C", **(env or {})})
        if code is not None:
            self.assertEqual(done.returncode == 0, code == 0, f"{words}\n{done.stdout}\n{done.stderr}")
        return done.stdout + done.stderr

    def need(self, name):
        if not shutil.which(name):
            self.skipTest(f"{name} is not installed (packages.txt, section test)")

    def arrived(self, text, count=1):
        self.sent += count
        self.i.wait_for(lambda: len([m for m in self.anna.messages() if relais.octets(text) in m]) == count, 60, f"{count} x {text}")
        self.assertEqual(len(self.anna.messages()), self.sent)
        self.i.wait_for(lambda: len([line for line in self.i.log("smtpd") if "login anna@mail.test tls" in line]) == self.sent, 20, "the log")
        for log in self.i.logs.iterdir():
            self.assertNotIn(PASSWORD.encode(), log.read_bytes())

    def test_swaks(self):
        self.need("swaks")
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
            words = ["swaks", "-s", f"127.0.0.1:{self.i.port}", "-f", "anna@mail.test", "-t", "anna@mail.test", "-a", mechanism,
                     "-au", "anna", "-ap", PASSWORD, "--body", f"swaks {mechanism}"]
            self.run_client(*words)
            self.arrived(f"swaks {mechanism}")
        words[words.index(PASSWORD)] = "wrong"
        said = self.run_client(*words, code=1)
        self.assertIn("535 authentication failed (#5.7.1)", said)
        self.assertIn("530 authentication required", self.run_client("swaks", "-s", f"127.0.0.1:{self.i.port}", "-f", "a@b.test", "-t", "c@d.test", code=1))

    def test_smtplib(self):
        for mechanism in ("CRAM-MD5", "PLAIN", "LOGIN"):
            with smtplib.SMTP("127.0.0.1", self.i.port, "client.test", 60) as client:
                client.ehlo()
                self.assertIn(mechanism, client.esmtp_features["auth"])
                client.esmtp_features["auth"] = mechanism
                client.login("anna", PASSWORD)
                client.sendmail("anna@mail.test", ["anna@mail.test"], MESSAGE.format(f"smtplib {mechanism}"))
            self.arrived(f"smtplib {mechanism}")
        with smtplib.SMTP("127.0.0.1", self.i.port, "client.test", 60) as client:
            self.assertRaises(smtplib.SMTPAuthenticationError, client.login, "anna", "wrong")

    def test_curl(self):
        self.need("curl")
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
            self.run_client("curl", "-sS", "--crlf", f"smtp://127.0.0.1:{self.i.port}", "--login-options", f"AUTH={mechanism}", "-u", f"anna:{PASSWORD}",
                            "--mail-from", "anna@mail.test", "--mail-rcpt", "anna@mail.test", "-T", "-", input=MESSAGE.format(f"curl {mechanism}"))
            self.arrived(f"curl {mechanism}")

    def test_msmtp(self):
        self.need("msmtp")
        settings = self.i.directory / "msmtprc"
        for mechanism in ("plain", "login", "cram-md5", "scram-sha-256"):
            settings.write_text(f"account default\nhost 127.0.0.1\nport {self.i.port}\nfrom anna@mail.test\nauth {mechanism}\nuser anna@mail.test\n"
                                f"password {PASSWORD}\ntls off\n")
            settings.chmod(0o600)
            self.run_client("msmtp", "-C", settings, "anna@mail.test", input=MESSAGE.format(f"msmtp {mechanism}"))
            self.arrived(f"msmtp {mechanism}")

    def test_s_nail(self):
        self.need("s-nail")
        for mechanism in ("plain", "login", "cram-md5"):
            self.run_client("s-nail", "-:/", "-S", "v15-compat", "-S", f"mta=smtp://anna:{PASSWORD}@127.0.0.1:{self.i.port}",
                            "-S", f"smtp-auth={mechanism}", "-S", "DEAD=/dev/null", "-S", "sendwait", "-r", "anna@mail.test",
                            "-s", "hello", "anna@mail.test", input=f"s-nail {mechanism}\n")
            self.arrived(f"s-nail {mechanism}")

    def test_git_send_email(self):
        if not pathlib.Path("/usr/lib/git-core/git-send-email").exists():
            self.skipTest("git-email is not installed (packages.txt, section test)")
        patch = self.i.directory / "0001.patch"
        patch.write_text("From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\nFrom: Anna <anna@mail.test>\n"
                         "Date: Sun, 22 Nov 2026 12:00:00 +0000\nSubject: [PATCH] a change\n\ngit send-email\n---\n")
        self.run_client("git", "-c", "user.name=Anna", "-c", "user.email=anna@mail.test", "send-email", "--smtp-server=127.0.0.1",
                        f"--smtp-server-port={self.i.port}", "--smtp-user=anna", f"--smtp-pass={PASSWORD}", "--smtp-encryption=none",
                        "--confirm=never", "--quiet", "--suppress-cc=all", "--to=anna@mail.test", patch)
        self.arrived("git send-email")

    def test_nodemailer(self):
        folder = nodemailer.installed_in(self.i.directory / "node")
        script = folder / "send.js"
        script.write_text("""
const [port, password, method] = process.argv.slice(2);
const transport = require("nodemailer").createTransport({host: "127.0.0.1", port: Number(port), secure: false, ignoreTLS: true,
  authMethod: method, auth: {user: "anna", pass: password}});
transport.sendMail({from: "anna@mail.test", to: "anna@mail.test", subject: "hello", text: "nodemailer " + method})
  .then(() => process.exit(0), error => { console.log(error.response || String(error)); process.exit(1); });
""")
        for method in ("PLAIN", "LOGIN", "CRAM-MD5"):
            self.run_client("node", script, self.i.port, PASSWORD, method)
            self.arrived(f"nodemailer {method}")
        self.assertIn("535 authentication failed (#5.7.1)", self.run_client("node", script, self.i.port, "wrong", "PLAIN", code=1))


if __name__ == "__main__":
    relais.main()
