"""vacation: who has an answer, who has none, and that mail is kept whatever becomes of it."""

import concurrent.futures

from harness import relais


class Vacation(relais.TestCase):
    def started(self, options="away.txt", text="I am away.\n", **control):
        self.i = i = self.instance(control={"rcpthosts": "mail.test", **control})
        self.anna, self.bert = i.add_user("anna"), i.add_user("bert")
        self.anna.write("away.txt", text)
        self.anna.write(".qmail", f"|vacation {options}\n./Maildir/\n")
        i.start()
        return i

    def answers(self):
        return [m.decode() for m in self.bert.messages()]

    def arrived(self, count):
        self.i.wait_for(lambda: len(self.anna.messages()) == count, 60, f"{count} messages at anna's")
        self.i.wait_empty(60)

    def test_each_sender_once(self):
        i = self.started(text="Subject: away ($SUBJECT)\n\nUntil Monday. À bientôt.\n")
        for n in range(3):
            i.send("bert@mail.test", ["anna@mail.test"], f"To: Anna <ANNA@mail.test>\nSubject: n{n}\nMessage-ID: <{n}@x>\n\nhello\n")
            self.arrived(n + 1)
        (answer,) = self.answers()
        for line in ("Return-Path: <>", "Delivered-To: bert@mail.test", "From: <anna@mail.test>", "To: <bert@mail.test>", "Subject: away (n0)",
                     "In-Reply-To: <0@x>", "Auto-Submitted: auto-replied", "Content-Type: text/plain; charset=utf-8"):
            self.assertIn(f"\n{line}\n", "\n" + answer)
        self.assertTrue(answer.endswith("\n\nUntil Monday. À bientôt.\n"), answer)
        # When the note of it is gone, he may have one more.
        (self.anna.home / "away.txt.answered").unlink()
        i.send("bert@mail.test", ["anna@mail.test"], "Cc: anna@mail.test\n\nhello\n")
        self.arrived(4)
        i.wait_for(lambda: len(self.answers()) == 2, 60, "the second answer")

    def test_many_at_once_have_one(self):
        i = self.started()
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda n: i.submit("bert@mail.test", ["anna@mail.test"], f"To: anna@mail.test\n\n{n}\n"), range(12)))
        self.arrived(12)
        self.assertEqual(len(self.answers()), 1)

    def test_who_has_none(self):
        i = self.started()
        heads = ["", "To: bert@mail.test\n", "To: anna@mail.test\nPrecedence: list\n", "To: anna@mail.test\nAuto-Submitted: auto-generated\n",
                 "To: anna@mail.test\nX-Spam-Flag: YES\n"]
        for n, head in enumerate(heads):
            i.submit("bert@mail.test", ["anna@mail.test"], head + "\nhello\n")
        for sender in ("", "#@[]", "owner-x@mail.test", "anna@mail.test"):
            i.submit(sender, ["anna@mail.test"], "To: anna@mail.test\n\nhello\n")
        self.arrived(len(heads) + 4)
        self.assertEqual(self.answers(), [])
        self.assertFalse((self.anna.home / "away.txt.answered").exists())

    def test_two_who_answer_each_other(self):
        i = self.started()
        self.bert.write(".qmail", "|vacation -j -r 0 gone.txt\n./Maildir/\n")
        self.bert.write("gone.txt", "gone\n")
        i.submit("bert@mail.test", ["anna@mail.test"], "To: anna@mail.test\n\nhello\n")
        self.arrived(1)
        self.assertEqual(len(self.answers()), 1)

    def test_mail_is_kept_whatever_becomes_of_the_answer(self):
        """A table that is a directory; a text that is not there keeps the mail waiting instead."""
        i = self.started("-a other@mail.test away.txt")
        (self.anna.home / "away.txt.answered").mkdir()
        i.submit("bert@mail.test", ["anna@mail.test"], "To: other@mail.test\n\nhello\n")
        self.arrived(1)
        self.assertEqual(self.answers(), [])
        (self.anna.home / "away.txt").unlink()
        i.submit("bert@mail.test", ["anna@mail.test"], "To: anna@mail.test\n\nhello\n")
        (line,) = i.wait_log("deferral: ")
        self.assertRegex(line, r"there_is_no_away\.txt")
        self.assertEqual(len(self.anna.messages()), 1)

    def test_in_a_virtual_domain(self):
        """The public address is the one that answers."""
        i = self.started(virtualdomains="v.test:anna")
        self.anna.write(".qmail-info", "|vacation away.txt\n./Maildir/\n")
        i.submit("bert@mail.test", ["info@v.test"], "To: info@v.test\n\nhello\n")
        self.arrived(1)
        (answer,) = self.answers()
        self.assertIn("\nFrom: <info@v.test>\n", answer)


if __name__ == "__main__":
    relais.main()
