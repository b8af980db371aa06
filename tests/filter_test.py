"""A filter in $QMAILQUEUE between qmail-smtpd and the queue: the session has a name that both logs and the message know."""

import re

from harness import relais

BODY = "Subject: x\n\nx\n"


class Filter(relais.TestCase):
    def made(self, *script):
        i = self.instance()
        self.ann = i.add_user("ann")
        filter_ = i.directory / "filter"
        filter_.write_text("\n".join(("#!/bin/sh", *script)) + "\n")
        filter_.chmod(0o755)
        i.rules(f'127.0.0.1:allow,RELAYCLIENT="",QMAILQUEUE="{filter_}"\n:allow,RELAYCLIENT=""\n')
        return i.start()

    def sent(self, i, body=BODY, **options):
        """The message, and qmail-smtpd's and qmail-send's lines of it."""
        reply = i.send("b@far.test", ["ann@mail.test"], body, **options)
        (message,) = self.ann.wait_messages(1)
        return reply, message.decode(), i.wait_log("accept msg ", "smtpd")[-1], i.wait_log("info msg ")[-1]

    def test_a_session_is_named_where_the_message_is(self):
        qmail_queue = relais.program("qmail-queue")
        i = self.made('message=$(cat; echo .)', f'{{ echo "X-Session: $QMAILSESSION"; printf %s "${{message%.}}"; }} | {qmail_queue}')
        for size in (0, 300000):
            with self.subTest(size=size):
                for path in self.ann.files():
                    path.unlink()
                reply, message, accepted, info = self.sent(i, BODY + "x" * 70 + "\n" + "line\n" * (size // 5))
                session = re.search(r"^X-Session: (\d+\.\d+)$", message, re.M).group(1)
                self.assertRegex(accepted, rf" bytes \d+ session {re.escape(session)}$")
                self.assertRegex(info, rf"info msg \d+: bytes \d+ from <b@far\.test> qp \d+ uid \d+ session {re.escape(session)}$")
                self.assertRegex(message, rf"\n  by mail\.test with ESMTP id {re.escape(session)}; ")
                # qp stays the process id of the program.
                self.assertRegex(reply.text, rf"^ok \d+ qp {re.search(r'accept msg ([0-9]+) ', accepted).group(1)}$")

    def test_a_filter_may_change_the_sender(self):
        """What else the session knew of the envelope is not for another one."""
        i = self.made("exec 3<&1; d=$(mktemp -d); cat >$d/message", "{ printf 'Fc@far.test\\0'; tail -c +13 <&3; } >$d/envelope",
                      f"{relais.program('qmail-queue')} <$d/message 1<$d/envelope; code=$?; rm -r $d; exit $code")
        _, _, accepted, info = self.sent(i)
        self.assertRegex(info, r" from <c@far\.test> .* session \d+\.\d+$")
        self.assertEqual(info.split()[-1], accepted.split()[-1])

    def test_without_a_filter_nothing_changes(self):
        i = self.made("exit 1")
        i.rules(':allow,RELAYCLIENT=""\n')
        _, message, accepted, info = self.sent(i)
        self.assertRegex(accepted, r" bytes \d+$")
        self.assertRegex(info, r" uid \d+$")
        self.assertRegex(message, r"\n  by mail\.test with ESMTP; ")

    def test_nobody_else_names_a_session(self):
        i = self.made("exit 1")
        done = i.run("qmail-inject", "ann@mail.test", env={"QMAILSESSION": "17.4"}, input="Subject: x\n\nx\n", user=self.ann)
        self.assertEqual(done.code, 0, done)
        self.ann.wait_messages(1)
        self.assertRegex(i.wait_log("info msg ")[-1], r" uid \d+$")


if __name__ == "__main__":
    relais.main()
