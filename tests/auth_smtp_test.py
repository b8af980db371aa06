"""AUTH in qmail-smtpd: every mechanism with Python's own cryptography, what is refused and how, and that no secret shows."""

import base64
import hashlib
import hmac
import os
import re
import socket
import stat
import struct
import unittest

import pop3
import relais

PASSWORD = "correct horse 7"
OK = "235 ok, go ahead (#2.0.0)"
REFUSED = "535 authentication failed (#5.7.1)"
BAD_INPUT = "501 malformed auth input (#5.5.4)"


def b64(data):
    return base64.b64encode(relais.octets(data)).decode()


def plain(user, password, authorization=""):
    return b64(f"{authorization}\0{user}\0{password}")


def challenge(reply):
    """The decoded text of a 334."""
    return base64.b64decode(repr(reply)[4:], validate=True)


def cram(smtp, user, password):
    stamp = challenge(smtp.command("AUTH CRAM-MD5", 334))
    digest = hmac.new(password.encode(), stamp, hashlib.md5).hexdigest()
    return smtp.command(b64(f"{user} {digest}"), None)


def scram(smtp, user, password, header="n,,", tamper=lambda message: message, initial=True):
    """Logs in with SCRAM-SHA-256; returns the last reply, and checks the server's signature on the way."""
    bare = f"n={user},r=clientnonce"
    if initial:
        first = smtp.command("AUTH SCRAM-SHA-256 " + b64(header + bare), None)
    else:
        smtp.command("AUTH SCRAM-SHA-256", 334)
        first = smtp.command(b64(header + bare), None)
    if not repr(first).startswith("334"):
        return first
    server_first = challenge(first).decode()
    fields = dict(part.split("=", 1) for part in server_first.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))

    def mac(key, text):
        return hmac.new(key, text if isinstance(text, bytes) else text.encode(), hashlib.sha256).digest()

    client_key = mac(salted, "Client Key")
    without_proof = f"c={b64(header)},r={fields['r']}"
    messages = f"{bare},{server_first},{without_proof}"
    signature = mac(hashlib.sha256(client_key).digest(), messages)
    proof = bytes(a ^ b for a, b in zip(client_key, signature))
    reply = smtp.command(b64(tamper(f"{without_proof},p={b64(proof)}")), None)
    if not repr(reply).startswith("334"):
        return reply
    assert challenge(reply).decode() == "v=" + b64(mac(mac(salted, "Server Key"), messages)), "the server's signature"
    return smtp.command("", None)


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


if __name__ == "__main__":
    relais.main()
