"""Mail from outside is verified while it comes in, by SPF, DKIM and DMARC with a real nsd's zones: what stands on
top of it, and what is refused."""

import base64
import pathlib
import re
import subprocess
import tempfile

from harness import dns
from harness import relais

SEED = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
KEY = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
ZONES = {
    "test": "",
    "good.example": f'''
@ MX 10 mx
mx A 127.0.0.1
@ TXT "v=spf1 ip4:127.0.0.2 -all"
_dmarc TXT "v=DMARC1; p=reject"
sel._domainkey TXT "{KEY}"
soft TXT "v=spf1 ~all"
told TXT "v=spf1 -all exp=why.good.example"
why TXT "%{{i}} is not one of ours"
''',
    "plain.example": "@ A 127.0.0.1\n",
}
MESSAGE = """From: Anna <anna@good.example>
To: bob@mail.test
Subject: hello
Date: Mon, 30 Nov 2026 03:00:00 +0000

hello
"""


def signed(message):
    with tempfile.TemporaryDirectory(prefix="rl-key.", dir="/tmp") as folder:
        key = pathlib.Path(folder) / "key"
        key.write_text(SEED)
        done = subprocess.run([relais.program("mail-sign"), "sign", "--key", key, "--domain", "good.example",
                               "--selector", "sel"], input=message.encode(), capture_output=True, check=True)
    return done.stdout.decode().replace("\r\n", "\n")


class IncomingChecks(relais.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.zones = dns.Nsd(ZONES)
        cls.addClassCleanup(cls.zones.stop)

    def started(self, rules=":allow\n", **control):
        i = self.instance(control={"dnsservers": self.zones.server, "mailauth": "on", **control})
        self.bob = i.add_user("bob")
        i.rules(rules)
        return i.start()

    def deliver(self, i, message, sender="anna@good.example", source="127.0.0.2", code=250):
        with relais.Smtp(i.port, source=source) as client:
            client.command("EHLO mx.good.example")
            client.command(f"MAIL FROM:<{sender}>")
            client.line(f"RCPT TO:<{self.bob.address}>")
            reply = client.expect(None)
            if reply.code != 250:
                return reply
            client.command("DATA", 354)
            client.raw(client.stuffed(message))
            reply = client.expect(None)
            self.assertEqual(reply.code, code, reply)
            return reply

    def arrived(self, count=1):
        return relais.text(self.bob.wait_messages(count, 60)[-1])

    def field(self, text):
        """The unfolded Authentication-Results."""
        found = re.findall(r"(?mi)^authentication-results:((?:.*\n)(?:[ \t].*\n)*)", text.split("\n\n")[0] + "\n")
        self.assertEqual(len(found), 1, text)
        return re.sub(r"\s+", " ", found[0]).strip()

    def test_a_genuine_message_says_so_on_top(self):
        i = self.started()
        self.deliver(i, signed(MESSAGE))
        text = self.arrived()
        said = self.field(text)
        self.assertTrue(said.startswith("mail.test;"), said)
        for part in ("spf=pass smtp.mailfrom=anna@good.example", "dkim=pass", "header.d=good.example", "dmarc=pass",
                     "header.from=good.example"):
            self.assertIn(part, said)
        # Above our own trace field, which says from where it came.
        self.assertLess(text.index("Authentication-Results:"), text.index("from unknown (HELO mx.good.example)")
                        if "from unknown (HELO" in text else text.index("HELO mx.good.example"))
        i.wait_log("verified msg", "smtpd")
        (line,) = [line for line in i.log("smtpd") if "verified msg" in line]
        self.assertIn("spf=pass(good.example) dkim=pass(good.example) dmarc=pass(good.example)", line)

    def test_a_forged_one_is_marked_and_accepted(self):
        i = self.started()
        self.deliver(i, MESSAGE, source="127.0.0.3")
        said = self.field(self.arrived())
        for part in ("spf=fail", "dkim=none", "dmarc=fail"):
            self.assertIn(part, said)

    def test_forged_results_of_our_name_are_taken_out_for_everybody(self):
        i = self.started('127.0.0.9:allow,RELAYCLIENT=""\n:allow\n')
        forged = "Authentication-Results: MAIL.TEST;\n spf=pass smtp.mailfrom=ceo@bank.example; dmarc=pass\n"
        kept = "Authentication-Results: other.example; spf=pass\n"
        self.deliver(i, forged + kept + MESSAGE, source="127.0.0.3")
        text = self.arrived()
        self.assertNotIn("bank.example", text)
        self.assertIn(kept, text)
        self.deliver(i, forged + kept + MESSAGE, source="127.0.0.9")
        text = self.arrived(2)
        self.assertNotIn("bank.example", text)
        self.assertEqual(text.count("Authentication-Results"), 1)

    def test_a_signature_over_a_foreign_field_still_holds(self):
        """What we take out was there when it was signed and verified."""
        i = self.started()
        self.deliver(i, signed("Authentication-Results: mail.test; spf=pass\n" + MESSAGE))
        self.assertIn("dkim=pass", self.field(self.arrived()))

    def test_dmarc_refuses_when_it_is_told_to(self):
        i = self.started(dmarc="refuse")
        reply = self.deliver(i, MESSAGE, source="127.0.0.3", code=550)
        self.assertIn("#5.7.26", reply.text)
        i.wait_log("dmarc fail", "smtpd")
        i.wait_empty()
        # Without a policy, with a genuine signature, and from who is exempt.
        self.deliver(i, MESSAGE.replace("good.example", "plain.example"), sender="a@plain.example", source="127.0.0.3")
        self.deliver(i, signed(MESSAGE), sender="list@plain.example", source="127.0.0.3")
        i.control("dmarcexempt", "127.0.0.3")
        self.deliver(i, MESSAGE, source="127.0.0.3")
        i.control("dmarcexempt", "good.example")
        self.deliver(i, MESSAGE, source="127.0.0.4")
        i.control("dmarcexempt", None)
        i.control("dmarc", "log")
        self.deliver(i, MESSAGE, source="127.0.0.3")
        self.arrived(5)

    def test_spfbehavior(self):
        i = self.started(spfbehavior="1")
        self.deliver(i, MESSAGE, source="127.0.0.3")
        self.assertRegex(self.arrived(), r"(?m)^Received-SPF: fail \(mail\.test: .*\n client-ip=127\.0\.0\.3; "
                         r'envelope-from="anna@good\.example"; helo=mx\.good\.example;')
        i.control("spfbehavior", "3")
        reply = self.deliver(i, MESSAGE, source="127.0.0.3")
        self.assertEqual(reply.code, 550)
        self.assertIn("#5.7.23", reply.text)
        self.assertIn("127.0.0.3 is not one of ours",
                      self.deliver(i, MESSAGE, sender="x@told.good.example", source="127.0.0.3").text)
        self.deliver(i, MESSAGE, sender="x@soft.good.example", source="127.0.0.3")
        self.deliver(i, MESSAGE, sender="x@plain.example", source="127.0.0.3")
        i.control("spfbehavior", "4")
        self.assertEqual(self.deliver(i, MESSAGE, sender="x@soft.good.example", source="127.0.0.3").code, 550)
        i.control("spfbehavior", "6")
        self.assertEqual(self.deliver(i, MESSAGE, sender="x@plain.example", source="127.0.0.3").code, 550)
        self.deliver(i, MESSAGE)
        self.arrived(4)

    def test_who_may_relay_is_not_judged(self):
        i = self.started('127.0.0.3:allow,RELAYCLIENT=""\n:allow\n', spfbehavior="6", dmarc="refuse")
        self.deliver(i, MESSAGE, source="127.0.0.3")
        self.assertNotIn("Authentication-Results", self.arrived())

    def test_who_has_logged_in_by_pop_is_not_judged(self):
        i = self.started(spfbehavior="6", dmarc="refuse")
        self.assertEqual(self.deliver(i, MESSAGE, source="127.0.0.3").code, 550)
        self.assertEqual(i.run("open-smtp", "add", "127.0.0.3").code, 0)
        self.deliver(i, MESSAGE, source="127.0.0.3")
        self.assertNotIn("Authentication-Results", self.arrived())

    def test_a_large_message_is_accepted_and_judged(self):
        i = self.started(dmarc="refuse")
        large = MESSAGE + "x" * 70 + "\n" + ("y" * 70 + "\n") * 40000
        self.deliver(i, signed(large))
        text = self.arrived()
        said = self.field(text)
        self.assertIn("spf=pass", said)
        self.assertIn("too large to be kept", said)
        self.assertTrue(text.endswith("y" * 70 + "\n"))
        self.deliver(i, large, source="127.0.0.3", code=550)
        i.wait_empty()

    def test_without_dns_mail_is_accepted(self):
        silent = dns.SilentServer()
        self.addCleanup(silent.stop)
        i = self.started(dnsservers=silent.server, timeoutdns="2", dmarc="refuse")
        self.deliver(i, MESSAGE, source="127.0.0.3")
        self.assertIn("spf=temperror", self.field(self.arrived()))
        i.control("spfbehavior", "2")
        self.assertEqual(self.deliver(i, MESSAGE, source="127.0.0.3").code, 451)

    def test_off_changes_nothing(self):
        i = self.started(mailauth=None)
        own = "Authentication-Results: mail.test; spf=pass\n"
        self.deliver(i, own + MESSAGE, source="127.0.0.3")
        text = self.arrived()
        self.assertIn(own, text)
        self.assertFalse([line for line in i.log("smtpd") if "verified" in line])


if __name__ == "__main__":
    relais.main()
