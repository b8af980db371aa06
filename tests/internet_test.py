"""qmailctl doctor --internet: what DNS says of a server, asked of a real nsd, and what is to be published. setup/public_server_test.cc
has each finding; here are keys and certificates of an instance, both kinds of them, and who asks."""

import json
import os
import re
import subprocess
import unittest

from harness import dns
from harness import relais
from run_test import OneKind

ADDRESS = "192.0.2.25"


class Case(OneKind, relais.TestCase):
    single = not relais.IS_ROOT
    ZONE = f"""mail A {ADDRESS}
mail TXT "v=spf1 a -all"
good MX 10 mail
good TXT "v=spf1 mx -all"
_dmarc.good TXT "v=DMARC1; p=reject; rua=mailto:postmaster@good.test"
bad MX 10 alias
alias CNAME mail
bad TXT "v=spf1 ip4:198.51.100.7 -all"
_dmarc.bad TXT "v=DMARC1; p=none; rua=mailto:a@reports.test"
"""

    def made(self, **options):
        i = super().made(**options)
        i.control("me", "mail.test")
        i.control("rcpthosts", "good.test\nbad.test")
        i.control("locals", "good.test\nbad.test")
        return i

    def publish(self, i, zone, reverse="mail.test."):
        served = dns.Nsd({"test": zone, "2.0.192.in-addr.arpa": f"25 PTR {reverse}\n" if reverse else ""})
        self.addCleanup(served.stop)
        i.control("dnsservers", served.server)

    def signed(self, i, domain):
        """Makes a key that signs. Returns its record, for the zone."""
        done = i.run("dkim-key", "make", "--type", "ed25519", domain)
        self.assertEqual(done.code, 0, done)
        (record,) = [line for line in done.out.splitlines() if " IN TXT " in line]
        self.assertEqual(i.run("dkim-key", "use", "--unchecked", domain).code, 0)
        return record + "\n"

    def certificate(self, i, name="mail.test"):
        directory = i.directory / "certificate"
        directory.mkdir()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "60", "-subj", "/CN=a",
                        "-addext", f"subjectAltName=DNS:{name}", "-keyout", directory / "key", "-out", directory / "cert"],
                       check=True, capture_output=True)
        path = i.home / "control/servercert.pem"
        text = (directory / "key").read_bytes() + (directory / "cert").read_bytes()
        path.write_bytes(text)
        return text

    def doctor(self, i, *options):
        """Level and text of each finding, with the remedy."""
        done = i.run("qmailctl", "doctor", "--internet", "--json", "--address", ADDRESS, *options)
        self.assertEqual(done.err, "", done)
        report = json.loads(done.out)
        self.assertEqual(report["code"], done.code)
        return done.code, {(each["level"], each["text"]): each["remedy"] for each in report["findings"]}

    def assert_found(self, findings, level, words, remedy="^"):
        found = [(text, said) for (a_level, text), said in findings.items() if a_level == level and re.search(words, text)]
        self.assertTrue(found, f"{level} {words} in {findings}")
        self.assertRegex(found[0][1] or "", remedy)


class Findings(Case):
    def test_what_is_well_and_what_is_not(self):
        i = self.made()
        key = self.signed(i, "good.test")
        self.signed(i, "bad.test")
        self.certificate(i)
        self.publish(i, self.ZONE + key)
        code, findings = self.doctor(i, "--domain", "good.test")
        for words in ("the name in HELO, mail.test, has the addresses", f"^{ADDRESS} is called mail.test, and that leads back", "valid for (59|60) days",
                      "the certificate is for mail.test", "mail for good.test is sent here: MX mail.test", "SPF of good.test lets this host send",
                      r"^e\d+\._domainkey\.good\.test is published$", "DMARC of good.test: reject"):
            self.assert_found(findings, "ok", words)
        self.assert_found(findings, "look", "signed by itself", "certbot certonly -d mail.test")
        self.assertEqual((code, [key for key in findings if key[0] == "wrong"]), (1, []))
        code, findings = self.doctor(i)
        self.assertEqual(code, 2)
        self.assert_found(findings, "look", "the MX alias.test of bad.test is an alias", r"^bad\.test\. MX 10 mail\.test\.$")
        self.assert_found(findings, "wrong", f"SPF of bad.test does not let {ADDRESS} send: fail",
                          rf'^bad\.test\. TXT "v=spf1 ip4:{ADDRESS} ip4:198\.51\.100\.7 -all"')
        self.assert_found(findings, "wrong", r"_domainkey\.bad\.test: not published", r'_domainkey\.bad\.test\. IN TXT \( "v=DKIM1; k=ed25519; p=')
        self.assert_found(findings, "note", "DMARC of bad.test asks for reports only")
        self.assert_found(findings, "look", "reports.test does not say that it takes DMARC reports", r'^bad\.test\._report\._dmarc\.reports\.test\. TXT')

    def test_a_server_without_anything(self):
        i = self.made()
        self.publish(i, "", reverse="")
        i.control("rcpthosts", "good.test")
        i.control("locals", "good.test")
        self.certificate(i, "other.test")
        code, findings = self.doctor(i)
        self.assertEqual(code, 2)
        for words, record in (("the name in HELO, mail.test, has no address", f"^mail.test. A {ADDRESS}$"),
                              (f"{ADDRESS} has no name", "^25.2.0.192.in-addr.arpa. PTR mail.test."),
                              ("good.test has no MX record", "^good.test. MX 10 mail.test.$"),
                              ("good.test has no SPF record", rf'^good.test. TXT "v=spf1 ip4:{ADDRESS} -all"$'),
                              ("mail of good.test is not signed", "^dkim-key make --type both good.test;"),
                              ("good.test has no DMARC record", '^_dmarc.good.test. TXT "v=DMARC1; p=none; ')):
            self.assert_found(findings, "wrong", words, record)
        self.assert_found(findings, "look", "the certificate is not for mail.test")

    def test_dns_that_does_not_answer(self):
        i = self.made()
        silent = dns.SilentServer()
        self.addCleanup(silent.stop)
        i.control("dnsservers", silent.server)
        i.control("timeoutdns", "1")
        code, findings = self.doctor(i, "--domain", "good.test")
        self.assert_found(findings, "look", "DNS does not tell all addresses of mail.test")
        self.assert_found(findings, "look", "DNS does not answer: not everything was looked at")
        self.assertFalse([text for level, text in findings if level == "wrong"], findings)
        self.assertEqual(code, 1)

    def test_wrong_words(self):
        i = self.made()
        for words, said in ((("--internet", "--address", "here"), '"here" is no address'), (("--internet", "--domain", "a b"), '"a b" is no domain'),
                            (("--address", ADDRESS), "go with --internet")):
            done = i.run("qmailctl", "doctor", *words)
            self.assertEqual((done.code, done.out), (100, ""), done)
            self.assertIn(said, done.err)

    @unittest.skipUnless(relais.IS_ROOT, "a system instance needs root")
    def test_who_looks_at_answers_is_confined_and_not_root(self):
        i = self.made()
        self.publish(i, self.ZONE)
        trace = i.directory / "trace"
        done = subprocess.run(["strace", "-f", "-qq", "-e", "trace=setresuid,seccomp,prctl", "-o", trace, relais.program("qmailctl"), "doctor",
                               "--internet", "--address", ADDRESS], capture_output=True, text=True, env=i.environment, timeout=300)
        self.assertIn("is called mail.test", done.stdout, done)
        uid, _ = i.ids("qmailr")
        dropped = re.findall(rf"(?m)^(\d+) +setresuid\({uid}, ", trace.read_text())
        self.assertEqual(len(dropped), 1)
        if relais.CONFINED:
            self.assertRegex(trace.read_text(), rf"(?m)^{dropped[0]} +(seccomp|prctl)\((SECCOMP_SET_MODE_FILTER|PR_SET_SECCOMP)")

    @unittest.skipUnless(relais.IS_ROOT, "without root there is nobody else")
    def test_what_others_may_not_look_at_is_named(self):
        i = self.made()
        self.signed(i, "good.test")
        self.publish(i, self.ZONE)
        done = i.run("qmailctl", "doctor", "--internet", "--address", ADDRESS, "--domain", "good.test", user=relais.User(i, "x", 65534, 65534, None))
        self.assertNotEqual(done.code, 0, done)
        self.assertRegex(done.out + done.err, "run (this|it) as root|start it as root")


class UserInstance(Case):
    single = True

    def test_its_owner_asks(self):
        i = self.made()
        self.publish(i, self.ZONE)
        self.assert_found(self.doctor(i)[1], "ok", "mail for good.test is sent here")


del Case, OneKind
if __name__ == "__main__":
    unittest.main()
