"""Limits by destination, seen from the other side: what a server gets at a time, servers that two domains share, a host that
is down and comes back."""

import asyncio
import re
import signal
import socket
import threading

from harness import relais
from harness.sink import Sink


class GatedSink(Sink):
    """Keeps every message at its final dot until .gate is set; .inside is how many wait there, .most how many ever did."""

    def __init__(self, **options):
        super().__init__(**options)
        self.gate = threading.Event()
        self.inside = self.most = 0

    async def _data(self, reader):
        data = await Sink._data(reader)
        self.inside += 1
        self.most = max(self.most, self.inside)
        while not self.gate.is_set():
            await asyncio.sleep(0.01)
        self.inside -= 1
        return data


class Destinations(relais.TestCase):
    def start(self, port, **control):
        i = self.instance(control={"smtproutes": f":127.0.0.1:{port}\n", **control})
        i.start_send()
        return i

    def submit(self, i, count, domain):
        for n in range(count):
            self.assertEqual(i.submit("s@mail.test", [f"u{n}@{domain}"]), 0)

    def introduce(self, i, sink, domain):
        """Who has never taken a message gets one delivery at a time."""
        sink.gate.set()
        self.submit(i, 1, domain)
        i.wait_empty(60)
        sink.gate.clear()

    def ask(self, i, request):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            s.connect(str(i.home / "sockets/send-control"))
            s.sendall(request.encode() + b"\n")
            answer = b""
            while not answer.endswith(b"\n.\n"):
                answer += s.recv(65536)
        return answer.decode()

    def test_connections(self):
        with GatedSink() as sink:
            i = self.start(sink.port, destinationlimits="far.test:2")
            self.introduce(i, sink, "far.test")
            self.submit(i, 8, "far.test")
            i.wait_for(lambda: "destination far.test: 2 running, 6 queued" in self.ask(i, "stat"), 60, "two deliveries")
            i.wait_for(lambda: sink.inside == 2, 60, "both at the server")
            whys = [self.ask(i, f"why {p.name}") for p in i.queue_files()]
            self.assertEqual(sum("the 2 deliveries that control/destinationlimits allows" in why for why in whys), 6)
            # Without a signal.
            i.control("destinationlimits", "far.test:4")
            i.wait_for(lambda: sink.inside == 4, 60, "four at the server")
            sink.gate.set()
            i.wait_empty(60)
            self.assertEqual((sink.most, len(sink.messages)), (4, 9))

    def test_messages_on_a_connection(self):
        with GatedSink() as sink:
            sink.gate.set()
            i = self.start(sink.port, destinationlimits="far.test:1:3", concurrencyremote="1", remoteidle="60")
            self.submit(i, 7, "far.test")
            i.wait_empty(60)
            self.assertEqual([number for *_, number in sink.messages], [1, 1, 1, 2, 2, 2, 3])

    def test_domains_with_the_same_server_share_its_limits(self):
        with GatedSink() as sink:
            i = self.start(sink.port, destinationlimits="one.test:2")
            sink.gate.set()
            # By their reports it is known that they go to the same place.
            for domain in ("one.test", "two.test"):
                self.submit(i, 1, domain)
                i.wait_empty(60)
            sink.gate.clear()
            sink.most = 0
            self.submit(i, 10, "one.test")
            self.submit(i, 10, "two.test")
            i.wait_for(lambda: sink.inside == 2, 60, "two at the server")
            i.wait_for(lambda: sum(map(int, re.findall(r": \d running, (\d+) queued", self.ask(i, "stat")))) == 18, 60, "the others of both domains")
            sink.gate.set()
            i.wait_empty(60)
            self.assertEqual(sink.most, 2)
            # They take turns. Two deliveries at a time end in any order, so a few places are left for that.
            order = [recipients[0].split("@")[1] for _, recipients, *_ in sink.messages[2:]]
            self.assertIn("two.test", order[:8])
            self.assertIn("one.test", order[-8:])

    def test_a_busy_destination_leaves_places_for_others(self):
        with GatedSink() as busy, GatedSink() as quiet:
            i = self.instance(control={"smtproutes": f"busy.test:127.0.0.1:{busy.port}\n:127.0.0.1:{quiet.port}",
                                       "concurrencyremote": "8"})
            i.start_send()
            busy.gate.set()
            # It has shown that it is fast: from now on it may have as much as there is.
            self.submit(i, 30, "busy.test")
            i.wait_empty(60)
            busy.gate.clear()
            self.submit(i, 40, "busy.test")
            i.wait_for(lambda: busy.inside == 6, 60, "three quarters of the places")
            for domain in ("one.test", "two.test"):
                self.submit(i, 1, domain)
            i.wait_for(lambda: quiet.inside == 2, 60, "those who came later")
            self.assertEqual(busy.inside, 6)
            busy.gate.set()
            quiet.gate.set()
            i.wait_empty(60)
            self.assertEqual((len(busy.messages), len(quiet.messages)), (70, 2))

    def test_a_host_that_was_down_and_comes_back(self):
        with GatedSink() as healthy:
            healthy.gate.set()
            port = relais.free_port()
            i = self.instance(control={"smtproutes": f"down.test:127.0.0.1:{port}\n:127.0.0.1:{healthy.port}"})
            i.start_send()
            self.submit(i, 1, "down.test")
            i.wait_log("deferral: ", seconds=60)
            self.submit(i, 20, "down.test")
            self.submit(i, 5, "up.test")
            i.wait_for(lambda: len(healthy.messages) == 5, 60, "mail for the healthy host")
            i.wait_for(lambda: "waiting-for-destination 20\n" in self.ask(i, "stat"), 60, "parked mail")
            # Once for the host and, on a busy machine, for a try after half a minute; not once for each message.
            self.assertLess(len(i.wait_log("deferral: ")), 4)
            self.assertIn("back-off", self.ask(i, f"why {i.queue_files()[-1].name}"))
            with GatedSink(port=port) as back:
                back.gate.set()
                i.kill("qmail-send", signal.SIGALRM)
                i.wait_empty(60)
                self.assertEqual(len(back.messages), 21)
                self.assertLess(back.connections, 21)


if __name__ == "__main__":
    relais.main()
