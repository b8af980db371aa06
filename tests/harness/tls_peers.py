"""Certificates made by openssl, and SMTP servers that speak TLS and AUTH as a test says.

    ca = Authority(directory)
    cert = ca.certificate("smart.test")               a pair of files: .cert (chain), .key
    with TlsServer(cert, AUTH=...) as server: ...     fake_smtp's server with STARTTLS and AUTH
"""

import base64
import contextlib
import datetime
import hashlib
import hmac
import os
import pathlib
import socket
import ssl
import subprocess

from harness import fake_smtp
from harness.fake_smtp import CLOSE

USER, PASSWORD = "anna@smart.test", "c0rrect-horse|battery"


class Certificate:
    def __init__(self, cert, key):
        self.cert, self.key = cert, key

    def digest(self):
        der = ssl.PEM_cert_to_DER_cert(self.cert.read_text().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n")
        return hashlib.sha256(der).hexdigest()


class Authority:
    """A root of its own, in files below a directory."""

    def __init__(self, directory, name="Test Authority"):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(exist_ok=True)
        self.directory.chmod(0o755)
        self.number = 0
        self.root = self._self_signed(name, "CA:TRUE")
        self.root.cert.chmod(0o644)

    def _openssl(self, *arguments, input=None):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, input=input)

    def _paths(self):
        self.number += 1
        return Certificate(self.directory / f"{self.number}.pem", self.directory / f"{self.number}.key")

    def _self_signed(self, name, constraints):
        made = self._paths()
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 30, "-subj",
                      f"/CN={name}", "-addext", f"basicConstraints=critical,{constraints}", "-keyout", made.key, "-out", made.cert)
        return made

    def self_signed(self, name):
        made = self._paths()
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 30, "-subj",
                      f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", made.key, "-out", made.cert)
        return made

    def certificate(self, *names, days=30, begin=None):
        """For these DNS names or addresses; days: negative for one that expired so long ago; begin: the day when it becomes valid."""
        alternatives = ",".join(("IP:" if name[0].isdigit() or ":" in name else "DNS:") + name for name in names)
        return self._signed(f"subjectAltName={alternatives}\n", names, days, begin)

    def intermediate(self, name):
        """An authority below this one. What it signs needs its certificate in the chain."""
        made = self._signed("basicConstraints=critical,CA:TRUE\n", [name], 30, None)
        below = Authority.__new__(Authority)
        below.directory, below.number, below.root = self.directory / f"below-{self.number}", 0, made
        below.directory.mkdir()
        below.directory.chmod(0o755)
        return below

    def _signed(self, wanted, names, days, begin):
        made = self._paths()
        request, extensions = made.cert.with_suffix(".csr"), made.cert.with_suffix(".ext")
        extensions.write_text(wanted)
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={names[0]}",
                      "-keyout", made.key, "-out", request)
        # "openssl x509" cannot make one that has expired; "openssl ca" can.
        begin, end = (f"{datetime.datetime.now() + datetime.timedelta(days=d):%Y%m%d%H%M%SZ}" for d in (min(-1, days - 1) if begin is None else begin, days))
        state = made.cert.with_suffix(".ca")
        state.mkdir()
        (state / "index").touch()
        (state / "config").write_text(f"[ca]\ndefault_ca=x\n[x]\ndatabase={state}/index\nnew_certs_dir={state}\nrand_serial=yes\n"
                                      "default_md=sha256\npolicy=any\nunique_subject=no\n[any]\ncommonName=supplied\n")
        self._openssl("ca", "-batch", "-notext", "-config", state / "config", "-cert", self.root.cert, "-keyfile", self.root.key,
                      "-startdate", begin, "-enddate", end, "-extfile", extensions, "-in", request, "-out", made.cert)
        return made


class TlsSession(fake_smtp.Session):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.clear = b""      # everything that came before TLS
        self.version = None   # of TLS, once it is there
        self.resumed = False
        self.user = None      # that has logged in
        self.mechanisms = []  # that were tried

    def more(self):
        super().more()
        if self.version is None:
            self.clear += self.groups[-1]

    def start_tls(self):
        self.socket = self.server.context.wrap_socket(self.socket, server_side=True)
        self.version, self.resumed = self.socket.version(), self.socket.session_reused
        self.buffer = b""

    def run(self):
        try:
            if self.server.implicit:
                self.start_tls()
            super().run()
        except OSError:
            self.socket.close()


def _starttls(session, line):
    session.socket.sendall(b"220 ready for tls\r\n")
    session.start_tls()
    return b""


def _ehlo(session, line):
    if session.version is None and not session.server.implicit:
        return session.server.hello
    return session.server.hello_in_tls


class TlsServer(fake_smtp.FakeServer):
    """mechanisms: offered under TLS (in the clear too with auth_in_clear). Every login with USER and PASSWORD is good; mail without
    one is refused if there are mechanisms."""

    def __init__(self, certificate=None, address="127.0.0.1", port=0, implicit=False, mechanisms=(), auth_in_clear=False,
                 starttls=True, refuse=(), context=None, **replies):
        self.context = context
        if certificate is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate.cert, certificate.key)
        self.implicit, self.refuse = implicit, refuse
        auth = f"250-AUTH {' '.join(mechanisms)}\r\n".encode() if mechanisms else b""
        self.hello = (b"250-fake.test\r\n" + (auth if auth_in_clear else b"") + (b"250-STARTTLS\r\n" if starttls else b"") +
                      b"250 PIPELINING\r\n")
        self.hello_in_tls = b"250-fake.test\r\n" + auth + b"250 PIPELINING\r\n"
        self.needs_login = bool(mechanisms)
        super().__init__(address, port, session_class=TlsSession,
                         **{"EHLO": _ehlo, "STARTTLS": _starttls, "AUTH": _auth, "MAIL": _mail, **replies})


def _mail(session, line):
    if session.server.needs_login and session.user is None:
        return b"530 5.7.0 authentication required\r\n"
    return b"250 sender ok\r\n"


def _ask(session, challenge):
    session.socket.sendall(b"334 " + base64.b64encode(challenge) + b"\r\n")
    line = session.read_line()
    session.commands.append(line)
    return None if line == b"*" else base64.b64decode(line)


def _auth(session, line):
    words = line.split(b" ")
    mechanism = words[1].decode().upper()
    session.mechanisms.append(mechanism)
    if mechanism in session.server.refuse:
        return b"504 5.5.4 not this one\r\n"
    initial = base64.b64decode(words[2]) if len(words) > 2 and words[2] != b"=" else None
    check = {"PLAIN": _plain, "LOGIN": _login, "CRAM-MD5": _cram, "SCRAM-SHA-256": _scram}[mechanism]
    if check(session, initial):
        session.user = USER
        return b"235 2.7.0 ok, go ahead\r\n"
    return b"535 5.7.8 authentication failed\r\n"


def _plain(session, initial):
    if initial is None:
        initial = _ask(session, b"")
    return initial == f"\0{USER}\0{PASSWORD}".encode()


def _login(session, initial):
    user = initial or _ask(session, b"Username:")
    return _ask(session, b"Password:") == PASSWORD.encode() and user == USER.encode()


def _cram(session, initial):
    challenge = b"<1896.697170952@fake.test>"
    answer = _ask(session, challenge)
    return answer == USER.encode() + b" " + hmac.new(PASSWORD.encode(), challenge, "md5").hexdigest().encode()


def _scram(session, initial):
    bare = initial.split(b",", 2)[2]
    nonce = bare.split(b"r=")[1] + base64.b64encode(os.urandom(9))
    salt = os.urandom(16)
    first = b"r=" + nonce + b",s=" + base64.b64encode(salt) + b",i=4096"
    final = _ask(session, first)
    if final is None:
        return False
    without, _, proof = final.rpartition(b",p=")
    salted = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), salt, 4096)
    client = hmac.digest(salted, b"Client Key", "sha256")
    message = bare + b"," + first + b"," + without
    signature = hmac.digest(hashlib.sha256(client).digest(), message, "sha256")
    good = base64.b64decode(proof) == bytes(a ^ b for a, b in zip(client, signature))
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    proof_of_server = hmac.digest(server_key, message, "sha256") if not session.server.replies.get("impostor") else b"x" * 32
    if not good and not session.server.replies.get("impostor"):
        return False
    return _ask(session, b"v=" + base64.b64encode(proof_of_server)) is not None


@contextlib.contextmanager
def garbage_after_starttls(data):
    """A server that answers STARTTLS and then says data in the place of a handshake (CLOSE: hangs up)."""

    def starttls(session, line):
        session.socket.sendall(b"220 go\r\n")
        if data != CLOSE:
            session.socket.recv(10)
            session.socket.sendall(data)
            with contextlib.suppress(OSError):
                session.socket.settimeout(2)
                while session.socket.recv(4096):
                    pass
        return CLOSE

    with TlsServer(STARTTLS=starttls) as server:
        yield server


def close_halfway(context=None):
    """A STARTTLS that ends the connection in the middle of the handshake."""

    def starttls(session, line):
        session.socket.sendall(b"220 go\r\n")
        session.socket.recv(100)
        session.socket.sendall(b"\x16\x03\x03\x00\x7a\x02\x00\x00")
        session.socket.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            while session.socket.recv(4096):
                pass
        return CLOSE
    return starttls
