"""We before opendkim: we sign and it verifies, by DNS of a name server in the test's own network. Its tool signs by
rsa-sha1 alone, which is no longer a signature."""

from harness import namespace

namespace.enter()

import base64
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import unittest

from harness import relais

TOOL = "/usr/sbin/opendkim-testmsg"
MESSAGE = (b"From: A <a@example.org>\r\nTo: b@example.net,\r\n\tc@example.net\r\nSubject: a  \t subject \r\n"
           b"Date: Mon, 30 Nov 2026 00:00:00 +0000\r\nMessage-ID: <1@example.org>\r\nX-Long: " + b"x" * 900 +
           b"\r\n\r\n8-bit \xc3\xa4\r\n\r\n trailing \t\r\n\r\n\r\n")


class NameServer:
    """Answers each question of TXT on port 53 of 127.0.0.1 with one text."""

    def __init__(self, text):
        self.text = text.encode()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        strings = [self.text[i : i + 200] for i in range(0, len(self.text), 200)]
        data = b"".join(bytes([len(s)]) + s for s in strings)
        while True:
            question, client = self.socket.recvfrom(4096)
            if question == b"end":
                return
            end = question.index(b"\0", 12) + 5
            header = question[:2] + b"\x81\x80" + struct.pack(">4H", 1, 1, 0, 0)
            record = b"\xc0\x0c" + struct.pack(">HHIH", 16, 1, 60, len(data)) + data
            self.socket.sendto(header + question[12:end] + record, client)

    def stop(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"end", ("127.0.0.1", 53))
        self.thread.join()
        self.socket.close()


@unittest.skipUnless(shutil.which(TOOL), "opendkim-tools is not installed")
class OpendkimTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        namespace.require()
        cls.addClassCleanup(namespace.private("/etc"))
        pathlib.Path("/etc/resolv.conf").unlink(missing_ok=True)
        pathlib.Path("/etc/resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:5 attempts:1\n")
        folder = tempfile.TemporaryDirectory(prefix="rl-opendkim.", dir="/tmp")
        cls.addClassCleanup(folder.cleanup)
        cls.key = pathlib.Path(folder.name) / "key"
        cls.zone = pathlib.Path(folder.name) / "zone"
        subprocess.run(["openssl", "genrsa", "-out", cls.key, "2048"], capture_output=True, check=True)
        public = subprocess.run(["openssl", "rsa", "-in", cls.key, "-pubout", "-outform", "DER"], capture_output=True,
                                check=True).stdout
        record = "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()
        strings = " ".join(f'"{record[i : i + 200]}"' for i in range(0, len(record), 200))
        cls.zone.write_text(f"sel._domainkey.example.org. TXT ( {strings} )\n")
        server = NameServer(record)
        cls.addClassCleanup(server.stop)

    def run_tool(self, command, message):
        return subprocess.run(command, input=message, capture_output=True, timeout=60 * relais.PATIENCE)

    def test_its_old_signatures_are_none(self):
        signed = self.run_tool([TOOL, "-d", "example.org", "-s", "sel", "-k", self.key], MESSAGE)
        self.assertEqual(signed.returncode, 0, signed.stderr)
        self.assertIn(b"a=rsa-sha1", signed.stdout)
        said = self.run_tool([relais.program("mail-verify"), "-", "--dns", self.zone], signed.stdout)
        self.assertEqual(said.returncode, 1)
        self.assertRegex(said.stdout, rb"(?m)^dkim: permerror d=example\.org s=sel .*rsa-sha1")

    def check(self, header, body):
        signed = self.run_tool([relais.program("mail-sign"), "sign", "--key", self.key, "--domain", "example.org",
                                "--selector", "sel", "--header",
                                header, "--body", body], MESSAGE)
        self.assertEqual(signed.returncode, 0, signed.stderr)
        self.assertEqual(self.run_tool([TOOL], signed.stdout).returncode, 0)
        self.assertNotEqual(self.run_tool([TOOL], signed.stdout.replace(b"8-bit", b"9-bit")).returncode, 0)
        self.assertNotEqual(self.run_tool([TOOL], b"Subject: other\r\n" + signed.stdout).returncode, 0)

    def test_ours_before_it(self):
        for header in ("simple", "relaxed"):
            for body in ("simple", "relaxed"):
                with self.subTest(header=header, body=body):
                    self.check(header, body)


if __name__ == "__main__":
    relais.main()
