"""TLS on port 25 beside a Postfix from Debian in the same run: connections per second that each say EHLO, STARTTLS, EHLO, one
message, QUIT, with new sessions and with resumed ones; and the memory that TLS adds to an idle connection. Rounds alternate. The client
is the same for both (bench/tls_client.cc); its CPU and the server's stand beside the rates: a busy machine changes these less. Needs root.
`bench/tls_bench.py --quick` takes a minute."""

import argparse
import os
import pathlib
import re
import socket
import ssl
import statistics
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "bench"))

import peers  # noqa: E402
import relais  # noqa: E402
from machine import make_certificate  # noqa: E402
from run import POSTFIX_SETTINGS  # noqa: E402

RECIPIENT = "user@bench.test"


def context():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def expect(stream, code):
    got = b""
    while not re.search(rb"(^|\n)" + code + rb" [^\n]*\n$", got):
        part = stream.recv(4096)
        if not part:
            raise EOFError(got)
        got += part


def connect(port, using):
    s = socket.create_connection(("127.0.0.1", port), 60)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    expect(s, b"220")
    for line, code in ((b"EHLO bench.test\r\n", b"250"), (b"STARTTLS\r\n", b"220")):
        s.sendall(line)
        expect(s, code)
    t = using.wrap_socket(s, server_hostname="mail.test")
    t.sendall(b"EHLO bench.test\r\n")
    expect(t, b"250")
    return t


def rate(server, resume, seconds, clients):
    """Sessions a second, and microseconds of CPU for each in the client and in the server's processes."""
    port, roots = server
    before = used_seconds(roots)
    done = subprocess.run([relais.program("tls_client"), str(port), RECIPIENT, "starttls", "resumed" if resume else "new", str(clients), str(seconds)],
                          check=True, capture_output=True, text=True)
    found = {name: float(value) for name, value in map(str.split, done.stdout.splitlines())}
    if resume and found["resumed"] < 0.9:
        raise RuntimeError(f"only {found['resumed']:.0%} of the sessions were resumed")
    return found["rate"], found["client_cpu"], (used_seconds(roots) - before) * 1e6 / (found["rate"] * seconds)


def used_seconds(roots):
    """CPU that these processes and those below them have used, with all that have ended."""
    parents, used = {}, {}
    for entry in os.listdir("/proc"):
        try:
            words = pathlib.Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()
        except (OSError, NotADirectoryError):
            continue
        if entry.isdigit():
            parents[int(entry)] = int(words[1])
            used[int(entry)] = sum(map(int, words[11:15]))

    def belongs(pid):
        while pid in parents and pid not in roots:
            pid = parents[pid]
        return pid in roots
    return sum(ticks for pid, ticks in used.items() if belongs(pid)) / os.sysconf("SC_CLK_TCK")


def pss(pids):
    total = 0
    for pid in pids:
        found = re.search(r"^Pss:\s+(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
        total += int(found.group(1))
    return total


def idle_memory(instance, count=50):
    """Kilobytes of PSS that an idle session has, in clear and with TLS."""
    figures = []
    for encrypted in (False, True):
        before = {p.pid for p in instance.processes("qmail-smtpd")}
        held = []
        for _ in range(count):
            if encrypted:
                held.append(connect(instance.port, context()))
            else:
                s = socket.create_connection(("127.0.0.1", instance.port), 60)
                expect(s, b"220")
                s.sendall(b"EHLO bench.test\r\n")
                expect(s, b"250")
                held.append(s)
        figures.append(pss({p.pid for p in instance.processes("qmail-smtpd")} - before) / count)
        for s in held:
            s.close()
        relais.wait_until(lambda: len(instance.processes("qmail-smtpd")) <= len(before), 60)
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=8)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seconds, arguments.rounds = 4, 2
    with tempfile.TemporaryDirectory(prefix="rltb.", dir="/var/tmp") as directory:
        path = pathlib.Path(directory)
        path.chmod(0o755)
        make_certificate(path)
        settings = (*POSTFIX_SETTINGS, "smtpd_client_restrictions = static:HOLD", "smtpd_tls_security_level = may",
                    f"smtpd_tls_cert_file = {path}/cert", f"smtpd_tls_key_file = {path}/key")
        control = {"rcpthosts": "mail.test\nbench.test", "concurrencyremote": "0"}
        with relais.Instance(parent=directory, control=control) as instance, peers.Postfix(parent=directory, settings=settings) as postfix:
            pem = instance.home / "control/servercert.pem"
            pem.write_text((path / "cert").read_text() + (path / "key").read_text())
            instance.start(smtpd_args=("-c", "400", "--per-ip", "400"))
            servers = {"relais": (instance.port, {process.pid for process in instance.running.values()}),
                       "Postfix": (postfix.port, {postfix.master.pid})}
            print(f"{'':10} {'relais':>28} {'Postfix':>28} {'ratio':>7}   (connections/s, CPU us of client and server; "
                  f"{arguments.clients} clients, {arguments.rounds} rounds of {arguments.seconds} s, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f})")
            for name, resume in (("new", False), ("resumed", True)):
                figures = {"relais": [], "Postfix": []}
                for _ in range(arguments.rounds):
                    for who, server in servers.items():
                        figures[who].append(rate(server, resume, arguments.seconds, arguments.clients))
                ours, theirs = ([statistics.median(column) for column in zip(*figures[who])] for who in ("relais", "Postfix"))
                print(name.ljust(10), *(f"{all[0]:10.0f} ({all[1]:6.0f} {all[2]:7.0f})" for all in (ours, theirs)),
                      f"{ours[0] / theirs[0]:7.2f}", flush=True)
            plain, encrypted = idle_memory(instance)
            print(f"idle session of relais: {plain:.0f} kB in clear, {encrypted:.0f} kB with TLS (PSS)")


if __name__ == "__main__":
    main()
