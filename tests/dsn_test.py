"""DSN (RFC 3461) in and out: offered to whom, kept to the end, passed on or answered; with a real Postfix on both sides."""

import email
import email.policy
import unittest

from harness import peers
from harness import relais
from send_test import HELLO, SendTest

EHLO_DSN = b"250-fake.test\r\n250-PIPELINING\r\n250-DSN\r\n250 8BITMIME\r\n"


def parts(octets):
    message = email.message_from_bytes(octets, policy=email.policy.default)
    return message, list(message.iter_parts())


class DsnTest(SendTest):
    def send(self, i, recipient, notify, mail="RET=HDRS ENVID=QQ+2B314", sender="bob@mail.test"):
        with i.smtp() as smtp:
            self.assertIn("250-DSN", smtp.command("EHLO client.test").lines)
            smtp.command(f"MAIL FROM:<{sender}> {mail}")
            smtp.command(f"RCPT TO:<{recipient}> NOTIFY={notify} ORCPT=rfc822;old+2B{recipient}")
            smtp.command("DATA", 354)
            smtp.raw(HELLO.replace("\n", "\r\n") + ".\r\n")
            smtp.expect(250)


class Asked(DsnTest):
    def test_without_the_file_it_is_offered_to_nobody(self):
        i = self.make().start()
        with i.smtp() as smtp:
            self.assertNotIn("250-DSN", smtp.command("EHLO client.test").lines)
            smtp.command("MAIL FROM:<bob@mail.test> RET=FULL", 555)

    def test_a_server_that_knows_it_is_told(self):
        server = self.server(EHLO=EHLO_DSN)
        i = self.routed(server, dsnfrom="192.0.2.0/24").start()
        self.send(i, "ann@far.test", "SUCCESS,DELAY")
        i.wait_empty()
        (session,) = server.sessions
        self.assertIn(b"MAIL FROM:<bob@mail.test> BODY=8BITMIME RET=HDRS ENVID=QQ+2B314".replace(b" BODY=8BITMIME", b""),
                      session.commands)
        self.assertIn(b"RCPT TO:<ann@far.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;old+2Bann@far.test", session.commands)
        self.assertEqual(self.bob.messages(), [])

    def test_for_one_that_does_not_we_say_relayed(self):
        server = self.server()
        i = self.routed(server, dsnfrom="192.0.2.0/24").start()
        self.send(i, "ann@far.test", "SUCCESS")
        (report,) = self.bob.wait_messages(1)
        i.wait_empty()
        self.assertNotIn(b"NOTIFY", b" ".join(server.sessions[0].commands))
        message, (text, status, copy) = parts(report)
        self.assertEqual(message["Subject"], "delivery report")
        head, recipient = status.get_payload()
        self.assertEqual(head["Original-Envelope-Id"], "QQ+314")
        self.assertEqual((recipient["Action"], recipient["Status"][0]), ("relayed", "2"))
        self.assertEqual(recipient["Original-Recipient"], "rfc822; old+ann@far.test")
        self.assertEqual(copy.get_content_type(), "text/rfc822-headers")

    def test_programs_ask_by_sendmail(self):
        server = self.server(EHLO=EHLO_DSN)
        i = self.routed(server).start()
        for options in (["-N", "success, delay", "-R", "hdrs", "-V", "QQ+2B314"], ["-Nnever", "-Rfull"], ["-N", "x", "-R", "x", "-V", "a=b"]):
            self.assertEqual(i.run("sendmail", "-fbob@mail.test", *options, "ann@far.test", input=HELLO).code, 0)
            i.wait_empty()
        mail, rcpt = ([c for s in server.sessions for c in s.commands if c.startswith(verb)] for verb in (b"MAIL", b"RCPT"))
        self.assertEqual(mail, [b"MAIL FROM:<bob@mail.test> RET=HDRS ENVID=QQ+2B314", b"MAIL FROM:<bob@mail.test> RET=FULL",
                                b"MAIL FROM:<bob@mail.test>"])
        self.assertEqual(rcpt, [b"RCPT TO:<ann@far.test> NOTIFY=SUCCESS,DELAY", b"RCPT TO:<ann@far.test> NOTIFY=NEVER", b"RCPT TO:<ann@far.test>"])

    def test_a_delivery_here_is_told(self):
        i = self.make(dsnfrom="192.0.2.0/24")
        ann = i.add_user("ann")
        i.start()
        self.send(i, "ann@mail.test", "SUCCESS,FAILURE")
        (report,) = self.bob.wait_messages(1)
        ann.wait_messages(1)
        i.wait_empty()
        _, (_, status, _) = parts(report)
        self.assertEqual(status.get_payload()[1]["Action"], "delivered")
        self.assertEqual(status.get_payload()[1]["Final-Recipient"], "rfc822; ann@mail.test")

    def test_who_never_wants_to_hear_of_a_failure_does_not(self):
        i = self.make(dsnfrom="192.0.2.0/24", recipientcheck="off").start()
        self.send(i, "nobody@mail.test", "NEVER")
        i.wait_log("failure: Sorry,_no_mailbox_here")
        i.wait_empty()
        self.assertEqual(self.bob.messages(), [])

    def test_of_a_failure_the_header_is_enough_where_that_is_asked_for(self):
        i = self.make(dsnfrom="192.0.2.0/24", recipientcheck="off", bounceformat="both").start()
        self.send(i, "nobody@mail.test", "FAILURE")
        (report,) = self.bob.wait_messages(1)
        _, (_, status, copy) = parts(report)
        self.assertEqual(status.get_payload()[0]["Original-Envelope-Id"], "QQ+314")
        self.assertEqual(status.get_payload()[1]["Original-Recipient"], "rfc822; old+nobody@mail.test")
        self.assertEqual(copy.get_content_type(), "text/rfc822-headers")

    def test_a_forward_asks_for_the_same_but_for_success(self):
        server = self.server(EHLO=EHLO_DSN)
        i = self.routed(server, dsnfrom="192.0.2.0/24")
        ann = i.add_user("ann")
        ann.write(".qmail", "&carl@far.test\n")
        i.start()
        self.send(i, "ann@mail.test", "SUCCESS,FAILURE")
        (report,) = self.bob.wait_messages(1)
        i.wait_empty()
        self.assertIn(b"RCPT TO:<carl@far.test> NOTIFY=FAILURE ORCPT=rfc822;old+2Bann@mail.test", server.sessions[0].commands)
        self.assertIn(b"MAIL FROM:<bob@mail.test> RET=HDRS ENVID=QQ+2B314", server.sessions[0].commands)
        _, (_, status, _) = parts(report)
        self.assertEqual(status.get_payload()[1]["Action"], "delivered")

    def test_a_filter_in_qmailqueue_loses_nothing(self):
        i = self.make(dsnfrom="192.0.2.0/24")
        ann = i.add_user("ann")
        i.rules(f':allow,RELAYCLIENT="",QMAILQUEUE="{relais.program("qmail-queue")}"\n')
        i.start()
        self.send(i, "ann@mail.test", "SUCCESS")
        (report,) = self.bob.wait_messages(1)
        ann.wait_messages(1)
        _, (_, status, _) = parts(report)
        self.assertEqual(status.get_payload()[0]["Original-Envelope-Id"], "QQ+314")


@unittest.skipUnless(relais.IS_ROOT, "a whole Postfix needs root")
class WithPostfix(DsnTest):
    def test_postfix_reports_what_it_delivers_for_us(self):
        i = self.make(dsnfrom="192.0.2.0/24")
        i.start()
        with peers.Postfix(deliver="post.test", relayhost=f"[127.0.0.1]:{i.port}") as postfix:
            i.control("smtproutes", f"post.test:127.0.0.1:{postfix.port}\n")
            self.send(i, "ann@post.test", "SUCCESS")
            (report,) = self.bob.wait_messages(1, 60)
        _, (_, status, *_) = parts(report)
        head, recipient = status.get_payload()
        self.assertEqual(head["Reporting-MTA"], "dns; mx.post.test")
        self.assertEqual(head["Original-Envelope-Id"], "QQ+314")
        self.assertEqual(recipient["Action"], "delivered")
        self.assertEqual(recipient["Original-Recipient"], "rfc822;old+ann@post.test")

    def test_we_report_what_we_deliver_for_postfix(self):
        i = self.make(dsnfrom="127.0.0.1\n")
        ann = i.add_user("ann")
        i.start()
        with peers.Postfix(deliver="post.test", relayhost=f"[127.0.0.1]:{i.port}") as postfix:
            i.control("smtproutes", f"post.test:127.0.0.1:{postfix.port}\n")  # before the report leaves
            with relais.Smtp(postfix.port) as smtp:
                smtp.command("EHLO client.test")
                smtp.command("MAIL FROM:<sender@post.test> RET=HDRS ENVID=QQ1")
                smtp.command("RCPT TO:<ann@mail.test> NOTIFY=SUCCESS ORCPT=rfc822;old@mail.test")
                smtp.command("DATA", 354)
                smtp.raw(HELLO.replace("\n", "\r\n") + ".\r\n")
                smtp.expect(250)
            ann.wait_messages(1, 60)
            (report,) = postfix.wait_messages(1)
        _, (_, status, _) = parts(report)
        head, recipient = status.get_payload()
        self.assertEqual(head["Original-Envelope-Id"], "QQ1")
        self.assertEqual(recipient["Action"], "delivered")
        self.assertEqual(recipient["Original-Recipient"], "rfc822; old@mail.test")


if __name__ == "__main__":
    relais.main()
