"""qmail-inject, sendmail, forward and the other programs around a message: whole programs, with a $QMAILQUEUE that
keeps what it is given, and with a whole instance."""

import fcntl
import os
import pathlib
import re
import resource
import subprocess
import unittest

from harness import queued
from harness import relais
from harness.kept import Kept

GOLDEN = pathlib.Path(__file__).resolve().parent / "golden/inject"

STAMPS = re.compile(rb"^((?:Resent-)?(?:Date: )\d+ \w+ \d+ [\d:]+ -0000\n|(?:Resent-)?Message-ID: <\d+\.\d+\.qmail@\S+>\n)", re.M)

HAS_MAIL_FLOW = all(map(relais.has_program, ("qmail-start", "qmail-queued", "qmail-send", "qmail-lspawn", "qmail-rspawn", "qmail-local")))


class ProgramTest(Kept):
    CONTROL = {"defaulthost": "host", "defaultdomain": "example.org", "plusdomain": "plus.example", "idhost": "id.example.org"}

    def ok(self, name, *args, **options):
        result = self.run_program(name, *args, **options)
        self.assertEqual((result.code, result.out), (0, ""), result)
        return result

    def fails(self, code, text, name, *args, **options):
        result = self.run_program(name, *args, **options)
        self.assertEqual(result.code, code, result)
        self.assertIn(text, result.err)
        self.assertFalse((self.kept / "envelope").exists())
        return result

    def message(self):
        """What was submitted, without the stamps."""
        return STAMPS.sub(b"", (self.kept / "message").read_bytes())

    def envelope(self):
        sender, *recipients, last, end = (self.kept / "envelope").read_bytes().split(b"\0")
        self.assertEqual((sender[:1], last, end), (b"F", b"", b""))
        self.assertTrue(all(r[:1] == b"T" for r in recipients))
        return sender[1:].decode(), [r[1:].decode() for r in recipients]


class Inject(ProgramTest):
    def test_golden_messages(self):
        seen = 0
        for path in sorted(GOLDEN.iterdir()):
            if path.name == "README":
                continue
            with self.subTest(path.name):
                seen += 1
                parts = re.split(r"^=== \w+\n", path.read_text(), flags=re.M)
                arguments, environment, message, expected = parts[1:]
                env = dict(line.split("=", 1) for line in environment.splitlines())
                base = {k: v for k, v in self.i.environment.items()}
                done = subprocess.run([relais.program("qmail-inject"), "-n", *arguments.splitlines()],
                                      input=message.encode(), capture_output=True, env={**base, **env})
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                out = re.sub(r"Date: \d+ \w+ \d+ [\d:]+ -0000", "Date: DATE", done.stdout.decode())
                out = re.sub(r"<\d{14}\.\d+\.qmail@id\.example\.org>", "ID", out)
                self.assertEqual(out, expected)
        self.assertGreaterEqual(seen, 6)

    def test_submission(self):
        self.ok("qmail-inject", input=b"To: a@x.example\nBcc: b@x.example\nSubject: s\n\nbody\n")
        self.assertEqual(self.message(), b"From: joe@host.example.org\nTo: a@x.example\nSubject: s\n\nbody\n")
        self.assertEqual(self.envelope(), ("joe@host.example.org", ["a@x.example", "b@x.example"]))
        self.assertEqual(len(STAMPS.findall((self.kept / "message").read_bytes())), 2)

    def test_bodies_come_out_as_they_were(self):
        header = b"Date: d\nMessage-ID: <i>\nFrom: f@x.example\nTo: t@x.example\n"
        bodies = [b"", b"\n", b"x", b"x\n", b"\nno line end", b".\n..\n.\n", b"\r\n\r \n", bytes(range(256)) * 3, b"a" * 200000,
                  b"line\n" * 300000 + b"end", os.urandom(70000)]
        # The blank line, and lines, on both sides of the 64 KiB of one read.
        bodies += [b"y" * (65536 - len(header) - 1 + n) + b"\nz" for n in (-1, 0, 1)]
        for body in bodies:
            with self.subTest(body[:20]):
                self.ok("qmail-inject", input=header + b"\n" + body)
                self.assertEqual((self.kept / "message").read_bytes(), header + b"\n" + body)
        for n in (-2, -1, 0, 1):
            padded = b"X: " + b"y" * (65536 - len(header) - 4 + n) + b"\n" + header
            self.ok("qmail-inject", input=padded + b"\nbody")
            self.assertEqual((self.kept / "message").read_bytes(), padded + b"\nbody")

    def test_header_without_body(self):
        self.ok("qmail-inject", input=b"To: t@x.example")
        self.assertEqual(self.message(), b"From: joe@host.example.org\nTo: t@x.example\n")

    def test_crlf_header(self):
        self.ok("qmail-inject", input=b"To: t@x.example\r\nSubject: s\r\n\r\nbody\r\n")
        self.assertEqual(self.message(), b"From: joe@host.example.org\nTo: t@x.example\nSubject: s\n\nbody\r\n")

    def test_large_message_needs_little_memory(self):
        sink = self.file("sink", '#!/bin/sh\nwc -c >"$KEPT/size"; cat <&1 >/dev/null\n', 0o755)
        body = b"x" * 1023 + b"\n"
        limit = 48 << 20
        process = subprocess.Popen(
            [relais.program("qmail-inject"), "a@x.example"], stdin=subprocess.PIPE, cwd=self.i.directory,
            env={**self.i.environment, **self.env, "QMAILQUEUE": str(sink)},
            preexec_fn=None if relais.SANITIZED else lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
        for _ in range(100):
            process.stdin.write(body * 1024)
        process.stdin.close()
        self.addCleanup(process.kill)
        self.assertEqual(process.wait(60), 0)
        self.assertGreater(int((self.kept / "size").read_text()), 100 << 20)

    def test_many_recipients(self):
        wanted = [f"recipient{n}@long-domain-name.example" for n in range(20000)]
        self.ok("qmail-inject", input="To: " + ",\n ".join(wanted) + "\n\nx\n")
        self.assertEqual(self.envelope()[1], wanted)

    def test_refusals(self):
        self.fails(100, "qmail-inject: fatal: usage", "qmail-inject", "-x")
        self.fails(100, "qmail-inject: fatal: unable to parse this line:\nTo: a <b\n", "qmail-inject", input="To: a <b\n\n")
        self.fails(100, "qmail-inject: fatal: no recipients", "qmail-inject", input="Subject: x\n\n")
        self.fails(100, "qmail-inject: fatal: unable to parse address", "qmail-inject", "a\nTb")
        self.fails(100, "qmail-inject: fatal: the header is too long", "qmail-inject", "a", input="X: " + "y" * (17 << 20))

    def test_answers_of_the_queue(self):
        for end, say, code, text in (("53", "", 111, "qq write error or disk full (#4.3.0)"), ("31", "", 100, "(#5.3.0)"),
                                     ("82", "Dno thanks", 100, "no thanks"), ("82", "Znot now", 111, "not now"),
                                     ("99", "", 111, "")):
            result = self.run_program("qmail-inject", "a@x.example", input="\nx\n", END=end, SAY=say)
            self.assertEqual(result.code, code, result)
            self.assertRegex(result.err, r"^qmail-inject: fatal: .+\n$")
            self.assertIn(text, result.err)
        self.assertEqual(self.run_program("qmail-inject", "a@x.example", QMAILQUEUE="/nonexistent").code, 111)

    def test_queue_that_is_away(self):
        del self.env["QMAILQUEUE"]
        result = self.run_program("qmail-inject", "a@x.example", input="\nx\n")
        self.assertEqual(result.code, 111, result)
        self.assertRegex(result.err, r"^qmail-inject: fatal: .+\n$")

    def test_missing_control_files(self):
        for name in ("me", "defaulthost", "defaultdomain", "idhost"):
            self.i.control(name, None)
        self.ok("qmail-inject", "a", input="\n")
        self.assertEqual(self.envelope()[1], ["a@defaulthost.defaultdomain"])
        self.i.control("me", "me.example")
        self.ok("qmail-inject", "a", input="\n")
        self.assertEqual(self.envelope()[1], ["a@me.example"])
        self.ok("qmail-inject", "a", input="\n", QMAILDEFAULTHOST="h", QMAILDEFAULTDOMAIN="d.example", QMAILIDHOST="id.x")
        self.assertEqual(self.envelope()[1], ["a@h.d.example"])
        self.assertIn(b".qmail@id.x>", (self.kept / "message").read_bytes())

    def test_mail_followup_to(self):
        lists = self.file("lists", "# mine\nlist@x.example\n")
        self.ok("qmail-inject", input="To: LIST@x.example, a@x.example\n\n", QMAILMFTFILE=str(lists))
        self.assertIn(b"\nMail-Followup-To: LIST@x.example, a@x.example\n", self.message())


class Sendmail(ProgramTest):
    def test_options_that_everybody_uses(self):
        for options in (("-i",), ("-oi",), ("-oem", "-oi", "-odb"), ("-bm", "-v", "-m"), ("-B8BITMIME", "-B", "7BIT"),
                        ("-N", "never", "-R", "hdrs", "-h", "3", "-V", "id"), ("-O", "Timeout=1m", "-p", "SMTP:x", "-Am", "-U"),
                        ("-em", "-n", "-G", "-x", "-L", "tag", "-X", "/dev/null"), ("--",)):
            with self.subTest(options):
                self.ok("sendmail", *options, "a@x.example", input="Subject: s\n\nbody\n.\nafter\n")
                self.assertEqual(self.envelope(), ("joe@host.example.org", ["a@x.example"]))
                self.assertTrue(self.message().endswith(b"Subject: s\n\nbody\n.\nafter\n"))

    def test_recipients_of_the_header(self):
        self.ok("sendmail", "-ti", "b@x.example", input="To: a@x.example\nBcc: c@x.example\n\nx\n")
        self.assertEqual(self.envelope()[1], ["b@x.example", "a@x.example", "c@x.example"])
        self.ok("sendmail", "b@x.example", input="To: a@x.example\n\nx\n")
        self.assertEqual(self.envelope()[1], ["b@x.example"])
        self.fails_without_recipients()

    def fails_without_recipients(self):
        (self.kept / "envelope").unlink()
        self.fails(100, "no recipients", "sendmail", "-t", input="Subject: x\n\n")

    def test_sender_and_name(self):
        self.ok("sendmail", "-f", "s@y.example", "a@x.example", input="\n", NAME="Not Me", MAILHOST="not.example")
        self.assertEqual(self.envelope()[0], "s@y.example")
        self.assertIn(b"From: s@y.example\n", self.message())
        self.ok("sendmail", "-FReal Name", "-rs@y.example", "a@x.example", input="\n", NAME="Not Me")
        self.assertIn(b'From: "Real Name" <s@y.example>\n', self.message())
        self.ok("sendmail", "-fs", "a@x.example", input="From: other@z.example\n\n")
        self.assertEqual(self.envelope()[0], "s@host.example.org")
        self.assertIn(b"From: other@z.example\n", self.message())
        for null in ("<>", ""):
            self.ok("sendmail", "-f", null, "a@x.example", input="\n")
            self.assertEqual(self.envelope()[0], "")
            self.assertIn(b"From: joe@host.example.org\n", self.message())

    def test_refusals(self):
        self.fails(100, "sendmail: fatal: usage:", "sendmail", "-Z")
        self.fails(100, "sendmail: fatal: usage:", "sendmail", "-bd")
        self.fails(100, "sendmail: fatal: usage:", "sendmail", "-f")
        self.fails(100, "newaliases: fatal: there is no alias database", self.link("newaliases"))

    def link(self, name):
        path = self.i.directory / name
        path.symlink_to(relais.program("sendmail"))
        return str(path)

    def test_other_programs(self):
        """mailq and -bp run qmail-qread, -bs qmail-smtpd as for a client of this machine."""
        bin_directory = self.i.home / "bin"
        bin_directory.unlink()
        bin_directory.mkdir()
        for name in ("qmail-qread", "qmail-smtpd"):
            path = bin_directory / name
            path.write_text(f'#!/bin/sh\necho {name} "${{RELAYCLIENT-none}}" "$PROTO" "$TCPREMOTEIP" "$TCPREMOTEINFO"\n')
            path.chmod(0o755)
        for command in ((self.link("mailq"),), ("sendmail", "-bp")):
            result = self.run_program(*command)
            self.assertEqual((result.code, result.out.split()[0]), (0, "qmail-qread"), result)
        result = self.run_program("sendmail", "-bs")
        self.assertEqual((result.code, result.out), (0, "qmail-smtpd  TCP 127.0.0.1 sendmail-bs\n"), result)
        result = self.run_program("sendmail", "-bs", PROTO="TCP", TCPREMOTEIP="192.0.2.1")
        self.assertEqual(result.out, "qmail-smtpd none TCP 192.0.2.1 \n")


class DotQmailPrograms(ProgramTest):
    def setUp(self):
        super().setUp()
        self.env.update(SENDER="s@y.example", NEWSENDER="new@y.example", DTLINE="Delivered-To: joe@x.example\n",
                        RPLINE="Return-Path: <s@y.example>\n", UFLINE="From s@y.example Tue Sep 26 04:46:54 1995\n")

    def test_forward(self):
        result = self.ok("forward", "a@x.example", "b@x.example", input=b"Subject: s\n\nno end")
        self.assertRegex(result.err, r"^forward: qp \d+\n$")
        self.assertEqual(self.envelope(), ("new@y.example", ["a@x.example", "b@x.example"]))
        self.assertEqual((self.kept / "message").read_bytes(), b"Delivered-To: joe@x.example\nSubject: s\n\nno end")

    def test_forward_refuses(self):
        self.fails(100, "forward: fatal: usage", "forward")
        del self.env["DTLINE"]
        self.fails(100, "forward: fatal: DTLINE not set", "forward", "a")
        del self.env["NEWSENDER"]
        self.fails(100, "forward: fatal: NEWSENDER not set", "forward", "a")

    def test_forward_tells_the_answer(self):
        result = self.run_program("forward", "a", END="31")
        self.assertEqual(result.code, 100)
        result = self.run_program("forward", "a", END="53")
        self.assertEqual((result.code, result.err), (111, "forward: fatal: qq write error or disk full (#4.3.0)\n"))

    def redirect(self, *command):
        """condredirect with the message in a file, as qmail-local gives it."""
        path = self.file("delivered", "Subject: s\n\nbody\n")
        with open(path, "rb") as message:
            done = subprocess.run([relais.program("condredirect"), "new@x.example", *command], stdin=message,
                                  capture_output=True, env={**self.i.environment, **self.env}, cwd=self.i.directory)
        return relais.Result(done)

    def test_condredirect(self):
        result = self.redirect("grep", "-q", "Subject: s")
        self.assertEqual(result.code, 99, result)
        self.assertRegex(result.err, r"^condredirect: qp \d+\n$")
        self.assertEqual(self.envelope(), ("s@y.example", ["new@x.example"]))
        self.assertEqual((self.kept / "message").read_bytes(), b"Delivered-To: joe@x.example\nSubject: s\n\nbody\n")

    def test_condredirect_when_the_program_says_otherwise(self):
        for command, code in ((("false",), 0), (("/nonexistent",), 0), (("sh", "-c", "exit 100"), 0), (("sh", "-c", "exit 111"), 111),
                              (("sh", "-c", "kill -9 $$"), 111)):
            with self.subTest(command):
                self.assertEqual(self.redirect(*command).code, code)
                self.assertFalse((self.kept / "envelope").exists())
        self.assertEqual(self.redirect().code, 100)

    def test_bouncesaying(self):
        self.fails(100, "bouncesaying: fatal: usage", "bouncesaying")
        for command, code, text in (((), 100, "go away\n"), (("true",), 100, "go away\n"), (("false",), 0, ""),
                                    (("/nonexistent",), 0, ""), (("sh", "-c", "exit 111"), 111, "temporary child error\n"),
                                    (("sh", "-c", "kill $$"), 111, "child crashed\n")):
            with self.subTest(command):
                result = self.run_program("bouncesaying", "go away", *command)
                self.assertEqual(result.code, code, result)
                self.assertTrue(result.err.endswith(text))
        self.assertEqual(self.run_program("bouncesaying", "go away").err, "go away\n")

    def test_except(self):
        self.fails(100, "except: fatal: usage", "except")
        for command, code in ((("true",), 100), (("false",), 0), (("sh", "-c", "exit 111"), 111), (("sh", "-c", "exit 99"), 0),
                              (("/nonexistent",), 0), (("sh", "-c", "kill $$"), 111)):
            with self.subTest(command):
                self.assertEqual(self.run_program("except", *command).code, code)

    def test_preline(self):
        lines = [self.env["UFLINE"], self.env["RPLINE"], self.env["DTLINE"]]
        for options, wanted in (((), lines), (("-f",), lines[1:]), (("-r",), lines[::2]), (("-d",), lines[:2]), (("-frd",), []),
                                (("-fF", "-d", "-D"), lines), (("--",), lines)):
            with self.subTest(options):
                result = self.run_program("preline", *options, "cat", "-", input=b"\xffmessage")
                self.assertEqual((result.code, result.out_bytes), (0, "".join(wanted).encode() + b"\xffmessage"))

    def test_preline_gives_the_programs_exit_code(self):
        self.assertEqual(self.run_program("preline", "sh", "-c", "exit 37").code, 37)
        self.fails(100, "preline: fatal: unable to run /nonexistent: file does not exist (No such file or directory)\n", "preline", "/nonexistent")
        self.assertEqual(self.run_program("preline", "sh", "-c", "kill -9 $$").code, 111)
        # Nobody need read a large message to its end, and the reader dies of SIGPIPE as usual.
        self.assertEqual(self.run_program("preline", "sh", "-c", "exit 0", input=b"x" * 1000000).code, 0)
        self.assertEqual(self.run_program("preline", "sh", "-c", "yes | head -1", input=b"").out, "y\n")
        self.fails(100, "preline: fatal: usage", "preline", "-x", "cat")
        self.fails(100, "preline: fatal: usage", "preline")
        del self.env["RPLINE"]
        self.fails(100, "preline: fatal: usage", "preline", "cat")


@unittest.skipUnless(relais.has_program("qmail-local"), "qmail-local is not built")
class InstructionsOfAUser(ProgramTest):
    """The same programs where they belong: in a .qmail file, run by qmail-local."""

    def setUp(self):
        super().setUp()
        self.bob = self.i.add_user("bob")

    def deliver(self, instructions):
        self.bob.write(".qmail", instructions)
        path = self.file("delivered", "Subject: s\n\nbody\n")
        identity = self.i._identity((self.bob.uid, self.bob.gid)) if relais.IS_ROOT else {}
        with open(path, "rb") as message:
            done = subprocess.run(
                [relais.program("qmail-local"), "bob", self.bob.home, "bob", "", "", "mail.test", "s@y.example", "./Maildir/"],
                stdin=message, capture_output=True, env={**self.i.environment, **self.env}, cwd=self.i.directory, **identity)
        return relais.Result(done)

    def test_forward(self):
        result = self.deliver("|forward a@x.example b@x.example\n")
        self.assertEqual(result.code, 0, result)
        self.assertEqual(self.envelope(), ("s@y.example", ["a@x.example", "b@x.example"]))
        self.assertEqual((self.kept / "message").read_bytes(), b"Delivered-To: bob@mail.test\nSubject: s\n\nbody\n")

    def test_condredirect(self):
        self.assertEqual(self.deliver("|condredirect a@x.example grep -q nothing\n./Maildir/\n").code, 0)
        self.assertEqual(len(self.bob.files()), 1)
        self.assertEqual(self.deliver("|condredirect a@x.example grep -q body\n./Maildir/\n").code, 0)
        self.assertEqual(len(self.bob.files()), 1)
        self.assertEqual(self.envelope(), ("s@y.example", ["a@x.example"]))
        self.assertTrue((self.kept / "message").read_bytes().endswith(b"\nSubject: s\n\nbody\n"))

    def test_bouncesaying_and_except(self):
        result = self.deliver("|bouncesaying 'not for you' grep -q body\n")
        self.assertEqual((result.code, result.out + result.err), (100, "not for you\n"), result)
        self.assertEqual(self.deliver("|bouncesaying 'not for you' except grep -q body\n./Maildir/\n").code, 0)
        self.assertEqual(len(self.bob.files()), 1)

    def test_preline(self):
        self.assertEqual(self.deliver("|preline cat >got\n").code, 0)
        self.assertRegex((self.bob.home / "got").read_bytes(), rb"\AFrom s@y\.example .{24}\nReturn-Path: <s@y\.example>\n"
                         rb"Delivered-To: bob@mail\.test\nSubject: s\n\nbody\n\Z")


class Maildirs(ProgramTest):
    def test_maildirmake(self):
        path = self.i.directory / "M"
        self.ok("maildirmake", path)
        self.assertEqual(sorted(p.name for p in path.iterdir()), ["cur", "new", "tmp"])
        self.assertTrue(all(p.stat().st_mode & 0o777 == 0o700 for p in (path, *path.iterdir())))
        self.fails(111, f"maildirmake: fatal: unable to mkdir {path}: File exists", "maildirmake", path)
        self.fails(100, "maildirmake: fatal: usage", "maildirmake")

    def test_maildir2mbox(self):
        d = self.i.directory
        self.ok("maildirmake", d / "M")
        env = {"MAILDIR": str(d / "M"), "MAIL": str(d / "mbox"), "MAILTMP": str(d / "mbox.tmp")}
        self.ok("maildir2mbox", **env)
        self.assertFalse((d / "mbox").exists())
        (d / "mbox").write_text("From old\n\nold\n\n")
        for name, time, content in (("cur/1:2,S", 812090815, b"Return-Path: <>\n\nFrom x\nlast"),
                                    ("new/2", 812090814, b"Return-Path: <a b@c>\nS: s\n\n>From y\n"), ("new/3", 812090816, b"")):
            path = d / "M" / name
            path.write_bytes(content)
            os.utime(path, (time, time))
        self.ok("maildir2mbox", **env)
        self.assertEqual((d / "mbox").read_bytes(),
                         b"From old\n\nold\n\n"
                         b"From a-b@c Tue Sep 26 04:46:54 1995\nReturn-Path: <a b@c>\nS: s\n\n>>From y\n\n"
                         b"From MAILER-DAEMON Tue Sep 26 04:46:55 1995\nReturn-Path: <>\n\n>From x\nlast\n\n"
                         b"From XXX Tue Sep 26 04:46:56 1995\n\n")
        self.assertEqual([p for part in ("new", "cur") for p in (d / "M" / part).iterdir()], [])
        self.assertFalse((d / "mbox.tmp").exists())

    def test_two_maildir2mbox_at_once_lose_nothing(self):
        d = self.i.directory
        self.ok("maildirmake", d / "M")
        for n in range(5):
            (d / f"M/new/{n}").write_text(f"Subject: {n}\n\nbody\n")
        (d / "mbox").write_text("From old\n\ntorn")
        env = {**self.i.environment, "MAILDIR": str(d / "M"), "MAIL": str(d / "mbox"), "MAILTMP": str(d / "mbox.tmp")}
        with open(d / "mbox", "rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            both = [subprocess.Popen([relais.program("maildir2mbox")], env=env) for _ in range(2)]
            for each in both:
                self.assertTrue(relais.wait_until(lambda: any(p.resolve() == d / "mbox" for p in pathlib.Path(f"/proc/{each.pid}/fd").iterdir())))
        self.assertEqual([each.wait() for each in both], [0, 0])
        moved = (d / "mbox").read_text()
        self.assertEqual(sorted(re.findall(r"(?<=\n\n)From XXX .*\nSubject: (\d)\n\nbody\n", moved)), list("01234"), moved)
        self.assertEqual(list((d / "M/new").iterdir()), [])

    def test_maildir2mbox_keeps_the_maildir_when_it_fails(self):
        d = self.i.directory
        self.ok("maildirmake", d / "M")
        (d / "M/new/1").write_text("x\n")
        self.fails(111, "MAILTMP not set", "maildir2mbox", MAILDIR=str(d / "M"), MAIL=str(d / "mbox"))
        self.fails(111, "unable to ", "maildir2mbox", MAILDIR=str(d / "M"), MAIL=str(d / "mbox"), MAILTMP=str(d / "no/tmp"))
        self.assertEqual((d / "M/new/1").read_text(), "x\n")


@unittest.skipUnless(relais.has_program("qmail-queued"), "qmail-queued is not built")
class RealQueue(relais.TestCase):
    def setUp(self):
        self.i = self.instance()
        self.user = self.i.add_user("joe")
        self.queue = queued.Queued(self.i)
        self.addCleanup(self.queue.close)

    def only_message(self):
        (id,) = self.queue.ids()
        return id, self.queue.message(id), self.queue.file(id).read_bytes()

    def test_inject(self):
        body = os.urandom(700000) + b"\nno line end"
        result = self.i.run("qmail-inject", "a@x.example", "b", input=b"Subject: s\n\n" + body, env={"USER": "joe"}, user=self.user)
        self.assertEqual(result.code, 0, result)
        id, message, file = self.only_message()
        self.assertRegex(message, rb"\AReceived: \(qmail \d+ invoked by uid %d\); " % (self.user.uid if relais.IS_ROOT else os.getuid()))
        self.assertTrue(message.endswith(b"\nSubject: s\n\n" + body))
        for address in (b"joe@mail.test\0", b"Ta@x.example\0", b"Tb@mail.test\0"):
            self.assertIn(address, file)
        self.assertEqual(self.queue.hints(), [id])

    def test_without_qmailhome_the_path_names_the_instance(self):
        link = self.i.directory / "sendmail"
        link.symlink_to(self.i.home / "bin/sendmail")
        environment = {name: value for name, value in self.i.environment.items() if name != "QMAILHOME"} | {"USER": "joe"}
        for program in (link, self.i.home / "bin/qmail-inject"):
            done = subprocess.run([program, "a@x.example"], input=b"Subject: s\n\nx\n", env=environment, capture_output=True)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
        path = self.i.directory / "envelope"
        path.write_bytes(b"Fa@b\0Tc@d\0\0")
        with open(os.devnull, "rb") as message, open(path, "rb") as envelope:
            self.assertEqual(subprocess.run([self.i.home / "bin/qmail-queue"], stdin=message, stdout=envelope.fileno(), env=environment).returncode, 0)
        self.assertEqual(len(self.queue.ids()), 3)

    def test_killed_inject_leaves_nothing(self):
        process = subprocess.Popen([relais.program("qmail-inject"), "a@x.example"], stdin=subprocess.PIPE, env=self.i.environment)
        process.stdin.write(b"Subject: s\n\n" + b"x" * (1 << 20))
        process.stdin.flush()
        self.i.wait_for(self.queue.ids, what="a file that grows")
        process.kill()
        process.wait()
        process.stdin.close()
        self.i.wait_for(lambda: not self.queue.ids(), what="an empty queue")

    @unittest.skipUnless(relais.has_program("qmail-smtpd"), "qmail-smtpd is not built")
    def test_smtp_on_standard_input(self):
        """sendmail -bs: the user relays, as the user he is, and lines may end as in a file."""
        session = b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nSubject: s\r\n\r\n.x\r\n.\r\nQUIT\r\n"
        result = self.i.run("sendmail", "-bs", input=session.replace(b".x", b"..x"), user=self.user)
        self.assertEqual(result.code, 0, result)
        self.assertRegex(result.out, r"\n250 ok \d+ qp \d+\r\n221 ")
        self.assertTrue(self.only_message()[1].endswith(b"\nSubject: s\n\n.x\n"))
        result = self.i.run("sendmail", "-bs", input=session.replace(b"\r\n", b"\n"), user=self.user)
        self.assertRegex(result.out, r"\n250 ok \d+ qp \d+\r\n221 ")


@unittest.skipUnless(HAS_MAIL_FLOW, "not all programs of the mail flow are built")
class WholeInstance(relais.TestCase):
    def test_delivery(self):
        i = self.instance(control={"plusdomain": "mail.test"})
        bob = i.add_user("bob")
        ann = i.add_user("ann")
        ann.write(".qmail", "|forward bob\n")
        i.start_send()
        body = b"\xff\x00.\n.\r\n" + b"z" * 300000 + b"\nno line end"
        result = i.run("qmail-inject", "-f", "s@y.example", "bob", input=b"Subject: direct\n\n" + body, env={"USER": "joe"})
        self.assertEqual(result.code, 0, result)
        (message,) = bob.wait_messages(1)
        header, _, rest = message.partition(b"\n\n")
        self.assertEqual(rest, body)
        self.assertTrue(message.startswith(b"Return-Path: <s@y.example>\nDelivered-To: bob@mail.test\nReceived: (qmail "))
        self.assertIn(b"From: joe@mail.test\n", header)
        result = i.run("sendmail", "-t", input=b"To: ann\nSubject: forwarded\n\nx\n", env={"USER": "joe"})
        self.assertEqual(result.code, 0, result)
        forwarded = bob.wait_messages(2)[1]
        self.assertIn(b"Delivered-To: ann@mail.test\n", forwarded)
        self.assertTrue(forwarded.endswith(b"Subject: forwarded\n\nx\n"))
        i.wait_empty()


if __name__ == "__main__":
    relais.main()
