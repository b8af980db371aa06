"""Other people's mail clients, without any configuration of the machine's. Each fetcher logs in, fetches what there is, leaves it on
the server, and returns the messages as one text; it raises Refused when the server does not take the login."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

PATIENCE = 300
# What swaks ends with when no recipient was taken.
SWAKS_RCPT_REFUSED = 24


class Refused(Exception):
    pass


def _run(folder, *words):
    if shutil.which(words[0]) is None:
        raise unittest.SkipTest(f"no {words[0]} (packages.txt)")
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": folder, "FETCHMAILHOME": folder, "LC_ALL": "C"}
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, errors="replace", env=environment,
                          cwd=folder, timeout=PATIENCE, stdin=subprocess.DEVNULL)


def _in_brackets(address):
    return f"[{address}]" if ":" in address else address


def mpop(address, port, user, password):
    with tempfile.TemporaryDirectory(prefix="rlmpop.") as folder:
        box = pathlib.Path(folder, "box")
        done = _run(folder, "mpop", "--file=/dev/null", f"--host={address}", f"--port={port}", "--tls=off", "--auth=user",
                    f"--user={user}", f"--passwordeval=echo '{password}'", f"--deliver=mbox,{box}", "--keep=on",
                    f"--uidls-file={folder}/uidls", "--quiet")
        if done.returncode:
            raise Refused(f"mpop: {done.returncode} {done.stdout}{done.stderr}")
        return box.read_text() if box.exists() else ""


def fetchmail(address, port, user, password):
    with tempfile.TemporaryDirectory(prefix="rlfetch.") as folder:
        box, settings = pathlib.Path(folder, "box"), pathlib.Path(folder, "rc")
        settings.write_text(f'poll "{address}" proto pop3 port {port} user "{user}" password "{password}" sslproto "" keep '
                            f'mda "cat >>{box}"\n')
        settings.chmod(0o600)
        done = _run(folder, "fetchmail", "--fetchmailrc", settings, "--idfile", f"{folder}/ids", "--nosyslog", "--timeout", PATIENCE)
        # 1: no mail.
        if done.returncode not in (0, 1):
            raise Refused(f"fetchmail: {done.returncode} {done.stdout}{done.stderr}")
        return box.read_text() if box.exists() else ""


def curl(address, port, user, password, scheme="pop3"):
    with tempfile.TemporaryDirectory(prefix="rlcurl.") as folder:
        done = _run(folder, "curl", "-sS", "--max-time", PATIENCE, "-u", f"{user}:{password}",
                    f"{scheme}://{_in_brackets(address)}:{port}/")
        if done.returncode:
            raise Refused(f"curl: {done.returncode} {done.stdout}{done.stderr}")
        return done.stdout


def curl_imap(address, port, user, password):
    return curl(address, port, user, password, "imap")


def swaks_may_send(address, port, sender, recipient):
    """Nothing if the recipient is taken, else the server's refusal."""
    with tempfile.TemporaryDirectory(prefix="rlswaks.") as folder:
        done = _run(folder, "swaks", "-6" if ":" in address else "-4", "--server", _in_brackets(address), "--port", port, "--from",
                    sender, "--to", recipient, "--helo", "client.test", "--quit-after", "RCPT", "--timeout", PATIENCE)
        if done.returncode == 0:
            return None
        if done.returncode != SWAKS_RCPT_REFUSED:
            raise AssertionError(f"swaks: {done.returncode} {done.stdout}{done.stderr}")
        return next(line.split("** ", 1)[1].strip() for line in done.stdout.splitlines() if line.startswith("<** "))
