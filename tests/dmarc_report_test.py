"""dmarc-report: what others report of mail in our name."""

import base64
import gzip
import io
import json
import os
import pathlib
import subprocess
import tempfile
import unittest
import zipfile

from harness import relais

ROW = """<record><row><source_ip>{ip}</source_ip><count>{count}</count><policy_evaluated><disposition>none</disposition><dkim>{dkim}</dkim>
<spf>fail</spf></policy_evaluated></row><identifiers><header_from>mail.test</header_from></identifiers><auth_results><spf>
<domain>bulk.test</domain><result>pass</result></spf></auth_results></record>"""


def report(*rows, organization="Far &amp; Sons"):
    return ("<?xml version=\"1.0\"?>\n<feedback><report_metadata><org_name>" + organization + "</org_name><email>d@far.test</email>"
            "<report_id>1</report_id><date_range><begin>1764460800</begin><end>1764547199</end></date_range></report_metadata>"
            "<policy_published><domain>mail.test</domain><p>none</p></policy_published>"
            + "".join(ROW.format(ip=ip, count=count, dkim=dkim) for ip, count, dkim in rows) + "</feedback>\n").encode()


def zipped(content, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("far.test!mail.test!1!2.xml", content)
    return out.getvalue()


def by_mail(octets, kind="application/zip"):
    return (b"From: d@far.test\r\nSubject: Report Domain: mail.test\r\nContent-Type: " + kind.encode() + b"\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(octets).replace(b"\n", b"\r\n"))


class Read(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="rldr.", dir="/tmp")))

    def read(self, *contents, options=(), more=()):
        paths = []
        for content in contents:
            paths.append(self.folder / str(len(paths)))
            paths[-1].write_bytes(content)
        done = subprocess.run([relais.program("dmarc-report"), *options, *paths, *more], capture_output=True, timeout=120)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def test_every_form_says_the_same(self):
        xml = report(("192.0.2.1", 7, "pass"))
        _, expected, _ = self.read(xml)
        self.assertEqual(expected, """Far & Sons (d@far.test), 2025-11-30 00:00 to 2025-11-30 23:59, 1: mail.test (p=none), 7 messages, 7 pass

domain     address    messages  pass  DKIM  SPF  stopped  from        to          reporters   whose
mail.test  192.0.2.1         7     7     7    0        0  2025-11-30  2025-11-30  Far & Sons  bulk.test
""")
        for content in (gzip.compress(xml), zipped(xml), zipped(xml, zipfile.ZIP_STORED), by_mail(zipped(xml)),
                        by_mail(gzip.compress(xml), "application/octet-stream")):
            self.assertEqual(self.read(content), (0, expected, ""))

    def test_several_reports_are_one_table(self):
        code, out, _ = self.read(report(("192.0.2.1", 7, "pass"), ("192.0.2.9", 2, "fail")), report(("192.0.2.9", 3, "fail")))
        self.assertEqual(code, 1)
        self.assertEqual([line.split()[1:4] for line in out.splitlines()[-2:]], [["192.0.2.9", "5", "0"], ["192.0.2.1", "7", "7"]])
        object = json.loads(self.read(report(("192.0.2.9", 2, "fail")), options=["--json"])[1])
        self.assertEqual(object["sources"][0]["whose"], ["bulk.test"])
        self.assertEqual(object["reports"][0]["rows"][0]["spf_results"], [{"domain": "bulk.test", "scope": "", "result": "pass"}])

    def test_what_is_no_report(self):
        laughs = b'<?xml version="1.0"?><!DOCTYPE feedback [<!ENTITY a "ha">]><feedback>&a;</feedback>'
        for content, why in ((b"Subject: x\n\nhello\n", "no message that has one"), (laughs, "document type"), (b"<feedback>", "XML is wrong in line 1"),
                             (zipped(b" " * (64 << 20)), "larger than any report"), (gzip.compress(report())[:60], "damaged or cut off")):
            code, out, err = self.read(content)
            self.assertEqual((code, out), (111, ""), why)
            self.assertIn(why, err)
        self.assertEqual(subprocess.run([relais.program("dmarc-report")], capture_output=True, timeout=120).returncode, 100)

    def test_one_that_is_bad_keeps_no_other_from_being_told(self):
        os.mkfifo(self.folder / "pipe")
        names = [self.folder / "nothing", self.folder, self.folder / "pipe"]
        code, out, err = self.read(b"x", report(("192.0.2.1", 1, "pass")), zipped(report(("192.0.2.2", 2, "pass"))), more=names)
        self.assertEqual((code, out[:3], out.splitlines()[-1].split()[1]), (111, "Far", "192.0.2.1"), out)
        for name, why in ((names[0], "No such file"), (names[1], "Is a directory"), (names[2], "no plain file"), ("0", "no message")):
            self.assertRegex(err, f"unable to use [^\n]*{name}: [^\n]*{why}")
        self.assertEqual(err.count("\n"), 4)

    def test_together_they_have_limits(self):
        # Of 32 MB each, which half a file of the second hundred is beyond.
        large = report(("192.0.2.1", 1, "pass")) + b" " * (31 << 20)
        code, out, err = self.read(*[large] * 5)
        self.assertEqual((code, out.count("\nFar") + 1), (111, 4), err)
        self.assertRegex(err, "unable to use [^\n]*/4: [^\n]*File too large")

    def test_hostile_words(self):
        code, out, _ = self.read(report(("&#10;x", 1, "pass"), organization="&#x9b;2J&#x202e;"))
        self.assertEqual((code, out.count("\n")), (0, 4), out)
        self.assertFalse({"\x9b", "\u202e"} & set(out))


if __name__ == "__main__":
    relais.main()
