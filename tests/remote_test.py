"""qmail-remote by hand: against servers that misbehave at every stage, and with real DNS from nsd."""

import os
import re
import socket
import subprocess
import time

from harness import dns
from harness import peers
from harness import relais
from harness.fake_smtp import CLOSE, RESET, SILENT, FakeServer, SilentHost

HELLO = "Subject: test\n\nhello\n"
NO_CONNECTION = "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n"


class Report:
    """qmail-remote's output: .recipients as (letter, text), .letter and .text of the message."""

    def __init__(self, result):
        assert result.code == 0, result
        *recipients, message, rest = result.out.split("\0")
        assert rest == "", result
        self.recipients = [(r[0], r[1:]) for r in recipients]
        self.letter, self.text = message[0], message[1:]
        self.err = result.err

    def __repr__(self):
        return f"{self.recipients} {self.letter} {self.text!r} {self.err}"


class RemoteCase(relais.TestCase):
    def remote(self, i, host="there.test", sender="me@here.test", recipients=("you@there.test",), message=HELLO):
        return Report(i.run("qmail-remote", host, sender, *recipients, input=message))

    def server(self, *args, **replies):
        server = FakeServer(*args, **replies)
        self.addCleanup(server.stop)
        return server

    def one_server(self, control=None, **replies):
        """An instance that routes everything to one fake server."""
        server = self.server(**replies)
        i = self.instance(control={"smtproutes": f":127.0.0.1:{server.port}", "timeoutremote": "30", **(control or {})})
        return i, server


class Dialogues(RemoteCase):
    def test_accepted(self):
        i, server = self.one_server()
        report = self.remote(i)
        self.assertEqual((report.letter, report.recipients), ("K", [("r", "")]))
        self.assertEqual(report.text, "127.0.0.1 accepted message.\nRemote host said: 250 queued\n")
        self.assertEqual(server.messages, [b"Subject: test\r\n\r\nhello\r\n"])
        (session,) = server.sessions
        self.assertTrue(relais.wait_until(lambda: session.commands[-1] == b"QUIT"))
        self.assertEqual(session.commands[0], b"EHLO mail.test")
        self.assertEqual(session.commands[1], b"MAIL FROM:<me@here.test> SIZE=24")

    def test_one_write_for_the_group_where_pipelining_is_offered(self):
        i, server = self.one_server()
        self.assertEqual(self.remote(i, recipients=["a@b.test", "c@b.test"]).letter, "K")
        self.assertIn(b"RCPT TO:<a@b.test>\r\nRCPT TO:<c@b.test>\r\nDATA\r\n", server.sessions[0].groups[1])

    def test_one_command_at_a_time_where_it_is_not(self):
        i, server = self.one_server(EHLO=b"250 fake.test\r\n")
        self.assertEqual(self.remote(i, recipients=["a@b.test", "c@b.test"]).letter, "K")
        self.assertTrue(all(group.count(b"\r\n") == 1 for group in server.sessions[0].groups[:5]))
        self.assertIn(b"MAIL FROM:<me@here.test>", server.sessions[0].commands)

    def test_helo_where_ehlo_is_not_understood(self):
        i, server = self.one_server(EHLO=b"502 what?\r\n", control={"helohost": "helo.test"})
        self.assertEqual(self.remote(i).letter, "K")
        self.assertEqual(server.sessions[0].commands[:3],
                         [b"EHLO helo.test", b"HELO helo.test", b"MAIL FROM:<me@here.test>"])

    def test_null_sender_and_quoted_addresses(self):
        i, server = self.one_server()
        self.assertEqual(self.remote(i, sender="", recipients=["a b@there.test", "plain"]).letter, "K")
        commands = server.sessions[0].commands
        self.assertTrue(commands[1].startswith(b"MAIL FROM:<>"))
        self.assertEqual(commands[2:4], [b'RCPT TO:<"a b"@there.test>', b"RCPT TO:<plain>"])

    def test_a_double_bounce_has_the_null_sender_on_the_wire(self):
        i, server = self.one_server()
        self.assertEqual(self.remote(i, sender="#@[]").letter, "K")
        self.assertTrue(server.sessions[0].commands[1].startswith(b"MAIL FROM:<>"))

    def test_an_address_cannot_smuggle_a_command(self):
        i, server = self.one_server()
        report = self.remote(i, recipients=["a\rDATA@there.test", "x@there.test> \nRSET", "ok@there.test", "a@b>c"])
        self.assertEqual([letter for letter, _ in report.recipients], ["h", "h", "r", "h"])
        self.assertEqual(report.letter, "K", report)
        self.assertEqual(server.sessions[0].commands[2], b"RCPT TO:<ok@there.test>")
        self.assertEqual(self.remote(i, sender="a\r\nQUIT@x.test").letter, "D")

    def test_what_cannot_be_said_begins_no_transaction(self):
        for recipients in (["a\rb@there.test"], ["a@b>c", "d@e f"]):
            for ehlo in (b"250 x\r\n", b"250-x\r\n250 PIPELINING\r\n"):
                i, server = self.one_server(EHLO=ehlo)
                report = self.remote(i, recipients=recipients)
                self.assertEqual([letter for letter, _ in report.recipients], ["h"] * len(recipients))
                self.assertEqual(report.letter, "D", report)
                self.assertEqual(server.sessions, [])

    def test_eight_bit_addresses_where_smtputf8_is_not_offered(self):
        for ehlo in (b"250 x\r\n", b"250-x\r\n250 PIPELINING\r\n"):
            i, server = self.one_server(EHLO=ehlo)
            report = self.remote(i, recipients=["jürgen@there.test", "ok@there.test"])
            self.assertEqual([letter for letter, _ in report.recipients], ["h", "r"])
            self.assertIn("does not offer SMTPUTF8. (#5.6.7)", report.recipients[0][1])
            self.assertEqual(report.letter, "K", report)
            self.assertEqual(self.remote(i, recipients=["jürgen@there.test"]).letter, "D")
            report = self.remote(i, sender="jürgen@here.test")
            self.assertEqual((report.letter, report.recipients), ("D", []))
            self.assertIn("(#5.6.7)", report.text)
            self.assertEqual([command[:4] for session in server.sessions for command in session.commands].count(b"MAIL"), 1)

    def test_eight_bit_addresses_where_smtputf8_is_offered(self):
        i, server = self.one_server(EHLO=b"250-x\r\n250 SMTPUTF8\r\n")
        self.assertEqual(self.remote(i, recipients=["jürgen@there.test"]).letter, "K")
        self.assertEqual(server.sessions[0].commands[1:3], [b"MAIL FROM:<me@here.test> SMTPUTF8", "RCPT TO:<jürgen@there.test>".encode()])
        self.assertEqual(self.remote(i).letter, "K")
        self.assertEqual(server.sessions[1].commands[1], b"MAIL FROM:<me@here.test>")

    def test_replies_are_judged_by_their_first_digit(self):
        i, server = self.one_server(greeting=b"250 hi\r\n", EHLO=b"220-OK\r\n220 PIPELINING\r\n", MAIL=b"299 ok\r\n", RCPT=b"252 ok\r\n",
                                    DATA=b"399 go\r\n", dot=b"201 got it\r\n")
        report = self.remote(i)
        self.assertEqual((report.letter, report.recipients), ("K", [("r", "")]), report)
        self.assertIn(b"DATA", server.sessions[0].groups[1])

    def test_long_replies_are_read_to_their_end(self):
        for many in (b"-" + b"x" * 70000 + b"\r\n", b"-one more line\r\n" * 5000):
            for code, letter in ((b"250", "K"), (b"550", "D"), (b"451", "Z")):
                reply = b"".join(code + b"-" + line + b"\n" for line in many[1:].split(b"\n")[:-1]) + code + b" the end\r\n"
                i, server = self.one_server(dot=code + b"-first words\r\n" + reply)
                report = self.remote(i)
                self.assertEqual(report.letter, letter)
                self.assertIn(f"Remote host said: {code.decode()}-first words\n", report.text)
                self.assertTrue(relais.wait_until(lambda: server.sessions[0].commands[-1] == b"QUIT"))
                i, server = self.one_server(RCPT=lambda session, line: reply if b"<a@" in line else b"250 ok\r\n")
                report = self.remote(i, recipients=["a@x.test", "b@x.test"])
                self.assertEqual([letter for letter, _ in report.recipients], [{"K": "r", "D": "h", "Z": "s"}[letter], "r"])
                self.assertEqual(report.letter, "K")

    def test_the_words_of_an_answer_that_is_none_are_told(self):
        for stage in ("MAIL", "RCPT", "DATA", "dot"):
            i, _ = self.one_server(**{stage: b"oops, an exception\r\n"})
            report = self.remote(i)
            self.assertEqual(report.letter, "Z")
            duplicate = "Possible duplicate! " if stage == "dot" else ""
            self.assertEqual(report.text, f"Connected to 127.0.0.1 but its answer is none. {duplicate}(#4.5.0)\n"
                                          "Remote host said: oops, an exception\n")

    def test_nuls_before_a_dot_end_nothing(self):
        i, server = self.one_server()
        self.assertEqual(self.remote(i, message=b"Subject: x\n\na\n\0.\nMAIL FROM:<x@y>\n").letter, "K")
        self.assertIn(b"\r\n.\0.\r\nMAIL", server.messages[0])

    def test_each_recipient_its_own_answer(self):
        def rcpt(session, line):
            return {b"no": b"550-no\r\n550 such user\r\n", b"la": b"451 later\r\n"}.get(line[9:11], b"250 ok\r\n")

        for ehlo in (b"250 x\r\n", b"250-x\r\n250 PIPELINING\r\n"):
            i, server = self.one_server(RCPT=rcpt, EHLO=ehlo)
            report = self.remote(i, recipients=["no@there.test", "ok@there.test", "later@there.test"])
            self.assertEqual(report.recipients, [
                ("h", "127.0.0.1 does not like recipient.\nRemote host said: 550-no\n550 such user\n"), ("r", ""),
                ("s", "127.0.0.1 does not like recipient.\nRemote host said: 451 later\n")])
            self.assertEqual(report.letter, "K", report)
            self.assertEqual(len(server.messages), 1)

    def test_all_recipients_refused_sends_no_message(self):
        for ehlo in (b"250 x\r\n", b"250-x\r\n250 PIPELINING\r\n"):
            for data in (b"354 go\r\n", b"503 no recipients\r\n"):
                i, server = self.one_server(RCPT=b"550 no\r\n", EHLO=ehlo, DATA=data)
                report = self.remote(i, recipients=["a@there.test", "b@there.test"])
                self.assertEqual([letter for letter, _ in report.recipients], ["h", "h"])
                self.assertEqual((report.letter, report.text), ("D", "Giving up on 127.0.0.1.\n"))
                self.assertIn(server.messages, ([], [b""]))  # at most a lone dot

    def test_refusals_at_every_stage(self):
        said = {"4": "Z", "5": "D"}
        for code in ("451", "550"):
            reply = f"{code} because\r\n".encode()
            for stage, text in (("MAIL", "Connected to 127.0.0.1 but sender was rejected.\n"),
                                ("DATA", "127.0.0.1 failed on DATA command.\n"),
                                ("dot", "127.0.0.1 failed after I sent the message.\n")):
                for ehlo in (b"250 x\r\n", b"250-x\r\n250 PIPELINING\r\n"):
                    i, server = self.one_server(EHLO=ehlo, **{stage: reply})
                    report = self.remote(i)
                    self.assertEqual((report.letter, report.text), (said[code[0]], f"{text}Remote host said: {code} because\n"), stage)
                    if stage != "dot":
                        self.assertIn(server.messages, ([], [b""]))

    def test_a_bad_greeting_is_told(self):
        for greeting in (b"421 out of connection slots\r\n", b"554 go away\r\n"):
            i, _ = self.one_server(greeting=greeting)
            report = self.remote(i)
            self.assertEqual((report.letter, report.text), (
                "Z", f"Connected to 127.0.0.1 but greeting failed.\nRemote host said: {greeting.decode().strip()}\n"))
        i, _ = self.one_server(EHLO=b"550 no\r\n", HELO=b"550 never\r\n")
        self.assertEqual(self.remote(i).text,
                         "Connected to 127.0.0.1 but my name was rejected.\nRemote host said: 550 never\n")

    def test_hanging_up_at_every_stage_defers(self):
        for how in (CLOSE, RESET, SILENT):
            for stage in ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "dot"):
                for ehlo in (b"250 x\r\n", b"250-x\r\n250 PIPELINING\r\n")[how == SILENT:]:
                    replies = {"EHLO": ehlo, stage: how}
                    # What is told of the dot must have come so far before the time is over.
                    timeout = "30" if how != SILENT else "10" if stage == "dot" else "2"
                    i, server = self.one_server(control={"timeoutremote": timeout}, **replies)
                    report = self.remote(i)
                    duplicate = "Possible duplicate! " if stage == "dot" else ""
                    what = "it did not answer in time" if how == SILENT else "connection died"
                    texts = [f"Connected to 127.0.0.1 but {what}. {duplicate}(#4.4.2)\n"]
                    if stage == "greeting":
                        what = "said nothing in time" if how == SILENT else "hung up first"
                        texts = [f"Connected to 127.0.0.1 but greeting failed.\nIt {what}. (#4.4.2)\n"]
                    self.assertEqual(report.letter, "Z")
                    # The reset may come before we see that we are connected.
                    if (how, stage) != (RESET, "greeting") or not report.text.startswith(NO_CONNECTION):
                        self.assertIn(report.text, texts, (how, stage, ehlo))

    def test_shutting_down_is_a_deferral_whatever_was_said(self):
        i, _ = self.one_server(RCPT=lambda session, line: b"550 no\r\n" if b"<a@" in line else b"421 closing\r\n")
        report = self.remote(i, recipients=["a@x.test", "b@x.test"])
        self.assertEqual(report.recipients[0][0], "h")
        self.assertEqual(len(report.recipients), 1)
        self.assertEqual(report.letter, "Z")

    def test_no_smtp_at_all(self):
        for greeting in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n", b"22\r\n", b"2200 x\r\n", b"\0\0\0\0\r\n", b"\xff" * 100000):
            i, _ = self.one_server(greeting=greeting)
            report = self.remote(i)
            self.assertEqual(report.letter, "Z")
            self.assertIn("Connected to 127.0.0.1 but", report.text)

    def test_an_endless_reply_ends(self):
        def endless(session, line):
            end = time.monotonic() + 120
            while time.monotonic() < end:
                session.socket.sendall(b"250-and another thing\r\n" * 100)
            return CLOSE

        for stage in ("greeting", "EHLO", "MAIL", "dot"):
            i, _ = self.one_server(**{stage: endless})
            begin = time.monotonic()
            report = self.remote(i)
            self.assertEqual(report.letter, "Z", stage)
            self.assertLess(time.monotonic() - begin, 60)
            self.assertLess(len(report.text), 20000)

    def test_a_reply_drop_by_drop_ends(self):
        def slowly(session, line):
            for _ in range(600):
                session.socket.sendall(b"2")
                time.sleep(0.2)
            return CLOSE

        i, _ = self.one_server(control={"timeoutremote": "1"}, MAIL=slowly)
        begin = time.monotonic()
        self.assertIn("it did not answer in time", self.remote(i).text)
        self.assertLess(time.monotonic() - begin, 60)

    def test_multi_line_replies_are_quoted_within_limits(self):
        long = b"".join(b"550-line %d\r\n" % n for n in range(900)) + b"550 end\0\x1b[2J\r\n"
        i, _ = self.one_server(MAIL=long)
        report = self.remote(i)
        self.assertEqual(report.letter, "D")
        self.assertIn("Remote host said: 550-line 0\n550-line 1\n", report.text)
        self.assertLess(len(report.text), 5200)

    def test_an_answer_in_the_middle_of_the_data(self):
        def data(session, line):
            session.socket.sendall(b"354 go\r\n")
            session.socket.recv(10000)
            session.socket.sendall(b"552 too much for me\r\n")
            session.socket.shutdown(socket.SHUT_WR)
            # Reads on, so that the answer is not overtaken by a reset.
            session.socket.settimeout(30)
            try:
                while session.socket.recv(65536):
                    pass
            except TimeoutError:
                pass
            return CLOSE

        i, _ = self.one_server(DATA=data)
        report = self.remote(i, message=HELLO + "x" * 70 + "\n" + ("y" * 70 + "\n") * 400000)
        self.assertEqual(report.letter, "D")
        self.assertIn("Remote host said: 552 too much for me", report.text)

    def test_size_limit_is_kept(self):
        i, server = self.one_server(EHLO=b"250-x\r\n250 SIZE 1000\r\n")
        self.assertEqual(self.remote(i, message="x" * 998 + "\n").letter, "K")
        report = self.remote(i, message="x" * 999 + "\n")
        self.assertEqual(report.letter, "D")
        self.assertIn("(#5.3.4)", report.text)
        self.assertEqual(len(server.messages), 1)

    def test_eight_bit(self):
        message = "Subject: é\n\nü\n"
        i, server = self.one_server()
        self.assertEqual(self.remote(i, message=message).letter, "K")
        self.assertTrue(server.sessions[0].commands[1].endswith(b" BODY=8BITMIME"))
        self.assertEqual(server.messages, [message.encode().replace(b"\n", b"\r\n")])
        # As it is, as qmail does; unless control/strict8bit says otherwise.
        i, server = self.one_server(EHLO=b"250 x\r\n")
        self.assertEqual(self.remote(i, message=message).letter, "K")
        self.assertEqual(server.sessions[0].commands[1], b"MAIL FROM:<me@here.test>")
        i.control("strict8bit", "1")
        report = self.remote(i, message=message)
        self.assertEqual(report.letter, "D")
        self.assertIn("(#5.6.3)", report.text)
        self.assertEqual(self.remote(i).letter, "K")

    def test_what_leaves_is_right_whatever_the_message_holds(self):
        i, server = self.one_server()
        for message, sent in (
                (b"", b""), (b"\n", b"\r\n"), (b"a", b"a\r\n"), (b".", b"..\r\n"), (b".\n.\n..\n", b"..\r\n..\r\n...\r\n"),
                (b"X\r.\nMAIL FROM:<x>\n", b"X\r\n..\r\nMAIL FROM:<x>\r\n"), (b"a\r\n.\r\nb\r\n", b"a\r\n..\r\nb\r\n"),
                (b"a\r\r\nb\n", b"a\r\n\r\nb\r\n"), (b"nul\0\n\xff\xfe\n", b"nul\0\r\n\xff\xfe\r\n"), (b"end\r", b"end\r\n"),
                (b"\n.\r.\r\n.", b"\r\n..\r\n..\r\n..\r\n"), (b"z" * 65535 + b"\r\n.\n", b"z" * 65535 + b"\r\n..\r\n")):
            self.assertEqual(self.remote(i, message=message).letter, "K")
            self.assertEqual(server.messages[-1], sent, message[:50])

    def test_a_large_message(self):
        i, server = self.one_server(control={"timeoutremote": "60"})
        lines = b"".join(b".%07d" % n + b"q" * (n % 300) + b"\n" for n in range(60000))
        self.assertEqual(self.remote(i, message=lines).letter, "K")
        self.assertEqual(server.messages[0], lines.replace(b"\n", b"\r\n").replace(b"\r\n.", b"\r\n..").replace(b".", b"..", 1))

    def test_wrong_use(self):
        i = self.instance()
        for arguments in ([], ["host"], ["host", "sender"]):
            report = Report(i.run("qmail-remote", *arguments))
            self.assertEqual((report.letter, report.text), ("D", "I (qmail-remote) was invoked improperly. (#5.3.5)\n"))

    def test_control_files_missing(self):
        i, _ = self.one_server()
        i.control("me", None)
        report = self.remote(i)
        self.assertEqual(report.letter, "Z")
        self.assertTrue(report.text.startswith("Unable to read control files. (#4.3.0)\n"))

    def test_message_from_a_file_begins_at_its_offset(self):
        i, server = self.one_server()
        path = i.directory / "message"
        path.write_bytes(b"skipped\nSubject: x\n\nkept\n")
        with open(path, "rb") as file:
            os.lseek(file.fileno(), 8, os.SEEK_SET)
            done = subprocess.run([relais.program("qmail-remote"), "x.test", "a@b.test", "c@d.test"], stdin=file,
                                  env=i.environment, capture_output=True)
        self.assertIn(b"accepted", done.stdout)
        self.assertEqual(server.messages, [b"Subject: x\r\n\r\nkept\r\n"])


class Connections(RemoteCase):
    def test_refused(self):
        port = relais.free_port()
        i = self.instance(control={"smtproutes": f":127.0.0.1:{port}"})
        report = self.remote(i)
        self.assertEqual((report.letter, report.text, report.recipients), ("Z", f"{NO_CONNECTION}127.0.0.1:{port}: Connection refused\n", []))

    def test_silent_host_and_the_table_of_time_outs(self):
        with SilentHost() as silent:
            i = self.instance(control={"smtproutes": f":127.0.0.1:{silent.port}", "timeoutconnect": "1"})
            begin = time.monotonic()
            report = self.remote(i)
            self.assertEqual((report.letter, report.text), ("Z", f"{NO_CONNECTION}127.0.0.1:{silent.port}: Connection timed out\n"))
            self.assertLess(time.monotonic() - begin, 50)  # not the usual 60
            listing = i.run("qmail-tcpto").out
            self.assertRegex(listing, r"^127\.0\.0\.1 timed out \d+ seconds ago; # recent timeouts: 1\n$")
            # Two minutes later it times out again, and is left alone for an hour.
            table = i.home / "queue/lock/tcpto"
            record = bytearray(table.read_bytes())
            record[24:32] = (int(time.time()) - 200).to_bytes(8, "little")
            table.write_bytes(record)
            self.remote(i)
            self.assertIn("# recent timeouts: 2", i.run("qmail-tcpto").out)
        with FakeServer(port=silent.port) as server:
            self.assertEqual(self.remote(i).text, f"{NO_CONNECTION}127.0.0.1:{silent.port}: not tried again yet, for it let us wait a short time ago\n")
            self.assertEqual(server.sessions, [])
            self.assertEqual(i.run("qmail-tcpok").code, 0)
            self.assertEqual(i.run("qmail-tcpto").out, "")
            self.assertEqual(self.remote(i).letter, "K")

    def test_a_success_forgets_time_outs(self):
        i, server = self.one_server()
        table = i.home / "queue/lock/tcpto"
        record = b"\0" * 10 + b"\xff\xff\x7f\0\0\1" + b"\1" + b"\0" * 7 + int(time.time()).to_bytes(8, "little")
        table.write_bytes(record)
        if relais.IS_ROOT:
            os.chown(table, *i.ids("qmailr"))
        self.assertIn("127.0.0.1 timed out", i.run("qmail-tcpto").out)
        self.assertEqual(self.remote(i).letter, "K")
        self.assertEqual(i.run("qmail-tcpto").out, "")

    def test_a_damaged_table_is_no_advice(self):
        i, server = self.one_server()
        for content in (b"x", b"\xff" * 100000):
            (i.home / "queue/lock/tcpto").write_bytes(content)
            self.assertEqual(self.remote(i).letter, "K")

    def test_ipv6(self):
        server = self.server("::1")
        i = self.instance(control={"smtproutes": f"there.test:[::1]:{server.port}"})
        report = self.remote(i)
        self.assertEqual((report.letter, report.text.split(" ")[0]), ("K", "::1"))

    def test_smtp_sink(self):
        port = relais.free_port()
        tree = peers.postfix()
        process = subprocess.Popen([tree.program("smtp-sink"), f"127.0.0.1:{port}", "10"], env={**os.environ, **tree.environment},
                                   stderr=subprocess.DEVNULL, user="nobody" if relais.IS_ROOT else None)
        self.addCleanup(process.wait, 60)
        self.addCleanup(process.terminate)
        i = self.instance(control={"smtproutes": f":127.0.0.1:{port}"})
        self.assertTrue(relais.wait_until(lambda: self.remote(i).letter == "K", 20))
        report = self.remote(i, recipients=[f"u{n}@there.test" for n in range(50)], message=HELLO + ".\n" * 1000)
        self.assertEqual((report.letter, len(report.recipients)), ("K", 50))


ZONE = """
one MX 10 mx-a
three MX 10 silent
three MX 20 refused
three MX 30 full
three MX 40 good
bad MX 10 silent
bad MX 20 refused
equal MX 10 mx-a
equal MX 10 mx-b
a A 127.0.0.1
mx-a A 127.0.0.1
mx-b A 127.0.0.2
silent A 127.0.0.11
refused A 127.0.0.12
full A 127.0.0.13
good A 127.0.0.14
null MX 0 .
alias CNAME one
aliasaddress CNAME a
nomx A 127.0.0.1
nothing TXT "no mail"
dangling MX 10 no-such-host
textonly MX 10 nothing
private MX 10 private-host
private-host A 10.99.0.1
private-host AAAA fd12::1
loopback MX 10 a
backup MX 10 refused-elsewhere
backup MX 20 a
refused-elsewhere A 192.0.2.250
both MX 10 both-host
both-host A 127.0.0.1
both-host AAAA ::1
pref MX 20 a
pref MX 10 unspecified
unspecified A 0.0.0.0
v6only MX 10 v6host
v6host AAAA ::1
mapped MX 10 mapped-host
mapped-host AAAA ::ffff:127.0.0.1
"""


class Exchangers(RemoteCase):
    @classmethod
    def setUpClass(cls):
        cls.nsd = dns.Nsd({"test": ZONE})

    @classmethod
    def tearDownClass(cls):
        cls.nsd.stop()

    def by_mx(self, port, control=None):
        i = self.instance(control={"dnsservers": self.nsd.server, "smtproutes": f"::{port}", "privatemx": ".test",
                                   "timeoutconnect": "1", "timeoutremote": "30", "timeoutdns": "30", **(control or {})})
        dns.start_resolver(i)
        return i

    def test_three_servers_in_order(self):
        good = self.server("127.0.0.14")
        silent = SilentHost("127.0.0.11", good.port)
        self.addCleanup(silent.stop)
        full = self.server("127.0.0.13", good.port, greeting=b"421 full.test out of connection slots\r\n")
        i = self.by_mx(good.port)
        report = self.remote(i, "three.test")
        self.assertEqual(report.letter, "K", report)
        self.assertTrue(report.text.startswith("127.0.0.14 accepted message."))
        self.assertEqual((len(full.sessions), len(good.sessions)), (1, 1))
        self.assertRegex(self.remote(i, "bad.test").text,
                         rf"^{re.escape(NO_CONNECTION)}(127\.0\.0\.\d+:{good.port}: Connection (timed out|refused)\n)+$")

    def test_equal_preferences_share(self):
        one = self.server("127.0.0.1")
        two = self.server("127.0.0.2", one.port)
        i = self.by_mx(one.port)
        for _ in range(200):
            self.assertEqual(self.remote(i, "equal.test").letter, "K")
            if one.sessions and two.sessions:
                break
        self.assertTrue(one.sessions and two.sessions)

    def test_aliases_and_addresses(self):
        server = self.server()
        i = self.by_mx(server.port)
        for host in ("one.test", "ONE.test", "one.test.", "alias.test", "nomx.test", "aliasaddress.test", "mapped.test",
                     "loopback.test"):
            self.assertEqual(self.remote(i, host).letter, "K", host)
        i.control("privatemx", "[127.0.0.1]")
        self.assertEqual(self.remote(i, "[127.0.0.1]").letter, "K")

    def test_domains_that_take_no_mail(self):
        i = self.by_mx(relais.free_port())
        for host, letter, text in (
                ("null.test", "D", "Sorry, null.test does not accept mail: it has a null MX. (#5.1.10)\n"),
                ("no.such.test", "D", "Sorry, I couldn't find any host named no.such.test. (#5.1.2)\n"),
                ("a b.test", "D", "Sorry, I couldn't find any host named a b.test. (#5.1.2)\n"),
                ("", "D", "Sorry, I couldn't find any host named . (#5.1.2)\n"),
                ("[1.2.3]", "D", "Sorry, I couldn't find any host named [1.2.3]. (#5.1.2)\n"),
                ("nothing.test", "D", "Sorry, I couldn't find a mail exchanger or IP address. (#5.4.4)\n"),
                ("dangling.test", "D", "Sorry, I couldn't find a mail exchanger or IP address. (#5.4.4)\n"),
                ("textonly.test", "D", "Sorry, I couldn't find a mail exchanger or IP address. (#5.4.4)\n"),
                ("elsewhere.example", "Z", "CNAME lookup failed temporarily. (#4.4.3)\n")):
            report = self.remote(i, host)
            self.assertEqual((report.letter, report.text, report.recipients), (letter, text, []), host)

    def test_dns_that_does_not_answer(self):
        silent = dns.SilentServer()
        self.addCleanup(silent.stop)
        i = self.by_mx(relais.free_port(), {"dnsservers": silent.server, "timeoutdns": "1"})
        self.assertEqual(self.remote(i, "one.test").text, "CNAME lookup failed temporarily. (#4.4.3)\n")

    def test_no_resolver(self):
        i = self.instance()
        self.assertEqual(self.remote(i, "one.test").text, "CNAME lookup failed temporarily. (#4.4.3)\n")

    def test_loops_and_private_addresses(self):
        server = self.server()
        i = self.by_mx(server.port, {"privatemx": None})
        for host in ("loopback.test", "nomx.test", "aliasaddress.test", "pref.test", "v6only.test", "mapped.test", "[127.0.0.1]",
                     "[IPv6:::1]", "[0.0.0.0]"):
            report = self.remote(i, host)
            self.assertEqual(report.letter, "D", host)
            self.assertIn("(#5.4.6)", report.text, host)
        for host in ("private.test", "[10.99.0.1]", "[192.168.1.1]"):
            report = self.remote(i, host)
            self.assertEqual((report.letter, report.text), (
                "D", f"Sorry, every mail exchanger of {host} has a private or link-local address: {report.text.split()[-2]} (#5.4.4)\n"))
        self.assertEqual(server.sessions, [])

    def test_we_as_backup_never_send_to_ourselves(self):
        # The better MX is out of reach in a namespace without a network; the second one is this host.
        if not relais.IS_ROOT:
            self.skipTest("a network namespace needs root")
        server = self.server()
        i = self.by_mx(server.port, {"privatemx": None})
        report = Report(i.run("/usr/bin/unshare", "-n", relais.program("qmail-remote"), "backup.test", "a@b.test", "c@backup.test"))
        self.assertEqual(report.letter, "Z")
        self.assertRegex(report.text, rf"^{re.escape(NO_CONNECTION)}\S+:{server.port}: Network is unreachable\n$")
        self.assertEqual(server.sessions, [])

    def test_the_other_family_starts_soon(self):
        with SilentHost() as silent, FakeServer("::1", silent.port) as v6:
            i = self.by_mx(silent.port, {"timeoutconnect": "30"})
            begin = time.monotonic()
            report = self.remote(i, "both.test")
            self.assertEqual(report.text.split(" ")[0], "::1", report)
            self.assertLess(time.monotonic() - begin, 25)
            self.assertEqual(len(v6.sessions), 1)

    def test_a_bad_greeting_goes_on_to_the_next_address(self):
        with FakeServer(greeting=b"421 no\r\n") as v4, FakeServer("::1", v4.port, greeting=CLOSE) as v6:
            i = self.by_mx(v4.port)
            report = self.remote(i, "both.test")
            self.assertEqual((len(v4.sessions), len(v6.sessions), report.letter), (1, 1, "Z"))

    def test_routes(self):
        server = self.server()
        closed = relais.free_port()
        i = self.by_mx(closed)
        for routes, host, letter in (
                (f"one.test:127.0.0.1:{server.port}", "one.test", "K"), (f"one.test:127.0.0.1:{server.port}", "ONE.TEST", "K"),
                (f".one.test:127.0.0.1:{server.port}", "x.one.test", "K"), (f":127.0.0.1:{server.port}", "no.such.test", "K"),
                (f"one.test::{server.port}", "one.test", "K"), (f"::{closed}\none.test:a.test:{server.port}", "one.test", "K"),
                (f"[10.0.0.9]:127.0.0.1:{server.port}", "[10.0.0.9]", "K"), (f"one.test:localhost:{server.port}", "one.test", "K"),
                (f"one.test:127.0.0.1:{server.port}|user|secret", "one.test", "Z"),
                (f":127.0.0.1:{server.port}\none.test:127.0.0.1:{closed}", "one.test", "Z"),
                ("one.test:127.0.0.1:99999", "one.test", "Z"), ("one.test:no.such.test", "one.test", "Z")):
            i.control("smtproutes", routes)
            self.assertEqual(self.remote(i, host).letter, letter, routes)


if __name__ == "__main__":
    relais.main()
