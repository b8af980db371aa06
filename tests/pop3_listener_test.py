"""qmail-popd, the POP3 server with a listener of its own: what the chain does (pop3_test.py) and what is the listener's."""

import contextlib
import os
import pathlib
import poplib
import signal
import ssl
import unittest

import pop3_test
import tls_test
from harness import pop3
from harness import relais

PASSWORD = pop3_test.PASSWORD
# Of the chain's tests those that put another program into the chain, or look at its processes.
CHAIN_ONLY = ("passwords_in_clear_only_from_loopback", "ipv6", "root_reads_nothing_from_a_stranger", "no_daemon_is_temporary",
              "another_password_program", "apop_only_where_a_secret_is_stored", "fetchmail", "mpop")


class AsTheChain(pop3_test.Pop3):
    """The same dialogues, the same answers."""

    opener = server = "qmail-popd"

    def serve(self, i, *address):
        return pop3.start_own_server(i, *address, name="pop3")

    def kill_sessions(self, i):
        listener = i.running["pop3"].pid
        sessions = pathlib.Path(f"/proc/{listener}/task/{listener}/children").read_text().split()
        for pid in sessions:
            os.kill(int(pid), signal.SIGKILL)
        return len(sessions)


for _name in CHAIN_ONLY:
    setattr(AsTheChain, "test_" + _name, None)


class Listener(relais.TestCase):
    def made(self, options=(), start=True, **control):
        self.i = self.instance(control=control)
        self.anna = self.i.add_user("anna")
        self.i.start(smtpd=None)
        pop3.set_password(self.i, "anna", PASSWORD)
        self.port = pop3.start_own_server(self.i, options=options) if start else None
        return self.i

    def status(self, pid):
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
        return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)

    def children(self, pid):
        return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def session_pid(self):
        # The one that looked whether the server listens may not have ended yet.
        listener = self.i.running["popd"].pid
        self.i.wait_for(lambda: len(self.children(listener)) == 1, 20, "a single session")
        return self.children(listener)[0]

    def welcomed(self):
        """A client that has a place; the one that looked whether the server listens may have it still."""
        def client():
            one = pop3.Client(self.port)
            if one.greeting.startswith("+OK"):
                return one
            one.__exit__()
            return None
        return self.i.wait_for(client, 20, "a place")

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_root_reads_nothing_from_a_stranger_and_the_session_is_the_accounts(self):
        self.made()
        with pop3.Client(self.port) as client:
            session = self.session_pid()
            self.assertEqual(self.status(session)["Uid"].split(), ["0"] * 4)
            dialogue = self.children(session)
            self.assertEqual(len(dialogue), 1)
            status = self.status(dialogue[0])
            self.assertEqual(status["Uid"].split(), [str(self.i.ids("qmaild")[0])] * 4)
            self.assertEqual(int(status["CapBnd"], 16), 0)
            # What root has open: the client, the log, the channel to its child.
            held = {os.readlink(f"/proc/{session}/fd/{fd}").partition(":")[0] for fd in os.listdir(f"/proc/{session}/fd")}
            self.assertFalse(any("eventpoll" in name for name in held), held)
            client.raw(f"USER anna\r\nPASS {PASSWORD}\r\nNOOP\r\n")
            self.assertEqual([client.line()[:3] for _ in range(3)], ["+OK"] * 3)
            status = self.status(session)
            self.assertEqual(status["Uid"].split(), [str(self.anna.uid)] * 4)
            self.assertEqual(status["Groups"].split(), [str(self.anna.gid)])
            if relais.CONFINED:
                self.assertEqual(status["Seccomp"], "2")
                self.assertEqual(int(status["CapBnd"], 16), 0)
            self.assertEqual(self.children(session), [])
            self.assertEqual(os.readlink(f"/proc/{session}/cwd"), str(self.anna.home))

    def test_wrong_passwords_are_counted_and_logged(self):
        self.made()
        for _ in range(2):
            with pop3.Client(self.port) as client:
                client.raw("USER anna\r\nPASS wrong\r\n")
                self.assertEqual(client.line(), "+OK")
                self.assertEqual(client.line(), "-ERR [AUTH] authorization failed")
                self.assertEqual(client.line(), "")
        self.i.wait_log("refused anna from 127.0.0.1: authorization failed", "popd", count=2)
        self.assertFalse([line for line in self.i.log("popd") if "wrong" in line])

    def test_one_address_gets_its_share(self):
        self.made(perip="2")
        with contextlib.ExitStack() as stack:
            first, _ = (stack.enter_context(self.welcomed()) for _ in range(2))
            with pop3.Client(self.port) as third:
                self.assertEqual(third.greeting, "-ERR [SYS/TEMP] too many connections from your address")
            self.i.wait_log("2 at once, set by control/perip", "popd")
            first.command("QUIT")
            self.welcomed().__exit__()

    def test_all_places_taken(self):
        self.made(options=("-c", "2", "--per-ip", "2"))
        with contextlib.ExitStack() as stack:
            for _ in range(2):
                stack.enter_context(self.welcomed())
            with pop3.Client(self.port) as third:
                self.assertEqual(third.greeting, "-ERR [SYS/TEMP] the server is busy, try again later")

    def test_scarce_places_shorten_the_wait(self):
        self.made(options=("-c", "1"), stresstimeout="1")
        with self.welcomed() as client:
            self.assertEqual(client.line(), "")

    def test_a_login_opens_smtp(self):
        self.made()
        client = poplib.POP3("127.0.0.1", self.port, timeout=60)
        client.user("anna")
        client.pass_(PASSWORD)
        client.quit()
        listed = self.i.run("open-smtp", "list")
        self.assertIn("127.0.0.1", listed.out, listed)
        self.assertIn("anna", listed.out)

    def test_tls_from_the_first_octet_and_stls(self):
        i = self.made(start=False)
        tls_test.make_certificate(i.home / "control/servercert.pem", i.me)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client = poplib.POP3_SSL("127.0.0.1", pop3.start_own_server(i, name="popd-tls", options=("--tls",)), timeout=60, context=context)
        client.user("anna")
        client.pass_(PASSWORD)
        self.assertEqual(client.stat(), (0, 0))
        client.quit()
        client = poplib.POP3("127.0.0.1", pop3.start_own_server(i), timeout=60)
        client.stls(context)
        client.user("anna")
        client.pass_(PASSWORD)
        client.quit()

    def test_a_session_outlives_the_listener(self):
        self.made()
        with pop3.Client(self.port) as client:
            client.raw(f"USER anna\r\nPASS {PASSWORD}\r\n")
            self.assertEqual([client.line()[:3] for _ in range(2)], ["+OK"] * 2)
            self.i.running["popd"].send_signal(signal.SIGTERM)
            self.assertEqual(self.i.running["popd"].wait(20), 0)
            self.assertEqual(client.command("STAT"), "+OK 0 0")
            self.assertEqual(client.command("QUIT"), "+OK")

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_who_stops_his_session_keeps_no_place(self):
        self.made(options=("-c", "1"))
        with self.welcomed() as client:
            client.raw(f"USER anna\r\nPASS {PASSWORD}\r\n")
            self.assertEqual([client.line()[:3] for _ in range(2)], ["+OK"] * 2)
            os.kill(self.session_pid(), signal.SIGSTOP)

            self.welcomed().__exit__()

    def test_a_dialogue_that_is_killed_takes_nothing_along(self):
        self.made()
        with pop3.Client(self.port) as client:
            os.kill(self.children(self.session_pid())[0], signal.SIGKILL)
            self.assertEqual(client.line(), "")
        self.i.wait_log("the child that speaks with a client crashed", "popd")
        with pop3.Client(self.port) as client:
            self.assertTrue(client.greeting.startswith("+OK"))

    def test_without_qmail_authd_it_is_temporary(self):
        i = self.instance()
        i.add_user("anna")
        self.port = pop3.start_own_server(i)
        with pop3.Client(self.port) as client:
            client.raw("USER anna\r\nPASS x\r\n")
            self.assertEqual(client.line(), "+OK")
            self.assertEqual(client.line(), "-ERR [SYS/TEMP] unable to check the password, try again later")

    def test_usage(self):
        i = self.instance()
        for words in ((), ("--tls",), ("-l", "nowhere"), ("-l", "127.0.0.1:0", "-x", "rules.cdb"), ("--proxy", "127.0.0.1:0")):
            with self.subTest(words):
                done = i.run("qmail-popd", *words)
                self.assertEqual(done.code, 100, done)

    def test_a_port_that_is_taken(self):
        i = self.made()
        done = i.run("qmail-popd", "-l", f"127.0.0.1:{self.port}")
        self.assertEqual(done.code, 111)
        self.assertIn("Address already in use", done.err)


if __name__ == "__main__":
    relais.main()
