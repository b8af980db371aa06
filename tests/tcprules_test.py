"""tcprules and tcprulescheck: the published cases of ucspi-tcp 0.88, our networks and IPv6, and both Debian builds of
tcpserver reading what we write and writing what we read."""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

from harness import peers
from harness import relais

# Rules, then clients (ip, host, info) and the rule they meet.
ORDER = """\
xyz@86.75.30.9:allow,N=/1/
xyz@=one.two.three:allow,N=/2/
86.75.30.9:allow,N=/3/
=one.two.three:allow,N=/4/
86.75.30.:allow,N=/5/
86.75.:allow,N=/6/
86.:allow,N=/7/
=.two.three:allow,N=/8/
=.three:allow,N=/9/
=:allow,N=/10/
:allow,N=/11/

"""
ORDER_CLIENTS = [
    ("86.75.30.9", "one.two.three", "xyz", "xyz@86.75.30.9", 1),
    ("86.75.30.9", None, "xyz", "xyz@86.75.30.9", 1),
    ("86.75.30.10", "one.two.three", "xyz", "xyz@=one.two.three", 2),
    ("86.75.30.9", "one.two.three", "abc", "86.75.30.9", 3),
    ("86.75.30.9", None, "abc", "86.75.30.9", 3),
    ("86.75.30.9", "one.two.three", None, "86.75.30.9", 3),
    ("86.75.30.9", None, None, "86.75.30.9", 3),
    ("86.75.30.10", "one.two.three", "abc", "=one.two.three", 4),
    ("86.75.30.10", "one.two.three", None, "=one.two.three", 4),
    ("86.75.30.10", "four.two.three", None, "86.75.30.", 5),
    ("86.75.30.10", None, None, "86.75.30.", 5),
    ("86.75.20.10", "four.two.three", "abc", "86.75.", 6),
    ("86.75.20.10", None, "abc", "86.75.", 6),
    ("86.75.20.10", "four.two.three", None, "86.75.", 6),
    ("86.75.20.10", None, None, "86.75.", 6),
    ("86.85.20.10", "four.two.three", "abc", "86.", 7),
    ("86.85.20.10", None, None, "86.", 7),
    ("76.85.20.10", "four.two.three", "abc", "=.two.three", 8),
    ("76.85.20.10", "four.two.three", None, "=.two.three", 8),
    ("76.85.20.10", "four.one.three", None, "=.three", 9),
    ("76.85.20.10", "four.one.one", None, "=", 10),
    ("76.85.20.10", "", "abc", "=", 10),
    ("76.85.20.10", None, "abc", "", 11),
    ("76.85.20.10", None, None, "", 11),
]


def variables(ip, host=None, info=None):
    given = {"TCPREMOTEIP": ip, "TCPREMOTEHOST": host, "TCPREMOTEINFO": info}
    return {name: value for name, value in given.items() if value is not None}


class Rules(relais.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="rlrules.", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.directory)

    def run_in(self, command, input="", env=None):
        done = subprocess.run(command, input=relais.octets(input), capture_output=True, timeout=400, cwd=self.directory,
                              env={"PATH": os.environ["PATH"], **(env or {})})
        return relais.Result(done)

    def compile(self, rules, cdb="test.cdb", tmp="test.tmp", compiler=None):
        return self.run_in([compiler or relais.program("tcprules"), cdb, tmp], rules)

    def compiled(self, rules, **options):
        result = self.compile(rules, **options)
        self.assertEqual((result.code, result.out, result.err), (0, "", ""))

    def check(self, *client, cdb="test.cdb", checker=None, env=None):
        result = self.run_in([checker or relais.program("tcprulescheck"), cdb],
                             env=env if env is not None else variables(*client))
        self.assertEqual((result.code, result.err), (0, ""))
        return result.out

    def key(self, *client, **options):
        """The key of the rule that a client meets, or "default"."""
        first = self.check(*client, **options).splitlines()[0]
        return "default" if first == "default:" else first.removeprefix("rule ").removesuffix(":")


class PublishedCases(Rules):
    """What the regression script of ucspi-tcp 0.88 asks of the two programs."""

    def test_usage(self):
        result = self.run_in([relais.program("tcprules"), "test.cdb"])
        self.assertEqual((result.code, result.err), (100, "tcprules: usage: tcprules rules.cdb rules.tmp\n"))

    def test_what_cannot_be_written(self):
        result = self.compile("1.2.3.4:deny\n", tmp="/dev/nonexistent/tmp")
        self.assertEqual((result.code, result.err),
                         (111, "tcprules: fatal: unable to create /dev/nonexistent/tmp: file does not exist\n"))
        result = self.compile("1.2.3.4:deny\n", cdb="/dev/nonexistent/cdb")
        self.assertEqual(
            (result.code, result.err),
            (111, "tcprules: fatal: unable to move test.tmp to /dev/nonexistent/cdb: file does not exist\n"))
        self.assertEqual(list(self.directory.iterdir()), [])

    def test_deny_and_default(self):
        self.compiled("1.2.3.4:deny\n")
        self.assertEqual(self.check("1.2.3.4"), "rule 1.2.3.4:\ndeny connection\n")
        self.assertEqual(self.check("1.2.3.5"), "default:\nallow connection\n")

    def test_a_cdb_is_replaced_and_any_quote_will_do(self):
        self.compiled("1.2.3.4:deny\n")
        self.compiled('joe@127.0.0.1:allow,which=/first/\n18.23.0.32:allow,which="second"\n127.:allow,which=+third+\n'
                      ":allow,which==fourth=\n")
        for client, key, value in [(("127.0.0.1", None, "joe"), "joe@127.0.0.1", "first"),
                                   (("18.23.0.32", None, "joe"), "18.23.0.32", "second"),
                                   (("127.0.0.1", None, "bill"), "127.", "third"),
                                   (("10.119.75.39", None, "bill"), "", "fourth")]:
            self.assertEqual(self.check(*client),
                             f"rule {key}:\nset environment variable which={value}\nallow connection\n")

    def test_ranges_comments_and_several_variables(self):
        self.compiled("127.0-5.:allow,which=/first/,where=/whatever/\n# comment\n")
        for second in range(11):
            expected = (f"rule 127.{second}.:\nset environment variable which=first\n"
                        "set environment variable where=whatever\nallow connection\n")
            self.assertEqual(self.check(f"127.{second}.0.1"),
                             expected if second <= 5 else "default:\nallow connection\n")

    def test_host_names(self):
        self.compiled("=known.edu:allow,N=/known/\n=.abuser.edu:deny\n:allow,N=/anybody/\n")
        for host, key in [("known.edu", "=known.edu"), ("random.edu", ""), ("abuser.edu", ""),
                          ("x.abuser.edu", "=.abuser.edu"), ("x.y.abuser.edu", "=.abuser.edu")]:
            self.assertEqual(self.key("1.2.3.4", host), key)
        self.assertEqual(self.check("1.2.3.4", "x.abuser.edu"), "rule =.abuser.edu:\ndeny connection\n")

    def test_order_of_the_search(self):
        self.compiled(ORDER)
        for *client, key, number in ORDER_CLIENTS:
            self.assertEqual(self.check(*client),
                             f"rule {key}:\nset environment variable N={number}\nallow connection\n", client)


class Ours(Rules):
    def test_a_bad_line_stops_the_run_and_leaves_the_old_cdb(self):
        self.compiled("1.2.3.4:deny\n")
        before = (self.directory / "test.cdb").read_bytes()
        for line in ("1.2.3.4:perhaps", '1.2.3.4:allow,X="y', "2001:db8::x:allow", "10.0.0.1/8:deny", "a:deny\r"):
            result = self.compile(f"# one\n5.6.7.8:deny\n{line}\n9.9.9.9:allow\n")
            self.assertEqual(result.code, 100, line)
            first, second = result.err.split("\n")[:2]
            self.assertEqual(first, f"tcprules: fatal: unable to parse this line: {line}")
            self.assertTrue(second.startswith("tcprules: line 3: "), second)
            self.assertEqual((self.directory / "test.cdb").read_bytes(), before)
            self.assertEqual([p.name for p in self.directory.iterdir()], ["test.cdb"])

    def test_a_full_disk_leaves_the_old_cdb(self):
        self.compiled("1.2.3.4:deny\n")
        before = (self.directory / "test.cdb").read_bytes()
        limited = ["sh", "-c", 'ulimit -f 8; exec "$0" test.cdb test.tmp', relais.program("tcprules")]
        result = self.run_in(["env", "--ignore-signal=XFSZ", *limited], "".join(f"10.{i}.0.0/17:deny\n" for i in range(99)))
        self.assertEqual(result.code, 111)
        self.assertIn("tcprules: fatal: unable to write to test.tmp: ", result.err)
        self.assertEqual((self.directory / "test.cdb").read_bytes(), before)

    def test_the_last_line_needs_no_end_and_blanks_at_the_end_do_not_count(self):
        self.compiled("no rule\n\n1.1.1.1:deny \t\n2.2.2.2:deny")
        self.assertEqual(self.key("1.1.1.1"), "1.1.1.1")
        self.assertEqual(self.key("2.2.2.2"), "2.2.2.2")

    def test_an_empty_range_is_said(self):
        result = self.compile("1.1.1.9-3:deny\n")
        self.assertEqual((result.code, result.err), (0, "tcprules: warning: line 1: the range is empty\n"))

    def test_ipv6_and_networks(self):
        self.compiled("2001:db8::/32:allow,N=/net/\n2001:db8:0:7::/64:deny\n[2001:DB8::0:1]:allow,N=/one/\n"
                      "10.0.0.0/9:deny\n10.3.0.0/16:allow\n192.0.2.128/25:deny\n")
        for ip, key in [("2001:db8:1::5", "2001:db8::/32"), ("2001:db8:0:7::5", "2001:db8:0:7::/64"),
                        ("2001:0db8::0001", "2001:db8::1"), ("2001:db9::1", "default"), ("10.127.0.1", "10.127."),
                        ("10.128.0.1", "default"), ("10.3.1.1", "10.3."), ("::ffff:10.3.1.1", "10.3."),
                        ("192.0.2.127", "default"), ("192.0.2.200", "192.0.2.200")]:
            self.assertEqual(self.key(ip), key, ip)

    def test_arguments_stand_for_the_environment(self):
        self.compiled("joe@::1:deny\n")
        result = self.run_in([relais.program("tcprulescheck"), "test.cdb", "::1", "joe"])
        self.assertEqual(result.out, "rule joe@::1:\ndeny connection\n")
        self.assertEqual(self.run_in([relais.program("tcprulescheck")]).code, 100)

    def test_no_address_counts_as_0_0_0_0(self):
        self.compiled("0.0.0.0:deny\n")
        self.assertEqual(self.key(env={}), "0.0.0.0")

    def test_what_cannot_be_read(self):
        result = self.run_in([relais.program("tcprulescheck"), "none.cdb"])
        self.assertEqual((result.code, result.err),
                         (111, "tcprulescheck: fatal: unable to read none.cdb: file does not exist\n"))
        (self.directory / "bad.cdb").write_bytes(b"\xff" * 4096)
        self.assertEqual(self.run_in([relais.program("tcprulescheck"), "bad.cdb"]).code, 111)


class WithDebians(Rules):
    CLASSIC = ORDER + "10.2-30.:deny\n1.2.3.37-53:allow,A=\"\",B=\"x\"\n# c\n86.:deny\n"
    IPV6 = "::1:allow,N=/six/\n2001:db8:::deny\n2001:db8:7::allow,N=/seven/\nfe80::deny\n127.:allow,N=/four/\n"
    IPV6_CLIENTS = ["::1", "::2", "2001:db8::9", "2001:db8:7:1::1", "2001:db8:8::1", "fe80::1", "127.0.0.1", "10.0.0.1"]

    def setUp(self):
        super().setUp()
        self.ipv4 = peers.ucspi_tcp()
        self.ipv6 = peers.fetch("ucspi-tcp-ipv6", "ucspi-tcp-ipv6")

    def test_the_same_rules_make_the_same_file(self):
        for tree in (self.ipv4, self.ipv6):
            self.compiled(self.CLASSIC)
            self.compiled(self.CLASSIC, cdb="theirs.cdb", compiler=tree.program("tcprules"))
            self.assertEqual((self.directory / "test.cdb").read_bytes(), (self.directory / "theirs.cdb").read_bytes())

    def test_ipv6_rules_make_the_same_file(self):
        self.compiled(self.IPV6)
        self.compiled(self.IPV6, cdb="theirs.cdb", compiler=self.ipv6.program("tcprules"))
        self.assertEqual((self.directory / "test.cdb").read_bytes(), (self.directory / "theirs.cdb").read_bytes())
        for ip in self.IPV6_CLIENTS:
            self.assertEqual(self.check(ip), self.check(ip, checker=self.ipv6.program("tcprulescheck")), ip)

    def test_they_find_in_ours_what_we_find(self):
        self.compiled(ORDER + "10.0.0.0/9:deny\n10.7.0.0/16:allow\n10.128.0.0/26:deny\n2001:db8::/32:deny\n"
                      "2001:db8:7::/48:allow\n2001:db9::5/128:deny\n")
        for tree in (self.ipv4, self.ipv6):
            for *client, _, _ in ORDER_CLIENTS:
                self.assertEqual(self.check(*client), self.check(*client, checker=tree.program("tcprulescheck")))
            for ip in ("10.0.0.1", "10.7.1.1", "10.127.9.9", "10.128.0.63", "10.128.0.64"):
                self.assertEqual(self.check(ip), self.check(ip, checker=tree.program("tcprulescheck")), ip)
        for ip in ("2001:db8::1", "2001:db8:1:2:3:4:5:6", "2001:db8:7::1", "2001:db9::5", "2001:db9::6"):
            ours, theirs = self.check(ip), self.check(ip, checker=self.ipv6.program("tcprulescheck"))
            self.assertEqual(ours.splitlines()[1:], theirs.splitlines()[1:], ip)

    def serve(self, tcpserver, address):
        """Starts a tcpserver that tells its clients N, with our rules; a function that connects and returns that."""
        port = relais.free_port()
        command = [tcpserver, "-q", "-R", "-H", "-l", "0", "-x", "test.cdb", address, port, "sh", "-c", 'echo "N=$N"']
        server = subprocess.Popen(list(map(str, command)), cwd=self.directory, stdin=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)

        def connect():
            with socket.create_connection((address, port), 10) as client:
                return client.makefile("rb").read().decode()

        def answers():
            try:
                return connect() is not None
            except OSError:
                return False

        self.assertTrue(relais.wait_until(answers))
        return connect

    def test_a_running_tcpserver_follows_our_rules_as_they_change(self):
        for tree, address, rule in [(self.ipv4, "127.0.0.1", "127.0.0.0/9"), (self.ipv6, "127.0.0.1", "127.0.0.0/15"),
                                    (self.ipv6, "::1", "::1")]:
            self.compiled(f"{rule}:allow,N=/first/\n")
            connect = self.serve(tree.program("tcpserver"), address)
            self.assertEqual(connect(), "N=first\n")
            self.compiled(f"{rule}:allow,N=/second/\n")
            self.assertEqual(connect(), "N=second\n")
            self.compiled(f"{rule}:deny\n")
            self.assertEqual(connect(), "")


if __name__ == "__main__":
    relais.main()
