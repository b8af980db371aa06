"""Plays qmail-send for qmail-lspawn: orders in, reports out (send/delivery_protocol.h)."""

import os
import socket
import struct
import subprocess

from harness import relais

ADDRESS_FIELD = 1024
# What qmail-start does: the channel is fd 3, the lock fd 4, nothing else is open.
START = 'exec 3<&"$1" 4<&"$2"; eval "exec $1<&- $2<&-"; shift 2; exec "$@"'


class Report:
    def __init__(self, packet):
        magic, self.delivery, _, _ = struct.unpack_from("<4sQBI", packet)
        at = 17
        for _ in range(4):  # group, and the server's name, address, TLS
            at += 4 + struct.unpack_from("<I", packet, at)[0]
        _, count, outcome, length = struct.unpack_from("<BHcI", packet, at)
        assert magic == b"RP2\n" and count == 1, packet
        self.outcome = {b"r": "success", b"h": "failure", b"s": "deferral"}[outcome]
        self.text = relais.text(packet[at + 8:at + 8 + length])

    def __repr__(self):
        return f"delivery {self.delivery}: {self.outcome}: {self.text}"


class Spawner:
    """A qmail-lspawn of an instance (not started, so that nobody else delivers)."""

    def __init__(self, instance, default="./Maildir/"):
        self.instance = instance
        self.count = 0
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel.settimeout(60)
        lock = os.open("/dev/null", os.O_RDONLY)
        identity = instance._identity(instance.ids("qmailq")) if instance.single and relais.IS_ROOT else {}
        os.set_blocking(theirs.fileno(), True)
        with open(instance.logs / "lspawn", "ab") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", START, "bash", str(theirs.fileno()), str(lock), relais.program("qmail-lspawn"), default],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=instance.home,
                env=instance.environment, pass_fds=(theirs.fileno(), lock), **identity)
        theirs.close()
        os.close(lock)
        instance.sessions.add(self.process.pid)

    def queue_file(self, message):
        """A file such as the queue has them, of the queue's owner, with more behind the message."""
        path = self.instance.home / "queue/mess/0" / f"test{self.count}"
        path.write_bytes(relais.octets(message) + b"ENVELOPE THAT NOBODY MAY SEE")
        if relais.IS_ROOT:
            os.chown(path, *self.instance.ids("qmailq"))
        return path

    def order(self, recipient, message=b"Subject: x\n\nhello\n", sender="from@far.test", fd=None, size=None):
        """Sends an order, returns its number. fd: in place of a file of the queue's."""
        self.count += 1
        message = relais.octets(message)
        opened = os.open(self.queue_file(message), os.O_RDONLY) if fd is None else fd
        packet = struct.pack("<4sQQQI1024s1024sI", b"RL3\n", self.count, 77, len(message) if size is None else size, 0,
                             relais.octets(sender), relais.octets(recipient), 0)
        socket.send_fds(self.channel, [packet], [opened] if opened >= 0 else [])
        if fd is None:
            os.close(opened)
        return self.count

    def report(self, seconds=60):
        self.channel.settimeout(seconds)
        return Report(self.channel.recv(1 << 18))

    def deliver(self, *args, **options):
        """One order and its report."""
        number = self.order(*args, **options)
        report = self.report()
        assert report.delivery == number, report
        return report

    def close(self):
        """Ends the channel and waits for the process; returns its exit code."""
        self.channel.close()
        return self.process.wait(60)
