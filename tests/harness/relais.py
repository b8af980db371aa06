"""The harness for tests of whole programs: an instance of its own in /tmp, a line-level SMTP client, local recipients,
logs, and waiting for conditions. Tests are python3 unittest files that end with `relais.main()`.

    class Example(relais.TestCase):
        def test_delivery(self):
            i = self.instance()                    # made, not started
            bob = i.add_user("bob")
            i.start()                              # qmail-start and qmail-smtpd on a free port
            i.send("a@b.example", ["bob@mail.test"], "Subject: x\n\nhello\n")
            (message,) = bob.wait_messages(1)

The programs come from $RELAIS_BIN (default build/release/bin). As root an instance is a "system" one with uids of its
own that need no entry in /etc/passwd; an ordinary user gets a "user" instance. Everything an instance starts runs in
sessions that it remembers, so stop() can prove that nothing is left.
"""

import atexit
import contextlib
import ctypes
import errno
import fcntl
import os
import pathlib
import random
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
IS_ROOT = os.geteuid() == 0
ROLES = ("alias", "qmaild", "qmailk", "qmaill", "qmailn", "qmailo", "qmailp", "qmailq", "qmailr", "qmails")
LATER_ROLES = ("qmailv", "qmailh", "qmaila", "qmailf", "qmailc", "qmailm", "qmailt", "qmailw", "qmailx", "qmailb")  # behind the numbers of the groups
OWN_GROUP = ("qmaila", "qmailm")
PR_SET_CHILD_SUBREAPER = 36


os.umask(0o022)


def main():
    done = unittest.main(verbosity=2, warnings="ignore", exit=False).result.wasSuccessful()
    reports = take_reports()
    print(reports, end="", file=sys.stderr)
    sys.exit(0 if done and not reports else 1)


def _reachable_by_all(path):
    """True if every user can enter the directory and all its parents."""
    path = pathlib.Path(path).resolve()
    return all(p.stat().st_mode & stat.S_IXOTH for p in (path, *path.parents))


def _find_programs():
    given = pathlib.Path(os.environ.get("RELAIS_BIN", ROOT / "build/release/bin")).resolve()
    if not given.is_dir():
        raise RuntimeError(f"no programs in {given}: build first (make), or set RELAIS_BIN")
    if not IS_ROOT or _reachable_by_all(given):
        return given
    copy = pathlib.Path(tempfile.mkdtemp(prefix="relais-bin.", dir="/tmp"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    copy.chmod(0o755)
    for program in given.iterdir():
        if program.is_file():
            try:
                os.link(program, copy / program.name)
            except OSError:
                shutil.copy2(program, copy / program.name)
    return copy


BIN = _find_programs()


def program(name):
    """The path of one of our programs."""
    return str(BIN / name)


def has_program(name):
    return (BIN / name).exists()


def socket_names():
    """The sockets that start/daemons.h lists."""
    lister = BIN / "list_daemons" if has_program("list_daemons") else ROOT / "build/release/bin/list_daemons"
    return subprocess.run([lister, "sockets"], capture_output=True, text=True, check=True).stdout.split()


SANITIZED = has_program("qmail-queue") and b"__asan_init" in (BIN / "qmail-queue").read_bytes()


def _collect_reports():
    """What a sanitizer says of any process goes into a directory, for the standard error of some is seen by nobody."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="relais-reports.", dir="/tmp"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    directory.chmod(0o1777)
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
        os.environ[name] = f"{os.environ.get(name, '')}:print_stacktrace=1:log_path={directory}/report"
    os.environ["RELAIS_NO_SECCOMP"] = "1"
    return directory


REPORTS = _collect_reports() if SANITIZED else None
# Whether the programs give up system calls (base/privilege.h).
CONFINED = not SANITIZED


def take_reports():
    """The sanitizers' reports since the last call."""
    parts = []
    for report in sorted(REPORTS.iterdir()) if REPORTS else ():
        parts.append(f"--- {report.name}\n{report.read_text(errors='replace')}")
        report.unlink()
    return "".join(parts)


# Ports are taken by blocks, and a block is a process's until that ends: so no two tests that run beside each other are given one port,
# though neither listens on it yet, or no longer. They are below the range that the kernel gives to clients.
PORTS, BLOCK = range(10000, 32000), 50
_blocks, _ports = [], []


def claim(name):
    """A socket without a file that holds the name against all other tests of this network until it is closed; None: it is taken."""
    held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        held.bind(f"\0relais-test-{name}")
        return held
    except OSError:
        held.close()
        return None


def _claim_block():
    for first in random.sample(PORTS[::BLOCK], len(PORTS) // BLOCK):
        if held := claim(f"ports-{first}"):
            _blocks.append(held)
            _ports.extend(range(first, first + BLOCK))
            return
    raise RuntimeError("every port belongs to some test")


def _unused(port):
    """Whether nobody has the port, on any address, for TCP or UDP."""
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            try:
                with socket.socket(family, kind) as s:
                    if family == socket.AF_INET6:
                        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    s.bind((address, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return False
    return True


def free_port():
    """A port nobody listens on, for this process as long as it lives."""
    while True:
        if not _ports:
            _claim_block()
        port = _ports.pop()
        if _unused(port):
            return port


def octets(text):
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def text(data):
    return data.decode("utf-8", "surrogateescape")


# A busy machine is no reason to fail: limits are this many times longer than a quiet one needs, and again as slow are the
# programs of a sanitizer build.
PATIENCE = 12 if SANITIZED else 4

# `make test-long`: what takes long in full size. Else a smaller case of it.
LONG = bool(os.environ.get("RELAIS_LONG"))


def wait_until(condition, seconds=20.0, interval=0.02):
    """Calls condition until it returns something true, which is returned; None when PATIENCE times the seconds are over."""
    end = time.monotonic() + PATIENCE * seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() >= end:
            return None
        time.sleep(interval)


# ---------------------------------------------------------------- processes


def gone():
    """For a look at a process that may end meanwhile."""
    return contextlib.suppress(FileNotFoundError, ProcessLookupError)


class Process:
    """A line of /proc/PID/stat."""

    def __init__(self, pid):
        data = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace")
        self.pid = pid
        self.name = data[data.index("(") + 1 : data.rindex(")")]
        fields = data[data.rindex(")") + 2 :].split()
        self.state, self.parent, self.session = fields[0], int(fields[1]), int(fields[3])
        self.uid = os.stat(f"/proc/{pid}").st_uid

    def arguments(self):
        """The words of /proc/PID/cmdline as octets; none when it has ended."""
        with gone():
            return pathlib.Path(f"/proc/{self.pid}/cmdline").read_bytes().split(b"\0")[:-1]
        return []

    def status(self):
        """/proc/PID/status as a dict: Uid, Groups, Seccomp, NoNewPrivs ..."""
        lines = pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {k: v.strip() for k, _, v in (line.partition(":") for line in lines)}

    def memory(self):
        """What the process can read: (line of /proc/PID/maps, octets) of each area. A sanitizer's tables, terabytes that hold
        nothing of the program's own, are left out, and so is what the kernel refuses; and everything of one that has ended."""
        with gone(), open(f"/proc/{self.pid}/maps") as maps, open(f"/proc/{self.pid}/mem", "rb", 0) as memory:
            for line in maps:
                span, mode = line.split()[:2]
                begin, end = (int(part, 16) for part in span.split("-"))
                if "r" in mode and "[v" not in line and end - begin < 1 << 32:
                    with contextlib.suppress(OSError, ValueError):
                        memory.seek(begin)
                        yield line, memory.read(end - begin)

    def __repr__(self):
        return f"{self.pid} {self.name} (parent {self.parent}, state {self.state})"


def processes(sessions, zombies=False):
    """The processes of these sessions that live, or that are zombies."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, ValueError):
                process = Process(int(entry))
                if process.session in sessions and (process.state == "Z") == zombies:
                    found.append(process)
    return found


def end_process(process, seconds=60):
    """Ends a program that was started here, by SIGTERM; for one that does not end it is SIGKILL, and an error."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def _become_reaper():
    """Orphans of an instance come to us, so that they are reaped here and nowhere else."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Result:
    """How a program ended: code (negative: killed by that signal), out and err as text, out_bytes as they came."""

    def __init__(self, done):
        self.code = done.returncode
        self.out_bytes = done.stdout
        self.out = text(done.stdout)
        self.err = text(done.stderr)

    def __repr__(self):
        return f"code {self.code}\nstdout: {self.out!r}\nstderr: {self.err!r}"


# ---------------------------------------------------------------- SMTP, line by line


class Reply:
    def __init__(self, lines):
        self.lines = lines
        self.code = int(lines[-1][:3])
        self.text = "\n".join(line[4:] for line in lines)

    def __repr__(self):
        return "\n".join(self.lines)


class Smtp:
    """A client that sends exactly what it is told. Use it as a context manager."""

    def __init__(self, port, address="127.0.0.1", source=None, timeout=120, greeting=220):
        self.socket = socket.create_connection((address, port), timeout, (source, 0) if source else None)
        self.buffer = b""
        self.greeting = self.expect(greeting) if greeting else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Ends the connection with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def raw(self, data):
        """Sends these octets and nothing else."""
        self.socket.sendall(octets(data))

    def line(self, command):
        self.raw(octets(command) + b"\r\n")

    def read_line(self):
        """The next line without its end; EOFError when the server has closed."""
        while b"\n" not in self.buffer:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError(f"connection closed by the server; unfinished line: {self.buffer!r}")
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        if not line.endswith(b"\r"):
            raise AssertionError(f"line without CR from the server: {line!r}")
        return text(line[:-1])

    def reply(self):
        lines = [self.read_line()]
        while lines[-1][3:4] == "-":
            lines.append(self.read_line())
        return Reply(lines)

    def expect(self, code):
        """Reads one reply; its code must be this one (or one of a tuple; None: any)."""
        reply = self.reply()
        wanted = code if isinstance(code, tuple) else (code,)
        if code is not None and reply.code not in wanted:
            raise AssertionError(f"expected {code}, got: {reply}")
        return reply

    def command(self, line, code=250):
        self.line(line)
        return self.expect(code)

    def pipeline(self, *lines):
        """Sends the lines in one write, then reads one reply for each."""
        self.raw(b"".join(octets(line) + b"\r\n" for line in lines))
        return [self.reply() for _ in lines]

    def expect_closed(self):
        try:
            line = self.read_line()
        except (EOFError, ConnectionError):
            return
        raise AssertionError(f"expected the server to close, got: {line}")

    @staticmethod
    def stuffed(message):
        """The message as it goes after DATA: CRLF line ends, dots doubled, and the final dot."""
        lines = octets(message).replace(b"\r\n", b"\n").split(b"\n")
        if lines[-1] == b"":
            lines.pop()
        return b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines) + b".\r\n"

    def deliver(self, sender, recipients, message, code=250, rcpt_code=250):
        """One whole transaction; returns the reply to the final dot."""
        self.command(f"MAIL FROM:<{sender}>")
        for recipient in recipients:
            self.command(f"RCPT TO:<{recipient}>", rcpt_code)
        self.command("DATA", 354)
        self.raw(self.stuffed(message))
        return self.expect(code)


# ---------------------------------------------------------------- local recipients


class User:
    """A local recipient of an instance, with a home below it and, as root, a uid of its own."""

    def __init__(self, instance, name, uid, gid, home):
        self.instance, self.name, self.uid, self.gid, self.home = instance, name, uid, gid, home
        self.address = f"{name}@{instance.me}"

    def own(self, path):
        if IS_ROOT:
            os.chown(path, self.uid, self.gid)

    def write(self, name, content, mode=0o600):
        """Writes a file of the user's: .qmail, a script ..."""
        path = self.home / name
        path.write_bytes(octets(content))
        path.chmod(mode)
        self.own(path)
        return path

    def make_maildir(self, name="Maildir"):
        for part in ("", "new", "cur", "tmp"):
            path = self.home / name / part
            path.mkdir(mode=0o700, exist_ok=True)
            self.own(path)
        return self.home / name

    def files(self, name="Maildir"):
        """Delivered files, oldest first."""
        found = [p for part in ("new", "cur") for p in (self.home / name / part).iterdir()]
        return sorted(found, key=lambda p: (p.stat().st_mtime_ns, p.name))

    def messages(self, name="Maildir"):
        """Delivered messages as bytes, oldest first."""
        return [path.read_bytes() for path in self.files(name)]

    def wait_messages(self, count=1, seconds=30, name="Maildir"):
        """Waits until there are that many, or more, and returns them."""
        self.instance.wait_for(lambda: len(self.files(name)) >= count, seconds, f"{count} messages for {self.name}")
        return self.messages(name)


# ---------------------------------------------------------------- the instance


class Instance:
    """One mail system in a temporary directory: .home is its $QMAILHOME. single=True makes a "user" instance also
    when root runs the test. control: files to write at once, as a dict of name and text. parent: where the directory is
    made, for measurements on a file system of their own."""

    def __init__(self, me="mail.test", control=None, single=not IS_ROOT, parent="/tmp"):
        _become_reaper()
        self.me, self.single = me, single
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="rl.", dir=parent))
        self.directory.chmod(0o755)
        self.home = self.directory / "q"
        self.logs = self.directory / "log"
        self.logs.mkdir()
        self.ids_held = None
        while self.ids_held is None:
            self.base_id = 40000 + random.randrange(300) * 64
            self.ids_held = claim(f"ids-{self.base_id}")
        self.users = {}
        self.assign_lines = []
        self.running = {}  # name -> Popen
        self.sessions = set()
        self.port = None
        self.environment = {
            "PATH": f"{BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "QMAILHOME": str(self.home),
            "HOME": str(self.directory),
        }
        for name in ("RELAIS_NO_SECCOMP", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TMPDIR"):
            if name in os.environ:
                self.environment[name] = os.environ[name]
        try:
            self._create()
            for name, content in (control or {}).items():
                self.control(name, content)
        except BaseException:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise

    # The ids of a role; in a "user" instance one for all.
    def ids(self, role):
        if self.single:
            return (self.base_id, self.base_id) if IS_ROOT else (os.geteuid(), os.getegid())
        uid = self.base_id + (ROLES.index(role) if role in ROLES else 12 + LATER_ROLES.index(role))
        if role == "qmailb":
            return uid, self.ids("qmailm")[1]
        return uid, uid if role in OWN_GROUP else self.base_id + (10 if role in ("qmailq", "qmails") else 11)

    def _create(self):
        """By qmail-setup: the roles are numbers here, so that a test leaves no user behind on the machine."""
        if self.single and IS_ROOT:
            os.chown(self.directory, *self.ids("qmailq"))
        numbers = [] if self.single else ["--numbers", self.base_id]
        result = self.run("qmail-setup", self.home, "--me", self.me, "--listen", "127.0.0.1", *numbers)
        if result.code:
            raise AssertionError(f"qmail-setup failed: {result}")
        self.control("defaultdomain", self.me)
        self.control("defaulthost", self.me)
        # All clients of a test come from one address.
        self.control("perip", None)
        # Tests of bounces send to users that there are not.
        self.control("recipientcheck", None)
        self.control("mailauth", None)
        # All clients of a test come from one network.
        self.control("ratelimits", None)
        # What bounces look like in instances that have existed for long.
        for name in ("bounceformat", "delaywarning", "dsnfrom"):
            self.control(name, None)
        # What clients hear there.
        for name in ("chunking", "deliverby", "enhancedcodes", "futurerelease", "mtpriority", "refusalid", "smtplimits", "smtputf8",
                     "tlsmemory"):
            self.control(name, None)
        # The servers that tests ask sign nothing.
        for name in ("dane", "dnsanchors"):
            self.control(name, None)
        # What programs hear there when nothing runs.
        self.drop.rmdir()
        self.rules(":allow\n")

    @property
    def drop(self):
        return self.home / "drop"

    def make_drop(self):
        """The drop directory, as new instances have it."""
        self.drop.mkdir()
        if IS_ROOT:
            os.chown(self.drop, *self.ids("qmailq"))
        self.drop.chmod(0o3733)

    def _write(self, path, content):
        path.write_bytes(octets(content))
        path.chmod(0o644)
        if self.single and IS_ROOT:
            os.chown(path, *self.ids("qmailq"))

    def look_for_no_leaks(self):
        """In a sanitizer build, for who kills at any moment or traces. A process that ends has its memory searched by another
        that traces it: it waits for ever once that one is killed, and a traced one cannot be traced again."""
        self.environment["ASAN_OPTIONS"] = self.environment.get("ASAN_OPTIONS", "") + ":detect_leaks=0"

    def control(self, name, content):
        """Writes (None: removes) a control file; a line end is added if there is none."""
        path = self.home / "control" / name
        if content is None:
            path.unlink(missing_ok=True)
            return
        data = octets(content)
        self._write(path, data if data.endswith(b"\n") or not data else data + b"\n")

    def rules(self, content):
        """Writes tcp.smtp and compiles it; connections see it from then on."""
        self._write(self.home / "tcp.smtp", content)
        result = self.run("qmailctl", "cdb", self.home)
        if result.code:
            raise AssertionError(f"qmailctl cdb failed: {result}")

    def add_user(self, name, maildir=True, extensions=True):
        """Makes a local recipient by users/assign. As root it has a uid of its own."""
        if self.single:
            uid, gid = self.ids("alias")
        else:
            uid = self.base_id + 40 + len(self.users) % 10 if IS_ROOT else os.geteuid()
            gid = uid if IS_ROOT else os.getegid()
        home = self.directory / "home" / name
        home.mkdir(parents=True)
        user = User(self, name, uid, gid, home)
        user.own(home)
        home.chmod(0o700)
        if maildir:
            user.make_maildir()
        self.users[name] = user
        self.assign(f"={name}:{name}:{uid}:{gid}:{home}:::")
        if extensions:
            self.assign(f"+{name}-:{name}:{uid}:{gid}:{home}:-::")
        return user

    def assign(self, *lines):
        """Adds lines to users/assign and compiles it."""
        self.assign_lines += lines
        self._write(self.home / "users/assign", "".join(f"{line}\n" for line in self.assign_lines) + ".\n")
        result = self.run("qmail-newu")
        if result.code:
            raise AssertionError(f"qmail-newu failed: {result}")

    # ------------------------------------------------------------ running

    def run(self, name, *args, input=b"", env=None, timeout=600, user=None, cwd=None):
        """Runs a program of ours (or any by its path) to its end. user: a User to run it as."""
        path = name if "/" in name else program(name)
        if user is None and self.single and IS_ROOT:
            identity = self._identity(self.ids("qmailq"))
        else:
            identity = self._identity((user.uid, user.gid)) if user is not None and IS_ROOT else {}
        done = subprocess.run(
            [path, *map(str, args)], input=octets(input), capture_output=True, timeout=timeout,
            env={**self.environment, **(env or {})}, cwd=cwd or self.directory, **identity)
        return Result(done)

    @staticmethod
    def _identity(ids):
        return {"user": ids[0], "group": ids[1], "extra_groups": []}

    def spawn(self, name, command, ids=None, env=None):
        """Starts a daemon in a session of its own, its output in log/NAME."""
        identity = self._identity(ids) if ids and IS_ROOT else {}
        with open(self.logs / name, "ab") as log:
            self.running[name] = subprocess.Popen(
                list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**self.environment, **(env or {})}, cwd=self.home, **identity)
        self.sessions.add(self.running[name].pid)
        return self.running[name]

    def start(self, smtpd="listener", address="127.0.0.1", env=None, smtpd_args=()):
        """Starts qmail-start and an SMTP server: smtpd="listener" (qmail-smtpd's own), the path or name of a
        tcpserver, or None for no server."""
        self.start_send(env)
        if smtpd == "listener":
            self.start_listener(address, env, smtpd_args)
        elif smtpd:
            self.start_tcpserver(smtpd, address, env)
        return self

    def start_send(self, env=None):
        self.spawn("send", [program("qmail-start")], self.ids("qmailq") if self.single else None, env)
        sockets = [self.home / "sockets" / name for name in socket_names()]
        self.wait_for(lambda: all(s.is_socket() for s in sockets), 20, "the sockets of qmail-start")

    def start_listener(self, address="127.0.0.1", env=None, args=()):
        self.port = free_port()
        where = f"[{address}]:{self.port}" if ":" in address else f"{address}:{self.port}"
        self.spawn("smtpd", [program("qmail-smtpd"), "-l", where, "-x", self.home / "tcp.smtp.cdb", *args],
                   self.ids("qmaild") if self.single else None, env)
        self._wait_port(address)

    def start_tcpserver(self, tcpserver="tcpserver", address="127.0.0.1", env=None, command=None):
        self.port = free_port()
        uid, gid = self.ids("qmaild")
        drop = ["-u", uid, "-g", gid] if IS_ROOT and not self.single else []
        self.spawn("smtpd", [tcpserver, "-v", "-R", "-H", "-l", "0", "-c", 50, "-x", self.home / "tcp.smtp.cdb", *drop,
                             address, self.port, *(command or [program("qmail-smtpd")])],
                   self.ids("qmaild") if self.single else None, env)
        self._wait_port(address)

    def _wait_port(self, address, greets=True):
        # A port that takes connections may belong to a server that has not read its files yet: its greeting shows it.
        def answers():
            with contextlib.suppress(OSError), socket.create_connection((address, self.port), 60) as s:
                return not greets or s.recv(1) is not None
            return False
        self.wait_for(answers, 20, f"a server on {address} port {self.port}")

    def smtp(self, ehlo="client.test", **options):
        """A connection to this instance's SMTP server, greeted with EHLO unless ehlo is None."""
        client = Smtp(self.port, **options)
        if ehlo is not None:
            client.command(f"EHLO {ehlo}")
        return client

    def send(self, sender, recipients, message, **options):
        """Sends one message by SMTP; returns the reply to its end."""
        with self.smtp(**options) as client:
            reply = client.deliver(sender, recipients, message)
            client.command("QUIT", 221)
            return reply

    def submit(self, sender, recipients, message="Subject: x\n\nhello\n", env=None):
        """Puts a message into the queue with qmail-queue; returns its exit code. Both must fit into a pipe (1 MiB)."""
        descriptors = []
        envelope = b"F" + octets(sender) + b"\0" + b"".join(b"T" + octets(r) + b"\0" for r in recipients) + b"\0"
        for data in (octets(message), envelope):
            reader, writer = os.pipe()
            descriptors.append(reader)
            with open(writer, "wb") as file:
                fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, max(65536, len(data)))
                file.write(data)
        try:
            return subprocess.run([program("qmail-queue")], stdin=descriptors[0], stdout=descriptors[1],
                                  env={**self.environment, **(env or {})}, timeout=400).returncode
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    # ------------------------------------------------------------ looking

    def processes(self, name=None):
        """Live processes of the instance, all or those whose name (its first 15 octets) is this."""
        return [p for p in processes(self.sessions) if name is None or p.name == name[:15]]

    def kill(self, name, number=signal.SIGKILL):
        """Sends a signal to every process of that name; returns how many there were."""
        found = self.processes(name)
        for process in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)
        return len(found)

    def log(self, name="send"):
        """Lines of log/NAME: "send" or "smtpd"."""
        path = self.logs / name
        return text(path.read_bytes()).splitlines() if path.exists() else []

    def wait_log(self, part, name="send", seconds=20, count=1):
        """Waits until that many lines hold the text; returns them."""
        def lines():
            return [line for line in self.log(name) if part in line]
        self.wait_for(lambda: len(lines()) >= count, seconds, f"{count} x {part!r} in log/{name}")
        return lines()

    def queue_files(self, kind="mess"):
        """Paths of the messages ("mess") or bounce texts ("bounce") in the queue."""
        return sorted(p for split in (self.home / "queue" / kind).iterdir() for p in split.iterdir())

    def wait_empty(self, seconds=30):
        """Waits until neither the queue nor the drop directory, which is looked at every ten seconds, holds a message."""
        def left():
            # What is taken in is in the queue before it leaves drop/, so drop/ is asked first.
            drop = self.home / "drop"
            return (drop.is_dir() and next(drop.iterdir(), None)) or self.queue_files()
        self.wait_for(lambda: not left(), seconds, "an empty queue")

    def wait_for(self, condition, seconds=20, what="a condition"):
        """Returns what condition returns once that is true; fails with a picture of the instance otherwise."""
        result = wait_until(condition, seconds)
        if not result:
            raise AssertionError(f"waited {PATIENCE * seconds} s in vain for {what}\n{self.picture()}")
        return result

    def picture(self):
        """Everything one wants to see when a test fails: processes, logs, queue."""
        parts = ["--- processes", *map(repr, self.processes())]
        for log in sorted(self.logs.iterdir()):
            parts += [f"--- log/{log.name} (last 60 lines)", *self.log(log.name)[-60:]]
        for report in sorted(REPORTS.iterdir())[:3] if REPORTS else ():
            parts += [f"--- {report.name} (beginning)", report.read_text(errors="replace")[:3000]]
        with contextlib.suppress(OSError):
            for kind in ("mess", "bounce"):
                parts += [f"--- queue/{kind}", *(f"{p.name} {p.stat().st_size}" for p in self.queue_files(kind)[:20])]
        return "\n".join(parts)

    # ------------------------------------------------------------ ending

    def stop(self, seconds=20):
        """Ends what was started and fails if anything needs force or stays."""
        problems = []
        for name, daemon in reversed(list(self.running.items())):
            if daemon.poll() is None:
                daemon.terminate()
        for name, daemon in self.running.items():
            try:
                daemon.wait(PATIENCE * seconds)
            except subprocess.TimeoutExpired:
                problems.append(f"{name} did not end on SIGTERM within {PATIENCE * seconds} s")
        self.running.clear()
        if not wait_until(lambda: not self.processes(), 0 if problems else seconds):
            problems.append("still running: " + ", ".join(map(repr, self.processes())))
        if problems:
            picture = self.picture()
            self.kill_all()
            raise AssertionError("\n".join(problems) + "\n" + picture)
        self.reap()

    def kill_all(self):
        """SIGKILL for everything the instance started: a power cut for its processes."""
        def left():
            for process in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
            return not self.processes()
        wait_until(left)
        for daemon in self.running.values():
            daemon.wait(60)
        self.running.clear()
        self.reap()

    def reap(self):
        """Collects orphans that have come to us (their parents are dead)."""
        for process in processes(self.sessions, zombies=True):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process.pid, os.WNOHANG)

    def remove(self):
        try:
            self.stop()
            if reports := take_reports():
                raise AssertionError(reports)
        finally:
            self.ids_held.close()
            if not os.environ.get("RELAIS_KEEP"):
                shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()


class TestCase(unittest.TestCase):
    """A test whose instances are stopped, checked and removed when it ends."""

    maxDiff = 4000

    def instance(self, *args, **options):
        made = Instance(*args, **options)
        self.addCleanup(made.remove)
        return made
