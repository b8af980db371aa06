"""qmail-import --from exim4: the answers to Debian's questions, and the spool of a real Exim that has ended, whole and damaged."""

import contextlib
import os
import pathlib
import shutil
import signal
import smtplib
import subprocess
import tempfile

from harness import peers, relais
from import_postfix_test import contents


class OldExim(peers.Exim):
    """One that puts mail for here.test into its box, and keeps everything else."""

    def __init__(self):
        super().__init__()
        config = self.directory / "config"
        text = config.read_text()
        text = text.replace("begin routers\n", "begin routers\nelsewhere:\n  driver = redirect\n  domains = ! here.test : ! shared.test\n  allow_defer\n"
                            "  data = :defer: later\nshared:\n  driver = redirect\n  domains = shared.test\n  data = a@here.test, b@far.test\n")
        text = text.replace("begin acl\n", "smtp_accept_queue_per_connection = 0\nsplit_spool_directory\nbegin acl\n").replace(
            "begin retry\n* * F,2h,15m\n", "begin retry\n* * F,2h,1h\n").replace("primary_hostname", "dsn_advertise_hosts = *\nprimary_hostname")
        config.write_text(text)

    def post(self, sender, recipients, text, options=(), of_each=()):
        with smtplib.SMTP("127.0.0.1", self.port) as client:
            client.sendmail(sender, recipients, text, [*options], [*of_each])

    def files(self, end):
        return sorted(path for path in (self.directory / "spool/input").rglob(f"*-{end}") if path.is_file())

    def waits(self, count):
        def at_rest():
            heads = self.files("H")
            return len(heads) == count and not self.files("J") and self.log().count(" == ") >= count
        if not relais.wait_until(at_rest, 60):
            raise AssertionError(f"{count} messages do not wait\n{self.log()}")

    def end(self):
        with contextlib.suppress(OSError):
            for child in pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
                os.kill(int(child), signal.SIGKILL)
        relais.end_process(self.process)
        self.process = None

    def __exit__(self, *arguments):
        if self.process is not None:
            super().__exit__(*arguments)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)


class FromExim(relais.TestCase):
    ANSWERS = {"dc_eximconfig_configtype": "smarthost", "dc_other_hostnames": "one.test:two.test", "dc_local_interfaces": "127.0.0.1 ; ::1",
               "dc_relay_domains": "relayed.test:*.below.test", "dc_relay_nets": "192.0.2.0/24;10.1.2.3", "dc_smarthost": "smart.test::587",
               "dc_localdelivery": "maildir_home"}

    def exim(self):
        e = OldExim()
        e.__enter__()
        self.addCleanup(e.__exit__)
        return e

    def configured(self):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="rlex.", dir="/tmp"))
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        (directory / "exim4").mkdir()
        (directory / "exim4/update-exim4.conf.conf").write_text("# answers\n" + "".join(f"{name}='{value}'\n" for name, value in self.ANSWERS.items()))
        (directory / "exim4/passwd.client").write_text("# host:user:password\n*.test:me:pass:word\n")
        (directory / "exim4/passwd.client").chmod(0o640)
        (directory / "mailname").write_text("one.test\n")
        (directory / "aliases").write_text("team: a@far.test\n")
        return directory / "exim4"

    def bring(self, i, e, *options, code=0, config=None):
        done = i.run("qmail-import", "--from", "exim4", "--queue", e.directory / "spool", *options, config or self.configured(), i.home)
        self.assertEqual(done.code, code, done)
        return done.out

    def test_a_queue_goes_on_where_it_stood(self):
        e = self.exim()
        for number in range(10):
            e.post("ann@far.test", [f"user{number}@far.test"], f"Subject: number {number}\r\n\r\nbody {number}\r\n")
        odd = b"Subject: odd\r\n\r\n" + b"x" * 3000 + b"\r\n..dot\r\n\r\n\xe4\xf6\r\nlast\r\n"
        e.post("ann@far.test", ["odd@far.test"], odd, ["BODY=8BITMIME"])
        e.post("ann@far.test", ["box@here.test", "waits@far.test"], "Subject: half\r\n\r\nhalf\r\n", of_each=["NOTIFY=FAILURE,DELAY"])
        e.post("ann@far.test", ["all@shared.test"], "Subject: shared\r\n\r\nshared\r\n")
        e.post("", ["bounced@far.test"], "Subject: bounce\r\n\r\nbounce\r\n")
        e.waits(14)
        i = self.instance(single=False)
        config = self.configured()
        done = i.run("qmail-import", "--from", "exim4", "--queue", e.directory / "spool", "-n", config, i.home)
        self.assertEqual(done.code, 100, done)
        self.assertIn("Exim runs: process", done.err)
        e.end()
        (frozen,) = [path for path in e.files("H") if b"Subject: number 3\n" in path.read_bytes()]
        frozen.write_bytes(frozen.read_bytes().replace(b"\nXX\n", b"\n-frozen 1795391256\nXX\n"))
        (journal,) = [path for path in e.files("H") if b"Subject: number 4\n" in path.read_bytes()]
        journal.with_name(journal.name[:-1] + "J").write_text("user4@far.test\n")
        (half,) = [path for path in e.files("D") if b"unfinished" not in path.read_bytes() and path.name[:-1] + "H" == frozen.name]
        shutil.copy(half, half.with_name("1zzzzz-000001-AB-D"))
        before = contents(e.directory / "spool")

        said = self.bring(i, e, "-n", config=config)
        self.assertIn("queue: 15 numbers found: 13 messages to deliver, 1 delivered to all, 1 never accepted, 0 that cannot be read", said)
        self.assertRegex(said, r"(?m)^note     input/./\S+-H: 1 addresses behind aliases of its recipients have had it, and get it again, a@here\.test")
        said = self.bring(i, e, config=config)
        self.assertIn("0 were brought before, 13 are brought now, 0 of these with a bounce to tell; 0 faults named", said)
        self.assertIn(f"    mv {e.directory}/spool/input {e.directory}/spool/input.taken\n", said)
        self.assertEqual(contents(e.directory / "spool"), before)
        self.assertIn("13 were brought before, 0 are brought now", self.bring(i, e, config=config))
        self.assertEqual(i.run("qmail-setup", "--check", i.home).code, 0, i.run("qmail-setup", "--check", i.home))
        listed = i.run("qmail-qread").out
        for number in (0, 1, 2, 3, 5, 6, 7, 8, 9):
            self.assertIn(f"remote\tuser{number}@far.test", listed)
        self.assertIn("  done\tremote\tbox@here.test", listed)
        self.assertNotIn("user4@", listed)
        files = {relais.text(message.read_bytes().split(b"Subject: ")[1].split(b"\n")[0]): message for message in i.queue_files()}
        self.assertIn(odd.replace(b"\r\n", b"\n").partition(b"\n")[2] + b"uid 0 ", files["odd"].read_bytes())
        self.assertIn("state: held", i.run("queue-list", "show", files["number 3"].name).out)
        self.assertEqual(files["number 3"].read_bytes()[-312:-310], b"\1\1")  # by hand: control/holddays leaves it

    def test_what_is_damaged_is_named_and_the_rest_taken(self):
        e = self.exim()
        for number in range(12):
            e.post("ann@far.test", [f"user{number}@far.test"], f"Subject: number {number}\r\n\r\nbody {number}\r\n")
        e.waits(12)
        e.end()
        heads = e.files("H")

        def data(number):
            return heads[number].with_name(heads[number].name[:-1] + "D")

        def link(path):
            path.unlink()
            path.symlink_to("/etc/shadow")

        def pipe(path):
            path.unlink()
            os.mkfifo(path)

        whole = [path.read_bytes() for path in heads]
        heads[0].write_bytes(b"")
        heads[1].write_bytes(whole[1][:-10])
        heads[2].write_bytes(whole[2].replace(b"\n<ann@far.test>\n", b"\nann\n"))
        heads[3].write_bytes(whole[3].replace(b"\nXX\n1\n", b"\nXX\n7000000\n"))
        link(heads[4])
        pipe(heads[5])
        data(6).unlink()
        data(7).write_bytes(b"\0" * 100)
        link(data(8))
        heads[9].write_bytes(whole[9].replace(b"\nXX\n", b"\nYY a@b.test\n"))
        (e.directory / "spool/input/core").write_text("x")
        i = self.instance(single=False)
        said = self.bring(i, e, code=1)
        for number, path, why in ((0, heads[0], "it does not begin with its name"), (1, heads[1], "its header fields are cut off"),
                                  (2, heads[2], "there is no sender in it"), (3, heads[3], "the number of its recipients is missing"),
                                  (4, heads[4], "it is a link"), (5, heads[5], "it is a pipe"), (6, heads[6], "its -D file is missing"),
                                  (7, data(7), "it does not begin with its name"), (8, data(8), "it is a link"),
                                  (9, heads[9], "who has had it cannot be read")):
            self.assertIn(f"FAULT    {path.relative_to(e.directory / 'spool')}: {why}\n", said, number)
        self.assertIn("FAULT    input/core: its name is no message's\n", said)
        self.assertEqual(len(i.queue_files()), 2)
        self.assertNotIn("root:", said)

    def test_settings(self):
        e = OldExim()
        self.addCleanup(e.__exit__)
        (e.directory / "spool/input").mkdir()
        i = self.instance(single=False)
        config = self.configured()
        said = self.bring(i, e, config=config)
        expected = {"locals": "one.test two.test mail.test localhost", "rcpthosts": "one.test two.test mail.test localhost relayed.test .below.test", "defaultdelivery": "./Maildir/",
                    "smtproutes": ":smart.test:587|me|pass:word", "aliases": str(config.parent / "aliases"), "envnoathost": "one.test"}
        for name, text in expected.items():
            lines = [line for line in (i.home / "control" / name).read_text().splitlines() if not line.startswith("#")]
            self.assertEqual(sorted(lines), sorted(text.split()), name)
        self.assertEqual((i.home / "control/smtproutes").stat().st_mode & 0o777, 0o400)
        rules = (i.home / "tcp.smtp").read_text()
        for rule in ("127.0.0.1:allow,RELAYCLIENT=\"\"", "::1:allow,RELAYCLIENT=\"\"", "192.0.2.0/24:allow,RELAYCLIENT=\"\"", ":allow"):
            self.assertIn(f"\n{rule}\n", rules)
        self.assertNotIn("pass:word", said)
        self.assertEqual(i.run("qmail-setup", "--check", i.home).code, 0, i.run("qmail-setup", "--check", i.home))
        (config / "update-exim4.conf.conf").chmod(0o666)
        done = i.run("qmail-import", "--from", "exim4", "--queue", e.directory / "spool", config, i.home)
        self.assertEqual(done.code, 100, done)
        self.assertIn("others may write", done.err)


if __name__ == "__main__":
    relais.main()
