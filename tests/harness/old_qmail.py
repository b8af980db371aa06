"""A qmail installation that does not run, as files: control, alias, users, and a queue of any split.

    python3 -m harness.old_qmail DIRECTORY COUNT     # one with so many messages, for measurements
"""

import os
import pathlib
import sys
import time


class OldQmail:
    def __init__(self, directory, split=23, big=False, me="mail.test"):
        self.directory, self.split, self.big = pathlib.Path(directory), split, big
        self.queue = self.directory / "queue"
        for kind in ("mess", "info", "local", "remote"):
            for number in range(split):
                (self.queue / kind / str(number)).mkdir(parents=True)
        for kind in ("todo", "intd"):
            for number in range(split if big else 1):
                (self.queue / kind / (str(number) if big else "")).mkdir(parents=True, exist_ok=True)
        for kind in ("bounce", "lock", "pid"):
            (self.queue / kind).mkdir()
        (self.queue / "lock/sendmutex").touch()
        for kind in ("control", "alias", "users", "bin"):
            (self.directory / kind).mkdir()
        self.control("me", me)
        self.next = 1000

    def control(self, name, text):
        (self.directory / "control" / name).write_text(text + "\n")

    def path(self, kind, number):
        if kind in ("mess", "info", "local", "remote") or (self.big and kind in ("todo", "intd")):
            return self.queue / kind / str(number % self.split) / str(number)
        return self.queue / kind / str(number)

    @staticmethod
    def body(number, trace="invoked by uid 501"):
        return f"Received: (qmail {number} {trace}); 26 Sep 1995 04:46:54 -0000\nFrom: a@far.test\nSubject: number {number}\n\nbody of {number}\n"

    def write(self, kind, number, text, age=None):
        path = self.path(kind, number)
        path.write_bytes(text if isinstance(text, bytes) else text.encode("latin-1"))
        if age is not None:
            born = time.time() - age
            os.utime(path, (born, born))
        return path

    def new(self):
        self.next += 1
        return self.next - 1

    def accepted(self, sender, recipients, age=60):
        """Not yet looked at by qmail-send."""
        number = self.new()
        self.write("mess", number, self.body(number), age)
        envelope = f"u501\0p{number}\0F{sender}\0" + "".join(f"T{each}\0" for each in recipients)
        self.write("intd", number, envelope, age)
        self.write("todo", number, envelope, age)
        return number

    def waiting(self, sender, local=(), remote=(), age=60, bounce="", body=None):
        """On its way; a recipient is "Taddress" or "Daddress"."""
        number = self.new()
        self.write("mess", number, self.body(number) if body is None else body, age)
        self.write("info", number, f"F{sender}\0", age)
        for kind, recipients in (("local", local), ("remote", remote)):
            if recipients:
                self.write(kind, number, "".join(f"{each}\0" for each in recipients))
        if bounce:
            self.write("bounce", number, bounce)
        return number

    def never_accepted(self):
        number = self.new()
        self.write("mess", number, self.body(number))
        self.write("intd", number, "u501\0p1\0Fa@far.test")
        return number


def main():
    directory, count = sys.argv[1], int(sys.argv[2])
    old = OldQmail(directory)
    for number in range(count):
        old.waiting("a@far.test", remote=[f"Tuser{number}@domain{number % 500}.test"], age=number % 86400)


if __name__ == "__main__":
    main()
