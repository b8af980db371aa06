"""qmail-authd and qmail-passwd: what a wrong password costs, what is remembered, what is written where, and PAM."""

import fcntl
import hashlib
import hmac
import json
import os
import pathlib
import socket
import stat
import struct
import threading
import time
import unittest

from harness import pop3
from harness import relais
from harness.pop3 import ask_authd as ask

PASSWORD = "correct horse"


class Auth(relais.TestCase):
    def made(self, **options):
        i = self.instance(**options)
        self.anna = i.add_user("anna")
        pop3.set_password(i, "anna", PASSWORD)
        i.start(smtpd=None)
        return i

    def test_right_and_wrong(self):
        i = self.made()
        letter, fields = ask(i, "anna", PASSWORD)
        self.assertEqual(letter, "K")
        self.assertEqual(fields[:7], [f"anna@{i.me}", str(self.anna.uid), str(self.anna.gid), str(self.anna.gid),
                                      str(self.anna.home), "/bin/false", ""])
        self.assertEqual(ask(i, "anna", "x")[0], "R")
        self.assertEqual(ask(i, "anna", "")[0], "R")
        self.assertEqual(ask(i, "anna", PASSWORD.upper())[0], "R")

    def test_the_socket_is_closed_to_others(self):
        i = self.made()
        path = i.home / "sockets/auth"
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        if not relais.IS_ROOT:
            return
        done = i.run("/usr/bin/python3", "-c", f"import socket; socket.socket(socket.AF_UNIX).connect({str(path)!r})",
                     user=self.anna)
        self.assertIn("PermissionError", done.err)
        self.assertEqual(stat.S_IMODE((i.home / "users/passwd").stat().st_mode), 0o600)
        database = (i.home / "users/passwd.cdb").stat()
        self.assertEqual((stat.S_IMODE(database.st_mode), database.st_uid, database.st_gid), (0o440, 0, i.ids("qmaila")[1]))

    @staticmethod
    def halves(i):
        """The half that starts others, the one that speaks with clients, and the checks of hashes."""
        def seen():
            # One that has just begun has no title yet, and the daemon may just have ended.
            daemons = {p.pid: p for p in i.processes("qmail-authd")}
            roots = [p for p in daemons.values() if p.parent not in daemons]
            checks = [p for p in daemons.values() if p.arguments()[:1] == [b"qmail-authd check"]]
            speaking = [p for p in daemons.values() if p not in roots and p not in checks]
            return len(roots) == len(speaking) == 1 and checks and (roots[0], speaking[0], checks)
        return relais.wait_until(seen, 30)

    def test_who_checks_hashes_may_do_nothing(self):
        i = self.made()
        self.assertEqual(ask(i, "anna", PASSWORD)[0], "K")
        root, speaking, checks = self.halves(i)
        self.assertGreaterEqual(len(checks), 1)
        for process, role in ((speaking, "qmaila"), *((each, "qmailh") for each in checks)):
            if relais.IS_ROOT:
                self.assertEqual(process.uid, i.ids(role)[0])
            if relais.CONFINED:
                i.wait_for(lambda p=process: p.status()["Seccomp"] == "2", 20, f"a confined {role}")
        if relais.CONFINED:
            i.wait_for(lambda: root.status()["Seccomp"] == "2", 20, "a confined half that starts others")

    def test_a_dead_check_is_replaced_and_so_is_the_daemon(self):
        i = self.made()

        def right():
            # A process that dies with a request in its hands resets the connection.
            try:
                return ask(i, "anna", PASSWORD)[0] == "K"
            except (ConnectionError, struct.error):
                return False

        for process in self.halves(i)[2]:
            os.kill(process.pid, 9)
        i.wait_for(right, 20, "a right login after the death of the checks")
        for half in (0, 1):
            os.kill(self.halves(i)[half].pid, 9)
            i.wait_for(right, 20, f"a right login after the death of half {half} of the daemon")

    def test_a_wrong_password_holds_up_nobody_else(self):
        """The answer to a wrong login comes after that to a right one from elsewhere that was asked later."""
        i = self.made()

        def login(secret, address):
            order.append(ask(i, "anna", secret, address=address)[0])

        # Each answer is held back for twice as long as that before: one second at first, which a busy machine may need.
        for failure in range(1, 6):
            order = []
            wrong = threading.Thread(target=login, args=("wrong", "192.0.2.1"))
            wrong.start()
            i.wait_log(f"failure {failure} of this address", "send")
            login(PASSWORD, "192.0.2.2")
            wrong.join()
            if order == ["K", "R"]:
                break
        self.assertEqual(order, ["K", "R"])

    def test_many_connections_guess_no_faster_than_one(self):
        """From the third failure on an address has one login looked at at a time: while its answer is held back, no other is."""
        i = self.made()

        def failures():
            return [line for line in i.log("send") if "192.0.2.1 over test: wrong password" in line]

        threads = [threading.Thread(target=ask, args=(i, "anna", f"wrong {n}")) for n in range(3)]
        for thread in threads:
            thread.start()
        i.wait_for(lambda: len(failures()) == 3, 20, "three failures")
        order = []

        def guess(name, secret, address):
            order.append((name, ask(i, "anna", secret, address=address)[0]))

        for thread in threads:
            thread.join()
        more = [threading.Thread(target=guess, args=(n, "still wrong", "192.0.2.1")) for n in range(3)]
        for thread in more:
            thread.start()
        # The fourth is held back and, where that was too short for a busy machine, the fifth for twice as long; those behind it have
        # not been looked at, and only those before it have been answered.
        for failure in (4, 5):
            i.wait_for(lambda: len(failures()) >= failure, 20, f"failure {failure}")
            guess("other", PASSWORD, "192.0.2.7")
            if len(failures()) == failure:
                break
        self.assertEqual((order.count(("other", "K")), len(failures())), (failure - 3, failure))
        self.assertLessEqual(len(order), 2 * (failure - 4) + 1, order)
        self.assertIn("failure 4 of this address, answer in 8 s", failures()[3])
        i.wait_for(lambda: len(failures()) == failure + 1, 30, "the next failure, after the answer to this one")
        i.stop()
        for thread in more:
            thread.join()

    def test_known_logins_are_not_checked_again(self):
        """With the checks stopped, only a login from the cache can be answered."""
        i = self.made()
        pop3.set_password(i, "bert", "x", "--uid", 4242, "--gid", 4242, "--home", "/tmp")
        # A file that changed this moment counts as changed once more.
        database = i.home / "users/passwd.cdb"
        i.wait_for(lambda: time.time() - database.stat().st_ctime > 0.1, 20, "a settled data base")
        self.assertEqual(ask(i, "anna", PASSWORD)[0], "K")
        workers = [p.pid for p in self.halves(i)[2]]
        for pid in workers:
            os.kill(pid, 19)
        results = []
        fresh = threading.Thread(target=lambda: results.append(ask(i, "bert", "x")[0]))
        fresh.start()
        self.assertEqual(ask(i, f"anna%{i.me}", PASSWORD)[0], "K")
        self.assertEqual(results, [])
        for pid in workers:
            os.kill(pid, 18)
        fresh.join()
        self.assertEqual(results, ["K"])

    def test_a_changed_password_counts_at_once(self):
        i = self.made()
        self.assertEqual(ask(i, "anna", PASSWORD)[0], "K")
        pop3.set_password(i, "anna", "another")
        self.assertEqual(ask(i, "anna", PASSWORD)[0], "R")
        self.assertEqual(ask(i, "anna", "another")[0], "K")
        self.assertEqual(i.run("qmail-passwd", "delete", "anna").code, 0)
        self.assertEqual(ask(i, "anna", "another")[0], "R")

    def test_challenges_need_a_stored_secret(self):
        i = self.made()
        stamp = "<1.2@mail.test>"

        def cram(user, secret):
            return ask(i, user, hmac.new(secret.encode(), stamp.encode(), hashlib.md5).hexdigest(), "C", challenge=stamp)[0]

        self.assertEqual(ask(i, "", "", "M")[1][-2], "password scram")
        self.assertEqual(cram("anna", PASSWORD), "R")
        pop3.set_password(i, "anna", PASSWORD, "--store-secret")
        self.assertEqual(ask(i, "", "", "M")[1][-2], "password challenge scram")
        self.assertEqual(cram("anna", PASSWORD), "K")
        self.assertEqual(cram("anna", "wrong"), "R")
        pop3.set_password(i, "anna", PASSWORD)  # stays stored
        self.assertEqual(cram("anna", PASSWORD), "K")
        pop3.set_password(i, "anna", PASSWORD, "--forget-secret")
        self.assertNotIn(PASSWORD.replace(" ", "%20"), (i.home / "users/passwd").read_text())
        self.assertEqual(ask(i, "", "", "M")[1][-2], "password scram")
        self.assertEqual(cram("anna", PASSWORD), "R")

    def test_every_kind_of_login_counts(self):
        """A wrong password, APOP digest, CRAM-MD5 response, SCRAM proof or token: each is a failure of address and account."""
        i = self.made()
        pop3.set_password(i, "anna", PASSWORD, "--store-secret")
        kinds = (("P", "wrong", ""), ("P", "0" * 32, "<1.2@x>"), ("C", "0" * 32, "<1.2@x>"), ("F", "AAAA", "n=anna"), ("B", "x", "XOAUTH2"))
        threads = [threading.Thread(target=ask, args=(i, "anna", secret, kind, "192.0.2.1", stamp)) for kind, secret, stamp in kinds]
        for thread in threads:
            thread.start()
        i.wait_log("failure 5 of this address, answer in 16 s", "send")
        for thread in threads:
            thread.join()
        threads = [threading.Thread(target=ask, args=(i, "anna", "x", "P", f"192.0.2.{n}")) for n in range(2, 7)]
        for thread in threads:
            thread.start()
        i.wait_log("failure 1 of this address, answer in 16 s, failure 10 of this account", "send")
        for thread in threads:
            thread.join()

    def test_hostile_requests(self):
        i = self.made()
        for data in (b"", b"\0", b"\0\0", b"\xff\xff" + b"x" * 70000, b"\5\0Pxxxx", b"\2\0P\0", b"\7\0Pa\0\0\0\0\0\0extra"):
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(60)
                s.connect(str(i.home / "sockets/auth"))
                try:
                    s.sendall(data)
                    s.shutdown(socket.SHUT_WR)
                    self.assertEqual(s.recv(100), b"", data[:10])
                except ConnectionError:
                    pass
        for user in ("../../etc/passwd", "a\nb", "\xff", "x" * 300, "@", ""):
            self.assertEqual(ask(i, user, "x", address=f"192.0.2.{len(user) % 200}")[0], "R")
        self.assertEqual(ask(i, "anna", PASSWORD)[0], "K")
        self.assertFalse([line for line in i.log("send") if "alert" in line])

    def test_list_show_delete(self):
        i = self.made()
        pop3.set_password(i, "Bert%Other.test", "x", "--uid", 4242, "--gid", 4343, "--home", "/tmp", "--maildir", "M:1/")
        done = i.run("qmail-passwd", "list")
        self.assertEqual(done.out.split(), [f"anna@{i.me}", "bert@other.test"])
        self.assertEqual([e["account"] for e in json.loads(i.run("qmail-passwd", "list", "--json").out)], done.out.split())
        shown = json.loads(i.run("qmail-passwd", "show", "bert@other.test", "--json").out)
        self.assertEqual((shown["uid"], shown["gid"], shown["maildir"], shown["stored_secret"]), (4242, 4343, "M:1/", False))
        self.assertNotIn("argon2", i.run("qmail-passwd", "show", "bert@other.test").out)
        self.assertEqual(i.run("qmail-passwd", "delete", "bert@other.test").code, 0)
        self.assertEqual(i.run("qmail-passwd", "delete", "bert@other.test").code, 1)
        self.assertEqual(i.run("qmail-passwd", "show", "bert@other.test").code, 1)

    def test_passwd_refuses(self):
        i = self.made()
        before = (i.home / "users/passwd").read_bytes()

        def refused(text, account, *options, input="x\n"):
            done = i.run("qmail-passwd", "set", account, *options, input=input)
            self.assertEqual(done.code, 100, done)
            self.assertIn(text, done.err)

        refused("is empty", "anna", input="\n")
        refused("is empty", "anna", input="")
        refused("at most", "anna", input="x" * 300)
        refused("control characters", "anna", input="a\tb\n")
        refused("cannot be an account", "an/na")
        refused("above 0", "root@x.test", "--uid", 0, "--gid", 0, "--home", "/root")
        refused("--home", "nobody@nowhere.test")
        refused("absolute", "b@x.test", "--uid", 4242, "--gid", 4242, "--home", "here")
        self.assertEqual((i.home / "users/passwd").read_bytes(), before)

    def test_edited_by_hand(self):
        i = self.made()
        path = i.home / "users/passwd"
        path.write_text("# people\n\n" + path.read_text().replace(":/bin/false:", ":/bin/sh:"))
        self.assertEqual(i.run("qmail-passwd", "build").code, 0)
        self.assertEqual(ask(i, "anna", PASSWORD)[1][5], "/bin/sh")
        pop3.set_password(i, "anna", PASSWORD)
        self.assertTrue(path.read_text().startswith("# people\n"))
        path.write_text(path.read_text() + "nonsense\n")
        done = i.run("qmail-passwd", "build")
        self.assertEqual(done.code, 100)
        self.assertIn("users/passwd, line 4: 1 fields", done.err)
        self.assertEqual(ask(i, "anna", PASSWORD)[0], "K")

    def test_writers_take_turns(self):
        i = self.made()
        threads = [threading.Thread(target=pop3.set_password,
                                    args=(i, f"u{n}@x.test", "x", "--uid", 4242, "--gid", 4242, "--home", "/tmp"))
                   for n in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(i.run("qmail-passwd", "list").out.split()), 13)


@unittest.skipUnless(relais.IS_ROOT and any(pathlib.Path("/lib/x86_64-linux-gnu/security").glob("pam_exec.so")),
                     "PAM is asked by root")
class System(relais.TestCase):
    """The system's users, by a PAM service of the test's own: pam_exec hands the password to a script."""

    def test_system_users(self):
        i = self.instance()
        services = i.directory / "pam.d"
        services.mkdir()
        check = i.directory / "check"
        check.write_text("#!/bin/sh\npassword=$(tr -d '\\0')\n[ \"$PAM_USER $PAM_RHOST $password\" = 'games 192.0.2.1 sesame' ]\n")
        check.chmod(0o755)
        (services / "relais").write_text(f"auth [success=1 default=ignore] pam_exec.so expose_authtok quiet {check}\n"
                                         "auth requisite pam_deny.so\nauth required pam_permit.so\naccount required pam_permit.so\n")
        i.control("authsystem", "relais")
        pop3.set_password(i, "anna", PASSWORD, "--uid", 4242, "--gid", 4242, "--home", "/tmp")
        path = str(i.home / "sockets/auth")
        with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as other:
            for each, name in ((listening, path), (other, path + "-smtp")):
                each.bind(name)
                each.listen(10)
            # The descriptors must be 3 and 4 in the daemon.
            process = os.fork()
            if process == 0:
                log = os.open(i.logs / "authd", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                os.setsid()
                os.dup2(log, 2)
                first, second = fcntl.fcntl(listening.fileno(), fcntl.F_DUPFD, 10), fcntl.fcntl(other.fileno(), fcntl.F_DUPFD, 10)
                os.dup2(first, 3)
                os.dup2(second, 4)
                os.execve(relais.program("qmail-authd"), ["qmail-authd", "--pam-directory", str(services)], i.environment)
            listening.close()  # nobody waits in vain for a daemon that has died
            try:
                letter, fields = ask(i, "games", "sesame")
                self.assertEqual(letter, "K", i.log("authd"))
                self.assertEqual(fields[0], "games")
                self.assertNotEqual(fields[1], "0")
                self.assertEqual(ask(i, "games", "sesam")[0], "R")
                self.assertEqual(ask(i, "games@elsewhere.test", "sesame")[0], "R")
                self.assertEqual(ask(i, "root", "sesame")[0], "R")
                self.assertEqual(ask(i, "anna", PASSWORD, address="192.0.2.9")[0], "K")  # users/passwd goes first
                self.assertTrue(any("refused games@" in line and "PAM: " in line for line in i.log("authd")))
            finally:
                os.kill(process, 15)
                os.waitpid(process, 0)


if __name__ == "__main__":
    relais.main()
