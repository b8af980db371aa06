"""qmail-showctl, and that its table has every control file that any program reads."""

import os
import re

import relais

# read_number(home, "databytes", 0), number(home_, "concurrencyqueue" ..., control_file("me")
READS = re.compile(r'\b(?:\w*(?:read|number|seconds)\w*\((?:home_?|instance),|control_file\()\s*"([a-z0-9_.]+)"')


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
        i = self.instance()
        result = i.run("qmail-showctl", "--check")
        note = "control/servercert.pem: note: the certificate is signed by itself: clients that check it will refuse it or ask\n"
        self.assertEqual((result.code, result.out, result.err), (0, note, ""))

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

    def test_usage_and_no_instance(self):
        i = self.instance()
        self.assertEqual(i.run("qmail-showctl", "--what").code, 100)
        result = i.run("qmail-showctl", env={"QMAILHOME": "/nonexistent"})
        self.assertEqual((result.code, result.out), (111, ""))
        self.assertIn("qmail-showctl: fatal: unable to open /nonexistent/control", result.err)

    def test_the_table_has_every_file_that_is_read(self):
        table = (relais.ROOT / "control/table.cc").read_text()
        missing, seen = [], 0
        for source in relais.ROOT.glob("*/*.cc"):
            if source.name.endswith("_test.cc") or source.parent.name == "control":
                continue
            for name in READS.findall(source.read_text()):
                seen += 1
                # servercerts is a directory, which tls/certificate_check looks through.
                if name != "servercerts" and not name.endswith(".tmp") and f'"{name}"' not in table:
                    missing.append(f"{source.relative_to(relais.ROOT)} reads control/{name}: add a row to control/table.cc")
        self.assertFalse(missing, "\n" + "\n".join(missing))
        self.assertGreater(seen, 20)


if __name__ == "__main__":
    relais.main()
