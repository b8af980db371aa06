"""The small programs of the family: splogger, tcp-env, predate and the scripts, qreceipt, from, maildirwatch, qmail-pw2u."""

import os
import pathlib
import re
import socket
import subprocess
import threading

from harness import namespace
from harness import relais
from harness.kept import Kept

namespace.enter()


class Keeping(Kept):
    def ends(self, code, name, *args, input=b"", **env):
        result = self.run_program(name, *args, input=input, **env)
        self.assertEqual(result.code, code, result)
        return result

    def message(self):
        return (self.kept / "message").read_text()

    def envelope(self):
        return (self.kept / "envelope").read_bytes()


class Splogger(Keeping):
    """With a /dev of its own, for syslog's socket has one name only."""

    @classmethod
    def setUpClass(cls):
        namespace.require()
        store = pathlib.Path("/tmp") / f"rldev.{os.getpid()}"
        store.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", store], check=True)
        for name in ("null", "zero", "full", "random", "urandom", "tty"):
            (store / name).touch()
            subprocess.run(["mount", "--bind", f"/dev/{name}", store / name], check=True)
        (store / "fd").symlink_to("/proc/self/fd")
        (store / "shm").mkdir(mode=0o1777)
        subprocess.run(["mount", "--move", store, "/dev"], check=True)
        store.rmdir()
        cls.log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        cls.log.bind("/dev/log")
        os.chmod("/dev/log", 0o666)
        cls.log.settimeout(60)
        cls.addClassCleanup(cls.log.close)

    def entry(self):
        """The next entry as facility, priority, and what stands behind the date."""
        found = re.fullmatch(r"<(\d+)>\w{3} [ \d]\d [\d:]{8} (.*)", self.log.recv(4096).decode())
        return int(found[1]) >> 3, int(found[1]) & 7, found[2]

    def test_entries(self):
        self.ends(0, "splogger", "qmail", input="new msg 1\n\nwarning: trouble\nalert: help\nunfinished")
        stamped = [(2, 6, "new msg 1"), (2, 4, "warning: trouble"), (2, 1, "alert: help"), (2, 6, "unfinished")]
        for facility, priority, text in stamped:
            entry = self.entry()
            self.assertEqual(entry[:2], (facility, priority))
            self.assertRegex(entry[2], rf"^qmail: \d+\.\d{{6}} {text}$")

    def test_tag_and_facility(self):
        self.ends(0, "splogger", input="x\n")
        self.assertRegex(self.entry()[2], r"^splogger: \d+\.\d{6} x$")
        self.ends(0, "splogger", "t", "16", input="x\n")
        self.assertEqual(self.entry()[0], 16)
        for wrong in (("t", "mail"), ("t", "24"), ("t", "2", "x")):
            self.assertIn("splogger: fatal: usage", self.ends(100, "splogger", *wrong).err)

    def test_the_logger_of_qmail_start(self):
        """`qmail-start ./Mailbox splogger qmail`, as INSTALL has it: what the daemons say is in syslog, and mail is delivered into
        the mbox; nothing is left when it ends."""
        i = self.instance()
        bob = i.add_user("bob")
        i.spawn("send", [relais.program("qmail-start"), "./Mailbox", "splogger", "qmail"], i.ids("qmailq") if i.single else None)
        self.assertEqual(relais.wait_until(lambda: i.submit("a@b.test", [bob.address]) == 0), True)
        lines = []
        while not any("end msg" in line for line in lines):
            lines.append(self.entry()[2])
        self.assertTrue(any(re.fullmatch(r"qmail: \d+\.\d{6} starting delivery 1: msg \d+ to local bob@mail.test", line)
                            for line in lines), lines)
        self.assertIn("hello", (bob.home / "Mailbox").read_text())
        i.stop()
        self.assertNotIn("alert", "".join(i.log()))


class TcpEnv(Keeping):
    def over(self, address, *options, env=None, port=None):
        """What the program sees of a connection to this address: variables as a dict."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as server:
            server.bind((address, 0))
            server.listen()
            client = socket.create_connection(server.getsockname()[:2])
            with client, server.accept()[0] as session:
                done = subprocess.run([relais.program("tcp-env"), *options, "env"], stdin=session, capture_output=True, text=True,
                                      env={"PATH": os.environ["PATH"], **(env or {})}, timeout=120)
                self.assertEqual(done.returncode, 0, done)
                self.ports = server.getsockname()[1], client.getsockname()[1]
        return dict(line.split("=", 1) for line in done.stdout.splitlines())

    def test_a_connection(self):
        seen = self.over("127.0.0.1", "-R", env={"TCPREMOTEINFO": "old", "TCP6REMOTEIP": "old"})
        self.assertEqual((seen["PROTO"], seen["TCPLOCALIP"], seen["TCPREMOTEIP"]), ("TCP", "127.0.0.1", "127.0.0.1"))
        self.assertEqual((int(seen["TCPLOCALPORT"]), int(seen["TCPREMOTEPORT"])), self.ports)
        self.assertEqual(seen["TCPREMOTEHOST"], "localhost")
        self.assertNotIn("TCPREMOTEINFO", seen)
        self.assertNotIn("TCP6REMOTEIP", seen)

    def test_a_connection_over_ipv6(self):
        seen = self.over("::1", "-R")
        self.assertEqual((seen["PROTO"], seen["TCPREMOTEIP"], seen["TCP6REMOTEIP"], seen["TCP6LOCALIP"]),
                         ("TCP6", "::1", "::1", "::1"))

    def test_who_owns_the_connection(self):
        namespace.require()
        with socket.create_server(("127.0.0.1", 113)) as ident:
            asked = []

            def answer():
                with ident.accept()[0] as client:
                    asked.append(client.recv(1000))
                    client.sendall(asked[0].strip() + b" : USERID : UNIX : joe\r\n")
            helper = threading.Thread(target=answer)
            helper.start()
            seen = self.over("127.0.0.1", "-t10")
            helper.join()
        self.assertEqual(seen["TCPREMOTEINFO"], "joe")
        self.assertEqual(asked, [b"%d, %d\r\n" % self.ports[::-1]])

    def test_nobody_says_who_owns_it(self):
        namespace.require()
        self.assertNotIn("TCPREMOTEINFO", self.over("127.0.0.1"))
        with socket.create_server(("127.0.0.1", 113)):
            self.assertNotIn("TCPREMOTEINFO", self.over("127.0.0.1", "-t", "1"))

    def test_what_a_server_before_it_has_said_stays(self):
        result = self.ends(0, "tcp-env", "sh", "-c", "echo $TCPREMOTEIP", PROTO="TCP", TCPREMOTEIP="192.0.2.1")
        self.assertEqual(result.out, "192.0.2.1\n")

    def test_exit_codes(self):
        self.ends(7, "tcp-env", "sh", "-c", "exit 7", PROTO="TCP")
        self.assertIn("tcp-env: fatal: usage", self.ends(100, "tcp-env", "-R").err)
        self.ends(100, "tcp-env", "-x", "true")
        self.assertIn("unable to run /nonexistent", self.ends(111, "tcp-env", "/nonexistent", PROTO="TCP").err)
        self.assertIn("unable to find the TCP connection", self.ends(111, "tcp-env", "true").err)


class Composing(Keeping):
    def test_predate(self):
        result = self.ends(0, "predate", "cat", input=b"To: x\n\nbody", TZ="XXX-5:30", LC_ALL="de_DE.UTF-8")
        self.assertRegex(result.out, r"\ADate: \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0530\nTo: x\n\nbody\Z")
        self.ends(3, "predate", "sh", "-c", "exit 3")
        self.assertIn("predate: fatal: usage", self.ends(100, "predate").err)
        self.assertIn("child crashed", self.ends(111, "predate", "sh", "-c", "kill -9 $$").err)
        self.ends(100, "predate", "/usr/local/bin/gone")

    def test_datemail(self):
        self.ends(0, "datemail", "-t", "-fa@b.test", input="To: x@y.test\n\nhello\n", TZ="XXX+3")
        self.assertRegex(self.message(), r"(?m)^Date: \d{1,2} \w+ \d{4} [\d:]+ -0300$")
        self.assertEqual(self.envelope(), b"Fa@b.test\0Tx@y.test\0\0")

    def test_mailsubj(self):
        self.ends(0, "mailsubj", "Disk \\n full", "root@x.test", "ann@x.test", input="98 %\n")
        self.assertIn("Subject: Disk \\n full\n", self.message())
        self.assertTrue(self.message().endswith("\n\n98 %\n"))
        self.assertEqual(self.envelope().split(b"\0")[1:3], [b"Troot@x.test", b"Tann@x.test"])
        self.assertIn("usage", self.ends(100, "mailsubj", "alone").err)
        self.ends(111, "mailsubj", "s", "a@x.test", END="71")
        self.ends(100, "mailsubj", "s", "a@x.test", END="31")

    def test_readers_of_an_mbox(self):
        """elq, pinq and qail: what is new is in the mbox before the reader starts; they do not start it if that fails."""
        maildir = self.i.directory / "M"
        for part in ("", "tmp", "new", "cur"):
            (maildir / part).mkdir()
        self.file("elm", "#!/bin/sh\necho elm \"$@\"; cat $MAIL\n", 0o755)
        self.file("pine", "#!/bin/sh\necho pine\n", 0o755)
        self.file("Mail", "#!/bin/sh\necho Mail \"$@\"\n", 0o755)
        (maildir / "new/1.x").write_text("Subject: s\n\nhello\n")
        env = dict(MAILDIR=str(maildir), MAIL=str(self.i.directory / "mbox"), MAILTMP=str(self.i.directory / "mbox.tmp"),
                   PATH=f"{self.i.directory}:{self.i.environment['PATH']}")
        if self.i.single and relais.IS_ROOT:
            subprocess.run(["chown", "-R", str(self.i.ids("qmailq")[0]), maildir], check=True)
        result = self.ends(0, "elq", "-z", **env)
        self.assertTrue(result.out.startswith("elm -z\nFrom "), result)
        self.assertIn("hello", result.out)
        self.assertEqual(self.ends(0, "pinq", **env).out, "pine\n")
        self.assertEqual(self.ends(0, "qail", "x", **env).out, f"Mail -f {env['MAIL']} x\n")
        self.assertEqual(self.ends(111, "qail", **{**env, "MAILDIR": "/nonexistent"}).out, "")

    def test_qreceipt(self):
        asking = "Message-ID: <1@x>\nNotice-Requested-Upon-Delivery-To: a@b.c, Joe <JOE@mail.test>\nFrom: x\n\nbody\n"
        result = self.ends(0, "qreceipt", "joe@mail.test", input=asking, SENDER="s@x.test")
        self.assertRegex(result.err, r"^qreceipt: qp \d+\n$")
        self.assertEqual(self.envelope(), b"F\0Ts@x.test\0\0")
        self.assertRegex(self.message(), "From: DELIVERY NOTICE SYSTEM <joe@mail.test>\nTo: <s@x.test>\nSubject: success notice\n")
        self.assertIn("Hi! This is the qreceipt program. Your message was delivered to the\nfollowing address: joe@mail.test. "
                      "Thanks for asking.\nYour Message-ID: <1@x>\n", self.message())
        self.ends(111, "qreceipt", "joe@mail.test", input=asking, SENDER="s@x.test", END="71")
        (self.kept / "envelope").unlink()
        for sender, text in (("", asking), ("#@[]", asking), ("s@x.test", "From: x\n\nNotice-Requested-Upon-Delivery-To: joe@mail.test\n"),
                             ("s@x.test", asking.replace("JOE", "ann"))):
            self.assertEqual(self.ends(0, "qreceipt", "joe@mail.test", input=text, SENDER=sender).err, "")
        self.assertFalse((self.kept / "envelope").exists())
        self.assertIn("SENDER not set", self.ends(100, "qreceipt", "joe@mail.test", input=asking).err)
        self.assertIn("usage", self.ends(100, "qreceipt", SENDER="x").err)


class Mailboxes(Keeping):
    def setUp(self):
        super().setUp()
        self.maildir = self.i.directory / "M"
        for part in ("", "tmp", "new", "cur"):
            (self.maildir / part).mkdir()
            (self.maildir / part).chmod(0o755)
        (self.maildir / "cur/1.a:2,S").write_text("Return-Path: <old@x.test>\nFrom: Old\nSubject: read\n\n")
        (self.maildir / "new/2.b").write_text("Return-Path: <>\nFrom: New \x1b[2J <n@x.test>\nSubject: not read\n\nbody\n")
        os.utime(self.maildir / "new/2.b", (0, 0))

    def test_from(self):
        result = self.ends(0, "from", self.maildir)
        self.assertRegex(result.out, r"\AFrom old@x\.test \w{3} \w{3} \d\d [\d:]{8} \d{4}\nFrom MAILER-DAEMON Thu Jan 01 00:00:00 1970\n\Z")
        self.assertEqual(self.ends(0, "from", MAILDIR=str(self.maildir)).out, result.out)
        mbox = self.file("mbox", "From a Thu Jan 01 00:00:00 1970\nSubject: x\n\nFrom here\nx\nFrom there\n\nFrom b \x1b Fri\n\nlast\n")
        self.assertEqual(self.ends(0, "from", MAIL=str(mbox)).out,
                         "From a Thu Jan 01 00:00:00 1970\nFrom here\nFrom b _ Fri\n")
        self.ends(111, "from", "/nonexistent")
        self.assertIn("neither MAILDIR nor MAIL", self.ends(100, "from").err)
        self.ends(100, "from", "a", "b")

    def test_maildirwatch(self):
        with subprocess.Popen([relais.program("maildirwatch")], stdout=subprocess.PIPE, env={"MAILDIR": str(self.maildir)}) as watch:
            page = watch.stdout.read(len(b"\033[H\033[J") + 39).decode()
            watch.terminate()
        self.assertEqual(page, "\033[H\033[JNew _[2J <n@x.test>           not read\n")
        self.assertIn("MAILDIR not set", self.ends(111, "maildirwatch").err)
        self.ends(111, "maildirwatch", MAILDIR="/nonexistent")


class Pw2u(Keeping):
    def test_a_passwd_file(self):
        home = self.i.directory / "home"
        (home / "joe").mkdir(parents=True)
        joe = os.stat(home / "joe").st_uid or 1234
        if relais.IS_ROOT:
            os.chown(home / "joe", joe, joe)
        alias = os.stat(self.i.home / "alias")
        passwd = (f"root:x:0:0:r:/root:/bin/sh\nalias:x:{alias.st_uid}:{alias.st_gid}::/old:\njoe:x:{joe}:7:Joe:{home}/joe:/bin/sh\n"
                  f"gone:x:{joe}:7::{home}/gone:\n")
        result = self.ends(0, "qmail-pw2u", input=passwd)
        joe_fields = f"joe:{joe}:7:{home}/joe"
        alias_fields = f"alias:{alias.st_uid}:{alias.st_gid}:{self.i.home}/alias"
        self.assertEqual(result.out, f"+:{alias_fields}:-::\n=alias:{alias_fields}:::\n+alias-:{alias_fields}:-::\n"
                                     f"=joe:{joe_fields}:::\n+joe-:{joe_fields}:-::\n.\n")
        # What is printed is what qmail-newu reads.
        (self.i.home / "users/assign").write_text(result.out)
        self.ends(0, "qmail-newu")
        for name, text in (("exclude", "# nobody\ngone\n"), ("mailnames", "joe:j:jo:\n"), ("subusers", "sub:joe:pre:\n"),
                           ("append", "=x:y:1:2:/z:::")):
            (self.i.home / "users" / name).write_text(text)
        result = self.ends(0, "qmail-pw2u", "-C", input=passwd)
        self.assertEqual(result.out, f"+:{alias_fields}:-::\n=alias:{alias_fields}:::\n=j:{joe_fields}:::\n=jo:{joe_fields}:::\n"
                                     f"=sub:{joe_fields}:-:pre:\n=x:y:1:2:/z:::\n.\n")

    def test_exit_codes(self):
        self.ends(100, "qmail-pw2u", "-x")
        nobody = self.ends(111, "qmail-pw2u", input="joe:x:1:1::/:\n")
        self.assertEqual((nobody.out, nobody.err), ("", "qmail-pw2u: fatal: unable to find alias user\n"))
        alias = os.stat(self.i.home / "alias")
        line = f"alias:x:{alias.st_uid}:{alias.st_gid}::/old:\n"
        gone = self.ends(111, "qmail-pw2u", "-h", input=line + "joe:x:5:5::/nonexistent:\n")
        self.assertIn("unable to stat /nonexistent", gone.err)
        (self.i.home / "users/subusers").write_text("sub:joe:pre:\n")
        self.assertIn("unable to find joe user for subuser", self.ends(111, "qmail-pw2u", input=line).err)


if __name__ == "__main__":
    relais.main()
