"""Kafka's jars, and an archive of the classes in them, in a cache that all checkouts on a machine share.

The cache is `~/.cache/strikewire/kafka` unless STRIKEWIRE_KAFKA_JARS names another folder. Whoever comes first fills it
while the others wait.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["BrokerError", "class_archive", "jars", "jars_are_here"]

HERE = Path(__file__).parent
JARS_ENV = "STRIKEWIRE_KAFKA_JARS"
MAVEN_S_MAX = 300.0


class BrokerError(RuntimeError):
    """The broker cannot be had here; the sentence says why."""


def jars_are_here() -> bool:
    """Whether Maven has brought them before."""
    return _cache().is_dir()  # it is renamed into place when it is whole


def jars() -> Path:
    """The folder of Kafka's jars, fetched by Maven the first time. Raises BrokerError."""
    folder = _cache()
    with _locked("lock"):  # several tests may want their first broker at once
        if not jars_are_here():
            _fetch(folder)
    return folder


@contextlib.contextmanager
def class_archive() -> Iterator[Path]:
    """Where the classes of these jars as this Java loads them are kept, or shall be; nobody else has it meanwhile."""
    java = Path(shutil.which("java") or "java").resolve()
    age_ns = java.stat().st_mtime_ns if java.exists() else 0
    mark = hashlib.sha256(f"{java} {age_ns}".encode()).hexdigest()[:12]
    with _locked("classes.lock"):
        yield _cache().with_name(f"{_cache().name}-{mark}.jsa")


@contextlib.contextmanager
def _locked(name: str) -> Iterator[None]:
    root = _cache().parent
    root.mkdir(parents=True, exist_ok=True)
    with (root / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _cache() -> Path:
    """One folder a pom: a changed version never meets old jars."""
    named = os.environ.get(JARS_ENV)
    root = (
        Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "strikewire/kafka"
    )
    return root / hashlib.sha256((HERE / "pom.xml").read_bytes()).hexdigest()[:12]


def _fetch(folder: Path) -> None:
    unfinished = folder.with_suffix(".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    print("fetching Kafka's jars by Maven (once)", file=sys.stderr)
    command = [
        "mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies",
        f"-DoutputDirectory={unfinished}", "-DincludeScope=runtime",
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MAVEN_S_MAX, check=False)
    except FileNotFoundError:
        raise BrokerError("there is no Maven on the PATH to fetch Kafka's jars with") from None
    except subprocess.TimeoutExpired:
        raise BrokerError(f"Maven did not bring Kafka's jars within {MAVEN_S_MAX:.0f} s") from None
    if done.returncode:
        raise BrokerError(f"Maven could not bring Kafka's jars: {(done.stdout + done.stderr).strip()[-500:]}")
    unfinished.rename(folder)
