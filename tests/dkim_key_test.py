"""dkim-key: keys are made once and kept from others, and what is shown is what DNS must have."""

import os
import pathlib
import re
import stat
import subprocess
import tempfile
import unittest

from harness import relais


class DkimKeyTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="rl-dkim.", dir="/tmp")
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)
        (self.home / "control").mkdir()

    def run_tool(self, *arguments, program="dkim-key", stdin=b""):
        done = subprocess.run([relais.program(program), *map(str, arguments)], input=stdin, capture_output=True,
                              timeout=60 * relais.PATIENCE,
                              env={**os.environ, "QMAILHOME": str(self.home)})
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def zone(self, text):
        path = self.home / "zone"
        path.write_text(text)
        return path

    def zone_lines(self, shown):
        return "".join(line + "\n" for line in shown.splitlines() if " IN TXT " in line)

    def test_a_key_is_made_once_and_is_its_owners_alone(self):
        os.umask(0)
        self.addCleanup(os.umask, 0o022)
        code, out, err = self.run_tool("make", "Example.ORG.", "--selector", "One")
        self.assertEqual((code, err), (0, ""))
        path = self.home / "control/dkim/example.org/one"
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o400)
        self.assertEqual({stat.S_IMODE(p.stat().st_mode) for p in (path.parent, path.parent.parent)}, {0o700})
        before = path.read_bytes()
        self.assertEqual(subprocess.run(["openssl", "pkey", "-in", path, "-noout"]).returncode, 0)
        code, _, err = self.run_tool("make", "example.org", "--selector", "one")
        self.assertEqual(code, 100)
        self.assertIn("exists: a key is never overwritten", err)
        self.assertEqual(path.read_bytes(), before)
        self.assertEqual(self.run_tool("show", "example.org")[1], out)
        path.chmod(0o440)
        code, _, err = self.run_tool("show", "example.org")
        self.assertEqual(code, 100)
        self.assertIn("others may read it", err)

    def test_the_three_forms_say_the_same(self):
        code, out, _ = self.run_tool("make", "example.org", "--type", "both")
        self.assertEqual(code, 0)
        names = re.findall(r"^(\S+)\. IN TXT", out, re.MULTILINE)
        self.assertRegex(" ".join(names), r"^r\d{6}\._domainkey\.example\.org e\d{6}\._domainkey\.example\.org$")
        for name in names:
            strings = re.search(rf"^{re.escape(name)}\. IN TXT \( (.*) \)$", out, re.MULTILINE).group(1)
            value = "".join(re.findall(r'"([^"]*)"', strings))
            self.assertTrue(all(len(s) <= 255 for s in re.findall(r'"([^"]*)"', strings)))
            self.assertIn(f"\n{name}\n{value}\n", out)
            tinydns = re.search(rf"^'{re.escape(name)}:([^:]*):3600$", out, re.MULTILINE).group(1)
            self.assertEqual(re.sub(r"\\(\d{3})", lambda m: chr(int(m.group(1), 8)), tinydns), value)

    def test_check_compares_with_dns(self):
        _, out, _ = self.run_tool("make", "example.org", "--type", "both")
        rsa, ed25519 = self.zone_lines(out).splitlines(keepends=True)
        name = rsa.split(" ")[0]

        def check(zone):
            code, said, err = self.run_tool("check", "example.org", "--dns", self.zone(zone))
            self.assertEqual(err, "")
            return code, [line.partition(": ")[2] for line in said.splitlines()]

        self.assertEqual(self.run_tool("use", "example.org", "--dns", self.zone(rsa + ed25519))[0], 0)
        self.assertEqual(check(rsa + ed25519), (0, ["published", "published"]))
        self.assertEqual(check(rsa), (1, ["not published", "published"]))
        self.assertEqual(check(ed25519 + f"{name} TIMEOUT\n"), (111, ["published", "no answer from DNS"]))
        self.assertEqual(check(f"{name} TIMEOUT\n")[0], 1)
        self.assertEqual(check(ed25519 + rsa.replace("k=rsa;", "k=rsa; t=y;"))[1][1], "published, in test mode (t=y)")
        self.assertEqual(check(ed25519 + f'{name} TXT "v=DKIM1; p="\n')[1][1], "another key is published")
        self.assertEqual(check(ed25519 + rsa + f'{name} TXT "x"\n')[1][1],
                         "published, but beside other TXT records: verifiers may take one of these")

    def test_what_it_makes_signs(self):
        _, out, _ = self.run_tool("make", "example.org", "--selector", "s1")
        code, signed, err = self.run_tool("sign", "--key", self.home / "control/dkim/example.org/s1", "--domain",
                                          "example.org", "--selector", "s1",
                                          program="mail-sign", stdin=b"From: a@example.org\n\nbody\n")
        self.assertEqual(code, 0, err)
        code, said, err = self.run_tool("-", "--dns", self.zone(self.zone_lines(out)), program="mail-verify",
                                        stdin=signed.encode())
        self.assertIn("dkim: pass d=example.org s=s1", said)

    def in_use(self):
        return (self.home / "control/dkim/example.org/.use").read_text().split()

    def test_a_key_signs_when_it_is_published(self):
        _, out, _ = self.run_tool("make", "example.org", "--selector", "s1")
        self.assertEqual(self.in_use(), [])
        code, said, _ = self.run_tool("use", "example.org", "--dns", self.zone("\n"))
        self.assertEqual(code, 1)
        self.assertIn("s1._domainkey.example.org: not published; it does not sign\nnothing is changed: ", said)
        self.assertEqual(self.in_use(), [])
        code, said, _ = self.run_tool("use", "example.org", "--dns", self.zone(self.zone_lines(out)))
        self.assertEqual((code, self.in_use()), (0, ["s1"]))
        self.assertTrue(said.endswith("s1 signs the mail of example.org now\n"), said)

    def test_keys_that_were_there_before_go_on_signing(self):
        self.run_tool("make", "example.org", "--selector", "old")
        (self.home / "control/dkim/example.org/.use").unlink()
        self.run_tool("make", "example.org", "--selector", "new")
        self.assertEqual(self.in_use(), ["old"])

    def test_an_exchange_goes_by_steps(self):
        _, old, _ = self.run_tool("make", "example.org", "--selector", "old")
        self.assertEqual(self.run_tool("use", "example.org", "--unchecked")[0], 0)
        code, new, _ = self.run_tool("rotate", "example.org")
        self.assertEqual(code, 1)
        selector = re.search(r"^(r\d{6})\._domainkey\.example\.org\. IN TXT", new, re.MULTILINE).group(1)
        self.assertEqual(self.in_use(), ["old"])
        # Nobody sees it yet; then they do.
        self.assertEqual(self.run_tool("rotate", "example.org", "--dns", self.zone(self.zone_lines(old)))[0], 1)
        self.assertEqual(self.in_use(), ["old"])
        both = self.zone(self.zone_lines(old) + self.zone_lines(new))
        code, said, _ = self.run_tool("rotate", "example.org", "--dns", both)
        self.assertEqual((code, self.in_use()), (0, [selector]))
        self.assertIn("old does not sign any more: its record must stay published", said)
        # What it has signed may be in the queue for a week, and be read two days later.
        folder = self.home / "control/dkim/example.org"
        code, said, _ = self.run_tool("rotate", "example.org")
        self.assertEqual((code, said), (1, "old signs no more and is kept for 216 hours\n"))
        name, when = (folder / ".retired").read_text().split()
        (folder / ".retired").write_text(f"{name} {int(when) - 9 * 86400 - 1}\n")
        code, said, _ = self.run_tool("rotate", "example.org")
        self.assertEqual((code, said), (0, "the key old is gone: take the record old._domainkey.example.org out of DNS\n"))
        self.assertFalse((folder / "old").exists())
        self.assertEqual((self.in_use(), (folder / ".retired").read_text()), ([selector], ""))
        # The next exchange takes another name in the same month.
        self.assertIn(f"{selector}b._domainkey", self.run_tool("rotate", "example.org")[1])

    def test_names_never_leave_the_directory(self):
        for arguments in (("..",), ("a/b",), ("../x.org",), (".hidden",), ("",), ("x.org", "--selector", "../y"),
                          ("x.org", "--selector", "a/b")):
            self.assertEqual(self.run_tool("make", *arguments)[0], 100, arguments)
        self.assertFalse((self.home / "control/dkim").exists())
        self.assertEqual(self.run_tool("show", "example.org")[0], 100)
        self.assertEqual(self.run_tool("make", "example.org", "--type", "dsa")[0], 100)
        self.assertEqual(self.run_tool("make", "example.org", "--type", "both", "--selector", "x")[0], 100)


if __name__ == "__main__":
    relais.main()
