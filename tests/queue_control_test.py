"""The queue tools beside a running qmail-send. Mail for far.test goes to a port where nobody listens, so it is tried,
deferred, and stays."""

import json
import socket

from harness import relais


class Control(relais.TestCase):
    def setUp(self):
        self.closed = socket.socket()
        self.closed.bind(("127.0.0.1", 0))
        self.addCleanup(self.closed.close)
        port = self.closed.getsockname()[1]
        self.i = self.instance(control={"smtproutes": f"far.test:[127.0.0.1]:{port}\n", "privatemx": "far.test"})
        self.i.start_send()

    def inject(self, sender, *recipients):
        before = set(self.i.queue_files())
        self.assertEqual(self.i.submit(sender, recipients), 0)
        (new,) = set(self.i.queue_files()) - before
        return new.name

    def deferred(self, sender="a@mail.test", recipient="x@far.test"):
        """A message that has been tried and deferred."""
        number = self.inject(sender, recipient)
        self.i.wait_for(lambda: self.one(number)["tries"] > 0, 60, "a first try")
        return number

    def list(self, *args):
        return self.i.run("queue-list", *args)

    def one(self, number):
        (message,) = json.loads(self.list("show", number, "--json").out)
        return message

    def test_a_deferred_message_says_why_it_waits(self):
        number = self.deferred()
        message = self.one(number)
        self.assertEqual(message["state"], "deferred")
        self.assertRegex(message["last_error"], r"#4\.4\.1")
        self.assertGreater(message["next_try"], message["last_try"])
        self.assertIn("next try", message["why"])
        self.assertRegex(self.list().out, rf"\n{number} .* deferred +1 ")
        self.assertRegex(self.i.run("qmail-qread").out, rf"#{number}  \d+  <a@mail\.test>\n\tremote\tx@far\.test\n")

    def test_qstat(self):
        self.deferred()
        self.assertEqual(self.i.run("qmail-qstat").out,
                         "messages in queue: 1\nmessages in queue but not yet preprocessed: 0\n")

    def test_a_retry_asked_for_while_it_is_away_comes_at_the_start(self):
        number = self.deferred()
        self.i.stop()
        # An hour older: after a start its turn would come at some moment within ten minutes.
        old = str(int(number) - 3600 * 10**6)
        path = self.i.queue_files()[0]
        path.rename(path.with_name(old))
        tries = self.one(old)["tries"]
        result = self.list("retry", old)
        self.assertEqual((result.code, result.out), (0, f"{old}: to be tried now when qmail-send runs\n"))
        self.i.start_send()
        self.i.wait_for(lambda: self.one(old)["tries"] > tries, 60, "the try")
        self.assertFalse((self.i.home / "queue/retry").exists())

    def test_a_destination_limit_says_why_a_message_waits(self):
        self.i.control("destinationlimits", "far.test:::0.001")
        self.i.kill("qmail-send", 1)
        self.deferred()
        waiting = self.inject("a@mail.test", "y@far.test")
        self.i.wait_for(lambda: "destinationlimits" in self.one(waiting)["why"] or "back-off" in self.one(waiting)["why"], 60, "the reason")

    def test_hold_and_release(self):
        number = self.deferred()
        self.assertEqual(self.list("hold", number).code, 0)
        self.assertEqual(self.one(number)["state"], "held")
        self.assertIn("held", self.one(number)["why"])
        result = self.list("retry", number)
        self.assertEqual(result.code, 1)
        self.assertIn("the message is held", result.err)
        self.assertEqual(self.list("release", number).out, f"{number}: released\n")
        self.i.wait_for(lambda: self.one(number)["tries"] > 1, 60, "a try after release")
        self.assertFalse(self.one(number)["held"])

    def test_retry(self):
        number = self.deferred()
        self.assertEqual(self.list("retry", "--domain", "far.test").code, 0)
        self.i.wait_for(lambda: self.one(number)["tries"] > 1, 60, "another try")

    def test_delete(self):
        number = self.deferred()
        self.assertEqual(self.list("delete", number, "--yes").out, f"{number}: deleted\n")
        self.i.wait_empty()
        self.i.wait_log(f"end msg {number}")
        self.assertEqual(self.list("show", number).code, 1)

    def test_bounce_goes_to_the_sender(self):
        ann = self.i.add_user("ann")
        number = self.deferred(sender=ann.address)
        self.assertEqual(self.list("bounce", number, "--yes").code, 0)
        (message,) = ann.wait_messages(1)
        self.assertIn(b"Subject: failure notice", message)
        self.assertRegex(message, rb"(?s)<x@far\.test>:\n.*The postmaster of this host has given this message up\.\n\n--- Below")
        self.i.wait_empty()

    def test_a_bounce_asked_for_while_qmail_send_was_away(self):
        ann = self.i.add_user("ann")
        number = self.deferred(sender=ann.address)
        self.i.stop()
        self.assertEqual(self.list("bounce", number, "--yes").out, f"{number}: bounced when qmail-send runs\n")
        self.i.start_send()
        (message,) = ann.wait_messages(1, 60)
        self.assertRegex(message, rb"(?s)<x@far\.test>:\n.*#4\.4\.1.*\nThe postmaster of this host has given this message up\.\n\n--- Below")
        self.i.wait_empty(60)

    def test_what_was_held_while_it_was_away_stays_held(self):
        number = self.deferred()
        tries = self.one(number)["tries"]
        self.i.stop()
        self.assertEqual(self.list("hold", number).code, 0)
        self.i.start_send()
        self.i.wait_for(lambda: "held" in self.one(number)["why"] and "releases" in self.one(number)["why"], 30, "the scan")
        self.assertEqual(self.one(number)["tries"], tries)

    def test_only_the_administrator_may_ask(self):
        if not relais.IS_ROOT:
            self.skipTest("needs a second user")
        self.inject("a@mail.test", "x@far.test")
        stranger = relais.User(self.i, "stranger", 65534, 65534, self.i.directory)
        for program in ("queue-list", "qmail-qstat", "qmail-qread"):
            result = self.i.run(program, user=stranger)
            self.assertEqual((result.code, result.out), (100, ""), program)
        self.assertIn("run this as root", self.i.run("queue-list", "delete", "--all", "--yes", user=stranger).err)


if __name__ == "__main__":
    relais.main()
