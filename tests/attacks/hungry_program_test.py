"""A program in a .qmail file may use what control/limitslocal says, not all that root has."""

import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from harness import relais


@unittest.skipUnless(relais.IS_ROOT, "needs users")
class HungryProgram(relais.TestCase):
    def limits(self, i, user, number):
        """Of the program, as the kernel tells."""
        self.assertEqual(i.submit("a@b.test", [f"{user.name}@mail.test"]), 0)
        found = user.home / "limits"
        i.wait_for(lambda: found.exists() and found.read_text().count("Max realtime timeout") > number, 60, "the program")
        return dict(re.findall(r"^(Max .*?)  +(\S+)", found.read_text(), re.M))

    def test_what_a_program_may_use(self):
        i = self.instance()
        user = i.add_user("hungry")
        user.write(".qmail", f"|cat /proc/self/limits >>{user.home}/limits\n")
        i.start_send()
        before = self.limits(i, user, 0)
        i.control("limitslocal", "# a comment\nnproc 50\nas 1000000000\ncpu 77\nfsize 4000000\nnofile 32\ncore 0\n")
        after = self.limits(i, user, 1)
        wanted = {"Max address space": "1000000000", "Max cpu time": "77", "Max file size": "4000000", "Max open files": "32",
                  "Max core file size": "0"}
        self.assertEqual({name: after[name] for name in wanted}, wanted)
        # users/assign gives this user his uid: others may have it too.
        self.assertEqual(after["Max processes"], before["Max processes"])

    def test_a_wrong_line_is_named(self):
        i = self.instance(control={"limitslocal": "cpu 600\nmemory lots\n"})
        user = i.add_user("hungry")
        user.write(".qmail", "|true\n")
        i.start_send()
        self.assertEqual(i.submit("a@b.test", ["hungry@mail.test"]), 0)
        line = i.wait_log("deferral: ", seconds=60)[0]
        self.assertIn("control/limitslocal", line)
        self.assertIn("memory_lots", line)
        i.control("limitslocal", "cpu 600\n")
        i.kill("qmail-send", 14)
        i.wait_empty(60)


if __name__ == "__main__":
    relais.main()
