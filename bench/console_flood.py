"""From connect to the 250 of a message's end, alone and beside clients that flood the console: headers of 10 MB, readers that do not read,
pages without a session, an operator's pages, and listeners.

    bench/console_flood.py [ROUNDS [MESSAGES]]

Rounds alternate, so that what else the machine does falls on both. The clients that flood run with a niceness of 10. Prints median and 99th percentile of both, in milliseconds, and their
ratio. Needs root.
"""

import contextlib
import multiprocessing
import os
import pathlib
import socket
import statistics
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
import console_test
from harness import relais


class Flood(console_test.Console):
    """Its fixture, with a flood that stands still between two rounds."""

    def begin(self):
        self.i = self.started(smtpd="listener", rcpthosts="mail.test")
        self.bob.write(".qmail-ok", "#\n")
        self.operator = self.browser()
        self.on, self.over = multiprocessing.Event(), multiprocessing.Event()
        self.clients = multiprocessing.get_context("fork").Process(target=self.flood)
        self.clients.start()

    def flood(self):
        """A process of its own, for its work is not the server's; it gives way to what is measured."""
        os.nice(10)
        works = [self.headers] * 2 + [self.no_reader] * 2 + [self.strangers] * 2 + [self.operators] * 2 + [self.listeners]
        threads = [threading.Thread(target=self.again, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def again(self, work):
        while not self.over.is_set():
            if self.on.wait(0.2):
                with contextlib.suppress(OSError, AssertionError, console_test.http.client.HTTPException):
                    work()

    def connect(self):
        return contextlib.closing(socket.create_connection(("127.0.0.1", self.port), timeout=5))

    def headers(self):
        with self.connect() as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n")
            for _ in range(160):
                connection.sendall(b"X: " + b"y" * 65536)

    def no_reader(self):
        with self.connect() as connection:
            connection.sendall(f"GET /style.css HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n\r\n".encode())
            time.sleep(0.05)

    def strangers(self):
        console_test.Browser(self.port).request("GET", "/queue")

    def operators(self):
        self.operator.request("GET", "/")

    def listeners(self):
        with contextlib.ExitStack() as stack:
            for _ in range(16):
                connection = stack.enter_context(self.connect())
                connection.sendall(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
                                   f"Cookie: relais-console={self.operator.cookie}\r\n\r\n".encode())
            time.sleep(2)

    def message(self):
        begin = time.monotonic()
        with self.i.smtp() as client:
            client.deliver("a@b.example", ["bob-ok@mail.test"], "Subject: x\n\nx\n")
            return 1000 * (time.monotonic() - begin)


def main(rounds=20, messages=50):
    flood = Flood()
    flood.setUp()
    try:
        flood.begin()
        times = {False: [], True: []}
        for number in range(2 * int(rounds)):
            flooded = number % 2 == 1
            flood.on.set() if flooded else flood.on.clear()
            time.sleep(0.5)
            times[flooded] += [flood.message() for _ in range(int(messages))]
        figures = {}
        for flooded, all_times in times.items():
            figures[flooded] = statistics.median(all_times), sorted(all_times)[len(all_times) * 99 // 100]
            print(f"{'beside a flood' if flooded else 'alone':16} median {figures[flooded][0]:.1f} ms, 99 % {figures[flooded][1]:.1f} ms, "
                  f"{len(all_times)} messages")
        print(f"ratio: median {figures[True][0] / figures[False][0]:.2f}, 99 % {figures[True][1] / figures[False][1]:.2f}")
    finally:
        flood.over.set()
        flood.clients.join()
        flood.doCleanups()


if __name__ == "__main__":
    main(*sys.argv[1:3])
