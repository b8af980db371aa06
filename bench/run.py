"""Measures relais against a Postfix from Debian in the same run, interleaved, on one journaled file system, and prints a
table. `make bench` runs all of it and writes docs/performance.md; `bench/run.py --quick` takes two minutes.

Both run durable with their stock settings and raised process limits. Generator and sink are Postfix's own smtp-source
and smtp-sink. CPU is everything the machine spent, generator and sink included, per message. Needs root (loop mount)."""

import argparse
import contextlib
import datetime
import os
import pathlib
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from harness import peers  # noqa: E402
from harness import relais  # noqa: E402
import single  # noqa: E402
from machine import cpu_of, cpu_seconds, make_certificate, monitor_seconds  # noqa: E402

SIZE = 5000
USERS = 100
DOMAIN = "bench.test"
RECIPIENTS = 20000
POSTFIX_SETTINGS = (
    "default_process_limit = 200",
    "smtpd_client_connection_count_limit = 0",
    "smtpd_client_connection_rate_limit = 0",
    "in_flow_delay = 0",
    "default_destination_concurrency_limit = 100",
    "virtual_destination_concurrency_limit = 20",
    "qmgr_message_active_limit = 40000",
    "qmgr_message_recipient_limit = 40000",
    f"smtpd_recipient_limit = {RECIPIENTS}",
    "message_size_limit = 0",
    # Else its virtual(8) refuses to start beside the line above, and the queue never empties.
    "virtual_mailbox_limit = 0",
    "mailbox_size_limit = 0",
)
# A queue in which nothing moves for so long is not emptied any more.
STANDSTILL = 30


@contextlib.contextmanager
def journaled_directory(gigabytes=4, inodes=600_000):
    """A directory on a fresh loop-mounted ext4 with its journal: the file system that users have."""
    work = pathlib.Path(tempfile.mkdtemp(prefix="rlb.", dir="/var/tmp"))
    work.chmod(0o755)
    image, mount = work / "ext4", work / "m"
    mount.mkdir()
    subprocess.run(["truncate", "-s", f"{gigabytes}G", image], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-N", str(inodes), image], check=True)
    subprocess.run(["mount", "-o", "loop", image, mount], check=True)
    mount.chmod(0o755)
    try:
        yield mount
    finally:
        # Postfix's daemons end a moment after their master.
        if not relais.wait_until(lambda: subprocess.run(["umount", "-q", mount]).returncode == 0, 30, 0.2):
            raise RuntimeError(f"unable to unmount {mount}: still in use after 30 seconds")
        image.unlink()
        mount.rmdir()
        work.rmdir()


def wait_until_empty(directories, trouble=lambda: None):
    """Until no file is left in them. Looked at rarely and shortly, for looking costs CPU that counts; both servers alike.
    trouble tells why it will not happen."""
    def names():
        return (name for directory in directories for _folder, _folders, files in os.walk(directory) for name in files)
    last, moved = None, time.monotonic()
    while (first := next(names(), None)) is not None:
        why, now = trouble(), time.monotonic()
        if first != last:
            last, moved = first, now
        if why or now > moved + STANDSTILL:
            where = ", ".join(map(str, directories))
            raise RuntimeError(f"{sum(1 for _ in names())} messages stay in {where}: {why or 'nothing moves'}")
        time.sleep(0.1)


class LogWatch:
    """Looks for a line in a log that grows: each line is read once."""

    def __init__(self, path, pattern):
        self.file, self.pattern = open(path, errors="replace"), re.compile(pattern)

    def found(self):
        return next((line.strip() for line in self.file if self.pattern.search(line)), None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()


def domain_addresses(domains):
    """A loopback address for each domain: destinations of their own, all at one sink."""
    return {f"d{n}.test": f"127.{1 + n // 250}.1.{1 + n % 250}" for n in range(domains)}


class Figure:
    def __init__(self, messages, seconds, cpu):
        self.rate = messages / seconds
        self.cpu = cpu / messages * 1000


def measure(messages, work):
    before, start = cpu_seconds(), time.monotonic()
    work()
    return Figure(messages, time.monotonic() - start, cpu_seconds() - before)


class Sink:
    """Postfix's smtp-sink, which ends after a number of messages."""

    def __init__(self, messages):
        self.port = relais.free_port()
        tree = peers.postfix()
        self.process = subprocess.Popen(
            [tree.program("smtp-sink"), "-u", "nobody", "-M", str(messages), f"127.0.0.1:{self.port}", "1000"],
            env={**os.environ, **tree.environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        relais.wait_until(self._answers, 10)

    def _answers(self):
        with contextlib.suppress(OSError, EOFError):
            relais.Smtp(self.port).close()
            return True
        return False

    def wait(self):
        self.process.wait(600)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(10)


def generate(port, messages, sessions, many, recipient, *options):
    """smtp-source: messages of SIZE octets over that many parallel sessions, one or many a connection."""
    tree = peers.postfix()
    command = [tree.program("smtp-source"), "-s", str(sessions), "-m", str(messages), "-l", str(SIZE), "-f", "sender@from.test",
               "-t", recipient, *(["-d"] if many else []), *options, f"127.0.0.1:{port}"]
    done = subprocess.run(command, env={**os.environ, **tree.environment}, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"smtp-source: {done.stderr}")


def by_clients(port, way, clients, seconds, addresses=()):
    """bench/smtp_client.cc, one message a connection: its way is clear, starttls or implicit, with "resumed" where sessions
    of TLS are; it tells the rate. CPU is everything the machine spent."""
    how, kind = way.split()
    before = cpu_seconds()
    done = subprocess.run([relais.program("smtp_client"), str(port), f"user@{DOMAIN}", how, kind, str(clients), str(seconds),
                           *map(str, addresses)], check=True, capture_output=True, text=True)
    found = dict(line.split() for line in done.stdout.splitlines())
    if kind == "resumed" and float(found["resumed"]) < 0.75:
        raise RuntimeError(f"only {float(found['resumed']):.0%} of the sessions were resumed")
    messages = float(found["rate"]) * seconds
    return Figure(messages, seconds, cpu_seconds() - before)


def relayed(messages, sessions, many, running):
    """Generator to sink through the server that running(port of the sink) starts."""
    sink = Sink(messages)
    try:
        with running(sink.port) as server:
            def work():
                generate(server.port, messages, sessions, many, f"user@{DOMAIN}")
                sink.wait()
            # The sink ends without an answer to its last message: that one stays in the queue.
            return measure(messages, work)
    finally:
        sink.stop()


def session_pids(instance):
    """The processes that serve clients, of the listener: neither its keeper nor its acceptor."""
    listeners = {instance.running["smtpd"].pid}
    children = {}
    for process in instance.processes("qmail-smtpd"):
        with contextlib.suppress(OSError):  # it has ended
            parent = int(pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(process.pid)
    listeners.update(children.get(instance.running["smtpd"].pid, ()))
    return [pid for parent in listeners for pid in children.get(parent, ()) if pid not in listeners]


class Relais:
    name = "relais"

    def __init__(self, parent):
        self.parent = parent

    @contextlib.contextmanager
    def _running(self, users=(), smtpd="listener", smtpd_args=("-c", "400", "--per-ip", "400"), certificate=False, **control):
        with relais.Instance(parent=self.parent, control={"rcpthosts": f"mail.test\n{DOMAIN}", "concurrencyremote": "100",
                                                          "concurrencylocal": "200", "maxrcpt": str(RECIPIENTS), **control}) as instance:
            if users:
                homes = [instance.add_user(f"u{n}") for n in range(USERS)]
                instance.assign(*(f"={name}:{u.name}:{u.uid}:{u.gid}:{u.home}:::"
                                  for name, u in ((name, homes[n % USERS]) for n, name in enumerate(users))))
            instance.rules(':allow,RELAYCLIENT=""\n')
            if certificate:
                with tempfile.TemporaryDirectory() as directory:
                    path = pathlib.Path(directory)
                    make_certificate(path)
                    instance.control("servercert.pem", (path / "cert").read_text() + (path / "key").read_text())
            instance.start(smtpd=smtpd, smtpd_args=smtpd_args)
            instance.session_pids = lambda: session_pids(instance)
            yield instance

    def accepting(self, *smtpd_args):
        return self._running(concurrencyremote="0", **({"smtpd_args": smtpd_args} if smtpd_args else {}))

    def accepting_with_tls(self, *smtpd_args):
        """It offers STARTTLS."""
        return self._running(certificate=True, concurrencyremote="0", smtpd_args=smtpd_args)

    def relaying_to(self, port):
        return self._running(smtproutes=f":127.0.0.1:{port}")

    def relaying_domains(self, port, domains):
        routes = "".join(f"{name}:{address}:{port}\n" for name, address in domain_addresses(domains).items())
        return self._running(smtproutes=routes)

    def delivering(self, names):
        """Each of the names is a local part; they share USERS Maildirs."""
        return self._running(users=names)

    def under_tcpserver(self, tcpserver):
        return self._running(smtpd=tcpserver, concurrencyremote="0")

    def accept(self, messages, sessions, many):
        with self.accepting() as instance:
            return measure(messages, lambda: generate(instance.port, messages, sessions, many, f"user@{DOMAIN}"))

    def clients(self, way, clients, seconds, reuse="same", addresses=()):
        with self._running(certificate=True, concurrencyremote="0", sessionreuse=reuse) as instance:
            return by_clients(instance.port, way, clients, seconds, addresses)

    def relay(self, messages, sessions, many):
        return relayed(messages, sessions, many, lambda port: self._running(smtproutes=f":127.0.0.1:{port}"))

    def local(self, messages, sessions, many, users):
        names = [f"{n}user" for n in range(1, messages + 1)] if users > 1 else ["user"]
        with self.delivering(names) as instance:
            def work():
                generate(instance.port, messages, sessions, many, "user@mail.test", *(["-N"] if users > 1 else []))
                with LogWatch(instance.logs / "send", "delivery [0-9]+: (deferral|failure)|alert:") as log:
                    wait_until_empty([instance.home / "queue/mess"], log.found)
            return measure(messages, work)


class Postfix:
    name = "Postfix"

    def __init__(self, parent):
        self.parent = parent

    def _running(self, *settings, **options):
        return peers.Postfix(parent=self.parent, settings=(*POSTFIX_SETTINGS, *settings), **options)

    def _wait_empty(self, server):
        queue = server.directory / "queue"
        with LogWatch(server.directory / "log", "fatal:|panic:|throttling|status=(deferred|bounced)") as log:
            wait_until_empty([queue / name for name in ("incoming", "active", "deferred")], log.found)

    def accepting(self):
        return self._running("smtpd_client_restrictions = static:HOLD")

    def relaying_to(self, port):
        return self._running(relayhost=f"[127.0.0.1]:{port}")

    @contextlib.contextmanager
    def relaying_domains(self, port, domains):
        with tempfile.NamedTemporaryFile("w", prefix="transport.", dir="/tmp") as table:
            table.write("".join(f"{name} smtp:[{address}]:{port}\n" for name, address in domain_addresses(domains).items()))
            table.flush()
            os.chmod(table.name, 0o644)
            with self._running(f"transport_maps = texthash:{table.name}") as server:
                yield server

    def accept(self, messages, sessions, many):
        # Held: the queue manager does nothing with them.
        with self.accepting() as server:
            return measure(messages, lambda: generate(server.port, messages, sessions, many, f"user@{DOMAIN}"))

    def clients(self, way, clients, seconds, reuse="", addresses=()):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory)
            make_certificate(path)
            with self._running("smtpd_client_restrictions = static:HOLD", "smtpd_tls_security_level = may",
                               f"smtpd_tls_cert_file = {path}/cert", f"smtpd_tls_key_file = {path}/key",
                               # Those addresses have no names: it would ask for each, and wait.
                               *(["smtpd_peername_lookup = no"] if addresses else [])) as server:
                return by_clients(server.port, way, clients, seconds, addresses)

    def relay(self, messages, sessions, many):
        return relayed(messages, sessions, many, lambda port: self._running(relayhost=f"[127.0.0.1]:{port}"))

    def local(self, messages, sessions, many, users):
        with self._running(deliver="mail.test") as server:
            if users > 1:
                table = server.directory / "etc/users"
                table.write_text("".join(f"{n}user@mail.test box{n % USERS}/\n" for n in range(1, messages + 1)))
                for program, *arguments in (("postconf", "-e", f"virtual_mailbox_maps=texthash:{table}"), ("postfix", "reload")):
                    subprocess.run([server.tree.program(program), "-c", server.directory / "etc", *arguments],
                                   env={**os.environ, **server.tree.environment}, capture_output=True, check=True)
                time.sleep(1)

            def work():
                generate(server.port, messages, sessions, many, "user@mail.test", *(["-N"] if users > 1 else []))
                self._wait_empty(server)
            return measure(messages, work)


class Row:
    """name; reach, the ratio to Postfix that is wanted, if one is; work, done with a server of each kind; whether --quick has it."""

    def __init__(self, name, reach, work, quick=False):
        self.name, self.reach, self.work, self.quick = name, reach, work, quick


def rows(count, seconds):
    def addresses(reuse):
        return lambda s: s.clients("clear new", 20, seconds, reuse, (1000,))
    return [
        Row("accept, one a connection, 20 sessions", "2.0", lambda s: s.accept(count, 20, False), quick=True),
        Row("accept, one a connection, 100 sessions", "2.0", lambda s: s.accept(count, 100, False)),
        Row("the same, 1,000 addresses, sessionreuse any", "2.0", addresses("any"), quick=True),
        Row("the same, 1,000 addresses, sessionreuse same", "", addresses("same")),
        Row("the same, 1,000 addresses, sessionreuse off", "", addresses("off")),
        Row("accept, many a connection, 20 sessions", "3.0", lambda s: s.accept(count, 20, True), quick=True),
        Row("relay, one a connection, 20 sessions", "3.0", lambda s: s.relay(count, 20, False), quick=True),
        Row("relay, one a connection, 100 sessions", "3.0", lambda s: s.relay(count, 100, False)),
        Row("relay, many a connection, 20 sessions", "4.5", lambda s: s.relay(count, 20, True), quick=True),
        Row("local Maildir, one user, many a connection", "3.5", lambda s: s.local(count, 20, True, 1)),
        Row(f"local Maildirs, {USERS} users, many a connection", "3.5", lambda s: s.local(count, 20, True, USERS), quick=True),
        Row(f"local Maildirs, {USERS} users, one a connection", "2.5", lambda s: s.local(count, 20, False, USERS), quick=True),
        Row("STARTTLS, one a connection, new sessions, 20", "1.5", lambda s: s.clients("starttls new", 20, seconds), quick=True),
        Row("STARTTLS, one a connection, resumed, 20", "2.0", lambda s: s.clients("starttls resumed", 20, seconds)),
        Row("STARTTLS, one a connection, new sessions, 100", "1.5", lambda s: s.clients("starttls new", 100, seconds)),
        Row("STARTTLS, one a connection, resumed, 100", "2.0", lambda s: s.clients("starttls resumed", 100, seconds)),
    ]


def machine_costs(parent):
    """A sentence: what fork, exec, a page fault, a round trip and a durable file cost here (bench/machine_costs.cc)."""
    with tempfile.TemporaryDirectory(dir=parent) as directory:
        done = subprocess.run([relais.program("machine_costs"), directory], check=True, capture_output=True, text=True)
    cost = dict(line.split() for line in done.stdout.splitlines())
    return (f"This machine, microseconds: fork and end of a small process {cost['fork']}, with exec {cost['exec']}, a page fault "
            f"{cost['fault']}, a loopback round trip {cost['round_trip']}, a durable file {cost['durable']}; load average "
            f"{os.getloadavg()[0]:.1f} at the start.")


def version(command, pattern):
    done = subprocess.run(command, capture_output=True, text=True, shell=True)
    found = re.search(pattern, done.stdout + done.stderr)
    return found[0] if found else "unknown"


def rate_rows(arguments, parent):
    lines = ["| work | relais, messages/s (CPU ms) | Postfix, messages/s (CPU ms) | ratio | reach |", "|---|---|---|---|---|"]
    print("\n".join(lines), flush=True)
    for row in rows(arguments.messages, 3 if arguments.quick else 8):
        if not (re.search(arguments.only, row.name) if arguments.only else row.quick or not arguments.quick):
            continue
        figures = {server.name: [] for server in servers(arguments, parent)}
        for _ in range(arguments.rounds):
            for server in servers(arguments, parent):
                figures[server.name].append(row.work(server))
        median = {name: (statistics.median(f.rate for f in taken), statistics.median(f.cpu for f in taken))
                  for name, taken in figures.items()}
        cells = [f"{median[s][0]:,.0f} ({median[s][1]:.2f})" if s in median else "" for s in ("relais", "Postfix")]
        ratio = f"{median['relais'][0] / median['Postfix'][0]:.2f}" if "Postfix" in median else ""
        lines.append(f"| {row.name} | {cells[0]} | {cells[1]} | {ratio} | {row.reach} |")
        print(lines[-1], flush=True)
    return lines


def servers(arguments, parent):
    return [Relais(parent)] + ([] if arguments.no_peer else [Postfix(parent)])


def single_rows(arguments, parent):
    """The second table: what is not a rate of many small messages."""
    both, ours = servers(arguments, parent), Relais(parent)
    quick = arguments.quick

    def accept_rate(instance):
        """Messages a second, CPU ms of the instance for one, and the part of a core that the kernel's watch over memory took."""
        count = max(arguments.messages, 1000)
        start, cpu, monitor = time.monotonic(), cpu_of(instance), monitor_seconds()
        generate(instance.port, count, 20, False, f"user@{DOMAIN}")
        seconds = time.monotonic() - start
        return count / seconds, (cpu_of(instance) - cpu) / count * 1000, (monitor_seconds() - monitor) / seconds

    works = [("latency", lambda: single.latency(both, parent, 50 if quick else 300)),
             ("one message", lambda: single.one_message(both, 1)),
             ("one message", lambda: single.one_message(both, 1000)),
             ("large", lambda: single.large(both, parent, arguments.rounds, 8 if quick else 16)),
             ("large", lambda: single.large_memory(ours)),
             ("tcpserver", lambda: single.tcpserver(ours, 50 if quick else 300)),
             ("idle", lambda: single.idle_sessions(ours, arguments.idle, accept_rate, 1 if quick else arguments.rounds))]
    lines = ["| work | relais | Postfix | beside it | reach |", "|---|---|---|---|---|"]
    print("\n" + "\n".join(lines), flush=True)
    for name, work in works:
        if not (re.search(arguments.only, name) if arguments.only else name == "latency" or not quick):
            continue
        for row in work():
            cells = list(row) if len(row) == 5 else [row[0], row[1], "", *row[2:]]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
            print(lines[-1], flush=True)
    return lines


def run(arguments):
    with journaled_directory() as parent:
        costs = machine_costs(parent)
        print(costs + "\n", flush=True)
        return [costs, ""] + rate_rows(arguments, parent) + [""] + single_rows(arguments, parent)


def write_document(lines, arguments):
    """Puts table, machine and versions between the two marks of docs/performance.md."""
    path = ROOT / "docs/performance.md"
    before, rest = path.read_text().split("<!-- figures -->")
    after = rest.split("<!-- end of figures -->")[1]
    cpu = version("grep -m1 'model name' /proc/cpuinfo", r"(?<=: ).*")
    facts = (f"{datetime.date.today()}, {os.cpu_count()} cores ({cpu}), Linux {platform.release()}, "
             f"{version('g++ --version', r'[0-9.]+$|[0-9]+[.][0-9.]+')} g++, Postfix "
             f"{version('apt-cache policy postfix', r'3[.][0-9.]+')}; {arguments.messages} messages of {SIZE} octets, "
             f"{arguments.rounds} rounds, medians.")
    path.write_text(f"{before}<!-- figures -->\n{facts}\n\n" + "\n".join(lines) + f"\n<!-- end of figures -->{after}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=10000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="a regular expression: only these rows (of the second table: latency, one message, large, tcpserver, idle)")
    parser.add_argument("--no-peer", action="store_true", help="do not measure Postfix")
    parser.add_argument("--idle", type=int, default=10000, help="idle sessions")
    parser.add_argument("--quick", action="store_true", help="2,000 messages, one round, the rows that matter most")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    arguments = parser.parse_args()
    # Ended by a signal it clears up as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if arguments.quick:
        arguments.messages, arguments.rounds = 2000, 1
    if os.geteuid() != 0:
        sys.exit("bench/run.py: unable to mount a file system: run it as root")
    lines = run(arguments)
    if arguments.write:
        write_document(lines, arguments)


if __name__ == "__main__":
    main()
