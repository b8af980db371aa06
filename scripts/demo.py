"""What `make run` and `make stop` do: an instance of one's own on loopback, under svscan, supervise, tcpserver and
multilog; one message by SMTP and one by sendmail; where everything is.

    demo.py run INSTANCE SMTP-PORT POP3-PORT [SUBMISSION-PORT [CONSOLE-PORT]]      exit code 0 only if both messages have arrived and were seen by POP3
    demo.py stop INSTANCE
"""

import hashlib
import os
import pathlib
import poplib
import secrets
import smtplib
import socket
import stat
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(os.environ.get("RELAIS_BIN", ROOT / "build/release/bin"))
IS_ROOT = os.geteuid() == 0
ME = "relais.test"
DEMO = "demo"
# A client that tcp.smtp does not name.
ROAMER = "127.0.0.2"
# A uid that no user of the machine has: the demo recipient of a system instance needs no account.
DEMO_ID = 64250
PATIENCE = 120


class Failure(Exception):
    pass


def open_to_all(path):
    """True if everybody may enter the directory and all above it, as far as they exist."""
    return all(p.stat().st_mode & stat.S_IXOTH for p in (path, *path.parents) if p.exists())


def roots_alone(path):
    """True if the directory and all above it, as far as they exist, are root's: nobody else could put another one there."""
    there = [p.stat() for p in (path, *path.parents) if p.exists()]
    return all(info.st_uid == 0 and (not info.st_mode & stat.S_IWOTH or info.st_mode & stat.S_ISVTX) for info in there)


def find_home(given):
    """The instance: where it was asked for, or below /var/tmp if its users could not reach it there, or root may not have one there."""
    wanted = pathlib.Path(given)
    wanted = (wanted if wanted.is_absolute() else ROOT / wanted).resolve()
    reachable = not IS_ROOT or (open_to_all(wanted.parent) and roots_alone(wanted.parent))
    if reachable and len(str(wanted)) <= 85 and str(wanted).isascii() and " " not in str(wanted) and ":" not in str(wanted):
        return wanted
    name = hashlib.sha256(str(wanted).encode()).hexdigest()[:8]
    fallback = pathlib.Path(f"/var/tmp/relais-{os.geteuid()}-{name}")
    print(f"{wanted} cannot hold an instance ({'path' if reachable else 'its users cannot go there, or somebody else than root can change it'}): using {fallback}")
    return fallback


def environment(home):
    return {**os.environ, "QMAILHOME": str(home), "PATH": f"{BIN}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}


def program(home, *words, input=None):
    done = subprocess.run([str(BIN / words[0]), *map(str, words[1:])], input=input, text=True, capture_output=True,
                          env=environment(home))
    if done.returncode:
        raise Failure(f"{' '.join(map(str, words))} failed ({done.returncode}): {done.stdout}{done.stderr}")
    return done.stdout


def write(path, content):
    path.write_text(content)
    path.chmod(0o644)


def make_recipient(home):
    """The demo user: an address of users/assign whose home lies in the instance. Never root."""
    uid, gid = (DEMO_ID, DEMO_ID) if IS_ROOT else (os.geteuid(), os.getegid())
    place = home / "demo"
    for path in (place, place / "Maildir", *(place / "Maildir" / part for part in ("new", "cur", "tmp"))):
        path.mkdir(mode=0o700, exist_ok=True)
        if IS_ROOT:
            os.chown(path, uid, gid)
    write(home / "users/assign", f"={DEMO}:{DEMO}:{uid}:{gid}:{place}:::\n"
          f"+{DEMO}-:{DEMO}:{uid}:{gid}:{place}:-::\n.\n")
    program(home, "qmailctl", "cdb", home)


def addresses():
    """Loopback of both families; of one where the machine knows no IPv6."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return ["127.0.0.1", "::1"]
    except OSError:
        print("this machine has no IPv6: listening on 127.0.0.1 alone")
        return ["127.0.0.1"]


def make_instance(home, port, pop3_port, submission_port):
    listen = [word for address in addresses() for word in ("--listen", address)]
    program(home, "qmail-setup", home, "--me", ME, *listen, "--smtp-port", port, "--pop3-port", pop3_port,
            "--submission-port", submission_port, "--submissions-port", 0, "--pop3s-port", 0,
            "--admin", f"{DEMO}@{ME}")
    make_recipient(home)
    print(f"made the instance {home}")


def set_console(home, port):
    """Where the console is served; it counts when qmail-console is started anew."""
    path = home / "control/consoleaddress"
    if port and not path.exists() and not listens("127.0.0.1", port):
        write(path, f"127.0.0.1:{port}\n")


def console_address(home):
    """An address that lets its bearer in once; nothing where the console is not served."""
    path = home / "control/consoleaddress"
    return program(home, "qmail-console", "--once").strip() if path.exists() else None


def listens(address, port):
    try:
        socket.create_connection((address, port), 2).close()
        return True
    except OSError:
        return False


def endpoints(home, name="smtplisten"):
    path = home / "control" / name
    lines = path.read_text().splitlines() if path.exists() else []
    return [(line.split()[0], int(line.split()[1])) for line in lines if line.strip()]


def port_of(home):
    return endpoints(home)[0][1]


def is_running(home):
    done = subprocess.run([str(BIN / "qmailctl"), "stat", str(home)], env=environment(home), capture_output=True, text=True)
    return ": up (pid" in done.stdout


def wait(condition, what, home):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise Failure(f"waited {PATIENCE} seconds in vain for {what}\n{logs(home)}")
        time.sleep(0.1)


def logs(home):
    parts = []
    for log in sorted(home.glob("log/*/current")) + [home / "log/svscan"]:
        if log.exists():
            parts += [f"--- {log}", *log.read_text(errors="replace").splitlines()[-20:]]
    return "\n".join(parts)


def holds(home, subject):
    folder = home / "demo/Maildir/new"
    return any(subject in path.read_text(errors="replace") for path in folder.iterdir())


def send_two(home, port):
    """One message by SMTP and one by sendmail, found again in the Maildir by what only they say."""
    mark = f"{time.time_ns():x}"
    text = "Subject: {}\n\nThis message went through queue, schedule and delivery.\n"
    with smtplib.SMTP("127.0.0.1", port, "client.example", PATIENCE) as client:
        client.sendmail("somebody@client.example", [f"{DEMO}@{ME}"], text.format(f"by SMTP, {mark}"))
    program(home, "sendmail", "-t", "-i", input=f"To: {DEMO}@{ME}\n" + text.format(f"by sendmail, {mark}"))
    for way in ("SMTP", "sendmail"):
        wait(lambda: holds(home, f"by {way}, {mark}"), f"the message sent by {way}", home)
        print(f"delivered: a message by {way}")


class RoamersPop3(poplib.POP3):
    def _create_socket(self, timeout):
        return socket.create_connection((self.host, self.port), timeout, (ROAMER, 0))


def roamer_may_send(home):
    """Whether the SMTP server takes a recipient elsewhere from ROAMER; nothing is sent."""
    with smtplib.SMTP("127.0.0.1", port_of(home), "client.example", PATIENCE, (ROAMER, 0)) as client:
        client.ehlo()
        client.mail(f"{DEMO}@{ME}")
        return client.rcpt("somebody@elsewhere.example")[0] == 250


def show_pop_before_smtp(home, port, password):
    """Refused, logged in by POP3, allowed; the door is shut again."""
    program(home, "open-smtp", "remove", ROAMER)
    if roamer_may_send(home):
        raise Failure(f"{ROAMER} may send elsewhere without a login")
    print(f"before a login: {ROAMER} may not send elsewhere")
    client = RoamersPop3("127.0.0.1", port, PATIENCE)
    client.user(DEMO)
    client.pass_(password)
    client.quit()
    if not roamer_may_send(home):
        raise Failure(f"{ROAMER} has logged in by POP3 and may not send elsewhere\n{logs(home)}")
    print(f"after a login by POP3: {ROAMER} may send elsewhere, for three hours (open-smtp list)")


def look_by_pop3(home):
    """Gives the demo user a new password and logs in with it; returns port and password, nothing without a POP3 server."""
    if not endpoints(home, "pop3listen"):
        return None
    password = secrets.token_urlsafe(9)
    program(home, "qmail-passwd", "set", DEMO, input=password + "\n")
    port = endpoints(home, "pop3listen")[0][1]
    client = poplib.POP3("127.0.0.1", port, PATIENCE)
    client.user(DEMO)
    client.pass_(password)
    print(f"seen by POP3: {client.stat()[0]} messages")
    client.quit()
    show_pop_before_smtp(home, port, password)
    submit(home, password)
    return port, password


def submit(home, password):
    """Sends a message by the submission server, with the demo user's login; returns its port, nothing if there is none."""
    if not endpoints(home, "submissionlisten"):
        return None
    port = endpoints(home, "submissionlisten")[0][1]
    mark = f"{time.time_ns():x}"
    with smtplib.SMTP("127.0.0.1", port, "client.example", PATIENCE) as client:
        client.login(DEMO, password)
        client.sendmail(f"{DEMO}@{ME}", [f"{DEMO}@{ME}"], f"Subject: submitted, {mark}\n\nBy a login.\n")
    wait(lambda: holds(home, f"submitted, {mark}"), "the message of a login", home)
    print(f"delivered: a message submitted by the login {DEMO}")
    return port


def show(home, port, pop3):
    submission = endpoints(home, "submissionlisten")
    by_login = f"""port {submission[0][1]}
                     swaks -s 127.0.0.1:{submission[0][1]} -a -au {DEMO} -ap {pop3[1]} -f {DEMO}@{ME} -t {DEMO}@{ME}""" \
        if submission and pop3 else "none"
    console = console_address(home)
    by_browser = f"{console}   (lets you in once; qmail-console --passwd NAME makes an account)" if console else "none"
    by_pop3 = f"""port {pop3[0]}, user {DEMO}, password {pop3[1]} (new at each make run)
                     curl -u {DEMO}:{pop3[1]} pop3://127.0.0.1:{pop3[0]}/""" if pop3 else "none"
    print(f"""
Everything of this instance lies in {home}:

  SMTP server        {" and ".join(a for a, _ in endpoints(home))}, port {port}           swaks -s 127.0.0.1:{port} -t {DEMO}@{ME}
  POP3 server        {by_pop3}
  submission         {by_login}
  console            {by_browser}
  recipient          {DEMO}@{ME}, and {DEMO}-anything@{ME}
  Maildir            {home}/demo/Maildir
  settings           {home}/control                  qmail-showctl
  who may relay      {home}/tcp.smtp                 then: qmailctl cdb
  POP before SMTP    logins by POP3 open SMTP           open-smtp list      open-smtp check {ROAMER}
  logs               {home}/log/*/current            tai64nlocal <{home}/log/qmail-send/current
  run scripts        {home}/service/*/run            svstat {home}/service/*

To try the tools:

  export QMAILHOME={home} PATH={BIN}:$PATH
  qmailctl stat      qmailctl doctor      qmail-qstat      qmail-qread      queue-list

  make stop          ends it; the instance stays for the next make run (rm -r {home} forgets it)

For a real installation, as root: make install PREFIX=/usr/local && qmail-setup /var/qmail --me HOST.YOUR.DOMAIN
--admin YOU@SOMEWHERE && qmailctl start /var/qmail. README.md says more.""")


def run(home, port, pop3_port, submission_port, console_port):
    os.umask(0o022)
    if home.exists() and any(home.iterdir()):
        if is_running(home):
            print(f"{home} is running already")
            send_two(home, port_of(home))
            show(home, port_of(home), look_by_pop3(home))
            return
        for name, wanted in (("smtplisten", port), ("pop3listen", pop3_port), ("submissionlisten", submission_port)):
            ends = endpoints(home, name)
            if ends and wanted and ends[0][1] != wanted:
                write(home / "control" / name, "".join(f"{address} {wanted}\n" for address, _ in ends))
        program(home, "qmail-setup", "--repair", home)
    for name, each in (("SMTP_PORT", port), ("POP3_PORT", pop3_port), ("SUBMISSION_PORT", submission_port)):
        taken = [address for address in ("127.0.0.1", "::1") if each and listens(address, each)]
        if taken:
            raise Failure(f"port {each} on {' and '.join(taken)} is in use by something else: make run {name}=...")
    if not (home / "control").exists():
        make_instance(home, port, pop3_port, submission_port)
    set_console(home, console_port)
    program(home, "qmailctl", "start", home)
    ends = endpoints(home) + endpoints(home, "pop3listen") + endpoints(home, "submissionlisten")
    wait(lambda: all(listens(*end) for end in ends), f"servers on {' and '.join(f'{a} port {p}' for a, p in ends)}", home)
    send_two(home, port)
    show(home, port, look_by_pop3(home))


def stop(home):
    if home.exists():
        print(program(home, "qmailctl", "stop", home), end="")
    else:
        print(f"there is no instance {home}")


def main():
    verb, home = sys.argv[1], find_home(sys.argv[2])
    try:
        if verb == "run":
            run(home, int(sys.argv[3]), int(sys.argv[4]), *(int(sys.argv[n]) if len(sys.argv) > n else 0 for n in (5, 6)))
        else:
            stop(home)
    except Failure as failure:
        sys.exit(f"make {verb}: {failure}")


main()
