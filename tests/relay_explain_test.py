"""relay-explain: golden answers for situations of the source documents and others, each held against what a real
qmail-smtpd says to the same client. RELAIS_GOLDEN=write writes the golden files anew."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time
import unittest

from harness import relais

GOLDEN = pathlib.Path(__file__).resolve().parent / "golden/relay_explain"
SPAN = r"\d+ (?:d|h|min|s)(?: \d+ (?:h|min|s))?"
LOCAL_RULES = '127.0.0.1:allow,RELAYCLIENT=""\n::1:allow,RELAYCLIENT=""\n:allow\n'
STRANGER = "203.0.113.5"
FOREIGN = "bob@elsewhere.example"
HOUR = 3600

# A network of its own whose loopback has the addresses of the Russian document's server.
OWN_ADDRESSES = ("ip link set lo up && ip addr add 192.168.103.193/32 dev lo && "
                 'ip addr add fe80::200:5aee:feaa:20a2/64 dev lo nodad && exec "$@"')


class Situation:
    """control: files beside the usual ones (None removes). logins: (address, user, service, seconds ago). text: tcp.smtp
    as it is left uncompiled. change: called with the instance before the question. own: asked in OWN_ADDRESSES.
    real: compared with a real session."""

    def __init__(self, *args, rules=LOCAL_RULES, control=None, logins=(), text=None, change=None, own=False, real=True,
                 code=1):
        self.args, self.rules, self.control, self.logins = [str(a) for a in args], rules, control or {}, logins
        self.text, self.change, self.own, self.real, self.code = text, change, own, real, code


def checksum(data):
    """FNV-1a of 64 bits."""
    value = 14695981039346656037
    for octet in data:
        value = (value ^ octet) * 1099511628211 % 2**64
    return b"%016x" % value


def rcpt(*recipients, sender="anna@customer.example"):
    return ["--from", sender, *(word for r in recipients for word in ("--rcpt", r))]


def vpopmail_file(instance):
    """The French document's lines, one of them of now."""
    lines = ['213.41.188.249:allow,RELAYCLIENT="" ,RBLSMTPD="" 1029581749', '213.41.184.98:allow,RELAYCLIENT="" ,RBLSMTPD="" '
             + str(int(time.time()) - 600)]
    path = instance.home / "vpopmail-open-smtp"
    path.write_text("".join(line + "\n" for line in lines))
    path.chmod(0o644)
    instance.control("opensmtpfile", str(path))


def merge_logins(instance):
    result = instance.run("open-smtp", "rules", instance.home / "tcp.smtp", instance.home / "tcp.smtp.cdb")
    assert result.code == 0, result
    result = instance.run("open-smtp", "remove", STRANGER)
    assert result.code == 0, result


RELAY_RULE = ',RELAYCLIENT=""'
SITUATIONS = {
    # The documents' cases.
    "ip_not_in_tcp_smtp": Situation(STRANGER, *rcpt(FOREIGN)),
    "document_relay_denied": Situation(
        STRANGER, *rcpt("anna@wanadoo.example"),
        control={"relaydenied": "sorry, that domain isn't allowed to be relayed thru this MTA (#5.7.1)"}),
    "webmail_ipv6_localhost": Situation("::1", *rcpt(FOREIGN), rules='127.0.0.1:allow,RELAYCLIENT=""\n:allow\n'),
    "webmail_ipv6_localhost_mended": Situation("::1", *rcpt(FOREIGN), code=0),
    "webmail_public_address": Situation("192.168.103.193", *rcpt(FOREIGN), own=True),
    "webmail_link_local_address": Situation("fe80::200:5aee:feaa:20a2", *rcpt(FOREIGN), own=True),
    "webmail_link_local_mended": Situation(
        "fe80::200:5aee:feaa:20a2", *rcpt(FOREIGN), own=True, code=0,
        rules='127.0.0.1:allow,RELAYCLIENT=""\nfe80::200:5aee:feaa:20a2:allow,RELAYCLIENT=""\n:allow\n'),
    "rcpthosts_entry_deleted": Situation(STRANGER, *rcpt("postmaster@test.example"),
                                         control={"locals": "mail.test\ntest.example\n"}),
    "virtualdomain_not_in_rcpthosts": Situation(
        STRANGER, *rcpt("info@shop.example"), control={"virtualdomains": "# shops\nshop.example:shop\n"}),
    "pop_expired": Situation(STRANGER, *rcpt(FOREIGN), logins=[(STRANGER, "anna", "pop3", 3 * HOUR + 720)]),
    "pop_live": Situation(STRANGER, *rcpt(FOREIGN), logins=[(STRANGER, "anna", "pop3", 1200)], code=0),
    "outsider_with_our_domain": Situation(
        STRANGER, *rcpt("bob@mail.test", sender="anna@mail.test"), control={"localsenders": "enforce"}),
    "outsider_with_our_domain_warned": Situation(
        STRANGER, *rcpt("bob@mail.test", sender="anna@mail.test"), control={"localsenders": "warn"}, code=0),
    "relayclient_blank": Situation("127.0.0.1", *rcpt(FOREIGN), rules='127.0.0.:allow,RELAYCLIENT=" "\n:allow\n', code=0),
    "vpopmail_live_file": Situation("213.41.184.98", *rcpt(FOREIGN), change=vpopmail_file, code=0),
    "vpopmail_stale_line": Situation("213.41.188.249", *rcpt(FOREIGN), change=vpopmail_file),
    # Rules.
    "rule_single_address": Situation("192.0.2.10", *rcpt(FOREIGN), rules="192.0.2.10:allow" + RELAY_RULE + "\n:allow\n", code=0),
    "rule_network": Situation("198.51.100.77", *rcpt(FOREIGN), rules="198.51.100.0/25:allow" + RELAY_RULE + "\n:allow\n",
                              code=0),
    "rule_ipv6_network": Situation("2001:db8:1:2::9", *rcpt(FOREIGN),
                                   rules="2001:db8::/32:allow" + RELAY_RULE + "\n:allow\n", code=0),
    "rule_denies": Situation(STRANGER, *rcpt("bob@mail.test"), rules="203.0.113.:deny\n:allow\n"),
    "rule_lacks_final_dot": Situation("192.168.1.7", *rcpt(FOREIGN), rules="192.168.1:allow" + RELAY_RULE + "\n:allow\n"),
    "rule_more_exact_alone_counts": Situation(
        "192.168.1.7", *rcpt(FOREIGN), rules="192.168.1.:allow" + RELAY_RULE + '\n192.168.1.7:allow,DATABYTES="1000"\n:allow\n'),
    "rule_appends": Situation("192.0.2.10", *rcpt("bob"), code=0,
                              rules='192.0.2.10:allow,RELAYCLIENT="@fixme.mail.test"\n:allow\n'),
    "rule_everybody": Situation(STRANGER, *rcpt(FOREIGN), rules=":allow" + RELAY_RULE + "\n", code=0),
    "rules_not_compiled": Situation(STRANGER, *rcpt(FOREIGN), text="203.0.113.5:allow" + RELAY_RULE + "\n" + LOCAL_RULES),
    "rules_with_a_wrong_line": Situation(STRANGER, *rcpt(FOREIGN),
                                         text="203.0.113.5:allow" + RELAY_RULE + "\n192.0.2.1:permit\n" + LOCAL_RULES),
    "rules_missing": Situation(STRANGER, *rcpt("bob@mail.test"), real=False,
                               change=lambda i: (i.home / "tcp.smtp.cdb").unlink()),
    "login_merged_into_cdb": Situation(STRANGER, *rcpt(FOREIGN), logins=[(STRANGER, "anna", "pop3", 60)],
                                       change=merge_logins, code=0),
    "mapped_address": Situation("::ffff:192.0.2.10", *rcpt(FOREIGN), rules="192.0.2.:allow" + RELAY_RULE + "\n:allow\n", code=0),
    "no_server_for_ipv6": Situation("2001:db8::7", *rcpt(FOREIGN), control={"smtplisten": "127.0.0.1 25"}),
    # Logins.
    "login_other_family": Situation(STRANGER, *rcpt(FOREIGN, sender="anna@mail.test"),
                                    logins=[("2001:db8::7", "anna%mail.test", "imap", 720)]),
    "login_other_address": Situation(STRANGER, *rcpt(FOREIGN, sender="anna@mail.test"),
                                     logins=[("198.51.100.9", "anna", "pop3", 720)]),
    "login_expired_here_live_elsewhere": Situation(
        STRANGER, *rcpt(FOREIGN),
        logins=[(STRANGER, "anna", "pop3", 4 * HOUR), ("2001:db8::7", "anna", "pop3", 720)]),
    "login_same_64": Situation("2001:db8:0:1::77", *rcpt(FOREIGN), logins=[("2001:db8:0:1::5", "anna", "pop3", 720)]),
    "login_opens_64": Situation("2001:db8:0:1::77", *rcpt(FOREIGN), control={"opensmtpprefix6": "64"},
                                logins=[("2001:db8:0:1::5", "anna", "pop3", 720)], code=0),
    "login_excluded": Situation(STRANGER, *rcpt(FOREIGN), change=lambda i: i.control("opensmtpexclude", "203.0.113.0/24"),
                                logins=[(STRANGER, "anna", "pop3", 720)]),
    "login_of_the_future": Situation(STRANGER, *rcpt(FOREIGN), logins=[(STRANGER, "anna", "pop3", -7200)]),
    "login_lifetime_short": Situation(STRANGER, *rcpt(FOREIGN), control={"opensmtplifetime": "600"},
                                      logins=[(STRANGER, "anna", "pop3", 720)]),
    "authenticated": Situation(STRANGER, "--user", "anna@mail.test", *rcpt(FOREIGN), real=False, code=0),
    # Senders and recipients.
    "badmailfrom_sender": Situation(STRANGER, *rcpt("bob@mail.test", sender="Spam@Junk.example"),
                                    control={"badmailfrom": "# known\nspam@junk.example\n"}),
    "badmailfrom_domain": Situation("127.0.0.1", *rcpt(FOREIGN, sender="x@junk.example"),
                                    control={"badmailfrom": "@junk.example\n"}),
    "badmailfrom_to_postmaster": Situation(STRANGER, *rcpt("postmaster@mail.test", sender="x@junk.example"),
                                           control={"badmailfrom": "@junk.example\n"}, code=0),
    "badmailfrom_wildcard": Situation(STRANGER, *rcpt("bob@mail.test", sender="x@a.junk.example"),
                                      control={"badmailfrom": "@*.junk.example\n"}),
    "badmailfromnorelay": Situation(STRANGER, *rcpt("bob@mail.test", sender="boss@mail.test"),
                                    control={"badmailfromnorelay": "# ours\n@mail.test\n"}),
    "badrcptto": Situation(STRANGER, *rcpt("gone@mail.test", "bob@mail.test"), control={"badrcptto": "gone@mail.test\n"}),
    "badhelo": Situation(STRANGER, "--helo", "ppp7.dyn.example", *rcpt("bob@mail.test", "abuse@mail.test"),
                         control={"badhelo": "*.dyn.example\n"}, real=False),
    "badhelo_tag": Situation(STRANGER, "--helo", "ppp7.dyn.example", *rcpt("bob@mail.test"), code=0,
                             control={"badhelo": "*.dyn.example\n", "checks": "badhelo tag\n"}),
    "badhelo_defer": Situation(STRANGER, "--helo", "ppp7.dyn.example", *rcpt("bob@mail.test"), real=False,
                               control={"badhelo": "*.dyn.example\n", "checks": "badhelo defer\n"}),
    "heloself": Situation(STRANGER, "--helo", "mail.test", *rcpt("bob@mail.test"), real=False,
                          control={"checks": "heloself refuse\n"}),
    "heloself_off": Situation(STRANGER, "--helo", "mail.test", *rcpt("bob@mail.test"), code=0),
    "to_us": Situation(STRANGER, *rcpt("bob@mail.test"), code=0),
    "to_us_and_to_others": Situation(STRANGER, *rcpt("bob@mail.test", FOREIGN)),
    "to_nobody_in_particular": Situation(STRANGER),
    "postmaster_without_domain": Situation(STRANGER, *rcpt("postmaster"), code=0),
    "morercpthosts": Situation(STRANGER, *rcpt("info@many.example"), control={"morercpthosts": "many.example\n"}, code=0),
    "morercpthosts_not_compiled": Situation(STRANGER, *rcpt("info@many.example"),
                                            change=lambda i: i.control("morercpthosts", "many.example")),
    "rcpthosts_missing": Situation(STRANGER, *rcpt("bob@mail.test"), control={"rcpthosts": None}),
    "rcpthosts_empty": Situation(STRANGER, *rcpt("bob@other.example"), control={"rcpthosts": ""}),
    "rcpthosts_subdomain": Situation(STRANGER, *rcpt("bob@sub.mail.test")),
    "rcpthosts_suffix": Situation(STRANGER, *rcpt("bob@b.example"), control={"rcpthosts": "mail.test\n.b.example\n"}),
    "size_of_the_rule": Situation("192.0.2.10", *rcpt(FOREIGN), control={"databytes": "5000"}, code=0,
                                  rules='192.0.2.10:allow,RELAYCLIENT="",DATABYTES="1000000"\n:allow\n'),
    "address_literal_of_ours": Situation(STRANGER, *rcpt("bob@[192.0.2.25]"),
                                         control={"smtplisten": "192.0.2.25 25", "localiphost": "mail.test"}, code=0),
    "hostile_recipient": Situation(STRANGER, "--rcpt", "bob@é.example"),
    "address_too_long": Situation(STRANGER, *rcpt("a" * 1100 + "@elsewhere.example")),
    "address_in_brackets": Situation(STRANGER, "--from", "<>", "--rcpt", "<bob@mail.test>", code=0),
    "literal_of_this_host": Situation(STRANGER, *rcpt("bob@[127.0.0.1]"), code=0),
    "percent_bang_and_route": Situation(STRANGER, *rcpt("bob%elsewhere.example@mail.test", "elsewhere.example!bob",
                                                        "@mail.test:bob@elsewhere.example")),
    "percenthack": Situation(STRANGER, *rcpt("bob%elsewhere.example@mail.test"), control={"percenthack": "mail.test\n"}, code=0),
    "me_missing": Situation(STRANGER, *rcpt("bob@mail.test"), control={"me": None, "smtpgreeting": None}),
}
USUAL = {"me": "mail.test\n", "checks": "", "locals": "mail.test\n", "rcpthosts": "mail.test\n", "smtplisten": "0 25\n"}


class Explain(relais.TestCase):
    """One instance for all situations; each begins with the usual files."""

    @classmethod
    def setUpClass(cls):
        cls.shared = relais.Instance()
        cls.addClassCleanup(cls.shared.remove)
        cls.shared.control("databytes", None)
        cls.shared.start_send()
        cls.control_files = {p.name for p in (cls.shared.home / "control").iterdir()}

    def setUp(self):
        i = self.shared
        for path in (i.home / "control").iterdir():
            if path.name not in self.control_files:
                path.unlink()
        for name, content in USUAL.items():
            i.control(name, content)
        for path in (i.home / "open-smtp").glob("*/*"):
            path.unlink()

    def login(self, address, user, service, ago):
        """A login of that many seconds ago: the two clocks of its record are set back (opensmtp/entry_file.h)."""
        i = self.shared
        result = i.run("open-smtp", "add", address, "--user", user, "--service", service)
        self.assertEqual(result.code, 0, result)
        key = address.rsplit(":", 1)[0] + ":_64" if (i.home / "control/opensmtpprefix6").exists() else address
        (path,) = (i.home / "open-smtp").glob("*/" + key)
        fields = path.read_bytes().split(b"\0")[:7]
        fields[3] = str(int(fields[3]) - ago).encode()
        fields[5] = str(int(fields[5]) - ago).encode()
        record = b"".join(field + b"\0" for field in fields)
        path.write_bytes(record + checksum(key.replace("_", "/").encode() + b"\0" + record) + b"\0")

    def prepare(self, situation):
        i = self.shared
        for name, content in situation.control.items():
            i.control(name, content)
        i.rules(situation.rules)
        for login in situation.logins:
            self.login(*login)
        if situation.text is not None:
            (i.home / "tcp.smtp").write_text(situation.text)
        if situation.change:
            situation.change(i)

    def ask(self, situation, *options):
        words = [relais.program("relay-explain"), *situation.args, *options]
        if situation.own:
            words = ["/usr/bin/unshare", "-n", "sh", "-c", OWN_ADDRESSES, "sh", *words]
        result = self.shared.run(*words)
        self.assertEqual(result.err, "")
        return result

    def golden(self, text):
        text = text.replace(str(self.shared.home), "/var/qmail")
        text = re.sub(SPAN + " ago", "AGE ago", text)
        text = re.sub(r'OPENSMTP="\d+"', 'OPENSMTP="TIME"', text)
        return re.sub(f"(another|expires in) {SPAN}", r"\1 SPAN", text)

    def real_replies(self, answer):
        """What qmail-smtpd says: the rules by tcprulescheck, the client by its environment, as tcpserver has it."""
        i = self.shared
        env = {"TCPREMOTEIP": answer["address"], "TCPLOCALIP": "127.0.0.1" if answer["server"]["address"] == "0" else answer["server"]["address"]}
        checked = i.run("tcprulescheck", i.home / "tcp.smtp.cdb", env=env).out
        for line in checked.splitlines():
            if line.startswith("set environment variable "):
                name, _, value = line.removeprefix("set environment variable ").partition("=")
                env[name] = value
        if "deny connection" in checked:
            return None
        commands = ["EHLO x", f"MAIL FROM:<{answer['sender']['address']}>", *(r["command"] for r in answer["recipients"]), "QUIT"]
        result = i.run("qmail-smtpd", input="".join(c + "\r\n" for c in commands), env=env)
        replies = [line for line in result.out.split("\r\n") if line[3:4] == " "]
        return replies[3:-1]

    def check(self, name, situation):
        self.prepare(situation)
        result = self.ask(situation)
        path = GOLDEN / (name + ".txt")
        text = self.golden(result.out)
        if os.environ.get("RELAIS_GOLDEN") == "write":
            GOLDEN.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.assertEqual(text, path.read_text())
        self.assertEqual(result.code, situation.code)
        shown = self.ask(situation, "--json")
        self.assertEqual(shown.code, situation.code)
        answer = json.loads(shown.out)
        self.assertEqual(answer["allowed"], situation.code == 0)
        for sentence in [r["decision"] for r in answer["recipients"]] + answer["remedies"]:
            self.assertIn(re.sub("[^ -~]", "_", sentence), result.out)
        if situation.real:
            real = self.real_replies(answer)
            if real is None:
                self.assertIsNotNone(answer["turned_away"])
            elif answer["trouble"]:
                self.assertIn("421 unable to read controls (#4.3.0)", result.out)
                self.assertEqual(real, [])
            else:
                self.assertEqual([r["reply"] for r in answer["recipients"]], real)

    # ------------------------------------------------------------ numbers, real connections, odd questions

    def test_age_and_time_left(self):
        self.prepare(Situation(logins=[(STRANGER, "anna", "pop3", 1000)]))
        entry = json.loads(self.shared.run("relay-explain", STRANGER, "--json").out)["open_smtp"]
        self.assertTrue(1000 <= entry["age"] <= 1300, entry)
        self.assertEqual(entry["age"] + entry["left"], 3 * HOUR)
        self.assertEqual((entry["user"], entry["service"], entry["live"]), ("anna", "pop3", True))

    def test_agrees_with_real_connections(self):
        """The same client, over TCP: through tcpserver, and through our own listener over IPv6."""
        i = self.shared
        self.prepare(Situation(rules="127.0.0.1:allow" + RELAY_RULE + "\n127.7.7.7:deny\n:allow\n"))

        def told(source):
            try:
                with i.smtp(source=source, address="::1" if ":" in source else "127.0.0.1") as client:
                    client.command("MAIL FROM:<anna@customer.example>")
                    return str(client.command(f"RCPT TO:<{FOREIGN}>", None))
            except (EOFError, ConnectionError):
                return None
        for start, sources in ((i.start_tcpserver, ("127.0.0.1", "127.0.0.2", "127.7.7.7")),
                               (lambda: i.start_listener("::1"), ("::1",))):
            start()
            for source in sources:
                answer = json.loads(i.run("relay-explain", source, *rcpt(FOREIGN), "--json").out)
                expected = answer["recipients"][0]["reply"] if answer["recipients"] else None
                self.assertEqual(told(source), expected, source)
            server = i.running.pop("smtpd")
            server.terminate()
            server.wait(60)

    def test_denial_by_our_own_listener(self):
        i = self.shared
        self.prepare(Situation(rules="127.7.7.7:deny\n:allow\n"))
        script = i.home / "service/qmail-smtpd/run"
        old = script.read_text()
        try:
            script.write_text(f'exec qmail-smtpd "$@" -x {i.home}/tcp.smtp.cdb\n')
            answer = json.loads(i.run("relay-explain", "127.7.7.7", "--json").out)
        finally:
            script.write_text(old)
        i.start_listener()
        with i.smtp(source="127.7.7.7", ehlo=None, greeting=554) as client:
            self.assertEqual(str(client.greeting), answer["turned_away"])
        server = i.running.pop("smtpd")
        server.terminate()
        server.wait(60)

    def test_servers_with_rules_of_their_own(self):
        """An instance with a server for each family: the client's family chooses, and --listener."""
        i = self.shared
        self.prepare(Situation(rules='127.0.0.1:allow,RELAYCLIENT=""\n:allow\n', control={"smtplisten": "127.0.0.1 25\n::1 25"}))
        second = i.home / "service/qmail-smtpd2"
        second.mkdir()
        self.addCleanup(shutil.rmtree, second)
        script = (i.home / "service/qmail-smtpd/run").read_text().replace("tcp.smtp.cdb", "tcp.smtp6.cdb")
        (second / "run").write_text(script)
        (i.home / "tcp.smtp6").write_text('::1:allow,RELAYCLIENT=""\n')
        self.assertEqual(i.run("qmailctl", "cdb", i.home).code, 0)
        for words, server, file, code in ((("::1",), "qmail-smtpd2", "tcp.smtp6", 0), (("127.0.0.1",), "qmail-smtpd", "tcp.smtp", 0),
                                          (("127.0.0.1", "--listener", "qmail-smtpd2"), "qmail-smtpd2", "tcp.smtp", 0),
                                          (("2001:db8::1",), "qmail-smtpd2", "tcp.smtp", 1)):
            result = i.run("relay-explain", *words, "--json")
            answer = json.loads(result.out)
            self.assertEqual((answer["server"]["name"], answer["rule"]["file"], result.code), (server, file, code), words)
        result = i.run("relay-explain", "--audit")
        self.assertEqual((result.code, "may not: programs on this host" in result.out), (0, False), result)
        # The Russian document's case, with a server for each family.
        (i.home / "tcp.smtp6").write_text("")
        self.assertEqual(i.run("qmailctl", "cdb", i.home).code, 0)
        self.assertIn("127.0.0.1 may relay and ::1 may not: programs on this host (webmail) use both\n           -> "
                      f'::1:allow,RELAYCLIENT="" in {i.home}/tcp.smtp6\n', i.run("relay-explain", "--audit").out)

    def test_wrong_usage(self):
        for words in ((), ("nonsense",), ("1.2.3.4", "--audit"), ("1.2.3.4", "--rcpt", "a\r\nDATA"), ("1.2.3.4", "--rcpt", ""),
                      ("1.2.3.4", "--listener", "nobody"), ("--audit", "--watch"), ("1.2.3.4", "--odd")):
            self.assertEqual(self.shared.run("relay-explain", *words).code, 100, words)

    def test_a_cdb_by_its_path(self):
        i = self.shared
        path = i.directory / "other"
        path.write_text(STRANGER + ":allow" + RELAY_RULE + "\n")
        self.assertEqual(i.run("tcprules", f"{path}.cdb", f"{path}.tmp", input=path.read_bytes()).code, 0)
        result = i.run("relay-explain", STRANGER, "--listener", f"{path}.cdb")
        self.assertEqual(result.code, 0, result)
        self.assertIn("other line 1 sets RELAYCLIENT", result.out)

    # ------------------------------------------------------------ the audit

    def audit(self, rules, code, *expected, **control):
        self.setUp()
        self.prepare(Situation(rules=rules, control=control))
        result = self.shared.run("relay-explain", "--audit")
        self.assertEqual(result.code, code, result)
        for part in expected:
            self.assertIn(part, result.out)
        loud = any(part.startswith("OPEN RELAY") for part in expected)
        self.assertEqual("*** THIS SERVER IS AN OPEN RELAY" in result.out, loud, result.out)
        answer = json.loads(self.shared.run("relay-explain", "--audit", "--json").out)
        self.assertEqual(answer["open_relay"], loud)
        return result.out

    def test_audit_of_a_good_server(self):
        out = self.audit(LOCAL_RULES + "192.0.2.:allow" + RELAY_RULE + "\n2001:db8::/32:allow" + RELAY_RULE + "\n10.:allow"
                         + RELAY_RULE + "\n", 0, "Not an open relay.")
        self.assertNotIn("WRONG", out)

    def test_audit_finds_open_relays(self):
        for rule in (":allow", "0.0.0.0/0:allow", "0.0.0.0/1:allow", "1-255.:allow", "::/0:allow", "2000::/3:allow",
                     "2001:0000::/16:allow", "8.:allow"):
            self.audit(LOCAL_RULES.removesuffix(":allow\n") + rule + RELAY_RULE + "\n", 1,
                       "OPEN RELAY ")
        self.audit(LOCAL_RULES, 1, "OPEN RELAY control/rcpthosts has \".com\"", rcpthosts="mail.test\n.com\n")
        self.audit(LOCAL_RULES, 1, "OPEN RELAY control/percenthack and control/rcpthosts both have mail.test", percenthack="mail.test")

    def test_audit_finds_names_where_they_are_looked_up(self):
        script = self.shared.home / "service/qmail-smtpd/run"
        old = script.read_text()
        try:
            self.audit("=:allow" + RELAY_RULE + "\n:allow\n", 1, "WRONG      tcp.smtp line 1 \"=:allow")
            script.write_text(old.replace(" -R -H ", " "))
            self.audit("=:allow" + RELAY_RULE + "\n:allow\n", 1, "OPEN RELAY tcp.smtp line 1 \"=:allow")
            self.audit("=.example:allow" + RELAY_RULE + "\n:allow\n", 1, "OPEN RELAY tcp.smtp line 1 \"=.example")
            self.audit("=.host.example:allow" + RELAY_RULE + "\n:allow\n", 0, "note       tcp.smtp line 1")
            script.write_text(old.replace("env - ", "env - RELAYCLIENT= "))
            self.audit(LOCAL_RULES, 1, "OPEN RELAY the run script of qmail-smtpd sets RELAYCLIENT")
        finally:
            script.write_text(old)

    def test_audit_finds_what_is_wrong(self):
        for rules, expected in (
                ("192.168.1:allow" + RELAY_RULE, "matches no address\n           -> it lacks its final dot: 192.168.1.:"),
                ("192.168.1.300:allow", "matches no address"), ("20-10.:allow", "matches no address"),
                ("localhost:allow" + RELAY_RULE, "matches no address"),
                ("10.:allow\n10.:deny", "line 2 \"10.:deny\" never counts: tcp.smtp line 1"),
                ('127.0.0.:allow,RELAYCLIENT=" "', "sets RELAYCLIENT to blanks")):
            self.audit(rules + "\n:allow\n", 1, expected)
        self.audit(LOCAL_RULES, 1, "control/rcpthosts is missing", rcpthosts=None)
        self.audit(LOCAL_RULES, 1, "lost.example is in control/locals, but not in", locals="mail.test\nlost.example\n")
        self.audit(LOCAL_RULES, 1, "control/localsenders says \"yes\"", localsenders="yes")
        self.audit("127.0.0.1:allow" + RELAY_RULE + "\n:allow\n", 0, "127.0.0.1 may relay and ::1 may not")

    def test_audit_finds_logins_in_a_cdb(self):
        i = self.shared
        self.prepare(Situation(logins=[(STRANGER, "anna", "pop3", 60)]))
        result = i.run("open-smtp", "rules", i.home / "tcp.smtp", i.home / "tcp.smtp.cdb")
        self.assertEqual(result.code, 0, result)
        self.assertIn("1 logins are merged into", i.run("relay-explain", "--audit").out)
        i.control("opensmtplifetime", "1")
        relais.wait_until(lambda: "1 of 1 logins" in i.run("relay-explain", "--audit").out, 60)
        result = i.run("relay-explain", "--audit")
        self.assertIn("1 of 1 logins that were merged into", result.out)
        self.assertEqual(result.code, 1)

    def test_audit_finds_old_and_unexplained_keys(self):
        i = self.shared
        self.prepare(Situation())
        text, cdb = i.home / "tcp.smtp", i.home / "tcp.smtp.cdb"
        vpopmail = text.read_bytes() + b'198.51.100.9:allow,RELAYCLIENT="",RBLSMTPD=""\n'
        self.assertEqual(i.run("tcprules", cdb, i.home / "tcp.smtp.tmp", input=vpopmail).code, 0)
        self.assertIn("1 keys of", i.run("relay-explain", "--audit").out)
        os.utime(cdb, (1, 1))
        self.assertIn("is older than its text", i.run("relay-explain", "--audit").out)
        cdb.write_bytes(b"nonsense")
        result = i.run("relay-explain", "--audit")
        self.assertIn("nobody can connect to qmail-smtpd", result.out)
        self.assertEqual(result.code, 1)

    def test_audit_finds_an_open_relay_in_a_text_that_is_not_compiled_yet(self):
        i = self.shared
        for text in (":allow" + RELAY_RULE, "8.:allow" + RELAY_RULE + "\n:allow", "0.0.0.0/0:allow" + RELAY_RULE + "\n192.0.2.1:what"):
            self.prepare(Situation(text=text + "\n"))
            result = i.run("relay-explain", "--audit")
            self.assertEqual(result.code, 1, result)
            self.assertTrue(result.out.startswith("*** NOT YET, but the next qmailctl cdb makes this server an OPEN RELAY"), result)
            self.assertIn("\nSOON OPEN  ", result.out)
            answer = json.loads(i.run("relay-explain", "--audit", "--json").out)
            self.assertFalse(answer["open_relay"])
            self.assertEqual(answer["findings"][0]["level"], "open_relay_soon")
        # Also where there is no cdb at all.
        (i.home / "tcp.smtp.cdb").unlink()
        self.assertIn("\nSOON OPEN  ", i.run("relay-explain", "--audit").out)

    def test_audit_finds_a_damaged_cdb(self):
        i = self.shared
        cdb = i.home / "tcp.smtp.cdb"
        self.prepare(Situation())
        whole = cdb.read_bytes()
        for damaged in (whole[:-19], whole[:2048] + bytes(range(1, len(whole) - 2047)), b"", whole[:2047]):
            self.prepare(Situation())
            cdb.write_bytes(damaged)
            result = i.run("relay-explain", "--audit")
            self.assertEqual(result.code, 1, result)
            self.assertIn("nobody can connect to qmail-smtpd", result.out)
        cdb.write_bytes(whole[:2048])
        result = i.run("relay-explain", STRANGER)
        self.assertEqual(result.code, 1, result)
        self.assertIn("cannot connect, nor can anybody: ", result.out)
        self.assertIn("is damaged", result.out)

    def test_audit_goes_on_where_a_file_cannot_be_read(self):
        i = self.shared
        self.prepare(Situation(rules=":allow" + RELAY_RULE + "\n"))
        for name in ("locals", "localsenders", "morercpthosts.cdb", "badmailfrom"):
            path = i.home / "control" / name
            kept = path.read_bytes() if path.exists() else None
            path.unlink(missing_ok=True)
            path.mkdir()
            try:
                result = i.run("relay-explain", "--audit")
            finally:
                path.rmdir()
                if kept is not None:
                    path.write_bytes(kept)
            self.assertEqual(result.code, 1, result)
            self.assertIn("OPEN RELAY tcp.smtp line 1", result.out)
            self.assertIn(f"control/{name}", result.out)

    # ------------------------------------------------------------ the log

    REFUSE = "qmail-smtpd: refuse from {} helo x sender <anna@mail.test> rcpt <{}> reason 553 sorry (#5.7.1): no rule\n"

    def test_client_in_brackets_as_a_literal(self):
        self.prepare(Situation())
        result = self.shared.run("relay-explain", "[2001:db8::1]", "--rcpt", f"<{FOREIGN}>")
        self.assertEqual(result.out, self.shared.run("relay-explain", "2001:db8::1", "--rcpt", FOREIGN).out)
        self.assertIn("2001:db8::1", result.out)

    def test_watch_reads_standard_input(self):
        self.prepare(Situation(rules='127.0.0.1:allow,RELAYCLIENT=""\n:allow\n'))
        log = ("qmail-smtpd: accept msg 1 from 1.2.3.4 helo x\n@4000000067410f2a0d1c2b3c " + self.REFUSE.format("::1", FOREIGN)
               + self.REFUSE.format(STRANGER, "bob@mail.test") + "refuse from\n\xff\0 refuse from x helo y\n"
               + "qmail-smtpd: refuse from 1.2.3.4 helo - sender - rcpt - reason 421 too many\n")
        result = self.shared.run("relay-explain", "--watch", "-", input=log, env={"TZ": "UTC"})
        self.assertEqual(result.code, 0, result)
        first, second, third = result.out.splitlines()
        self.assertTrue(first.startswith("2024-11-22 23:09:20 ::1 from <anna@mail.test> to <bob@elsewhere.example>: 553 sorry"))
        self.assertIn(" | note: 127.0.0.1 has a rule with RELAYCLIENT, ::1 has none", first)
        self.assertIn(" | to do: add this line to ", first)
        self.assertIn(" | now: ALLOWED: 203.0.113.5 may send to bob@mail.test", second)
        self.assertEqual(third, "1.2.3.4: 421 too many")

    def test_watch_of_a_flood_does_not_look_through_all_logins_each_time(self):
        self.prepare(Situation(logins=[("198.51.100.20", "anna@mail.test", "pop3", 60)]))
        result = self.shared.run("relay-explain", "--watch", "-", input=self.REFUSE.format(STRANGER, FOREIGN) * 100)
        self.assertEqual(result.code, 0, result)
        lines = result.out.splitlines()
        self.assertEqual(len(lines), 100)
        noted = sum(" | note: a login by anna@mail.test" in line for line in lines)
        self.assertTrue(1 <= noted < 100, noted)
        self.assertTrue(all(" | to do: " in line for line in lines))

    def test_watch_follows_a_multilog_directory(self):
        i = self.shared
        self.prepare(Situation())
        log = i.directory / "multilog"
        log.mkdir()
        current = log / "current"
        current.write_text(self.REFUSE.format("192.0.2.1", FOREIGN))
        watcher = subprocess.Popen([relais.program("relay-explain"), "--watch", log], stdout=subprocess.PIPE, env=i.environment)
        try:
            fds = pathlib.Path(f"/proc/{watcher.pid}/fd")
            self.assertTrue(relais.wait_until(lambda: any(os.path.realpath(fd) == str(current) for fd in fds.iterdir()), 60))
            # It may have opened the file and not yet gone to its end: its position tells.
            self.assertTrue(relais.wait_until(lambda: any(
                os.path.realpath(fd) == str(current) and f"pos:\t{current.stat().st_size}\n" in
                pathlib.Path(f"/proc/{watcher.pid}/fdinfo/{fd.name}").read_text() for fd in fds.iterdir()), 60))
            with current.open("a") as file:
                file.write(self.REFUSE.format("192.0.2.2", FOREIGN))
            self.assertTrue(watcher.stdout.readline().startswith(b"192.0.2.2 from"))
            with current.open("a") as file:
                file.write(self.REFUSE.format("192.0.2.3", FOREIGN))
            current.rename(log / "@40000000")
            current.write_text(self.REFUSE.format("192.0.2.4", FOREIGN))
            self.assertTrue(watcher.stdout.readline().startswith(b"192.0.2.3 from"))
            self.assertTrue(watcher.stdout.readline().startswith(b"192.0.2.4 from"))
            # Three files since it looked last.
            watcher.send_signal(signal.SIGSTOP)
            for number in (5, 6, 7):
                current.rename(log / f"@4000000{number}")
                current.write_text(self.REFUSE.format(f"192.0.2.{number}", FOREIGN))
            watcher.send_signal(signal.SIGCONT)
            for number in (5, 6, 7):
                self.assertTrue(watcher.stdout.readline().startswith(b"192.0.2.%d from" % number))
        finally:
            watcher.kill()
            watcher.wait()
            watcher.stdout.close()


def add_situation(name, situation):
    def test(self):
        if situation.own and not relais.IS_ROOT:
            self.skipTest("only root can make a network")
        self.check(name, situation)
    setattr(Explain, "test_" + name, test)


for each in SITUATIONS.items():
    add_situation(*each)


class Golden(unittest.TestCase):
    def test_no_file_is_left_over(self):
        self.assertEqual({p.stem for p in GOLDEN.iterdir()}, set(SITUATIONS))


if __name__ == "__main__":
    relais.main()
