"""qmail-smtpd as a program: the dialogues of tests/dialogues/smtpd under each way of starting it, and what only the
listener has. Messages go to a $QMAILQUEUE that keeps them, except where the real queue is meant."""

import contextlib
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import time
import unittest

from harness import peers
from harness import relais
from harness.listener import acceptor, holder, serving, session_processes
from harness.queued import Queued

# Where there is a filter an accept line ends with the name of its session, which stands in Received too.
SESSION = re.compile(r" session \d+\.\d+$")
DIALOGUES = pathlib.Path(__file__).resolve().parent / "dialogues/smtpd"

KEEP = """#!/bin/sh
# Stands in for qmail-queue: keeps message and envelope under this process's id.
cat > "$KEPT/$$.part" && cat <&1 > "$KEPT/$$.envelope" && mv "$KEPT/$$.part" "$KEPT/$$.message"
"""


class Kept:
    """What reached the stand-in for qmail-queue."""

    def __init__(self, instance):
        self.directory = instance.directory / "kept"
        self.directory.mkdir()
        self.directory.chmod(0o777)
        self.program = instance.directory / "keep"
        self.program.write_text(KEEP)
        self.program.chmod(0o755)
        self.environment = {"QMAILQUEUE": str(self.program), "KEPT": str(self.directory)}

    def files(self):
        return sorted(self.directory.glob("*.message"), key=lambda p: p.stat().st_mtime_ns)

    def messages(self):
        return [path.read_bytes() for path in self.files()]

    def envelopes(self):
        return [path.with_suffix(".envelope").read_bytes() for path in self.files()]


class Front:
    """A way of starting qmail-smtpd."""

    def __init__(self, name, address, server):
        self.name, self.address, self.server = name, address, server
        self.literal = f"[IPv6:{address}]" if ":" in address else f"[{address}]"

    def start(self, instance, env):
        if self.server == "listener":
            instance.start_listener(self.address, env)
        else:
            server = self.server if isinstance(self.server, str) else self.server()
            instance.start_tcpserver(server, self.address, env)

    def connect(self, instance, **options):
        return relais.Smtp(instance.port, self.address, **options)


FRONTS = [
    Front("tcpserver", "127.0.0.1", "tcpserver"),
    Front("tcpserver_v6", "::1", "tcpserver"),
    Front("listener", "127.0.0.1", "listener"),
    Front("listener_v6", "::1", "listener"),
]


# The build without IPv6, which cannot be installed beside the other.
IPV4_BUILD = Front("tcpserver_ipv4_build", "127.0.0.1", lambda: peers.ucspi_tcp().program("tcpserver"))


def unescaped(text):
    return text.encode("latin-1").decode("unicode_escape")


class Dialogue:
    """One run of a dialogue file."""

    def __init__(self, test, path, front):
        self.test, self.path, self.front = test, path, front
        self.instance = test.instance()
        self.kept = Kept(self.instance)
        self.client = None

    def run(self):
        lines = [(n, line) for n, line in enumerate(self.path.read_text().splitlines(), 1)
                 if line and not line.startswith("#")]
        started = False
        for number, line in lines:
            try:
                if not started and line.split()[0] not in ("control", "rules"):
                    self.front.start(self.instance, self.kept.environment)
                    started = True
                    if line != "connect":
                        self.connect("")
                verb, _, rest = line.partition(" ")
                {"control": self.control, "rules": self.rules, "connect": self.connect, "c": self.talk, "log": self.log,
                 "message": self.message, "messages": self.messages}[verb](rest)
            except (AssertionError, OSError, EOFError) as error:
                self.test.fail(f"{self.path.name}:{number}: {line}\n{error}\n{self.instance.picture()}")
        if self.client:
            self.client.close()

    def control(self, rest):
        name, _, text = rest.partition(" ")
        self.instance.control(name, unescaped(text) if text else None)

    def rules(self, rest):
        self.instance.rules(unescaped(rest))

    def connect(self, _):
        if self.client:
            self.client.close()
        self.client = self.front.connect(self.instance, greeting=None)

    def talk(self, rest):
        direction, _, text = rest.partition(" ")
        text = text.replace("%LITERAL%", self.front.literal)
        if direction == "->":
            self.client.line(text)
        elif direction == "=>":
            self.client.raw(unescaped(text).encode("latin-1"))
        elif text == "(closed)":
            self.client.expect_closed()
        else:
            got = self.client.read_line()
            matches = got == text if direction == "<-" else re.fullmatch(text, got)
            self.test.assertTrue(matches, f"got: {got}")

    def log(self, rest):
        pattern = re.compile(rest.partition(" ")[2])
        self.instance.wait_for(lambda: any(pattern.fullmatch(SESSION.sub("", line)) for line in self.instance.log("smtpd")), 10,
                               f"a log line {pattern.pattern}")

    def message(self, rest):
        direction, _, text = rest.partition(" ")
        (*_, last) = self.kept.messages()
        if direction == "<-":
            self.test.assertEqual(last[-len(unescaped(text)):], unescaped(text).encode("latin-1"))
        else:
            self.test.assertRegex(re.sub(r"(?m)^(  by .*) id \d+\.\d+;", r"\1;", last.decode("latin-1"), count=1), text)

    def messages(self, rest):
        self.test.assertEqual(len(self.kept.messages()), int(rest))


class Dialogues(relais.TestCase):
    pass


def add_dialogue(path, front):
    def run(self):
        Dialogue(self, path, front).run()
    setattr(Dialogues, f"test_{path.stem.replace('-', '_')}_{front.name}", run)


for file in sorted(DIALOGUES.glob("*.txt")):
    for way in [*FRONTS, IPV4_BUILD] if file.name.startswith("seed-") else [FRONTS[0], FRONTS[-1]]:
        add_dialogue(file, way)


class Everywhere(relais.TestCase):
    """What a dialogue cannot say, under each way of starting."""

    @contextlib.contextmanager
    def server(self, front):
        with self.subTest(front=front.name), relais.Instance() as instance:
            kept = Kept(instance)
            front.start(instance, kept.environment)
            yield instance, kept

    def test_envelope_and_octets_reach_the_queue(self):
        body = bytes(range(256)).replace(b"\r", b"").replace(b"\n", b"") + b"\n.\n..\n" + b"x" * 300000 + b"\n"
        for front in FRONTS:
            with self.server(front) as (instance, kept):
                with front.connect(instance) as client:
                    client.command("EHLO client.test")
                    client.deliver("a@b.example", ["joe@mail.test", "jim@mail.test"], body)
                (message,) = kept.messages()
                field, _, rest = message.partition(b"\n  by ")
                self.assertEqual(field.decode(), f"Received: from unknown (HELO client.test) ({front.address})")
                self.assertEqual(rest.partition(b"\n")[2], body)
                self.assertEqual(kept.envelopes(), [b"Fa@b.example\0Tjoe@mail.test\0Tjim@mail.test\0\0"])

    def test_leaving_at_any_point_sends_nothing(self):
        whole = (b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<joe@mail.test>\r\nDATA\r\n"
                 b"Subject: x\r\n\r\ntext\r\n.\r\n")
        for front in FRONTS:
            with self.server(front) as (instance, kept):
                for cut in range(0, len(whole), 5):
                    client = front.connect(instance)
                    client.raw(whole[:cut])
                    if cut % 2:
                        client.reset()
                    else:
                        client.close()
                self.gone(instance)
                self.assertEqual(kept.messages(), [])

    def gone(self, instance):
        """Waits until no process serves a client any more."""
        instance.wait_for(lambda: not serving(instance), 20, "the end of all sessions")

    def test_ten_thousand_recipients_in_one_go(self):
        for front in FRONTS:
            with self.server(front) as (instance, kept):
                with front.connect(instance) as client:
                    client.raw(b"MAIL FROM:<>\r\n" + b"".join(b"RCPT TO:<u%d@mail.test>\r\n" % i for i in range(10000)))
                    codes = [client.reply().code for _ in range(10001)]
                    self.assertEqual(codes, [250] * 1001 + [452] * 9000)
                    client.command("DATA", 354)
                    client.raw(b".\r\n")
                    client.expect(250)
                self.assertEqual(kept.envelopes()[0].count(b"\0T"), 1000)
                self.assertTrue(all(len(line) < 2000 for line in instance.log("smtpd")))

    def test_a_line_without_end(self):
        for front in FRONTS:
            with self.server(front) as (instance, _):
                with front.connect(instance) as client:
                    with contextlib.suppress(ConnectionError):
                        for _ in range(64):
                            client.raw(b"x" * 65536)
                    with contextlib.suppress(ConnectionError, EOFError):
                        self.assertEqual(client.reply().code, 421)
                self.gone(instance)

    def test_garbage(self):
        for front in FRONTS:
            with self.server(front) as (instance, _):
                for garbage in (os.urandom(100000), b"\0" * 5000 + b"\r\n" * 100, b"\x16\x03\x01" + os.urandom(500) + b"\r\n",
                                b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 50):
                    with front.connect(instance) as client:
                        with contextlib.suppress(ConnectionError, EOFError):
                            client.raw(garbage + b"\r\nQUIT\r\n")
                            while client.reply():
                                pass
                with front.connect(instance) as client:
                    client.command("QUIT", 221)

    def test_answers_of_the_queue_program(self):
        instance = self.instance()
        answers = {31: 554, 53: 451, 71: 451, 11: 554, 99: 451}
        for code, reply in answers.items():
            (instance.directory / f"qq{code}").write_text(f"#!/bin/sh\ncat >/dev/null\ncat <&1 >/dev/null\nexit {code}\n")
            (instance.directory / f"qq{code}").chmod(0o755)
        custom = instance.directory / "qq82"
        custom.write_text("#!/bin/sh\ncat >/dev/null\ncat <&1 >/dev/null\nprintf 'Dyour mail has a virus' >&6\nexit 82\n")
        custom.chmod(0o755)
        # A rule names the program; who speaks with clients is confined, so the runner starts it.
        instance.start_listener()
        for code, reply in {**answers, 82: 554}.items():
            instance.rules(f':allow,QMAILQUEUE="{instance.directory}/qq{code}"\n')
            with instance.smtp() as client:
                got = client.deliver("a@b.example", ["joe@mail.test"], "x\n", code=reply)
                if code == 82:
                    self.assertIn("your mail has a virus", got.text)
        instance.wait_log("reason 451 qq write error or disk full (#4.3.0)", "smtpd")


class RealQueue(relais.TestCase):
    """Into qmail-queued, from the confined children of the listener and from under tcpserver."""

    BODY = b"Subject: x\n\n" + b"".join(b"line %d \xe4\xff\n" % i for i in range(40000)) + b".\n\n..\nend\n"

    @contextlib.contextmanager
    def server(self, front):
        with self.subTest(front=front.name), relais.Instance() as instance:
            with contextlib.closing(Queued(instance)) as queue:
                front.start(instance, {})
                yield instance, queue

    def test_messages_lie_in_the_queue_as_they_came(self):
        for front in FRONTS:
            with self.server(front) as (instance, queue):
                for body in (b"small\n", self.BODY):
                    with front.connect(instance) as client:
                        client.command("EHLO client.test")
                        for _ in range(2):
                            reply = client.deliver("a@b.example", ["joe@mail.test", "jim@mail.test"], body)
                            id = int(re.fullmatch(r"ok \d+ qp (\d+)", reply.text)[1])
                            data = queue.file(id).read_bytes()
                            self.assertRegex(data, rb"\AReceived: \(qmail %d invoked from network\); [^\n]*\n"
                                                 rb"Received: from unknown \(HELO client\.test\) \(%s\)\n"
                                             rb"  by \S+ with ESMTP; [^\n]*\n"
                                             % (id, re.escape(front.address).encode()))
                            self.assertEqual(data[data.index(b" -0000\n", 100) + 7 :][: len(body)], body)
                            self.assertIn(b"\0a@b.example\0Tjoe@mail.test\0Tjim@mail.test\0\0", data)
                            instance.wait_log(f"accept msg {id} from {front.address} helo client.test login - tls - sender "
                                              f"<a@b.example> rcpt <joe@mail.test>,<jim@mail.test> bytes {len(body)}", "smtpd")

    def test_without_a_queue_the_client_is_told_to_come_back(self):
        for front in FRONTS:
            with self.server(front) as (instance, queue):
                with front.connect(instance) as client:
                    client.deliver("a@b.example", ["joe@mail.test"], "one\n")
                    queue.kill()
                    for listener in queue.listeners:
                        listener.close()
                    reply = client.deliver("a@b.example", ["joe@mail.test"], "two\n", code=451)
                    self.assertRegex(reply.text, r"^\S.* \(#4\.\d\.\d\)$")
                self.assertEqual(len(queue.ids()), 1)

    def test_leaving_within_a_large_message_leaves_nothing(self):
        for front in FRONTS:
            with self.server(front) as (instance, queue):
                client = front.connect(instance)
                for line, code in (("MAIL FROM:<>", 250), ("RCPT TO:<joe@mail.test>", 250), ("DATA", 354)):
                    client.command(line, code)
                client.raw(client.stuffed(self.BODY)[:-3])  # all but the final dot
                client.close()
                with front.connect(instance) as client:
                    client.deliver("", ["joe@mail.test"], "after\n")
                instance.wait_for(lambda: len(queue.ids()) == 1, 20, "one message in the queue")

    def test_too_large_or_bare_leaves_nothing(self):
        for front in FRONTS:
            with self.server(front) as (instance, queue):
                instance.control("databytes", "300000")
                with front.connect(instance) as client:
                    client.deliver("", ["joe@mail.test"], self.BODY, code=552)
                    client.command("MAIL FROM:<>")
                    client.command("RCPT TO:<joe@mail.test>")
                    client.command("DATA", 354)
                    client.raw(b"x" * 290000 + b"\n.\n\r\n.\r\n")
                    client.expect(554)
                instance.wait_for(lambda: not queue.ids(), 20, "an empty queue")

    def test_a_limit_with_a_unit(self):
        """control/databytes and DATABYTES of the rule, which counts before it."""
        for front in FRONTS:
            with self.server(front) as (instance, queue):
                for rule, size in ((":allow\n", 300 << 10), (':allow,DATABYTES="1M"\n', 1 << 20)):
                    instance.control("databytes", "300k")
                    instance.rules(rule)
                    with front.connect(instance) as client:
                        self.assertIn(f"SIZE {size}", repr(client.command("EHLO client.test", 250)))
                        client.command(f"MAIL FROM:<> SIZE={size + 1}", 552)
                        client.command(f"MAIL FROM:<> SIZE={size}", 250)


class Clients(relais.TestCase):
    """Other people's clients, into the real queue."""

    def setUp(self):
        self.box = self.instance()
        self.queue = Queued(self.box)
        self.addCleanup(self.queue.close)
        self.box.start_listener()

    def test_swaks(self):
        for extra in ([], ["--pipeline"], ["--protocol", "SMTP"]):
            with self.subTest(extra=extra):
                done = subprocess.run(
                    ["swaks", "--server", "127.0.0.1", "--port", str(self.box.port), "--from", "a@b.example", "--to",
                     "joe@mail.test,jim@mail.test", "--body", "text\n.dot\n..\n", *extra], capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stdout)
                id = int(re.search(r"250 ok \d+ qp (\d+)", done.stdout)[1])
                data = self.queue.file(id).read_bytes()
                self.assertIn(b"\n\ntext\n.dot\n..\n", data)
                self.assertIn(b"\0a@b.example\0Tjoe@mail.test\0Tjim@mail.test\0\0", data)

    def test_smtp_source(self):
        tree = peers.postfix()
        for extra in ([], ["-d"]):
            with self.subTest(extra=extra):
                before = len(self.queue.ids())
                done = subprocess.run(
                    [tree.program("smtp-source"), "-s", "10", "-m", "200", "-r", "3", "-l", "20000", "-f", "a@b.example", "-t",
                     "joe@mail.test", *extra, f"127.0.0.1:{self.box.port}"],
                    env={**os.environ, **tree.environment}, capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertEqual(len(self.queue.ids()) - before, 200)
        for line in self.box.wait_log("accept msg", "smtpd", count=400):
            self.assertRegex(line, r" sender <a@b\.example> rcpt (<\d?joe@mail\.test>,){2}<\d?joe@mail\.test> bytes 19\d\d\d$")


class Standalone(relais.TestCase):
    def test_without_controls_the_client_is_told_to_come_back(self):
        instance = self.instance()
        instance.control("me", None)
        result = instance.run("qmail-smtpd", input="QUIT\r\n")
        self.assertEqual(result.out_bytes, b"421 unable to read controls (#4.3.0)\r\n")
        self.assertEqual(result.code, 100)
        self.assertIn("control/me", result.err)

    @unittest.skipUnless(relais.IS_ROOT, "an ordinary user is nobody else")
    def test_without_owners_the_client_is_told_to_come_back(self):
        instance = self.instance()
        (instance.home / "control/owners").unlink()
        result = instance.run("qmail-smtpd", input="QUIT\r\n", env={"TCPREMOTEIP": "192.0.2.1"})
        self.assertEqual(result.out_bytes, b"421 unable to read controls (#4.3.0)\r\n")
        self.assertIn("control/owners", result.err)

    def test_a_named_pipe_as_a_control_file_is_told_and_holds_up_nobody(self):
        instance = self.instance()
        instance.control("rcpthosts", None)
        os.mkfifo(instance.home / "control/rcpthosts", 0o644)
        result = instance.run("qmail-smtpd", input="HELO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nQUIT\r\n")
        self.assertIn("control/rcpthosts: it is a named pipe", result.err)
        self.assertNotIn("250 ok", result.out.splitlines()[-1])

    def test_wrong_usage(self):
        instance = self.instance()
        for arguments in (["-l"], ["-l", "x"], ["-l", "127.0.0.1"], ["-c", "5"], ["-l", "127.0.0.1:0", "-c", "x"], ["-y", "1"]):
            result = instance.run("qmail-smtpd", *arguments)
            self.assertEqual(result.code, 100, arguments)
            self.assertIn("usage: qmail-smtpd", result.err)

    def test_pipes_instead_of_a_socket(self):
        """recordio and inetd-like wrappers give pipes."""
        instance = self.instance()
        result = instance.run("qmail-smtpd", input="HELO x\r\nQUIT\r\n", env={"TCPREMOTEIP": "192.0.2.1"})
        self.assertEqual(result.out.splitlines(), ["220 mail.test ESMTP", "250 mail.test", "221 mail.test"])
        self.assertEqual(result.code, 0)


class Listener(relais.TestCase):
    def listener(self, *args, env=None, **options):
        instance = self.instance(**options)
        instance.start_listener(args=args, env=env)
        # The child that answered the start's own question counts until it has been collected.
        instance.wait_for(lambda: not serving(instance) and not relais.processes(instance.sessions, zombies=True),
                          20, "a server that serves nobody")
        return instance

    def wait_for_idleness(self, instance):
        instance.wait_for(lambda: not session_processes(instance), 20, "the end of all session processes")

    def greeting(self, instance, source=None, address="127.0.0.1"):
        client = relais.Smtp(instance.port, address, source=source, greeting=None)
        self.addCleanup(client.close)
        return client, client.reply()

    def test_limit_of_connections(self):
        instance = self.listener("-c", 3)
        held = [instance.smtp() for _ in range(3)]
        client, reply = self.greeting(instance)
        self.assertEqual(str(reply), "421 too many connections, try again later (#4.3.2)")
        client.expect_closed()
        instance.wait_log("reason 421 too many connections, try again later", "smtpd")
        for client in held:
            client.close()
        instance.wait_for(lambda: self.greeting(instance)[1].code == 220, 10, "a free place")

    def test_limit_of_connections_per_address(self):
        instance = self.listener("-c", 10, "--per-ip", 2)
        held = [instance.smtp(source="127.0.0.2") for _ in range(2)]
        self.assertEqual(str(self.greeting(instance, "127.0.0.2")[1]), "421 too many connections from your address (#4.7.0)")
        self.assertEqual(self.greeting(instance, "127.0.0.3")[1].code, 220)
        for client in held:
            client.close()
        instance.wait_for(lambda: self.greeting(instance, "127.0.0.2")[1].code == 220, 10, "a free place")

    def test_memory_stays_the_same_however_often_files_change(self):
        instance = self.listener()
        keeper = instance.running["smtpd"].pid
        accepting = acceptor(instance)

        def kilobytes_after(rounds):
            for number in rounds:
                names = [f"domain-{n}-of-round-{number}.example" for n in range(100 + number * 37 % 500)]
                instance.control("rcpthosts", "\n".join(names))
                with instance.smtp() as client:
                    client.command("MAIL FROM:<a@b.example>", 250)
                    client.command(f"RCPT TO:<c@{names[-1]}>", 250)
            return int(accepting.status()["VmData"].split()[0])
        early = kilobytes_after(range(30))
        self.assertLessEqual(kilobytes_after(range(30, 150)), early + 1024)

    @contextlib.contextmanager
    def no_process_for(self, instance, pid):
        """The process cannot fork meanwhile. Its own user sets that: root may lack the right here."""
        def limit(number):
            identity = instance._identity(instance.ids("qmaild")) if relais.IS_ROOT else {}
            subprocess.run(["prlimit", f"--pid={pid}", f"--nproc={number}:"], check=True, **identity)
        before = resource.getrlimit(resource.RLIMIT_NPROC)[0]  # it has ours
        limit(1)
        try:
            yield
        finally:
            limit("unlimited" if before == resource.RLIM_INFINITY else before)

    def test_no_process_for_a_client(self):
        """It has been greeted already: the answer to its first command is a 421, also when it asks late. Nobody is kept waiting, nothing
        is used up, and when there are processes again the next client is served by the same listener."""
        instance = self.listener("-c", 3)
        self.wait_for_idleness(instance)
        keeper = instance.running["smtpd"].pid
        accepting = acceptor(instance).pid
        with self.no_process_for(instance, accepting):
            for command in ("EHLO client.test", "QUIT", "EHLO client.test", "MAIL FROM:<a@b.example>"):
                client, reply = self.greeting(instance)
                self.assertEqual(reply.code, 220)
                client.line(command)
                self.assertEqual(str(client.reply()), "421 unable to serve you now, try again later (#4.3.0)")
                client.expect_closed()
        instance.wait_log("unable to fork: Resource temporarily unavailable", "smtpd", count=4)
        instance.wait_log("refuse from 127.0.0.1 helo - sender - rcpt - reason 421 unable to serve you now", "smtpd", count=4)
        held = [instance.smtp() for _ in range(3)]
        self.assertEqual(acceptor(instance).pid, accepting)
        for client in held:
            client.close()

    def test_no_process_for_the_acceptor(self):
        """The keeper holds the port until there is one; the clients wait."""
        instance = self.listener()
        keeper = instance.running["smtpd"].pid
        accepting = acceptor(instance).pid
        with self.no_process_for(instance, keeper):
            os.kill(accepting, signal.SIGKILL)
            instance.wait_log("unable to start the acceptor: Resource temporarily unavailable, trying again", "smtpd")
            client = relais.Smtp(instance.port, greeting=None)
            self.addCleanup(client.close)
        self.assertEqual(client.reply().code, 220)
        self.assertIsNone(instance.running["smtpd"].poll())

    def test_denied_by_rule_and_allowed_again(self):
        instance = self.listener()
        instance.rules("127.0.0.2:deny\n:allow\n")
        client, reply = self.greeting(instance, "127.0.0.2")
        self.assertEqual(reply.code, 554)
        client.expect_closed()
        instance.wait_log("refuse from 127.0.0.2 helo - sender - rcpt - reason 554", "smtpd")
        self.assertEqual(self.greeting(instance, "127.0.0.3")[1].code, 220)
        instance.rules(":allow\n")
        self.assertEqual(self.greeting(instance, "127.0.0.2")[1].code, 220)

    def test_lost_rules_serve_nobody(self):
        instance = self.listener()
        (instance.home / "tcp.smtp.cdb").unlink()
        self.assertEqual(self.greeting(instance)[1].code, 421)
        instance.rules(":allow\n")
        self.assertEqual(self.greeting(instance)[1].code, 220)

    def test_lost_controls_serve_nobody(self):
        instance = self.listener()
        instance.control("me", None)
        self.assertEqual(self.greeting(instance)[1].code, 421)
        instance.control("me", "new.test")
        self.assertEqual(str(self.greeting(instance)[1]), "220 new.test ESMTP")

    def test_control_files_changed_again_and_again(self):
        """Also twice within one tick of the clock and without a change of size."""
        instance = self.listener()
        for number in range(100, 160):
            instance.control("smtpgreeting", f"greeting {number}")
            client = relais.Smtp(instance.port)
            self.assertEqual(client.greeting.text, f"greeting {number} ESMTP")
            client.close()

    def test_both_families_and_a_port_of_the_kernels_choice(self):
        instance = self.instance()
        with subprocess.Popen([relais.program("qmail-smtpd"), "-l", "127.0.0.1:0", "-l", "[::1]:0"], env=instance.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            v4, v6 = process.stdout.readline().decode().split(":")[-1], process.stdout.readline().decode().split(":")[-1]
            try:
                for address, port in (("127.0.0.1", v4), ("::1", v6)):
                    with relais.Smtp(int(port), address) as client:
                        client.command("QUIT", 221)
            finally:
                process.terminate()
            self.assertEqual(process.wait(60), 0)

    def test_sigterm_frees_the_port_and_lets_sessions_finish(self):
        instance = self.instance()
        kept = Kept(instance)
        instance.start_listener(env=kept.environment)
        with instance.smtp() as client:
            client.command("MAIL FROM:<a@b.example>")
            daemon = instance.running.pop("smtpd")
            daemon.terminate()
            self.assertEqual(daemon.wait(60), 0)
            instance.wait_for(lambda: self.can_listen(instance.port), 10, "the port to be free")
            client.command("RCPT TO:<joe@mail.test>")
            client.command("DATA", 354)
            client.raw(b"still here\r\n.\r\n")
            client.expect(250)
            client.command("QUIT", 221)
        self.assertEqual(len(kept.messages()), 1)

    @staticmethod
    def can_listen(port):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            probe.listen()
            return True
        return False

    def test_a_crashed_child_gives_a_new_acceptor_and_harms_nobody(self):
        instance = self.listener()
        old = acceptor(instance)
        with instance.smtp() as kept, instance.smtp() as crashed:
            before = time.monotonic()
            crashed.command("NOOP")
            victim = holder(instance, crashed)
            # A signal of a crash that no sanitizer takes for one of its own.
            os.kill(victim, signal.SIGABRT)
            instance.wait_log(f"child {victim} serving 127.0.0.1 died by signal {signal.SIGABRT.value}", "smtpd")
            crashed.expect_closed()
            kept.command("NOOP")
            with instance.smtp() as after:
                self.assertGreater(time.monotonic() - before, 0.9)
                after.command("QUIT", 221)
            self.assertNotEqual(acceptor(instance).pid, old.pid)
            kept.command("QUIT", 221)

    def test_the_keeper_gone_takes_the_acceptor_along(self):
        instance = self.listener()
        keeper = instance.running.pop("smtpd")
        keeper.kill()
        keeper.wait()
        instance.wait_for(lambda: not instance.processes("qmail-smtpd"), 10, "the end of the acceptor")

    def test_sighup_is_survived(self):
        instance = self.listener()
        with instance.smtp() as client:
            instance.kill("qmail-smtpd", signal.SIGHUP)
            client.command("NOOP")
            with instance.smtp() as other:
                other.command("QUIT", 221)

    def test_children_are_confined_and_hold_nothing(self):
        instance = self.listener()
        with instance.smtp() as client:
            client.command("NOOP")
            child = relais.Process(holder(instance, client))
            status = child.status()
            if relais.CONFINED:
                self.assertEqual((status["Seccomp"], status["NoNewPrivs"]), ("2", "1"))
            if relais.IS_ROOT:
                uid, gid = instance.ids("qmaild")
                self.assertEqual(status["Uid"].split(), [str(uid)] * 4)
                self.assertEqual(status["Gid"].split(), [str(gid)] * 4)
                self.assertEqual(status["Groups"], "")
                self.assertEqual(os.stat(f"/proc/{child.pid}/mem").st_uid, 0, "the child can be traced")
            # Nowhere, nowhere, the log, the acceptor's channel, the client.
            self.assertEqual(sorted(os.listdir(f"/proc/{child.pid}/fd")), ["0", "1", "2", "3", "4"])
            self.assertEqual([os.readlink(f"/proc/{child.pid}/fd/{fd}") for fd in (0, 1)], ["/dev/null"] * 2)
            self.assertEqual(child.arguments()[0], b"qmail-smtpd busy")  # control/proctitle
            client.command("QUIT", 221)

    def test_confined_although_a_foreign_program_runs(self):
        instance = self.instance()
        kept = Kept(instance)
        instance.start_listener(env=kept.environment)
        instance.send("a@b.example", ["joe@mail.test"], "x\n")
        self.assertEqual(len(kept.messages()), 1)
        self.assertEqual(acceptor(instance).status()["NoNewPrivs"], "1" if relais.CONFINED else "0")

    def test_environment_is_tcpservers(self):
        instance = self.instance()
        program = instance.directory / "show"
        program.write_text("#!/bin/sh\ncat >/dev/null; cat <&1 >/dev/null; env > $OUT\n")
        program.chmod(0o755)
        out = instance.directory / "out"
        out.touch()
        out.chmod(0o666)
        for address in ("127.0.0.1", "::1"):
            with self.subTest(address=address):
                instance.start_listener(address, env={"QMAILQUEUE": str(program), "OUT": str(out), "TCPREMOTEHOST": "stale"})
                instance.rules(':allow,RELAYCLIENT="",X="y"\n')
                with instance.smtp(address=address) as client:
                    client.deliver("a@b.example", ["joe@x.example"], "x\n")
                    local = client.socket.getsockname()[1]
                # The envelope of our own, QMAILENVELOPE, has several lines.
                got = dict(line.split("=", 1) for line in out.read_text().splitlines() if "=" in line)
                prefix = ["TCP6", "TCP"] if ":" in address else ["TCP"]
                self.assertEqual(got["PROTO"], prefix[0])
                for p in prefix:
                    self.assertEqual((got[p + "REMOTEIP"], got[p + "REMOTEPORT"]), (address, str(local)))
                    self.assertEqual((got[p + "LOCALIP"], got[p + "LOCALPORT"]), (address, str(instance.port)))
                    self.assertEqual(got[p + "LOCALHOST"], "mail.test")
                self.assertEqual((got["RELAYCLIENT"], got["X"]), ("", "y"))
                self.assertNotIn("TCPREMOTEHOST", got)
                instance.stop()

    def test_many_at_once(self):
        instance = self.listener("-c", 300)
        clients = [relais.Smtp(instance.port, greeting=None) for _ in range(200)]
        for client in clients:
            client.expect(220)
        for client in clients:
            client.line("QUIT")
        for client in clients:
            client.expect(221)
            client.close()
        instance.wait_for(lambda: not serving(instance), 20, "the end of all sessions")


if __name__ == "__main__":
    relais.main()
