"""IPv4 and IPv6 in a network of its own, where one of the two is silent: packets leave and nobody answers. It costs a moment, is
remembered, and control/ipversions keeps us from it altogether."""

from harness import namespace

namespace.enter()

import time  # noqa: E402

from harness import dns  # noqa: E402
from harness import relais  # noqa: E402
from remote_test import RemoteCase  # noqa: E402
from rspawn_test import Spawner  # noqa: E402

V4, V6 = "198.51.100.1", "2001:db8:1::1"
SILENT4, SILENT6 = "203.0.113.1", "2001:db8:2::1"
ZONE = f"""\
six-silent MX 10 six-silent-host
six-silent-host A {V4}
six-silent-host AAAA {SILENT6}
four-silent MX 10 four-silent-host
four-silent-host A {SILENT4}
four-silent-host AAAA {V6}
first-silent MX 10 all-silent-host
first-silent MX 20 well-host
all-silent MX 10 all-silent-host
all-silent-host A {SILENT4}
all-silent-host AAAA {SILENT6}
well MX 10 well-host
well-host A {V4}
well-host AAAA {V6}
linklocal MX 10 linklocal-host
linklocal-host AAAA fe80::1
linklocal-host A 169.254.1.1
mapped MX 10 mapped-host
mapped-host AAAA ::ffff:127.0.0.1
unique MX 10 unique-host
unique-host AAAA fd00::1
"""


class Families(RemoteCase):
    @classmethod
    def setUpClass(cls):
        namespace.require()
        namespace.ip("addr", "add", V4, "dev", "lo")
        namespace.ip("-6", "addr", "add", V6, "dev", "lo", "nodad")
        for ours in ("198.51.100.7", "198.51.100.8"):
            namespace.ip("addr", "add", ours, "dev", "lo")
        for ours in ("2001:db8:1::7", "2001:db8:1::8"):
            namespace.ip("-6", "addr", "add", ours, "dev", "lo", "nodad")
        cls.wire = namespace.SilentWire("v0", SILENT4, SILENT6)
        cls.addClassCleanup(cls.wire.end.close)
        # A packet leaves from somewhere.
        namespace.ip("addr", "add", "198.51.100.9", "dev", "v0")
        namespace.ip("-6", "addr", "add", "2001:db8:1::9", "dev", "v0", "nodad")
        cls.zones = dns.Nsd({"test": ZONE})
        cls.addClassCleanup(cls.zones.stop)

    def made(self, **control):
        """An instance whose servers listen on one port of both families; what is sent to "*.test" goes there."""
        self.v4 = self.server(V4)
        self.v6 = self.server(V6, self.v4.port)
        i = self.instance(control={"dnsservers": self.zones.server, "smtproutes": f"::{self.v4.port}", "privatemx": ".test", "timeoutconnect": "60",
                                   "remotemessages": "1", **control})
        dns.start_resolver(i)
        return i

    def pool(self, i):
        spawner = Spawner(i)
        self.addCleanup(spawner.close)
        return spawner

    def deliver(self, spawner, host, **options):
        """The address that took it, and how many packets went to nobody meanwhile."""
        self.wire.packets()
        begin = time.monotonic()
        ((outcome, text),) = spawner.deliver(host=host, **options).recipients
        self.assertEqual(outcome, "r", text)
        # A moment, on a busy machine too, and not the time-out of a connection: 60 seconds.
        self.assertLess(time.monotonic() - begin, 40)
        return text.split(" ")[0], self.wire.packets()

    def test_a_silent_family_costs_a_moment_and_is_remembered(self):
        for versions, host, works in (("64", "six-silent.test", V4), ("46", "four-silent.test", V6)):
            spawner = self.pool(self.made(ipversions=versions))
            address, packets = self.deliver(spawner, host)
            self.assertEqual(address, works)
            self.assertGreater(packets, 0)
            for _ in range(3):
                self.assertEqual(self.deliver(spawner, host), (works, 0))

    def test_a_family_that_is_off_gets_no_packet(self):
        for versions, host, works in (("4", "six-silent.test", V4), ("6", "four-silent.test", V6), ("4", "well.test", V4), ("6", "well.test", V6),
                                      ("46", "well.test", V4), ("64", "well.test", V6)):
            self.assertEqual(self.deliver(self.pool(self.made(ipversions=versions)), host), (works, 0))

    def test_a_silent_server_gives_way_to_the_next(self):
        i = self.made(timeoutconnect="1")
        address, packets = self.deliver(self.pool(i), "first-silent.test")
        self.assertIn(address, (V4, V6))
        self.assertGreater(packets, 1)
        self.assertEqual({line.split()[0] for line in i.run("qmail-tcpto").out.splitlines()}, {SILENT4, SILENT6})
        report = self.remote(i, "all-silent.test")
        self.assertTrue(report.text.startswith("Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n"), report)
        for address in (SILENT4 + ":", f"[{SILENT6}]:"):
            self.assertIn(f"\n{address}", report.text)

    def test_our_addresses_of_both_families(self):
        i = self.made(outgoingip="198.51.100.7\n2001:db8:1::7", domainips="@a.test:198.51.100.8,2001:db8:1::8|out.a.test", ipversions="46")
        for versions, server, family in (("4", lambda: self.v4, "198.51.100."), ("6", lambda: self.v6, "2001:db8:1::")):
            i.control("ipversions", versions)
            for sender, number, helo in (("x@b.test", "7", b"EHLO mail.test"), ("x@a.test", "8", b"EHLO out.a.test")):
                seen = []
                server().replies["EHLO"] = lambda session, line: (seen.append((session.socket.getpeername()[0], line)), b"250 x\r\n")[1]
                self.assertEqual(self.remote(i, "well.test", sender=sender).letter, "K")
                self.assertEqual(seen, [(family + number, helo)])
        # An address that is not ours stops its own family alone.
        i.control("outgoingip", "198.51.100.7\n2001:db8:7::7")
        i.control("ipversions", "64")
        self.assertTrue(self.remote(i, "well.test").text.startswith(V4 + " accepted"))
        i.control("ipversions", "6")
        self.assertIn("I cannot connect from 2001:db8:7::7", self.remote(i, "well.test").text)

    def test_places_where_no_mail_goes(self):
        i = self.made(privatemx=None)
        for host, letter, part in (("linklocal.test", "D", "has a private or link-local address: "), ("unique.test", "D", "private or link-local address: fd00::1"),
                                   ("mapped.test", "D", "loopback address: 127.0.0.1"), ("well.test", "D", "best-preference MX")):
            report = self.remote(i, host)
            self.assertEqual((report.letter, part in report.text), (letter, True), report)
        self.assertEqual(self.v4.sessions + self.v6.sessions, [])
        i.control("privatemx", "mapped.test")
        self.server("127.0.0.1", self.v4.port)
        self.assertEqual(self.remote(i, "mapped.test").letter, "K")
        self.assertEqual(self.remote(i, "unique.test").letter, "D")


if __name__ == "__main__":
    relais.main()
