"""qmail-send and qmail-start with the whole suite around them: bounces, retries, expiry, signals, requests, and the death of
each process."""

import os
import re
import signal
import socket
import subprocess
import tempfile
import time

from harness import relais
from harness.fake_smtp import FakeServer

HELLO = "From: a@b.test\nSubject: hello\n\nhello\n"


class SendTest(relais.TestCase):
    def make(self, **control):
        i = self.instance(control=control)
        self.bob = i.add_user("bob")
        i.rules(':allow,RELAYCLIENT=""\n')
        return i

    def server(self, **replies):
        server = FakeServer(**replies)
        self.addCleanup(server.stop)
        return server

    def routed(self, server, **control):
        """An instance that sends everything that is not local to this server."""
        return self.make(smtproutes=f":127.0.0.1:{server.port}", **control)

    def ask(self, i, request):
        """One request on sockets/send-control; its answer."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(90)
            path = str(i.home / "sockets/send-control")
            # After a restart the socket of the last qmail-start may still lie there.
            i.wait_for(lambda: s.connect_ex(path) == 0, 20, "send-control")
            s.sendall(request.encode() + b"\n")
            answer = b""
            while not re.search(rb"\A(ok|error .*)\n\Z|^\.\n\Z", answer, re.M):
                data = s.recv(65536)
                if not data:
                    break
                answer += data
            return answer.decode()

    def queue(self, i, sender, recipients, message, codes=(0,)):
        """Hands a message to qmail-queue, envelope and all; returns its exit code."""
        with tempfile.TemporaryFile() as envelope:
            envelope.write(f"F{sender}\0".encode() + b"".join(b"T%s\0" % r.encode() for r in recipients) + b"\0")
            envelope.seek(0)
            done = subprocess.run([relais.program("qmail-queue")], input=message.encode(), stdout=envelope, env=i.environment)
        self.assertIn(done.returncode, codes)
        return done.returncode

    def id_of(self, i):
        (path,) = i.queue_files()
        return path.name


class OldQueue(SendTest):
    def test_a_message_of_the_first_format_goes_on(self):
        """Its file was written by the first version of relais, before there was another format."""
        server = self.server()
        i = self.routed(server, queuelifetime="1000000000")
        id = 1796020080142330
        path = i.home / f"queue/mess/{id % 64}/{id}"
        path.write_bytes((relais.ROOT / "tests/golden/queue/format-1").read_bytes())
        path.chmod(0o660)
        if relais.IS_ROOT:
            os.chown(path, i.ids("qmailq")[0], path.parent.stat().st_gid)
        i.start()
        i.wait_for(lambda: [self.ask(i, "flush")] and self.bob.messages(), 60, "what an old message is tried for")
        (message,) = self.bob.messages()
        self.assertTrue(message.endswith(b"\nSubject: of format 1\n\nhello\n"), message)
        # Nobody is carl: the sender is told.
        i.wait_empty()
        self.assertIn(b"RCPT TO:<anna@far.test>", server.sessions[0].commands)

    def test_a_message_of_a_later_format_is_left_alone(self):
        i = self.make()
        octets = bytearray((relais.ROOT / "tests/golden/queue/format-1").read_bytes())
        octets[-57:-56] = b"3"
        path = i.home / "queue/mess/1/1796020080142337"
        path.write_bytes(octets)
        path.chmod(0o660)
        if relais.IS_ROOT:
            os.chown(path, i.ids("qmailq")[0], path.parent.stat().st_gid)
        i.start()
        i.wait_log("was written by another version of relais")
        i.send("ann@mail.test", ["bob@mail.test"], HELLO)
        self.bob.wait_messages(1)
        self.assertEqual(path.read_bytes(), octets)
        self.assertFalse([line for line in i.log() if "damaged" in line])


class Bounces(SendTest):
    def test_permanent_failure_with_the_words_of_the_remote_host(self):
        server = self.server(RCPT=b"550 5.1.1 there is nobody\r\n    like that here\r\n".replace(b"\r\n    ", b" "))
        i = self.routed(server)
        i.start()
        i.send("bob@mail.test", ["ann@far.test"], HELLO)
        (bounce,) = self.bob.wait_messages(1)
        i.wait_empty()
        text = bounce.decode()
        head, _, body = text.partition("\n\n")
        for field in ("From: MAILER-DAEMON@mail.test", "To: bob@mail.test", "Subject: failure notice", "Return-Path: <>",
                      "Delivered-To: bob@mail.test"):
            self.assertIn(field, head.splitlines())
        self.assertRegex(head, r"(?m)^Received: \(qmail \d+ invoked for bounce\); ")
        self.assertTrue(body.startswith(
            "Hi. This is the qmail-send program at mail.test.\n"
            "I'm afraid I wasn't able to deliver your message to the following addresses.\n"
            "This is a permanent error; I've given up. Sorry it didn't work out.\n"
            "\n"
            "<ann@far.test>:\n"
            "127.0.0.1 does not like recipient.\n"
            "Remote host said: 550 5.1.1 there is nobody like that here\n"
            "Giving up on 127.0.0.1.\n"
            "\n"
            "--- Below this line is a copy of the message.\n"
            "\n"
            "Return-Path: <bob@mail.test>\n"
            "Received: "), body)
        self.assertTrue(body.endswith("From: a@b.test\nSubject: hello\n\nhello\n"), body)
        log = "\n".join(i.log())
        self.assertRegex(log, r"delivery \d+: failure: 127\.0\.0\.1_does_not_like_recipient\./Remote_host_said:_550_5\.1\.1_")
        self.assertRegex(log, r"(?m)^bounce msg \d+ qp \d+$")
        self.assertRegex(log, r"(?m)^info msg \d+: bytes \d+ from <> qp \d+ uid \d+$")

    def test_unknown_local_user(self):
        i = self.make()
        i.start()
        i.send("bob@mail.test", ["nobody@mail.test"], HELLO)
        (bounce,) = self.bob.wait_messages(1)
        self.assertIn(b"<nobody@mail.test>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n---", bounce)

    def test_virtual_domain_prefix_is_not_in_the_bounce(self):
        i = self.make(virtualdomains="virtual.test:nobody", rcpthosts="mail.test\nvirtual.test")
        i.start()
        i.send("bob@mail.test", ["ann@virtual.test"], HELLO)
        (bounce,) = self.bob.wait_messages(1)
        self.assertIn(b"\n<ann@virtual.test>:\n", bounce)
        self.assertTrue([line for line in i.log() if line.endswith("to local nobody-ann@virtual.test")])

    def test_double_bounce(self):
        i = self.make(doublebounceto="bob")
        i.start()
        i.send("noone@mail.test", ["nobody@mail.test"], HELLO)
        (bounce,) = self.bob.wait_messages(1)
        i.wait_empty()
        text = bounce.decode()
        self.assertIn("Return-Path: <#@[]>\n", text)
        self.assertIn("I tried to deliver a bounce message to this address, but the bounce bounced!\n\n<noone@mail.test>:\n",
                      text)
        self.assertIn("--- Below this line is the original bounce.\n\nReturn-Path: <>\n", text)
        self.assertIn("<nobody@mail.test>:\n", text)

    def test_triple_bounce_is_discarded(self):
        i = self.make(doublebounceto="gone")
        i.start()
        i.send("noone@mail.test", ["nobody@mail.test"], HELLO)
        i.wait_log("triple bounce: discarding bounce/")
        i.wait_empty()
        self.assertEqual(i.queue_files("bounce"), [])
        self.assertEqual(self.bob.messages(), [])

    def test_bouncefrom_bouncehost_and_a_limited_copy(self):
        i = self.make(bouncefrom="postbode", bouncehost="bounces.test", bouncemaxbytes="300")
        i.start()
        i.send("bob@mail.test", ["nobody@mail.test"], HELLO + "x" * 70 + "\n" + "long line\n" * 1000)
        (bounce,) = self.bob.wait_messages(1)
        self.assertIn(b"\nFrom: postbode@bounces.test\n", bounce)
        self.assertIn(b"program at bounces.test.\n", bounce)
        self.assertLess(len(bounce), 1500)
        self.assertTrue(bounce.endswith(b"\n\n--- The rest of the message has been left out.\n"))

    def test_a_large_message_bounces(self):
        # Larger than what a worker of qmail-queued keeps for itself.
        i = self.make()
        i.start()
        i.send("bob@mail.test", ["nobody@mail.test"], HELLO + ("x" * 70 + "\n") * 10000)
        (bounce,) = self.bob.wait_messages(1)
        self.assertGreater(len(bounce), 700000)
        self.assertRegex(bounce, rb"\nReceived: \(qmail \d+ invoked for bounce\); ")
        i.wait_empty()

    def test_a_hundred_thousand_failures(self):
        i = self.make(smtproutes=f":127.0.0.1:{relais.free_port()}")
        i.start()
        recipients = [f"a-recipient-with-a-rather-long-name-{n}@dead.test" for n in range(100000)]
        self.queue(i, "bob@mail.test", recipients, HELLO)
        i.wait_log("deferral: ")
        # A delivery that runs is let end, and waits for its next try then.
        i.wait_for(lambda: "\nremote-running 0\n" in self.ask(i, "stat"))
        self.assertEqual(self.ask(i, f"bounce {self.id_of(i)}"), "ok\n")
        (bounce,) = self.bob.wait_messages(1, 120)
        self.assertGreater(bounce.count(b"\n<a-recipient-"), 70000)
        self.assertIn(b"\n\nThere are more such addresses than one message can name.\n\n---", bounce)
        self.assertEqual(bounce.count(b"\n--- Below this line"), 1)
        i.wait_empty()

    def test_deliveries_go_on_while_bounces_cannot_be_submitted(self):
        i = self.make()
        i.start()
        door = i.home / "sockets/queue-bounce"
        door.rename(f"{door}.away")
        i.send("bob@mail.test", ["nobody@mail.test"], HELLO)
        i.wait_log("warning: trouble injecting bounce message, will try later")
        i.send("a@b.test", ["bob@mail.test"], HELLO)
        self.bob.wait_messages(1)
        i.wait_for(lambda: len(i.queue_files()) == 1)
        os.rename(f"{door}.away", door)
        i.kill("qmail-start", signal.SIGALRM)
        self.bob.wait_messages(2)
        i.wait_empty()

    def test_a_failure_is_told_while_another_recipient_waits(self):
        i = self.make(smtproutes=f":127.0.0.1:{relais.free_port()}")
        i.start()
        i.send("bob@mail.test", ["nobody@mail.test", "ann@dead.test"], HELLO)
        (bounce,) = self.bob.wait_messages(1)
        self.assertIn(b"<nobody@mail.test>:", bounce)
        self.assertNotIn(b"<ann@dead.test>:", bounce)
        # The bounce has left the queue, too.
        i.wait_for(lambda: len(i.queue_files()) == 1 and b"Dnobody@mail.test" in i.queue_files()[0].read_bytes())
        self.assertEqual(self.ask(i, f"bounce {self.id_of(i)}"), "ok\n")
        bounce = self.bob.wait_messages(2)[1]
        self.assertNotIn(b"<nobody@mail.test>:", bounce)
        self.assertIn(b"<ann@dead.test>:", bounce)
        i.wait_empty()

    def test_a_failure_that_cannot_be_recorded_is_kept(self):
        i = self.make(smtproutes=f":127.0.0.1:{relais.free_port()}")
        i.start()
        kept, door = i.home / "queue/bounce", i.home / "sockets/queue-bounce"
        kept.rename(f"{kept}.away")
        # One of them waits for another try, and the failure of the other cannot be told: it needs a record.
        door.rename(f"{door}.away")
        i.send("bob@mail.test", ["nobody@mail.test", "ann@dead.test"], HELLO)
        i.wait_log("alert: unable to ")
        self.assertEqual(len(i.queue_files()), 1)
        os.rename(f"{kept}.away", kept)
        i.kill("qmail-start", signal.SIGALRM)
        i.wait_for(lambda: [p for p in kept.rglob("*") if p.is_file()], 60)
        os.rename(f"{door}.away", door)
        i.wait_for(lambda: self.ask(i, f"bounce {self.id_of(i)}") == "ok\n")
        (bounce,) = self.bob.wait_messages(1)
        self.assertIn(b"<nobody@mail.test>:", bounce)
        self.assertIn(b"<ann@dead.test>:", bounce)
        i.wait_empty()


class Rules(SendTest):
    def test_locals_and_virtualdomains_count_without_a_signal(self):
        i = self.make(locals="mail.test", rcpthosts="mail.test\nnew.test")
        i.start()
        i.wait_log("status: local ")  # it has read them
        self.bob.write(".qmail-default", "./Maildir/\n")
        i.control("virtualdomains", "virtual.test:bob")
        i.control("locals", "mail.test\nnew.test")
        i.wait_log("locals and virtualdomains have changed: they count from now on", seconds=60)
        self.assertEqual(i.submit("a@b.test", ["bob@new.test", "ann@virtual.test"]), 0)
        self.bob.wait_messages(2)

    def test_what_looks_like_a_mistake_does_not_count_until_a_signal(self):
        i = self.make(locals="mail.test\nnew.test", rcpthosts="mail.test\nnew.test", smtproutes=":127.0.0.1:1")
        i.start()
        i.wait_log("status: local ")  # it has read them
        i.control("locals", "mail.test")
        i.wait_log("alert: control/locals and control/virtualdomains were changed, and do not count: "
                   "new.test is in control/rcpthosts, but no longer in control/locals or control/virtualdomains", seconds=60)
        self.assertEqual(i.submit("a@b.test", ["bob@new.test"]), 0)
        self.bob.wait_messages(1)
        i.kill("qmail-send", signal.SIGHUP)
        self.assertEqual(i.submit("a@b.test", ["bob@new.test"]), 0)
        i.wait_log("to remote bob@new.test")


class Retries(SendTest):
    def test_dead_host_is_retried_then_bounced(self):
        port = relais.free_port()
        i = self.make(smtproutes=f":127.0.0.1:{port}", queuelifetime="2")
        i.start()
        i.send("bob@mail.test", ["ann@dead.test"], HELLO)
        i.wait_log("deferral: Sorry,_I_wasn't_able_to_establish_an_SMTP_connection._(#4.4.1)/"
                   f"127.0.0.1:{port}:_Connection_refused/")
        born = int(self.id_of(i)) / 1e6
        i.wait_for(lambda: time.time() > born + 3)
        i.kill("qmail-send", signal.SIGALRM)
        (bounce,) = self.bob.wait_messages(1)
        self.assertIn(b"<ann@dead.test>:\nSorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n"
                      b"127.0.0.1:%d: Connection refused\n"
                      b"I'm not going to try again; this message has been in the queue too long.\n\n" % port, bounce)
        i.wait_empty()

    def test_the_next_try_is_written_down_and_survives_a_restart(self):
        server = self.server(RCPT=[b"450 later\r\n", b"250 now\r\n"])
        i = self.routed(server)
        i.start()
        i.send("bob@mail.test", ["ann@far.test"], HELLO)
        i.wait_log("deferral: ")
        name = self.id_of(i)
        answer = i.wait_for(lambda: re.search(r"next try in (\d+) minutes", self.ask(i, f"why {name}")))
        # 400 s for a message tried at once, more for one that a slow machine let wait: the schedule's unit test is exact.
        self.assertIn(int(answer[1]), range(4, 30))
        # A start tries what is young at once.
        i.stop()
        i.start_send()
        i.wait_empty()
        self.assertEqual(len([m for m in server.messages if b"hello" in m]), 1)

    def test_recipients_at_one_destination_go_together_verp_alone(self):
        server = self.server()
        i = self.routed(server)
        i.start()
        i.send("bob@mail.test", ["ann@far.test", "joe@far.test"], HELLO)
        i.wait_empty()
        self.assertEqual(len(server.messages), 1)
        self.assertEqual(len(i.wait_log("success: ", count=2)), 2)
        self.queue(i, "list-@mail.test-@[]", ["ann@far.test", "joe@far.test"], HELLO)
        i.wait_empty()
        commands = [c for s in server.sessions for c in s.commands]
        for name in (b"ann", b"joe"):
            self.assertTrue([c for c in commands if c.startswith(b"MAIL FROM:<list-%s=far.test@mail.test>" % name)], commands)


class Signals(SendTest):
    def test_hup_rereads_locals_and_virtualdomains(self):
        i = self.make(rcpthosts="mail.test\nnew.test\nvirt.test", smtproutes=f":127.0.0.1:{relais.free_port()}")
        i.start()
        i.send("a@b.test", ["bob@new.test"], HELLO)
        i.wait_log("to remote bob@new.test")
        i.control("locals", "mail.test\nnew.test")
        i.control("virtualdomains", "virt.test:bob")
        i.kill("qmail-send", signal.SIGHUP)
        i.send("a@b.test", ["bob@new.test"], HELLO)
        i.send("a@b.test", ["x@virt.test"], HELLO)
        i.wait_log("to local bob@new.test")
        i.wait_log("to local bob-x@virt.test")
        # Broken: the old one stays.
        i.control("locals", None)
        (i.home / "control/locals").mkdir()
        i.kill("qmail-send", signal.SIGHUP)
        i.wait_log("alert: unable to reread controls: ")
        i.send("a@b.test", ["bob@mail.test"], HELLO)
        self.bob.wait_messages(2)

    def test_concurrency_counts_without_a_signal(self):
        i = self.make(concurrencylocal="0")
        i.start()
        i.send("a@b.test", ["bob@mail.test"], HELLO)
        i.wait_log("new msg")
        i.control("concurrencylocal", "500")
        self.bob.wait_messages(1)
        self.assertTrue([line for line in i.log() if line.startswith("status: local 1/500 ")])

    def test_term_lets_running_deliveries_end(self):
        i = self.make()
        gate, begun = i.directory / "gate", self.bob.home / "begun"
        self.bob.write(".qmail", f"|cat >begun; while ! test -e {gate}; do sleep 0.05; done\n./Maildir/\n")
        i.start()
        i.send("a@b.test", ["bob@mail.test"], HELLO)
        i.wait_for(begun.exists)  # a delivery that has no effect yet is cut off, and tried again
        i.running["send"].terminate()
        i.wait_log("exitasap")
        # Taken in for a moment more, not delivered; later nobody is there.
        taken = self.queue(i, "a@b.test", ["bob@mail.test"], HELLO, codes=(0, 64, 74)) == 0
        # What takes longer goes on without qmail-start.
        self.assertEqual(i.running["send"].wait(60), 0)
        self.assertTrue(i.processes("qmail-send"))
        gate.touch()
        i.wait_log("status: exiting")
        i.wait_for(lambda: not i.processes("qmail-lspawn"))
        self.assertEqual(len(self.bob.messages()), 1)
        self.assertEqual(len(i.queue_files()), int(taken))
        i.start_send()
        self.bob.wait_messages(1 + taken)


class Requests(SendTest):
    def test_hold_release_delete_bounce(self):
        i = self.make(smtproutes=f":127.0.0.1:{relais.free_port()}")
        i.start()
        i.send("bob@mail.test", ["ann@dead.test"], HELLO)
        i.wait_log("deferral: ")
        name = self.id_of(i)
        self.assertEqual(self.ask(i, "hold 12345"), "error there is no such message\n")
        self.assertEqual(self.ask(i, "nonsense"), "error unknown request\n")
        i.wait_for(lambda: self.ask(i, f"hold {name}") == "ok\n")
        self.assertIn("held", self.ask(i, f"why {name}"))
        i.stop()
        i.start()
        i.wait_for(lambda: "held 1\n" in self.ask(i, "stat"))
        self.assertEqual(self.ask(i, f"release {name}"), "ok\n")
        i.wait_log("deferral: ", count=2)
        self.assertEqual(self.ask(i, f"bounce {name}"), "ok\n")
        self.assertIn(b"given this message up", self.bob.wait_messages(1)[0])
        i.wait_empty()
        i.send("bob@mail.test", ["ann@dead.test"], HELLO)
        name = self.id_of(i)
        i.wait_for(lambda: self.ask(i, f"delete {name}") == "ok\n")
        self.assertEqual(i.queue_files(), [])

    def test_only_the_owner_may_ask(self):
        i = self.make()
        i.start()
        info = (i.home / "sockets/send-control").stat()
        self.assertEqual(info.st_mode & 0o777, 0o600)


class Deaths(SendTest):
    def test_each_process_may_die_at_any_time(self):
        i = self.make()
        i.start()
        count = 0
        for name in ("qmail-send", "qmail-lspawn", "qmail-rspawn", "qmail-queued", "qmail-resolver", "qmail-send-recorder",
                     "qmail-send-bouncer"):
            with self.subTest(name):
                i.wait_for(lambda: i.processes(name) and i.processes("qmail-send") and i.processes("qmail-queued"))
                i.send("a@b.test", ["bob@mail.test"], HELLO)
                # It may be going just now: a spawner's death begins all three anew.
                i.wait_for(lambda: i.kill(name), what=name)
                count += 1
                i.wait_for(lambda: len(self.bob.files()) >= count, 40, f"{count} messages")
                i.wait_empty()
        # A spawner whose last report nobody has taken waits for the next qmail-send, an hour if need be: it must have come.
        i.send("a@b.test", ["bob@mail.test"], HELLO)
        i.wait_for(lambda: len(self.bob.files()) >= count + 1, 40, "a message of the last qmail-send")
        i.wait_empty()

    def test_nothing_is_left_when_qmail_start_is_killed(self):
        i = self.make()
        gate, begun = i.directory / "gate", self.bob.home / "begun"
        self.bob.write(".qmail", f"|cat >begun; while ! test -e {gate}; do sleep 0.05; done\n./Maildir/\n")
        i.start()
        i.send("a@b.test", ["bob@mail.test"], HELLO)
        i.wait_for(begun.exists)
        i.running["send"].kill()
        i.running["send"].wait()
        i.start_send()
        i.wait_log("still running delivery 1")
        gate.touch()
        i.wait_empty()
        self.assertEqual(len(self.bob.messages()), 1)


if __name__ == "__main__":
    relais.main()
