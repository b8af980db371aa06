"""Addresses and headers in UTF-8 (SMTPUTF8, RFC 6531 to 6533, 6856): taken, delivered, passed on, bounced; with a real Postfix
on both sides."""

import email
import email.policy
import unittest

from harness import peers
from harness import pop3
from harness import relais
from send_test import SendTest

NAME = "jörg@bücher.test"
ALIEN = "xn--bcher-kva.test"
TEXT = "Subject: grüße\n\nhallo\n"
PLAIN = "Subject: hello\n\nhello\n"
OFFER = b"250-fake.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-DSN\r\n250 SMTPUTF8\r\n"
DSN_ONLY = b"250-fake.test\r\n250-8BITMIME\r\n250 DSN\r\n"


class Utf8Test(SendTest):
    def make(self, **control):
        return super().make(**{"smtputf8": "1", "bounceformat": "both", **control})

    def send(self, i, sender, recipients, text=TEXT, parameters="SMTPUTF8", rcpt=""):
        with i.smtp() as smtp:
            smtp.command(f"MAIL FROM:<{sender}> {parameters}")
            for recipient in recipients:
                smtp.command(f"RCPT TO:<{recipient}>{rcpt}")
            smtp.command("DATA", 354)
            smtp.raw(text.replace("\n", "\r\n") + ".\r\n")
            smtp.expect(250)

    def delivered(self, i, user, recipient, text=TEXT):
        before = len(user.messages())
        self.send(i, "ann@far.test", [recipient], text)
        return user.wait_messages(before + 1)[-1]


class Taken(Utf8Test):
    def test_without_the_file_nothing_has_changed(self):
        i = self.make(smtputf8=None).start()
        with i.smtp() as smtp:
            self.assertNotIn("250-SMTPUTF8", smtp.command("EHLO client.test").lines)
            smtp.command("MAIL FROM:<a@b.test> SMTPUTF8", 555)
            smtp.command(f"MAIL FROM:<{NAME}>")
            smtp.command("RCPT TO:<bob-jörg@mail.test>")
            smtp.raw(b"RCPT TO:<bob-j\xf6rg@mail.test>\r\n")
            smtp.expect(250)

    def test_an_address_in_utf8_needs_the_word_and_must_be_utf8(self):
        i = self.make().start()
        with i.smtp() as smtp:
            self.assertIn("250-SMTPUTF8", smtp.command("EHLO client.test").lines)
            self.assertIn("#5.6.7", smtp.command(f"MAIL FROM:<{NAME}>", 553).text)
            smtp.command("MAIL FROM:<a@b.test>")
            self.assertIn("#5.6.7", smtp.command("RCPT TO:<bob-jörg@mail.test>", 553).text)
            smtp.command("RCPT TO:<bob@mail.test>")
            smtp.command("RSET")
            smtp.command("MAIL FROM:<a@b.test> SMTPUTF8=1", 501)
            smtp.command("MAIL FROM:<a@b.test> SMTPUTF8 SMTPUTF8", 501)
            for odd in (b"j\xf6rg@b.test", b"j\xc2\x85@b.test", b"j\xe2\x80\xae@b.test", b"a@b\xff.test", b"a@" + b"\xc3\xbc" * 70 + b".test"):
                smtp.raw(b"MAIL FROM:<" + odd + b"> SMTPUTF8\r\n")
                self.assertIn("#5.1.7", smtp.expect(553).text)
                smtp.command("MAIL FROM:<a@b.test> SMTPUTF8")
                smtp.raw(b"RCPT TO:<" + odd + b">\r\n")
                self.assertIn("#5.1.3", smtp.expect(553).text)
                smtp.command("RSET")
            smtp.command("HELO client.test")
            smtp.command("MAIL FROM:<a@b.test> SMTPUTF8", 555)

    def test_orcpt_in_utf8_needs_the_word_too(self):
        i = self.make(dsnfrom="192.0.2.0/24").start()
        with i.smtp() as smtp:
            smtp.command("MAIL FROM:<a@b.test>")
            smtp.command("RCPT TO:<bob@mail.test> ORCPT=utf-8;jörg@b.test", 501)
            smtp.command("RCPT TO:<bob@mail.test> ORCPT=utf-8;j\\x{F6}rg@b.test")
            smtp.command("RCPT TO:<bob@mail.test> ORCPT=utf-8;j\\x{f6}rg@b.test", 501)
            smtp.command("RSET")
            smtp.command("MAIL FROM:<a@b.test> SMTPUTF8")
            smtp.command("RCPT TO:<bob@mail.test> ORCPT=utf-8;jörg@b.test")
            smtp.command("RCPT TO:<bob@mail.test> ORCPT=rfc822;jörg@b.test", 501)


class Delivered(Utf8Test):
    def test_into_the_mailbox_of_an_extension(self):
        i = self.make().start()
        self.bob.make_maildir("Own")
        self.bob.write(".qmail-jörg", "./Own/\n")
        self.send(i, NAME, ["bob-jörg@mail.test"])
        (message,) = self.bob.wait_messages(name="Own")
        self.assertRegex(message, rb"(?s)^Return-Path: <j\xc3\xb6rg@b\xc3\xbccher\.test>\nDelivered-To: bob-j\xc3\xb6rg@mail\.test\n")
        self.assertIn(b" with UTF8SMTP; ", message)
        self.assertTrue(message.endswith(b"\n" + TEXT.encode()), message)
        # A log line has printable ASCII alone.
        i.wait_log("to local bob-j__rg@mail.test")

    def test_a_domain_of_ours_in_both_spellings(self):
        for ours in ("bücher.test", ALIEN):
            i = self.make(locals=f"mail.test\n{ours}\n", rcpthosts=f"mail.test\n{ours}\n")
            i.rules(":allow\n")
            i.start()
            for spelling in ("bücher.test", ALIEN, "BÜCHER.TEST"):
                self.delivered(i, self.bob, f"bob@{spelling}")
            i.stop()

    def test_a_virtual_domain_in_both_spellings(self):
        i = self.make(virtualdomains="bücher.test:bob-books\n.xn--bcher-kva.test:bob-below\n")
        i.control("morercpthosts", "bücher.test\n.bücher.test\n")
        self.assertEqual(i.run("qmail-newmrh").code, 0)
        i.rules(":allow\n")
        self.bob.write(".qmail-books-default", "./Maildir/\n")
        self.bob.write(".qmail-below-default", "./Maildir/\n")
        i.start()
        for spelling in ("bücher.test", ALIEN):
            self.assertIn(f"\nDelivered-To: bob-books-jörg@{spelling}\n".encode(), self.delivered(i, self.bob, f"jörg@{spelling}"))
            self.assertIn(f"\nDelivered-To: bob-below-ann@www.{spelling}\n".encode(), self.delivered(i, self.bob, f"ann@www.{spelling}"))

    def test_a_forward_says_it_too(self):
        server = self.server(EHLO=OFFER)
        i = self.routed(server).start()
        self.bob.write(".qmail", f"&{NAME}\n")
        self.send(i, "ann@far.test", ["bob@mail.test"])
        i.wait_empty()
        (session,) = server.sessions
        self.assertIn(f"RCPT TO:<{NAME}>".encode(), session.commands)
        self.assertTrue(any(line.startswith(b"MAIL ") and b" SMTPUTF8" in line for line in session.commands), session.commands)

    def test_a_header_in_utf8_stays_so_where_it_is_forwarded(self):
        server = self.server()
        i = self.routed(server).start()
        ann = i.add_user("ann")
        ann.write(".qmail", "&carl@far.test\n")
        self.send(i, "bob@mail.test", ["ann@mail.test"])
        (bounce,) = self.bob.wait_messages(1)
        self.assertIn(b"does not offer SMTPUTF8. (#5.6.7)", bounce)


class PassedOn(Utf8Test):
    def test_to_a_server_that_knows_it(self):
        server = self.server(EHLO=OFFER)
        i = self.routed(server, dsnfrom="192.0.2.0/24").start()
        self.send(i, "bob@mail.test", [NAME], rcpt=" ORCPT=utf-8;jörg@old.test")
        i.wait_empty()
        self.send(i, "bob@mail.test", ["ann@far.test"])
        i.wait_empty()
        self.send(i, "bob@mail.test", ["ann@far.test"], PLAIN)
        i.wait_empty()
        said = [command for session in server.sessions for command in session.commands]
        self.assertEqual([command for command in said if command.startswith(b"MAIL")],
                         2 * [b"MAIL FROM:<bob@mail.test> BODY=8BITMIME SMTPUTF8"] + [b"MAIL FROM:<bob@mail.test>"])
        self.assertIn(f"RCPT TO:<{NAME}> ORCPT=utf-8;j\\x{{F6}}rg@old.test".encode(), said)
        self.assertEqual([message.endswith(b"hallo\r\n") for message in server.messages], [True, True, False])

    def test_a_domain_alone_is_said_in_ascii(self):
        server = self.server(EHLO=DSN_ONLY)
        i = self.routed(server, dsnfrom="192.0.2.0/24").start()
        self.send(i, "bob@mail.test", ["ann@bücher.test"], PLAIN, rcpt=" ORCPT=utf-8;jörg@old.test")
        i.wait_empty()
        (session,) = server.sessions
        self.assertIn(b"MAIL FROM:<bob@mail.test>", session.commands)
        self.assertIn(b"RCPT TO:<ann@xn--bcher-kva.test> ORCPT=utf-8;j\\x{F6}rg@old.test", session.commands)

    def test_a_route_in_both_spellings(self):
        server = self.server(EHLO=OFFER)
        i = self.make(smtproutes=f"bücher.test:127.0.0.1:{server.port}\nxn--mnchen-3ya.test:127.0.0.1:{server.port}\n").start()
        for domain in ("bücher.test", ALIEN, "münchen.test", "xn--mnchen-3ya.test"):
            self.send(i, "bob@mail.test", [f"ann@{domain}"], PLAIN)
        i.wait_empty()
        self.assertEqual(len(server.messages), 4)

    def test_what_cannot_be_said_bounces_with_a_report_of_rfc_6533(self):
        server = self.server()
        i = self.routed(server, dsnfrom="192.0.2.0/24").start()
        self.send(i, "bob@mail.test", [NAME], rcpt=" ORCPT=UTF-8;j\\x{F6}rg@old.test")
        (bounce,) = self.bob.wait_messages(1)
        i.wait_empty()
        message = email.message_from_bytes(bounce, policy=email.policy.default)
        self.assertEqual(message.get_content_type(), "multipart/report")
        self.assertEqual(message.get_param("report-type"), "global-delivery-status")
        _, status, copy = message.iter_parts()
        self.assertEqual(status.get_content_type(), "message/global-delivery-status")
        # What is no delivery-status of RFC 3464 Python takes for a message: the fields of the report, then those of the recipient.
        self.assertEqual(status.get_payload(0)["Reporting-MTA"], "dns; mail.test")
        text = bounce.decode()
        self.assertIn(f"\nFinal-Recipient: utf-8; {NAME}\n", text)
        self.assertIn("\nOriginal-Recipient: UTF-8; jörg@old.test\n", text)
        self.assertIn("\nStatus: 5.6.7\n", text)
        self.assertEqual(copy.get_content_type(), "message/global")
        self.assertEqual([session.commands for session in server.sessions if b"DATA" in session.commands], [])

    def test_a_header_that_the_next_server_does_not_know_bounces(self):
        server = self.server()
        i = self.routed(server).start()
        self.send(i, "bob@mail.test", ["ann@far.test"])
        (bounce,) = self.bob.wait_messages(1)
        self.assertIn(b"the header of the message has letters beyond US-ASCII, and it does not offer SMTPUTF8. (#5.6.7)", bounce)
        # Who did not say the word is no worse off than ever.
        self.send(i, "bob@mail.test", ["ann@far.test"], parameters="")
        i.wait_empty()
        self.assertEqual(len(server.messages), 1)

    def test_a_bounce_to_a_sender_in_utf8(self):
        server = self.server(EHLO=OFFER, RCPT=b"550 no\r\n")
        back = self.server(EHLO=OFFER)
        i = self.make(smtproutes=f"far.test:127.0.0.1:{server.port}\nbücher.test:127.0.0.1:{back.port}\n").start()
        self.send(i, NAME, ["ann@far.test"])
        i.wait_empty()
        (session,) = back.sessions
        self.assertIn(b"MAIL FROM:<> BODY=8BITMIME SMTPUTF8", session.commands)
        self.assertIn(f"RCPT TO:<{NAME}>".encode(), session.commands)
        (bounce,) = back.messages
        self.assertIn(f"\r\nTo: {NAME}\r\n".encode(), bounce)


class Injected(Utf8Test):
    def test_qmail_inject_and_sendmail(self):
        server = self.server(EHLO=OFFER)
        i = self.routed(server).start()
        text = f"From: Jörg <jörg@mail.test>\nTo: Jörg <{NAME}>\nSubject: x\n\nx\n"
        self.assertEqual(i.run("qmail-inject", "-f", "jörg@mail.test", input=text).code, 0)
        self.assertEqual(i.run("sendmail", "-t", "-f", "jörg@mail.test", input=text).code, 0)
        self.assertEqual(i.run("sendmail", "-f", "jörg@mail.test", NAME, input=text).code, 0)
        i.wait_empty()
        commands = [session.commands for session in server.sessions]
        self.assertEqual(len(server.messages), 3, commands)
        for each in commands:
            self.assertIn("MAIL FROM:<jörg@mail.test> BODY=8BITMIME SMTPUTF8".encode(), each)
            self.assertIn(f"RCPT TO:<{NAME}>".encode(), each)


class Fetched(Utf8Test):
    def test_pop3_says_so(self):
        for content, offered in ((None, False), ("1", True)):
            i = self.make(smtputf8=content).start(smtpd=None)
            pop3.set_password(i, "bob", "a password")
            pop3.make_message(self.bob, "1.M1.host", TEXT, 1000)
            port = pop3.start_server(i)
            with pop3.Client(port) as client:
                client.command("CAPA")
                self.assertEqual("UTF8" in client.lines(), offered)
                self.assertEqual(client.command("UTF8").startswith("+OK"), offered)
                client.command("USER bob")
                self.assertTrue(client.command("PASS a password").startswith("+OK"))
                client.command("CAPA")
                self.assertEqual("UTF8" in client.lines(), offered)
                self.assertTrue(client.command("UTF8").startswith("-ERR"))
            i.stop()


@unittest.skipUnless(relais.IS_ROOT, "a whole Postfix needs root")
class WithPostfix(Utf8Test):
    def test_postfix_gets_what_we_send_and_sends_what_we_get(self):
        i = self.make(rcpthosts="mail.test\n").start()
        self.bob.write(".qmail-jörg", "./Maildir/\n")
        settings = ("smtputf8_enable = yes", "virtual_mailbox_domains = post.test bücher.test")
        with peers.Postfix(deliver="post.test", relayhost=f"[127.0.0.1]:{i.port}", settings=settings) as postfix:
            i.control("smtproutes", f":127.0.0.1:{postfix.port}\n")
            self.send(i, "bob-jörg@mail.test", [NAME])
            (message,) = postfix.wait_messages(1)
            self.assertTrue(message.endswith(b"\nhallo\n"), message)
            self.assertIn("\nSubject: grüße\n".encode(), message)
            self.assertIn(b" with UTF8SMTP ", message)
            with relais.Smtp(postfix.port) as smtp:
                smtp.command("EHLO client.test")
                smtp.command(f"MAIL FROM:<{NAME}> SMTPUTF8")
                smtp.command("RCPT TO:<bob-jörg@mail.test>")
                smtp.command("DATA", 354)
                smtp.raw(TEXT.replace("\n", "\r\n") + ".\r\n")
                smtp.expect(250)
            (message,) = self.bob.wait_messages(1, 60)
            self.assertIn(b" with UTF8SMTP; ", message)
            self.assertIn("\nSubject: grüße\n".encode(), message)
            self.assertTrue(message.startswith(f"Return-Path: <{NAME}>\n".encode()), message)


if __name__ == "__main__":
    relais.main()
