"""The counters: they say what a load has done, whoever died meanwhile; qmail-metrics shows them to whoever asks, and holds out."""

import contextlib
import shutil
import signal
import socket
import time
import unittest

from harness import pop3
from harness import relais

PASSWORD = "correct-horse-7"


def numbers(text):
    """{name and labels: value}"""
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if not line.startswith("#")}


class Metrics(relais.TestCase):
    def started(self, **control):
        self.i = self.instance(control={"rcpthosts": "mail.test", "refusedpause": None, "refusedlimit": None, **control})
        return self.i

    def once(self):
        shown = self.i.run("qmail-metrics", "--once")
        self.assertEqual((shown.code, shown.err), (0, ""))
        return numbers(shown.out)

    def wait_for(self, **wanted):
        """relais_NAME of one channel, result or nothing: until all of it has become true."""
        self.i.wait_for(lambda: all(self.once()[key] == value for key, value in wanted.items()), 60, f"{wanted}, not {self.once()}")

    def ask(self, octets, port=None, timeout=20):
        """What the server says to these octets, by its socket or a port."""
        client = socket.socket(socket.AF_UNIX) if port is None else socket.socket()
        with client:
            client.settimeout(timeout)
            client.connect(str(self.i.home / "sockets/metrics") if port is None else ("127.0.0.1", port))
            answer = b""
            with contextlib.suppress(ConnectionError):
                client.sendall(octets)
                while piece := client.recv(65536):
                    answer += piece
            return answer.decode()

    def get(self, path="/metrics", header="", port=None):
        return self.ask(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n".encode(), port)

    def test_they_say_what_a_load_has_done(self):
        i = self.started(databytes="5000")
        bob = i.add_user("bob")
        bob.write(".qmail-default", "./Maildir/\n")
        bob.write(".qmail-no", "|exit 100\n")
        bob.write(".qmail-later", "|test -e $HOME/now || exit 111\n./Maildir/\n")
        pop3.set_password(i, "bob", PASSWORD)
        i.start()
        with i.smtp() as client:
            for _ in range(40):
                client.deliver("a@b.example", ["bob@mail.test"], "Subject: x\n\nx\n")
            for _ in range(3):
                client.deliver("a@b.example", ["bob@mail.test", "bob-x@mail.test"], "Subject: x\n\n" + 2000 * "x" + "\n")
            client.deliver("", ["bob-no@mail.test"], "Subject: x\n\nx\n")
            client.deliver("bob@mail.test", ["bob-no@mail.test"], "Subject: x\n\nx\n")
            client.deliver("a@b.example", ["bob-later@mail.test"], "Subject: x\n\nx\n")
            client.command("MAIL FROM:<a@b.example>")
            for _ in range(4):
                client.command("RCPT TO:<x@elsewhere.example>", 553)
            client.command("RCPT TO:<bob@mail.test>")
            client.command("DATA", 354)
            client.raw(client.stuffed("Subject: x\n\n" + 6000 * "x" + "\n"))
            client.expect(552)
            client.command("AUTH PLAIN AGJvYgB3cm9uZw==", (535,))
            client.command("QUIT", 221)
        self.assertEqual(i.submit("a@b.example", ["bob@mail.test"]), 0)
        local = 'relais_deliveries_total{result="%s",channel="local"}'
        # With the bounce, and the bounce of a bounce, which postmaster gets.
        self.wait_for(**{local % "success": 49, local % "failure": 2})
        i.wait_for(lambda: self.once()[local % "deferral"] >= 1, 60, "a deferral")
        seen = self.once()
        for name, wanted in {
                'relais_smtp_messages_total{service="smtp"}': 46, 'relais_smtp_recipients_total{service="smtp"}': 49,
                'relais_smtp_refused_total{cause="rcpthosts"}': 4, 'relais_smtp_refused_total{cause="size"}': 1,
                'relais_smtp_refused_total{cause="login"}': 1, 'relais_logins_total{result="wrong",service="smtp"}': 1,
                'relais_smtp_message_bytes_count': 46, 'relais_smtp_message_bytes_bucket{le="1024"}': 43,
                'relais_queue_taken_total{door="network"}': 46, 'relais_queue_taken_total{door="local"}': 1,
                'relais_queue_taken_total{door="bounce"}': 2, "relais_messages_new_total": 49,
                'relais_bounces_total{result="sent"}': 2}.items():
            self.assertEqual(seen[name], wanted, name)
        # The one that waits, and all others have gone.
        (bob.home / "now").touch()
        i.kill("qmail-send", signal.SIGALRM)
        self.wait_for(**{"relais_messages_ended_total": 49, 'relais_queue_messages{state="waiting"}': 0})
        seen = self.once()
        self.assertEqual(seen["relais_queue_time_seconds_count"], 49)
        self.assertEqual(seen['relais_delivery_seconds_count{channel="local"}'], seen['relais_deliveries_started_total{channel="local"}'])
        self.assertEqual(seen['relais_deliveries_running{channel="local"}'], 0)
        self.assertGreater(seen["relais_send_last_look_timestamp_seconds"], time.time() - 60)

    def test_whoever_dies_loses_nothing(self):
        """Of 300 messages, with a kill after each 50: what is missing is what was under way."""
        i = self.started()
        bob = i.add_user("bob")
        i.start()
        kills = 0
        for number in range(300):
            if number % 50 == 49:
                i.kill(("qmail-send", "qmail-queued", "qmail-metrics")[kills % 3])
                kills += 1
            with i.smtp() as client:
                client.command("MAIL FROM:<a@b.example>")
                client.command("RCPT TO:<bob@mail.test>")
                client.command("DATA", 354)
                client.raw(client.stuffed("Subject: x\n\nx\n"))
                client.expect((250, 451))
        i.wait_empty()
        accepted = self.once()['relais_smtp_messages_total{service="smtp"}']
        self.assertGreater(accepted, 250)
        self.assertLessEqual(abs(self.once()['relais_queue_taken_total{door="network"}'] - accepted), kills)
        ended = self.once()["relais_messages_ended_total"]
        self.assertLessEqual(abs(ended - accepted), 10 * kills)
        self.assertGreaterEqual(len(bob.messages()), accepted)

    def test_under_tcpserver_too(self):
        i = self.started()
        i.add_user("bob")
        i.start(smtpd="tcpserver")
        i.send("a@b.example", ["bob@mail.test"], "Subject: x\n\nx\n")
        self.assertEqual(self.once()['relais_smtp_messages_total{service="smtp"}'], 1)

    def test_who_asks_and_how(self):
        port = relais.free_port()
        i = self.started(metricsaddress=f"127.0.0.1:{port}")
        i.start()
        for where in (None, port):
            answer = self.get(port=where)
            self.assertTrue(answer.startswith("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4"), answer)
            self.assertIn("# TYPE relais_smtp_sessions_total counter\n", answer)
        better = self.get(header="Accept: application/openmetrics-text;version=1.0.0,*/*;q=0.1\r\n")
        self.assertIn("Content-Type: application/openmetrics-text; version=1.0.0", better)
        self.assertTrue(better.endswith("# EOF\n"))
        self.assertTrue(self.get("/").startswith("HTTP/1.1 404 "))
        self.assertTrue(self.ask(b"POST /metrics HTTP/1.1\r\n\r\n").startswith("HTTP/1.1 405 "))
        self.assertTrue(self.ask(b"HEAD /metrics HTTP/1.1\r\n\r\n").endswith("\r\n\r\n"))
        self.assertTrue(self.ask(b"\x16\x03\x01\x02\x00").startswith("HTTP/1.1 400 "))
        mode = (i.home / "sockets/metrics").stat().st_mode & 0o777
        self.assertEqual(mode, 0o600)

    def test_slow_and_loud_clients_hold_up_nobody(self):
        port = relais.free_port()
        self.started(metricsaddress=f"127.0.0.1:{port}").start()
        with contextlib.ExitStack() as stack:
            for _ in range(200):  # more than there are places: the oldest make room
                stack.enter_context(socket.create_connection(("127.0.0.1", port))).sendall(b"GET /met")
            self.assertTrue(self.get(port=port).startswith("HTTP/1.1 200 "))
            # 10 MB of header: cut off after 8 KiB.
            answer = self.ask(b"GET /metrics HTTP/1.1\r\n" + 10_000_000 * b"x", port)
            self.assertIn(answer[:13], ("", "HTTP/1.1 431 "))
            self.assertTrue(self.get(port=port).startswith("HTTP/1.1 200 "))

    def test_addresses_that_are_not_loopback_are_refused(self):
        i = self.started(metricsaddress="0.0.0.0:9925")
        i.start()
        i.wait_log("warning: control/metricsaddress: not a loopback address with a port")
        self.assertTrue(self.get().startswith("HTTP/1.1 200 "))

    def test_an_instance_from_before(self):
        """Without metrics/ everything works and nothing is counted, until qmail-setup --repair has made it."""
        i = self.started()
        bob = i.add_user("bob")
        shutil.rmtree(i.home / "metrics")
        i.start()
        i.send("a@b.example", ["bob@mail.test"], "Subject: x\n\nx\n")
        bob.wait_messages()
        self.assertEqual(self.once(), {})
        self.assertEqual(i.run("qmail-setup", "--repair", i.home).code, 0)
        self.assertTrue((i.home / "metrics/qmaild").is_dir())

    @unittest.skipUnless(relais.IS_ROOT, "a system instance needs root")
    def test_who_can_read_and_write_them(self):
        i = self.started()
        bob = i.add_user("bob")
        i.start()
        i.wait_for((i.home / "metrics/qmails/page").exists, what="a page")
        for role in ("qmaild", "qmails", "qmaila", "qmailq"):
            directory = (i.home / "metrics" / role).stat()
            self.assertEqual((directory.st_uid, directory.st_gid, directory.st_mode & 0o7777), (i.ids(role)[0], i.ids("qmailm")[1], 0o2750))
            page = (i.home / "metrics" / role / "page").stat()
            self.assertEqual((page.st_uid, page.st_gid, page.st_mode & 0o777, page.st_size), (i.ids(role)[0], i.ids("qmailm")[1], 0o640, 4096))
        tried = i.run("/bin/cat", i.home / "metrics/qmails/page", user=bob)
        self.assertIn("Permission denied", tried.err)

    def test_the_manual_page_has_them_all(self):
        page = (relais.ROOT / "docs/man/qmail-metrics.8").read_text()
        self.assertIn(self.started().run("qmail-metrics", "--list").out, page)


if __name__ == "__main__":
    relais.main()
