"""kill -9 of each program in turn, 80 times under load (400 in `make test-long`): every message that got its 250 is delivered."""

import contextlib
import os
import random
import re
import signal
import threading
import time

from harness import relais
from harness.sink import Sink

KILLS = int(os.environ.get("RELAIS_KILLS", "400" if relais.LONG else "80"))
PROGRAMS = ("qmail-queued", "qmail-send", "qmail-lspawn", "qmail-local", "qmail-rspawn", "qmail-remote", "qmail-smtpd",
            "qmail-start")


class Client(threading.Thread):
    """Sends numbered messages until told to stop; remembers which ones got their 250."""

    def __init__(self, instance, name, recipients):
        super().__init__(daemon=True)
        self.instance, self.name, self.recipients = instance, name, recipients
        self.acknowledged = []
        self.enough = threading.Event()

    def run(self):
        number = 0
        while not self.enough.is_set():
            try:
                with relais.Smtp(self.instance.port, timeout=10) as smtp:
                    smtp.command("HELO client.test")
                    for _ in range(20):
                        number += 1
                        key = f"{self.name}-{number}"
                        body = f"Subject: {key}\n\n" + "load\n" * random.randrange(2000)
                        smtp.deliver("load@from.test", [random.choice(self.recipients)], body)
                        self.acknowledged.append(key)
                        if self.enough.wait(0.03):
                            break
            except (OSError, EOFError, AssertionError):
                # Refused, cut off or told 4xx: it was not acknowledged, so nobody owes it anything.
                self.enough.wait(0.05)


class Kill(relais.TestCase):
    def revive(self, instance):
        """What supervise would do."""
        if instance.running["send"].poll() is not None:
            instance.spawn("send", [relais.program("qmail-start")])
        if instance.running["smtpd"].poll() is not None:
            self.respawn_listener(instance)

    def respawn_listener(self, instance):
        instance.spawn("smtpd", [relais.program("qmail-smtpd"), "-l", f"127.0.0.1:{instance.port}", "-x",
                                 instance.home / "tcp.smtp.cdb"], instance.ids("qmaild") if instance.single else None)

    def test_every_acknowledged_message_is_delivered(self):
        arrived = []

        def keep(_sender, _recipients, data):
            arrived.append(re.search(rb"Subject: (\S+)", data)[1].decode())

        with Sink(keep=keep) as sink:
            instance = self.instance(control={"smtproutes": f"sink.test:127.0.0.1:{sink.port}",
                                              "rcpthosts": "mail.test\nsink.test"})
            instance.look_for_no_leaks()
            bob = instance.add_user("bob")
            # Long enough in qmail-local's hands to be killed there.
            bob.write(".qmail-slow", "|sleep 0.1\n./Maildir/\n")
            instance.start()
            clients = [Client(instance, f"client{n}", [bob.address, "bob-slow@mail.test", "user@sink.test"]) for n in range(4)]
            for client in clients:
                client.start()
            killed = dict.fromkeys(PROGRAMS, 0)
            deadline = time.monotonic() + KILLS * relais.PATIENCE
            while sum(killed.values()) < KILLS and time.monotonic() < deadline:
                name = PROGRAMS[sum(killed.values()) % len(PROGRAMS)]

                # A killed qmail-start may not have been seen dead by the last look.
                def running(name=name):
                    self.revive(instance)
                    return instance.processes(name)

                found = relais.wait_until(running, 20, 0.04)
                if not found:
                    self.fail(f"no {name} runs\n{instance.picture()}")
                with contextlib.suppress(ProcessLookupError):
                    os.kill(random.choice(found).pid, signal.SIGKILL)
                    killed[name] += 1
                time.sleep(random.random() * 0.3)
                self.revive(instance)
                # Orphans come to us; thousands of zombies would make every look at /proc slow.
                instance.reap()
            for client in clients:
                client.enough.set()
            for client in clients:
                client.join(60)
            self.revive(instance)
            acknowledged = {key for client in clients for key in client.acknowledged}
            self.assertEqual(sum(killed.values()), KILLS, killed)
            self.assertGreater(len(acknowledged), KILLS, "there was no load")
            instance.run("qmailctl", "flush")
            instance.wait_empty(240)
            for data in bob.messages():
                arrived.append(re.search(rb"Subject: (\S+)", data)[1].decode())
        lost = acknowledged - set(arrived)
        self.assertFalse(lost, f"{len(lost)} of {len(acknowledged)} acknowledged messages lost: {sorted(lost)[:5]}")
        print(f"{len(acknowledged)} acknowledged, {len(arrived)} deliveries, kills {killed}")


if __name__ == "__main__":
    relais.main()
