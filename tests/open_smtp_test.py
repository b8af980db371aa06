"""POP before SMTP as whole programs: the store and its tools, qmail-smtpd under tcpserver and as its own listener, login
chains, what local users cannot do, kills, a full disk."""

import contextlib
import json
import os
import pathlib
import random
import socket
import subprocess
import threading
import time
import unittest

from harness import relais

ADDRESSES = ("127.0.0.1", "::1")

# A checkpassword: reads user NUL password NUL on descriptor 3, becomes the user, runs the rest.
CHECKPASSWORD = """#!/usr/bin/python3
import os, sys
user, password = os.read(3, 512).split(b"\\0")[:2]
os.close(3)
if password != b"secret":
    sys.exit(1)
uid = int(os.environ["LOGIN_UID"])
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
os.environ["USER"] = user.decode()
os.execvp(sys.argv[1], sys.argv[1:])
"""

# A popup: one line "USER PASSWORD", then the chain; says "+OK" when the chain's last program has run.
POPUP = """#!/usr/bin/python3
import os, sys
user, password = sys.stdin.buffer.readline().split()
reader, writer = os.pipe()
os.write(writer, user + b"\\0" + password + b"\\0" + b"\\0")
os.close(writer)
if reader != 3:
    os.dup2(reader, 3)
    os.close(reader)
os.set_inheritable(3, True)
os.execvp(sys.argv[1], sys.argv[1:])
"""

# The last of the chain: what it still holds, and what it is.
LAST = """#!/bin/sh
ls -l /proc/self/fd >"$SEEN.fds"; env >"$SEEN.env"; echo +OK
"""


class OpenSmtp(relais.TestCase):
    def setUp(self):
        self.i = self.instance(control={"rcpthosts": "mail.test"})
        self.bob = self.i.add_user("bob")

    def start(self, smtpd="tcpserver", address="127.0.0.1"):
        self.i.start(smtpd, address)
        return self.i

    def tool(self, *args, code=0, **options):
        result = self.i.run("open-smtp", *args, **options)
        self.assertEqual(result.code, code, result)
        return result.out

    def entries(self):
        return {e["address"]: e for e in json.loads(self.tool("list", "--json"))}

    def relays(self, address="127.0.0.1", client=None):
        """True if a foreign recipient is taken."""
        with contextlib.ExitStack() as stack:
            if client is None:
                client = stack.enter_context(relais.Smtp(self.i.port, address))
            client.command("EHLO client.test")
            client.command("MAIL FROM:<anna@client.test>")
            reply = client.command("RCPT TO:<joe@foreign.example>", (250, 553))
            return reply.code == 250

    # ------------------------------------------------------------ a login opens, its lifetime closes

    def opens_and_closes(self, server, address):
        self.start(server, address)
        self.assertFalse(self.relays(address))
        self.tool("add", address, "--user", "anna", "--service", "pop3")
        self.assertTrue(self.relays(address))
        lifetime = self.entries()[address]["age"] + 2
        self.i.control("opensmtplifetime", str(lifetime))
        self.i.wait_for(lambda: not self.relays(address), 60, "the end of the lifetime")
        self.assertGreaterEqual(self.entries()[address]["age"], lifetime)
        why = self.i.wait_log("(last login", "smtpd")[-1]
        self.assertRegex(why, r"reason 553 sorry, that domain isn't in my list of allowed rcpthosts \(#5\.7\.1\): "
                              r"no rule, no open-smtp entry \(last login \d+ s ago by anna over pop3\), not authenticated")
        # Renewed, and closed by hand.
        self.i.control("opensmtplifetime", "10800")
        self.tool("add", address, "--user", "anna")
        self.assertTrue(self.relays(address))
        self.tool("remove", address)
        self.assertFalse(self.relays(address))

    def test_tcpserver_v4(self):
        self.opens_and_closes("tcpserver", "127.0.0.1")

    def test_tcpserver_v6(self):
        self.opens_and_closes("tcpserver", "::1")

    def test_listener_v4(self):
        self.opens_and_closes("listener", "127.0.0.1")

    def test_listener_v6(self):
        self.opens_and_closes("listener", "::1")

    def test_login_during_the_connection_counts(self):
        self.start("listener")
        with relais.Smtp(self.i.port) as client:
            self.assertFalse(self.relays(client=client))
            self.tool("add", "127.0.0.1")
            self.assertTrue(self.relays(client=client))
            self.tool("remove", "127.0.0.1")
            self.assertFalse(self.relays(client=client))

    def test_network_of_an_ipv6_client(self):
        self.i.control("opensmtpprefix6", "64")
        self.start("listener", "::1")
        self.tool("add", "::abcd", "--user", "anna")
        self.assertEqual(list(self.entries()), ["::/64"])
        self.assertTrue(self.relays("::1"))
        self.assertIn("yes: last login", self.tool("check", "::7"))
        self.tool("check", "1::7", code=1)

    def test_own_text_for_refusals(self):
        self.i.control("relaydenied", "that domain isn't allowed to be relayed thru this MTA (#5.7.1)")
        self.start()
        with self.i.smtp() as client:
            client.command("MAIL FROM:<a@client.test>")
            reply = client.command("RCPT TO:<joe@foreign.example>", 553)
            self.assertEqual(reply.text, "that domain isn't allowed to be relayed thru this MTA (#5.7.1)")
            client.command("RCPT TO:<bob@mail.test>")

    def test_local_senders(self):
        self.i.control("localsenders", "enforce")
        self.start("listener")
        def try_sender(sender, code):
            with self.i.smtp() as client:
                client.command(f"MAIL FROM:<{sender}>")
                return client.command("RCPT TO:<bob@mail.test>", code)
        self.assertEqual(try_sender("bob@mail.test", 553).text, "sorry, senders of this domain must log in first (#5.7.1)")
        try_sender("bob@client.test", 250)
        try_sender("", 250)
        self.tool("add", "127.0.0.1")
        try_sender("bob@mail.test", 250)
        self.tool("remove", "127.0.0.1")
        self.i.control("localsenders", "warn")
        try_sender("bob@MAIL.test", 250)
        self.i.wait_log("suspect from 127.0.0.1 helo client.test sender <bob@MAIL.test> rcpt <bob@mail.test>", "smtpd")
        self.i.control("localsenders", "off")
        try_sender("bob@mail.test", 250)

    def test_excluded_addresses(self):
        self.i.control("opensmtpexclude", "127.0.0.0/8")
        self.start("listener")
        result = self.i.run("open-smtp", "add", "127.0.0.1")
        self.assertEqual(result.code, 100, result)
        self.assertIn("127.0.0.1 opens nothing: control/opensmtpexclude has 127.0.0.0/8", result.err)
        self.i.control("opensmtpexclude", None)
        self.tool("add", "127.0.0.1")
        self.assertTrue(self.relays())
        self.i.control("opensmtpexclude", "127.0.0.0/8")
        self.assertFalse(self.relays(), "also what was opened before")

    # ------------------------------------------------------------ the login chain

    def chain(self, uid=None):
        """A login server on a free port, in the classic order."""
        uid = self.bob.uid if uid is None else uid
        for name, text in (("popup", POPUP), ("checkpassword", CHECKPASSWORD), ("last", LAST)):
            path = self.i.directory / name
            path.write_text(text)
            path.chmod(0o755)
        seen = self.i.directory / "seen"
        seen.mkdir()
        seen.chmod(0o777)
        port = relais.free_port()
        d = self.i.directory
        self.i.spawn("pop", ["tcpserver", "-RHl0", "127.0.0.1", port, d / "popup", relais.program("open-smtp-channel"),
                             d / "checkpassword", relais.program("open-smtp-allow"), d / "last"],
                     env={"LOGIN_UID": str(uid), "SEEN": str(seen / "last")},
                     ids=self.i.ids("qmailq") if self.i.single else None)
        def up():
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                return True
        self.i.wait_for(up, what="the login server")
        return port, seen / "last"

    def login(self, port, user="bob", password="secret", source="127.0.0.1"):
        with socket.create_connection(("127.0.0.1", port), 90, (source, 0)) as s:
            s.sendall(f"{user} {password}\n".encode())
            s.shutdown(socket.SHUT_WR)
            data = b""
            while chunk := s.recv(4096):
                data += chunk
            return data == b"+OK\n"

    def test_login_chain(self):
        self.start("listener")
        port, seen = self.chain()
        self.assertFalse(self.login(port, password="wrong"))
        self.assertEqual(self.entries(), {})
        self.assertFalse(self.relays())
        self.assertTrue(self.login(port))
        entry = self.entries()["127.0.0.1"]
        self.assertEqual((entry["user"], entry["service"], entry["live"]), ("bob", "pop3", True))
        self.assertTrue(self.relays())
        # Nothing of the channel is left when the user's program runs.
        self.assertNotIn("socket:", "".join(line for line in pathlib.Path(f"{seen}.fds").read_text().splitlines(True)
                                            if not line.split(" -> ")[0].endswith((" 0", " 1", " 2"))))
        self.assertNotIn("OPENSMTPFD", pathlib.Path(f"{seen}.env").read_text())

    def test_login_works_without_open_smtpd(self):
        self.start("listener")
        port, _ = self.chain()
        self.stop_daemon()
        self.assertTrue(self.login(port))
        lines = self.i.wait_log("this login will not open SMTP", "pop")
        self.assertIn("sockets/open-smtp", lines[0])
        self.i.wait_log("this login does not open SMTP: no channel", "pop")

    def stop_daemon(self):
        """Ends qmail-start and with it open-smtpd."""
        process = self.i.running["send"]
        process.terminate()
        process.wait(60)
        self.i.wait_for(lambda: not self.i.processes("open-smtpd"), what="the end of open-smtpd")

    @unittest.skipUnless(relais.IS_ROOT, "needs several users")
    def test_a_local_user_authorises_nothing(self):
        self.start("listener")
        alice = self.i.add_user("alice")
        for name in ("add", "remove"):
            result = self.i.run("open-smtp", name, "127.0.0.1", user=alice)
            self.assertEqual(result.code, 100, result)
            self.assertIn("Permission denied", result.err)
        result = self.i.run("open-smtp-channel", relais.program("open-smtp-allow"), "true", user=alice,
                            env={"TCPREMOTEIP": "127.0.0.1"})
        self.assertEqual(result.code, 0, "a login does not depend on it")
        self.assertIn("Permission denied", result.err)
        # Neither by writing into the store, nor by looking into it.
        for command in ("echo x >open-smtp/0/127.0.0.1", "mkdir open-smtp/x", "ls open-smtp", "rm -rf open-smtp/*/*"):
            done = self.i.run("/bin/sh", "-c", command, user=alice, cwd=self.i.home)
            self.assertIn("Permission denied", done.err + ("Permission denied" if command.startswith("rm") else ""))
        self.assertEqual(self.entries(), {})
        self.assertFalse(self.relays())
        modes = {p.stat().st_mode & 0o7777 for p in (self.i.home / "open-smtp").iterdir()} or {0o750}
        self.assertEqual(modes, {0o750})

    def test_a_channel_is_bound_to_its_client_and_can_confirm_once(self):
        self.start("listener")
        def talk(*lines):
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(90)
                s.connect(str(self.i.home / "sockets/open-smtp"))
                s.sendall(b"".join(b"\0".join(line) + b"\n" for line in lines))
                s.shutdown(socket.SHUT_WR)
                data = b""
                with contextlib.suppress(ConnectionError):
                    while chunk := s.recv(4096):
                        data += chunk
                return data.split(b"\n")[:-1]
        answers = talk([b"channel", b"192.0.2.7", b"pop3"], [b"add", b"192.0.2.8", b"x", b"pop3"],
                       [b"channel", b"192.0.2.8", b"pop3"], [b"expire"], [b"confirm", b"bob"], [b"confirm", b"eve"])
        self.assertEqual([a.split(b"\0")[0] for a in answers], [b"ok", b"error", b"error", b"error", b"ok"])
        self.assertEqual({a: e["user"] for a, e in self.entries().items()}, {"192.0.2.7": "bob"})
        self.assertEqual(talk([b"confirm", b"eve"])[0].split(b"\0")[0], b"error")

    # ------------------------------------------------------------ import, export, rules

    SAMPLE = "".join(f'213.41.{a}:allow,RELAYCLIENT="" ,RBLSMTPD="" {t}\n' for a, t in (
        ("188.249", 1029581749), ("184.98", 1029782162), ("184.135", 1029880909), ("186.107", 1029960881),
        ("186.122", 1030146813)))

    def test_import_drops_stale_lines(self):
        """The 11,859 lines of the French document, of which nine count."""
        self.start(None)
        now = int(time.time())
        lines = [f'10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}:allow,RELAYCLIENT="" ,RBLSMTPD="" {1029581749 + n}\n'
                 for n in range(11840)]
        fresh = [f'192.0.2.{n}:allow,RELAYCLIENT="",RBLSMTPD=""\t{now - n * 60}\n' for n in range(1, 10)]
        text = self.SAMPLE + "".join(lines) + "".join(fresh) + f'192.0.2.1:allow,RELAYCLIENT="",RBLSMTPD=""\t{now - 6000}\n'
        text += f'192.0.2.99:allow,RELAYCLIENT=""\t{now + 86400}\n192.0.2.98:deny\t5\n\n# by hand\nnonsense\n'
        path = self.i.directory / "open-smtp"
        path.write_text(text)
        path.chmod(0o644)
        self.assertEqual(self.tool("import", path), "9 imported, 11845 too old, 1 from the future, 0 excluded, "
                         "1 with a newer login here, 2 not understood\n")
        entries = self.entries()
        self.assertEqual(len(entries), 9)
        self.assertLessEqual(abs(entries["192.0.2.5"]["age"] - 300), 30)
        # What is exported can be imported again, and is what vpopmail would write.
        exported = self.tool("export")
        self.assertEqual(sorted(line.split(":")[0] for line in exported.splitlines()), [f"192.0.2.{n}" for n in range(1, 10)])
        for line in exported.splitlines():
            self.assertRegex(line, r'^192\.0\.2\.\d:allow,RELAYCLIENT=""\t\d+$')
        self.tool("remove", "192.0.2.9")
        path.write_text(exported)
        self.assertIn("1 imported", self.tool("import", path))

    def test_import_shows_progress_on_a_terminal(self):
        self.start(None)
        path = self.i.directory / "open-smtp"
        path.write_text("".join(f'10.0.{n >> 8}.{n & 255}:allow,RELAYCLIENT=""\t{1029581749 + n}\n' for n in range(12000)))
        path.chmod(0o644)
        ours, theirs = os.openpty()
        done = subprocess.run([relais.program("open-smtp"), "import", path], stdout=subprocess.PIPE, stderr=theirs,
                              env=self.i.environment, timeout=400,
                              **(self.i._identity(self.i.ids("qmailq")) if self.i.single and relais.IS_ROOT else {}))
        os.close(theirs)
        shown = os.read(ours, 65536).decode()
        os.close(ours)
        self.assertEqual(done.returncode, 0)
        self.assertIn("\r5000 of 12001", shown)
        self.assertIn("\r10000 of 12001", shown)
        self.assertTrue(shown.endswith("\r12001 of 12001\r\n"), shown)

    def test_import_of_a_directory(self):
        self.start(None)
        directory = self.i.directory / "osd"
        directory.mkdir()
        now = time.time()
        for name, age in (("192.0.2.7", 60), ("2001:db8::7", 120), ("192.0.2.8", 20000), ("readme", 0), ("192.0.2.9", -500)):
            (directory / name).touch()
            os.utime(directory / name, (now - age, now - age))
        self.assertEqual(self.tool("import", directory), "2 imported, 1 too old, 1 from the future, 0 excluded, "
                         "0 with a newer login here, 1 not understood\n")
        self.assertEqual(set(self.entries()), {"192.0.2.7", "2001:db8::7"})

    def test_a_vpopmail_that_goes_on_writing(self):
        live = self.i.directory / "vpopmail-open-smtp"
        live.write_text(self.SAMPLE + f'127.0.0.1:allow,RELAYCLIENT="",RBLSMTPD=""\t{int(time.time()) - 11000}\n')
        live.chmod(0o644)
        self.i.control("opensmtpfile", str(live))
        self.start("listener")
        self.assertFalse(self.relays(), "stale, and no cron job has cleared it")
        live.write_text(self.SAMPLE + f'127.0.0.1:allow,RELAYCLIENT="",RBLSMTPD=""\t{int(time.time())}\n')
        self.assertTrue(self.relays())

    def test_rules_for_a_foreign_server(self):
        self.start(None)
        for address in ("192.0.2.7", "192.0.2.8", "2001:db8::7"):
            self.tool("add", address, "--user", "anna")
        source = self.i.directory / "tcp.smtp"
        source.write_text('192.0.2.8:deny\n127.:allow,RELAYCLIENT=""\n:allow')
        cdb = self.i.directory / "merged.cdb"
        result = self.i.run("open-smtp", "rules", source, cdb)
        self.assertEqual(result.code, 0, result)
        self.assertIn("do not expire by themselves", result.err)
        check = lambda ip: self.i.run("tcprulescheck", cdb, ip).out
        self.assertRegex(check("192.0.2.7"), r"RELAYCLIENT=\n")
        self.assertRegex(check("192.0.2.7"), r"OPENSMTP=\d+")
        self.assertIn("deny", check("192.0.2.8"))
        self.assertRegex(check("2001:db8::7"), "RELAYCLIENT=")
        self.assertNotIn("RELAYCLIENT", check("192.0.2.9"))
        # Block lists are left alone unless opensmtpnorbl says otherwise, and then by these rules only.
        self.assertNotIn("RBLSMTPD", check("192.0.2.7"))
        self.i.control("opensmtpnorbl", "1")
        self.assertEqual(self.i.run("open-smtp", "rules", source, cdb).code, 0)
        self.assertRegex(check("192.0.2.7"), r"RBLSMTPD=\n")
        self.assertNotIn("RBLSMTPD", check("127.0.0.1"))

    def test_remove_by_user_and_expire(self):
        self.i.control("opensmtplifetime", "1000")
        self.start(None)
        for n in range(50):
            self.tool("add", f"192.0.2.{n}", "--user", "anna" if n % 2 else "bob") if n < 6 else None
        self.assertEqual(self.tool("remove", "--user", "anna"), "3 removed\n")
        self.assertEqual({e["user"] for e in self.entries().values()}, {"bob"})
        self.assertEqual(self.tool("expire"), "0 removed\n")
        self.i.control("opensmtplifetime", "0")
        self.assertEqual(self.i.run("clearopensmtp").code, 0)
        self.assertEqual(self.entries(), {})

    def test_wrong_calls(self):
        self.start(None)
        for args in ((), ("add",), ("add", "nonsense"), ("remove",), ("remove", "127.0.0.1", "--user", "x"), ("frob",)):
            self.assertEqual(self.i.run("open-smtp", *args).code, 100, args)
        self.stop_daemon()
        result = self.i.run("open-smtp", "add", "127.0.0.1")
        self.assertEqual(result.code, 111, result)
        self.assertIn("open-smtpd does not run; qmail-start starts it", result.err)

    @unittest.skipUnless(relais.IS_ROOT, "gives files away")
    def test_a_restored_entry_of_another_owner_is_replaced(self):
        self.start(None)
        self.tool("add", "192.0.2.7", "--user", "anna")
        (entry,) = (self.i.home / "open-smtp").glob("*/192.0.2.7")
        os.chown(entry, 0, 0)
        entry.chmod(0o640)
        self.tool("add", "192.0.2.7", "--user", "bob")
        self.assertEqual(self.entries()["192.0.2.7"]["user"], "bob")
        self.assertEqual(entry.stat().st_uid, self.i.ids("qmailo")[0])

    # ------------------------------------------------------------ kills, a full disk

    def test_kill_at_any_moment(self):
        """open-smtpd is killed again and again while logins, an expiry and an import are under way: what was answered
        is there, and nothing is there that nobody asked for."""
        self.start(None)
        stop = threading.Event()
        answered, asked = set(), set()
        path = self.i.directory / "open-smtp"
        now = int(time.time())
        path.write_text("".join(f'10.1.{n >> 8}.{n & 255}:allow,RELAYCLIENT=""\t{now - 100}\n' for n in range(2000)))
        path.chmod(0o644)
        socket_path = str(self.i.home / "sockets/open-smtp")

        def logins(number):
            n = 0
            while not stop.is_set():
                address = f"10.2.{number}.{n % 250}"
                n += 1
                with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as s:
                    s.settimeout(90)
                    asked.add(address)
                    s.connect(socket_path)
                    s.sendall(b"add\0" + address.encode() + b"\0anna\0pop3\n")
                    if s.recv(100).startswith(b"ok"):
                        answered.add(address)

        def others():
            while not stop.is_set():
                self.i.run("open-smtp", "import", path)
                self.i.run("open-smtp", "expire")

        threads = [threading.Thread(target=logins, args=(n,)) for n in range(3)] + [threading.Thread(target=others)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(6):
                before = {p.pid for p in self.i.wait_for(lambda: self.i.processes("open-smtpd"), what="open-smtpd")}
                time.sleep(random.uniform(0.0, 0.2))
                self.i.kill("open-smtpd")
                self.i.wait_for(lambda: {p.pid for p in self.i.processes("open-smtpd")} - before, what="a new open-smtpd")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        entries = self.entries()
        self.assertTrue(answered)
        self.assertEqual(answered - set(entries), set(), "answered and lost")
        stranger = {a for a in entries if a not in asked and not a.startswith("10.1.")}
        self.assertEqual(stranger, set())
        self.assertTrue(all(e["age"] >= 90 for a, e in entries.items() if a.startswith("10.1.")), "imports renew nothing")

    @unittest.skipUnless(relais.IS_ROOT, "mounts a small file system")
    def test_full_disk(self):
        store = self.i.home / "open-smtp"
        status = store.stat()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=256k,uid={status.st_uid},gid={status.st_gid},mode=750",
                        "tmpfs", store], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", str(store)])
        self.start("listener")
        port, _ = self.chain()
        self.tool("add", "127.0.0.1", "--user", "anna")
        fill = store / "fill"
        with contextlib.suppress(OSError), open(fill, "wb") as file:
            while True:
                file.write(b"x" * 4096)
                file.flush()
        result = self.i.run("open-smtp", "add", "192.0.2.7")
        self.assertEqual(result.code, 100, result)
        self.assertIn("No space left on device", result.err)
        self.assertIn("open-smtp/", result.err)
        self.assertTrue(self.login(port, source="127.0.0.2"), "POP still works")
        self.i.wait_log("this login does not open SMTP: unable to", "pop")
        self.assertEqual(list(self.entries()), ["127.0.0.1"], "nothing is left of what found no room")
        # Who has an entry has his room already.
        self.assertTrue(self.relays())
        self.assertTrue(self.login(port))
        self.assertEqual(self.entries()["127.0.0.1"]["user"], "bob")
        fill.unlink()
        self.assertTrue(self.login(port, source="127.0.0.2"))
        self.assertEqual(self.entries()["127.0.0.2"]["user"], "bob")


if __name__ == "__main__":
    relais.main()
