"""A test with a $QMAILQUEUE that keeps what it is given."""

from harness import relais

# Keeps message and envelope in $KEPT; then ends as it is told.
KEEPER = """#!/bin/sh
cat >"$KEPT/message" && cat <&1 >"$KEPT/envelope" || exit 54
[ -z "$SAY" ] || printf %s "$SAY" >&6
exit "${END:-0}"
"""


class Kept(relais.TestCase):
    CONTROL = {}

    def setUp(self):
        self.i = self.instance(control=self.CONTROL)
        self.kept = self.i.directory / "kept"
        self.kept.mkdir()
        self.kept.chmod(0o777)
        self.keeper = self.file("keeper", KEEPER, 0o755)
        self.env = {"QMAILQUEUE": str(self.keeper), "KEPT": str(self.kept), "USER": "joe"}

    def file(self, name, content, mode=0o644):
        path = self.i.directory / name
        path.write_bytes(relais.octets(content))
        path.chmod(mode)
        return path

    def run_program(self, name, *args, input=b"", **env):
        return self.i.run(name, *args, input=input, env={**self.env, **env})
