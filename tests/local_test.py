"""qmail-local and its look-ups by hand, and qmail-lspawn with orders as qmail-send gives them."""

import fcntl
import os
import pathlib
import re
import shutil
import signal
import subprocess
import unittest

from harness import lspawn
from harness import queued
from harness import relais

FIFREEZE, FITHAW = 0xC0045877, 0xC0045878  # linux/fs.h
MESSAGE = "From: a@far.test\nSubject: x\n\nhello\nFrom here on\n"


class Local(relais.TestCase):
    """One user's home directory, and qmail-local run as that user."""

    def setUp(self):
        self.i = self.instance()
        self.joe = self.i.add_user("joe")

    def put(self, name, content, mode=0o600):
        path = self.joe.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(relais.octets(content))
        self.joe.own(path)
        path.chmod(mode)
        return path

    def local(self, *options, dash="", ext="", local="joe", domain="mail.test", sender="a@far.test", default="./Maildir/",
              message=MESSAGE, env=None, home=None):
        return self.i.run("qmail-local", *options, "joe", home or self.joe.home, local, dash, ext, domain, sender, default,
                          input=message, env=env, user=self.joe)

    def expect(self, code, text, **options):
        result = self.local(**options)
        self.assertEqual((result.code, result.out + result.err), (code, text))
        return result

    def read(self, name):
        return relais.text((self.joe.home / name).read_bytes())


class Instructions(Local):
    def test_default_delivery(self):
        self.expect(0, "did 1+0+0\n")
        (message,) = self.joe.messages()
        self.assertEqual(relais.text(message), "Return-Path: <a@far.test>\nDelivered-To: joe@mail.test\n" + MESSAGE)
        (path,) = self.joe.files()
        self.assertRegex(path.name, r"^\d+\.M\d+P\d+Q\d+\.")
        self.assertEqual(path.stat().st_mode & 0o7777, 0o600)
        self.assertEqual(list((self.joe.home / "Maildir/tmp").iterdir()), [])

    def test_empty_file_is_like_none(self):
        self.put(".qmail", "", 0o700)
        self.expect(0, "did 1+0+0\n")

    def test_description(self):
        self.put(".qmail", "#c\n|prog a  \n./Maildir/\n./Mailbox\n&a@b.test\nc@d.test\n")
        result = self.local("-n")
        self.assertEqual(result.code, 0)
        self.assertEqual(result.out, "program prog a\nmaildir ./Maildir/\nmbox ./Mailbox\nforward a@b.test\nforward c@d.test\n"
                                     "did 2+2+1\n")
        self.assertEqual(self.joe.messages(), [])
        self.assertFalse((self.joe.home / "Mailbox").exists())

    def test_every_kind_of_file(self):
        self.put(".qmail", "./Mailbox\n# comment\n\n./Maildir/\n|cat >copy\n")
        self.expect(0, "did 2+0+1\n")
        self.assertRegex(self.read("Mailbox"), r"^From a@far\.test \w{3} \w{3} \d\d \d\d:\d\d:\d\d \d{4}\nReturn-Path: <a@far\.test>"
                                               r"\nDelivered-To: joe@mail\.test\nFrom: a@far\.test\n(.|\n)*\n>From here on\n\n$")
        self.assertEqual(self.read("copy"), MESSAGE)
        self.assertEqual(len(self.joe.messages()), 1)

    def test_blank_first_line_defers(self):
        self.put(".qmail", " \n./Maildir/\n")
        self.expect(111, "Uh-oh: first line of .qmail file is blank. (#4.2.1)\n")
        self.assertEqual(self.joe.messages(), [])

    def test_x_bit_allows_only_forwarding(self):
        self.put(".qmail", "|true\n", 0o700)
        self.expect(111, "Uh-oh: .qmail has prog delivery but has x bit set. (#4.7.0)\n")
        self.put(".qmail", "./Maildir/\n", 0o700)
        self.expect(111, "Uh-oh: .qmail has file delivery but has x bit set. (#4.7.0)\n")
        self.put(".qmail", "a@b.test\n", 0o700)
        self.assertEqual(self.local("-n").out, "forward a@b.test\ndid 0+1+0\n")

    def test_plus_list_is_an_x_bit_in_the_file(self):
        self.put(".qmail", "+list\n|true\n")
        self.expect(111, "Uh-oh: .qmail has prog delivery but has x bit set. (#4.7.0)\n")

    def test_permissions(self):
        self.put(".qmail", "./Maildir/\n", 0o602)
        self.expect(111, "Uh-oh: .qmail file is writable. (#4.7.0)\n")
        self.put(".qmail", "./Maildir/\n", 0o600)
        self.joe.home.chmod(0o702)
        self.expect(111, "Uh-oh: home directory is writable. (#4.7.0)\n")
        self.joe.home.chmod(0o1700)
        self.expect(111, "Home directory is sticky: user is editing his .qmail file. (#4.2.1)\n")
        result = self.local("-n")
        self.assertEqual((result.code, result.err), (0, "Warning: home directory is sticky.\n"))
        self.assertEqual(self.joe.messages(), [])
        self.expect(111, "Unable to switch to /none: file does not exist (No such file or directory). (#4.3.0)\n", home="/none")

    def test_search_for_extensions(self):
        self.expect(100, "Sorry, no mailbox here by that name. (#5.1.1)\n", dash="-", ext="x", local="joe-x")
        self.put(".qmail-default", '|echo "default $DEFAULT"\n')
        self.put(".qmail-a-default", '|echo "a $DEFAULT"\n')
        self.put(".qmail-a-b:c", '|echo "exact ${DEFAULT-unset}"\n')
        self.expect(0, "exact unset\ndid 0+0+1\n", dash="-", ext="A-B.C")
        self.expect(0, "a B-C\ndid 0+0+1\n", dash="-", ext="A-B-C")
        self.expect(0, "default ../../etc/passwd\ndid 0+0+1\n", dash="-", ext="../../etc/passwd")

    def test_loop(self):
        self.expect(100, "This message is looping: it already has my Delivered-To line. (#5.4.6)\n",
                    message="Delivered-To: joe@mail.test\n" + MESSAGE)
        self.expect(0, "did 1+0+0\n", message="Delivered-To: jim@mail.test\n\nDelivered-To: joe@mail.test\n")

    def test_no_maildir(self):
        self.put(".qmail", "./None/\n")
        self.expect(111, "Unable to chdir to maildir. (#4.2.1)\n")

    def test_usage(self):
        result = self.i.run("qmail-local", "joe", user=self.joe)
        self.assertEqual(result.code, 100)
        self.assertIn("usage: qmail-local [ -nN ] user homedir local dash ext domain sender aliasempty", result.err)

    def test_standard_input_may_be_a_file(self):
        file = self.put("message", MESSAGE)
        self.put(".qmail", "./Maildir/\n|cat\n")
        with open(file) as stdin:
            stdin.seek(5)
            done = subprocess.run([relais.program("qmail-local"), "joe", self.joe.home, "joe", "", "", "mail.test", "", ""],
                                  stdin=stdin, capture_output=True, env=self.i.environment, timeout=400,
                                  **self.i._identity((self.joe.uid, self.joe.gid)) if relais.IS_ROOT else {})
        self.assertEqual((done.returncode, done.stdout), (0, relais.octets(MESSAGE + "did 1+0+1\n")))

    @unittest.skipUnless(relais.IS_ROOT, "mounts a small file system")
    def test_full_disk(self):
        small = self.joe.home / "small"
        small.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0777", "none", small], capture_output=True).returncode:
            self.skipTest("mount is not allowed here")
        self.addCleanup(subprocess.run, ["umount", small], check=True)
        for part in ("tmp", "new", "cur"):
            self.joe.own(self._directory(small / "Maildir" / part))
        self.joe.own(small / "Maildir")
        self.put(".qmail", "./small/Maildir/\n")
        result = self.local(message=MESSAGE + "x" * 100000)
        self.assertEqual(result.code, 111)
        self.assertRegex(result.err, r"^Temporary error on maildir delivery\. \(#4\.3\.0\)\n.*\(No space left on device\)\n$")
        self.assertEqual([p for p in (small / "Maildir").rglob("*") if p.is_file()], [])
        self.put(".qmail", "./small/Mailbox\n")
        self.expect(0, "did 1+0+0\n")
        before = (small / "Mailbox").read_bytes()
        result = self.local(message=MESSAGE + "x" * 100000)
        self.assertEqual((result.code, result.err), (111, "Unable to write ./small/Mailbox: out of disk space (No space left on device). (#4.3.0)\n"))
        self.assertEqual((small / "Mailbox").read_bytes(), before)

    @staticmethod
    def _directory(path):
        path.mkdir(parents=True)
        return path


class Programs(Local):
    def test_environment(self):
        self.put(".qmail-default", "|env\n")
        out = self.local(dash="-", ext="A-b-c.d", local="joe-A-b-c.d", domain="x.y.mail.test", sender="s t@far.test").out
        lines = out.split("\n")
        for line in ("SENDER=s t@far.test", "NEWSENDER=s t@far.test", "RECIPIENT=joe-A-b-c.d@x.y.mail.test", "USER=joe",
                     f"HOME={self.joe.home}", "HOST=x.y.mail.test", "HOST2=x.y.mail", "HOST3=x.y", "HOST4=x",
                     "LOCAL=joe-A-b-c.d", "EXT=A-b-c.d", "EXT2=b-c.d", "EXT3=c.d", "EXT4=", "DEFAULT=A-b-c.d",
                     "DTLINE=Delivered-To: joe-A-b-c.d@x.y.mail.test", 'RPLINE=Return-Path: <"s t"@far.test>'):
            self.assertIn(line, lines)
        self.assertRegex(out, r"\nUFLINE=From s-t@far\.test \w{3} \w{3} \d\d \d\d:\d\d:\d\d \d{4}\n")
        self.assertIn(f"QMAILHOME={self.i.home}", lines)

    def test_exit_codes(self):
        for code in (0, 99, 64, 65, 70, 76, 77, 78, 100, 112, 1, 2, 75, 111, 127):
            with self.subTest(code):
                self.put(".qmail", f"|exit {code}\n|echo second\n")
                if code in (0, 99):
                    text = "second\ndid 0+0+2\n" if code == 0 else "did 0+0+1\n"
                    self.expect(0, text)
                else:
                    self.expect(100 if code in (64, 65, 70, 76, 77, 78, 100, 112) else 111, "")

    def test_death_by_signal(self):
        self.put(".qmail", "|kill -9 $$\n")
        self.expect(111, "Aack, child crashed. (#4.3.0)\n")

    def test_each_program_gets_the_message_from_its_beginning(self):
        self.put(".qmail", "|head -c 5\n|cat; pwd; umask\n|tail -c 5\n")
        self.expect(0, f"From:{MESSAGE}{self.joe.home}\n0077\ne on\ndid 0+0+3\n")

    def test_it_can_seek_but_sees_nothing_else(self):
        self.put(".qmail", "|python3 seek.py\n")
        self.put("seek.py", "import os\nos.lseek(0, -3, 2)\nprint(os.read(0, 99))\nos.lseek(0, 0, 0)\nprint(len(os.read(0, 9999)))\n")
        self.expect(0, f"b'on\\n'\n{len(MESSAGE)}\ndid 0+0+1\n")

    def test_time_limit(self):
        self.i.control("timeoutlocal", "1")
        self.put(".qmail", "|sleep 1000\n")
        self.expect(111, "Program did not end within 1 seconds. (#4.3.0)\n")
        self.i.control("timeoutlocal", "10")
        self.put(".qmail", "|sleep 1000 & echo $! >pid; wait\n")
        self.expect(111, "Program did not end within 10 seconds. (#4.3.0)\n")
        pid = int(self.read("pid"))
        self.assertTrue(relais.wait_until(lambda: not alive(pid), 10), "what it had started was ended too")


def alive(pid):
    try:
        return relais.Process(pid).state != "Z"
    except (OSError, ValueError):
        return False


class Forwarding(Local):
    """$QMAILQUEUE stands in for the queue."""

    def setUp(self):
        super().setUp()
        self.put("queue", "#!/bin/sh\ncd \"$HOME\"\nexec 3<&1\ncat >message\ntr '\\0' '|' <&3 >envelope\nexit `cat code`\n", 0o700)
        self.put("code", "0\n")

    def forward(self, **options):
        for name in ("message", "envelope"):
            (self.joe.home / name).unlink(missing_ok=True)
        return self.local(env={"QMAILQUEUE": str(self.joe.home / "queue")}, **options)

    def test_one_message_for_all(self):
        self.put(".qmail", "&a@b.test\n./Maildir/\nc@d.test \n")
        result = self.forward()
        self.assertEqual(result.code, 0, result)
        self.assertRegex(result.out, r"^did 1\+2\+0\nqp \d+\n$")
        self.assertEqual(self.read("envelope"), "Fa@far.test|Ta@b.test|Tc@d.test||")
        self.assertEqual(self.read("message"), "Delivered-To: joe@mail.test\n" + MESSAGE)

    def test_owner_and_verp(self):
        self.put(".qmail-list", "+list\na@b.test\n", 0o600)
        list_options = {"dash": "-", "ext": "List", "local": "joe-List"}
        self.forward(**list_options)
        self.assertEqual(self.read("envelope"), "Fa@far.test|Ta@b.test||")
        self.put(".qmail-list-owner", "&joe\n")
        self.forward(**list_options)
        self.assertEqual(self.read("envelope"), "Fjoe-List-owner@mail.test|Ta@b.test||")
        self.put(".qmail-list-owner-default", "&joe\n")
        self.forward(**list_options)
        self.assertEqual(self.read("envelope"), "Fjoe-List-owner-@mail.test-@[]|Ta@b.test||")
        for sender in ("", "#@[]"):
            self.forward(sender=sender, **list_options)
            self.assertEqual(self.read("envelope"), f"F{sender}|Ta@b.test||")

    def test_99_drops_later_lines_only(self):
        self.put(".qmail", "a@b.test\n|exit 99\nc@d.test\n")
        self.forward()
        self.assertEqual(self.read("envelope"), "Fa@far.test|Ta@b.test||")

    def test_refusals(self):
        self.put(".qmail", "a@b.test\n")
        self.put("code", "53\n")
        result = self.forward()
        self.assertEqual((result.code, result.err), (111, "Unable to forward message: qq write error or disk full (#4.3.0).\n"))
        self.put("code", "31\n")
        self.assertEqual(self.forward().code, 100)

    def test_without_a_queue(self):
        self.put(".qmail", "a@b.test\n")
        result = self.local()
        self.assertEqual(result.code, 111)
        self.assertRegex(result.err, r"^Unable to forward message: .*\(#4\.\d\.\d\)\.\n$")


class ForwardingIntoTheQueue(Local):
    def test_the_queue_takes_it(self):
        server = queued.Queued(self.i)
        self.addCleanup(server.close)
        self.put(".qmail", "&a@b.test\nc@d.test\n")
        result = self.local(message=MESSAGE + "x" * 400000)
        self.assertEqual(result.code, 0, result)
        (id,) = server.ids()
        self.assertEqual(result.out, f"did 0+2+0\nqp {id}\n")
        message = relais.text(server.message(id))
        received, _, rest = message.partition("Delivered-To: ")
        self.assertRegex(received, rf"^Received: \(qmail \d+ invoked by uid {self.joe.uid}\); ")
        self.assertEqual(rest, "joe@mail.test\n" + MESSAGE + "x" * 400000)
        self.assertIn(b"a@far.test\0Ta@b.test\0Tc@d.test\0\0", server.file(id).read_bytes())


class Users(relais.TestCase):
    def newu(self, i, text):
        (i.home / "users/assign").write_text(text)
        return i.run("qmail-newu")

    def test_assign_of_the_document(self):
        i = self.instance()
        lines = ("+00-0010-001001-0-0.com-:00-0010-001001-0-0.com:508:503:/home/vpopmail/domains/00-0010-001001-0-0.com\n"
                 "+00h01.com-:00h01.com:508:503:/home/vpopmail/domains/00h01.com:-:\n"
                 "+01emarket.com-:01emarket.com:508:503:/home/vpopmail/domains/01emarket.com:-:\n")
        result = self.newu(i, lines + ".\n")
        self.assertEqual(result.code, 111)
        self.assertEqual(result.err, "qmail-newu: fatal: bad format in users/assign: line 1: it has 5 of 7 fields\n")
        self.assertFalse((i.home / "users/cdb").exists())
        self.assertEqual(self.newu(i, lines.split("\n", 1)[1] + ".\n").code, 0)
        cdb = i.home / "users/cdb"
        query = subprocess.run(["cdb", "-q", cdb, "!00h01.com-"], capture_output=True) if relais.shutil.which("cdb") else None
        if query:
            self.assertEqual(query.stdout, b"00h01.com|508|503|/home/vpopmail/domains/00h01.com|-|".replace(b"|", b"\0"))

    def test_a_file_cut_short(self):
        i = self.instance()
        result = self.newu(i, "=joe:joe:1:2:/home/joe:::\n")
        self.assertEqual(result.code, 111)
        self.assertTrue(result.err.startswith("qmail-newu: fatal: bad format in users/assign"), result)

    def test_getpw(self):
        i = self.instance()
        alias = i.ids("alias")
        fallback = f"alias\0{alias[0]}\0{alias[1]}\0{i.home}/alias\0-\0%s\0"
        for address in ("root", "root-x", "no.body-Here", ""):
            self.assertEqual(i.run("qmail-getpw", address).out, fallback % address)
        self.assertEqual(i.run("qmail-getpw").code, 100)

    @unittest.skipUnless(relais.IS_ROOT, "looks at other users' homes")
    def test_getpw_finds_users_who_own_their_home(self):
        import pwd
        i = self.instance()
        candidates = [u for u in pwd.getpwall() if u.pw_uid and os.path.isdir(u.pw_dir) and os.stat(u.pw_dir).st_uid == u.pw_uid]
        if not candidates:
            self.skipTest("no such user on this machine")
        u = candidates[0]
        head = f"{u.pw_name}\0{u.pw_uid}\0{u.pw_gid}\0{u.pw_dir}\0"
        self.assertEqual(i.run("qmail-getpw", u.pw_name.upper()).out, head + "\0\0")
        self.assertEqual(i.run("qmail-getpw", f"{u.pw_name}-List-x").out, head + "-\0List-x\0")

    @unittest.skipUnless(relais.IS_ROOT, "shows qmail-getpw another /etc/passwd")
    def test_getpw_alias_has_the_home_of_its_instance(self):
        i = self.instance()
        other = i.directory / "other"
        other.mkdir()
        os.chown(other, 39999, 39999)
        lines = [line for line in pathlib.Path("/etc/passwd").read_text().splitlines() if not line.startswith("alias:")]
        passwd = i.directory / "passwd"
        passwd.write_text("\n".join([*lines, f"alias:x:39999:39999::{other}:/bin/true", ""]))
        uid, gid = i.ids("alias")
        script = "mount --make-rprivate / && mount --bind $1 /etc/passwd && exec $2 $3"
        if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
            self.skipTest("no namespaces here")
        for address, rest in (("Alias", "\0\0"), ("alias-Foo", "-\0Foo\0")):
            done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", passwd, relais.program("qmail-getpw"), address],
                                  capture_output=True, text=True, env=i.environment)
            self.assertEqual(done.stdout, f"alias\0{uid}\0{gid}\0{i.home}/alias\0{rest}", done)

    def test_newmrh(self):
        i = self.instance(control={"morercpthosts": "# more\nA.test \n\n.b.test\n"})
        result = i.run("qmail-newmrh")
        self.assertEqual(result.code, 0, result)
        if relais.shutil.which("cdb"):
            dump = subprocess.run(["cdb", "-d", i.home / "control/morercpthosts.cdb"], capture_output=True).stdout
            self.assertEqual(dump, b"+6,0:a.test->\n+7,0:.b.test->\n\n")
        i.control("morercpthosts", None)
        result = i.run("qmail-newmrh")
        self.assertEqual(result.code, 111)
        self.assertIn("morercpthosts", result.err)
        self.assertTrue((i.home / "control/morercpthosts.cdb").exists())


class Spawning(relais.TestCase):
    def setUp(self):
        self.i = self.instance()
        self.joe = self.i.add_user("joe")

    def spawner(self, **options):
        self.s = lspawn.Spawner(self.i, **options)
        self.addCleanup(self.s.close)
        return self.s

    def put(self, name, content, mode=0o600, user=None):
        user = user or self.joe
        path = user.home / name
        path.write_text(content)
        user.own(path)
        path.chmod(mode)

    def expect(self, outcome, text, recipient="joe@mail.test", **options):
        report = self.s.deliver(recipient, **options)
        self.assertEqual((report.outcome, report.text), (outcome, text))

    def test_delivery(self):
        self.spawner()
        self.expect("success", "did 1+0+0", sender="")
        (message,) = self.joe.messages()
        self.assertEqual(message, b"Return-Path: <>\nDelivered-To: joe@mail.test\nSubject: x\n\nhello\n")
        (path,) = self.joe.files()
        self.assertEqual((path.stat().st_uid, path.stat().st_gid), (self.joe.uid, self.joe.gid))
        self.assertEqual(self.s.close(), 0)
        self.assertEqual(self.i.log("lspawn"), [])

    def test_large_and_odd_messages(self):
        self.spawner()
        for message in (b"", b"x", b"\0\n\xff" * 100000, b"a" * 200000, b"\r\n.\r\n"):
            self.expect("success", "did 1+0+0", message=message)
            head = b"Return-Path: <from@far.test>\nDelivered-To: joe@mail.test\n"
            self.assertIn(head + message, self.joe.messages())

    def test_alias_is_the_last_resort(self):
        self.spawner()
        alias = self.i.home / "alias"
        self.expect("failure", "Sorry, no mailbox here by that name. (#5.1.1)", "nobody@mail.test")
        (alias / ".qmail-root").write_text("|echo $USER $LOCAL `id -u`\n")
        (alias / ".qmail-root").chmod(0o644)
        uid = self.i.ids("alias")[0]
        self.expect("success", f"alias root {uid}\ndid 0+0+1", "root@mail.test")

    def test_vpopmail(self):
        """A virtual domain of vpopmail: a wildcard for the domain's prefix, and a program in .qmail-default."""
        domain = self.i.add_user("vpopmail", extensions=False)
        self.put(".qmail-default", "|cat >/dev/null; echo $USER $EXT@$HOST $DEFAULT\n", user=domain)
        self.i.assign(f"+00h01.com-:00h01.com:{domain.uid}:{domain.gid}:{domain.home}:-:")
        self.spawner()
        self.expect("success", "00h01.com Info@00h01.com Info\ndid 0+0+1", "00h01.com-Info@00h01.com")
        domain.home.joinpath(".qmail-default").chmod(0o700)
        self.expect("deferral", "Uh-oh: .qmail has prog delivery but has x bit set. (#4.7.0)", "00h01.com-Info@00h01.com")

    def test_users_cdb_changes_at_once(self):
        self.spawner()
        self.expect("failure", "Sorry, no mailbox here by that name. (#5.1.1)", "jim@mail.test")
        self.i.add_user("jim")
        self.expect("success", "did 1+0+0", "jim@mail.test")
        (self.i.home / "users/cdb").write_text("no cdb")
        report = self.s.deliver("jim@mail.test")
        self.assertEqual(report.outcome, "deferral")
        self.assertIn("users/cdb", report.text)
        self.i.add_user("jane")
        self.expect("success", "did 1+0+0", "jim@mail.test")

    @unittest.skipUnless(relais.IS_ROOT, "needs a system instance")
    def test_never_as_root_or_as_the_mail_system(self):
        queue, group = self.i.ids("qmailq")
        home = self.joe.home
        self.i.assign(f"=boss:boss:0:0:{home}:::", f"=wheel:wheel:{self.joe.uid}:0:{home}:::",
                      f"=queue:queue:{queue}:1:{home}:::", f"=group:group:{self.joe.uid}:{group}:{home}:::")
        self.spawner()
        remedy = "name another one in users/assign and run qmail-newu. (#4.3.5)"
        for name, whom in (("boss", "as root"), ("wheel", "with root's group, gid 0"),
                           ("queue", "as a user of the mail system (qmailq of control/owners)"),
                           ("group", f"with a group of the mail system (gid {group} of control/owners)")):
            self.expect("deferral", f"Not allowed to perform deliveries {whom}: {remedy}", f"{name}@mail.test")
        self.assertEqual(self.joe.messages(), [])

    def lying_look_up(self, uid, gid, assigned):
        """Puts a qmail-getpw into the instance that says these ids of everybody."""
        programs = self.i.home / "bin"
        programs.unlink()
        programs.mkdir()
        for entry in relais.BIN.iterdir():
            (programs / entry.name).symlink_to(entry)
        (programs / "qmail-getpw").unlink()
        (programs / "qmail-getpw").write_text(f"""#!/usr/bin/python3
import socket, struct
asked = socket.socket(fileno=3)
while question := asked.recv(65536):
    user = b"x\\0{uid}\\0{gid}\\0{self.joe.home}\\0\\0\\0"
    asked.send(question[:8] + struct.pack("<cBIIII", b"F", {int(assigned)}, {uid}, {gid}, 0, 0) + user)
""")
        (programs / "qmail-getpw").chmod(0o755)

    @unittest.skipUnless(relais.IS_ROOT, "needs a system instance")
    def test_a_lying_look_up_chooses_no_ids(self):
        """Who has taken qmailp over names root's group, or an id that only users/assign could name."""
        lie = "users/cdb does not say of this address what the user look-up said: it has just been changed. (#4.3.0)"
        self.i.control("minimumuid", "1000")
        self.lying_look_up(self.joe.uid, 0, False)
        self.spawner()
        self.expect("deferral", lie, "joe@mail.test")
        self.expect("deferral", "Not allowed to perform deliveries with root's group, gid 0: "
                    "name another one in users/assign and run qmail-newu. (#4.3.5)", "jim@mail.test")
        self.s.close()
        shutil.rmtree(self.i.home / "bin")
        (self.i.home / "bin").symlink_to(relais.BIN)
        self.lying_look_up(33, 42, True)
        self.spawner()
        self.expect("deferral", lie, "jim@mail.test")
        self.assertEqual(self.joe.messages(), [])

    @unittest.skipUnless(relais.IS_ROOT, "needs a system instance")
    def test_minimumuid(self):
        low = self.i.add_user("low")
        self.i.control("minimumuid", str(low.uid + 1))
        self.spawner()
        self.expect("success", "did 1+0+0", "low@mail.test")
        self.s.close()
        self.lying_look_up(1, 1, False)
        self.spawner()
        self.expect("deferral", f"Not allowed to perform deliveries as uid 1, which is below the {low.uid + 1} of control/minimumuid: "
                    "name the user in users/assign and run qmail-newu, or write a lower number there. (#4.3.5)", "jim@mail.test")
        self.i.control("minimumuid", "1")
        self.assertNotIn("minimumuid", self.s.deliver("jim@mail.test").text)

    def test_descriptors_that_are_not_the_queues(self):
        self.spawner()
        wrong = "The message's descriptor is not one of the queue's. (#4.3.0)"
        read_end, write_end = os.pipe()
        writable = os.open(self.s.queue_file("x"), os.O_RDWR)
        foreign = self.joe.home / "foreign"
        foreign.write_bytes(b"x" * 100)
        if relais.IS_ROOT:
            os.chown(foreign, 1, 1)
        cases = [(read_end, 0), (writable, 1), (os.open(self.s.queue_file("x"), os.O_RDONLY), 9999)]
        if relais.IS_ROOT:
            cases.append((os.open(foreign, os.O_RDONLY), 1))
        for fd, size in cases:
            self.expect("deferral", wrong, fd=fd, size=size)
            os.close(fd)
        os.close(write_end)
        self.expect("deferral", "The message came without a descriptor. (#4.3.0)", fd=-1, size=0)
        self.assertEqual(self.joe.messages(), [])

    def test_programs_get_nothing_but_the_message(self):
        self.put(".qmail", "|python3 look.py\n")
        self.put("look.py", r"""
import os
print(len(os.read(0, 100000)), os.getgroups(), os.getuid() == os.stat(".").st_uid, os.getcwd() == os.environ["HOME"])
for fd in os.listdir("/proc/self/fd"):
    try:
        print(fd, os.readlink("/proc/self/fd/" + fd).split(":")[0].split(" ")[0])
    except OSError:
        pass  # the directory that is being listed
try:
    os.listdir(os.environ["QMAILHOME"] + "/queue/mess/0")
    print("reads the queue")
except OSError:
    print("no queue")
def status(pid):
    with open("/proc/%d/status" % pid) as lines:
        return dict(line.split(":\t") for line in lines if ":\t" in line)
pid = os.getppid()
while status(pid)["Name"] != "qmail-local\n":
    pid = int(status(pid)["PPid"])
try:
    os.listdir("/proc/%d/fd" % pid)
    print("reads our descriptors")
except OSError:
    print("no descriptors")
""")
        self.spawner()
        report = self.s.deliver("joe@mail.test", message="hello\n")
        self.assertEqual(report.outcome, "success", report)
        lines = report.text.split("\n")
        self.assertEqual(lines[0], "6 [] True True")
        self.assertEqual(sorted(lines[1:4]), ["0 /memfd", "1 pipe", "2 pipe"])
        self.assertEqual(lines[4:], (["no queue"] if relais.IS_ROOT else ["reads the queue"]) + ["no descriptors", "did 0+0+1"])

    def test_a_daemon_that_holds_the_output(self):
        self.put(".qmail", "|sleep 1000 & echo $! >pid; echo started\n")
        self.spawner()
        self.expect("success", "started\ndid 0+0+1")
        pid = int((self.joe.home / "pid").read_text())
        self.assertTrue(alive(pid))
        os.kill(pid, 9)

    def test_much_output_is_cut(self):
        self.put(".qmail", "|head -c 1000000 /dev/zero | tr '\\0' x\n")
        self.spawner()
        report = self.s.deliver("joe@mail.test")
        self.assertEqual(report.outcome, "success")
        self.assertLessEqual(len(report.text), 3000)
        self.assertTrue(report.text.endswith("\nError report too long, sorry."), report.text[-60:])

    def test_standard_error_is_reported(self):
        self.put(".qmail", "|echo no such user >&2; exit 100\n")
        self.spawner()
        self.expect("failure", "no such user")

    def test_time_limit(self):
        self.put(".qmail", "|sleep 1000\n")
        self.i.control("timeoutlocal", "1")
        self.spawner()
        self.expect("deferral", "Program did not end within 1 seconds. (#4.3.0)")

    def test_a_stopped_delivery_does_not_keep_its_place(self):
        self.put(".qmail", "|kill -STOP $PPID\n")
        self.i.control("deadlinelocal", "1")
        self.spawner()
        self.expect("deferral", "This delivery took too long. (#4.3.0)")

    def test_a_killed_delivery_is_deferred(self):
        self.put(".qmail", "|sleep 1000\n")
        self.spawner()
        self.s.order("joe@mail.test")
        self.i.wait_for(lambda: self.i.processes("sleep"), 20, "the program")
        self.i.kill("qmail-local")
        report = self.s.report()
        self.assertEqual((report.outcome, report.text), ("deferral", "qmail-local crashed. (#4.3.0)"))
        self.i.kill("sleep")

    def test_a_users_process_serves_him_alone_and_may_die(self):
        users = [self.joe, self.i.add_user("anna")]
        self.spawner()
        for count in (1, 2):
            for user in users:
                self.expect("success", "did 1+0+0", f"{user.name}@mail.test")
                self.assertEqual([path.stat().st_uid for path in user.files()], [user.uid] * count)
            # Some may have ended by themselves meanwhile.
            self.i.kill("qmail-local")
            self.i.wait_for(lambda: not self.i.processes("qmail-local"), 20, "their end")

    def test_what_users_assign_says_counts_from_the_next_order_on(self):
        anna = self.i.add_user("anna")
        self.spawner()
        for count in (1, 2, 3):
            for user in (self.joe, anna):
                self.i.assign_lines = [line for line in self.i.assign_lines if not line.startswith("=x:")]
                self.i.assign(f"=x:{user.name}:{user.uid}:{user.gid}:{user.home}:::")
                self.expect("success", "did 1+0+0", "x@mail.test")
                self.expect("success", "did 1+0+0", "x@mail.test")
                self.assertEqual(len(user.files()), 2 * count)

    def idle_process(self):
        """The one process of users, once it has nothing to do."""
        def idle():
            found = self.i.processes("qmail-local")
            return found[0] if len(found) == 1 and b"idle" in pathlib.Path(f"/proc/{found[0].pid}/cmdline").read_bytes() else None
        return self.i.wait_for(idle, 20, "an idle process")

    def test_an_idle_process_holds_nothing_of_the_home(self):
        self.spawner()
        self.expect("success", "did 1+0+0")
        process = self.idle_process()
        proc = pathlib.Path(f"/proc/{process.pid}")
        self.assertEqual(os.readlink(proc / "cwd"), "/")
        held = [os.readlink(path) for path in (proc / "fd").iterdir()]
        self.assertEqual([name for name in held if name.startswith("/") and name != "/dev/null" and "log" not in name], [])
        self.expect("success", "did 1+0+0")
        self.assertEqual(self.idle_process().pid, process.pid, "it serves the next message, too")

    def test_a_change_in_control_or_users_ends_the_processes_of_users(self):
        self.spawner()
        for change in (lambda: self.i.control("concurrencylocal", "9"), lambda: self.i.assign("=y:y:2000:2000:/nowhere:::")):
            self.expect("success", "did 1+0+0")
            process = self.idle_process()
            change()
            self.i.wait_for(lambda: not self.i.processes("qmail-local"), 20, "its end")
            self.expect("success", "did 1+0+0")
            self.assertNotEqual(self.idle_process().pid, process.pid)

    def stop_a_users_process(self, user):
        """One that has just delivered for the user and has nothing to do."""
        while not self.i.kill("qmail-local", signal.SIGSTOP):
            self.expect("success", "did 1+0+0", user.address)
        self.addCleanup(self.i.kill, "qmail-local")
        # The signal counts when the process comes out of the kernel: until then it may still read an order.
        self.i.wait_for(lambda: all(p.status()["State"].startswith("T") for p in self.i.processes("qmail-local")), what="a stopped process")

    def test_a_stopped_process_keeps_nothing_that_it_has_not_begun(self):
        others = [self.i.add_user(f"u{n}") for n in range(10)]
        self.spawner()
        self.stop_a_users_process(self.joe)
        before = len(self.joe.files())
        users = [self.joe, *others]
        self.assertIn(self.joe.uid, [user.uid for user in others])
        numbers = {self.s.order(user.address) for user in users for _ in range(3)}
        # Without that they would come after 15 minutes, as deferrals.
        reports = [self.s.report(240) for _ in numbers]
        self.assertEqual({report.delivery for report in reports}, numbers)
        self.assertEqual({report.outcome for report in reports}, {"success"})
        self.assertEqual([len(user.files()) for user in users], [before + 3] + [3] * 10)

    def test_a_program_beside_the_maildir_gives_the_order_back(self):
        self.spawner()
        self.expect("success", "did 1+0+0")
        self.put(".qmail", "|echo said\n./Maildir/\n")
        for _ in range(2):
            self.expect("success", "said\ndid 1+0+1")
        self.assertEqual(len(self.joe.files()), 3)

    def test_a_killed_look_up_is_started_again(self):
        self.spawner()
        self.expect("success", "did 1+0+0")
        (look_up,) = self.i.processes("qmail-getpw")
        if relais.IS_ROOT and not self.i.single:
            self.assertEqual(look_up.uid, self.i.ids("qmailp")[0])
        os.kill(look_up.pid, 9)
        self.i.wait_log("the user look-up ended", "lspawn")
        self.expect("success", "did 1+0+0")

    def test_channel_closed_lets_deliveries_end(self):
        self.put(".qmail", "|echo >running; cat fifo\n./Maildir/\n")
        os.mkfifo(self.joe.home / "fifo")
        self.joe.own(self.joe.home / "fifo")
        self.spawner()
        self.s.order("joe@mail.test")
        self.i.wait_for((self.joe.home / "running").exists, 20, "the program")
        self.s.channel.close()
        with open(self.joe.home / "fifo", "w"):
            self.assertIsNone(self.s.process.poll())
        self.assertEqual(self.s.process.wait(60), 0)
        self.assertEqual(len(self.joe.messages()), 1)

    def test_many_at_once(self):
        users = [self.i.add_user(f"u{n}") for n in range(10)]
        self.spawner()
        for n in range(200):
            self.s.order(f"u{n % 10}@mail.test", message=f"Subject: {n}\n\n" + "line\n" * n)
        reports = [self.s.report() for _ in range(200)]
        self.assertEqual({r.delivery for r in reports}, set(range(1, 201)))
        self.assertEqual({r.outcome for r in reports}, {"success"})
        for n, user in enumerate(users):
            found = sorted(int(re.search(rb"Subject: (\d+)", m)[1]) for m in user.messages())
            self.assertEqual(found, list(range(n, 200, 10)))

    @unittest.skipUnless(relais.IS_ROOT, "an ordinary user has only such instances")
    def test_an_instance_of_one_user(self):
        self.i = self.instance(single=True)
        self.joe = self.i.add_user("joe")
        self.i.assign(f"=other:other:12345:12345:{self.joe.home}:-:other:")
        self.put(".qmail-other", "|id -u\n")
        self.spawner()
        self.expect("success", "did 1+0+0")
        self.expect("success", f"{self.joe.uid}\ndid 0+0+1", "other@mail.test")
        self.assertEqual({p.uid for p in self.i.processes()}, {self.joe.uid})


@unittest.skipUnless(relais.has_program("qmail-rspawn"), "qmail-start needs all programs")
class InAnInstance(relais.TestCase):
    def frozen_maildir(self, user):
        """Puts the user's Maildir on a file system where every write waits, as on a file server that is away."""
        image, maildir = user.instance.directory / "image", user.home / "Maildir"
        image.write_bytes(b"")
        os.truncate(image, 16 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
        if subprocess.run(["mount", "-o", "loop", image, maildir], stderr=subprocess.DEVNULL).returncode:
            self.skipTest("no loop mounts here")
        self.addCleanup(subprocess.run, ["umount", "-l", maildir], check=True)
        user.make_maildir()
        directory = os.open(maildir, os.O_RDONLY)
        self.addCleanup(os.close, directory)
        fcntl.ioctl(directory, FIFREEZE, 0)
        return lambda: fcntl.ioctl(directory, FITHAW, 0)

    @unittest.skipUnless(relais.IS_ROOT, "freezing a file system needs root")
    def test_others_get_their_mail_while_the_maildir_of_one_hangs(self):
        i = self.instance()
        users = [i.add_user(f"u{n}") for n in range(5)]
        hung, others = users[0], users[1:]
        thaw = self.frozen_maildir(hung)
        try:
            i.start()
            for _ in range(20):  # more than concurrencylocal
                i.send("from@far.test", [hung.address], "Subject: hung\n\n")
            i.wait_log("starting delivery 7:")
            for user in others:
                i.send("from@far.test", [user.address], "Subject: x\n\n")
            for user in others:
                user.wait_messages(1, 60)
            self.assertEqual(len(hung.files()), 0)
        finally:
            thaw()
        hung.wait_messages(20, 60)
        i.wait_empty(60)
        self.assertEqual(len(hung.files()), 20)
        i.stop()

    def test_what_the_document_shows(self):
        """Assign lines and .qmail-default as vpopmail makes them, and the log line for an x bit that is wrong."""
        i = self.instance(control={"virtualdomains": "00h01.com:00h01.com", "rcpthosts": "mail.test\n00h01.com"})
        domain = i.add_user("vpopmail", extensions=False)
        instructions = domain.home / ".qmail-default"
        instructions.write_text("|cat >copy; echo for $DEFAULT@$HOST\n./Maildir/\n")
        domain.own(instructions)
        instructions.chmod(0o600)
        i.assign(f"+00h01.com-:00h01.com:{domain.uid}:{domain.gid}:{domain.home}:-:")
        i.start()
        i.send("a@far.test", ["Info@00h01.com"], MESSAGE)
        i.wait_log("success: for_Info@00h01.com/did_1+0+1/")
        (message,) = domain.messages()
        self.assertTrue(relais.text(message).startswith(
            "Return-Path: <a@far.test>\nDelivered-To: 00h01.com-Info@00h01.com\nReceived: "))
        self.assertTrue(relais.text(message).endswith(MESSAGE))
        instructions.chmod(0o700)
        i.send("a@far.test", ["info@00h01.com"], MESSAGE)
        i.wait_log("deferral: Uh-oh:_.qmail_has_prog_delivery_but_has_x_bit_set._(#4.7.0)/")

    def test_forwarding_and_bounces(self):
        i = self.instance()
        joe = i.add_user("joe")
        for name, text in ((".qmail-fwd", "&joe@mail.test\n"), (".qmail-loop", "joe-loop@mail.test\n")):
            (joe.home / name).write_text(text)
            joe.own(joe.home / name)
            (joe.home / name).chmod(0o600)
        i.start()
        i.send("joe@mail.test", ["joe-fwd@mail.test"], MESSAGE)
        joe.wait_messages(1)
        i.send("joe@mail.test", ["joe-loop@mail.test", "nobody@mail.test"], MESSAGE)
        bounces = "".join(map(relais.text, joe.wait_messages(3)))
        self.assertIn("<joe-loop@mail.test>:\nThis message is looping: it already has my Delivered-To line. (#5.4.6)\n", bounces)
        self.assertIn("<nobody@mail.test>:\nSorry, no mailbox here by that name. (#5.1.1)\n", bounces)
        i.wait_empty()


if __name__ == "__main__":
    relais.main()
