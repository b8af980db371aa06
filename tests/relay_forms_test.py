"""The addresses by which relays are abused: the sixteen pairs of nmap's smtp-open-relay and more percent, bang, route and quoted forms.
Without a right none of them makes mail go elsewhere, whatever the reply was; with one, those that RFC 5321 sends elsewhere go there."""

import re
import shutil
import subprocess
import unittest

from harness import relais
from harness.sink import Sink

ME, IP, TARGET = "mail.test", "[127.0.0.1]", "relaytest@foreign.example"
ELSEWHERE = (TARGET, f"@{IP}:{TARGET}", f"@{ME}:{TARGET}", f"@a.example,@{ME}:{TARGET}")
# In each of them what stands behind the last unquoted @ is ours, or there is no domain at all: local addresses, if any.
LOCAL = (f"relaytest%foreign.example@{IP}", f"relaytest%foreign.example@{ME}", f'"{TARGET}"', '"relaytest%foreign.example"',
         f"{TARGET}@{IP}", f'"{TARGET}"@{IP}', f"{TARGET}@{ME}", "foreign.example!relaytest", f"foreign.example!relaytest@{IP}",
         f"foreign.example!relaytest@{ME}", "relaytest%foreign.example", f'"{TARGET}"@{ME}', f"@{ME}:relaytest%foreign.example@{ME}",
         f"relaytest%foreign.example%{ME}@{ME}", f'"foreign.example!relaytest"@{ME}', f"relaytest\\@foreign.example@{ME}")
SENDERS = ("", f"antispam@{ME}", f"antispam@{IP}")


class RelayForms(relais.TestCase):
    def started(self, sink, rules):
        i = self.instance(me=ME, control={"rcpthosts": ME, "smtproutes": f":127.0.0.1:{sink.port}"})
        i.add_user("antispam")
        i.add_user("postmaster")
        i.rules(rules)
        i.start("listener")
        return i

    def try_form(self, i, sender, recipient):
        """The reply to RCPT; where it is taken, the message is sent too."""
        with i.smtp() as client:
            client.line(f"MAIL FROM:<{sender}>")
            if client.expect(None).code != 250:
                return None
            client.line(f"RCPT TO:<{recipient}>")
            code = client.expect(None).code
            if code == 250:
                client.command("DATA", 354)
                client.raw(client.stuffed("Subject: form\n\nx\n"))
                client.expect(250)
            return code

    def relayed(self, sink):
        """Recipients of what went elsewhere, but for failure notices to the sender that has an address for its domain."""
        return sorted(r for m in sink.messages for r in m[1] if (m[0], r) != ("", f"antispam@{IP}"))

    def test_without_a_right(self):
        with Sink() as sink:
            i = self.started(sink, ":allow\n")
            for recipient in ELSEWHERE:
                for sender in SENDERS:
                    self.assertEqual(self.try_form(i, sender, recipient), 553, (sender, recipient))
            for n, recipient in enumerate(LOCAL):
                self.try_form(i, SENDERS[n % 3], recipient)
            i.wait_empty(60)
            self.assertEqual(self.relayed(sink), [])

    def test_with_a_right(self):
        with Sink() as sink:
            i = self.started(sink, '127.:allow,RELAYCLIENT=""\n:allow\n')
            for n, recipient in enumerate(ELSEWHERE):
                self.assertEqual(self.try_form(i, SENDERS[n % 3], recipient), 250, recipient)
            for n, recipient in enumerate(LOCAL):
                self.try_form(i, SENDERS[n % 3], recipient)
            i.wait_empty(60)
            # The route is not used: it goes straight to its end (RFC 5321, appendix C).
            self.assertEqual(self.relayed(sink), [TARGET] * len(ELSEWHERE))

    @unittest.skipUnless(shutil.which("nmap"), "no nmap (packages.txt)")
    def test_nmap(self):
        with Sink() as sink:
            i = self.started(sink, ":allow\n")
            done = subprocess.run(["nmap", "-v", "-n", "-Pn", "-sT", "-p", str(i.port), "--script", "+smtp-open-relay", "--script-args",
                                   "smtp-open-relay.domain=foreign.example,smtp-open-relay.to=relaytest,smtp-open-relay.ip=127.0.0.1",
                                   "127.0.0.1"], capture_output=True, text=True, timeout=180)
            # What it calls open is a reply to RCPT; all that were taken are addresses here, as the other tests show.
            self.assertIn("smtp-open-relay: ", done.stdout, done)
            taken = re.findall(r"RCPT TO:<(.*)>$", done.stdout, re.MULTILINE)
            self.assertLessEqual(set(taken), set(LOCAL))
            self.assertEqual(self.relayed(sink), [])


if __name__ == "__main__":
    relais.main()
