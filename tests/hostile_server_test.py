"""Servers, or who sits between, that lie to qmail-remote: answers before there was a question, replies without an end, cuts in the
middle of a word. A message is accepted only by an answer to its last octet; all else is a deferral."""

import contextlib
import socket
import time

from harness import relais
from harness.fake_smtp import CLOSE
from remote_test import HELLO
from remote_tls_test import ALL, TlsCase

PIPELINED, STEPWISE = b"250-x\r\n250 PIPELINING\r\n", b"250 x\r\n"
# Beyond what sockets hold: it is still being written while the server speaks.
LARGE = HELLO + ("y" * 70 + "\n") * 300000


class Hostile(TlsCase):
    def again(self, server):
        """The same instance, for the next server."""
        if not hasattr(self, "one"):
            self.one = self.to(server, control={"timeoutremote": "20"})
        self.secret(self.one, "smtproutes", f":{server.address}:{server.port}")
        return self.one


def cut(session, text=b""):
    """Says text under TLS and is gone, without ending TLS."""
    if text:
        session.socket.sendall(text)
    raw = socket.socket(fileno=session.socket.detach())
    raw.close()
    return CLOSE


class Order(Hostile):
    """What has come before the question is no answer to it."""

    def assert_refused(self, report):
        self.assertEqual(report.letter, "Z", report)
        self.assertNotIn("accepted message", report.text)

    def test_accepted_before_the_message_was_sent(self):
        for ehlo in (PIPELINED, STEPWISE):
            for early in (b"354 go\r\n250 got it\r\n", b"354 go\r\n250-got\r\n250 it\r\n", b"354 go\r\n250"):
                for message in (HELLO, LARGE):
                    server = self.tls(EHLO=ehlo, DATA=early, starttls=False)
                    report = self.remote(self.again(server), message=message)
                    self.assert_refused(report)
                    self.assertEqual(server.messages, [])  # no final dot: the server must forget it
                    if early != b"354 go\r\n250":
                        self.assertIn("Connected to 127.0.0.1 but it answered before it had the whole message. (#4.5.0)\n"
                                      "Remote host said: 250", report.text)

    def test_the_same_under_tls(self):
        server = self.tls(DATA=b"354 go\r\n250 got it\r\n")
        self.assert_refused(self.remote(self.to(server)))
        self.assertEqual(server.messages, [])

    def test_accepted_in_the_middle_of_a_large_message(self):
        def data(session, line):
            session.socket.sendall(b"354 go\r\n")
            session.socket.recv(100000)
            session.socket.sendall(b"250 enough, got it\r\n")
            with contextlib.suppress(OSError):
                session.socket.settimeout(20)
                while session.socket.recv(65536):
                    pass
            return CLOSE

        server = self.tls(DATA=data)
        report = self.remote(self.to(server), message=LARGE)
        self.assert_refused(report)
        self.assertIn("before it had the whole message", report.text)

    def test_all_answers_before_all_questions(self):
        rest = b"250 sender ok\r\n250 recipient ok\r\n354 go\r\n250 got it\r\n"
        for stage, ehlo in (("greeting", b"250 x\r\n"), ("EHLO", PIPELINED), ("EHLO", STEPWISE)):
            first = b"220 x\r\n" + ehlo if stage == "greeting" else ehlo
            server = self.tls(starttls=False, **{stage: first + rest})
            report = self.remote(self.again(server))
            self.assert_refused(report)
            self.assertEqual(server.messages, [])

    def test_one_answer_too_many_moves_no_refusal(self):
        # Else the refusal of the second recipient would be that of a third message, or nobody's.
        server = self.tls(starttls=False, EHLO=STEPWISE, RCPT=lambda session, line: b"250 ok\r\n250 ok\r\n" if b"<a@" in line else b"550 no\r\n")
        report = self.remote(self.to(server), recipients=["a@x.test", "b@x.test"])
        self.assert_refused(report)

    def test_a_login_accepted_before_it_was_tried(self):
        server = self.tls(mechanisms=ALL)
        server.hello_in_tls = b"250-x\r\n250 AUTH PLAIN\r\n235 welcome\r\n"
        report = self.remote(self.to(server, "127.0.0.1:verify CA", credentials=True))
        self.assert_deferred(report, "connection died")
        self.assert_nothing_sent(server)

    def test_in_the_clear_behind_the_answer_to_starttls(self):
        for more in (b"250 x\r\n", b"220 x\r\n250-y\r\n250 AUTH PLAIN\r\n", b"\r\n", b"2"):
            def starttls(session, line):
                session.socket.sendall(b"220 go\r\n" + more)
                session.start_tls()
                return b""
            for level in ("encrypt", "verify CA"):
                server = self.tls(STARTTLS=starttls)
                self.assert_deferred(self.remote(self.to(server, f"127.0.0.1:{level}")), "(#4.7.5)")
                self.assert_nothing_sent(server)


class Garbage(Hostile):
    def test_no_replies(self):
        """At every stage, in the clear and under TLS; nothing of it may count as yes."""
        stages = ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "dot")
        for number, reply in enumerate((b"000 ok\r\n", b"999 ok\r\n", b"100 ok\r\n", b"600 ok\r\n", b"25 ok\r\n", b"2500 ok\r\n", b"250ok\r\n", b"\r\n", b"\n", b"\0\0\0 ok\r\n",
                      b"250\0ok\r\n", b" 250 ok\r\n", b"-250 ok\r\n", b"250-ok\r\n999 ok\r\n", b"x" * 70000 + b"\r\n", b"250 " + b"x" * 70000)):
            for stage in {stages[number % 6], stages[(number + 3) % 6], "dot"}:
                server = self.tls(starttls=stage in ("MAIL", "dot"), **{stage: lambda session, line: (
                    session.socket.sendall(reply), CLOSE)[1] if b"\n" not in reply or b"\0" not in reply else reply})
                i = self.again(server)
                report = self.remote(i)
                self.assertEqual(report.letter, "Z", (stage, reply, report))
                self.assertLess(len(report.text), 6000)
                server.stop()

    def test_codes_that_decide_nothing(self):
        for stage, reply in (("dot", b"354 more\r\n"), ("dot", b"334 what\r\n"), ("DATA", b"250 ok\r\n"), ("MAIL", b"354 go\r\n"), ("RCPT", b"354 go\r\n")):
            for ehlo in (PIPELINED, STEPWISE):
                server = self.tls(starttls=False, EHLO=ehlo, **{stage: reply})
                report = self.remote(self.to(server, control={"timeoutremote": "5"}))
                self.assertEqual(report.letter, "D" if stage == "RCPT" and report.text.startswith("Giving up") else "Z", (stage, reply, report))
                if stage == "RCPT":
                    self.assertIn(report.recipients, ([("s", "127.0.0.1 does not like recipient.\nRemote host said: 354 go\n")], []))

    def test_what_it_says_of_itself_is_bounded(self):
        for ehlo in (b"".join(b"250-X%d %s\r\n" % (n, b"y" * 900) for n in range(900)) + b"250 PIPELINING\r\n",
                     b"250-x\r\n250-SIZE 99999999999999999999999999\r\n250-SIZE -1\r\n250 SIZE x\r\n",
                     b"250-x\r\n250-AUTH " + b"A " * 1500 + b"\r\n250-" + b"AUTH=B " * 500 + b"\r\n250 ok\r\n",
                     b"250-x\r\n250-\r\n250-\0\r\n250 \r\n"):
            server = self.tls(starttls=False, EHLO=ehlo)
            self.assertEqual(self.remote(self.again(server)).letter, "K")

    def test_one_octet_a_second(self):
        def drip(session, line):
            for octet in b"250-" * 30:
                session.socket.sendall(bytes([octet]))
                time.sleep(0.5)
            return CLOSE
        for tls in (False, True):
            server = self.tls(starttls=tls, MAIL=drip)
            begin = time.monotonic()
            self.assertEqual(self.remote(self.to(server, control={"timeoutremote": "2"})).letter, "Z")
            self.assertLess(time.monotonic() - begin, 60)

    def test_who_is_always_just_in_time_is_left_in_the_end(self):
        """Each reply within its time, and none of them soon: that could go on for days."""
        def slowly(reply):
            def answer(session, line):
                time.sleep(3)
                return reply(session, line) if callable(reply) else reply
            return answer
        usual = self.tls(mechanisms=("LOGIN",)).replies
        slow = {stage: slowly(usual[stage]) for stage in ("greeting", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA")}
        challenge = slowly(b"334 VXNlcm5hbWU6\r\n")
        def auth(session, line):
            for _ in range(2):
                session.socket.sendall(challenge(session, line))
                session.read_line()
            session.user = "anna"
            return b"235 ok\r\n"
        for timeout, letter in (("60", "K"), ("4", "Z")):
            server = self.tls(mechanisms=("LOGIN",), **{**slow, "AUTH": auth})
            report = self.remote(self.to(server, "127.0.0.1:verify CA", credentials=True, control={"timeoutremote": timeout}))
            self.assertEqual(report.letter, letter, report)
        self.assert_nothing_sent(server)

    def test_a_server_that_never_reads(self):
        for tls in (False, True):
            server = self.tls(starttls=tls, DATA=lambda session, line: (session.socket.sendall(b"354 go\r\n"), time.sleep(8), CLOSE)[2])
            begin = time.monotonic()
            report = self.remote(self.to(server, control={"timeoutremote": "3"}), message=LARGE)
            self.assertEqual(report.letter, "Z")
            self.assertLess(time.monotonic() - begin, 40)

    def test_challenges_that_cost_time_or_memory(self):
        for challenge in (b"334 " + b"A" * 100000 + b"\r\n", b"334-a\r\n" * 3000 + b"334 b\r\n", b"334\r\n", b"334 =\r\n", b"334 \0\0\0\0\r\n"):
            for mechanism in ALL[0], ALL[3]:
                server = self.tls(mechanisms=(mechanism,), AUTH=lambda session, line: challenge)
                report = self.remote(self.to(server, "127.0.0.1:verify CA", credentials=True, control={"timeoutremote": "20"}))
                self.assert_deferred(report)
                self.assert_nothing_sent(server)


class Cuts(Hostile):
    def test_without_the_end_of_tls(self):
        """Anybody on the way can cut; what is whole was said by the server."""
        for text, letter in ((b"", "Z"), (b"250 ", "Z"), (b"250 queued", "Z"), (b"250 queued\r", "Z"), (b"250-queued\r\n", "Z"), (b"250 queued\r\n", "K"),
                             (b"550 no\r\n", "D")):
            server = self.tls(dot=lambda session, line: cut(session, text))
            report = self.remote(self.again(server))
            self.assertEqual(report.letter, letter, (text, report))
            if letter == "Z":
                self.assertIn("connection died. Possible duplicate! (#4.4.2)", report.text)

    def test_at_every_stage(self):
        for stage in ("EHLO", "MAIL", "RCPT", "DATA"):
            server = self.tls(**{stage: lambda session, line: cut(session, b"25") if session.version else server.hello})
            report = self.remote(self.again(server))
            self.assertEqual((report.letter, server.messages), ("Z", []), (stage, report))

    def test_other_records_in_the_middle(self):
        """Octets that are no TLS where an answer should be."""
        for stage in ("MAIL", "dot"):
            def clear(session, line):
                raw = socket.socket(fileno=session.socket.detach())
                raw.sendall(b"250 accepted, believe me\r\n")
                raw.close()
                return CLOSE
            server = self.tls(**{stage: clear})
            report = self.remote(self.again(server))
            self.assertEqual(report.letter, "Z", report)
            self.assertNotIn("believe me", report.text)


if __name__ == "__main__":
    relais.main()
