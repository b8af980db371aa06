"""relais beside the programs that it meets in the world: swaks, Postfix's smtp-source and smtp-sink, a whole Postfix in
both directions, both of Debian's tcpservers."""

import os
import subprocess
import unittest

from harness import peers
from harness import relais
from harness.sink import Sink


def run(command, environment=None, timeout=400):
    return subprocess.run([str(word) for word in command], env={**os.environ, **(environment or {})}, capture_output=True,
                          text=True, timeout=timeout)


class IntoUs(relais.TestCase):
    def setUp(self):
        self.i = self.instance()
        self.bob = self.i.add_user("bob")

    def swaks(self, *options):
        return run(["swaks", "--server", "127.0.0.1", "--port", self.i.port, "--from", "swaks@client.test", "--timeout", "120", *options])

    def test_swaks(self):
        self.i.start()
        done = self.swaks("--to", self.bob.address, "--header", "Subject: from swaks")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        done = self.swaks("--to", self.bob.address, "--pipeline", "--protocol", "ESMTP", "--body", "." * 200)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        first, second = self.bob.wait_messages(2)
        self.assertIn(b"Subject: from swaks", first)
        self.assertIn(b"\n" + b"." * 200, second)

    def test_swaks_is_refused_for_a_foreign_domain(self):
        self.i.start()
        done = self.swaks("--to", "x@elsewhere.example")
        self.assertEqual(done.returncode, 24, done.stdout)
        self.assertIn("553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", done.stdout)

    def source(self, address, count, *options):
        tree = peers.postfix()
        done = run([tree.program("smtp-source"), "-s", "10", "-m", count, "-l", "3000", "-f", "source@client.test", "-t",
                    self.bob.address, *options, f"{address}:{self.i.port}"], tree.environment)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_smtp_source_one_and_many_a_connection(self):
        self.i.start()
        self.source("127.0.0.1", 100)
        self.source("127.0.0.1", 200, "-d")
        self.assertEqual(len(self.bob.wait_messages(300, 60)), 300)

    def tcpserver(self, program, address):
        self.i.start(smtpd=program, address=address)
        self.source(f"[{address}]" if ":" in address else address, 50)
        (message, *_) = self.bob.wait_messages(50, 60)
        self.assertIn(f"({address})\n".encode(), message)
        self.i.rules('127.0.0.:allow,DATABYTES="100"\n:deny\n' if ":" not in address else "::1:deny\n:allow\n")

    def test_under_debians_ipv4_tcpserver(self):
        self.tcpserver(peers.ucspi_tcp().program("tcpserver"), "127.0.0.1")
        with self.i.smtp() as smtp:
            smtp.deliver("a@b.example", [self.bob.address], "x" * 70 + "\n" + "y" * 70 + "\n", 552)

    def test_under_debians_ipv6_tcpserver(self):
        self.tcpserver("tcpserver", "::1")

    @unittest.skipUnless(relais.IS_ROOT, "a whole Postfix needs root")
    def test_postfix_sends_to_us(self):
        self.i.start()
        with peers.Postfix(relayhost=f"[127.0.0.1]:{self.i.port}") as postfix:
            for number in range(20):
                with relais.Smtp(postfix.port) as smtp:
                    smtp.command("EHLO client.test")
                    smtp.deliver("a@client.test", [self.bob.address], f"Subject: {number}\n\n.dot\n" + "é" * 100 + "\n")
            messages = self.bob.wait_messages(20, 60)
        for message in messages:
            self.assertTrue(message.endswith("\n\n.dot\n".encode() + ("é" * 100 + "\n").encode()), message[-300:])


class OutOfUs(relais.TestCase):
    def relaying(self, port):
        i = self.instance(control={"smtproutes": f":127.0.0.1:{port}"})
        i.rules(':allow,RELAYCLIENT=""\n')
        return i.start()

    def test_into_smtp_sink(self):
        tree, port = peers.postfix(), relais.free_port()
        drop = ["-u", "nobody"] if relais.IS_ROOT else []
        for options in ([], ["-e"], ["-p"], ["-8"]):
            with self.subTest(options=options):
                sink = subprocess.Popen([tree.program("smtp-sink"), *drop, *options, f"127.0.0.1:{port}", "100"],
                                        env={**os.environ, **tree.environment})
                self.addCleanup(lambda p=sink: p.poll() is None and (p.kill(), p.wait()))
                self.assertTrue(relais.wait_until(lambda: peers.greets(port)))
                i = self.relaying(port)
                for _ in range(20):
                    i.send("a@b.example", ["x@sink.example"], "Subject: x\n\n.x\n")
                i.wait_empty()
                sink.terminate()
                sink.wait(60)

    @unittest.skipUnless(relais.IS_ROOT, "a whole Postfix needs root")
    def test_into_postfix(self):
        with peers.Postfix(deliver="post.test") as postfix:
            i = self.relaying(postfix.port)
            for number in range(20):
                i.send("a@b.example", [f"user{number}@post.test"], f"Subject: {number}\n\n.dot\n..\n{'é' * 100}\n")
            i.wait_empty()
            messages = postfix.wait_messages(20)
        for message in messages:
            self.assertTrue(message.endswith(f"\n\n.dot\n..\n{'é' * 100}\n".encode()), message[-300:])

    def test_postfix_refuses_and_the_sender_is_told_its_words(self):
        if not relais.IS_ROOT:
            self.skipTest("a whole Postfix needs root")
        with peers.Postfix(deliver="post.test", settings=("smtpd_relay_restrictions = reject_unauth_destination",
                                                          "mynetworks = 192.0.2.1/32")) as postfix:
            i = self.instance(control={"smtproutes": f":127.0.0.1:{postfix.port}"})
            i.rules(':allow,RELAYCLIENT=""\n')
            bob = i.add_user("bob")
            i.start()
            i.send(bob.address, ["x@foreign.example"], "Subject: x\n\nx\n")
            (bounce,) = bob.wait_messages(1)
        self.assertIn(b"Relay access denied", bounce)
        self.assertIn(b"Subject: failure notice", bounce)

    def test_one_connection_carries_many_messages(self):
        with Sink() as sink:
            i = self.instance(control={"smtproutes": f":127.0.0.1:{sink.port}", "concurrencyremote": "1"})
            i.rules(':allow,RELAYCLIENT=""\n')
            i.start()
            with i.smtp() as smtp:
                for _ in range(30):
                    smtp.deliver("a@b.example", ["x@sink.example"], "Subject: x\n\nx\n")
            i.wait_empty()
            self.assertEqual(len(sink.messages), 30)
            self.assertLess(sink.connections, 10)


if __name__ == "__main__":
    relais.main()
