"""A milter that answers as a test says, well or badly.

    with FakeMilter(RCPT=b"r") as milter: ...     an answer (a packet without its length) by step, instead of "c"

Steps: NEGOTIATE CONNECT HELO MAIL RCPT DATA HEADER EOH BODY EOM. A value is a packet, a list of packets, a function of the data that
returns one of these, CLOSE (hang up), SILENT (never answer), or RAW(octets), sent as they are. What it was told is in .told, as
(step, data); .macros has the last macros of each step; .text what it was shown of the last message.
"""

import contextlib
import os
import pathlib
import shutil
import socket
import struct
import tempfile
import threading

CLOSE, SILENT = "close", "silent"
STEPS = {"O": "NEGOTIATE", "C": "CONNECT", "H": "HELO", "M": "MAIL", "R": "RCPT", "T": "DATA", "L": "HEADER", "N": "EOH", "B": "BODY",
         "E": "EOM", "A": "ABORT", "Q": "QUIT", "D": "MACRO"}
ALL_ACTIONS = 0xff


class Raw:
    def __init__(self, octets):
        self.octets = octets


def negotiation(version=6, actions=ALL_ACTIONS, steps=0):
    return struct.pack(">cIII", b"O", version, actions, steps)


def packet(data):
    return struct.pack(">I", len(data)) + data


class FakeMilter:
    def __init__(self, version=6, actions=ALL_ACTIONS, steps=0, inet=False, **answers):
        self.answers = {"NEGOTIATE": negotiation(version, actions, steps), "EOM": b"c", **answers}
        self.told, self.macros, self.text, self.connections = [], {}, b"", 0
        self.mute = set()
        self.steps = steps
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="rlmi.", dir="/tmp"))
        self.directory.chmod(0o755)
        if inet:
            self.socket = socket.create_server(("127.0.0.1", 0))
            self.place = f"inet:{self.socket.getsockname()[1]}@127.0.0.1"
        else:
            path = self.directory / "socket"
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.bind(str(path))
            self.socket.listen(20)
            os.chmod(path, 0o666)
            self.place = f"unix:{path}"
        self.clients, self.threads = [], []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._accept)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.ended.set()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for client in self.clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        self.thread.join(30)
        for thread in self.threads:
            thread.join(30)
        for client in self.clients:
            client.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def steps_told(self):
        return [step for step, _ in self.told]

    def data_of(self, step):
        return [data for each, data in self.told if each == step]

    def _accept(self):
        while not self.ended.is_set():
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            self.clients.append(client)
            self.threads.append(threading.Thread(target=self._serve, args=(client,)))
            self.threads[-1].start()

    def _serve(self, client):
        with contextlib.suppress(OSError), client.makefile("rb") as stream:
            while True:
                head = stream.read(4)
                if len(head) < 4:
                    return
                data = stream.read(struct.unpack(">I", head)[0])
                step, rest = STEPS[data[:1].decode()], data[1:]
                if step == "MACRO":
                    words = rest[1:].split(b"\0")
                    self.macros[STEPS[rest[:1].decode()]] = dict(zip(words[0::2], words[1::2]))
                    continue
                self.told.append((step, rest))
                if step == "DATA" or (step == "MAIL"):
                    self.text = b""
                if step == "HEADER":
                    name, value = rest.split(b"\0")[:2]
                    self.text += name + b": " + value + b"\r\n"
                if step == "EOH":
                    self.text += b"\r\n"
                if step == "BODY":
                    self.text += rest
                if step == "QUIT":
                    client.shutdown(socket.SHUT_RDWR)
                    return
                if step != "ABORT" and not self._answer(client, step, rest):
                    return

    def _answer(self, client, step, data):
        answer = self.answers.get(step, b"c")
        if callable(answer):
            answer = answer(data)
        if answer is None:
            return True
        if answer == CLOSE:
            client.shutdown(socket.SHUT_RDWR)
            return False
        if answer == SILENT:
            self.ended.wait()
            return False
        if isinstance(answer, Raw):
            client.sendall(answer.octets)
            return True
        for each in answer if isinstance(answer, list) else [answer]:
            client.sendall(packet(each))
        return True
