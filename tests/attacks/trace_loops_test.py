"""A program of a user's says what qmail-trace takes for forwards: two messages name one another, often. qmail-trace ends all the same."""

import pathlib
import sqlite3
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from harness import relais  # noqa: E402

ONE, OTHER = 1795391255698000, 1795391255699000
SCHEMA = """CREATE TABLE event(msg INTEGER, time INTEGER, kind TEXT, data BLOB, PRIMARY KEY(msg, time)) WITHOUT ROWID;
CREATE TABLE address(text TEXT, part TEXT, msg INTEGER, PRIMARY KEY(text, part, msg)) WITHOUT ROWID;"""


class Loops(relais.TestCase):
    def test_messages_that_name_one_another(self):
        i = self.instance(control={"keeptrace": "14 1G"})
        place = i.home / "trace/m-1795391255.db"
        store = sqlite3.connect(place)
        store.executescript(SCHEMA)
        for number, named in ((ONE, OTHER), (OTHER, ONE)):
            for time in range(20):
                text = "did 0+0+1/" + f"qp {named} " * 45
                data = b"".join(part.encode() + b"\0" for part in ("delivery", "1", "result", "success", "text", text))
                store.execute("INSERT INTO event VALUES(?,?,?,?)", (number, number + time, "delivery", data))
        store.commit()
        store.close()
        subprocess.run(["chown", f"--reference={i.home}/trace", place], check=True)
        # 900 in each: to the fourth power without a memory.
        shown = i.run("qmail-trace", str(ONE), timeout=120)
        self.assertEqual(shown.code, 0, shown)
        self.assertEqual(shown.out.count("message "), 2)
        self.assertEqual(shown.out.count("delivery 1: success"), 40)


if __name__ == "__main__":
    relais.main()
