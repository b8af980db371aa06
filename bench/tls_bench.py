"""TLS on port 25 beside a Postfix from Debian in the same run: connections per second that each say EHLO, STARTTLS, EHLO, one
message, QUIT, with new sessions and with resumed ones; and the memory that TLS adds to an idle connection. Rounds alternate. The client
is the same for both (bench/smtp_client.cc), as is the loop-mounted ext4 below; its CPU and the server's stand beside the rates. The ratio by CPU
is what a machine could do that had nothing else to do and never waited for its disk. Needs root.
`bench/tls_bench.py --quick` takes two minutes."""

import argparse
import itertools
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "bench"))

from harness import peers  # noqa: E402
from harness import relais  # noqa: E402
from harness.logins import loose  # noqa: E402
from machine import make_certificate, tree_seconds  # noqa: E402
from run import POSTFIX_SETTINGS, journaled_directory  # noqa: E402

RECIPIENT = "user@bench.test"


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
    port, roots, way = server
    before = tree_seconds(roots)
    done = subprocess.run([relais.program("smtp_client"), str(port), RECIPIENT, way, "resumed" if resume else "new", str(clients), str(seconds)],
                          check=True, capture_output=True, text=True)
    found = {name: float(value) for name, value in map(str.split, done.stdout.splitlines())}
    if resume and found["resumed"] < 0.9:
        raise RuntimeError(f"only {found['resumed']:.0%} of the sessions were resumed")
    return found["rate"], found["client_cpu"], (tree_seconds(roots) - before) * 1e6 / (found["rate"] * seconds)


def pss(pids):
    total = 0
    for pid in pids:
        found = re.search(r"^Pss:\s+(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
        total += int(found.group(1))
    return total


def idle_sessions(instance, count=50):
    """Kilobytes of PSS that an idle session has, and milliseconds from its connecting to the reply to EHLO: in clear and with TLS."""
    figures = []
    for encrypted in (False, True):
        before = {p.pid for p in instance.processes("qmail-smtpd")}
        held, took = [], []
        for _ in range(count):
            begun = time.monotonic()
            if encrypted:
                held.append(connect(instance.port, loose()))
            else:
                s = socket.create_connection(("127.0.0.1", instance.port), 60)
                expect(s, b"220")
                s.sendall(b"EHLO bench.test\r\n")
                expect(s, b"250")
                held.append(s)
            took.append((time.monotonic() - begun) * 1000)
        figures.append((pss({p.pid for p in instance.processes("qmail-smtpd")} - before) / count, statistics.median(took)))
        for s in held:
            s.close()
        relais.wait_until(lambda: len(instance.processes("qmail-smtpd")) <= len(before), 60)
    return figures


def start_smtps(instance):
    port = relais.free_port()
    instance.spawn("smtps", [relais.program("qmail-smtpd"), "-l", f"127.0.0.1:{port}", "--tls", "-x", instance.home / "tcp.smtp.cdb", "-c", "400",
                             "--per-ip", "400"])
    instance._wait_port("127.0.0.1", greets=False)
    return port


def medians(servers, resume, clients, arguments):
    """By name; the servers take turns."""
    figures = {name: [] for name in servers}
    for _ in range(arguments.rounds):
        for name, server in servers.items():
            figures[name].append(rate(server, resume, arguments.seconds, clients))
    return {name: [statistics.median(column) for column in zip(*rows)] for name, rows in figures.items()}


def shown(figure):
    return "{:10.0f} ({:6.0f} {:7.0f})".format(*figure)


def compare(directory, arguments):
    make_certificate(directory)
    settings = (*POSTFIX_SETTINGS, "smtpd_client_restrictions = static:HOLD", "smtpd_tls_security_level = may",
                f"smtpd_tls_cert_file = {directory}/cert", f"smtpd_tls_key_file = {directory}/key")
    control = {"rcpthosts": "mail.test\nbench.test", "concurrencyremote": "0"}
    with relais.Instance(parent=directory, control=control) as instance, peers.Postfix(parent=directory, settings=settings) as postfix:
        pem = instance.home / "control/servercert.pem"
        pem.write_text((directory / "cert").read_text() + (directory / "key").read_text())
        instance.start(smtpd_args=("-c", "400", "--per-ip", "400"))
        smtps = start_smtps(instance)
        ours = {process.pid for process in instance.running.values()}
        servers = {"relais": (instance.port, ours, "starttls"), "Postfix": (postfix.port, {postfix.process.pid}, "starttls")}
        print(f"{'clients':>17} {'relais':>27} {'Postfix':>27} {'ratio':>7} {'by CPU':>7}   (sessions/s, CPU us of client and server; "
              f"{arguments.rounds} rounds of {arguments.seconds} s, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f})")
        for clients, (what, resume) in itertools.product(arguments.clients, (("new", False), ("resumed", True))):
            name = f"{what}, {clients}"
            found = medians(servers, resume, clients, arguments)
            print(name.ljust(17), shown(found["relais"]), shown(found["Postfix"]), f"{found['relais'][0] / found['Postfix'][0]:7.2f}",
                  f"{sum(found['Postfix'][1:]) / sum(found['relais'][1:]):7.2f}", flush=True)
            if clients == arguments.clients[0]:
                on_465 = medians({"relais": (smtps, ours, "implicit")}, resume, clients, arguments)["relais"]
                print(f"{name}, 465".ljust(17), shown(on_465), flush=True)
        for name, (memory, took) in zip(("in clear", "with TLS"), idle_sessions(instance)):
            print(f"idle session of relais {name}: {memory:.0f} kB (PSS), {took:.2f} ms to come about (a client in Python)")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, nargs="+", default=[20, 100])
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seconds, arguments.rounds = 4, 2
    with journaled_directory() as directory:
        compare(directory, arguments)


if __name__ == "__main__":
    main()
