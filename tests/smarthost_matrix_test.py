"""A route with a password against a real Postfix and a real Exim, in every way that one of them, or somebody on the way, can be
unfit for it. None of these servers needs a login: they would take the mail without. So each row says what holds it, and then
what makes the same server take it; a row that holds nothing fails, and one that holds for another reason too.

    what is wrong | what the deferral says | what is changed so that it goes"""

import contextlib
import pathlib
import select
import shutil
import socket
import ssl
import tempfile
import threading
import time

from harness import peers
from harness import relais
from harness.logins import loose
from remote_test import RemoteCase
from harness.tls_peers import Authority

USER, PASSWORD = "anna@smart.test", "c0rrect-horse-battery"
VERIFY, ENCRYPT, CLEAR, CLEARTEXT = "verify ca=test-ca.pem", "encrypt", "none", "none cleartext"
NO_LOGIN = ", and this route sends nothing without a login. (#4.7.8)"
UNSECURED = "Connected to 127.0.0.1 but the connection could not be secured: "


class Between:
    """Somebody on the way to a port. change(self, data) sees what the server says before TLS, and returns what he says in its place;
    CUT as that ends the connection. bad: ends the handshake himself, with this certificate."""

    CUT = object()

    def __init__(self, port, change=None, in_handshake=None, bad=None):
        self.upstream, self.change, self.in_handshake, self.bad = port, change or (lambda data: data), in_handshake, bad
        self.seen = b""  # what the client said, as far as he can read it
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.open = [self.listening]
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listening.accept()
                thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
                self.threads.append(thread)
                thread.start()

    def _serve(self, client):
        server = socket.create_connection(("127.0.0.1", self.upstream))
        self.open += [client, server]
        state = {"tls": False}
        with contextlib.suppress(OSError, ssl.SSLError):
            if self.bad is not None:
                client, server = self._intercept(client, server)
                return self._pass_on(client, server)
            back = threading.Thread(target=self._back, args=(client, server, state), daemon=True)
            back.start()
            while data := client.recv(65536):
                if state["tls"] is False and data.startswith(b"\x16\x03"):
                    state["tls"] = True
                if not state["tls"]:
                    self.seen += data
                server.sendall(data)
        self._end(client, server)

    def _intercept(self, client, server):
        """Speaks TLS with both. The server's first words, and its offer of STARTTLS, are passed on."""
        client.sendall(server.recv(4096))
        server.sendall(client.recv(4096))
        client.sendall(server.recv(4096))
        server.sendall(client.recv(4096))
        client.sendall(server.recv(4096))
        mine = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        mine.load_cert_chain(self.bad.cert, self.bad.key)
        client = mine.wrap_socket(client, server_side=True)
        server = loose().wrap_socket(server)
        self.open += [client, server]
        return client, server

    def _pass_on(self, client, server):
        """Between two ends of TLS, in one thread: two must not use one connection of OpenSSL at once."""
        other = {client: server, server: client}
        try:
            while True:
                ready = [each for each in other if each.pending()] or select.select(list(other), [], [])[0]
                for each in ready:
                    each.setblocking(False)  # what has come may be TLS's own: a session ticket
                    try:
                        data = each.recv(65536)
                    except ssl.SSLWantReadError:
                        continue
                    finally:
                        each.setblocking(True)
                    if not data:
                        return
                    if each is client:
                        self.seen += data
                    other[each].sendall(data)
        finally:
            self._end(client, server)

    def _back(self, client, server, state):
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if state["tls"] and self.in_handshake is not None:
                    data = self.in_handshake(data)
                elif not state["tls"]:
                    data = self.change(data)
                if data is self.CUT:
                    break
                client.sendall(data)
        self._end(client, server)

    @staticmethod
    def _end(*sockets):
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def stop(self):
        for each in self.open:
            self._end(each)
            each.close()
        for thread in self.threads:
            thread.join(10)


def without_starttls(data):
    return data.replace(b"250-STARTTLS\r\n", b"").replace(b"STARTTLS", b"XXXXXXXX")


class Matrix(RemoteCase):
    """Filled by one kind of server; self.ports has its ways to listen."""

    @classmethod
    def prepare(cls):
        if not relais.IS_ROOT:
            raise relais.unittest.SkipTest("whole servers need root")
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="rlmatrix.", dir="/tmp"))
        cls.directory.chmod(0o755)
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.authority = Authority(cls.directory / "ca")
        below = cls.authority.intermediate("Authority Below")
        complete = below.certificate("127.0.0.1")
        incomplete = below.certificate("127.0.0.1")
        complete.cert.write_bytes(complete.cert.read_bytes() + below.root.cert.read_bytes())
        cls.certificates = {
            "good": cls.authority.certificate("127.0.0.1"),
            "complete": complete,
            "incomplete": incomplete,
            "expired": cls.authority.certificate("127.0.0.1", days=-2),
            "early": cls.authority.certificate("127.0.0.1", begin=3),
            "other": cls.authority.certificate("mx.other.test"),
            "self": cls.authority.self_signed("127.0.0.1"),
            "foreign": Authority(cls.directory / "foreign", "Foreign Authority").certificate("127.0.0.1"),
        }
        for path in cls.directory.rglob("*.key"):
            path.chmod(0o644)
        cls.kinds = (*cls.certificates, "no TLS", "no AUTH", "AUTH in the clear", "TLS 1.0", "TLS 1.0, AUTH in the clear")
        cls.taken = []  # reports of what the servers have
        cls.ports = {kind: relais.free_port() for kind in cls.kinds}

    def between(self, kind, **what):
        somebody = Between(self.ports[kind], **what)
        self.addCleanup(somebody.stop)
        return somebody

    def go(self, port, policy, login=(USER, PASSWORD)):
        if not hasattr(self, "one"):
            self.one = self.instance(control={"timeoutremote": "60", "test-ca.pem": self.authority.root.cert.read_bytes()})
        i = self.one
        i.control("smtproutes", f":127.0.0.1:{port}" + ("|%s|%s" % login if login else ""))
        path = i.home / "control/smtproutes"
        relais.os.chown(path, *i.ids("qmailr"))
        path.chmod(0o400)
        i.control("tlsdestinations", f"127.0.0.1:{policy}" if policy else None)
        return self.remote(i)

    def holds(self, port, part, policy=VERIFY, login=(USER, PASSWORD)):
        """Deferred, for this reason; nothing has arrived; the password is in no text."""
        report = self.go(port, policy, login)
        self.assertEqual((report.letter, report.recipients), ("Z", []), report)
        self.assertIn(part, report.text)
        for word in filter(None, (PASSWORD, login and login[1])):
            self.assertNotIn(word, report.text + report.err + self.server.log())
        self.assertEqual(len(self.server.messages()), len(self.taken))

    def goes(self, port, policy=VERIFY, login=(USER, PASSWORD), words=""):
        return self.arrives(self.go(port, policy, login), words)

    def arrives(self, report, words=""):
        """The one message that arrives now: none of those that were held has, meanwhile."""
        self.assertEqual(report.letter, "K", f"{report}\n{self.server.log()[-3000:]}")
        self.assertIn(words, report.text)
        self.taken.append(report)
        messages = self.server.wait_messages(len(self.taken))
        self.assertEqual(len(messages), len(self.taken))
        return messages


class Cases:
    """The rows."""

    def test_all_is_right(self):
        self.goes(self.ports["good"], words=", certificate verified, authenticated: ")
        self.goes(self.ports["complete"], words=", certificate verified, authenticated: ")

    def test_wrong_password(self):
        self.holds(self.ports["good"], "it refused our login" + NO_LOGIN, login=(USER, "wr0ng-horse"))
        self.holds(self.ports["good"], "it refused our login" + NO_LOGIN, login=("nobody@smart.test", PASSWORD))
        self.goes(self.ports["good"], login=None)

    def test_no_auth_is_offered(self):
        self.holds(self.ports["no AUTH"], "it offers no AUTH" + NO_LOGIN)
        self.goes(self.ports["no AUTH"], login=None, words="certificate verified\n")

    def test_no_tls_is_offered(self):
        for policy in (VERIFY, ENCRYPT, None, "fingerprint sha256=" + self.certificates["good"].digest()):
            self.holds(self.ports["no TLS"], "TLS is required and it does not offer STARTTLS. (#4.7.10)", policy)
        self.goes(self.ports["AUTH in the clear"], CLEARTEXT, words="Authenticated: ")

    def test_auth_is_offered_only_under_tls(self):
        self.holds(self.ports["good"], "it offers no AUTH" + NO_LOGIN, CLEAR)
        self.goes(self.ports["good"], ENCRYPT, words="authenticated: ")

    def test_the_password_itself_is_not_shown_in_the_clear(self):
        offer = self.between("AUTH in the clear", change=lambda data: data.replace(b"SCRAM-SHA-256", b"X").replace(b"CRAM-MD5", b"Y"))
        self.holds(offer.port, "of what it offers for AUTH nothing may be used here:", CLEAR)
        self.assertNotIn(b"AUTH", offer.seen)
        self.goes(offer.port, CLEARTEXT, words="Authenticated: ")

    def test_broken_certificates(self):
        for kind, part in (("expired", "its certificate expired on 20"), ("early", "its certificate is not valid before 20"),
                           ("other", "its certificate is for mx.other.test, not for 127.0.0.1. (#4.7.5)"),
                           ("self", "its certificate is self-signed (CN=127.0.0.1). (#4.7.5)"),
                           ("incomplete", "its certificate is signed by an authority that is not trusted here (CN=Authority Below). (#4.7.5)"),
                           ("foreign", "its certificate is signed by an authority that is not trusted here (CN=Foreign Authority). (#4.7.5)")):
            with self.subTest(kind):
                self.holds(self.ports[kind], UNSECURED + part)
                self.goes(self.ports[kind], ENCRYPT, words="authenticated: ")

    def test_what_nobody_names_is_verified_too(self):
        """A route with a password needs no line in tlsdestinations for that; and one for everything is no exception."""
        self.holds(self.ports["good"], UNSECURED + "its certificate is signed by an authority that is not trusted here", None)
        self.go(self.ports["good"], None)
        self.one.control("tlsdestinations", ":may")
        report = self.remote(self.one)
        self.assertEqual(report.letter, "Z")
        self.assertIn(UNSECURED, report.text)
        self.goes(self.ports["good"])

    def test_only_tls_10(self):
        for policy in (VERIFY, ENCRYPT):
            self.holds(self.ports["TLS 1.0"], UNSECURED, policy)
        self.goes(self.ports["TLS 1.0"], "may", login=None, words="accepted message")
        # Even where the line lets it go without TLS, it does not go without a login.
        self.holds(self.ports["TLS 1.0"], "it offers no AUTH" + NO_LOGIN, "may")
        self.goes(self.ports["TLS 1.0, AUTH in the clear"], "may cleartext", words="Authenticated: ")

    def test_starttls_is_taken_from_the_offer(self):
        thief = self.between("good", change=without_starttls)
        for policy in (VERIFY, ENCRYPT):
            self.holds(thief.port, "TLS is required and it does not offer STARTTLS. (#4.7.10)", policy)
            self.holds(thief.port, "TLS is required and it does not offer STARTTLS. (#4.7.10)", policy, login=None)
        self.assertNotIn(b"AUTH", thief.seen)
        self.assertNotIn(b"MAIL", thief.seen)
        self.goes(thief.port, "may", login=None)
        self.holds(thief.port, "it offers no AUTH" + NO_LOGIN, "may")

    def test_starttls_is_refused_on_the_way(self):
        thief = self.between("good", change=lambda data: data if not data.startswith(b"220 ") or b"ESMTP" in data else b"454 TLS not available\r\n")
        self.holds(thief.port, "TLS is required and STARTTLS was refused. (#4.7.10)\nRemote host said: 454", VERIFY)

    def test_words_are_put_behind_the_answer_to_starttls(self):
        def insert(data):
            if data.startswith(b"220 ") and b"ESMTP" not in data:
                return data + b"250-mx.test\r\n250 AUTH PLAIN\r\n"
            return data
        thief = self.between("good", change=insert)
        for policy in (VERIFY, ENCRYPT):
            self.holds(thief.port, "it spoke on after its answer to STARTTLS, in the clear. (#4.7.5)", policy)

    def test_somebody_ends_tls_himself(self):
        spy = self.between("good", bad=self.certificates["foreign"])
        self.holds(spy.port, UNSECURED + "its certificate is signed by an authority that is not trusted here (CN=Foreign Authority)")
        self.assertEqual(spy.seen, b"")
        # A line that says so lets him read everything but, where the server has SCRAM, the password.
        spy = self.between("good", bad=self.certificates["foreign"])
        self.goes(spy.port, ENCRYPT, words="authenticated: ")
        self.assertIn(b"AUTH", spy.seen)

    def test_the_handshake_is_cut(self):
        for how in (lambda data: Between.CUT, lambda data: data[:40] + b"\0" * len(data[40:]), lambda data: b"HTTP/1.1 400 no\r\n\r\n"):
            thief = self.between("good", in_handshake=how)
            for policy in (VERIFY, ENCRYPT):
                self.holds(thief.port, UNSECURED, policy)
            self.holds(thief.port, "it offers no AUTH" + NO_LOGIN, "may")
            self.goes(thief.port, "may", login=None)

    def test_the_handshake_hangs(self):
        thief = self.between("good", in_handshake=lambda data: b"")
        self.goes(self.ports["good"])
        self.one.control("timeoutremote", "10")
        begin = time.monotonic()
        self.holds(thief.port, UNSECURED + "TLS handshake timed out. (#4.7.5)")
        self.assertLess(time.monotonic() - begin, 60)

    def test_no_message_ends_itself(self):
        """What another server's sloppy reading would take for the end of a message is none, at real servers."""
        self.goes(self.ports["good"])
        for number, middle in enumerate(("\r\n.\r\n", "\n.\n", "\r.\r", "\n.\r", "\r.\n", "\r\n.\n", "\n.\r\n", "\r\n.\r")):
            message = f"Subject: odd end {number}\n\nbefore{middle}MAIL FROM:<evil@x.test>\r\nRCPT TO:<you@there.test>\r\nDATA\r\n\r\nevil\r\n.\r\nQUIT\r\n"
            messages = self.arrives(self.remote(self.one, message=message.encode()))
            (last,) = [each for each in messages if b"Subject: odd end %d\n" % number in each]
            self.assertIn(b"RCPT TO:<you@there.test>", last)
            self.assertIn(b"evil", last.partition(b"RCPT TO:")[2])


class WithPostfix(Cases, Matrix):
    @classmethod
    def setUpClass(cls):
        cls.prepare()
        tls = lambda kind, *more: (cls.ports[kind], [
            ("smtpd_tls_security_level", "may"), ("smtpd_tls_cert_file", cls.certificates.get(kind, cls.certificates["good"]).cert),
            ("smtpd_tls_key_file", cls.certificates.get(kind, cls.certificates["good"]).key), ("smtpd_tls_auth_only", "yes"), *more])
        old = (("smtpd_tls_protocols", "TLSv1"), ("smtpd_tls_mandatory_protocols", "TLSv1"), ("tls_medium_cipherlist", "ALL:@SECLEVEL=0"))
        listeners = [tls(kind) for kind in cls.certificates] + [
            tls("no AUTH", ("smtpd_sasl_auth_enable", "no")), tls("TLS 1.0", *old), tls("TLS 1.0, AUTH in the clear", *old, ("smtpd_tls_auth_only", "no")),
            (cls.ports["no TLS"], []), (cls.ports["AUTH in the clear"], [])]
        everybody = ["smtpd_recipient_restrictions = permit_mynetworks, reject", "smtpd_relay_restrictions = permit_mynetworks, reject"]
        cls.server = peers.AuthPostfix(None, {USER: PASSWORD}, settings=everybody, listeners=listeners)
        cls.server.__enter__()
        cls.addClassCleanup(cls.server.__exit__)

    def test_no_setting_is_there_twice(self):
        """postlogd warns of each, to itself, and can wait for itself for ever with it."""
        self.goes(self.ports["good"])
        self.assertNotIn("overriding earlier entry", self.server.log())


class WithExim(Cases, Matrix):
    @classmethod
    def setUpClass(cls):
        cls.prepare()
        listeners = [(cls.ports[kind], {"tls_certificate": certificate.cert, "tls_privatekey": certificate.key}) for kind, certificate in cls.certificates.items()]
        old = {"tls_require_ciphers": "NORMAL:-VERS-ALL:+VERS-TLS1.0"}
        listeners += [(cls.ports["no AUTH"], {"auth_advertise_hosts": ""}), (cls.ports["no TLS"], {"tls_advertise_hosts": ""}),
                      (cls.ports["AUTH in the clear"], {"tls_advertise_hosts": "", "auth_advertise_hosts": "*"}), (cls.ports["TLS 1.0"], old),
                      (cls.ports["TLS 1.0, AUTH in the clear"], {**old, "auth_advertise_hosts": "*"})]
        cls.server = peers.Exim(cls.certificates["good"], (USER, PASSWORD), listeners=listeners)
        cls.server.__enter__()
        cls.addClassCleanup(cls.server.__exit__)


if __name__ == "__main__":
    relais.main()
