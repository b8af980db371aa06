"""What docs/users.md tells to type for users who submit mail, typed as it stands there, on a fresh instance in /var/qmail: in namespaces of its own,
so that the machine's users, ports and files are left alone."""

import re
import subprocess
import unittest

from harness import relais

LIMIT = 400
PASSWORD = "correct-horse-7"

# /etc, /var and /usr/local are the machine's with a layer above that is thrown away; all processes end with the first.
SCRIPT = """
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=0755 tmpfs /mnt
layer() { mkdir -p "/mnt/$1/new" "/mnt/$1/work"; mount -t overlay overlay -o "lowerdir=$2,upperdir=/mnt/$1/new,workdir=/mnt/$1/work" "$3"; }
layer etc /etc /etc
layer var /var /var
layer home /home /home
layer bin "$BIN:/usr/local/bin" /usr/local/bin
rm -rf /var/qmail
ip link set lo up
echo "127.0.0.1 mail.example.org" >>/etc/hosts
unset QMAILHOME
export PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/bin:/usr/sbin:/sbin
qmail-setup /var/qmail --me mail.example.org --domain example.org --admin you@example.net
qmailctl start
# A server is up when it greets.
for port in 25 587; do
    for i in $(seq 600); do
        greeting=$(timeout 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port; head -n 1 <&3" 2>/dev/null || true)
        case "$greeting" in 220*) break ;; esac
        sleep 0.1
    done
done
"""


def commands(heading):
    """The indented lines of the section, without their comments."""
    text = (relais.ROOT / "docs/users.md").read_text()
    block = re.search(r"\n\n((?:    [^\n]*\n)+)", text[text.index(f"## {heading}\n"):]).group(1)
    return [re.sub(r" +# .*", "", line).strip() for line in block.splitlines()]


@unittest.skipUnless(relais.IS_ROOT, "namespaces and a system instance need root")
class Readme(relais.TestCase):
    def test_let_your_users_submit_mail(self):
        typed = commands("Let your users submit mail")
        self.assertEqual(len(typed), 5, typed)
        # multilog writes after the client has its answer.
        self.assertIn("tail ", typed[-1])
        typed[-1] = f"for i in $(seq 600); do said=$({typed[-1]}); case $said in *accept*) break ;; esac; sleep 0.1; done; echo \"$said\""
        script = SCRIPT + "set -x\n" + "\n".join(f"{{ {line}; }} <<<{PASSWORD}" for line in typed) + "\nqmailctl doctor || test $? -eq 1\nqmailctl stop\n"
        done = subprocess.run(["unshare", "-mnipf", "--mount-proc", "--kill-child", "bash", "-c", script], capture_output=True, text=True, timeout=LIMIT,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "BIN": str(relais.BIN), "LC_ALL": "C"})
        said = done.stdout + done.stderr
        if re.search(r"^(unshare|mount): ", done.stderr, re.M):
            self.skipTest(f"no namespaces with layers here: {done.stderr[:300]}")
        self.assertEqual(done.returncode, 0, said)
        self.assertRegex(said, r"(?m)^=== TLS started")
        self.assertRegex(said, r"(?m)^<~  250 2\.0\.0 ok \d+ qp \d+$")
        self.assertRegex(said, r"accept msg .*login anna@example\.org")
        self.assertNotIn("WRONG", said)
        self.assertIn("ok     1 accounts have mailboxes that get mail", said)
        self.assertIn("ok     submission by TLS on 127.0.0.1 port 465: 220 mail.example.org ESMTP", said)


if __name__ == "__main__":
    relais.main()
