"""route-explain against a real name server: one golden text for each situation in tests/golden/route_explain.

RELAIS_GOLDEN=write writes the texts anew; read the difference before you commit it."""

import json
import os
import pathlib
import re
import subprocess
import unittest

from harness import dns
from harness import relais
from harness.fake_smtp import CLOSE, SILENT, FakeServer

GOLDEN = pathlib.Path(__file__).resolve().parent / "golden/route_explain"

ZONE = """
; who takes whose mail
good MX 10 mx1.isp
good MX 20 mx2.isp
mx1.isp A 198.51.100.1
mx1.isp AAAA 2001:db8:9::1
mx2.isp A 198.51.100.2
nomx A 198.51.100.3
text TXT "neither MX nor address"
null MX 0 .
private MX 10 mx.private
mx.private A 10.1.2.3
cname MX 10 alias.isp
alias.isp CNAME mx1.isp
dangling MX 10 gone.isp
dangling MX 20 mx2.isp
gone.isp TXT "no address"
address MX 10 198.51.100.9.
mixed MX 10 aspmx.google.com.
mixed MX 20 mx1.isp
me MX 10 myself
backup MX 10 mx1.isp
backup MX 20 myself
myself A 127.0.0.1
foreign MX 10 mx1.isp
two MX 10 mx1.isp
two MX 20 myself
equal MX 10 mx1.isp
equal MX 10 mx2.isp
smart A 198.51.100.25
"""
GOOGLE = "aspmx A 198.51.100.77\n"


class RouteExplain(relais.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.zones = dns.Nsd({"test": ZONE, "google.com": GOOGLE})

    @classmethod
    def tearDownClass(cls):
        cls.zones.stop()

    def made(self, **control):
        i = self.instance(me="mail.test")
        i.control("dnsservers", self.zones.server)
        i.control("timeoutdns", "30")
        i.control("locals", "mail.test\nme2.test\n")
        i.control("rcpthosts", "mail.test\nme2.test\n")
        for name, content in control.items():
            i.control(name, content)
        return i

    def cleaned(self, i, text):
        """Without what differs from run to run: where the instance is, and its numbers."""
        text = text.replace(str(i.home), "$QMAILHOME").replace(str(i.directory), "$TEST")
        return re.sub(r"(uid|chown) \w+", r"\1 N", text)

    def explain(self, i, name, address, code):
        """Compares the whole text with golden/NAME.txt; returns the JSON form."""
        result = i.run("route-explain", address)
        text = self.cleaned(i, result.out)
        path = GOLDEN / f"{name}.txt"
        if os.environ.get("RELAIS_GOLDEN") == "write":
            path.write_text(text)
        self.assertEqual(text, path.read_text(), f"{name}: {result}")
        self.assertEqual(result.code, code, result)
        self.assertEqual(result.err, "")
        object = json.loads(i.run("route-explain", "--json", address).out)
        self.assertEqual([f["text"] in result.out for f in object["findings"]], [True] * len(object["findings"]))
        return object

    def codes(self, object):
        return [finding["code"] for finding in object["findings"]]

    # ------------------------------------------------------------ local

    def test_a_mailbox_that_takes_nothing(self):
        i = self.made()
        ann = i.add_user("ann", maildir=False)
        said = i.run("route-explain", "ann@mail.test")
        self.assertEqual(said.code, 1, said)
        self.assertIn("ann@mail.test waits in the queue: the mailbox of ann takes nothing", said.out)
        self.assertIn(f"{ann.home}/Maildir: No such file or directory", said.out)
        self.assertIn(f"maildirmake {ann.home}/Maildir", said.out)
        ann.make_maildir()
        self.assertEqual(i.run("route-explain", "ann@mail.test").code, 0)
        (ann.home / "Maildir/tmp").chmod(0o500)
        if not relais.IS_ROOT or not i.single:
            said = i.run("route-explain", "ann@mail.test")
            self.assertIn(f"{ann.home}/Maildir/tmp is uid {ann.uid}'s, and uid {ann.uid} may not write there", said.out)

    def test_an_mbox_is_looked_at_as_a_maildir_is(self):
        i = self.made()
        ann = i.add_user("ann", maildir=False)
        mbox = ann.home / "Mailbox"
        ann.write(".qmail", "./Mailbox\n")
        ann.write(".qmail-list", "./lists/box\n")

        def said(address="ann@mail.test"):
            done = i.run("route-explain", address)
            return done.code, done.out

        self.assertEqual(said()[0], 0)  # there is none yet: the delivery makes it
        code, out = said("ann-list@mail.test")
        self.assertIn(f"{ann.home}/lists: No such file or directory", out)
        self.assertEqual(code, 1)
        mbox.mkdir()
        self.assertIn(f"{mbox} is a directory, and an mbox is a file", said()[1])
        mbox.rmdir()
        mbox.write_text("")
        if relais.IS_ROOT and not i.single:
            code, out = said()
            self.assertEqual(code, 1)
            self.assertIn("ann@mail.test waits in the queue: the mailbox of ann takes nothing", out)
            self.assertIn(f"{mbox} is uid 0's, and uid {ann.uid} may not write there", out)
            self.assertIn("no_mbox", self.codes(json.loads(i.run("route-explain", "--json", "ann@mail.test").out)))
            remedy = re.search(f"chown [^;\n]* {mbox}; chmod [^;\n]* {mbox}$", out, re.M)[0]
            subprocess.run(["sh", "-c", remedy], check=True)
        ann.own(mbox)
        self.assertEqual(said()[0], 0)

    @unittest.skipUnless(relais.IS_ROOT, "only root makes what is root's")
    def test_a_maildir_of_roots(self):
        i = self.made()
        if i.single:
            self.skipTest("all is one user's")
        ann = i.add_user("ann", maildir=False)
        maildir = ann.home / "Maildir"
        self.assertEqual(i.run("maildirmake", maildir).code, 0)
        said = i.run("route-explain", "ann@mail.test")
        self.assertEqual(said.code, 1, said)
        self.assertIn(f"{maildir} is uid 0's, and uid {ann.uid} may not write there", said.out)
        subprocess.run(["sh", "-c", re.search("chown -R .*", said.out)[0]], check=True)
        self.assertEqual(i.run("route-explain", "ann@mail.test").code, 0)

    def test_local_user_and_files(self):
        i = self.made()
        ann = i.add_user("ann")
        ann.write(".qmail-list", "# members\nbob@good.test\n&carl@null.test\n", 0o600)
        ann.write(".qmail-default", "|cat >/dev/null\n./Maildir/\n")
        i.run("route-explain", "ann@mail.test")
        self.assertEqual(self.explain(i, "local_user", "ann@mail.test", 0)["fate"], "local")
        self.assertEqual(self.explain(i, "local_list", "Ann-LIST@mail.test", 0)["local"]["instructions"],
                         ["forward bob@good.test", "forward carl@null.test"])
        self.explain(i, "local_default", "ann-other@mail.test", 0)
        found = self.explain(i, "no_mailbox", "nobody-there@mail.test", 1)
        self.assertEqual(self.codes(found)[0], "no_mailbox")
        (i.home / "alias/.qmail-info").write_text("ann@mail.test\n")
        self.explain(i, "alias", "info@mail.test", 0)

    def test_without_domain(self):
        i = self.made()
        i.add_user("ann")
        self.explain(i, "without_domain", "ann", 0)

    def test_blank_and_writable(self):
        i = self.made()
        ann = i.add_user("ann")
        ann.write(".qmail", "\n")
        self.assertEqual(self.explain(i, "blank_qmail", "ann@mail.test", 1)["fate"], "waits")
        ann.write(".qmail", "./Maildir/\n", 0o602)
        self.assertEqual(self.explain(i, "writable_qmail", "ann@mail.test", 1)["fate"], "waits")
        ann.write(".qmail", "./Maildir/\n", 0o600)
        ann.home.chmod(0o1700)
        self.assertIn("home_sticky", self.codes(self.explain(i, "sticky_home", "ann@mail.test", 1)))

    def test_virtual_domain(self):
        i = self.made(virtualdomains="shop.test:ann\nmail.test:nobody\n.sub.test:ann-sub\nbut.sub.test:\n")
        ann = i.add_user("ann")
        ann.write(".qmail-default", "./Maildir/\n")
        found = self.explain(i, "virtual_domain", "sales@shop.test", 0)
        self.assertIn("not_in_rcpthosts", self.codes(found))
        self.assertIn("local_and_virtual", self.codes(self.explain(i, "both", "ann@mail.test", 0)))
        self.explain(i, "virtual_suffix", "x@a.sub.test", 0)
        self.explain(i, "virtual_exception", "x@but.sub.test", 1)

    def test_users_assign_that_is_not_compiled(self):
        i = self.made()
        (i.home / "users").mkdir(exist_ok=True)
        assign, cdb = i.home / "users/assign", i.home / "users/cdb"
        assign.write_text("=lost:lost:64251:64251:/nonexistent:::\n.\n")
        cdb.unlink(missing_ok=True)
        result = i.run("route-explain", "--no-dns", "lost@mail.test")
        self.assertEqual(result.code, 1)
        self.assertIn("warning: there is users/assign, but no users/cdb is made of it: it does not count\n    do: qmail-newu\n", result.out)
        self.assertEqual(i.run("qmail-newu").code, 0)
        self.assertNotIn("qmail-newu", i.run("route-explain", "--no-dns", "lost@mail.test").out)
        os.utime(cdb, (1, 1))
        self.assertIn("warning: users/assign is newer than users/cdb: ", i.run("route-explain", "--no-dns", "lost@mail.test").out)

    def test_percenthack(self):
        i = self.made(percenthack="mail.test\n")
        found = self.explain(i, "percenthack", "bob%good.test@mail.test", 0)
        self.assertIn("percenthack_relay", self.codes(found))
        self.assertEqual(found["address"], "bob@good.test")

    @unittest.skipUnless(relais.IS_ROOT, "needs users of several ids")
    def test_users_that_get_nothing(self):
        i = self.made()
        i.assign("=boss:root:0:0:/root:::")
        self.assertIn("refused_user", self.codes(self.explain(i, "refused_user", "boss@mail.test", 1)))
        i.assign(f"=wheel:wheel:{os.getuid() or 4444}:0:/root:::")
        if relais.IS_ROOT:
            self.assertIn("with root's group, gid 0", i.run("route-explain", "wheel@mail.test").out)
        # What only root could read is not shown: .qmail is read as its owner.
        ann = i.add_user("ann")
        secret = i.directory / "secret"
        secret.write_text("root's own business\n")
        secret.chmod(0o600)
        (ann.home / ".qmail").symlink_to(secret)
        result = i.run("route-explain", "ann@mail.test")
        self.assertNotIn("business", result.out)
        self.assertIn("Unable to open .qmail: access denied (Permission denied)", result.out)

    # ------------------------------------------------------------ MX of local domains

    def test_mx_elsewhere(self):
        """The Russian document: "550 relay not permitted" because the MX points elsewhere."""
        i = self.made(locals="foreign.test\ntwo.test\nme.test\nnamed.test\n", rcpthosts="foreign.test\ntwo.test\nme.test\n")
        i.add_user("ann")
        self.assertEqual(self.codes(self.explain(i, "mx_elsewhere", "ann@foreign.test", 0)), ["mx_elsewhere"])
        self.assertIn("mx_elsewhere_first", self.codes(self.explain(i, "mx_elsewhere_first", "ann@two.test", 0)))
        self.assertEqual(self.codes(self.explain(i, "mx_here", "ann@me.test", 0)), [])

    # ------------------------------------------------------------ remote

    def test_servers(self):
        i = self.made()
        found = self.explain(i, "servers", "bob@good.test", 0)
        self.assertEqual([s["name"] for s in found["remote"]["servers"]], ["mx1.isp.test", "mx2.isp.test"])
        self.assertEqual(self.codes(found), [])
        self.explain(i, "equal_servers", "bob@equal.test", 0)
        self.explain(i, "no_mx", "bob@nomx.test", 0)
        self.assertEqual(self.codes(self.explain(i, "no_mx_no_address", "bob@text.test", 1))[0], "no_mx")
        self.assertEqual(self.codes(self.explain(i, "null_mx", "bob@null.test", 1)), ["null_mx"])
        self.assertEqual(self.codes(self.explain(i, "no_such_domain", "bob@nowhere.test", 1)), ["no_such_domain"])
        self.assertIn("mx_private", self.codes(self.explain(i, "mx_private", "bob@private.test", 1)))
        self.assertIn("mx_is_alias", self.codes(self.explain(i, "mx_is_alias", "bob@cname.test", 0)))
        self.assertIn("mx_without_address", self.codes(self.explain(i, "mx_without_address", "bob@dangling.test", 0)))
        self.assertIn("mx_is_address", self.codes(self.explain(i, "mx_is_address", "bob@address.test", 1)))
        self.assertEqual(self.codes(self.explain(i, "mixed_providers", "bob@mixed.test", 0)), ["mixed_providers"])
        self.explain(i, "address_literal", "bob@[198.51.100.44]", 0)

    def test_best_mx_is_me(self):
        """The French document: a domain missing in locals comes back to its own server."""
        i = self.made(rcpthosts="mail.test\nme.test\nbackup.test\ngood.test\n")
        self.assertEqual(self.codes(self.explain(i, "mx_is_me", "bob@me.test", 1)), ["mx_is_me"])
        self.assertEqual(self.codes(self.explain(i, "backup_mx", "bob@backup.test", 0)), ["backup_mx"])
        self.assertEqual(self.codes(self.explain(i, "rcpthosts_only", "bob@good.test", 0)), ["rcpthosts_only"])
        i.control("rcpthosts", "mail.test\n")
        self.assertIn("and control/rcpthosts", self.explain(i, "mx_is_me_unlisted", "bob@me.test", 1)["findings"][0]["remedy"])

    def test_smtproutes(self):
        i = self.made(smtproutes="good.test:smart.test:587|user|secret\nloop.test:127.0.0.1\nbad.test:host:port\n"
                                 ".priv.test:10.9.8.7\nport.test::2525\nlost.test:nowhere.test\n")
        self.assertEqual(self.codes(self.explain(i, "open_password", "bob@good.test", 1)), ["control_unusable"])
        path = i.home / "control/smtproutes"
        path.chmod(0o400)
        if relais.IS_ROOT and not i.single:
            os.chown(path, *i.ids("qmailr"))
        found = self.explain(i, "smtproute", "bob@good.test", 0)
        self.assertNotIn("secret", json.dumps(found))
        self.assertEqual(found["remote"]["port"], 587)
        self.assertEqual(self.codes(self.explain(i, "smtproute_to_me", "bob@loop.test", 0)), ["smtproute_to_me"])
        self.assertEqual(self.codes(self.explain(i, "bad_smtproute", "bob@bad.test", 1)), ["bad_smtproute"])
        self.explain(i, "smtproute_suffix", "bob@a.priv.test", 0)
        self.assertEqual(self.codes(self.explain(i, "smtproute_unknown", "bob@lost.test", 1)), ["smtproute_unknown"])

    def test_how_it_would_be_sent(self):
        i = self.made(smtproutes=":smart.test:465|user|secret\nplain.test:smart.test\n", domainips="plain.test:127.0.0.7,::1|out.test\n@broken.test:eth0",
                      tlsdestinations="plain.test:fingerprint min=1.3 sha256=" + "a" * 64)
        path = i.home / "control/smtproutes"
        path.chmod(0o400)
        if relais.IS_ROOT and not i.single:
            os.chown(path, *i.ids("qmailr"))
        found = self.explain(i, "tls_fingerprint", "bob@plain.test", 0)["remote"]
        self.assertEqual((found["tls"]["level"], found["tls"]["minimum"], found["login"]), ("fingerprint", "1.3", None))
        self.assertEqual(found["from"], {"ipv4": "127.0.0.7", "ipv6": "::1", "helo": "out.test"})
        found = self.explain(i, "tls_password", "bob@else.test", 0)["remote"]
        self.assertEqual((found["tls"]["level"], found["tls"]["implicit"], found["tls"]["ca"]), ("verify", True, "/etc/ssl/certs/ca-certificates.crt"))
        self.assertEqual(found["login"], {"user": "user", "file": "control/smtproutes"})
        i.control("tlsdestinations", "smart.test:verify ca=own.pem name=a.test name=b.test")
        self.assertEqual(self.explain(i, "tls_own_authority", "bob@else.test", 0)["remote"]["tls"]["names"], ["a.test", "b.test"])
        i.control("tlsdestinations", "smart.test:encrypt")
        self.assertEqual(self.codes(self.explain(i, "tls_password_to_anybody", "bob@else.test", 0)), ["password_to_anybody"])
        i.control("tlsdestinations", "smart.test:none cleartext")
        self.explain(i, "tls_password_in_clear", "bob@else.test", 0)
        i.control("tlsdestinations", "smart.test:verfy")
        self.assertEqual(self.codes(self.explain(i, "tls_bad_line", "bob@else.test", 1)), ["bad_tlsdestination"])
        result = i.run("route-explain", "--from", "x@broken.test", "bob@plain.test")
        self.assertIn("waits in the queue: control/domainips: @broken.test:eth0 cannot be used: eth0 is no address", result.out)

    # ------------------------------------------------------------ what a message would meet

    def test_what_a_message_would_meet(self):
        offers = b"250-fake.test\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250 DSN\r\n"
        with FakeServer(EHLO=offers) as server:
            i = self.made(smtproutes=f":127.0.0.1:{server.port}\n")
            ask = lambda *arguments: i.run("route-explain", *arguments, "bob@far.test")
            result = ask("--size", "2000")
            self.assertEqual(result.code, 0, result)
            self.assertIn("127.0.0.1: not known: nothing was delivered there yet; --probe asks it", result.out)
            self.assertEqual(server.sessions, [])
            result = ask("--size", "2000", "--probe")
            self.assertEqual(result.code, 1, result)
            self.assertIn("bob@far.test bounces: 127.0.0.1 takes messages of 1000 octets, this one has 2000: it bounces (5.3.4)", result.out)
            self.assertIn("8BITMIME, DSN, SIZE 1000 (asked now, in the clear)", result.out)
            self.assertEqual(server.sessions[0].commands, [b"EHLO mail.test", b"QUIT"])
            found = json.loads(ask("--json", "--probe", "--8bit", "--dsn").out)
            self.assertEqual((found["fate"], self.codes(found)), ("remote", ["dsn"]))
            (one,) = found["remote"]["servers"]
            self.assertEqual((one["offers"]["source"], one["offers"]["size"], one["offers"]["smtputf8"]), ("asked", 1000, False))
            # What was seen at a delivery is remembered.
            self.assertEqual(i.run("qmail-remote", "far.test", "a@b.test", "bob@far.test", input="x\n").out[:1], "r")
            message = i.directory / "message"
            message.write_text("Subject: grüße\n\nhallo\n")
            result = ask("--message", message, "--smtputf8")
            self.assertEqual(result.code, 1, result)
            self.assertIn("the header of the message has letters beyond US-ASCII, and 127.0.0.1 does not offer SMTPUTF8", result.out)
            self.assertRegex(result.out, r"8BITMIME, DSN, SIZE 1000 \(at a delivery, [^\n]+\)\n")
            self.assertEqual(ask("--message", message).code, 0)
            result = i.run("route-explain", "--size", "1", "bob@bücher.test")
            self.assertIn("127.0.0.1 does not offer SMTPUTF8: it hears bob@xn--bcher-kva.test", result.out)
            # It says the same as the delivery.
            done = i.run("qmail-remote", "far.test", "a@b.test", "bob@far.test", input=b"x" * 2000 + b"\n")
            self.assertIn("(#5.3.4)", done.out)
            for wrong in (("--message", i.directory), ("--message", i.directory / "none"), ("--size", "many")):
                self.assertIn(ask(*wrong).code, (100, 111), wrong)

    def test_servers_that_are_asked_and_misbehave(self):
        for replies in ({"greeting": b"554 go \x1b[31maway\r\n"}, {"EHLO": b"250-SIZE 99999999999999999999999\r\n" * 100 + b"250 x\r\n"},
                        {"greeting": b"x" * 100000 + b"\r\n"}, {"EHLO": CLOSE}, {"EHLO": SILENT}):
            with FakeServer(**replies) as server:
                i = self.made(smtproutes=f":127.0.0.1:{server.port}\n")
                result = i.run("route-explain", "--probe", "bob@far.test")
                self.assertEqual(result.code, 0, result)
                self.assertNotIn("\x1b", result.out)
                self.assertIn("  offers         127.0.0.1: ", result.out)

    def test_who_may_not_ask_is_told(self):
        i = self.made(smtproutes=":127.0.0.1:1\n")
        if i.single:
            self.skipTest("its user may")
        anna = i.add_user("anna")
        self.assertIn("may ask servers", i.run("route-explain", "--probe", "bob@far.test", user=anna).out)

    # ------------------------------------------------------------ DNS

    def test_dns_that_fails(self):
        silent = dns.SilentServer()
        try:
            i = self.made(dnsservers=silent.server, timeoutdns="1")
            self.assertEqual(self.codes(self.explain(i, "dns_silent", "bob@good.test", 1)), ["dns_failed"])
            (i.home / "control/smtproutes").write_text("routed.test:smart.test\n")
            result = i.run("route-explain", "bob@routed.test")
            self.assertIn("waits in the queue: DNS does not answer for the server named in control/smtproutes\n", result.out)
            (i.home / "control/smtproutes").unlink()
            result = i.run("route-explain", "--no-dns", "bob@good.test")
            self.assertEqual((result.code, "DNS was not asked" in result.out), (0, True), result)
        finally:
            silent.stop()

    def test_instance_resolver_is_asked(self):
        i = self.made()
        dns.start_resolver(i)
        i.wait_for((i.home / "sockets/resolver").is_socket, 20, "the resolver's socket")
        found = json.loads(i.run("route-explain", "--json", "bob@good.test").out)
        self.assertEqual(found["remote"]["dns"], "qmail-resolver of this instance")
        self.assertEqual(found["fate"], "remote")

    @unittest.skipUnless(relais.IS_ROOT, "is about root")
    def test_root_runs_no_program_of_a_user_instance(self):
        i = self.instance(me="mail.test", single=True, control={"dnsservers": self.zones.server})
        command = [relais.program("route-explain"), "bob@good.test"]
        done = subprocess.run(command, capture_output=True, env=i.environment, timeout=400)
        self.assertIn(b"goes to mx1.isp.test", done.stdout)
        programs = i.home / "bin"
        if programs.is_symlink():
            programs.unlink()
        programs.mkdir(exist_ok=True)
        resolver = programs / "qmail-resolver"
        resolver.unlink(missing_ok=True)
        resolver.write_text("#!/bin/sh\nid -u > $QMAILHOME/who\n")
        resolver.chmod(0o755)
        done = subprocess.run(command, capture_output=True, env=i.environment, timeout=400)
        self.assertIn(b"could not start", done.stdout)
        self.assertEqual((i.home / "who").read_text(), f"{i.ids('qmailn')[0]}\n")

    def test_hostile_words(self):
        i = self.made()
        ann = i.add_user("ann")
        ann.write(".qmail", b"|echo \x1b[2J\x07\xff\n")
        result = i.run("route-explain", "ann@mail.test")
        self.assertNotIn("\x1b", result.out)
        self.assertIn("program echo _[2J__", result.out)
        for address in ("", "@", "@@", "a@", "a" * 1003, "a@b\nc", "%@%", "a@" + "b." * 200 + "c", "a@[", "a@[]", "a@..", "\xff@\xfe"):
            result = i.run("route-explain", "--", address)
            self.assertIn(result.code, (0, 1, 100), f"{address!r}: {result}")

    def test_usage(self):
        i = self.made()
        self.assertEqual(i.run("route-explain").code, 100)
        self.assertEqual(i.run("route-explain", "a@b", "c@d").code, 100)


relais.main()
