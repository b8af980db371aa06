"""No backscatter: whichever way in a client takes, unknown recipients hear 550 in the dialogue, nothing for them enters the queue, and
known ones in between get their mail. RELAIS_BACKSCATTER says how many of each (60; the issue's number is 1000)."""

import base64
import os

from harness import pop3
from harness import relais

COUNT = int(os.environ.get("RELAIS_BACKSCATTER", "60"))
OF_ONE_MESSAGE = 20  # of each kind
PASSWORD = "correct-horse-7"
UNKNOWN = "550 sorry, no mailbox here by that name (#5.1.1)"


class Backscatter(relais.TestCase):
    def setUp(self):
        self.i = self.instance(control={
            "recipientcheck": "on", "refusedpause": None, "refusedlimit": None, "locals": "mail.test\nhack.test", "percenthack": "hack.test",
            "rcpthosts": "mail.test\nvirtual.example\nhack.test", "virtualdomains": "virtual.example:bob"})
        self.bob = self.i.add_user("bob")
        self.bob.write(".qmail-k-default", "./Maildir/\n")
        alias = self.i.home / "alias/.qmail-k-default"
        alias.write_text("./Maildir/\n")
        os.chown(alias, *self.i.ids("alias"))

    def started(self, **options):
        self.i.start(**options)
        self.i.wait_for(lambda: self.knows_bob(), what="qmail-rcptd")
        return self.i

    def knows_bob(self):
        with self.i.smtp() as client:
            self.log_in(client)
            client.command("MAIL FROM:<a@client.test>")
            client.line("RCPT TO:<bob@mail.test>")
            return client.expect(None).code == 250

    def log_in(self, client):
        """As strangers do: not at all."""

    def flood(self, known, unknown, mailbox=None):
        """known and unknown: addresses with a place for a number."""
        before = len(self.new_messages())
        messages = 0
        with self.i.smtp() as client:
            self.log_in(client)
            for begin in range(0, COUNT, OF_ONE_MESSAGE):
                numbers = range(begin, min(begin + OF_ONE_MESSAGE, COUNT))
                client.command("MAIL FROM:<victim@elsewhere.example>")
                for number in numbers:
                    client.line(f"RCPT TO:<{unknown.format(number)}>")
                    self.assertEqual(str(client.expect(None)), UNKNOWN, unknown)
                    client.line(f"RCPT TO:<{known.format(number)}>")
                    self.assertEqual(str(client.expect(None)), "250 ok", known)
                client.command("DATA", 354)
                client.raw(b"Subject: hello\r\n\r\nhello\r\n.\r\n")
                client.expect(250)
                messages += 1
            # Without a known one there is no message at all.
            client.command("MAIL FROM:<victim@elsewhere.example>")
            client.command(f"RCPT TO:<{unknown.format('x')}>", 550)
            client.command("DATA", 503)
        new = (mailbox or self.bob.home / "Maildir") / "new"
        self.i.wait_for(lambda: len(list(new.iterdir())) == COUNT, 60 + COUNT, f"{COUNT} messages in {new}")
        self.i.wait_empty(60)
        self.assertEqual(len(self.new_messages()) - before, messages)
        self.assertFalse([line for line in self.i.log() if "bounce msg" in line or "failure" in line])

    def new_messages(self):
        return [line for line in self.i.log() if "new msg" in line]

    def test_smtp(self):
        self.started()
        self.flood("bob-k-{}@mail.test", "nobody{}@mail.test")

    def test_extensions_of_a_user(self):
        self.started()
        self.flood("bob-k-{}@mail.test", "bob-{}@mail.test")

    def test_client_whose_user_logged_in_by_pop(self):
        self.started()
        self.assertEqual(self.i.run("open-smtp", "add", "127.0.0.1", "--user", "bob", "--service", "pop3").code, 0)
        with self.i.smtp() as client:
            self.log_in(client)
            client.command("MAIL FROM:<bob@mail.test>")
            client.command("RCPT TO:<anybody@elsewhere.example>", 250)
        self.flood("bob-k-{}@mail.test", "nobody{}@mail.test")

    def test_relayclient(self):
        self.i.rules('127.0.0.1:allow,RELAYCLIENT=""\n')
        self.started()
        self.flood("bob-k-{}@mail.test", "nobody{}@virtual.example")

    def test_virtual_domain(self):
        self.started()
        self.flood("k-{}@virtual.example", "nobody{}@virtual.example")

    def test_alias(self):
        self.started()
        self.flood("k-{}@mail.test", "kk-{}@mail.test", self.i.home / "alias/Maildir")

    def test_percenthack(self):
        self.started()
        self.flood("bob-k-{}%mail.test@hack.test", "nobody{}%mail.test@hack.test")

    def test_postmasters_and_abuse(self):
        """Postmaster is always there; abuse is, where somebody reads it."""
        self.started()
        with self.i.smtp() as client:
            self.log_in(client)
            client.command("MAIL FROM:<a@client.test>")
            client.command("RCPT TO:<postmaster@mail.test>", 250)
            client.command("RCPT TO:<abuse@mail.test>", 550)


class BySubmission(Backscatter):
    """The same by those who have logged in."""

    def started(self, **options):
        pop3.set_password(self.i, "bob", PASSWORD)
        return super().started(env={"SUBMISSION": "1"})

    def log_in(self, client):
        plain = base64.b64encode(f"\0bob\0{PASSWORD}".encode()).decode()
        client.command(f"AUTH PLAIN {plain}", 235)


if __name__ == "__main__":
    relais.main()
