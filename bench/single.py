"""Rows of the benchmark that are not rates of many small messages: latency, many recipients, large messages, the start
under tcpserver, idle sessions. Each takes the two kinds of server of run.py and returns lines for its second table."""

import collections
import concurrent.futures
import contextlib
import os
import pathlib
import resource
import socket
import statistics
import subprocess
import tempfile
import threading
import time

from harness import peers
from harness import relais
from machine import cpu_seconds
from sink_process import SinkProcess

BODY = b"Subject: measured\r\n\r\n" + (b"y" * 76 + b"\r\n") * 63
LARGE = 25_000_000


def milliseconds(seconds):
    return f"{seconds * 1000:.2f}"


def median_and_p99(values):
    ordered = sorted(values)
    return statistics.median(ordered), ordered[min(len(ordered) - 1, round(len(ordered) * 0.99))]


class Client:
    """A session as fast as python can: whole replies, no logging."""

    def __init__(self, port, source="127.0.0.1"):
        self.socket = socket.create_connection(("127.0.0.1", port), 60, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.reply()

    def reply(self):
        while True:
            line, separator, rest = self.buffer.partition(b"\r\n")
            if separator:
                self.buffer = rest
                if line[3:4] != b"-":
                    if line[:1] not in (b"2", b"3"):
                        raise RuntimeError(f"the server says {line!r}")
                    return line
                continue
            data = self.socket.recv(65536)
            if not data:
                raise RuntimeError("the server has hung up")
            self.buffer += data

    def command(self, line):
        self.socket.sendall(line + b"\r\n")
        return self.reply()

    def deliver(self, recipients, body=BODY):
        """One message; returns when its 250 came. Recipients are pipelined, a hundred at a time."""
        self.command(b"MAIL FROM:<sender@from.test>")
        for first in range(0, len(recipients), 100):
            group = recipients[first:first + 100]
            self.socket.sendall(b"".join(b"RCPT TO:<" + r + b">\r\n" for r in group))
            for _ in group:
                self.reply()
        self.command(b"DATA")
        self.socket.sendall(body + b".\r\n")
        self.reply()
        return time.monotonic()

    def close(self):
        with contextlib.suppress(OSError, RuntimeError):
            self.command(b"QUIT")
        self.socket.close()


class DurableWrites:
    """Durable files of a message's size, one at a time."""

    def __init__(self, parent):
        self.directory, self.number = tempfile.TemporaryDirectory(dir=parent), 0
        self.folder = os.open(self.directory.name, os.O_RDONLY)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.folder)
        self.directory.cleanup()

    def seconds(self):
        self.number += 1
        start = time.monotonic()
        file = os.open(f"{self.directory.name}/{self.number}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(file, BODY + b"e" * 300)
        os.fsync(file)
        os.fsync(self.folder)
        os.close(file)
        return time.monotonic() - start


class Probe:
    """A server that relays to a sink of its own, one message after the other."""

    def __init__(self, server):
        self.server, self.to_250, self.to_arrival, self.count, self.stack = server, [], [], 0, contextlib.ExitStack()

    def __enter__(self):
        self.sink = self.stack.enter_context(SinkProcess())
        self.port = self.stack.enter_context(self.server.relaying_to(self.sink.port)).port
        return self

    def __exit__(self, *_):
        self.stack.close()

    def send(self):
        self.count += 1
        start = time.monotonic()
        client = Client(self.port)
        client.command(b"EHLO client.test")
        accepted = client.deliver([b"user@bench.test"])
        self.sink.wait_recipients(self.count)
        self.to_250.append(accepted - start)
        self.to_arrival.append(max(0.0, self.sink.last_arrival - accepted))
        client.close()


def latency(servers, parent, count, warm=10):
    """Servers and bare files take turns, message by message, each of them in every place of the turn."""
    writes = []
    with contextlib.ExitStack() as stack:
        durable = stack.enter_context(DurableWrites(parent))
        probes = [stack.enter_context(Probe(server)) for server in servers]
        works = [lambda: writes.append(durable.seconds()), *(probe.send for probe in probes)]
        for n in range(count + warm):
            for place in range(len(works)):
                works[(n + place) % len(works)]()

    def cells(values):
        return " / ".join(map(milliseconds, median_and_p99(values[warm:])))
    above = statistics.median(probes[0].to_250[warm:]) - statistics.median(writes[warm:])
    return [("connect to final 250, ms, median / p99", *(cells(p.to_250) for p in probes),
             f"durable write {cells(writes)}: {milliseconds(above)} above", "0.60 above"),
            ("250 to arrival, ms, median / p99", *(cells(p.to_arrival) for p in probes), "", "not above Postfix")]


def one_message(servers, domains, count=10_000):
    recipients = [b"user%d@d%d.test" % (n, n % domains) for n in range(count)]
    rates = {}
    for server in servers:
        with SinkProcess() as sink, server.relaying_domains(sink.port, domains) as running:
            client = Client(running.port)
            client.command(b"EHLO client.test")
            start = time.monotonic()
            client.deliver(recipients)
            sink.wait_recipients(count)
            rates[server.name] = count / (sink.last_arrival - start)
            client.close()
    line = [f"{rates[s.name]:,.0f}" for s in servers]
    name = f"one message to {count:,} recipients of {domains:,} domain{'s' * (domains > 1)}, recipients/s"
    return [(name, *line, ratio(rates), "5.0")]


def ratio(rates):
    return f"{rates['relais'] / rates['Postfix']:.2f}" if "Postfix" in rates else ""


def private_memory(pids):
    """The most that one of the processes has for itself, in kB."""
    most = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            most = max(most, sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_")))
    return most


def large(servers, parent, rounds, count=16, sessions=4):
    """Messages of LARGE octets by smtp-source; a copy of as many files, each synced, by as many threads bounds the disk, and
    the generator straight into smtp-sink shows what these two can do. They take turns; medians."""
    rates, arrivals, costs = (collections.defaultdict(list) for _ in range(3))
    for _ in range(rounds):
        rates["copy"].append(copy_speed(parent, count, sessions))
        with smtp_sink() as port:
            rates["bare"].append(large_messages(port, count, sessions))
        for server in servers:
            with server.accepting() as running:
                before = cpu_seconds()
                rates[server.name].append(large_messages(running.port, count, sessions))
                costs[server.name].append((cpu_seconds() - before) / count * 1000)
            with SinkProcess() as sink, server.relaying_to(sink.port) as running:
                start = time.monotonic()
                large_messages(running.port, count, sessions)
                sink.wait_recipients(count)
                arrivals[server.name].append(count * LARGE / 1e6 / (sink.last_arrival - start))
    middle = {name: statistics.median(values) for name, values in rates.items()}
    return [("25 MB messages, 4 sessions, accept, MB/s (CPU ms a message)",
             *(f"{middle[s.name]:,.0f} ({statistics.median(costs[s.name]):.0f})" for s in servers),
             f"copying {middle['copy']:,.0f} MB/s; smtp-source into smtp-sink {middle['bare']:,.0f}", "the copy's speed"),
            ("25 MB messages, 4 sessions, relay end to end, MB/s", *(f"{statistics.median(arrivals[s.name]):,.0f}" for s in servers), "", "")]


def large_memory(relais_server, sessions=4):
    with relais_server.accepting() as running, MostMemory(running) as most:
        for _ in range(10):
            large_messages(running.port, 4 * sessions, sessions)
            if most.kilobytes:
                break
        else:
            raise RuntimeError("no session was seen")
    return [("memory of a session with a message of 25 MB, kB", f"{most.kilobytes:,}", "", "", "below 1,000")]


def large_messages(port, count, sessions):
    """MB/s."""
    tree = peers.postfix()
    start = time.monotonic()
    subprocess.run([tree.program("smtp-source"), "-s", str(sessions), "-m", str(count), "-l", str(LARGE), "-d", "-f", "sender@from.test",
                    "-t", "user@bench.test", f"127.0.0.1:{port}"], env={**os.environ, **tree.environment}, check=True, capture_output=True)
    return count * LARGE / 1e6 / (time.monotonic() - start)


@contextlib.contextmanager
def smtp_sink():
    tree, port = peers.postfix(), relais.free_port()
    process = subprocess.Popen([tree.program("smtp-sink"), "-u", "nobody", f"127.0.0.1:{port}", "100"],
                               env={**os.environ, **tree.environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        relais.wait_until(lambda: not socket.socket().connect_ex(("127.0.0.1", port)), 10)
        yield port
    finally:
        process.terminate()
        process.wait(10)


class MostMemory:
    """The most that a session of an instance has for itself."""

    def __init__(self, instance):
        self.instance, self.kilobytes, self.enough = instance, 0, threading.Event()

    def __enter__(self):
        def watch():
            while not self.enough.wait(0.01):
                with contextlib.suppress(OSError):
                    self.kilobytes = max(self.kilobytes, private_memory(self.instance.session_pids()))
        self.thread = threading.Thread(target=watch)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.enough.set()
        self.thread.join()


def copy_speed(parent, count, threads):
    """MB/s of cp with an fsync for each file, from the cache to this file system."""
    with tempfile.TemporaryDirectory(dir=parent) as directory:
        original = pathlib.Path(directory) / "original"
        original.write_bytes(b"z" * LARGE)

        def copy(n):
            with open(original, "rb", 0) as source, open(f"{directory}/{n}", "wb", 0) as target:
                while data := source.read(1 << 18):
                    target.write(data)
                os.fsync(target.fileno())
        start = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            list(pool.map(copy, range(count)))
        return count * LARGE / 1e6 / (time.monotonic() - start)


def tcpserver(relais_server, count):
    with relais_server.under_tcpserver(peers.ucspi_tcp().program("tcpserver")) as running:
        taken = []
        for _ in range(count):
            start = time.monotonic()
            client = Client(running.port)
            taken.append(time.monotonic() - start)
            client.close()
    median, worst = median_and_p99(taken)
    return [("under tcpserver: connect to banner, ms, median / p99", f"{milliseconds(median)} / {milliseconds(worst)}",
             "", "", "1.5 (fork, exec and start included)")]


def idle_sessions(relais_server, sessions, measure_rate, rounds):
    """PSS of an idle session, in clear on a server that offers STARTTLS, and the accept rate beside so many of them against
    none. They come from a hundred addresses."""
    wanted = sessions + 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
    none, beside = [], []
    with relais_server.accepting_with_tls("-c", str(wanted), "--per-ip", str(wanted)) as running:
        measure_rate(running)
        for _ in range(rounds):
            none.append(measure_rate(running))
            clients = []
            for n in range(sessions):
                clients.append(Client(running.port, f"127.0.1.{1 + n % 100}"))
                clients[-1].command(b"EHLO idle.test")
            pids = running.session_pids()
            some = pids[:: max(1, len(pids) // 200)]
            pss = [int(next(line for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                            if line.startswith("Pss:")).split()[1]) for pid in some]
            beside.append(measure_rate(running))
            for client in clients:
                client.socket.close()
            relais.wait_until(lambda: len(running.session_pids()) < 20, 120)
    a, b = ([statistics.median(column) for column in zip(*taken)] for taken in (none, beside))
    return [(f"idle sessions: {len(pids):,}, PSS of one, kB", f"{statistics.mean(pss):.0f}", "", "", "100"),
            ("new mail beside them, one a connection, messages/s", f"{b[0]:,.0f}", "",
             f"{a[0]:,.0f} without: {b[0] / a[0]:.2f}; the kernel's DAMON takes {b[2]:.2f} of a core", "0.90"),
            ("CPU of the instance for such a message, ms", f"{b[1]:.2f}", "", f"{a[1]:.2f} without: {a[1] / b[1]:.2f}", "0.90")]
