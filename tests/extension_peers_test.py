"""SMTP's extensions on the way through other people's servers: relais, then a whole Postfix, Exim or sendmail, then relais
again. What was said of a message (BODY, SMTPUTF8, NOTIFY, ORCPT, RET, ENVID, BY) must be known at the end, and its octets must
be the same. Part of make test-long."""

import os
import re
import unittest

from chain_matrix_test import KINDS, Data, ManyChunks, OneChunk
from chunking_test import ChunkingExim
from harness import peers
from harness import relais

EXTENSIONS = {"chunking": "1", "smtputf8": "1", "deliverby": "1", "mtpriority": "1", "futurerelease": "86400", "bounceformat": "both"}
WAYS = {"data": Data(), "bdat": OneChunk(), "bdats": ManyChunks()}
# What such servers change or refuse by themselves: they complete headers; Postfix folds lines beyond 998 octets, Exim returns them.
CHANGED = {"long", "longheader", "nul", "dotfirst", "empty", "bodyonly", "headeronly", "returns"}


class Exim(ChunkingExim):
    def __init__(self, next_port):
        super().__init__(next_port)
        path = self.directory / "config"
        path.write_text("dsn_advertise_hosts = *\nsmtputf8_advertise_hosts = *\nchunking_advertise_hosts = *\nmessage_size_limit = 0\n"
                        "smtp_accept_queue_per_connection = 0\n" + path.read_text())


class Sendmail(peers.Server):
    """A whole sendmail that passes all on to a port of 127.0.0.1. It wants a name of the host with a dot, and to find it."""

    CONFIG = """\
V10/Berkeley
O QueueDirectory={d}/queue
O PidFile={d}/pid
O DaemonPortOptions=Name=MTA, Port={port}, Addr=127.0.0.1
O DeliveryMode=background
O DeliverByMin=0
O EightBitMode=pass8
O ConnectionCacheSize=0
O RefuseLA=10000
O QueueLA=10000
O DelayLA=10000
O Timeout.ident=0s
O StatusFile=
Djmx.send.test
DnMAILER-DAEMON
Mlocal, P=/bin/false, F=lsDFM, A=false
Mprog, P=/bin/false, F=lsD, A=sh
Mesmtp, P=[IPC], F=mDFMuXa8, E=\\r\\n, L=0, T=DNS/RFC822/SMTP, A=TCP $h {next_port}
HReceived: $?sfrom $s $.$?_($_)$.by $j ($v) with $r id $i; $b
H?M?Message-Id: <$t.$i@$j>
Scanonify=3
R$* < $* > $*\t\t$: $2
R$* @ $*\t\t$: $1 <@$2>
Sfinal=4
R$* <@$*> $*\t\t$1 @ $2
Sparse=0
R$*\t\t\t$#esmtp $@ [127.0.0.1] $: $1
"""
    NAME = "sendmail"

    def __init__(self, next_port):
        super().__init__("rlsm.")
        self.tree = peers.fetch("sendmail", "sendmail-bin")
        self.path = self.tree.directory / "usr/libexec/sendmail/sendmail"
        self.path.chmod(0o755)  # setgid, it would not look for its libraries there
        self.port = relais.free_port()
        (self.directory / "queue").mkdir(mode=0o700)
        (self.directory / "hosts").write_text("127.0.0.1 mx.send.test\n")
        (self.directory / "config").write_text(self.CONFIG.format(d=self.directory, port=self.port, next_port=next_port))

    def __enter__(self):
        script = ("mount --make-rprivate / && mount --bind $1/hosts /etc/hosts && echo mx.send.test >/proc/sys/kernel/hostname && "
                  "exec $0 -C$1/config -X$1/log -bD")
        return self._start(["unshare", "-umpf", "sh", "-c", script, self.path, self.directory], lambda: peers.greets(self.port),
                           {**os.environ, **self.tree.environment})

    def __exit__(self, *arguments):
        peers.end_namespace(self.process)
        super().__exit__(*arguments)


def fields(report):
    """The fields of a report by RFC 3464 or 6533 about one recipient."""
    text = report.decode("utf-8", "replace")
    return dict(re.findall(r"^(Original-Envelope-Id|Original-Recipient|Final-Recipient|Reporting-MTA|Action|Status): (.*)$", text, re.M))


@unittest.skipUnless(relais.LONG, "RELAIS_LONG is not set")
@unittest.skipUnless(relais.IS_ROOT, "whole servers need root")
class Through:
    """first is ours, its users' domain mail.test; last too, far.test; all that leaves first goes by the server between."""

    SMTPUTF8 = True

    def setUp(self):
        self.last = self.instance(me="far.test", control={**EXTENSIONS, "dsnfrom": "127.0.0.1"})
        self.ann = self.last.add_user("ann")
        self.ann.write(".qmail-default", "./Maildir/\n")
        self.last.rules(':allow,RELAYCLIENT=""\n')
        self.last.start()
        self.between = self.peer(self.last.port)
        self.between.__enter__()
        self.addCleanup(self.between.__exit__, None, None, None)
        self.first = self.instance(control={**EXTENSIONS, "dsnfrom": "127.0.0.1", "smtproutes": f":127.0.0.1:{self.between.port}"})
        self.bob = self.first.add_user("bob")
        self.bob.write(".qmail-default", "./Maildir/\n")
        self.first.rules(':allow,RELAYCLIENT=""\n')
        self.first.start()
        self.last.control("smtproutes", f":127.0.0.1:{self.first.port}")

    def send(self, kind, way, recipient, sender="bob@mail.test", mail="", rcpt=""):
        with self.first.smtp() as smtp:
            smtp.command(f"MAIL FROM:<{sender}>" + " SMTPUTF8" * kind.word + " BODY=8BITMIME" * (not kind.text.isascii()) + mail)
            smtp.command(f"RCPT TO:<{recipient}>{rcpt}")
            heard = way.text(smtp, kind)
        self.assertTrue(heard.startswith("250 "), heard)

    def to(self, user, count):
        """Messages by the extension that they came to."""
        found = user.wait_messages(count, 120)
        return {re.search(rb"^Delivered-To: \w+-(.*)@", message, re.M)[1].decode(): message for message in found}

    def test_octets_are_the_same_behind_it(self):
        wanted = {}
        for name, kind in KINDS.items():
            if name not in CHANGED and kind.domain == "test" and (self.SMTPUTF8 or not kind.word):
                for form, way in WAYS.items():
                    if way.takes(kind):
                        wanted[f"{kind.sender}-{name}-{form}"] = kind.wire.replace(b"\r\n", b"\n")
                        self.send(kind, way, f"ann-{kind.sender}-{name}-{form}@far.test", f"bob-{kind.sender}@mail.test")
        arrived = self.to(self.ann, len(wanted))
        self.assertEqual(arrived.keys(), wanted.keys())
        for name, octets in wanted.items():
            with self.subTest(name):
                self.assertTrue(arrived[name].endswith(b"\n" + octets), arrived[name][-300:])
        self.assertEqual(self.bob.messages(), [])

    def test_who_asked_hears_of_the_delivery_at_the_end(self):
        asked = {"hdrs": (KINDS["eight"], "RET=HDRS"), "full": (KINDS["eight"], "RET=FULL")}
        if self.SMTPUTF8:
            asked["utf8"] = KINDS["utf8header"], "RET=FULL"
        for name, (kind, ret) in asked.items():
            for form, way in WAYS.items():
                self.send(kind, way, f"ann-{name}-{form}@far.test", f"bob-{name}-{form}@mail.test", f" {ret} ENVID=id+2B{name}",
                          f" NOTIFY=SUCCESS,DELAY ORCPT=rfc822;was+2B{name}@old.test")
        for name, report in self.to(self.bob, len(asked) * len(WAYS)).items():
            with self.subTest(name):
                kind = name.split("-")[0]
                self.assertEqual(fields(report), {
                    "Reporting-MTA": "dns; far.test", "Original-Envelope-Id": f"id+{kind}", "Original-Recipient": f"rfc822; was+{kind}@old.test",
                    "Final-Recipient": f"rfc822; ann-{name}@far.test", "Action": "delivered", "Status": "2.0.0"})

    def test_who_asked_hears_of_the_failure_and_nobody_else(self):
        asks = {name: f" NOTIFY={name.upper()} ORCPT=rfc822;was-{name}@old.test" for name in ("never", "success", "failure")}
        # Where nothing is said of reports Exim drops ORCPT, and Postfix makes one where there is none.
        for name, rcpt in {**asks, "unsaid": ""}.items():
            self.send(KINDS["eight"], WAYS["bdat"], f"nobody-{name}@far.test", f"bob-{name}@mail.test", f" RET=HDRS ENVID=id{name}", rcpt)
        self.last.wait_log("Sorry,_no_mailbox_here", count=4, seconds=120)
        self.first.wait_empty()
        self.last.wait_empty()
        # One more behind them, so that nothing of theirs is still on its way.
        self.send(KINDS["ascii"], WAYS["data"], "nobody-end@far.test", "bob-end@mail.test", "", " NOTIFY=FAILURE")
        self.first.wait_for(lambda: any(b"nobody-end@" in message for message in self.bob.messages()), 120, "the last report")
        heard = self.to(self.bob, 3)
        self.assertEqual(sorted(heard), ["end", "failure", "unsaid"])
        for name in ("failure", "unsaid"):
            found = fields(heard[name])
            original = found.pop("Original-Recipient", None)
            self.assertTrue(name == "unsaid" or original == "rfc822; was-failure@old.test", original)
            self.assertEqual(found, {"Reporting-MTA": "dns; far.test", "Original-Envelope-Id": f"id{name}", "Action": "failed",
                                     "Final-Recipient": f"rfc822; nobody-{name}@far.test", "Status": "5.1.1"})
            self.assertIn(b"\nContent-Type: text/rfc822-headers", heard[name])
            self.assertNotIn(b"gr\xfc\xdfe", heard[name])


class ThroughPostfix(Through, relais.TestCase):
    def peer(self, next_port):
        settings = ("smtputf8_enable = yes", "message_size_limit = 0", "virtual_mailbox_domains = post.test")
        return peers.Postfix(deliver="post.test", relayhost=f"[127.0.0.1]:{next_port}", settings=settings)


class ThroughExim(Through, relais.TestCase):
    def peer(self, next_port):
        return Exim(next_port)

    def test_it_took_and_sent_chunks(self):
        self.send(KINDS["binary"], WAYS["bdats"], "ann-x@far.test")
        (message,) = self.ann.wait_messages(1, 120)
        self.assertTrue(message.endswith(KINDS["binary"].text))
        self.between.wait_log(" K ")


class ThroughSendmail(Through, relais.TestCase):
    SMTPUTF8 = False

    def peer(self, next_port):
        return Sendmail(next_port)

    def test_a_time_goes_with_the_message(self):
        self.send(KINDS["ascii"], WAYS["data"], "ann-in@far.test", "bob-in@mail.test", " BY=3600;N ENVID=in", " NOTIFY=SUCCESS")
        (report,) = self.to(self.bob, 1).values()
        self.assertIn(b"\nDeliver-By-Date: ", report)
        self.assertEqual(fields(report)["Reporting-MTA"], "dns; far.test")

    def test_a_time_that_the_last_server_does_not_promise(self):
        self.last.control("deliverby", None)
        self.send(KINDS["ascii"], WAYS["data"], "ann-late@far.test", "bob-late@mail.test", " BY=3600;R ENVID=late", " NOTIFY=FAILURE")
        (report,) = self.to(self.bob, 1).values()
        self.assertEqual((fields(report)["Action"], fields(report)["Status"]), ("failed", "5.4.7"))
        self.assertEqual(self.ann.messages(), [])


if __name__ == "__main__":
    relais.main()
