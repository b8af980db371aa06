"""qmail-showctl, and that its table has every control file that any program reads."""

import os
import re
import ssl
import subprocess

from harness import relais

# read_number(home, "databytes", 0), number(home_, "concurrencyqueue" ..., control_file("me")
BY_ROW = re.compile(r'\b(?:read|read_if_there|row|default_of)<"([a-z0-9_.]+)">')
BY_NAME = re.compile(r'\bread_(?:line|lines|number|line_or_me)\([\w.]+,\s*"([a-z0-9_.]+)"')
PATHS = re.compile(r'\bcontrol_file\("([a-z0-9_.]+)"')


class ShowCtl(relais.TestCase):
    def test_shows_every_file_where_it_came_from_and_what_is_wrong(self):
        i = self.instance(control={"locals": "mail.test\nother.test", "databytes": "1000000", "timeoutremote": "soon"})
        result = i.run("qmail-showctl")
        self.assertEqual(result.code, 0)
        for part in (f"qmail home directory: {i.home}.", "me: mail.test (control/me)", "databytes: 1000000 (control/databytes)",
                     "queuelifetime: 604800 (default)", "helohost: mail.test (default, from me)", "locals: 2 lines",
                     "        other.test\n", 'warning: "soon" is no number: 1200 is used'):
            self.assertIn(part, result.out)

    def test_check_is_silent_for_a_good_instance(self):
        for single in {not relais.IS_ROOT, True}:
            i = self.instance(single=single)
            pem, key = (i.home / f"control/servercert.{ending}" for ending in ("pem", "key"))
            live = "/etc/letsencrypt/live/mail.test"
            # Whose instance it is cannot read what certbot keeps.
            another = (f"put one with its chain into {pem}, and its private key, with mode 600, into {key}" if single else
                       f"ln -sf {live}/fullchain.pem {pem}; ln -sf {live}/privkey.pem {key}")
            note = f"control/servercert.pem: note: the certificate is signed by itself: clients that check it will refuse it or ask: {another}\n"
            result = i.run("qmail-showctl", "--check")
            self.assertEqual((result.code, result.out, result.err), (0, note, ""))

    def test_sizes_with_units(self):
        """As the page of control files says them; what is no size is told with what counts instead."""
        i = self.instance(control={"databytes": "10M", "queuebytes": "1G", "timeoutremote": "10M"})
        out = i.run("qmail-showctl").out
        self.assertRegex(out, r"(?m)^databytes: (10M|10485760).* \(control/databytes\)$")
        self.assertNotRegex(out, r'warning: "10M" is no number: \d+ is used\n.*databytes')
        i.control("databytes", "10X")
        self.assertRegex(i.run("qmail-showctl", "--check").out, "control/databytes: warning: ")

    def certificate(self, pem, name="mail.test", days=60, passphrase=None):
        """A certificate with its key behind it."""
        key = pem.with_name("made.key")
        sealed = ["-passout", f"pass:{passphrase}"] if passphrase else ["-nodes"]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", *sealed, "-days", str(days), "-subj",
                        f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", pem], check=True, capture_output=True)
        pem.write_text(pem.read_text() + key.read_text())
        pem.chmod(0o600)
        key.unlink()

    def test_each_message_about_a_certificate_has_its_command(self):
        i = self.instance()
        pem = i.home / "control/servercert.pem"
        key, fresh = pem.with_suffix(".key"), i.directory / "fresh.pem"
        live = "/etc/letsencrypt/live/mail.test"
        another = (f": put one with its chain into {pem}, and its private key, with mode 600, into {key}" if i.single else
                   f": ln -sf {live}/fullchain.pem {pem}; ln -sf {live}/privkey.pem {key}")

        def said():
            lines = i.run("qmail-showctl", "--check").out.splitlines()
            return [line.split("/servercert.pem: ", 1)[1] for line in lines if line.startswith("control/servercert.pem: ")]

        def assert_said(text, command=another):
            lines = said()
            self.assertTrue(any(line.startswith(f"warning: {text}") and line.endswith(command) for line in lines), (text, lines))
            self.assertEqual([line for line in lines if ": ln -sf" not in line and "put one with" not in line and "chmod 600 /" not in line], [])

        def made(text=None, **how):
            self.certificate(fresh, **how)
            pem.write_text(text(fresh.read_text()) if text else fresh.read_text())
            pem.chmod(0o600)

        certificate = lambda text: text[:text.index("-----BEGIN ", 5)]
        made()
        own = pem.read_text()
        self.assertEqual(said(), [f"note: the certificate is signed by itself: clients that check it will refuse it or ask{another}"])
        pem.chmod(0o640)
        assert_said("others than its owner can read the private key", f": chmod 600 {pem}")
        made(certificate)
        assert_said("there is no private key without a passphrase in it, nor in a file of the same name with .key")
        made(passphrase="secret")
        assert_said("there is no private key without a passphrase in it")
        made(lambda text: certificate(own) + text[len(certificate(text)):])
        assert_said("the private key does not belong to the certificate")
        made(name="other.test")
        assert_said("the certificate is not valid for the name mail.test")
        made(days=3)
        assert_said("the certificate expires in ")
        made(self.ending("200101000000"))
        assert_said("the certificate has expired")
        made(self.ending("999999999999"))
        assert_said("it has no end")
        pem.write_text("nothing\n")
        assert_said("there is no certificate in it")
        pem.unlink()
        assert_said("it is missing: TLS is not offered")
        if not i.single:
            self.assertIn(another, i.run("qmailctl", "doctor").out)
        pem.mkdir()
        assert_said("unable to read ")

    @staticmethod
    def ending(moment):
        """What gives the certificate of a text another end, under which its signature is wrong."""
        def changed(text):
            end = text.index("-----BEGIN ", 5)
            der = bytearray(ssl.PEM_cert_to_DER_cert(text[:end]))
            _, last = [found.start() for found in re.finditer(rb"\d{12}Z", bytes(der))]
            der[last:last + 12] = moment.encode()
            return ssl.DER_cert_to_PEM_cert(bytes(der)) + text[end:]
        return changed

    def test_check_says_that_no_domain_is_accepted(self):
        i = self.instance(control={"rcpthosts": None})
        result = i.run("qmail-showctl", "--check")
        self.assertEqual(result.code, 1)
        self.assertIn("control/rcpthosts: warning: it is missing: no domain is accepted", result.out)

    def test_rules_newer_than_their_database(self):
        i = self.instance()
        later = os.stat(i.home / "tcp.smtp.cdb").st_mtime + 5
        os.utime(i.home / "tcp.smtp", (later, later))
        result = i.run("qmail-showctl", "--check")
        self.assertEqual(result.code, 1)
        self.assertIn("tcp.smtp: warning: it is newer than tcp.smtp.cdb", result.out)

    def test_a_word_that_a_file_does_not_know(self):
        i = self.instance(control={"bouncehints": "queue-list bounce", "localsenders": "yes"})
        result = i.run("qmail-showctl", "--check")
        self.assertEqual(result.code, 1)
        self.assertIn('control/bouncehints: warning: "bounce" is no word of it: off, queue-list, bounces', result.out)
        self.assertIn('control/localsenders: warning: "yes" is no word of it', result.out)

    def test_files_that_say_where_mail_goes(self):
        """Each mistake by its line and what is wrong; what is right is not told."""
        waits = ": mail for it waits"
        wrong = {
            "smtproutes": {
                "a.test:host:99999": "the port is no number from 1 to 65535" + waits,
                "b.test:[::1": "a bracket is not closed" + waits,
                "c.test:ho st": "there is a blank in the host" + waits,
                "d.test:host:587|user": "behind the user another | and a password must stand" + waits,
                "e.test:host:587|user|": "the password is missing" + waits,
                "f.test:host:587||s3cret": "the user is missing" + waits,
                "g.test::587|user|s3cret": "a route with a password must name its server" + waits,
                "smtp.test|user|s3cret": "before the host a domain, or nothing, and a colon must stand" + waits,
                "mx.test:587|user|s3cret": "a host that is a number: was :mx.test:587 meant?",
                "good.test:elsewhere": "line 1 is for the same, and counts",
            },
            "authsenders": {"@a.test:host:0|u|s3cret": "the port is no number from 1 to 65535" + waits,
                            "x@b.test:host|u": "behind the user another | and a password must stand" + waits,
                            "@.c.test::25|u|s3cret": "a route with a password must name its server" + waits},
            "tlsdestinations": {
                "a.test:verfy": "verfy is no level: none, may, encrypt, verify or fingerprint" + waits,
                "b.test:": "there is no level: none, may, encrypt, verify or fingerprint" + waits,
                "c.test encrypt": "a colon must stand behind the destination" + waits,
                "d.test:encrypt foo": "there is no option foo" + waits,
                "e.test:encrypt min=1.0": "min can be 1.2 or 1.3" + waits,
                "f.test:fingerprint": "fingerprint needs sha256=DIGEST" + waits,
                "g.test:fingerprint sha256=12": "sha256 takes 64 hexadecimal digits" + waits,
                "h.test:may ca=x.pem": "ca belongs to verify" + waits,
                "i.test:none implicit": "none and implicit exclude each other" + waits,
                "j.test:verify ca=no-such.pem": "there is no file",
                "GOOD.test:may": "line 1 is for the same, and counts",
            },
            "domainips": {"a.test:": "an address or |name must stand behind the colon" + waits, "b.test:eth0": "eth0 is no address" + waits,
                          "c.test:127.0.0.1,127.0.0.2": "there are two addresses of one family" + waits,
                          "d.test:127.0.0.1|": "behind | a name must stand" + waits, "e.test:|a b": "a b is no name for EHLO" + waits,
                          "f.test:192.0.2.1": "192.0.2.1 is no address of this host: mail cannot leave from it"},
            "outgoingip": {"eth1": "eth1 is no address" + waits},
        }
        good = {"smtproutes": "good.test:[::1]:587|user|pass|word", "authsenders": "@good.test:smtp.test:587|user|s3cret",
                "tlsdestinations": "good.test:verify name=a.test min=1.3", "domainips": "@good.test:127.0.0.9,::1|helo.test", "outgoingip": "127.0.0.3"}
        i = self.instance(control={name: "\n".join([good[name], "# a remark", "", *lines]) for name, lines in wrong.items()})
        for name in ("smtproutes", "authsenders"):
            (i.home / "control" / name).chmod(0o400)
            if relais.IS_ROOT:
                os.chown(i.home / "control" / name, *i.ids("qmailr"))
        result = i.run("qmail-showctl", "--check")
        self.assertEqual(result.code, 1)
        told = [line for line in result.out.splitlines() if '": ' in line]
        for name, lines in wrong.items():
            for number, (line, text) in enumerate(lines.items(), 4):
                shown = re.sub(r"\|s3cret$|\|$", "|...", line) if line.count("|") > 1 else re.sub(r"\|user$|\|u$", "|...", line) if "tls" not in name and "ips" not in name else line
                wanted = f'control/{name}: warning: line {number} "{shown}": {text}'
                self.assertTrue(any(each.startswith(wanted) for each in told), f"{wanted}\n{result.out}")
        self.assertEqual(len(told), sum(map(len, wrong.values())), result.out)
        self.assertNotIn("s3cret", result.out + i.run("qmail-showctl").out)
        i.control("ipversions", "both")
        self.assertIn('control/ipversions: warning: line 1 "both": it must be 4, 6, 46 or 64: mail waits', i.run("qmail-showctl", "--check").out)

    def test_front_ends_that_are_too_near(self):
        i = self.instance(control={"proxyhosts": "192.0.2.10\n2001:db8::/64\n127.0.0.0/8\n::1\n0.0.0.0/0\nproxy.example"})
        out = i.run("qmail-showctl", "--check").out
        for line, text in (("127.0.0.0/8", "is loopback: every user"), ("::1", "is loopback: every user"), ("0.0.0.0/0", "is everybody"),
                           ("proxy.example", "is no address and no network")):
            self.assertIn(f'control/proxyhosts: warning: "{line}" {text}', out)
        self.assertEqual(out.count("control/proxyhosts: warning"), 4, out)
        i.control("xclient", "192.0.2.10 login\n192.0.2.11\n192.0.2.12 logins\n127.0.0.1 login")
        out = i.run("qmail-showctl", "--check").out
        self.assertIn('control/xclient: warning: "192.0.2.12 logins": behind a network nothing may stand but login', out)
        self.assertIn('control/xclient: warning: "127.0.0.1 login" is loopback: every user', out)
        self.assertEqual(out.count("control/xclient: warning"), 2, out)

    def test_usage_and_no_instance(self):
        i = self.instance()
        self.assertEqual(i.run("qmail-showctl", "--what").code, 100)
        result = i.run("qmail-showctl", env={"QMAILHOME": "/nonexistent"})
        self.assertEqual((result.code, result.out), (111, ""))
        self.assertIn("qmail-showctl: fatal: unable to open /nonexistent/control", result.err)

    def test_every_file_is_read_by_its_row(self):
        """Only so do bounds and default come from the table, and a name without a row does not compile."""
        rows = (relais.ROOT / "control/rows.h").read_text()
        wrong, seen = [], 0
        for source in relais.ROOT.glob("*/*.cc"):
            if source.name.endswith("_test.cc") or source.parent.name == "control":
                continue
            text = source.read_text()
            seen += len(BY_ROW.findall(text))
            wrong += [f'{source.relative_to(relais.ROOT)} reads control/{name} by its name: control::read<"{name}">(home)'
                      for name in BY_NAME.findall(text)]
            for name in PATHS.findall(text):
                if name != "servercerts" and not name.endswith(".tmp") and f'("{name}"' not in rows:
                    wrong.append(f"{source.relative_to(relais.ROOT)} opens control/{name}: add a row to control/rows.h")
        self.assertFalse(wrong, "\n" + "\n".join(wrong))
        self.assertGreater(seen, 50)


if __name__ == "__main__":
    relais.main()
