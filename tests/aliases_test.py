"""control/aliases: a file of aliases in sendmail's form, newaliases, and mail that goes by it."""

import os
import unittest

from harness import relais


class AliasTest(relais.TestCase):
    def setUp(self):
        self.i = self.instance()
        self.anna, self.bob = self.i.add_user("anna"), self.i.add_user("bob")
        self.source = self.i.directory / "aliases"
        for name in ("root", "postmaster", "mailer-daemon"):
            (self.i.home / f"alias/.qmail-{name}").unlink()

    def aliases(self, text, code=0, program="newaliases", *arguments):
        self.i._write(self.source, text)
        self.i.control("aliases", str(self.source))
        result = self.i.run(program, *arguments)
        self.assertEqual(result.code, code, result)
        return result.out + result.err

    def got(self, user, count):
        return [message.decode() for message in user.wait_messages(count)]

    def send(self, to, text="x", sender="s@x.test"):
        self.assertEqual(self.i.submit(sender, [to], f"Subject: {text}\n\n{text}\n"), 0)


class Mail(AliasTest):
    def test_mail_goes_by_the_aliases(self):
        names = self.i.directory / "names"
        names.write_text("# us\nanna, bob@mail.test\n")
        out = self.i.directory / "out"
        out.mkdir()
        out.chmod(0o777)
        self.assertIn("5 aliases", self.aliases(
            f"postmaster: root\nroot: anna,\n  Bob <bob@mail.test>\nteam: :include:{names}\nowner-team: bob\n"
            f"prog: \"|cat >{out}/message; id -u >{out}/uid\"\n"))
        self.i.start(smtpd=None)
        self.send("Postmaster@mail.test", "one")
        for user in (self.anna, self.bob):
            self.assertIn("Delivered-To: Postmaster@mail.test", self.got(user, 1)[0])
        self.send("team@mail.test", "two")
        for user in (self.anna, self.bob):
            found = [m for m in self.got(user, 2) if "Subject: two" in m]
            self.assertIn("Return-Path: <owner-team@mail.test>", found[0])
        self.send("prog@mail.test", "three")
        self.i.wait_for(lambda: (out / "uid").exists() and (out / "uid").read_text(), 20, "the program")
        message = (out / "message").read_text()
        self.assertTrue(message.startswith("From s@x.test "), message)
        self.assertIn("Subject: three", message)
        self.assertEqual(int((out / "uid").read_text()), self.i.ids("alias")[0] if relais.IS_ROOT else os.geteuid())
        self.i.wait_empty()

    def test_users_and_qmail_files_come_first_and_a_file_for_the_rest_last(self):
        self.aliases("anna: bob\ninfo: bob\nsales: bob\n")
        self.i._write(self.i.home / "alias/.qmail-info", "&anna\n")
        self.i._write(self.i.home / "alias/.qmail-default", "&anna\n")
        self.i.start(smtpd=None)
        for to in ("anna", "info", "other", "sales"):
            self.send(f"{to}@mail.test", to)
        subjects = lambda user, count: sorted(m.split("Subject: ")[1].split("\n")[0] for m in self.got(user, count))
        self.assertEqual(subjects(self.bob, 1), ["sales"])
        self.assertEqual(subjects(self.anna, 3), ["anna", "info", "other"])

    def test_without_the_file_of_the_aliases_mail_waits(self):
        self.i.control("aliases", str(self.source))
        self.i.start(smtpd=None)
        self.send("sales@mail.test")
        self.i.wait_log("Unable_to_look_into_the_aliases")
        self.assertEqual(len(self.i.queue_files()), 1)
        self.aliases("sales: anna\n")
        self.i.kill("qmail-send", 14)  # SIGALRM
        self.got(self.anna, 1)
        self.send("nobody@mail.test", sender="bob@mail.test")
        self.assertIn("no mailbox here by that name", self.got(self.bob, 1)[0])

    def test_a_list_that_names_programs_or_files_is_not_obeyed(self):
        names = self.i.directory / "names"
        self.aliases(f"team: :include:{names}, anna\n")
        self.i.start(smtpd=None)
        for number, text in enumerate((f"|touch {self.i.directory}/evil", "/etc/passwd", ":include:/etc/passwd"), 1):
            names.write_text(text + "\n")
            self.send("team@mail.test")
            self.i.wait_log("a_line_of_it_is_no_address", count=number)
        self.assertFalse((self.i.directory / "evil").exists())
        self.assertEqual(self.anna.files(), [])

    def test_a_loop_through_the_queue_ends(self):
        self.aliases("a: \\b\nb: \\a\n")
        self.i.start(smtpd=None)
        self.send("a@mail.test", sender="bob@mail.test")
        self.assertIn("This message is looping", self.got(self.bob, 1)[0])
        self.i.wait_empty()

    def test_strangers_may_write_to_an_alias_and_to_nobody_else(self):
        self.aliases("sales: anna\n")
        self.i.control("recipientcheck", "on")
        self.i.start()
        with self.i.smtp() as client:
            client.command("MAIL FROM:<a@far.test>")
            client.command("RCPT TO:<sales@mail.test>")
            client.command("RCPT TO:<none@mail.test>", 550)

    def test_the_tools_tell_of_it(self):
        self.aliases("sales: anna\n")
        told = self.i.run("route-explain", "sales@mail.test")
        self.assertIn("fastforward -d", told.out, told)


class NewAliases(AliasTest):
    def test_names_it_goes_by(self):
        for program, *arguments in (("newaliases",), ("sendmail", "-bi"), ("newaliases", "-v")):
            self.assertIn("1 aliases", self.aliases("a: b\n", 0, program, *arguments))

    def test_doctor_tells_of_an_old_table_and_qmailctl_makes_it(self):
        self.i.control("aliases", str(self.source))
        self.i._write(self.source, "a: anna\n")
        check = lambda: self.i.run("qmail-setup", "--check", self.i.home).out
        self.assertIn("aliases.cdb is missing, and control/aliases is there", check())
        self.assertEqual(self.i.run("qmailctl", "cdb", self.i.home).code, 0)
        self.assertNotIn("aliases.cdb", check())
        later = (self.i.home / "users/aliases.cdb").stat().st_mtime + 10
        os.utime(self.source, (later, later))
        self.assertIn(f"aliases.cdb is older than {self.source}", check())

    def test_without_control_aliases_there_is_none(self):
        result = self.i.run("newaliases")
        self.assertEqual(result.code, 100)
        self.assertIn("there is no alias database to build", result.err)

    def test_a_line_that_cannot_be_read_changes_nothing(self):
        self.aliases("a: anna\n")
        table = self.i.home / "users/aliases.cdb"
        before = table.read_bytes()
        for text, why in (("a: b\nc\n", "line 2: it has no colon"), ("a: /etc/passwd\n", "line 1: mail is delivered into files"),
                          ("a: a\n", "leads to itself"), ("x: \"|\"\n", "without a command")):
            self.assertIn(why, self.aliases(text, 100))
            self.assertEqual(table.read_bytes(), before)

    def test_a_file_that_others_may_write_is_refused(self):
        self.aliases("a: anna\n")
        self.source.chmod(0o664)
        self.assertIn("others than root and alias may write", self.i.run("newaliases").err)
        self.source.chmod(0o644)
        if relais.IS_ROOT and not self.i.single:
            os.chown(self.source, self.bob.uid, self.bob.gid)
            self.assertEqual(self.i.run("newaliases").code, 100)
        self.source.unlink()
        os.mkfifo(self.source)
        self.assertIn("not a plain file", self.i.run("newaliases").err)
        self.source.unlink()
        self.assertEqual(self.i.run("newaliases").code, 111)

    @unittest.skipUnless(relais.IS_ROOT, "needs several users")
    def test_an_ordinary_user_cannot(self):
        self.aliases("a: anna\n")
        result = self.i.run("newaliases", user=self.bob)
        self.assertEqual(result.code, 111, result)
        self.assertIn("run this as root", result.err)


if __name__ == "__main__":
    relais.main()
