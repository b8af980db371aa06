"""qmail-resolver against a real nsd, a server that never answers, and hostile clients."""

import os
import socket
import struct
import threading
import time

from harness import dns
from harness import relais

A, CNAME, MX, TXT, AAAA = 1, 5, 15, 16, 28
FOUND, NO_SUCH_NAME, NO_SUCH_RECORD, FAILED = 0, 1, 2, 3

ZONE = r"""
@ MX 20 mx2
@ MX 10 mx1
mx1 A 192.0.2.1
mx2 A 192.0.2.2
mx2 AAAA 2001:db8::2
null MX 0 .
alias CNAME mx2
aliasmx CNAME @
loop1 CNAME loop2
loop2 CNAME loop1
text TXT "one " "two"
odd MX 5 a\046b
broken NS ns.broken
ns.broken A 127.0.0.1
"""


class Client:
    """Asks as our programs do, or as no program of ours would."""

    def __init__(self, instance):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(90)
        self.socket.connect(str(instance.home / "sockets" / "resolver"))

    def __del__(self):
        self.socket.close()

    def send(self, kind, name):
        body = struct.pack("<H", kind) + name.encode("latin-1")
        self.socket.sendall(struct.pack("<H", len(body)) + body)

    def exactly(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def answer(self):
        """(status, records); a record is (preference, text)."""
        body = self.exactly(struct.unpack("<I", self.exactly(4))[0])
        canonical, rest = body[6:].split(b"\0", 1)
        self.canonical, self.ttl = canonical.decode(), struct.unpack("<I", body[2:6])[0]
        (count,) = struct.unpack("<H", rest[:2])
        rest, records = rest[2:], []
        for _ in range(count):
            text, after = rest[2:].split(b"\0", 1)
            records.append((struct.unpack("<H", rest[:2])[0], text.decode()))
            rest = after
        assert rest == b""
        return body[0], records

    def ask(self, kind, name):
        self.send(kind, name)
        return self.answer()

    def closed(self):
        return self.socket.recv(1) == b""


class Together:
    """A DNS server that answers, with 192.0.2.9, only when it has been asked for so many names."""

    def __init__(self, count):
        self.count = count
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.server = f"127.0.0.1@{self.socket.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        questions = {}
        while True:
            question, client = self.socket.recvfrom(4096)
            if question == b"end":
                return
            end = question.index(b"\0", 12) + 5
            questions[question[12:end].lower()] = (question, end, client)
            if len(questions) >= self.count:
                for known in questions.values():
                    self._answer(*known)

    def _answer(self, question, end, client):
        header = question[:2] + b"\x81\x80" + struct.pack(">4H", 1, 1, 0, 0)
        record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton("192.0.2.9")
        self.socket.sendto(header + question[12:end] + record, client)

    def stop(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"end", self.socket.getsockname())
        self.thread.join()
        self.socket.close()


class Resolver(relais.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.nsd = dns.Nsd({"test": ZONE})

    @classmethod
    def tearDownClass(cls):
        cls.nsd.stop()

    def resolver(self, server=None, **control):
        i = self.instance(control={"dnsservers": server or self.nsd.server, **control})
        dns.start_resolver(i)
        i.wait_log("asking", "resolver", 8)
        return i

    def test_records(self):
        client = Client(self.resolver())
        status, records = client.ask(MX, "test")
        self.assertEqual((status, sorted(records)), (FOUND, [(10, "mx1.test"), (20, "mx2.test")]))
        self.assertEqual(client.ask(A, "MX1.test."), (FOUND, [(0, "192.0.2.1")]))
        self.assertLessEqual(client.ttl, 300)
        self.assertEqual(client.ask(AAAA, "mx2.test"), (FOUND, [(0, "2001:db8::2")]))
        self.assertEqual(client.ask(TXT, "text.test"), (FOUND, [(0, "one two")]))
        self.assertEqual(client.ask(MX, "null.test"), (FOUND, [(0, "")]))
        self.assertEqual(client.ask(A, "alias.test"), (FOUND, [(0, "192.0.2.2")]))
        self.assertEqual(client.canonical, "mx2.test")
        self.assertEqual(len(client.ask(MX, "aliasmx.test")[1]), 2)
        self.assertEqual(client.ask(MX, "odd.test"), (FOUND, [(5, "a\\046b.test")]))

    def test_what_is_not_there_is_told_apart(self):
        client = Client(self.resolver())
        self.assertEqual(client.ask(MX, "no.such.test"), (NO_SUCH_NAME, []))
        self.assertEqual(client.ask(AAAA, "mx1.test"), (NO_SUCH_RECORD, []))
        self.assertEqual(client.ask(MX, "mx1.test"), (NO_SUCH_RECORD, []))
        # nsd refuses what it is not asked to serve; an alias that points at itself has no end.
        self.assertEqual(client.ask(MX, "elsewhere.example"), (FAILED, []))
        self.assertEqual(client.ask(A, "loop1.test")[0], FAILED)

    def test_many_questions_are_answered_in_their_order(self):
        client = Client(self.resolver())
        asked = [(A, "mx1.test"), (MX, "no.such.test"), (A, "a..b"), (TXT, "text.test"), (AAAA, "mx2.test"),
                 (A, "localhost")] * 20
        for kind, name in asked:
            client.send(kind, name)
        wanted = [(FOUND, [(0, "192.0.2.1")]), (NO_SUCH_NAME, []), (NO_SUCH_NAME, []), (FOUND, [(0, "one two")]),
                  (FOUND, [(0, "2001:db8::2")]),
                  (FOUND, [(0, "127.0.0.1")])] * 20
        self.assertEqual([client.answer() for _ in asked], wanted)

    def test_many_questions_are_looked_up_together(self):
        server = Together(16)
        self.addCleanup(server.stop)
        client = Client(self.resolver(server.server))
        for number in range(16):
            client.send(A, f"host{number}.test")
        self.assertEqual([client.answer() for _ in range(16)], [(FOUND, [(0, "192.0.2.9")])] * 16)

    def test_a_client_that_goes_leaves_nothing_behind(self):
        silent = dns.SilentServer()
        self.addCleanup(silent.stop)
        i = self.resolver(silent.server)
        for _ in range(80):
            client = Client(i)
            for number in range(20):
                client.send(A, f"host{number}.test")
        # They held 1,280 questions, more than are looked up at the same time.
        client = None
        self.assertEqual(Client(i).ask(A, "localhost"), (FOUND, [(0, "127.0.0.1")]))

    def test_localhost_needs_no_server(self):
        client = Client(self.resolver())
        self.assertEqual(client.ask(A, "localhost"), (FOUND, [(0, "127.0.0.1")]))
        self.assertEqual(client.ask(AAAA, "localhost"), (FOUND, [(0, "::1")]))

    def test_hostile_names_exist_nowhere(self):
        client = Client(self.resolver())
        for name in ("", ".", "a..test", "a" * 64 + ".test", "mx1\\.test", "mx1.test\0.test", "caf\xe9.test",
                     "*.test", "[127.0.0.1]",
                     "a\nb.test", " mx1.test", "." * 250):
            self.assertEqual(client.ask(A, name), (NO_SUCH_NAME, []), name)
        self.assertEqual(client.ask(A, "mx1.test"), (FOUND, [(0, "192.0.2.1")]))

    def test_hostile_clients_lose_their_connection_and_nobody_else_does(self):
        i = self.resolver()
        good = Client(i)
        for data in (b"\xff\xff", b"\0\0", b"\1\0x", b"\4\0\2\0ab", struct.pack("<HH", 300, 1) + b"a" * 298):
            bad = Client(i)
            bad.socket.sendall(data)
            self.assertTrue(bad.closed(), data)
        for _ in range(50):
            half = Client(i)
            half.socket.sendall(b"\x0f\0\1")
            half.socket.close()
        self.assertEqual(good.ask(A, "mx1.test")[0], FOUND)

    def test_questions_sent_together_are_answered_in_order(self):
        client = Client(self.resolver())
        names = ["mx1.test", "no.test", "mx2.test"] * 40
        for name in names:
            client.send(A, name)
        expected = {"mx1.test": [(0, "192.0.2.1")], "mx2.test": [(0, "192.0.2.2")], "no.test": []}
        for name in names:
            self.assertEqual(client.answer()[1], expected[name])

    def test_a_dead_server_fails_in_time_and_holds_up_nobody(self):
        silent = dns.SilentServer()
        self.addCleanup(silent.stop)
        # Who asks a dead server waits; a busy machine may need longer for the question beside it, but not each time.
        for timeout in (2, 4, 8, 16):
            i = self.resolver(silent.server, timeoutdns=str(timeout))
            begin = time.monotonic()
            clients = [Client(i) for _ in range(100)]
            for number, client in enumerate(clients):
                client.send(MX, f"name{number}.test")
            self.assertEqual(Client(i).ask(A, "localhost")[0], FOUND)
            nobody_held_up = time.monotonic() - begin < timeout
            for client in clients:
                self.assertEqual(client.answer(), (FAILED, []))
            self.assertLess(time.monotonic() - begin, 60)
            if nobody_held_up:
                break
        self.assertTrue(nobody_held_up)
        # One that leaves while it waits leaves nothing behind.
        gone = Client(i)
        gone.send(MX, "gone.test")
        gone.socket.close()
        self.assertEqual(Client(i).ask(A, "localhost")[0], FOUND)

    def test_changed_servers_count_at_once(self):
        silent = dns.SilentServer()
        self.addCleanup(silent.stop)
        i = self.resolver(silent.server, timeoutdns="1")
        client = Client(i)
        self.assertEqual(client.ask(A, "mx1.test")[0], FAILED)
        i.control("dnsservers", self.nsd.server)
        self.assertTrue(relais.wait_until(lambda: client.ask(A, "mx1.test")[0] == FOUND, 20))
        i.control("dnsservers", "not an address")
        self.assertTrue(relais.wait_until(lambda: client.ask(A, "localhost") and [
            line for line in i.log("resolver") if "configuration not changed" in line], 20, 0.2))
        self.assertTrue(relais.wait_until(lambda: client.ask(A, "mx2.test")[0] == FOUND))

    def test_confined_and_unprivileged(self):
        i = self.resolver()
        Client(i).ask(A, "mx1.test")
        (process,) = i.processes("qmail-resolver")
        if relais.IS_ROOT:
            self.assertEqual(int(process.status()["Uid"].split()[0]), i.ids("qmailn")[0])
            self.assertEqual(process.status()["Groups"], "")
        if relais.CONFINED:
            self.assertEqual(process.status()["Seccomp"], "2")
            for task in os.listdir(f"/proc/{process.pid}/task"):
                with open(f"/proc/{process.pid}/task/{task}/status") as status:
                    self.assertIn("Seccomp:\t2", status.read())


if __name__ == "__main__":
    relais.main()
