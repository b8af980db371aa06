"""DNS for tests, answered by servers on loopback: nsd serves zones, a SilentServer answers nothing, Answers a few names, and
start_resolver runs qmail-resolver alone for an instance that has no qmail-start.

    zones = dns.Nsd({"test": ZONE})               # a free port of 127.0.0.1
    i.control("dnsservers", zones.server)         # "127.0.0.1@PORT"
    i.control("dnsanchors", zones.anchors)        # of the zones named in signed=
    dns.start_resolver(i)
"""

import contextlib
import fcntl
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading

from harness import peers
from harness import relais

HEADER = """$ORIGIN {zone}.
$TTL 300
@ SOA ns.{zone}. hostmaster.{zone}. 1 3600 600 86400 60
@ NS ns.{zone}.
ns A 127.0.0.1
"""


def nsd_program():
    """Where nsd is, and what its environment needs: the system's, or one unpacked by peers."""
    installed = shutil.which("nsd", path="/usr/sbin:/usr/bin")
    if installed:
        return installed, {}
    tree = peers.fetch("nsd", "nsd")
    return tree.program("nsd"), tree.environment


def sign(path, zone):
    """Signs the zone file (DNSSEC, with one key made for it) where it is. Returns that key, as a record."""
    tools = peers.fetch("ldns", "ldnsutils")

    def run(program, *arguments):
        return subprocess.run([tools.program(program), *arguments], cwd=path.parent, check=True, capture_output=True, text=True,
                              env={**os.environ, **tools.environment}).stdout.strip()
    key = run("ldns-keygen", "-a", "ECDSAP256SHA256", "-k", "-r", "/dev/urandom", zone)
    run("ldns-signzone", "-o", zone, "-f", path, path, key)
    return (path.parent / f"{key}.key").read_text()


class Nsd:
    """A running nsd. zones: name -> records in zone file syntax, relative to the zone; SOA and NS are added;
    None: a zone that cannot be answered for. signed: names of those that DNSSEC vouches for; anchors: their keys."""

    def __init__(self, zones, signed=()):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="rl-nsd.", dir="/tmp"))
        self.port = relais.free_port()
        self.server = f"127.0.0.1@{self.port}"
        self.anchors = ""
        config = [
            "server:", f"  ip-address: {self.server}", f'  zonesdir: "{self.directory}"', '  username: ""', '  chroot: ""',
            f'  pidfile: "{self.directory}/pid"', '  database: ""', f'  xfrdfile: "{self.directory}/xfrd"',
            f'  xfrdir: "{self.directory}"', f'  zonelistfile: "{self.directory}/list"', '  cookie-secret-file: ""', "  server-count: 1",
            "remote-control:", "  control-enable: no",
        ]
        for zone, records in zones.items():
            if records is not None:
                (self.directory / zone).write_text(HEADER.format(zone=zone) + records)
            if zone in signed:
                self.anchors += sign(self.directory / zone, zone)
            config += ["zone:", f'  name: "{zone}"', f'  zonefile: "{zone}"']
        path = self.directory / "nsd.conf"
        path.write_text("\n".join(config) + "\n")
        self.log = open(self.directory / "log", "wb")
        command, environment = nsd_program()
        self.process = subprocess.Popen([command, "-d", "-c", path], stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, env={**os.environ, **environment})
        if not relais.wait_until(lambda: self._answers() or self.process.poll() is not None, 30) or self.process.poll() is not None:
            said = (self.directory / "log").read_text()
            self.stop()
            raise RuntimeError(f"nsd does not answer: {said}")

    def _answers(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, contextlib.suppress(OSError):
            udp.settimeout(0.5)
            udp.sendto(b"\x12\x34\0\0\0\1\0\0\0\0\0\0\2ns\4test\0\0\1\0\1", ("127.0.0.1", self.port))
            return udp.recv(512)
        return None

    def stop(self):
        try:
            relais.end_process(self.process)
        finally:
            self.log.close()
            shutil.rmtree(self.directory, ignore_errors=True)


class SilentServer:
    """A DNS server that takes questions and never answers."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.server = f"127.0.0.1@{self.socket.getsockname()[1]}"

    def stop(self):
        self.socket.close()


class Answers:
    """A server of A and PTR records: {"name": "127.0.0.2"}. What is at or below a name of silent gets no answer; other
    names do not exist."""

    TYPES = {"A": 1, "PTR": 12}

    def __init__(self, records, silent=()):
        self.records, self.silent = records, silent
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.server = f"127.0.0.1@{self.socket.getsockname()[1]}"
        self.asked = []
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                question, peer = self.socket.recvfrom(4096)
                if len(question) < 12:
                    return
                answer = self._answer(question)
                if answer:
                    self.socket.sendto(answer, peer)

    def _answer(self, question):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode("latin-1"))
            at += 1 + question[at]
        name, kind = ".".join(labels).lower(), int.from_bytes(question[at + 1:at + 3], "big")
        asked = question[12:at + 5]
        self.asked.append(name)
        if any(name == each or name.endswith("." + each) for each in self.silent):
            return None
        value = self.records.get(name)
        data = self._data(value) if value and kind == self.TYPES["A" if value[-1].isdigit() else "PTR"] else None
        code = 0 if value else 3
        head = question[:2] + bytes([0x81, 0x80 | code]) + b"\0\1" + (b"\0\1" if data else b"\0\0") + b"\0\0\0\0"
        if data is None:
            return head + asked
        return head + asked + b"\xc0\x0c" + asked[-4:] + b"\0\0\1\x2c" + len(data).to_bytes(2, "big") + data

    @staticmethod
    def _data(value):
        if value[-1].isdigit():
            return socket.inet_aton(value)
        return b"".join(bytes([len(label)]) + label.encode() for label in value.split(".")) + b"\0"

    def stop(self):
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self.socket.getsockname())
        self.thread.join(10)
        self.socket.close()


def start_resolver(instance, env=None):
    """Runs qmail-resolver as qmail-start would: its listening socket on descriptor 3."""
    path = str(instance.home / "sockets" / "resolver")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(path)
    os.chmod(path, 0o666)
    listening.listen(1024)
    identity = instance._identity(instance.ids("qmailn")) if instance.single and relais.IS_ROOT else {}
    process = spawn_with(instance, "resolver", [relais.program("qmail-resolver")], {3: listening}, env, identity)
    listening.close()
    return process


def spawn_with(instance, name, command, descriptors, env=None, identity=None):
    """Starts a daemon of the instance with these files on these descriptor numbers."""
    # First out of the way of one another, then to where they belong.
    copies = {to: fcntl.fcntl(source.fileno(), fcntl.F_DUPFD, 50) for to, source in descriptors.items()}
    script = "exec " + " ".join(f"{to}<&{copy} {copy}<&-" for to, copy in copies.items()) + '; exec "$@"'
    with open(instance.logs / name, "ab") as log:
        process = subprocess.Popen(["bash", "-c", script, "bash", *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   start_new_session=True, env={**instance.environment, **(env or {})}, cwd=instance.home,
                                   pass_fds=tuple(copies.values()), **(identity or {}))
    for copy in copies.values():
        os.close(copy)
    instance.running[name] = process
    instance.sessions.add(process.pid)
    return process
