"""sockets/resolver is open to every user of the machine: one of them must not take the places of all others."""

import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from harness import relais
from resolver_test import Client

LIMIT = 25


@unittest.skipUnless(relais.IS_ROOT, "needs another user")
class CrowdAtTheResolver(relais.TestCase):
    def served(self, i, count):
        """Of so many connections that stay open, how many are answered."""
        clients, answered = [], 0
        for _ in range(count):
            clients.append(Client(i))
            try:
                clients[-1].ask(1, "localhost")
                answered += 1
            except (EOFError, ConnectionError):
                pass
        return answered

    def test_a_user_has_a_part(self):
        i = self.instance(single=False)
        i.start_send()
        stranger = 65530
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.setresuid(stranger, stranger, stranger)
            try:
                os.write(writer, b"%d\n" % self.served(i, 3 * LIMIT))
            finally:
                os._exit(0)
        os.close(writer)
        with open(reader) as answer:
            served = int(answer.readline() or -1)
        os.waitpid(pid, 0)
        self.assertEqual(served, LIMIT)
        # Root's are not counted, nor do they find the door closed.
        self.assertEqual(self.served(i, 2 * LIMIT), 2 * LIMIT)


if __name__ == "__main__":
    relais.main()
