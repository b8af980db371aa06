"""An SMTP sink in a process of its own that counts recipients and notes when messages arrive: for what Postfix's smtp-sink
cannot tell. It offers PIPELINING, listens on every loopback address, and keeps nothing."""

import asyncio
import multiprocessing
import time


class SinkProcess:
    """A context manager: .port; .recipients of the messages taken so far; .last_arrival on the monotonic clock."""

    def __init__(self):
        self._recipients = multiprocessing.Value("Q", 0)
        self._arrival = multiprocessing.Value("d", 0.0)
        self._port = multiprocessing.Value("i", 0)
        self._process = multiprocessing.Process(target=self._run, daemon=True)

    recipients = property(lambda self: self._recipients.value)
    last_arrival = property(lambda self: self._arrival.value)
    port = property(lambda self: self._port.value)

    def __enter__(self):
        self._process.start()
        while not self.port:
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.join(10)

    def wait_recipients(self, count, seconds=300):
        end = time.monotonic() + seconds
        while self.recipients < count:
            if time.monotonic() > end:
                raise RuntimeError(f"only {self.recipients} of {count} recipients came")
            time.sleep(0.005)

    def _run(self):
        asyncio.run(self._listen())

    async def _listen(self):
        server = await asyncio.get_running_loop().create_server(lambda: _Session(self), "0.0.0.0", 0, backlog=1024)
        self._port.value = server.sockets[0].getsockname()[1]
        await server.serve_forever()


class _Session(asyncio.Protocol):
    def __init__(self, sink):
        self.sink, self.buffer, self.in_data, self.recipients = sink, b"", False, 0

    def connection_made(self, transport):
        self.transport = transport
        transport.write(b"220 sink ESMTP\r\n")

    def data_received(self, data):
        self.buffer += data
        replies = []
        while self._take(replies):
            pass
        if replies:
            self.transport.write(b"".join(replies))

    def _take(self, replies):
        """One command, or one message; False if there is not all of it yet."""
        if self.in_data:
            end = self.buffer.find(b"\r\n.\r\n")
            if end < 0:
                self.buffer = self.buffer[-4:]
                return False
            self.buffer, self.in_data = self.buffer[end + 5:], False
            self.sink._arrival.value = time.monotonic()
            self.sink._recipients.value += self.recipients
            self.recipients = 0
            replies.append(b"250 ok\r\n")
            return True
        line, separator, rest = self.buffer.partition(b"\r\n")
        if not separator:
            return False
        self.buffer = rest
        verb = line[:4].upper()
        if verb == b"EHLO":
            replies.append(b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
        elif verb == b"DATA":
            self.in_data = True
            self.buffer = b"\r\n" + self.buffer  # an empty message begins with its end
            replies.append(b"354 go ahead\r\n")
        elif verb == b"QUIT":
            replies.append(b"221 bye\r\n")
        else:
            self.recipients += verb == b"RCPT"
            replies.append(b"250 ok\r\n")
        return True
