"""Strangers must not fill the disk of the queue: below control/queueminfree nothing is taken, but a queue that is full still drains."""

import os
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from harness import relais

MESSAGE = "Subject: x\r\n\r\nhello\r\n"


class FullDisk(relais.TestCase):
    def above(self, i, part):
        """A floor of so many times what is free now."""
        disk = os.statvfs(i.home / "queue")
        i.control("queueminfree", str(int(disk.f_bavail * disk.f_frsize * part)))

    def test_below_the_floor_nothing_is_taken(self):
        i = self.instance()
        i.start()
        self.assertEqual((i.home / "control/queueminfree").read_text(),
                         "100000000 5%\n")
        i.control("queueminfree", "0")
        i.send("a@b.test", ["nosuchuser@mail.test"], MESSAGE)
        self.above(i, 2)
        # Small ones, and large ones before they are spooled.
        for message in (MESSAGE, MESSAGE + ("x" * 70 + "\r\n") * 20000):
            with i.smtp() as s:
                reply = s.deliver("a@b.test", ["someone@mail.test"], message, code=452)
                self.assertIn("(#4.3.1)", str(reply))
        self.assertEqual(i.submit("a@b.test", ["someone@mail.test"]), 53)
        i.control("queueminfree", "0")
        i.send("a@b.test", ["someone@mail.test"], MESSAGE)

    def test_a_full_queue_drains(self):
        i = self.instance(control={"queueminfree": "0"})
        i.start()
        i.kill("qmail-send", signal.SIGSTOP)
        i.send("root@mail.test", ["nosuchuser@mail.test"], MESSAGE)
        self.above(i, 2)
        i.kill("qmail-send", signal.SIGCONT)
        i.wait_log("bounce msg", seconds=60)
        self.above(i, 100)
        self.assertEqual(i.submit("a@b.test", ["someone@mail.test"]), 53)


if __name__ == "__main__":
    relais.main()
