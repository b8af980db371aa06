"""What a big queue costs the mail beside it: makes a queue of deferred messages in the documented format on a loop-mounted
ext4 with its journal, and prints the table of docs/performance.md. Root, for the mount.

    python3 bench/queue_scale.py [--messages 1000000 | --quick] [--only REGEX] [--write]

CPU is that of the instance's own processes, so it says something on a busy machine too; rates and latencies do not. Empty and
big queue take turns in one run.
"""

import argparse
import contextlib
import datetime
import os
import re
import signal
import statistics
import sys
import time

from queue_scene import (DOWN, HEALTHY, SILENT, SLOW, Background, Deliveries, FastSink, Scene, Sink, SlowSink, cpu_of,
                         median_and_99, memory_of, relais, silent_host)
from run import ROOT, generate, journaled_directory

DAY = 86400


class Row:
    def __init__(self, work, figure, reach=""):
        self.cells = (work, figure, reach)

    def __str__(self):
        return "| " + " | ".join(self.cells) + " |"


def wait_for_scan(scene, seconds=300):
    if not relais.wait_until(scene.scanned, seconds, 0.05):
        raise RuntimeError("the scan does not end")


def start_rows(scene, count):
    """From the start of qmail-start to the first delivery, to that of new mail, and to the whole schedule."""
    deliveries = Deliveries(scene.instance)
    begin = time.monotonic()
    scene.instance.start_send()
    relais.wait_until(lambda: deliveries.look().started, 60, 0.002)
    first = time.monotonic() - begin
    wait_for_scan(scene)
    whole = time.monotonic() - begin
    cpu = cpu_of(scene.instance, "qmail-send")
    memory = memory_of(scene.instance, "qmail-send")
    scene.instance.start_listener(args=("-c", "400", "--per-ip", "400"))
    yield Row("start until the first delivery", f"{first:.2f} s", "under 1 s")
    yield Row("start until the whole schedule is known, warm", f"{whole:.1f} s ({cpu:.1f} s CPU in qmail-send)", "under 10 s")
    yield Row(f"memory of qmail-send with {count:,} messages", f"{memory:.0f} MB PSS", "under 150 MB")


def one_round(scene, messages):
    """Accept with remote deliveries switched off, then deliver: seconds of each and the instance's CPU for both."""
    instance = scene.instance
    scene.concurrency(0)
    # What had begun ends.
    relais.wait_until(lambda: "remote-running 0\n" in scene.ask("stat"), 60)
    deliveries, cpu, begin = Deliveries(instance), cpu_of(instance), time.monotonic()
    generate(instance.port, messages, 20, True, f"user@{HEALTHY}")
    accepted = time.monotonic() - begin
    begin = time.monotonic()
    scene.concurrency(20)
    deliveries.wait(messages)
    return accepted, time.monotonic() - begin, cpu_of(instance) - cpu


def rate_rows(empty, big, messages, rounds):
    taken = {empty: [], big: []}
    with FastSink(empty.ports[HEALTHY]), FastSink(big.ports[HEALTHY]):
        for _ in range(rounds):
            for scene in (empty, big):
                taken[scene].append(one_round(scene, messages))
    middle = {scene: [statistics.median(column) for column in zip(*rows)] for scene, rows in taken.items()}
    for column, name in ((0, "accept rate"), (1, "delivery rate to a healthy host")):
        a, b = messages / middle[empty][column], messages / middle[big][column]
        yield Row(f"{name}, empty and big queue", f"{a:,.0f} and {b:,.0f} messages/s: {b / a:.2f}", "at least 0.95")
    a, b = (middle[scene][2] * 1000 / messages for scene in (empty, big))
    yield Row("CPU of all our processes for such a message, empty and big queue", f"{a:.2f} and {b:.2f} ms: {a / b:.2f}", "at least 0.95")


def tool_rows(scene, samples):
    """The tools over the big queue, and what they do to mail that flows beside them."""
    instance = scene.instance
    with Sink(scene.ports[HEALTHY]) as sink:
        alone = scene.latencies(sink, samples, 0.02)
        for name, command, reach in (("qmail-qstat", ("qmail-qstat",), "under 2 s"),
                                     ("queue-list --domain", ("queue-list", "--domain", f"d7.{DOWN}", "--limit", "100000"), "under 20 s")):
            instance.run(*command, timeout=900)  # warm
            before = os.times()
            begin = time.monotonic()
            result = instance.run(*command, timeout=900)
            seconds = time.monotonic() - begin
            after = os.times()
            cpu = after.children_user + after.children_system - before.children_user - before.children_system
            if result.code:
                raise RuntimeError(f"{name}: {result}")
            with Background(lambda: instance.run(*command, timeout=900)):
                beside = scene.latencies(sink, samples, 0.02)
            a, b = median_and_99(alone), median_and_99(beside)
            yield Row(name, f"{seconds:.2f} s ({cpu:.2f} s CPU, {len(result.out.splitlines()):,} lines)", reach)
            yield Row(f"mail beside {name} that runs all the time: 250 to arrival, median and p99",
                      f"{b[0]:.1f} and {b[1]:.1f} ms; alone {a[0]:.1f} and {a[1]:.1f}", "")


def fairness_rows(parent, count, samples):
    """Many messages for a silent host and some for a slow one, then healthy mail, against an empty queue in turns."""
    with contextlib.ExitStack() as stack:
        empty, full = stack.enter_context(Scene(parent)), stack.enter_context(Scene(parent))
        full.fill(count, 60, 20, f"u%@{SILENT}")
        full.fill(count // 10, 30, 20, f"u%@{SLOW}")
        stack.enter_context(silent_host(full.ports[SILENT]))
        stack.enter_context(SlowSink(full.ports[SLOW]))
        sinks = {scene: stack.enter_context(Sink(scene.ports[HEALTHY])) for scene in (empty, full)}
        empty.start()
        full.start()
        wait_for_scan(full)
        relais.wait_until(lambda: Deliveries(full.instance).path.read_bytes().count(b"success") > 20, 60)
        taken = {empty: [], full: []}
        for _ in range(4):
            for scene in (empty, full):
                taken[scene] += scene.latencies(sinks[scene], samples // 4, 0.02)
        a, b = (median_and_99(sorted(taken[scene])) for scene in (empty, full))
        yield Row(f"{count:,} for a silent host, {count // 10:,} for a slow one: healthy mail, 250 to arrival, median",
                  f"{b[0]:.1f} ms; empty queue {a[0]:.1f}: {b[0] / a[0]:.2f}", "at most 1.2")
        yield Row("the same, 99th percentile", f"{b[1]:.1f} ms; empty queue {a[1]:.1f}: {b[1] / a[1]:.2f}", "at most 2")


def flush_rows(parent, count):
    """Deferred mail when its host comes back, and as much fresh mail for it."""
    with contextlib.ExitStack() as stack:
        old, fresh = (stack.enter_context(Scene(parent)) for _ in range(2))
        old.fill(count, 2 * DAY, DAY, f"u%@{HEALTHY}", 5000)
        fresh.fill(count, 300, 1, f"u%@{HEALTHY}", 5000)
        figures = {}
        for scene in (fresh, old):
            with contextlib.ExitStack() as sinks:
                if scene is fresh:
                    sinks.enter_context(FastSink(scene.ports[HEALTHY]))
                deliveries, cpu, begin = Deliveries(scene.instance), 0, time.monotonic()
                scene.instance.start_send()
                if scene is old:
                    # It is down: one attempt says so, and everything waits.
                    scene.instance.kill("qmail-send", 14)
                    wait_for_scan(scene)
                    scene.instance.wait_log("deferral", seconds=60)
                    sinks.enter_context(FastSink(scene.ports[HEALTHY]))
                    deliveries, cpu, begin = Deliveries(scene.instance), cpu_of(scene.instance), time.monotonic()
                    scene.instance.kill("qmail-send", 14)
                deliveries.wait(count * 9 // 10)
                figures[scene] = (deliveries.success / (time.monotonic() - begin), (cpu_of(scene.instance) - cpu) / deliveries.success * 1000)
        a, b = figures[fresh], figures[old]
        yield Row(f"flush of {count:,} deferred messages when their host is back",
                  f"{b[0]:,.0f}/s ({b[1]:.2f} ms CPU); as many untried ones {a[0]:,.0f}/s ({a[1]:.2f} ms): {b[0] / a[0]:.2f}", "at least 1")


def recipient_rows(parent, count):
    for name, recipients in ((f"one message to {count:,} recipients of one domain", [f"u{n}@{HEALTHY}" for n in range(count)]),
                             (f"one message to {count:,} recipients of 1,000 domains", [f"u{n}@d{n % 1000}.{HEALTHY}" for n in range(count)])):
        with Scene(parent) as scene, FastSink(scene.ports[HEALTHY]):
            scene.start()
            deliveries, cpu, begin = Deliveries(scene.instance), cpu_of(scene.instance), time.monotonic()
            scene.instance.submit("a@from.test", recipients)
            deliveries.wait(count)
            seconds = time.monotonic() - begin
            yield Row(name, f"{seconds:.2f} s, {count / seconds:,.0f} recipients/s ({(cpu_of(scene.instance) - cpu) / count * 1000:.3f} ms CPU each)", "")


def rows(parent, arguments):
    count = arguments.messages
    small = 2000 if arguments.quick else 10000
    wanted = re.compile(arguments.only or ".").search
    if any(map(wanted, ("start", "memory", "rate", "tools"))):
        with Scene(parent) as empty, Scene(parent) as big:
            begin = time.monotonic()
            big.fill(count, 3 * DAY, 2 * DAY, f"u%@d~.{DOWN}")
            print(f"(queue made in {time.monotonic() - begin:.0f} s)", flush=True)
            yield from start_rows(big, count)
            empty.start()
            if wanted("rate"):
                yield from rate_rows(empty, big, small, 1 if arguments.quick else 5)
            if wanted("tools"):
                yield from tool_rows(big, 200)
    if wanted("silent"):
        yield from fairness_rows(parent, count // 10, 400 if arguments.quick else 2000)
    if wanted("flush"):
        yield from flush_rows(parent, count // 10)
    if wanted("recipients"):
        yield from recipient_rows(parent, small)


def write_document(lines, arguments):
    path = ROOT / "docs/performance.md"
    before, rest = path.read_text().split("<!-- queue figures -->")
    after = rest.split("<!-- end of queue figures -->")[1]
    load = os.getloadavg()[1]
    facts = (f"{datetime.date.today()}, {arguments.messages:,} messages, {os.cpu_count()} cores, "
             + (f"shared with other work (load average {load:.0f})." if load > 3 else "machine for itself."))
    path.write_text(f"{before}<!-- queue figures -->\n{facts}\n\n" + "\n".join(lines) + f"\n<!-- end of queue figures -->{after}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="50,000 messages, fewer rounds")
    parser.add_argument("--only", help="a regular expression of: start memory rate tools silent flush recipients")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.messages = 50_000
    if os.geteuid() != 0:
        sys.exit("bench/queue_scale.py: unable to mount a file system: run it as root")
    # Ended from outside, it unmounts and removes all the same; the files go with their image.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    os.environ["RELAIS_KEEP"] = "1"
    lines = ["| work | figure | reach |", "|---|---|---|"]
    print("\n".join(lines), flush=True)
    gigabytes = 4 + arguments.messages * 5 // 1_000_000 + arguments.messages // 200_000
    with journaled_directory(gigabytes, 1_000_000 + arguments.messages * 3 // 2) as parent:
        for row in rows(parent, arguments):
            lines.append(str(row))
            print(lines[-1], flush=True)
    if arguments.write:
        write_document(lines, arguments)


if __name__ == "__main__":
    main()
