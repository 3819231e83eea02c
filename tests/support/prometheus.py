"""Debian's Prometheus for tests: installed, or unpacked from its package into a cache without being installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

NAMES = ("prometheus", "promtool")
FETCH_S_MAX = 120


def prometheus_binaries() -> tuple[Path, Path] | str:
    """(prometheus, promtool), or the reason why there are none here."""
    installed = [shutil.which(name) for name in NAMES]
    if all(installed):
        return Path(installed[0] or ""), Path(installed[1] or "")
    root = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "strikewire" / "prometheus"
    if not root.is_dir():
        if not all(shutil.which(name) for name in ("apt-get", "dpkg")):
            return "no prometheus on the PATH, and no apt-get to fetch Debian's"
        unfinished = root.with_suffix(".part")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        done = subprocess.run(
            ["apt-get", "download", "prometheus"], cwd=unfinished, capture_output=True, text=True, timeout=FETCH_S_MAX,
            check=False,
        )  # fmt: skip
        packages = sorted(unfinished.glob("*.deb"))
        if done.returncode or not packages:
            return f"no prometheus on the PATH, and apt-get does not bring it: {done.stderr.strip()[-200:]}"
        subprocess.run(["dpkg", "-x", packages[0], unfinished], check=True, capture_output=True)
        packages[0].unlink()
        unfinished.rename(root)
    found = [root / "usr" / "bin" / name for name in NAMES]
    return (found[0], found[1]) if all(path.exists() for path in found) else f"{root} holds no prometheus"
