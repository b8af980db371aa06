"""control/lmtproutes: mail of a domain goes to a server of LMTP, Dovecot's and ones that misbehave; what becomes of each
recipient is his own report."""

import os
import socket
import threading
import unittest

from harness import peers, relais

MESSAGE = "Subject: stored\n\n.dot\nend\n"


class Store:
    """A server of LMTP at a unix socket. last: what it says of each accepted recipient behind the dot; None hangs up,
    "hang" says nothing."""

    def __init__(self, path, last=("250 2.0.0 stored",), rcpt=(), greeting="220 store LMTP", pipelining=True):
        self.last, self.rcpt, self.greeting, self.pipelining = last, list(rcpt), greeting, pipelining
        self.commands, self.messages, self.connections = [], [], 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        os.chmod(path, 0o666)
        self.listener.listen(8)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(30)

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            with client, client.makefile("rwb", buffering=0) as stream:
                try:
                    self._session(stream)
                except OSError:
                    pass

    def _session(self, stream):
        say = lambda line: stream.write(line.encode() + b"\r\n")
        say(self.greeting)
        accepted = 0
        rcpt = list(self.rcpt)
        for line in iter(stream.readline, b""):
            line = line.decode().rstrip("\r\n")
            self.commands.append(line)
            verb = line[:4].upper()
            if verb == "LHLO":
                say("250-store\r\n250-PIPELINING\r\n250 8BITMIME" if self.pipelining else "250 store")
            elif verb == "RCPT":
                reply = rcpt.pop(0) if rcpt else "250 ok"
                accepted += reply[0] == "2"
                say(reply)
            elif verb == "DATA":
                if not accepted:
                    say("503 nobody")
                    continue
                say("354 go")
                self.messages.append("".join(l.decode() for l in iter(stream.readline, b".\r\n")))
                for number in range(accepted):
                    reply = self.last[min(number, len(self.last) - 1)]
                    if reply is None:
                        return
                    if reply == "hang":
                        stream.readline()
                        return
                    say(reply)
                accepted = 0
            elif verb == "QUIT":
                say("221 bye")
                return
            elif verb in ("MAIL", "RSET"):
                accepted = 0
                say("250 ok")
            else:
                say("500 what")


class LmtpTest(relais.TestCase):
    def setUp(self):
        self.i = self.instance()
        self.bob = self.i.add_user("bob")
        self.path = self.i.directory / "lmtp"
        self.i.control("lmtproutes", f"store.test:{self.path}")

    def store(self, *arguments, **options):
        store = Store(self.path, *arguments, **options)
        self.addCleanup(store.close)
        return store

    def remote(self, *recipients, sender="s@x.test", host="store.test"):
        """The reports of qmail-remote, one for each recipient and the one for the message."""
        done = self.i.run("qmail-remote", host, sender, *recipients, input=MESSAGE)
        self.assertEqual(done.code, 0)
        return done.out.split("\0")[:-1]


class Reports(LmtpTest):
    def test_each_recipient_has_its_own_reply(self):
        for pipelining in (True, False):
            with self.subTest(pipelining=pipelining):
                store = Store(self.path, ("250 2.0.0 one", "452 4.2.2 full", "550 5.1.1 gone", "250 2.0.0 four"), pipelining=pipelining)
                try:
                    reports = self.remote("a@store.test", "b@store.test", "c@store.test", "d@store.test")
                finally:
                    store.close()
                    self.path.unlink()
                self.assertEqual([r[0] for r in reports], ["r", "s", "h", "r", "K"])
                self.assertIn("452 4.2.2 full", reports[1])
                self.assertIn("550 5.1.1 gone", reports[2])
                self.assertIn("250 2.0.0", reports[4])
                self.assertEqual(store.messages, ["Subject: stored\r\n\r\n..dot\r\nend\r\n"])
                self.assertTrue(store.commands[0].startswith("LHLO "))
                self.assertNotIn("EHLO", " ".join(store.commands))

    def test_refused_recipients_have_no_reply_behind_the_dot(self):
        self.store(("452 4.2.2 full", "250 2.0.0 two"), rcpt=("250 ok", "550 5.1.1 none", "250 ok"))
        reports = self.remote("a@store.test", "b@store.test", "c@store.test")
        self.assertEqual([r[0] for r in reports], ["s", "h", "r", "K"])

    def test_all_refused_behind_the_dot(self):
        self.store(("550 5.7.1 no",))
        self.assertEqual([r[0] for r in self.remote("a@store.test", "b@store.test")], ["h", "h", "D"])

    def test_all_refused_before_data(self):
        self.store(rcpt=("550 5.1.1 none", "550 5.1.1 none"))
        self.assertEqual([r[0] for r in self.remote("a@store.test", "b@store.test")], ["h", "h", "D"])

    def test_who_has_it_when_the_server_dies_has_it(self):
        self.store(("250 2.0.0 one", None))
        reports = self.remote("a@store.test", "b@store.test", "c@store.test")
        self.assertEqual([r[0] for r in reports], ["r", "s", "s", "K"])
        self.assertIn("Possible duplicate!", reports[1])

    def test_a_server_that_dies_before_any_reply(self):
        self.store((None,))
        reports = self.remote("a@store.test", "b@store.test")
        self.assertEqual([r[0] for r in reports], ["s", "s", "Z"])

    def test_who_has_it_when_the_server_hangs_has_it(self):
        self.i.control("timeoutremote", "1")
        self.store(("250 2.0.0 one", "hang"))
        reports = self.remote("a@store.test", "b@store.test", "c@store.test")
        self.assertEqual([r[0] for r in reports], ["r", "s", "s", "K"])
        self.assertIn("did not answer in time. Possible duplicate!", reports[2])

    def test_an_answer_that_is_none(self):
        for last in (("hello",), ("354 more",), ("250 2.0.0 one", "nonsense")):
            with self.subTest(last):
                store = Store(self.path, last)
                try:
                    self.assertEqual(self.remote("a@store.test", "b@store.test")[1][0], "s")
                finally:
                    store.close()
                    self.path.unlink()

    def test_nobody_listens(self):
        self.assertIn("Z", self.remote("a@store.test")[-1][0])
        self.assertRegex(self.remote("a@store.test")[-1], r"^ZSorry, I wasn't able to establish an LMTP connection. \(#4.4.1\)\n.*No such file")

    @unittest.skipUnless(relais.IS_ROOT, "needs several users")
    def test_a_socket_that_is_closed_to_us_is_named(self):
        self.store()
        self.path.chmod(0o600)
        self.assertIn("the user qmailr must be allowed to write to it", self.remote("a@store.test")[-1])

    def test_a_line_that_cannot_be_used_makes_mail_wait(self):
        self.i.control("lmtproutes", "store.test:host")
        self.assertRegex(self.remote("a@store.test")[-1], r"^Z.*control/lmtproutes cannot be used|^ZUnable to read control files")
        self.assertIn("a host and a port must stand behind the domain", self.i.run("qmail-showctl").out)

    def test_a_server_of_smtp_is_none_of_lmtp(self):
        self.store(greeting="220 store ESMTP")
        self.assertEqual(self.remote("a@store.test")[-1][0], "K")  # it knows LHLO, whatever it calls itself

    def test_the_tools_tell_of_it(self):
        told = self.i.run("route-explain", "a@store.test").out
        self.assertIn(f"is stored by the server of LMTP at {self.path}", told)


class WholeInstance(LmtpTest):
    def test_a_domain_that_is_stored_elsewhere(self):
        """Neither in locals nor in DNS: rcpthosts lets it in, lmtproutes says where it goes."""
        self.i.control("rcpthosts", "mail.test\nstore.test")
        store = self.store(("250 2.0.0 one", "550 5.1.1 gone"))
        self.i.start()
        self.i.send("bob@mail.test", ["a@store.test", "b@store.test"], MESSAGE)
        bounce = self.bob.wait_messages(1)[0].decode()
        self.assertIn("<b@store.test>:", bounce)
        self.assertIn("550 5.1.1 gone", bounce)
        self.assertNotIn("<a@store.test>:", bounce)
        self.assertEqual(len(store.messages), 1)
        self.i.wait_empty()
        self.i.send("bob@mail.test", ["a@store.test"], MESSAGE)
        self.i.wait_for(lambda: len(store.messages) == 2, 20, "the second message")
        self.assertEqual(store.connections, 1)  # the connection was kept


class RealDovecot(LmtpTest):
    def test_dovecot_stores_it(self):
        self.i.control("rcpthosts", "mail.test\nstore.test\nport.test")
        with peers.DovecotLmtp() as dovecot:
            self.i.control("lmtproutes", f"store.test:{dovecot.socket}\nport.test:127.0.0.1:{dovecot.port}")
            self.i.start()
            self.i.send("bob@mail.test", ["u1@store.test", "u2@store.test", "none@store.test"], MESSAGE)
            bounce = self.bob.wait_messages(1)[0].decode()
            self.assertIn("<none@store.test>:", bounce)
            self.assertNotIn("<u1@store.test>:", bounce)
            self.i.wait_for(lambda: dovecot.messages("u1") and dovecot.messages("u2"), 30, dovecot.log())
            self.assertIn("Subject: stored\n\n.dot\nend\n", dovecot.messages("u1")[0])
            self.i.send("bob@mail.test", ["u1@port.test"], MESSAGE)
            self.i.wait_for(lambda: len(dovecot.messages("u1")) == 2, 30, dovecot.log())
            self.i.send("bob@mail.test", ["u2@store.test", "full@store.test"], MESSAGE)
            self.i.wait_for(lambda: len(dovecot.messages("u2")) == 2, 30, dovecot.log())
            self.i.wait_log("Quota_exceeded")


if __name__ == "__main__":
    relais.main()
