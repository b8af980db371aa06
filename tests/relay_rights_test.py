"""Who may relay, apart from logins: RELAYCLIENT and its value, rcpthosts that is empty or missing, recipients without a domain, senders
of ours from outsiders, and the words of a refusal; by qmail-smtpd under tcpserver and as its own listener."""

from harness import relais
from harness.sink import Sink

CLASSIC = "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"
LOG_IN_FIRST = "sorry, senders of this domain must log in first (#5.7.1)"


class Rights:
    """The tests, for both fronts."""

    front = None

    def started(self, rules=":allow\n", control=None):
        i = self.instance(control={"rcpthosts": "mail.test", **(control or {})})
        self.bob = i.add_user("bob")
        i.rules(rules)
        i.start(self.front)
        return i

    def reply(self, i, recipient, sender="a@client.test"):
        with i.smtp() as client:
            client.command(f"MAIL FROM:<{sender}>")
            client.line(f"RCPT TO:<{recipient}>")
            return client.expect(None)

    def refused(self, i, recipient, sender="a@client.test", text=CLASSIC):
        reply = self.reply(i, recipient, sender)
        self.assertEqual((reply.code, reply.text), (553, text))

    def taken(self, i, recipient, sender="a@client.test"):
        self.assertEqual(repr(self.reply(i, recipient, sender)), "250 ok")

    def test_relayclient_is_appended_to_every_recipient(self):
        with Sink() as sink:
            i = self.started('127.0.0.1:allow,RELAYCLIENT=".gateway.test"\n:allow\n',
                             {"smtproutes": f".gateway.test:127.0.0.1:{sink.port}"})
            i.send("a@client.test", ["joe@foreign.example", self.bob.address], "Subject: x\n\nx\n")
            i.wait_empty()
            self.assertEqual(sorted(r for m in sink.messages for r in m[1]),
                             ["bob@mail.test.gateway.test", "joe@foreign.example.gateway.test"])

    def test_relayclient_of_a_blank_counts_as_empty(self):
        """The RELAYCLIENT=" " of the French document, which in qmail spoils every recipient."""
        with Sink() as sink:
            i = self.started('127.0.0.1:allow,RELAYCLIENT=" "\n:allow\n', {"smtproutes": f":127.0.0.1:{sink.port}"})
            i.send("a@client.test", ["joe@foreign.example"], "Subject: x\n\nx\n")
            i.wait_empty()
            self.assertEqual([m[1] for m in sink.messages], [["joe@foreign.example"]])

    def test_no_rcpthosts_accepts_no_domain(self):
        for content in (None, "", "# mail.test\n\n"):
            i = self.started(control={"rcpthosts": content, "morercpthosts": None})
            for recipient in ("joe@foreign.example", self.bob.address):
                self.refused(i, recipient)
            # Without a domain it is local, and arrives.
            i.send("a@client.test", ["bob"], "Subject: x\n\nx\n")
            self.assertEqual(len(self.bob.wait_messages(1)), 1)
            i.stop()

    def test_rcpthosts_goes_and_comes(self):
        i = self.started()
        self.taken(i, self.bob.address)
        i.control("rcpthosts", None)
        self.refused(i, self.bob.address)
        i.control("rcpthosts", "mail.test")
        self.taken(i, self.bob.address)

    def test_relaydenied_replaces_the_words(self):
        i = self.started()
        self.refused(i, "joe@foreign.example")
        own = "that domain isn't allowed to be relayed thru this MTA (#5.7.1)"
        i.control("relaydenied", own)
        self.refused(i, "joe@foreign.example", text=own)
        i.wait_log(f"reason 553 {own}: no rule, no open-smtp entry, not authenticated", "smtpd")
        self.taken(i, self.bob.address)
        i.control("relaydenied", "one line\nand no other")
        self.refused(i, "joe@foreign.example", text="one line")
        i.control("relaydenied", "")
        self.refused(i, "joe@foreign.example")

    def test_localsenders(self):
        i = self.started('127.0.0.2:allow,RELAYCLIENT=""\n:allow\n',
                         {"localsenders": "enforce", "rcpthosts": "mail.test\nours.example\nlisted.example",
                          "virtualdomains": "ours.example:bob\nonly@person.example:bob\nexception.example:"})
        for sender in ("bob@mail.test", "Bob@MAIL.TEST", "x@ours.example"):
            self.refused(i, self.bob.address, sender, LOG_IN_FIRST)
        i.wait_log("(#5.7.1): a sender of ours from an outsider (localsenders)", "smtpd")
        # Not ours, or nobody's: rcpthosts alone makes no domain ours.
        for sender in ("", "a@client.test", "x@listed.example", "only@person.example", "x@exception.example", "x@sub.mail.test"):
            self.taken(i, self.bob.address, sender)
        # The postmaster is there for those who are locked out.
        self.taken(i, "postmaster@mail.test", "bob@mail.test")
        # A right to relay is one to our own senders: by a rule, or by a login.
        with relais.Smtp(i.port, source="127.0.0.2") as client:
            client.command("MAIL FROM:<bob@mail.test>")
            client.command(f"RCPT TO:<{self.bob.address}>")
        self.assertEqual(i.run("open-smtp", "add", "127.0.0.1").code, 0)
        self.taken(i, self.bob.address, "bob@mail.test")
        self.assertEqual(i.run("open-smtp", "remove", "127.0.0.1").code, 0)
        i.control("localsenders", "warn")
        self.taken(i, self.bob.address, "bob@mail.test")
        i.wait_log("suspect from 127.0.0.1", "smtpd")
        i.control("localsenders", "off")
        self.taken(i, self.bob.address, "bob@mail.test")
        self.assertEqual(len([line for line in i.log("smtpd") if "suspect" in line]), 1)


class UnderTcpserver(Rights, relais.TestCase):
    front = "tcpserver"


class Listener(Rights, relais.TestCase):
    front = "listener"


if __name__ == "__main__":
    relais.main()
