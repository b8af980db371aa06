"""qmail-qmtpd, qmail-qmqpd and qmail-qmqpc: whole programs under tcpserver, with a whole instance behind them, and with Postfix's
programs at the other end."""

import re
import signal
import socket
import subprocess

from harness import peers
from harness import relais

RULES = '127.0.0.2:allow,RELAYCLIENT=""\n127.0.0.3:allow,DATABYTES="20"\n:allow\n'


def netstring(data):
    data = relais.octets(data)
    return b"%d:%s," % (len(data), data)


def package(text, sender, *recipients):
    return netstring(text) + netstring(sender) + netstring(b"".join(map(netstring, recipients)))


def read_netstrings(connection, count):
    """So many answers; fewer if the server closes before."""
    data, found = b"", []
    while len(found) < count:
        whole = re.match(rb"(\d+):", data)
        if whole and len(data) > whole.end() + int(whole[1]):
            end = whole.end() + int(whole[1])
            found.append(data[whole.end():end].decode())
            data = data[end + 1:]
        elif piece := connection.recv(65536):
            data += piece
        else:
            break
    return found


class Server(relais.TestCase):
    PROGRAM = None

    def setUp(self):
        self.i = self.instance(control={"rcpthosts": "mail.test"})
        self.bob = self.i.add_user("bob")
        self.i.rules(RULES)
        self.i.start_send()
        self.port = self.serve(self.PROGRAM)

    def serve(self, name):
        port = relais.free_port()
        uid, gid = self.i.ids("qmaild")
        drop = ["-u", uid, "-g", gid] if relais.IS_ROOT and not self.i.single else []
        self.i.spawn(name, ["tcpserver", "-RH", "-l0", "-x", self.i.home / "tcp.smtp.cdb", *drop, "127.0.0.1", port, relais.program(name)],
                     self.i.ids("qmaild") if self.i.single else None)

        def answers():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0
        self.i.wait_for(answers, what=f"{name} on port {port}")
        return port

    def connect(self, source="127.0.0.1"):
        return socket.create_connection(("127.0.0.1", self.port), 120, (source, 0))

    def say(self, data, answers=1, source="127.0.0.1"):
        with self.connect(source) as connection:
            connection.sendall(data)
            return read_netstrings(connection, answers)


class Qmtpd(Server):
    PROGRAM = "qmail-qmtpd"

    def test_delivers_and_refuses(self):
        answers = self.say(package("\nSubject: one\n\nhi\n", "a@x.test", self.bob.address, "c@elsewhere.test") +
                           package("\rSubject: two\r\n\r\nho\r\n", "", self.bob.address), 3)
        self.assertRegex(answers[0], r"^Kok \d{10} qp \d+$")
        self.assertEqual(answers[1], "Dsorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)")
        one, two = sorted(self.bob.wait_messages(2), key=lambda m: b"two" in m)
        self.assertRegex(one, rb"Received: from unknown \(127\.0\.0\.1\)\n  by 0 with QMTP; .*-0000\nSubject: one\n\nhi\n$")
        self.assertTrue(two.endswith(b"Subject: two\n\nho\n"))
        self.i.wait_log("refuse from 127.0.0.1 sender <a@x.test> rcpt <c@elsewhere.test>", self.PROGRAM)

    def test_the_rules_variables(self):
        self.assertRegex(self.say(package("\nx\n", "a@x.test", "c@elsewhere.invalid"), source="127.0.0.2")[0], "^Kok ")
        self.assertEqual(self.say(package("\n" + "x" * 21, "a@x.test", self.bob.address), source="127.0.0.3"),
                         ["Dsorry, that message size exceeds my databytes limit (#5.3.4)"])

    def test_the_policy_is_that_of_smtp(self):
        self.i.control("badmailfrom", "bad@x.test")
        self.i.control("recipientcheck", "on")
        self.assertEqual(self.say(package("\nx\n", "bad@x.test", self.bob.address)),
                         ["Dsorry, your envelope sender is in my badmailfrom list (#5.7.1)"])
        self.assertEqual(self.say(package("\nx\n", "a@x.test", "nobody@mail.test")), ["Dsorry, no mailbox here by that name (#5.1.1)"])

    def test_clients_that_break_off_leave_nothing(self):
        whole = package("\nSubject: x\n", "a@x.test", self.bob.address)
        for size in (1, len(whole) // 2, len(whole) - 1):
            with self.connect() as connection:
                connection.sendall(whole[:size])
        with self.connect() as connection:
            connection.sendall(b"EHLO x\r\n")
            self.assertEqual(read_netstrings(connection, 1), [])
        self.assertEqual(self.i.queue_files(), [])

    def test_when_the_queue_is_away(self):
        self.i.running["send"].terminate()
        self.i.running["send"].wait(120)
        self.assertRegex(self.say(package("\nx\n", "a@x.test", self.bob.address))[0], r"^Z.*\(#4\.\d\.\d\)$")

    def test_a_large_message(self):
        body = b"\n" + b"0123456789abcdef\n" * 300000
        self.assertRegex(self.say(package(body, "a@x.test", self.bob.address))[0], "^Kok ")
        self.assertTrue(self.bob.wait_messages(1)[0].endswith(body[1:]))


class Qmqp(Server):
    PROGRAM = "qmail-qmqpd"

    def null_client(self, *servers):
        """An instance that has no queue: its QMAILQUEUE is qmail-qmqpc."""
        client = self.instance(control={"qmqpservers": "\n".join(servers)})
        client.environment["QMAILQUEUE"] = relais.program("qmail-qmqpc")
        return client

    def submit(self, client, sender, recipients, message="Subject: x\n\nhello\n"):
        """By qmail-qmqpc as software that was made for qmail runs qmail-queue."""
        envelope = b"F" + relais.octets(sender) + b"\0" + b"".join(b"T" + relais.octets(r) + b"\0" for r in recipients) + b"\0"
        files = []
        for name, data in (("message", relais.octets(message)), ("envelope", envelope)):
            path = client.directory / name
            path.write_bytes(data)
            files.append(open(path, "rb"))
        done = subprocess.run([relais.program("qmail-qmqpc")], stdin=files[0], stdout=files[1], env=client.environment, timeout=300)
        for file in files:
            file.close()
        return done.returncode

    def test_a_null_client(self):
        client = self.null_client(f"127.0.0.1:{relais.free_port()}", f"127.0.0.1:{self.port}")
        self.assertEqual(self.submit(client, "a@x.test", [self.bob.address, "c@elsewhere.invalid"]), 0)
        (message,) = self.bob.wait_messages(1)
        self.assertRegex(message, rb"with QMQP; .*-0000\nSubject: x\n\nhello\n$")
        result = client.run("qmail-inject", "-fa@x.test", self.bob.address, input="Subject: by inject\n\nx\n")
        self.assertEqual(result.code, 0, result)
        self.assertIn(b"Subject: by inject\n", b"".join(self.bob.wait_messages(2)))

    def test_exit_codes(self):
        self.assertEqual(self.submit(self.null_client("# none", "host.test"), "a@x.test", ["b@x.test"]), 55)
        self.assertEqual(self.submit(self.null_client(f"127.0.0.1:{relais.free_port()}"), "a@x.test", ["b@x.test"]), 73)
        client = self.null_client(f"127.0.0.1:{self.port}")
        self.assertEqual(self.submit(client, "a" * 1003, ["b@x.test"]), 11)
        self.assertEqual(self.submit(client, "a@x.test", ["b\n@x.test"]), 31)
        self.assertEqual(self.submit(client, "a@x.test", []), 31)
        for envelope, code in ((b"", 54), (b"x", 91), (b"Fa\0Tb", 91)):
            path = client.directory / "broken"
            path.write_bytes(envelope)
            with open(path, "rb") as broken:
                done = subprocess.run([relais.program("qmail-qmqpc")], input=None, stdin=subprocess.DEVNULL, stdout=broken, env=client.environment)
            self.assertEqual(done.returncode, code, envelope)
        self.i.running["send"].terminate()
        self.i.running["send"].wait(120)
        self.assertEqual(self.submit(client, "a@x.test", [self.bob.address]), 71)

    def test_a_server_that_breaks_off(self):
        """Before it has the message the next one gets it; behind that nobody does, for it may have it."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            client = self.null_client(f"127.0.0.1:{server.getsockname()[1]}", f"127.0.0.1:{self.port}")
            path = client.directory / "in"
            path.write_bytes(b"x" * 30_000_000)
            envelope = client.directory / "envelope"
            envelope.write_bytes(b"Fa@x.test\0T" + relais.octets(self.bob.address) + b"\0\0")
            with open(path, "rb") as message, open(envelope, "rb") as addresses:
                running = subprocess.Popen([relais.program("qmail-qmqpc")], stdin=message, stdout=addresses, env=client.environment)
                with server.accept()[0] as connection:
                    connection.recv(1000)
                self.assertEqual(running.wait(300), 0)
            self.assertEqual(len(self.bob.wait_messages(1)), 1)
            with open(path, "rb") as message, open(envelope, "rb") as addresses:
                running = subprocess.Popen([relais.program("qmail-qmqpc")], stdin=message, stdout=addresses, env=client.environment)
                with server.accept()[0] as connection:
                    while not connection.recv(1 << 20).endswith(b",,"):
                        pass
                self.assertEqual(running.wait(300), 74)
        self.assertEqual(len(self.bob.messages()), 1)

    def test_postfix_as_client(self):
        source = peers.postfix()
        done = subprocess.run([source.program("qmqp-source"), "-m", "20", "-s", "4", "-l", "2000", "-f", "a@x.test", "-t", self.bob.address,
                               f"inet:127.0.0.1:{self.port}"], env=source.environment, capture_output=True, timeout=300)
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(len(self.bob.wait_messages(20)), 20)

    def test_postfix_as_server(self):
        sink = peers.postfix()
        port = relais.free_port()
        running = subprocess.Popen([sink.program("qmqp-sink"), f"inet:127.0.0.1:{port}", "10"], env=sink.environment)
        try:
            def answers():
                with socket.socket() as s:
                    return s.connect_ex(("127.0.0.1", port)) == 0
            self.assertTrue(relais.wait_until(answers))
            self.assertEqual(self.submit(self.null_client(f"127.0.0.1:{port}"), "a@x.test", ["b@x.test", "c@x.test"]), 0)
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(60)



if __name__ == "__main__":
    relais.main()
