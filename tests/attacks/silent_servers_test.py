"""25 messages from anybody, to users who do not exist, with senders in 25 domains whose servers accept connections and say nothing:
the bounces must not take every place for remote deliveries."""

import pathlib
import re
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from harness import relais
from harness.sink import Sink

DOMAINS = 25


class SilentServers(relais.TestCase):
    def setUp(self):
        super().setUp()
        self.servers = []

    def make_instance(self, routes):
        i = self.instance(control={"smtproutes": "\n".join(routes) + "\n", "concurrencyremote": "20"})
        # Before the instance ends, for that waits for the deliveries.
        self.addCleanup(lambda: [server.close() for server in self.servers])
        return i

    def silent(self, address, port):
        """The kernel connects; nobody ever speaks."""
        server = socket.socket()
        self.servers.append(server)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        server.listen(64)

    def bounces(self, i):
        with i.smtp() as s:
            for n in range(DOMAINS):
                s.deliver(f"a@silent{n}.test", ["nosuchuser@mail.test"], "Subject: x\r\n\r\nx\r\n")

    def remote(self, i):
        """Remote deliveries that run, and places, as the log last said."""
        return [int(n) for n in re.findall(r"status: local \d+/\d+ remote (\d+)/(\d+)", "\n".join(i.log()))[-1]]

    def test_an_honest_message_goes_out_meanwhile(self):
        port = relais.free_port()
        for n in range(DOMAINS):
            self.silent(f"127.1.0.{n + 1}", port)
        with Sink() as honest:
            routes = [f"silent{n}.test:127.1.0.{n + 1}:{port}" for n in range(DOMAINS)] + [f":127.0.0.1:{honest.port}"]
            i = self.make_instance(routes)
            i.start()
            self.assertEqual(i.submit("s@mail.test", ["joe@honest.test"]), 0)
            i.wait_for(lambda: len(honest.messages) == 1, 60, "mail while nothing is wrong")
            self.bounces(i)
            i.wait_log(" to remote a@silent", seconds=120, count=10)
            self.assertEqual(i.submit("s@mail.test", ["joe@honest.test"]), 0)
            i.wait_for(lambda: len(honest.messages) == 2, 60, "honest mail during the attack")
            running, places = self.remote(i)
            self.assertLessEqual(running, places // 2 + 1)
            # What qmail-send has learnt outlasts it: the same when all of it starts anew in the middle.
            for name in ("qmail-send", "qmail-rspawn", "qmail-remote"):
                i.kill(name)
            self.assertEqual(i.submit("s@mail.test", ["joe@honest.test"]), 0)
            i.wait_for(lambda: len(honest.messages) == 3, 120, "honest mail after a restart")


if __name__ == "__main__":
    relais.main()
