"""The lives of messages as qmail-trace tells them, each beside its golden text in tests/golden/lives.

Times, sizes, ports and numbers of deliveries are left out, and ids stand by their place: MSG1, MSG2, in the order of the page.
RELAIS_GOLDEN=write writes the texts anew."""

import os
import pathlib
import re

from harness import relais
from harness.milter import FakeMilter
from harness.sink import Sink

GOLDEN = pathlib.Path(__file__).resolve().parent / "golden/lives"
TEXT = "Subject: x\n\nx\n"
UNSAID = ((r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{3})?", "TIME"), (r"(?<= in )(\d+ ms|\d+\.\d s)", "SPAN"), (r"uid \d+", "uid U"),
          (r"delivery \d+", "delivery N"), (r"\d+ bytes", "B bytes"), (r"SRS0=[A-Z2-7]{6}=[A-Z2-7]{2}=", "SRS0=HASH=DAY="),
          (r"ok \d+ qp \d+", "ok TIME qp PID"), (r"session \d+\.\d+", "session S"), (r"unix:\S+/socket", "unix:SOCKET"))


class Lives(relais.TestCase):
    maxDiff = None

    def made(self, **control):
        self.sink = Sink().__enter__()
        self.addCleanup(self.sink.__exit__)
        self.i = i = self.instance(control={
            "rcpthosts": "mail.test\nsink.test\nsrs.test", "locals": "mail.test\nsrs.test", "keeptrace": "14 1G", "smtputf8": "1", "dsnfrom": "127.0.0.1",
            "badrcptto": "never@mail.test", "smtproutes": f":127.0.0.1:{self.sink.port}", "refusedpause": None, **control})
        self.bob, self.carl = i.add_user("bob"), i.add_user("carl")
        self.qmail(ok="./Maildir/", on="&bob-ok@mail.test", out="&x@sink.test", no="|echo gone; exit 100", later="|echo full; exit 111",
                   held="|echo full; exit 111", list="&bob-ok@mail.test\n&carl@mail.test\n&x@sink.test")
        self.carl.write(".qmail-default", "./Maildir/\n")
        return i

    def qmail(self, **lines):
        for name, text in lines.items():
            self.bob.write(f".qmail-{name}", text + "\n")

    def sent(self, recipient, sender="s@far.test", parameters="", rcpt_parameters=""):
        """The message's id."""
        with self.i.smtp() as client:
            client.command(f"MAIL FROM:<{sender}>{parameters}")
            client.command(f"RCPT TO:<{recipient}>{rcpt_parameters}")
            client.command("DATA", 354)
            client.raw(client.stuffed(TEXT))
            return re.search(r"qp (\d+)", str(client.expect(250)))[1]

    def told(self, part, *words):
        """What qmail-trace says once part stands there."""
        self.i.wait_for(lambda: re.search(part, self.i.run("qmail-trace", *words).out), 60, f"{part!r} in qmail-trace {words}")
        return self.i.run("qmail-trace", *words).out

    def life(self, name, id, part="has left the queue"):
        """It is as the golden text has it."""
        text = self.told(part, *([id] if isinstance(id, str) else id))
        ids = []
        for number in re.findall(r"\b\d{16}\b", text):
            if number not in ids:
                ids.append(number)
        for place, number in enumerate(ids, 1):
            text = text.replace(number, f"MSG{place}")
        for pattern, word in UNSAID:
            text = re.sub(pattern, word, text)
        # Deliveries that are under way together end in any order.
        text = re.sub(r"( +TIME  delivery N.*\n){2,}", lambda run: "".join(sorted(run[0].splitlines(True))), text)
        path = GOLDEN / name
        if os.environ.get("RELAIS_GOLDEN") == "write":
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        with self.subTest(name):
            self.assertEqual(text, path.read_text())

    def queue_list(self, verb, id):
        done = self.i.run("queue-list", verb, id, "--yes")
        self.assertEqual(done.code, 0, done)

    def waiting(self, recipient):
        id = self.sent(recipient)
        self.told("waits: try 1 has failed", id)
        return id

    def test_delivered(self):
        self.made(srs_domain="srs.test", srs_secrets="the secret of this test")
        i = self.i
        secrets = i.home / "control/srs_secrets"
        secrets.chmod(0o400)
        if relais.IS_ROOT and not i.single:
            os.chown(secrets, i.ids("qmailp")[0], -1)
        aliases = i.directory / "aliases"
        i._write(aliases, "team: bob-ok\n")
        i.control("aliases", str(aliases))
        i.run("newaliases")
        i.make_drop()
        self.assertEqual(i.submit("s@far.test", ["bob-ok@mail.test"]), 0)
        i.rules('127.0.0.2:allow,RELAYCLIENT=""\n:allow\n')
        i.start()
        dropped = i.wait_log(r"info msg ")[-1].split()[2].rstrip(":")
        ids = {"local": self.sent("bob-ok@mail.test"), "remote": self.sent("x@sink.test"), "forward": self.sent("bob-on@mail.test"),
               "list": self.sent("bob-list@mail.test"), "srs": self.sent("bob-out@mail.test"), "alias": self.sent("team@mail.test"),
               "catchall": self.sent("carl-whatever@mail.test"), "drop": dropped,
               "utf8": self.sent("bob-ok@mail.test", "jürgen@far.test", " SMTPUTF8"),
               "report": self.sent("bob-ok@mail.test", "bob-ok@mail.test", "", " NOTIFY=SUCCESS")}
        i.wait_empty(60)
        for name, id in ids.items():
            self.life(name, id, "has left the queue" if name not in ("forward", "report") else r"(?s)left the queue.*left the queue")

    def test_not_delivered(self):
        i = self.made()
        i.rules(':allow,RELAYCLIENT=""\n')
        i.start()
        self.life("relayed", self.sent("x@elsewhere.test"))
        self.life("bounce", self.sent("bob-no@mail.test", "bob-ok@mail.test"), r"(?s)left the queue.*left the queue")
        self.life("bounce_of_a_bounce", self.sent("bob-no@mail.test", "nobody@mail.test"), r"(?s)left the queue.*left the queue.*left the queue")
        self.life("deferral", self.waiting("bob-later@mail.test"), "waits: try 1")
        held = self.waiting("bob-held@mail.test")
        self.queue_list("hold", held)
        self.told("held by hand", held)
        self.qmail(held="./Maildir/")
        self.queue_list("release", held)
        i.run("queue-list", "retry", held)  # it may have been tried at once
        self.life("hold_and_release", held)
        deleted, bounced = self.waiting("bob-later@mail.test"), self.waiting("bob-later@mail.test")
        self.queue_list("delete", deleted)
        self.life("queue_list_delete", deleted)
        self.queue_list("bounce", bounced)
        self.life("queue_list_bounce", bounced, r"(?s)the sender is told.*left the queue")
        with i.smtp() as client:
            client.command("MAIL FROM:<s@far.test>")
            client.command("RCPT TO:<never@mail.test>", 553)
        self.life("refused", ["--to", "never@mail.test", "--since", "today"], "badrcptto")

    def test_damaged(self):
        i = self.made().start()
        id = self.waiting("bob-later@mail.test")
        (file,) = (i.home / "queue/mess").glob(f"*/{id}")
        os.truncate(file, 100)
        i.run("queue-list", "retry", id)
        i.wait_for(lambda: id in i.run("queue-list", "--state", "damaged").out, what="a damaged message")
        self.life("damaged", id, "waits: try 1")

    def test_by_a_filter(self):
        i = self.made()
        filter_ = i.directory / "filter"
        filter_.write_text(f"#!/bin/sh\nexec {relais.program('qmail-queue')}\n")
        filter_.chmod(0o755)
        i.rules(f':allow,QMAILQUEUE="{filter_}"\n')
        i.start()
        self.sent("bob-ok@mail.test")
        self.life("filter", i.wait_log("info msg ")[-1].split()[2].rstrip(":"))

    def test_by_a_milter(self):
        milter = FakeMilter(EOM=[b"hX-Seen\0by a milter\0", b"c"])
        self.addCleanup(milter.stop)
        self.made(milters=milter.place).start()
        self.life("milter", self.sent("bob-ok@mail.test"))


if __name__ == "__main__":
    relais.main()
