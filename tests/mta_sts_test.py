"""MTA-STS (RFC 8461): qmail-remote and qmail-stsd against web servers with policies and mail servers with TLS, in a network of
their own; and mta-sts, which makes a policy."""

from harness import namespace

namespace.enter()

import http.server
import pathlib
import shutil
import ssl
import tempfile
import threading

from dane_test import key_digest
from harness import dns
from harness import relais
from harness.tls_peers import Authority, TlsServer
from remote_test import RemoteCase
from requiretls_test import ASKING, OFFERING
from rspawn_test import Spawner

SECURED = "Encrypted: TLSv1.3, TLS_AES_256_GCM_SHA384"
VERIFIED = SECURED + ", certificate verified by MTA-STS"
UNVERIFIED = SECURED + ", certificate not verified"
WEB = "127.0.0.41"
# Domains below test. and their MX: good-host has a right certificate, own-host none that anybody vouches for, plain-host no TLS.
DOMAINS = {
    "good": "good-host", "wild": "good-host", "unnamed": "good-host", "own": "own-host", "plain": "plain-host", "testing": "own-host",
    "off": "own-host", "redirect": "own-host", "missing": "own-host", "html": "own-host", "large": "own-host", "broken": "own-host",
    "norecord": "own-host", "tworecords": "own-host", "nohost": "own-host", "misnamed": "own-host", "changing": "good-host",
    "short": "own-host", "dane": "tlsa-host", "danewrong": "wrong-host", "second": "own-host",
}


def policy(*servers, mode="enforce", max_age=86400):
    return "".join(f"{line}\r\n" for line in ("version: STSv1", f"mode: {mode}", *(f"mx: {s}" for s in servers), f"max_age: {max_age}"))


class Web:
    """A web server with policies: {host: text, or (status, headers, text)}."""

    def __init__(self, certificate, pages):
        self.pages, self.asked = pages, []
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                web.asked.append(self.headers["Host"])
                page = web.pages.get(self.headers["Host"]) if self.path == "/.well-known/mta-sts.txt" else None
                status, headers, text = (404, {}, "") if page is None else page if isinstance(page, tuple) else (200, {"Content-Type": "text/plain; charset=utf-8"}, page)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate.cert, certificate.key)
        self.start(Handler)

    def start(self, handler=None):
        self.handler = handler or self.handler
        self.server = http.server.ThreadingHTTPServer((WEB, 443), self.handler)
        self.server.socket = self.context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(30)


class MtaSts(RemoteCase):
    @classmethod
    def setUpClass(cls):
        namespace.require()
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="rlsts.", dir="/tmp"))
        cls.directory.chmod(0o755)
        cls.authority = Authority(cls.directory / "ca")
        cls.good = cls.authority.certificate("good-host.test")
        cls.own = cls.authority.self_signed("own-host.test")
        cls.web = cls.authority.certificate(*(f"mta-sts.{d}.test" for d in DOMAINS if d != "misnamed"), "mta-sts.outside.example")
        cls.port = relais.free_port()
        zone = ["good-host A 127.0.0.21", "own-host A 127.0.0.22", "plain-host A 127.0.0.23", "tlsa-host A 127.0.0.22", "wrong-host A 127.0.0.21",
                f"_{cls.port}._tcp.tlsa-host TLSA 3 1 1 {key_digest(cls.own)}", f"_{cls.port}._tcp.wrong-host TLSA 3 1 1 {'ab' * 32}",
                "second MX 20 good-host", '_mta-sts.tworecords TXT "v=STSv1; id=2"']
        for domain, host in DOMAINS.items():
            zone.append(f"{domain} MX 10 {host}")
            if domain != "norecord":
                zone.append(f'_mta-sts.{domain} TXT "v=STSv1; id=1"')
            if domain != "nohost":
                zone.append(f"mta-sts.{domain} A {WEB}")
        outside = f'outside MX 10 mx.outside\nmx.outside A 193.0.14.1\n_mta-sts.outside TXT "v=STSv1; id=1"\nmta-sts.outside A {WEB}\n'
        cls.zone = "\n".join(zone) + "\n"
        cls.nsd = dns.Nsd({"test": cls.zone, "example": outside}, signed=("test",))

    @classmethod
    def tearDownClass(cls):
        cls.nsd.stop()
        shutil.rmtree(cls.directory)

    def setUp(self):
        self.servers = {}
        for last, options in ((21, {"certificate": self.good}), (22, {"certificate": self.own}), (23, {"starttls": False})):
            self.servers[last] = TlsServer(address=f"127.0.0.{last}", port=self.port, **options)
            self.addCleanup(self.servers[last].stop)
        pages = {
            "good": policy("good-host.test"), "wild": policy("*.test"), "unnamed": policy("other-host.test"), "own": policy("own-host.test"),
            "plain": policy("plain-host.test"), "testing": policy("good-host.test", mode="testing"), "off": policy(mode="none"),
            "redirect": (301, {"Location": "https://mta-sts.good.test/.well-known/mta-sts.txt"}, ""),
            "html": (200, {"Content-Type": "text/html"}, policy("good-host.test")), "large": policy("good-host.test") + "x: y\r\n" * 12000,
            "broken": "version: STSv1\nmode: enforce\n", "norecord": policy("good-host.test"), "tworecords": policy("good-host.test"),
            "misnamed": policy("good-host.test"), "changing": policy("good-host.test"), "short": policy("good-host.test", max_age=3),
            "dane": policy("good-host.test"), "danewrong": policy("good-host.test", "wrong-host.test"), "second": policy("good-host.test"),
        }
        self.pages = {f"mta-sts.{domain}.test": page for domain, page in pages.items()}
        self.site = Web(self.web, self.pages)
        self.addCleanup(lambda: self.site.thread.is_alive() and self.site.stop())

    def made(self, start=True, **control):
        i = self.instance(control={"dnsservers": self.nsd.server, "mtasts": "1", "mtastsca": "test-ca.pem", "smtproutes": f"::{self.port}",
                                   "privatemx": ".test", "timeoutremote": "30", "timeoutdns": "10", **control})
        i.control("test-ca.pem", self.authority.root.cert.read_bytes())
        if start:
            i.start(smtpd=None)
        return i

    def assert_goes(self, i, domain, words):
        report = self.remote(i, f"{domain}.test")
        self.assertEqual((report.letter, report.recipients), ("K", [("r", "")]), f"{domain}: {report}")
        self.assertEqual(report.text.splitlines()[-1], words, f"{domain}: {report}")
        return report

    def assert_waits(self, i, domain, *parts):
        before = {last: len(server.messages) for last, server in self.servers.items()}
        report = self.remote(i, f"{domain}.test")
        self.assertEqual((report.letter, report.recipients), ("Z", []), f"{domain}: {report}")
        for part in parts:
            self.assertIn(part, report.text, domain)
        self.assertEqual({last: len(server.messages) for last, server in self.servers.items()}, before, domain)

    def test_what_is_enforced(self):
        i = self.made()
        self.assert_goes(i, "good", VERIFIED)
        self.assert_goes(i, "wild", VERIFIED)
        self.assertTrue(self.assert_goes(i, "second", VERIFIED).text.startswith("127.0.0.21 "))
        self.assert_waits(i, "unnamed", "the policy of unnamed.test (MTA-STS, enforce) does not name its server good-host.test", "(#4.7.5)")
        self.assert_waits(i, "own", "the connection could not be secured: its certificate is self-signed (CN=own-host.test). (#4.7.5)")
        self.assert_waits(i, "plain", "TLS is required (the policy of plain.test, MTA-STS, says so) and it does not offer STARTTLS. (#4.7.10)")

    def test_what_is_not(self):
        i = self.made()
        for domain in ("testing", "off", "redirect", "missing", "html", "large", "broken", "norecord", "tworecords", "nohost", "misnamed"):
            self.assert_goes(i, domain, UNVERIFIED)
        self.assertFalse({"mta-sts.norecord.test", "mta-sts.tworecords.test", "mta-sts.misnamed.test"} & set(self.site.asked))
        self.assertNotIn("mta-sts.good.test", self.site.asked)
        log = "\n".join(i.log("send"))
        for said in ("redirect.test: no policy from https://mta-sts.redirect.test: the server answers 301",
                     "missing.test: no policy from https://mta-sts.missing.test: the server answers 404",
                     "html.test: no policy from https://mta-sts.html.test: what the server has is no text/plain",
                     "large.test: no policy from https://mta-sts.large.test: the policy has more than 65536 octets",
                     "broken.test: what https://mta-sts.broken.test has is no policy", "nohost.test: mta-sts.nohost.test has no address"):
            self.assertIn(f"warning: {said}", log)
        # A line of the administrator goes first, and the switch before all.
        i.control("tlsdestinations", "own.test:encrypt")
        self.assert_goes(i, "own", UNVERIFIED)
        i.control("tlsdestinations", None)
        i.control("mtasts", None)
        self.assert_goes(i, "own", UNVERIFIED)

    def test_a_policy_is_kept(self):
        i = self.made()
        self.assert_waits(i, "own", "self-signed")
        self.assert_waits(i, "short", "does not name its server")
        asked = list(self.site.asked)
        self.assert_waits(i, "own", "self-signed")
        self.assertEqual(self.site.asked, asked)
        self.site.stop()
        i.kill("qmail-stsd", 15)
        # As long as it lasts, also over a restart; then the domain is as one without.
        self.assert_waits(i, "own", "self-signed")
        i.wait_for(lambda: self.remote(i, "short.test").letter == "K", what="the end of a policy that nobody serves any more")
        self.assert_waits(i, "own", "self-signed")

    def test_a_policy_that_changes(self):
        i = self.made()
        self.assert_goes(i, "changing", VERIFIED)
        self.pages["mta-sts.changing.test"] = policy("other-host.test")
        self.assert_goes(i, "changing", VERIFIED)  # the record in DNS has not changed
        changed = dns.Nsd({"test": self.zone.replace('_mta-sts.changing TXT "v=STSv1; id=1"', '_mta-sts.changing TXT "v=STSv1; id=2"')
                           .replace('_mta-sts.good TXT "v=STSv1; id=1"', '_mta-sts.good TXT "v=STSv1; id=2"')})
        self.addCleanup(changed.stop)
        self.assert_goes(i, "good", VERIFIED)
        self.pages["mta-sts.good.test"] = (500, {}, "")
        i.control("dnsservers", changed.server)
        i.wait_for(lambda: self.remote(i, "changing.test").letter == "Z", what="the new policy")
        self.assert_waits(i, "changing", "does not name its server good-host.test")
        # What cannot be fetched leaves what is known.
        self.assert_goes(i, "good", VERIFIED)
        self.assertIn("good.test: no policy from https://mta-sts.good.test: the server answers 500", "\n".join(i.log("send")))

    def test_a_policy_vouches_for_the_servers_of_a_message_with_requiretls(self):
        i = self.made(requiretls="1")
        self.servers[21].hello_in_tls = OFFERING
        spawner = Spawner(i)
        self.addCleanup(spawner.close)
        for domain, outcome, status in (("good", "r", ""), ("testing", "h", "5.7.10"), ("off", "h", "5.7.10"), ("norecord", "h", "5.7.10")):
            report = spawner.deliver(host=f"{domain}.test", recipients=(f"you@{domain}.test",), extension=ASKING)
            self.assertEqual((report.recipients[0][0], report.details[0][0] if status else ""), (outcome, status), report)
        self.pages["mta-sts.wild.test"] = policy("*.test", mode="testing")
        report = spawner.deliver(host="wild.test", recipients=("you@wild.test",), extension=ASKING)
        self.assertEqual(report.recipients[0][0], "r", report)

    def test_dane_goes_first(self):
        i = self.made(dane="1", dnsanchors=self.nsd.anchors)
        self.assert_goes(i, "dane", SECURED + ", certificate verified by DANE")
        self.assert_waits(i, "danewrong", "fits no TLSA record")
        self.assert_goes(i, "good", VERIFIED)

    def test_without_qmail_stsd_nothing_is_guessed(self):
        i = self.made(start=False)
        dns.start_resolver(i)
        self.assert_waits(i, "good", "couldn't find out whether good.test has a policy (MTA-STS): qmail-stsd does not answer. (#4.3.0)")
        # A route goes where the administrator says.
        i.control("smtproutes", f":own-host.test:{self.port}")
        self.assert_goes(i, "own", UNVERIFIED)

    def test_what_route_explain_says(self):
        i = self.made()
        for address, words in (("you@good.test", "the policy of good.test, enforce, until .*: good-host.test"),
                               ("you@testing.test", "the policy of testing.test, testing, until .*: good-host.test"),
                               ("you@norecord.test", "none: there is no record of a policy in DNS"),
                               ("you@outside.example", "none: mta-sts.outside.example has private addresses alone")):
            self.assertRegex(i.run("route-explain", address).out, rf"(?m)^  MTA-STS +{words}$")
        out = i.run("route-explain", "you@unnamed.test").out
        self.assertRegex(out, "problem: the policy of unnamed.test .* names none of its servers")
        self.assertIn('"mode": "enforce"', i.run("route-explain", "--json", "you@good.test").out)


class Tool(relais.TestCase):
    def test_make_and_check(self):
        i = self.instance()
        made = i.run("mta-sts", "make", "--mx", "mail.example.org", "--mx", "*.example.net", "example.org")
        self.assertEqual(made.code, 0, made)
        self.assertIn("version: STSv1\nmode: testing\nmx: mail.example.org\nmx: *.example.net\nmax_age: 1209600\n", made.out)
        self.assertRegex(made.out, r'(?m)^_mta-sts\.example\.org\. TXT "v=STSv1; id=\d{14}"$')
        path = i.directory / "policy"
        self.assertEqual(i.run("mta-sts", "make", "--mode", "enforce", "--max-age", "86400", "--file", path, "--mx", "a.example", "example.org").code, 0)
        self.assertEqual(path.read_bytes(), policy("a.example").encode())
        checked = i.run("mta-sts", "check", path)
        self.assertEqual((checked.code, checked.out), (0, "mode enforce, for 86400 seconds, servers: a.example\n"))
        path.write_text("version: STSv1\n")
        self.assertEqual(i.run("mta-sts", "check", path).code, 1)
        for words in (["make", "example.org"], ["make", "--mx", "*", "example.org"], ["make", "--mode", "strict", "--mx", "a.b", "example.org"],
                      ["make", "--mx", "a.b", "nodomain"], ["check"], []):
            self.assertEqual(i.run("mta-sts", *words).code, 100, words)
        self.assertEqual(i.run("mta-sts", "check", i.directory / "nothing").code, 111)


if __name__ == "__main__":
    relais.main()
