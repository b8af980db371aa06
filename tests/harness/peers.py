"""Other people's mail programs, for tests. Debian packages that conflict with what is installed, or that would start
services, are not installed: they are downloaded by apt-get and unpacked into build/peers/NAME, once, under a lock.

    peers.postfix().program("smtp-sink")     path of a program; .environment holds what it needs to run
    peers.ucspi_tcp().program("tcpserver")   the IPv4-only build, beside ucspi-tcp-ipv6
    with peers.Postfix(deliver="post.test") as p: ...      a whole Postfix, running (root only)
"""

import atexit
import contextlib
import fcntl
import functools
import http.server
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

from harness import relais

STORE = pathlib.Path(os.environ.get("RELAIS_PEERS", relais.ROOT / "build/peers"))
# Libraries that a package needs and a small system may lack: shared object -> package.
LIBRARIES = {
    "libdb-5.3.so": "libdb5.3",
    "libldns.so.3": "libldns3",
    "libpcap.so.0.8": "libpcap0.8",
    "libicuuc.so.72": "libicu72",
    "libicudata.so.72": "libicu72",
    "libnsl.so.2": "libnsl2",
    "libtirpc.so.3": "libtirpc3",
    "libsasl2.so.2": "libsasl2-2",
    "libevent-2.1.so.7": "libevent-2.1-7",
    "libfstrm.so.0": "libfstrm0",
    "libprotobuf-c.so.1": "libprotobuf-c1",
    "libmariadb.so.3": "libmariadb3",
    "libspf2.so.2": "libspf2-2",
    "libpq.so.5": "libpq5",
    "libperl.so.5.36": "libperl5.36",
    "libldap-2.5.so.0": "libldap-2.5-0",
    "liblber-2.5.so.0": "libldap-2.5-0",
    "libgnutls-dane.so.0": "libgnutls-dane0",
    "libgnutls.so.30": "libgnutls30",
    "libidn.so.12": "libidn12",
    "libpcre2-8.so.0": "libpcre2-8-0",
    "libsqlite3.so.0": "libsqlite3-0",
    "liblua5.3.so.0": "liblua5.3-0",
    "libhs.so.5": "libhyperscan5",
    "libluajit-5.1.so.2": "libluajit-5.1-2",
    "libmilter.so.1.0.1": "libmilter1.0.1",
    "libmspack.so.0": "libmspack0",
    "libwrap.so.0": "libwrap0",
}


class Tree:
    """An unpacked package."""

    def __init__(self, directory):
        self.directory = directory
        libraries = [directory / "usr/lib/postfix", directory / "usr/lib/rspamd", directory / "usr/lib/x86_64-linux-gnu", directory / "usr/lib"]
        self.environment = {"LD_LIBRARY_PATH": ":".join(str(p) for p in libraries if p.is_dir())}

    def program(self, name):
        for folder in ("usr/bin", "usr/sbin", "usr/lib/postfix/sbin", "bin", "sbin"):
            if (self.directory / folder / name).exists():
                return str(self.directory / folder / name)
        raise FileNotFoundError(f"{name} in {self.directory}")


def _apt_get(*arguments, cwd):
    return subprocess.run(["apt-get", "-q", *arguments], cwd=cwd, capture_output=True, text=True)


def _download(packages, folder):
    # While one fetches the lists, another would find none.
    with open(STORE / ".apt.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = _apt_get("download", *packages, cwd=folder)
        if done.returncode and relais.IS_ROOT:
            _apt_get("update", cwd=folder)
            done = _apt_get("download", *packages, cwd=folder)
    if done.returncode:
        raise unittest.SkipTest(f"apt-get cannot download {' '.join(packages)}: {done.stderr.strip()}")
    return sorted(folder.glob("*.deb"))


def _unpack(packages, tree):
    with tempfile.TemporaryDirectory(prefix="relais-deb.", dir="/tmp") as folder:
        for package in _download(packages, pathlib.Path(folder)):
            subprocess.run(["dpkg", "-x", package, tree], check=True)


def _missing_libraries(tree):
    files = [p for p in tree.rglob("*") if p.is_file() and (p.suffix == ".so" or os.access(p, os.X_OK))]
    out = subprocess.run(["ldd", *files], capture_output=True, text=True, env={**os.environ, **Tree(tree).environment})
    names = {line.split()[0] for line in out.stdout.splitlines() if line.endswith("not found")}
    return sorted({LIBRARIES[name] for name in names if name in LIBRARIES})


@functools.cache
def _reachable(tree):
    """The tree, or a copy for this process where other users could not reach it (a clone below /root)."""
    if not relais.IS_ROOT or relais._reachable_by_all(tree):
        return tree
    copy = pathlib.Path(tempfile.mkdtemp(prefix="rlpeer.", dir="/tmp"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    shutil.copytree(tree, copy, symlinks=True, dirs_exist_ok=True)
    copy.chmod(0o755)
    return copy


def fetch(name, *packages):
    """The packages, unpacked together into build/peers/NAME; skips the test if apt-get cannot get them."""
    STORE.mkdir(parents=True, exist_ok=True)
    tree = STORE / name
    with open(STORE / f".{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.is_dir():
            fresh = STORE / f".{name}.new"
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
            _unpack(packages, fresh)
            libraries = _missing_libraries(fresh)
            if libraries:
                _unpack(libraries, fresh)
            fresh.rename(tree)
    return Tree(_reachable(tree))


def ucspi_tcp():
    """tcpserver, tcprules and rblsmtpd without IPv6."""
    return fetch("ucspi-tcp", "ucspi-tcp")


def postfix():
    """Postfix's programs, smtp-sink and smtp-source among them."""
    return fetch("postfix", "postfix")


def exim():
    """Exim with everything that Debian builds into it."""
    return fetch("exim", "exim4-daemon-heavy", "exim4-base")


class Server:
    """A peer that runs in a directory of its own until the end of its `with`. Begun by __enter__ of what derives from it, by _start."""

    NAME = ""

    def __init__(self, prefix, parent="/tmp"):
        if not relais.IS_ROOT:
            raise unittest.SkipTest(f"a whole {self.NAME} needs root")
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        self.directory.chmod(0o755)
        self.process = None

    def _start(self, command, answers, environment=None):
        """Until answers() is true; a server that ends, or that does not answer, is an error with all that it said. Where it would
        have to mount and cannot, the test is skipped."""
        with open(self.directory / "stderr", "wb") as errors:
            self.process = subprocess.Popen(list(map(str, command)), env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                            stderr=errors)
        if relais.wait_until(lambda: self.process.poll() is not None or answers(), 60) and self.process.poll() is None:
            return self
        errors = (self.directory / "stderr").read_text()
        text = self.log() + errors
        self.__exit__()
        if "mount" in errors:
            raise unittest.SkipTest(f"no mount namespace here: {text}")
        raise AssertionError(f"{self.NAME} does not start:\n{text}")

    def __exit__(self, *_):
        try:
            if self.process is not None:
                relais.end_process(self.process)
        finally:
            # What a delivery still makes there would stay.
            relais.wait_until(self._remove, 10)

    def _remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        return not self.directory.exists()

    def wait_log(self, part, count=1):
        """Waits until the log has that so often; some write it by a process of its own, after they have answered."""
        if not relais.wait_until(lambda: self.log().count(part) >= count):
            raise AssertionError(f"{self.NAME}'s log has not {count} x {part!r}\n{self.log()}")

    def log(self):
        return "".join(path.read_text(errors="replace") for path in sorted(self.directory.glob("log*")) if path.is_file())


def end_namespace(process):
    """Of a process that waits for the first one of a namespace of processes: with that ends what it began, such as a delivery that
    makes the directory anew for its log."""
    with contextlib.suppress(OSError):
        for child in pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)


def greets(port):
    """Whether SMTP is spoken there."""
    with contextlib.suppress(OSError, EOFError):
        relais.Smtp(port).close()
        return True
    return False


class Receiver(Server):
    """A mail server that delivers into a Maildir, MAILBOX below its directory."""

    MAILBOX = ""

    def messages(self):
        """Delivered messages as bytes, oldest first."""
        new = self.directory / self.MAILBOX / "new"
        files = sorted(new.iterdir(), key=lambda p: p.stat().st_mtime_ns) if new.is_dir() else []
        return [path.read_bytes() for path in files]

    def wait_messages(self, count=1, seconds=60):
        if not relais.wait_until(lambda: len(self.messages()) >= count, seconds):
            raise AssertionError(f"{self.NAME} did not deliver {count} messages\n{self.log()}")
        return self.messages()


class Postfix(Receiver):
    """A whole Postfix on 127.0.0.1, from its own tree. Mail for the domain `deliver` is put into maildir(); everything
    else goes to relayhost ("[127.0.0.1]:2525") if one is given. settings are further lines of main.cf."""

    MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
    NAME, MAILBOX = "Postfix", "mail/box"
    # Users that every Debian has and that nothing of ours uses.
    OWNER, SETGID, DELIVERY = "news", "uucp", "games"

    def __init__(self, deliver="postfix.test", relayhost="", settings=(), parent="/tmp", listeners=()):
        super().__init__("rlpf.", parent)
        self.tree = postfix()
        self.deliver, self.relayhost, self.settings = deliver, relayhost, settings
        # Each a port of 127.0.0.1, or "address:port", and what its smtpd is told beside main.cf, as (name, value).
        self.listeners = listeners
        self.port = relais.free_port()
        self._configure()

    def _configure(self):
        owner, delivery = pwd.getpwnam(self.OWNER), pwd.getpwnam(self.DELIVERY)
        for name in ("etc", "queue", "data", "mail"):
            (self.directory / name).mkdir()
        os.chown(self.directory / "data", owner.pw_uid, owner.pw_gid)
        os.chown(self.directory / "mail", delivery.pw_uid, delivery.pw_gid)
        for name in ("active bounce corrupt defer deferred flush hold incoming private maildrop public saved "
                     "trace pid").split():
            path = self.directory / "queue" / name
            path.mkdir(mode=0o700 if name != "public" else 0o755)
            if name != "pid":
                os.chown(path, owner.pw_uid, owner.pw_gid)
        lines = f"""\
compatibility_level = 3.6
command_directory = {self.tree.directory}/usr/sbin
daemon_directory = {self.tree.directory}/usr/lib/postfix/sbin
shlib_directory = {self.tree.directory}/usr/lib/postfix
meta_directory = {self.directory}/etc
queue_directory = {self.directory}/queue
data_directory = {self.directory}/data
mail_owner = {self.OWNER}
setgid_group = {self.SETGID}
default_privs = nobody
maillog_file = {self.directory}/log
maillog_file_prefixes = {self.directory}
import_environment = MAIL_CONFIG LD_LIBRARY_PATH
inet_interfaces = 127.0.0.1
inet_protocols = all
myhostname = mx.{self.deliver}
mydestination =
mynetworks = 127.0.0.0/8
relayhost = {self.relayhost}
alias_maps =
alias_database =
disable_dns_lookups = yes
smtp_host_lookup = native
virtual_mailbox_domains = {self.deliver}
virtual_mailbox_base = {self.directory}/mail
virtual_mailbox_maps = static:box/
virtual_minimum_uid = 1
virtual_uid_maps = static:{delivery.pw_uid}
virtual_gid_maps = static:{delivery.pw_gid}
smtpd_tls_security_level = none
"""
        # The last line of a name counts. Postfix warns of each that comes twice, postlogd too, which waits for itself when ten
        # warnings of others are before its own: then there is no log, and nobody answers.
        last = {line.split("=", 1)[0].strip(): line for line in (*lines.splitlines(), *self.settings)}
        (self.directory / "etc/main.cf").write_text("".join(f"{line}\n" for line in last.values()))
        master = self.MASTER.format(port=self.port)
        for port, options in self.listeners:
            place = port if ":" in str(port) else f"127.0.0.1:{port}"
            master += f"{place} inet n - n - - smtpd\n" + "".join(f"  -o {{ {name} = {value} }}\n" for name, value in options)
        (self.directory / "etc/master.cf").write_text(master)

    def __enter__(self):
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "MAIL_CONFIG": str(self.directory / "etc"), **self.tree.environment}
        return self._start([self.tree.program("master"), "-c", self.directory / "etc", "-d"], lambda: greets(self.port), environment)


class AuthPostfix(Postfix):
    """A Postfix that wants TLS and a login before it takes mail: certificate is a pair of files (.cert, .key; nothing: no TLS),
    logins a dict of passwords by user (nothing: no AUTH), which a Dovecot keeps."""

    def __init__(self, certificate=None, logins=None, settings=(), listeners=()):
        wanted = ["smtpd_client_restrictions =", "smtpd_recipient_restrictions = permit_sasl_authenticated, reject",
                  "smtpd_relay_restrictions = permit_sasl_authenticated, reject", "virtual_mailbox_domains = static:all"]
        if certificate is not None:
            wanted += ["smtpd_tls_security_level = encrypt", f"smtpd_tls_cert_file = {certificate.cert}", f"smtpd_tls_key_file = {certificate.key}"]
        self.auth = None
        if logins is not None:
            self.auth = DovecotAuth(logins)
            wanted += ["smtpd_sasl_auth_enable = yes", "smtpd_sasl_security_options = noanonymous", "broken_sasl_auth_clients = yes",
                       "smtpd_sasl_type = dovecot", f"smtpd_sasl_path = {self.auth.socket}"]
        super().__init__(settings=[*wanted, *settings], listeners=listeners)

    def __enter__(self):
        if self.auth:
            self.auth.__enter__()
        return super().__enter__()

    def __exit__(self, *arguments):
        super().__exit__(*arguments)
        if self.auth:
            self.auth.__exit__()


class Exim(Receiver):
    """An Exim on 127.0.0.1 that wants TLS and a login (nothing: has no AUTH), and puts mail for everybody into messages(). Its user
    has its name built in, so it runs in a mount namespace of its own where /etc/passwd knows it."""

    CONFIG = """\
exim_path = {program}
deliver_drop_privilege
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = {d}/spool
log_file_path = {d}/log-%s
pid_file_path = {d}/exim.pid
primary_hostname = mx.exim.test
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
keep_environment =
never_users =
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max_nonmail = 100
tls_advertise_hosts = {tls_hosts}
tls_certificate = {cert}
tls_privatekey = {key}
auth_advertise_hosts = ${{if def:tls_in_cipher {{*}}{{}}}}
acl_smtp_rcpt = rcpt
begin acl
rcpt:
  deny message = TLS and a login are required
    {condition}
  accept
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  directory = {d}/mail
  maildir_format
  create_directory
  user = Debian-exim
begin retry
* * F,2h,15m
begin authenticators
{authenticators}
"""
    AUTHENTICATORS = """\
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${{if and{{{{eq{{$auth2}}{{{user}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if and{{{{eq{{$auth1}}{{{user}}}}}{{eq{{$auth2}}{{{password}}}}}}}}}
  server_set_id = $auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${{if eq{{$auth1}}{{{user}}}{{{password}}}fail}}
  server_set_id = $auth1
"""
    NAME, MAILBOX = "Exim", "mail"
    UID = 61234

    def __init__(self, certificate=None, login=None, listeners=()):
        """listeners: each a port and settings in the place of those of all, as a dict; what is sent there needs no login."""
        super().__init__("rlexim.")
        self.tree = exim()
        self.port = relais.free_port()
        self.listeners = listeners
        for name in ("spool", "mail"):
            (self.directory / name).mkdir()
            os.chown(self.directory / name, self.UID, self.UID)
        cert, key = "", ""
        if certificate is not None:
            cert, key = self.directory / "cert", self.directory / "key"
            cert.write_bytes(certificate.cert.read_bytes())
            key.write_bytes(certificate.key.read_bytes())
            os.chown(key, self.UID, self.UID)
        os.chown(self.directory, self.UID, self.UID)
        authenticators = self.AUTHENTICATORS.format(user=login[0], password=login[1]) if login else ""
        condition = "!authenticated = *" if login else "!encrypted = *" if certificate else "condition = no"
        text = self.CONFIG.format(
            program=self.tree.program("exim4"), d=self.directory, port=self.port, tls_hosts="*" if certificate else "", cert=cert, key=key, condition=condition,
            authenticators=authenticators)
        (self.directory / "config").write_text(self._with_listeners(text))
        for name, entry in (("passwd", f"Debian-exim:x:{self.UID}:{self.UID}::/:/bin/false"), ("group", f"Debian-exim:x:{self.UID}:")):
            (self.directory / name).write_text(pathlib.Path("/etc", name).read_text() + entry + "\n")

    def _with_listeners(self, text):
        if not self.listeners:
            return text
        lines = text.splitlines()
        own = {name for _, settings in self.listeners for name in settings}
        for name in own:
            at = next((n for n, line in enumerate(lines) if line.startswith(name + " =")), None)
            value = "" if at is None else lines.pop(at).partition("=")[2].strip()
            for port, settings in self.listeners:
                if name in settings:
                    value = f"${{if eq{{$received_port}}{{{port}}}{{{settings[name]}}}{{{value}}}}}"
            lines.insert(0, f"{name} = {value}")
        ports = next(n for n, line in enumerate(lines) if line.startswith("daemon_smtp_ports"))
        lines[ports] = f"daemon_smtp_ports = {self.port}" + "".join(f" : {port}" for port, _ in self.listeners)
        rcpt = lines.index("rcpt:")
        lines.insert(rcpt + 1, f"  accept condition = ${{if !eq{{$received_port}}{{{self.port}}}}}")
        return "\n".join(lines) + "\n"

    def __enter__(self):
        script = ("mount --make-rprivate / && mount --bind $1/passwd /etc/passwd && mount --bind $1/group /etc/group && "
                  "exec $0 -C $1/config -bdf")
        return self._start(["unshare", "-mpf", "sh", "-c", script, self.tree.program("exim4"), self.directory], lambda: greets(self.port),
                           {**os.environ, **self.tree.environment})

    def __exit__(self, *arguments):
        end_namespace(self.process)
        super().__exit__(*arguments)


def haproxy():
    return fetch("haproxy", "haproxy", "libopentracing-c-wrapper0", "libopentracing1")


class HAProxy(Server):
    """An haproxy that passes on the connections to its ports. fronts: each a server's line behind "server NAME", and settings of the
    backend, as lines; ports are chosen in their order. status() is what it thinks of each server ("UP", "DOWN")."""

    NAME = "haproxy"

    def __init__(self, *fronts, address="127.0.0.1"):
        super().__init__("rlha.")
        self.tree = haproxy()
        self.ports = [relais.free_port() for _ in fronts]
        self.socket = self.directory / "stats"
        lines = ["global", f"stats socket {self.socket} level admin", "defaults", "mode tcp", "timeout connect 10s", "timeout client 60s", "timeout server 60s"]
        for number, ((server, settings), port) in enumerate(zip(fronts, self.ports)):
            lines += [f"listen front{number}", f"bind {address}:{port}", *settings, f"server ours {server}"]
        (self.directory / "haproxy.cfg").write_text("".join(f"{line}\n" for line in lines))

    def status(self, number=0):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(str(self.socket))
            s.sendall(b"show stat\n")
            said = b"".join(iter(lambda: s.recv(65536), b"")).decode()
        header, *rows = (line.split(",") for line in said.removeprefix("# ").splitlines() if line)
        (row,) = (dict(zip(header, row)) for row in rows if row[:2] == [f"front{number}", "ours"])
        return row["status"]

    def __enter__(self):
        return self._start([self.tree.program("haproxy"), "-db", "-f", self.directory / "haproxy.cfg"], self.socket.exists,
                           {**os.environ, **self.tree.environment})


def nginx():
    return fetch("nginx", "nginx", "libnginx-mod-mail")


class NginxMail(Server):
    """An nginx that stands before an SMTP server as a mail proxy: it checks logins itself (by answer, which gets the headers of its
    question and returns those of the reply) and says by XCLIENT for whom it speaks."""

    NAME = "nginx"

    def __init__(self, answer):
        super().__init__("rlng.")
        self.tree = nginx()
        self.port = relais.free_port()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                for name, value in answer(self.headers).items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.authority = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.authority.serve_forever, daemon=True).start()
        (self.directory / "nginx.conf").write_text(f"""\
load_module {self.tree.directory}/usr/lib/nginx/modules/ngx_mail_module.so;
daemon off;
user nobody nogroup;
worker_processes 1;
pid {self.directory}/pid;
error_log {self.directory}/log info;
events {{ worker_connections 100; }}
mail {{
  server_name nginx.test;
  auth_http 127.0.0.1:{self.authority.server_port}/;
  server {{
    listen 127.0.0.1:{self.port};
    protocol smtp;
    smtp_auth plain login none;
    xclient on;
    proxy_pass_error_message on;
  }}
}}
""")

    def __enter__(self):
        return self._start([self.tree.program("nginx"), "-p", self.directory, "-e", self.directory / "log", "-c", self.directory / "nginx.conf"],
                           lambda: greets(self.port), {**os.environ, **self.tree.environment})

    def __exit__(self, *arguments):
        self.authority.shutdown()
        self.authority.server_close()
        super().__exit__(*arguments)


def dovecot():
    """Dovecot's core with POP3 and IMAP."""
    return fetch("dovecot", "dovecot-core", "dovecot-pop3d", "dovecot-imapd")


class DovecotServer(Server):
    """A Dovecot, by dovecot.conf in its directory. Its programs have their paths built in, so it runs in a mount namespace of
    its own where its tree lies over /usr."""

    NAME = "Dovecot"
    # Users that every Debian has and that nothing of ours uses.
    LOGIN, INTERNAL = "games", "news"
    # Our programs that it starts after a login need address space, and to be told where reports go.
    FOR_SANITIZERS = "default_vsz_limit = 64 T\nimport_environment = TZ ASAN_OPTIONS UBSAN_OPTIONS"

    def __init__(self, prefix):
        super().__init__(prefix)
        self.tree = dovecot()

    def _configure(self, settings):
        (self.directory / "dovecot.conf").write_text(f"""\
base_dir = {self.directory}/run
state_dir = {self.directory}/run
log_path = {self.directory}/log
ssl = no
default_login_user = {self.LOGIN}
default_internal_user = {self.INTERNAL}
default_internal_group = {self.INTERNAL}
{self.FOR_SANITIZERS if relais.SANITIZED else ""}
{settings}""")

    def __enter__(self):
        script = ("mount --make-rprivate / && mount -t overlay overlay -o \"lowerdir=$0/usr:/usr\" /usr && "
                  "exec /usr/sbin/dovecot -F -c \"$1\"")
        return self._start(["unshare", "-m", "sh", "-c", script, self.tree.directory, self.directory / "dovecot.conf"], self._answers)


class DovecotAuth(DovecotServer):
    """A Dovecot that only checks logins, at its socket."""

    def __init__(self, logins):
        super().__init__("rlda.")
        self.socket = self.directory / "auth"
        (self.directory / "passwd").write_text("".join(f"{user}:{{PLAIN}}{password}\n" for user, password in logins.items()))
        self._configure(f"""\
protocols =
auth_mechanisms = plain login cram-md5 scram-sha-256
auth_failure_delay = 0
passdb {{
  driver = passwd-file
  args = {self.directory}/passwd
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={self.directory}
}}
service auth {{
  unix_listener {self.socket} {{
    mode = 0666
  }}
}}
""")

    def _answers(self):
        """A Postfix that finds no mechanisms gives up, and its master waits for a minute."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(str(self.socket))
            client.sendall(b"VERSION\t1\t1\nCPID\t1\n")
            said = b""
            while b"DONE\n" not in said and (more := client.recv(4096)):
                said += more
            return b"DONE\n" in said
        return False


class DovecotLmtp(DovecotServer):
    """A Dovecot that only stores mail, by LMTP at a socket and a port, for users "u1", "u2" and "full" (who has no room)."""

    def __init__(self):
        super().__init__("rldl.")
        self.tree = fetch("dovecot-lmtp", "dovecot-core", "dovecot-lmtpd")
        self.socket, self.port = self.directory / "lmtp", relais.free_port()
        (self.directory / "passwd").write_text("u1:{PLAIN}x::::::\nu2:{PLAIN}x::::::\nfull:{PLAIN}x::::::userdb_quota_rule=*:storage=1B\n")
        (self.directory / "mail").mkdir()
        (self.directory / "mail").chmod(0o777)
        self._configure(f"""\
protocols = lmtp
mail_location = maildir:{self.directory}/mail/%n
mail_plugins = quota
plugin {{
  quota = maildir:User quota
}}
passdb {{
  driver = passwd-file
  args = username_format=%n {self.directory}/passwd
}}
userdb {{
  driver = passwd-file
  args = username_format=%n {self.directory}/passwd
  override_fields = uid=65534 gid=65534 home={self.directory}/mail
}}
service lmtp {{
  unix_listener {self.socket} {{
    mode = 0666
  }}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {self.port}
  }}
}}
""")

    def messages(self, user):
        return [path.read_text() for path in sorted((self.directory / "mail" / user / "new").glob("*"))]

    def _answers(self):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.socket))
            return client.recv(3) == b"220"
        return False


class Dovecot(DovecotServer):
    """A whole Dovecot on free ports of 127.0.0.1 and ::1, by the configuration that docs/dovecot.md gives. Every user
    has the password "secret". instance: whose SMTP its logins open."""

    def __init__(self, instance):
        super().__init__("rldc.")
        self.instance = instance
        self.pop3_port, self.imap_port = relais.free_port(), relais.free_port()
        (self.directory / "mail").mkdir()
        (self.directory / "mail").chmod(0o777)
        for service in ("pop3", "imap"):
            self._write_script(service)
        self._configure(self._test_settings() + self._documented_settings())

    def _documented(self, opening):
        """The code block of docs/dovecot.md that begins so."""
        blocks = (relais.ROOT / "docs/dovecot.md").read_text().split("```")[1::2]
        return next(block for block in blocks if block.startswith(opening)).partition("\n")[2]

    def _documented_settings(self):
        return self._documented("conf").replace("/etc/dovecot/", f"{self.directory}/")

    def _write_script(self, service):
        text = self._documented("sh").replace("/var/qmail/bin/open-smtp", relais.program("open-smtp"))
        text = text.replace("/var/qmail", str(self.instance.home)).replace("--service pop3", f"--service {service}")
        path = self.directory / f"open-smtp-{service}"
        path.write_text(text)
        path.chmod(0o755)

    def _test_settings(self):
        d = self.directory
        return f"""\
protocols = pop3 imap
listen = 127.0.0.1, ::1
disable_plaintext_auth = no
mail_location = maildir:{d}/mail/%u
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={d}/mail
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {self.pop3_port}
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {self.imap_port}
  }}
}}
"""

    def _answers(self):
        with contextlib.suppress(OSError):
            for port in (self.pop3_port, self.imap_port):
                socket.create_connection(("127.0.0.1", port), 5).close()
            return True
        return False
