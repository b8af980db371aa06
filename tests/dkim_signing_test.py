"""What leaves is signed (DKIM) in whose name the submitter may speak, and what a server receives can be verified, by
us and by python3-dkim."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import textwrap
import unittest

from harness import logins
from harness import pop3
from harness import relais
from harness.fake_smtp import FakeServer

PYTHON = "/usr/bin/python3"
VERIFY = textwrap.dedent("""
    import dkim, sys
    message = sys.stdin.buffer.read()
    records = {}
    for line in open(sys.argv[1]):
        name, text = line.rstrip("\\n").split(" ", 1)
        records[name.rstrip(".")] = text.encode()
    one = dkim.DKIM(message, minkey=1024)
    count = message.lower().count(b"dkim-signature:")
    print(all(one.verify(idx=i, dnsfunc=lambda n, **_: records.get(n.decode().rstrip("."), b"")) for i in range(count)), count)
""")
BODY = "Subject: hello\r\nTo: bob@far.test\r\nDate: Mon, 30 Nov 2026 03:00:00 +0000\r\n\r\nhello\r\n"


def has_python_dkim():
    return shutil.which(PYTHON) and subprocess.run([PYTHON, "-c", "import dkim"], capture_output=True).returncode == 0


class Signing(relais.TestCase):
    def started(self, rules=':allow,RELAYCLIENT="",FROMDOMAINS="mail.test"\n', keys=("mail.test",), kind="rsa", **control):
        self.server = FakeServer()
        self.addCleanup(self.server.stop)
        i = self.instance(control={"smtproutes": f":127.0.0.1:{self.server.port}", "bouncehost": "mail.test", **control})
        i.add_user("bob")
        i.rules(rules)
        self.records = ""
        self.zone = ""
        for domain in keys:
            self.make_keys(i, domain, kind)
        return i.start()

    def make_keys(self, i, domain, kind="rsa"):
        made = i.run("dkim-key", "make", domain, "--type", kind)
        self.assertEqual(made.code, 0, made)
        used = i.run("dkim-key", "use", domain, "--unchecked")
        self.assertEqual(used.code, 0, used)
        out = made.out
        for name, value in re.findall(r"^(\S+\._domainkey\.\S+)\n(v=DKIM1.*)$", out, re.M):
            self.records += f"{name} {value}\n"
        self.zone += "".join(line + "\n" for line in out.splitlines() if " IN TXT " in line)

    def send(self, i, header_from, recipients=("bob@far.test",), sender="anna@mail.test", body=BODY):
        i.send(sender, list(recipients), f"From: {header_from}\r\n{body}")

    def received(self, count=1):
        relais.wait_until(lambda: len(self.server.messages) >= count, 60 * relais.PATIENCE)
        self.assertEqual(len(self.server.messages), count)
        return [re.sub(rb"(?m)^\.", b"", message) for message in self.server.messages]

    def signatures(self, message):
        """d= of each, when all are right."""
        with tempfile.TemporaryDirectory(prefix="rl-dkim.", dir="/tmp") as folder:
            zone = pathlib.Path(folder) / "zone"
            zone.write_text(self.zone)
            said = subprocess.run([relais.program("mail-verify"), "-", "--dns", zone], input=message, capture_output=True).stdout
            found = re.findall(rb"^dkim: (\w+) d=(\S+)", said, re.M)
            self.assertEqual({result for result, _ in found} - {b"pass"}, set(), said)
            if has_python_dkim():
                records = pathlib.Path(folder) / "records"
                records.write_text(self.records)
                done = subprocess.run([PYTHON, "-c", VERIFY, records], input=message, capture_output=True)
                self.assertEqual(done.stdout.split(), [b"True", b"%d" % len(found)] if found else done.stdout.split(), done)
        return [domain.decode() for _, domain in found]

    def test_from_is_signed_for_whom_the_rule_names(self):
        i = self.started()
        self.send(i, "Anna <anna@mail.test>")
        (message,) = self.received()
        self.assertTrue(message.startswith(b"DKIM-Signature: v=1;"), message[:200])
        self.assertEqual(self.signatures(message), ["mail.test"])
        i.wait_log("Signed_by:_mail.test")

    def test_anothers_from_gets_no_signature_of_its_domain(self):
        i = self.started(keys=("mail.test", "other.test"))
        self.send(i, "boss@other.test")
        self.assertEqual(self.signatures(self.received()[0]), ["mail.test"])

    def test_who_may_use_no_name_sends_unsigned(self):
        i = self.started(rules=':allow,RELAYCLIENT=""\n')
        self.send(i, "anna@mail.test")
        (message,) = self.received()
        self.assertNotIn(b"DKIM-Signature", message)

    def test_a_login_signs_as_its_domain(self):
        i = self.started(rules=":allow\n")
        i.add_user("anna")
        pop3.set_password(i, "anna", "secret")
        with relais.Smtp(i.port) as client:
            client.command("EHLO client.test")
            client.command("AUTH PLAIN " + logins.plain("anna", "secret"), 235)
            client.deliver("anna@mail.test", ["bob@far.test"], "From: anna@mail.test\r\n" + BODY)
        self.assertEqual(self.signatures(self.received()[0]), ["mail.test"])

    def test_both_kinds_of_key_sign(self):
        i = self.started(kind="both")
        self.send(i, "anna@mail.test")
        (message,) = self.received()
        self.assertEqual(self.signatures(message), ["mail.test", "mail.test"])
        self.assertEqual(set(re.findall(rb"a=(\S+);", message)), {b"rsa-sha256", b"ed25519-sha256"})

    def test_what_arrives_is_what_was_signed(self):
        i = self.started()
        bodies = ["\r\n.\r\n..dots\r\n.\r\n\r\n\r\n", "caf\xe9 \t trailing \t\r\n", "x" * 900 + "\r\n", "\r\n",
                  "no end" + "\r\n" * 20, "big " * 100_000 + "\r\n"]
        for body in bodies:
            self.send(i, "anna@mail.test", body=f"Subject: a  \t b\r\n\tfolded\r\n\r\n{body}")
        messages = self.received(len(bodies))
        for message in messages:
            self.assertEqual(self.signatures(message), ["mail.test"])
        # What a program hands over has line ends of its own.
        text = b"From: anna@mail.test\nSubject: odd\n\n.dot\nbare\rcr\nlast line without an end"
        done = i.run("qmail-inject", "-A", "-fanna@mail.test", "bob@far.test", input=text)
        self.assertEqual(done.code, 0, done)

    def test_all_deliveries_of_a_message_have_one_signature(self):
        i = self.started()
        self.send(i, "anna@mail.test", recipients=["bob@far.test", "bob@further.test"])
        one, two = self.received(2)
        self.assertEqual(one, two)

    def test_our_bounces_are_signed_by_their_host(self):
        i = self.started()
        self.send(i, "anna@far.test", recipients=["nobody@mail.test"], sender="anna@far.test")
        (bounce,) = self.received()
        self.assertIn(b"failure notice", bounce)
        self.assertEqual(self.signatures(bounce), ["mail.test"])

    def test_mail_waits_while_nobody_can_sign(self):
        i = self.started()
        stopped = i.processes("qmail-keyd")
        for process in stopped:
            os.kill(process.pid, signal.SIGSTOP)
        try:
            self.send(i, "anna@mail.test")
            i.wait_log("deferral: Sorry,_this_message_could_not_be_signed:_")
        finally:
            for process in stopped:
                os.kill(process.pid, signal.SIGCONT)
        i.kill("qmail-send", signal.SIGALRM)
        self.assertEqual(self.signatures(self.received()[0]), ["mail.test"])

    def test_a_key_counts_from_when_it_is_made_until_it_is_gone(self):
        i = self.started(keys=())
        self.send(i, "anna@mail.test")
        self.assertNotIn(b"DKIM-Signature", self.received()[0])
        self.make_keys(i, "mail.test")
        i.kill("qmail-send", signal.SIGHUP)

        def is_signed():
            before = len(self.server.messages)
            self.send(i, "anna@mail.test")
            return b"DKIM-Signature" in self.received(before + 1)[-1]
        i.wait_for(is_signed)
        shutil.rmtree(i.home / "control/dkim/mail.test")
        i.wait_for(lambda: not is_signed())

    def test_programs_of_this_host(self):
        i = self.started()
        done = i.run("qmail-inject", "-fanna@mail.test", "bob@far.test", input=b"From: anna@mail.test\n\nx\n")
        self.assertEqual(done.code, 0, done)
        (message,) = self.received()
        by_root = not i.single and os.geteuid() == 0
        self.assertEqual(self.signatures(message), ["mail.test"] if by_root else [])
        uid = 0 if by_root else (i.ids("qmailq")[0] if i.single else os.geteuid())
        i.control("dkimusers", f"{uid}: mail.test\n")
        i.kill("qmail-send", signal.SIGHUP)

        def is_signed():
            before = len(self.server.messages)
            i.run("qmail-inject", "-fanna@mail.test", "bob@far.test", input=b"From: anna@mail.test\n\nx\n")
            return self.signatures(self.received(before + 1)[-1]) == ["mail.test"]
        i.wait_for(is_signed)


if __name__ == "__main__":
    relais.main()
