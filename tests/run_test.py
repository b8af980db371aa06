"""An instance as an administrator runs it: qmail-setup, svscan, supervise, tcpserver, multilog, qmailctl; its repair; and
the script behind `make run`. Once as a system instance (root only) and once as an ordinary user's."""

import contextlib
import os
import pathlib
import poplib
import signal
import smtplib
import socket
import subprocess
import unittest

from harness import pop3
from harness import relais
from harness.logins import loose

PLAIN = "Subject: hello\n\nhello\n"


class Supervised(relais.Instance):
    """An instance whose processes are qmailctl's: home is made for a free port, start() and stop() are qmailctl's."""

    def __init__(self, single, listen=("127.0.0.1",), options=(), tls=False):
        super().__init__(single=single)
        self.first_home = self.home
        self.home = self.directory / "s"
        self.port = relais.free_port()
        self.pop3_port = relais.free_port()
        self.submission_port = relais.free_port()
        self.submissions_port = relais.free_port() if tls else 0
        self.pop3s_port = relais.free_port() if tls else 0
        self.environment["QMAILHOME"] = str(self.home)
        numbers = [] if single else ["--numbers", self.base_id]
        listens = [word for address in listen for word in ("--listen", address)]
        done = self.run("qmail-setup", self.home, "--me", self.me, "--smtp-port", self.port, "--pop3-port", self.pop3_port,
                        "--submission-port", self.submission_port, "--submissions-port", self.submissions_port,
                        "--pop3s-port", self.pop3s_port, *listens, *numbers, *options)
        if done.code:
            raise AssertionError(f"qmail-setup: {done}")

    def ctl(self, *words, code=0):
        done = self.run("qmailctl", *words)
        if done.code != code:
            raise AssertionError(f"qmailctl {words}: {done}\n{self.picture()}")
        return done.out

    def start(self, code=0):
        self.ctl("start", code=code)
        self.know_svscan()
        self._wait_port("127.0.0.1")
        for port in filter(None, (self.pop3_port, self.submission_port, self.submissions_port, self.pop3s_port)):
            self.wait_for(lambda port=port: Kind.can_connect(port), 20, f"a server on port {port}")
        return self

    def know_svscan(self):
        for process in map(pathlib.Path, self._proc()):
            with contextlib.suppress(OSError):
                if os.readlink(process / "cwd") == str(self.home / "service"):
                    self.sessions.add(int(process.name))

    @staticmethod
    def _proc():
        return [f"/proc/{entry}" for entry in os.listdir("/proc") if entry.isdigit()]

    def stop(self, seconds=20):
        try:
            self.ctl("stop")
        finally:
            super().stop(seconds)

    def log(self, name="qmail-send"):
        path = self.home / "log" / name / "current"
        return relais.text(path.read_bytes()).splitlines() if path.exists() else []

    def picture(self):
        parts = [super().picture()]
        for path in sorted((self.home / "log").glob("*/current")):
            parts += [f"--- {path}", *self.log(path.parent.name)[-40:]]
        return "\n".join(parts)

    def alias_messages(self):
        return [path.read_bytes() for path in (self.home / "alias/Maildir/new").iterdir()]

    def service_pid(self, name):
        return int.from_bytes((self.home / "service" / name / "supervise/status").read_bytes()[12:16], "little")


class OneKind:
    """For tests of both kinds of instance: single is the one with a single user."""

    single = False

    def made(self, **options):
        instance = Supervised(self.single, **options)
        self.addCleanup(instance.remove)
        return instance

    @staticmethod
    def has_ipv6():
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
            return True
        return False


class Kind(OneKind):
    """The tests, for both kinds of instance."""

    def test_mail_flows_under_supervise(self):
        i = self.made().start()
        reply = i.send("a@client.example", [f"postmaster@{i.me}"], PLAIN)
        self.assertRegex(reply.text, r"^2\.0\.0 ok \d+ qp \d+$")
        i.wait_for(i.alias_messages, 30, "a message in alias/Maildir")
        self.assertRegex(i.alias_messages()[0].decode(), rf"\(HELO client\.test\) \(127\.0\.0\.1\)\n  by {i.me} with ")
        done = i.run("sendmail", "-t", input=f"To: root@{i.me}\nSubject: second\n\nx\n")
        self.assertEqual(done.code, 0, done)
        i.wait_for(lambda: len(i.alias_messages()) == 2, 30, "two messages in alias/Maildir")
        i.wait_log("end msg", "qmail-send", count=2)
        self.assertIn("messages in queue: 0\n", i.ctl("stat"))
        self.assertIn("messages in queue but not yet preprocessed: 0", i.ctl("queue"))

    def test_pop3(self):
        """What --pop3-port makes lets an account of qmail-passwd fetch mail."""
        i = self.made().start()
        i.send("a@client.example", [f"postmaster@{i.me}"], PLAIN)
        i.wait_for(i.alias_messages, 30, "a message in alias/Maildir")
        uid, gid = i.ids("alias")
        pop3.set_password(i, f"box@{i.me}", "sesame", "--uid", uid, "--gid", gid, "--home", i.home / "alias")
        i.wait_for(lambda: self.can_connect(i.pop3_port), 20, "a POP3 server")
        with pop3.Client(i.pop3_port) as client:
            self.assertEqual(client.login(f"box@{i.me}", "wrong"), "-ERR [AUTH] authorization failed")
        with pop3.Client(i.pop3_port) as client:
            self.assertEqual(client.login(f"box%{i.me}", "sesame"), "+OK")
            self.assertEqual(client.command("STAT")[:6], "+OK 1 ")
            self.assertEqual(client.command("DELE 1"), "+OK")
            self.assertEqual(client.command("QUIT"), "+OK")
        self.assertEqual(i.alias_messages(), [])
        i.wait_log("refused box", "qmail-pop3d")
        i.wait_log("login box", "qmail-pop3d")
        with pop3.Client(i.pop3_port) as client:
            self.assertEqual(client.login(f"box@{i.me}", "sesame"), "+OK")
            i.ctl("stop")
            i.wait_for(lambda: not i.processes(), 10, "no process")

    def test_login_opens_smtp(self):
        """The run scripts as they are made: a client that tcp.smtp does not name logs in by POP3 and may send."""
        addresses = ("127.0.0.1", *(["::1"] if self.has_ipv6() else []))
        i = self.made(listen=addresses).start()
        uid, gid = i.ids("alias")
        pop3.set_password(i, f"box@{i.me}", "sesame", "--uid", uid, "--gid", gid, "--home", i.home / "alias")
        for name in ("tcp.smtp", "tcp.smtp6"):
            if (i.home / name).exists():
                i._write(i.home / name, ":allow\n")
        i.ctl("cdb")

        def may_send(address):
            with i.smtp(address=address) as client:
                client.command("MAIL FROM:<a@client.example>")
                return client.command("RCPT TO:<b@elsewhere.example>", (250, 553)).code == 250

        for address in addresses:
            i._wait_port(address)
            i.wait_for(lambda address=address: self.can_connect(i.pop3_port, address), 60, f"a POP3 server on {address}")
            self.assertFalse(may_send(address))
            with pop3.Client(i.pop3_port, address) as client:
                self.assertEqual(client.login(f"box@{i.me}", "wrong"), "-ERR [AUTH] authorization failed")
            self.assertFalse(may_send(address))
            with pop3.Client(i.pop3_port, address) as client:
                self.assertEqual(client.login(f"box@{i.me}", "sesame"), "+OK")
                self.assertTrue(may_send(address), f"{i.log('qmail-pop3d')} {i.log()}")
            self.assertIn(f"box@{i.me} over pop3", i.run("open-smtp", "check", address).out)

    @staticmethod
    def can_connect(port, address="127.0.0.1"):
        with contextlib.suppress(OSError):
            socket.create_connection((address, port), 5).close()
            return True
        return False

    def test_how_large_logs_become(self):
        i = self.made()
        script = (i.home / "service/qmail-send/log/run").read_text()
        words = script[script.index("read -r size"):script.rindex("exec ")]
        self.assertEqual((i.home / "control/logsize").read_text(), "16M 20\n")
        for said, size, files in (("16M 20", 16777215, 20), ("100000 7", 100000, 7), ("64k 2", 65536, 2), ("1MiB", 1048576, 20), ("2G 5", 16777215, 5),
                                  ("1 3", 4096, 3), ("", 16777215, 20), ("lots of it", 16777215, 20), ("010 1", 16777215, 20),
                                  ("99999999999999999999 99999999", 16777215, 20), ("5k $(touch x)", 5120, 20), (None, 16777215, 20)):
            i.control("logsize", said)
            done = subprocess.run(["sh", "-eu", "-c", words + "echo $size $files"], capture_output=True, text=True, check=True, cwd=i.directory)
            self.assertEqual(done.stdout, f"{size} {files}\n", said)
            self.assertEqual(done.stderr, "")
        i.control("logsize", "4k 3")
        i.start()
        log = i.home / "log/qmail-send"
        # Each message gives some lines.
        i.wait_for(lambda: i.submit(f"a@{i.me}", [f"postmaster@{i.me}"]) == 0 and len(list(log.glob("@*"))) == 2, 120, "two old files")

    def test_logs_are_multilogs(self):
        i = self.made().start()
        i.send("a@client.example", [f"postmaster@{i.me}"], PLAIN)
        i.wait_log("end msg", "qmail-send")
        for line in i.log("qmail-send") + i.log("qmail-smtpd"):
            self.assertRegex(line, r"^@[0-9a-f]{24} .")
        readable = subprocess.run(["tai64nlocal"], input="\n".join(i.log()).encode(), capture_output=True, check=True)
        self.assertRegex(readable.stdout.decode(), r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9} new msg \d+$")
        self.assertTrue(any("tcpserver: status: " in line for line in i.log("qmail-smtpd")))

    def test_processes_carry_their_programs_names(self):
        """killall -HUP qmail-send of the documents looks at these names."""
        i = self.made().start()
        for name in ("qmail-start", "qmail-queued", "qmail-send", "qmail-lspawn", "qmail-rspawn", "qmail-resolver",
                     "tcpserver", "multilog", "supervise"):
            i.wait_for(lambda: i.processes(name), 10, f"a process named {name}")
        if self.single:
            self.assertEqual({p.uid for p in i.processes()}, {i.ids("qmaild")[0]})
            return
        for name, role in (("qmail-queued", "qmailq"), ("qmail-send", "qmails"), ("qmail-rspawn", "qmailr"),
                           ("qmail-resolver", "qmailn"), ("multilog", "qmaill")):
            self.assertEqual({p.uid for p in i.processes(name)}, {i.ids(role)[0]}, name)
        # SMTP's has dropped; POP3's is root, for checkpassword becomes the user who logs in.
        for program, uid in (("qmail-smtpd", i.ids("qmaild")[0]), ("qmail-popup", 0)):
            i.wait_for(lambda program=program, uid=uid: {p.uid for p in self.tcpservers(i, program)} == {uid}, 10,
                       f"a tcpserver for {program} as uid {uid}")

    def tcpservers(self, instance, program):
        """The tcpservers that start this program."""
        return [p for p in instance.processes("tcpserver")
                if any(word.endswith(program.encode()) for word in p.arguments())]

    def test_stop_ends_everything(self):
        i = self.made().start()
        with i.smtp():
            i.ctl("stop")
            i.wait_for(lambda: not i.processes(), 10, "no process")
        self.assertIn("is not running", i.ctl("stop"))

    def test_start_twice_and_restart(self):
        i = self.made().start()
        before = i.service_pid("qmail-send")
        i.ctl("start")
        self.assertEqual(i.service_pid("qmail-send"), before)
        i.ctl("restart")
        i.wait_for(lambda: i.service_pid("qmail-send") not in (0, before), 20, "another qmail-start")
        i._wait_port("127.0.0.1")
        i.wait_for(lambda: i.run("sendmail", f"postmaster@{i.me}", input=PLAIN).code == 0, 20, "a queue that takes mail")
        i.wait_for(i.alias_messages, 20, "a message after the restart")

    def test_reload_makes_qmail_send_read_locals(self):
        i = self.made().start()
        i._wait_port("127.0.0.1")
        i.control("locals", f"{i.me}\nnew.test\n")
        i.control("rcpthosts", f"{i.me}\nnew.test\n")
        i.ctl("reload")

        def went_to_local():
            # A signal is not answered: a message may be faster than the reading.
            i.send("a@client.example", ["postmaster@new.test"], PLAIN)
            return relais.wait_until(lambda: any("to local postmaster@new.test" in line for line in i.log()), 0.5)

        i.wait_for(went_to_local, 20, "a delivery to local postmaster@new.test")
        i.ctl("flush")

    def test_rules_change_without_a_restart(self):
        i = self.made().start()
        server = i.service_pid("qmail-smtpd")

        def answer():
            with i.smtp() as client:
                client.command("MAIL FROM:<a@client.example>")
                client.line("RCPT TO:<b@elsewhere.example>")
                return client.expect(None).code

        def compile_by_hand(rules):
            cdb = i.home / "tcp.smtp.cdb"
            done = i.run("tcprules", cdb, i.home / "tcp.smtp.tmp", input=rules)
            self.assertEqual(done.code, 0, done)

        compile_by_hand(":allow\n")
        self.assertEqual(answer(), 553)
        compile_by_hand('127.0.0.:allow,RELAYCLIENT=""\n')
        self.assertEqual(answer(), 250)
        compile_by_hand('127.:allow\n')
        self.assertEqual(answer(), 553)
        i._write(i.home / "tcp.smtp", '127.0.0.1:allow,RELAYCLIENT=""\n')
        i.ctl("cdb")
        self.assertEqual(answer(), 250)
        self.assertEqual(i.service_pid("qmail-smtpd"), server)

    def test_two_addresses(self):
        if not self.has_ipv6():
            self.skipTest("no IPv6 here")
        i = self.made(listen=("127.0.0.1", "::1")).start()
        i._wait_port("::1")
        with i.smtp(address="::1") as client:
            client.command("MAIL FROM:<a@client.example>")
            client.command("RCPT TO:<b@elsewhere.example>")  # by the rule in tcp.smtp6

    def test_all_addresses_of_both_families(self):
        """One server, one file of rules: the documents' tcp.smtp with a rule for ::1."""
        i = self.made(listen=("0",)).start()
        self.assertFalse((i.home / "tcp.smtp6").exists())
        for address in ("127.0.0.1", *(["::1"] if self.has_ipv6() else [])):
            with i.smtp(address=address) as client:
                client.command("MAIL FROM:<a@client.example>")
                client.command("RCPT TO:<b@elsewhere.example>")

    def test_rules_offer_the_own_addresses(self):
        """Not in force, for the administrator to decide; link-local ones too."""
        own = subprocess.run(["ip", "-o", "addr", "show", "up"], capture_output=True, text=True, check=True).stdout
        own = {word.split("/")[0] for line in own.splitlines() if not line.split()[1] == "lo" for word in line.split()[3:4]}
        for listen, files in ((("0",), ("tcp.smtp",)), (("127.0.0.1", "::1"), ("tcp.smtp", "tcp.smtp6"))):
            i = self.made(listen=listen)
            for address in ("127.0.0.1", "::1"):
                name = files[-1] if ":" in address else files[0]
                self.assertIn(f'\n{address}:allow,RELAYCLIENT=""\n', "\n" + (i.home / name).read_text())
            for address in own:
                name = files[-1] if ":" in address else files[0]
                self.assertIn(f'\n#{address}:allow,RELAYCLIENT=""\n', (i.home / name).read_text())
            for name in files:
                done = i.run("tcprulescheck", i.home / f"{name}.cdb", "192.0.2.77")
                self.assertNotIn("RELAYCLIENT", done.out)

    def test_flush_tries_what_waits(self):
        i = self.made()
        bob = i.add_user("bob")
        bob.write(".qmail", "|echo not now; exit 111\n")
        i.start()
        i.send("a@client.example", [bob.address], PLAIN)
        i.wait_log("deferral: not_now", "qmail-send")
        bob.write(".qmail", "./Maildir/\n")
        i.ctl("flush")
        bob.wait_messages(1, 10)

    def test_own_listener(self):
        i = self.made(options=["--own-listener"]).start()
        i.send("a@client.example", [f"postmaster@{i.me}"], PLAIN)
        i.wait_for(i.alias_messages, 20, "a message")
        self.assertFalse(self.tcpservers(i, "qmail-smtpd"))

    def test_check_names_and_repair_mends(self):
        i = self.made()
        check = i.run("qmail-setup", "--check", i.home)
        self.assertEqual((check.code, check.out), (0, f"{i.home} is as it must be\n"))
        (i.home / "queue/mess/3").chmod(0o777)
        (i.home / "queue/bounce/5").rmdir()
        (i.home / "control/rcpthosts").unlink()
        (i.home / "control/locals").chmod(0o666)
        (i.home / "service/qmail-send/run").chmod(0o644)
        (i.home / "bin").unlink()
        os.utime(i.home / "tcp.smtp.cdb", (1, 1))
        wrong = ["queue/mess/3 has mode 777", "queue/bounce/5 is missing", "control/rcpthosts is missing",
                 "control/locals has mode 666", "service/qmail-send/run has mode 644", "bin/qmail-send is missing",
                 "tcp.smtp.cdb is older than tcp.smtp"]
        if relais.IS_ROOT:
            os.chown(i.home / "queue/mess/7", 0, 0)
            wrong.append("queue/mess/7 belongs to root:0")
        check = i.run("qmail-setup", "--check", i.home)
        self.assertEqual(check.code, 1)
        for text in wrong:
            self.assertIn(f"{i.home}/{text}", check.out)
        if self.single and relais.IS_ROOT:
            os.chown(i.home / "queue/mess/7", *i.ids("qmailq"))
        repair = i.run("qmail-setup", "--repair", i.home)
        self.assertEqual(repair.code, 0, repair)
        self.assertEqual(i.run("qmail-setup", "--check", i.home).code, 0)
        i.start()
        i.send("a@client.example", [f"postmaster@{i.me}"], PLAIN)
        i.wait_for(i.alias_messages, 20, "a message after the repair")

    def test_repair_after_chown_and_chmod_of_everything(self):
        """What an administrator does who has read that it is the permissions; a running instance works again without a restart."""
        i = self.made().start()
        (i.home / "control/virtualdomains").write_text("virtual.test:alias-v\n")
        (i.home / "alias/.qmail-v-default").write_text("./Maildir/\n")
        if relais.IS_ROOT:
            os.chown(i.home / "alias/.qmail-v-default", *i.ids("alias"))
        i.wait_log("status: local 0", "qmail-send")
        for folder, folders, files in os.walk(i.home):
            for path in [pathlib.Path(folder), *(pathlib.Path(folder, name) for name in files)]:
                if not path.is_symlink():
                    if relais.IS_ROOT and not self.single:
                        os.chown(path, 0, 0)
                    path.chmod(0o700)
        check = i.run("qmail-setup", "--check", i.home)
        self.assertEqual(check.code, 1, check)
        repair = i.run("qmail-setup", "--repair", i.home)
        self.assertEqual(repair.code, 0, repair)
        self.assertEqual(i.run("qmail-setup", "--check", i.home).out, f"{i.home} is as it must be\n")
        if not self.single:
            for text in ["queue/lock/queued belongs to root", "sockets/queue-network belongs to root", "log/qmail-send/current belongs to root",
                         "alias/.qmail-v-default belongs to root", "control/virtualdomains cannot be read by everybody"]:
                self.assertIn(f"{i.home}/{text}", check.out)
        self.assertEqual((i.home / "control/servercert.pem").stat().st_mode & 0o77, 0)
        i.run("qmailctl", "reload")
        reply = i.send("a@client.example", [f"postmaster@{i.me}"], PLAIN)
        self.assertRegex(reply.text, r"^2\.0\.0 ok \d+ qp \d+$")
        self.assertEqual(i.run("sendmail", "x@virtual.test", input="Subject: v\n\nx\n").code, 0)
        i.wait_for(lambda: len(i.alias_messages()) == 2, 120, "two messages in alias/Maildir")
        self.assertIn("ok     qmail-send and its spawners deliver", i.run("qmailctl", "doctor").out)

    def test_repair_leaves_private_keys_closed(self):
        i = self.made()
        (i.home / "control/servercert.pem").chmod(0o777)
        (i.home / "control/servercert.key").write_text("x")
        (i.home / "control/servercert.key").chmod(0o777)
        if self.single and relais.IS_ROOT:
            os.chown(i.home / "control/servercert.key", *i.ids("qmailq"))
        self.assertEqual(i.run("qmail-setup", "--repair", i.home).code, 0)
        for name in ("servercert.pem", "servercert.key"):
            self.assertEqual((i.home / "control" / name).stat().st_mode & 0o77, 0, name)

    def test_repair_does_not_invent_the_name_of_the_host(self):
        i = self.made()
        (i.home / "control/me").unlink()
        repair = i.run("qmail-setup", "--repair", i.home)
        self.assertEqual(repair.code, 1, repair)
        self.assertIn(f"{i.home}/control/me is missing: echo", repair.out)
        self.assertFalse((i.home / "control/me").exists())

    def test_stop_ends_what_a_killed_supervise_had_started(self):
        i = self.made().start()
        service = i.service_pid("qmail-smtpd")
        os.kill(relais.Process(service).parent, signal.SIGKILL)
        # The next supervise's own service finds the port taken.
        i.wait_for(lambda: i.service_pid("qmail-smtpd") not in (0, service), 60)
        i.ctl("stop")
        self.assertNotIn(service, [process.pid for process in i.processes()])

    def test_doctor_tells_when_qmail_send_does_not_live(self):
        """supervise sees qmail-start, which lives on."""
        i = self.made().start()
        (i.home / "control/locals").unlink()
        (i.home / "control/locals").mkdir()
        self.assertIn("qmail-send does not run; its log tells why: ", i.run("qmailctl", "restart").err)
        i.wait_log("it and the spawners are started again", "qmail-send")
        sick = i.ctl("doctor", code=2)
        self.assertIn("WRONG  qmail-send does not run: nothing is delivered", sick)
        self.assertIn("ok     qmail-queued takes submissions", sick)

    def test_check_where_there_is_no_instance(self):
        i = self.made()
        done = i.run("qmail-setup", "--check", i.home / "nowhere")
        self.assertEqual(done.code, 100, done)
        self.assertIn("nowhere/control/owners is missing: either there is no instance (qmail-setup ", done.err)
        self.assertNotIn("--check", done.err)
        i.environment["QMAILHOME"] = str(i.home / "nowhere")
        for tool in ("open-smtp", "qmail-passwd"):
            done = i.run(tool, "list")
            self.assertEqual((done.code, done.err), (111, f"{tool}: fatal: unable to look at {i.home}/nowhere/control: No such file or directory: "
                                                          f"there is no instance in {i.home}/nowhere (is QMAILHOME wrong?)\n"))
        i.environment["QMAILHOME"] = str(i.home)

    def test_rules_that_cannot_be_compiled_are_named(self):
        i = self.made()
        with open(i.home / "tcp.smtp", "a", encoding="ascii") as rules:
            rules.write("10.1.:alow\n")
        done = i.run("qmailctl", "cdb")
        self.assertEqual(done.code, 100, done)
        self.assertIn("tcp.smtp is not compiled, tcp.smtp.cdb stays as it was: tcprules: fatal: unable to parse this line: 10.1.:alow", done.err)

    def test_repair_never_touches_what_a_link_leads_to(self):
        i = self.made()
        victim = i.directory / "victim"
        victim.write_text("mine")
        victim.chmod(0o600)
        link = i.home / "alias/.qmail-root"
        link.unlink()
        link.symlink_to(victim)
        self.assertEqual(i.run("qmail-setup", "--repair", i.home).code, 1)
        self.assertEqual((victim.read_text(), victim.stat().st_mode & 0o777), ("mine", 0o600))
        link.unlink()
        os.link(victim, link)
        self.assertNotEqual(i.run("qmail-setup", "--repair", i.home).code, 0)
        self.assertEqual(victim.stat().st_mode & 0o777, 0o600)

    def test_an_instance_older_than_a_role(self):
        i = self.made().start()
        owners = i.home / "control/owners"
        whole = owners.read_text()
        owners.write_text("".join(line for line in whole.splitlines(True) if not line.startswith("qmailk")))
        lacks = f"control/owners has no line for qmailk: qmail-setup --repair {i.home} adds it"
        # What runs is not ended for a version that could not start again; but it can be ended.
        self.assertIn(lacks, i.run("qmailctl", "restart").err)
        i.ctl("stop")
        self.assertIn(lacks, i.run("qmailctl", "start").err)
        check = i.run("qmail-setup", "--check", i.home)
        self.assertEqual((check.code, "control/owners has no line for qmailk" in check.out), (1, True), check)
        repair = i.run("qmail-setup", "--repair", i.home)
        self.assertEqual(repair.code, 0, repair)
        self.assertIn("added a line for qmailk to control/owners", repair.out)
        kinds = lambda text: [line.partition(":")[0] for line in text.splitlines()]
        self.assertEqual(kinds(owners.read_text()), kinds(whole))
        numbers = [line.split(":")[1] for line in owners.read_text().splitlines()[1:]]
        self.assertEqual(len(set(numbers)), 1 if i.single else len(numbers))
        i.start()
        self.assertEqual(i.run("qmail-setup", "--check", i.home).code, 0)
        i.ctl("stop")

    def test_password_files_are_looked_after(self):
        """--check knows their mode, qmailctl cdb makes the database anew."""
        i = self.made()
        i.run("qmail-passwd", "set", "anna", "--uid", 1000, "--gid", 1000, "--home", "/tmp", input="a password\n")
        text, database = i.home / "users/passwd", i.home / "users/passwd.cdb"
        self.assertEqual(i.run("qmail-setup", "--check", i.home).code, 0)
        old = database.read_bytes()
        text.chmod(0o644)
        database.chmod(0o640)
        check = i.run("qmail-setup", "--check", i.home)
        self.assertEqual(check.code, 1)
        self.assertIn(f"{text} has passwords", check.out)
        self.assertIn(f"{database} has passwords", check.out)
        self.assertEqual(i.run("qmail-setup", "--repair", i.home).code, 0)
        self.assertEqual([p.stat().st_mode & 0o777 for p in (text, database)], [0o600, 0o600 if self.single else 0o440])
        database.unlink()
        self.assertIn("users/passwd.cdb is missing", i.run("qmail-setup", "--check", i.home).out)
        i.ctl("cdb")
        # All but the secret that salts are made of, which is drawn with a new database.
        new = database.read_bytes()
        record = old[old.index(b"$argon2id"):].split(b"\0")[0]
        self.assertEqual(len(new), len(old))
        self.assertIn(record, new)
        self.assertEqual(i.run("qmail-setup", "--check", i.home).code, 0)

    def test_check_finds_strangers_in_the_queue(self):
        i = self.made()
        stray = i.home / "queue/mess/4/notes"
        stray.write_text("x")
        self.assertIn(f"{stray} does not belong into the queue", i.run("qmail-setup", "--check", i.home).out)

    def test_submission(self):
        """What --submission-port makes takes mail of those who log in, and of nobody else."""
        i = self.made()
        user = i.add_user("joe")
        i.start()
        pop3.set_password(i, "joe", "sesame")
        with relais.Smtp(i.submission_port) as smtp:
            self.assertIn("AUTH LOGIN PLAIN SCRAM-SHA-256", repr(smtp.command("EHLO x")))
            smtp.command("MAIL FROM:<joe@mail.test>", 530)
            smtp.command("AUTH PLAIN AGpvZQBzZXNhbWU=", 235)
            smtp.deliver(user.address, [user.address], "Subject: x\n\nx\n")
        (message,) = user.wait_messages(1)
        self.assertIn(b"\nMessage-ID: <", message)
        i.wait_for(lambda: any(f"login joe@{i.me}" in line for line in i.log("qmail-submission")), 60, "the login in the log")

    def test_tls_first(self):
        """What --submissions-port and --pop3s-port make speaks TLS from the first octet."""
        i = self.made(tls=True)
        user = i.add_user("joe")
        i.start()
        pop3.set_password(i, "joe", "sesame")
        for port in (i.submissions_port, i.pop3s_port):
            i.wait_for(lambda port=port: self.can_connect(port), 60, f"a server on port {port}")
        with smtplib.SMTP_SSL("127.0.0.1", i.submissions_port, context=loose(), timeout=400) as client:
            client.login("joe", "sesame")
            client.sendmail(user.address, [user.address], "Subject: by TLS\r\n\r\nx\r\n")
        user.wait_messages(1, 60)
        client = poplib.POP3_SSL("127.0.0.1", i.pop3s_port, context=loose(), timeout=400)
        client.user("joe")
        client.pass_("sesame")
        self.assertIn(b"Subject: by TLS", client.retr(1)[1])
        client.quit()
        i.wait_log("login joe", "qmail-pop3s", 60)
        self.assertEqual(i.run("qmail-setup", "--check", i.home).code, 0)

    def test_setup_refuses(self):
        i = self.made()
        numbers = [] if self.single else ["--numbers", i.base_id]

        def refused(directory, text, *options):
            done = i.run("qmail-setup", directory, "--me", "a.test", *numbers, *options)
            self.assertEqual(done.code, 100, done)
            self.assertIn(text, done.err + done.out)

        refused(i.home, "is not empty")
        refused(i.directory / ("x" * 90), "unix sockets")
        refused(i.directory / "a b", "character")
        refused(i.directory / "n", "not an address", "--listen", "example.org")
        refused(i.directory / "n", "--admin", "--admin", "a@b\n|rm -rf /")
        if not self.single:
            closed = i.directory / "closed"
            closed.mkdir(mode=0o700)
            refused(closed / "n", "cannot be entered")
        self.assertFalse((i.directory / "n").exists())

    def test_doctor(self):
        i = self.made(tls=True)
        down = i.ctl("doctor", code=2)
        self.assertIn("qmail-send is not supervised", down)
        self.assertIn("qmailctl start", down)
        i.start()
        up = i.ctl("doctor")
        self.assertIn("ok     files, owners and modes are as they must be", up)
        self.assertIn(f"ok     SMTP on 127.0.0.1 port {i.port}: 220 {i.me} ESMTP", up)
        self.assertIn(f"ok     POP3 on 127.0.0.1 port {i.pop3_port}: +OK {i.me} POP3", up)
        self.assertIn(f"ok     submission by TLS on 127.0.0.1 port {i.submissions_port}: 220 {i.me} ESMTP", up)
        self.assertIn(f"ok     POP3 by TLS on 127.0.0.1 port {i.pop3s_port}: +OK {i.me} POP3", up)
        self.assertIn("ok     qmail-queued takes submissions", up)
        self.assertIn(f"control/me, {i.me}, has no address", up)
        self.assertEqual((i.home / "bin/open-smtp-allow").stat().st_mode & 0o777, 0o711)
        run = i.home / "service/qmail-smtpd/run"
        run.write_text("#!/bin/sh\necho no luck today\n")
        i.ctl("restart")
        sick = i.ctl("doctor", code=2)
        self.assertIn("qmail-smtpd ends and is started again", sick)
        self.assertIn("no luck today", sick)


@unittest.skipUnless(relais.IS_ROOT, "a system instance needs root")
class SystemInstance(Kind, relais.TestCase):
    pass


class UserInstance(Kind, relais.TestCase):
    single = True


@unittest.skipUnless(relais.IS_ROOT, "needs a mount namespace")
class TrustAnchors(relais.TestCase):
    def test_new_instances_validate_where_the_system_has_trust_anchors(self):
        i = self.instance()
        for there in (True, False):
            place = i.directory / f"new{there}"
            make = f"mkdir /usr/share/dns && echo . >/usr/share/dns/root.key && chmod -R a+rX /usr/share && " if there else ""
            done = i.run("/usr/bin/unshare", "-m", "sh", "-c", f"mount -t tmpfs tmpfs /usr/share && {make}exec \"$@\"", "-",
                         relais.program("qmail-setup"), place, "--me", "mail.test", "--numbers", i.base_id)
            self.assertEqual(done.code, 0, done)
            link = place / "control/dnsanchors"
            self.assertEqual(link.is_symlink() and os.readlink(link), there and "/usr/share/dns/root.key")


class Demo(relais.TestCase):
    """The script behind make run and make stop, as an ordinary user."""

    def demo(self, i, *words):
        environment = {**i.environment, "RELAIS_BIN": str(relais.BIN)}
        identity = i._identity(i.ids("qmailq")) if relais.IS_ROOT else {}
        done = subprocess.run(["python3", "-B", i.directory / "demo.py", *map(str, words)], capture_output=True, timeout=400,
                              env=environment, cwd=i.directory, **identity)
        return relais.Result(done)

    def made(self):
        i = self.instance(single=True)
        # A copy, for the tree may be where that user cannot go.
        (i.directory / "demo.py").write_bytes((relais.ROOT / "scripts/demo.py").read_bytes())
        return i

    def test_run_twice_and_stop(self):
        i = self.made()
        home, port, pop3_port = i.directory / "run", relais.free_port(), relais.free_port()
        self.addCleanup(self.demo, i, "stop", home)
        first = self.demo(i, "run", home, port, pop3_port)
        self.assertEqual(first.code, 0, first)
        for text in ("delivered: a message by SMTP", "delivered: a message by sendmail", "seen by POP3: 2 messages", "before a login: 127.0.0.2 may not",
                     "after a login by POP3: 127.0.0.2 may send elsewhere", str(port), f"port {pop3_port}", "make stop"):
            self.assertIn(text, first.out)
        again = self.demo(i, "run", home, port, pop3_port)
        self.assertEqual(again.code, 0, again)
        self.assertIn(f"{home} is running already", again.out)
        self.assertEqual(len([p for part in ("new", "cur") for p in (home / "demo/Maildir" / part).iterdir()]), 4)
        stopped = self.demo(i, "stop", home)
        self.assertEqual((stopped.code, stopped.out), (0, f"stopped {home}\n"))
        self.assertEqual([p for p in os.listdir("/proc") if p.isdigit() and self.cwd(p).startswith(str(home))], [])
        third = self.demo(i, "run", home, port, pop3_port)
        self.assertEqual(third.code, 0, third)

    @staticmethod
    def cwd(pid):
        with contextlib.suppress(OSError):
            return os.readlink(f"/proc/{pid}/cwd")
        return ""

    def test_a_port_in_use_is_said(self):
        i = self.made()
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            done = self.demo(i, "run", i.directory / "run", taken.getsockname()[1], relais.free_port())
        self.assertEqual(done.code, 1)
        self.assertIn("is in use by something else", done.err)
        self.assertFalse((i.directory / "run").exists())


if __name__ == "__main__":
    relais.main()
