"""qmail-traced and qmail-trace: lives of messages and refusals with their evidence; lines of JSON in the log."""

import json
import os
import re
import subprocess
import unittest

from harness import dns
from harness import relais
from harness.sink import Sink

UNSAID = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}|(?<= in )\d+ ms|(?<= in )\d+\.\d s")


class Trace(relais.TestCase):
    def started(self, keeptrace="14 1G", **control):
        self.i = i = self.instance(control={"rcpthosts": "mail.test\nsink.test", "refusedpause": None, "keeptrace": keeptrace, **control})
        self.bob = i.add_user("bob")
        return i

    def trace(self, *words, code=0):
        shown = self.i.run("qmail-trace", *words)
        self.assertEqual(shown.code, code, shown)
        return shown.out

    def wait_trace(self, part, *words):
        """What it shows once that stands there."""
        self.i.wait_for(lambda: part in self.i.run("qmail-trace", *words).out, 30, f"{part!r} in qmail-trace {words}")
        return self.trace(*words)

    @staticmethod
    def id_of(reply):
        return re.search(r"qp (\d+)", str(reply))[1]

    def plain(self, text, *ids):
        """Without times, and ids by their places."""
        for place, number in enumerate(ids):
            text = text.replace(number, f"ID{place}")
        return re.sub(r"delivery \d+", "delivery N", UNSAID.sub("T", re.sub(r"uid \d+", "uid U", text)))

    def test_a_local_delivery(self):
        i = self.started().start()
        one = self.id_of(i.send("a@b.example", ["bob@mail.test"], "Subject: x\n\nx\n"))
        shown = self.wait_trace("left the queue", one)
        size = re.search(r"in the queue: (\d+) bytes", shown)[1]
        self.assertEqual(self.plain(shown, one).replace(size, "B"), """message ID0
  T  accepted from 127.0.0.1, helo client.test, sender <a@b.example>, for <bob@mail.test>, 14 bytes
  T  in the queue: B bytes from <a@b.example>, uid U
  T  delivery N begins: local <bob@mail.test>
  T  delivery N: success: did 1+0+0 in T
  T  has left the queue
""")
        (line,) = self.trace("--json", one).splitlines()
        life = json.loads(line)
        self.assertEqual((life["id"], [e["event"] for e in life["events"]]), (int(one), ["accept", "new", "info", "start", "delivery", "end"]))
        self.assertEqual(life["events"][0]["rcpt"], ["bob@mail.test"])

    def test_a_bounce_a_forward_a_deferral_and_a_remote_one(self):
        with Sink() as sink:
            i = self.started(smtproutes=f":127.0.0.1:{sink.port}")
            self.bob.write(".qmail-no", "|echo gone; exit 100\n")
            self.bob.write(".qmail-on", "&bob-end@mail.test\n")
            self.bob.write(".qmail-end", "./Maildir/\n")
            self.bob.write(".qmail-later", "|echo full; exit 111\n")
            i.start()
            ids = {name: self.id_of(i.send("bob@mail.test", [to], "Subject: x\n\nx\n")) for name, to in
                   {"no": "bob-no@mail.test", "on": "bob-on@mail.test", "later": "bob-later@mail.test", "out": "x@sink.test"}.items()}
            bounced = self.wait_trace("did 1+0+0", ids["no"])
            child = re.search(r"the sender is told: message (\d+)", bounced)[1]
            self.assertIn(f"delivery N: failure: gone", self.plain(bounced))
            self.assertRegex(bounced, rf"\n    message {child}\n")
            forwarded = self.wait_trace("did 1+0+0", ids["on"])
            self.assertRegex(forwarded, r"\n    message \d+\n.*\n.*<bob-end@mail\.test>")
            waiting = self.wait_trace("waits: try 1 has failed, the next one is at ", ids["later"])
            self.assertIn("deferral: full", waiting)
            self.assertNotIn("left the queue", waiting)
            out = self.wait_trace("left the queue", ids["out"])
            self.assertIn("remote <x@sink.test>", out)
            self.assertRegex(out, r"success: .*\(server .* \[127\.0\.0\.1\], not encrypted\)")

    def test_refusals_with_their_evidence(self):
        i = self.started(badmailfrom="evil@b.example", recipientcheck="on").start()
        with i.smtp() as client:
            client.command("MAIL FROM:<evil@b.example>")
            client.command("RCPT TO:<bob@mail.test>", 553)
            client.command("MAIL FROM:<good@b.example>")
            client.command("RCPT TO:<nobody@mail.test>", 550)
            client.command("RCPT TO:<x@elsewhere.example>", 553)
        shown = self.wait_trace("check rcpthosts", "--from", "@b.example", "--since", "1h")
        self.assertEqual(shown.count("refusal "), 3, shown)
        self.assertIn("check badmailfrom", self.trace("--why", "--from", "EVIL@b.example"))
        self.assertIn("check recipientcheck", self.trace("--to", "nobody@mail.test", "--why", "--since", "today"))
        self.trace("--to", "nobody-at-all@mail.test", code=1)
        number = re.search(r"refusal (\d+)", shown)[1]
        self.assertIn(number, self.trace(number))

    def test_a_refusal_has_its_id_behind_its_text(self):
        i = self.started(refusalid="1", enhancedcodes="1", refusedlimit="0").start()
        with i.smtp() as client:
            client.command("MAIL FROM:<a@b.example>")
            client.line("RCPT TO:<x@elsewhere.example>")
            said = str(client.reply())
            number = re.fullmatch(r"553 5\.7\.1 sorry, that domain isn't in my list of allowed rcpthosts \(#5\.7\.1\) \[(\d{16})\]", said)
            self.assertTrue(number, said)
            for _ in range(25):
                client.line("RCPT TO:<y@elsewhere.example>")
                last = str(client.reply())
        self.assertTrue(last.endswith("(#5.7.1)"), f"{last}: one that is only counted has no id")
        i.wait_log(f"rcpthosts (#5.7.1) [{number[1]}]", "smtpd")
        shown = self.wait_trace("elsewhere.example", "--why", number[1])
        self.assertIn(f"refusal {number[1]}\n", shown)
        self.assertIn("recipient <x@elsewhere.example>", shown)
        i.control("refusalid", None)
        with i.smtp() as client:
            client.command("MAIL FROM:<a@b.example>")
            client.line("RCPT TO:<x@elsewhere.example>")
            self.assertTrue(str(client.reply()).endswith("(#5.7.1)"))

    def test_what_dns_said_is_told_with_what_was_decided(self):
        """A record may say something else on Friday."""
        answers = dns.Answers({"good.example": "192.0.2.1"})
        self.addCleanup(answers.stop)
        i = self.started(dnsservers=answers.server, checks="mfcheck refuse", mailauth=None).start()
        with i.smtp() as client:
            client.command("MAIL FROM:<a@gone.example>")
            client.line("RCPT TO:<bob@mail.test>")
            self.assertRegex(str(client.reply()), "^5")
        one = self.id_of(i.send("a@good.example", ["bob@mail.test"], "Subject: x\n\nx\n"))
        shown = self.wait_trace("gone.example", "--why", "--from", "a@gone.example")
        self.assertRegex(shown, r"check mfcheck; DNS said .*MX gone\.example: no such name")
        self.assertNotIn("good.example", shown)
        shown = self.wait_trace("left the queue", one)
        self.assertRegex(shown, r"\d+ bytes; DNS said .*A good\.example: 192\.0\.2\.1 \(\d+ s\)")
        self.assertNotIn("gone.example", shown)
        said = [event["dns"] for event in json.loads(self.trace("--json", one))["events"] if event["event"] == "accept"]
        self.assertTrue(any(text.startswith("A good.example: ") for text in said[0]), said)
        self.assertNotIn("DNS said", "".join(i.log("smtpd")))

    def test_what_is_forgotten_is_gone(self):
        i = self.started().start()
        one = self.id_of(i.send("secret-name@b.example", ["bob@mail.test"], "Subject: x\n\nx\n"))
        self.wait_trace("left the queue", one)
        self.assertEqual(self.trace("--forget", "Secret-Name@b.example"), "1 forgotten\n")
        self.trace(one, code=1)
        for file in (i.home / "trace").iterdir():
            self.assertNotIn(b"secret-name", file.read_bytes(), file)

    def test_it_follows(self):
        i = self.started().start()
        i.wait_for(lambda: i.processes("qmail-traced"), what="qmail-traced")
        with open(i.directory / "followed", "w") as out:
            follower = subprocess.Popen([relais.program("qmail-trace"), "-f", "--to", "bob@mail.test"], stdout=out, env=i.environment,
                                        **(i._identity(i.ids("qmailq")) if i.single and relais.IS_ROOT else {}))
        self.addCleanup(follower.wait)
        self.addCleanup(follower.kill)
        for count in (1, 2):
            i.send("a@b.example", ["bob@mail.test"], "Subject: x\n\nx\n")
            i.wait_for(lambda: (i.directory / "followed").read_text().count("left the queue") == count, 30, f"{count} lives")

    def test_without_keeptrace_nothing_is_kept(self):
        i = self.started(keeptrace=None).start()
        one = self.id_of(i.send("a@b.example", ["bob@mail.test"], "Subject: x\n\nx\n"))
        self.bob.wait_messages()
        i.wait_empty()
        self.assertEqual(list((i.home / "trace").iterdir()), [])
        self.trace(one, code=1)

    def test_a_trace_server_that_is_gone_or_stands_still_hinders_no_mail(self):
        i = self.started().start()
        i.wait_for(lambda: i.processes("qmail-traced"), what="qmail-traced")
        i.send("a@b.example", ["bob@mail.test"], "Subject: x\n\nx\n")
        (process,) = i.processes("qmail-traced")
        os.kill(process.pid, 19)
        try:
            for _ in range(30):
                i.send("a@b.example", ["bob@mail.test"], "Subject: x\n\nx\n")
            self.bob.wait_messages(31)
        finally:
            os.kill(process.pid, 18)
        i.kill("qmail-traced")
        i.send("a@b.example", ["bob@mail.test"], "Subject: x\n\nx\n")
        self.bob.wait_messages(32)
        # The next one goes on in the same file.
        i.wait_for(lambda: i.processes("qmail-traced"), what="qmail-traced")

        def goes_on():
            one = self.id_of(i.send("a@b.example", ["bob@mail.test"], "Subject: x\n\nx\n"))
            i.wait_empty()
            return "left the queue" in i.run("qmail-trace", one).out
        i.wait_for(goes_on, 60, "a trace after its server has died")

    def test_the_log_as_json(self):
        i = self.started(logformat="json").start()
        one = int(self.id_of(i.send("a@b.example", ["bob@mail.test"], "Subject: x\n\nx\n")))
        with i.smtp() as client:
            client.command("MAIL FROM:<a@b.example>")
            client.command("RCPT TO:<x@elsewhere.example>", 553)
        i.wait_log('"event":"end"')
        lines = [json.loads(line) for line in i.log() if line.startswith("{")]
        mine = [line for line in lines if line.get("msg") == one]
        self.assertEqual([line["event"] for line in mine], ["new", "info", "start", "delivery", "end"])
        self.assertTrue(all(line["program"] == "qmail-send" and line["time"].endswith("Z") for line in mine))
        self.assertEqual((mine[3]["result"], mine[2]["rcpt"]), ("success", "bob@mail.test"))
        self.assertNotRegex("\n".join(i.log()), r"(?m)^(new|info|end) msg|^starting|^delivery")
        i.wait_log('"event":"refuse"', "smtpd")
        seen = [json.loads(line) for line in i.log("smtpd") if line.startswith("{")]
        accepted = next(line for line in seen if line["event"] == "accept")
        self.assertEqual((accepted["msg"], accepted["sender"], accepted["rcpt"], accepted["ip"]), (one, "a@b.example", ["bob@mail.test"], "127.0.0.1"))
        self.assertEqual(next(line for line in seen if line["event"] == "refuse")["cause"], "rcpthosts")

    @unittest.skipUnless(relais.IS_ROOT, "a system instance needs root")
    def test_nobody_else_can_read_it(self):
        i = self.started().start()
        self.id_of(i.send("a@b.example", ["bob@mail.test"], "Subject: x\n\nx\n"))
        tried = i.run("/bin/ls", i.home / "trace", user=self.bob)
        self.assertIn("Permission denied", tried.err)
        for name, role in (("trace-smtp", "qmaild"), ("trace-send", "qmails")):
            info = (i.home / "sockets" / name).stat()
            self.assertEqual((info.st_uid, info.st_mode & 0o777), (i.ids(role)[0], 0o600))


if __name__ == "__main__":
    relais.main()
