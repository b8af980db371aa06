"""Senders of forwarded mail (control/srs_domain): rewritten on the way out, and bounces to them on the way back."""

import os
import re

from harness import relais
from harness.sink import Sink

FAR = "joe@far.example"
SECRET = "the secret of this test"
REWRITTEN = re.compile(r"SRS0=[A-Z2-7]{6}=[A-Z2-7]{2}=far\.example=joe@srs\.test")


class SrsTest(relais.TestCase):
    def begun(self, secrets=SECRET, **control):
        self.sink = Sink().__enter__()
        self.addCleanup(self.sink.__exit__)
        i = self.instance(control={"locals": "mail.test\nsrs.test", "rcpthosts": "mail.test\nsrs.test", "recipientcheck": "on",
                                   "smtproutes": f":127.0.0.1:{self.sink.port}", "srs_domain": "srs.test", "srs_secrets": secrets,
                                   **control})
        secrets = i.home / "control/srs_secrets"
        secrets.chmod(0o400)
        if relais.IS_ROOT and not i.single:
            os.chown(secrets, i.ids("qmailp")[0], -1)
        self.bob = i.add_user("bob")
        return i.start()

    def forwarded(self, i, sender, line="&out@far.test", name=".qmail"):
        """The sender that a message of that sender goes on under."""
        self.bob.write(name, line + "\n")
        before = len(self.sink.messages)
        i.send(sender, ["bob@mail.test"], "Subject: x\n\nhello\n")
        self.assertTrue(relais.wait_until(lambda: len(self.sink.messages) > before), i.picture())
        return self.sink.messages[-1][0]

    def test_there_and_back(self):
        i = self.begun()
        sender = self.forwarded(i, FAR)
        self.assertRegex(sender, REWRITTEN)
        with i.smtp() as client:
            client.deliver("", [sender], "Subject: failure notice\n\nx\n")
        self.assertTrue(relais.wait_until(lambda: len(self.sink.messages) > 1), i.picture())
        self.assertEqual(self.sink.messages[-1][:2], ("", [FAR]))

    def test_the_forward_program_has_it_too(self):
        i = self.begun()
        self.assertRegex(self.forwarded(i, FAR, f"|{relais.program('forward')} out@far.test"), REWRITTEN)

    def test_others_rewritten_senders(self):
        i = self.begun()
        sender = self.forwarded(i, "SRS0=AbCd=EF=first.example=ann@second.example")
        self.assertRegex(sender, r"^SRS1=[A-Z2-7]{6}=second\.example==AbCd=EF=first\.example=ann@srs\.test$")
        with i.smtp() as client:
            client.deliver("", [sender], "Subject: failure notice\n\nx\n")
        self.assertTrue(relais.wait_until(lambda: len(self.sink.messages) > 1), i.picture())
        self.assertEqual(self.sink.messages[-1][1], ["SRS0=AbCd=EF=first.example=ann@second.example"])

    def test_what_stays_as_it_is(self):
        i = self.begun()
        self.assertEqual(self.forwarded(i, "ann@mail.test"), "ann@mail.test", "a sender of ours")
        self.assertEqual(self.forwarded(i, ""), "")
        self.bob.write(".qmail-list", "&out@far.test\n")
        self.bob.write(".qmail-list-owner", "./Maildir/\n")
        before = len(self.sink.messages)
        i.send(FAR, ["bob-list@mail.test"], "Subject: x\n\nhello\n")
        self.assertTrue(relais.wait_until(lambda: len(self.sink.messages) > before), i.picture())
        self.assertEqual(self.sink.messages[-1][0], "bob-list-owner@mail.test")
        ann = i.add_user("ann")
        self.bob.write(".qmail", "&ann@mail.test\n")
        i.send(FAR, ["bob@mail.test"], "Subject: x\n\nhello\n")
        self.assertIn(f"Return-Path: <{FAR}>".encode(), ann.wait_messages()[0], "no other server asks for SPF")

    def test_it_relays_nothing_else(self):
        i = self.begun()
        good = self.forwarded(i, FAR)
        local, domain = good.split("@")
        forged = local[:-1] + "x@" + domain
        for sender, recipient, reply in (("", forged, "550 sorry, no mailbox here by that name (#5.1.1)"),
                                         ("", f"SRS0=AAAAAA=AA=victim.example=me@{domain}", "550 sorry, no mailbox here by that name (#5.1.1)"),
                                         ("", f"SRS1=AAAAAA=victim.example==x@{domain}", "550 sorry, no mailbox here by that name (#5.1.1)"),
                                         ("spam@far.example", good, "550 sorry, this address takes bounces alone (#5.7.1)"),
                                         ("", good, "250 ok"), ("", good.lower(), "250 ok")):
            with self.subTest(sender=sender, recipient=recipient), i.smtp() as client:
                client.command(f"MAIL FROM:<{sender}>")
                client.line(f"RCPT TO:<{recipient}>")
                self.assertEqual(str(client.reply()), reply)
        # Where no one asks at RCPT the delivery says it.
        i.control("recipientcheck", None)
        i.send("ann@mail.test", [good, forged], "Subject: x\n\nhello\n")
        i.wait_log("Sorry,_this_address_takes_bounces_alone._(#5.7.1)", count=2)
        with i.smtp() as client:
            client.deliver("", [forged], "Subject: x\n\nx\n")
        i.wait_log("this_rewritten_sender_is_none_of_mine,_or_too_old._(#5.1.1)")

    def test_without_secrets_and_without_the_file(self):
        i = self.begun(secrets="")
        self.assertEqual(self.forwarded(i, FAR), FAR)
        said = i.run("qmail-showctl")
        self.assertIn("no sender is rewritten without control/srs_secrets", said.out + said.err)
        i.control("srs_domain", None)
        self.assertEqual(self.forwarded(i, FAR), FAR)

    def test_the_secrets_are_kept(self):
        i = self.begun(secrets=f"{SECRET}\nan older one of them")
        said = i.run("qmail-showctl")
        self.assertNotIn(SECRET, said.out + said.err)
        (i.home / "control/srs_secrets").chmod(0o644)
        said = i.run("qmail-showctl")
        if relais.IS_ROOT and not i.single:
            self.assertIn("others than qmailp may read it", said.out + said.err)
            (i.home / "control/srs_secrets").chmod(0o400)
            self.assertNotIn("others than qmailp", i.run("qmail-showctl").out)
            # Nor may alias, who is of the same group as other roles.
            i._write(i.home / "alias/.qmail-reader", f"|cat {i.home}/control/srs_secrets >&2; exit 100\n")
            i.send("ann@mail.test", ["reader@mail.test"], "Subject: x\n\nx\n")
            i.wait_log("Permission_denied")
            self.bob.write(".qmail", f"|cat {i.home}/control/srs_secrets >&2; exit 100\n")
            i.send("ann@mail.test", ["bob@mail.test"], "Subject: x\n\nx\n")
            i.wait_log("Permission_denied", count=2)

    def test_an_older_secret_is_believed(self):
        i = self.begun()
        sender = self.forwarded(i, FAR)
        path = i.home / "control/srs_secrets"
        mode, ids = path.stat().st_mode, (path.stat().st_uid, path.stat().st_gid)
        path.write_text(f"a newer secret\n{SECRET}\n")
        path.chmod(mode)
        with i.smtp() as client:
            client.deliver("", [sender], "Subject: failure notice\n\nx\n")
        self.assertNotEqual(self.forwarded(i, FAR), sender)


if __name__ == "__main__":
    relais.main()
