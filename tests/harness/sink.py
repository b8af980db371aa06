"""An SMTP server that takes everything and keeps it: what relais sends out, seen from the other side."""

import asyncio
import threading

from harness import relais


class Sink:
    """Use as a context manager; .port is where it listens, .messages what came: (sender, recipients, octets as they
    were before dot-stuffing, number of the connection)."""

    def __init__(self, port=0, address="127.0.0.1", keep=None):
        self.address, self.port = address, port or relais.free_port()
        self.messages = []
        self.connections = 0
        # keep(sender, recipients, data) decides what is stored instead of the octets.
        self.keep = keep or (lambda sender, recipients, data: data)

    def __enter__(self):
        started = threading.Event()
        self.loop = asyncio.new_event_loop()

        def run():
            asyncio.set_event_loop(self.loop)
            self.server = self.loop.run_until_complete(
                asyncio.start_server(self._serve, self.address, self.port, limit=1 << 21, backlog=512))
            started.set()
            self.loop.run_forever()

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()
        if not started.wait(60):
            raise RuntimeError(f"no server on {self.address} port {self.port}")
        return self

    def __exit__(self, *_):
        def stop():
            self.server.close()
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.call_soon(self.loop.stop)

        self.loop.call_soon_threadsafe(stop)
        self.thread.join(10)
        self.loop.close()

    async def _serve(self, reader, writer):
        self.connections += 1
        number = self.connections
        sender, recipients = None, []
        try:
            writer.write(b"220 sink ESMTP\r\n")
            while line := await reader.readline():
                verb = line[:4].upper()
                if verb == b"EHLO":
                    writer.write(b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
                elif verb == b"MAIL":
                    sender, recipients = path_of(line), []
                    writer.write(b"250 ok\r\n")
                elif verb == b"RCPT":
                    recipients.append(path_of(line))
                    writer.write(b"250 ok\r\n")
                elif verb == b"DATA":
                    writer.write(b"354 go\r\n")
                    data = await self._data(reader)
                    self.messages.append((sender, recipients, self.keep(sender, recipients, data), number))
                    writer.write(b"250 taken\r\n")
                elif verb == b"QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                else:
                    writer.write(b"250 ok\r\n")
        except (ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    @staticmethod
    async def _data(reader):
        data = await reader.readuntil(b"\r\n")
        if data != b".\r\n":
            while not data.endswith(b"\r\n.\r\n"):
                data += await reader.readuntil(b"\r\n.\r\n")
        data = data[:-3]
        return (b"\r\n" + data).replace(b"\r\n..", b"\r\n.")[2:]


def path_of(line):
    return line[line.index(b"<") + 1 : line.rindex(b">")].decode("utf-8", "surrogateescape")
