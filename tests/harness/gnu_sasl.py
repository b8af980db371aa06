"""GNU SASL as a server's SCRAM-SHA-256-PLUS, bound to a connection of OpenSSL's by tls-exporter (RFC 9266): another implementation of
both ends of what we say. Through ctypes, for Python's ssl has no exporter.

    with BoundServer(certificate, user, password) as server: ...      fake_smtp's, with STARTTLS, that offers nothing else
"""

import base64
import ctypes
import unittest

from harness import peers
from harness import tls_peers

OK, NEEDS_MORE, NO_CALLBACK = 0, 1, 51
PASSWORD, ITERATIONS, TLS_EXPORTER = 3, 15, 25
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
FILETYPE_PEM = 1
SET_MAX_PROTO_VERSION, TLS_1_2 = 124, 0x0303


def _load_openssl():
    try:
        ctypes.CDLL("libcrypto.so.3", ctypes.RTLD_GLOBAL)
        library = ctypes.CDLL("libssl.so.3")
    except OSError as error:
        raise unittest.SkipTest(str(error)) from None
    for name in ("TLS_server_method", "SSL_CTX_new", "SSL_new"):
        getattr(library, name).restype = ctypes.c_void_p
    library.SSL_get_version.restype = ctypes.c_char_p
    return library


def _load_gsasl():
    tree = peers.fetch("gsasl", "libgsasl18", "libidn12", "libntlm0", "libgssglue1").directory / "usr/lib/x86_64-linux-gnu"
    for name in ("libidn.so.12", "libntlm.so.0", "libgssglue.so.1"):
        ctypes.CDLL(str(tree / name), ctypes.RTLD_GLOBAL)
    return ctypes.CDLL(str(tree / "libgsasl.so.18"))


class TlsSocket:
    """What fake_smtp asks of a socket, over TLS."""

    def __init__(self, library, context, raw):
        self.library, self.raw = library, raw
        self.ssl = ctypes.c_void_p(library.SSL_new(context))
        library.SSL_set_fd(self.ssl, raw.fileno())
        if library.SSL_accept(self.ssl) != 1:
            raise OSError("no handshake")

    def version(self):
        return self.library.SSL_get_version(self.ssl).decode()

    def exporter(self):
        label, value = b"EXPORTER-Channel-Binding", ctypes.create_string_buffer(32)
        assert self.library.SSL_export_keying_material(self.ssl, value, ctypes.c_size_t(32), label, ctypes.c_size_t(len(label)), b"",
                                                       ctypes.c_size_t(0), 1) == 1
        return value.raw

    def recv(self, size):
        buffer = ctypes.create_string_buffer(size)
        count = self.library.SSL_read(self.ssl, buffer, size)
        return buffer.raw[:count] if count > 0 else b""

    def sendall(self, data):
        if data and self.library.SSL_write(self.ssl, data, len(data)) != len(data):
            raise OSError("cannot write")

    def close(self):
        self.library.SSL_shutdown(self.ssl)
        self.raw.close()


class _Session(tls_peers.TlsSession):
    def start_tls(self):
        self.socket.settimeout(None)
        self.socket = TlsSocket(self.server.openssl, self.server.native, self.socket)
        self.version = self.socket.version()
        self.buffer = b""


def _auth(session, line):
    """Hands what the client says to GNU SASL until that has an opinion."""
    server, words = session.server, line.split(b" ")
    session.mechanisms.append(words[1].decode())
    binding = bytearray(session.socket.exporter())
    if server.between_us:
        binding[0] ^= 1
    library, state, sasl = server.gsasl, ctypes.c_void_p(), ctypes.c_void_p()
    assert library.gsasl_init(ctypes.byref(state)) == OK

    def tell(_, which, wanted):
        values = {PASSWORD: server.password.encode(), ITERATIONS: b"4096", TLS_EXPORTER: base64.b64encode(bytes(binding))}
        if wanted not in values:
            return NO_CALLBACK
        library.gsasl_property_set(ctypes.c_void_p(which), wanted, values[wanted])
        return OK

    callback = CALLBACK(tell)
    library.gsasl_callback_set(state, callback)
    assert library.gsasl_server_start(state, words[1], ctypes.byref(sasl)) == OK
    said, out = words[2] if len(words) > 2 else b"", ctypes.c_char_p()
    try:
        while True:
            result = library.gsasl_step64(sasl, said, ctypes.byref(out))
            server.results.append(result)
            if result not in (OK, NEEDS_MORE):
                return b"535 5.7.8 authentication failed\r\n"
            if out.value:
                session.socket.sendall(b"334 " + out.value + b"\r\n")
                said = session.read_line()
            if result == OK:
                session.user = tls_peers.USER
                return b"235 2.7.0 ok\r\n"
    finally:
        library.gsasl_finish(sasl)
        library.gsasl_done(state)


class BoundServer(tls_peers.TlsServer):
    def __init__(self, certificate, password, between_us=False, tls_12=False):
        self.openssl, self.gsasl = _load_openssl(), _load_gsasl()
        self.password, self.between_us, self.results = password, between_us, []
        self.native = ctypes.c_void_p(self.openssl.SSL_CTX_new(ctypes.c_void_p(self.openssl.TLS_server_method())))
        if tls_12:
            self.openssl.SSL_CTX_ctrl(self.native, SET_MAX_PROTO_VERSION, ctypes.c_long(TLS_1_2), None)
        for loaded in (self.openssl.SSL_CTX_use_certificate_chain_file(self.native, str(certificate.cert).encode()),
                       self.openssl.SSL_CTX_use_PrivateKey_file(self.native, str(certificate.key).encode(), FILETYPE_PEM)):
            assert loaded == 1
        super().__init__(mechanisms=("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"), AUTH=_auth)
        self.session_class = _Session
