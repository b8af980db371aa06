"""What systemd's verbs do to deliveries that run: a real systemd, booted in a root of its own over the machine's /usr and /etc, looks after
an instance by the units of setup/systemd."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest
import uuid

from harness import namespace

namespace.enter()

from harness import relais  # noqa: E402
from harness.machine import Failed, Machine  # noqa: E402

SEND = "relais-send@var-qmail"
# Whoever starts it twice has sent a second copy.
HANGING = "|echo begun >>begun; exec sleep 1000"
# Nothing of the machine's is started: its units are linked in /etc, those of the old kind lie in /etc/init.d.
OWN_TO_THE_MACHINE = ("systemd/system", "init.d", *(f"rc{level}.d" for level in "0123456S"), "fstab", "machine-id", "resolv.conf")


def make_root(store):
    """A root whose layers above the machine's directories lie in store."""
    root = store / "root"
    for name in ("usr", "etc", "var/lib", "var/log", "var/tmp", "var/spool", "home", "root", "tmp", "proc", "sys", "dev", "run"):
        (root / name).mkdir(parents=True)
    for name in ("bin", "sbin", *(path.name for path in pathlib.Path("/").glob("lib*") if path.is_symlink())):
        (root / name).symlink_to(f"usr/{name}")
    layer(store, "usr", "/usr", root / "usr")
    layer(store, "bin", f"{relais.BIN}:/usr/local/bin", root / "usr/local/bin")
    layer(store, "etc", "/etc", root / "etc")
    for name in OWN_TO_THE_MACHINE:
        path = root / "etc" / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    (root / "etc/machine-id").write_text(uuid.uuid4().hex + "\n")
    shutil.copytree(relais.ROOT / "setup/systemd", root / "etc/systemd/system")
    return root


def layer(store, name, below, onto):
    for part in ("new", "work"):
        (store / name / part).mkdir(parents=True)
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={below},upperdir={store / name}/new,workdir={store / name}/work", onto],
                   check=True)


@unittest.skipUnless(relais.IS_ROOT and shutil.which("systemd-nspawn") and os.path.exists("/lib/systemd/systemd"), "no systemd can boot here")
class Systemd(relais.TestCase):
    def boot(self):
        namespace.require()
        store = pathlib.Path(tempfile.mkdtemp(prefix="rlsd.", dir="/tmp"))
        self.addCleanup(store.rmdir)
        try:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", store], check=True)
            self.addCleanup(subprocess.run, ["umount", "-R", "-l", store])
            machine = Machine(make_root(store))
        except (Failed, subprocess.CalledProcessError) as error:
            self.skipTest(f"no systemd can boot here: {error}")
        self.addCleanup(machine.end)
        return machine

    def test_what_its_verbs_do_to_a_delivery_that_hangs(self):
        m = self.boot()
        m.run("ip link set lo up; echo 127.0.0.1 mail.example.org >>/etc/hosts; useradd --create-home anna; "
              "su anna -c 'maildirmake ~/Maildir'; qmail-setup /var/qmail --me mail.example.org --domain example.org; "
              f"echo '{HANGING}' >~anna/.qmail-hangs; chown anna ~anna/.qmail-hangs; "
              f"systemctl enable --now {SEND} relais-smtpd@var-qmail 2>&1; qmailctl start")
        m.run("echo hello | sendmail anna-hangs@example.org")
        m.until("[ -s ~anna/begun ]")
        arrived = 0
        for verb in ("reload", "restart", "kill --signal=KILL --kill-whom=main", "try-restart"):
            before = m.run(f"systemctl show -P MainPID {SEND}").strip()
            m.run(f"systemctl {verb} {SEND}")
            if verb != "reload":
                m.until(f"[ $(systemctl show -P MainPID {SEND}) != {before} ]")
            m.until("echo hello | sendmail anna@example.org")
            arrived += 1
            m.until(f"[ $(ls ~anna/Maildir/new | wc -l) -ge {arrived} ]")
            self.goes_on(m)
        self.assertIn("these go on beside the new qmail-send:\n       delivery ", m.run("qmailctl restart"))
        said = m.run("qmailctl stat")
        self.assertRegex(said, r"(?m)^ +Active: active \(running\)")
        self.assertRegex(said, r"(?m)^messages in queue: 1$")
        self.assertRegex(said, r"from before the last restart:\n +delivery \d+: msg \d+ to local anna-hangs@example\.org, since ")

        # A stop waits for nothing, and takes nothing away.
        m.run(f"systemctl stop {SEND}")
        self.assertEqual(m.run(f"systemctl is-active {SEND}", check=False), "inactive\n")
        said = m.run("code=0; qmailctl stat 2>&1 || code=$?; echo code $code")
        self.assertRegex(said, r"no delivery starts: qmail-send waits for\n +delivery \d+: msg \d+ to local anna-hangs@example\.org, since .*\ncode 1\n\Z")
        m.run("pgrep -u anna sleep")
        m.run(f"systemctl start {SEND}")
        m.until("queue-list cut | grep -q anna-hangs")
        self.goes_on(m)

        m.run("queue-list cut $(queue-list cut | sed -n 's/^delivery \\([0-9]*\\):.*/\\1/p')")
        m.until("! pgrep -u anna sleep >/dev/null")
        self.assertIn("messages in queue: 1\n", m.run("qmail-qstat"))
        m.run("qmailctl stop")
        self.assertEqual(m.run("ps -eo comm= | grep -E '^(qmail|open-smtp)' || true"), "")

    def goes_on(self, machine):
        machine.until("queue-list cut | grep -q anna-hangs")
        self.assertEqual(machine.run("cat ~anna/begun; pgrep -c -u anna sleep"), "begun\n1\n")


if __name__ == "__main__":
    relais.main()
