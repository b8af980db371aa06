"""control/qmtproutes: mail of a domain goes by QMTP, to qmail-qmtpd and to servers that misbehave; each recipient's answer is
his own report."""

import socket
import threading

from harness import relais

MESSAGE = "Subject: by netstrings\n\n.dot\nend\n"


def netstring(data):
    data = relais.octets(data)
    return b"%d:%s," % (len(data), data)


def take_netstring(stream):
    """The next one; EOFError at the end."""
    length = b""
    while not length.endswith(b":"):
        octet = stream.read(1)
        if not octet:
            raise EOFError
        length += octet
    data = stream.read(int(length[:-1]))
    if stream.read(1) != b",":
        raise EOFError
    return data


class Hub:
    """A server of QMTP. answers: for each recipient in turn, the last one for all that follow; None hangs up, "hang" says
    nothing, octets go as they are. early: what it says before it has read anything. messages: how many before it hangs up."""

    def __init__(self, answers=("Kok",), early=b"", messages=1000):
        self.answers, self.early, self.limit = answers, early, messages
        self.packages, self.connections, self.cut = [], 0, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
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
            with client, client.makefile("rb") as stream:
                try:
                    if self.early:
                        client.sendall(self.early)
                    for _ in range(self.limit):
                        self._package(client, stream)
                except EOFError:
                    self.cut += 1
                except OSError:
                    pass

    def _package(self, client, stream):
        text, sender, rest = take_netstring(stream), take_netstring(stream), take_netstring(stream)
        recipients = []
        while rest:
            length, rest = rest.split(b":", 1)
            recipients.append(rest[:int(length)].decode())
            rest = rest[int(length) + 1:]
        self.packages.append((text, sender.decode(), recipients))
        for number in range(len(recipients)):
            answer = self.answers[min(number, len(self.answers) - 1)]
            if answer is None:
                raise OSError
            if answer == "hang":
                stream.read(1)
                raise OSError
            client.sendall(answer if isinstance(answer, bytes) else netstring(answer))


class QmtpRoutesTest(relais.TestCase):
    def setUp(self):
        self.i = self.instance()
        self.bob = self.i.add_user("bob")

    def hub(self, *arguments, **options):
        hub = Hub(*arguments, **options)
        self.addCleanup(hub.close)
        self.i.control("qmtproutes", f"hub.test:127.0.0.1:{hub.port}")
        return hub

    def remote(self, *recipients, sender="s@x.test", host="hub.test", message=MESSAGE):
        """The reports of qmail-remote, one for each recipient and the one for the message."""
        done = self.i.run("qmail-remote", host, sender, *recipients, input=message)
        self.assertEqual(done.code, 0)
        return done.out.split("\0")[:-1]


class Reports(QmtpRoutesTest):
    def test_each_recipient_has_its_own_answer(self):
        hub = self.hub(("Kok 1 qp 2", "Zfull (#4.2.2)", "Dgone (#5.1.1)", "Kok 3 qp 4"))
        reports = self.remote("a@hub.test", "b@hub.test", "c@hub.test", "d@hub.test")
        self.assertEqual([r[0] for r in reports], ["r", "s", "h", "r", "K"])
        self.assertIn("Remote host said: full (#4.2.2)\n", reports[1])
        self.assertIn("Remote host said: gone (#5.1.1)\n", reports[2])
        self.assertEqual(reports[4], "K127.0.0.1 accepted message.\nRemote host said: ok 3 qp 4\n")
        self.assertEqual(hub.packages, [(b"\rSubject: by netstrings\r\n\r\n.dot\r\nend\r\n", "s@x.test",
                                         ["a@hub.test", "b@hub.test", "c@hub.test", "d@hub.test"])])

    def test_nobody_gets_it(self):
        for answers, letters in ((("Dno",), "hhD"), (("Zno",), "ssZ"), (("Dno", "Zno"), "hsZ")):
            with self.subTest(answers):
                self.hub(answers)
                reports = self.remote("a@hub.test", "b@hub.test")
                self.assertEqual("".join(r[0] for r in reports), letters)
                self.assertEqual(reports[2][1:], "Giving up on 127.0.0.1.\n")

    def test_the_octets_are_those_of_smtp(self):
        hub = self.hub()
        for message, octets in ((b"", b"\r"), (b"\n", b"\r\r\n"), (b"a", b"\ra\r\n"), (b"a\rb\r\n.\n", b"\ra\r\nb\r\n.\r\n"),
                                (b"\xff\x00\n", b"\r\xff\x00\r\n"), (b"0123456\n" * 100000, b"\r" + b"0123456\r\n" * 100000)):
            with self.subTest(message[:10]):
                self.assertEqual(self.remote("a@hub.test", message=message)[-1][0], "K")
                self.assertEqual(hub.packages[-1][0], octets)

    def test_a_bounce_of_a_bounce_has_the_null_sender(self):
        hub = self.hub()
        for sender in ("", "#@[]"):
            self.assertEqual(self.remote("a@hub.test", sender=sender)[-1][0], "K")
            self.assertEqual(hub.packages[-1][1], "")

    def test_who_has_it_when_the_server_goes_has_it(self):
        self.i.control("timeoutremote", "1")
        for end in (None, "hang", b"x", b"3:", b"99999999:", b"1:X,", b"0:,"):
            with self.subTest(end):
                self.hub(("Kok", end))
                reports = self.remote("a@hub.test", "b@hub.test", "c@hub.test")
                self.assertEqual([r[0] for r in reports], ["r", "s", "s", "K"])
                self.assertIn("Possible duplicate!", reports[1])

    def test_a_server_that_goes_before_any_answer(self):
        self.hub((None,))
        reports = self.remote("a@hub.test", "b@hub.test")
        self.assertEqual([r[0] for r in reports], ["Z"])
        self.assertIn("Possible duplicate!", reports[0])

    def test_a_server_that_answers_before_it_has_the_message_gets_none(self):
        hub = self.hub(early=netstring("Kok"))
        reports = self.remote("a@hub.test", message=b"x\n" * 4000000)
        self.assertEqual(reports[-1][0], "Z")
        self.assertNotIn("duplicate", reports[-1])
        self.i.wait_for(lambda: hub.cut == 1, 30, "the end of the connection")
        self.assertEqual(hub.packages, [])

    def test_an_answer_is_no_way_into_reports_or_the_log(self):
        self.hub(("Dno\r\n\0K127.0.0.1 accepted message.\n",))
        reports = self.remote("a@hub.test")
        self.assertEqual(len(reports), 2)
        self.assertEqual(reports[0][0], "h")

    def test_an_address_that_cannot_be_said_keeps_nobody_else_from_his_mail(self):
        hub = self.hub(("Kok", "Dno"))
        reports = self.remote("a\nb@hub.test", "c@hub.test", "d@hub.test")
        self.assertEqual([r[0] for r in reports], ["h", "r", "h", "K"])
        self.assertEqual(hub.packages[0][2], ["c@hub.test", "d@hub.test"])

    def test_nobody_listens(self):
        self.i.control("qmtproutes", f"hub.test:127.0.0.1:{relais.free_port()}")
        self.assertRegex(self.remote("a@hub.test")[-1], r"^ZSorry, I wasn't able to establish an SMTP connection")


class WhichRoute(QmtpRoutesTest):
    def test_what_must_be_encrypted_does_not_go(self):
        hub = self.hub()
        self.i.control("tlsdestinations", "hub.test:encrypt")
        self.assertRegex(self.remote("a@hub.test")[-1], r"^ZSorry, control/qmtproutes sends it to 127.0.0.1 by QMTP, which has no TLS, "
                                                        r"and TLS is required by control/tlsdestinations. \(#4.7.10\)")
        self.i.control("tlsdestinations", "hub.test:may")
        self.assertEqual(self.remote("a@hub.test")[-1][0], "K")
        self.assertEqual(len(hub.packages), 1)

    def test_a_line_that_cannot_be_used_makes_mail_wait(self):
        self.i.control("qmtproutes", "hub.test:\nnothing")
        self.assertRegex(self.remote("a@hub.test")[-1], r"^Z[^\0]*control/qmtproutes cannot be used: hub.test:: a host must stand behind the domain")
        shown = self.i.run("qmail-showctl").out
        self.assertIn("a host must stand behind the domain: mail for it waits", shown)
        self.assertIn('"nothing" has no colon: it does not count', shown)

    def test_the_tools_tell_of_it(self):
        hub = self.hub()
        told = self.i.run("route-explain", "a@hub.test").out
        self.assertIn(f"the line hub.test:127.0.0.1:{hub.port}", told)
        self.assertIn("by QMTP", told)
        asked = self.i.run("route-explain", "--probe", "--size", "10", "--requiretls", "a@hub.test").out
        self.assertIn("QMTP has no TLS: it bounces (5.7.10)", asked)
        self.assertNotIn("EHLO", asked)
        self.assertEqual(hub.packages, [])


class WholeInstance(QmtpRoutesTest):
    def test_to_qmail_qmtpd(self):
        there = self.instance(control={"rcpthosts": "mail.test"})
        bob = there.add_user("bob")
        there.rules(":allow\n")
        there.start_send()
        port = relais.free_port()
        uid, gid = there.ids("qmaild")
        drop = ["-u", uid, "-g", gid] if relais.IS_ROOT and not there.single else []
        there.spawn("qmtpd", ["tcpserver", "-RH", "-l0", "-x", there.home / "tcp.smtp.cdb", *drop, "127.0.0.1", port,
                              relais.program("qmail-qmtpd")], there.ids("qmaild") if there.single else None)
        self.i.control("locals", "here.test")
        self.i.control("rcpthosts", "mail.test\nelsewhere.test")
        self.i.control("qmtproutes", f":127.0.0.1:{port}")
        self.i.start()
        self.i.send("s@x.test", [bob.address, "nobody@elsewhere.test"], MESSAGE)
        self.assertTrue(bob.wait_messages(1)[0].endswith(MESSAGE.encode()))
        self.i.wait_log("Remote_host_said:_sorry,_that_domain_isn't_in_my_list_of_allowed_rcpthosts")

    def test_a_connection_serves_more_than_one_message(self):
        hub = self.hub()
        self.i.control("rcpthosts", "mail.test\nhub.test")
        self.i.start()
        for number in range(3):
            self.i.send("s@x.test", ["a@hub.test"], MESSAGE)
            self.i.wait_for(lambda: len(hub.packages) == number + 1, 30, "a message")
            self.i.wait_empty()
        self.assertEqual(hub.connections, 1)

    def test_a_server_that_has_gone_meanwhile_costs_nothing(self):
        hub = self.hub(messages=1)
        self.i.control("rcpthosts", "mail.test\nhub.test")
        self.i.start()
        for number in range(3):
            self.i.send("s@x.test", ["a@hub.test"], MESSAGE)
            self.i.wait_for(lambda: len(hub.packages) == number + 1, 30, "a message")
            self.i.wait_empty()
        self.assertEqual(hub.connections, 3)
        self.assertNotIn("deferral", self.i.log())


if __name__ == "__main__":
    relais.main()
