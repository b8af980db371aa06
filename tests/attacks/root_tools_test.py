"""What somebody who may write into a part of an instance, or whose instance it is, can make root's tools do outside of it: nothing.
Each attack is carried out as a role, or a user, could; what it is aimed at is looked at before and after."""

import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from harness import relais  # noqa: E402

RENAME_EXCHANGE = 2
# Names that the tools look for in the directories of an instance.
NAMES = ["shadow", "current", "lock", "state", "@400000006553f100aabbccdd.s", "checkpoint", "send", "queued", "tcpto", "servers", "passwd", "passwd.cdb",
         ".qmail-root", ".qmail-x", "192.0.2.7", "1795391255698000", "1795391255698048", "me", "cdb", "run", "queue-submit"]
FOLDERS = ["new", "cur", "tmp", "0", "12", "63", "mess", "bounce", "lock", "Maildir", "log", "supervise"]


def state(tree):
    """Owner, mode, names and content of everything below a directory."""
    found = {}
    for folder, folders, files in os.walk(tree):
        for path in [folder, *(os.path.join(folder, name) for name in files)]:
            info = os.lstat(path)
            content = pathlib.Path(path).read_bytes() if stat.S_ISREG(info.st_mode) else b""
            found[path] = (info.st_uid, info.st_gid, info.st_mode, info.st_size, content)
        found[folder, "names"] = sorted(folders + files)
    return found


def end_services(directory):
    """Whatever an attack that succeeds has started below a directory, by its pid."""
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if entry.isdigit() and os.readlink(f"/proc/{entry}/cwd").startswith(f"{directory}/"):
                os.kill(int(entry), signal.SIGKILL)


@unittest.skipUnless(relais.IS_ROOT, "the attacks are on root's tools")
class Attack(relais.TestCase):
    def setUp(self):
        self.i = self.instance()
        self.addCleanup(end_services, self.i.directory)
        self.home = self.i.home
        # The home of nobody in particular, which holds what each directory of an instance holds.
        self.victim = self.i.directory / "victim"
        self.fill(self.victim, 0)

    def fill(self, place, uid):
        """Files and directories with modes that none of an instance has, so that each would be mended."""
        for folder in [place, *(place / name for name in FOLDERS)]:
            folder.mkdir()
            for name in set(NAMES) - set(FOLDERS):
                (folder / name).write_text("mine\n")
                (folder / name).chmod(0o607)
        for folder, _, files in os.walk(place):
            for path in [folder, *(os.path.join(folder, name) for name in files)]:
                os.chown(path, uid, uid)

    def as_role(self, role, script):
        uid, gid = self.i.ids(role)
        subprocess.run(["sh", "-ec", script], user=uid, group=gid, extra_groups=[], cwd=self.home, check=True)

    def repair(self):
        return self.i.run("qmail-setup", "--repair", self.home)

    @contextlib.contextmanager
    def unharmed(self, place=None):
        before = state(place or self.victim)
        yield
        after = state(place or self.victim)
        self.assertEqual([key for key in before | after if before.get(key) != after.get(key)], [])


class Repair(Attack):
    def test_login_store_to_a_foreign_directory(self):
        """As qmailo: every file of a system directory became qmailo's."""
        for name in ("x", "7"):
            self.as_role("qmailo", f"ln -s {self.victim} open-smtp/{name}")
        with self.unharmed():
            done = self.repair()
        self.assertEqual(done.code, 1, done)
        self.assertIn(f"{self.home}/open-smtp/x is a link and does not belong there\n", done.out)
        self.assertNotIn("open-smtp/x/shadow", done.out)

    def test_alias_maildir_to_a_users_maildir(self):
        """As alias: new, cur and tmp of somebody's Maildir became alias'."""
        self.as_role("alias", f"mv alias/Maildir alias/away; ln -s {self.victim} alias/Maildir")
        with self.unharmed():
            done = self.repair()
        self.assertEqual(done.code, 1, done)
        self.assertIn(f"{self.home}/alias/Maildir is not a directory\n", done.out)
        self.assertNotIn("alias/Maildir/new", done.out)

    def test_queue_to_a_system_directory(self):
        """As qmails: directories with names of splits became qmailq's, with mode 2770."""
        for part in ("mess", "bounce"):
            self.as_role("qmails", f"mv queue/{part} queue/away-{part}; ln -s {self.victim} queue/{part}")
        with self.unharmed():
            done = self.repair()
        self.assertEqual(done.code, 1, done)
        self.assertNotIn("queue/mess/12", done.out)

    def levels(self):
        """Every file and directory of the instance, below its own; of the queue's splits, some."""
        for folder, folders, files in os.walk(self.home):
            for name in sorted(folders + files):
                path = pathlib.Path(folder, name)
                splits = path.parent.name in ("mess", "bounce")
                if not path.is_symlink() and (not splits or name in ("0", "12", "63")):
                    yield path

    @contextlib.contextmanager
    def in_place_of(self, path, put):
        away = self.home.parent / "away"
        path.rename(away)
        try:
            put(path)
            yield
        finally:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            away.rename(path)

    def each_level(self, put, paths=None):
        for path in list(self.levels() if paths is None else paths):
            with self.subTest(path=str(path.relative_to(self.home))), self.in_place_of(path, put), self.unharmed():
                self.assertNotEqual(self.repair().code, 0)
        self.assertEqual(self.i.run("qmail-setup", "--check", self.home).code, 0)

    def test_a_link_at_every_level(self):
        uid, gid = self.i.ids("qmaild")

        def put(path):
            path.symlink_to(self.victim if (self.home.parent / "away").is_dir() else self.victim / "shadow")
            os.chown(path, uid, gid, follow_symlinks=False)

        self.each_level(put)

    def test_a_hard_link_at_every_level(self):
        self.each_level(lambda path: os.link(self.victim / "shadow", path), [path for path in self.levels() if path.is_file()])

    def test_a_directory_of_a_strangers_at_every_level(self):
        stranger = self.i.base_id + 31
        for path in [path for path in self.levels() if path.is_dir()]:
            with self.subTest(path=str(path.relative_to(self.home))), self.in_place_of(path, lambda path: self.fill(path, stranger)):
                with self.unharmed(path):
                    self.assertNotEqual(self.repair().code, 0)
        self.assertEqual(self.i.run("qmail-setup", "--check", self.home).code, 0)

    def test_a_strangers_file_is_given_to_no_role(self):
        stranger = self.i.base_id + 31
        files = [path for path in self.levels() if path.is_file() and path.name != "owners"]
        for path in files:
            os.chown(path, stranger, stranger)
        for name in ("alias/.qmail-x", "queue/mess/0/1795391255698048", "log/qmail-send/current"):
            files.append(self.home / name)
            files[-1].write_text("x")
            files[-1].chmod(0o602)
            os.chown(files[-1], stranger, stranger)
        done = self.repair()
        self.assertEqual(done.code, 1, done)
        self.assertEqual({path.stat().st_uid for path in files}, {stranger})
        others = [line for line in done.out.splitlines() if "that is nobody of this instance" not in line]
        self.assertRegex("".join(others), "^message 1795391255698048 is damaged: [^\n]*$")

    def test_an_exchange_while_it_mends(self):
        """The link comes and goes as fast as alias and qmails can make it."""
        self.as_role("alias", f"ln -s {self.victim} alias/other; chmod 0 alias/Maildir")
        self.as_role("qmails", f"ln -s {self.victim} queue/other")
        with self.exchanges("alias", "alias/Maildir", "alias/other"), self.exchanges("qmails", "queue/mess", "queue/other"), self.unharmed():
            for _ in range(10):
                self.repair()

    @contextlib.contextmanager
    def exchanges(self, role, one, other):
        uid, gid = self.i.ids(role)
        child = os.fork()
        if child == 0:
            try:
                os.setgroups([])
                os.setresgid(gid, gid, gid)
                os.setresuid(uid, uid, uid)
                rename = ctypes.CDLL(None).renameat2
                while True:
                    rename(-100, os.fsencode(self.home / one), -100, os.fsencode(self.home / other), RENAME_EXCHANGE)
            finally:
                os._exit(1)
        try:
            yield
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


class Kept(Attack):
    """Links that the administrator has made."""

    def test_links_of_roots_in_roots_directories(self):
        disk = self.i.directory / "disk"
        disk.mkdir()
        for name in ("queue", "log", "alias"):
            (self.home / name).rename(disk / name)
            (self.home / name).symlink_to(disk / name)
        (self.home / "control/servercert.pem").rename(disk / "cert.pem")
        (self.home / "control/servercert.pem").symlink_to(disk / "cert.pem")
        (disk / "queue/mess/3").chmod(0o777)
        os.chown(disk / "alias/Maildir/new", 0, 0)
        check = self.i.run("qmail-setup", "--check", self.home)
        self.assertEqual(check.code, 1, check)
        for name in ("queue", "log", "alias"):
            self.assertIn(f"note: {self.home}/{name} is a link to {disk}/{name}\n", check.out)
        self.assertIn(f"note: {self.home}/control/servercert.pem is a link to {disk}/cert.pem\n", check.out)
        done = self.repair()
        self.assertEqual(done.code, 0, done)
        self.assertEqual((disk / "queue/mess/3").stat().st_mode & 0o7777, 0o2770)
        self.assertEqual((disk / "alias/Maildir/new").stat().st_uid, self.i.ids("alias")[0])
        self.assertTrue(done.out.endswith(f"{self.home} is as it must be\n"))
        self.i.start()
        self.i.send("a@client.example", [f"postmaster@{self.i.me}"], "Subject: x\n\nx\n")
        self.i.wait_for(lambda: os.listdir(disk / "alias/Maildir/new"), 30, "a message behind the link")

    def test_a_link_of_roots_to_where_somebody_else_may_write(self):
        uid, gid = self.i.ids("alias")
        disk = self.i.directory / "disk"
        disk.mkdir()
        os.chown(disk, uid, gid)
        (self.home / "queue").rename(disk / "queue")
        (self.home / "queue").symlink_to(disk / "queue")
        (disk / "queue/mess/3").chmod(0o777)
        done = self.repair()
        self.assertEqual(done.code, 1, done)
        self.assertIn(f"which is not followed: {disk} belongs to uid {uid}, who could put something else in the place of", done.out)
        self.assertEqual((disk / "queue/mess/3").stat().st_mode & 0o7777, 0o777)


    def test_programs_that_somebody_else_may_change(self):
        uid, gid = self.i.ids("alias")
        programs = self.i.directory / "programs"
        programs.mkdir()
        for path in relais.BIN.iterdir():
            (programs / path.name).symlink_to(path)
        (self.home / "bin").unlink()
        (self.home / "bin").symlink_to(programs)
        self.assertIn(f"note: {self.home}/bin is a link to {programs}\n", self.i.run("qmail-setup", "--check", self.home).out)
        os.chown(programs, uid, gid)
        check = self.i.run("qmail-setup", "--check", self.home)
        self.assertIn(f"{self.home}/bin is a link to {programs}, whose programs root runs: {programs} belongs to uid {uid}, ", check.out)
        self.assertEqual(check.code, 1)


class Place(Attack):
    """Where an instance of several users lies."""

    def test_every_directory_above_must_be_roots(self):
        uid, gid = self.i.ids("alias")
        moved = self.i.directory / "user" / "q"
        moved.parent.mkdir()
        self.home.rename(moved)
        self.addCleanup(moved.rename, self.home)
        said = f"{moved.parent} belongs to uid {uid}, who could put something else in the place of {moved}: an instance of several users must be"
        os.chown(moved.parent, uid, gid)
        for words in (["qmail-setup", "--check", moved], ["qmail-setup", "--repair", moved], ["qmailctl", "doctor", moved], ["qmailctl", "start", moved],
                      ["queue-list"], ["qmail-tcpok"], ["qmail-start"], ["qmail-passwd", "list"]):
            with self.subTest(words=words[0]):
                done = self.i.run(*words, env={"QMAILHOME": str(moved)}, timeout=60)
                self.assertEqual(done.code, 100, done)
                self.assertIn(said, done.err)
        os.chown(moved.parent, 0, 0)
        moved.parent.chmod(0o777)
        self.assertIn("everybody can write into", self.i.run("qmail-setup", "--check", moved).err)
        moved.parent.chmod(0o1777)
        self.assertNotIn("everybody can write into", self.i.run("qmail-setup", "--check", moved).err)

    def test_none_is_made_below_a_users_directory(self):
        place = self.i.directory / "user"
        place.mkdir()
        os.chown(place, *self.i.ids("alias"))
        done = self.i.run("qmail-setup", place / "new", "--me", "mail.test", "--numbers", self.i.base_id)
        self.assertEqual(done.code, 100, done)
        self.assertIn(f"{place} belongs to uid", done.err)
        self.assertEqual(os.listdir(place), [])

    def test_what_says_what_root_does_must_be_roots(self):
        for name in ("control/owners", "control", ""):
            path = self.home / name
            os.chown(path, *self.i.ids("qmaild"))
            for words in (["qmail-setup", "--repair", self.home], ["qmailctl", "start", self.home], ["qmail-start"]):
                with self.subTest(name=name, words=words[0]):
                    done = self.i.run(*words, timeout=60)
                    self.assertEqual(done.code, 100, done)
                    self.assertIn(f"{path} belongs to uid {self.i.ids('qmaild')[0]}".replace("/ ", " "), done.err)
            os.chown(path, 0, 0)

    def test_svscan_is_not_started_on_somebody_elses_scripts(self):
        script = self.home / "service/extra/run"
        script.parent.mkdir()
        script.write_text("#!/bin/sh\n")
        os.chown(script.parent, *self.i.ids("qmaild"))
        done = self.i.run("qmailctl", "start", self.home)
        self.assertEqual(done.code, 100, done)
        self.assertIn(f"{script.parent} belongs to uid", done.err)


class Starting(Attack):
    """Files that root makes below queue/lock, which qmailq and qmails may replace."""

    def test_queue_lock_to_a_foreign_directory(self):
        shutil.rmtree(self.victim)
        self.victim.mkdir()
        self.as_role("qmails", f"mv queue/lock queue/away; ln -s {self.victim} queue/lock")
        with self.unharmed():
            self.i.spawn("send", [relais.program("qmail-start")])
            self.i.wait_log("unable to open", "send")
            for words in (["qmail-tcpok"], ["queue-list", "hold", "--all", "--yes"], ["queue-list", "retry", "1795391255698000"],
                          ["qmail-remote", "127.0.0.1", "a@b.example", "c@d.example"], ["qmailctl", "doctor"], ["qmail-setup", "--repair", self.home]):
                self.i.run(*words, env={"QMAILHOME": str(self.home)})

    def test_a_lock_that_is_no_file(self):
        self.as_role("qmails", "rm -f queue/lock/send; mkfifo queue/lock/send")
        done = self.i.run("queue-list", "retry", "1795391255698000", timeout=60)
        self.assertIn("queue/lock/send: it is not a file", done.err)

    def test_doctor_shows_no_foreign_file_as_a_log(self):
        secret = self.i.directory / "secret"
        secret.write_text("root:secret\n")
        secret.chmod(0o600)
        self.as_role("qmaill", f"ln -s {secret} log/qmail-send/current")
        # As supervise leaves it when a service ends again and again.
        supervise = self.home / "service/qmail-send/supervise"
        supervise.mkdir()
        os.mkfifo(supervise / "ok")
        (supervise / "status").write_bytes(bytes(17) + b"u")
        reader = os.open(supervise / "ok", os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        done = self.i.run("qmailctl", "doctor")
        self.assertIn("qmail-send ends and is started again", done.out)
        self.assertNotIn("root:secret", done.out)


@unittest.skipUnless(relais.IS_ROOT, "the attacks are on root's tools")
class UsersInstance(relais.TestCase):
    """An instance of one user, who puts what he likes into it, and root who looks at it for him."""

    def setUp(self):
        self.i = self.instance(single=True)
        self.addCleanup(end_services, self.i.directory)
        self.home = self.i.home
        self.uid, self.gid = self.i.ids("alias")
        self.mark = self.i.directory / "mark"
        self.mark.mkdir()
        self.mark.chmod(0o1777)
        self.victim = self.i.directory / "victim"
        self.victim.mkdir()
        (self.victim / "passwd").write_text("root::0:0\n")
        self.before = state(self.victim)

    def as_user(self, script):
        subprocess.run(["sh", "-ec", script], user=self.uid, group=self.gid, extra_groups=[], cwd=self.home, check=True)

    def as_root(self, *words):
        return subprocess.run([relais.program(words[0]), *map(str, words[1:])], capture_output=True, text=True, timeout=600, cwd="/",
                              env={**self.i.environment, "QMAILHOME": str(self.home)})

    def uids(self):
        return {int(path.name) for path in self.mark.iterdir()}

    def test_programs_of_the_instance(self):
        for name in ("qmail-qstat", "qmail-qread", "qmail-showctl", "qmail-newu", "tcprules", "qmail-passwd", "qmail-newmrh", "qmail-resolver"):
            self.as_user(f"[ -L bin ] && rm bin; mkdir -p bin; printf '#!/bin/sh\\n: >{self.mark}/$(id -u)\\n' >bin/{name}; chmod 755 bin/{name}")
        for words in (["qmailctl", "stat", self.home], ["qmailctl", "queue", self.home], ["qmailctl", "doctor", self.home], ["qmailctl", "cdb", self.home],
                      ["route-explain", "a@b.example"], ["queue-list"], ["qmail-setup", "--check", self.home]):
            self.as_root(*words)
        self.assertLessEqual(self.uids(), {self.uid})

    def test_the_kind_of_instance(self):
        """He says that it is root's."""
        self.as_user(f"sed -i s/instance:user/instance:system/ control/owners; for s in service/*; do printf '#!/bin/sh\\n: >{self.mark}/$(id -u)\\n"
                     "exec sleep 1000\\n' >$s/run; cp $s/run $s/log/run; done")
        done = self.as_root("qmailctl", "start", self.home)
        self.assertEqual(done.returncode, 100, done)
        self.assertIn(f"{self.home} belongs to uid {self.uid}, and control/owners says that it is an instance of several users", done.stderr)
        self.assertLessEqual(self.uids(), {self.uid})

    def test_root_starts_it_as_its_user(self):
        self.as_user(f"for s in service/*; do case $s in */qmail-send) sed -i '2i : >{self.mark}/$(id -u)' $s/run ;; "
                     f"*) printf '#!/bin/sh\n: >{self.mark}/$(id -u)\nexec sleep 1000\n' >$s/run ;; esac; done")
        done = self.as_root("qmailctl", "start", self.home)
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(self.uids(), {self.uid})
        done = self.as_root("qmailctl", "stop", self.home)
        self.assertEqual(done.returncode, 0, done)

    def test_every_directory_to_a_foreign_one(self):
        for name in ("users", "control", "queue", "log", "service", "alias", "sockets", "open-smtp", "control/servercerts"):
            with self.subTest(name=name):
                self.as_user(f"mv {name} away; ln -s {self.victim} {name}")
                for words in (["qmail-setup", "--repair", self.home], ["qmailctl", "cdb", self.home], ["qmailctl", "doctor", self.home], ["qmail-passwd", "build"],
                              ["qmail-newu"], ["queue-list", "hold", "1"], ["qmailctl", "start", self.home] if name == "log" else ["qmail-tcpok"]):
                    self.as_root(*words)
                end_services(self.home / "service")
                self.assertEqual(state(self.victim), self.before)
                self.as_user(f"rm {name}; mv away {name}")

    def test_a_new_one_is_made_as_its_user(self):
        """In a directory of his, where he could put a link for each that is made."""
        user = self.i.directory / "user"
        user.mkdir()
        os.chown(user, self.uid, self.gid)
        (user / "link").symlink_to(self.victim)
        nobody = subprocess.run(["id", "-nu", "65534"], capture_output=True, text=True).stdout.strip()
        done = self.as_root("qmail-setup", user / "link/new", "--me", "mail.test", "--user", nobody)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(state(self.victim), self.before)
        open_place = pathlib.Path(tempfile.mkdtemp(prefix="rl.", dir="/tmp"))
        self.addCleanup(shutil.rmtree, open_place)
        open_place.chmod(0o755)
        done = self.as_root("qmail-setup", open_place / "new", "--me", "mail.test", "--user", nobody)
        self.assertEqual(done.returncode, 0, done)
        owners = {path.lstat().st_uid for path in (open_place / "new").rglob("*")}
        self.assertEqual(owners | {(open_place / "new").stat().st_uid}, {65534})


if __name__ == "__main__":
    relais.main()
