"""What the queue benchmarks are made of: an instance whose queue is filled beforehand, hosts that are healthy, slow, silent
or down, and how long mail takes through it."""

import contextlib
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))

from harness import peers  # noqa: E402
from harness import relais  # noqa: E402
from machine import cpu_of  # noqa: E402,F401
from harness.sink import Sink  # noqa: E402

HEALTHY, DOWN, SILENT, SLOW = "healthy.test", "down.test", "silent.test", "slow.test"


class SlowSink(Sink):
    """Takes a message a second on each connection."""

    async def _data(self, reader):
        import asyncio
        data = await Sink._data(reader)
        await asyncio.sleep(1)
        return data


class FastSink:
    """Postfix's smtp-sink, on a port that does not change."""

    def __init__(self, port):
        self.port, self.process = port, None

    def __enter__(self):
        tree = peers.postfix()
        self.process = subprocess.Popen(
            [tree.program("smtp-sink"), "-u", "nobody", f"127.0.0.1:{self.port}", "1000"],
            env={**os.environ, **tree.environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        relais.wait_until(self._answers, 10)
        return self

    def _answers(self):
        with contextlib.suppress(OSError, EOFError):
            relais.Smtp(self.port).close()
            return True
        return False

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)


class Deliveries:
    """Counts what the log says, reading only what is new."""

    def __init__(self, instance):
        self.path, self.at, self.rest = instance.logs / "send", 0, b""
        self.success = self.started = 0
        self.look()
        self.success = self.started = 0

    def look(self):
        with contextlib.suppress(FileNotFoundError), open(self.path, "rb") as log:
            log.seek(self.at)
            data = self.rest + log.read()
            self.at = log.tell()
            whole, _, self.rest = data.rpartition(b"\n")
            self.success += whole.count(b": success: ")
            self.started += whole.count(b"starting delivery ")
        return self

    def wait(self, count, seconds=900):
        if not relais.wait_until(lambda: self.look().success >= count, seconds, 0.01):
            raise RuntimeError(f"only {self.success} of {count} deliveries")


def memory_of(instance, name):
    """Private and shared memory of the first process of that name, in MB (PSS)."""
    lines = pathlib.Path(f"/proc/{instance.processes(name)[0].pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


class Scene:
    """An instance that sends mail for each kind of host to a port of its own, and fills its queue before it starts."""

    def __init__(self, parent, **control):
        self.ports = {host: relais.free_port() for host in (HEALTHY, DOWN, SILENT, SLOW)}
        routes = "".join(f"{host}:127.0.0.1:{port}\n.{host}:127.0.0.1:{port}\n" for host, port in self.ports.items())
        self.instance = relais.Instance(parent=parent, control={"rcpthosts": f"mail.test\n{HEALTHY}\n.{HEALTHY}", "smtproutes": routes,
                                                                **control})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Mail that is under way to a silent host is not waited for.
        self.instance.kill_all()
        self.instance.__exit__(None, None, None)

    def fill(self, count, age, span, recipient, octets=1000):
        subprocess.run([relais.program("queue_fill"), str(count), str(age), str(span), str(octets), "sender@from.test", recipient],
                       env=self.instance.environment, check=True)

    def start(self):
        self.instance.start(smtpd_args=("-c", "400", "--per-ip", "400"))
        return self

    def ask(self, request):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.instance.home / "sockets/send-control"))
            s.sendall(request.encode() + b"\n")
            s.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: s.recv(65536), b"")).decode()

    def scanned(self):
        return "directories-to-scan" not in self.ask("stat")

    def concurrency(self, remote):
        self.instance.control("concurrencyremote", str(remote))
        self.instance.kill("qmail-send", 1)

    def latencies(self, sink, count, pause):
        """Milliseconds from our 250 to the arrival at the sink of healthy mail, of count messages one after the other."""
        taken = {}
        arrived = {}
        sink.keep = lambda sender, recipients, data: arrived.setdefault(recipients[0], time.monotonic())
        for number in range(count):
            name = f"{number}-{time.monotonic_ns()}@{HEALTHY}"
            self.instance.send("a@from.test", [name], "Subject: x\n\nhello\n")
            taken[name] = time.monotonic()
            time.sleep(pause)
        if not relais.wait_until(lambda: len(arrived) >= count, 120):
            raise RuntimeError(f"only {len(arrived)} of {count} messages for the healthy host have arrived")
        # The sink may have it before our client has read its 250.
        return sorted(max(0.05, (arrived[name] - taken[name]) * 1000) for name in taken)


def median_and_99(values):
    return statistics.median(values), values[min(len(values) - 1, int(len(values) * 0.99))]


@contextlib.contextmanager
def silent_host(port):
    """Connections come about, and nothing is ever said."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(4096)
        yield


class Background:
    """Runs work again and again until the block ends; .times is how long each run took."""

    def __init__(self, work):
        self.work, self.times, self.enough = work, [], threading.Event()

    def __enter__(self):
        def run():
            while not self.enough.is_set():
                start = time.monotonic()
                self.work()
                self.times.append(time.monotonic() - start)
        self.thread = threading.Thread(target=run)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.enough.set()
        self.thread.join()
