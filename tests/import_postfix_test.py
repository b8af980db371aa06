"""qmail-import --from postfix: settings and queue of a real Postfix that has ended, whole and damaged."""

import hashlib
import os
import re
import smtplib
import subprocess

from harness import peers, relais


def contents(directory):
    return {str(path.relative_to(directory)): (path.lstat().st_mode, path.lstat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
            for path in sorted(directory.rglob("*")) if path.is_file() and not path.is_symlink()}


class OldPostfix(peers.Postfix):
    """One whose remote mail waits, and that can be ended before its directory goes."""

    def __init__(self, settings=()):
        super().__init__(deliver="here.test", settings=("defer_transports = smtp", "minimal_backoff_time = 1h",
                                                      "export_environment = TZ MAIL_CONFIG LANG LD_LIBRARY_PATH", *settings))

    @property
    def environment(self):
        return {"PATH": f"{self.tree.directory}/usr/sbin:{os.environ['PATH']}", "MAIL_CONFIG": str(self.directory / "etc"), **self.tree.environment}

    def tool(self, name, *arguments, input=b""):
        done = subprocess.run([self.tree.program(name), *map(str, arguments)], env=self.environment, input=input, capture_output=True)
        if done.returncode:
            raise AssertionError(f"{name}: {done}")
        return done.stdout

    def post(self, sender, recipients, text, options=()):
        with smtplib.SMTP("127.0.0.1", self.port) as client:
            client.sendmail(sender, recipients, text, [*options])

    def files(self, *directories):
        return [path for name in directories for path in sorted((self.directory / "queue" / name).rglob("*")) if path.is_file()]

    def waits(self, count):
        if not relais.wait_until(lambda: len(self.files("deferred", "hold")) >= count and not self.files("incoming", "active"), 60):
            raise AssertionError(f"{count} messages do not wait\n{self.log()}")

    def end(self):
        relais.end_process(self.process)
        self.process = None


class FromPostfix(relais.TestCase):
    def postfix(self, **options):
        p = OldPostfix(**options)
        p.__enter__()
        self.addCleanup(p.__exit__)
        return p

    def bring(self, i, p, *options, code=0):
        environment = {"PATH": p.environment["PATH"], **p.tree.environment}
        done = i.run("qmail-import", "--from", "postfix", *options, p.directory / "etc", i.home, env=environment)
        self.assertEqual(done.code, code, done)
        return done.out

    def body_of(self, message):
        """The message without our marks at its end, and without its Received fields."""
        data = message.read_bytes()
        return data[data.index(b"Subject: "):]

    def test_a_queue_goes_on_where_it_stood(self):
        p = self.postfix(settings=("smtpd_sender_restrictions = check_sender_access inline:{ { hold@far.test = HOLD } }",))
        for number in range(20):
            p.post("ann@far.test", [f"user{number}@far.test"], f"Subject: number {number}\r\n\r\nbody {number}\r\n")
        odd = b"Subject: odd\r\n\r\n" + b"x" * 5000 + b"\r\n..dot\r\n\r\n\xe4\xf6\r\nFrom me\r\nlast\r\n"
        p.post("ann@far.test", ["odd@far.test"], odd, ["BODY=8BITMIME"])
        p.post("ann@far.test", ["box@here.test", "waits@far.test"], "Subject: half\r\n\r\nhalf\r\n")
        p.post("hold@far.test", ["later@far.test"], "Subject: held\r\n\r\nheld\r\n")
        p.post("", ["bounced@far.test"], "Subject: bounce\r\n\r\nbounce\r\n")
        p.waits(24)
        p.wait_messages(1)
        p.end()
        # As Debian has it, in a file that is out of reach once the queue is read.
        (p.directory / "etc/mailname").write_text("filed.test\n")
        with open(p.directory / "etc/main.cf", "a") as main:
            main.write(f"myorigin = {p.directory}/etc/mailname\n")
        p.tool("sendmail", "-f", "root@far.test", "drop@far.test", input=b"Subject: dropped\nBcc: secret@far.test\n\nhi\n")
        # Postfix has marked who failed, and tells the sender in its next round.
        (half,) = [path for path in p.files("deferred") if b"Subject: half" in path.read_bytes()]
        bounce = p.directory / "queue/bounce" / half.name
        bounce.write_text("<box@here.test>: no such user\nrecipient=box@here.test\nstatus=5.1.1\naction=failed\nreason=no such user\n\n"
                          "<member@else.test>: gone\nrecipient=member@else.test\naction=failed\nreason=gone\n\n")
        before = contents(p.directory / "queue")

        i = self.instance(single=False)
        said = self.bring(i, p, "-n", code=1)
        self.assertIn("queue: 25 numbers found: 25 messages to deliver, 0 delivered to all, 0 never accepted, 0 that cannot be read", said)
        self.assertEqual(i.queue_files(), [])
        said = self.bring(i, p, code=1)  # not all settings are known
        self.assertIn("0 were brought before, 25 are brought now, 1 of these with a bounce to tell; 0 faults named", said)
        self.assertIn(f"    mv {p.directory}/queue {p.directory}/queue.taken\n", said)
        self.assertEqual(contents(p.directory / "queue"), before)
        self.assertIn("25 were brought before, 0 are brought now", self.bring(i, p, code=1))
        self.assertEqual(i.run("qmail-setup", "--check", i.home).code, 0, i.run("qmail-setup", "--check", i.home))
        listed = i.run("qmail-qread").out
        for number in range(20):
            self.assertIn(f"remote\tuser{number}@far.test", listed)
        self.assertIn("remote\twaits@far.test", listed)
        self.assertIn("  done\tlocal\tbox@here.test", listed)
        self.assertIn("member@else.test", listed)  # one of an alias, whom no envelope names
        files = {relais.text(self.body_of(message)).split("\n")[0]: message for message in i.queue_files()}
        self.assertIn(odd.replace(b"\r\n", b"\n").partition(b"\n")[2] + b"uid 0 ", self.body_of(files["Subject: odd"]))  # to its last octet
        # The age is the arrival's.
        (first,) = [path.read_bytes() for path in p.files("deferred") if b"number 0" in path.read_bytes()]
        seconds, micro = re.search(rb"T.(\d+) (\d+)", first).groups()
        self.assertAlmostEqual(int(files["Subject: number 0"].name), int(seconds) * 1000000 + int(micro), delta=1000)
        dropped = files["Subject: dropped"].read_bytes()
        self.assertNotIn(b"Bcc", dropped)
        for field in (rb"From: <root@far\.test>", rb"Date: ", rb"Message-Id: <\S+@filed\.test>"):
            self.assertRegex(dropped, field)
        self.assertIn("state: held", i.run("queue-list", "show", files["Subject: held"].name).out)
        self.assertEqual(files["Subject: held"].read_bytes()[-312:-310], b"\1\1")  # by hand: control/holddays leaves it

    def test_refuses_while_its_master_runs(self):
        p = self.postfix()
        i = self.instance(single=False)
        environment = {"PATH": p.environment["PATH"], **p.tree.environment}
        done = i.run("qmail-import", "--from", "postfix", "-n", p.directory / "etc", i.home, env=environment)
        self.assertEqual(done.code, 100, done)
        self.assertIn("Postfix runs: its master holds", done.err)
        p.end()
        (p.directory / "etc").rename(p.directory / "mail/etc")  # a directory that is not root's
        done = i.run("qmail-import", "--from", "postfix", "-n", p.directory / "mail/etc", i.home, env=environment)
        self.assertEqual(done.code, 100, done)
        self.assertIn("root reads settings only where nobody else can put others", done.err)
        (p.directory / "mail/etc").rename(p.directory / "etc")
        (p.directory / "etc/main.cf").chmod(0o666)
        done = i.run("qmail-import", "--from", "postfix", "-n", p.directory / "etc", i.home, env=environment)
        self.assertEqual(done.code, 100, done)
        self.assertIn("others may write", done.err)

    def test_what_is_damaged_is_named_and_the_rest_taken(self):
        p = self.postfix()
        for number in range(12):
            p.post("ann@far.test", [f"user{number}@far.test"], f"Subject: number {number}\r\n\r\nbody {number}\r\n")
        p.waits(12)
        p.end()
        files = p.files("deferred")
        octets = [path.read_bytes() for path in files]

        def link(path):
            path.unlink()
            path.symlink_to("/etc/shadow")

        def pipe(path):
            path.unlink()
            os.mkfifo(path)

        def directory(path):
            path.unlink()
            path.mkdir()

        def circle(path):
            # The message's first record becomes a pointer back to its own beginning.
            data = path.read_bytes()
            at = data.index(b"N", data.index(b"M\0"))
            path.write_bytes(data[:at] + b"p\x0f" + b"%15d" % at + data[at + 17:])

        damage = {
            0: (lambda path: path.write_bytes(b""), "its end is missing"),
            1: (lambda path: path.write_bytes(octets[1][:-10]), "its end is missing"),
            2: (lambda path: path.write_bytes(b"\0" * 4096), "its end is missing"),
            3: (circle, "its records lead in a circle, or nowhere"),
            4: (lambda path: path.write_bytes(re.sub(rb"R.user\d+@far.test", b"", octets[4])), "there is no recipient in it"),
            5: (link, "it is a link"),
            6: (pipe, "it is a pipe"),
            7: (directory, "a directory that is no split"),
            8: (lambda path: path.write_bytes(octets[8].replace(b"M\0", b"w\0")), "there is no message in it"),
        }
        for number, (change, _) in damage.items():
            change(files[number])
        (p.directory / "queue/deferred/core").write_text("x")
        (p.directory / "queue/bounce/0123456789").write_text("x")
        files[11].chmod(0o600)
        i = self.instance(single=False)
        (i.home / "users/assign").write_text("no assignment\n")
        said = self.bring(i, p, code=1)
        self.assertRegex(said, "(?m)^FAULT    .*qmail-newu")
        for number, (_, why) in damage.items():
            path = files[number].relative_to(p.directory / "queue")
            self.assertRegex(said, rf"(?m)^FAULT    {path}: {re.escape(why)}")
        self.assertIn("FAULT    deferred/core: its name is no queue ID", said)
        self.assertIn("FAULT    bounce/0123456789: its message is missing", said)
        self.assertIn(": 2 messages to deliver, 0 delivered to all, 1 never accepted, ", said)
        self.assertEqual(len(i.queue_files()), 2)
        self.assertNotIn("root:", said)

    def test_settings(self):
        p = OldPostfix(settings=(
            "mydestination = one.test, localhost", "relay_domains = relayed.test", "mynetworks = 127.0.0.0/8 [::1]/128 !192.0.2.9 192.0.2.5/25",
            "relayhost = [smart.test]:587", "smtp_sasl_auth_enable = yes", "smtp_sasl_password_maps = hash:{d}/etc/sasl",
            "transport_maps = texthash:{d}/etc/transport", "virtual_alias_domains = alias.test", "virtual_alias_maps = hash:{d}/etc/virtual",
            "virtual_mailbox_domains = box.test", "virtual_mailbox_maps = hash:{d}/etc/boxes", "virtual_uid_maps = static:5000",
            "virtual_gid_maps = static:5000", "message_size_limit = 1234567", "alias_maps = hash:{d}/etc/aliases", "recipient_delimiter = +",
            "home_mailbox = Maildir/", "smtp_tls_security_level = encrypt", "smtpd_milters = inet:127.0.0.1:8891", "maximal_queue_lifetime = 3d",
            "transport_retry_time = 60s", "header_checks = pcre:/etc/postfix/checks"))
        self.addCleanup(p.__exit__)
        main = p.directory / "etc/main.cf"
        main.write_text(main.read_text().replace("{d}", str(p.directory)))
        for name, text in (("sasl", "[smart.test]:587 me@smart.test:pass word:x\n"), ("boxes", "ann@box.test box.test/ann/\nold@box.test mbox\ngone@box.test box.test/gone/\n"),
                           ("virtual", "alias.test anything\ninfo@alias.test ann@one.test, bob@far.test\n@alias.test all@far.test\n"
                            "ann@box.test ann@box.test\ngone@box.test g@far.test\nsales@one.test s@far.test\npostmaster p@far.test\nroot@one.test r@far.test\nx@else.test y@far.test\nloop@alias.test loop@alias.test\nsales@box.test s@far.test\n"),
                           ("transport", "direct.test smtp:\nfar.test smtp:[10.0.0.1]:2525\nstore.test lmtp:unix:/run/lmtp\nodd.test uucp:x\n"),
                           ("aliases", "postmaster: root\nteam: a@far.test, b@far.test\n")):
            (p.directory / "etc" / name).write_text(text)
        p.tool("postmap", *(p.directory / "etc" / name for name in ("sasl", "boxes", "virtual")))
        p.tool("postalias", p.directory / "etc/aliases")
        i = self.instance(single=False)
        (i.home / "alias/.qmail-root").write_text("&own@far.test\n")
        said = self.bring(i, p, code=1)
        expected = {
            "locals": "one.test localhost", "rcpthosts": "one.test localhost relayed.test .relayed.test alias.test box.test",
            "smtproutes": ":smart.test:587|me@smart.test|pass word:x\0direct.test:\0far.test:10.0.0.1:2525", "lmtproutes": "store.test:/run/lmtp",
            "virtualdomains": "alias.test:alias-alias.test box.test:alias-box.test", "databytes": "1234567", "defaultdelivery": "./Maildir/",
            "tlsdestinations": ":encrypt", "queuelifetime": str(3 * 86400), "aliases": f"{p.directory}/etc/aliases",
        }
        for name, text in expected.items():
            lines = [line for line in (i.home / "control" / name).read_text().splitlines() if not line.startswith("#")]
            self.assertEqual(sorted(lines), sorted(text.split("\0" if name == "smtproutes" else None)), name)
        self.assertIn("# Postfix: relayhost\n:smart.test:587|", (i.home / "control/smtproutes").read_text())
        self.assertEqual((i.home / "control/smtproutes").stat().st_mode & 0o777, 0o400)
        rules = (i.home / "tcp.smtp").read_text()
        for rule in ("192.0.2.9:allow", '127.0.0.0/8:allow,RELAYCLIENT=""', '::1:allow,RELAYCLIENT=""', '192.0.2.0/25:allow,RELAYCLIENT=""', ":allow"):
            self.assertIn(f"\n{rule}\n", rules)
        aliases = {name: (i.home / "alias" / f".qmail-{name}").read_text().splitlines()[1:] for name in
                   ("alias:test-info", "alias:test-default", "sales", "box:test-sales", "postmaster")}
        self.assertEqual(aliases, {"alias:test-info": ["&ann@one.test", "&bob@far.test"], "alias:test-default": ["&all@far.test"],
                                   "sales": ["&s@far.test"], "box:test-sales": ["&s@far.test"], "postmaster": ["&p@far.test"]})
        self.assertEqual((i.home / "alias/.qmail-root").read_text(), "&own@far.test\n")
        self.assertEqual((i.home / "alias/.qmail-postmaster").stat().st_uid, i.ids("alias")[0])
        self.assertEqual((i.home / "users/assign").read_text(), f"=alias-box.test-ann:virtual:5000:5000:{p.directory}/mail/box.test/ann:::\n.\n")
        for line in ("by hand  alias/.qmail-root: the instance has its own; ", "by hand  smtpd_milters: ", "by hand  recipient_delimiter: ", "by hand  header_checks: ", "unknown  transport_retry_time: ",
                     r"by hand  virtual_mailbox_maps old@box\.test: ", r"by hand  \S* x@else\.test: ", r"by hand  virtual_mailbox_maps gone@box\.test: ", r"by hand  \S* loop@alias\.test: it names itself",
                     r"by hand  transport_maps \S*: odd\.test uucp:x: ", "take     control/locals: from mydestination"):
            self.assertRegex(said, rf"(?m)^{line}")
        self.assertNotIn("ann@box.test", said)
        self.assertNotIn("pass word", said)
        self.assertEqual(i.run("qmail-setup", "--check", i.home).code, 0, i.run("qmail-setup", "--check", i.home))
        self.assertIn("taken before", self.bring(i, p, code=1))

    def test_an_end_on_the_way_loses_nothing(self):
        p = OldPostfix(settings=("mydestination = one.test", "virtual_alias_maps = inline:{first=a@far.test}, inline:{second=b@far.test}"))
        self.addCleanup(p.__exit__)
        i = self.instance(single=False)
        trap = i.home / "alias/.qmail-second.new"
        trap.mkdir()
        self.bring(i, p, code=111)
        taken = (i.home / "imported").read_text().splitlines()
        self.assertIn("alias/.qmail-first", taken)
        self.assertNotIn("alias/.qmail-second", taken)
        trap.rmdir()
        said = self.bring(i, p, code=1)
        self.assertRegex(said, "(?m)^leave    alias/.qmail-first: taken before")
        self.assertEqual((i.home / "alias/.qmail-second").read_text().splitlines()[1:], ["&b@far.test"])


if __name__ == "__main__":
    relais.main()
