"""Real milters before us: opendkim signs, rspamd and clamav-milter refuse, change and quarantine what they see."""

import os
import pathlib
import socket
import subprocess

from harness import peers
from harness import relais
from milter_test import JOE, MESSAGE, MilterCase, text

MARKER = "this-is-the-marker-of-a-test-virus"


def listens(port):
    def answers():
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
            return True
        except OSError:
            return False
    return answers


class MilterServer(peers.Server):
    """A daemon from a tree of its own, by a configuration in its directory; .place is its line in control/milters."""

    PACKAGES = ()

    def __init__(self):
        super().__init__("rlmp.")
        self.tree = peers.fetch(self.NAME, *self.PACKAGES)
        self.port = relais.free_port()
        self.place = f"inet:{self.port}@127.0.0.1"

    def begin(self, command, ready=None):
        return self._start(command, ready or listens(self.port), {**os.environ, **self.tree.environment})


class Opendkim(MilterServer):
    NAME, PACKAGES = "opendkim", ("opendkim", "libmilter1.0.1", "libopendkim11", "libvbr2", "librbl1")

    def __enter__(self):
        key = self.directory / "key"
        subprocess.run(["openssl", "genrsa", "-traditional", "-out", key, "2048"], capture_output=True, check=True)
        key.chmod(0o600)
        public = subprocess.run(["openssl", "rsa", "-in", key, "-pubout"], capture_output=True, check=True, text=True).stdout
        record = "v=DKIM1; k=rsa; p=" + "".join(public.splitlines()[1:-1])
        strings = " ".join(f'"{record[i : i + 200]}"' for i in range(0, len(record), 200))
        self.zone = self.directory / "zone"
        self.zone.write_text(f"sel._domainkey.far.test. TXT ( {strings} )\n")
        (self.directory / "opendkim.conf").write_text(f"""\
Socket {self.place}
Mode s
Domain far.test
Selector sel
KeyFile {key}
InternalHosts 127.0.0.1
Canonicalization simple/simple
Background no
Syslog no
RequireSafeKeys no
PidFile {self.directory}/pid
""")
        return self.begin([self.tree.program("opendkim"), "-f", "-x", self.directory / "opendkim.conf"])


class Rspamd(MilterServer):
    NAME, PACKAGES = "rspamd", ("rspamd",)

    def __enter__(self):
        d, share = self.directory, self.tree.directory / "usr/share/rspamd"
        # Of all the world's domains it makes an automaton first, for minutes.
        (d / "tld").write_text("test\nexample\n")
        (d / "rspamd.conf").write_text(f"""\
options {{
  pidfile = "{d}/pid"; filters = ""; temp_dir = "{d}"; url_tld = "{d}/tld"; dns {{ nameserver = ["127.0.0.1:1"]; }}
  lua_path = "{share}/lualib/?.lua"; control_socket = "{d}/control"; hs_cache_dir = "{d}";
}}
logging {{ type = "file"; filename = "{d}/log"; level = "info"; }}
actions {{ reject = 15; add_header = 6; greylist = 4; }}
worker "rspamd_proxy" {{
  bind_socket = "127.0.0.1:{self.port}"; milter = yes; count = 1; timeout = 60s;
  upstream "local" {{ default = yes; self_scan = yes; }}
}}
""")
        d.chmod(0o777)
        variables = [f"--var={name}={value}" for name, value in (("SHAREDIR", share), ("DBDIR", d), ("RUNDIR", d), ("LOGDIR", d), ("CONFDIR", d),
                                                                   ("RULESDIR", share / "rules"), ("LUALIBDIR", share / "lualib"),
                                                                   ("PLUGINSDIR", share / "plugins"))]
        return self.begin([self.tree.program("rspamd"), "-f", "-i", "-c", d / "rspamd.conf", *variables])


class Clamav(MilterServer):
    NAME, PACKAGES = "clamav", ("clamav-milter", "clamav-daemon", "libclamav12", "clamav-base")

    def __init__(self, on_infected):
        super().__init__()
        self.on_infected = on_infected
        self.clamd = None

    def __enter__(self):
        d = self.directory
        (d / "db").mkdir()
        (d / "db/test.ndb").write_text(f"Test.Marker:0:*:{MARKER.encode().hex()}\n")
        # As whoever runs the test: no user of the package's is there.
        (d / "clamd.conf").write_text(f"LocalSocket {d}/clamd\nDatabaseDirectory {d}/db\nForeground yes\nLogFile {d}/log-clamd\nTemporaryDirectory {d}\n")
        (d / "milter.conf").write_text(f"MilterSocket {self.place}\nClamdSocket unix:{d}/clamd\nForeground yes\nOnInfected {self.on_infected}\n"
                                       f"OnFail Defer\nAddHeader Replace\nTemporaryDirectory {d}\nLogFile {d}/log-milter\n")
        environment = {**os.environ, **self.tree.environment}
        self.clamd = subprocess.Popen([self.tree.program("clamd"), "-c", str(d / "clamd.conf")], env=environment, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if not relais.wait_until((d / "clamd").exists, 60):
            self.__exit__()
            raise AssertionError(f"clamd does not start: {self.log()}")
        return self.begin([self.tree.program("clamav-milter"), "-c", d / "milter.conf"])

    def __exit__(self, *arguments):
        if self.clamd is not None:
            relais.end_process(self.clamd)
            self.clamd = None
        super().__exit__(*arguments)


class RealMilters(MilterCase):
    def test_opendkim_signs(self):
        with Opendkim() as signer:
            i = self.begun(signer)
            message = MESSAGE + "8 bits \u00e4\n  blanks  \n.\n..two\n\n\n"
            _, end = self.sent(i, message)
            self.assertTrue(end.startswith("250 ok"), end)
            (got,) = self.joe.wait_messages()
            self.assertIn(b"DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple; d=far.test; s=sel", got)
            said = i.run("mail-verify", "-", "--dns", signer.zone, input=got)
            self.assertIn("dkim: pass d=far.test s=sel", said.out, (said, got))

    def test_rspamd(self):
        with Rspamd() as filter:
            i = self.begun(filter)
            _, end = self.sent(i)
            self.assertTrue(end.startswith("250 ok"), (end, filter.log()))
            self.joe.wait_messages()
            _, end = self.sent(i, "Subject: x\nFrom: a@far.test\n\nXJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\n")
            self.assertTrue(end.startswith("554 "), (end, filter.log()))
            self.assertIn("tube", end)
            self.assertRegex(filter.log(), r"ip: 127\.0\.0\.1")
            self.assertIn(JOE, filter.log())
            self.assertEqual(len(self.joe.messages()), 1)

    def test_clamav_refuses(self):
        with Clamav("Reject") as scanner:
            i = self.begun(scanner)
            _, end = self.sent(i)
            self.assertTrue(end.startswith("250 ok"), (end, scanner.log()))
            self.assertRegex(text(self.joe.wait_messages()[0]), r"X-Virus-Scanned: clamav-milter .*\n(?s:.)*X-Virus-Status: Clean\n")
            _, end = self.sent(i, MESSAGE + MARKER + "\n")
            self.assertTrue(end.startswith("5"), (end, scanner.log()))
            relais.end_process(scanner.clamd)
            _, end = self.sent(i)
            self.assertTrue(end.startswith("4"), end)

    def test_clamav_quarantines(self):
        with Clamav("Quarantine") as scanner:
            i = self.begun(scanner)
            _, end = self.sent(i, MESSAGE + MARKER + "\n")
            self.assertTrue(end.startswith("250 ok"), (end, scanner.log()))
            i.wait_for(lambda: "held" in i.run("queue-list").out, what="a held message")
            i.wait_log("held: quarantined by clamav-milter", "smtpd")
            self.assertEqual(self.joe.messages(), [])


if __name__ == "__main__":
    relais.main()
