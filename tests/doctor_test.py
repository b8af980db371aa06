"""What doctor finds of who may relay, who gets mail, and what of the machine has to do with it; how it says so; and what start says of
ports that are somebody else's."""

import json
import os
import re
import socket
import unittest

from harness import relais
from run_test import OneKind


class Findings(OneKind):
    def doctor(self, i):
        done = i.run("qmailctl", "doctor")
        self.assertEqual(done.err, "", done)
        return done

    def assert_found(self, i, level, text, code=2):
        done = self.doctor(i)
        self.assertRegex(done.out, rf"(?m)^{level:<7}.*{text}")
        self.assertEqual(done.code, code, done.out)
        return done.out

    def rules(self, i, text):
        (i.home / "tcp.smtp").write_text(text)
        i.ctl("cdb")

    def test_exit_codes_and_json(self):
        i = self.made().start()
        well = self.doctor(i)
        self.assertEqual(well.code, 0, well.out)
        said = i.run("qmailctl", "doctor", "--json", i.home)
        report = json.loads(said.out)
        self.assertEqual((said.code, report["code"]), (0, 0), said)
        self.assertIn({"level": "ok", "text": "qmail-queued takes submissions", "remedy": None}, report["findings"])
        i.control("rcpthosts", None)
        wrong = i.run("qmailctl", "doctor", "--json")
        self.assertEqual((wrong.code, json.loads(wrong.out)["code"]), (2, 2), wrong)
        found, *_ = [each for each in json.loads(wrong.out)["findings"] if each["level"] == "wrong" and "control/rcpthosts is missing" in each["text"]]
        self.assertEqual(found["level"], "wrong")
        remedies = [each["remedy"] or "" for each in json.loads(wrong.out)["findings"] if "rcpthosts" in each["text"]]
        self.assertTrue(any(i.me in remedy for remedy in remedies), remedies)

    def test_an_open_relay(self):
        i = self.made().start()
        self.rules(i, ':allow,RELAYCLIENT=""\n')
        self.assert_found(i, "WRONG", "OPEN RELAY, strangers can send through this server: .*lets everybody relay")

    def test_a_repair_opens_no_relay(self):
        """Rules that the administrator has written and not compiled are his to compile."""
        i = self.made()
        cdb = i.home / "tcp.smtp.cdb"
        before = cdb.read_bytes()
        (i.home / "tcp.smtp").write_text(':allow,RELAYCLIENT=""\n')
        os.utime(cdb, (0, 0))
        done = i.run("qmail-setup", "--repair", i.home)
        self.assertNotEqual(done.code, 0, done)
        self.assertRegex(done.out + done.err, "not mended: .*tcp.smtp.cdb is older.*: nothing is compiled, for the rules would let strangers relay")
        self.assertEqual(cdb.read_bytes(), before)
        (i.home / "tcp.smtp").write_text(":allow\n")
        os.utime(cdb, (0, 0))
        self.assertEqual(i.run("qmail-setup", "--repair", i.home).code, 0)
        self.assertNotEqual(cdb.stat().st_mtime, 0)

    def test_run_scripts_of_another_machine(self):
        """A restore brings their numbers."""
        i = self.made()
        script = i.home / "service/qmail-smtpd/run"
        text = script.read_text()
        if self.single:
            self.assertNotIn(" -u ", text)
            return
        self.assertNotIn("service/qmail-smtpd/run", i.run("qmailctl", "doctor").out)
        script.write_text(re.sub(r"-u \d+ -g \d+", "-u 61234 -g 61234", text))
        self.assertIn("WRONG  service/qmail-smtpd/run starts its program as uid 61234, and no role has that number here\n",
                      i.run("qmailctl", "doctor").out)

    def test_one_loopback_may_relay_and_the_other_may_not(self):
        if not self.has_ipv6():
            self.skipTest("no ::1 here")
        i = self.made(listen=("127.0.0.1", "::1")).start()
        self.rules(i, '127.:allow,RELAYCLIENT=""\n:allow\n')
        self.assertEqual(self.doctor(i).code, 0, self.doctor(i))
        (i.home / "tcp.smtp6").write_text("::1:allow\n")
        i.ctl("cdb")
        out = self.assert_found(i, "look", "127.0.0.1 may relay and ::1 may not: programs on this host", 1)
        self.assertIn(f'       -> ::1:allow,RELAYCLIENT="" in {i.home}/tcp.smtp6\n', out)
        self.assertEqual(json.loads(i.run("qmailctl", "doctor", "--json").out)["code"], 1)

    def test_lines_for_ipv4_are_not_hidden_by_those_for_ipv6(self):
        if not self.has_ipv6():
            self.skipTest("no ::1 here")
        i = self.made(listen=("127.0.0.1", "::1")).start()
        (i.home / "tcp.smtp6").write_text('::1:allow,RELAYCLIENT=""\n:allow\n')
        self.rules(i, '127.:allow,RELAYCLIENT=""\n:allow\n')
        self.assertEqual(self.doctor(i).code, 0, self.doctor(i))
        self.rules(i, '127.:allow,RELAYCLIENT=""\n::1:allow\n:allow\n')
        self.assert_found(i, "WRONG", 'tcp.smtp line 2 "::1:allow" never counts: tcp.smtp6 line 1')

    def test_rules_that_do_not_do_what_was_meant(self):
        i = self.made().start()
        relayed = '127.:allow,RELAYCLIENT=""\n::1:allow,RELAYCLIENT=""\n'
        self.rules(i, relayed + ":allow\n")
        self.assertEqual(self.doctor(i).code, 0)
        self.rules(i, relayed + '10.1:allow,RELAYCLIENT=""\n:allow\n')
        self.assert_found(i, "WRONG", 'tcp.smtp line 3 "10.1:allow.*matches no address\n       -> it lacks its final dot: 10.1.:')
        self.rules(i, relayed + '10.3.:allow,RELAYCLINT=""\n:allow\n')
        self.assert_found(i, "WRONG", 'tcp.smtp line 3 .*sets RELAYCLINT, which nothing reads\n       -> if RELAYCLIENT is meant: ')
        self.rules(i, relayed + '10.3.:allow,COLOUR="blue"\n:allow\n')
        self.assertEqual(self.doctor(i).code, 0)
        (i.home / "tcp.smtp").write_text(relayed + "10.:alow\n")
        self.assert_found(i, "WRONG", 'tcp.smtp line 3 "10.:alow": .*because of it tcprules refuses the whole file')

    def test_a_filter_that_cannot_be_run(self):
        i = self.made().start()
        program = i.directory / "filter"
        self.rules(i, f'127.:allow,RELAYCLIENT="",QMAILQUEUE="{program}"\n::1:allow,RELAYCLIENT=""\n:allow\n')
        for content, mode, trouble in ((None, 0, "No such file or directory"), ("#!/bin/sh\n", 0o644, "the user of filters may not run it"),
                                       ("#!/nowhere/perl -w\n", 0o755, "its interpreter /nowhere/perl: No such file or directory")):
            if content:
                program.write_text(content)
                program.chmod(mode)
            self.assert_found(i, "WRONG", f"the filter cannot be run: {trouble}: clients are told to try later")
        program.write_text("#!/bin/sh\n")
        self.assertEqual(self.doctor(i).code, 0)

    def test_accounts_that_get_no_mail(self):
        i = self.made().start()
        home = i.directory / "mailboxes"
        home.mkdir()
        uid, gid = i.ids("alias")
        os.chown(home, uid, gid)

        def account(name, *options):
            done = i.run("qmail-passwd", "set", name, "--uid", uid, "--gid", gid, *options, input="secret-word\n")
            self.assertEqual(done.code, 0, done)

        def maildir(name):
            for part in ("", "tmp", "new", "cur"):
                (home / name / part).mkdir(mode=0o700)
                os.chown(home / name / part, uid, gid)

        maildir("anna")
        account(f"anna@{i.me}", "--home", home, "--maildir", "anna")
        self.assertEqual(self.doctor(i).code, 0)
        self.assertIn("ok     1 accounts have mailboxes that get mail", self.doctor(i).out)
        account(f"bert@{i.me}", "--home", home, "--maildir", "bert")
        out = self.assert_found(i, "WRONG", f"account bert@{i.me}: there is no Maildir {home}/bert")
        (remedy,) = [line for line in out.splitlines() if "setpriv" in line]
        self.assertIn(f"setpriv --reuid={uid} --regid={gid} --clear-groups maildirmake {home}/bert", remedy)
        maildir("bert")
        account(f"carl@{i.me}", "--home", i.directory / "nowhere")
        self.assert_found(i, "WRONG", f"account carl@{i.me}: its home {i.directory}/nowhere does not exist")
        i.run("qmail-passwd", "delete", f"carl@{i.me}")
        account("dora@elsewhere.test", "--home", home, "--maildir", "anna")
        self.assert_found(i, "WRONG", "accounts in elsewhere.test, which is in neither control/locals nor control/virtualdomains")
        i.control("virtualdomains", "elsewhere.test:x")
        i.control("rcpthosts", f"{i.me}\nelsewhere.test")
        i.ctl("reload")
        self.assertEqual(self.doctor(i).code, 0)

    def test_locals_that_do_not_count(self):
        if self.single and relais.IS_ROOT:
            self.skipTest("qmail-send answers a system instance in the same way")
        i = self.made().start()
        i.control("locals", "elsewhere.test")
        text = f"qmail-send goes by the locals and virtualdomains of before: {i.me} is in control/rcpthosts, but no longer in"
        log = i.home / "log/qmail-send/current"
        i.wait_for(lambda: b"control/locals and control/virtualdomains were changed" in log.read_bytes(), 60, "qmail-send's alert")
        self.assert_found(i, "WRONG", f"{text} .*\n       -> mend the file; if it is right so: qmailctl reload {i.home}")
        i.control("locals", i.me)
        i.ctl("reload")
        i.wait_for(lambda: "of before" not in self.doctor(i).out, 60, "the rules of the files")

    def test_taken_places(self):
        i = self.made()
        i.control("concurrencyincoming", "3")
        i.control("perip", "0")
        i.start()
        guests = [socket.create_connection(("127.0.0.1", i.port)) for _ in range(3)]
        try:
            for guest in guests:
                guest.recv(100)
            self.assert_found(i, "WRONG", rf"SMTP on 127.0.0.1 port {i.port}: .*: 3 of 3 places are taken, 3 of them by 127.0.0.1\n"
                                          f"       -> .*{i.home}/control/concurrencyincoming")
        finally:
            for guest in guests:
                guest.close()

    def test_bounces_of_qmail_send_are_its_own(self):
        """One recipient has failed, the other waits."""
        i = self.made()
        i.control("smtproutes", "far.test:127.0.0.1:1")
        i.start()
        # Nobody can be told of the failure: its text stays.
        door = i.home / "sockets/queue-bounce"
        door.rename(f"{door}.away")
        self.assertEqual(i.submit(f"postmaster@{i.me}", [f"nobody-there@{i.me}", "x@far.test"]), 0)
        i.wait_for(lambda: i.queue_files("bounce"), 60, "a bounce text")
        done = self.doctor(i)
        self.assertNotIn("queue/bounce", done.out)
        door.with_name("queue-bounce.away").rename(door)

    def test_start_names_who_has_a_port(self):
        i = self.made()
        other = socket.create_server(("127.0.0.1", i.port))
        try:
            done = i.run("qmailctl", "start")
            said = f"qmailctl: qmail-smtpd cannot start on port {i.port}: "
            self.assertIn(said, done.err)
            if os.geteuid() == 0 and not self.single:
                self.assertIn(f"python3 (pid {os.getpid()}) has it; end that one, or choose another port in {i.home}/control/smtplisten", done.err)
        finally:
            other.close()
            i.ctl("stop")
        self.assertNotIn("cannot start", i.run("qmailctl", "start").err)
        self.assertNotIn("cannot start", i.run("qmailctl", "start").err)

    def test_a_deleted_certificate_comes_back(self):
        i = self.made(tls=True)
        certificate = i.home / "control/servercert.pem"
        before = certificate.read_bytes()
        certificate.unlink()
        self.assertIn(f"{certificate} is missing", i.run("qmail-setup", "--check", i.home).out)
        self.assertIn(f"mended: {certificate} is missing", i.run("qmail-setup", "--repair", i.home).out)
        self.assertNotEqual(certificate.read_bytes(), before)
        self.assertEqual(certificate.stat().st_mode & 0o777, 0o600)

    def test_the_domain_of_the_users(self):
        i = self.made(options=("--domain", "example.test"))
        for name, content in (("locals", f"{i.me}\nexample.test\n"), ("rcpthosts", f"{i.me}\nexample.test\n"), ("defaultdomain", "example.test\n")):
            self.assertEqual((i.home / "control" / name).read_text(), content)

    def test_words_of_qmailctl(self):
        i = self.made()
        self.assertEqual(i.run("qmailctl", "--help").code, 0)
        self.assertIn("doctor", i.run("qmailctl", "--help").out)
        self.assertRegex(i.run("qmailctl", "version").out, r"^relais \d+\.\d+\.\d+\n$")
        for program in ("qmailctl", "qmail-inject", "sendmail", "qmail-smtpd", "queue-list", "qmail-send"):
            self.assertRegex(i.run(program, "--version").out, rf"^{program} \(relais\) \d+\.\d+\.\d+\n$")
        down = i.run("qmailctl", "status")
        self.assertEqual((down.code, i.run("qmailctl", "stat").out), (1, down.out))
        self.assertIn("qmail-send: not supervised\n", down.out)
        self.assertEqual(i.run("qmailctl", "begin").code, 100)
        self.assertEqual(i.run("qmailctl").code, 100)


@unittest.skipUnless(relais.IS_ROOT, "a system instance needs root")
class SystemInstance(Findings, relais.TestCase):
    single = False


class UserInstance(Findings, relais.TestCase):
    single = True


if __name__ == "__main__":
    relais.main()
