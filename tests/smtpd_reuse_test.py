"""Session processes of qmail-smtpd's listener that serve more than one client: who comes after whom, what ends that, and that nothing
of one client reaches the next."""

import contextlib
import os
import signal
import ssl

from harness import namespace

namespace.enter()

from harness import listener  # noqa: E402
from harness import relais  # noqa: E402
from harness.listener import holder, visit  # noqa: E402
from harness.queued import Queued  # noqa: E402

A, B, C = "127.0.0.2", "127.0.0.3", "127.0.0.4"
ENVELOPE = ("EHLO client.test", "MAIL FROM:<a@b.example>", "RCPT TO:<joe@mail.test>")


class Base(relais.TestCase):
    @classmethod
    def setUpClass(cls):
        if relais.IS_ROOT:
            namespace.require()

    def listener(self, *args, **controls):
        instance = self.instance(control=controls)
        instance.start_listener(args=args)
        return instance

    def client(self, instance, source=A, ehlo="client.test", **options):
        client = instance.smtp(ehlo, source=source, **options)
        self.addCleanup(client.close)
        return client

    def assertUsedAgain(self, instance, before, source=A):
        self.assertEqual(visit(instance, source=source), before)

    def assertEnded(self, instance, before, source=A):
        self.assertNotEqual(visit(instance, source=source), before)


class Modes(Base):
    def test_same_serves_the_same_address_again(self):
        instance = self.listener()
        first = visit(instance)
        self.assertUsedAgain(instance, first)
        other = visit(instance, source=B)
        self.assertNotEqual(other, first)
        self.assertUsedAgain(instance, first)
        self.assertUsedAgain(instance, other, B)

    def test_any_serves_every_address_and_prefers_the_same(self):
        instance = self.listener(sessionreuse="any")
        first = visit(instance)
        self.assertUsedAgain(instance, first, B)
        with self.client(instance, B) as held:
            self.assertEqual(holder(instance, held), first)
            second = visit(instance, source=C)
            self.assertNotEqual(second, first)
            held.command("QUIT", 221)
            held.expect_closed()
        self.assertUsedAgain(instance, first, B)
        self.assertUsedAgain(instance, second, C)

    def test_off_serves_each_client_by_a_process_of_its_own(self):
        instance = self.listener(sessionreuse="off")
        self.assertEqual(len({visit(instance) for _ in range(5)}), 5)

    def test_a_changed_mode_counts_for_the_next_client(self):
        instance = self.listener()
        first = visit(instance)
        instance.control("sessionreuse", "off")
        second = visit(instance)
        self.assertNotEqual(second, first)
        self.assertEnded(instance, second)

    def test_a_process_serves_a_hundred_clients_at_most(self):
        instance = self.listener()
        visits = [visit(instance) for _ in range(101)]
        self.assertEqual(set(visits[:100]), {visits[0]})
        self.assertNotEqual(visits[100], visits[0])


class Ends(Base):
    """What a process has seen, so that it serves nobody else."""

    def test_what_is_ordinary_ends_nothing(self):
        instance = self.listener(databytes="100")
        with contextlib.closing(Queued(instance)):
            first = visit(instance)
            for commands in (["HELO x", ("VRFY y", 252), ("RCPT TO:<x@y.example>", 503)], [*ENVELOPE[:2], ("RCPT TO:<x@y.example>", 553)],
                             [("BAD", 500), ("WORSE", 500), ("WORST", 500)]):
                self.assertEqual(visit(instance, *commands), first)
            for text, code in (("small\n", 250), ("large\n" * 100, 552)):
                with self.client(instance) as client:
                    client.deliver("a@b.example", ["joe@mail.test"], text, code)
                    self.assertEqual(holder(instance, client), first)
                    client.command("QUIT", 221)
                    client.expect_closed()
            # Who hangs up within a session is nothing odd. That it has gone is seen when its process waits again.
            self.assertEqual(visit(instance, *ENVELOPE, leave=False), first)
            instance.wait_for(lambda: not listener.serving(instance), 20, "the end of the session")
            self.assertUsedAgain(instance, first)

    def odd(self, instance, act, source=A):
        first = visit(instance, source=source)
        with self.client(instance, source, ehlo=None) as client:
            client.command("EHLO client.test")
            self.assertEqual(holder(instance, client), first)
            act(client)
        # It may end a moment later than its client; what matters is that nobody else comes to it.
        self.assertEnded(instance, first, source)

    def test_each_oddity(self):
        def lines(*octets):
            def act(client):
                for each in octets:
                    client.raw(each)
                    client.reply()
                client.command("QUIT", 221)
                client.expect_closed()
            return act

        def data(octets):
            def act(client):
                for command in ENVELOPE[1:]:
                    client.command(command)
                client.command("DATA", 354)
                client.raw(octets)
                if octets.endswith(b"\r\n.\r\n"):
                    client.expect(554)
                    client.command("QUIT", 221)
                    client.expect_closed()
            return act
        instance = self.listener()
        with contextlib.closing(Queued(instance)):
            for name, act in {
                "AUTH": lines(b"AUTH PLAIN AGFubmEAd3Jvbmc=\r\n"),
                "AUTH without a mechanism": lines(b"AUTH\r\n"),
                "bad commands": lines(*[b"NONSENSE\r\n"] * 4),
                "a NUL": lines(b"NOOP \0\r\n"),
                "a bare CR": lines(b"NOOP \r \r\n"),
                "a bare LF": lines(b"NOOP\n"),
                "a long line": lines(b"NOOP " + b"x" * 3000 + b"\r\n"),
                "a bare LF in a message": data(b"one\ntwo\r\n.\r\n"),
                "a bare CR in a message": data(b"one\rtwo\r\n.\r\n"),
                "a break within a message": data(b"one\r\ntw"),
            }.items():
                with self.subTest(name):
                    self.odd(instance, act)

    def test_a_time_out_within_a_message(self):
        instance = self.listener(timeoutsmtpd="1")
        with contextlib.closing(Queued(instance)):
            def act(client):
                for command in ENVELOPE[1:]:
                    client.command(command)
                client.command("DATA", 354)
                client.raw(b"one\r\n")
                client.expect(421)
            self.odd(instance, act)

    def test_an_error_of_our_own(self):
        instance = self.listener()
        (instance.home / "control/morercpthosts.cdb").write_bytes(b"no cdb")

        def act(client):
            client.command(ENVELOPE[1])
            client.command("RCPT TO:<joe@elsewhere.example>", 421)
        self.odd(instance, act)

    def test_a_refused_nul_within_a_message(self):
        instance = self.listener(refusenul="1")
        with contextlib.closing(Queued(instance)):
            def act(client):
                for command in ENVELOPE[1:]:
                    client.command(command)
                client.command("DATA", 354)
                client.raw(b"one\0\r\n.\r\n")
                client.expect(554)
                client.command("QUIT", 221)
                client.expect_closed()
            self.odd(instance, act)

    def test_our_own_users(self):
        instance = self.listener(sessionreuse="any")
        instance.rules(':allow,SUBMISSION="1"\n')
        self.assertEqual(len({visit(instance) for _ in range(3)}), 3)

    @staticmethod
    def visited(instance):
        with contextlib.suppress(AssertionError, OSError):
            return visit(instance)
        return None

    def test_a_crash(self):
        """It ends that process, and the family of it; the place is free again."""
        instance = self.listener("-c", 1)
        # The one place may still be that of the connection that showed the server to be up.
        first = relais.wait_until(lambda: self.visited(instance))
        old = listener.acceptor(instance).pid
        with self.client(instance) as client:
            self.assertEqual(holder(instance, client), first)
            os.kill(first, signal.SIGABRT)
            instance.wait_log(f"child {first} serving {A} died by signal 6", "smtpd")
            client.expect_closed()
        self.assertEnded(instance, first)
        self.assertNotEqual(listener.acceptor(instance).pid, old)


class Limits(Base):
    def held(self, instance, source):
        """A connection that has its place: it waits for one."""
        def connect():
            client = relais.Smtp(instance.port, source=source, greeting=None)
            if client.reply().code == 220:
                return client
            client.close()
            return None
        client = instance.wait_for(connect, 20, "a place")
        self.addCleanup(client.close)
        return client

    def refused(self, instance, source, text):
        with relais.Smtp(instance.port, source=source, greeting=None) as client:
            self.assertRegex(str(client.reply()), text)
            client.expect_closed()

    def test_places_of_one_address(self):
        """A client that has left needs none, whether its process waits or has ended; nor does a process that waits."""
        instance = self.listener("-c", 20, "--per-ip", 2)
        for _ in range(3):
            greeted, served = self.held(instance, A), self.held(instance, A)
            served.command("NOOP")
            self.refused(instance, A, "421 .*from your address")
            self.held(instance, B).close()
            served.command("QUIT", 221)
            served.expect_closed()
            odd = self.held(instance, A)
            odd.command("NOOP \0", 500)
            self.refused(instance, A, "421 .*from your address")
            odd.command("QUIT", 221)
            odd.expect_closed()
            greeted.close()

    def test_all_places(self):
        instance = self.listener("-c", 2)
        for _ in range(3):
            greeted, served = self.held(instance, A), self.held(instance, B)
            served.command("NOOP")
            self.refused(instance, C, "421 too many connections, try again later")
            served.command("QUIT", 221)
            served.expect_closed()
            greeted.close()


    def test_the_part_of_one_address(self):
        """Not of a client that may relay, nor of one that a rule gives another. The log says what sets the limit."""
        instance = self.listener("-c", 8, perip="25%")
        held = [self.held(instance, A), self.held(instance, A)]
        self.refused(instance, A, "421 .*from your address")
        instance.wait_log(f"refuse from {A} helo - sender - rcpt - reason 421 too many connections from your address (#4.7.0): "
                          "2 at once, set by control/perip", "smtpd")
        self.held(instance, B)
        instance.rules(f'{A}:allow,RELAYCLIENT=""\n{B}:allow,PERIP="1"\n:allow\n')
        held.append(self.held(instance, A))
        self.refused(instance, B, "421 .*from your address")
        instance.wait_log("1 at once, set by PERIP in the rules", "smtpd")
        # A changed file counts for the next client; one without it has no limit.
        instance.rules(":allow\n")
        self.refused(instance, A, "421 .*from your address")
        instance.control("perip", None)
        self.held(instance, A)

    def test_the_option_holds_for_everybody(self):
        instance = self.listener("--per-ip", 1, perip="5")
        instance.rules(':allow,RELAYCLIENT=""\n')
        self.held(instance, A)
        self.refused(instance, A, "421 .*from your address")
        instance.wait_log("1 at once, set by --per-ip", "smtpd")

    def test_less_time_when_places_are_scarce(self):
        """For who comes then, and for who has been greeted before and said nothing. Who is within a message has its usual time."""
        instance = self.listener("-c", 4, stresstimeout="1")
        with contextlib.closing(Queued(instance)):
            silent, busy = (self.client(instance, source, ehlo=None) for source in (A, B))
            busy.command("NOOP")
            late, last = (self.client(instance, source, ehlo=None) for source in (C, A))
            for client in (silent, late, last):
                self.assertEqual(str(client.reply()), "421 timeout (#4.4.2)")
                client.expect_closed()
            # It came before places were scarce.
            busy.command("NOOP")


    def test_less_time_for_a_chunk_that_is_of_no_message(self):
        instance = self.listener("-c", 4, stresstimeout="1", chunking="1")
        last = [self.client(instance, source) for source in (A, B, C, A)][-1]
        last.line("BDAT 100000")
        self.assertEqual(str(last.reply()), "421 timeout (#4.4.2)")
        last.expect_closed()


class Changes(Base):
    """Between two clients that one process would have served."""

    def test_a_control_file(self):
        instance = self.listener()
        for size in ("1000", "2000", "3000"):
            instance.control("databytes", size)
            with self.client(instance, ehlo=None) as client:
                self.assertEqual(client.command("EHLO x").lines[-1], f"250 SIZE {size}")
                client.command("QUIT", 221)
                client.expect_closed()

    def test_another_control_file(self):
        instance = self.listener()
        relayed = ("RCPT TO:<x@y.example>", 250)
        refused = ("RCPT TO:<x@y.example>", 553)
        for domain, answer in (("y.example", relayed), ("other.example", refused), ("y.example", relayed)):
            instance.control("rcpthosts", domain)
            visit(instance, "MAIL FROM:<>", answer)

    def test_a_rule(self):
        instance = self.listener()
        visit(instance, "MAIL FROM:<>", ("RCPT TO:<x@y.example>", 553))
        instance.rules(f'{A}:allow,RELAYCLIENT=""\n:allow\n')
        relay = visit(instance, "MAIL FROM:<>", ("RCPT TO:<x@y.example>", 250))
        self.assertUsedAgain(instance, relay)
        instance.rules(":allow\n")
        plain = visit(instance, "MAIL FROM:<>", ("RCPT TO:<x@y.example>", 553))
        self.assertNotEqual(plain, relay)

    def test_what_a_rule_sets_reaches_nobody_else(self):
        instance = self.listener(sessionreuse="any", databytes="5000")
        instance.rules(f'{A}:allow,RELAYCLIENT="",DATABYTES="1000",FIXCRIO="",TCPREMOTEHOST="a.test"\n:allow\n')
        with contextlib.closing(Queued(instance)) as queue:
            for source in (A, B, A, B):
                mine = source == A
                with self.client(instance, source, ehlo=None) as client:
                    self.assertEqual(client.command("EHLO x").lines[-1], f"250 SIZE {1000 if mine else 5000}")
                    client.command("MAIL FROM:<>")
                    client.command("RCPT TO:<x@y.example>", 250 if mine else 553)
                    client.command("RCPT TO:<joe@mail.test>")
                    client.command("DATA", 354)
                    client.raw(b"text\r\n.\r\n")
                    client.expect(250)
                    message = queue.file(queue.ids()[-1]).read_bytes()
                    self.assertEqual(b"Received: from a.test (HELO x) (127.0.0.2)" in message, mine)
                    # A bare LF is odd for B alone, so that comes last.
                    client.raw(b"NOOP\n")
                    client.expect(250 if mine else 500)


class Traces(Base):
    def test_nothing_of_a_client_is_left_when_the_next_is_served(self):
        instance = self.listener()
        with contextlib.closing(Queued(instance)):
            with self.client(instance, ehlo=None) as client:
                client.command("EHLO marker-helo.marker.example")
                client.command("MAIL FROM:<marker-sender@marker.example>")
                client.command("RCPT TO:<marker-short@m.io>", 553)
                client.command("RCPT TO:<marker-recipient@mail.test>")
                client.command("RCPT TO:<marker-recipient-who-is-refused@marker.example>", 553)
                client.command("DATA", 354)
                client.raw(b"Subject: marker-subject\r\n\r\n" + b"marker-line of text\r\n" * 5000)
                pid = holder(instance, client)
                # It has taken all that: it answers what comes behind it.
                client.raw(b".\r\nMAIL FROM:<marker-sender@marker.example>\r\n")
                client.expect(250)
                client.expect(250)
                self.assertTrue(self.markers(pid))
                client.command("QUIT", 221)
                client.expect_closed()
            with self.client(instance) as client:
                self.assertEqual(holder(instance, client), pid)
                self.assertEqual(self.markers(pid), "")

    def test_nor_of_its_tls(self):
        instance = self.instance()
        instance.start_send()
        self.certificate(instance)
        instance.start_listener()
        with self.client(instance) as client:
            pid = holder(instance, client)
            client.command("STARTTLS", 220)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            client.socket = context.wrap_socket(client.socket, server_hostname="marker-name.marker.example")
            client.command("EHLO marker-helo.marker.example")
            client.command("MAIL FROM:<marker-sender@marker.example>")
            self.assertTrue(self.markers(pid))
            client.command("QUIT", 221)
        with self.client(instance) as client:
            self.assertEqual(holder(instance, client), pid)
            self.assertEqual(self.markers(pid), "")

    def certificate(self, instance):
        import tls_test
        tls_test.make_certificate(instance.home / "control/servercert.pem", "mail.test")
        instance.wait_for((instance.home / "sockets/keys").is_socket, 60, "the socket of qmail-keyd")

    def test_a_certificate_that_changed(self):
        instance = self.instance()
        instance.start_send()
        self.certificate(instance)
        instance.start_listener()
        seen = [self.served(instance)]
        for _ in range(2):
            self.certificate(instance)
            instance.wait_for(lambda: self.served(instance) != seen[-1], 60, "the new certificate")
            seen.append(self.served(instance))
        self.assertEqual(len(set(seen)), 3)

    def served(self, instance):
        with self.client(instance) as client:
            client.command("STARTTLS", 220)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            client.socket = context.wrap_socket(client.socket, server_hostname="mail.test")
            found = client.socket.getpeercert(True)
            client.command("QUIT", 221)
            return found

    @staticmethod
    def markers(pid):
        """What is around the first markers that lie in the process's memory."""
        found = []
        for line, octets in relais.Process(pid).memory():
            at = octets.find(b"marker-")
            if at >= 0:
                found.append(f"{line.strip()}: {octets[max(at - 40, 0):at + 80]!r}")
        return "\n".join(found)


class Neighbours(Base):
    """Two addresses of one IPv6 network are one neighbourhood; a rule may set them apart all the same."""

    FIRST, SECOND, OTHER = "2001:db8:5::1", "2001:db8:5::2", "2001:db8:5:1::1"

    @classmethod
    def setUpClass(cls):
        namespace.require()
        for address in (cls.FIRST, cls.SECOND, cls.OTHER):
            namespace.ip("-6", "addr", "replace", address + "/128", "dev", "lo", "nodad")

    def listener6(self):
        instance = self.instance()
        instance.start_listener(self.FIRST)
        return instance

    def visit6(self, instance, source, *commands):
        with relais.Smtp(instance.port, self.FIRST, source=source) as client:
            client.command("NOOP")
            found = holder(instance, client)
            for command in commands:
                client.command(*command)
            client.command("QUIT", 221)
            client.expect_closed()
            return found

    def test_one_network_is_one_neighbourhood(self):
        instance = self.listener6()
        first = self.visit6(instance, self.FIRST)
        self.assertEqual(self.visit6(instance, self.SECOND), first)
        self.assertNotEqual(self.visit6(instance, self.OTHER), first)

    def test_a_right_to_relay_stays_with_its_address(self):
        relayed, refused = (("RCPT TO:<x@y.example>", code) for code in (250, 553))
        for order in ((self.FIRST, self.SECOND), (self.SECOND, self.FIRST)):
            with self.subTest(order):
                instance = self.listener6()
                instance.rules(f'{self.FIRST}:allow,RELAYCLIENT=""\n:allow\n')
                pids = {}
                for source in order * 2:
                    answer = relayed if source == self.FIRST else refused
                    pid = self.visit6(instance, source, ("MAIL FROM:<>", 250), answer)
                    self.assertEqual(pids.setdefault(source, pid), pid)
                self.assertEqual(len(set(pids.values())), 2)


class Greeted(Base):
    """Clients that have heard the greeting and said nothing."""

    def test_they_cost_no_process(self):
        instance = self.listener()
        clients = [self.client(instance, A, ehlo=None) for _ in range(100)] + [self.client(instance, B, ehlo=None) for _ in range(100)]
        self.assertLess(len(listener.session_processes(instance)), 10)
        instance.wait_for(lambda: not listener.serving(instance), 20, "a server that serves nobody")
        for client in clients:
            client.command("NOOP")
            client.command("QUIT", 221)
            client.expect_closed()

    def test_who_leaves_leaves_nothing(self):
        instance = self.listener("-c", 3)
        for _ in range(20):
            instance.wait_for(lambda: self.greeted_and_gone(instance), 20, "a place")
        self.assertFalse(listener.serving(instance))

    @staticmethod
    def greeted_and_gone(instance):
        with relais.Smtp(instance.port, source=A, greeting=None) as client:
            return client.reply().code == 220

    def test_the_silent_are_told_when_their_time_is_over(self):
        instance = self.listener(timeoutsmtpd="1")
        client = self.client(instance, ehlo=None)
        self.assertEqual(str(client.reply()), "421 timeout (#4.4.2)")
        client.expect_closed()
        instance.wait_log(f"refuse from {A} helo - sender - rcpt - reason 421 timeout (#4.4.2)", "smtpd")

    def test_slow_ones_are_served_octet_by_octet(self):
        instance = self.listener()
        first = visit(instance)
        with self.client(instance, ehlo=None) as client:
            for octet in b"NOOP\r\nEHLO client.test\r\n":
                client.raw(bytes([octet]))
            client.expect(250)
            client.expect(250)
            self.assertEqual(holder(instance, client), first)

    def test_sigterm_while_both_kinds_wait(self):
        instance = self.listener()
        with contextlib.closing(Queued(instance)):
            greeted = self.client(instance, A, ehlo=None)
            visit(instance, source=B)  # this process waits for another client
            served = self.client(instance, A)
            served.command("MAIL FROM:<a@b.example>")
            daemon = instance.running.pop("smtpd")
            daemon.terminate()
            self.assertEqual(daemon.wait(120), 0)
            # Both are here, and nobody else.
            instance.wait_for(lambda: len(listener.session_processes(instance)) == 2, 20, "the end of what waited")
            greeted.command("EHLO late.test")
            greeted.deliver("a@b.example", ["joe@mail.test"], "one\n")
            served.deliver("a@b.example", ["joe@mail.test"], "two\n")
            for client in (greeted, served):
                client.command("QUIT", 221)
                client.expect_closed()
            instance.wait_for(lambda: not instance.processes("qmail-smtpd"), 20, "the end of the last process")


if __name__ == "__main__":
    relais.main()
