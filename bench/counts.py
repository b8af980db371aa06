"""Counts instead of clocks, for a machine that has other work: CPU time, system calls, context switches, wake-ups, forks and
page faults per message, by program, of everything that takes part (generator and sink too, the kernel's own threads not).

    bench/counts.py accept-20-one          accept, 20 sessions, one message a connection
    bench/counts.py relay-100-many
    bench/counts.py local-20-many          one user; local100-20-many: 100 users

Needs root and Debian's linux-perf. It starts itself below perf, which counts only between two words on a pipe."""

import argparse
import collections
import contextlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import run

EVENTS = ("raw_syscalls:sys_enter", "page-faults", "sched:sched_switch", "sched:sched_process_fork", "sched:sched_wakeup")
SHORT = {"page-faults": "page faults", "sched:sched_switch": "switches", "sched:sched_process_fork": "forks",
         "sched:sched_wakeup": "wake-ups"}
CALLS = pathlib.Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")


class Control:
    """perf's counting, switched on and off (perf record --control)."""

    def __init__(self, fifo):
        self.fifo = fifo

    def _say(self, word):
        with open(self.fifo, "w") as control:
            control.write(word + "\n")
        with open(self.fifo + ".ack") as answer:
            answer.readline()

    @contextlib.contextmanager
    def counting(self):
        self._say("enable")
        yield
        self._say("disable")


def work(row, count, control, parent):
    """The messages of one row, a few before the counting begins."""
    kind, sessions, many = row.split("-")
    sessions, many = int(sessions), many == "many"
    server = run.Relais(parent)

    def generate(running, messages, recipient, *options):
        run.generate(running.port, messages, sessions, many, recipient, *options)
    if kind == "accept":
        with server.accepting() as running:
            generate(running, 100, f"user@{run.DOMAIN}")
            with control.counting():
                generate(running, count, f"user@{run.DOMAIN}")
    elif kind == "relay":
        sink = run.Sink(count + 200)
        with server.relaying_to(sink.port) as running:
            queue = [running.home / "queue/mess"]
            generate(running, 100, f"user@{run.DOMAIN}")
            run.wait_until_empty(queue)
            with control.counting():
                generate(running, count, f"user@{run.DOMAIN}")
                run.wait_until_empty(queue)
        sink.stop()
    else:
        names = [f"{n}user" for n in range(1, count + 1)] if kind == "local100" else ["user"]
        options = ["-N"] if kind == "local100" else []
        with server.delivering(names) as running:
            queue = [running.home / "queue/mess"]
            generate(running, 100, "user@mail.test", *options)
            run.wait_until_empty(queue)
            with control.counting():
                generate(running, count, "user@mail.test", *options)
                run.wait_until_empty(queue)


@contextlib.contextmanager
def own_cgroup():
    """A control group for what is counted: perf follows no process that becomes another user, the group keeps it."""
    top = next(pathlib.Path(line.split()[1]) for line in open("/proc/mounts") if line.split()[2] == "cgroup2")
    group = top / f"relais-counts.{os.getpid()}"
    group.mkdir()
    try:
        yield group
    finally:
        group.rmdir()


def record(arguments, folder, events, *options):
    fifo, data = f"{folder}/control", f"{folder}/data"
    for name in (fifo, fifo + ".ack"):
        pathlib.Path(name).unlink(missing_ok=True)
        os.mkfifo(name)
    with own_cgroup() as group:
        counted = [part for event in events for part in ("-e", event, "-G", group.name)]
        subprocess.run(["perf", "record", "-a", "-q", "-o", data, "-D", "-1", "--control", f"fifo:{fifo},{fifo}.ack", *counted,
                        *options, "--", "sh", "-c", 'echo $$ >"$0/cgroup.procs"; exec "$@"', group, sys.executable, __file__,
                        arguments.row, "--messages", str(arguments.messages), "--control", fifo],
                       check=True, stdout=subprocess.DEVNULL)
    return data


def show_cpu(arguments, folder):
    data = record(arguments, folder, ["cpu-clock"], "-F", "2000")
    text = subprocess.run(["perf", "report", "-i", data, "-s", "comm", "--stdio"], capture_output=True, text=True).stdout
    total = int(re.search(r"Event count \(approx.\): (\d+)", text)[1]) / 1000 / arguments.messages
    print(f"{arguments.row}: {total:.0f} us of CPU a message")
    for share, program in re.findall(r"^\s+([\d.]+)%\s+(\S+)", text, re.MULTILINE):
        if float(share) >= 1:
            print(f"  {float(share) / 100 * total:6.0f} us  {program}")


def show_counts(arguments, folder):
    data = record(arguments, folder, EVENTS, "-c", "1", "-m", "4096")
    lines = subprocess.run(["perf", "script", "-i", data, "-F", "comm,pid,event,trace"], capture_output=True, text=True,
                           errors="replace").stdout.splitlines()
    names = dict((number, name) for name, number in re.findall(r"#define __NR_(\w+) (\d+)", CALLS.read_text()))
    calls, others = collections.defaultdict(collections.Counter), collections.defaultdict(collections.Counter)
    for line in lines:
        found = re.match(r"\s*(.+?)\s+\d+\s+(\S+?):(?:\s+(.*))?$", line)
        if not found:
            continue
        program, event, trace = found[1], found[2], found[3] or ""
        number = re.match(r"NR (\d+)", trace)
        if number:
            calls[program][names.get(number[1], number[1])] += 1
        elif event in SHORT:
            others[program][SHORT[event]] += 1
    for program in sorted(calls, key=lambda p: -calls[p].total()):
        per = {name: value / arguments.messages for name, value in others[program].items()}
        total = calls[program].total() / arguments.messages
        if total < 0.3:
            continue
        print(f"{program}: {total:.1f} calls, " + ", ".join(f"{value:.1f} {name}" for name, value in sorted(per.items())))
        print("    " + ", ".join(f"{name} {value / arguments.messages:.2f}" for name, value in calls[program].most_common()
                                 if value / arguments.messages >= 0.05))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", help="accept, relay, local or local100, then -SESSIONS-one or -SESSIONS-many")
    parser.add_argument("--messages", type=int, default=1500)
    parser.add_argument("--control", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.control:
        with run.journaled_directory() as parent:
            return work(arguments.row, arguments.messages, Control(arguments.control), parent)
    with tempfile.TemporaryDirectory(prefix="relais-counts.") as folder:
        show_cpu(arguments, folder)
        show_counts(arguments, folder)


if __name__ == "__main__":
    main()
