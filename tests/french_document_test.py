"""The dialogues, listings, log lines, files and errors of the French administrators' document about qmail, as tests
against real programs. (TLS, AUTH and POP have tests of their own.)"""

import re
import signal
import socket
import time

from harness import pop3
from harness import relais
from harness.sink import Sink

GREETING = "Welcome ! You are on server 8 called mx3.ovh.net, spam protected: www.spam-rbl.com"


class FrenchDocument(relais.TestCase):
    def test_helo_session(self):
        i = self.instance(me="mx3.ovh.net", control={"smtpgreeting": GREETING, "rcpthosts": "ovh.net", "locals": "ovh.net"})
        oles = i.add_user("oles")
        i.start()
        with i.smtp(ehlo=None) as smtp:
            self.assertEqual(repr(smtp.greeting), f"220 {GREETING} ESMTP")
            self.assertEqual(repr(smtp.command("HELO ping.ovh.net")), f"250 {GREETING}")
            self.assertEqual(repr(smtp.command("MAIL FROM:<oles@ovh.net>")), "250 ok")
            self.assertEqual(repr(smtp.command("RCPT TO:<oles@ovh.net>")), "250 ok")
            self.assertEqual(repr(smtp.command("DATA", 354)), "354 go ahead")
            smtp.raw("From: oles@ovh.net\r\nTo: oles@ovh.net\r\nSubject: test\r\n\r\ntest\r\n.\r\n")
            self.assertRegex(repr(smtp.expect(250)), r"^250 ok \d{10} qp \d+$")
            self.assertEqual(repr(smtp.command("QUIT", 221)), f"221 {GREETING}")
            smtp.expect_closed()
        (message,) = oles.wait_messages(1)
        self.assertTrue(message.endswith(b"From: oles@ovh.net\nTo: oles@ovh.net\nSubject: test\n\ntest\n"), message)

    def test_ehlo_and_login(self):
        """The document's session on port 587, where passwords come in clear (control/authplain, submissiontls 0)."""
        i = self.instance(me="mx1.ovh.net", control={"smtpgreeting": GREETING, "rcpthosts": "ovh.net", "locals": "ovh.net", "authplain": "1",
                                                     "submissiontls": "0", "authmechanisms": "LOGIN CRAM-MD5 PLAIN", "databytes": "10000000"})
        oles = i.add_user("oles")
        pop3.set_password(i, "postmaster@ml.ovh.net", "zehn", "--store-secret", "--uid", oles.uid, "--gid", oles.gid, "--home", oles.home)
        i.start_send()
        i.start_tcpserver(command=["env", "TCPREMOTEIP=192.0.2.7", "SUBMISSION=1", relais.program("qmail-smtpd")])
        with i.smtp(ehlo=None) as smtp:
            self.assertEqual(repr(smtp.greeting), f"220 {GREETING} ESMTP")
            # HELP is ours; STARTTLS depends on a certificate.
            lines = [line for line in smtp.command("EHLO ping.ovh.net").lines if line not in ("250-HELP", "250-STARTTLS")]
            self.assertEqual(lines, [f"250-{GREETING}", "250-AUTH LOGIN CRAM-MD5 PLAIN", "250-AUTH=LOGIN CRAM-MD5 PLAIN", "250-PIPELINING",
                                     "250-8BITMIME", "250 SIZE 10000000"])
            self.assertEqual(repr(smtp.command("AUTH LOGIN", 334)), "334 VXNlcm5hbWU6")
            self.assertEqual(repr(smtp.command("cG9zdG1hc3RlciVtbC5vdmgubmV0", 334)), "334 UGFzc3dvcmQ6")  # postmaster%ml.ovh.net
            self.assertEqual(repr(smtp.command("emVobg==", 235)), "235 ok, go ahead (#2.0.0)")
            smtp.deliver("oles@ovh.net", ["oles@ovh.net"], "From: oles@ovh.net\nTo: oles@ovh.net\nSubject: test\n\ntest\n")
        (message,) = oles.wait_messages(1)
        self.assertIn(b"with ESMTPA;", message)

    def test_trace_fields(self):
        i = self.instance(me="mx4.ovh.net", control={"rcpthosts": "ovh.net", "virtualdomains": "ovh.net:ovh.net"})
        box = i.add_user("box")
        i.assign(f"+ovh.net-:box:{box.uid}:{box.gid}:{box.home}:-::")
        box.write(".qmail-default", "./Maildir/\n")
        i.start()
        with i.smtp(ehlo=None, source="127.0.0.2") as smtp:
            smtp.command("HELO 200-102-028-198.fnsce7005.dsl.brasiltelecom.net.br")
            smtp.deliver("a@b.example", ["60gp@ovh.net"], "Subject: x\n\nx\n")
        (message,) = box.wait_messages(1)
        lines = message.decode().split("\n")
        self.assertEqual(lines[0], "Return-Path: <a@b.example>")
        self.assertEqual(lines[1], "Delivered-To: ovh.net-60gp@ovh.net")
        date = r"\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d -0000"
        self.assertRegex(lines[2], rf"^Received: \(qmail \d+ invoked from network\); {date}$")
        self.assertEqual(lines[3], "Received: from unknown (HELO 200-102-028-198.fnsce7005.dsl.brasiltelecom.net.br) (127.0.0.2)")
        self.assertRegex(lines[4], rf"^  by mx4\.ovh\.net with SMTP; {date}$")

    def test_invoked_by_uid(self):
        i = self.instance()
        bob = i.add_user("bob")
        i.start(smtpd=None)
        result = i.run("sendmail", "-f", "root@ns.example", bob.address, input="Subject: x\n\nx\n", user=bob)
        self.assertEqual(result.code, 0, result)
        (message,) = bob.wait_messages(1)
        self.assertRegex(message, rb"Received: \(qmail \d+ invoked by uid %d\); " % bob.uid)

    def deferred_instance(self, recipients, sender="root@nsxxxx.ovh.net"):
        """An instance whose queue holds one message to each recipient, tried once and deferred."""
        port = relais.free_port()
        i = self.instance(control={"smtproutes": f":127.0.0.1:{port}", "concurrencyremote": "120", "concurrencylocal": "15"})
        i.rules(':allow,RELAYCLIENT=""\n')
        i.start()
        for recipient in recipients:
            i.send(sender, [recipient], "Subject: test\n\ntest\n")
        i.wait_log("deferral:", count=len(recipients))
        return i

    def test_qstat_and_listing(self):
        i = self.deferred_instance(["dr_adams@sm66.com", "66-2434019-directway.com?amysummers@trailerr.trailblazernews.com",
                                    "2245031-5-reply@msgbnc.tgtrewards.net"])
        self.assertEqual(i.run("qmail-qstat").out, "messages in queue: 3\nmessages in queue but not yet preprocessed: 0\n")
        listing = i.run("qmail-qread").out
        waiting = sorted(line.split() for line in listing.splitlines() if "remote" in line and "done" not in line)
        self.assertEqual(waiting, [["remote", "2245031-5-reply@msgbnc.tgtrewards.net"],
                                   ["remote", "66-2434019-directway.com?amysummers@trailerr.trailblazernews.com"],
                                   ["remote", "dr_adams@sm66.com"]])
        self.assertRegex(listing, r"(?m)^\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT  #\d+  \d+  <root@nsxxxx\.ovh\.net>")

    def test_log_of_a_refused_host(self):
        i = self.deferred_instance(["response@sleekzine.com"])
        log = "\n".join(i.log())
        message = re.search(r"new msg (\d+)", log)[1]
        self.assertRegex(log, rf"(?m)^info msg {message}: bytes \d+ from <root@nsxxxx\.ovh\.net> qp \d+ uid \d+$")
        delivery = re.search(rf"(?m)^starting delivery (\d+): msg {message} to remote response@sleekzine\.com$", log)[1]
        self.assertRegex(log, r"(?m)^status: local 0/15 remote 1/120$")
        self.assertRegex(log, rf"(?m)^delivery {delivery}: deferral: "
                              r"Sorry,_I_wasn't_able_to_establish_an_SMTP_connection\._\(#4\.4\.1\)/")
        self.assertRegex(log, r"(?m)^status: local 0/15 remote 0/120$")

    def test_log_of_a_local_delivery(self):
        i = self.instance(control={"concurrencylocal": "15", "concurrencyremote": "120"})
        bob = i.add_user("bob")
        i.start()
        i.send("a@b.example", [bob.address], "Subject: x\n\nx\n")
        i.wait_log("end msg")
        log = "\n".join(i.log())
        delivery = re.search(rf"starting delivery (\d+): msg \d+ to local {re.escape(bob.address)}", log)[1]
        self.assertRegex(log, rf"(?m)^delivery {delivery}: success: did_1\+0\+0/$")

    def test_rules_change_without_restart(self):
        with Sink() as sink:
            i = self.instance(control={"smtproutes": f":127.0.0.1:{sink.port}"})
            i.rules(":allow\n")
            i.start()
            with i.smtp() as smtp:
                smtp.command("MAIL FROM:<me@client.example>")
                refusal = smtp.command("RCPT TO:<someone@wanadoo.fr>", 553)
                self.assertEqual(repr(refusal), "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)")
            i.rules('127.0.0.:allow,RELAYCLIENT=""\n:allow\n')
            i.send("me@client.example", ["someone@wanadoo.fr"], "Subject: x\n\nx\n")
            i.wait_empty()
            self.assertEqual([m[1] for m in sink.messages], [["someone@wanadoo.fr"]])
            i.rules(":allow\n")
            with i.smtp() as smtp:
                smtp.command("MAIL FROM:<me@client.example>")
                smtp.command("RCPT TO:<someone@wanadoo.fr>", 553)

    def test_domain_deleted_from_rcpthosts(self):
        i = self.instance(me="nsxxxx.ovh.net", control={"rcpthosts": "nsxxxx.ovh.net\ntest.com", "locals": "nsxxxx.ovh.net"})
        i.start()
        with i.smtp(ehlo=None) as smtp:
            self.assertEqual(repr(smtp.greeting), "220 nsxxxx.ovh.net ESMTP")
            self.assertEqual(repr(smtp.command("HELO ping.ovh.net")), "250 nsxxxx.ovh.net")
            smtp.command("MAIL FROM:<oles@ovh.net>")
            smtp.command("RCPT TO:<postmaster@test.com>")
            i.control("rcpthosts", "nsxxxx.ovh.net")
        with i.smtp(ehlo=None) as smtp:
            smtp.command("HELO ping.ovh.net")
            smtp.command("MAIL FROM:<oles@ovh.net>")
            smtp.command("RCPT TO:<postmaster@test.com>", 553)
            smtp.command("QUIT", 221)

    def test_smtproutes_changes_without_restart(self):
        with Sink() as sink:
            i = self.instance(control={"smtproutes": f"caramail.com:127.0.0.1:{relais.free_port()}"})
            i.rules(':allow,RELAYCLIENT=""\n')
            i.start()
            i.control("smtproutes", f"caramail.com:127.0.0.1:{sink.port}")
            i.send("me@ovh.net", ["someone@caramail.com"], "Subject: x\n\nx\n")
            i.wait_empty()
            self.assertEqual(len(sink.messages), 1)

    def test_databytes(self):
        i = self.instance(control={"databytes": "1000000"})
        bob = i.add_user("bob")
        i.start()
        with i.smtp() as smtp:
            refusal = smtp.deliver("a@b.example", [bob.address], "Subject: x\n\n" + ("x" * 70 + "\n") * 15000, 552)
            self.assertRegex(repr(refusal), r"^552 .*\(#5\.3\.4\)$")
            smtp.deliver("a@b.example", [bob.address], "Subject: x\n\n" + ("x" * 70 + "\n") * 13000)
        bob.wait_messages(1)
        self.assertEqual(len(bob.files()), 1)

    def test_queuelifetime_is_shown_and_used(self):
        i = self.deferred_instance(["dr_adams@sm66.com"])
        i.control("queuelifetime", "846000")
        self.assertIn("846000", i.run("qmail-showctl").out)
        i.control("queuelifetime", "0")
        self.retry_until_logged(i, "bounce msg")
        i.wait_log("I'm_not_going_to_try_again;_this_message_has_been_in_the_queue_too_long.")

    def retry_until_logged(self, instance, text):
        """The age of a message is counted in whole seconds: the first retry may come too early to expire it."""
        def tried():
            instance.kill("qmail-send", signal.SIGALRM)
            return any(text in line for line in instance.log())
        self.assertTrue(relais.wait_until(tried, 20, 0.3), instance.picture())

    def test_badmailfrom(self):
        i = self.instance(control={"badmailfrom": "spammeur@spam"})
        bob = i.add_user("bob")
        i.start()
        with i.smtp() as smtp:
            smtp.command("MAIL FROM:<spammeur@spam>")
            refusal = smtp.command(f"RCPT TO:<{bob.address}>", 553)
            self.assertIn("badmailfrom list (#5.7.1)", refusal.text)
            smtp.command("RSET")
            smtp.command("MAIL FROM:<autre@spam>")
            smtp.command(f"RCPT TO:<{bob.address}>")

    def test_assign_lines_of_vpopmail(self):
        i = self.instance(control={"virtualdomains": "00h01.com:00h01.com\n01emarket.com:01emarket.com",
                                   "rcpthosts": "00h01.com\n01emarket.com"})
        for domain in ("00h01.com", "01emarket.com"):
            user = i.add_user(domain, maildir=False, extensions=False)
            i.assign(f"+{domain}-:{domain}:{user.uid}:{user.gid}:{user.home}:-::")
            user.write(".qmail-default", "|cat > seen.$EXT@$HOST\n")
        i.start()
        i.send("a@b.example", ["anna@00h01.com", "bob@01emarket.com"], "Subject: x\n\nhello\n")
        i.wait_empty()
        self.assertIn(b"hello", (i.users["00h01.com"].home / "seen.anna@00h01.com").read_bytes())
        self.assertIn(b"hello", (i.users["01emarket.com"].home / "seen.bob@01emarket.com").read_bytes())

    def test_x_bit(self):
        i = self.instance()
        bob = i.add_user("bob")
        bob.write(".qmail-alias", "|true\n", mode=0o700)
        i.start()
        i.send("a@b.example", ["bob-alias@mail.test"], "Subject: x\n\nx\n")
        (line,) = i.wait_log("deferral:")
        self.assertIn("Uh-oh:_.qmail_has_prog_delivery_but_has_x_bit_set._(#4.7.0)/", line)
        (bob.home / ".qmail-alias").chmod(0o600)
        i.kill("qmail-send", signal.SIGALRM)
        i.wait_empty()

    def test_processes_are_called_by_their_names(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            i = self.instance(control={"proctitle": "0", "smtproutes": f"sleekzine.com:127.0.0.1:{silent.getsockname()[1]}"})
            i.rules(':allow,RELAYCLIENT=""\n')
            i.start()
            i.send("root@nsxxxx.ovh.net", ["response@sleekzine.com"], "Subject: test\n\ntest\n")
            i.wait_for(lambda: self.command_lines(i, "qmail-remote sleekzine.com root@nsxxxx.ovh.net response@sleekzine.com"))
            self.assertEqual(len(i.processes("qmail-send")), 1)
            peer, _ = silent.accept()
            peer.sendall(b"421 newd1.sm66.com out of connection slots\r\n")
            peer.close()
            (line,) = i.wait_log("deferral:")
            self.assertIn("out_of_connection_slots", line)

    def command_lines(self, instance, wanted):
        return any(wanted.encode() in b" ".join(process.arguments()) for process in instance.processes())

    def test_trouble_injecting_a_bounce_is_not_the_end(self):
        """The document rebuilds the queue; here nothing is lost and a later attempt succeeds."""
        i = self.instance()
        if i.single:
            self.skipTest("needs a queue whose owner and group differ")
        bob = i.add_user("bob")
        i.start()
        port = relais.free_port()
        i.control("smtproutes", f":127.0.0.1:{port}")
        i.rules(':allow,RELAYCLIENT=""\n')
        i.send(bob.address, ["dr_adams@sm66.com"], "Subject: x\n\nx\n")
        i.wait_log("deferral:")
        splits = list((i.home / "queue/mess").iterdir())
        for split in splits:
            # qmail-queued may no longer create, qmail-send may still mark and remove.
            split.chmod(0o2570)
        i.control("queuelifetime", "0")
        self.retry_until_logged(i, "warning: trouble injecting bounce message")
        i.wait_log("warning: trouble injecting bounce message, will try later")
        self.assertEqual(len(i.queue_files()), 1)
        for split in splits:
            split.chmod(0o2770)
        i.kill("qmail-send", signal.SIGALRM)
        (message,) = bob.wait_messages(1)
        self.assertIn(b"Hi. This is the qmail-send program at mail.test.", message)
        self.assertIn(b"<dr_adams@sm66.com>:", message)

    STALE = ("213.41.188.249", "213.41.184.98", "213.41.184.135", "213.41.186.107", "213.41.186.122")

    def test_open_smtp_that_no_cron_job_cleared(self):
        """11,859 lines, of which nine are younger than three hours: those alone relay, and clearing leaves them, 529 octets."""
        i = self.instance(control={"opensmtplifetime": str(40 * 86400), "opensmtpnorbl": "1"})
        i.start(None)
        now = int(time.time())
        lines = [f'{address}:allow,RELAYCLIENT="" ,RBLSMTPD="" {now - 30 * 86400 + n}\n' for n, address in enumerate(self.STALE)]
        lines += [f'10.{n >> 16}.{n >> 8 & 255}.{n & 255}:allow,RELAYCLIENT="",RBLSMTPD=""\t{now - 86400 + n}\n' for n in range(11845)]
        fresh = [f"213.41.{number}.{10 + number if number > 102 else number - 90}" for number in range(101, 110)]
        lines += [f'{address}:allow,RELAYCLIENT="" ,RBLSMTPD="" {now - 600 - n}\n' for n, address in enumerate(fresh)]
        self.assertEqual(len(lines), 11859)
        old = i.directory / "open-smtp"
        old.write_text("".join(lines))
        old.chmod(0o644)
        self.assertIn("11859 imported, 0 too old", i.run("open-smtp", "import", old).out)
        # From now on three hours, as it is by default, and nobody clears anything: no stale line relays.
        i.control("opensmtplifetime", None)
        for address in self.STALE:
            self.assertEqual(i.run("open-smtp", "check", address).code, 1)
        exported = i.run("open-smtp", "export").out
        self.assertEqual(len(i.run("open-smtp", "list").out.splitlines()), 11859)
        self.assertEqual(i.run("clearopensmtp").code, 0)
        self.assertEqual(len(i.run("open-smtp", "list").out.splitlines()), 9)
        self.assertEqual(i.run("open-smtp", "export").out, exported)
        self.assertEqual((len(exported.splitlines()), len(exported)), (9, 529))
        for n, line in enumerate(exported.splitlines()):
            address, rest = line.split(":", 1)
            self.assertEqual(address, fresh[n])
            variables, _, time_of_login = rest.partition("\t")
            self.assertEqual(variables, 'allow,RELAYCLIENT="",RBLSMTPD=""')
            self.assertLessEqual(abs(int(time_of_login) - (now - 600 - n)), 1)
        # The lines as the document prints them are of 2002: not one comes in.
        old.write_text("".join(f'{address}:allow,RELAYCLIENT="" ,RBLSMTPD="" {login}\n' for address, login in zip(
            self.STALE, (1029581749, 1029782162, 1029880909, 1029960881, 1030146813))))
        self.assertEqual(i.run("open-smtp", "import", old).out, "0 imported, 5 too old, 0 from the future, 0 excluded, 0 with a newer "
                         "login here, 0 not understood\n")


if __name__ == "__main__":
    relais.main()
