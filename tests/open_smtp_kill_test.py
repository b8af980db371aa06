"""SIGKILL at each of its system calls, one after the other, by strace's fault injection: the programs of a login chain, open-smtpd
under logins, renewals, an expiry and an import, and an import's client. What was answered is there afterwards, and nothing is there that
no right password opened."""

import concurrent.futures
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import unittest

from harness import pop3
from harness import relais

CHAIN_CALLS = "execve,connect,read,write,recvfrom,sendto,setresuid,setgroups,chdir,fcntl,close,socket,openat,clone"
SERVER_CALLS = "accept4,recvfrom,openat,pread64,pwrite64,sendto,unlinkat,mkdirat,epoll_ctl,epoll_wait,close,getdents64"


def traced(file, calls):
    """The words before a program whose calls are to be written into the file."""
    return ["strace", "-qq", "-o", str(file), "-e", f"trace={calls}", "-e", "signal=none"]


def moments(file):
    """The calls in such a file, each as its name and its number among those of that name."""
    counts, found = {}, []
    for line in file.read_text(errors="replace").splitlines():
        if match := re.match(r"(\w+)\(", line):
            counts[match[1]] = counts.get(match[1], 0) + 1
            found.append((match[1], counts[match[1]]))
    return found


def killed_at(moment):
    """The words before a program that is to be killed as it enters this call."""
    name, number = moment
    return ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={name}", "-e", f"inject={name}:signal=KILL:when={number}"]


@unittest.skipUnless(relais.IS_ROOT and shutil.which("strace"), "needs root and strace")
class Kills(relais.TestCase):
    def setUp(self):
        self.i = self.instance(control={"rcpthosts": "mail.test", "authplain": "1"})
        self.i.look_for_no_leaks()

    def entries(self):
        return {e["address"]: e for e in json.loads(self.i.run("open-smtp", "list", "--json").out)}

    # ------------------------------------------------------------ the chain

    def log_in(self, source, password, *before):
        """One login whose chain runs under the words before; whether it was told +OK, and whether the chain crashed."""
        ours, theirs = socket.socketpair()
        words = [relais.program("qmail-popup"), self.i.me, *before,
                 *map(relais.program, ("open-smtp-channel", "checkpassword", "open-smtp-allow", "qmail-pop3d")), "Maildir"]
        with ours:
            process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL,
                                       env={**self.i.environment, "TCPREMOTEIP": source, "PROTO": "TCP"})
            theirs.close()
            ours.settimeout(120)
            ours.sendall(f"USER anna\r\nPASS {password}\r\nQUIT\r\n".encode())
            data = b""
            with contextlib.suppress(ConnectionError):
                while chunk := ours.recv(4096):
                    data += chunk
        process.wait(120)
        answers = data.split(b"\r\n")
        return len(answers) > 3 and answers[2].startswith(b"+OK"), b"crashed" in data

    def kill_chain(self, net, password, when):
        """A login killed at each of these moments, each from an address of its own: address -> what log_in returned."""
        jobs = {f"{net}.{n >> 8}.{n & 255}": moment for n, moment in enumerate(when, 1)}
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            done = pool.map(lambda job: self.log_in(job[0], password, *killed_at(job[1])), jobs.items())
            return dict(zip(jobs, done))

    def test_login_chain(self):
        self.i.add_user("anna")
        self.i.start(None)
        pop3.set_password(self.i, "anna", "sesame")
        trace = self.i.directory / "trace"
        self.assertEqual(self.log_in("127.0.0.1", "sesame", *traced(trace, CHAIN_CALLS)), (True, False))
        when = moments(trace)
        self.assertEqual(sum(name == "execve" for name, _ in when), 4, "the whole chain is seen")
        done = self.kill_chain("127.1", "sesame", when)
        entries = self.entries()
        self.assertEqual(entries.pop("127.0.0.1")["user"], "anna@mail.test")
        told = {source for source, (ok, _) in done.items() if ok}
        self.assertEqual(told - set(entries), set(), "told +OK and not opened")
        self.assertLessEqual(set(entries), set(done))
        self.assertTrue(all(e["user"] == "anna@mail.test" for e in entries.values()))
        # It went as meant: they died, before the door was open, between that and +OK, and after.
        self.assertGreater(sum(crashed for _, crashed in done.values()), len(done) * 3 // 4)
        self.assertTrue(told)
        self.assertTrue(set(entries) - told)
        self.assertTrue(set(done) - set(entries))
        # No moment to die at opens a door without the password.
        self.assertFalse(self.log_in("127.0.0.2", "wrong", *traced(trace, CHAIN_CALLS))[0])
        done = self.kill_chain("127.2", "wrong", moments(trace)[::6])
        self.assertEqual(set(self.entries()), {"127.0.0.1", *entries})
        self.assertFalse(any(ok for ok, _ in done.values()))

    # ------------------------------------------------------------ open-smtpd

    def open_smtpd(self, *before):
        """open-smtpd alone, with its socket, under whatever comes before it."""
        path = self.i.home / "sockets/open-smtp"
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen(64)

        def place():
            os.dup2(listener.fileno(), 3)
            os.setsid()

        process = subprocess.Popen([*before, relais.program("open-smtpd")], env=self.i.environment, preexec_fn=place,
                                   pass_fds=[3], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        listener.close()
        return process

    def ask(self, *lines):
        """The answers that came before the server died."""
        with socket.socket(socket.AF_UNIX) as s, contextlib.suppress(ConnectionError):
            s.settimeout(120)
            s.connect(str(self.i.home / "sockets/open-smtp"))
            s.sendall(b"".join("\0".join(line).encode() + b"\n" for line in lines))
            data = b""
            with contextlib.suppress(ConnectionError):
                while data.count(b"\n") < len(lines) and (chunk := s.recv(65536)):
                    data += chunk
            return data.split(b"\n")[:-1]
        return []

    def with_server(self, before, work):
        """What work returns with a server under these words, and whether the server was killed meanwhile."""
        server = self.open_smtpd(*before)
        try:
            result = work()
        finally:
            # strace, too, is told; it ends as its tracee ends.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGTERM)
            server.wait(120)
        return result, server.returncode == -signal.SIGKILL

    def kill_server(self, moment, work):
        return self.with_server(killed_at(moment), work)

    def moments_of(self, work):
        """The moments of the server while it does this work, and of its start."""
        trace = self.i.directory / "trace"
        self.with_server(traced(trace, SERVER_CALLS), work)
        return moments(trace)

    def test_logins_and_renewals(self):
        def work(number):
            return self.ask(("add", "192.0.2.1", f"old{number}", "pop3"), ("add", f"198.51.100.{number}", "first", "pop3"),
                            ("add", f"198.51.100.{number}", "second", "pop3"))

        when = self.moments_of(lambda: work(0))
        stands = {"192.0.2.1": {"old0"}, "198.51.100.0": {"second"}}  # the users that may stand there
        deaths = 0
        for number, moment in enumerate(when, 1):
            answers, died = self.kill_server(moment, lambda number=number: work(number))
            deaths += died
            self.assertTrue(all(a.startswith(b"ok") for a in answers), answers)
            # What was answered stands; what was not, may.
            stands["192.0.2.1"] = {f"old{number}"} | (set() if answers else stands["192.0.2.1"])
            stands[f"198.51.100.{number}"] = ({None, "first", "second"}, {None, "first", "second"}, {"first", "second"},
                                              {"second"})[len(answers)]
            entries = self.entries()
            for address, users in stands.items():
                self.assertIn(entries.get(address, {}).get("user"), users, f"{address} after a kill at {moment}")
                stands[address] = {entries.get(address, {}).get("user")}
            self.assertLessEqual(set(entries), set(stands))
        self.assertGreater(deaths, len(when) * 3 // 4)

    def test_expiry(self):
        past = int(time.time()) - 2500
        live = [f"192.0.2.{n}" for n in range(10)]
        old = [f"198.51.100.{n}" for n in range(10)]

        def fill():
            self.i.control("opensmtplifetime", "100000")
            self.with_server([], lambda: self.ask(*(("import", a, "anna", "import", str(past)) for a in old),
                                                  *(("add", a, "anna", "pop3") for a in live)))
            self.i.control("opensmtplifetime", "1000")

        def work():
            return self.ask(("expire",), ("add", live[0], "bob", "pop3"))

        fill()
        everything = self.moments_of(work)
        self.assertEqual(set(self.entries()), set(live))
        unlinks = [m for m in everything if m[0] == "unlinkat"]
        self.assertEqual(len(unlinks), len(old))
        deaths = 0
        when = unlinks + everything[:: len(everything) // 15]
        for moment in when:
            fill()
            answers, died = self.kill_server(moment, work)
            deaths += died
            entries = self.entries()
            self.assertLessEqual(set(live), set(entries), f"a live entry went with the expired ones: kill at {moment}")
            self.assertFalse([a for a in old if entries.get(a, {}).get("live")])
            if answers:
                self.assertEqual((answers[0][:2], set(entries)), (b"ok", set(live)))
            self.assertIn(entries[live[0]]["user"], {"bob"} if len(answers) > 1 else {"anna", "bob"})
        self.assertGreater(deaths, len(when) * 3 // 4)

    # ------------------------------------------------------------ an import

    def test_import(self):
        now = int(time.time())
        addresses = [f"10.1.{n >> 8}.{n & 255}" for n in range(1000)]
        path = self.i.directory / "old-open-smtp"
        path.write_text("".join(f'{a}:allow,RELAYCLIENT=""\t{now - 5000}\n' for a in addresses)
                        + f'10.9.9.9:allow,RELAYCLIENT=""\t{now - 20000}\n')
        self.i.start(None)
        self.i.run("open-smtp", "add", addresses[500], "--user", "anna")
        counts = []
        for call in range(1, 9):
            subprocess.run([*killed_at(("write", call)), relais.program("open-smtp"), "import", str(path)], env=self.i.environment,
                           stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
            entries = self.entries()
            counts.append(len(entries))
            self.assertLessEqual(set(entries), set(addresses))
            self.assertEqual(entries[addresses[500]]["user"], "anna")
            self.assertTrue(all(e["age"] >= 5000 for a, e in entries.items() if a != addresses[500]), "an import renews nothing")
        self.assertEqual(counts, sorted(counts), "what was imported stays")
        self.assertLess(counts[0], 1000)
        self.assertEqual(self.i.run("open-smtp", "import", path).code, 0)
        self.assertEqual(set(self.entries()), set(addresses))


if __name__ == "__main__":
    relais.main()
