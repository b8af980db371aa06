"""The drop directory: what programs of this host leave while qmail-queued does not run is delivered later, and nothing
else is."""

import fcntl
import os
import resource
import stat
import subprocess
import threading
import unittest

from harness import relais
from harness.queued import Queued, envelope

MESSAGE = "Subject: kept\n\nwhile nobody listened\n"


class DropTest(relais.TestCase):
    def setUp(self):
        self.i = self.instance()
        self.i.make_drop()
        self.bob = self.i.add_user("bob")

    def dropped(self):
        return sorted(self.i.drop.iterdir())

    def got(self, count, **options):
        return [message.decode() for message in self.bob.wait_messages(count, **options)]

    def wait_taken(self, seconds=40):
        self.i.wait_for(lambda: not self.dropped(), seconds, "an empty drop directory")

    def queue(self, message=MESSAGE, to="bob@mail.test", env=None, user=None):
        """qmail-queue's exit code."""
        reader, writer = os.pipe()
        identity = {"user": user.uid, "group": user.gid, "extra_groups": []} if user is not None and relais.IS_ROOT else {}
        with open(writer, "wb") as file:
            file.write(envelope("joe@mail.test", [to]) if isinstance(to, str) else to)
        try:
            return subprocess.run([relais.program("qmail-queue")], input=relais.octets(message), stdout=reader,
                                  env={**self.i.environment, **(env or {})}, **identity, timeout=400).returncode
        finally:
            os.close(reader)


class Stopped(DropTest):
    def test_what_is_sent_while_nothing_runs_is_delivered_later(self):
        kinds = {"qmail-queue": lambda: self.queue(user=self.bob),
                 "qmail-inject": lambda: self.i.run("qmail-inject", "bob", input=MESSAGE, user=self.bob).code,
                 "sendmail": lambda: self.i.run("sendmail", "-t", input="To: bob\n" + MESSAGE, user=self.bob).code}
        for number, (name, send) in enumerate(kinds.items(), 1):
            with self.subTest(name):
                self.assertEqual(send(), 0)
                self.assertEqual(len(self.dropped()), number)
        for file in self.dropped():
            info = file.stat()
            self.assertEqual(stat.S_IMODE(info.st_mode), 0o640)
            self.assertEqual(info.st_gid, self.i.ids("qmailq")[1])
            if relais.IS_ROOT:
                self.assertEqual(info.st_uid, self.bob.uid)
        self.i.start(smtpd=None)
        for message in self.got(3):
            self.assertIn(f"invoked by uid {self.bob.uid if relais.IS_ROOT else os.geteuid()})", message)
            self.assertIn("while nobody listened", message)
        self.wait_taken()
        self.i.wait_log("from drop", count=3)

    def test_a_large_message(self):
        large = "Subject: large\n\n" + "a line of sixty-four octets, which is long enough for a page..\n" * 30_000
        self.assertEqual(self.queue(large), 0)
        self.assertGreater(self.dropped()[0].stat().st_size, len(large))
        self.i.start(smtpd=None)
        self.assertTrue(self.got(1)[0].endswith(large[-1000:]))

    def test_it_is_found_though_it_comes_after_the_start(self):
        """Whoever just failed to connect writes his file when qmail-queued has looked already."""
        self.assertEqual(self.queue(), 0)
        kept = self.dropped()[0].read_bytes()
        self.i.start(smtpd=None)
        self.got(1)
        self.wait_taken()
        late = self.i.drop / ("0" * 32)
        late.touch()
        late.chmod(0o640)
        if relais.IS_ROOT:
            os.chown(late, self.bob.uid, self.i.ids("qmailq")[1])
        late.write_bytes(kept)
        self.got(2)
        self.wait_taken()

    def test_what_can_never_be_taken_is_refused_at_once(self):
        self.assertEqual(self.queue(to=b"Fa\0Xb\0\0"), 91)
        self.assertEqual(self.queue(to=envelope("a", ["b" * 1003])), 11)
        self.assertEqual(self.dropped(), [])

    def test_a_reader_that_fails_leaves_nothing(self):
        self.assertEqual(self.queue(to=b"Fa\0Tb\0"), 54)
        self.assertEqual(self.queue("x" * 1_000_000, to=b"Fa\0Tb\0"), 54)
        self.assertEqual(self.dropped(), [])

    def test_a_client_that_is_killed_leaves_what_goes_away(self):
        reader, writer = os.pipe()
        client = subprocess.Popen([relais.program("qmail-queue")], stdin=reader, stdout=reader, env=self.i.environment)
        with open(writer, "wb") as feed:
            os.close(reader)
            feed.write(b"x" * 600_000)
            feed.flush()
            relais.wait_until(lambda: self.dropped() and self.dropped()[0].stat().st_size > 300_000)
            client.kill()
            client.wait()
        self.i.start(smtpd=None)
        self.assertEqual(self.i.submit("joe@mail.test", ["bob@mail.test"]), 0)
        self.got(1)
        self.assertEqual(len(self.dropped()), 1)  # for two minutes (drop_intake_test has what comes then)

    def test_what_the_network_brings_stays_with_the_peer(self):
        self.assertEqual(self.queue(env={"QMAILSESSION": "1.2"}), 73)
        self.i.start_listener()
        with self.i.smtp() as client:
            client.command("MAIL FROM:<a@b.test>")
            client.command("RCPT TO:<bob@mail.test>")
            client.command("DATA", 354)
            client.command("Subject: x\r\n\r\nx\r\n.", 451)
        if not self.i.single:
            uid, gid = self.i.ids("qmaild")
            self.assertEqual(subprocess.run([relais.program("qmail-inject"), "bob"], input=b"x\n", env=self.i.environment, user=uid,
                                            group=gid, extra_groups=[]).returncode, 111)
        self.assertEqual(self.dropped(), [])

    def test_below_the_floor_nothing_is_left(self):
        self.i.control("queueminfree", "100%")
        self.assertEqual(self.queue(), 73)
        self.assertEqual(self.dropped(), [])

    def test_where_the_disk_or_the_caller_has_no_room_it_is_as_without(self):
        limits = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        for text in ("x" * 5000, "x" * 1_000_000):
            reader, writer = os.pipe()
            with open(writer, "wb") as file:
                file.write(envelope("joe@mail.test", ["bob@mail.test"]))
            with open(reader) as addresses:
                code = subprocess.run([relais.program("qmail-queue")], input=text.encode(), stdout=addresses, env=self.i.environment,
                                      preexec_fn=limits, timeout=400).returncode
            self.assertIn(code, (73, 74))
        self.assertEqual(self.dropped(), [])

    def test_an_older_instance_is_as_ever(self):
        self.i.drop.rmdir()
        self.assertEqual(self.queue(), 73)
        self.assertEqual(self.i.run("qmail-setup", "--repair", self.i.home).code, 0)
        self.assertFalse(self.i.drop.exists())

    def test_a_directory_that_others_could_empty_is_not_used(self):
        for mode in (0o0777, 0o1777, 0o2777):
            self.i.drop.chmod(mode)
            self.assertEqual(self.queue(), 73, oct(mode))
        self.assertRegex(self.i.run("qmail-setup", "--check", self.i.home).out, r"drop has mode 2777, not 3733")

    @unittest.skipUnless(relais.IS_ROOT, "needs several users")
    def test_others_can_neither_list_nor_read(self):
        self.assertEqual(self.queue(user=self.bob), 0)
        anna = self.i.add_user("anna")
        for command in (["ls", self.i.drop], ["cat", self.dropped()[0]], ["rm", "-f", self.dropped()[0]]):
            done = subprocess.run(command, capture_output=True, user=anna.uid, group=anna.gid, extra_groups=[])
            self.assertNotEqual(done.returncode, 0, command)


class Hostile(DropTest):
    def test_what_lies_there_beside_is_never_delivered_nor_in_the_way(self):
        self.assertEqual(self.queue(user=self.bob), 0)
        good = self.dropped()[0]
        secret = self.i.directory / "secret"
        secret.write_bytes(good.read_bytes())
        secret.chmod(0o640)
        drop = self.i.drop
        (drop / ("1" * 32)).symlink_to(secret)
        os.mkfifo(drop / ("2" * 32), 0o640)
        os.link(secret, drop / ("3" * 32))
        (drop / ("4" * 32)).mkdir()
        for name, content in (("5" * 32, b"relaisD1" + b"\xff" * 5000), ("6" * 32, good.read_bytes()[:-1]), ("name", good.read_bytes()),
                              ("7" * 32, b"")):
            (drop / name).write_bytes(content)
            (drop / name).chmod(0o640)
        self.i.start(smtpd=None)
        self.got(1)
        self.i.wait_for(lambda: not good.exists(), 20, "the good one")
        self.assertEqual(self.i.submit("joe@mail.test", ["bob@mail.test"]), 0)
        self.assertEqual(len(self.got(2)), 2)
        self.assertEqual(len(self.dropped()), 8)

    def test_who_fills_it_with_what_is_none_hinders_nobody_else(self):
        """Files with the right beginning, sparse and large, and more that were made elsewhere than one look sees."""
        self.assertEqual(self.queue(), 0)
        eve = self.i.add_user("eve")
        for number in range(70):
            path = self.i.drop / f"{number:032x}"
            with open(path, "wb") as sparse:
                sparse.write(b"relaisD1")
                sparse.truncate(2 << 20)
            path.chmod(0o640)
            if relais.IS_ROOT:
                os.chown(path, eve.uid, -1)
        for number in range(4000 if relais.IS_ROOT else 0):
            path = self.i.drop / f"{number + 1000:032x}"
            path.touch()
            os.chown(path, eve.uid, eve.gid)
        self.i.start(smtpd=None)
        self.assertIn("while nobody listened", self.got(1)[0])

    def test_another_name_costs_no_mail(self):
        """A snapshot by hard links."""
        self.assertEqual(self.queue(), 0)
        (name,) = self.dropped()
        os.link(name, self.i.directory / "snapshot")
        self.i.start(smtpd=None)
        self.i.wait_log("or have another name: they are left alone")
        (self.i.directory / "snapshot").unlink()
        self.got(1)

    def test_a_lock_that_is_held_for_ever_holds_up_nobody_else(self):
        self.assertEqual(self.queue("Subject: held\n\nheld\n"), 0)
        with open(self.dropped()[0]) as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            self.assertEqual(self.queue(), 0)
            self.i.start(smtpd=None)
            self.assertIn("while nobody listened", self.got(1)[0])
            self.assertEqual(len(self.dropped()), 1)
        self.assertEqual(len(self.got(2)), 2)

    def test_who_submits_is_the_owner_whatever_the_file_says(self):
        """An extension that says how the message came counts from qmail-smtpd's user alone."""
        queued = Queued(self.i, start=False)
        self.addCleanup(queued.close)
        for listener in queued.listeners:
            listener.close()
        self.assertEqual(self.queue(user=self.bob), 0)
        queued.listeners = [queued._listen(door) for door in ("network", "bounce", "submit")]
        queued.start()
        self.wait_taken()
        data = queued.file(queued.ids()[0]).read_bytes()
        self.assertIn(f"uid {self.bob.uid if relais.IS_ROOT else os.geteuid()} pid ".encode(), data)
        self.assertIn(b"role user", data)


class Restarts(DropTest):
    def test_no_call_fails_while_it_is_restarted(self):
        self.i.start(smtpd=None)
        stop, codes, lock = threading.Event(), [], threading.Lock()

        def send():
            while not stop.is_set():
                code = self.queue()
                with lock:
                    codes.append(code)

        threads = [threading.Thread(target=send) for _ in range(3)]
        for thread in threads: thread.start()
        try:
            for _ in range(3):
                before = len(codes)
                relais.wait_until(lambda: len(codes) > before + 5, 60)
                self.i.stop()
                before = len(codes)
                relais.wait_until(lambda: len(codes) > before + 5, 60)
                self.i.start(smtpd=None)
                before = len(codes)
                relais.wait_until(lambda: len(codes) > before + 5, 60)
                self.i.kill("qmail-queued")
        finally:
            stop.set()
            for thread in threads: thread.join()
        self.assertEqual(set(codes), {0})
        self.got(len(codes), seconds=120)
        self.wait_taken()

    def test_a_server_that_dies_while_a_large_message_comes(self):
        self.i.start(smtpd=None)
        reader, writer = os.pipe()
        addresses, end = os.pipe()
        client = subprocess.Popen([relais.program("qmail-queue")], stdin=reader, stdout=addresses, env=self.i.environment)
        os.close(reader)
        os.close(addresses)
        with open(end, "wb") as file:
            with open(writer, "wb") as feed:
                feed.write(b"Subject: large\n\n" + b"x" * 600_000 + b"\n")
                feed.flush()
                relais.wait_until(lambda: self.dropped() and self.dropped()[0].stat().st_size > 300_000)
                self.assertGreater(self.i.kill("qmail-queued"), 0)
                feed.write(b"y" * 600_000 + b"\n")
            file.write(envelope("joe@mail.test", ["bob@mail.test"]))
        self.assertEqual(client.wait(120), 0)
        message = self.got(1)[0]
        self.assertEqual((message.count("x" * 600_000), message.count("y" * 600_000)), (1, 1))
        self.wait_taken()


if __name__ == "__main__":
    relais.main()
