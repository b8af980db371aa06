"""qmail-import: settings and queue of a qmail that stands still, whole and damaged, into an instance of ours."""

import fcntl
import os
import re
import signal
import subprocess
import time
import unittest

from harness import relais
from harness.old_qmail import OldQmail


def contents(directory):
    """Every file with its octets and time, every directory, of a tree that nobody may touch."""
    return {str(path.relative_to(directory)): (path.lstat().st_mode, path.lstat().st_mtime_ns,
                                               path.read_bytes() if path.is_file() and not path.is_symlink() else b"")
            for path in sorted(directory.rglob("*"))}


class Import(relais.TestCase):
    def made(self, **options):
        i = self.instance()
        old = OldQmail(i.directory / "old", **options)
        if i.single and relais.IS_ROOT:
            subprocess.run(["chown", "-R", str(i.ids("qmailq")[0]), old.directory], check=True)
        return i, old

    def bring(self, i, old, *options, code=0):
        done = i.run("qmail-import", *options, old.directory, i.home)
        self.assertEqual(done.code, code, done)
        return done.out

    def listed(self, i):
        return i.run("qmail-qread").out

    def test_a_queue_goes_on_where_it_stood(self):
        i, old = self.made()
        ann, bob = i.add_user("ann"), i.add_user("bob")
        old.control("locals", "mail.test")
        old.control("virtualdomains", "v.test:bob-v")
        two_days = old.waiting("ann@mail.test", local=["Dann@mail.test", "Tbob-v-info@v.test"], remote=["Dgone@far.test"], age=2 * 86400,
                               bounce="<gone@far.test>:\nConnected but it said no.\n\n")
        todo = old.accepted("x@far.test", ["ann@mail.test", "bob@mail.test"])
        told = old.waiting("ann@mail.test", remote=["Ddead@far.test"], bounce="<dead@far.test>:\nno such user\n\n")
        lists_gone = old.waiting("ann@mail.test", bounce="<dead2@far.test>:\nno such user\n\n")
        old.waiting("x@far.test", local=["Dann@mail.test"])  # about to be removed
        old.never_accepted()
        before = contents(old.directory)

        said = self.bring(i, old, "-n")
        self.assertIn("queue: 6 numbers found: 4 messages to deliver, 1 delivered to all, 1 never accepted, 0 that cannot be read", said)
        self.assertIn("4 would be brought now, 3 of these with a bounce to tell; 0 faults named", said)
        self.assertEqual(self.listed(i), "")
        said = self.bring(i, old)
        self.assertIn("0 were brought before, 4 are brought now, 3 of these with a bounce to tell; 0 faults named", said)
        self.assertIn(f"4 messages are in {i.home}/queue now", said)
        self.assertIn(f"    mv {old.directory}/queue {old.directory}/queue.taken\n", said)
        self.assertEqual(contents(old.directory), before)
        said = self.bring(i, old)
        self.assertIn("4 were brought before, 0 are brought now", said)
        self.assertIn(f"4 messages are in {i.home}/queue now", said)

        listed = self.listed(i)
        self.assertEqual(listed.count("  done\t"), 4, listed)  # delivered, or failed and told of soon
        self.assertIn(time.strftime("%d %b %Y", time.gmtime(time.time() - 2 * 86400)).lstrip("0"), listed)
        self.assertEqual(i.run("qmail-setup", "--check", i.home).code, 0)
        i.control("virtualdomains", "v.test:bob-v")
        (bob.home / ".qmail-v-info").write_text("./Maildir/\n")
        bob.own(bob.home / ".qmail-v-info")
        for message in i.queue_files():
            self.assertEqual(i.run("queue-list", "retry", message.name).code, 0)  # old ones are tried at some moment of ten minutes
        i.start()
        i.wait_empty()
        subjects = sorted(re.search(r"number (\d+)", relais.text(each)).group(1) for each in bob.wait_messages(2))
        self.assertEqual(subjects, [str(two_days), str(todo)])
        mine = ann.wait_messages(4)
        bounces = [relais.text(each) for each in mine if b"failure notice" in relais.octets(each)]
        self.assertEqual(len(bounces), 3)
        for address, number, words in (("dead@far.test", told, "no such user"), ("dead2@far.test", lists_gone, "no such user"),
                                       ("gone@far.test", two_days, "Connected but it said no.")):
            (bounce,) = [each for each in bounces if f"<{address}>:" in each]
            self.assertIn(words, bounce)
            self.assertIn(f"body of {number}", bounce)

    def test_splits_of_todo_and_other_numbers(self):
        for split, big in ((1, False), (151, True)):
            with self.subTest(split=split):
                i, old = self.made(split=split, big=big)
                for number in range(20):
                    old.accepted("x@far.test", [f"user{number}@far.test"])
                    old.waiting("x@far.test", remote=[f"Tuser{number}@far.test"])
                self.bring(i, old)
                self.assertEqual(self.listed(i).count("remote\tuser"), 40)

    def test_what_is_damaged_is_named_and_the_rest_taken(self):
        i, old = self.made()
        whole = [old.waiting("x@far.test", remote=[f"Tuser{number}@far.test"]) for number in range(10)]

        def broken(kind, change):
            number = old.waiting("x@far.test", local=["Ta@mail.test"], remote=["Tb@far.test"], bounce="<c@far.test>:\nno\n\n" if kind == "bounce" else "")
            change(old.path(kind, number))
            return f"queue/{kind}/" + ("" if kind in ("bounce", "todo") else f"{number % old.split}/") + str(number)

        def becomes(text):
            return lambda path: path.write_bytes(text)

        def link(path):
            path.unlink()
            path.symlink_to("/etc/passwd")

        def pipe(path):
            path.unlink()
            os.mkfifo(path)

        def directory(path):
            path.unlink()
            path.mkdir()

        def large(path):
            with path.open("ab") as file:
                file.truncate(1 << 30)

        faults = {
            broken("mess", lambda path: path.unlink()).replace("mess", "info"): "its message is missing",
            broken("mess", becomes(b"")): "it is empty",
            broken("mess", becomes(b"\0" * 4096)): "it begins with a zero",
            broken("mess", link): "it is a link",
            broken("mess", pipe): "it is a pipe",
            broken("mess", directory): "it is a directory",
            broken("info", lambda path: path.unlink()).replace("info", "remote"): "its info is missing",
            broken("info", becomes(b"")): "there is no sender in it",
            broken("info", becomes(b"Fa@far.test")): "there is no sender in it",
            broken("info", becomes(b"Fa\0Fb\0")): "there is no sender in it",
            broken("info", link): "it is a link",
            broken("info", large): "it is larger than such a file can be",
        }
        lost = len(faults)
        taken_in_part = {
            broken("remote", becomes(b"Tb@far.test\0Tc@far.te")): "its last recipient is cut off",
            broken("remote", becomes(b"Xb@far.test\0Tc@far.test\0")): "1 of its recipients cannot be read",
            broken("remote", becomes(b"T" + b"a" * 2000 + b"\0")): "1 of its recipients cannot be read",
            broken("remote", link): "it is a link",
            broken("local", pipe): "it is a pipe",
            broken("bounce", becomes(b"no text of a bounce")): "it tells of no recipient",
            broken("bounce", link): "it is a link",
        }
        faults |= taken_in_part
        for text, why in ((b"u501\0p1\0", "there is no sender in it"), (b"u501\0p1\0Fa@far.test\0", "there is no recipient in it")):
            number = old.accepted("x@far.test", ["b@far.test"])
            old.path("todo", number).write_bytes(text)
            faults[f"queue/todo/{number}"] = why
            lost += 1
        old.write("bounce", 77, "<a@far.test>:\nno\n\n")
        faults["queue/bounce/77"] = "its message is missing"
        (old.queue / "mess/3/core").write_text("x")
        faults["queue/mess/3/core"] = "its name is no message's number"
        (old.queue / "mess/5" / str(whole[0])).write_text("x")
        faults[f"queue/mess/5/{whole[0]}"] = "which is taken"
        (old.queue / "info/away").symlink_to("/etc")
        faults["queue/info/away"] = "it is a link"
        lost += 1  # number 77

        said = self.bring(i, old, code=1)
        for path, why in faults.items():
            self.assertRegex(said, rf"(?m)^FAULT    {re.escape(path)}: .*{re.escape(why)}")
        self.assertIn(f"{10 + len(taken_in_part)} messages to deliver, 0 delivered to all, 0 never accepted, {lost} that cannot be read", said)
        self.assertNotIn("root:", said)
        listed = self.listed(i)
        for number in range(10):
            self.assertIn(f"remote\tuser{number}@far.test", listed)

    def test_refuses_while_one_of_the_two_runs(self):
        i, old = self.made()
        old.waiting("x@far.test", remote=["Ta@far.test"])
        with (old.queue / "lock/sendmutex").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = i.run("qmail-import", old.directory, i.home)
            self.assertEqual(done.code, 100)
            self.assertIn("the old qmail-send runs: it holds", done.err)
        i.start(smtpd=None)
        # qmail-start makes its sockets before it takes the lock that it hands to qmail-send.
        i.wait_for(lambda: i.processes("qmail-send"), 20, "qmail-send")
        done = i.run("qmail-import", old.directory, i.home)
        self.assertEqual(done.code, 100)
        self.assertIn("of the new instance runs: stop it first", done.err)
        self.bring(i, old, "-n")
        done = i.run("qmail-import", i.home, i.home)
        self.assertEqual(done.code, 100)

    def test_settings_are_taken_once(self):
        i, old = self.made()
        old.control("queuelifetime", "86400")
        old.control("locals", "one.test\ntwo.test")
        old.control("smtproutes", ":relay.test:587|user|word")
        old.control("servercert.pem", "key")
        old.control("simcontrol", "what another patch reads")
        (old.directory / "control/defaulthost").symlink_to("/etc/hostname")
        (old.directory / "users/assign").write_text("=x:x:501:501:/home/x:::\n.\n")
        (old.directory / "alias/.qmail-list").write_text("&a@far.test\n")
        (old.directory / "alias/.qmail-root").write_text("&b@far.test\n")
        (old.directory / "alias/Maildir").mkdir()
        me = (i.home / "control/me").read_text()
        said = self.bring(i, old, "-n", code=1)
        self.assertFalse((i.home / "control/queuelifetime").exists())
        for line in ("take     control/locals", "leave    control/me: the instance has its own", "unknown  control/simcontrol: nothing here reads it",
                     "by hand  control/servercert.pem: a key", "by hand  control/defaulthost: a link", "take     users/assign",
                     "take     alias/.qmail-list", "by hand  alias/Maildir: a directory"):
            self.assertIn(line, said)
        self.bring(i, old, code=1)
        self.assertEqual((i.home / "control/locals").read_text(), "one.test\ntwo.test\n")
        self.assertEqual((i.home / "control/me").read_text(), me)
        self.assertEqual((i.home / "alias/.qmail-root").read_text(), "&b@far.test\n")
        self.assertTrue((i.home / "users/cdb").exists())
        status = (i.home / "control/smtproutes").stat()
        self.assertEqual((status.st_mode & 0o777, status.st_uid), (0o400, i.ids("qmailr")[0]))
        self.assertEqual((i.home / "alias/.qmail-list").stat().st_uid, i.ids("alias")[0])
        self.assertEqual(i.run("qmail-setup", "--check", i.home).code, 0, i.run("qmail-setup", "--check", i.home))
        i.control("locals", "three.test")
        self.assertIn("leave    control/locals: taken before", self.bring(i, old, code=1))
        self.assertEqual((i.home / "control/locals").read_text(), "three.test\n")

    def test_an_interrupted_import_goes_on(self):
        i, old = self.made()
        for number in range(1200):
            old.waiting("x@far.test", remote=[f"Tuser{number}@far.test"])
        environment = {**i.environment}
        run = subprocess.Popen([relais.program("qmail-import"), old.directory, i.home], env=environment, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, **(i._identity(i.ids("qmailq")) if i.single and relais.IS_ROOT else {}))
        i.wait_for(lambda: run.poll() is not None or len(list((i.home / "queue/mess").rglob("[0-9]*/[0-9]*"))) > 0, 60, "messages")
        run.send_signal(signal.SIGKILL)
        run.communicate()
        said = self.bring(i, old)
        before, now = map(int, re.search(r"(\d+) were brought before, (\d+) are brought now", said).groups())
        self.assertEqual(before + now, 1200)
        self.assertIn(f"1200 messages are in {i.home}/queue now", said)
        listed = re.findall(r"remote\tuser(\d+)@far\.test", self.listed(i))
        self.assertEqual(sorted(map(int, listed)), list(range(1200)))
        self.assertEqual(i.run("qmail-setup", "--check", i.home).code, 0)


if __name__ == "__main__":
    relais.main()
