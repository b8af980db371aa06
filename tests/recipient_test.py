"""Recipients whom nobody here would get mail for: refused at RCPT, by the rules that would deliver (qmail-rcptd(8))."""

import ctypes
import os
import resource
import signal
import socket

from harness import relais

UNKNOWN = "550 sorry, no mailbox here by that name (#5.1.1)"


class Recipients(relais.TestCase):
    front = "listener"

    def started(self, check="on", rules=":allow\n", **control):
        i = self.instance(control={"recipientcheck": check, "refusedpause": None, "refusedlimit": None, "locals": "mail.test\nhack.test",
                                   "percenthack": "hack.test",
                                   "rcpthosts": "mail.test\nvirtual.example\nfar.example\nhack.test",
                                   "virtualdomains": "virtual.example:bob", **control})
        self.bob = i.add_user("bob")
        self.bob.write(".qmail-known", "./Maildir/\n")
        self.bob.write(".qmail-lists-default", "./Maildir/\n")
        i.rules(rules)
        i.start(self.front)
        i.wait_for(lambda: self.answer(i, "bob@mail.test") != "451", what="qmail-rcptd")
        return i

    def answer(self, i, recipient, sender="a@client.test"):
        with i.smtp() as client:
            client.command(f"MAIL FROM:<{sender}>")
            client.line(f"RCPT TO:<{recipient}>")
            return repr(client.expect(None))

    def test_each_way_that_leads_to_a_mailbox(self):
        i = self.started()
        alias = i.home / "alias"
        (alias / ".qmail-sales").write_text("./Maildir/\n")
        for known in ("bob@mail.test", "BOB@Mail.Test", "bob-known@mail.test", "bob-lists-a-b@mail.test",
                      "sales@mail.test", "known@virtual.example", "lists-x@virtual.example", "bob",
                      "bob%mail.test@hack.test", "anybody@far.example", "joe%far.example@hack.test",
                      "postmaster@mail.test", "postmaster"):
            self.assertEqual(self.answer(i, known), "250 ok", known)
        for unknown in ("nobody@mail.test", "bob-nothing@mail.test", "nobody@virtual.example",
                        "nobody%mail.test@hack.test", "nobody", "bob-known-more@mail.test", "../bob@mail.test",
                        "a/b@mail.test", "x" * 300 + "@mail.test"):
            self.assertEqual(self.answer(i, unknown), UNKNOWN, unknown)
        i.wait_log("nobody here gets mail for it (recipientcheck)", "smtpd")

    def test_those_who_may_relay_hear_it_too(self):
        i = self.started(rules='127.0.0.1:allow,RELAYCLIENT=""\n')
        self.assertEqual(self.answer(i, "nobody@mail.test"), UNKNOWN)
        self.assertEqual(self.answer(i, "joe@elsewhere.example"), "250 ok")
        self.assertEqual(self.answer(i, "bob@mail.test"), "250 ok")

    def test_a_login_by_pop_hears_it_too(self):
        i = self.started()
        self.assertEqual(i.run("open-smtp", "add", "127.0.0.1").code, 0)
        self.assertEqual(self.answer(i, "joe@elsewhere.example"), "250 ok")
        self.assertEqual(self.answer(i, "nobody@virtual.example"), UNKNOWN)

    def test_off_log_and_exceptions_count_without_a_restart(self):
        i = self.started(check=None)
        self.assertEqual(self.answer(i, "nobody@mail.test"), "250 ok")
        i.control("recipientcheck", "log")
        self.assertEqual(self.answer(i, "nobody@mail.test"), "250 ok")
        i.wait_log("nobody here gets mail for this recipient (recipientcheck)", "smtpd")
        i.control("recipientcheck", "on\nvirtual.example off")
        self.assertEqual(self.answer(i, "nobody@mail.test"), UNKNOWN)
        self.assertEqual(self.answer(i, "nobody@virtual.example"), "250 ok")

    def test_changed_rules_count_at_once(self):
        i = self.started()
        self.assertEqual(self.answer(i, "nobody@far.example"), "250 ok")
        i.control("locals", "mail.test\nfar.example")
        self.assertEqual(self.answer(i, "nobody@far.example"), UNKNOWN)
        i.assign(f"=nobody:bob:{self.bob.uid}:{self.bob.gid}:{self.bob.home}:::")
        self.assertEqual(self.answer(i, "nobody@far.example"), "250 ok")

    def test_validrcptto_replaces_the_look(self):
        i = self.started()
        path = i.home / "control/validrcptto.cdb"
        self.make_cdb(path, {"listed@mail.test": "", "@virtual.example": ""})
        self.assertEqual(self.answer(i, "Listed@mail.test"), "250 ok")
        self.assertEqual(self.answer(i, "any@virtual.example"), "250 ok")
        self.assertEqual(self.answer(i, "bob@mail.test"), UNKNOWN)
        path.unlink()
        self.assertEqual(self.answer(i, "bob@mail.test"), "250 ok")

    def test_validrcptto_is_about_our_domains(self):
        i = self.started(rules='127.0.0.1:allow,RELAYCLIENT=""\n')
        self.make_cdb(i.home / "control/validrcptto.cdb", {"listed@mail.test": ""})
        self.assertEqual(self.answer(i, "joe@elsewhere.example"), "250 ok")
        self.assertEqual(self.answer(i, "listed@mail.test"), "250 ok")
        self.assertEqual(self.answer(i, "bob@mail.test"), UNKNOWN)

    def test_more_clients_than_the_usual_limit_of_descriptors(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
        try:
            i = self.started()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        clients = []
        for _ in range(200):
            client = socket.socket(socket.AF_UNIX)
            self.addCleanup(client.close)
            client.settimeout(60)
            client.connect(str(i.home / "sockets/recipients"))
            clients.append(client)
        question = b"bob@mail.test"
        for client in clients:
            client.sendall(len(question).to_bytes(2, "little") + question)
            self.assertEqual(client.recv(1), b"K")

    def test_looks_that_cannot_be_killed_do_not_fill_the_machine(self):
        """As in a file system that hangs: what is traced is there until the tracer lets it go."""
        i = self.started()
        libc = ctypes.CDLL(None, use_errno=True)
        libc.ptrace.argtypes = [ctypes.c_long] * 4
        seize, held = 0x4206, []
        for number in range(5):
            self.answer(i, f"bob-held{number}@mail.test")
            for looker in i.processes("qmail-rcptd"):
                if looker.uid != self.bob.uid:
                    continue
                if libc.ptrace(seize, looker.pid, 0, 0) != 0:
                    self.skipTest("nobody may be traced here")
                held.append(looker.pid)
                os.kill(looker.pid, signal.SIGSTOP)
                self.assertTrue(self.answer(i, f"bob-lost{number}@mail.test").startswith("451 "))
        try:
            self.assertEqual(len(held), 3)
            self.assertTrue(self.answer(i, "bob-more@mail.test").startswith("451 "))
            self.assertEqual(self.answer(i, "nobody@mail.test"), UNKNOWN)
        finally:
            for pid in held:
                os.waitpid(pid, 0x40000000)  # __WALL
        i.wait_for(lambda: self.answer(i, "bob-more@mail.test") == UNKNOWN, what="looks again")

    def test_a_home_that_cannot_be_entered_is_no_refusal_for_good(self):
        i = self.started()
        self.bob.home.rename(self.bob.home.with_name("away"))
        self.assertTrue(self.answer(i, "bob-other@mail.test").startswith("451 "))
        self.bob.home.with_name("away").rename(self.bob.home)
        self.assertEqual(self.answer(i, "bob-other@mail.test"), UNKNOWN)

    def test_a_stopped_look_costs_its_own_mail_a_451(self):
        i = self.started()
        self.assertEqual(self.answer(i, "bob-known@mail.test"), "250 ok")
        looker = [p for p in i.processes("qmail-rcptd") if p.uid == self.bob.uid][-1]
        os.kill(looker.pid, signal.SIGSTOP)
        self.assertTrue(self.answer(i, "bob-new@mail.test").startswith("451 "))
        self.assertEqual(self.answer(i, "nobody@mail.test"), UNKNOWN)
        self.assertEqual(self.answer(i, "bob-new@mail.test"), UNKNOWN)

    def test_without_qmail_rcptd_strangers_wait_and_our_own_pass(self):
        i = self.started(rules='127.0.0.2:allow,RELAYCLIENT=""\n:allow\n')
        stopped = i.processes("qmail-rcptd")
        for process in stopped:
            os.kill(process.pid, signal.SIGSTOP)
        self.assertTrue(self.answer(i, "bob@mail.test").startswith("451 "))
        i.wait_log("qmail-rcptd gave no answer (recipientcheck)", "smtpd")
        with relais.Smtp(i.port, source="127.0.0.2") as client:
            client.command("EHLO x")
            client.command("MAIL FROM:<a@client.test>")
            client.command("RCPT TO:<bob@mail.test>")
        for process in stopped:
            os.kill(process.pid, signal.SIGKILL)
        i.wait_for(lambda: self.answer(i, "nobody@mail.test") == UNKNOWN, what="a new qmail-rcptd")

    def test_no_backscatter(self):
        """A thousand unknown ones among a thousand known ones: each is refused in the dialogue, none is queued."""
        i = self.started(maxrcpt="3000")
        with i.smtp() as client:
            client.command("MAIL FROM:<victim@innocent.example>")
            lines = [f"RCPT TO:<{name}>" for n in range(1000)
                     for name in (f"bob-lists-{n}@mail.test",
                                  f"bob{n}@mail.test" if n % 2 else f"x{n}@virtual.example")]
            for start in range(0, len(lines), 100):
                client.raw("".join(line + "\r\n" for line in lines[start:start + 100]).encode())
                codes = [client.expect(None).code for _ in lines[start:start + 100]]
                self.assertEqual(codes, [250, 550] * 50)
            client.command("DATA", 354)
            client.raw(b"Subject: x\r\n\r\nx\r\n.\r\n")
            client.expect(250)
        self.bob.wait_messages(1000, seconds=120)
        i.wait_empty()
        self.assertFalse([line for line in i.log() if "bounce" in line or "failure" in line])

    def test_relay_explain_says_the_same(self):
        i = self.started()
        done = i.run("relay-explain", "203.0.113.5", "--rcpt", "nobody@mail.test")
        self.assertIn("nobody here gets mail for nobody@mail.test (control/recipientcheck)", done.out)
        self.assertIn("route-explain nobody@mail.test", done.out)
        self.assertEqual(i.run("relay-explain", "203.0.113.5", "--rcpt", "bob@mail.test").code, 0)

    def make_cdb(self, path, records):
        """By the format of its author; small ones are enough here."""
        data, places = b"", [[] for _ in range(256)]
        for key, value in records.items():
            key, value = key.encode(), value.encode()
            digest = 5381
            for octet in key:
                digest = ((digest << 5) + digest ^ octet) & 0xFFFFFFFF
            places[digest & 255].append((digest, 2048 + len(data)))
            data += len(key).to_bytes(4, "little") + len(value).to_bytes(4, "little") + key + value
        head, tables, position = b"", b"", 2048 + len(data)
        for place in places:
            slots = [(0, 0)] * (2 * len(place))
            for digest, at in place:
                slot = (digest >> 8) % len(slots)
                while slots[slot][1]:
                    slot = (slot + 1) % len(slots)
                slots[slot] = (digest, at)
            head += position.to_bytes(4, "little") + len(slots).to_bytes(4, "little")
            table = b"".join(d.to_bytes(4, "little") + a.to_bytes(4, "little") for d, a in slots)
            tables, position = tables + table, position + len(table)
        path.write_bytes(head + data + tables)


class RecipientsUnderTcpserver(Recipients):
    front = "tcpserver"


if __name__ == "__main__":
    relais.main()
