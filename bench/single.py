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

import peers
import relais
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


def durable_writes(parent, count):
    """Seconds that one durable file of a message's size takes here, one at a time."""
    taken = []
    with tempfile.TemporaryDirectory(dir=parent) as directory:
        folder = os.open(directory, os.O_RDONLY)
        for n in range(count):
            start = time.monotonic()
            file = os.open(f"{directory}/{n}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(file, BODY + b"e" * 300)
            os.fsync(file)
            os.fsync(folder)
            os.close(file)
            taken.append(time.monotonic() - start)
        os.close(folder)
    return taken


def latency(servers, parent, count):
    rows, medians = [], {}
    for server in servers:
        to_250, to_arrival = [], []
        with SinkProcess() as sink, server.relaying_to(sink.port) as running:
            for n in range(count + 10):
                start = time.monotonic()
                client = Client(running.port)
                client.command(b"EHLO client.test")
                accepted = client.deliver([b"user@bench.test"])
                sink.wait_recipients(n + 1)
                if n >= 10:
                    to_250.append(accepted - start)
                    to_arrival.append(max(0.0, sink.last_arrival - accepted))
                client.close()
        medians[server.name] = (median_and_p99(to_250), median_and_p99(to_arrival))
    write = median_and_p99(durable_writes(parent, count))

    def cells(pair):
        return f"{milliseconds(pair[0])} / {milliseconds(pair[1])}"
    for index, (name, reach) in enumerate((("connect to final 250, ms, median / p99", "durable write + 0.6"),
                                           ("250 to arrival, ms, median / p99", "not above Postfix"))):
        line = [cells(medians[s.name][index]) for s in servers]
        rows.append((name, *line, f"durable write {cells(write)}" if index == 0 else "", reach))
    return rows


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


def large_memory(relais_server, count=4):
    with relais_server.accepting() as running, MostMemory(running) as most:
        large_messages(running.port, count, count)
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
