"""qmail-send ends, is told to or is killed, while deliveries hang: mail goes on beside them, and what they do counts once."""

import contextlib
import fcntl
import os
import re
import signal
import socket
import threading
import time
import unittest

from harness import relais
from harness.fake_smtp import SILENT, FakeServer
from run_test import Supervised

HELLO = "From: a@b.test\nSubject: hello\n\nhello\n"


class Hanging:
    """A recipient whose program waits for a gate, and notes each time it is run."""

    def __init__(self, instance, name="bob", code=0):
        self.user = instance.add_user(name)
        self.gate, self.runs_file = instance.directory / f"{name}.gate", self.user.home / "runs"
        self.user.write(".qmail", f"|echo x >>runs; while ! test -e {self.gate}; do sleep 0.05; done; "
                                  f"cat >/dev/null; echo words; exit {code}\n./Maildir/\n")

    @property
    def runs(self):
        return len(self.runs_file.read_text().split()) if self.runs_file.exists() else 0

    def open(self):
        self.gate.touch()


class Base:
    single = False

    def made(self, **control):
        i = self.instance(control=control, single=self.single)
        i.rules(':allow,RELAYCLIENT=""\n')
        self.bob = Hanging(i)
        self.ann = i.add_user("ann")
        self.addCleanup(self.bob.open)
        return i

    def server(self, **replies):
        server = FakeServer(**replies)
        self.addCleanup(server.stop)
        return server

    def slow_server(self):
        """A server that answers the final dot when the gate opens, and an event for that it has been asked."""
        asked, gate = threading.Event(), threading.Event()
        self.addCleanup(gate.set)

        def dot(_session, _line):
            asked.set()
            gate.wait(60)
            return b"250 taken\r\n"
        return self.server(dot=dot), asked, gate

    @staticmethod
    def restart(i):
        """As supervise does it after svc -t. Returns when the next qmail-send runs."""
        before = {p.pid for p in i.processes("qmail-send")}
        i.running["send"].terminate()
        assert i.running["send"].wait(60) == 0
        i.start_send()
        i.wait_for(lambda: {p.pid for p in i.processes("qmail-send")} - before and i.processes("qmail-queued"), 20,
                   "the next qmail-send")

    def hang(self, i, recipient="bob@mail.test"):
        runs = self.bob.runs
        i.send("a@b.test", [recipient], HELLO)
        i.wait_for(lambda: self.bob.runs == runs + 1, 20, "the program that hangs")

    def assert_mail_flows(self, i):
        count = len(self.ann.files())
        i.send("a@b.test", ["ann@mail.test"], HELLO)
        self.ann.wait_messages(count + 1, 20)

    def ask(self, i, request):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            i.wait_for(lambda: s.connect_ex(str(i.home / "sockets/send-control")) == 0, 20, "send-control")
            s.sendall(request.encode() + b"\n")
            answer = b""
            while not answer.endswith((b"ok\n", b".\n")) and not answer.startswith(b"error"):
                data = s.recv(65536)
                if not data:
                    break
                answer += data
            return answer.decode()


class Kind(Base):
    """Both kinds of instance."""

    def test_what_hangs_holds_nothing_but_itself(self):
        server = self.server(greeting=SILENT)
        i = self.made(smtproutes=f":127.0.0.1:{server.port}").start()
        self.hang(i)
        i.send("a@b.test", ["x@silent.test"], HELLO)
        i.wait_for(lambda: server.sessions, 20, "a connection")
        self.restart(i)
        self.assert_mail_flows(i)
        # The remote one was cut off and is tried again; the local one is still the first.
        i.wait_for(lambda: len(server.sessions) == 2 and server.sessions[0].ended_by_peer, 20, "the second connection")
        (line,) = i.wait_log("still running delivery 1: msg ")
        why = self.ask(i, "why " + line.split()[5])
        self.assertIn("delivery 1 of before the last restart still runs, to local bob@mail.test", why)
        self.assertRegex(self.ask(i, "running"), r"delivery 1: msg \d+ to local bob@mail.test, since .*, from before the last "
                                                 r"restart\n")
        self.assertEqual(self.bob.runs, 1)
        self.bob.open()
        i.wait_log("delivery 1: success: ")
        i.wait_for(lambda: len(i.queue_files()) == 1)
        self.assertEqual((self.bob.runs, len(self.bob.user.files())), (1, 1))

    def test_a_thousand_recipients_of_whom_one_hangs(self):
        i = self.made(concurrencylocal="50").start()
        everybody = [f"ann-{n}@mail.test" for n in range(999)]
        self.ann.write(".qmail-default", "./Maildir/\n")
        i.submit("a@b.test", ["bob@mail.test", *everybody], HELLO)
        i.wait_for(lambda: self.bob.runs == 1 and self.ann.files(), 20, "the first deliveries")
        self.restart(i)
        self.ann.wait_messages(999, 60)
        i.wait_for(lambda: i.queue_files()[0].read_bytes().count(b"\0Dann-") == 999, 20, "999 marks")
        self.restart(i)
        self.assert_mail_flows(i)
        self.bob.open()
        i.wait_empty()
        self.assertEqual((self.bob.runs, len(self.ann.files()), len(self.bob.user.files())), (1, 1000, 1))

    def test_a_delivery_is_cut_by_hand(self):
        i = self.made().start()
        self.assertIn("nothing is under way", i.run("queue-list", "cut").err)
        self.hang(i)
        self.assertRegex(i.run("queue-list", "cut").out, r"^delivery 1: msg \d+ to local bob@mail\.test, since .*\n$")
        self.assert_cut(i, 1, "local bob@mail.test")
        (name,) = (path.name for path in i.queue_files())
        self.assertIn("next try in ", self.ask(i, f"why {name}"))
        self.assertEqual(self.bob.runs, 1)
        # One of the old generation.
        self.ask(i, f"retry {name}")
        i.wait_for(lambda: self.bob.runs == 2, 20, "the second run")
        (line,) = [line for line in i.log() if "starting delivery" in line and "bob@" in line and "starting delivery 1:" not in line]
        number = line.split("starting delivery ")[1].split(":")[0]
        self.restart(i)
        i.wait_log(f"still running delivery {number}: msg ")
        self.assert_cut(i, number, "local bob@mail.test", ", from before the last restart")
        self.assert_mail_flows(i)
        self.assertEqual(self.bob.runs, 2)
        for wrong, code, said in (("4711", 1, "4711: not cut: no delivery 4711 is under way"), ("x", 100, "this is no number of a delivery: x")):
            done = i.run("queue-list", "cut", wrong)
            self.assertEqual((done.code, done.out), (code, ""), done)
            self.assertIn(said, done.err)
        i.running["send"].terminate()
        i.running["send"].wait(60)
        self.assertIn("qmail-send does not run", i.run("queue-list", "cut", "1").err)

    def assert_cut(self, i, number, to, more=""):
        done = i.run("queue-list", "cut", number)
        self.assertEqual(done.code, 0, done)
        self.assertRegex(done.out, rf"^cut delivery {number}: msg \d+ to {to}, since .* GMT \(.*\){more}\n$")
        i.wait_log(f"delivery {number}: deferral: It_was_cut_off_by_hand._(#4.3.0)/")
        i.wait_for(lambda: not i.processes("sh") and not i.processes("sleep"), 20, "the end of the programs")

    def test_a_remote_delivery_is_cut_by_hand(self):
        silent = self.server(MAIL=SILENT)
        slow, asked, gate = self.slow_server()
        i = self.made(smtproutes=f"silent.test:127.0.0.1:{silent.port}\nslow.test:127.0.0.1:{slow.port}").start()
        i.send("a@b.test", ["x@silent.test"], HELLO)
        i.wait_for(lambda: silent.sessions and b"MAIL" in b"".join(silent.sessions[0].commands), 20, "MAIL")
        self.assert_cut(i, 1, "remote silent.test for x@silent.test")
        (name,) = (path.name for path in i.queue_files())
        self.assertIn("next try in ", self.ask(i, f"why {name}"))
        i.send("a@b.test", ["x@slow.test"], HELLO)
        self.assertTrue(asked.wait(60))
        done = i.run("queue-list", "cut", "2")
        self.assertRegex(done.out, r"^cut delivery 2: .*; it has not ended yet: a server that has all of the message has a minute to answer\n$")
        gate.set()
        i.wait_log("delivery 2: success: ")
        self.assertEqual((len(silent.sessions), len(slow.messages)), (1, 1))

    def test_twenty_restarts(self):
        i = self.made().start()
        self.hang(i)
        restarts = 20 if not i.single or relais.LONG else 6
        for _ in range(restarts):
            for _ in range(3):
                i.send("a@b.test", ["ann@mail.test"], HELLO)
            self.restart(i)
            self.assertLessEqual(len(i.processes("qmail-lspawn")), 4)
        self.assert_mail_flows(i)
        self.ann.wait_messages(3 * restarts + 1)
        self.bob.open()
        i.wait_empty()
        self.assertEqual((self.bob.runs, len(self.ann.files())), (1, 3 * restarts + 1))
        i.wait_for(lambda: len(i.processes("qmail-lspawn")) == 1, 20, "one qmail-lspawn")

    def test_stop_leaves_it_to_the_next_start(self):
        i = self.made().start()
        self.hang(i)
        i.running["send"].terminate()
        self.assertEqual(i.running["send"].wait(60), 0)
        i.wait_log("deliveries go on: the next qmail-start takes them over")
        self.assertIn("delivery 1: msg", self.ask(i, "running"))
        # The qmail-send that is left takes note of its end.
        self.bob.open()
        i.wait_log("delivery 1: success: ")
        i.wait_for(lambda: not i.queue_files() and not i.processes("qmail-lspawn"), 20, "the end of everything")
        self.assertEqual(self.bob.runs, 1)


class Administered(Base):
    """What qmailctl says and does."""

    def supervised(self):
        i = Supervised(self.single)
        self.addCleanup(i.remove)
        self.bob, self.ann = Hanging(i), i.add_user("ann")
        self.addCleanup(self.bob.open)
        return i.start()

    def hang(self, i, recipient="bob@mail.test"):
        runs = self.bob.runs
        i.send("a@b.test", [recipient], HELLO)
        i.wait_for(lambda: self.bob.runs == runs + 1, 20, "the program that hangs")

    @staticmethod
    def doctor(i):
        return i.run("qmailctl", "doctor").out

    def test_restart_stat_doctor_and_queue_list_tell_what_goes_on(self):
        i = self.supervised()
        self.hang(i)
        self.assertRegex(i.ctl("restart"), r"go on beside the new qmail-send:\n +delivery 1: msg \d+ to local bob@mail.test, since ")
        self.assert_mail_flows(i)
        self.assertIn("from before the last restart", i.ctl("stat"))
        said = self.doctor(i)
        self.assertIn("ok     qmail-send and its spawners deliver\nnote   from before the last restart:\n       delivery 1: msg ", said)
        self.assertIn("delivery 1 of before the last restart still runs, to local bob@mail.test",
                      i.run("queue-list", "show", i.queue_files()[0].name).out)
        self.bob.open()
        i.wait_empty()
        self.assertEqual(self.bob.runs, 1)

    def test_stop_says_whom_it_waits_for(self):
        i = self.supervised()
        self.hang(i)
        stop = i.spawn("stop", [relais.program("qmailctl"), "stop"], i.ids("qmailq") if self.single else None)
        i.wait_for(lambda: any("delivery 1: msg " in line for line in self.said(i, "stop")), 20, "the delivery's name")
        self.assertIn("waiting for:", self.said(i, "stop"))
        self.assertIn("WRONG  no delivery starts: qmail-send waits for\n       delivery 1: msg ", self.doctor(i))
        self.assertIsNone(stop.poll())
        self.bob.open()
        self.assertEqual(stop.wait(60), 0)
        self.assertEqual(self.said(i, "stop")[-1], f"stopped {i.home}")
        self.assertEqual((i.queue_files(), self.bob.runs), ([], 1))

    def test_start_takes_over_what_a_stop_left(self):
        i = self.supervised()
        self.hang(i)
        stop = i.spawn("stop", [relais.program("qmailctl"), "stop"], i.ids("qmailq") if self.single else None)
        i.wait_for(lambda: "waiting for:" in self.said(i, "stop"), 20, "what it waits for")
        stop.kill()
        stop.wait()
        i.kill("svscan")
        self.assertIn("delivery 1: msg ", i.ctl("start"))
        i._wait_port("127.0.0.1")
        self.assert_mail_flows(i)
        self.bob.open()
        i.wait_empty()
        self.assertEqual(self.bob.runs, 1)

    def test_a_stale_status_of_supervise_is_seen_through(self):
        """On a full disk supervise cannot write it."""
        i = self.supervised()
        status = i.home / "service/qmail-smtpd/supervise/status"
        before, old = status.read_bytes(), i.service_pid("qmail-smtpd")
        i.ctl("restart")
        i.wait_for(lambda: i.service_pid("qmail-smtpd") not in (0, old), 20, "another qmail-smtpd")
        new = i.service_pid("qmail-smtpd")
        i._wait_port("127.0.0.1")
        status.write_bytes(before)
        self.assertIn(f"qmail-smtpd: up (pid {new}) ", i.ctl("stat"))
        self.assertNotIn("is answered by somebody else", self.doctor(i))

    def test_start_and_stop_after_svscan_and_supervises_were_killed(self):
        i = self.supervised()
        for name in ("svscan", "supervise"):
            self.assertTrue(i.kill(name))
        i.wait_for(lambda: not i.processes("supervise"), 20, "no supervise")
        i.start()
        self.assertEqual(len(i.processes("svscan")), 1)
        self.assert_mail_flows(i)
        i.wait_log("end msg", "qmail-send")
        i.kill("svscan")
        i.wait_for(lambda: not i.processes("svscan"), 20, "no svscan")
        self.assertIn("stopped ", i.ctl("stop"))
        i.wait_for(lambda: not i.processes(), 20, "no process")

    def test_start_after_svscan_was_killed_waits_for_no_delivery(self):
        """What hangs holds the old log's pipe, and so its multilog."""
        i = self.supervised()
        self.hang(i)
        i.kill("svscan")
        i.wait_for(lambda: not i.processes("svscan"), 20, "no svscan")
        begin = time.monotonic()
        self.assertIn("svscan had gone: what it had started has been ended", i.ctl("start"))
        self.assertLess(time.monotonic() - begin, 40)
        i.know_svscan()
        i._wait_port("127.0.0.1")
        self.assert_mail_flows(i)
        self.bob.open()
        i.wait_empty()
        self.assertEqual(self.bob.runs, 1)

    def test_a_log_whose_supervise_was_killed_holds_up_nobody(self):
        """Its multilog has the log's lock as long as what hangs writes to it. The next one could not write, and all that log would stand still."""
        i = self.supervised()
        self.hang(i)
        old = self.log_process(i, "multilog")
        os.kill(self.log_process(i, "supervise"), signal.SIGKILL)
        i.wait_for(lambda: "a multilog without supervise has the lock of log/qmail-send" in self.doctor(i), 20, "doctor to see it")
        self.assertIn("a log whose supervise had gone has been ended", i.ctl("restart"))
        i.wait_for(lambda: self.log_process(i, "multilog") not in (None, old), 20, "another multilog")
        self.assert_log_flows(i)
        # Now with what looks after supervise.
        i.kill("svscan")
        i.wait_for(lambda: not i.processes("svscan"), 20, "no svscan")
        os.kill(self.log_process(i, "supervise"), signal.SIGKILL)
        i.start()
        self.assert_log_flows(i)
        self.assertNotIn("a multilog without supervise", self.doctor(i))
        self.bob.open()
        i.wait_empty()
        self.assertEqual(self.bob.runs, 1)

    def test_a_service_whose_supervise_was_killed_is_looked_after_again(self):
        """svscan makes another supervise, which cannot start what still runs."""
        i = self.supervised()

        def refused():
            return sum("unable to lock (is another qmail-start running?)" in line for line in i.log())

        def lose():
            before, count = i.processes("qmail-start")[0].pid, refused()
            os.kill(next(p.pid for p in i.processes("supervise") if os.readlink(f"/proc/{p.pid}/cwd") == str(i.home / "service/qmail-send")),
                    signal.SIGKILL)
            i.wait_for(lambda: refused() > count, 20, "the next qmail-start")
            return before

        old = lose()
        self.assertIn(f"WRONG  qmail-start has lost its supervise, pid {old}: ", self.doctor(i))
        self.assertIn("qmail-send runs without its supervise, by which signals go: qmailctl restart", i.run("qmailctl", "flush").err)
        self.assert_mail_flows(i)
        self.assertIn("a service whose supervise had gone has been ended", i.ctl("restart"))
        self.assertNotIn(old, [p.pid for p in i.processes("qmail-start")])
        self.assert_log_flows(i)
        i.ctl("flush")
        self.assertNotIn("has lost its supervise", self.doctor(i))
        lose()
        self.assertIn("stopped ", i.ctl("stop"))
        i.wait_for(lambda: not i.processes(), 20, "no process")

    def test_a_log_whose_run_script_is_a_shell_is_no_orphan(self):
        i = self.supervised()
        script = i.home / "service/qmail-send/log/run"
        script.write_text(re.sub(r"(?m)^exec (.*multilog )", r"\1", script.read_text()) + "exit\n")
        old = self.log_process(i, "multilog")
        os.kill(old, signal.SIGTERM)
        i.wait_for(lambda: self.log_process(i, "multilog") not in (None, old), 20, "another multilog")
        now = self.log_process(i, "multilog")
        parent = relais.Process(now).status()["PPid"]
        self.assertNotEqual(int(parent), self.log_process(i, "supervise"))
        self.assertNotIn("a multilog without supervise", self.doctor(i))
        self.assertNotIn("a log whose supervise had gone", i.ctl("start"))
        self.assertEqual(self.log_process(i, "multilog"), now)

    def assert_log_flows(self, i):
        before = sum("end msg" in line for line in i.log())
        self.assert_mail_flows(i)
        i.wait_for(lambda: sum("end msg" in line for line in i.log()) > before, 20, "lines of the new qmail-send")

    @staticmethod
    def log_process(i, name):
        where = {str(i.home / "service/qmail-send/log"), str(i.home / "log/qmail-send")}
        found = None
        for process in i.processes(name):
            with contextlib.suppress(FileNotFoundError):  # it ended meanwhile
                if os.readlink(f"/proc/{process.pid}/cwd") in where:
                    found = process.pid
        return found

    def test_stop_ends_a_log_that_does_not_end_by_itself(self):
        """As multilog's does not whose disk takes nothing."""
        i = self.supervised()
        self.assertTrue(i.kill("multilog", signal.SIGSTOP))
        self.assertEqual(i.ctl("stop"), f"stopped {i.home}\n")
        i.wait_for(lambda: not i.processes(), 20, "no process")

    @staticmethod
    def said(i, name):
        return (i.logs / name).read_text().splitlines()


class AdministeredUserInstance(Administered, relais.TestCase):
    single = True


class AdministeredSystemInstance(Administered, relais.TestCase):
    single = not relais.IS_ROOT


class UserInstance(Kind, relais.TestCase):
    single = True


class SystemInstance(Kind, relais.TestCase):
    single = not relais.IS_ROOT

    def test_a_late_failure_bounces_once(self):
        i = self.made()
        bad = Hanging(i, "bad", 100)
        self.addCleanup(bad.open)
        i.start()
        i.send("ann@mail.test", ["bad@mail.test", "bob@mail.test"], HELLO)
        i.wait_for(lambda: bad.runs and self.bob.runs, 20, "two programs")
        self.restart(i)
        bad.open()
        i.wait_log("delivery 1: failure: ")
        # The sender is told at once, and the message stays for the other recipient.
        self.ann.wait_messages(1)
        i.wait_for(lambda: len(i.queue_files()) == 1, 20, "the end of the bounce")
        self.bob.open()
        i.wait_empty()
        self.assertIn(b"<bad@mail.test>:", self.ann.messages()[0])
        self.assertEqual((bad.runs, self.bob.runs, len(self.ann.files())), (1, 1, 1))

    def test_a_late_deferral_is_tried_again_by_the_schedule(self):
        i = self.made()
        busy = Hanging(i, "busy", 111)
        self.addCleanup(busy.open)
        i.start()
        i.send("a@b.test", ["busy@mail.test"], HELLO)
        i.wait_for(lambda: busy.runs, 20, "the program")
        self.restart(i)
        busy.open()
        i.wait_log("delivery 1: deferral: ")
        (name,) = (path.name for path in i.queue_files())
        self.assertIn("next try in ", self.ask(i, f"why {name}"))
        self.assertIn("tried once, last error: words", self.ask(i, f"why {name}"))
        self.assertEqual(busy.runs, 1)

    def test_a_message_that_is_deleted_while_it_hangs(self):
        i = self.made().start()
        self.hang(i)
        (name,) = (path.name for path in i.queue_files())
        self.restart(i)
        i.wait_log("still running delivery 1")
        self.assertEqual(self.ask(i, f"delete {name}"), "ok\n")
        self.bob.open()
        i.wait_log("delivery 1: success: the_message_was_deleted_meanwhile/")
        self.assert_mail_flows(i)
        self.assertEqual(self.bob.runs, 1)

    def test_behind_the_final_dot_the_answer_counts(self):
        server, asked, gate = self.slow_server()
        i = self.made(smtproutes=f":127.0.0.1:{server.port}").start()
        i.send("a@b.test", ["x@far.test"], HELLO)
        self.assertTrue(asked.wait(60))
        self.restart(i)
        self.assert_mail_flows(i)
        gate.set()
        i.wait_log("delivery 1: success: ")
        i.wait_empty()
        self.assertEqual(len(server.messages), 1)

    @unittest.skipUnless(relais.LONG, "lets a minute pass")
    def test_behind_the_final_dot_the_answer_has_a_minute(self):
        server = self.server(dot=SILENT)
        i = self.made(smtproutes=f":127.0.0.1:{server.port}").start()
        i.send("a@b.test", ["x@far.test"], HELLO)
        i.wait_for(lambda: server.messages, 20, "the whole message")
        begin = time.monotonic()
        self.restart(i)
        self.assert_mail_flows(i)
        i.wait_log("delivery 1: deferral: qmail-send_was_restarted,_or_the_delivery_cut_off_by_hand,_and_the_server_did_not_answer_"
                   "within_a_minute_after_it_had_the_message._Possible_duplicate!_(#4.4.2)/", seconds=90)
        self.assertGreaterEqual(time.monotonic() - begin, 60)
        i.wait_for(lambda: server.sessions[0].ended_by_peer and len(i.processes("qmail-rspawn")) == 1, 20, "the end of the old spawner")
        (name,) = (path.name for path in i.queue_files())
        self.assertIn("next try in ", self.ask(i, f"why {name}"))
        self.assertEqual(len(server.sessions), 1)

    def test_old_deliveries_count_in_concurrency(self):
        i = self.made(concurrencylocal="1").start()
        self.hang(i)
        self.restart(i)
        i.send("a@b.test", ["ann@mail.test"], HELLO)
        i.wait_log("status: local 1/1 ", count=2)
        i.control("concurrencylocal", "2")
        self.ann.wait_messages(1)
        self.assertEqual(self.bob.runs, 1)

    def test_old_deliveries_count_in_the_part_of_their_user(self):
        i = self.made(concurrencylocal="4").start()
        # Three of four are what a user alone may have.
        self.bob.user.write(".qmail-default", (self.bob.user.home / ".qmail").read_bytes())
        i.submit("a@b.test", [f"bob-{n}@mail.test" for n in range(3)], HELLO)
        i.wait_for(lambda: self.bob.runs == 3, 20, "three programs")
        self.restart(i)
        i.wait_log("still running delivery ", count=3)
        i.send("a@b.test", ["bob@mail.test"], HELLO)
        i.wait_for(lambda: len(i.queue_files()) == 2, 20, "the fourth")
        for _ in range(3):
            self.assert_mail_flows(i)
        self.assertEqual(self.bob.runs, 3)
        self.bob.open()
        i.wait_empty()
        self.assertEqual(self.bob.runs, 4)

    def test_old_deliveries_count_in_the_limit_of_their_destination(self):
        server, asked, gate = self.slow_server()
        i = self.made(smtproutes=f":127.0.0.1:{server.port}", destinationlimits="far.test:1").start()
        begin = time.monotonic()
        i.send("a@b.test", ["x@far.test"], HELLO)
        self.assertTrue(asked.wait(60))
        self.restart(i)
        i.wait_log("still running delivery 1: msg ")
        i.send("a@b.test", ["y@far.test"], HELLO)
        i.send("a@b.test", ["z@near.test"], HELLO)
        i.wait_for(lambda: len(server.messages) == 2, 20, "the message for another destination")
        self.assert_mail_flows(i)
        if time.monotonic() - begin > 50:
            self.skipTest("this machine is too slow: the answer behind the dot has a minute")
        self.assertNotIn(b"y@far.test", b"".join(b"".join(session.commands) for session in server.sessions))
        gate.set()
        i.wait_empty()
        self.assertEqual(len(server.messages), 3)

    def test_a_death_of_qmail_send(self):
        i = self.made().start()
        self.hang(i)
        for _ in range(3):
            i.wait_for(lambda: i.processes("qmail-send"), 20, "a qmail-send")
            self.assertTrue(i.kill("qmail-send"))
            self.assert_mail_flows(i)
        self.bob.open()
        i.wait_empty()
        self.assertEqual(self.bob.runs, 1)

    def test_a_death_of_qmail_send_cuts_off_what_is_before_the_final_dot(self):
        server = self.server(DATA=[SILENT, b"354 go ahead\r\n"])
        i = self.made(smtproutes=f":127.0.0.1:{server.port}").start()
        self.hang(i)
        i.send("a@b.test", ["x@silent.test"], HELLO)
        i.wait_for(lambda: server.sessions and b"DATA" in server.sessions[0].commands, 20, "DATA")
        i.kill("qmail-send")
        i.wait_for(lambda: server.sessions[0].ended_by_peer, 10, "the end of the connection")
        i.wait_log("deferral: It_was_cut_off_by_a_restart_before_it_could_have_any_effect.")
        i.wait_for(lambda: server.messages, 20, "the message")
        self.assert_mail_flows(i)
        self.bob.open()
        i.wait_empty()
        self.assertEqual((len(server.messages), len(server.sessions), self.bob.runs), (1, 2, 1))

    def test_slow_work_of_a_killed_qmail_send_is_waited_for(self):
        i = self.made()
        bad = Hanging(i, "bad", 100)
        self.addCleanup(bad.open)
        i.start()

        def assert_waits(count):
            self.assertTrue(i.kill("qmail-send"))
            i.wait_log("no delivery starts: processes of before still hold queue/lock/send", count=count)
            self.assertEqual(i.processes("qmail-send"), [])

        # A record that takes its time: nobody delivers beside it.
        i.wait_for(lambda: i.kill("qmail-send-recorder", signal.SIGSTOP), 20, "what records failures")
        assert_waits(1)
        i.send("ann@mail.test", ["bad@mail.test"], HELLO)
        self.assertEqual(bad.runs, 0)
        i.kill("qmail-send-recorder", signal.SIGCONT)
        i.wait_for(lambda: bad.runs == 1, 20, "the program")
        # A bounce that qmail-queued takes only afterwards.
        i.wait_for(lambda: i.processes("qmail-send-bouncer"), 20, "what submits bounces")
        before = self.descriptors(i, "qmail-send-bouncer")
        i.kill("qmail-queued", signal.SIGSTOP)
        bad.open()
        i.wait_for(lambda: self.descriptors(i, "qmail-send-bouncer") > before, 20, "a bounce that is submitted")
        assert_waits(2)
        self.assertEqual((self.ann.files(), len(i.queue_files())), ([], 1))
        i.kill("qmail-queued", signal.SIGCONT)
        self.ann.wait_messages(1)
        i.wait_empty()
        self.assertIn(b"<bad@mail.test>:", self.ann.messages()[0])

    @staticmethod
    def descriptors(i, name):
        count = 0
        for process in i.processes(name):
            with relais.gone():
                count += len(os.listdir(f"/proc/{process.pid}/fd"))
        return count

    def test_deaths_under_load_make_no_second_copy(self):
        i = self.made(concurrencylocal="30").start()
        self.hang(i)
        self.ann.write(".qmail-default", "./Maildir/\n")
        for number in range(6):
            i.submit("a@b.test", [f"ann-{number}-{n}@mail.test" for n in range(100)], HELLO)
            i.wait_for(lambda: i.processes("qmail-send"), 20, "a qmail-send")
            i.wait_for(lambda: len(self.ann.files()) > number * 100 + 20 or number > 0, 20, "deliveries")
            i.kill("qmail-send")
        self.ann.wait_messages(600, 60)
        self.bob.open()
        i.wait_empty()
        self.assertEqual((self.bob.runs, len(self.ann.files())), (1, 600))

    def test_a_death_of_qmail_lspawn_is_a_crash(self):
        i = self.made().start()
        self.hang(i)
        i.kill("qmail-lspawn")
        self.assert_mail_flows(i)
        i.wait_for(lambda: self.bob.runs == 2, 20, "a second run")

    def test_a_death_of_a_retired_qmail_lspawn_is_a_crash(self):
        i = self.made().start()
        self.hang(i)
        (old,) = (p.pid for p in i.processes("qmail-lspawn"))
        self.restart(i)
        i.wait_log("still running delivery 1")
        os.kill(old, signal.SIGKILL)
        i.wait_for(lambda: self.bob.runs == 2, 20, "a second run")
        self.assert_mail_flows(i)

    def test_a_death_of_qmail_rspawn_cuts_off_what_hangs(self):
        server = self.server(greeting=SILENT)
        i = self.made(smtproutes=f":127.0.0.1:{server.port}").start()
        self.hang(i)
        i.send("a@b.test", ["x@silent.test"], HELLO)
        i.wait_for(lambda: server.sessions, 20, "a connection")
        i.kill("qmail-rspawn")
        i.wait_for(lambda: len(server.sessions) == 2 and server.sessions[0].ended_by_peer, 30, "the second connection")
        self.assert_mail_flows(i)
        self.assertEqual(self.bob.runs, 1)

    def test_everything_killed_but_the_spawners(self):
        i = self.made().start()
        self.hang(i)
        for name in ("qmail-start", "qmail-send"):
            i.kill(name)
        i.running["send"].wait(60)
        # Its end comes while nobody is there to be told.
        self.bob.open()
        i.wait_for(lambda: self.bob.user.files(), 20, "the end of the delivery")
        i.start_send()
        i.wait_log("delivery 1: success: ")
        i.wait_empty()
        self.assertEqual(self.bob.runs, 1)

    def test_a_lock_that_is_held_is_said(self):
        i = self.made()
        with open(i.home / "queue/lock/send", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            i.start()
            i.wait_log("no delivery starts: processes of before still hold queue/lock/send")
        self.assert_mail_flows(i)


if __name__ == "__main__":
    relais.main()
