"""The checks of qmail-checks(5) that ask DNS or the clock, in a real qmail-smtpd and in relay-explain. A client of an address that is
not this machine's is one by its environment, as tcpserver has it."""

import base64
import hashlib
import json
import re
import socket
import time

from harness import dns
from harness import relais

CLIENT = "11.22.33.44"
REVERSED = "44.33.22.11"
JOE = "joe@mail.test"


class WithDns(relais.TestCase):
    records, silent = {}, ()

    @classmethod
    def setUpClass(cls):
        cls.server = dns.Answers(cls.records, cls.silent)
        cls.addClassCleanup(cls.server.stop)

    def started(self, **control):
        i = self.instance(control={"dnsservers": self.server.server, "rcpthosts": "mail.test", **control})
        dns.start_resolver(i)
        return i

    def talk(self, i, *senders, client=CLIENT, recipient=JOE, helo="x.example", **env):
        """The replies to RCPT, and what was logged."""
        said = f"EHLO {helo}\r\n" + "".join(f"MAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\n" for sender in senders) + "QUIT\r\n"
        result = i.run("qmail-smtpd", input=said, env={"TCPREMOTEIP": client, "TCPLOCALIP": "127.0.0.1", **env})
        replies = [line for line in result.out.split("\r\n") if line[3:4] == " "]
        return replies[3:-1:2], result.err

    def explain(self, i, sender, code, client=CLIENT, helo="x.example"):
        result = i.run("relay-explain", client, "--from", sender, "--rcpt", JOE, "--helo", helo, "--json")
        self.assertEqual(result.code, code, result)
        (recipient,) = json.loads(result.out)["recipients"]
        return recipient


class NamesAndDomains(WithDns):
    records = {f"{REVERSED}.in-addr.arpa": "mx.good.example", "mx.good.example": CLIENT, "45.33.22.11.in-addr.arpa": "forged.example",
               "forged.example": "192.0.2.1", "good.example": "192.0.2.80"}
    silent = ("slow.example",)

    def test_mfcheck(self):
        i = self.started(checks="mfcheck refuse")
        self.assertEqual(self.talk(i, "a@good.example", "a@none.example", "")[0],
                         ["250 ok", "553 sorry, your sender's domain cannot receive mail (#5.1.8)", "250 ok"])
        self.assertEqual(self.talk(i, "a@none.example", recipient="abuse@mail.test")[0], ["250 ok"])
        self.assertEqual(self.talk(i, "a@none.example", RELAYCLIENT="")[0], ["250 ok"])
        self.assertEqual(self.explain(i, "a@good.example", 0)["reply"], "250 ok")
        refused = self.explain(i, "a@none.example", 1)
        self.assertEqual((refused["check"], refused["cause"]), ("mfcheck", "check"))
        self.assertIn("none.example does not exist", refused["decision"])
        i.control("checks", "mfcheck log")
        replies, log = self.talk(i, "a@none.example")
        self.assertEqual(replies, ["250 ok"])
        self.assertIn("reason the sender's domain none.example does not exist (mfcheck)", log)
        self.assertIn("does not exist (mfcheck)", self.explain(i, "a@none.example", 0)["suspicion"])

    def test_mfcheck_without_an_answer(self):
        i = self.started(checks="mfcheck refuse")
        self.assertEqual(self.talk(i, "a@slow.example")[0], ["451 unable to look up your sender's domain now (#4.4.3)"])
        i.control("checks", "mfcheck refuse pass")
        replies, log = self.talk(i, "a@slow.example")
        self.assertEqual(replies, ["250 ok"])
        self.assertIn("DNS does not say", log)
        i.running["resolver"].terminate()
        i.running.pop("resolver").wait(60)
        self.assertEqual(self.talk(i, "a@good.example")[0], ["250 ok"])
        i.control("checks", "mfcheck defer")
        self.assertEqual(self.talk(i, "a@good.example")[0], ["451 unable to look up your sender's domain now (#4.4.3)"])

    def test_reversedns(self):
        i = self.started(checks="reversedns refuse")
        no = "550 sorry, your address has no name that leads back to it (#5.7.25)"
        self.assertEqual(self.talk(i, "a@b.example")[0], ["250 ok"])
        for other in ("11.22.33.45", "11.22.33.46"):
            self.assertEqual(self.talk(i, "a@b.example", client=other)[0], [no])
        self.assertEqual(self.talk(i, "a@b.example", client="11.22.33.46", recipient="postmaster@mail.test")[0], ["250 ok"])
        refused = self.explain(i, "a@b.example", 1, client="11.22.33.45")
        self.assertIn("forged.example does not lead back", refused["decision"])
        self.assertEqual(refused["reply"], no)
        i.control("checks", "reversedns tag")
        replies, log = self.talk(i, "a@b.example", client="11.22.33.46")
        self.assertEqual(replies, ["250 ok"])
        self.assertIn("suspect from 11.22.33.46", log)


class Lists(WithDns):
    records = {f"{REVERSED}.zen.example": "127.0.0.2", f"{REVERSED}.slow.zen.example": "127.0.0.4",
               "spam.example.dbl.example": "127.0.1.2", "bad.example.uris.example": "127.0.0.2",
               hashlib.sha1(b"drop@box.example").hexdigest() + ".hashes.example": "127.0.0.2", "1.0.0.127.all.example": "127.0.0.2", f"{REVERSED}.all.example": "127.0.0.2",
               "2.2.2.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.zen.example": "127.0.0.2"}
    silent = ("dead.example",)

    def test_refuse_defer_tag_and_the_mode(self):
        i = self.started(dnsbllist="-zen.example\n")
        no = f"553 sorry, {CLIENT} is listed by zen.example (#5.7.1)"
        self.assertEqual(self.talk(i, "a@b.example", "b@b.example")[0], [no, no])
        self.assertEqual(self.talk(i, "a@b.example", client="2001:db8::2222")[0],
                         ["553 sorry, 2001:db8::2222 is listed by zen.example (#5.7.1)"])
        self.assertEqual(self.talk(i, "a@b.example", client="11.22.33.99")[0], ["250 ok"])
        self.assertEqual(self.talk(i, "a@b.example", recipient="abuse@mail.test")[0], ["250 ok"])
        self.assertEqual(self.talk(i, "a@b.example", RELAYCLIENT="")[0], ["250 ok"])
        self.assertEqual(self.talk(i, "a@b.example", RBLSMTPD="")[0], ["250 ok"])
        refused = self.explain(i, "a@b.example", 1)
        self.assertEqual(refused["check"], "dnsbl")
        self.assertIn("score 10", refused["decision"])
        i.control("dnsbllist", "zen.example weight=1 127.0.0.2=4\ndefer=4")
        self.assertEqual(self.talk(i, "a@b.example")[0], [f"450 sorry, {CLIENT} is listed by zen.example (#4.7.1)"])
        i.control("checks", "dnsbl log")
        replies, log = self.talk(i, "a@b.example")
        self.assertEqual(replies, ["250 ok"])
        self.assertIn(f"score 4: {CLIENT} is listed by zen.example (4) (dnsbl)", log)

    def test_lists_of_domains(self):
        i = self.started(dnsbllist="-domain:dbl.example\n")
        no = "553 sorry, spam.example is listed by dbl.example (#5.7.1)"
        self.assertEqual(self.talk(i, "a@spam.example", "a@b.example")[0], [no, "250 ok"])
        self.assertEqual(self.talk(i, "a@b.example", helo="spam.example")[0], [no])

    def test_a_silent_list_holds_up_none_of_the_others_and_rests(self):
        i = self.started(dnsbllist="dead.example\n-zen.example\n")
        no = f"553 sorry, {CLIENT} is listed by zen.example (#5.7.1)"
        begin = time.monotonic()
        replies, log = self.talk(i, "a@b.example", "a@b.example", "a@b.example", "a@b.example")
        self.assertEqual(replies, [no] * 4)
        self.assertEqual(log.count("alert: the list dead.example does not answer: it is not asked for 10 minutes"), 1)
        self.assertLess(time.monotonic() - begin, 30 * relais.PATIENCE)

    def test_a_list_that_answers_for_everybody_rests(self):
        i = self.started(dnsbllist="-all.example\n")
        replies, log = self.talk(i, "a@b.example", "a@b.example")
        self.assertEqual(replies, ["250 ok"] * 2)
        self.assertEqual(log.count("alert: the list all.example lists 127.0.0.1: it is not asked for 10 minutes"), 1)

    def send(self, i, text, sender="a@good.example", **env):
        """The reply to the message, and what was logged."""
        said = (f"EHLO x.example\r\nMAIL FROM:<{sender}>\r\nRCPT TO:<{JOE}>\r\nDATA\r\n" + text.replace("\n", "\r\n") +
                ".\r\nQUIT\r\n")
        result = i.run("qmail-smtpd", input=said, env={"TCPREMOTEIP": CLIENT, "TCPLOCALIP": "127.0.0.1", **env})
        replies = [line for line in result.out.split("\r\n") if line[3:4] == " "]
        return re.sub("^250 ok .*", "250 ok", replies[-2]), result.err

    def whole(self, lists):
        i = self.instance(control={"dnsservers": self.server.server, "rcpthosts": "mail.test", "dnsbllist": lists})
        self.joe = i.add_user("joe")
        i.start_send()
        return i

    def arrived(self, count):
        return [relais.text(message) for message in self.joe.wait_messages(count, 60)]

    def test_hosts_in_a_message_in_each_mode(self):
        i = self.whole("-uri:uris.example\n")
        html = base64.encodebytes(b'<a href="https://www.bad.example/x">').decode()
        bad = f"From: a@good.example\nContent-Type: text/html\nContent-Transfer-Encoding: base64\n\n{html}"
        listed = "sorry, bad.example is listed by uris.example"
        self.assertEqual(self.send(i, bad)[0], f"553 {listed} (#5.7.1)")
        i.control("checks", "dnsbl defer")
        self.assertEqual(self.send(i, bad)[0], f"450 {listed} (#4.7.1)")
        self.assertEqual(self.send(i, "From: a@good.example\n\nhttp://good.example/\n")[0], "250 ok")
        self.assertEqual(self.send(i, bad, RELAYCLIENT="")[0], "250 ok")
        i.control("checks", "dnsbl log")
        reply, log = self.send(i, bad)
        self.assertEqual(reply, "250 ok")
        self.assertIn("score 10: bad.example is listed by uris.example (10) (dnsbl)", log)
        self.assertEqual([text.count("X-Relais-Suspect") for text in self.arrived(3)], [0] * 3)
        i.control("checks", "dnsbl tag")
        self.assertEqual(self.send(i, bad)[0], "250 ok")
        tagged = [text for text in self.arrived(4) if "X-Relais-Suspect" in text]
        self.assertEqual(len(tagged), 1)
        self.assertIn("\nX-Relais-Suspect: dnsbl; score 10: bad.example is listed by uris.example (10)\nReceived: from", tagged[0])
        i.control("checks", "dnsbl off")
        self.server.asked.clear()
        self.assertEqual(self.send(i, bad)[0], "250 ok")
        self.assertEqual(self.server.asked, [])

    def test_hashed_addresses(self):
        i = self.whole("-hash:hashes.example\n")
        no = "553 sorry, drop@box.example is listed by hashes.example (#5.7.1)"
        self.assertEqual(self.talk(i, "Drop@Box.example", "other@box.example")[0], [no, "250 ok"])
        self.assertEqual(self.send(i, "From: a@good.example\nReply-To: <DROP@box.example>\n\nx\n")[0], no)
        self.assertEqual(self.send(i, "From: a@good.example\n\nx\n")[0], "250 ok")

    def test_a_message_costs_few_questions_and_a_silent_list_no_mail(self):
        i = self.whole("-uri:uris.example\n-uri:dead.example\n")
        many = "From: a@good.example\n\n" + "".join(f"http://a.b{n}.c{n}.example/\n" for n in range(500))
        self.server.asked.clear()
        reply, log = self.send(i, many)
        self.assertEqual(reply, "250 ok")
        self.assertIn("alert: the list dead.example does not answer", log)
        asked = {name for name in self.server.asked if name.endswith("uris.example")}
        self.assertIn("c0.example.uris.example", asked)
        self.assertLessEqual(len(asked), 40)

    def test_rblsmtpd_of_a_rule(self):
        i = self.started()
        i.rules('127.0.0.1:allow,RBLSMTPD="-go away"\n127.0.0.2:allow,RBLSMTPD="come later"\n:allow,RBLSMTPD=""\n')
        i.start_listener()
        for source, reply in (("127.0.0.1", "553 go away"), ("127.0.0.2", "451 come later"), ("127.0.0.3", "250 ok")):
            with i.smtp(source=source) as client:
                client.command("MAIL FROM:<a@b.example>")
                self.assertEqual(str(client.command(f"RCPT TO:<{JOE}>", None)), reply)


class EarlyTalkers(relais.TestCase):
    NO = "554 sorry, you spoke before my greeting (#5.5.0)"

    def reply(self, i, early, source="127.0.0.1"):
        """To RCPT, and the seconds until the greeting."""
        begin = time.monotonic()
        with socket.create_connection(("127.0.0.1", i.port), 60, (source, 0)) as client:
            lines = client.makefile("rb")
            if early:
                client.sendall(b"EHLO x\r\n")
            self.assertTrue(lines.readline().startswith(b"220 "))
            waited = time.monotonic() - begin
            client.sendall((b"" if early else b"EHLO x\r\n") + f"MAIL FROM:<a@b.example>\r\nRCPT TO:<{JOE}>\r\nQUIT\r\n".encode())
            replies = [line.decode().strip() for line in lines if line[3:4] == b" "]
        return replies[2], waited

    def both_ways(self, check, rules=":allow\n", **control):
        for way in ("start_listener", "start_tcpserver"):
            with self.subTest(way=way):
                i = self.instance(control={"rcpthosts": "mail.test", **control})
                i.rules(rules)
                getattr(i, way)()
                check(i)

    def test_who_waits_is_greeted_and_who_does_not_is_refused(self):
        def check(i):
            reply, waited = self.reply(i, early=False)
            self.assertEqual(reply, "250 ok")
            self.assertGreaterEqual(waited, 1.9)
            self.assertEqual(self.reply(i, early=True)[0], self.NO)
            i.control("checks", "earlytalker log")
            self.assertEqual(self.reply(i, early=True)[0], "250 ok")
            i.wait_log("the client spoke before the greeting (earlytalker)", "smtpd")
            i.control("checks", "earlytalker defer")
            self.assertEqual(self.reply(i, early=True)[0], "450 sorry, you spoke before my greeting (#4.5.0)")
            i.control("checks", "earlytalker off")
            reply, waited = self.reply(i, early=True)
            self.assertEqual(reply, "250 ok")
            self.assertLess(waited, 1.9)
        self.both_ways(check, greetdelay="2")

    def test_rules_spare_clients(self):
        def check(i):
            for source in ("127.0.0.1", "127.0.0.2"):
                reply, waited = self.reply(i, early=True, source=source)
                self.assertEqual(reply, "250 ok")
                self.assertLess(waited, 30)
            self.assertEqual(self.reply(i, early=True, source="127.0.0.3")[0], self.NO)
        self.both_ways(check, '127.0.0.1:allow,RELAYCLIENT=""\n127.0.0.2:allow,GREETDELAY="0"\n:allow\n', greetdelay="60")

    def test_without_a_delay_nobody_is_early(self):
        self.both_ways(lambda i: self.assertEqual(self.reply(i, early=True)[0], "250 ok"))


if __name__ == "__main__":
    relais.main()
