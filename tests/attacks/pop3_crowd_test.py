"""A hundred connections from one address, which say nothing: others get their mail."""

import contextlib
import pathlib
import socket
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from harness import pop3
from harness import relais

PASSWORD = "correct horse"


class Pop3Crowd(relais.TestCase):
    def start(self, **control):
        i = self.instance(control=control)
        i.add_user("anna")
        pop3.set_password(i, "anna", PASSWORD)
        i.start(smtpd=None)
        return i, pop3.start_server(i, address="127.0.0.1")

    def crowd(self, port, count):
        """Connected, greeted or refused; returns the first lines."""
        lines = []
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", port), 60)
            self.addCleanup(client.close)
            lines.append(client.makefile("rb"))
        return [file.readline() for file in lines]

    @contextlib.contextmanager
    def from_elsewhere(self, port):
        with socket.create_connection(("127.0.0.1", port), 60, source_address=("127.0.0.2", 0)) as client:
            file = client.makefile("rwb")

            def command(text):
                file.write(text.encode() + b"\r\n")
                file.flush()
                return file.readline()
            self.assertTrue(file.readline().startswith(b"+OK"))
            yield command

    @unittest.skipUnless(relais.IS_ROOT, "needs a system instance")
    def test_one_address_has_a_part_of_the_places(self):
        i, port = self.start(perip="25%")
        lines = self.crowd(port, 100)
        self.assertLessEqual(sum(line.startswith(b"+OK") for line in lines), 25)
        self.assertIn(b"-ERR [SYS/TEMP] too many connections from your address\r\n", lines)
        with self.from_elsewhere(port) as command:
            command("USER anna")
            self.assertTrue(command(f"PASS {PASSWORD}").startswith(b"+OK"))
        i.wait_log("refused a client from 127.0.0.1: too many connections from its address: 25 at once, set by control/perip", "pop3")

    @unittest.skipUnless(relais.IS_ROOT, "needs a system instance")
    def test_front_ends_are_not_counted(self):
        _, port = self.start(perip="2", authtrusted="127.0.0.1")
        self.assertTrue(all(line.startswith(b"+OK") for line in self.crowd(port, 6)))


if __name__ == "__main__":
    relais.main()
