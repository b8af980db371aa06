"""dmarc-report send: what we saw of mail in the name of domains that ask for reports, once a day."""

import base64
import contextlib
import fcntl
import gzip
import re
import signal
import sqlite3
import subprocess
import time

from harness import dns
from harness import relais
from harness.sink import Sink

DAY = 86_400_000_000
MANY = [f"d{n}.many.example" for n in range(8)]
HOSTILE = ",".join(["ftp://x.example/", "javascript:x", "mailto:a%0d%0aBcc:x@victim.example", "mailto:a,b", "mailto:x@unwilling.example"]
                   + [f"mailto:a@{n}.victim.example" for n in range(1000)])


def text_record(text):
    return " ".join(f'"{text[at:at + 250]}"' for at in range(0, len(text), 250))


ZONES = {
    # Where the walk up from each of them ends.
    "example": "@ A 127.0.0.1\n",
    "good.example": '''
@ A 127.0.0.1
@ TXT "v=spf1 ip4:127.0.0.2 -all"
_dmarc TXT "v=DMARC1; p=reject; sp=none; rua=mailto:dmarc@good.example,mailto:for-good@taker.example!20k,mailto:x@unwilling.example,mailto:tiny@good.example!1"
sub A 127.0.0.1
''',
    "quiet.example": '@ A 127.0.0.1\n_dmarc TXT "v=DMARC1; p=none"\n',
    "taker.example": 'good.example._report._dmarc TXT "v=DMARC1"\n',
    "unwilling.example": "@ A 127.0.0.1\n",
    "victim.example": "@ A 127.0.0.1\n",
    "hostile.example": f"@ A 127.0.0.1\n_dmarc TXT {text_record('v=DMARC1; p=none; rua=' + HOSTILE)}\n",
    "many.example": "".join(f'd{n} A 127.0.0.1\n_dmarc.d{n} TXT "v=DMARC1; p=none; rua=mailto:r@d{n}.many.example"\n' for n in range(8)),
}


class Send(relais.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.zones = dns.Nsd(ZONES)
        cls.addClassCleanup(cls.zones.stop)

    def started(self, **control):
        # What a test delivers is of one day.
        if (left := 86400 - time.time() % 86400) < 20:
            time.sleep(left + 1)
        self.sink = Sink().__enter__()
        self.addCleanup(self.sink.__exit__)
        self.i = i = self.instance(control={
            "dnsservers": self.zones.server, "mailauth": "on", "dmarc": "refuse", "keeptrace": "14 1G", "rcpthosts": "mail.test",
            "dmarcreports": "dmarc@mail.test Mail & Test", "smtproutes": f":127.0.0.1:{self.sink.port}", **control})
        self.bob = i.add_user("bob")
        i.add_user("dmarc")
        self.state = i.home / "users/dmarcreports"
        for step in (("make", "mail.test", "--type", "ed25519"), ("use", "mail.test", "--unchecked")):
            self.assertEqual(i.run("dkim-key", *step).code, 0)
        return i.start()

    @contextlib.contextmanager
    def locked(self):
        """As each run has it: while one is at it, another does nothing."""
        with open(self.i.home / "users/dmarcreports.lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def deliver(self, author, source="127.0.0.2", code=250, to="bob@mail.test"):
        domain = author.rpartition("@")[2]
        with relais.Smtp(self.i.port, source=source) as client:
            client.command("EHLO x.example")
            client.command(f"MAIL FROM:<bounces@{domain}>")
            client.command(f"RCPT TO:<{to}>")
            client.command("DATA", 354)
            client.raw(f"From: {author}\r\nSubject: x\r\n\r\nx\r\n.\r\n".encode())
            self.assertEqual(client.reply().code, code)

    def databases(self):
        """Those that have their table already."""
        for path in (self.i.home / "trace").glob("?-*.db"):
            with contextlib.closing(sqlite3.connect(path, timeout=30)) as database, database:
                if database.execute("SELECT 1 FROM sqlite_master WHERE name = 'event'").fetchall():
                    yield database

    def kept(self):
        return [row for database in self.databases()
                for row in database.execute("SELECT msg, data FROM event WHERE kind = 'dmarc'").fetchall()]

    def let_a_day_pass(self, observed):
        """What has come until now came on a day that has ended, and the console's half has not asked since."""
        self.i.wait_for(self.state.exists, 60, "the first look, which the console's half asks for")
        self.i.wait_for(lambda: len(self.kept()) >= observed, 60, f"{observed} events of DMARC")
        self.assertEqual(len(self.kept()), observed)
        with self.locked():
            for database in self.databases():
                database.execute(f"UPDATE event SET msg = msg - 2 * {DAY}, time = time - 2 * {DAY}")
            self.state.unlink()

    def retry_now(self):
        with self.locked():
            self.state.write_text(re.sub(r"(?m)^trying .*\n", "", self.state.read_text()))

    def test_a_day_of_a_domain(self):
        i = self.started()
        for _ in range(3):
            self.deliver("anna@good.example")
        self.deliver("forged@good.example", source="127.0.0.3", code=550)
        self.deliver("anna@sub.good.example", source="127.0.0.3")
        self.deliver("anna@quiet.example")
        # What answers our reports is in none.
        self.deliver("mailer-daemon@good.example", to="DMARC@mail.test")
        self.let_a_day_pass(5)
        said = i.run("dmarc-report", "send", "--print")
        self.assertEqual(said.code, 0, said)
        self.assertRegex(said.out, r"^\d{4}-\d\d-\d\d good\.example: to dmarc@good\.example, for-good@taker\.example\n$")
        self.assertFalse(self.state.exists())
        said = i.run("dmarc-report", "send")
        self.assertEqual((said.code, said.out), (0, ""), said)
        self.assertTrue(relais.wait_until(lambda: len(self.sink.messages) == 2), i.picture())
        sender, _, data, _ = self.sink.messages[0]
        self.assertEqual(sender, "dmarc@mail.test")
        if relais.IS_ROOT and not i.single:
            self.assertRegex(data, rb"(?s)DKIM-Signature: [^:]*d=mail\.test;")
        text = data.decode().replace("\r\n", "\n")
        self.assertRegex(text, r"Subject: Report Domain: good\.example\n Submitter: mail\.test\n Report-ID: <\d+\.good\.example\.mail\.test>\n")
        self.assertRegex(text, r'filename="mail\.test!good\.example!\d+!\d+\.xml\.gz"')
        xml = gzip.decompress(base64.b64decode(re.search(r"\n\n(H4[^-]*)\n--", text)[1])).decode()
        self.assertIn("<org_name>Mail &amp; Test</org_name>\n    <email>dmarc@mail.test</email>", xml)
        self.assertIn("<p>reject</p>\n    <sp>none</sp>", xml)
        rows = dict(zip(re.findall("<source_ip>(.*)</source_ip>\n      <count>", xml), re.findall("<count>(.*)</count>", xml)))
        self.assertEqual(rows["127.0.0.2"], "3")
        self.assertRegex(xml, "<disposition>reject</disposition>\n        <dkim>fail</dkim>\n        <spf>fail</spf>\n      </policy_evaluated>")
        self.assertRegex(xml, "<disposition>pass</disposition>\n        <dkim>fail</dkim>\n        <spf>pass</spf>")
        self.assertNotIn("anna", xml)
        # We read it as we read theirs; and what has been sent is not sent again, not after a restart either.
        path = i.home / "report"
        path.write_bytes(data)
        self.assertIn("5 messages, 3 pass", i.run("dmarc-report", path).out)
        i.stop()
        i.start()
        said = i.run("dmarc-report", "send")
        self.assertEqual((said.code, said.out, said.err), (0, "", ""))
        i.wait_empty()
        self.assertEqual(len(self.sink.messages), 2)
        self.assertEqual(self.state.stat().st_mode & 0o777, 0o600)

    def reports(self):
        found = {}
        for _, _, data, _ in self.sink.messages:
            domain = re.search(rb"Report Domain: (\S+)", data)[1].decode()
            found.setdefault(domain, []).append(re.search(rb"Message-ID: (\S+)", data)[1])
        return found

    def begun(self):
        return subprocess.Popen([relais.program("dmarc-report"), "send"], env=self.i.environment, stderr=subprocess.PIPE,
                                **(self.i._identity(self.i.ids("qmailq")) if self.i.single and relais.IS_ROOT else {}))

    def test_ended_and_killed_at_any_moment(self):
        i = self.started()
        for domain in MANY:
            self.deliver(f"a@{domain}")
        self.let_a_day_pass(len(MANY))
        # Ended after the first one, as a restart does: each goes once.
        run = self.begun()
        self.assertIn(b"sent to", run.stderr.readline())
        run.send_signal(signal.SIGTERM)
        run.stderr.close()
        run.wait(60)
        self.assertEqual(i.run("dmarc-report", "send").err, "", "within the hour it is not tried again")
        self.retry_now()
        self.assertEqual(i.run("dmarc-report", "send").code, 0)
        i.wait_empty()
        self.assertEqual({domain: len(ids) for domain, ids in self.reports().items()}, dict.fromkeys(MANY, 1))
        # Killed: what was on its way goes again under the same name, and nothing else does.
        self.sink.messages.clear()
        self.state.unlink()
        kills = 0
        for pause in (0.02, 0.1, 0.2, 0.3):
            run = self.begun()
            time.sleep(pause)
            run.kill()
            kills += run.wait(60) == -signal.SIGKILL
            run.stderr.close()
            if self.state.exists():
                self.retry_now()
        self.assertEqual(i.run("dmarc-report", "send").code, 0)
        i.wait_empty()
        found = self.reports()
        self.assertEqual(set(found), set(MANY))
        self.assertLessEqual(sum(map(len, found.values())), len(MANY) + kills)
        for ids in found.values():
            self.assertEqual(len(set(ids)), 1)

    def test_hostile_records(self):
        i = self.started()
        self.deliver("a@hostile.example")
        self.deliver("a@d1.many.example")
        self.let_a_day_pass(2)
        said = i.run("dmarc-report", "send")
        self.assertEqual(said.code, 0, said)
        i.wait_empty()
        self.assertEqual(set(self.reports()), {"d1.many.example"})
        self.assertNotIn("hostile.example", said.err)

    def test_while_dns_is_silent_it_waits(self):
        i = self.started()
        self.deliver("a@good.example")
        self.let_a_day_pass(1)
        i.stop()
        said = i.run("dmarc-report", "send")
        self.assertEqual((said.code, said.out), (111, ""), "nobody is there who answers for DNS")
        self.assertIn("DNS does not say where reports on good.example go", said.err)
        self.retry_now()
        i.start()
        # The console's half asks too, and may be first.
        i.wait_for(lambda: i.run("dmarc-report", "send") and self.reports(), 60, "the report")
        self.assertEqual(set(self.reports()), {"good.example"})

    def test_without_the_file_nothing_is_kept(self):
        i = self.started(dmarcreports=None)
        self.deliver("anna@good.example")
        i.wait_log("verified msg", "smtpd")
        i.wait_for(lambda: "verified" in i.run("qmail-trace", "--from", "bounces@good.example").out, 30, "its life")
        self.assertEqual(self.kept(), [])
        self.assertFalse(self.state.exists())
        said = i.run("dmarc-report", "send")
        self.assertEqual((said.code, said.err), (0, ""))
        self.assertIn("there is no control/dmarcreports", i.run("dmarc-report", "send", "--print").err)
        i.control("dmarcreports", "nobody")
        said = i.run("dmarc-report", "send")
        self.assertEqual(said.code, 100)
        self.assertIn('not "ADDRESS ORGANISATION"', said.err)
        self.assertIn("dmarcreports", i.run("qmail-showctl").err + i.run("qmail-showctl").out)


if __name__ == "__main__":
    relais.main()
