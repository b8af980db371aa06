"""Any user of the machine can read the arguments of all processes: with control/proctitle there is no address in them."""

import pathlib
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from harness import relais
from harness.fake_smtp import FakeServer

WORDS = (b"anna", b"there.test", b"mail.test", b"127.0.0.1")


class Titles(relais.TestCase):
    def titles(self, i, *names):
        """Of an instance while it takes a message, and delivers one here and one elsewhere."""
        gate = threading.Event()
        self.addCleanup(gate.set)
        with FakeServer(MAIL=lambda session, line: (gate.wait(300), b"250 ok\r\n")[1]) as server:
            i.control("smtproutes", f":127.0.0.1:{server.port}")
            anna = i.add_user("anna")
            anna.write(".qmail-slow", "|touch $HOME/runs; while test ! -e $HOME/enough; do sleep 0.1; done\n")
            i.start()
            with i.smtp() as client:
                client.command("NOOP", 250)
                i.submit("a@there.test", ["anna-slow@mail.test", "anna@there.test"])
                i.wait_for(lambda: (anna.home / "runs").exists(), what="a delivery here")
                i.wait_for(lambda: server.sessions and server.sessions[0].commands, what="a delivery elsewhere")
                found = {process.name: process.arguments() for process in i.processes()}
            (anna.home / "enough").touch()
            gate.set()
            i.wait_empty()
        return [b"\0".join(found[name]).rstrip(b"\0") for name in names]

    def test_new_instances_show_no_addresses(self):
        i = self.instance()
        all_names = ("qmail-remote", "qmail-local", "qmail-smtpd")
        self.assertEqual((i.home / "control/proctitle").read_text(), "1\n")
        titles = self.titles(i, *all_names)
        for title in titles:
            for word in WORDS:
                self.assertNotIn(word, title)
        self.assertEqual(titles[:2], [b"qmail-remote busy", b"qmail-local busy"])

    def test_without_the_file_all_is_as_it_was(self):
        remote, local = self.titles(self.instance(control={"proctitle": None}), "qmail-remote", "qmail-local")
        self.assertEqual(remote, b"qmail-remote there.test a@there.test anna@there.test")
        self.assertEqual(local, b"qmail-local anna-slow@mail.test")

    def test_programs_hide_their_arguments(self):
        i = self.instance()
        for name, *arguments in (("qmail-inject", "-fanna@there.test", "joe@mail.test"), ("sendmail", "-f", "anna@there.test", "joe"),
                                 ("qmail-remote", "127.0.0.1", "anna@there.test", "joe@mail.test")):
            with self.subTest(name):
                process = subprocess.Popen([relais.program(name), *arguments], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                           stderr=subprocess.DEVNULL, env=i.environment)
                seen = pathlib.Path(f"/proc/{process.pid}/cmdline")
                if name != "qmail-remote":  # which is soon done
                    relais.wait_until(lambda path=seen, wanted=name: path.read_bytes().rstrip(b"\0") == wanted.encode())
                process.stdin.close()
                process.wait(60)

    def test_tools_hide_addresses(self):
        for value in ("1", "0"):
            i = self.instance(control={"proctitle": value})
            i.add_user("anna")
            process = subprocess.Popen([relais.program("qmail-passwd"), "set", "anna@mail.test"], stdin=subprocess.PIPE,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=i.environment)
            title = pathlib.Path(f"/proc/{process.pid}/cmdline")
            wanted = b"qmail-passwd" if value == "1" else b"qmail-passwd\0set\0anna@mail.test"
            relais.wait_until(lambda path=title, words=wanted: path.read_bytes().rstrip(b"\0").endswith(words))
            process.communicate(b"correct horse\n", 60)
            self.assertEqual(process.returncode, 0)


if __name__ == "__main__":
    relais.main()
