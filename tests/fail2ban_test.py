"""fail2ban's own programs read docs/fail2ban, and find those in our log who guess passwords, and nobody else."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from harness import peers, pop3, relais

FILES = relais.ROOT / "docs/fail2ban"
# Who guesses once an address, in the order in which the lines come.
GUESSERS = ["192.0.2.7", "2001:db8::7"]


class Fail2ban(relais.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tree = peers.fetch("fail2ban", "fail2ban").directory

    def run_tool(self, name, *arguments):
        return subprocess.run(["/usr/bin/python3", self.tree / "usr/bin" / name, *arguments], capture_output=True, text=True,
                              env={**os.environ, "PYTHONPATH": str(self.tree / "usr/lib/python3/dist-packages"), "PYTHONDONTWRITEBYTECODE": "1"})

    def found(self, lines):
        """The addresses that fail2ban would count, a line each."""
        with tempfile.NamedTemporaryFile("w", suffix=".log") as log:
            log.write("".join(line + "\n" for line in lines))
            log.flush()
            done = self.run_tool("fail2ban-regex", "--raw", "-o", "ip", log.name, FILES / "filter.d/relais.conf")
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        return done.stdout.split()

    def test_who_guesses_is_found(self):
        i = self.instance()
        i.add_user("anna")
        pop3.set_password(i, "anna", "right")
        i.start(smtpd=None)
        for address in GUESSERS:
            self.assertEqual(pop3.ask_authd(i, "anna", "wrong", address=address)[0], "R")
        # A name that says it is somebody else.
        self.assertEqual(pop3.ask_authd(i, "x from 203.0.113.9 over smtp: failure 9 of this address, answer in 0 s", "wrong", address="192.0.2.8")[0], "R")
        self.assertEqual(pop3.ask_authd(i, "anna", "right", address="192.0.2.9")[0], "K")
        lines = i.wait_log("192.0.2.8 over")
        everything = i.log()
        wanted = [*GUESSERS, "192.0.2.8"]
        self.assertEqual(len(lines), 1)
        self.assertEqual(self.found(everything), wanted)
        # As multilog and the journal have them.
        self.assertEqual(self.found(f"@400000006553f1001e240{n:03x} {line}" for n, line in enumerate(everything)), wanted)
        self.assertEqual(self.found(f"Dec 01 05:24:14 host run[568]: {line}" for line in everything), wanted)

    def test_those_who_are_not_looked_at_any_more(self):
        said = "qmail-authd: refused anna from 192.0.2.7 over pop3: too many failed logins, not looked at, refusal 16 of this address"
        self.assertEqual(self.found([said]), ["192.0.2.7"])
        # A front end of control/authtrusted has many users.
        trusted = "qmail-authd: refused anna from 192.0.2.7 over smtp: wrong password, failure 3 of this account there, answer in 0 s"
        self.assertEqual(self.found([trusted]), [])
        self.assertEqual(self.found([said.replace("qmail-authd", "x: qmail-authd"), said + " y", "z" + said]), [])

    def test_a_jail_of_it_is_whole(self):
        with tempfile.TemporaryDirectory() as directory:
            shutil.copytree(self.tree / "etc/fail2ban", directory, dirs_exist_ok=True)
            shutil.copytree(FILES, directory, dirs_exist_ok=True)
            jail = (FILES / "jail.d/relais.conf").read_text()
            log = self.instance().home / "current"
            log.write_text("")
            (pathlib.Path(directory) / "jail.d/relais.conf").write_text(re.sub(r"(?m)^(logpath +=).*", rf"\1 {log}", jail))
            shown = self.run_tool("fail2ban-client", "-c", directory, "-d")
        self.assertEqual(shown.returncode, 0, shown)
        self.assertIn(f"['set', 'relais', 'addlogpath', '{log}', 'head']", shown.stdout)
        self.assertIn("['start', 'relais']", shown.stdout)



if __name__ == "__main__":
    relais.main()
