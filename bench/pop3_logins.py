"""Whole POP3 logins a second, from connect to QUIT, password check, opened SMTP and all: tcpserver, qmail-popup, open-smtp-channel,
checkpassword, open-smtp-allow, qmail-pop3d with an empty Maildir, beside qmail-authd and open-smtpd.

    bench/pop3_logins.py [SECONDS [CLIENTS]]      with remembered logins, then with a hash for each

Prints also the processor time that a login takes of the chain, of the two daemons and of the clients here (one Python process), which
depends less than the rate on what else the machine does; the rate that two cores could do with the first two alone follows from it.
"""

import os
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
from harness import pop3
from harness import relais

PASSWORD = "correct horse"
CHAIN = ("open-smtp-channel", "checkpassword", "open-smtp-allow", "qmail-pop3d", "Maildir")
DAEMONS = ("qmail-authd", "open-smtpd")


def processor_seconds(pid):
    """Of a process and of its children that it has waited for."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


class Meter:
    def __init__(self, i):
        self.i = i

    def read(self):
        daemons = [process.pid for process in self.i.processes() if process.name in DAEMONS]
        return (processor_seconds(self.i.running["pop3"].pid), sum(map(processor_seconds, daemons)), time.process_time())


def logins(port, seconds, clients):
    counts = [0] * clients
    end = time.monotonic() + seconds

    def work(number):
        while time.monotonic() < end:
            with pop3.Client(port) as client:
                client.raw(f"USER anna\r\nPASS {PASSWORD}\r\nSTAT\r\nQUIT\r\n")
                answers = [client.line() for _ in range(4)]
                if answers != ["+OK", "+OK", "+OK 0 0", "+OK"]:
                    raise AssertionError(answers)
            counts[number] += 1

    threads = [threading.Thread(target=work, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


def measure(name, seconds, clients, cache):
    with relais.Instance(control={"authcache": str(cache)}) as i:
        i.add_user("anna")
        i.start(smtpd=None)
        pop3.set_password(i, "anna", PASSWORD)
        port = pop3.start_server(i, chain=CHAIN)
        meter = Meter(i)
        before = meter.read()
        begin = time.monotonic()
        count = logins(port, seconds, clients)
        rate = count / (time.monotonic() - begin)
        chain, daemons, own = (1000 * (b - a) / count for a, b in zip(before, meter.read()))
        print(f"{name:20} {rate:6.0f} a second; ms of CPU: chain {chain:.2f}, daemons {daemons:.2f}, clients {own:.2f}; two cores could do "
              f"{2000 / (chain + daemons):.0f}", flush=True)


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5
    clients = int(sys.argv[2]) if len(sys.argv) > 2 else 8
    measure("logins remembered", seconds, clients, 60)
    measure("a hash for each", seconds, clients, 0)


main()
