"""What README and the guides in docs/ tell to type, typed as it stands there, on a fresh instance in /var/qmail: in namespaces of its own, so
that the machine's users, ports and files are left alone."""

import datetime
import re
import subprocess
import unittest

import import_exim_test
import import_postfix_test
import readme_test
from harness import relais

PASSWORD = "correct-horse-7"
SETUP = "qmail-setup /var/qmail --me mail.example.org --domain example.org --admin you@example.net\n"


def typed(page, heading=None):
    """The indented lines of the page, or of its section, without the comments behind them."""
    text = (relais.ROOT / page).read_text()
    if heading:
        text = text[text.index(f"## {heading}\n"):].split("\n## ")[0]
    blocks = re.findall(r"\n\n((?:    [^\n]*\n)+)", text)
    return [re.sub(r" {2,}# .*", "", line[4:]) for block in blocks for line in block.splitlines()]


@unittest.skipUnless(relais.IS_ROOT, "namespaces and a system instance need root")
class Guides(relais.TestCase):
    def run_script(self, *lines, setup=SETUP):
        assert SETUP in readme_test.SCRIPT
        script = readme_test.SCRIPT.replace(SETUP, setup) + "\n".join(lines) + "\n"
        done = subprocess.run(["unshare", "-mnipf", "--mount-proc", "--kill-child", "bash", "-c", script], capture_output=True, text=True,
                              timeout=readme_test.LIMIT, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "BIN": str(relais.BIN), "LC_ALL": "C"})
        said = done.stdout + done.stderr
        if re.search(r"^(unshare|mount): ", done.stderr, re.M):
            self.skipTest(f"no namespaces with layers here: {done.stderr[:300]}")
        self.assertEqual(done.returncode, 0, said)
        return said

    @staticmethod
    def with_password(lines):
        return [f"{line} <<<{PASSWORD}" if line.startswith("qmail-user add") and "--forward" not in line else line for line in lines]

    @staticmethod
    def arrives(path, count=1):
        return (f"for i in $(seq 600); do n=$(ls {path}/new 2>/dev/null | wc -l); [ $n -ge {count} ] && break; sleep 0.1; done; "
                f"[ $n -ge {count} ] || {{ echo 'nothing in {path}'; tail -n 20 /var/qmail/log/*/current; exit 1; }}")

    def test_the_first_user_of_the_readme_gets_mail(self):
        lines = typed("README.md", "A first installation")
        (setup,) = [line for line in lines if line.startswith("qmail-setup /var/qmail")]
        user = [line for line in lines if line.startswith(("useradd", "qmail-user"))]
        self.assertEqual(len(user), 2, lines)
        said = self.run_script(
            *self.with_password(user), "echo hello | sendmail anna@example.org", "echo hello | sendmail anna", self.arrives("/home/anna/Maildir", 2),
            f"swaks -s mail.example.org:587 -tls -a PLAIN -au anna@example.org -ap {PASSWORD} -f anna@example.org -t anna@example.org >/dev/null",
            self.arrives("/home/anna/Maildir", 3), f"curl -s pop3://127.0.0.1 -u anna@example.org:{PASSWORD}",
            "qmailctl doctor || code=$?; echo code $code", setup=setup + "\n")
        self.assertRegex(said, r"(?m)^3 \d+\r?$")
        self.assertNotIn("WRONG", said)
        # The machine's own sendmail is another program's, or missing.
        self.assertRegex(said, r"(?m)^look   /usr/sbin/sendmail is (missing|another program)")
        self.assertRegex(said, r"(?m)^       -> .*ln -s /var/qmail/bin/sendmail /usr/sbin/sendmail$")

    def test_the_machines_sendmail_is_another_programs(self):
        said = self.run_script(
            "layer sbin /usr/sbin /usr/sbin; rm -f /usr/sbin/sendmail; cp /bin/true /usr/sbin/sendmail", "qmailctl doctor >/tmp/first || true",
            "cat /tmp/first; remedy=$(sed -n '\\|^look   /usr/sbin/sendmail is|,+1 s/^ *-> //p' /tmp/first)", 'bash -c "$remedy"',
            "echo mended", "qmailctl doctor || true")
        before, after = said.split("\nmended\n")
        self.assertRegex(before, r"(?m)^look   /usr/sbin/sendmail is another program: mail of cron, mail\(1\) and PHP goes to that one\n"
                                 r"       -> (dpkg-divert|mv) .* && ln -s /var/qmail/bin/sendmail /usr/sbin/sendmail$")
        self.assertRegex(before, r"(?m)^(look|ok) +/usr/lib/sendmail is ")
        self.assertIn("ok     /usr/sbin/sendmail is ours\n", after)

    def test_a_certificate(self):
        lines = [line for line in typed("docs/certificates.md") if not line.startswith("certbot")]
        live = "/etc/letsencrypt/live/mail.example.org"
        said = self.run_script(
            f"mkdir -p {live}; chmod 700 /etc/letsencrypt/live; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 60 "
            f"-subj /CN=mail.example.org -addext subjectAltName=DNS:mail.example.org -keyout {live}/privkey.pem -out {live}/fullchain.pem 2>/dev/null",
            *(line + " || true" if "doctor" in line else line for line in lines),
            "for i in $(seq 100); do openssl s_client -connect 127.0.0.1:465 </dev/null 2>/dev/null | openssl x509 -noout -fingerprint >/tmp/seen; "
            f"openssl x509 -noout -fingerprint -in {live}/fullchain.pem | cmp -s - /tmp/seen && break; sleep 0.1; done",
            f"openssl x509 -noout -fingerprint -in {live}/fullchain.pem | cmp - /tmp/seen && echo it counts")
        self.assertIn("it counts", said)
        self.assertNotIn("WRONG", said)

    def test_a_virtual_domain(self):
        lines = typed("docs/virtual-domain.md")
        said = self.run_script(
            *self.with_password(lines), "for who in anna bert carl; do echo hello | sendmail $who@example.net; done",
            "echo hello | sendmail sales@example.net",
            *(self.arrives(f"/home/vmail/mail/example.net/{who}", n) for who, n in (("anna", 2), ("bert", 2), ("carl", 1))),
            f"curl -s pop3://127.0.0.1 -u bert@example.net:{PASSWORD}", "qmailctl doctor | grep WRONG || true",
            "qmail-user remove carl@example.net", "qmail-user list", "ls ~vmail/mail/example.net")
        self.assertIn("anna@example.net  /home/vmail/mail/example.net/anna\n", said)
        self.assertIn("anna@example.net is delivered here, to vmail: maildir ./mail/example.net/anna/", said)
        self.assertRegex(said, r"(?m)^2 \d+\r?$")
        self.assertNotIn("WRONG", said)
        self.assertIn("kept /home/vmail/mail/example.net/carl\n", said)

    def test_a_filter(self):
        lines = typed("docs/filters.md")
        sent = "swaks -s 127.0.0.1 --local-interface 127.0.0.5 -f a@client.example -t postmaster@mail.example.org"
        said = self.run_script(*(line + " || true" if line == "qmailctl doctor" else line for line in lines),
                               f"{sent} --body 'X5O!P EICAR-STANDARD-ANTIVIRUS-TEST-FILE' || true", f"{sent} --body hello || true")
        self.assertRegex(said, r"(?m)^<\*\* 554 5\.7\.1 this message has a virus \(#5\.7\.1\)")
        self.assertRegex(said, r"(?m)^<-  250 2\.0\.0 ok \d+ qp \d+")
        # The page's milters do not run here, and doctor says so.
        self.assertEqual([line for line in re.findall(r"(?m)^WRONG.*", said) if " the milter " not in line], [])

    def test_doctor_looks_at_users_and_at_new_ones(self):
        doctor = "qmailctl doctor || true"
        said = self.run_script(
            "useradd --create-home bert", "useradd --create-home carl", "maildirmake /home/carl/Maildir", doctor, "echo mended",
            "maildirmake /etc/skel/Maildir", "useradd --create-home dora", "rm -r /home/carl/Maildir",
            "for user in bert carl; do su - $user -c 'maildirmake ~/Maildir'; done", doctor, "echo mboxes",
            "echo ./Mailbox >/var/qmail/control/defaultdelivery; touch /home/carl/Mailbox; ln -s nowhere /home/dora/Mailbox", doctor, "echo mended",
            "chown carl: /home/carl/Mailbox; rm /home/dora/Mailbox", doctor)
        before, after, mboxes, last = re.split("\n(?:mended|mboxes)\n", said)
        self.assertRegex(mboxes, r"(?m)^WRONG  mail for carl waits: /home/carl/Mailbox is uid 0's, and uid (\d+) may not write there\n"
                                 r"       -> chown --no-dereference \1:\d+ /home/carl/Mailbox; chmod u\+rwX /home/carl/Mailbox$")
        self.assertRegex(mboxes, r"(?m)^WRONG  mail for dora waits: /home/dora/Mailbox is a link to what does not exist")
        self.assertNotRegex(mboxes, "mail for bert waits")
        self.assertNotIn("WRONG", last)
        self.assertRegex(before, r"(?m)^note   without a Maildir, so that mail for them waits: (.*, )?bert$")  # the machine has its own
        self.assertIn("note   new users of the system get no Maildir\n       -> maildirmake /etc/skel/Maildir\n", before)
        self.assertIn("WRONG  /home/carl/Maildir is not all carl's: mail for carl waits\n", before)
        self.assertNotIn("WRONG", after)
        self.assertNotRegex(after, r"waits: .*\b(bert|carl|dora)\b")
        self.assertNotIn("new users of the system", after)

    def test_a_restart_with_a_silent_server(self):
        silent = "import socket, time; s = socket.create_server((\"127.0.0.1\", 2626)); print(\"ready\", flush=True); time.sleep(600)"
        said = self.run_script(
            "useradd --create-home anna", f"qmail-user add anna@example.org <<<{PASSWORD}", f"python3 -c '{silent}' >/tmp/silent &",
            "until grep -q ready /tmp/silent; do sleep 0.1; done", "echo silent.test:127.0.0.1:2626 >>/var/qmail/control/smtproutes",
            "echo hello | sendmail x@silent.test", "until queue-list cut | grep -q silent.test; do sleep 0.1; done",
            *typed("docs/administration.md", "Restart and stop"), "echo hello | sendmail anna@example.org", self.arrives("/home/anna/Maildir"),
            "until number=$(queue-list cut | sed -n 's/^delivery \\([0-9]*\\): .*silent.*/\\1/p'); [ -n \"$number\" ]; do sleep 0.1; done",
            "queue-list cut $number; qmail-qstat", "qmailctl stop")
        self.assertRegex(said, r"(?m)^cut delivery \d+: msg \d+ to remote silent\.test for x@silent\.test, since ")
        self.assertIn("messages in queue: 1\n", said)

    def test_logs_as_the_page_has_them(self):
        """A log's time is that of the queue tools, wherever the host is; and the logs become as large as control/logsize says."""
        size, again = typed("docs/administration.md", "Logs")[-2:]
        said = self.run_script(
            "export TZ=America/Los_Angeles", "echo waits | sendmail x@far.invalid",
            "for i in $(seq 600); do grep -q deferral /var/qmail/log/qmail-send/current && break; sleep 0.1; done",
            "TZ=UTC tai64nlocal </var/qmail/log/qmail-send/current | sed -n 's/ [^ ]* deferral: .*//p'",
            "queue-list show $(queue-list --json | grep -o '\"id\": *\"[0-9]*' | grep -o '[0-9]*$')",
            "echo sizes", size, again, "for i in $(seq 100); do ps ax | grep -q '[m]ultilog.* s1048576 n100' && break; sleep 0.1; done; ps ax | grep '[m]ultilog'")
        before, sizes = said.split("\nsizes\n")
        day, hour = re.search(r"(?m)^(\d{4}-\d\d-\d\d) (\d\d):\d\d:\d\d\.\d+ delivery$", before).groups()
        tried = re.search(r"(?m)^last try: (.*) GMT$", before)[1]
        logged = datetime.datetime.fromisoformat(f"{day} {hour}:00:00")
        self.assertLess(abs(datetime.datetime.strptime(tried, "%d %b %Y %H:%M:%S") - logged), datetime.timedelta(hours=2), said)
        self.assertRegex(sizes, r"multilog t.* s1048576 n100\b")

    def test_backup_and_restore(self):
        there = "echo hello | sendmail anna@example.org; " + self.arrives("/home/anna/Maildir")
        said = self.run_script(
            "useradd --create-home anna", f"qmail-user add anna@example.org <<<{PASSWORD}", there,
            "echo waits | sendmail x@far.invalid", "for i in $(seq 600); do grep -q deferral /var/qmail/log/qmail-send/current && break; sleep 0.1; done",
            *typed("docs/backup.md", "Backup"), "qmailctl stop", "qmail-qstat | head -n 1 >/tmp/before; cat /tmp/before; rm -rf /var/qmail /home/anna",
            # On the other machine the roles and their groups have other numbers.
            r"roles='^(alias|qmail.?|nofiles)$'; stat -c %u:%g /home; id -u qmailq",
            "awk -v OFS=: -F: -v roles=\"$roles\" '$1 ~ roles { $3 += 700; $4 += 700 } 1' /etc/passwd >/tmp/passwd; cp /tmp/passwd /etc/passwd",
            "awk -v OFS=: -F: -v roles=\"$roles\" '$1 ~ roles { $3 += 700 } 1' /etc/group >/tmp/group; cp /tmp/group /etc/group; id -u qmailq",
            *(line + " || true" if "doctor" in line else line for line in typed("docs/backup.md", "Restore")),
            "qmail-qstat | head -n 1 | cmp - /tmp/before", f"curl -s pop3://127.0.0.1 -u anna@example.org:{PASSWORD}",
            "ls /home/anna/Maildir/cur /home/anna/Maildir/new", *typed("docs/backup.md", "Uninstall"), "ls /var/qmail || echo gone",
            "getent passwd | grep -E '^(alias|qmail)' || echo no role", "getent group | grep -E '^(nofiles|qmail)' || echo no group")
        self.assertIn("\nmessages in queue: 1\n", said)
        self.assertRegex(said, r"(?m)^1 \d+\r?$")
        self.assertNotIn("WRONG", said)
        for word in ("gone", "no role", "no group"):
            self.assertRegex(said, rf"(?m)^{word}$")

    def test_moving_from_qmail(self):
        """With a small site: fifty messages that wait, a list, a domain of alias."""
        lines = [line.strip() for line in typed("docs/moving-from-qmail.md")]
        self.assertEqual(len(lines), 6, lines)
        made = ("from harness.old_qmail import OldQmail; o = OldQmail('/var/qmail', me='mail.example.org'); o.control('locals', 'mail.example.org'); "
                "o.control('rcpthosts', 'mail.example.org' + chr(10) + 'example.net'); o.control('virtualdomains', 'example.net:alias-net'); "
                "(o.directory / 'alias/.qmail-net-default').write_text('&anna\\n'); "
                "[o.waiting('', local=['Talias-net-info@example.net' if n % 2 else 'Tanna@mail.example.org'], age=n) for n in range(50)]")
        script = readme_test.SCRIPT.split("qmail-setup /var/qmail")[0] + "\n".join([
            "useradd --create-home anna; su - anna -c 'maildirmake ~/Maildir'", f'PYTHONPATH={relais.ROOT}/tests python3 -B -c "{made}"',
            "printf '127.0.0.1:allow,RELAYCLIENT=\"\"\\n::1:allow,RELAYCLIENT=\"\"\\n:allow\\n' >/etc/tcp.smtp",
            *(line + " || true" if "doctor" in line else line for line in lines), self.arrives("/home/anna/Maildir", 50),
            "QMAILHOME=/var/relais qmail-qstat; qmail-import /var/qmail /var/relais || true", "qmailctl stop /var/relais"]) + "\n"
        done = subprocess.run(["unshare", "-mnipf", "--mount-proc", "--kill-child", "bash", "-c", script], capture_output=True, text=True,
                              timeout=readme_test.LIMIT, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "BIN": str(relais.BIN), "LC_ALL": "C"})
        said = done.stdout + done.stderr
        if re.search(r"^(unshare|mount): ", done.stderr, re.M):
            self.skipTest(f"no namespaces with layers here: {done.stderr[:300]}")
        self.assertEqual(done.returncode, 0, said)
        self.assertIn("0 were brought before, 50 would be brought now", said)
        self.assertIn("0 were brought before, 50 are brought now", said)
        self.assertIn("take     alias/.qmail-net-default", said)
        self.assertEqual(re.findall(r"(?m)^WRONG.*\n.*", said), [])
        self.assertIn("of the new instance runs: stop it first", said)

    def moves_in(self, page, prepare, count, programs=""):
        """The page's lines with an old queue of so many messages for anna, who is a user here; what was said."""
        lines = [line.strip() for line in typed(page)]
        script = readme_test.SCRIPT.split("qmail-setup /var/qmail")[0] + "\n".join([
            "useradd --create-home anna; su - anna -c 'maildirmake ~/Maildir'", prepare, programs,
            *(line + " || true" if "doctor" in line else line for line in lines), self.arrives("/home/anna/Maildir", count),
            "QMAILHOME=/var/relais qmail-qstat", "qmailctl stop /var/relais"]) + "\n"
        done = subprocess.run(["unshare", "-mnipf", "--mount-proc", "--kill-child", "bash", "-c", script], capture_output=True, text=True,
                              timeout=readme_test.LIMIT, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "BIN": str(relais.BIN), "LC_ALL": "C"})
        said = done.stdout + done.stderr
        if re.search(r"^(unshare|mount): ", done.stderr, re.M):
            self.skipTest(f"no namespaces with layers here: {done.stderr[:300]}")
        self.assertEqual(done.returncode, 0, said)
        self.assertIn(f"0 were brought before, {count} would be brought now", said)
        self.assertIn(f"0 were brought before, {count} are brought now", said)
        self.assertEqual(re.findall(r"(?m)^WRONG.*\n.*", said), [])
        return said

    def test_moving_from_postfix(self):
        """With the real one's queue and settings; in the namespace its postconf and postmap run, and no master."""
        with import_postfix_test.OldPostfix(settings=("mydestination = localhost, mail.example.org", "alias_maps = hash:/etc/aliases", "relayhost =")) as p:
            for number in range(3):
                p.post("you@far.test", [f"anna{number}@far.test"], f"Subject: {number}\r\n\r\nbody\r\n")
            p.waits(3)
            p.end()
            for path in p.files("deferred"):
                data = path.read_bytes()
                path.write_bytes(re.sub(rb"R\x0eanna\d@far\.test", b"R\x0eanna@localhost", data))
            wrap = "".join(f"printf '#!/bin/sh\\nLD_LIBRARY_PATH={p.tree.environment['LD_LIBRARY_PATH']} exec {p.tree.program(name)} \"$@\"\\n' "
                           f">/usr/local/bin/{name}; chmod 755 /usr/local/bin/{name}\n" for name in ("postconf", "postmap", "postalias"))
            said = self.moves_in("docs/moving-from-postfix.md", f"rm -rf /etc/postfix; cp -r {p.directory}/etc /etc/postfix; rm -f /etc/postfix/*.db", 3,
                                 wrap + "ln -sf /bin/true /usr/local/bin/postfix; echo 'team: anna' >/etc/aliases; postalias /etc/aliases")
        self.assertIn("take     control/aliases: from alias_maps", said)

    def test_moving_from_exim(self):
        with import_exim_test.OldExim() as e:
            for number in range(3):
                e.post("you@far.test", [f"anna@there{number}.test"], f"Subject: {number}\r\n\r\nbody\r\n")
            e.waits(3)
            e.end()
            for path in e.files("H"):
                path.write_bytes(re.sub(rb"anna@there\d\.test\n", b"anna@localhost\n", path.read_bytes(), count=1))
            answers = "\n".join(f"{name}='{value}'" for name, value in import_exim_test.FromExim.ANSWERS.items())
            said = self.moves_in("docs/moving-from-exim.md", f"rm -rf /var/spool/exim4; cp -r {e.directory}/spool /var/spool/exim4; mkdir -p /etc/exim4; "
                                 f"rm -f /etc/exim4/exim4.conf; echo \"{answers}\" >/etc/exim4/update-exim4.conf.conf; echo 'team: anna' >/etc/aliases; "
                                 "printf '#!/bin/sh\\necho mail.example.org\\n' >/usr/local/bin/hostname; chmod 755 /usr/local/bin/hostname", 3)
        self.assertIn("take     control/aliases: from /etc/aliases", said)

    def test_a_public_server(self):
        """With the page's zone in the place of DNS; a message that leaves passes SPF, DKIM and DMARC by it."""
        page = (relais.ROOT / "docs/public-server.md").read_text()
        zone = re.search(r"```zone\n(.*?)```", page, re.S).group(1)
        lines = typed("docs/public-server.md")
        (setup,) = [line for line in lines if line.startswith("qmail-setup")]
        before = [line for line in lines if line.startswith(("echo '&", "useradd", "qmail-user"))]
        (make,) = [line for line in lines if line.startswith("dkim-key make")]
        keys = [line + " --dns /tmp/zone" for line in lines if line.startswith(("dkim-key check", "dkim-key use"))]
        reload = lines[lines.index(make) + 3]
        self.assertEqual((len(before), len(keys)), (3, 2), lines)
        after = lines[lines.index(make) + 4:]
        self.assertEqual(len(after), 12, after)
        sent = "swaks -s 127.0.0.1 --local-interface 127.0.0.5 -f a@client.example"
        said = self.run_script(
            *self.with_password(before), f"cat >/tmp/zone <<'ZONE'\n{zone}ZONE", f"{make} >/tmp/records; grep -E '^[^ ]+ .*TXT' /tmp/records >>/tmp/zone",
            *keys, reload, "echo 127.0.0.1 >/var/qmail/control/dnsservers", f"cat >/tmp/sink.py <<'SINK'\n{SINK}SINK", "python3 /tmp/sink.py >/tmp/sent & sleep 1",
            "echo 'elsewhere.example:127.0.0.1:2600' >/var/qmail/control/smtproutes", "chmod 644 /var/qmail/control/smtproutes",
            f"swaks -s mail.example.org:587 -tls -a PLAIN -au anna@example.org -ap {PASSWORD} -f anna@example.org -t bob@elsewhere.example >/dev/null",
            "for i in $(seq 600); do grep -q ^QUIT /tmp/sent && break; sleep 0.1; done; sed /^QUIT/d /tmp/sent >/tmp/message",
            "mail-verify --dns /tmp/zone --ip 192.0.2.25 --helo mail.example.org --from anna@example.org /tmp/message",
            *after,
            f"{sent} -t nobody@example.org || true", f"{sent} -t anna@example.org || true", f"{sent} -t abuse@example.org || true", setup=setup + "\n")
        for method in ("spf", "dkim", "dmarc"):
            self.assertRegex(said, rf"(?m)^{method}: pass ", said)
        self.assertRegex(said, r"(?m)^<\*\* 550 5\.1\.1 sorry, no mailbox here by that name")
        # Nobody answers for DNS here.
        self.assertRegex(said, r"(?m)^<\*\* 451 4\.\d+\.\d+ unable to look up your sender's domain now")
        self.assertRegex(said, r"(?m)^<-  250 2\.0\.0 ok \d+ qp \d+")


# Takes one message and prints it, and QUIT at its end.
SINK = """
import socket
listening = socket.create_server(("127.0.0.1", 2600))
connection, _ = listening.accept()
lines, data = connection.makefile("rb"), False
connection.sendall(b"220 sink\\r\\n")
for line in lines:
    text = line.decode("latin-1").rstrip("\\r\\n")
    if data and text != ".":
        print(text.removeprefix("."))
        continue
    verb = text[:4].upper()
    if verb == "QUIT":
        break
    data = verb == "DATA"
    connection.sendall(b"354 go\\r\\n" if data else b"250 ok\\r\\n")
print("QUIT", flush=True)
"""


if __name__ == "__main__":
    relais.main()
