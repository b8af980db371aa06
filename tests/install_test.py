"""What `make install` puts where, and that `make uninstall` takes all of it away again."""

import os
import pathlib
import subprocess
import tempfile
import unittest

from harness import relais

MAKE = ["make", "--no-print-directory", "-C", str(relais.ROOT)]


@unittest.skipUnless(relais.BIN.parent == relais.ROOT / "build/release" and (relais.ROOT / "build/release/cmake_install.cmake").exists(),
                     "make uninstall knows what was installed from build/release")
class Install(relais.TestCase):
    def test_programs_without_debugging_pages_and_back(self):
        manifest = relais.ROOT / "build/release/install_manifest.txt"
        before = manifest.read_bytes() if manifest.exists() else None
        with tempfile.TemporaryDirectory(prefix="relais-install.") as directory:
            root = pathlib.Path(directory)
            # Not those of the make that runs the tests.
            environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
            try:
                subprocess.run([*MAKE, "install", f"DESTDIR={directory}"], env=environment, check=True, capture_output=True)
                self.look(root)
                done = subprocess.run([*MAKE, "uninstall", f"DESTDIR={directory}"], capture_output=True, text=True, check=True)
                self.assertIn("removed; what is in instances stays (docs/backup.md)", done.stdout)
                self.assertEqual([path for path in root.rglob("*") if not path.is_dir()], [])
                again = subprocess.run([*MAKE, "uninstall", f"DESTDIR={directory}"], capture_output=True, text=True)
                self.assertIn("nothing was installed from this tree", again.stdout)
            finally:
                if before is not None:
                    manifest.write_bytes(before)

    def look(self, root):
        files = {path.name: path for path in root.rglob("*") if path.is_file()}
        for name in ("qmail-send", "qmail-smtpd", "qmailctl", "qmail-send.8", "README.md", "backup.md", "users.md", "filters.md"):
            self.assertIn(name, files)
        programs = [path for path in files.values() if path.read_bytes()[:4] == b"\x7fELF"]
        for path in programs:
            sections = subprocess.run(["readelf", "-SW", path], capture_output=True, text=True, check=True).stdout
            self.assertNotIn(" .debug_info", sections, path)
        built = sum((relais.BIN / path.name).stat().st_size for path in programs)
        self.assertLess(sum(path.stat().st_size for path in programs), built * 2 / 3)


if __name__ == "__main__":
    relais.main()
