"""In a sanitizer build: a report of any process of an instance, wherever its standard error goes, fails the test."""

import signal

from harness import relais


class Reports(relais.TestCase):
    def test_a_report_of_a_daemon_fails_the_test(self):
        i = relais.Instance()
        self.addCleanup(i.kill_all)
        i.start_send()
        i.wait_log("status: ")
        # The sanitizer takes a signal of this kind for a wrong access.
        self.assertEqual(i.kill("qmail-send", signal.SIGSEGV), 1)
        i.wait_for(lambda: any("SUMMARY" in report.read_text() for report in relais.REPORTS.iterdir()), what="a report")
        with self.assertRaisesRegex(AssertionError, "AddressSanitizer: SEGV"):
            i.remove()


if __name__ == "__main__":
    relais.main()
