"""One message to very many recipients: the memory of qmail-send, and how long another user's mail takes meanwhile.

    python3 bench/huge_message.py [--recipients 1000000] [--seconds 60]

Two cases: all recipients of one domain, and each of a domain of its own. Each is watched until it is delivered, at most so many
seconds; the other user sends a message to a known host every fifth of a second."""

import argparse
import contextlib
import pathlib
import re
import subprocess
import tempfile
import threading
import time

from queue_scene import HEALTHY, SLOW, Deliveries, Scene, Sink, cpu_of, memory_of, relais
from queue_scene import FastSink


@contextlib.contextmanager
def submission(instance, recipients, address):
    """Gives what submits the message by qmail-queue, for SMTP takes fewer recipients; its files are made before."""
    with tempfile.TemporaryDirectory() as where:
        message, envelope = pathlib.Path(where, "message"), pathlib.Path(where, "envelope")
        message.write_bytes(b"Subject: to many\n\nhello\n")
        envelope.write_bytes(b"Fsender@from.test\0" + b"".join(b"T%s\0" % (address % i).encode() for i in range(recipients)) + b"\0")

        def submit():
            with open(message, "rb") as text, open(envelope, "rb") as addresses:
                subprocess.run([relais.program("qmail-queue")], stdin=text, stdout=addresses, env=instance.environment, check=True)
        yield submit


def peak_of(instance):
    """The most that qmail-send ever had in memory, in MB."""
    status = pathlib.Path(f"/proc/{instance.processes('qmail-send')[0].pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


class OtherUser:
    """Sends to the healthy host until told; .taken: seconds from 250 to arrival of each message."""

    def __init__(self, scene, sink):
        self.scene, self.sent, self.arrived, self.enough = scene, {}, {}, threading.Event()
        sink.keep = lambda sender, recipients, data: self.arrived.setdefault(recipients[0], time.monotonic())
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.enough.is_set():
            name = f"{time.monotonic_ns()}@{HEALTHY}"
            self.scene.instance.send("a@from.test", [name], "Subject: x\n\nhello\n")
            self.sent[name] = time.monotonic()
            self.enough.wait(0.2)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.enough.set()
        self.thread.join()
        relais.wait_until(lambda: len(self.arrived) >= len(self.sent), 60)
        now = time.monotonic()
        self.taken = sorted(self.arrived.get(name, now) - sent for name, sent in self.sent.items())


def measure(recipients, address, seconds):
    with contextlib.ExitStack() as stack:
        scene = stack.enter_context(Scene(None))
        sink = stack.enter_context(Sink(scene.ports[HEALTHY]))
        stack.enter_context(FastSink(scene.ports[SLOW]))
        scene.start()
        scene.latencies(sink, 3, 0.05)  # a host that has taken mail
        submit = stack.enter_context(submission(scene.instance, recipients, address))
        deliveries, cpu, most = Deliveries(scene.instance), cpu_of(scene.instance, "qmail-send"), 0.0
        with OtherUser(scene, sink) as other:
            submit()
            begin = time.monotonic()
            while deliveries.look().success < recipients and time.monotonic() - begin < seconds:
                most = max(most, memory_of(scene.instance, "qmail-send"))
                time.sleep(0.2)
            taken, done = time.monotonic() - begin, min(recipients, deliveries.success)
        cpu = cpu_of(scene.instance, "qmail-send") - cpu
        return (f"{done:,} delivered in {taken:.0f} s, {done / taken:,.0f} recipients/s ({cpu * 1000 / max(1, done):.3f} ms CPU each in "
                f"qmail-send); qmail-send at most {most:.0f} MB PSS, peak {peak_of(scene.instance):.0f} MB; {len(other.taken)} messages of "
                f"another user: median {other.taken[len(other.taken) // 2] * 1000:.0f} ms, longest {other.taken[-1] * 1000:.0f} ms")


def main():
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--recipients", type=int, default=1_000_000)
    options.add_argument("--seconds", type=int, default=60)
    given = options.parse_args()
    for what, address in (("one domain", f"user%d@{SLOW}"), ("a domain each", f"user@d%d.{SLOW}")):
        print(f"{given.recipients:,} recipients, {what}: {measure(given.recipients, address, given.seconds)}", flush=True)


if __name__ == "__main__":
    main()
