"""qmail-queued and qmail-queue: acceptance, trace fields, limits, deaths, a full disk."""

import contextlib
import fcntl
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import time
import unittest

from harness import relais
from harness.queued import Queued, encode, envelope, frames, read_answer

DATE = r"\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d -0000"


class QueuedTest(relais.TestCase):
    def queued(self, start=True, descriptor_limit=None, **options):
        instance = self.instance(**options)
        queued = Queued(instance, start, descriptor_limit)
        self.addCleanup(queued.close)
        return queued

    def as_user(self, uid, work):
        """Runs work in a process of that uid; its result must be a small int (its exit code)."""
        pid = os.fork()
        if pid == 0:
            code = 99
            with contextlib.suppress(BaseException):
                os.setgroups([])
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
                code = work()
            os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def wait_ids(self, queued, count):
        queued.instance.wait_for(lambda: len(queued.ids()) == count, 20, f"{count} messages in the queue")


class Acceptance(QueuedTest):
    def test_a_message_lies_whole_in_the_queue_before_its_answer(self):
        queued = self.queued()
        before = time.time_ns() // 1000
        code, id, text = queued.submit("Subject: x\n\nbody\n", "s@a.test", ["r@b.test", "q@b.test"])
        self.assertEqual((code, text), (0, ""))
        self.assertTrue(before <= id <= time.time_ns() // 1000)
        self.assertEqual(queued.ids(), [id])
        self.assertEqual(queued.hints(), [id])
        data = queued.file(id).read_bytes()
        self.assertRegex(data, rb"^Received: \(qmail %d invoked from network\); %s\nSubject: x\n\nbody\nuid " %
                         (id, DATE.encode()))
        self.assertIn(b"\0s@a.test\0Tr@b.test\0Tq@b.test\0\0", data)
        self.assertEqual(queued.file(id).stat().st_mode & 0o7777, 0o660)
        self.assertEqual(queued.file(id).stat().st_uid, queued.instance.ids("qmailq")[0])

    def test_ids_rise_and_are_unique_across_workers_and_restarts(self):
        queued = self.queued()
        seen = []
        lock = threading.Lock()

        def send():
            for _ in range(20):
                id = queued.submit("m")[1]
                with lock:
                    seen.append(id)

        threads = [threading.Thread(target=send) for _ in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        self.assertEqual(len(set(seen)), 160)
        queued.stop()
        queued.start()
        self.assertGreater(queued.submit("m")[1], max(seen))

    def test_every_way_to_cut_a_submission_into_frames_and_writes(self):
        queued = self.queued()
        message = b"".join(b"line %d\n" % i for i in range(2000))
        for frame, write in ((1 << 20, 1 << 20), (1, 4096), (7, 1000), (65536, 65536), (5000, 3)):
            part = message if write > 100 else message[:3000]
            with queued.connect() as client:
                data = encode(part, envelope("s", ["r"]), "s", frame)
                for at in range(0, len(data), write):
                    client.sendall(data[at : at + write])
                code, id, _ = read_answer(client)
            self.assertEqual(code, 0)
            self.assertEqual(queued.message(id).partition(b"\n")[2], part)

    def test_sizes_around_the_buffers(self):
        queued = self.queued()
        for size in (0, 1, 65535, 65536, 262143, 262144, 327680, 327681, 3_000_000):
            message = os.urandom(size)
            code, id, _ = queued.submit(message, flag="l" if size > 262144 else "s")
            self.assertEqual(code, 0)
            self.assertEqual(queued.message(id).partition(b"\n")[2], message)

    def test_a_large_envelope(self):
        queued = self.queued()
        recipients = ["r%06d@example.net" % i for i in range(100_000)]
        code, id, _ = queued.submit("m", "s", recipients)
        self.assertEqual(code, 0)
        self.assertEqual(queued.file(id).read_bytes().count(b"Tr"), 100_000)

    def test_what_is_wrong_with_a_submission_is_said_and_leaves_nothing(self):
        queued = self.queued()
        long = "a" * 1003
        for data, wanted in (
                (encode("m", envelope(long, ["r"])), 11),
                (encode("m", envelope("s", ["r", long])), 11),
                (encode("m", b"Fs\0Xr\0\0"), 91),
                (encode("m", b"Fs\0Tr\0"), 91),
                (encode("m", b"Fs\0Tr\0\0more"), 91),
                (encode("m", b""), 91),
                (encode("m", envelope("s", ["r"]), extension=b""), 91),
                (encode("m", envelope("s", ["r"]), extension=b"ret maybe\0\0"), 91),
                (b"RQ3s", 81),
                (encode("m", b"Fs\0Ta\nb\0\0"), 31),
                (b"RQ1s" + b"\xff\xff\xff\xff", 81),
                (b"RQ1x", 81),
                (b"GET / HTTP/1.0\r\n\r\n", 81)):
            with queued.connect() as client:
                client.sendall(data)
                self.assertEqual(read_answer(client)[0], wanted, data[:60])
        self.assertEqual(queued.ids(), [])
        self.assertEqual(queued.hints(), [])

    def test_a_submission_that_breaks_off_leaves_nothing(self):
        queued = self.queued()
        data = encode("m" * 1000, envelope("s", ["r"]))
        for flag in b"sl":
            for size in (0, 3, 4, 6, 8, 500, len(data) - 1):
                with queued.connect() as client:
                    client.sendall((data[:3] + bytes([flag]) + data[4:])[:size])
        self.assertEqual(queued.submit("m")[0], 0)
        self.wait_ids(queued, 1)


class Roles(QueuedTest):
    def first_line(self, queued, id):
        return queued.message(id).partition(b"\n")[0].decode()

    @unittest.skipUnless(relais.IS_ROOT, "needs several users")
    def test_the_trace_field_says_who_submitted(self):
        queued = self.queued()
        ids = queued.instance.ids
        stranger = 65000
        for door, uid, words in (("network", ids("qmaild")[0], "from network"), ("bounce", ids("qmails")[0], "for bounce"),
                                 ("submit", stranger, f"by uid {stranger}"), ("submit", ids("alias")[0], "by alias"),
                                 ("submit", ids("qmaild")[0], "from network"), ("submit", 0, "by uid 0")):
            self.assertEqual(self.as_user(uid, lambda: queued.submit("m", door=door)[0]), 0)
            (id,) = queued.hints()
            self.assertRegex(self.first_line(queued, id), rf"^Received: \(qmail {id} invoked {words}\); {DATE}$")

    @unittest.skipUnless(relais.IS_ROOT, "needs several users")
    def test_only_qmail_smtpd_says_who_has_logged_in(self):
        queued = self.queued()
        said = b"submitter login root@mail.test\0may-use *\0"
        for door, extension, version, kept in (
                ("network", said + b"ret full\0\0", b"relaisQ2", said + b"ret full\0\0"),
                ("bounce", said + b"ret full\0\0", b"relaisQ2", b"ret full\0\0"),
                ("bounce", said + b"\0", b"relaisQ1", b""),
                ("network", b"submitter local 0\0\0", b"relaisQ1", b""),
                ("submit", b"submitter forward 0\0\0", b"relaisQ2", b"submitter forward \0\0"),
                ("submit", b"\0", b"relaisQ1", b"")):
            with queued.connect(door) as client:
                client.sendall(encode("m\n", envelope("s", ["r"]), extension=extension))
                code, id, _ = read_answer(client)
            self.assertEqual(code, 0)
            data = queued.file(id).read_bytes()
            self.assertEqual(data[-64:-56], version, extension)
            self.assertTrue(data[: -64 - 256].endswith(b"Tr\0\0" + kept), data)
        with queued.connect("submit") as client:
            client.sendall(encode("m\n", envelope("s", ["r"]), extension=said + b"\0"))
            data = queued.file(read_answer(client)[1]).read_bytes()
        if not queued.instance.single:
            self.assertEqual(data[-64:-56], b"relaisQ1")

    def test_whether_version_two_is_known_can_be_asked(self):
        queued = self.queued()
        with queued.connect("submit") as client:
            client.sendall(b"RQ2?")
            self.assertEqual(read_answer(client)[:2], (0, 0))
        self.assertEqual(queued.ids(), [])

    def test_in_an_instance_of_one_user_the_door_alone_decides(self):
        queued = self.queued(single=True)
        id = queued.submit("m", door="bounce")[1]
        self.assertIn("invoked for bounce)", self.first_line(queued, id))
        id = queued.submit("m", door="submit")[1]
        self.assertIn(f"invoked by uid {os.geteuid()})", self.first_line(queued, id))

    @unittest.skipUnless(relais.IS_ROOT, "needs several users")
    def test_only_its_own_user_comes_through_a_door(self):
        queued = self.queued()
        for door in ("network", "bounce"):
            queued.path(door).chmod(0o666)
            self.assertEqual(self.as_user(65000, lambda: queued.submit("m", door=door)[0]), 73)
        self.assertEqual(queued.ids(), [])
        self.assertEqual(self.as_user(queued.instance.ids("qmaild")[0], lambda: queued.submit("m")[0]), 0)

    @unittest.skipUnless(relais.IS_ROOT, "needs several users")
    def test_every_process_has_dropped_and_is_confined(self):
        queued = self.queued()
        queued.submit("m")
        uid, gid = queued.instance.ids("qmailq")
        for process in [*queued.wait_pool(), relais.Process(queued.process.pid)]:
            status = process.status()
            self.assertEqual(status["Uid"].split(), [str(uid)] * 4)
            self.assertEqual(status["Gid"].split(), [str(gid)] * 4)
            self.assertEqual(status["Groups"], "")
            if relais.CONFINED:
                self.assertEqual((status["Seccomp"], status["NoNewPrivs"]), ("2", "1"))


class Client(QueuedTest):
    """The program qmail-queue."""

    def run_client(self, queued, message, addresses, env=None, **options):
        """Runs qmail-queue with its message on fd 0 and its envelope on fd 1."""
        read_end, write_end = os.pipe()
        client = subprocess.Popen([relais.program("qmail-queue")], stdin=subprocess.PIPE, stdout=read_end,
                                  stderr=subprocess.PIPE, env={**queued.instance.environment, **(env or {})}, **options)
        os.close(read_end)
        with contextlib.suppress(BrokenPipeError):
            client.stdin.write(message)
            client.stdin.close()
            os.write(write_end, addresses)
        os.close(write_end)
        self.assertEqual(client.stderr.read(), b"")
        client.stderr.close()
        with contextlib.suppress(BrokenPipeError):
            client.stdin.close()
        return client.wait(60), client.pid

    def test_its_pid_names_the_message(self):
        queued = self.queued()
        for size in (100, 1_000_000):
            message = b"x" * size
            code, pid = self.run_client(queued, message, envelope("s@a", ["r@b"]))
            self.assertEqual(code, 0)
            (id,) = queued.hints()
            trace, _, rest = queued.message(id).partition(b"\n")
            self.assertRegex(trace.decode(), rf"^Received: \(qmail {pid} invoked by uid {os.geteuid()}\); {DATE}$")
            self.assertEqual(rest, message)
            self.assertIn(b"pid %d role user\0" % pid, queued.file(id).read_bytes())

    def test_exit_codes_of_bad_input(self):
        queued = self.queued()
        for addresses, wanted in ((envelope("a" * 1002, ["b" * 1002]), 0), (envelope("a" * 1003, ["b"]), 11),
                                  (envelope("a", ["b" * 1003]), 11), (b"Fa\0Xb\0\0", 91), (b"", 54), (b"Fa\0Tb\0", 54),
                                  (b"F\0\0", 0), (b"Fa\0Tb\0\0ignored", 0)):
            self.assertEqual(self.run_client(queued, b"m\n", addresses)[0], wanted, addresses[:20])
        self.assertEqual(len(queued.ids()), 3)

    def test_closed_descriptors_are_a_read_error(self):
        queued = self.queued()
        for redirect in ("<&-", ">&-"):
            done = subprocess.run(["sh", "-c", f"exec {relais.program('qmail-queue')} {redirect}"],
                                  input=b"m", env=queued.instance.environment, capture_output=True)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (54, b"", b""))

    def test_without_a_server_the_code_says_so(self):
        queued = self.queued(start=False)
        good = envelope("s", ["r"])
        for listener in queued.listeners:
            listener.close()
        self.assertEqual(self.run_client(queued, b"m", good)[0], 73)
        self.assertEqual(self.run_client(queued, b"m" * 1_000_000, good)[0], 73)
        queued.path("submit").unlink()
        self.assertEqual(self.run_client(queued, b"m", good)[0], 73)
        self.assertEqual(self.run_client(queued, b"m", good, {"QMAILHOME": "/nonexistent"})[0], 61)

    def test_qmailqueue_means_nothing_to_it(self):
        queued = self.queued()
        self.assertEqual(self.run_client(queued, b"m", envelope("s", ["r"]), {"QMAILQUEUE": "/bin/false"})[0], 0)


class Limits(QueuedTest):
    def test_slow_senders_hold_no_worker(self):
        queued = self.queued(control={"concurrencyqueue": "2"})
        with contextlib.ExitStack() as stack:
            slow = [stack.enter_context(queued.connect()) for _ in range(30)]
            for client in slow:
                client.sendall(b"RQ1l" + struct.pack("<I", 1000) + b"x" * 10)
            for _ in range(10):
                self.assertEqual(queued.submit("m")[0], 0)
            slow[7].sendall(b"x" * 990 + frames(b"") + frames(envelope("s", ["r"])))
            code, id, _ = read_answer(slow[7])
            self.assertEqual(code, 0)
            self.assertEqual(queued.message(id).partition(b"\n")[2], b"x" * 1000)
        self.wait_ids(queued, 11)

    @unittest.skipUnless(relais.IS_ROOT, "needs several users")
    def test_a_user_who_holds_every_connection_he_can_hinders_only_himself(self):
        queued = self.queued(control={"concurrencysubmit": "3"})
        uid = 65000
        ready, release = os.pipe(), os.pipe()
        holder = os.fork()
        if holder == 0:
            os.setresuid(uid, uid, uid)
            held = [queued.connect("submit") for _ in range(10)]
            for client in held:
                client.sendall(b"RQ1l")
            os.write(ready[1], b"x")
            os.read(release[0], 1)
            # Those beyond the limit were not lost: they come to their turn.
            codes = []
            for client in held:
                client.sendall(frames(b"m") + frames(envelope("s", ["r"])))
                codes.append(read_answer(client)[0])
                client.close()
            os._exit(0 if codes == [0] * 10 else 1)
        os.read(ready[0], 1)
        queued.instance.wait_for(lambda: len(queued.workers()) == 36 + 3, 10, "three processes for him")
        self.assertEqual(self.as_user(65001, lambda: queued.submit("m", door="submit")[0]), 0)
        self.assertEqual(queued.submit("m", door="network")[0], 0)
        queued.instance.wait_for(lambda: len(queued.workers()) == 36 + 3, 60, "his three processes alone")
        os.write(release[1], b"x")
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(holder, 0)[1]), 0)
        for fd in (*ready, *release):
            os.close(fd)

    @unittest.skipUnless(relais.IS_ROOT, "needs several users")
    def test_users_who_fill_the_waiting_line_hinder_nobody_else(self):
        queued = self.queued(control={"concurrencysubmit": "2"})
        refused = 0
        with contextlib.ExitStack() as stack:
            for uid in range(65000, 65005):
                os.seteuid(uid)
                stack.callback(os.seteuid, 0)
                held = [stack.enter_context(queued.connect("submit")) for _ in range(110)]
                os.seteuid(0)
                for client in held:
                    # Those beyond the line have been refused already.
                    with contextlib.suppress(BrokenPipeError):
                        client.sendall(b"RQ1l")
                for client in held[-5:]:
                    self.assertEqual(read_answer(client)[0], 71)
                    refused += 1
            self.assertEqual(self.as_user(65100, lambda: queued.submit("m", door="submit")[0]), 0)
            queued.instance.wait_for(lambda: len(queued.workers()) == 36 + 10, 60, "the ten processes alone")
        self.assertEqual(refused, 25)

    def test_without_a_descriptor_left_it_waits_and_does_not_spin(self):
        queued = self.queued(descriptor_limit=100)
        queued.wait_pool()
        pid = queued.process.pid
        with contextlib.ExitStack() as stack:
            for _ in range(60):
                stack.enter_context(queued.connect("submit"))
            queued.instance.wait_for(lambda: queued.log().count("Too many open files") >= 2, 20, "two warnings")
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            self.assertLess((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), 0.5)
        self.assertEqual(queued.submit("m", door="submit")[0], 0)

    def test_a_full_hint_pipe_delays_nothing(self):
        queued = self.queued()
        os.set_blocking(queued.hint_writer, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(queued.hint_writer, bytes(8))
        for _ in range(5):
            self.assertEqual(queued.submit("m")[0], 0)


class Deaths(QueuedTest):
    def half_submission(self, queued):
        """A large submission of which only a part has come; returns its connection once its file is there."""
        known = len(queued.ids())
        client = queued.connect()
        client.sendall(b"RQ1l" + frames(b"x" * 400_000)[:-4])
        self.wait_ids(queued, known + 1)
        self.addCleanup(client.close)
        return client

    def test_a_killed_process_leaves_no_file_and_asks_for_a_scan(self):
        queued = self.queued()
        before = {p.pid for p in queued.wait_pool()}
        client = self.half_submission(queued)
        (alone,) = [p for p in queued.workers() if p.pid not in before]
        os.kill(alone.pid, signal.SIGKILL)
        with self.assertRaises((EOFError, ConnectionError)):
            read_answer(client)
        self.wait_ids(queued, 0)
        queued.instance.wait_for(lambda: queued.hints() == [0], 10, "a hint 0")

    def test_killed_workers_are_replaced(self):
        queued = self.queued(control={"concurrencyqueue": "3"})
        old = {p.pid for p in queued.wait_pool(7)}
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        queued.instance.wait_for(lambda: not old & {p.pid for p in queued.workers()}, 10, "their end")
        self.assertEqual(queued.submit("m")[0], 0)
        queued.wait_pool(7)

    def test_after_a_kill_the_next_one_removes_what_was_never_acknowledged(self):
        queued = self.queued()
        kept = [queued.submit("m%d" % i)[1] for i in range(20)]
        for _ in range(5):
            self.half_submission(queued)
        kept += [queued.submit("n%d" % i)[1] for i in range(20)]
        queued.kill()
        self.assertEqual(len(queued.ids()), 45)
        queued.hints()
        queued.start()
        # Some of those may have died between file and hint.
        queued.instance.wait_for(lambda: queued.hints() == [0], 10, "a hint 0")
        kept.append(queued.submit("after")[1])
        self.assertEqual(queued.ids(), sorted(kept))
        self.assertIn("removed 5 incomplete messages", queued.log())

    def test_below_the_checkpoint_nothing_is_touched(self):
        queued = self.queued()
        id = queued.submit("m")[1]
        queued.stop()
        checkpoint = int((queued.instance.home / "queue/checkpoint").read_text())
        self.assertEqual(checkpoint, id + 1)
        os.truncate(queued.file(id), 10)
        above = checkpoint + 64
        queued.file(above).write_bytes(b"half a message")
        queued.start()
        queued.submit("m")
        self.assertTrue(queued.file(id).exists())
        self.assertFalse(queued.file(above).exists())

    def test_a_fifo_in_the_queue_does_not_hold_it_up(self):
        queued = self.queued(start=False)
        os.mkfifo(queued.file(64))
        queued.start()
        with queued.connect() as client:
            client.settimeout(90)
            client.sendall(encode("m", envelope("s", ["r"])))
            self.assertEqual(read_answer(client)[0], 0)
        # It is nobody's message: --check names it.
        self.assertTrue(queued.file(64).exists())
        queued.stop()
        self.assertGreater(int((queued.instance.home / "queue/checkpoint").read_text()), 64)

    def test_under_a_checkpoint_that_makes_no_sense_nothing_is_removed(self):
        queued = self.queued(start=False)
        for id, content in enumerate((b"", b"nonsense\n", b"\0" * 100, b"1" * 63), 1):
            (queued.instance.home / "queue/checkpoint").write_bytes(content)
            queued.file(id).write_bytes(b"half")
            queued.start()
            self.assertEqual(queued.submit("m")[0], 0)
            self.assertFalse(queued.file(id).exists())
            self.assertEqual((queued.instance.home / f"queue/damaged/{id}").read_bytes(), b"half")
            self.assertIn(f"alert: message {id} is damaged: it is kept as", queued.log())
            queued.kill()

    def test_a_missing_split_directory_is_made_again(self):
        queued = self.queued()
        missing, other = (queued.instance.home / "queue/mess" / name for name in ("9", "10"))
        for restarted in (False, True):
            if restarted:
                queued.kill()
            shutil.rmtree(missing)
            if restarted:
                shutil.rmtree(queued.instance.home / "queue/lock")
                queued.start()

            def is_there():
                self.assertEqual(queued.submit("m")[0], 0)
                return missing.exists()
            self.assertTrue(relais.wait_until(is_there, interval=0))
        state, other = missing.stat(), other.stat()
        self.assertEqual((state.st_mode, state.st_uid, state.st_gid), (other.st_mode, other.st_uid, other.st_gid))

    def test_a_lost_checkpoint_with_many_messages_loses_none(self):
        queued = self.queued()
        first = queued.submit("m")[1]
        queued.stop()
        whole = queued.file(first).read_bytes()
        # More than are synced one by one.
        ids = [first - 64 * n for n in range(1, 1101)]
        for id in ids:
            queued.file(id).write_bytes(whole)
        queued.file(first - 1).write_bytes(whole[:-10])
        (queued.instance.home / "queue/checkpoint").unlink()
        queued.start()
        last = queued.submit("m")[1]
        self.assertEqual(queued.ids(), sorted([*ids, first, last]))
        self.assertNotIn("warning", queued.log())

    def test_a_queue_from_the_future_does_not_carry_its_time_on(self):
        queued = self.queued(start=False)
        future = (time.time_ns() // 1000) + 10 * 365 * 86400 * 10**6
        (queued.instance.home / "queue/checkpoint").write_text(f"{future}\n")
        queued.start()
        code, id, _ = queued.submit("m")
        self.assertEqual(code, 0)
        self.assertLess(id, future - 10**12)
        self.assertLessEqual(int((queued.instance.home / "queue/checkpoint").read_text()), id)

    def test_sigterm_lets_a_running_submission_end(self):
        queued = self.queued()
        client = self.half_submission(queued)
        queued.process.send_signal(signal.SIGTERM)
        queued.instance.wait_for(lambda: len(queued.workers()) == 1, 10, "the end of the pool")
        client.sendall(bytes(4) + frames(envelope("s", ["r"])))
        self.assertEqual(read_answer(client)[0], 0)
        self.assertEqual(queued.process.wait(60), 0)
        # What comes now waits for the next qmail-queued.
        with queued.connect() as client:
            client.sendall(encode("m", envelope("s", ["r"])))
            queued.start()
            self.assertEqual(read_answer(client)[0], 0)

    def test_two_at_a_time_are_refused(self):
        queued = self.queued()
        first = queued.process
        queued.submit("m")
        queued.start()
        self.assertEqual(queued.process.wait(60), 111)
        self.assertIn("unable to lock", queued.log())
        queued.process = queued.instance.running["queued"] = first
        self.assertEqual(queued.submit("m")[0], 0)

    def test_kill_9_of_workers_and_parents_under_load_loses_nothing(self):
        queued = self.queued(control={"concurrencyqueue": "8"})
        acknowledged, ending = {}, threading.Event()

        def send(number):
            count = 0
            while not ending.is_set():
                count += 1
                body = f"message {number} {count} " + "x" * (count * 997 % 300_000)
                with contextlib.suppress(EOFError, OSError, struct.error):
                    code, id, _ = queued.submit(body, flag="l" if count % 3 == 0 else "s")
                    if code == 0:
                        acknowledged[id] = body

        threads = [threading.Thread(target=send, args=(n,)) for n in range(6)]
        for thread in threads: thread.start()
        try:
            for round in range(20):
                have = len(acknowledged)
                queued.instance.wait_for(lambda: len(acknowledged) > have + 10, 30, "messages")
                if round % 5 == 4:
                    queued.kill()
                    queued.start()
                    continue
                for worker in queued.workers()[:4]:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(worker.pid, signal.SIGKILL)
        finally:
            ending.set()
            for thread in threads: thread.join()
        queued.kill()
        queued.start()
        acknowledged[queued.submit("last")[1]] = "last"
        missing = set(acknowledged) - set(queued.ids())
        self.assertEqual(missing, set())
        for id, body in acknowledged.items():
            self.assertEqual(queued.message(id).partition(b"\n")[2].decode(), body)
        for id in queued.ids():
            queued.message(id)


class NoQueue(QueuedTest):
    """A queue that cannot be used: clients are told, and not left to wait."""

    def test_clients_are_refused_until_the_queue_can_be_used(self):
        queued = self.queued(start=False)
        queue = queued.instance.home / "queue"
        # What is missing below it is made again.
        for name in ("",):
            gone = queued.instance.directory / "gone"
            (queue / name).rename(gone)
            # Whether all came within its second or not, the next one answers the rest.
            with self.subTest(name), contextlib.ExitStack() as stack:
                stack.callback(gone.rename, queue / name)
                ending = threading.Event()
                codes = []

                def keep_running():
                    while not ending.is_set():
                        queued.start()
                        codes.append(queued.process.wait(60))

                keeper = threading.Thread(target=keep_running)
                keeper.start()
                try:
                    answers = [queued.submit("m", door=door)[0] for door in ("network", "bounce", "submit")]
                    answers.append(queued.submit(os.urandom(3_000_000), flag="l")[0])
                finally:
                    ending.set()
                    keeper.join()
                self.assertEqual(set(answers), {64})
                self.assertEqual(set(codes), {111})
        self.assertIn("fatal: unable to", queued.log())
        queued.start()
        self.assertEqual([queued.submit("m", door=door)[0] for door in ("network", "bounce", "submit")], [0, 0, 0])
        self.assertEqual(queued.submit(os.urandom(3_000_000), flag="l")[0], 0)

    def test_a_lock_that_another_has_is_waited_for(self):
        queued = self.queued()
        self.assertEqual(queued.submit("first")[0], 0)
        queued.stop()
        with open(queued.instance.home / "queue/lock/queued") as lock, queued.connect() as client:
            fcntl.flock(lock, fcntl.LOCK_EX)
            client.sendall(encode("m", envelope("s@a.test", ["r@b.test"])))
            queued.start()
            self.assertEqual(queued.process.wait(60), 111)
            client.setblocking(False)
            with self.assertRaises(BlockingIOError):
                client.recv(1)
            client.settimeout(60)
            queued.start()
            fcntl.flock(lock, fcntl.LOCK_UN)
            self.assertEqual(read_answer(client)[0], 0)


@unittest.skipUnless(relais.IS_ROOT, "needs mount")
class FullDisk(QueuedTest):
    def small_disk(self, mount):
        """A queue on a file system of its own, mounted by this command with the place added."""
        # What is tried is a disk that is full, not one that is about to be.
        instance = self.instance(control={"queueminfree": "0"})
        target = instance.home / "queue"
        mounted = subprocess.run([*mount, target], capture_output=True)
        if mounted.returncode:
            self.skipTest("unable to mount: " + mounted.stderr.decode())
        self.addCleanup(subprocess.run, ["umount", "-l", target])
        for name in ("", "lock", *(f"{kind}/{split}" for kind in ("mess", "bounce") for split in range(64))):
            (target / name).mkdir(parents=True, exist_ok=True)
        for path in (target, *target.rglob("*")):
            os.chown(path, *instance.ids("qmailq"))
        queued = Queued(instance)
        self.addCleanup(queued.close)
        return queued

    def small_ext4(self, *options):
        """The same on an ext4 with its journal."""
        directory = tempfile.TemporaryDirectory(prefix="relais.", dir="/var/tmp")
        self.addCleanup(directory.cleanup)
        image = f"{directory.name}/image"
        subprocess.run(["truncate", "-s", "16M", image], check=True)
        if not shutil.which("mkfs.ext4"):
            self.skipTest("no mkfs.ext4")
        subprocess.run(["mkfs.ext4", "-q", "-F", *options, image], check=True)
        return self.small_disk(["mount", "-o", "loop", image])

    def test_a_full_disk_is_a_write_error_and_leaves_nothing(self):
        queued = self.small_disk(["mount", "-t", "tmpfs", "-o", "size=2000000", "tmpfs"])
        accepted = []
        while (answer := queued.submit(os.urandom(200_000)))[0] == 0:
            accepted.append(answer[1])
        self.assertEqual(answer[0], 53)
        self.assertTrue(5 <= len(accepted) < 10)
        self.assertEqual(queued.submit(os.urandom(3_000_000), flag="l")[0], 53)
        self.wait_ids(queued, len(accepted))
        queued.file(accepted[0]).unlink()
        self.assertEqual(queued.submit(os.urandom(150_000))[0], 0)
        self.assertIn("No space left on device", queued.log())

    def test_a_full_ext4(self):
        queued = self.small_ext4()
        accepted = {}
        for attempt in range(100):
            message = os.urandom(400_000)
            code, id, _ = queued.submit(message, flag="l")
            if code:
                break
            accepted[id] = message
        self.assertEqual(code, 53)
        self.assertGreater(len(accepted), 5)
        self.wait_ids(queued, len(accepted))
        for id, message in accepted.items():
            self.assertEqual(queued.message(id).partition(b"\n")[2], message)

    def test_an_ext4_that_writes_no_more_after_an_error(self):
        queued = self.small_ext4()
        queue = queued.instance.home / "queue"
        self.assertEqual(queued.submit("m")[0], 0)
        healthy = queued.instance.run("qmailctl", "doctor").out
        aborted = subprocess.run(["mount", "-o", "remount,abort", queue], capture_output=True)
        if aborted.returncode:
            self.skipTest("unable to abort: " + aborted.stderr.decode())
        doors = ("network", "bounce", "submit")
        self.assertEqual([queued.submit("m", door=door)[0] for door in doors], [53, 53, 53])
        queued.kill()
        with queued.connect() as client:
            client.sendall(encode("m", envelope("s@a.test", ["r@b.test"])))
            queued.start()
            self.assertEqual(read_answer(client)[0], 64)
        self.assertEqual(queued.process.wait(60), 111)
        text = f"WRONG  {queue} is on a file system that is read-only"
        self.assertNotIn(text, healthy)
        self.assertIn(text, queued.instance.run("qmailctl", "doctor").out)

    def test_no_inode_left(self):
        queued = self.small_ext4("-N", "400")
        accepted = 0
        while (code := queued.submit("m")[0]) == 0 and accepted < 1000:
            accepted += 1
        self.assertEqual(code, 53)
        self.wait_ids(queued, accepted)


if __name__ == "__main__":
    relais.main()
