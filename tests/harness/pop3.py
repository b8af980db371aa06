"""POP3 for tests: accounts, a server under tcpserver, and a client that sends exactly what it is told."""

import contextlib
import os
import socket
import struct

from harness import relais

CHAIN = ("checkpassword", "qmail-pop3d", "Maildir")


def set_password(i, account, password, *options):
    """Makes an account of the instance, or changes its password."""
    done = i.run("qmail-passwd", "set", account, *options, input=password + "\n")
    if done.code:
        raise AssertionError(f"qmail-passwd set {account}: {done}")
    return done


def wait_for_server(i, address, port, what):
    """Until something listens there; returns the port."""
    def listens():
        with contextlib.suppress(OSError):
            socket.create_connection((address, port), 5).close()
            return True
        return False
    i.wait_for(listens, 20, f"{what} on {address} port {port}")
    return port


def start_server(i, address="127.0.0.1", chain=CHAIN, name="pop3", env=None, popup=(), elsewhere=None):
    """Starts tcpserver with qmail-popup as root, or as the instance's one user; returns the port."""
    port = relais.free_port()
    words = [relais.program(word) if relais.has_program(word) else word for word in chain]
    i.spawn(name, ["tcpserver", "-v", "-R", "-H", "-l", "0", "-c", 100, address, port, *(["env", f"TCPREMOTEIP={elsewhere}"] if elsewhere else []), relais.program("qmail-popup"), *popup,
                   i.me, *words], i.ids("qmailq") if i.single else None, env)
    return wait_for_server(i, address, port, "a POP3 server")


def start_own_server(i, address="127.0.0.1", name="popd", env=None, options=()):
    """Starts qmail-popd as root, or as the instance's one user; returns the port."""
    port = relais.free_port()
    place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    i.spawn(name, [relais.program("qmail-popd"), *options, "-l", place], i.ids("qmailq") if i.single else None, env)
    return wait_for_server(i, address, port, "qmail-popd")


def make_message(user, name, content, seconds=None, folder="new"):
    """Puts a message into a user's Maildir under that name."""
    path = user.home / "Maildir" / folder / name
    path.write_bytes(relais.octets(content))
    user.own(path)
    if seconds is not None:
        os.utime(path, (seconds, seconds))
    return path


class Client:
    """Lines out, lines in."""

    strict = False

    def __init__(self, port, address="127.0.0.1", timeout=60):
        self.socket = socket.create_connection((address, port), timeout)
        self.file = self.socket.makefile("rb")
        self.greeting = self.line()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def raw(self, data):
        self.socket.sendall(relais.octets(data))

    def line(self):
        """One line, "" when the server has closed; its end must be CR LF."""
        line = self.file.readline()
        if self.strict and not line:
            raise EOFError("the server has closed")
        if line and not line.endswith(b"\r\n"):
            raise AssertionError(f"line without CR LF: {line!r}")
        return relais.text(line[:-2])

    def command(self, text):
        self.raw(relais.octets(text) + b"\r\n")
        return self.line()

    def lines(self):
        """What follows +OK, to the line of one dot, without it."""
        found = []
        self.strict = True
        while (line := self.line()) != ".":
            found.append(line)
        self.strict = False
        return found

    def login(self, user, password):
        self.command(f"USER {user}")
        return self.command(f"PASS {password}")


def ask_authd(i, user, secret, kind="P", address="192.0.2.1", challenge=""):
    """One request to qmail-authd; returns the result's letter and the fields of the answer."""
    body = kind.encode() + b"".join(relais.octets(f) + b"\0" for f in (user, "test", address, challenge, secret))
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(90)
        s.connect(str(i.home / "sockets/auth"))
        s.sendall(struct.pack("<H", len(body)) + body)
        data = b""
        while part := s.recv(65536):
            data += part
    return relais.text(data[2:3]), relais.text(data[3:]).split("\0")
