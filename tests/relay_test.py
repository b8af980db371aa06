"""From the queue to other servers: a whole instance, DNS from nsd, and the French document's mail to sleekzine.com."""

import signal

from harness import dns
from harness import relais
from harness.fake_smtp import FakeServer, SilentHost

ZONE = """
sleekzine MX 20 mail2.sleekzine
sleekzine MX 30 mail3.sleekzine
sleekzine MX 10 mail1.sleekzine
mail1.sleekzine A 127.0.0.21
mail2.sleekzine A 127.0.0.22
mail3.sleekzine A 127.0.0.23
sm66 MX 10 mail.sm66
mail.sm66 A 127.0.0.24
"""
DEFERRAL = "deferral: Sorry,_I_wasn't_able_to_establish_an_SMTP_connection._(#4.4.1)/"
HELLO = "Subject: test\n\ntest\n"


class Relay(relais.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.nsd = dns.Nsd({"test": ZONE})

    @classmethod
    def tearDownClass(cls):
        cls.nsd.stop()

    def start(self, port):
        i = self.instance(control={"dnsservers": self.nsd.server, "smtproutes": f"::{port}", "privatemx": ".test",
                                   "timeoutconnect": "1"})
        i.start_send()
        return i

    def inject(self, i, *recipients):
        result = i.run("qmail-inject", "-f", "root@mail.test", *recipients, input=HELLO)
        self.assertEqual(result.code, 0, result)

    def test_three_servers_silent_silent_refused(self):
        port = relais.free_port()
        for address in ("127.0.0.21", "127.0.0.22"):
            silent = SilentHost(address, port)
            self.addCleanup(silent.stop)
        i = self.start(port)
        self.inject(i, "response@sleekzine.test")
        i.wait_log("starting delivery 1: msg")
        (line,) = i.wait_log("delivery 1: deferral", seconds=30)
        self.assertIn(DEFERRAL, line)
        # The third one comes back; the queue tries again when it is told to.
        with FakeServer("127.0.0.23", port) as server:
            i.kill("qmail-send", signal.SIGALRM)
            i.wait_empty(40)
            self.assertEqual(len(server.messages), 1)
            self.assertIn(b"\r\nSubject: test\r\n", server.messages[0])

    def test_out_of_connection_slots(self):
        with FakeServer("127.0.0.24", greeting=b"421 newd1.sm66.com out of connection slots\r\n") as server:
            i = self.start(server.port)
            self.inject(i, "dr_adams@sm66.test")
            (line,) = i.wait_log("delivery 1: deferral", seconds=30)
            self.assertIn("deferral: Connected_to_127.0.0.24_but_greeting_failed./Remote_host_said:_"
                          "421_newd1.sm66.com_out_of_connection_slots/", line)

    def test_refused_for_good_comes_back_with_the_words(self):
        with FakeServer("127.0.0.24", RCPT=b"550-5.1.1 nobody here\r\n550 of that name\r\n") as server:
            i = self.start(server.port)
            root = i.add_user("root")
            self.inject(i, "nobody@sm66.test")
            (bounce,) = root.wait_messages(1)
            for text in (b"<nobody@sm66.test>:\n127.0.0.24 does not like recipient.\n",
                         b"Remote host said: 550-5.1.1 nobody here\n550 of that name\nGiving up on 127.0.0.24.\n"):
                self.assertIn(text, bounce)

    def test_many_messages_share_connections(self):
        with FakeServer("127.0.0.24") as server:
            i = self.start(server.port)
            for n in range(30):
                self.inject(i, f"u{n}@sm66.test")
            i.wait_empty(60)
            self.assertEqual(len(server.messages), 30)
            self.assertLess(len(server.sessions), 30)


if __name__ == "__main__":
    relais.main()
