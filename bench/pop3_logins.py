"""Whole POP3 logins a second, from connect to QUIT, password check and all: tcpserver, qmail-popup, checkpassword, qmail-authd,
qmail-pop3d with an empty Maildir.

    bench/pop3_logins.py [SECONDS [CLIENTS]]      with remembered logins, then with a hash for each
"""

import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
import pop3
import relais

PASSWORD = "correct horse"


def logins(i, port, seconds, clients):
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
    return sum(counts) / seconds


def measure(seconds, clients, cache):
    with relais.Instance(control={"authcache": str(cache)}) as i:
        i.add_user("anna")
        i.start(smtpd=None)
        pop3.set_password(i, "anna", PASSWORD)
        return logins(i, pop3.start_server(i), seconds, clients)


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5
    clients = int(sys.argv[2]) if len(sys.argv) > 2 else 8
    print(f"logins remembered    {measure(seconds, clients, 60):8.0f} a second")
    print(f"a hash for each      {measure(seconds, clients, 0):8.0f} a second")


main()
