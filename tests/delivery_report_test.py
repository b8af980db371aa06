"""Reports on deliveries as their readers see them: Python's email, Sisimai, Mail::DeliveryStatus::BounceParser,
flufl.bounce, and what knows nothing but QSBMF."""

import email
import email.policy
import re
import subprocess
import unittest

from harness import relais
from harness.fake_smtp import FakeServer
from send_test import HELLO, SendTest

SISIMAI = """
use Sisimai; my $all = Sisimai->make($ARGV[0], delivered => 1) || [];
print join(" ", $_->recipient->address, $_->deliverystatus, $_->action, $_->reason), "\\n" for @$all;
"""
BOUNCE_PARSER = """
use Mail::DeliveryStatus::BounceParser; local $/; my $bounce = Mail::DeliveryStatus::BounceParser->new(<STDIN>);
print join(" ", $_->get("email"), $_->get("std_reason")), "\\n" for $bounce->reports;
"""
FLUFL = """
import email, sys
from flufl.bounce import all_failures
temporary, permanent = all_failures(email.message_from_binary_file(sys.stdin.buffer))
print(" ".join(sorted(a.decode() for a in permanent)), "|", " ".join(sorted(a.decode() for a in temporary)))
"""


def qsbmf_recipients(octets):
    """The addresses that the description of QSBMF finds: from the body's first line, paragraph by paragraph."""
    body = octets.partition(b"\n\n")[2]
    paragraphs = body.split(b"\n\n")
    if not paragraphs[0].startswith(b"Hi. This is the"):
        return []
    found = []
    for paragraph in paragraphs[1:]:
        if paragraph.startswith(b"-"):
            break
        match = re.match(rb"<(.*)>:\n", paragraph)
        if match:
            found.append(match[1].decode())
    return found


def installed(*command):
    return subprocess.run(command, capture_output=True).returncode == 0


class Reports(SendTest):
    def bounced(self, recipients=("ann@far.test", "nobody@mail.test"), message=HELLO, **control):
        server = self.server(RCPT=b"550 5.1.1 \x1b[31mno such user \xe2\x80\xae\xff here\r\n",
                             EHLO=b"250-fake.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
        i = self.routed(server, **control)
        i.start()
        i.send("bob@mail.test", list(recipients), message)
        (bounce,) = self.bob.wait_messages(1)
        i.wait_empty()
        self.i = i
        return bounce

    def parse(self, octets):
        message = email.message_from_bytes(octets, policy=email.policy.default)
        self.assertEqual(message.defects, [])
        self.assertEqual(message.get_content_type(), "multipart/report")
        return message, list(message.iter_parts())

    def test_an_instance_without_the_file_has_prose_alone(self):
        bounce = self.bounced()
        self.assertNotIn(b"MIME-Version", bounce.partition(b"\n\n")[0])
        self.assertIn(b"Subject: failure notice\n\nHi. This is the qmail-send program at mail.test.\n", bounce)
        self.assertIn(b"\x1b", bounce)
        self.assertEqual(sorted(qsbmf_recipients(bounce)), ["ann@far.test", "nobody@mail.test"])

    def test_pythons_email_finds_three_parts(self):
        for form in ("dsn", "both"):
            bounce = self.bounced(bounceformat=form)
            message, (text, status, copy) = self.parse(bounce)
            self.assertEqual(message["Auto-Submitted"], "auto-replied")
            self.assertRegex(message["Message-ID"], r"^<[^<>@\s]+@mail\.test>$")
            self.assertEqual(message["Subject"], "failure notice")
            self.assertTrue(text.get_content().startswith("Hi. This is the qmail-send program at mail.test.\n"))
            head, *recipients = status.get_payload()
            self.assertEqual(head["Reporting-MTA"], "dns; mail.test")
            found = {r["Final-Recipient"]: (r["Action"], r["Status"], r["Diagnostic-Code"]) for r in recipients}
            self.assertEqual(found["rfc822; ann@far.test"],
                             ("failed", "5.1.1", "smtp; 550 5.1.1 _[31mno such user ____ here"))
            self.assertEqual(found["rfc822; nobody@mail.test"],
                             ("failed", "5.1.1", "x-qmail; Sorry, no mailbox here by that name. (#5.1.1)"))
            (original,) = copy.get_payload()
            self.assertEqual(original["Subject"], "hello")
            self.assertEqual(original["Return-Path"], "<bob@mail.test>")
            self.assertNotIn(b"\x1b", bounce)
            self.assertNotIn(b"\xff", bounce)
            self.assertEqual(sorted(qsbmf_recipients(bounce)),
                             ["ann@far.test", "nobody@mail.test"] if form == "both" else [])

    def test_failures_that_were_recorded_keep_their_facts(self):
        server = self.server(RCPT=lambda session, line: b"451 later\r\n" if b"later" in line else b"550 5.7.1 no\r\n")
        i = self.routed(server, bounceformat="both")
        i.start()
        i.send("bob@mail.test", ["ann@far.test", "later@far.test"], HELLO)
        (bounce,) = self.bob.wait_messages(1)
        _, (_, status, _) = self.parse(bounce)
        (facts,) = status.get_payload()[1:]
        self.assertEqual(facts["Status"], "5.7.1")
        self.assertEqual(facts["Remote-MTA"], "dns; 127.0.0.1")

    def test_of_a_large_message_the_header_alone(self):
        bounce = self.bounced(("nobody@mail.test",), HELLO + "x" * 70 + "\n" + "line\n" * 1000, bounceformat="dsn",
                              bouncemaxbytes="2000")
        _, (_, _, copy) = self.parse(bounce)
        self.assertEqual(copy.get_content_type(), "text/rfc822-headers")
        self.assertIn("Subject: hello\n", copy.get_content())
        self.assertLess(len(bounce), 3500)

    @unittest.skipUnless(installed("perl", "-MSisimai", "-e1"), "needs libsisimai-perl")
    def test_sisimai(self):
        for form in ("dsn", "both"):
            path = self.bounced(bounceformat=form)
            file = self.i.home / "bounce.eml"
            file.write_bytes(path)
            file.chmod(0o644)
            out = subprocess.run(["perl", "-e", SISIMAI, file], capture_output=True, text=True)
            found = sorted(out.stdout.splitlines())
            self.assertEqual(found, ["ann@far.test 5.1.1 failed userunknown", "nobody@mail.test 5.1.1 failed userunknown"],
                             form + out.stderr)

    @unittest.skipUnless(installed("perl", "-MMail::DeliveryStatus::BounceParser", "-e1"),
                         "needs libmail-deliverystatus-bounceparser-perl")
    def test_bounce_parser(self):
        for form in ("dsn", "both"):
            out = subprocess.run(["perl", "-e", BOUNCE_PARSER], input=self.bounced(bounceformat=form), capture_output=True)
            self.assertEqual(sorted(out.stdout.decode().splitlines()),
                             ["ann@far.test user_unknown", "nobody@mail.test user_unknown"], form + out.stderr.decode())

    @unittest.skipUnless(installed("/usr/bin/python3", "-c", "import flufl.bounce"), "needs python3-flufl.bounce")
    def test_flufl_bounce(self):
        for form in ("qsbmf", "dsn", "both"):
            out = subprocess.run(["/usr/bin/python3", "-c", FLUFL], input=self.bounced(bounceformat=form), capture_output=True)
            self.assertEqual(out.stdout.decode().strip(), "ann@far.test nobody@mail.test |", form + out.stderr.decode())


class NewInstance(relais.Instance):
    """Tells of deliveries as qmail-setup has made it."""

    def control(self, name, content):
        if content is not None or name not in ("bounceformat", "delaywarning"):
            super().control(name, content)


class NewAndOld(relais.TestCase):
    def test_the_first_bounce_of_a_new_instance_has_three_parts(self):
        i = NewInstance()
        self.addCleanup(i.remove)
        self.assertEqual([(i.home / "control" / name).read_text() for name in ("bounceformat", "delaywarning")], ["both\n", "14400\n"])
        ann = i.add_user("ann")
        i.start()
        i.send("ann@mail.test", ["nobody@mail.test"], HELLO)
        (bounce,) = ann.wait_messages(1)
        message = email.message_from_bytes(bounce, policy=email.policy.default)
        self.assertEqual(message.get_content_type(), "multipart/report")
        self.assertEqual([part.get_content_type() for part in message.iter_parts()],
                         ["text/plain", "message/delivery-status", "message/rfc822"])
        self.assertEqual(qsbmf_recipients(bounce), ["nobody@mail.test"])

    def test_an_upgrade_changes_neither_bounces_nor_warnings(self):
        i = self.instance()
        for name in ("bounceformat", "delaywarning"):
            i.control(name, None)
        for option in ("--repair", "--check"):
            self.assertEqual(i.run("qmail-setup", option, i.home).code, 0)
        shown = i.run("qmail-showctl").out
        for name, default in (("bounceformat", "qsbmf"), ("delaywarning", "0")):
            self.assertFalse((i.home / "control" / name).exists())
            self.assertRegex(shown, rf"(?m)^{name}: {default} \(default\)$")


class Delays(SendTest):
    def test_a_login_is_warned_of_a_delay_and_a_stranger_is_not(self):
        server = self.server(MAIL=b"451 4.3.2 busy\r\n")
        i = self.routed(server, bounceformat="both", delaywarning="1")
        i.start()
        i.send("bob@mail.test", ["ann@far.test"], HELLO)
        i.wait_log("deferral: ")
        i.wait_for(lambda: self.retried(i), 60, "a warning")
        (warning,) = self.bob.wait_messages(1)
        message = email.message_from_bytes(warning, policy=email.policy.default)
        self.assertEqual(message["Subject"], "delayed, still trying")
        text, status, copy = message.iter_parts()
        self.assertEqual(qsbmf_recipients(warning), [])
        self.assertEqual(status.get_payload()[1]["Action"], "delayed")
        self.assertEqual(status.get_payload()[1]["Status"], "4.3.2")
        self.assertIn("Will-Retry-Until", status.get_payload()[1])
        self.assertEqual(copy.get_content_type(), "text/rfc822-headers")
        for _ in range(3):
            self.retried(i)
        self.assertEqual(len(self.bob.messages()), 1)

    def retried(self, i):
        """Asks for a try of everything and waits for its end; True if the sender has been warned."""
        seen = len([line for line in i.log() if "deferral: " in line])
        self.ask(i, "flush")
        i.wait_for(lambda: len([line for line in i.log() if "deferral: " in line]) > seen, 60, "another try")
        return any("warning of a delay" in line for line in i.log())


if __name__ == "__main__":
    relais.main()
