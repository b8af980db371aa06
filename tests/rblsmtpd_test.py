"""rblsmtpd(1), with DNS, by itself and under tcpserver."""

import re

from harness import dns
from harness import relais

CLIENT = "11.22.33.44"
DIALOGUE = "EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<joe@mail.test>\r\nDATA\r\nRSET\r\nQUIT\r\n"
OK = "250 rblsmtpd.local"
ZONES = {
    "zen.example": '44.33.22.11 TXT "Blocked, see http://zen.example/44"\n45.33.22.11 TXT "first " "second"\n'
                   '7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2 TXT "six"\n'
                   f'46.33.22.11 TXT "{"x" * 250}"\n',
    "good.example": "44.33.22.11 A 127.0.0.2\n",
}


class Rblsmtpd(relais.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.zones = dns.Nsd(ZONES)
        cls.addClassCleanup(cls.zones.stop)

    def setUp(self):
        self.i = self.instance(control={"dnsservers": self.zones.server})
        dns.start_resolver(self.i)

    def refused(self, *options, client=CLIENT, **env):
        """The reply to RCPT; None for a client that is let through."""
        result = self.i.run("rblsmtpd", *options, "echo", "served", input=DIALOGUE, env={"TCPREMOTEIP": client, **env})
        self.assertEqual(result.code, 0, result)
        if result.out == "served\n":
            return None
        lines = result.out.split("\r\n")
        reply = lines[3]
        self.assertEqual(lines, ["220 rblsmtpd.local", OK, OK, reply, reply, OK, "221 rblsmtpd.local", ""])
        self.assertRegex(result.err, rf"\Arblsmtpd: {re.escape(client)} pid \d+: {re.escape(reply)}\n\Z")
        return reply

    def serve(self, *options):
        self.i.start_tcpserver(command=[relais.program("rblsmtpd"), *options, relais.program("qmail-smtpd")])

    def test_lists(self):
        text = "Blocked, see http://zen.example/44"
        self.assertEqual(self.refused("-r", "zen.example"), "451 " + text)
        self.assertEqual(self.refused("-rzen.example", "-b"), "553 " + text)
        self.assertEqual(self.refused("-b", "-B", "-rzen.example"), "451 " + text)
        self.assertEqual(self.refused("-r", "zen.example", client="11.22.33.45"), "451 first second")
        self.assertEqual(self.refused("-r", "zen.example", client="11.22.33.46"), "451 " + "x" * 200)
        self.assertEqual(self.refused("-r", "zen.example", client="2001:db8::7"), "451 six")
        for other in ("11.22.33.99", "unknown"):
            self.assertIsNone(self.refused("-r", "zen.example", client=other))
        self.assertIsNone(self.refused())

    def test_white_lists_count_in_their_order(self):
        self.assertIsNone(self.refused("-a", "good.example", "-r", "zen.example"))
        self.assertIsNotNone(self.refused("-r", "zen.example", "-a", "good.example"))
        self.assertIsNotNone(self.refused("-a", "good.example", "-r", "zen.example", client="11.22.33.45"))

    def test_a_list_that_does_not_answer(self):
        self.assertIsNone(self.refused("-r", "gone.example"))
        self.assertIsNone(self.refused("-c", "-C", "-r", "gone.example"))
        self.assertEqual(self.refused("-c", "-r", "gone.example"), "451 temporary RBL lookup error")
        self.assertIsNone(self.refused("-c", "-a", "gone.example"))

    def test_the_variable_stands_for_all_lists(self):
        self.assertIsNone(self.refused("-r", "zen.example", RBLSMTPD=""))
        self.assertEqual(self.refused(RBLSMTPD="come later"), "451 come later")
        self.assertEqual(self.refused("-r", "zen.example", RBLSMTPD="-go away"), "553 go away")

    def test_usage(self):
        for words in ((), ("-x", "true"), ("-t", "soon", "true"), ("-r",)):
            result = self.i.run("rblsmtpd", *words)
            self.assertEqual(result.code, 100, result)
            self.assertIn("usage: rblsmtpd", result.err)

    def test_a_client_has_its_time(self):
        self.i.rules(':allow,RBLSMTPD="wait"\n')
        self.serve("-t", "1")
        with relais.Smtp(self.i.port, "127.0.0.1", greeting=None) as client:
            self.assertEqual(client.read_line(), "220 rblsmtpd.local")
            client.expect_closed()

    def test_in_front_of_qmail_smtpd(self):
        self.i.rules('127.0.0.2:allow,RBLSMTPD="-go away"\n:allow\n')
        self.serve("-r", "zen.example")
        with self.i.smtp() as client:
            client.command("MAIL FROM:<a@b.example>")
        with relais.Smtp(self.i.port, "127.0.0.1", source="127.0.0.2", greeting=None) as client:
            self.assertEqual(client.read_line(), "220 rblsmtpd.local")
            for command, reply in (("EHLO x", OK), ("RCPT TO:<joe@mail.test>", "553 go away")):
                client.line(command)
                self.assertEqual(client.read_line(), reply)


if __name__ == "__main__":
    relais.main()
