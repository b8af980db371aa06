"""Three thousand messages (ten in `make test-long`) of every shape go through the whole suite, to Maildirs and to another server, and come out
byte for byte as they went in apart from the trace fields."""

import concurrent.futures
import hashlib
import os
import random

from harness import relais
from harness.sink import Sink

TOTAL = int(os.environ.get("RELAIS_FLOW_MESSAGES", "10000" if relais.LONG else "3000"))
TRACE = (b"received:", b"return-path:", b"delivered-to:")


def message(number):
    """A message that depends on its number alone: mostly small, some of a megabyte, all sorts of lines."""
    rng = random.Random(number)
    lines = [b"Subject: flow %d" % number, b"X-Flow: %d" % number, b""]
    size = rng.choice((1024, 1024, 2048, 5000, 5000, 20000, 70000)) if number % 100 else rng.choice((300000, 1 << 20))
    kind = number % 7
    while size > 0:
        if kind == 0:
            line = bytes(rng.choices(range(0x80, 0x100), k=60)).replace(b"\r", b"x")
        elif kind == 1:
            line = b"." * rng.randrange(4)
        elif kind == 2:
            line = b"x" * rng.randrange(5000)
        elif kind == 3:
            line = rng.choice((b"From here on", b"", b".", b"..", b". ", b"--", b">From"))
        else:
            line = b"plain text, line of an ordinary length, %d" % size
        lines.append(line)
        size -= len(line) + 1
    return b"\n".join(lines) + b"\n"


def without_trace(data):
    """The message below the trace fields that the way put on top."""
    lines = data.split(b"\n")
    at = 0
    while at < len(lines) and (lines[at].lower().startswith(TRACE) or (at and lines[at][:1] in (b" ", b"\t"))):
        at += 1
    return b"\n".join(lines[at:])


def number_of(data):
    head = data[: data.index(b"\n\n")]
    return int(head[head.index(b"X-Flow:") + 7 :].split(b"\n")[0])


def digest(data):
    return hashlib.blake2b(data, digest_size=16).digest()


def send_range(port, numbers, recipient, many):
    """One client process: all its messages over a few connections."""
    client = None
    for count, number in enumerate(numbers):
        if client is None or count % 50 == 0:
            client = relais.Smtp(port, timeout=120)
            client.command("EHLO flow.test")
        data = message(number)
        recipients = [recipient] if number not in many else [f"r{i}.{recipient}" for i in range(500)]
        client.pipeline("MAIL FROM:<flow@from.test> BODY=8BITMIME", *(f"RCPT TO:<{r}>" for r in recipients))
        client.command("DATA", 354)
        client.raw(client.stuffed(data))
        client.expect(250)
    return len(numbers)


class Flow(relais.TestCase):
    def inject_range(self, instance, numbers, recipient):
        for number in numbers:
            result = instance.run("sendmail", "-f", "flow@from.test", recipient, input=message(number)[:-1])
            self.assertEqual(result.code, 0, result)

    def test_ten_thousand_messages(self):
        numbers = list(range(1, TOTAL + 1))
        third = TOTAL * 9 // 20
        to_local, to_remote, injected = numbers[:third], numbers[third : 2 * third], numbers[2 * third :]
        many = {to_remote[0], to_remote[-1]}
        seen = []

        def keep(sender, recipients, data):
            clean = without_trace(data.replace(b"\r\n", b"\n"))
            seen.append((number_of(clean), tuple(recipients), digest(clean), b"\r" in clean))

        with Sink(keep=keep) as sink:
            instance = self.instance(control={
                "smtproutes": f"sink.test:127.0.0.1:{sink.port}", "rcpthosts": "mail.test\nsink.test", "concurrencyremote": "40",
                "concurrencylocal": "20"})
            bob = instance.add_user("bob")
            ann = instance.add_user("ann")
            instance.start()
            with concurrent.futures.ProcessPoolExecutor(4) as pool:
                jobs = []
                for part in range(2):
                    jobs.append(pool.submit(send_range, instance.port, to_local[part::2], bob.address, many))
                    jobs.append(pool.submit(send_range, instance.port, to_remote[part::2], "user@sink.test", many))
                self.inject_range(instance, injected, ann.address)
                self.assertEqual(sum(job.result() for job in jobs), 2 * third)
            instance.wait_empty(240)

        self.check_maildir(bob, to_local, message)
        self.check_maildir(ann, injected, lambda number: message(number)[:-1], header_added=True)
        self.check_sink(seen, to_remote, many)

    def check_maildir(self, user, numbers, expected, header_added=False):
        wanted = set(numbers)
        for path in user.files():
            data = without_trace(path.read_bytes())
            number = number_of(data)
            self.assertIn(number, wanted, "unknown, or delivered twice")
            wanted.remove(number)
            want = expected(number)
            if header_added:
                # Injection adds Date, Message-ID, From and To fields; the body must be the same.
                data, want = data[data.index(b"\n\n") :], want[want.index(b"\n\n") :]
            self.assertEqual(digest(data), digest(want), f"message {number} has changed")
        self.assertFalse(wanted, f"{len(wanted)} messages lost, for instance {sorted(wanted)[:5]}")

    def check_sink(self, seen, numbers, many):
        recipients = {number: [] for number in numbers}
        for number, addresses, found, has_cr in seen:
            self.assertFalse(has_cr, f"a bare CR left with message {number}")
            self.assertEqual(found, digest(message(number)), f"message {number} has changed")
            recipients[number] += addresses
        for number, addresses in recipients.items():
            want = [f"r{i}.user@sink.test" for i in range(500)] if number in many else ["user@sink.test"]
            self.assertEqual(sorted(addresses), sorted(want), f"recipients of message {number}")


if __name__ == "__main__":
    relais.main()
