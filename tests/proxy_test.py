"""The PROXY protocol in front of qmail-smtpd's own listener: with a real haproxy, and with what none sends."""

import socket
import struct
import subprocess
import time
import unittest

from harness import peers
from harness import relais

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
RULES = '127.0.0.9:allow,RELAYCLIENT="",PERIP="1"\n127.0.0.8:deny\n127.0.0.1:allow,RELAYCLIENT=""\n:allow\n'
FOREIGN = "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"


def block(client, command=0x21, more=b""):
    addresses = socket.inet_aton(client) + socket.inet_aton("198.51.100.1") + struct.pack(">HH", 4711, 25) if client else b""
    return SIGNATURE + struct.pack(">BBH", command, 0x11 if client else 0, len(addresses) + len(more)) + addresses + more


class Proxy(relais.TestCase):
    def make(self, proxies="127.0.0.1", **control):
        """An instance whose listener has a place for proxies beside the usual one."""
        i = self.instance(control={"proxyhosts": proxies, **control})
        i.rules(RULES)
        self.place = relais.free_port()
        i.start_send()
        i.start_listener(args=["--proxy", f"127.0.0.1:{self.place}"])
        return i

    def connect(self, header, source=None, greeting=220):
        """A client that is greeted so. The place of the one before may be free a moment later only."""
        deadline = time.monotonic() + 20 * relais.PATIENCE
        while True:
            client = relais.Smtp(self.place, source=source, greeting=None)
            client.raw(header)
            if not greeting:
                return client
            client.greeting = client.reply()
            if client.greeting.code == greeting:
                return client
            client.close()
            if greeting != 220 or client.greeting.code != 421 or time.monotonic() > deadline:
                raise AssertionError(f"expected {greeting}, got: {client.greeting}")

    def rcpt(self, client, recipient="x@foreign.example"):
        client.command("EHLO client.test")
        client.command("MAIL FROM:<a@b.example>")
        client.line(f"RCPT TO:<{recipient}>")
        return str(client.reply())

    def test_the_headers_address_is_the_clients(self):
        i = self.make()
        bob = i.add_user("bob")
        headers = {"line": b"PROXY TCP4 127.0.0.9 198.51.100.1 4711 25\r\n", "block": block("127.0.0.9", more=b"\x04\0\3abc")}
        for name, header in headers.items():
            with self.subTest(name), self.connect(header) as client:
                self.assertEqual(self.rcpt(client), "250 ok")
                client.command("RSET")
                client.deliver("a@b.example", [bob.address], "Subject: x\n\n")
        for message in bob.wait_messages(2):
            self.assertRegex(message, rb"Received: from unknown \(HELO client\.test\) \(127\.0\.0\.9\)")
        self.assertTrue(any(" from 127.0.0.9 helo client.test " in line and " accept msg " in line for line in i.log("smtpd")))
        with self.connect(b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 25\r\n") as client:
            self.assertEqual(self.rcpt(client), FOREIGN)
        self.assertIn("refuse from 2001:db8::7 ", "\n".join(i.log("smtpd")))
        self.connect(block("127.0.0.8"), greeting=554).close()

    def test_limits_are_the_clients(self):
        self.make()
        with self.connect(block("127.0.0.9")), self.connect(block("127.0.0.7")), self.connect(block("127.0.0.7")):
            self.connect(block("127.0.0.9"), greeting=421).close()

    def test_who_is_not_named_has_no_right(self):
        i = self.make()
        bob = i.add_user("bob")
        for header in (b"PROXY UNKNOWN\r\n", block("", command=0x20), block("127.0.0.1", command=0x20), block("")):
            with self.connect(header) as client:
                self.assertEqual(self.rcpt(client), FOREIGN, header)
                client.command("RSET")
                client.deliver("a@b.example", [bob.address], "Subject: x\n\n")
        bob.wait_messages(4)
        self.assertTrue(any("refuse from unknown helo client.test " in line for line in i.log("smtpd")))

    def test_nothing_is_taken_without_a_header(self):
        i = self.make()
        for said in (b"EHLO x\r\n", b"PROXY TCP4 127.0.0.9 198.51.100.1\r\n", block("127.0.0.9")[:-2] + b"x" * 3 + b"\r\n", SIGNATURE + b"\x21\x11\xff\xff"):
            with relais.Smtp(self.place, greeting=None) as client:
                client.raw(said)
                if said[:12] != SIGNATURE or said[14:16] == b"\xff\xff":
                    client.expect_closed()
        i.wait_for(lambda: sum("reason closing: there is no PROXY header" in line for line in i.log("smtpd")) == 3, what="three log lines")
        with relais.Smtp(self.place, source="127.0.0.5", greeting=554):
            pass
        self.assertIn("control/proxyhosts does not list it", "\n".join(i.log("smtpd")))

    def test_a_header_that_nobody_asked_for(self):
        i = self.make()
        for header in (b"PROXY TCP4 127.0.0.9 198.51.100.1 4711 25\r\n", block("127.0.0.9") + b"\r\n"):
            with relais.Smtp(i.port) as client:
                client.raw(header + b"NOOP\r\n")
                replies = [str(client.reply())]
                while not replies[-1].startswith("421"):
                    replies.append(str(client.reply()))
                self.assertEqual(replies[-1], "421 this is SMTP and no other protocol, closing (#4.7.0)")
                client.expect_closed()

    def test_a_line_of_smtplisten(self):
        i = self.instance()
        numbers = [] if i.single else ["--numbers", i.base_id]
        for listener, code in ((["--own-listener"], 0), ([], 111)):
            home = i.directory / f"another{len(listener)}"
            made = i.run("qmail-setup", home, "--me", "mx.test", "--listen", "127.0.0.1", *listener, *numbers)
            self.assertEqual(made.code, 0, made)
            (home / "control/smtplisten").write_text("127.0.0.1 2525\n0 10025 proxy\n::1 10026 proxy\n")
            repaired = i.run("qmail-setup", "--repair", home)
            self.assertEqual(repaired.code != 0, bool(code), repaired)
            if code:
                self.assertIn("only qmail-smtpd's own listener", repaired.err)
                continue
            script = (home / "service/qmail-smtpd/run").read_text()
            places = script[script.index("set --"):script.index("exec env")] + 'printf "%s " "$@"'
            said = subprocess.run(["sh", "-c", places], cwd=home, capture_output=True, text=True, check=True).stdout
            self.assertEqual(said, "-l 127.0.0.1:2525 --proxy 0.0.0.0:10025 --proxy [::]:10025 --proxy [::1]:10026 ")

    @unittest.skipUnless(relais.IS_ROOT, "a whole haproxy needs root")
    def test_haproxy(self):
        i = self.make()
        bob = i.add_user("bob")
        ours = f"127.0.0.1:{self.place}"
        check = ["option smtpchk EHLO haproxy.test"]
        with peers.HAProxy((f"{ours} send-proxy check inter 100ms", check), (f"{ours} send-proxy-v2 check inter 100ms", check),
                           (f"{ours} send-proxy-v2-ssl-cn", [])) as haproxy:
            for number, port in enumerate(haproxy.ports):
                if number < 2:
                    i.wait_for(lambda n=number: haproxy.status(n) == "UP", what="a health check that passes")
                with relais.Smtp(port, source="127.0.0.9") as client:
                    self.assertEqual(self.rcpt(client), "250 ok")
                    client.command("RSET")
                    client.deliver("a@b.example", [bob.address], f"Subject: {number}\n\n")
                i.wait_for(lambda n=number: sum(" accept msg " in line and " from 127.0.0.9 " in line for line in i.log("smtpd")) == n + 1, what="its log line")
                with relais.Smtp(port, source="127.0.0.8", greeting=554):
                    pass
            bob.wait_messages(3)
            self.assertEqual([haproxy.status(number) for number in (0, 1)], ["UP", "UP"])


if __name__ == "__main__":
    relais.main()
