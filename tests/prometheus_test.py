"""A real Prometheus reads the counters, and takes the rules for alerts; each query of the dashboard finds a series.
It fetches Debian's prometheus (19 MB): `make test-prometheus`."""

import json
import os
import re
import subprocess
import tempfile
import urllib.parse
import urllib.request

from harness import peers
from harness import relais

SHARE = relais.ROOT / "metrics/share"


class Prometheus(relais.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tree = peers.fetch("prometheus", "prometheus")

    def promtool(self, *words, input=None):
        done = subprocess.run([self.tree.program("promtool"), *map(str, words)], input=input, capture_output=True, text=True,
                              env={**os.environ, **self.tree.environment})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_the_rules_are_rules(self):
        self.assertIn("9 rules found", self.promtool("check", "rules", SHARE / "relais.rules.yml"))

    def test_the_text_is_as_it_should_be(self):
        i = self.instance().start()
        self.assertEqual(self.promtool("check", "metrics", input=i.run("qmail-metrics", "--once").out), "")

    def test_it_scrapes_and_each_query_has_a_series(self):
        address = f"127.0.0.1:{relais.free_port()}"
        i = self.instance(control={"metricsaddress": address})
        bob = i.add_user("bob")
        i.start()
        for _ in range(5):
            i.send("a@b.example", ["bob@mail.test"], "Subject: x\n\nx\n")
        bob.wait_messages(5)
        with tempfile.TemporaryDirectory() as place:
            port = relais.free_port()
            with open(f"{place}/prometheus.yml", "w") as config:
                config.write(f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{SHARE}/relais.rules.yml]\n"
                             f"scrape_configs: [{{job_name: relais, static_configs: [{{targets: ['{address}']}}]}}]\n")
            i.spawn("prometheus", [self.tree.program("prometheus"), f"--config.file={place}/prometheus.yml", f"--storage.tsdb.path={place}/data",
                                   f"--web.listen-address=127.0.0.1:{port}"], env=self.tree.environment)

            def query(expression):
                words = urllib.parse.urlencode({"query": expression})
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?{words}", timeout=20) as answer:
                    return json.load(answer)["data"]["result"]

            def seen():
                try:
                    return query('relais_smtp_messages_total{service="smtp"}')[0]["value"][1] == "5"
                except (OSError, IndexError):
                    return False
            i.wait_for(seen, 60, "five messages in Prometheus")
            # rate needs two of them.
            i.wait_for(lambda: query("rate(relais_smtp_messages_total[1m])"), 60, "a rate")
            panels = json.loads((SHARE / "relais-dashboard.json").read_text())["panels"]
            self.assertGreaterEqual(len(panels), 12)
            for panel in panels:
                for target in panel["targets"]:
                    expression = target["expr"].replace("$instance", ".*")
                    expression = re.sub(r" > 0$", "", expression)
                    self.assertTrue(query(expression), expression)
            self.assertEqual(query('up{job="relais"}')[0]["value"][1], "1")
            i.kill("prometheus", 15)
            i.wait_for(lambda: not i.processes("prometheus"), 60, "the end of Prometheus")


if __name__ == "__main__":
    relais.main()
