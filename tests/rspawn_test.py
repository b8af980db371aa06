"""qmail-rspawn and its pool, with a test in the place of qmail-send: orders in, reports out."""

import contextlib
import os
import pathlib
import signal
import socket
import struct
import threading
import time

from harness import dns
from harness import relais
from harness.fake_smtp import CLOSE, SILENT, FakeServer

HELLO = b"Subject: test\n\nhello\n"
PACKET = 168 * 1024


def counted(text):
    data = relais.octets(text)
    return struct.pack("<I", len(data)) + data


class Report:
    def __init__(self, packet):
        assert packet[:4] == b"RP2\n", packet
        self.delivery, failed, self.milliseconds = struct.unpack_from("<QBI", packet, 4)
        self.connection_failed = bool(failed)
        self.packet, self.at = packet, 17
        self.mx_group, self.server, self.server_ip, self.tls = (self.take() for _ in range(4))
        dsn, count = struct.unpack_from("<BH", packet, self.at)
        self.dsn = bool(dsn)
        self.at += 3
        self.recipients, self.details = [], []
        for _ in range(count):
            outcome = chr(packet[self.at])
            self.at += 1
            text, status, reply = self.take(), self.take(), self.take()
            self.recipients.append((outcome, text))
            self.details.append((status, reply))
        assert self.at == len(packet)

    def take(self):
        """The next counted string."""
        (size,) = struct.unpack_from("<I", self.packet, self.at)
        self.at += 4 + size
        return relais.text(self.packet[self.at - size:self.at])

    def __repr__(self):
        return f"delivery {self.delivery} {self.recipients} {self.mx_group!r} {self.connection_failed}"


class Spawner:
    def __init__(self, instance):
        self.instance = instance
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel.settimeout(60)
        lock_path = instance.directory / "lock"
        lock_path.touch()
        identity = instance._identity(instance.ids("qmailr")) if instance.single and relais.IS_ROOT else {}
        with open(lock_path) as lock:
            self.process = dns.spawn_with(instance, "rspawn", [relais.program("qmail-rspawn")], {3: theirs, 4: lock}, None, identity)
        theirs.close()
        self.deliveries = 0

    def order(self, host="there.test", recipients=("you@there.test",), sender="me@here.test", message=HELLO, size=None, file=True,
              connection_messages=0, extension=b""):
        """Sends an order; returns its number. The file is longer than the message, as in the queue."""
        self.deliveries += 1
        packet = b"RR3\n" + struct.pack("<QQQ", self.deliveries, 4711, len(message) if size is None else size)
        packet += counted(host) + counted(sender) + struct.pack("<H", len(recipients)) + b"".join(map(counted, recipients))
        packet += struct.pack(f"<I{len(recipients)}IB", connection_messages, *range(len(recipients)), 0) + counted(extension) + counted(b"")
        passed = []
        if file:
            passed = [os.memfd_create("message")]
            os.write(passed[0], message + b"ENVELOPE")
        socket.send_fds(self.channel, [packet], passed)
        for fd in passed:
            os.close(fd)
        return self.deliveries

    def report(self):
        return Report(self.channel.recv(PACKET))

    def deliver(self, **options):
        number = self.order(**options)
        report = self.report()
        assert report.delivery == number, report
        return report

    def close(self):
        self.channel.close()


class Rspawn(relais.TestCase):
    def start(self, control=None, address="127.0.0.1", **replies):
        server = FakeServer(address, **replies)
        self.addCleanup(server.stop)
        i = self.instance(control={"smtproutes": f":127.0.0.1:{server.port}", "timeoutremote": "60", **(control or {})})
        spawner = Spawner(i)
        self.addCleanup(spawner.close)
        return i, server, spawner

    def remotes(self, i):
        return i.processes("qmail-remote")

    def test_one_order(self):
        _, server, spawner = self.start()
        report = spawner.deliver()
        self.assertEqual(report.recipients, [("r", "127.0.0.1 accepted message.\nRemote host said: 250 queued")])
        self.assertEqual((report.mx_group, report.connection_failed), (f"127.0.0.1:{server.port}", False))
        self.assertEqual(server.messages, [b"Subject: test\r\n\r\nhello\r\n"])

    def test_each_recipient_its_own_report(self):
        def rcpt(session, line):
            return {b"<n": b"550 no\r\n", b"<l": b"450 later\r\n"}.get(line[8:10], b"250 ok\r\n")

        _, server, spawner = self.start(RCPT=rcpt)
        report = spawner.deliver(recipients=["ok@x.test", "no@x.test", "later@x.test"])
        self.assertEqual(report.recipients, [
            ("r", "127.0.0.1 accepted message.\nRemote host said: 250 queued"),
            ("h", "127.0.0.1 does not like recipient.\nRemote host said: 550 no"),
            ("s", "127.0.0.1 does not like recipient.\nRemote host said: 450 later")])
        report = spawner.deliver(recipients=["no@x.test", "later@x.test"])
        self.assertEqual(report.recipients, [
            ("h", "127.0.0.1 does not like recipient.\nRemote host said: 550 no\nGiving up on 127.0.0.1."),
            ("s", "127.0.0.1 does not like recipient.\nRemote host said: 450 later\nGiving up on 127.0.0.1.")])
        # The session stays in step: the next message goes over the same connection.
        self.assertEqual(spawner.deliver(recipients=["ok@x.test"]).recipients[0][0], "r")
        self.assertEqual(len(server.sessions), 1)

    def test_a_connection_is_used_again(self):
        i, server, spawner = self.start({"remoteidle": "60"})
        for _ in range(20):
            self.assertEqual(spawner.deliver().recipients[0][0], "r")
        self.assertEqual(len(server.sessions), 1)
        self.assertEqual(len(server.sessions[0].messages), 20)
        self.assertEqual(len(self.remotes(i)), 1)

    def test_a_bounded_number_of_messages(self):
        _, server, spawner = self.start({"remotemessages": "3", "remoteidle": "60"})
        for _ in range(7):
            self.assertEqual(spawner.deliver().recipients[0][0], "r")
        self.assertEqual([len(session.messages) for session in server.sessions], [3, 3, 1])

    def test_an_order_may_bound_the_messages_further(self):
        _, server, spawner = self.start({"remotemessages": "3", "remoteidle": "60"})
        for bound in (2, 2, 2, 1, 9, 9, 9, 9):
            self.assertEqual(spawner.deliver(connection_messages=bound).recipients[0][0], "r")
        self.assertEqual([len(session.messages) for session in server.sessions], [2, 1, 1, 3, 1])

    def test_an_idle_connection_is_closed_politely(self):
        i, server, spawner = self.start({"remoteidle": "1"})
        spawner.deliver()
        self.assertTrue(relais.wait_until(lambda: server.sessions[0].commands[-1] == b"QUIT", 20))
        spawner.deliver()
        self.assertEqual(len(server.sessions), 2)
        self.assertEqual(len(self.remotes(i)), 1)

    def test_another_route_another_connection(self):
        i, server, spawner = self.start({"remoteidle": "60"})
        with FakeServer() as other:
            i.control("smtproutes", f":127.0.0.1:{server.port}\nother.test:127.0.0.1:{other.port}")
            for host in ("a.test", "other.test", "b.test", "OTHER.test"):
                spawner.deliver(host=host)
            # One process does it all, one after the other, for no two orders were there at once.
            self.assertEqual(len(self.remotes(i)), 1)
            self.assertEqual((len(server.messages), len(other.messages)), (2, 2))

    def test_a_server_that_closed_meanwhile_is_asked_again_silently(self):
        for how in ({"MAIL": [lambda s, l: b"250 ok\r\n" if not s.messages else CLOSE, b"250 ok\r\n"]},
                    {"MAIL": [lambda s, l: b"250 ok\r\n" if not s.messages else b"421 idle too long\r\n", b"250 ok\r\n"]},
                    {"MAIL": [lambda s, l: b"250 ok\r\n" if not s.messages else CLOSE, b"250 ok\r\n"], "EHLO": b"250 x\r\n"}):
            _, server, spawner = self.start({"remoteidle": "60"}, **how)
            for _ in range(2):
                self.assertEqual(spawner.deliver().recipients[0][0], "r")
            self.assertEqual([len(session.messages) for session in server.sessions], [1, 1])

    def test_a_server_that_hangs_up_while_idle_costs_nothing(self):
        def dot(session, line):
            session.socket.sendall(b"250 queued\r\n")
            return CLOSE

        _, server, spawner = self.start({"remoteidle": "60"}, dot=dot)
        for _ in range(10):
            self.assertEqual(spawner.deliver().recipients[0][0], "r")
        self.assertEqual(len(server.messages), 10)

    def test_what_may_have_been_taken_is_never_sent_again(self):
        _, server, spawner = self.start({"remoteidle": "60"}, dot=lambda s, l: b"250 ok\r\n" if len(s.messages) < 2 else CLOSE)
        spawner.deliver()
        report = spawner.deliver()
        self.assertEqual(report.recipients, [("s", "Connected to 127.0.0.1 but connection died. Possible duplicate! (#4.4.2)")])
        self.assertEqual(len(server.messages), 2)
        _, server, spawner = self.start({"remoteidle": "60"}, RCPT=lambda s, l: b"250 ok\r\n" if not s.messages else CLOSE)
        spawner.deliver()
        self.assertEqual(spawner.deliver().recipients, [("s", "Connected to 127.0.0.1 but connection died. (#4.4.2)")])
        self.assertEqual(len(server.sessions), 1)

    def test_many_orders_at_once_are_each_answered_once(self):
        gate = threading.Event()

        def mail(session, line):
            gate.wait(300)
            return b"250 ok\r\n"

        i, server, spawner = self.start(MAIL=mail, control={"timeoutremote": "300", "remoteidle": "60", "proctitle": "0"})
        numbers = {spawner.order(recipients=[f"u{n}@there.test"], message=b"%d\n" % n * (n + 1)) for n in range(150)}
        i.wait_for(lambda: len(server.sessions) == 150, 60, "150 connections")
        titles = [pathlib.Path(f"/proc/{p.pid}/cmdline").read_text().replace("\0", " ").strip() for p in self.remotes(i)]
        self.assertIn("qmail-remote there.test me@here.test u7@there.test", titles)
        gate.set()
        answered = [spawner.report() for _ in range(150)]
        self.assertEqual({report.delivery for report in answered}, numbers)
        self.assertTrue(all(report.recipients[0][0] == "r" for report in answered))
        self.assertEqual(len(set(server.messages)), 150)
        # The pool is used again, not made again; all but one process may have ended with settings that were read anew.
        before = {process.pid for process in self.remotes(i)}
        for _ in range(30):
            spawner.deliver()
        self.assertLessEqual(len({process.pid for process in self.remotes(i)} - before), 1)

    def test_a_killed_process_is_a_deferral(self):
        i, server, spawner = self.start(MAIL=[SILENT, b"250 ok\r\n"])
        number = spawner.order()
        i.wait_for(lambda: server.sessions and len(server.sessions[0].commands) > 1, 20, "a transaction")
        self.assertEqual(i.kill("qmail-remote"), 1)
        report = spawner.report()
        self.assertEqual((report.delivery, report.recipients), (number, [("s", "qmail-remote crashed. (#4.3.0)")]))
        self.assertEqual(spawner.deliver().recipients[0][0], "r")

    def test_killed_while_idle_nobody_notices(self):
        i, _, spawner = self.start({"remoteidle": "60"})
        for _ in range(5):
            self.assertEqual(spawner.deliver().recipients[0][0], "r")
            self.assertEqual(i.kill("qmail-remote"), 1)
            self.assertTrue(relais.wait_until(lambda: not self.remotes(i)))

    def test_killed_again_and_again_every_order_is_answered_once(self):
        i, _, spawner = self.start(dot=lambda s, l: time.sleep(0.01) or b"250 ok\r\n")
        stop = threading.Event()

        def killer():
            while not stop.wait(0.05):
                for process in self.remotes(i)[:1]:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGKILL)

        thread = threading.Thread(target=killer)
        thread.start()
        try:
            for _ in range(20):
                numbers = {spawner.order() for _ in range(10)}
                self.assertEqual({spawner.report().delivery for _ in range(10)}, numbers)
        finally:
            stop.set()
            thread.join()
        spawner.channel.settimeout(0.2)
        with self.assertRaises(TimeoutError):
            spawner.report()

    def test_no_descriptor_or_a_short_file_is_a_deferral(self):
        _, server, spawner = self.start()
        for options in ({"file": False}, {"size": 100000}):
            self.assertEqual(spawner.deliver(**options).recipients, [("s", "Unable to read message. (#4.3.0)")])
        self.assertEqual(server.messages, [])

    def test_a_bad_order_disturbs_nobody(self):
        _, _, spawner = self.start()
        for packet in (b"x", b"RR3\n", b"RR3\n" + b"\xff" * 100, b"RL3\n" + b"\0" * 2080):
            spawner.channel.send(packet)
        self.assertEqual(spawner.deliver().recipients[0][0], "r")

    def test_no_server(self):
        i, server, spawner = self.start()
        port = relais.free_port()
        i.control("smtproutes", f":127.0.0.1:{port}")
        report = spawner.deliver(recipients=["a@b.test", "c@b.test"])
        self.assertEqual(report.recipients, [("s", "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n"
                                                   f"127.0.0.1:{port}: Connection refused")] * 2)
        self.assertTrue(report.connection_failed)

    def test_a_changed_control_file_counts_for_the_next_message(self):
        i, server, spawner = self.start({"remoteidle": "60"})
        spawner.deliver()
        i.control("helohost", "changed.test")
        spawner.deliver()
        self.assertEqual([session.commands[0] for session in server.sessions], [b"EHLO mail.test", b"EHLO changed.test"])

    def test_largest_order(self):
        _, server, spawner = self.start()
        recipients = [f"{n:03}" + "x" * 900 + "@there.test" for n in range(100)]
        report = spawner.deliver(recipients=recipients)
        self.assertEqual([letter for letter, _ in report.recipients], ["r"] * 100)
        self.assertEqual(len([c for c in server.sessions[0].commands if c.startswith(b"RCPT")]), 100)

    def test_replies_of_every_recipient_fit_one_report(self):
        _, _, spawner = self.start(RCPT=b"".join(b"550-%s\r\n" % (b"no " * 100) for _ in range(20)) + b"550 no\r\n")
        report = spawner.deliver(recipients=[f"u{n}@there.test" for n in range(100)])
        self.assertEqual([letter for letter, _ in report.recipients], ["h"] * 100)

    def test_when_the_channel_closes_deliveries_end_first(self):
        gate = threading.Event()
        i, server, spawner = self.start(dot=lambda s, l: gate.wait(60) and b"250 ok\r\n")
        spawner.order()
        i.wait_for(lambda: server.messages, 20, "a message")
        spawner.close()
        self.assertIsNone(relais.wait_until(lambda: spawner.process.poll() is not None, 0.3))
        gate.set()
        self.assertEqual(spawner.process.wait(60), 0)
        self.assertEqual(len(server.messages), 1)
        self.assertTrue(relais.wait_until(lambda: server.sessions[0].commands[-1] == b"QUIT"))
        self.assertTrue(relais.wait_until(lambda: not i.processes()))

    def test_killed_spawner_leaves_no_process_behind(self):
        i, _, spawner = self.start()
        spawner.deliver()
        spawner.process.kill()
        self.assertTrue(relais.wait_until(lambda: not self.remotes(i), 20))

    def test_confined_and_unprivileged(self):
        i, _, spawner = self.start({"remoteidle": "60"})
        spawner.deliver()
        for process in (*i.processes("qmail-rspawn"), *self.remotes(i)):
            status = process.status()
            if relais.IS_ROOT:
                self.assertEqual(set(status["Uid"].split()), {str(i.ids("qmailr")[0])})
                self.assertEqual(status["Groups"], "")
            if relais.CONFINED:
                self.assertEqual((status["Seccomp"], status["NoNewPrivs"]), ("2", "1"))
            # The lock is held by all; the channel to qmail-send by one.
            links = [os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{process.pid}/fd")]
            self.assertIn(str(i.directory / "lock"), links)


if __name__ == "__main__":
    relais.main()
