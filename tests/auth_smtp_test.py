"""AUTH in qmail-smtpd: every mechanism with Python's own cryptography, what is refused and how, and that no secret shows."""

import socket
import stat
import struct

from harness import pop3
from harness import relais
from harness.logins import OK, REFUSED, b64, challenge, cram, plain, scram

PASSWORD = "correct horse 7"
BAD_INPUT = "501 malformed auth input (#5.5.4)"


class AuthTest(relais.TestCase):
    def made(self, start=True, options=(), **control):
        i = self.instance(control=control)
        self.anna = i.add_user("anna")
        pop3.set_password(i, "anna", PASSWORD, *options)
        if start:
            i.start()
        return i

    def reply(self, reply, expected):
        self.assertEqual(repr(reply), expected)

    def no_secrets(self, i, *secrets):
        """The password stands in no log, in no process title, in no file but users/."""
        for secret in (PASSWORD, b64(PASSWORD), plain("anna", PASSWORD), *secrets):
            for log in i.logs.iterdir():
                self.assertNotIn(secret.encode(), log.read_bytes(), log)


class Mechanisms(AuthTest):
    def test_plain_and_login(self):
        i = self.made(rcpthosts="mail.test")
        for user in ("anna", "Anna@Mail.Test", "anna%mail.test"):
            with i.smtp() as smtp:
                smtp.command("MAIL FROM:<anna@mail.test>")
                smtp.command("RCPT TO:<x@elsewhere.test>", 553)
                smtp.command("RSET")
                self.reply(smtp.command("AUTH PLAIN " + plain(user, PASSWORD), 235), OK)
                smtp.command("MAIL FROM:<anna@mail.test>")
                smtp.command("RCPT TO:<x@elsewhere.test>")
        with i.smtp() as smtp:
            self.reply(smtp.command("AUTH PLAIN", 334), "334 ")
            self.reply(smtp.command(plain("anna", PASSWORD, "anna@mail.test"), 235), OK)
        with i.smtp() as smtp:
            self.reply(smtp.command("AUTH LOGIN", 334), "334 VXNlcm5hbWU6")
            self.reply(smtp.command(b64("anna"), 334), "334 UGFzc3dvcmQ6")
            self.reply(smtp.command(b64(PASSWORD), 235), OK)
            self.reply(smtp.command("AUTH LOGIN", 503), "503 already authenticated (#5.5.1)")
        with i.smtp() as smtp:
            self.reply(smtp.command("auth login " + b64("anna"), 334), "334 UGFzc3dvcmQ6")
            self.reply(smtp.command(b64(PASSWORD), 235), OK)
        self.no_secrets(i)

    def test_cram_md5_needs_a_stored_secret(self):
        i = self.made()
        with i.smtp() as smtp:
            self.assertNotIn("CRAM-MD5", repr(smtp.command("EHLO x")))
        pop3.set_password(i, "anna", PASSWORD, "--store-secret")
        with i.smtp() as smtp:
            self.assertIn("250-AUTH LOGIN CRAM-MD5 PLAIN SCRAM-SHA-256\n", repr(smtp.command("EHLO x")) + "\n")
            self.reply(cram(smtp, "anna", "wrong"), REFUSED)
            self.reply(cram(smtp, "Anna%mail.test", PASSWORD), OK)
        self.no_secrets(i)

    def test_scram(self):
        i = self.made()
        for user in ("anna", "anna@mail.test"):
            with i.smtp() as smtp:
                self.reply(scram(smtp, user, PASSWORD, initial=user == "anna"), OK)
        with i.smtp() as smtp:
            self.reply(scram(smtp, "anna", "wrong"), REFUSED)
            self.reply(scram(smtp, "nobody", PASSWORD), REFUSED)
        self.no_secrets(i)

    def test_scram_does_not_tell_who_exists(self):
        i = self.made()

        def salt(user):
            with i.smtp() as smtp:
                return challenge(smtp.command("AUTH SCRAM-SHA-256 " + b64(f"n,,n={user},r=x"), 334)).decode().split(",", 1)[1]

        known, unknown = salt("anna"), salt("nobody")
        self.assertEqual(len(known), len(unknown))
        self.assertEqual(known.split(",")[1], unknown.split(",")[1])
        self.assertEqual(salt("Nobody%mail.test"), unknown)
        self.assertNotEqual(salt("another"), unknown)
        pop3.set_password(i, "bert", "x", "--uid", 4242, "--gid", 4242, "--home", "/tmp")
        i.kill("qmail-authd")
        i.wait_for(lambda: salt_or_nothing(salt, "nobody") == unknown, 30, "the same salt after a new start")
        self.assertNotEqual(salt("bert"), unknown)

    def test_scram_messages_that_were_meddled_with(self):
        i = self.made()
        with i.smtp() as smtp:
            self.reply(scram(smtp, "anna", PASSWORD, tamper=lambda m: m.replace("c=biws", "c=eSws")), REFUSED)
            self.reply(scram(smtp, "anna", PASSWORD, tamper=lambda m: m.replace(",r=c", ",r=d")), BAD_INPUT)
            self.reply(scram(smtp, "anna", PASSWORD, tamper=lambda m: m.split(",p=")[0]), BAD_INPUT)
            self.reply(scram(smtp, "anna", PASSWORD, header="p=tls-exporter,,"), BAD_INPUT)
            self.assertTrue(repr(smtp.command("AUTH SCRAM-SHA-256-PLUS", 504)))

    def test_offers(self):
        i = self.instance()
        i.start()
        with i.smtp() as smtp:
            self.assertNotIn("AUTH", repr(smtp.command("EHLO x")))
        i.add_user("anna")
        pop3.set_password(i, "anna", PASSWORD, "--no-scram")
        i.wait_for(lambda: "AUTH" in self.ehlo(i), 20, "AUTH to be offered")
        self.assertIn("250-AUTH LOGIN PLAIN\n250-AUTH=LOGIN PLAIN\n", self.ehlo(i))
        i.control("authmechanisms", "PLAIN\n")
        self.assertIn("250-AUTH PLAIN\n250-AUTH=PLAIN\n", self.ehlo(i))
        with i.smtp() as smtp:
            self.reply(smtp.command("AUTH LOGIN", 504), "504 unrecognized authentication type (#5.5.4)")

    def ehlo(self, i):
        with i.smtp(ehlo=None) as smtp:
            return "\n".join(smtp.command("EHLO x").lines) + "\n"


def salt_or_nothing(salt, user):
    try:
        return salt(user)
    except AssertionError:
        return None


class Refusals(AuthTest):
    def test_order(self):
        i = self.made(rcpthosts="mail.test")
        with i.smtp(ehlo=None) as smtp:
            self.reply(smtp.command("AUTH PLAIN " + plain("anna", PASSWORD), 503), "503 EHLO first (#5.5.1)")
            smtp.command("HELO x")
            smtp.command("AUTH PLAIN " + plain("anna", PASSWORD), 503)
            smtp.command("EHLO x")
            smtp.command("MAIL FROM:<anna@mail.test>")
            self.reply(smtp.command("AUTH PLAIN", 503), "503 no AUTH within a transaction (#5.5.1)")
            smtp.command("RSET")
            self.reply(smtp.command("AUTH", 501), "501 AUTH needs a mechanism (#5.5.4)")
            self.reply(smtp.command("AUTH GSSAPI", 504), "504 unrecognized authentication type (#5.5.4)")
            smtp.command("AUTH LOGIN", 334)
            self.reply(smtp.command("*", 501), "501 authentication cancelled (#5.7.0)")
            smtp.command("AUTH PLAIN " + plain("anna", PASSWORD), 235)
            self.assertNotIn("AUTH", repr(smtp.command("EHLO x")))
            smtp.command("AUTH PLAIN " + plain("anna", PASSWORD), 503)
            smtp.command("MAIL FROM:<anna@mail.test> AUTH=anna@mail.test")
            smtp.command("RCPT TO:<x@elsewhere.test>")
            smtp.command("RSET")
            smtp.command("MAIL FROM:<anna@mail.test> AUTH=<> SIZE=10")

    def test_malformed(self):
        """Every kind of wrong base64, NULs where none may be, too much of everything."""
        i = self.made()
        wrong = ["Zg", "Zg=", "Zg===", "Zh==", "Zg==Zg==", "====", "a-b_", "Zm9v Yg==", "\u00e9\u00e9\u00e9\u00e9", b64("anna"), b64("\0anna"),
                 b64("\0anna\0"), b64("\0\0" + PASSWORD), b64("\0anna\0x\0y"), "=", b64("x" * 8000)]
        for text in wrong:
            with i.smtp() as smtp:
                self.reply(smtp.command("AUTH PLAIN " + text, 501), BAD_INPUT)
                smtp.command("AUTH PLAIN", 334)
                smtp.command(text, 501)
                smtp.command("NOOP")
        with i.smtp() as smtp:
            for user in ("", b64("a\0b"), "Zh=="):
                smtp.command("AUTH LOGIN", 334)
                self.reply(smtp.command(user, 501), BAD_INPUT)
            smtp.command("AUTH LOGIN", 334)
            smtp.command(b64("anna"), 334)
            self.reply(smtp.command(b64("x\0y"), 501), BAD_INPUT)
            smtp.command("AUTH LOGIN", 334)
            self.reply(smtp.command(b64("u" * 65536), 500), "500 line too long (#5.5.6)")
            smtp.command("AUTH PLAIN " + b64("\0" + "u" * 65536 + "\0x"), 500)
            smtp.command("AUTH LOGIN", 334)
            smtp.command(b64("u" * 9000), 334)
            self.reply(smtp.command(b64("x"), 535), REFUSED)
            smtp.command("AUTH CRAM-MD5 " + b64("anna x"), 501)
            smtp.command("AUTH PLAIN", 334)
            smtp.raw("AGFubmEAeA==\n")
            smtp.expect(500)
            smtp.command("NOOP")

    def test_wrong_logins_cost_time_and_then_the_connection(self):
        i = self.made()
        with i.smtp() as smtp:
            for _ in range(4):
                self.reply(smtp.command("AUTH PLAIN " + plain("anna", "wrong-sesame"), 535), REFUSED)
            self.reply(smtp.command("AUTH PLAIN " + plain("nobody", "wrong-sesame"), 535), REFUSED)
            self.reply(smtp.expect(421), "421 too many failed logins (#4.7.0)")
            smtp.expect_closed()
        log = "\n".join(i.log("send"))
        self.assertRegex(log, r"refused anna@mail\.test from 127\.0\.0\.1 over smtp: wrong password, failure 1 of this address, answer in 1 s")
        self.assertRegex(log, r"refused nobody@mail\.test from 127\.0\.0\.1 over smtp: no such account, failure 5 of this address")
        self.assertTrue(any("reason 535 authentication failed (#5.7.1): login anna" in line for line in i.log("smtpd")), i.log("smtpd"))
        self.no_secrets(i, "wrong-sesame", b64("wrong-sesame"))

    def test_failures_count_for_the_account_too(self):
        i = self.made()
        for n in (1, 2, 3):
            with i.smtp(source=f"127.0.0.{n + 1}") as smtp:
                smtp.command("AUTH PLAIN " + plain("anna", "wrong"), 535)
        self.assertTrue(any("failure 1 of this address, answer in 4 s, failure 3 of this account" in line for line in i.log("send")))
        with i.smtp() as smtp:
            smtp.command("AUTH PLAIN " + plain("anna", PASSWORD), 235)

    def test_not_as_another(self):
        i = self.made()
        with i.smtp() as smtp:
            self.reply(smtp.command("AUTH PLAIN " + plain("anna", PASSWORD, "bert"), 535), REFUSED)
            self.reply(smtp.command("AUTH PLAIN " + plain("anna", PASSWORD, "anna%mail.test"), 235), OK)

    def test_without_authd(self):
        i = self.made(start=False)
        i.start_listener()
        with i.smtp() as smtp:
            self.assertNotIn("AUTH", repr(smtp.command("EHLO x")))
            self.reply(smtp.command("AUTH PLAIN " + plain("anna", PASSWORD), 454),
                       "454 unable to authenticate now, try again later (#4.3.0)")
            smtp.command("AUTH LOGIN", 334)
            smtp.command(b64("anna"), 334)
            smtp.command(b64(PASSWORD), 454)
            smtp.command("MAIL FROM:<anna@mail.test>")

    def test_logins_that_were_not_looked_at_end_the_session_too(self):
        i = self.made(start=False)
        i.start_listener()
        with i.smtp() as smtp:
            for _ in range(5):
                self.reply(smtp.command("AUTH PLAIN " + plain("anna", PASSWORD), 454),
                           "454 unable to authenticate now, try again later (#4.3.0)")
            self.reply(smtp.expect(421), "421 too many failed logins (#4.7.0)")
            smtp.expect_closed()

    def test_auth_without_a_login_does_not_fill_the_log(self):
        """Dialogues that are begun and left, mechanisms that do not exist: each is a line in the log, and 20 are enough."""
        i = self.made()
        with i.smtp() as smtp:
            for _ in range(9):
                smtp.command("AUTH GSSAPI", 504)
                smtp.command("AUTH SCRAM-SHA-256 " + b64("n,,n=anna,r=x"), 334)
                smtp.command("*", 501)
            smtp.command("AUTH", 501)
            smtp.command("AUTH PLAIN x", 501)
            self.reply(smtp.expect(421), "421 too many bad commands (#4.7.0)")
            smtp.expect_closed()

    def test_offers_follow_the_accounts(self):
        """What the listener keeps of qmail-authd's answer is never older than the client."""
        i = self.instance(control={"rcpthosts": "mail.test"})
        i.add_user("anna")
        i.add_user("bert")
        i.start()

        def offered():
            with i.smtp(ehlo=None) as smtp:
                return [line[4:] for line in smtp.command("EHLO x").lines if line[4:8] == "AUTH"]
        self.assertEqual(offered(), [])
        pop3.set_password(i, "anna", PASSWORD)
        self.assertEqual(offered(), ["AUTH LOGIN PLAIN SCRAM-SHA-256", "AUTH=LOGIN PLAIN SCRAM-SHA-256"])
        pop3.set_password(i, "bert", PASSWORD, "--store-secret")
        self.assertEqual(offered()[0], "AUTH LOGIN CRAM-MD5 PLAIN SCRAM-SHA-256")
        # Settings of qmail-authd's own count once it has been started again.
        i.control("authbearer", "/bin/true")
        i.kill("qmail-authd")
        i.wait_for(lambda: offered()[:1] == ["AUTH LOGIN CRAM-MD5 PLAIN SCRAM-SHA-256 XOAUTH2 OAUTHBEARER"], 60, "the new offer")

    def test_watchers_leave_room_for_logins(self):
        """A session that was taken over may ask to be told for ever, as often as it likes: no login waits for that."""
        i = self.made()
        body = b"W\0\0\0\0\0"
        held = []
        try:
            for _ in range(1100):
                s = socket.socket(socket.AF_UNIX)
                held.append(s)
                s.settimeout(60)
                s.connect(str(i.home / "sockets/auth-smtp"))
                s.sendall(struct.pack("<H", len(body)) + body)
                self.assertIn(b"password scram", s.recv(4096))
            with i.smtp() as smtp:
                self.reply(smtp.command("AUTH PLAIN " + plain("anna", PASSWORD), 235), OK)
            # Who watches is told of a change by the end of the connection.
            pop3.set_password(i, "anna", PASSWORD, "--store-secret")
            with i.smtp() as smtp:
                self.assertIn("CRAM-MD5", repr(smtp.command("EHLO x")))
            self.assertEqual(held[0].recv(1), b"")
        finally:
            for s in held:
                s.close()

    def test_the_socket_is_qmailds(self):
        """It tells the account's name, and nothing else of the account."""
        i = self.made()
        path = i.home / "sockets/auth-smtp"
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        if relais.IS_ROOT:
            self.assertEqual(path.stat().st_uid, i.ids("qmaild")[0])
        body = b"P" + b"".join(f.encode() + b"\0" for f in ("anna", "smtp", "192.0.2.1", "", PASSWORD))
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            s.connect(str(path))
            s.sendall(struct.pack("<H", len(body)) + body)
            data = b""
            while part := s.recv(65536):
                data += part
        self.assertEqual(data[2:], b"Kanna@mail.test\0" + b"0\0" + b"0\0" + b"\0" * 5)


    def test_no_password_stays_in_memory(self):
        if not relais.IS_ROOT:
            self.skipTest("only root may look into other processes")
        i = self.made(options=("--store-secret",))
        with i.smtp() as smtp:
            self.reply(smtp.command("AUTH PLAIN " + plain("anna", PASSWORD), None), OK)
            with i.smtp() as other:
                self.reply(cram(other, "anna", PASSWORD), OK)
            forms = (PASSWORD.encode(), b64(PASSWORD).encode(), plain("anna", PASSWORD).encode())
            looked_at = 0
            for process in i.processes("qmail-authd") + i.processes("qmail-smtpd"):
                for area, octets in process.memory():
                    # The data base is mapped, and root's.
                    if "passwd.cdb" in area:
                        continue
                    looked_at += 1
                    for form in forms:
                        self.assertFalse(form in octets, f"{process} {area}")
            self.assertGreater(looked_at, 20)


class Ways(AuthTest):
    """Passwords go in clear from loopback only, unless control/authplain says otherwise."""

    def remote(self, i, **variables):
        """A server that believes its client to be 192.0.2.7."""
        words = [f"{name}={value}" for name, value in {"TCPREMOTEIP": "192.0.2.7", **variables}.items()]
        i.start_tcpserver(command=["env", *words, relais.program("qmail-smtpd")])

    def test_not_in_clear_from_elsewhere(self):
        i = self.made(start=False, options=("--store-secret",))
        i.start_send()
        self.remote(i)
        with i.smtp(ehlo=None) as smtp:
            offered = repr(smtp.command("EHLO x"))
            self.assertIn("AUTH CRAM-MD5 SCRAM-SHA-256", offered)
            self.assertNotIn("PLAIN", offered)
            for name in ("PLAIN", "LOGIN"):
                self.reply(smtp.command(f"AUTH {name} " + plain("anna", PASSWORD), 538),
                           "538 encryption required for this authentication type (#5.7.11)")
            self.reply(scram(smtp, "anna", PASSWORD), OK)
        i.control("authplain", "1")
        with i.smtp(ehlo=None) as smtp:
            self.assertIn("AUTH LOGIN CRAM-MD5 PLAIN", repr(smtp.command("EHLO x")))
            self.reply(smtp.command("AUTH PLAIN " + plain("anna", PASSWORD), 235), OK)

    def test_submission(self):
        i = self.made(start=False, rcpthosts="mail.test", authplain="1")
        i.start_send()
        self.remote(i, SUBMISSION=1)
        with i.smtp(ehlo=None) as smtp:
            self.assertNotIn("AUTH", repr(smtp.command("EHLO x")))
            must = "530 must issue a STARTTLS command first (#5.7.0)"
            self.reply(smtp.command("AUTH PLAIN " + plain("anna", PASSWORD), 530), must)
            self.reply(smtp.command("MAIL FROM:<anna@mail.test>", 530), must)
        i.control("submissiontls", "0")
        with i.smtp(ehlo=None) as smtp:
            smtp.command("EHLO x")
            self.reply(smtp.command("MAIL FROM:<anna@mail.test>", 530), "530 authentication required (#5.7.0)")
            smtp.command("RCPT TO:<anna@mail.test>", 503)
            smtp.command("AUTH PLAIN " + plain("anna", PASSWORD), 235)
            smtp.deliver("anna@mail.test", ["anna@mail.test"], "Subject: x\n\nx\n")
        (message,) = self.anna.wait_messages(1)
        text = message.decode()
        self.assertRegex(text, r"(?m)^  by .* with ESMTPA; ")
        self.assertRegex(text, r"(?m)^Date: \d{1,2} [A-Z][a-z]{2} \d{4} [\d:]{8} -0000\nMessage-ID: <[^ <>]+@mail\.test>\nSubject: x\n\nx\n")
        self.assertNotIn("anna@192.0.2.7", text)
        self.assertTrue(any("login anna@mail.test tls - sender" in line for line in i.log("smtpd")), i.log("smtpd"))
        i.control("submissionauth", "0")
        with i.smtp(ehlo="x") as smtp:
            smtp.deliver("joe@elsewhere.test", ["anna@mail.test"], "Subject: y\n\ny\n")
            smtp.command("MAIL FROM:<a@b>")
            smtp.command("RCPT TO:<x@elsewhere.test>", 553)

    def test_receivedauth(self):
        i = self.made(receivedauth="1", rcpthosts="mail.test")
        with i.smtp(ehlo="x") as smtp:
            smtp.command("AUTH PLAIN " + plain("anna", PASSWORD), 235)
            smtp.deliver("anna@mail.test", ["anna@mail.test"], "Subject: x\n\nx\n")
        (message,) = self.anna.wait_messages(1)
        self.assertIn(b"(anna@mail.test@127.0.0.1)", message)
        self.assertNotIn(b"Message-ID", message)  # 25 is no submission

    def test_senderlogins(self):
        i = self.made(rcpthosts="mail.test")

        def rcpt(sender, login=True):
            with i.smtp() as smtp:
                if login:
                    smtp.command("AUTH PLAIN " + plain("anna", PASSWORD), 235)
                smtp.command(f"MAIL FROM:<{sender}>")
                return repr(smtp.command("RCPT TO:<anna@mail.test>", None))

        self.assertEqual(rcpt("boss@mail.test"), "250 ok")
        i.control("senderlogins", "enforce\nanna@mail.test @anna.example\n")
        self.assertEqual(rcpt("boss@mail.test"), "553 sorry, this login may not use that sender (#5.7.1)")
        for sender in ("anna@mail.test", "x@anna.example", ""):
            self.assertEqual(rcpt(sender), "250 ok")
        self.assertEqual(rcpt("boss@mail.test", login=False), "250 ok")
        i.control("senderlogins", "warn\n")
        self.assertEqual(rcpt("boss@mail.test"), "250 ok")
        i.wait_log("suspect from 127.0.0.1 helo client.test sender <boss@mail.test> rcpt <anna@mail.test> "
                   "reason a login with a sender of another", "smtpd")


CHECK = """#!/usr/bin/python3
import hmac, os, sys, hashlib
fields = os.read(3, 600).split(b"\\0")
log = open({log!r}, "a")
print(os.environ.get("TCPREMOTEIP"), os.environ["SERVICE"], os.environ["AUTHMECHANISM"], len(fields), file=log, flush=True)
user, second, third = fields[:3]
if user == b"slow@mail.test":
    sys.exit(111)
if os.environ["AUTHMECHANISM"] == "CRAM-MD5":
    right = hmac.new(b"sesame", third, hashlib.md5).hexdigest().encode() == second
elif os.environ["AUTHMECHANISM"] in ("XOAUTH2", "OAUTHBEARER"):
    right = second == b"good-token"
    print("bert@mail.test")
else:
    right = second == b"sesame" and third[:1] == b"Y"
if not right or user not in (b"bert@mail.test", b"anna@mail.test", b""):
    sys.exit(1)
sys.stdout.flush()
if len(sys.argv) > 1:
    os.execv(sys.argv[1], sys.argv[1:])
"""


class Others(AuthTest):
    """Logins that somebody else checks: a program by checkpassword's interface, a validator of tokens."""

    def with_program(self, name, second=""):
        i = self.instance(control={"rcpthosts": "mail.test"})
        i.add_user("anna")
        pop3.set_password(i, "anna", PASSWORD)
        path = i.directory / "check"
        log = i.directory / "asked"
        log.touch()
        log.chmod(0o666)
        path.write_text(CHECK.format(log=str(log)))
        path.chmod(0o755)
        i.control(name, f"{path}\n{second}")
        i.start()
        return i, log

    def test_program(self):
        i, log = self.with_program("authprogram", "cram-md5\n")
        for user in ("bert", "Bert@mail.test", "bert%Mail.Test"):
            with i.smtp(ehlo=None) as smtp:
                self.assertIn("250-AUTH LOGIN CRAM-MD5 PLAIN SCRAM-SHA-256", repr(smtp.command("EHLO x")))
                smtp.command("AUTH PLAIN " + plain(user, "sesame"), 235)
        with i.smtp() as smtp:
            self.reply(cram(smtp, "bert", "sesame"), OK)
        with i.smtp() as smtp:
            smtp.command("AUTH PLAIN " + plain("bert", "wrong"), 535)
            self.reply(cram(smtp, "bert", "wrong"), REFUSED)
            smtp.command("AUTH PLAIN " + plain("slow", "sesame"), 454)
            smtp.command("AUTH PLAIN " + plain("anna", PASSWORD), 235)  # users/passwd goes first
        asked = log.read_text().splitlines()
        self.assertEqual(asked[0], "127.0.0.1 smtp PLAIN 4")
        self.assertEqual(asked.count("127.0.0.1 smtp PLAIN 4"), 3, asked)  # the second and third time it was known
        self.no_secrets(i, "sesame")

    def test_tokens(self):
        i, log = self.with_program("authbearer")

        def xoauth2(user, token):
            return b64(f"user={user}\1auth=Bearer {token}\1\1")

        def bearer(user, token):
            return b64(f"n,{user},\1auth=Bearer {token}\1\1")

        with i.smtp(ehlo=None) as smtp:
            self.assertIn("XOAUTH2 OAUTHBEARER", repr(smtp.command("EHLO x")))
            self.assertIn("401", challenge(smtp.command("AUTH XOAUTH2 " + xoauth2("bert@mail.test", "bad-token"), 334)).decode())
            self.reply(smtp.command("", 535), REFUSED)
            smtp.command("AUTH OAUTHBEARER " + bearer("a=bert", "bad-token"), 334)
            self.reply(smtp.command("AQ==", 535), REFUSED)
            self.reply(smtp.command("AUTH XOAUTH2 " + xoauth2("bert@mail.test", "good-token"), 235), OK)
        for user in ("a=bert@mail.test", ""):
            with i.smtp() as smtp:
                self.reply(smtp.command("AUTH OAUTHBEARER " + bearer(user, "good-token"), 235), OK)
                smtp.deliver("bert@mail.test", ["anna@mail.test"], "Subject: x\n\nx\n")
        i.wait_log("login bert@mail.test tls", "smtpd", count=2)
        # Also for who has a password here.
        with i.smtp() as smtp:
            self.reply(smtp.command("AUTH XOAUTH2 " + xoauth2("anna", "good-token"), 235), OK)
            smtp.deliver("anna@mail.test", ["anna@mail.test"], "Subject: x\n\nx\n")
        i.wait_log("login anna@mail.test tls", "smtpd")
        if relais.IS_ROOT:
            self.assertTrue(log.read_text())  # it could write: 0666
        self.no_secrets(i, "good-token", "bad-token")


if __name__ == "__main__":
    relais.main()
