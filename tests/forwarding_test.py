"""dot-forward, fastforward and what makes their tables; the published programs of that name beside ours, where Debian's packages can be
had."""

import os
import pathlib
import random
import subprocess
import tempfile
import unittest

from harness import peers
from harness import relais

KEEPER = """#!/bin/sh
cat >"$KEPT/message" && cat <&1 >"$KEPT/envelope"
exit "${END:-0}"
"""
LINES = {"UFLINE": "From s\n", "RPLINE": "Return-Path: <s>\n", "DTLINE": "Delivered-To: joe@mx.test\n"}


class Case(relais.TestCase):
    def setUp(self):
        self.i = self.instance(control={"defaulthost": "d.example", "defaultdomain": "example"})
        self.directory = self.i.directory / "work"
        self.directory.mkdir()
        self.directory.chmod(0o777)
        self.keeper = self.file("keeper", KEEPER, 0o755)
        self.message = self.file("message.in", "Subject: x\n\nhello\n")
        self.env = {**LINES, "QMAILQUEUE": str(self.keeper), "KEPT": str(self.directory), "USER": "joe", "HOST": "mx.test",
                    "SENDER": "s@t", "NEWSENDER": "n@t"}

    def file(self, name, content, mode=0o644):
        path = self.directory / name
        path.write_bytes(relais.octets(content))
        path.chmod(mode)
        return path

    def ends(self, code, name, *args, input=None, **env):
        """Runs a program with the message, a file as in a delivery, or the input on descriptor 0."""
        variables = {**self.i.environment, **self.env, **env}
        given = {"input": relais.octets(input)} if input is not None else {"stdin": open(self.message, "rb")}
        done = relais.Result(subprocess.run([relais.program(name), *map(str, args)], capture_output=True, cwd=self.directory,
                                            env={k: v for k, v in variables.items() if v is not None}, **given))
        if input is None:
            given["stdin"].close()
        self.assertEqual(done.code, code, done)
        return done

    def table(self, text, name="t.cdb"):
        self.ends(0, "setforward", name, "tmp", input=text)
        return name

    def sent(self):
        """Message and envelope of what was sent on; nothing if nothing was."""
        envelope = self.directory / "envelope"
        if not envelope.exists():
            return None
        result = (self.directory / "message").read_text(), envelope.read_bytes().split(b"\0")
        envelope.unlink()
        return result


class Tables(Case):
    def test_what_is_set_is_printed(self):
        name = self.table("root@yp.to: god@heaven.af.mil, staff@af.mil;\nBoss@: ?own@z, |prog\\ a;")
        with open(self.directory / name, "rb") as table:
            done = subprocess.run([relais.program("printforward")], stdin=table, capture_output=True, text=True)
        self.assertEqual(done.stdout, "root@yp.to:\n, &god@heaven.af.mil\n, &staff@af.mil\n;\nboss@: ?own@z;\nboss@:\n, |prog\\ a\n;\n")
        self.assertEqual((self.directory / name).stat().st_mode & 0o777, 0o644)
        self.ends(0, "setforward", "again.cdb", "tmp", input=done.stdout)
        self.assertEqual((self.directory / "again.cdb").read_bytes(), (self.directory / name).read_bytes())

    def test_what_is_wrong_leaves_the_old_table(self):
        before = (self.directory / self.table("a@b: c@d;")).read_bytes()
        wrong = self.ends(100, "setforward", "t.cdb", "tmp", input="a@b: c@d")
        self.assertEqual(wrong.err, "setforward: fatal: final instruction must end with semicolon\n")
        self.assertEqual((self.directory / "t.cdb").read_bytes(), before)
        self.assertIn("usage: setforward data.cdb data.tmp", self.ends(100, "setforward", "t.cdb", input="").err)
        self.assertIn("unable to create /nonexistent/t", self.ends(111, "setforward", "x", "/nonexistent/t", input="").err)
        for damaged in ("junk", "", (b"\xff" * 2048)):
            self.assertIn("bad database format", self.ends(100, "printforward", input=damaged).err)

    def test_mailing_lists(self):
        self.ends(0, "setmaillist", "l.bin", "tmp", input="a@b\n# x\n/etc/l.bin\n")
        self.assertEqual((self.directory / "l.bin").read_bytes(), b"&a@b\0/etc/l.bin\0")
        printed = self.ends(0, "printmaillist", input=(self.directory / "l.bin").read_bytes())
        self.assertEqual(printed.out, "&a@b\n/etc/l.bin\n")
        self.assertIn("addresses must be under 800 bytes", self.ends(111, "setmaillist", "l.bin", "tmp", input="x" * 801).err)
        self.assertIn("bad mailing list format", self.ends(100, "printmaillist", input="&x").err)


class FastForward(Case):
    def test_forwards(self):
        name = self.table("list@: ?own@w, a@b, B@c; x@y: |cat, !cat, a@b; only@y: |true;")
        result = self.ends(0, "fastforward", name, RECIPIENT="LIST@z")
        self.assertRegex(result.err, r"^fastforward: qp \d+\n$")
        self.assertEqual(self.sent(), (LINES["DTLINE"] + "Subject: x\n\nhello\n", [b"Fown@w", b"Ta@b", b"TB@c", b"", b""]))
        result = self.ends(99, "fastforward", "-p", name, RECIPIENT="x@y")
        message = "Subject: x\n\nhello\n"
        self.assertEqual(result.out, message + "".join(LINES.values()) + message)
        self.assertEqual(self.sent()[1][0], b"Fs@t")
        self.ends(0, "fastforward", name, RECIPIENT="only@y")
        self.assertIsNone(self.sent())

    def test_only_prints(self):
        name = self.table("list@: ?own@w, a@b, |p;")
        result = self.ends(0, "fastforward", "-n", name, RECIPIENT="list@z")
        self.assertEqual((result.out, result.err), ("", "run |p\nfrom <own@w>\nto <a@b>\n"))
        self.assertIsNone(self.sent())

    def test_the_recipient(self):
        name = self.table("root@yp.to: a@b;")
        self.ends(0, "fastforward", "-d", name, DEFAULT="root", EXT="other", HOST="yp.to")
        self.ends(0, "fastforward", "-d", name, EXT="root", HOST="yp.to")
        self.assertIn("$DEFAULT or $EXT must be set", self.ends(100, "fastforward", "-d", name).err)
        self.assertIn("$HOST must be set", self.ends(100, "fastforward", "-d", name, EXT="root", HOST=None).err)
        self.assertIn("$RECIPIENT must be set", self.ends(100, "fastforward", name).err)
        nobody = self.ends(100, "fastforward", name, RECIPIENT="none@yp.to")
        self.assertEqual(nobody.err, "Sorry, no mailbox here by that name. (#5.1.1)\n")
        self.assertEqual(self.ends(0, "fastforward", "-p", name, RECIPIENT="none@yp.to").err, "")

    def test_how_programs_end(self):
        for code, expected in ((0, 0), (64, 100), (77, 100), (100, 100), (112, 100), (99, 111), (1, 111), (111, 111)):
            name = self.table(f"x@y: |exit\\ {code}, a@b;")
            with self.subTest(code):
                self.ends(expected, "fastforward", name, RECIPIENT="x@y")
                self.assertEqual(self.sent() is not None, code == 0)
        name = self.table("x@y: |kill\\ -9\\ $$;")
        self.assertIn("child crashed", self.ends(111, "fastforward", name, RECIPIENT="x@y").err)

    def test_lists(self):
        self.ends(0, "setmaillist", "l.bin", "tmp", input="in@l\na@b\n")
        name = self.table("l@x: ./l.bin, a@b; gone@x: /nonexistent; evil@x: ./evil.bin;")
        self.ends(0, "fastforward", name, RECIPIENT="l@x")
        self.assertEqual(self.sent()[1][1:3], [b"Tin@l", b"Ta@b"])
        (self.directory / "l.bin").chmod(0o640)
        self.assertIn("./l.bin is not world-readable", self.ends(111, "fastforward", name, RECIPIENT="l@x").err)
        self.ends(111, "fastforward", name, RECIPIENT="gone@x")
        self.file("evil.bin", b"|touch evil\0")
        self.ends(111, "fastforward", name, RECIPIENT="evil@x")
        self.assertFalse((self.directory / "evil").exists())

    def test_the_queue_says_no(self):
        name = self.table("x@y: a@b;")
        self.ends(100, "fastforward", name, RECIPIENT="x@y", END="31")
        self.ends(111, "fastforward", name, RECIPIENT="x@y", END="53")
        self.ends(111, "fastforward", "gone.cdb", RECIPIENT="x@y")
        self.file("junk.cdb", "junk")
        self.ends(111, "fastforward", "junk.cdb", RECIPIENT="x@y")
        self.ends(100, "fastforward", RECIPIENT="x@y")
        self.ends(100, "fastforward", "-x", name, RECIPIENT="x@y")


class DotForward(Case):
    def obeys(self, code, text, *options, **env):
        self.file(".forward", text)
        return self.ends(code, "dot-forward", *options, ".forward", **env)

    def test_forwards(self):
        result = self.obeys(99, "bob, Fred <fred@h>\n# remark\n")
        self.assertRegex(result.err, r"^dot-forward: info: qp \d+\n$")
        self.assertEqual(self.sent(), (LINES["DTLINE"] + "Subject: x\n\nhello\n",
                                       [b"Fn@t", b"Tbob@d.example", b"Tfred@h.example", b"", b""]))

    def test_the_user_himself(self):
        self.obeys(0, "\\joe\n")
        self.assertIsNone(self.sent())
        self.obeys(0, "joe@MX.test, bob@x.test\n")
        self.assertEqual(self.sent()[1][1:2], [b"Tbob@x.test"])

    def test_files_that_are_not_there_or_empty(self):
        self.ends(0, "dot-forward", "gone")
        self.assertEqual(self.obeys(0, "# nothing\n").err, "dot-forward: info: skipping empty file .forward\n")
        self.file("second", "bob@x.test\n")
        self.ends(99, "dot-forward", "gone", ".forward", "second")
        self.ends(111, "dot-forward", "/tmp")

    def test_commands(self):
        result = self.obeys(99, '"|cat"\n')
        self.assertEqual(result.out, "".join(LINES.values()) + "Subject: x\n\nhello\n")
        for code, expected in ((0, 99), (100, 100), (64, 100), (99, 111), (1, 111), (111, 111)):
            self.obeys(expected, f'"|exit {code}", a@b.c\n')
            self.assertEqual(self.sent() is not None, code == 0)
        self.assertIn("child crashed", self.obeys(111, '"|kill -9 $$"\n').err)

    def test_only_prints(self):
        result = self.obeys(99, 'bob, "|vacation bob"\n', "-n")
        self.assertEqual((result.out, result.err), ("", "forward bob@d.example\npipe through vacation bob\n"))
        self.assertEqual(self.obeys(0, "joe\n", "-n").err, "direct delivery\n")
        self.assertEqual(self.obeys(0, "", "-n").err, "skipping empty file .forward\n")

    def test_what_it_cannot_do(self):
        self.assertIn("file delivery /tmp/mbox not supported", self.obeys(111, "/tmp/mbox\n").err)
        self.obeys(111, ":include:/etc/list\n")
        self.assertIn("unable to parse this line", self.obeys(111, '"open\n').err)
        self.assertIn("unable to forward message", self.obeys(111, "a@b.c\n", END="71").err)
        self.obeys(100, "a@b.c\n", END="31")
        self.obeys(100, "a@b.c\n", USER=None)
        self.obeys(100, "a@b.c\n", DTLINE=None)
        self.ends(100, "dot-forward")


class BesideTheOriginals(unittest.TestCase):
    """The same input for ours and for Debian's: the same octets and exit codes."""

    @classmethod
    def setUpClass(cls):
        cls.theirs = peers.fetch("fastforward", "fastforward")
        cls.directory = tempfile.TemporaryDirectory(prefix="rlff.", dir="/tmp")
        cls.addClassCleanup(cls.directory.cleanup)

    def both(self, name, *args, input=b"", env=None):
        results = []
        for program in (relais.program(name), self.theirs.program(name)):
            results.append(subprocess.run([program, *args], input=input, capture_output=True, cwd=self.directory.name,
                                          env={"PATH": os.environ["PATH"], **(env or {})}))
        ours, theirs = results
        self.assertEqual(ours.returncode, theirs.returncode, (input, ours, theirs))
        return ours, theirs

    def table(self, text):
        """The table as both write it; None if both refuse it."""
        written = []
        for program in (relais.program("setforward"), self.theirs.program("setforward")):
            path = pathlib.Path(self.directory.name) / "t.cdb"
            path.unlink(missing_ok=True)
            done = subprocess.run([program, path, path.with_suffix(".tmp")], input=text, capture_output=True)
            written.append((done.returncode, path.read_bytes() if path.exists() else None, done.stderr))
        self.assertEqual(written[0], written[1], text)
        return written[0][1]

    def test_tables(self):
        texts = [b"", b"a@: ;", b"root@yp.to: god@heaven.af.mil, staff@af.mil;\n# c\nBoss@: &x@y, ?own@z, |prog\\ a, !p, /l, ./r;",
                 b"a@: b@c; a@: d@e;", b"a@b c@d;", b"a@: b@c;;", b"x:a::b;", b"a: b\\", b"a: b\0c;", b"a\\:b: c\\;d;", b"a: \"x\"@y;"]
        some = random.Random(7)
        texts += [bytes(some.choice(b"ab@:;, \\#?|!/.\n\t&A") for _ in range(some.randrange(40))) for _ in range(300)]
        tables = 0
        for text in texts:
            made = self.table(text)
            if made is not None:
                tables += 1
                ours, theirs = self.both("printforward", input=made)
                self.assertEqual(ours.stdout, theirs.stdout, text)
        self.assertGreater(tables, 15)

    def test_expansions(self):
        self.table(b"a@x: b@x, c@x; b@x: ?bo@x, d@x, c@x, e@x; c@x: d@x, |p; d@x: z@z; @any: d@x, @x; u@: d@x, u@, @x; @x: k@k;"
                   b"e@x: ?eo@x, z@z, d@x; n@: ?x@y;")
        for address in ("a@x", "b@x", "any@any", "u@h", "E@X", "n@l", "q@x", "nobody"):
            for sender in ("s@t", "", "#@[]"):
                ours, theirs = self.both("fastforward", "-n", "t.cdb", env={"RECIPIENT": address, "SENDER": sender})
                self.assertEqual(sorted(ours.stderr.splitlines()), sorted(theirs.stderr.splitlines()), address)

    def test_lists(self):
        for text in (b"a@b\n&c@d \n# x\n\n/etc/foo\n./bar", b"", b"\0", b"x" * 900, b" a\n\t#x\n%y\n|p\n?o\n"):
            lists = []
            for program in (relais.program("setmaillist"), self.theirs.program("setmaillist")):
                path = pathlib.Path(self.directory.name) / "l.bin"
                path.unlink(missing_ok=True)
                done = subprocess.run([program, path, path.with_suffix(".tmp")], input=text, capture_output=True)
                lists.append((done.returncode, path.read_bytes() if path.exists() else None))
            self.assertEqual(lists[0], lists[1], text)
            if lists[0][1]:
                ours, theirs = self.both("printmaillist", input=lists[0][1])
                self.assertEqual(ours.stdout, theirs.stdout)


if __name__ == "__main__":
    relais.main()
