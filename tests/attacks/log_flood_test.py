"""A stranger who is refused 40,000 times on one connection must not turn the log over: what stood there before is what an administrator
looks for."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from harness import relais

REFUSED = 40000


class LogFlood(relais.TestCase):
    def flood(self, i):
        with i.smtp(timeout=240) as s:
            s.command("MAIL FROM:<a@b.test>")
            for first in range(0, REFUSED, 1000):
                s.raw(b"".join(b"RCPT TO:<u%d@elsewhere.test>\r\n" % n for n in range(first, first + 1000)))
                for _ in range(1000):
                    s.expect(553)

    def refusals(self, i):
        return [line for line in i.log("smtpd") if " reason " in line]

    def test_an_instance_without_the_new_control_files(self):
        i = self.instance(control={"rcpthosts": "mail.test\n", "refusedlimit": "0", "refusedpause": "0"})
        i.rules(":allow\n")
        i.start()
        self.flood(i)
        i.wait_log(f"{REFUSED - 20} more refusals", name="smtpd", seconds=60)
        self.assertEqual(len(self.refusals(i)), 21)

    def test_a_new_instance_hangs_up(self):
        i = self.instance(control={"rcpthosts": "mail.test\n", "refusedpause": "0"})
        i.rules(":allow\n")
        i.start()
        with i.smtp() as s:
            s.command("MAIL FROM:<a@b.test>")
            for n in range(20):
                s.command(f"RCPT TO:<u{n}@elsewhere.test>", 553)
            s.command("RCPT TO:<u@mail.test>")
            for n in range(20):
                s.command(f"RCPT TO:<u{n}@elsewhere.test>", 553)
            s.command("RCPT TO:<u@elsewhere.test>", 421)
            s.expect_closed()


if __name__ == "__main__":
    relais.main()
