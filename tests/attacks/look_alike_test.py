"""A process of any user's with the name, the place and the environment of a part of an instance: qmailctl does not take it for one."""

import os
import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from harness import relais  # noqa: E402

STRANGER = 12345


@unittest.skipUnless(relais.IS_ROOT, "the attack is on root's tool")
class LookAlike(relais.TestCase):
    def pretend(self, i, name, place):
        program = i.directory / name
        shutil.copy("/bin/cat", program)
        program.chmod(0o755)
        process = subprocess.Popen([program], user=STRANGER, group=STRANGER, extra_groups=[], cwd=place, env={"QMAILHOME": str(i.home)},
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.communicate)
        process.stdin.write(b"\n")
        process.stdin.flush()
        process.stdout.readline()  # it runs
        return process

    def test_qmailctl_ends_nobody_else(self):
        i = self.instance()
        os.chmod(i.directory, 0o755)
        self.assertEqual(os.stat(i.home / "service").st_mode & 0o5, 0o5, "or a stranger could not work there")
        pretenders = [self.pretend(i, "svscan", i.home / "service"), self.pretend(i, "supervise", i.home / "service/qmail-send"),
                      self.pretend(i, "tcpserver", "/")]
        done = i.run("qmailctl", "stop", str(i.home))
        self.assertEqual((done.code, done.out), (0, f"{i.home} is not running\n"), done)
        for process in pretenders:
            self.assertIsNone(process.poll(), "it was taken for a part of the instance, and ended")


if __name__ == "__main__":
    relais.main()
