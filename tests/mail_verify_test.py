"""mail-verify: published cases of SPF, DKIM and ARC (used where they are, ../shared/data beside the project), other
people's signatures, ours before other people's verifiers, and what the tool promises."""

import base64
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from harness import dns
from harness import relais

# Debian's modules, also for another python3.
sys.path.append("/usr/lib/python3/dist-packages")
try:
    import dkim
except ImportError:
    dkim = None
try:
    import yaml
except ImportError:
    yaml = None

DATA = relais.ROOT.parent / "shared/data"
SEED = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
ED25519 = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


def data(name):
    path = DATA / name
    if not path.exists():
        raise unittest.SkipTest("skipped, not beside this checkout: ../shared/data")
    return path


def run(program, *arguments, stdin=b"", limit=60, environment=None):
    done = subprocess.run([relais.program(program), *map(str, arguments)], input=stdin, capture_output=True,
                          timeout=limit * relais.PATIENCE,
                          env=environment)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def quoted(text):
    """A TXT string of a zone file. Octets of the suite's strings are code points."""
    octets = text.encode("latin-1") if all(ord(c) < 256 for c in text) else text.encode()
    return '"' + "".join(chr(o) if 32 <= o < 127 and o not in b'"\\' else f"\\{o:03}" for o in octets) + '"'


def long_txt(text):
    return "( " + " ".join(quoted(text[i : i + 200]) for i in range(0, len(text), 200)) + " )"


def absolute(name):
    return "".join(c if c.isalnum() or c in "-_." else f"\\{ord(c):03}" for c in name).rstrip(".") + "."


class ZoneCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="rl-verify.", dir="/tmp")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def zone(self, text):
        path = self.folder / "zone"
        path.write_text(text)
        return path

    def verify(self, message, zone, *options, code=None):
        """What the tool says as JSON."""
        status, out, err = run("mail-verify", "-", "--json", "--dns", self.zone(zone), *options, stdin=message)
        self.assertIn(status, (0, 1, 111), err)
        said = json.loads(out)
        self.assertEqual(said["exit_code"], status)
        if code is not None:
            self.assertEqual(status, code, said)
        return said


@unittest.skipUnless(yaml, "python3-yaml is not installed")
class PublishedSpfTest(ZoneCase):
    @staticmethod
    def records(name, entries):
        """A YAML name's records. SPF stands for TXT unless there is a TXT."""
        has_txt = any(isinstance(entry, dict) and "TXT" in entry for entry in entries)
        for entry in entries:
            if entry == "TIMEOUT":
                yield f"{name} TIMEOUT"
                continue
            ((kind, value),) = entry.items()
            if kind in ("SPF", "TXT"):
                if value != "NONE" and (kind == "TXT" or not has_txt):
                    strings = value if isinstance(value, list) else [value]
                    yield f"{name} TXT " + (" ".join(map(quoted, strings)) or '""')
            elif kind == "MX":
                yield f"{name} MX {value[0]} {absolute(value[1])}"
            else:
                yield f"{name} {kind} {value if kind in ('A', 'AAAA') else absolute(value)}"

    def check(self, case, zone):
        status, out, err = run("mail-verify", "/dev/null", "--json", "--dns", zone, "--ip", case["host"], "--helo",
                               case["helo"],
                               "--from", case["mailfrom"])
        self.assertIn(status, (0, 1, 111), err)
        said = json.loads(out)["spf"]
        wanted = case["result"] if isinstance(case["result"], list) else [case["result"]]
        self.assertIn(said["result"], wanted, said)
        if said["result"] == "fail" and "explanation" in case:
            explanation = None if case["explanation"] == "DEFAULT" else case["explanation"]
            self.assertEqual(said["explanation"], explanation)

    def test_all_cases(self):
        count = 0
        for scenario in yaml.safe_load_all(data("spf/rfc7208-tests.yml").read_text(encoding="utf-8")):
            names = scenario["zonedata"].items()
            lines = [line for name, entries in names for line in self.records(absolute(name), entries)]
            zone = self.zone("\n".join(lines) + "\n")
            for name, case in scenario["tests"].items():
                with self.subTest(scenario=scenario["description"], case=name):
                    self.check(case, zone)
                count += 1
        self.assertEqual(count, 203)


class PublishedDkimTest(ZoneCase):
    def test_rfc8463(self):
        zone = f"brisbane._domainkey.football.example.com. TXT {quoted(ED25519)}\n"
        zone += f"test._domainkey.football.example.com. TXT {long_txt(data('dkim/test.txt').read_text().strip())}\n"
        said = self.verify(data("dkim/rfc6376.signed.msg").read_bytes(), zone, code=0)
        self.assertEqual([s["result"] for s in said["dkim"]], ["pass", "pass"], said)

    def test_bad_keys(self):
        message = data("dkim/rfc6376.signed.msg").read_bytes()
        for name in ("badk.txt", "badversion.txt", "test_bad.txt"):
            zone = f"test._domainkey.football.example.com. TXT {long_txt(data('dkim/' + name).read_text().strip())}\n"
            said = self.verify(message, zone, code=1)
            self.assertEqual([s["result"] for s in said["dkim"]], ["permerror", "permerror"], name)


@unittest.skipUnless(yaml, "python3-yaml is not installed")
class PublishedArcTest(ZoneCase):
    @staticmethod
    def tags(text):
        return {name.strip(): re.sub(r"\s", "", value) for name, _, value in
                (tag.partition("=") for tag in text.split(";")) if name.strip()}

    def seal(self, suite, case):
        (self.folder / "key").write_text(suite["privatekey"])
        records = {name: text.replace("\n", "") for name, text in suite["txt-records"].items()}
        zone = "".join(f"{absolute(name)} TXT {long_txt(text)}\n" for name, text in records.items())
        status, out, err = run("mail-sign", "seal", "--key", self.folder / "key", "--domain", suite["domain"],
                               "--selector", suite["sel"],
                               "--server", case["srv-id"], "--fields", case["sig-headers"], "--time", case["t"],
                               "--dns", self.zone(zone),
                               stdin=case["message"].encode())
        self.assertEqual(status, 0, err)
        return out.decode(), zone

    def check(self, suite, case):
        sealed, zone = self.seal(suite, case)
        if not case["AS"].strip():
            self.assertEqual(sealed, case["message"])
            return
        fields = [re.sub(r"\n[ \t]", " ", field) for field in re.split(r"\n(?![ \t])", sealed)[:3]]
        for field, name in zip(fields, ("AS", "AMS")):
            self.assertEqual(self.tags(field.partition(":")[2]), self.tags(case[name]))
        self.assertEqual(re.sub(r"\s+", " ", fields[2].partition(":")[2]).strip(),
                         re.sub(r"\s+", " ", case["AAR"]).strip())
        said = self.verify(sealed.encode(), zone)
        self.assertEqual(said["arc"]["result"], "fail" if "cv=fail" in case["AS"] else "pass", said)

    def test_all_cases(self):
        count = 0
        for suite in yaml.safe_load_all(data("arc/arc-draft-sign-tests.yml").read_text(encoding="utf-8")):
            for name, case in suite["tests"].items():
                with self.subTest(case=name):
                    self.check(suite, case)
                count += 1
        self.assertEqual(count, 17)


MESSAGE = (b"From: =?utf-8?q?J=C3=B6rg?= <a@example.org>\r\nTo: b@example.net,\r\n\tc@example.net\r\n"
           b"Subject: a  \t long subject " + b"x" * 900 +
           b" \r\nDate: Mon, 30 Nov 2026 00:00:00 +0000\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n\r\n"
           b"8-bit \xc3\xa4 \xff\r\n\r\n .leading  \t blanks \r\ntrailing\t\r\n\r\n\r\n")


@unittest.skipUnless(dkim, "python3-dkim is not installed")
class InteroperationTest(ZoneCase):
    """dkimpy signs and we verify; we sign and dkimpy verifies."""

    @classmethod
    def setUpClass(cls):
        done = subprocess.run(["openssl", "genrsa", "2048"], capture_output=True, check=True)
        cls.rsa = done.stdout
        public = subprocess.run(["openssl", "rsa", "-pubout", "-outform", "DER"], input=cls.rsa, capture_output=True,
                                check=True)
        cls.records = {"rsa": "v=DKIM1; k=rsa; p=" + base64.b64encode(public.stdout).decode(), "ed25519": ED25519}
        cls.keys = {"rsa": cls.rsa, "ed25519": SEED.encode()}

    def zone_of(self, algorithm):
        return f"sel._domainkey.example.org. TXT {long_txt(self.records[algorithm])}\n"

    def resolver(self, algorithm):
        name_of_key = b"sel._domainkey.example.org"
        return lambda name, timeout=5: self.records[algorithm].encode() if name.rstrip(b".") == name_of_key else None

    def each(self):
        for algorithm in ("rsa", "ed25519"):
            for header in (b"simple", b"relaxed"):
                for body in (b"simple", b"relaxed"):
                    with self.subTest(algorithm=algorithm, header=header, body=body):
                        yield algorithm, header, body

    def test_theirs_before_us(self):
        for algorithm, header, body in self.each():
            for length in (False, True):
                field = dkim.sign(MESSAGE, b"sel", b"example.org", self.keys[algorithm], canonicalize=(header, body),
                                  length=length,
                                  signature_algorithm=algorithm.encode() + b"-sha256")
                said = self.verify(field + MESSAGE, self.zone_of(algorithm), code=0)
                self.assertEqual([s["result"] for s in said["dkim"]], ["pass"], said)
                said = self.verify(field + MESSAGE.replace(b"8-bit", b"9-bit"), self.zone_of(algorithm), code=1)
                self.assertEqual([s["result"] for s in said["dkim"]], ["fail"], said)
                if length:
                    said = self.verify(field + MESSAGE + b"more\r\n", self.zone_of(algorithm), code=0)
                    self.assertGreater(said["dkim"][0]["unsigned_octets"], 0)

    def ours(self, algorithm, header, body, message=MESSAGE):
        (self.folder / "key").write_bytes(self.keys[algorithm])
        status, out, err = run("mail-sign", "sign", "--key", self.folder / "key", "--domain", "example.org",
                               "--selector", "sel", "--header",
                               header.decode(), "--body", body.decode(), stdin=message)
        self.assertEqual(status, 0, err)
        return out

    def test_ours_before_them(self):
        for algorithm, header, body in self.each():
            signed = self.ours(algorithm, header, body)
            self.assertTrue(dkim.verify(signed, dnsfunc=self.resolver(algorithm)), signed)
            self.assertFalse(dkim.verify(b"To: x@evil.example\r\n" + signed, dnsfunc=self.resolver(algorithm)))
            said = self.verify(signed.replace(b"\r", b""), self.zone_of(algorithm))
            self.assertEqual([s["result"] for s in said["dkim"]], ["pass"])

    def test_arc_theirs_before_us_and_ours_before_them(self):
        (self.folder / "key").write_bytes(self.rsa)
        message = b"Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=a@example.org\r\n" + MESSAGE
        theirs = dkim.arc_sign(message, b"sel", b"example.org", self.rsa, b"mx.example.org")
        message = b"".join(theirs) + message
        for sets in (2, 3):
            said = self.verify(message, self.zone_of("rsa"))
            self.assertEqual((said["arc"]["result"], said["arc"]["sets"]), ("pass", sets - 1), said)
            status, message, err = run("mail-sign", "seal", "--key", self.folder / "key", "--domain", "example.org",
                                       "--selector", "sel",
                                       "--server", "mx.example.org", "--dns", self.zone(self.zone_of("rsa")),
                                       stdin=message)
            self.assertEqual(status, 0, err)
            verdict, _, reason = dkim.arc_verify(message, dnsfunc=self.resolver("rsa"))
            self.assertEqual(verdict, dkim.CV_Pass, reason)
            self.assertEqual(dkim.arc_verify(message.replace(b"8-bit", b"9-bit"), dnsfunc=self.resolver("rsa"))[0],
                             dkim.CV_Fail)


class ToolTest(ZoneCase):
    ZONE = ('$ORIGIN example.org.\n@ TXT "v=spf1 ip4:192.0.2.0/24 -all"\n_dmarc TXT "v=DMARC1; p=reject"\n'
            "down TIMEOUT\n_dmarc.down TIMEOUT\n")
    MAIL = b"Return-Path: <a@example.org>\nFrom: a@example.org\n\nbody\n"

    def test_lines(self):
        path = self.folder / "mail"
        path.write_bytes(self.MAIL)
        status, out, err = run("mail-verify", path, "--ip", "192.0.2.1", "--helo", "h.example.org", "--dns",
                               self.zone(self.ZONE), "--server", "mx.test")
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(out.decode(), """\
spf: pass mailfrom=a@example.org: 192.0.2.1 matches "ip4:192.0.2.0/24" of example.org
dkim: none: the message has no signature
dmarc: pass from=example.org policy=reject effective=reject at=example.org: SPF of example.org is aligned with From
arc: none: the message has no ARC set
Authentication-Results: mx.test;
\tspf=pass smtp.mailfrom=a@example.org;
\tdkim=none;
\tdmarc=pass (p=reject of example.org) header.from=example.org;
\tarc=none
""")

    def test_exit_codes(self):
        self.verify(self.MAIL, self.ZONE, "--ip", "192.0.2.1", code=0)
        self.verify(self.MAIL, self.ZONE, "--ip", "198.51.100.1", code=1)
        self.verify(self.MAIL, self.ZONE, code=1)
        self.verify(b"Subject: x\n\n", self.ZONE, code=0)
        self.verify(b"From: a@down.example.org\n\n", self.ZONE, "--ip", "192.0.2.1", "--from", "a@down.example.org",
                    code=111)
        self.assertEqual(run("mail-verify")[0], 100)
        self.assertEqual(run("mail-verify", "-", "--ip", "nonsense")[0], 100)
        self.assertEqual(run("mail-verify", "-", "--dns", self.zone("x A y\n"))[0], 100)
        self.assertEqual(run("mail-verify", self.folder / "none", "--dns", "/dev/null")[0], 111)

    def test_an_empty_sender_is_checked_by_helo(self):
        said = self.verify(self.MAIL, 'h.example.org. TXT "v=spf1 -all"\n', "--ip", "192.0.2.1", "--helo",
                           "h.example.org", "--from", "<>")
        self.assertEqual((said["spf"]["result"], said["spf"]["identity"]), ("fail", "helo"))

    def test_hostile_messages(self):
        for message in (b"", b"\0" * 100000, b"From: a@example.org\r\nX: " + b"y" * 3000000 + b"\r\n\r\n",
                        b"a:\n" * 500000, b"From: " + b"a@b.c," * 100000,
                        b"DKIM-Signature: " + b"a=b;" * 100000 + b"\nFrom: a@b.c\n\n", b"ARC-Seal: i=50\n" * 1000,
                        b"From: \x1b[2J\x07@example.org\n\n" + b"\r\n" * 1000000 + b"x",
                        b"From: a@example.org\n" * 1000):
            status, out, err = run("mail-verify", "-", "--dns", self.zone(self.ZONE), stdin=message)
            self.assertIn(status, (0, 1), err)
            self.assertNotRegex(out, rb"[\0-\x08\x0b-\x1f]")


class ResolverTest(relais.TestCase):
    """The same answers by DNS."""

    ZONE = ('@ TXT "v=spf1 mx -all"\n@ MX 10 mx\nmx A 192.0.2.1\n_dmarc TXT "v=DMARC1; p=reject"\n'
            f'sel._domainkey TXT "{ED25519}"\n')

    def verdicts(self, instance, message, *options):
        status, out, err = run("mail-verify", "-", "--json", *options, stdin=message, environment=instance.environment)
        said = json.loads(out)
        return status, said["spf"]["result"], [s["result"] for s in said["dkim"]], said["dmarc"]["result"], err

    def test_a_running_resolver_answers_or_one_of_its_own(self):
        zones = dns.Nsd({"test": self.ZONE})
        self.addCleanup(zones.stop)
        i = self.instance()
        i.control("dnsservers", zones.server)
        with tempfile.NamedTemporaryFile("w") as key:
            key.write(SEED)
            key.flush()
            message = b"From: a@test\r\nSubject: x\r\n\r\nbody\r\n"
            status, message, err = run("mail-sign", "sign", "--key", key.name, "--domain", "test", "--selector",
                                       "sel", stdin=message)
        self.assertEqual(status, 0, err)
        options = ("--ip", "192.0.2.1", "--from", "a@sub.test")
        self.assertEqual(self.verdicts(i, message, *options), (0, "none", ["pass"], "pass", ""))
        dns.start_resolver(i)
        options = ("--ip", "192.0.2.1", "--helo", "test.test")
        self.assertEqual(self.verdicts(i, message, *options)[:4], (0, "none", ["pass"], "pass"))
        self.assertEqual(self.verdicts(i, message + b"x", *options)[:4], (1, "none", ["fail"], "fail"))

    def test_without_answers_there_is_no_verdict(self):
        silent = dns.SilentServer()
        self.addCleanup(silent.stop)
        i = self.instance()
        i.control("dnsservers", silent.server)
        dns.start_resolver(i)
        status, spf, _, dmarc, _ = self.verdicts(i, b"From: a@b.test\n\n", "--ip", "192.0.2.1", "--from", "a@b.test",
                                                 "--timeout", "2")
        self.assertEqual((status, spf, dmarc), (111, "temperror", "temperror"))


if __name__ == "__main__":
    relais.main()
