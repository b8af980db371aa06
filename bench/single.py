"""Rows of the benchmark that are not rates of many small messages: latency, many recipients, large messages, the start
under tcpserver, idle sessions. Each takes the two kinds of server of run.py and returns lines for its second table."""

import concurrent.futures
import contextlib
import os
import pathlib
import socket
import statistics
import subprocess
import tempfile
import threading
import time

import peers
import relais
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

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
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


def large(servers, parent, count=16, sessions=4):
    body = (b"z" * 76 + b"\r\n") * (LARGE // 78)
    rates, memory = {}, 0
    for server in servers:
        with server.accepting() as running:
            stop, seen = threading.Event(), [0]

            def watch():
                while not stop.wait(0.02):
                    seen[0] = max(seen[0], private_memory(running.session_pids()))

            watcher = threading.Thread(target=watch)
            if server.name == "relais":
                watcher.start()

            def session(_):
                client = Client(running.port)
                client.command(b"EHLO client.test")
                for _ in range(count // sessions):
                    client.deliver([b"user@bench.test"], body)
                client.close()
            start = time.monotonic()
            with concurrent.futures.ThreadPoolExecutor(sessions) as pool:
                list(pool.map(session, range(sessions)))
            rates[server.name] = count * LARGE / 1e6 / (time.monotonic() - start)
            stop.set()
            if watcher.is_alive():
                watcher.join()
                memory = seen[0]
    copy = copy_speed(parent, body, count)
    line = [f"{rates[s.name]:,.0f}" for s in servers]
    return [("25 MB messages, MB/s", *line, f"copying {copy:,.0f} MB/s", "the copy's speed"),
            ("memory of a session with them, kB", f"{memory:,}", "", "", "below 1,000")]


def copy_speed(parent, body, count):
    """MB/s of cp with an fsync for each file, from and to this file system."""
    with tempfile.TemporaryDirectory(dir=parent) as directory:
        original = pathlib.Path(directory) / "original"
        original.write_bytes(body)
        start = time.monotonic()
        for n in range(count):
            with open(original, "rb") as source, open(f"{directory}/{n}", "wb") as copy:
                while data := source.read(1 << 16):
                    copy.write(data)
                copy.flush()
                os.fsync(copy.fileno())
        return count * len(body) / 1e6 / (time.monotonic() - start)


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


def idle_sessions(relais_server, sessions, measure_rate):
    """PSS of an idle session, and the accept rate beside so many of them against none."""
    with relais_server.accepting("-c", str(sessions + 1000)) as running:
        before = measure_rate(running.port)
        clients = []
        for _ in range(sessions):
            clients.append(Client(running.port))
        pids = running.session_pids()
        some = pids[:: max(1, len(pids) // 200)]
        pss = [int(next(line for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                        if line.startswith("Pss:")).split()[1]) for pid in some]
        beside = measure_rate(running.port)
        for client in clients:
            client.socket.close()
    return [(f"idle sessions: {len(pids):,}, PSS of one, kB", f"{statistics.mean(pss):.0f}", "", "", "100"),
            ("new mail beside them, one a connection, messages/s", f"{beside:,.0f}", "", f"{beside / before:.2f}", "0.90")]
