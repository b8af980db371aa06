"""The POP3 service as clients see it: poplib, curl, mpop and fetchmail against tcpserver, qmail-popup, checkpassword and qmail-pop3d."""

import contextlib
import hashlib
import os
import poplib
import re
import signal
import socket
import subprocess

from harness import pop3
from harness import relais

PASSWORD = "correct horse"
BODY = "Subject: {}\n\n.a line with a dot\n.\nlast\n"


class Pop3(relais.TestCase):
    def made(self, **options):
        i = self.instance(**options)
        self.anna = i.add_user("anna")
        i.start(smtpd=None)
        pop3.set_password(i, "anna", PASSWORD)
        self.port = self.serve(i)
        return i

    # Whose lines tell of a login that was not taken, and of one that was.
    opener, server = "qmail-popup", "qmail-pop3d"

    def serve(self, i, *address):
        return pop3.start_server(i, *address)

    def kill_sessions(self, i):
        return i.kill("qmail-pop3d", signal.SIGKILL)

    def connect(self, user="anna", password=PASSWORD):
        client = poplib.POP3("127.0.0.1", self.port, timeout=60)
        self.addCleanup(client.close)
        client.user(user)
        client.pass_(password)
        return client

    def fill(self, count=2):
        for number in range(1, count + 1):
            pop3.make_message(self.anna, f"{number}.M1.host", BODY.format(number), 1000 + number)

    def test_passwords_in_clear_only_from_loopback(self):
        i = self.made()
        pop3.set_password(i, "anna", PASSWORD, "--store-secret")
        # Whoever connects, the session believes in a client elsewhere.
        port = pop3.start_server(i, name="elsewhere", chain=("checkpassword", "qmail-pop3d", "Maildir"), elsewhere="192.0.2.7")
        with pop3.Client(port) as client:
            stamp = client.greeting[client.greeting.index("<"):]
            self.assertEqual(client.command("USER anna"), "-ERR passwords are not taken in clear from there")
            self.assertEqual(client.command("PASS " + PASSWORD), "-ERR passwords are not taken in clear from there")
            digest = hashlib.md5((stamp + PASSWORD).encode()).hexdigest()
            self.assertEqual(client.command(f"APOP anna {digest}")[:3], "+OK")
        i.control("authplain", "1")
        with pop3.Client(port) as client:
            self.assertEqual(client.command("USER anna"), "+OK")

    def test_poplib(self):
        i = self.made()
        self.fill()
        client = self.connect()
        size = len(BODY.format(1).replace("\n", "\r\n"))
        self.assertEqual(client.stat(), (2, 2 * size))
        self.assertEqual(client.list()[1], [f"1 {size}".encode(), f"2 {size}".encode()])
        self.assertEqual(client.uidl()[1], [b"1 1.M1.host", b"2 2.M1.host"])
        self.assertEqual(client.top(1, 1)[1], [b"Subject: 1", b"", b".a line with a dot"])
        self.assertEqual(client.retr(1)[1], [b"Subject: 1", b"", b".a line with a dot", b".", b"last"])
        for name in ("TOP", "UIDL", "USER", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE"):
            self.assertIn(name, client.capa())
        client.dele(2)
        self.assertEqual(client.stat(), (1, size))
        client.quit()
        self.assertEqual([p.name for p in self.anna.files()], ["1.M1.host:2,S"])
        again = self.connect()
        self.assertEqual(again.uidl()[1], [b"1 1.M1.host"])  # the same as before the move to cur/
        again.quit()
        i.wait_log(f"{self.server}: login anna@{i.me} from 127.0.0.1: 2 messages", "pop3")

    def test_forms_of_one_account(self):
        i = self.made()
        for login in ("anna", "ANNA", f"anna@{i.me}", f"anna%{i.me}"):
            self.connect(login).quit()
        i.wait_log(f"login anna@{i.me} ", "pop3", count=4)

    def test_one_user_instance(self):
        self.made(single=True)
        self.fill(1)
        client = self.connect()
        self.assertEqual(client.stat()[0], 1)
        client.quit()

    def test_ipv6(self):
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
            i = self.made()
            port = pop3.start_server(i, "::1", name="pop3-6")
            with pop3.Client(port, "::1") as client:
                self.assertEqual(client.login("anna", PASSWORD), "+OK")
            i.wait_log("from ::1", "pop3-6")
            return
        self.skipTest("no IPv6 here")

    def test_refused(self):
        i = self.made()
        for user, password in (("anna", "wrong"), ("nobody", PASSWORD), ("../anna", PASSWORD)):
            with pop3.Client(self.port) as client:
                self.assertEqual(client.login(user, password), "-ERR [AUTH] authorization failed")
                self.assertEqual(client.line(), "")  # and closed
        i.wait_log(f"{self.opener}: refused anna from 127.0.0.1: authorization failed", "pop3")
        i.wait_log(f"qmail-authd: refused anna@{i.me} from 127.0.0.1 over pop3: wrong password", "send")
        i.wait_log(f"qmail-authd: refused nobody@{i.me} from 127.0.0.1 over pop3: no such account", "send")
        everything = "\n".join(i.log("send") + i.log("pop3"))
        self.assertNotIn("wrong\n", everything)
        self.assertNotIn(PASSWORD, everything)

    def test_root_reads_nothing_from_a_stranger(self):
        """The dialogue before the login is held by a confined child as qmaild, which has nothing but the client."""
        if not relais.IS_ROOT:
            self.skipTest("only root has children of another user")
        i = self.made()

        def holder():
            popups = i.processes("qmail-popup")
            return [p for p in popups if p.parent in {q.pid for q in popups}]
        with pop3.Client(self.port) as client:
            client.command("USER anna")
            (child,) = i.wait_for(holder, 20, "the dialogue's process")
            status = child.status()
            self.assertEqual(set(status["Uid"].split()), {str(i.ids("qmaild")[0])})
            self.assertEqual(status["Groups"].split(), [])
            if relais.CONFINED:
                self.assertEqual((status["Seccomp"], status["NoNewPrivs"]), ("2", "1"))
            os.kill(child.pid, 9)
            self.assertEqual(client.line(), "")
        i.wait_for(lambda: not i.processes("qmail-popup"), 20, "the end of the session")
        self.assertTrue(any("the child that speaks with a client crashed" in line for line in i.log("pop3")))

    def test_no_daemon_is_temporary(self):
        i = self.instance()
        i.add_user("anna")
        port = pop3.start_server(i)
        with pop3.Client(port) as client:
            self.assertIn("POP3", client.greeting)
            self.assertRegex(client.login("anna", PASSWORD), r"^-ERR \[SYS/TEMP\] ")

    def test_apop_only_where_a_secret_is_stored(self):
        i = self.made()
        with pop3.Client(self.port) as client:
            self.assertNotIn("<", client.greeting)
            self.assertEqual(client.command("APOP anna " + "0" * 32), "-ERR APOP is not offered")
        i.add_user("bert")
        pop3.set_password(i, "bert", "stored one", "--store-secret")

        def apop(user, password):
            with pop3.Client(self.port) as client:
                stamp = re.search(r"<.*>", client.greeting).group()
                digest = hashlib.md5((stamp + password).encode()).hexdigest()
                return client.command(f"APOP {user} {digest}")

        self.assertEqual(apop("bert", "stored one"), "+OK")
        self.assertEqual(apop("bert", "another"), "-ERR [AUTH] authorization failed")
        self.assertEqual(apop("anna", PASSWORD), "-ERR [AUTH] authorization failed")
        self.connect("bert", "stored one").quit()
        client = poplib.POP3("127.0.0.1", self.port, timeout=60)
        client.apop("bert", "stored one")
        client.quit()

    def test_pipelined_beyond_the_login(self):
        self.made()
        self.fill(1)
        with pop3.Client(self.port) as client:
            client.raw(f"USER anna\r\nPASS {PASSWORD}\r\nSTAT\r\nUIDL\r\nDELE 1\r\nQUIT\r\n")
            answers = [client.line() for _ in range(8)]
        self.assertEqual([a[:3] for a in answers[:4]], ["+OK", "+OK", "+OK", "+OK"])
        self.assertEqual(answers[4:], ["1 1.M1.host", ".", "+OK", "+OK"])
        self.assertEqual(self.anna.files(), [])

    def test_a_broken_connection_removes_nothing(self):
        i = self.made()
        self.fill()
        for end in (lambda c: c.close(), lambda c: c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")):
            with pop3.Client(self.port) as client:
                client.login("anna", PASSWORD)
                self.assertEqual(client.command("DELE 1"), "+OK")
                end(client.socket)
        with pop3.Client(self.port) as client:
            client.login("anna", PASSWORD)
            self.assertEqual(client.command("DELE 1"), "+OK")
            self.assertGreater(self.kill_sessions(i), 0)
            self.assertIn(client.line(), ("", "-ERR [SYS/TEMP] aack, child crashed"))
        self.assertEqual(len(self.anna.files()), 2)

    def test_hostile_lines(self):
        self.made()
        with pop3.Client(self.port) as client:
            for line in ("", " ", "USER", "PASS x", "STAT", "\0\xff", "APOP a b", "user \t"):
                self.assertTrue(client.command(line).startswith(("-ERR", "+OK")), line)
        with pop3.Client(self.port) as client:
            client.raw(b"USER " + b"x" * 100000 + b"\r\n")
            with contextlib.suppress(ConnectionError):
                self.assertIn(client.line()[:4], ("", "-ERR"))
        with pop3.Client(self.port) as client:
            for size in (994, 996, 1500, 5000, 60000):
                self.assertEqual(client.command("USER " + "x" * size), "+OK" if size < 996 else "-ERR line too long", size)
            self.assertEqual(client.command("USER anna"), "+OK")
            self.assertEqual(client.command(f"PASS {PASSWORD}"), "+OK")
            self.assertEqual(client.command("NOOP " + "x" * 5000), "-ERR line too long")
        with pop3.Client(self.port) as client:
            client.command("USER " + "u" * 400)
            self.assertEqual(client.command("PASS " + "p" * 400), "-ERR [AUTH] authorization failed")
        with pop3.Client(self.port) as client:
            client.command("USER an\0na")
            self.assertEqual(client.command("PASS x"), "-ERR [AUTH] authorization failed")
        with pop3.Client(self.port) as client:
            client.raw(b"GET / HTTP/1.0\r\n" * 30)
            answers = []
            with contextlib.suppress(ConnectionError):
                while line := client.line():
                    answers.append(line)
            self.assertLessEqual(len(answers), 20)
        self.connect().quit()

    def test_odd_messages(self):
        self.made()
        pop3.make_message(self.anna, "1.a", b"\xff\0\r\r\n" + b"x" * 200000 + b"\n" + b"." * 70000, 1)
        pop3.make_message(self.anna, "2.a", b"", 2)
        pop3.make_message(self.anna, "3.a", b"A: b\r\n\r\n.\r\n", 3)
        (self.anna.home / "Maildir/new/4.a").symlink_to("/etc/passwd")  # a link is no message
        pop3.make_message(self.anna, "5.a", b"A: b\n\n", 5).chmod(0)
        with pop3.Client(self.port) as client:
            client.login("anna", PASSWORD)
            sizes = [int(line.split()[1]) for line in [client.command("LIST")] and client.lines()]
            self.assertEqual(sizes[:3], [5 + 200002 + 70002, 0, 11])
            self.assertEqual(len(sizes), 4)
            self.assertEqual(client.command("RETR 1"), "+OK")
            self.assertEqual(len(client.file.read(sizes[0] + 1 + 3)), sizes[0] + 4)  # one more dot, and the end
            self.assertEqual(client.command("RETR 2"), "+OK")
            self.assertEqual(client.lines(), [])
            self.assertRegex(client.command("RETR 4"), r"^-ERR \[SYS/TEMP\]")

    def test_no_maildir(self):
        i = self.made()
        i.add_user("carl", maildir=False)
        pop3.set_password(i, "carl", "x")
        with pop3.Client(self.port) as client:
            self.assertRegex(client.login("carl", "x"), r"^-ERR \[SYS/PERM\] ")

    def test_a_maildir_of_its_own(self):
        i = self.made()
        self.anna.make_maildir("Elsewhere")
        path = self.anna.home / "Elsewhere/new/1.x"
        path.write_text("A: b\n\n")
        self.anna.own(path)
        pop3.set_password(i, "anna", PASSWORD, "--maildir", "Elsewhere")
        client = self.connect()
        self.assertEqual(client.uidl()[1], [b"1 1.x"])
        client.quit()

    def test_a_large_mailbox(self):
        """100,000 messages: the numbers come at once, and each can be had."""
        self.made()
        count = 100000 if "RELAIS_LARGE" in os.environ else 20000
        folder = self.anna.home / "Maildir/cur"
        first = folder / "0.M1.host:2,S"
        first.write_text("A: b\n\nx\n")
        self.anna.own(first)
        for number in range(1, count):
            os.link(first, folder / f"{number}.M1.host:2,S")
        with pop3.Client(self.port) as client:
            self.assertEqual(client.login("anna", PASSWORD), "+OK")
            self.assertEqual(client.command("STAT"), f"+OK {count} {8 * count}")
            client.command("UIDL")
            self.assertEqual(len({line.split()[1] for line in client.lines()}), count)
            self.assertEqual(client.command(f"RETR {count}"), "+OK")
            self.assertEqual(client.lines(), ["A: b", "", "x"])
            for number in range(1, count + 1, 1000):
                self.assertEqual(client.command(f"DELE {number}"), "+OK")
            self.assertEqual(client.command("QUIT"), "+OK")
        self.assertEqual(len(os.listdir(folder)), count - count // 1000)

    def test_another_password_program(self):
        """Anything that speaks to descriptor 3 works, and descriptors above 3 pass through."""
        i = self.instance()
        user = i.add_user("anna")
        pop3.make_message(user, "1.a", "A: b\n\n")
        program = i.directory / "check"
        program.write_text("#!/bin/sh\ncreds=$(tr '\\0' ' ' <&3)\nexec 3<&-\n"
                           "case $creds in \"anna sesame <\"*\">\"*) ;; *) exit 1 ;; esac\n"
                           f"echo \"$TAG\" >&4\nHOME={user.home} USER=anna; export HOME USER\ncd \"$HOME\" && exec \"$@\"\n")
        program.chmod(0o755)
        seen = i.directory / "seen"
        wrapper = i.directory / "wrapper"
        wrapper.write_text(f"#!/bin/sh\nexec 4>{seen}\nTAG=kept; export TAG\nexec \"$@\"\n")
        wrapper.chmod(0o755)
        port = relais.free_port()
        i.spawn("pop3", ["tcpserver", "-v", "-R", "-H", "-l", "0", "127.0.0.1", port, wrapper, relais.program("qmail-popup"),
                         "-a", i.me, program, relais.program("qmail-pop3d"), "Maildir"])

        def answers():
            with contextlib.suppress(OSError):
                return pop3.Client(port)
        i.wait_for(answers, 20, "a POP3 server").__exit__()
        with pop3.Client(port) as client:
            self.assertRegex(client.greeting, r"^\+OK <.*@mail\.test>$")
            self.assertEqual(client.login("anna", "sesame"), "+OK")
            self.assertEqual(client.command("STAT"), "+OK 1 8")
        self.assertEqual(seen.read_text(), "kept\n")
        with pop3.Client(port) as client:
            self.assertEqual(client.login("anna", "wrong"), "-ERR [AUTH] authorization failed")

    # ------------------------------------------------------------ real clients

    def as_nobody(self, i, *words, **options):
        return subprocess.run(list(map(str, words)), capture_output=True, timeout=400, text=True, cwd=i.directory,
                              env={**i.environment, "HOME": str(i.directory)}, **options)

    def test_curl(self):
        i = self.made()
        self.fill()
        place = f"pop3://127.0.0.1:{self.port}/"
        done = self.as_nobody(i, "curl", "-s", "-S", "-u", f"anna:{PASSWORD}", place)
        self.assertEqual((done.returncode, len(done.stdout.split())), (0, 4), done)
        done = self.as_nobody(i, "curl", "-s", "-S", "-u", f"anna@{i.me}:{PASSWORD}", place + "1")
        self.assertEqual(done.stdout, BODY.format(1), done)
        done = self.as_nobody(i, "curl", "-s", "-S", "-u", "anna:wrong", place)
        self.assertEqual(done.returncode, 67, done)  # login denied

    def test_mpop(self):
        i = self.made()
        self.fill(3)
        inbox = i.directory / "inbox"
        config = i.directory / "mpoprc"
        config.write_text(f"account default\nhost 127.0.0.1\nport {self.port}\nuser anna\npassword \"{PASSWORD}\"\nauth user\n"
                          f"tls off\ntls_starttls off\nkeep off\nuidls_file {i.directory}/uidls\ndelivery mbox {inbox}\n")
        config.chmod(0o600)
        done = self.as_nobody(i, "mpop", "-C", config)
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(inbox.read_text().count("Subject: "), 3)
        self.assertEqual(self.anna.files(), [])

    def test_fetchmail(self):
        i = self.made()
        self.fill(3)
        config = i.directory / "fetchmailrc"
        inbox = i.directory / "inbox"
        deliver = i.directory / "deliver"
        deliver.write_text(f"#!/bin/sh\ncat >>{inbox}\n")
        deliver.chmod(0o755)
        config.write_text(f"poll 127.0.0.1 protocol pop3 port {self.port} timeout 60 uidl\n"
                          f"user \"anna\" password \"{PASSWORD}\" sslproto \"\" mda \"{deliver}\" no keep\n")
        config.chmod(0o600)
        done = self.as_nobody(i, "fetchmail", "-f", config, "--nodetach", "--nosyslog", "-v")
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(inbox.read_text().count("Subject: "), 3)
        self.assertEqual(self.anna.files(), [])


if __name__ == "__main__":
    relais.main()
