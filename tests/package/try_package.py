"""Tries a Debian package in a clean root that has booted its own systemd: installs it in the place of Debian's exim4, delivers, upgrades
with mail in the queue, removes, purges, and makes an instance of each type.

    try_package.py DEB [--base BASE.tar]

It needs root, mmdebstrap and systemd-container, and the network for a new BASE.tar (by default beside DEB), which holds Debian with what
the package depends on. The system in the root has a loopback interface and no other.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.machine import Failed, Machine  # noqa: E402

SUITE = "bookworm"
SURROUNDINGS = ["systemd-sysv", "dbus", "exim4-daemon-light", "bsd-mailx", "iproute2", "man-db", "ucspi-tcp-ipv6"]
HOME = "/var/lib/relais"


def output(*words, **options):
    return subprocess.run(words, check=True, capture_output=True, text=True, **options).stdout


def dependencies(deb):
    """The first alternative of each package it depends on or recommends."""
    fields = [output("dpkg-deb", "-f", deb, field) for field in ("Pre-Depends", "Depends", "Recommends")]
    return [re.match(r"[a-z0-9.+-]+", each.strip()).group() for field in fields for each in field.split(",") if each.strip()]


def make_base(base, deb):
    print(f"making {base}", flush=True)
    fresh = base.with_suffix(".new.tar")
    subprocess.run(["mmdebstrap", "--quiet", "--variant=apt", "--include=" + ",".join(sorted({*SURROUNDINGS, *dependencies(deb)})),
                    SUITE, str(fresh)], check=True)
    fresh.rename(base)


def newer(deb, directory):
    """The same package as a later version."""
    tree = directory / "newer"
    output("dpkg-deb", "-R", deb, tree)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^(Version: .*)$", r"\1+next1", control.read_text()))
    output("dpkg-deb", "-Znone", "--root-owner-group", "-b", tree, directory / "newer.deb")
    shutil.rmtree(tree)
    return directory / "newer.deb"


def install(machine, deb):
    return machine.run(f"apt-get -y install --no-install-recommends {deb}")


def services(machine, *names):
    for name in names:
        machine.until(f"systemctl -q is-active relais-{name}@var-lib-relais.service")


def local_only(machine, old):
    install(machine, old)
    services(machine, "send", "smtpd")
    machine.expect("dpkg-query -W -f '${Status}\\n' exim4-daemon-light", "deinstall ok config-files|no packages found|not-installed")
    machine.expect("readlink -f /usr/sbin/sendmail /usr/lib/sendmail", r"\A/usr/lib/relais/bin/sendmail\n/usr/lib/relais/bin/sendmail\n\Z")
    machine.expect("debconf-show relais", r"relais/type: local only$")
    machine.expect("ss -Hltn", r"127\.0\.0\.1:25\b")
    machine.expect("ss -Hltn | grep -v 127.0.0.1:25 | grep -v '\\[::1\\]:25' || true", r"\A\Z")
    doctor = machine.expect("qmailctl doctor", "^ok ")
    if "WRONG" in doctor:
        raise Failed(doctor)
    machine.run("useradd --create-home anna; echo first | sendmail anna@localhost; echo first | sendmail anna; echo second | mail -s second anna")
    machine.until("[ $(grep -c ^Delivered-To: /home/anna/Mailbox) = 3 ]")
    machine.run("printf 'From: anna@localhost\\n\\nout\\n' | sendmail -f anna@localhost x@elsewhere.example")
    machine.until("grep -q 'sends no mail to other hosts' /home/anna/Mailbox")
    machine.run("echo for root | sendmail root")
    machine.until("ls /var/lib/relais/alias/Maildir/new | grep -q .")
    machine.expect("mailq", r"\A\Z")
    machine.expect("man -w qmail-send qmailctl sendmail", r"qmail-send\.8relais\.gz\n(.*\n)*.*sendmail\.8\.gz")


def waits(machine):
    """A message in the queue that is not delivered before its user's home is opened."""
    machine.run("chmod +t /home/anna; echo waits | sendmail anna")
    machine.until("qmail-qstat | grep -q '^messages in queue: 1$'")
    machine.until("queue-list | grep -q -i sticky")


def upgrade(machine, new):
    waits(machine)
    machine.run(f"echo 7 >{HOME}/control/concurrencylocal; systemctl disable --now relais-smtpd@var-lib-relais.service 2>/dev/null")
    pid = machine.run("systemctl show -P MainPID relais-send@var-lib-relais.service")
    install(machine, new)
    services(machine, "send")
    machine.until(f"[ $(systemctl show -P MainPID relais-send@var-lib-relais.service) != {pid.strip()} ]")
    machine.expect(f"cat {HOME}/control/concurrencylocal", r"\A7\n\Z")
    machine.expect("systemctl is-active relais-smtpd@var-lib-relais.service", "inactive")
    machine.run("systemctl enable --now relais-smtpd@var-lib-relais.service 2>/dev/null")
    machine.expect("qmail-qstat", r"^messages in queue: 1$")
    machine.run("chmod -t /home/anna")
    machine.until(f"qmailctl flush && sleep 1 && grep -q waits /home/anna/Mailbox")
    machine.until("qmail-qstat | grep -q '^messages in queue: 0$'")


def remove_and_back(machine, new):
    waits(machine)
    machine.run("apt-get -y remove relais")
    machine.expect("systemctl is-active relais-send@var-lib-relais.service", "inactive|failed")
    machine.expect("ls /usr/sbin/sendmail /usr/lib/relais", r"cannot access '/usr/sbin/sendmail'(.*\n)+.*cannot access '/usr/lib/relais'")
    machine.expect(f"cat {HOME}/control/concurrencylocal", r"\A7\n\Z")
    install(machine, new)
    services(machine, "send", "smtpd")
    machine.expect("qmail-qstat", r"^messages in queue: 1$")


def purge(machine, *kept):
    said = machine.run("apt-get -y purge relais")
    machine.expect(f"ls -d {HOME} /var/qmail", r"cannot access '/var/lib/relais'(.*\n)+.*cannot access '/var/qmail'")
    machine.expect("ls /etc/systemd/system/multi-user.target.wants | grep relais || true", r"\A\Z")
    for name, text in kept:
        machine.expect(f"grep -r -l '{text}' /var/backups/relais-*/{name}", r"\A/var/backups/relais-[^\n]*\n\Z")
    if bool(kept) != ("is kept in /var/backups" in said):
        raise Failed(said)
    machine.run("rm -rf /var/backups/relais-*")


def of_type(machine, deb, kind, smarthost=""):
    answers = {"type": ("select", kind), "domain": ("string", "example.org"), "smarthost": ("string", smarthost), "admin": ("string", "anna")}
    for name, (form, value) in answers.items():
        machine.run(f"echo 'relais relais/{name} {form} {value}' | debconf-set-selections")
    install(machine, deb)
    services(machine, "send", "smtpd")
    machine.expect(f"qmail-setup --check {HOME}", "is as it must be")
    machine.expect("cat /var/qmail/control/defaultdomain", r"\Aexample\.org\n\Z")


def internet_site(machine, deb):
    of_type(machine, deb, "internet site")
    services(machine, "submission", "submissions")
    for port in (25, 587, 465):
        machine.expect("ss -Hltn", rf"0\.0\.0\.0:{port}\b")
    machine.expect("printf 'QUIT\\r\\n' | nc -q 1 127.0.0.1 25 2>/dev/null || bash -c 'exec 3<>/dev/tcp/127.0.0.1/25; head -n 1 <&3'", "^220 .* ESMTP")
    machine.run("chmod -t /home/anna; runuser -u anna -- /usr/lib/relais/bin/maildirmake /home/anna/Maildir; echo hello | sendmail root@example.org")
    machine.until("grep -q -r hello /home/anna/Maildir/new")
    # As docs/debian.md has it.
    machine.run("cd /etc/relais; echo 0 110 >pop3listen; qmail-setup --repair /var/qmail; "
                "systemctl enable --now relais-pop3d@var-lib-relais 2>/dev/null")
    services(machine, "pop3d")
    machine.until("ss -Hltn | grep -q ':110 '")
    purge(machine)


def satellite(machine, deb):
    of_type(machine, deb, "satellite", "smarthost.invalid:587")
    machine.expect(f"cat {HOME}/control/smtproutes {HOME}/control/locals", r"\A:smarthost\.invalid:587\nlocalhost\n\Z")
    machine.run("echo hello | sendmail anna@example.org")
    machine.until("queue-list | grep -q anna@example.org")
    machine.expect("route-explain anna@example.org", r"smarthost\.invalid")
    purge(machine, ("queue", "To: anna@example.org\\|anna@example.org"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("deb", type=pathlib.Path)
    parser.add_argument("--base", type=pathlib.Path)
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("try_package.py boots a system in a directory: run it as root")
    base = arguments.base or arguments.deb.parent / f"{SUITE}.tar"
    if not base.exists():
        make_base(base, arguments.deb)
    with tempfile.TemporaryDirectory(prefix="relais-package.", dir="/var/tmp") as directory:
        directory = pathlib.Path(directory)
        root = directory / "root"
        root.mkdir()
        subprocess.run(["tar", "-C", root, "-xf", base], check=True)
        (root / "srv/old.deb").write_bytes(arguments.deb.read_bytes())
        shutil.move(newer(arguments.deb, directory), root / "srv/new.deb")
        machine = Machine(root)
        try:
            old, new = "/srv/old.deb", "/srv/new.deb"
            for step, run in (("local only", lambda: local_only(machine, old)), ("upgrade", lambda: upgrade(machine, new)),
                              ("remove and install", lambda: remove_and_back(machine, new)),
                              ("purge", lambda: purge(machine, ("queue", "waits"), ("alias", "for root"))),
                              ("internet site", lambda: internet_site(machine, new)), ("satellite", lambda: satellite(machine, new))):
                began = time.monotonic()
                run()
                print(f"ok  {step}  ({time.monotonic() - began:.0f} s)", flush=True)
        except Failed as failure:
            print(f"FAILED  {step}: {failure}")
            print(machine.run("journalctl --no-pager -n 60 -u 'relais-*'", check=False))
            return 1
        finally:
            machine.end()
    return 0


sys.exit(main())
