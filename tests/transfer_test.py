"""When a message is sent, and in which order: FUTURERELEASE, DELIVERBY, MT-PRIORITY, through the whole instance."""

import json
import re
import unittest

from dsn_test import parts
from harness import relais
from send_test import HELLO, SendTest

EHLO = b"250-fake.test\r\n250-DELIVERBY 5\r\n250-MT-PRIORITY\r\n250 8BITMIME\r\n"


class TransferTest(SendTest):
    def send(self, i, recipient, parameters, sender="bob@mail.test"):
        with i.smtp() as smtp:
            smtp.command(f"MAIL FROM:<{sender}> {parameters}")
            smtp.command(f"RCPT TO:<{recipient}>")
            smtp.command("DATA", 354)
            smtp.raw(HELLO.replace("\n", "\r\n") + ".\r\n")
            smtp.expect(250)
        return int(i.queue_files()[-1].name) if i.queue_files() else None

    def listed(self, i):
        return json.loads(i.run("queue-list", "--json").out)


class Released(TransferTest):
    def test_at_its_time_over_a_restart_and_at_once_by_hand(self):
        i = self.make(futurerelease="86400", keeptrace="14 1G").start()
        with i.smtp() as smtp:
            (offer,) = [line for line in smtp.command("EHLO client.test").lines if "FUTURERELEASE" in line]
            self.assertRegex(offer, r"FUTURERELEASE 86400 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
            smtp.command("MAIL FROM:<a@mail.test> HOLDFOR=90000", 501)
        first = self.send(i, "bob@mail.test", "HOLDFOR=3600")
        i.wait_for(lambda: "released at" in self.ask(i, f"why {first}"), 20, "the message is kept")
        (seen,) = self.listed(i)
        self.assertEqual((seen["state"], seen["tries"]), ("later", 0))
        self.assertRegex(seen["why"], r"^released at .* GMT")
        self.assertGreater(seen["next_try"], seen["birth"] + 3500)
        self.assertIn("released at", i.run("queue-list").out)
        i.wait_for(lambda: "released at" in i.run("qmail-trace", str(first)).out, 20, "the trace of it")
        i.stop()
        i.start()
        i.wait_for(lambda: "released at" in self.ask(i, f"why {first}"), 20, "the message is kept again")
        self.ask(i, "flush")
        self.assertEqual(self.bob.messages(), [])
        self.assertEqual(i.run("queue-list", "release", str(first)).code, 0)
        self.bob.wait_messages(1)
        i.wait_empty()
        self.send(i, "bob@mail.test", "HOLDFOR=1")
        self.bob.wait_messages(2)
        i.wait_empty()

    def test_not_for_strangers_nor_without_the_file(self):
        i = self.make().start()
        with i.smtp() as smtp:
            self.assertNotIn("FUTURERELEASE", "".join(smtp.command("EHLO client.test").lines))
            smtp.command("MAIL FROM:<a@mail.test> HOLDFOR=1", 555)
            smtp.command("MAIL FROM:<a@mail.test> BY=100;R", 555)
            smtp.command("MAIL FROM:<a@mail.test> MT-PRIORITY=1", 555)
        for name, value in (("futurerelease", "100"), ("deliverby", "1"), ("mtpriority", "1")):
            i.control(name, value)
        i.rules(":allow\n")
        with i.smtp() as smtp:
            lines = "".join(smtp.command("EHLO client.test").lines)
            for word in ("FUTURERELEASE", "DELIVERBY", "MT-PRIORITY"):
                self.assertNotIn(word, lines)
            smtp.command("MAIL FROM:<a@mail.test> HOLDFOR=1", 555)


class InTime(TransferTest):
    def test_a_server_that_promises_it_hears_the_time_and_the_priority(self):
        server = self.server(EHLO=EHLO)
        i = self.routed(server, deliverby="1", mtpriority="1").start()
        self.send(i, "ann@far.test", "BY=600;RT MT-PRIORITY=4")
        (report,) = self.bob.wait_messages(1)
        i.wait_empty()
        mail = [c.decode() for c in server.sessions[0].commands if c.startswith(b"MAIL")]
        left = re.search(r" BY=(\d+);RT MT-PRIORITY=4", mail[0])
        self.assertTrue(left and 0 < int(left[1]) <= 600, mail)
        message, (text, status, copy) = parts(report)
        head, recipient = status.get_payload()
        self.assertEqual(recipient["Action"], "relayed")
        self.assertTrue(head["Deliver-By-Date"])

    def test_one_that_does_not_gets_nothing_that_is_to_come_back(self):
        server = self.server()
        i = self.routed(server, deliverby="1", bounceformat="both").start()
        self.send(i, "ann@far.test", "BY=600;R")
        (report,) = self.bob.wait_messages(1)
        i.wait_empty()
        self.assertIn(b"DELIVERBY", report)
        message, (text, status, copy) = parts(report)
        head, recipient = status.get_payload()
        self.assertEqual((recipient["Action"], recipient["Status"]), ("failed", "5.4.7"))
        # What is only to be told of goes on, and that is told.
        self.send(i, "ann@far.test", "BY=600;N")
        reports = self.bob.wait_messages(2)
        i.wait_empty()
        self.assertIn(b"relayed", reports[1])
        self.assertNotIn(b"BY=", b" ".join(server.sessions[-1].commands))

    def test_what_is_late_goes_back(self):
        server = self.server(**{"RCPT": b"450 later\r\n"})
        i = self.routed(server, deliverby="1", bounceformat="both").start()
        self.send(i, "ann@far.test", "BY=4;N")
        (report,) = self.bob.wait_messages(1)
        self.assertIn(b"Action: delayed", report)


if __name__ == "__main__":
    unittest.main()
