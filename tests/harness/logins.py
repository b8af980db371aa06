"""How the tests' SMTP clients log in, with Python's own cryptography, and the TLS of a client that takes any certificate."""

import base64
import hashlib
import hmac
import ssl

from harness import relais

OK = "235 ok, go ahead (#2.0.0)"
REFUSED = "535 authentication failed (#5.7.1)"


def loose():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def b64(data):
    return base64.b64encode(relais.octets(data)).decode()


def plain(user, password, authorization=""):
    return b64(f"{authorization}\0{user}\0{password}")


def challenge(reply):
    """The decoded octets of a 334."""
    return base64.b64decode(repr(reply)[4:], validate=True)


def cram(smtp, user, password):
    stamp = challenge(smtp.command("AUTH CRAM-MD5", 334))
    digest = hmac.new(password.encode(), stamp, hashlib.md5).hexdigest()
    return smtp.command(b64(f"{user} {digest}"), None)


def scram(smtp, user, password, mechanism="SCRAM-SHA-256", header="n,,", binding=b"", tamper=lambda message: message, initial=True):
    """Logs in with SCRAM; returns the last reply, and checks the server's signature on the way."""
    bare = f"n={user},r=clientnonce"
    if initial:
        first = smtp.command(f"AUTH {mechanism} " + b64(header + bare), None)
    else:
        smtp.command(f"AUTH {mechanism}", 334)
        first = smtp.command(b64(header + bare), None)
    if not repr(first).startswith("334"):
        return first
    server_first = challenge(first).decode()
    fields = dict(part.split("=", 1) for part in server_first.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))

    def mac(key, text):
        return hmac.new(key, text.encode(), hashlib.sha256).digest()

    client_key = mac(salted, "Client Key")
    without_proof = f"c={b64(header.encode() + binding)},r={fields['r']}"
    messages = f"{bare},{server_first},{without_proof}"
    signature = mac(hashlib.sha256(client_key).digest(), messages)
    proof = bytes(a ^ b for a, b in zip(client_key, signature))
    reply = smtp.command(b64(tamper(f"{without_proof},p={b64(proof)}")), None)
    if not repr(reply).startswith("334"):
        return reply
    assert challenge(reply).decode() == "v=" + b64(mac(mac(salted, "Server Key"), messages)), "the server's signature"
    return smtp.command("", None)
