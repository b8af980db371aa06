"""The table "Programs, owners, privileges" of docs/architecture.md, compared with the running processes."""

import os
import re
import unittest

from harness import relais
from harness.sink import Sink

# Of an administrator, or servers that not every instance has: not running here.
TOOLS = ("route-explain", "mail-verify", "dkim-key", "splogger", "qmail-user", "qmail-import", "qmail-qmtpd", "rblsmtpd", "qmail-trace", "qmailctl", "qmail-summary", "tls-report", "dmarc-report")
LOGIN_CHAIN = ("qmail-popup", "checkpassword", "qmail-pop3d", "qmail-popd")  # started by hand: tests/pop3_test.py, tests/pop3_listener_test.py
CAPABILITIES = ("CapPrm", "CapEff", "CapAmb")
BOUNDING_SET = "CapBnd"  # emptied in roles; a person's own setuid programs must work


def table():
    """The rows: program name -> (uid, group, confined)."""
    text = (relais.ROOT / "docs/architecture.md").read_text()
    start = text.index("| program | uid |")
    rows = {}
    for line in text[start:].split("\n\n")[0].splitlines()[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        rows[cells[0]] = {"uid": cells[1], "group": cells[2], "network": cells[4], "confined": cells[6]}
    return rows


@unittest.skipUnless(relais.IS_ROOT, "a system instance needs root")
class Privileges(relais.TestCase):
    def setUp(self):
        self.sink = Sink()
        self.sink.__enter__()
        self.addCleanup(self.sink.__exit__)
        self.i = self.instance(control={"smtproutes": f":127.0.0.1:{self.sink.port}", "rcpthosts": "mail.test\nsink.test"})
        self.bob = self.i.add_user("bob")
        self.bob.write(".qmail-slow", "|touch $HOME/runs; cat > /dev/null; while test ! -e $HOME/enough; do sleep 0.1; done\n")
        self.i.start()
        self.addCleanup(lambda: (self.bob.home / "enough").touch())
        self.i.send("a@b.example", ["x@sink.test"], "Subject: x\n\nx\n")
        self.i.send("a@b.example", ["bob-slow@mail.test"], "Subject: x\n\nx\n")
        self.i.wait_for(lambda: (self.bob.home / "runs").exists(), what="a slow delivery")
        self.i.wait_for(lambda: self.sink.messages, what="a remote delivery")

    def group_of(self, name):
        return {"qmail": self.i.ids("qmails")[1], "nofiles": self.i.ids("qmaild")[1], "qmaila": self.i.ids("qmaila")[1],
                "qmailm": self.i.ids("qmailm")[1]}[name]

    def check(self, process, row):
        status = process.status()
        uids = set(status["Uid"].split())
        gids = set(status["Gid"].split())
        if row["uid"] == "root":
            self.assertEqual(uids, {"0"}, process)
            return
        wanted = self.bob.uid if row["uid"] == "the recipient" else self.i.ids(row["uid"])[0]
        self.assertEqual(uids, {str(wanted)}, f"{process}: every uid must be {row['uid']}")
        self.assertEqual(status["Groups"].split(), [], f"{process}: no supplementary groups")
        if row["group"]:
            self.assertEqual(gids, {str(self.group_of(row["group"]))}, f"{process}: every gid must be {row['group']}")
        for name in CAPABILITIES:
            self.assertEqual(int(status[name], 16), 0, f"{process}: {name}")
        if row["uid"] != "the recipient":
            self.assertEqual(int(status[BOUNDING_SET], 16), 0, f"{process}: {BOUNDING_SET}")
        if not relais.CONFINED:
            return
        confined = row["confined"].startswith("seccomp")
        self.assertEqual(status["Seccomp"] == "2", confined, f"{process}: seccomp must be {'on' if confined else 'off'}")
        self.assertEqual(status["NoNewPrivs"] == "1", confined, f"{process}: no_new_privs")

    def test_processes_are_what_the_table_says(self):
        rows = table()
        with self.i.smtp():
            # One that has just begun has not given everything up yet, and one may end while it is looked at.
            wrong = []

            def seen():
                try:
                    return {self.check_in(rows, process) for process in self.i.processes()}
                except (AssertionError, FileNotFoundError, ProcessLookupError) as error:
                    wrong.append(error)
            names = relais.wait_until(seen)
        self.assertTrue(names, wrong[-1:])
        missing = {re.split("[ ,']", name)[0][:15] for name in rows} - names - {"qmail-getpw", *LOGIN_CHAIN, *TOOLS}
        self.assertFalse(missing, f"not seen running: {missing}")

    def check_in(self, rows, process):
        """Compares a process with its row; returns its name."""
        if process.name in ("sh", "sleep", "cat", "touch"):
            self.assertEqual(process.uid, self.bob.uid)
            return process.name
        row = next((row for name, row in rows.items() if re.split(r"[ ,']", name)[0][:15] == process.name), None)
        if process.name.startswith("qmail-send-"):
            row = rows["qmail-send, and its children for slow work"]
        self.assertIsNotNone(row, f"{process} is not in the table")
        if process.name == "qmail-lspawn" and process.uid != 0:
            row = rows["qmail-getpw -s, qmail-lspawn's look-up child"]
        if process.name == "qmail-authd":
            checks = process.arguments()[:1] == [b"qmail-authd check"]
            row = rows["qmail-authd, the half that starts others" if process.uid == 0 else
                       "qmail-authd's checks of hashes" if checks else "qmail-authd"]
        if process.name == "qmail-keyd" and process.uid != 0:
            row = rows["qmail-keyd, the half that signs"]
        if process.name == "qmail-console":
            row = rows["qmail-console, the half with rights" if process.uid == 0 else
                       "qmail-console, the half that speaks with browsers"]
        if process.name == "qmail-rcptd":
            row = rows["qmail-rcptd, the half that looks into homes" if process.uid == 0 else
                       "qmail-rcptd, the half that speaks with clients"]
        if process.name == "qmail-smtpd":
            filters = process.arguments()[:1] == [b"qmail-smtpd filters"]
            row = rows["qmail-smtpd's keeper" if process.pid == self.i.running["smtpd"].pid else
                       "qmail-smtpd's guardian of filters" if filters else "qmail-smtpd"]
            if filters:
                self.assertEqual(process.uid, 0)
        if process.name == "qmail-smtpd" and row["uid"] != "root" and process.status()["Uid"].split()[0] == "0":
            self.fail(f"{process} runs as root")
        self.check(process, row)
        return process.name

    def test_programs_of_roles_are_closed(self):
        """Who has the uid of a role cannot trace the next program of that role in the moment after its execve."""
        seen = 0
        for process in self.i.processes():
            if process.name.startswith(("qmail-", "open-smtpd")) and process.name not in ("qmail-start", "qmail-local"):
                seen += 1
                mode = os.stat(f"/proc/{process.pid}/exe").st_mode & 0o777
                self.assertEqual(mode, 0o711, process)
        self.assertGreater(seen, 8)
        program = relais.program("qmail-getpw")
        tried = self.i.run("/usr/bin/python3", "-c", f"open({program!r}, 'rb')", user=self.bob)
        self.assertIn("PermissionError", tried.err)

    def test_a_user_program_inherits_nothing_of_the_queue(self):
        self.bob.write(".qmail-fds", "|ls -l /proc/self/fd > $HOME/fds; id > $HOME/id\n")
        self.i.send("a@b.example", ["bob-fds@mail.test"], "Subject: x\n\nx\n")
        self.i.wait_for(lambda: (self.bob.home / "id").exists() and (self.bob.home / "id").stat().st_size, what="the program")
        listing = (self.bob.home / "fds").read_text()
        self.assertNotIn(str(self.i.home / "queue"), listing)
        open_fds = {int(n) for n in re.findall(r" (\d+) -> ", listing)}
        # ls itself opens 3 to read the directory.
        self.assertLessEqual(open_fds, {0, 1, 2, 3}, listing)
        self.assertIn(f"uid={self.bob.uid}", (self.bob.home / "id").read_text())

    def test_others_cannot_look_into_the_queue(self):
        mode = (self.i.home / "queue/mess").stat().st_mode
        self.assertEqual(mode & 0o007, 0)
        self.assertEqual(os.stat(self.i.home / "queue/mess/0").st_mode & 0o7777, 0o2770)


if __name__ == "__main__":
    relais.main()
