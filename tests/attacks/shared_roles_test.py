"""What somebody gains who has taken over a process that foreign code or strangers reach: nothing of those that other
trust is put in."""

import os
import pathlib
import socket
import struct
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from harness import pop3
from harness import relais

PASSWORD = "correct horse"


def answer(name, uid, gid, home):
    """What a qmail-authd says of a login that is right, in the form of auth/protocol.h."""
    body = b"K" + b"".join(relais.octets(str(field)) + b"\0" for field in (name, uid, gid, gid, home, "/bin/sh", "", ""))
    return struct.pack("<H", len(body)) + body


@unittest.skipUnless(relais.IS_ROOT, "needs a system instance")
class SharedRoles(relais.TestCase):
    def test_a_validator_shares_its_user_with_nobody(self):
        """Foreign code that shared qmailp's could trace the process whose answers root obeys."""
        i = self.instance()
        i.add_user("anna")
        found = i.directory / "found"
        found.touch()
        found.chmod(0o666)
        validator = i.directory / "validator"
        validator.write_text(f"#!/bin/sh\nid -u >{found}\nexit 0\n")
        validator.chmod(0o755)
        i.control("authbearer", str(validator))
        i.start(smtpd=None)
        body = b"B" + b"".join(each + b"\0" for each in (b"anna", b"test", b"192.0.2.1", b"XOAUTH2", b"token"))
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            s.connect(str(i.home / "sockets/auth-smtp"))
            s.sendall(struct.pack("<H", len(body)) + body)
            self.assertEqual(s.recv(65536)[2:3], b"K")
        i.submit("a@b.example", ["anna@mail.test"])  # the look-up runs
        uid = int(found.read_text())
        self.assertEqual(uid, i.ids("qmailv")[0])
        i.users["anna"].wait_messages(1)
        self.assertEqual([p for p in i.processes() if p.uid == uid], [])

    def become(self, i, said):
        """A login where qmail-authd says that; returns checkpassword's exit code, what its program printed, and the log."""
        path = i.home / "sockets/auth"
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
            listening.listen(1)

            def serve():
                client = listening.accept()[0]
                with client:
                    client.recv(65536)
                    client.sendall(said)
            server = threading.Thread(target=serve)
            server.start()
            read_end, write_end = os.pipe()
            os.write(write_end, b"anna\0x\0t\0")
            os.close(write_end)
            script = 'exec 3<&%d; exec "$@"' % read_end
            done = subprocess.run(["bash", "-c", script, "-", relais.program("checkpassword"), "/usr/bin/env", "sh", "-c",
                                   "id -u; id -g; id -G; pwd; echo $USER"],
                                  env=i.environment, pass_fds=[read_end], capture_output=True, text=True, timeout=60)
            os.close(read_end)
            server.join()
        return done.returncode, done.stdout.split(), done.stderr

    def test_a_lying_authd_chooses_no_ids(self):
        """Who has taken qmail-authd over says root, or a role: the account is as root has written it."""
        i = self.instance()
        anna = i.add_user("anna")
        pop3.set_password(i, "anna", PASSWORD)
        for uid, gid in ((0, 0), i.ids("qmails"), (33, 42), (anna.uid, 0)):
            code, words, _ = self.become(i, answer("anna@mail.test", uid, gid, "/etc"))
            self.assertEqual((code, words), (0, [str(anna.uid), str(anna.gid), str(anna.gid), str(anna.home), "anna@mail.test"]))
        for name, why in (("nobody@mail.test", "it is not in users/passwd.cdb"), ("root", "as root"), ("nosuchuser", "no such user"),
                          ("", "no such user")):
            code, words, log = self.become(i, answer(name, anna.uid, anna.gid, anna.home))
            self.assertEqual((code, words), (111, []))
            self.assertIn(f"unable to log in {name}: ", log)
            self.assertIn(why, log)

    def test_no_login_as_a_role(self):
        i = self.instance(control={"minimumuid": "1000"})
        for uid, gid, why in ((i.ids("qmailq")[0], 4242, "as a user of the mail system (qmailq"), (4242, i.ids("qmails")[1], "with a group"),
                              (i.ids("qmaila")[0], 4242, "as a user of the mail system (qmaila")):
            pop3.set_password(i, "anna", PASSWORD, "--uid", uid, "--gid", gid, "--home", "/tmp")
            code, words, log = self.become(i, answer("anna@mail.test", uid, gid, "/tmp"))
            self.assertEqual((code, words), (111, []))
            self.assertIn(why, log)
        # users/passwd is the administrator's: who is named there may be below control/minimumuid. The system's users may not.
        pop3.set_password(i, "anna", PASSWORD, "--uid", 89, "--gid", 89, "--home", "/tmp")
        self.assertEqual(self.become(i, answer("anna@mail.test", 0, 0, "/"))[:2], (0, ["89", "89", "89", "/tmp", "anna@mail.test"]))
        code, _, log = self.become(i, answer("games", 5, 60, "/tmp"))
        self.assertEqual(code, 111)
        self.assertIn("which is below the 1000 of control/minimumuid", log)


if __name__ == "__main__":
    relais.main()
