"""CHUNKING (RFC 3030) with a real client of it, Exim, and on the whole way into a mailbox."""

import unittest

from harness import peers
from harness import relais

TEXT = "Subject: chunks\n\n.\n..\n.dot\n" + "é" * 100 + "\n" + "x" * 900 + "\n"


class ChunkingExim(peers.Exim):
    """Sends all that it gets to a port, by BDAT where the server there offers it."""

    def __init__(self, next_port):
        super().__init__()
        path = self.directory / "config"
        text = path.read_text()
        text = text.replace("driver = accept\n  transport = box", "driver = manualroute\n  transport = next\n  route_list = * 127.0.0.1\n  self = send")
        path.write_text(text.replace("begin transports\n", f"begin transports\nnext:\n  driver = smtp\n  port = {next_port}\n"))


class Chunking(relais.TestCase):
    def make(self, **control):
        i = self.instance(control={"chunking": "1", **control})
        return i, i.add_user("bob")

    @unittest.skipUnless(relais.IS_ROOT, "a whole Exim needs root")
    def test_exim_sends_in_chunks(self):
        i, bob = self.make()
        i.start()
        with ChunkingExim(i.port) as exim:
            for number in range(3):
                with relais.Smtp(exim.port) as smtp:
                    smtp.command("EHLO client.test")
                    smtp.deliver("a@client.test", [bob.address], TEXT * (1 + 300 * number))
            messages = bob.wait_messages(3)
            # "K" says that a message went by BDAT.
            exim.wait_log(" K ", 3)
        self.assertEqual(sorted(message.count(b"\n.\n..\n.dot\n" + "é".encode() * 100) for message in messages), [1, 301, 601])

    def test_checks_see_what_comes_in_chunks(self):
        """Filters, verification and the header's completion work as with DATA."""
        i, bob = self.make(mailauth="on", databytes="2000000")
        i.start()
        data = b"Authentication-Results: mail.test; spf=pass\r\nSubject: x\r\n\r\nby DATA\r\n"
        for chunks in ((data,), tuple(data[n:n + 1] for n in range(len(data)))):
            with i.smtp() as smtp:
                smtp.pipeline("MAIL FROM:<a@b.example>", f"RCPT TO:<{bob.address}>")
                smtp.raw(b"".join(b"BDAT %d\r\n" % len(chunk) + chunk for chunk in chunks) + b"BDAT 0 LAST\r\n")
                for _ in chunks:
                    smtp.expect(250)
                self.assertRegex(smtp.expect(250).text, r"^ok \d+ qp \d+$")
        for message in bob.wait_messages(2):
            self.assertEqual(message.count(b"Authentication-Results: mail.test"), 1)
            self.assertNotIn(b"spf=pass", message)
            self.assertTrue(message.endswith(b"\nSubject: x\n\nby DATA\n"), message)
        with i.smtp() as smtp:
            smtp.pipeline("MAIL FROM:<a@b.example>", f"RCPT TO:<{bob.address}>")
            smtp.raw(b"BDAT 3000000 LAST\r\n" + b"x" * 3000000 + b"NOOP\r\n")
            smtp.expect(552)
            smtp.expect(250)


if __name__ == "__main__":
    relais.main()
