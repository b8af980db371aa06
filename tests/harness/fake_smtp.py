"""SMTP servers that behave as a test says, well or badly.

    with FakeServer(MAIL=b"451 later\r\n") as server: ...     answers instead of the usual ones, by command

A value is octets to send, CLOSE (hang up), RESET (hang up with RST), SILENT (never answer), a function of the session and
the line that returns one of these, or a list of them for one connection after the other. "greeting" is sent at the start,
"dot" after the data. server.sessions has what each connection said: .commands, .messages (octets up to the final dot).
"""

import contextlib
import socket
import struct
import threading

from harness import relais

CLOSE, RESET, SILENT = "close", "reset", "silent"
USUAL = {
    "greeting": b"220 fake.test ESMTP\r\n",
    "EHLO": b"250-fake.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 0\r\n",
    "HELO": b"250 fake.test\r\n",
    "MAIL": b"250 sender ok\r\n",
    "RCPT": b"250 recipient ok\r\n",
    "DATA": b"354 go ahead\r\n",
    "dot": b"250 queued\r\n",
    "RSET": b"250 reset\r\n",
    "QUIT": b"221 bye\r\n",
}


class Ended(Exception):
    pass


class Session:
    def __init__(self, server, connection, number):
        self.server, self.socket, self.number = server, connection, number
        self.commands, self.messages, self.groups = [], [], []
        self.buffer = b""
        self.ended_by_peer = False

    def answer(self, key, line=b""):
        reply = self.server.replies.get(key, b"500 unknown\r\n")
        if isinstance(reply, list):
            reply = reply[min(self.number, len(reply) - 1)]
        if callable(reply):
            reply = reply(self, line)
        if reply == SILENT:
            with contextlib.suppress(OSError):
                while self.socket.recv(65536):
                    pass
            self.ended_by_peer = True
            raise Ended
        if reply == RESET:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if reply in (CLOSE, RESET):
            raise Ended
        self.socket.sendall(reply)
        return reply

    def more(self):
        data = self.socket.recv(65536)
        if not data:
            self.ended_by_peer = True
            raise Ended
        self.buffer += data
        self.groups.append(data)

    def read_line(self):
        while b"\r\n" not in self.buffer:
            self.more()
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def read_data(self):
        # As a strict server reads it: only CR LF dot CR LF ends it.
        while not (b"\r\n" + self.buffer).startswith(b"\r\n.\r\n") and b"\r\n.\r\n" not in self.buffer:
            self.more()
        if self.buffer.startswith(b".\r\n"):
            data, self.buffer = b"", self.buffer[3:]
        else:
            data, _, self.buffer = self.buffer.partition(b"\r\n.\r\n")
            data += b"\r\n"
        self.messages.append(data)

    def run(self):
        with contextlib.suppress(Ended, OSError):
            self.answer("greeting")
            while True:
                line = self.read_line()
                self.commands.append(line)
                verb = line.split(b" ")[0].decode("latin-1").upper()
                reply = self.answer(verb, line)
                if verb == "DATA" and reply.startswith(b"3"):
                    self.read_data()
                    self.answer("dot")
                if verb == "QUIT":
                    raise Ended
        self.socket.close()


class FakeServer:
    def __init__(self, address="127.0.0.1", port=0, session_class=Session, **replies):
        self.session_class = session_class
        self.replies = {**USUAL, **replies}
        self.sessions = []
        self.listening = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.address, self.port = address, port or relais.free_port()
        self.listening.bind((address, self.port))
        self.listening.listen(100)
        self.connections = []
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            session = self.session_class(self, connection, len(self.sessions))
            self.sessions.append(session)
            self.connections.append(connection)
            thread = threading.Thread(target=session.run, daemon=True)
            self.threads.append(thread)
            thread.start()

    @property
    def messages(self):
        return [message for session in self.sessions for message in session.messages]

    def stop(self):
        with contextlib.suppress(OSError):
            self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(10)
        for connection in self.connections:
            connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class SilentHost:
    """A port to which no connection is ever completed: its backlog is full."""

    def __init__(self, address="127.0.0.1", port=0):
        self.listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.address, self.port = address, port or relais.free_port()
        self.listening.bind((address, self.port))
        self.listening.listen(0)
        self.fillers = []
        for _ in range(4):
            filler = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect((address, self.port))
            self.fillers.append(filler)

    def stop(self):
        for filler in self.fillers:
            filler.close()
        self.listening.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
