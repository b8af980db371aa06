"""The lines of docs/smarthost.md for sending through a provider's smarthost, as they stand there, typed into a shell: on a fresh /var/qmail, with
users that qmail-setup has made, and a real Postfix that wants TLS and a login. In namespaces, so that all of that is nobody else's."""

from harness import namespace

namespace.enter()

import pathlib  # noqa: E402
import shutil  # noqa: E402
import subprocess  # noqa: E402
import tempfile  # noqa: E402

from harness import dns  # noqa: E402
from harness import peers  # noqa: E402
from harness import relais  # noqa: E402
from harness.tls_peers import Authority  # noqa: E402

HOME = pathlib.Path("/var/qmail")
PROVIDER, USER, PASSWORD = "smtp.provider.example", "you@provider.example", "your password"
AUTHORITIES = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")


def lines_of_page():
    text = (relais.ROOT / "docs/smarthost.md").read_text()
    return [line[4:] for line in text.splitlines() if line.startswith("    ")]


class Readme(relais.TestCase):
    @classmethod
    def setUpClass(cls):
        namespace.require()
        if HOME.exists():
            raise relais.unittest.SkipTest(f"there is a {HOME} already")
        cls.addClassCleanup(namespace.private("/etc", "/var"))
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="rlreadme.", dir="/tmp"))
        cls.directory.chmod(0o755)
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        authority = Authority(cls.directory / "ca")
        certificate = authority.certificate(PROVIDER)
        shutil.copy(authority.root.cert, cls.directory / "provider-cert.pem")
        # The provider's certificate is one that everybody trusts.
        AUTHORITIES.write_bytes((AUTHORITIES.read_bytes() if AUTHORITIES.exists() else b"") + authority.root.cert.read_bytes())
        cls.zones = dns.Nsd({"test": "", "provider.example": "smtp A 127.0.0.2\n"})
        cls.addClassCleanup(cls.zones.stop)
        tls = [("smtpd_tls_security_level", "encrypt"), ("smtpd_tls_cert_file", certificate.cert), ("smtpd_tls_key_file", certificate.key)]
        cls.provider = peers.AuthPostfix(None, {USER: PASSWORD}, listeners=[("127.0.0.2:587", tls)])
        cls.provider.__enter__()
        cls.addClassCleanup(cls.provider.__exit__)

    def shell(self, line, check=True, directory="/"):
        path = f"{relais.BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        done = subprocess.run(["sh", "-c", line], cwd=directory, env={"PATH": path, "HOME": "/root"}, capture_output=True, text=True, timeout=400,
                              stdin=subprocess.DEVNULL)
        if check:
            self.assertEqual((done.returncode, done.stderr), (0, ""), f"{line}\n{done}")
        return done.stdout

    def somebody_elses_svscan(self):
        """As in a container whose processes are seen from here: its directory has the name of ours and is another one."""
        script = f"mount --make-rprivate / && mount -t tmpfs tmpfs {HOME} && mkdir {HOME}/service && cd {HOME}/service && exec svscan ."
        other = subprocess.Popen(["unshare", "-m", "sh", "-c", script], stdin=subprocess.DEVNULL)
        self.addCleanup(other.wait, 60)
        self.addCleanup(other.kill)
        self.assertTrue(relais.wait_until(lambda: relais.Process(other.pid).name == "svscan"))

    def test_five_lines(self):
        lines = lines_of_page()
        self.assertEqual(len(lines), 7)
        self.shell("qmail-setup /var/qmail --me mail.example.org --admin you@example.net --listen 127.0.0.1")
        (HOME / "control/dnsservers").write_text(self.zones.server + "\n")
        self.addCleanup(self.shell, "qmailctl stop", False)
        self.somebody_elses_svscan()
        self.shell("qmailctl start")
        said = "".join(self.shell(line) for line in lines[:4])
        self.assertIn("you@elsewhere.example goes to smtp.provider.example [127.0.0.2] port 587\n", said)
        self.assertIn(f"as {USER}, with the password in control/smtproutes; nothing is sent without it", said)
        (message,) = self.provider.wait_messages(1, 60)
        self.assertIn(b"\ntest\n", message)
        self.provider.wait_log(f"sasl_username={USER}")
        self.assertTrue(relais.wait_until(lambda: "success" in self.shell(lines[4]), 60), self.shell(lines[4]))
        log = self.shell(lines[4])
        for word in ("accepted_message", "Encrypted:_TLSv1.3", "certificate_verified", "authenticated:_"):
            self.assertIn(word, log)
        # The lines leave nothing open: nobody else can read the password, and nothing complains.
        secret = HOME / "control/smtproutes"
        self.assertEqual((secret.stat().st_mode & 0o777, secret.owner()), (0o400, "qmailr"))
        self.assertNotIn("smtproutes", self.shell("qmail-showctl --check", False))
        for path in (HOME / "log").rglob("current"):
            self.assertNotIn(PASSWORD, path.read_text(errors="replace"))
        # A certificate of its own, in the place of those that everybody trusts.
        for line in lines[5:]:
            self.shell(line, directory=self.directory)
        self.assertIn("by an authority of provider.pem", self.shell("route-explain you@elsewhere.example"))
        self.shell(lines[3])
        self.provider.wait_messages(2, 60)


if __name__ == "__main__":
    relais.main()
