"""qmail-user: mailbox, .qmail file and account in one step, made and removed as the user whose they are."""

import os
import unittest

from harness import relais

PASSWORD = "correct-horse-7"


class QmailUser(relais.TestCase):
    def made(self):
        i = self.instance(control={"locals": "mail.test", "rcpthosts": "mail.test\nvirtual.test", "virtualdomains": "virtual.test:keeper-virtual.test",
                                   "defaultdomain": "mail.test"})
        self.keeper = i.add_user("keeper")
        self.ann = i.add_user("ann", maildir=False)
        return i

    def add(self, i, *words, code=0):
        done = i.run("qmail-user", "add", *words, input=f"{PASSWORD}\n")
        self.assertEqual(done.code, code, done)
        return done

    def assert_owned(self, path, user):
        for each in (path, path / "tmp", path / "new", path / "cur"):
            self.assertEqual((each.stat().st_uid, each.stat().st_mode & 0o777), (user.uid, 0o700), each)

    def test_a_user_of_a_local_domain(self):
        i = self.made()
        done = self.add(i, "Ann")
        self.assertEqual(done.out, f"made {self.ann.home}/Maildir\nadded ann@mail.test\n")
        self.assert_owned(self.ann.home / "Maildir", self.ann)
        self.assertFalse((self.ann.home / ".qmail").exists())
        self.assertEqual(self.add(i, "ann@mail.test").out, "changed ann@mail.test\n")
        self.assertEqual(i.run("qmail-user", "list").out, f"ann@mail.test  {self.ann.home}/Maildir\n")

    def test_a_virtual_domain_with_forward_list_and_removal(self):
        i = self.made()
        self.add(i, "bert.b@Virtual.test")
        self.add(i, "sales@virtual.test", "--forward", "bert.b@virtual.test", "--forward", "ann@mail.test")
        maildir = self.keeper.home / "mail/virtual.test/bert.b"
        self.assert_owned(maildir, self.keeper)
        file = self.keeper.home / ".qmail-virtual:test-bert:b"
        self.assertEqual((file.read_text(), file.stat().st_uid), ("./mail/virtual.test/bert.b/\n", self.keeper.uid))
        self.assertEqual((self.keeper.home / ".qmail-virtual:test-sales").read_text(), "&bert.b@virtual.test\n&ann@mail.test\n")
        self.assertEqual(i.run("qmail-user", "list", "virtual.test").out, f"bert.b@virtual.test  {maildir}\n")
        self.assertIn("is delivered here, to keeper: maildir ./mail/virtual.test/bert.b/", i.run("route-explain", "bert.b@virtual.test").out)
        i.start()
        i.send("a@client.example", ["sales@virtual.test"], "Subject: x\n\nx\n")
        i.wait_for(lambda: list((maildir / "new").iterdir()), 30, "a message")
        done = i.run("qmail-user", "remove", "bert.b@virtual.test")
        self.assertEqual((done.code, done.out), (0, f"removed {file}\nkept {maildir}\ndeleted bert.b@virtual.test\n"))
        done = i.run("qmail-user", "remove", "bert.b@virtual.test", "--mail")
        self.assertEqual((done.code, done.out), (0, f"removed {maildir} with its mail\n"))
        self.assertEqual(i.run("qmail-user", "remove", "bert.b@virtual.test").code, 1)
        self.assertEqual(i.run("qmail-user", "remove", "sales@virtual.test").code, 0)
        self.assertFalse((self.keeper.home / ".qmail-virtual:test-sales").exists())

    def test_an_instance_of_one_user(self):
        """Whoever is added there gets a mailbox of that user's."""
        i = self.instance(single=True, control={"locals": "mail.test", "rcpthosts": "mail.test", "defaultdomain": "mail.test"})
        maildir, file = i.home / "alias/mail/mail.test/bert", i.home / "alias/.qmail-bert"
        self.assertEqual(self.add(i, "bert").out, f"made {maildir}\nmade {file}\nadded bert@mail.test\n")
        self.assertEqual({path.stat().st_uid for path in (maildir, file)}, {i.home.stat().st_uid})
        i.start()
        i.send("a@client.example", ["bert@mail.test"], "Subject: x\n\nx\n")
        i.wait_for(lambda: list((maildir / "new").iterdir()), 30, "a message")

    def test_nobody_of_the_system_gets_a_mailbox_of_alias(self):
        i = self.made()
        self.add(i, "info@mail.test")
        self.assertEqual((i.home / "alias/.qmail-info").read_text(), "./mail/mail.test/info/\n")
        i.start()
        i.send("a@client.example", ["info@mail.test"], "Subject: x\n\nx\n")
        i.wait_for(lambda: list((i.home / "alias/mail/mail.test/info/new").iterdir()), 30, "a message")

    def test_refusals(self):
        i = self.made()
        self.assertIn("elsewhere.test is not delivered here: put it into control/locals", self.add(i, "x@elsewhere.test", code=100).err)
        for wrong in ("@mail.test", "x y@mail.test", "x/../y@mail.test", "x;y@mail.test", ".x@mail.test"):
            self.assertEqual(i.run("qmail-user", "add", wrong, input=PASSWORD).code, 100, wrong)
        self.keeper.write(".qmail-virtual:test-x", "|a-program\n")
        self.assertIn("has other instructions: they stay", self.add(i, "x@virtual.test", code=100).err)
        self.assertEqual((self.keeper.home / ".qmail-virtual:test-x").read_text(), "|a-program\n")

    @unittest.skipUnless(relais.IS_ROOT, "needs another user")
    def test_what_a_user_has_put_there_is_touched_with_his_rights_alone(self):
        i = self.made()
        outside = i.directory / "outside"
        outside.mkdir(mode=0o755)
        self.keeper.own(self.keeper.home)
        os.symlink(outside, self.keeper.home / "mail")
        self.assertEqual(self.add(i, "bert@virtual.test", code=111).out, "")
        self.assertEqual(list(outside.iterdir()), [])

    def test_passwd_warns_of_an_account_without_mail(self):
        i = self.made()
        uid, gid = i.ids("alias")
        done = i.run("qmail-passwd", "set", "x@elsewhere.test", "--uid", uid, "--gid", gid, "--home", i.directory, input=f"{PASSWORD}\n")
        self.assertEqual(done.code, 0)
        self.assertIn("warning: mail for x@elsewhere.test is not delivered here", done.err)
        self.assertIn(f"warning: there is no Maildir {i.directory}/Maildir, and POP3 refuses the login", done.err)


if __name__ == "__main__":
    relais.main()
