"""How many messages a second become durable: by qmail-queued, and as bare files.

    python3 bench/queue_bench.py [--seconds 5] [--octets 5120] [--clients 1,8,32] [--directory DIR]

Without --directory the queue lies on an ext4 with its journal, in an image that is mounted for the run (root). CPU is in
microseconds a message: of the clients, and of qmail-queued's processes; the kernel's own threads are not in it.
"""

import argparse
import contextlib
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
from harness import relais  # noqa: E402
from harness.queued import Queued  # noqa: E402
from run import journaled_directory  # noqa: E402


def cpu_ticks(queued):
    total = 0
    for process in [relais.Process(queued.process.pid), *queued.workers()]:
        fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total


def bench(instance, mode, clients, arguments):
    result = subprocess.run([relais.program("queue_bench"), mode, str(clients), str(arguments.seconds), str(arguments.octets)],
                            env=instance.environment, capture_output=True, text=True, check=True)
    rate, cpu = map(float, result.stdout.split())
    for split in range(64):
        for path in (instance.home / f"queue/mess/{split}").iterdir():
            path.unlink()
    return rate, cpu


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--octets", type=int, default=5120)
    parser.add_argument("--clients", default="1,8,32")
    parser.add_argument("--workers", default="32")
    parser.add_argument("--directory")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        parent = arguments.directory or stack.enter_context(journaled_directory())
        instance = stack.enter_context(relais.Instance(parent=parent, control={"concurrencyqueue": arguments.workers}))
        queued = Queued(instance)
        stack.callback(queued.close)
        queued.wait_pool(int(arguments.workers) + 4)
        print("clients  bare files/s  CPU each   submitted/s  CPU client  CPU queued")
        for clients in map(int, arguments.clients.split(",")):
            bare = bench(instance, "write", clients, arguments)
            before = cpu_ticks(queued)
            rate, cpu = bench(instance, "submit", clients, arguments)
            server = (cpu_ticks(queued) - before) / os.sysconf("SC_CLK_TCK") * 1e6 / (rate * arguments.seconds)
            print(f"{clients:7}  {bare[0]:12.0f}  {bare[1]:8.1f}  {rate:12.0f}  {cpu:10.1f}  {server:10.1f}")


if __name__ == "__main__":
    main()
