"""TLS on port 25 beside a Postfix from Debian in the same run: connections per second that each say EHLO, STARTTLS, EHLO, one
message, QUIT, with new sessions and with resumed ones; and the memory that TLS adds to an idle connection. Rounds alternate. The client is
the same for both: processes with Python's ssl, whose own cost is part of each figure. Needs root. `bench/tls_bench.py --quick` takes a minute."""

import argparse
import multiprocessing
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

MESSAGE = b"Subject: x\r\n\r\n" + b"x" * 70 + b"\r\n.\r\n"


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


def connect(port, using, session=None):
    s = socket.create_connection(("127.0.0.1", port), 60)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    expect(s, b"220")
    for line, code in ((b"EHLO bench.test\r\n", b"250"), (b"STARTTLS\r\n", b"220")):
        s.sendall(line)
        expect(s, code)
    t = using.wrap_socket(s, server_hostname="mail.test", session=session)
    t.sendall(b"EHLO bench.test\r\n")
    expect(t, b"250")
    return t


def deliver(t, recipient):
    for line, code in ((b"MAIL FROM:<a@b.example>\r\n", b"250"), (b"RCPT TO:<%s>\r\n" % recipient, b"250"), (b"DATA\r\n", b"354"),
                       (MESSAGE, b"250"), (b"QUIT\r\n", b"221")):
        t.sendall(line)
        expect(t, code)
    t.close()


def client(port, recipient, resume, until, counts):
    using, session, reused = context(), None, 0
    count = 0
    while time.monotonic() < until:
        t = connect(port, using, session if resume else None)
        reused += t.session_reused
        # By now the ticket of TLS 1.3 has come.
        session = t.session
        deliver(t, recipient)
        count += 1
    counts.put((count, reused))


def rate(port, recipient, resume, seconds, clients):
    counts = multiprocessing.Queue()
    start = time.monotonic()
    running = [multiprocessing.Process(target=client, args=(port, recipient, resume, start + seconds, counts)) for _ in range(clients)]
    for process in running:
        process.start()
    results = [counts.get(timeout=seconds + 120) for _ in running]
    for process in running:
        process.join()
    took = time.monotonic() - start
    total, reused = sum(c for c, _ in results), sum(r for _, r in results)
    if resume and reused < total * 0.9:
        raise RuntimeError(f"only {reused} of {total} sessions were resumed")
    return total / took


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
    parser.add_argument("--seconds", type=float, default=8)
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
                    f"smtpd_tls_cert_file = {path}/cert", f"smtpd_tls_key_file = {path}/key",
                    "smtpd_tls_session_cache_database = btree:$data_directory/smtpd_scache")
        control = {"rcpthosts": "mail.test\nbench.test", "concurrencyremote": "0"}
        with relais.Instance(parent=directory, control=control) as instance, peers.Postfix(parent=directory, settings=settings) as postfix:
            pem = instance.home / "control/servercert.pem"
            pem.write_text((path / "cert").read_text() + (path / "key").read_text())
            instance.start(smtpd_args=("-c", "400"))
            print(f"{'':10} {'relais':>12} {'Postfix':>12} {'ratio':>7}   (connections/s, {arguments.clients} clients, "
                  f"{arguments.rounds} rounds of {arguments.seconds:g} s, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f})")
            for name, resume in (("new", False), ("resumed", True)):
                figures = {"relais": [], "Postfix": []}
                for _ in range(arguments.rounds):
                    for who, port in (("relais", instance.port), ("Postfix", postfix.port)):
                        figures[who].append(rate(port, b"user@bench.test", resume, arguments.seconds, arguments.clients))
                ours, theirs = (statistics.median(figures[who]) for who in ("relais", "Postfix"))
                print(f"{name:10} {ours:12.0f} {theirs:12.0f} {ours / theirs:7.2f}", flush=True)
            plain, encrypted = idle_memory(instance)
            print(f"idle session of relais: {plain:.0f} kB in clear, {encrypted:.0f} kB with TLS (PSS)")


if __name__ == "__main__":
    main()
