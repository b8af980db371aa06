"""What an administrator meets: tools run as somebody else than root, a wrong QMAILHOME, ports that are somebody else's, owners and
modes that a careless chown and chmod have left."""

import contextlib
import ctypes
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import threading
import unittest

from harness import relais
from run_test import PLAIN, OneKind

AS_ROOT = ": run this as root, or as the user of a user instance"
IN_OPEN = 0x20
O_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC


class Watch:
    """Who opens these files: inotify tells."""

    def __init__(self, *paths):
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(O_NONBLOCK_CLOEXEC)
        self.names = {libc.inotify_add_watch(self.fd, str(path).encode(), IN_OPEN): path.name for path in paths}
        if self.fd < 0 or -1 in self.names:
            raise OSError(ctypes.get_errno(), "unable to watch a file")

    def opened(self):
        names, data = set(), b""
        try:
            data = os.read(self.fd, 65536)
        except BlockingIOError:
            pass
        while data:
            number, _, _, size = struct.unpack("iIII", data[:16])
            names.add(self.names[number])
            data = data[16 + size:]
        return names

    def close(self):
        os.close(self.fd)


class Greeter:
    """A server of somebody else's on a port of its own."""

    def __init__(self, greeting):
        self.greeting = greeting
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        try:
            while True:
                client, _ = self.socket.accept()
                with client:
                    client.sendall(self.greeting)
        except OSError:
            pass

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def everything(home):
    for folder, _, files in os.walk(home):
        for path in [pathlib.Path(folder), *(pathlib.Path(folder, name) for name in files)]:
            if not path.is_symlink():
                yield path


class Kind(OneKind):
    def test_doctor_opens_no_lock(self):
        """Opened it might be taken, and a qmail-send that starts just then, or queue-list, would find it taken."""
        i = self.made().start()
        locks = [i.home / "queue/lock/queued", i.home / "queue/lock/send"]
        i.wait_for(lambda: all(lock.exists() for lock in locks), 20, "the locks")
        watch = Watch(*locks)
        self.addCleanup(watch.close)
        up = i.ctl("doctor")
        self.assertIn("ok     qmail-queued takes submissions", up)
        self.assertIn("ok     qmail-send and its spawners deliver", up)
        self.assertEqual(watch.opened(), set())
        i.ctl("stop")
        watch.opened()
        down = i.ctl("doctor", code=2)
        self.assertIn("WRONG  qmail-queued does not run", down)
        self.assertIn("WRONG  qmail-send does not run", down)
        self.assertEqual(watch.opened(), set())

    def test_doctor_knows_who_runs_without_a_lock(self):
        i = self.made().start()
        i.wait_for(lambda: "deliver" in i.run("qmailctl", "doctor").out, 60, "qmail-send")
        shutil.rmtree(i.home / "queue/lock")
        self.assertEqual(i.run("qmail-setup", "--repair", i.home).code, 0)
        text = i.ctl("doctor", code=2)
        for program, lock in (("qmail-queued", "queued"), ("qmail-send", "send")):
            self.assertIn(f"WRONG  {program} runs, but its lock was removed: {i.home}/queue/lock/{lock}\n       -> qmailctl restart {i.home}", text)
            self.assertNotIn(f"{program} does not run", text)
        i.ctl("restart")
        i.wait_for(lambda: "WRONG" not in i.run("qmailctl", "doctor").out, 60, "a well instance")

    def test_what_is_damaged_or_misplaced_in_the_queue_is_named(self):
        i = self.made()
        i.control("smtproutes", ":127.0.0.1:1")
        i.start()
        for _ in range(3):
            self.assertEqual(i.submit("", ["x@far.test"]), 0)
        altered, strayed, aside = i.queue_files()
        with open(altered, "r+b") as file:
            file.write(b"X")
        wrong = strayed.parent.parent / str((int(strayed.parent.name) + 1) % 64) / strayed.name
        strayed.rename(wrong)
        aside.rename(i.home / "queue/damaged" / aside.name)
        check = i.run("qmail-setup", "--check", i.home)
        found = [f"message {altered.name} is damaged: footer or checksum of {altered} are wrong; it is left alone",
                 f"{wrong} is in the wrong directory, where nobody looks for it: it belongs to {strayed}",
                 f"1 damaged message lies in {i.home}/queue/damaged: not delivered"]
        for text in found:
            self.assertIn(text, check.out)
            self.assertIn(text, i.ctl("doctor", code=2))
        self.assertEqual(check.code, 1)
        repair = i.run("qmail-setup", "--repair", i.home)
        self.assertIn(f"mended: {wrong} is in the wrong directory", repair.out)
        self.assertEqual(i.queue_files(), [altered, strayed])

    def test_damaged_messages_lie_as_closed_as_all_others(self):
        i = self.made()
        damaged, other = i.home / "queue/damaged", i.home / "queue/mess"

        def seen(path):
            status = path.stat()
            return oct(status.st_mode), status.st_uid, status.st_gid

        expected = seen(other)
        self.assertEqual(expected[0], "0o40700" if self.single else "0o42770")
        self.assertEqual(expected[1], i.ids("qmailq")[0])
        self.assertEqual(seen(damaged), expected)
        damaged.chmod(0o755)
        if relais.IS_ROOT:
            os.chown(damaged, *i.ids("qmailr"))
            damaged.chmod(0o755)
        self.assertNotEqual(seen(damaged), expected)
        check = i.run("qmail-setup", "--check", i.home)
        self.assertEqual(check.code, 1, check)
        self.assertIn(f"{damaged} has mode ", check.out)
        for lose in (lambda: None, damaged.rmdir):
            lose()
            self.assertEqual(i.run("qmail-setup", "--repair", i.home).code, 0)
            self.assertEqual((seen(damaged), seen(other)), (expected, expected))

    def test_doctor_knows_a_stranger_by_the_greeting(self):
        i = self.made()
        other = Greeter(b"220 other.example ESMTP \x1b[2J\r\n")
        self.addCleanup(other.close)
        i.control("smtplisten", f"127.0.0.1 {other.port}")
        text = i.ctl("doctor", code=2)
        self.assertIn(f"WRONG  SMTP on 127.0.0.1: port {other.port} is answered by somebody else: 220 other.example ESMTP _[2J", text)
        self.assertIn(f"choose another port in {i.home}/control/smtplisten", text)
        i.control("smtpgreeting", "other.example and more")
        self.assertIn("is answered by somebody else", i.ctl("doctor", code=2))
        i.control("smtpgreeting", "other.example")
        self.assertIn(f"ok     SMTP on 127.0.0.1 port {other.port}: 220 other.example", i.ctl("doctor", code=2))

    def test_doctor_knows_a_stranger_of_the_same_name(self):
        """Another instance that calls itself the same: the process that has the port tells."""
        i = self.made().start()
        other = Greeter(f"220 {i.me} ESMTP\r\n".encode())
        self.addCleanup(other.close)
        i.control("submissionlisten", f"127.0.0.1 {other.port}")
        text = i.ctl("doctor", code=2)
        said = f"WRONG  submission on 127.0.0.1: port {other.port} is answered by somebody else: 220 {i.me} ESMTP"
        # An ordinary user may not see which process it is.
        whose = f"a process of uid {os.geteuid()}" if self.single and relais.IS_ROOT else f"python3 (pid {os.getpid()})"
        self.assertIn(f"{said} from {whose}\n", text)
        self.assertIn(f"ok     SMTP on 127.0.0.1 port {i.port}: 220 {i.me} ESMTP", text)

    def test_tcpto_and_tcpok_say_what_is_wrong(self):
        i = self.made()
        table = i.home / "queue/lock/tcpto"
        for tool in ("qmail-tcpto", "qmail-tcpok"):
            self.assertEqual(repr(i.run(tool)), "code 0\nstdout: ''\nstderr: ''")
            done = i.run(tool, env={"QMAILHOME": "/nowhere"})
            self.assertEqual((done.code, done.err), (111, f"{tool}: fatal: unable to look at /nowhere/queue/lock: No such file or directory "
                                                          "(qmail-setup --check /nowhere tells): there is no instance in /nowhere (is QMAILHOME wrong?)\n"))
            table.mkdir()
            done = i.run(tool)
            self.assertEqual(done.code, 111)
            self.assertRegex(done.err, f"unable to (use|open) {table}: (it is not a file|Is a directory)")
            table.rmdir()
            done = i.run(tool, "x")
            self.assertEqual((done.code, done.err), (100, f"{tool}: fatal: usage: {tool}\n"))
            if relais.IS_ROOT and not self.single:
                i.add_user(f"first{tool}")
                done = i.run(tool, user=i.add_user(f"stranger{tool}"))
                self.assertEqual((done.code, done.err), (111, f"{tool}: fatal: unable to open {table}: Permission denied{AS_ROOT}\n"))

    def test_no_tool_answers_for_an_instance_that_is_not_there(self):
        i = self.made()
        for command in (["qmail-qstat"], ["qmail-qread"], ["queue-list"], ["queue-list", "show", "1"], ["qmail-showctl"], ["qmail-newu"],
                        ["qmail-showctl", "--check"], ["route-explain", "a@b.example"], ["open-smtp", "list"], ["open-smtp", "check", "192.0.2.1"],
                        ["clearopensmtp"], ["qmail-passwd", "list"], ["qmail-tcpto"], ["qmail-tcpok"], ["qmailctl", "doctor"]):
            with self.subTest(command=command):
                done = i.run(*command, env={"QMAILHOME": "/nowhere"})
                self.assertIn(done.code, (100, 111), done)
                self.assertRegex(done.err, r": fatal: unable to .*/nowhere/.*: there is no instance in /nowhere \(is QMAILHOME wrong\?\)\n$")

    def test_nothing_starts_without_a_name(self):
        i = self.made()
        i.control("me", None)
        for verb in ("start", "restart"):
            done = i.run("qmailctl", verb)
            self.assertEqual((done.code, done.err), (111, "qmailctl: fatal: unable to start without this host's name: "
                                                          f"echo mail.example.org >{i.home}/control/me\n"))
        self.assertNotIn("not valid for the name", i.run("qmail-showctl").out)

    def test_doctor_tells_a_careless_chmod_in_few_lines(self):
        i = self.made()
        for path in everything(i.home):
            path.chmod(0o777)
        text = i.ctl("doctor", code=2)
        self.assertRegex(text, rf"\n       and \d+ more, which qmail-setup --check {i.home} names\n       -> qmail-setup --repair {i.home}\n")
        self.assertEqual(text.count("--repair"), 1)
        check = i.run("qmail-setup", "--check", i.home)
        self.assertEqual(check.code, 1)
        for path, mode in (("queue/mess/7", "777, not 2?7[70]0"), ("control/me", "777, not 644"), ("control/servercert.pem", "777, not 600")):
            self.assertRegex(check.out, rf"(?m)^{i.home}/{path} has mode {mode}$")
        repair = i.run("qmail-setup", "--repair", i.home)
        self.assertEqual(repair.code, 0, repair)
        self.assertEqual(repair.out.replace("mended: ", ""), check.out + f"{i.home} is as it must be\n")
        self.assertNotIn("--repair", i.ctl("doctor", code=2))


@unittest.skipUnless(relais.IS_ROOT, "a system instance needs root")
class SystemInstance(Kind, relais.TestCase):
    def stranger(self, i):
        """Nobody's friend: the group of the first user is that of the roles."""
        i.add_user("first")
        return i.add_user("stranger")

    def test_doctor_of_an_ordinary_user_looks_at_what_it_may(self):
        i = self.made().start()
        done = i.run("qmailctl", "doctor", user=self.stranger(i))
        self.assertEqual((done.code, done.err), (1, ""), done)
        self.assertIn("unseen unable to look into control/servercerts, queue, drop, open-smtp, metrics/qmaild, metrics/qmaila, "
                      "metrics/qmailq, metrics/qmails, trace, counts, sts, milter, alias/Maildir, log/qmail-send, ", done.out)
        self.assertIn(f"unseen unable to look at {i.home}/service/qmail-send/supervise: Permission denied\n       -> run this as root", done.out)
        self.assertIn(f"unseen unable to look at {i.home}/queue/lock/queued: Permission denied\n       -> run this as root", done.out)
        self.assertIn(f"ok     SMTP on 127.0.0.1 port {i.port}: 220 {i.me} ESMTP", done.out)
        self.assertIn("are free for the queue", done.out)
        self.assertNotIn("WRONG", done.out)

    def test_every_tool_says_who_must_run_it(self):
        i = self.made().start()
        stranger = self.stranger(i)
        home = i.home
        verbs = {verb: f"{home}/service/qmail-send/supervise" for verb in ("start", "stop", "restart", "reload", "stat", "flush")}
        commands = [(["qmailctl", verb], path) for verb, path in verbs.items()]
        commands += [(["qmailctl", "cdb"], home), (["qmailctl", "queue"], "queue"), (["qmail-qstat"], f"{home}/queue/mess"),
                     (["qmail-qread"], f"{home}/queue/mess"), (["queue-list"], f"{home}/queue/mess"),
                     (["queue-list", "show", "1"], f"{home}/queue/mess"), (["queue-list", "delete", "1"], "qmail-send"),
                     (["open-smtp", "list"], f"{home}/open-smtp"), (["open-smtp", "expire"], f"{home}/sockets/open-smtp"),
                     (["clearopensmtp"], f"{home}/sockets/open-smtp"), (["qmail-passwd", "build"], f"{home}/users"),
                     (["relay-explain", "192.0.2.1"], f"{home}/open-smtp"), (["qmail-newu"], f"{home}/users/cdb"),
                     (["qmail-tcpto"], f"{home}/queue/lock/tcpto"), (["qmail-tcpok"], f"{home}/queue/lock/tcpto")]
        for command, path in commands:
            with self.subTest(command=command):
                done = i.run(*command, user=stranger)
                self.assertIn(done.code, (100, 111), done)
                self.assertRegex(done.err, rf": fatal: unable to .*{path}.*: Permission denied.*: run this as root")
                self.assertEqual(done.err.count("\n"), 1)
        for option in ("--check", "--repair"):
            done = i.run("qmail-setup", option, home, user=stranger)
            self.assertEqual((done.code, done.out.count("\n")), (1, 1), done)
            self.assertRegex(done.out, r"^unable to look into .*queue, .*: Permission denied: run this as root")

    def test_what_a_careless_chown_says(self):
        """Everywhere the text names what is refused, and the remedy brings the mail through."""
        i = self.made().start()
        user = self.stranger(i)
        i.wait_log("status: local 0", "qmail-send")
        for path in everything(i.home / "queue"):
            os.chown(path, 0, 0)
            path.chmod(0o700)
        with i.smtp() as client:
            client.command("MAIL FROM:<a@client.example>")
            client.command(f"RCPT TO:<postmaster@{i.me}>")
            client.command("DATA", 354)
            client.raw(b"Subject: x\r\n\r\nx\r\n.\r\n")
            self.assertRegex(repr(client.expect(451)), r"^451 4\.3\.0 qq trouble creating files in queue \(#4\.3\.0\) \[\d+\]$")
        i.wait_log("qmail-queued: warning: unable to create message ", "qmail-send")
        self.assertIn("Permission denied", i.wait_log("unable to create message", "qmail-send")[0])
        (i.home / "control").chmod(0o700)
        done = i.run("sendmail", f"postmaster@{i.me}", input=PLAIN, user=user)
        self.assertEqual((done.code, done.err),
                         (111, f"sendmail: fatal: unable to open {i.home}/control/defaultdomain: Permission denied\n"))
        with relais.Smtp(i.port, greeting=421) as client:
            self.assertEqual(repr(client.greeting), "421 unable to read controls (#4.3.0)")
        i.wait_log(f"qmail-smtpd: fatal: unable to open {i.home}/control/me: Permission denied", "qmail-smtpd")
        sick = i.ctl("doctor", code=2)
        self.assertIn(f"WRONG  {i.home}/control has mode 700, not 755", sick)
        self.assertIn(f"       {i.home}/queue belongs to root:0, not to ", sick)
        self.assertIn(f"SMTP on 127.0.0.1 port {i.port}: 421 unable to read controls (#4.3.0)", sick)
        self.assertEqual(i.run("qmail-setup", "--repair", i.home).code, 0)
        i.send("a@client.example", [f"postmaster@{i.me}"], PLAIN)
        i.wait_for(i.alias_messages, 60, "a message after the repair")
        self.assertNotIn("WRONG", i.ctl("doctor"))

    def read_only(self, queue):
        """As after a disk error, but also where files are open for writing; returns what takes it back."""
        ending = contextlib.ExitStack()
        self.addCleanup(ending.close)
        for options in (["--bind", queue, queue], ["-o", "remount,bind,ro", queue]):
            done = subprocess.run(["mount", *options], capture_output=True)
            if done.returncode:
                self.skipTest("unable to mount: " + relais.text(done.stderr))
            if options[0] == "--bind":
                ending.callback(subprocess.run, ["umount", "-l", queue], check=True)
        return ending.close

    def assert_told(self, i):
        trouble = "qq trouble creating files in queue (#4.3.0)"
        for message in (b"Subject: x\r\n\r\nx\r\n", b"Subject: x\r\n\r\n" + b"x\r\n" * 500_000):
            with i.smtp() as client:
                client.command("MAIL FROM:<a@client.example>")
                client.command(f"RCPT TO:<postmaster@{i.me}>")
                client.command("DATA", 354)
                client.raw(message + b".\r\n")
                self.assertRegex(repr(client.expect(451)), re.escape("451 4.3.0 " + trouble) + r" \[\d+\]$")
        for message in ("Subject: x\n\nx\n", "Subject: x\n\n" + "x\n" * 400_000):
            self.assertEqual(i.submit("a@b.test", [f"postmaster@{i.me}"], message), 64)
            done = i.run("sendmail", f"postmaster@{i.me}", input=message)
            self.assertEqual((done.code, done.err), (111, f"sendmail: fatal: {trouble}\n"))
        i.wait_log(f"qmail-queued: fatal: unable to open {i.home}/queue/lock/queued: Read-only file system", "qmail-send", 60)
        sick = i.ctl("doctor", code=2)
        self.assertIn("WRONG  qmail-queued does not run: no message is accepted", sick)
        self.assertIn(f"WRONG  {i.home}/queue is on a file system that is read-only: senders get 451", sick)

    def assert_flows(self, i, dropped=0):
        count = len(i.alias_messages())
        i.wait_for(lambda: i.submit("a@b.test", [f"postmaster@{i.me}"]) == 0, 60, "a qmail-queued that accepts")
        i.send("a@client.example", [f"postmaster@{i.me}"], PLAIN)
        i.wait_for(lambda: len(i.alias_messages()) == count + dropped + 2, 60, "all messages")

    def test_a_read_only_queue_is_told_at_once_and_mail_flows_afterwards(self):
        i = self.made().start()
        done = i.run("sendmail", f"postmaster@{i.me}", input=PLAIN)
        self.assertEqual(done.code, 0, done)
        i.wait_for(i.alias_messages, 60, "a message")
        with self.subTest("while it runs"):
            writable = self.read_only(i.home / "queue")
            i.kill("qmail-queued")
            self.assert_told(i)
            writable()
            self.assert_flows(i)
        with self.subTest("before it starts"):
            i.ctl("stop")
            done = i.run("sendmail", f"postmaster@{i.me}", input=PLAIN)
            self.assertEqual((done.code, done.err), (0, ""), "it lies in drop/")
            writable = self.read_only(i.home / "queue")
            i.start(code=111)  # qmail-send cannot run
            self.assert_told(i)
            writable()
            self.assert_flows(i, dropped=1)


class UserInstance(Kind, relais.TestCase):
    single = True

    def test_repair_opens_what_its_owner_has_closed(self):
        """Directories that not even the owner may enter, one in the other: one call mends all."""
        i = self.made()
        for name in ("queue/mess/3", "queue/mess", "queue", "log", "alias", "control/servercerts"):
            (i.home / name).chmod(0)
        check = i.run("qmail-setup", "--check", i.home)
        self.assertEqual(check.code, 1, check)
        self.assertIn("unable to look into control/servercerts, queue, alias, log (in ", check.out)
        repair = i.run("qmail-setup", "--repair", i.home)
        self.assertEqual(repair.code, 0, repair)
        self.assertIn(f"mended: {i.home}/queue/mess/3 has mode 0, not 700", repair.out)
        self.assertEqual(i.run("qmail-setup", "--check", i.home).out, f"{i.home} is as it must be\n")


if __name__ == "__main__":
    relais.main()
