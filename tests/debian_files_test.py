"""The files of debian/ and the systemd units agree with the tree; the package itself is tried by `make test-package`."""

import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from harness import relais

DEBIAN = relais.ROOT / "debian"


def section(name):
    text = (relais.ROOT / "packages.txt").read_text()
    lines = re.search(rf"(?m)^# {name}:.*\n((?:.+\n)*)", text).group(1)
    return set(lines.split())


class DebianFiles(relais.TestCase):
    def test_the_version_is_that_of_the_newest_change(self):
        newest = (DEBIAN / "changelog").read_text().splitlines()[0]
        said = subprocess.run([relais.BIN / "qmailctl", "version"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(said, "relais " + re.match(r"relais \(([0-9.]+)\)", newest).group(1) + "\n")

    def test_what_the_build_needs_is_named(self):
        control = (DEBIAN / "control").read_text()
        named = set(re.findall(r"[a-z0-9.+-]+", re.search(r"Build-Depends:((?:.*\n )*.*)", control).group(1)))
        self.assertEqual(section("build") - {"build-essential", "ccache"} - named, set())

    def test_links_lead_to_programs(self):
        for line in (DEBIAN / "relais.links").read_text().splitlines():
            target, name = line.split()
            if target.startswith("/var/lib/relais/bin/"):
                self.assertTrue((relais.BIN / pathlib.Path(target).name).exists(), line)
                self.assertEqual(pathlib.Path(target).name, pathlib.Path(name).name)

    def test_closed_programs_keep_their_modes(self):
        self.assertIn("dh_fixperms -X$(HOME_OF_PROGRAMS)/bin\n", (DEBIAN / "rules").read_text())
        closed = re.search(r"closed\[\] = \{(.*?)\}", (relais.ROOT / "setup/programs.cc").read_text(), re.S).group(1)
        for name in re.findall(r'"([^"]+)"', closed):
            self.assertEqual((relais.BIN / name).stat().st_mode & 0o777, 0o711, name)

    def test_scripts_are_shell_and_ask_what_there_is(self):
        names = set(re.findall(r"(?m)^Template: (\S+)", (DEBIAN / "relais.templates").read_text()))
        asked = set()
        for script in ("config", "postinst", "prerm", "postrm"):
            path = DEBIAN / f"relais.{script}"
            subprocess.run(["sh", "-n", path], check=True)
            asked |= set(re.findall(r"db_(?:get|input \w+) (relais/\w+)", path.read_text()))
        self.assertEqual(asked, names)

    def test_every_service_has_a_unit_that_the_scripts_know(self):
        units = {path.name.removeprefix("relais-").removesuffix("@.service") for path in (relais.ROOT / "setup/systemd").iterdir()}
        for script in ("prerm", "postrm"):
            text = (DEBIAN / f"relais.{script}").read_text()
            self.assertEqual(set(re.search(r"for each in (.*); do", text).group(1).split()), units, script)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "there is no systemd-analyze here")
    def test_systemd_finds_nothing_wrong_in_the_units(self):
        with tempfile.TemporaryDirectory(prefix="relais-units.") as directory:
            directory = pathlib.Path(directory)
            home = directory / "instance"
            escaped = subprocess.run(["systemd-escape", "--path", home], capture_output=True, text=True, check=True).stdout.strip()
            paths = []
            for unit in (relais.ROOT / "setup/systemd").iterdir():
                text = unit.read_text()
                run = pathlib.Path(re.search(r"ExecStart=%f/(.*)", text).group(1))
                (home / run).parent.mkdir(parents=True)
                (home / run).write_text("#!/bin/sh\n")
                (home / run).chmod(0o755)
                paths.append(directory / unit.name.replace("@", f"@{escaped}"))
                paths[-1].write_text(text)
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=one", *paths], capture_output=True, text=True)
            ours = [line for line in (done.stdout + done.stderr).splitlines() if "relais" in line]
            self.assertEqual((done.returncode, ours), (0, []))


if __name__ == "__main__":
    relais.main()
