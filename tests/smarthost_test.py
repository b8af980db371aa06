"""All mail through somebody else's server that wants TLS and a login: a real Postfix, a real Exim. Whatever is wrong, the message
waits in the queue, says why, has not left, and leaves when it is mended. The password is in no log, text or title."""

import os
import pathlib
import shutil
import signal
import tempfile
import unittest

from harness import peers
from harness import relais
from harness.tls_peers import Authority

USER, PASSWORD = "anna@smart.test", "c0rrect-horse-battery"


@unittest.skipUnless(relais.IS_ROOT, "whole servers need root")
class Smarthost(relais.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="rlsmart.", dir="/tmp"))
        cls.directory.chmod(0o755)
        cls.authority = Authority(cls.directory / "ca")
        cls.good = cls.authority.certificate("127.0.0.1", "smart.test")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.directory)

    def sending(self, port, password=PASSWORD, policy="verify ca=test-ca.pem"):
        i = self.instance()
        i.control("test-ca.pem", self.authority.root.cert.read_bytes())
        i.control("tlsdestinations", f"127.0.0.1:{policy}")
        self.route(i, port, password)
        i.rules(':allow,RELAYCLIENT=""\n')
        return i.start()

    def route(self, i, port, password=PASSWORD):
        path = i.home / "control/smtproutes"
        i.control("smtproutes", f":127.0.0.1:{port}|{USER}|{password}")
        os.chown(path, *i.ids("qmailr"))
        path.chmod(0o400)

    def send(self, i, count=1):
        for number in range(count):
            i.send("me@here.test", ["you@there.test"], f"Subject: {number}\n\nhello\n")

    def log(self, i):
        return "\n".join(i.log())

    def wait_log(self, i, part, count=1):
        i.wait_for(lambda: self.log(i).count(part) >= count, 60, f"{part!r} in the log")

    def assert_no_password(self, i, server=None, password=PASSWORD):
        for path in i.logs.iterdir():
            self.assertNotIn(password, path.read_text(errors="replace"))
        self.assertNotIn(password, i.run("queue-list").out + i.run("qmail-showctl").out)

    def assert_waits(self, i, server, *parts):
        """The message is deferred with these words, has not left, and waits."""
        for part in parts:
            self.wait_log(i, part.replace(" ", "_"))
        self.assertNotIn("success", self.log(i))
        self.assertNotIn("failure", self.log(i))
        self.assertIn("messages in queue: 1\n", i.run("qmail-qstat").out)
        self.assertEqual(server.messages(), [])
        self.assert_no_password(i)

    def test_postfix(self):
        with peers.AuthPostfix(self.good, {USER: PASSWORD}) as postfix:
            i = self.sending(postfix.port)
            i.control("concurrencyremote", "1")
            self.send(i, 5)
            for message in postfix.wait_messages(5, 60):
                self.assertIn(b"hello\n", message)
            self.wait_log(i, "success", 5)
            self.assertIn("Encrypted:_TLSv1.3,_TLS_AES_256_GCM_SHA384,_certificate_verified,_authenticated:_SCRAM-SHA-256", self.log(i))
            postfix.wait_log("sasl_username=anna@smart.test")
            self.assert_no_password(i)

    def test_postfix_and_a_wrong_password(self):
        with peers.AuthPostfix(self.good, {USER: PASSWORD}) as postfix:
            i = self.sending(postfix.port, "wr0ng-horse")
            self.send(i)
            self.assert_waits(i, postfix, "it refused our login, and this route sends nothing without a login.")
            self.assert_no_password(i, password="wr0ng-horse")
            postfix.wait_log("authentication failed", 2)
            for mechanism, count in (("SCRAM-SHA-256", 1), ("PLAIN", 1), ("LOGIN", 0), ("CRAM-MD5", 0)):
                self.assertEqual(postfix.log().count(f"SASL {mechanism} authentication failed"), count)
            # Nor does all the rest of the queue try it.
            for number in range(20):
                i.send("me@here.test", [f"you@d{number}.test"], "\nhello\n")
            self.flush_until(i, lambda: self.log(i).count("is_not_asked_again") >= 5)
            self.assertEqual(postfix.log().count("authentication failed"), 2)
            # Mended: nothing was lost.
            self.route(i, postfix.port)
            self.flush_until(i, lambda: len(postfix.messages()) == 21)

    def flush_until(self, i, condition):
        def tried():
            i.kill("qmail-send", signal.SIGALRM)
            return condition()
        self.assertTrue(relais.wait_until(tried, 90, 1), self.log(i))

    def test_postfix_without_auth_or_tls(self):
        with peers.AuthPostfix(self.good) as postfix:
            i = self.sending(postfix.port)
            self.send(i)
            self.assert_waits(i, postfix, "it offers no AUTH, and this route sends nothing without a login.")
        with peers.AuthPostfix(None, {USER: PASSWORD}) as postfix:
            i = self.sending(postfix.port)
            self.send(i)
            self.assert_waits(i, postfix, "TLS is required and it does not offer STARTTLS.")

    def test_postfix_with_broken_certificates(self):
        for certificate, part in ((self.authority.certificate("127.0.0.1", days=-2), "its certificate expired on"),
                                  (self.authority.certificate("other.test"), "its certificate is for other.test, not for 127.0.0.1."),
                                  (self.authority.self_signed("127.0.0.1"), "its certificate is self-signed"),
                                  (Authority(self.directory / "else").certificate("127.0.0.1"), "an authority that is not trusted here")):
            with peers.AuthPostfix(certificate, {USER: PASSWORD}) as postfix:
                i = self.sending(postfix.port)
                self.send(i)
                self.assert_waits(i, postfix, part)
                self.assertNotIn("sasl", postfix.log())
                i.stop()

    def test_exim(self):
        with peers.Exim(self.good, (USER, PASSWORD)) as exim:
            i = self.sending(exim.port)
            self.send(i, 3)
            exim.wait_messages(3)
            self.wait_log(i, "success", 3)
            self.assertRegex(self.log(i), r"Encrypted:_TLSv1\.3,_TLS_AES_256_GCM_SHA384,_certificate_verified,_authenticated:_PLAIN")
            exim.wait_log("A=plain:anna@smart.test")
            self.assert_no_password(i)
            self.route(i, exim.port, "wr0ng-horse")
            self.send(i)
            self.wait_log(i, "it_refused_our_login")
            self.assertEqual(len(exim.messages()), 3)
            self.assert_no_password(i, password="wr0ng-horse")
            self.route(i, exim.port)
            self.flush_until(i, lambda: len(exim.messages()) == 4)

    def test_exim_without_auth_or_with_a_broken_certificate(self):
        for certificate, login, part in ((self.good, None, "it offers no AUTH"), (None, (USER, PASSWORD), "TLS is required"),
                                         (self.authority.certificate("127.0.0.1", days=-2), (USER, PASSWORD), "its certificate expired")):
            with peers.Exim(certificate, login) as exim:
                i = self.sending(exim.port)
                self.send(i)
                self.assert_waits(i, exim, part)
                i.stop()


if __name__ == "__main__":
    relais.main()
