"""Front ends that say for whom they speak: XCLIENT from a real nginx, XFORWARD from a real Postfix."""

import base64
import unittest

from harness import peers
from harness import relais

FOREIGN = "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"
RULES = '127.0.0.9:allow,RELAYCLIENT=""\n127.0.0.8:deny\n127.0.0.1:allow,RELAYCLIENT=""\n{}:allow\n'


class FrontEnds(relais.TestCase):
    def make(self, xclient="127.0.0.1 login", rules="", **control):
        i = self.instance(control={"xclient": xclient, **control})
        i.rules(RULES.format(rules))
        i.start_send()
        i.start_listener()
        return i

    @staticmethod
    def rcpt(client, recipient="x@foreign.example"):
        client.command("MAIL FROM:<anna@mail.test>")
        client.line(f"RCPT TO:<{recipient}>")
        return str(client.reply())

    def test_rules_are_looked_up_anew(self):
        i = self.make(rules='127.0.0.7:allow,QMAILQUEUE="/bin/true"\n')
        with i.smtp() as smtp:
            self.assertEqual(self.rcpt(smtp), "250 ok")
            smtp.command("RSET")
            for address, reply in (("127.0.0.5", FOREIGN), ("127.0.0.9", "250 ok"), ("[UNAVAILABLE]", FOREIGN), ("IPV6:2001:db8::7", FOREIGN)):
                self.assertEqual(smtp.command(f"XCLIENT ADDR={address}", 220).text, f"{i.me} ESMTP")
                smtp.command("EHLO client.test")
                self.assertEqual(self.rcpt(smtp), reply, address)
                smtp.command("RSET")
            smtp.command("XCLIENT ADDR=127.0.0.7", 451)
            smtp.command("XCLIENT ADDR=127.0.0.8", 554)
            smtp.expect_closed()
        with i.smtp() as smtp:
            smtp.command("XCLIENT ADDR=IPV6:::ffff:127.0.0.8", 554)
            smtp.expect_closed()
        log = "\n".join(i.log("smtpd"))
        for part in ("refuse from 127.0.0.5 ", "refuse from unknown ", "refuse from 2001:db8::7 ", "names another filter (QMAILQUEUE)"):
            self.assertIn(part, log)

    def test_under_tcpserver_only_xforward(self):
        i = self.instance(control={"xclient": "127.0.0.1 login"})
        i.start_send()
        i.start_tcpserver()
        with i.smtp(ehlo=None) as smtp:
            said = repr(smtp.command("EHLO x"))
            self.assertIn("250-XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE", said)
            self.assertNotIn("XCLIENT", said)
            smtp.command("XCLIENT ADDR=127.0.0.9", 500)

    @unittest.skipUnless(relais.IS_ROOT, "a whole nginx needs root")
    def test_nginx(self):
        i = self.make(submissiontls="0")
        bob = i.add_user("bob")

        def answer(question):
            if question["Auth-Method"] != "none" and question["Auth-Pass"] != "secret":
                return {"Auth-Status": "Invalid login or password"}
            user = {} if question["Auth-Method"] == "none" else {"Auth-User": question["Auth-User"] + "@mail.test"}
            return {"Auth-Status": "OK", "Auth-Server": "127.0.0.1", "Auth-Port": str(i.port), **user}

        plain = base64.b64encode(b"\0anna\0secret").decode()
        with peers.NginxMail(answer) as nginx:
            with relais.Smtp(nginx.port, source="127.0.0.5") as client:
                client.command("EHLO client.test")
                client.command(f"AUTH PLAIN {plain}", 235)
                self.assertEqual(self.rcpt(client), "250 ok")
                client.command("RSET")
                client.deliver("anna@mail.test", [bob.address], "Subject: with a login\n\n")
            with relais.Smtp(nginx.port, source="127.0.0.5") as client:
                client.command("EHLO client.test")
                self.assertEqual(self.rcpt(client), FOREIGN)
                client.command("RSET")
                client.deliver("anna@mail.test", [bob.address], "Subject: without\n\n")
        first, second = bob.wait_messages(2)
        self.assertRegex(first, rb"\(127\.0\.0\.5\)\n  by .* with ESMTPA;")
        self.assertRegex(second, rb"\(127\.0\.0\.5\)\n  by .* with ESMTP;")
        accepted = [line for line in i.log("smtpd") if " accept msg " in line]
        self.assertIn(" from 127.0.0.5 helo client.test login anna@mail.test ", accepted[0])
        self.assertIn(" from 127.0.0.5 helo client.test login - ", accepted[1])

    @unittest.skipUnless(relais.IS_ROOT, "a whole Postfix needs root")
    def test_postfix_forwards(self):
        i = self.make()
        bob = i.add_user("bob")
        settings = ["smtp_send_xforward_command = yes", "smtpd_authorized_xforward_hosts = 127.0.0.0/8"]
        with peers.Postfix(relayhost=f"[127.0.0.1]:{i.port}", settings=settings) as postfix:
            with relais.Smtp(postfix.port, source="127.0.0.5") as smtp:
                smtp.command("EHLO client.test")
                smtp.deliver("a@client.test", [bob.address], "Subject: x\n\n")
            bob.wait_messages(1)
        i.wait_for(lambda: any(" forwarded msg " in line for line in i.log("smtpd")), what="the line of XFORWARD")
        (line,) = [line for line in i.log("smtpd") if " forwarded msg " in line]
        self.assertRegex(line, r"forwarded msg \d+ from 127\.0\.0\.1 name \S+ addr 127\.0\.0\.5 port \d+ proto ESMTP helo client\.test ident \S+ source REMOTE")


if __name__ == "__main__":
    relais.main()
