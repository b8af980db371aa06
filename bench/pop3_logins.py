"""Whole POP3 logins a second, from connect to QUIT, password check, opened SMTP and all, with an empty Maildir: qmail-popd, the chain of
tcpserver, qmail-popup, open-smtp-channel, checkpassword, open-smtp-allow and qmail-pop3d, both beside qmail-authd and open-smtpd, and a
Dovecot with the same hash, which opens nothing.

    bench/pop3_logins.py [SECONDS [CLIENTS]]      with remembered logins, then with a hash for each

Prints also the processor time that a login takes of the server, of the two daemons and of the clients here (one Python process), which
depends less than the rate on what else the machine does; the rate that two cores could do with the first two alone follows from it.
Dovecot's time is that of all its processes. Needs root.
"""

import contextlib
import os
import pathlib
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
from harness import peers
from harness import pop3
from harness import relais

PASSWORD = "correct horse"
CHAIN = ("open-smtp-channel", "checkpassword", "open-smtp-allow", "qmail-pop3d", "Maildir")
DAEMONS = ("qmail-authd", "open-smtpd")


def processor_seconds(pid):
    """Of a process and of its children that it has waited for."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def tree_seconds(pid):
    """Of a process, of its children, and of theirs; one that has just ended counts with its parent."""
    try:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return processor_seconds(pid) + sum(tree_seconds(int(child)) for child in children)
    except (FileNotFoundError, ProcessLookupError):
        return 0


class Meter:
    """The server's processor time, that of our daemons, that of the clients."""

    def __init__(self, server, daemons=()):
        self.server, self.daemons = server, daemons

    def read(self):
        return tree_seconds(self.server), sum(map(processor_seconds, self.daemons)), time.process_time()


class Dovecot(peers.DovecotServer):
    """A Dovecot that knows one user, by the hash that qmail-passwd has made."""

    def __init__(self, hashed, cache):
        super().__init__("rldb.")
        self.port = relais.free_port()
        (self.directory / "passwd").write_text(f"anna:{{ARGON2ID}}{hashed}\n")
        (self.directory / "mail").mkdir()
        (self.directory / "mail").chmod(0o777)
        self._configure(f"""\
protocols = pop3
listen = 127.0.0.1
disable_plaintext_auth = no
mail_location = maildir:{self.directory}/mail/%u
auth_cache_size = {"1M" if cache else 0}
passdb {{
  driver = passwd-file
  args = {self.directory}/passwd
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={self.directory}/mail
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {self.port}
  }}
}}
""")

    def _answers(self):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 5).close()
            return True
        return False


def logins(port, seconds, clients):
    counts = [0] * clients
    end = time.monotonic() + seconds

    def work(number):
        while time.monotonic() < end:
            with pop3.Client(port) as client:
                client.raw(f"USER anna\r\nPASS {PASSWORD}\r\nSTAT\r\nQUIT\r\n")
                answers = [client.line() for _ in range(4)]
                if not all(answer.startswith("+OK") for answer in answers):
                    raise AssertionError(answers)
            counts[number] += 1

    threads = [threading.Thread(target=work, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


def measure(name, port, meter, seconds, clients):
    logins(port, 0.5, clients)
    before = meter.read()
    begin = time.monotonic()
    count = logins(port, seconds, clients)
    rate = count / (time.monotonic() - begin)
    server, daemons, own = (1000 * (b - a) / count for a, b in zip(before, meter.read()))
    print(f"{name:32} {rate:6.0f} a second; ms of CPU: server {server:.2f}, daemons {daemons:.2f}, clients {own:.2f}; two cores could do "
          f"{2000 / (server + daemons):.0f}", flush=True)


def compare(what, seconds, clients, cache):
    with relais.Instance(control={"authcache": str(cache)}) as i:
        i.add_user("anna")
        i.start(smtpd=None)
        pop3.set_password(i, "anna", PASSWORD)
        hashed = (i.home / "users/passwd").read_text().split(":")[1]
        daemons = [process.pid for process in i.processes() if process.name in DAEMONS]
        ports = {"qmail-popd": pop3.start_own_server(i, name="qmail-popd"),
                 "the chain": pop3.start_server(i, chain=CHAIN, name="the chain")}
        with Dovecot(hashed, cache) as dovecot:
            for name, port in ports.items():
                measure(f"{what}, {name}", port, Meter(i.running[name].pid, daemons), seconds, clients)
            measure(f"{what}, Dovecot", dovecot.port, Meter(dovecot.process.pid), seconds, clients)


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5
    clients = int(sys.argv[2]) if len(sys.argv) > 2 else 8
    compare("remembered", seconds, clients, 60)
    compare("a hash for each", seconds, clients, 0)


main()
