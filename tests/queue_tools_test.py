"""qmail-qstat, qmail-qread and queue-list over a queue that qmail-queued has filled, without qmail-send: what they print,
and changes made under qmail-send's lock. Where qmail-send is asked, the test plays its part; queue_control_test.py has
the real one."""

import fcntl
import json
import os
import re
import socket
import subprocess
import threading
import time

from harness import relais


class Queue(relais.TestCase):
    """An instance with qmail-queued alone, so that messages come in and stay."""

    def setUp(self):
        self.i = self.instance(control={"locals": "mail.test", "virtualdomains": "virtual.test:vu"})
        self.sockets = []
        for name, role in [("queue-network", "qmaild"), ("queue-bounce", "qmails"), ("queue-submit", None)]:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(self.i.home / "sockets" / name))
            os.chmod(self.i.home / "sockets" / name, 0o666)
            listener.listen(64)
            self.sockets.append(listener)
        reader, writer = os.pipe()
        self.hints = reader
        descriptors = [*(s.fileno() for s in self.sockets), writer]

        def place():
            copies = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in descriptors]
            for target, fd in enumerate(copies, 3):
                os.dup2(fd, target)

        log = open(self.i.logs / "queued", "ab")
        identity = self.i._identity(self.i.ids("qmailq")) if self.i.single and relais.IS_ROOT else {}
        self.server = subprocess.Popen([relais.program("qmail-queued")], preexec_fn=place, close_fds=False, stderr=log,
                                       start_new_session=True, env=self.i.environment, cwd=self.i.home, **identity)
        self.i.sessions.add(self.server.pid)
        self.i.running["queued"] = self.server
        for fd in (writer, log):
            os.close(fd) if isinstance(fd, int) else fd.close()
        self.addCleanup(lambda: [s.close() for s in self.sockets] and os.close(reader))

    def inject(self, sender, *recipients, body=b"Subject: x\n\nhello\n"):
        """Queues a message by qmail-queue; returns its id."""
        before = set(self.i.queue_files())
        self.assertEqual(self.i.submit(sender, recipients, body), 0, self.i.picture())
        (new,) = set(self.i.queue_files()) - before
        return new.name

    def path(self, number):
        return self.i.home / "queue/mess" / str(int(number) % 64) / number

    def list(self, *args, **options):
        return self.i.run("queue-list", *args, **options)

    def ids(self, *args):
        """The ids that queue-list --json shows."""
        result = self.list("--json", *args)
        return [message["id"] for message in json.loads(result.out)]

    def one(self, number):
        (message,) = json.loads(self.list("show", number, "--json").out)
        return message


class Looking(Queue):
    def test_qstat_counts(self):
        result = self.i.run("qmail-qstat")
        self.assertEqual((result.code, result.out), (
            0, "messages in queue: 0\nmessages in queue but not yet preprocessed: 0\n"))
        self.inject("a@b.test", "x@far.test")
        self.inject("", "x@far.test")
        # Nobody has seen them: qmail-send does not run.
        result = self.i.run("qmail-qstat")
        self.assertEqual((result.code, result.out, result.err), (
            0, "messages in queue: 2\nmessages in queue but not yet preprocessed: 2\n", ""))

    def test_qread_has_the_classic_form(self):
        before = int(time.time())
        first = self.inject("root@ns.test", "larhondabeirne@far.test", "bob@mail.test", "u@virtual.test", "h%x@far.test")
        second = self.inject("", "2245031-5-reply@msgbnc.far.test")
        result = self.i.run("qmail-qread")
        self.assertEqual((result.code, result.err), (0, ""))
        lines = result.out.splitlines()
        size = os.path.getsize(self.path(first))
        head = re.fullmatch(r"(\d+ [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d) GMT  #(\d+)  (\d+)  <root@ns\.test>", lines[0])
        self.assertTrue(head, lines[0])
        self.assertEqual(head.group(2), first)
        self.assertTrue(18 < int(head.group(3)) < size)
        born = time.strftime("%d %b %Y %H:%M:%S", time.gmtime(int(first) // 1000000)).lstrip("0")
        self.assertEqual(head.group(1), born)
        self.assertTrue(before - 1 <= int(first) // 1000000 <= time.time() + 1)
        self.assertEqual(lines[1:5], ["\tlocal\tbob@mail.test", "\tlocal\tu@virtual.test",
                                      "\tremote\tlarhondabeirne@far.test", "\tremote\th%x@far.test"])
        self.assertRegex(lines[5], rf"GMT  #{second}  \d+  <>$")
        # As people look for what still has to go out.
        shell = subprocess.run(["sh", "-c", "qmail-qread | grep remote | grep -v done"], capture_output=True, text=True,
                               env=self.i.environment)
        self.assertEqual([line.split() for line in shell.stdout.splitlines()],
                         [["remote", "larhondabeirne@far.test"], ["remote", "h%x@far.test"],
                          ["remote", "2245031-5-reply@msgbnc.far.test"]])

    def test_qread_shows_done_and_bouncing(self):
        number = self.inject("a@b.test", "x@far.test", "y@far.test")
        self.assertEqual(self.list("bounce", number, "--yes").code, 0)
        self.assertRegex(self.i.run("qmail-qread").out,
                         rf"#{number}  \d+  <a@b\.test> bouncing\n  done\tremote\tx@far\.test\n  done\tremote\ty@far\.test\n$")

    def test_hostile_addresses_do_no_harm(self):
        self.inject("a\x1b[2J@b.test", b"x\xff\x07@far.test")
        self.assertIn("<a_[2J@b.test>\n\tremote\tx__@far.test\n", self.i.run("qmail-qread").out)
        self.assertNotIn("\x1b", self.list().out)
        self.assertEqual(json.loads(self.list("--json").out)[0]["sender"], "a\x1b[2J@b.test")

    def test_filters(self):
        a = self.inject("News@list.test", "x@one.test", "y@two.test")
        b = self.inject("", "z@sub.two.test")
        c = self.inject("bob@mail.test", "q@three.test")
        self.assertEqual(self.ids(), [a, b, c])
        for arguments, expected in [(["--sender", "news@*"], [a]), (["--sender", "<>"], [b]), (["--sender", ""], [b]),
                                    (["--recipient", "*@two.test"], [a]), (["--domain", "TWO.test"], [a]),
                                    (["--domain", ".two.test"], [b]), (["--older", "1h"], []), (["--newer", "1h"], [a, b, c]),
                                    (["--newer", "1h", "--domain", "one.test", "--sender", "bob*"], []),
                                    (["--state", "new"], [a, b, c]), (["--state", "held,damaged"], []),
                                    (["--limit", "2"], [a, b])]:
            self.assertEqual(self.ids(*arguments), expected, arguments)
        for wrong in (["--older", "soon"], ["--state", "sad"], ["--what"], ["hold", "12x"], ["hold", "0"], ["delete"],
                      ["hold"], ["show"]):
            self.assertEqual(self.list(*wrong).code, 100, wrong)

    def test_the_table_and_show(self):
        number = self.inject("a@b.test", "x@far.test", "bob@mail.test")
        result = self.list()
        self.assertRegex(result.out, rf"^ID .*\n{number} .* new .* <a@b\.test> -> x@far\.test and 1 more\n")
        shown = self.list("show", number).out
        for part in (f"message: {number}\n", f"file: {self.path(number)}\n", "state: new\n", "sender: <a@b.test>\n",
                     "recipient: to_do remote x@far.test\n", "recipient: to_do local bob@mail.test\n"):
            self.assertIn(part, shown)
        message = self.one(number)
        self.assertEqual(message["id"], number)
        self.assertEqual(message["uid"], os.getuid())
        self.assertEqual([r["channel"] for r in message["recipients"]], ["remote", "local"])
        result = self.list("show", "12345")
        self.assertEqual((result.code, result.err), (1, "queue-list: no message matches\n"))

    def test_subject_and_message_by_choice(self):
        body = b"From: a\nSubject: news of\n the \x1b[2Jday\nX: y\n\nhello\n\x1b[31mred\n"
        number = self.inject("a@b.test", "x@far.test", body=body)
        bare = self.inject("a@b.test", "x@far.test", body=b"no header\n")
        self.assertNotIn("news", self.list().out)
        self.assertIn("\n    subject: news of the _[2Jday\n", self.list("--subject").out)
        self.assertIn("\nsubject: news of the _[2Jday\n", self.list("show", "--subject", number).out)
        shown = {each["id"]: each for each in json.loads(self.list("--subject", "--json").out)}
        self.assertEqual((shown[number]["subject"], shown[bare]["subject"]), ("news of the \x1b[2Jday", ""))
        whole = self.list("show", "--message", number).out
        self.assertTrue(whole.endswith(body.decode()), whole)
        self.assertNotIn("hello", self.list("show", number).out)

    def test_delete_names_what_it_will_delete(self):
        number = self.inject("a@b.test", "x@far.test", "y@far.test")
        self.inject("a@b.test", "x@else.test")
        done = self.list("delete", "--domain", "far.test", input="n\n")
        self.assertEqual(done.code, 1)
        self.assertRegex(done.err, rf"^{number} +\d+s +\d+  <a@b\.test> -> x@far\.test and 1 more\nqueue-list: delete 1 message\? ")
        self.assertEqual(len(self.i.queue_files()), 2)
        for _ in range(25):
            self.inject("a@b.test", "x@many.test")
        said = self.list("delete", "--domain", "many.test", input="y\n").err
        self.assertEqual(said.count("x@many.test"), 20)
        self.assertIn("\nand 5 more\nqueue-list: delete 25 messages? ", said)

    def test_an_empty_queue_is_no_failure(self):
        self.assertEqual(repr(self.list()), "code 0\nstdout: ''\nstderr: 'queue-list: the queue is empty\\n'")

    def test_a_reader_that_has_seen_enough(self):
        for tool in ("qmail-qstat", "qmail-qread"):
            done = subprocess.run(["bash", "-c", f"exec 3>&1; {{ sleep 0.3; exec {relais.program(tool)}; }} | exec 0<&-; echo ${{PIPESTATUS[0]}}"],
                                  capture_output=True, env=self.i.environment)
            self.assertEqual((done.stdout, done.stderr), (b"0\n", b""), tool)

    def test_a_damaged_message_is_said_and_can_be_deleted(self):
        number = self.inject("a@b.test", "x@far.test")
        whole = self.inject("a@b.test", "x@far.test")
        with open(self.path(number), "r+b") as file:
            file.truncate(100)
        self.assertIn(f"qmail-qread: warning: message {number} is damaged", self.i.run("qmail-qread").err)
        self.assertIn("damaged", self.list().out)
        self.assertEqual(self.ids("--state", "damaged"), [number])
        result = self.list("hold", number)
        self.assertEqual(result.code, 1)
        self.assertIn(f"{number}: not held: its file is damaged", result.err)
        self.assertEqual(self.list("delete", "--state", "damaged", "--yes").code, 0)
        self.assertEqual(self.ids(), [whole])

    def test_damaged_messages_that_were_put_aside(self):
        numbers = [self.inject("a@b.test", "x@far.test", "y@far.test") for _ in range(4)]
        directory = self.i.home / "queue/damaged"
        for number in numbers:
            self.path(number).rename(directory / number)
        footer, garbage, body, torn = numbers
        with open(directory / footer, "r+b") as file:  # an octet of the footer's own check, and one that is missing
            file.truncate(os.path.getsize(directory / footer) - 1)
            file.seek(-10, os.SEEK_END)
            file.write(b"?")
        with open(directory / garbage, "ab") as file:
            file.write(b"garbage" * 100)
        with open(directory / body, "r+b") as file:
            file.write(b"X")
        os.truncate(directory / torn, 100)
        self.assertEqual(self.ids(), [])
        shown = {each["id"]: each for each in json.loads(self.list("damaged", "--json").out)}
        self.assertEqual([shown[number]["state"] for number in numbers], ["whole", "whole", "altered", "torn"])
        self.assertEqual((shown[footer]["sender"], shown[footer]["recipients"]), ("a@b.test", ["x@far.test", "y@far.test"]))
        self.assertIn(f"{torn} ", self.list("damaged", torn).out)
        result = self.list("damaged", "--all", "--resubmit")
        self.assertEqual((result.code, result.out), (1, f"{footer}: resubmitted\n{garbage}: resubmitted\n"))
        self.assertIn(f"{body}: not resubmitted: sender and recipients can be read, but", result.err)
        self.assertEqual(len(self.ids("--recipient", "y@far.test", "--sender", "a@b.test")), 2)
        self.assertEqual(sorted(p.name for p in directory.iterdir()), sorted([body, torn]))
        self.assertEqual(self.list("damaged", "--delete", "--yes", body).out, f"{body}: deleted\n")
        self.assertEqual(self.list("damaged", "--delete").code, 100)
        self.assertEqual(self.list("damaged", "7").code, 1)
        self.assertEqual([each["id"] for each in json.loads(self.list("damaged", "--json").out)], [torn])

    def test_no_queue_and_no_permission(self):
        for program in ("qmail-qstat", "qmail-qread", "queue-list"):
            result = self.i.run(program, env={"QMAILHOME": "/nonexistent"})
            self.assertEqual((result.code, result.out), (111, ""), program)
            self.assertRegex(result.err, r"unable to (open|look at) /nonexistent/queue\S*: No such file or directory \(is the queue of")
        if relais.IS_ROOT and not self.i.single:
            stranger = relais.User(self.i, "stranger", 65534, 65534, self.i.directory)
            for program in ("qmail-qstat", "qmail-qread", "queue-list"):
                result = self.i.run(program, user=stranger)
                self.assertEqual((result.code, result.out), (100, ""), program)
                self.assertIn("Permission denied: run this as root", result.err)

    def test_a_reader_that_has_seen_enough(self):
        for _ in range(5):
            self.inject("a@b.test", *(f"r{n}@far.test" for n in range(4000)))
        for program in ("qmail-qread", "queue-list show $ID"):
            shell = subprocess.run(["bash", "-c", f"{program.replace('$ID', ' '.join(self.ids()))} | head -n 1; echo ${{PIPESTATUS[0]}}"],
                                   capture_output=True, text=True, env=self.i.environment)
            self.assertEqual((shell.stdout.splitlines()[-1], shell.stderr), ("0", ""))


class Changing(Queue):
    def test_hold_release_retry(self):
        number, other = self.inject("a@b.test", "x@far.test"), self.inject("a@b.test", "x@near.test")

        def hold():
            return self.path(number).read_bytes()[-312:-310]  # held, and by hand

        self.assertEqual(self.list("hold", number).out, f"{number}: held\n")
        self.assertEqual(hold(), b"\1\1")
        self.assertEqual(self.one(number)["state"], "held")
        self.assertEqual(self.ids("--state", "held"), [number])
        self.assertEqual(self.list("release", "--state", "held").out, f"{number}: released\n")
        self.assertEqual(hold(), b"\0\0")
        self.assertEqual(self.ids("--state", "held"), [])
        self.assertEqual(self.list("retry", f"#{other}").out, f"{other}: to be tried now when qmail-send runs\n")

    def test_delete_asks_first(self):
        number, other = self.inject("a@b.test", "x@far.test"), self.inject("a@b.test", "x@near.test")
        for answer in ("n\n", "", "maybe\n"):
            result = self.list("delete", number, input=answer)
            self.assertEqual(result.code, 1)
            self.assertIn("delete 1 message? This cannot be undone. [y/N] ", result.err)
            self.assertIn("nothing was done", result.err)
            self.assertEqual(self.ids(), [number, other])
        result = self.list("delete", "--domain", "far.test", input="y\n")
        self.assertEqual((result.code, result.out), (0, f"{number}: deleted\n"))
        self.assertFalse(self.path(number).exists())
        self.assertEqual(self.ids(), [other])
        self.assertEqual(self.list("delete", "--all", "--yes").code, 0)
        self.assertEqual(self.ids(), [])

    def test_an_id_that_is_not_there(self):
        number = self.inject("a@b.test", "x@far.test")
        result = self.list("hold", number, "99")
        self.assertEqual((result.code, result.out), (1, f"{number}: held\n"))
        self.assertIn("queue-list: 99: there is no such message", result.err)

    def test_bounce_leaves_text_and_marks_for_qmail_send(self):
        number = self.inject("a@b.test", "x@far.test", "y@far.test")
        result = self.list("bounce", number, "--yes")
        self.assertEqual((result.code, result.out), (0, f"{number}: bounced when qmail-send runs\n"))
        message = self.one(number)
        self.assertEqual((message["state"], [r["state"] for r in message["recipients"]]), ("bouncing", ["failed", "failed"]))
        (text,) = self.i.queue_files("bounce")
        self.assertTrue(text.read_text().startswith("<x@far.test>:\n"))
        self.assertIn("\n\n<y@far.test>:\n", text.read_text())
        self.assertEqual(text.stat().st_uid, self.i.ids("qmails")[0] if relais.IS_ROOT else os.getuid())
        # The marks and the status do not count in the checksum: the message is still whole.
        self.assertEqual(self.ids("--state", "damaged"), [])
        self.assertIn("bounce text:\n    <x@far.test>:\n", self.list("show", number).out)

    def test_never_beside_a_qmail_send_that_ends_or_starts(self):
        number = self.inject("a@b.test", "x@far.test")
        path = self.i.home / "queue/lock/send"
        with open(path, "w") as lock:
            if relais.IS_ROOT:
                os.chown(path, *self.i.ids("qmails"))
            fcntl.flock(lock, fcntl.LOCK_EX)
            result = self.list("delete", number, "--yes")
            self.assertEqual(result.code, 111)
            self.assertIn("queue-list: fatal: qmail-send is starting, or has stopped and its last deliveries still run", result.err)
        self.assertEqual(self.ids(), [number])
        self.assertEqual(self.list("delete", number, "--yes").code, 0)


class Asking(Queue):
    """What is asked of qmail-send, and what its answers do: the far end of the socket is played here."""

    def play(self, answers):
        """Answers each request line with answers(line); returns the list of lines that came."""
        path = self.i.home / "sockets/send-control"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen(8)
        self.addCleanup(listener.close)
        came = []

        def serve(client):
            with client, client.makefile("rb") as lines:
                for line in lines:
                    came.append(line.decode().rstrip("\n"))
                    answer = answers(came[-1])
                    if answer is None:
                        return
                    client.sendall(answer.encode())

        def accept():
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return came

    def test_qstat_asks_how_many_are_known(self):
        for _ in range(3):
            self.inject("a@b.test", "x@far.test")
        known = [2]
        came = self.play(lambda line: f"status: local 0/10\nknown {known[0]}\n.\n")
        for known[0], missing in ((2, 1), (0, 3), (7, 0)):
            self.assertEqual(self.i.run("qmail-qstat").out.splitlines()[1],
                             f"messages in queue but not yet preprocessed: {missing}")
        self.assertEqual(came, ["stat"] * 3)

    def test_qstat_does_not_guess(self):
        self.inject("a@b.test", "x@far.test")
        answers = [None]
        self.play(lambda line: answers[0])
        for answers[0] in (None, "error busy\n", "nonsense\n.\n"):
            result = self.i.run("qmail-qstat")
            self.assertEqual((result.code, result.out), (111, "messages in queue: 1\n"))
            self.assertTrue(result.err.startswith("qmail-qstat: fatal: unable to "), result.err)

    def test_changes_go_through_qmail_send(self):
        number, other = self.inject("a@b.test", "x@far.test"), self.inject("c@b.test", "x@near.test")
        came = self.play(lambda line: "error it is being delivered\n" if other in line else "ok\n")
        for word, done in (("hold", "held"), ("release", "released"), ("retry", "to be tried now"), ("delete", "deleted"),
                           ("bounce", "bounced")):
            result = self.list(word, number, "--yes")
            self.assertEqual((result.code, result.out, result.err), (0, f"{number}: {done}\n", ""))
        self.assertEqual(came, [f"{word} {number}" for word in ("hold", "release", "retry", "delete", "bounce")])
        result = self.list("hold", "--all")
        self.assertEqual((result.code, result.out), (1, f"{number}: held\n"))
        self.assertEqual(result.err, f"queue-list: {other}: not held: it is being delivered\n")
        # Nothing was done here.
        self.assertEqual(len(self.i.queue_files()), 2)
        self.assertFalse(self.i.queue_files("bounce"))

    def test_why_is_in_qmail_sends_words(self):
        number = self.inject("a@b.test", "x@far.test")
        came = self.play(lambda line: "next try in 90 seconds\ndestination far.test is in back-off\n.\n")
        lines = "    next try in 90 seconds\n    destination far.test is in back-off\n"
        self.assertIn(lines, self.list().out)
        self.assertEqual(self.one(number)["why"], "next try in 90 seconds\ndestination far.test is in back-off")
        self.assertIn("waits:\n" + lines, self.list("show", number).out)
        self.assertEqual(came, [f"why {number}"] * 3)

    def test_a_qmail_send_that_dies_meanwhile(self):
        number = self.inject("a@b.test", "x@far.test")
        self.play(lambda line: None)
        result = self.list("hold", number)
        self.assertEqual(result.code, 111)
        self.assertIn("queue-list: fatal: unable to read the answer of qmail-send", result.err)
        # Looking does not need it.
        self.assertEqual(self.ids(), [number])

    def test_a_stale_socket_is_no_qmail_send(self):
        number = self.inject("a@b.test", "x@far.test")
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(str(self.i.home / "sockets/send-control"))
        stale.close()
        self.assertEqual(self.list("hold", number).out, f"{number}: held\n")


class SingleUser(Changing):
    """The same in an instance that belongs to one ordinary user, worked on by that user."""

    def setUp(self):
        make = self.instance
        self.instance = lambda **options: make(single=True, **options)
        super().setUp()


if __name__ == "__main__":
    relais.main()
