"""qmail-countd, qmail-counts and the checks that ask them: ratelimits and greylist (qmail-checks(5))."""

import base64
import json
import re
import time

from harness import pop3
from harness import relais

PASSWORD = "correct-horse-7"
JOE = "joe@mail.test"
GREY = r"450 greylisted, try again in \d+ seconds \(#4\.7\.1\)"
FULL = r"450 too much mail for now, try again in \d+ seconds \(#4\.7\.1\)"


class Counts(relais.TestCase):
    def started(self, rules=":allow\n", users=(), **control):
        i = self.instance(control={"rcpthosts": "mail.test", "refusedpause": None, "refusedlimit": None,
                                   "checks": "ratelimits defer", **control})
        i.rules(rules)
        for name in users:
            i.add_user(name)
            pop3.set_password(i, name, PASSWORD)
        return i.start()

    def replies(self, i, recipients, sender="a@b.example", login=None, **options):
        """To RCPT, each in a message of its own."""
        with i.smtp(**options) as client:
            if login:
                client.command("AUTH PLAIN " + base64.b64encode(f"\0{login}\0{PASSWORD}".encode()).decode(), 235)
            said = []
            for recipient in recipients:
                client.command(f"MAIL FROM:<{sender}>")
                client.line(f"RCPT TO:<{recipient}>")
                said.append(str(client.expect(None)))
            return said

    def counts(self, i, *words, code=0):
        result = i.run("qmail-counts", *words)
        self.assertEqual(result.code, code, result)
        return result.out

    def test_a_network_has_its_budget(self):
        i = self.started(rules='127.0.9.9:allow,RELAYCLIENT=""\n:allow\n', ratelimits="messages of network 3/1h")
        self.assertEqual(self.replies(i, [JOE] * 3), ["250 ok"] * 3)
        # The whole /24, and postmaster hears everybody.
        for source in ("127.0.0.1", "127.0.0.2"):
            (reply,) = self.replies(i, [JOE], source=source)
            self.assertRegex(reply, FULL)
            self.assertTrue(3600 < int(re.search(r"in (\d+)", reply)[1]) <= 4800, reply)
        self.assertEqual(self.replies(i, ["postmaster@mail.test"]), ["250 ok"])
        self.assertEqual(self.replies(i, [JOE], source="127.0.1.1"), ["250 ok"])
        self.assertEqual(self.replies(i, [JOE] * 5, source="127.0.9.9"), ["250 ok"] * 5)
        i.wait_log("the budget rate:messages:3600:network:127.0.0.0/24 is used up", "smtpd")
        self.assertEqual(self.counts(i, "rate:messages:3600:network:127.0.0"), "rate:messages:3600:network:127.0.0.0/24 3 in 3600 s\n")
        # relay-explain knows it, and counts nothing.
        result = i.run("relay-explain", "127.0.0.7", "--from", "a@b.example", "--rcpt", JOE, "--json")
        (recipient,) = json.loads(result.out)["recipients"]
        self.assertEqual((result.code, recipient["check"]), (1, "ratelimits"))
        for _ in range(5):
            self.assertEqual(i.run("relay-explain", "127.0.1.1", "--rcpt", JOE).code, 0)
        self.assertEqual(self.counts(i, "rate:messages:3600:network:127.0.1"), "rate:messages:3600:network:127.0.1.0/24 1 in 3600 s\n")
        # A word of the administrator's.
        self.assertEqual(self.counts(i, "--forget", "rate:messages:3600:network:127.0.0.0"), "1 forgotten\n")
        self.assertEqual(self.replies(i, [JOE]), ["250 ok"])

    def test_recipients_and_modes(self):
        i = self.started(ratelimits="recipients of network 2/1h", checks="ratelimits log")
        self.assertEqual(self.replies(i, [JOE] * 3), ["250 ok"] * 3)
        i.wait_log("is used up (ratelimits)", "smtpd")
        i.control("checks", "ratelimits off")
        self.assertEqual(self.replies(i, [JOE] * 3), ["250 ok"] * 3)
        i.control("checks", "ratelimits refuse")
        self.assertRegex(self.replies(i, [JOE])[0], FULL)

    def test_a_login_beyond_a_hard_budget_is_held_until_it_is_released(self):
        held = "550 mail of this login is held, for it has sent too much: ask your postmaster (#5.7.1)"
        i = self.started(ratelimits="recipients of login 3/1h hold\nrecipients of login 2/1h", users=("joe", "ann"), checks="ratelimits refuse")
        alias = i.home / "alias/.qmail-postmaster"
        alias.write_text("./Postmaster\n")
        login = dict(sender=JOE, login=JOE)
        # A soft budget before it only makes it wait.
        self.assertRegex(self.replies(i, [JOE] * 3, **login)[2], FULL)
        i.control("ratelimits", "recipients of login 3/1h hold")
        self.assertEqual(self.replies(i, [JOE] * 3, **login), ["250 ok", held, held])
        self.assertEqual(self.replies(i, ["postmaster@mail.test"], **login), ["250 ok"])
        self.assertEqual(self.replies(i, [JOE], sender="ann@mail.test", login="ann@mail.test"), ["250 ok"])
        self.assertEqual(self.replies(i, [JOE]), ["250 ok"])
        i.wait_log(f"alert: the login {JOE} is held", "smtpd", count=1)
        letters = i.wait_for(lambda: (i.home / "alias/Postmaster").exists() and (i.home / "alias/Postmaster").read_text(), what="a letter to the postmaster")
        self.assertIn(f"Subject: the login {JOE} is held\n", letters)
        self.assertIn(f"    qmail-counts --release {JOE} ", letters)
        self.assertEqual(letters.count("Subject:"), 1)
        # Neither time nor a restart of qmail-countd releases it.
        i.stop()
        i.start()
        self.assertEqual(self.replies(i, [JOE], **login), [held])
        self.assertRegex(self.counts(i, "held:"), rf"^held:login:{JOE} is held for \d+ s\n$")
        said = i.run("qmailctl", "doctor").out
        self.assertIn(f"WRONG  the login {JOE} is held", said)
        self.assertEqual(self.counts(i, "--release", "nobody@mail.test", code=1), "it is not held\n")
        # The counters, too: the next message does not hold it again.
        self.assertEqual(self.counts(i, "--release", JOE), "released\n")
        self.assertEqual(self.replies(i, [JOE], **login), ["250 ok"])

    def test_a_mode_that_lets_pass_holds_nobody(self):
        i = self.started(ratelimits="recipients of login 1/1h hold", users=("joe",), checks="ratelimits log")
        self.assertEqual(self.replies(i, [JOE] * 3, sender=JOE, login=JOE), ["250 ok"] * 3)
        i.wait_log(f"the login {JOE} is held (ratelimits)", "smtpd")
        self.counts(i, "held:", code=1)

    def test_refused_recipients(self):
        i = self.started(ratelimits="refused of network 3/1h", recipientcheck="on", users=("joe",))
        i.wait_for(lambda: self.replies(i, [JOE]) == ["250 ok"], what="qmail-rcptd")
        self.assertEqual([reply[:3] for reply in self.replies(i, [f"nobody{n}@mail.test" for n in range(3)])], ["550"] * 3)
        self.assertRegex(self.replies(i, [JOE])[0], FULL)

    def test_a_login_has_its_budget(self):
        i = self.started(ratelimits="recipients of login 3/1d\nmessages of domain 4/1d", users=("anna", "joe"))
        self.assertEqual(self.replies(i, ["x@elsewhere.example"] * 3, sender="anna@mail.test", login="anna"), ["250 ok"] * 3)
        self.assertRegex(self.replies(i, [JOE], sender="anna@mail.test", login="anna")[0], FULL)
        self.assertEqual(self.replies(i, [JOE], sender="joe@mail.test", login="joe"), ["250 ok"])
        # The domain's is used up now, by logins alone: a stranger's sender says nothing.
        self.assertRegex(self.replies(i, [JOE], sender="joe@mail.test", login="joe")[0], FULL)
        self.assertEqual(self.replies(i, [JOE] * 5, sender="joe@mail.test"), ["250 ok"] * 5)

    def test_greylisting(self):
        i = self.started(checks="greylist defer", greylistdelay="2", rules='127.0.9.9:allow,RELAYCLIENT=""\n:allow\n')
        self.assertRegex(self.replies(i, [JOE])[0], GREY)
        self.assertIn("grey:127.0.0.0/24:a@b.example>joe@mail.test waits", self.counts(i, "grey:"))
        for free in ({"sender": ""}, {"recipients": ["postmaster@mail.test"]}, {"source": "127.0.9.9"}):
            self.assertEqual(self.replies(i, **{"recipients": [JOE], **free}), ["250 ok"], free)
        i.wait_for(lambda: self.replies(i, [JOE]) == ["250 ok"], 30, "the delay")
        self.assertEqual(self.replies(i, [JOE], source="127.0.0.77"), ["250 ok"])
        self.assertIn("a@b.example>joe@mail.test passes", self.counts(i, "grey:"))
        self.assertRegex(self.replies(i, [JOE], sender="other@b.example")[0], GREY)
        self.assertRegex(self.replies(i, [JOE], source="127.0.1.1")[0], GREY)

    def test_greylisting_is_off_without_a_word(self):
        i = self.started()
        self.assertEqual(self.replies(i, [JOE]), ["250 ok"])
        self.assertEqual(self.counts(i, code=1), "")

    def test_what_is_known_survives_a_restart(self):
        i = self.started(ratelimits="messages of network 2/1h")
        self.replies(i, [JOE] * 2)
        (server,) = i.processes("qmail-countd")
        before = server.pid
        i.kill("qmail-countd", 15)
        i.wait_for(lambda: [p.pid for p in i.processes("qmail-countd") if p.pid != before], what="a new qmail-countd")
        # While it does not answer in its time mail passes, and does not count.
        i.wait_for(lambda: re.match(FULL, self.replies(i, [JOE])[0]), what="its answer")

    def test_without_an_answer_mail_passes_and_the_log_says_so(self):
        i = self.started(ratelimits="messages of network 1/1h")
        self.assertEqual(self.replies(i, [JOE]), ["250 ok"])
        i.kill("qmail-countd", 19)
        try:
            begin = time.monotonic()
            self.assertEqual(self.replies(i, [JOE]), ["250 ok"])
            self.assertLess(time.monotonic() - begin, 10 * relais.PATIENCE)
            i.wait_log("alert: qmail-countd does not answer", "smtpd")
        finally:
            i.kill("qmail-countd", 18)

    def test_usage(self):
        i = self.started()
        self.assertEqual(i.run("qmail-counts", "--forget").code, 100)
        self.assertEqual(i.run("qmail-countd", "x").code, 100)


if __name__ == "__main__":
    relais.main()
