"""DANE (RFC 7672): qmail-remote against servers with TLS whose TLSA records are in a zone that a real nsd serves, signed, and
that qmail-resolver validates."""

import hashlib
import pathlib
import shutil
import subprocess
import tempfile

from harness import dns
from harness import relais
from harness.tls_peers import Authority, TlsServer
from remote_test import RemoteCase
from rspawn_test import Spawner

SECURED = "Encrypted: TLSv1.3, TLS_AES_256_GCM_SHA384"
VERIFIED = SECURED + ", certificate verified by DANE"
UNVERIFIED = SECURED + ", certificate not verified"
OTHER = "3 0 1 " + "ab" * 32  # of no certificate

# HOST ADDRESS: hosts of test.; PORT is that of all servers. A domain of the same name has it as its MX.
HOSTS = {"good": 21, "wrong": 22, "plain": 23, "unusable": 21, "unusable-plain": 23, "none": 22, "rollover": 21, "authority": 24,
         "full": 21, "port25": 22, "tlsa-forged": 21, "tlsa-lame": 21, "short": 21}


def key_digest(certificate):
    """Of the public key, as a record with selector 1 has it."""
    key = subprocess.run(["openssl", "x509", "-in", certificate.cert, "-noout", "-pubkey"], check=True, capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key, check=True, capture_output=True).stdout
    return hashlib.sha256(der).hexdigest()


class Dane(RemoteCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="rldane.", dir="/tmp"))
        cls.directory.chmod(0o755)
        cls.port = relais.free_port()
        authority = Authority(cls.directory / "ca")
        cls.own = authority.self_signed("elsewhere.example")
        cls.signed = authority.certificate("authority.test")
        with open(cls.signed.cert, "ab") as chain:
            chain.write(authority.root.cert.read_bytes())
        cls.key = key_digest(cls.own)
        mine = f"3 1 1 {cls.key}"
        records = {"good": [mine], "wrong": [OTHER], "plain": [mine], "unusable": ["1 1 1 " + cls.key, "3 1 9 00"],
                   "unusable-plain": ["0 0 1 " + cls.key], "rollover": [OTHER, f"3 0 1 {cls.own.digest()}"],
                   "authority": [f"2 0 1 {authority.root.digest()}"], "full": [OTHER, "3 1 2 00", mine], "short": ["3 1 1 " + cls.key[:62]]}
        zone = [f"{host} MX 10 {host}-host\n{host}-host A 127.0.0.{last}" for host, last in HOSTS.items()]
        zone += [f"_{cls.port}._tcp.{host}-host TLSA {text}" for host, texts in records.items() for text in texts]
        zone += [
            f"_25._tcp.port25-host TLSA {OTHER}",
            # An unsigned zone below, a signed name that leads to it, one that leads back, and a forged one.
            "open NS ns.open", "ns.open A 127.0.0.1", "tosecure MX 10 good-host",
            "alias MX 10 alias-host", "alias-host CNAME good-host",
            "alias-wrong MX 10 alias-wrong-host", "alias-wrong-host CNAME wrong-host",
            "alias-open MX 10 alias-open-host", "alias-open-host CNAME host.open", f"_{cls.port}._tcp.alias-open-host TLSA {OTHER}",
            "_tcp.tlsa-forged-host NS ns", "_tcp.tlsa-forged-host DS 12345 13 2 " + "cd" * 32,
            "_tcp.tlsa-lame-host NS ns",
            "second MX 10 wrong-host", "second MX 20 good-host", "second-forged MX 10 tlsa-forged-host", "second-forged MX 20 good-host",
            "nomx A 127.0.0.22", f"_{cls.port}._tcp.nomx TLSA {OTHER}",
        ]
        below = (f"@ MX 10 host\nhost A 127.0.0.22\n_{cls.port}._tcp.host TLSA {OTHER}\ntosecure MX 10 wrong-host.test.\n")
        cls.nsd = dns.Nsd({"test": "\n".join(zone) + "\n", "open.test": below, "_tcp.tlsa-forged-host.test": f"_{cls.port} TLSA {mine}\n",
                           "_tcp.tlsa-lame-host.test": None}, signed=("test",))

    @classmethod
    def tearDownClass(cls):
        cls.nsd.stop()
        shutil.rmtree(cls.directory)

    def setUp(self):
        self.servers = {}
        for last, options in ((21, {"certificate": self.own}), (22, {"certificate": self.own}), (23, {"starttls": False}),
                              (24, {"certificate": self.signed})):
            self.servers[last] = TlsServer(address=f"127.0.0.{last}", port=self.port, **options)
            self.addCleanup(self.servers[last].stop)

    def made(self, **control):
        i = self.instance(control={"dnsservers": self.nsd.server, "dnsanchors": self.nsd.anchors, "dane": "1", "smtproutes": f"::{self.port}",
                                   "privatemx": ".test", "timeoutremote": "30", "timeoutdns": "10", **control})
        dns.start_resolver(i)
        return i

    def assert_goes(self, i, domain, words, last=None):
        report = self.remote(i, domain)
        self.assertEqual((report.letter, report.recipients), ("K", [("r", "")]), f"{domain}: {report}")
        self.assertEqual(report.text.splitlines()[-1] if "Encrypted" in report.text else "", words, f"{domain}: {report}")
        if last:
            self.assertTrue(report.text.startswith(f"127.0.0.{last} accepted"), f"{domain}: {report}")

    def begun(self):
        """Transactions, in the clear or not."""
        return sum(c.upper().startswith(b"MAIL FROM") for s in self.servers.values() for session in s.sessions for c in session.commands)

    def assert_waits(self, i, domain, *parts):
        before = self.begun()
        report = self.remote(i, domain)
        self.assertEqual((report.letter, report.recipients), ("Z", []), f"{domain}: {report}")
        for part in parts:
            self.assertIn(part, report.text, domain)
        self.assertEqual(self.begun(), before, domain)

    def test_who_is_verified(self):
        i = self.made()
        for domain in ("good.test", "rollover.test", "authority.test", "full.test", "alias.test"):
            self.assert_goes(i, domain, VERIFIED)
        self.assert_goes(i, "second.test", VERIFIED, 21)
        self.assert_goes(i, "second-forged.test", VERIFIED, 21)

    def test_who_gets_nothing(self):
        i = self.made()
        name = f"_{self.port}._tcp."
        for domain in ("wrong.test", "alias-wrong.test", "alias-open.test", "nomx.test"):
            host = {"nomx.test": "nomx", "alias-wrong.test": "wrong-host", "alias-open.test": "alias-open-host"}.get(domain, "wrong-host")
            self.assert_waits(i, domain, f"its certificate fits no TLSA record of {name}{host}.test, where one for it would be 3 1 1 {self.key}. "
                              "(#4.7.5)")
        for domain, host in (("plain.test", "plain"), ("unusable-plain.test", "unusable-plain")):
            self.assert_waits(i, domain, f"TLS is required (there are TLSA records at {name}{host}-host.test) and it does not offer STARTTLS. "
                              "(#4.7.10)")
        self.assert_waits(i, "tlsa-forged.test", f"TLSA records (DANE) at {name}tlsa-forged-host.test: DNSSEC says that the answer is forged")
        self.assert_waits(i, "tlsa-lame.test", f"TLSA records (DANE) at {name}tlsa-lame-host.test: DNS does not answer", "(#4.4.3)")

    def test_who_is_not_held_to_records(self):
        i = self.made()
        for domain in ("none.test", "port25.test", "open.test", "tosecure.open.test", "unusable.test", "short.test"):
            self.assert_goes(i, domain, UNVERIFIED)
        # A line of the administrator goes first; the one for everything else does only where it verifies, or forbids TLS.
        i.control("tlsdestinations", ".test:may")
        self.assert_goes(i, "wrong.test", UNVERIFIED)
        self.assert_goes(i, "plain.test", "")
        i.control("tlsdestinations", ":encrypt")
        self.assert_waits(i, "wrong.test", "fits no TLSA record")
        i.control("tlsdestinations", ":none")
        self.assert_goes(i, "wrong.test", "")
        i.control("tlsdestinations", None)
        i.control("dane", None)
        self.assert_goes(i, "wrong.test", UNVERIFIED)

    def test_where_nothing_is_validated(self):
        self.assert_goes(self.made(dnsanchors=None), "wrong.test", UNVERIFIED)

    def test_a_route_names_a_host_with_records(self):
        i = self.made(smtproutes=f":wrong-host.test:{self.port}")
        self.assert_waits(i, "anything.example", "fits no TLSA record")
        i.control("smtproutes", f":authority-host.test:{self.port}")
        # A certificate for the domain that is sent elsewhere says nothing of that host.
        self.assert_waits(i, "authority.test", "its certificate is for authority.test, not for authority-host.test")

    def test_a_connection_from_before_is_not_used(self):
        i = self.made(dane="0", remoteidle="60")
        spawner = Spawner(i)
        self.addCleanup(spawner.close)
        for _ in range(2):
            self.assertEqual([outcome for outcome, _ in spawner.deliver(host="wrong.test").recipients], ["r"])
        self.assertEqual(len(self.servers[22].sessions), 1)
        i.control("dane", "1")
        (outcome, text), = spawner.deliver(host="wrong.test").recipients
        self.assertEqual(outcome, "s")
        self.assertIn("fits no TLSA record", text)
        self.assertEqual(len(self.servers[22].messages), 2)

    def test_what_route_explain_says(self):
        i = self.made()
        name = f"_{self.port}._tcp."
        for domain, words in (("good", f"{name}good-host.test: 3 1 1 {self.key[:16]}..."),
                              ("none", f"{name}none-host.test: no TLSA record that DNSSEC vouches for"),
                              ("open", "host.open.test: DNSSEC does not vouch for the way to it: TLSA records do not count"),
                              ("unusable", f"{name}unusable-host.test: no TLSA record that can be used: TLS is required, whoever the server is"),
                              ("tlsa-forged", f"{name}tlsa-forged-host.test: DNSSEC says that the answer is forged")):
            out = i.run("route-explain", f"you@{domain}.test").out
            self.assertRegex(out, rf"(?m)^  DANE +{words.replace('.', '[.]')}$")
        self.assertIn("warning: whether there are TLSA records", out)
        self.assertIn("dane: required, with a certificate that a TLSA record of", i.run("route-explain", "you@good.test").out)
        self.assertIn('"state": "usable"', i.run("route-explain", "--json", "you@good.test").out)
        i.control("dnsanchors", None)
        self.assertRegex(i.run("qmail-showctl").out, rf"nothing is validated without control/dnsanchors.*; ln -s \S+ {i.home}/control/dnsanchors\n")


if __name__ == "__main__":
    relais.main()
