"""nodemailer from the npm registry, once for all tests of a run."""

import fcntl
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from harness import relais

PACKAGE = "nodemailer@7.0.13"  # runs with Debian's node, and has REQUIRETLS
PATIENCE = 170


def installed_in(folder):
    """Makes the folder, in which require("nodemailer") works; SkipTest where npm or its registry is not to be had."""
    if not shutil.which("npm") or not shutil.which("node"):
        raise unittest.SkipTest("node and npm are not installed")
    kept = pathlib.Path(os.environ.get("RELAIS_PEERS", relais.ROOT / "build/peers")) / PACKAGE
    kept.parent.mkdir(parents=True, exist_ok=True)
    with open(kept.parent / f".{PACKAGE}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            _install(kept)
    shutil.copytree(kept, folder)
    return folder


def _install(kept):
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".npm.") as directory:
        new = pathlib.Path(directory) / "node"
        new.mkdir()
        try:
            done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--prefix", new, PACKAGE], capture_output=True, text=True,
                                  timeout=PATIENCE, env={**os.environ, "npm_config_cache": f"{directory}/cache"})
        except subprocess.TimeoutExpired:
            raise unittest.SkipTest("npm's registry does not answer") from None
        if done.returncode:
            raise unittest.SkipTest(f"npm's registry cannot be reached: {done.stderr.strip()[-200:]}")
        new.rename(kept)
