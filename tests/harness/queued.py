"""qmail-queued without the rest: makes the sockets and the hint pipe as qmail-start does, starts it, speaks its protocol.

    queued = Queued(instance)
    code, id, text = queued.submit("Subject: x\n\nbody\n", "a@x", ["b@x"])
"""

import contextlib
import fcntl
import os
import resource
import signal
import socket
import struct
import subprocess

from harness import relais

DOORS = ("network", "bounce", "submit")
DOOR_ROLE = {"network": "qmaild", "bounce": "qmails"}
FIRST_DESCRIPTOR = 3  # start/descriptors.h
F_SETPIPE_SZ = 1031


class Queued:
    def __init__(self, instance, start=True, descriptor_limit=None):
        self.instance = instance
        self.descriptor_limit = descriptor_limit
        self.process = None
        self.listeners = [self._listen(door) for door in DOORS]
        self.hint_reader, self.hint_writer = os.pipe()
        fcntl.fcntl(self.hint_writer, F_SETPIPE_SZ, 1 << 20)
        os.set_blocking(self.hint_reader, False)
        if start:
            self.start()

    def _listen(self, door):
        path = self.path(door)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        path.chmod(0o600 if door in DOOR_ROLE else 0o666)
        if relais.IS_ROOT:
            os.chown(path, *self.instance.ids(DOOR_ROLE.get(door, "qmailq")))
        listener.listen(1024)
        return listener

    def path(self, door):
        return self.instance.home / "sockets" / f"queue-{door}"

    # ------------------------------------------------------------ the process

    def start(self):
        descriptors = [*(listener.fileno() for listener in self.listeners), self.hint_writer]

        def arrange():
            above = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in descriptors]
            for number, fd in enumerate(above):
                os.dup2(fd, FIRST_DESCRIPTOR + number, inheritable=True)
            os.closerange(FIRST_DESCRIPTOR + len(above), 64)
            if self.descriptor_limit:
                resource.setrlimit(resource.RLIMIT_NOFILE, (self.descriptor_limit, self.descriptor_limit))

        ids = self.instance.ids("qmailq")
        identity = {"user": ids[0], "group": ids[1], "extra_groups": []} if self.instance.single and relais.IS_ROOT else {}
        log = open(self.log_path(), "ab")
        self.process = subprocess.Popen(
            [relais.program("qmail-queued")], env=self.instance.environment, cwd=self.instance.home, preexec_fn=arrange,
            close_fds=False, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **identity)
        log.close()
        self.instance.sessions.add(self.process.pid)
        self.instance.running["queued"] = self.process

    def log_path(self):
        return self.instance.logs / "queued"

    def log(self):
        return self.log_path().read_text()

    def workers(self):
        """The living processes of qmail-queued but the parent."""
        return [p for p in relais.processes({self.process.pid}) if p.pid != self.process.pid]

    def wait_pool(self, size=36):
        """Waits until the pools are complete: network and bounce."""
        self.instance.wait_for(lambda: len(self.workers()) == size, 20, f"{size} workers")
        return self.workers()

    def kill(self):
        """kill -9 of the parent; its children go with it."""
        self.process.kill()
        self.process.wait()
        session = {self.process.pid}
        self.instance.wait_for(lambda: not relais.processes(session), 10, "the end of all workers")

    def stop(self, code=0):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == code, self.log()

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        for listener in self.listeners:
            listener.close()
        os.close(self.hint_reader)
        os.close(self.hint_writer)

    def hints(self):
        """The ids that came through the hint pipe since the last call."""
        found = b""
        while True:
            try:
                found += os.read(self.hint_reader, 65536)
            except BlockingIOError:
                return list(struct.unpack(f"<{len(found) // 8}Q", found))

    # ------------------------------------------------------------ the protocol

    def connect(self, door="network", timeout=60):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.settimeout(timeout)
        client.connect(str(self.path(door)))
        return client

    def submit(self, message, sender="s@mail.test", recipients=("r@mail.test",), door="network", flag="s"):
        """One submission; returns (code, id, text). EOFError or OSError if there was no answer."""
        with self.connect(door) as client:
            # A server that refuses does not wait for the rest.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                client.sendall(encode(message, envelope(sender, recipients), flag))
            return read_answer(client)

    # ------------------------------------------------------------ the queue

    def ids(self):
        return sorted(int(p.name) for split in range(64) for p in (self.instance.home / f"queue/mess/{split}").iterdir())

    def file(self, id):
        return self.instance.home / f"queue/mess/{int(id) % 64}/{id}"

    def message(self, id):
        """The message of a file in the queue: what its footer says."""
        data = self.file(id).read_bytes()
        size = struct.unpack("<Q", data[-56:-48])[0]
        assert data[-64:-56] in (b"relaisQ1", b"relaisQ2"), "no footer"
        return data[:size]


def envelope(sender, recipients):
    addresses = "F" + sender + "\0" + "".join(f"T{r}\0" for r in recipients) + "\0"
    return addresses.encode("utf-8", "surrogateescape")


def frames(data, size=1 << 20):
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    return b"".join(struct.pack("<I", len(p)) + p for p in pieces) + bytes(4)


def encode(message, addresses, flag="s", frame_size=1 << 20, extension=None):
    groups = frames(relais.octets(message), frame_size) + frames(addresses, frame_size)
    if extension is None:
        return b"RQ1" + flag.encode() + groups
    return b"RQ2" + flag.encode() + groups + frames(extension, frame_size)


def read_answer(client):
    data = b""
    while len(data) < 11 or len(data) < 11 + struct.unpack("<H", data[9:11])[0]:
        more = client.recv(4096)
        if not more:
            raise EOFError("no answer")
        data += more
    code, id, _ = struct.unpack("<BQH", data[:11])
    return code, id, data[11:].decode()
