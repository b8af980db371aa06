"""What testssl.sh finds on our three kinds of TLS servers: nothing that would cost the grade A. `make test-long` scans all three, the first
for every weakness that testssl.sh knows, the others, which speak by the same code, for protocols, ciphers and what concerns their kind of key;
`make test` scans the first for protocols and ciphers."""

import concurrent.futures
import json
import os
import shutil
import subprocess

from harness import pop3
from harness import relais
import tls_test

# A busy machine is slow; testssl.sh connects some hundred times, and is a shell script.
LIMIT = 1300
# What answers later than that, it takes for an answer of another kind.
WAITS = dict.fromkeys(("MAX_WAITSOCK", "HEARTBLEED_MAX_WAITSOCK", "CCS_MAX_WAITSOCK", "STARTTLS_SLEEP"), "60")
# Below them a grade is worse than A, or may be.
HARMLESS = ("OK", "INFO", "WARN", "DEBUG")


class Scanned(tls_test.Base):
    def setUp(self):
        if not shutil.which("testssl"):
            self.skipTest("testssl.sh is not installed (packages.txt, section test)")
        super().setUp()

    def scan(self, name, port, *options):
        found = self.i.directory / f"{name}.json"
        words = ["testssl", "--quiet", "--color", "0", "--warnings", "off", "--ip", "127.0.0.1", "--jsonfile", found, *options, f"localhost:{port}"]
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=LIMIT,
                              env={**os.environ, **WAITS, "HOME": str(self.i.directory)}, cwd=self.i.directory)
        self.assertTrue(found.exists(), done)
        return {entry["id"]: entry for entry in json.loads(found.read_text())}

    def check(self, name, found, *wanted):
        with self.subTest(name):
            self.assertEqual([entry for entry in found.values() if entry["severity"] not in HARMLESS], [])
            for identity in ("TLS1_2", "TLS1_3", "cipherlist_STRONG", *wanted):
                self.assertEqual(found[identity]["severity"], "OK", found[identity])
            for identity in ("SSLv2", "SSLv3", "TLS1", "TLS1_1"):
                self.assertIn("not offered", found[identity]["finding"])

    def test_grade_a(self):
        i = self.i
        i.start(smtpd_args=("-c", "100", "--per-ip", "100"))
        # What a scanner does to one server looks like many clients at once.
        smtps = relais.free_port()
        tls_test.make_certificate(i.home / "control/servercerts/localhost.pem", "localhost", "rsa")
        i.spawn("smtps", [relais.program("qmail-smtpd"), "-l", f"127.0.0.1:{smtps}", "--tls", "-c", "100", "--per-ip", "100"],
                i.ids("qmaild") if i.single else None)
        pop3s = pop3.start_server(i, name="pop3s", popup=("--tls",))
        i.wait_for(lambda: tls_test.openssl("s_client", "-connect", f"127.0.0.1:{smtps}", "-brief", stdin="QUIT\n").count("TLSv1.3"), LIMIT, "TLS")
        scans = {"25": (i.port, "-t", "smtp", "-p", "-s", *(("-f", "-U") if relais.LONG else ()))}
        if relais.LONG:
            scans |= {"465": (smtps, "-p", "-s", "-R", "-BB"), "995": (pop3s, "-p", "-s")}
        with concurrent.futures.ThreadPoolExecutor() as pool:
            running = {name: pool.submit(self.scan, name, *scan) for name, scan in scans.items()}
        weaknesses = ("heartbleed", "CCS", "secure_renego", "secure_client_renego", "CRIME_TLS", "POODLE_SSL", "SWEET32", "FREAK", "LOGJAM", "BEAST",
                      "LUCKY13", "RC4", "PFS")
        self.check("25", running["25"].result(), *(weaknesses if relais.LONG else ()))
        if relais.LONG:
            self.check("465", running["465"].result(), "secure_renego", "secure_client_renego", "ROBOT")
            self.check("995", running["995"].result())


if __name__ == "__main__":
    relais.main()
