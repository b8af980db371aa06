"""bounce-explain: replies of many servers, bounces of three kinds, messages in the queue and in the log, the administrator's
own table; and the hints in queue-list and in bounces.

RELAIS_GOLDEN=write writes the texts in tests/golden/bounce_explain anew, but for replies.txt."""

import base64
import fcntl
import json
import os
import pathlib
import quopri
import random
import re
import subprocess

from harness import fake_smtp
from harness import relais

GOLDEN = pathlib.Path(__file__).resolve().parent / "golden/bounce_explain"

QSBMF = """Return-Path: <>
Date: 22 Nov 2026 10:00:00 -0000
From: MAILER-DAEMON@mail.test
To: ann@mail.test
Subject: failure notice

Hi. This is the qmail-send program at mail.test.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<bob@example.org>:
198.51.100.1 does not like recipient.
Remote host said: 550 5.1.1 User unknown
Giving up on 198.51.100.1.

<carl@example.net>:
Connected to 198.51.100.2 but sender was rejected.
Remote host said: 553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)

--- Below this line is a copy of the message.

Return-Path: <ann@mail.test>
Subject: over quota

relaying denied
"""
DSN = """From: MAILER-DAEMON@mx.example (Mail Delivery System)
To: ann@mail.test
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

I'm sorry to have to inform you that your message could not be delivered.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; bob@example.org
Action: failed
Status: 5.7.1
Diagnostic-Code: smtp; 554 5.7.1 Service unavailable; Client host
    [192.0.2.1] blocked using zen.spamhaus.org

--b
Content-Type: message/rfc822

Subject: user unknown
--b--
"""
EXIM = """X-Failed-Recipients: someuser@anotherdomain.com
From: Mail Delivery System <Mailer-Daemon@host.example>
Subject: Mail delivery failed: returning message to sender

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  someuser@anotherdomain.com
    host mx.anotherdomain.com [198.51.100.3]
    SMTP error from remote mail server after RCPT TO:<someuser@anotherdomain.com>:
    550 relay not permitted

------ This is a copy of the message, including all the headers. ------

Subject: user unknown
"""


class BounceExplain(relais.TestCase):
    def explain(self, *words, input=b"", home="/nonexistent", code=0):
        done = subprocess.run([relais.program("bounce-explain"), *words], input=relais.octets(input), capture_output=True,
                              timeout=400, env={**os.environ, "QMAILHOME": str(home)})
        result = relais.Result(done)
        self.assertEqual(result.code, code, result)
        return result.out

    def golden(self, name, text):
        path = GOLDEN / f"{name}.txt"
        if os.environ.get("RELAIS_GOLDEN") == "write":
            path.write_text(text)
        self.assertEqual(text, path.read_text(), name)

    def test_replies(self):
        """One question for all: a bounce with a paragraph for each reply."""
        lines = [line for line in (GOLDEN / "replies.txt").read_text().splitlines() if line and not line.startswith("#")]
        wanted = [line.split(" | ", 1) for line in lines]
        self.assertGreater(len(wanted), 90)
        text = "".join(f"<{number}@x>:\n{words}\n\n" for number, (_, words) in enumerate(wanted))
        found = json.loads(self.explain("--json", input=text))
        self.assertEqual(len(found), len(wanted))
        wrong = [(name, one["hint"], words) for (name, words), one in zip(wanted, found) if name != one["hint"]]
        self.assertEqual(wrong, [])
        for one in found:
            self.assertTrue(one["cause"] and one["remedy"], one)

    def test_kinds_of_bounces(self):
        for name, text in (("qsbmf", QSBMF), ("dsn", DSN), ("exim", EXIM)):
            self.golden(name, self.explain(input=text))
            self.assertEqual(self.explain(input=text.replace("\n", "\r\n")), self.explain(input=text))
        self.golden("json", self.explain("--json", input=QSBMF))

    def test_text_and_file(self):
        i = self.instance()
        self.golden("text", self.explain("550", "relay", "not", "permitted"))
        path = i.directory / "bounce"
        path.write_text(DSN)
        self.assertEqual(self.explain(str(path)), self.explain(input=DSN))
        self.golden("unknown", self.explain("we are closed on Mondays", code=1))
        self.assertIn("do: Compare", self.explain("550", "User unknown"))
        self.assertEqual(self.explain(input="", code=1), "")
        self.explain(str(i.directory / "missing"), code=111)
        self.assertNotIn("\x1b", self.explain(input="550 \x1b[2J user unknown \xff"))
        self.explain("--nonsense", code=100)

    def test_russian_charsets(self):
        words = "Сообщение не доставлено: Не удалось подключиться к серверу"
        head = "From: a@b\nContent-Type: text/plain; charset={}\nContent-Transfer-Encoding: {}\n\n"
        for charset in ("koi8-r", "windows-1251"):
            body = words.encode(charset)
            for encoding, coded in (("8bit", body), ("base64", base64.encodebytes(body)),
                                    ("quoted-printable", quopri.encodestring(body))):
                out = self.explain(input=head.format(charset, encoding).encode() + coded)
                self.assertIn("hint: no-connection\n", out, (charset, encoding))
                self.assertIn("said: " + words, out, (charset, encoding))

    def test_a_file_of_any_kind_does_not_fill_the_terminal(self):
        noise = random.Random(3).randbytes(3 << 20)
        out = self.explain(input=noise, code=1)
        self.assertLess(len(out), 100_000)
        self.assertRegex(out, r"\n    and \d+ lines more\n$")
        self.assertLess(len(self.explain(input="x" * 1000000, code=1)), 2000)

    def test_own_table(self):
        i = self.instance()
        i.control("bouncehints.local", "[ours]\ncause Their rule.\nremedy Call them.\nmatch relay not permitted\nwrong line\n")
        result = i.run("bounce-explain", "550 relay not permitted")
        self.assertTrue(result.out.startswith("Their rule.\n    do: Call them.\n    hint: ours\n"), result)
        self.assertIn("warning: control/bouncehints.local, line 5: not cause, remedy or match: wrong", result.err)
        self.assertIn("[relay-denied]", self.explain("--table"))

    def instance_with(self, server, **control):
        i = self.instance(control=control)
        i.control("smtproutes", f":127.0.0.1:{server.port}")
        i.start(smtpd=None)
        return i

    def test_message_in_queue_and_log(self):
        with fake_smtp.FakeServer(RCPT=b"450 4.2.0 Greylisted, see our page\r\n") as server:
            i = self.instance_with(server)
            self.assertEqual(i.submit("ann@mail.test", ["bob@example.org"]), 0)
            i.wait_for(lambda: "last error" in i.run("queue-list").out, 60, "a failed try")
            listed = i.run("queue-list").out
            self.assertIn("    hint: The server puts off everybody", listed)
            (shown,) = json.loads(i.run("queue-list", "--json").out)
            self.assertEqual(shown["hint"]["name"], "greylisted")
            result = i.run("bounce-explain", shown["id"])
            self.assertIn("bob@example.org: The server puts off everybody", result.out)
            i.control("bouncehints", "off")
            self.assertNotIn("hint", i.run("queue-list").out + i.run("queue-list", "--json").out)
            # What has left the queue is found in the log, where multilog keeps it.
            log = i.home / "log/qmail-send"
            log.mkdir(parents=True, exist_ok=True)
            (log / "current").write_text(
                "@400000006561c0de00000000 starting delivery 1: msg 1700000000000001 to remote bob@example.org\n"
                "@400000006561c0de00000000 starting delivery 2: msg 1700000000000002 to remote carl@example.org\n"
                "@400000006561c0de00000000 delivery 1: failure: 198.51.100.1_does_not_like_recipient./"
                "Remote_host_said:_550_relay_not_permitted/\n"
                "@400000006561c0de00000000 delivery 2: failure: 550_user_unknown/\n")
            found = json.loads(i.run("bounce-explain", "--json", "1700000000000001").out)
            self.assertEqual([(one["recipient"], one["hint"]) for one in found], [("bob@example.org", "relay-denied")])
            self.assertEqual(i.run("bounce-explain", "1700000000000009").code, 1)

    def bounce(self, server, **control):
        i = self.instance_with(server, **control)
        ann = i.add_user("ann")
        self.assertEqual(i.submit("ann@mail.test", ["bob@example.org"]), 0)
        (message,) = ann.wait_messages(1, 60)
        body = relais.text(message).split("\n\n", 1)[1]
        return re.sub(r"127\.0\.0\.1", "HOST", body.split("--- Below")[0])

    def test_hints_in_bounces(self):
        with fake_smtp.FakeServer(RCPT=b"550 5.1.1 no such user here\r\n") as server:
            self.golden("bounce_plain", self.bounce(server))
            self.golden("bounce_with_hint", self.bounce(server, bouncehints="bounces queue-list"))

    def test_deliveries_to_users_of_this_host(self):
        i = self.instance()
        wanted = {"ann": ("./Mailbox", "mailbox-not-writable"), "bob": ("./locked", "mailbox-locked"), "carl": ("|kill -KILL $$", "delivery-crashed"),
                  "dora": ("./Maildir/", "mailbox-not-writable")}
        users = {name: i.add_user(name) for name in wanted}
        for name, (instruction, _) in wanted.items():
            users[name].write(".qmail", f"{instruction}\n")
        (users["ann"].home / "Mailbox").mkdir()
        (users["dora"].home / "Maildir/new").rmdir()
        users["bob"].write("locked", "")
        with open(users["bob"].home / "locked", "rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            i.start(smtpd=None)
            for user in users.values():
                self.assertEqual(i.submit("", [user.address]), 0)
            listed = lambda: json.loads(i.run("queue-list", "--json").out)
            i.wait_for(lambda: len(listed()) == 4 and all(one.get("hint") for one in listed()), 120, "four deferrals")
        for message in listed():
            name = message["recipients"][0]["address"].split("@")[0]
            self.assertEqual(message["hint"]["name"], wanted[name][1], message)
            (found,) = json.loads(i.run("bounce-explain", "--json", message["id"]).out)
            self.assertEqual(found["hint"], wanted[name][1], found)


relais.main()
