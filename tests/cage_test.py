"""The cages (control/cages.h): the table in docs/architecture.md is theirs, and in each of them everything that a program which was
taken over would try is tried, by tests/cage_probe.cc in the very confinement of the row."""

import ctypes
import subprocess
import unittest

from harness import relais

SYS_LANDLOCK_CREATE_RULESET = 444
# What no row promises.
NEVER = ("kill", "tgkill", "F_SETOWN", "F_SETSIG", "FIOSETOWN", "TIOCSTI", "prlimit", "ptrace", "process_vm_readv", "namespace", "clone3",
         "unshare", "exec", "executable memory", "memfd", "PR_SET_PTRACER", "io_uring", "bpf", "pidfd_send_signal", "keyctl",
         "packet socket", "write a file", "make a file", "truncate", "link", "directory", "move a directory", "chmod", "listening port",
         "abstract socket")
# Acts that a word allows.
PROMISED = {"fork": ("fork", "thread"), "setuid": ("become",), "unix socket": ("unix",), "inet socket": ("inet",),
            "socket pair": ("pair",), "accept": ("accept",)}
# Acts that Landlock refuses, from which version on.
LANDLOCK = {"read a file": 1, "read /etc/passwd": 1, "list /proc": 1, "write a file": 1, "make a file": 1, "write own": 1,
            "directory": 1, "move a directory": 1, "listening port": 4, "kill": 6, "tgkill": 6, "abstract socket": 6}


def landlock_version():
    return max(0, ctypes.CDLL(None).syscall(SYS_LANDLOCK_CREATE_RULESET, None, 0, 1))


def rows():
    """(program, role, promises, reads, writes) of each cage."""
    text = subprocess.run([relais.program("cage_probe"), "table"], capture_output=True, text=True, check=True).stdout
    return [line.split("\t") for line in text.splitlines()]


def as_table(cages):
    """The lines of docs/architecture.md."""
    lines = ["| cage of | role | promises | reads below | writes below |", "|---|---|---|---|---|"]
    return lines + ["| " + " | ".join(row) + " |" for row in cages]


class Cages(relais.TestCase):
    def test_the_architecture_page_has_the_table(self):
        wanted = as_table(rows())
        page = (relais.ROOT / "docs/architecture.md").read_text().splitlines()
        self.assertIn(wanted[0], page)
        start = page.index(wanted[0])
        self.assertEqual(page[start:page.index("", start)], wanted)

    @unittest.skipUnless(relais.IS_ROOT and relais.CONFINED, "needs root, and programs that confine themselves")
    def test_what_is_not_promised_is_refused_in_every_cage(self):
        i = self.instance()
        place = i.directory / "place"
        for directory in (place, place / "own", place / "own/old"):
            directory.mkdir()
            directory.chmod(0o777)
        (place / "theirs").write_text("x\n")
        (place / "theirs").chmod(0o666)
        result = i.run("cage_probe", "try", i.home, 60999, 60999, place)
        self.assertEqual((result.code, result.err), (0, ""))
        version, cages, tried = landlock_version(), {row[0]: row for row in rows()}, 0
        for line in result.out.splitlines():
            program, act, became = line.split("\t")
            if version < LANDLOCK.get(act, 0):
                continue
            tried += 1
            with self.subTest(program=program, act=act):
                self.assertEqual(became == "done", self.allowed(cages[program], act), became)
                self.assertRegex(became, "^(done|killed|refused E(NOSYS|PERM|ACCES))$")
        self.assertGreater(tried, 20 * len(cages))

    @unittest.skipUnless(relais.IS_ROOT, "needs root")
    def test_a_kernel_without_landlock_is_named(self):
        """Once in the log, and by doctor; everything works as before."""
        i = self.instance()
        bob = i.add_user("bob")
        i.spawn("send", [relais.program("cage_probe"), "without-landlock", relais.program("qmail-start")])
        i.wait_for((i.home / "sockets/queue-submit").is_socket, what="a socket")
        self.assertEqual(i.submit("a@b.example", [bob.address]), 0)
        bob.wait_messages(1)
        self.assertEqual(len(i.wait_log("warning: this kernel has no Landlock")), 1)
        doctor = i.run("cage_probe", "without-landlock", relais.program("qmailctl"), "doctor", i.home)
        self.assertIn("this kernel has no Landlock", doctor.out)
        if landlock_version() >= 6:
            self.assertNotIn("Landlock:", i.run("qmailctl", "doctor", i.home).out)

    def allowed(self, row, act):
        _, role, promises, reads, writes = (field.split() for field in row)
        if act in ("kill", "tgkill") and "signal" in promises:
            return True
        if act in NEVER:
            return False
        if act in PROMISED:
            return any(word in promises for word in PROMISED[act])
        if act == "write own":
            return "write" in promises and "GIVEN" in writes
        return "read" in promises and ("/" in reads or act == "read /etc/passwd" and "/etc" in reads)


if __name__ == "__main__":
    relais.main()
