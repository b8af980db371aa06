"""Guessing passwords, and locking others out: what a stranger can do who fills the lines in which logins wait."""

import contextlib
import pathlib
import select
import socket
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from harness import pop3
from harness import relais
from harness.logins import plain, scram

PASSWORD = "correct horse 7"
GUESSES = 2000


class Flood:
    """Logins that wait, each on a connection of its own: what many POP3 and SMTP sessions ask of qmail-authd."""

    def __init__(self, i, address, user=None):
        self.path, self.address, self.user = str(i.home / "sockets/auth"), address, user
        self.waiting, self.number = [], 0

    def ask(self):
        self.number += 1
        user = self.user or f"nobody{self.number}"
        body = b"P" + b"".join(relais.octets(f) + b"\0" for f in (user, "flood", self.address, "", f"flood {self.number}"))
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(120)
        s.connect(self.path)
        s.sendall(struct.pack("<H", len(body)) + body)
        self.waiting.append(s)

    def answers(self, seconds):
        """The letters of the answers that came within that time; who has one has hung up."""
        ready, _, _ = select.select(self.waiting, [], [], seconds)
        letters = []
        for s in ready:
            letters.append(relais.text(s.recv(3)[2:]))
            self.waiting.remove(s)
            s.close()
        return letters

    def fill(self):
        """Until one more is turned away at once."""
        def full():
            if len(self.waiting) < 100:
                self.ask()
            return "T" in self.answers(0.01)
        if not relais.wait_until(full, 120, 0):
            raise AssertionError(f"{len(self.waiting)} wrong logins wait, and none was turned away")
        return self

    def close(self):
        for s in self.waiting:
            s.close()


class GuessLogins(relais.TestCase):
    def made(self, **control):
        # A remembered login lasts as long as the test, however slow the machine is.
        i = self.instance(control={"authcache": "86400", **control})
        for name in ("anna", "bert"):
            i.add_user(name)
            pop3.set_password(i, name, PASSWORD)
        i.start(smtpd_args=("-c", "80"))
        return i

    def flood(self, i, address, user=None):
        flood = Flood(i, address, user)
        self.addCleanup(flood.close)
        return flood.fill()

    def login(self, i, user, address, code=235):
        with i.smtp(source=address) as smtp:
            smtp.command("AUTH PLAIN " + plain(user, PASSWORD), code)

    def test_2000_guesses_and_the_right_one_while_the_victim_polls(self):
        """Who has filled his line is told nothing, not even that he was right at last; his sessions end, and the log tells of him."""
        i = self.made()
        victim, attacker = "127.0.0.2", "127.0.0.3"
        self.login(i, "anna", victim)
        flood = self.flood(i, attacker, "anna")
        replies = self.guess(i, attacker, flood, [f"guess {n}" for n in range(GUESSES)] + [PASSWORD] * 5,
                             lambda: self.login(i, "anna", victim))
        self.assertEqual([reply for reply in replies if reply.startswith("235")], [])
        self.assertGreaterEqual(len(replies), GUESSES)
        self.assertGreaterEqual(sum(reply.startswith("421 too many failed logins") for reply in replies), GUESSES // 5 * 9 // 10)
        told = [line for line in i.log("send") if f"refused anna@mail.test from {attacker}" in line and "not looked at" in line]
        self.assertGreaterEqual(len(told), 10)
        self.assertTrue(any("refusal 1024 of this address" in line for line in told), told)
        self.assertLess(len(told), 100)
        # The victim is as before, also with a login that is not remembered.
        self.login(i, "anna", victim)
        with i.smtp(source=victim) as smtp:
            self.assertTrue(repr(scram(smtp, "anna", PASSWORD)).startswith("235"))
        # Elsewhere a guess at this account counts as what it is.
        with i.smtp(source="127.0.0.9") as smtp:
            smtp.line("AUTH PLAIN " + plain("anna", "yet another"))
            line = i.wait_log("refused anna@mail.test from 127.0.0.9")[0]
        self.assertRegex(line, r"failure 1 of this address, answer in 16 s, failure \d{4} of this account")

    def guess(self, i, address, flood, passwords, poll):
        """All replies. A guess that must wait in the line is left there, and the next is made on a new connection."""
        replies, smtp = [], None
        with contextlib.ExitStack() as stack:
            for number, password in enumerate(passwords):
                if number % 200 == 0:
                    poll()
                flood.fill()
                if smtp is None:
                    smtp, made = stack.enter_context(i.smtp(source=address)), len(replies)
                smtp.line("AUTH PLAIN " + plain("anna", password))
                if not self.has_reply(smtp):
                    smtp = None
                    continue
                replies.append(repr(smtp.reply()))
                if len(replies) - made == 5 and self.has_reply(smtp):
                    replies.append(repr(smtp.expect(421)))
                    smtp.close()
                    smtp = None
        return replies

    @staticmethod
    def has_reply(smtp):
        return bool(smtp.buffer or select.select([smtp.socket], [], [], 5)[0])

    def test_a_stranger_behind_the_same_address_locks_out_nobody(self):
        """Also not where qmail-authd has been started anew since somebody logged in from there."""
        i = self.made()
        port = pop3.start_server(i)
        self.login(i, "bert", "127.0.0.1")
        i.kill("qmail-authd")
        i.wait_for(lambda: self.answers(i), 20, "a new qmail-authd")
        flood = self.flood(i, "127.0.0.1")
        self.login(i, "bert", "127.0.0.1")
        flood.fill()
        with pop3.Client(port) as client:
            client.command("USER bert")
            self.assertTrue(client.command("PASS " + PASSWORD).startswith("+OK"))
        # Who is guessed at is slowed there, and nowhere else that he uses.
        self.login(i, "anna", "127.0.0.2")
        self.flood(i, "127.0.0.2", "anna")
        self.login(i, "bert", "127.0.0.1")

    def answers(self, i):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(str(i.home / "sockets/auth"))
            s.sendall(b"\6\0M\0\0\0\0\0")
            return bool(s.recv(10))
        return False

    def test_nobody_is_locked_out_of_his_own_account(self):
        """A line full of guesses at an account, from addresses that it does not know, is no line for its owner."""
        i = self.made(authcache="0")
        self.login(i, "anna", "127.0.0.2")
        floods = [Flood(i, f"192.0.2.{n}", "anna") for n in range(20)]
        for flood in floods:
            self.addCleanup(flood.close)
        turned_away = False
        for _ in range(30):
            for flood in floods:
                flood.ask()
                turned_away = turned_away or "T" in flood.answers(0)
        i.wait_for(lambda: turned_away or any("T" in flood.answers(0) for flood in floods), 20, "a full line of the account")
        self.login(i, "anna", "127.0.0.2")

    def test_a_front_end_has_no_line(self):
        """control/authtrusted counts from when it is written. Wrong logins by way of it slow the accounts that they are for."""
        i = self.made()
        i.control("authtrusted", "192.0.2.0/24\n127.0.0.1\nnonsense\n")
        port = pop3.start_server(i)
        flood = Flood(i, "127.0.0.1")
        self.addCleanup(flood.close)
        for _ in range(200):
            flood.ask()
        # All of them are looked at, for each is of another account.
        i.wait_log("failure 1 of this account there", count=200, seconds=60)
        self.login(i, "bert", "127.0.0.1")
        with pop3.Client(port) as client:
            client.command("USER anna")
            self.assertTrue(client.command("PASS " + PASSWORD).startswith("+OK"))
        self.flood(i, "127.0.0.1", "anna")
        self.login(i, "anna", "127.0.0.1", 454)
        self.login(i, "bert", "127.0.0.1")
        self.assertEqual(len([line for line in i.log() if "control/authtrusted: neither an address nor a network: nonsense" in line]), 1)

    def test_the_owner_of_a_48_has_no_end_of_guesses(self):
        """One guess in each of many /64s, each at another account."""
        i = self.made()
        floods = [Flood(i, f"2001:db8:1:{n:x}::1") for n in range(100)]
        for n, flood in enumerate(floods):
            self.addCleanup(flood.close)
            flood.number = n
            flood.ask()
        i.wait_log(" of this address", count=32, seconds=60)
        i.wait_log("answer in 8 s", seconds=60)
        judged = len([line for line in i.log() if "over flood: no such account" in line])
        self.assertLess(judged, 40)


if __name__ == "__main__":
    relais.main()
