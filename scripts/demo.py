"""What `make run` and `make stop` do: an instance of one's own on loopback, under svscan, supervise, tcpserver and
multilog; one message by SMTP and one by sendmail; where everything is.

    demo.py run INSTANCE PORT      exit code 0 only if both messages have arrived
    demo.py stop INSTANCE
"""

import hashlib
import os
import pathlib
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
# A uid that no user of the machine has: the demo recipient of a system instance needs no account.
DEMO_ID = 64250
PATIENCE = 30


class Failure(Exception):
    pass


def open_to_all(path):
    """True if everybody may enter the directory and all above it, as far as they exist."""
    return all(p.stat().st_mode & stat.S_IXOTH for p in (path, *path.parents) if p.exists())


def find_home(given):
    """The instance: where it was asked for, or below /var/tmp if its users could not reach it there."""
    wanted = pathlib.Path(given)
    wanted = (wanted if wanted.is_absolute() else ROOT / wanted).resolve()
    reachable = not IS_ROOT or open_to_all(wanted.parent)
    if reachable and len(str(wanted)) <= 85 and str(wanted).isascii() and " " not in str(wanted) and ":" not in str(wanted):
        return wanted
    name = hashlib.sha256(str(wanted).encode()).hexdigest()[:8]
    fallback = pathlib.Path(f"/var/tmp/relais-{os.geteuid()}-{name}")
    print(f"{wanted} cannot hold an instance ({'path' if reachable else 'its users cannot go there'}): using {fallback}")
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


def make_instance(home, port):
    listen = [word for address in addresses() for word in ("--listen", address)]
    program(home, "qmail-setup", home, "--me", ME, *listen, "--smtp-port", port, "--admin", f"{DEMO}@{ME}")
    make_recipient(home)
    print(f"made the instance {home}")


def listens(address, port):
    try:
        socket.create_connection((address, port), 2).close()
        return True
    except OSError:
        return False


def endpoints(home):
    lines = (home / "control/smtplisten").read_text().splitlines()
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


def show(home, port):
    print(f"""
Everything of this instance lies in {home}:

  SMTP server        {" and ".join(a for a, _ in endpoints(home))}, port {port}           swaks -s 127.0.0.1:{port} -t {DEMO}@{ME}
  recipient          {DEMO}@{ME}, and {DEMO}-anything@{ME}
  Maildir            {home}/demo/Maildir/new
  settings           {home}/control                  qmail-showctl
  who may relay      {home}/tcp.smtp                 then: qmailctl cdb
  logs               {home}/log/*/current            tai64nlocal <{home}/log/qmail-send/current
  run scripts        {home}/service/*/run            svstat {home}/service/*

To try the tools:

  export QMAILHOME={home} PATH={BIN}:$PATH
  qmailctl stat      qmailctl doctor      qmail-qstat      qmail-qread      queue-list

  make stop          ends it; the instance stays for the next make run (rm -r {home} forgets it)

For a real installation, as root: make install PREFIX=/usr/local && qmail-setup /var/qmail --me HOST.YOUR.DOMAIN
--admin YOU@SOMEWHERE && qmailctl start /var/qmail. README.md says more.""")


def run(home, port):
    os.umask(0o022)
    if home.exists() and any(home.iterdir()):
        if is_running(home):
            print(f"{home} is running already")
            send_two(home, port_of(home))
            show(home, port_of(home))
            return
        if port_of(home) != port:
            write(home / "control/smtplisten", "".join(f"{address} {port}\n" for address, _ in endpoints(home)))
        program(home, "qmail-setup", "--repair", home)
    taken = [address for address in ("127.0.0.1", "::1") if listens(address, port)]
    if taken:
        raise Failure(f"port {port} on {' and '.join(taken)} is in use by something else: make run SMTP_PORT=...")
    if not (home / "control").exists():
        make_instance(home, port)
    program(home, "qmailctl", "start", home)
    wait(lambda: all(listens(*end) for end in endpoints(home)), f"a server on port {port}", home)
    send_two(home, port)
    show(home, port)


def stop(home):
    if home.exists():
        print(program(home, "qmailctl", "stop", home), end="")
    else:
        print(f"there is no instance {home}")


def main():
    verb, home = sys.argv[1], find_home(sys.argv[2])
    try:
        if verb == "run":
            run(home, int(sys.argv[3]))
        else:
            stop(home)
    except Failure as failure:
        sys.exit(f"make {verb}: {failure}")


main()
