"""tls-report: what others report of TLS with our servers, as it comes by mail."""

import base64
import gzip
import json
import pathlib
import subprocess
import tempfile
import unittest

from harness import relais


def report(failures=0, **more):
    details = [{"result-type": "certificate-host-mismatch", "sending-mta-ip": "192.0.2.1", "receiving-mx-hostname": "mx.mail.test",
                "failed-session-count": failures}] if failures else []
    return json.dumps({
        "organization-name": "Far & Sons", "contact-info": "tls@far.test", "report-id": "1@far.test",
        "date-range": {"start-datetime": "2026-11-29T00:00:00Z", "end-datetime": "2026-11-29T23:59:59Z"},
        "policies": [{"policy": {"policy-type": "tlsa", "policy-domain": "mail.test"}, "failure-details": details,
                      "summary": {"total-successful-session-count": 7, "total-failure-session-count": failures}}], **more}).encode()


def by_mail(octets):
    return (b"From: tls@far.test\r\nSubject: Report Domain: mail.test\r\nContent-Type: multipart/report; report-type=tlsrpt;\r\n"
            b'\tboundary="x"\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nA report.\r\n\r\n--x\r\nContent-Type: application/tlsrpt+gzip\r\n'
            b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(gzip.compress(octets)).replace(b"\n", b"\r\n") + b"--x--\r\n")


class TlsReport(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="rltr.", dir="/tmp")))

    def file(self, content, name="report"):
        path = self.folder / name
        path.write_bytes(content)
        return path

    def run_tool(self, *arguments, stdin=b""):
        done = subprocess.run([relais.program("tls-report"), *map(str, arguments)], input=stdin, capture_output=True, timeout=120)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def test_as_mail_as_gzip_and_as_json(self):
        for content in (report(), gzip.compress(report()), by_mail(report())):
            code, out, err = self.run_tool(self.file(content))
            self.assertEqual((code, err), (0, ""), out)
            self.assertEqual(out, "Far & Sons (tls@far.test), 2026-11-29T00:00:00Z to 2026-11-29T23:59:59Z, 1@far.test: "
                                  "7 sessions encrypted, 0 failed\n  mail.test (tlsa): 7 encrypted, 0 failed\n")
            self.assertEqual(self.run_tool("-", stdin=content)[1], out)

    def test_failures_with_what_to_do(self):
        good, bad = self.file(by_mail(report()), "good"), self.file(by_mail(report(3)), "bad")
        code, out, _ = self.run_tool(good, bad)
        self.assertEqual(code, 1)
        self.assertIn("    certificate-host-mismatch: 3 sessions, from 192.0.2.1, to mx.mail.test\n        The certificate does not name", out)
        object = json.loads(self.run_tool("--json", good, bad)[1])
        self.assertEqual([r["failures"] for r in object["reports"]], [0, 3])
        self.assertEqual(object["reports"][1]["policies"][0]["details"][0]["result"], "certificate-host-mismatch")

    def test_what_is_no_report(self):
        bomb = gzip.compress(b" " * (64 << 20))
        for content, why in ((b"Subject: x\n\nhello\n", "no message that has one"), (b"{", "no JSON object"), (bomb, "larger than any report"),
                             (gzip.compress(report())[:60], "damaged or cut off"), (b"", "no message that has one"),
                             (report(**{"policies": 7}), "it has no policies")):
            code, out, err = self.run_tool(self.file(content))
            self.assertEqual((code, out), (111, ""), why)
            self.assertIn(why, err)
        # The others are read all the same.
        code, out, _ = self.run_tool(self.file(b"x", "none"), self.file(report(), "good"))
        self.assertEqual((code, out[:3]), (111, "Far"))
        self.assertEqual(self.run_tool()[0], 100)
        self.assertEqual(self.run_tool(self.folder / "nothing")[0], 111)
        self.assertEqual(self.run_tool(self.folder)[0], 111)

    def test_hostile_words(self):
        code, out, _ = self.run_tool(self.file(report(**{"organization-name": "\x1b]0;x\x07\u202e", "report-id": "a\nb"})))
        self.assertEqual(code, 0)
        self.assertEqual(out.count("\n"), 2, out)
        self.assertFalse({"\x1b", "\x07", "\u202e"} & set(out))


if __name__ == "__main__":
    relais.main()
