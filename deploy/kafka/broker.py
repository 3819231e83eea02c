"""A real Kafka broker on this machine: one KRaft node from Maven's jars, on loopback, in a folder of its own.

    with Broker(folder) as broker:
        ...  # connect to broker.address

The tests, the torture and `make up` start theirs through this file; `make kafka` runs it in the foreground. It needs
Java 17 or later and, the first time, Maven (`deploy.kafka.jars`).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from deploy.kafka.jars import BrokerError, class_archive, jars, jars_are_here
from deploy.ports import free_port, listens

__all__ = [
    "Broker",
    "BrokerError",
    "die_with_parent",
    "engine_answers",
    "reason_not_here",
]

HERE = Path(__file__).parent
PORT = 9092
FOLDER = Path("var/kafka")
# A start takes 5 s on an idle machine; ten times that is a broker that will not come.
START_S_MAX = 60.0
STOP_S_MAX = 20.0
# At its end Java writes 50 MB of classes down, in five seconds where nothing else runs.
ARCHIVE_S_MAX = 60.0
# Kafka asks for a cluster id, 16 bytes in base64; one for all, because these brokers never meet.
CLUSTER_ID = "c3RyaWtld2lyZS1kZXYtMQ"
# The serial collector and a small heap: 360 MB resident, and no second core taken from what is tested. The first
# compiler alone: these brokers live for minutes, in which the second one takes more time than it saves (a third of a
# core in the first quarter of a minute under load).
JAVA_OPTIONS = (
    "-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true",
)  # fmt: skip


def reason_not_here() -> str | None:
    """Why no broker can be started on this machine, or None when one can."""
    if shutil.which("java") is None:
        return "there is no Java on the PATH"
    if not jars_are_here() and shutil.which("mvn") is None:
        return "Kafka's jars are not in the cache and there is no Maven on the PATH"
    return None


def engine_answers() -> bool:
    """Whether a Docker engine runs here."""
    if shutil.which("docker") is None:
        return False
    with contextlib.suppress(subprocess.TimeoutExpired, OSError):
        return subprocess.run(["docker", "info"], capture_output=True, timeout=10, check=False).returncode == 0
    return False


class Broker:
    """One node. `folder` keeps its data, settings and log; a broker started again on it goes on where it was."""

    format_options: Sequence[str] = ()
    """What the preparation of its folder is told besides; users it shall know, for one."""

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        *,
        node: int = 1,
        voters: Sequence[tuple[int, int]] = (),
        controller_port: int = 0,
        die_with_parent: bool = True,
        classes: Sequence[str] | None = None,
    ) -> None:
        """`classes`: Java's options on where classes come from, or go to; None: from the archive of this machine."""
        self.folder = Path(folder).resolve()
        self.port, self.controller_port = port or free_port(), controller_port or free_port()
        self._node = node
        self._voters = tuple(voters) or ((node, self.controller_port),)
        self._die_with_parent = die_with_parent
        self._classes = classes
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """What a client connects to."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process, while it runs."""
        assert self._process is not None, "the broker was not started"
        return self._process.pid

    @property
    def log(self) -> Path:
        """What the broker said."""
        return self.folder / "broker.log"

    def start(self, wait: bool = True) -> Broker:
        """Start it and (unless `wait` is false) wait until it answers. Raises BrokerError with the broker's words."""
        if shutil.which("java") is None:
            raise BrokerError("there is no Java on the PATH")
        classpath = f"{jars()}/*"
        if self._classes is None:
            self._classes = _shared_classes()
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = self._settings()
        if not (self.folder / "data" / "meta.properties").exists():
            self._format(classpath, settings)
        logging = f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}"
        command = ["java", *JAVA_OPTIONS, *self._classes, logging, "-cp", classpath, "kafka.Kafka", str(settings)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=die_with_parent if self._die_with_parent else None,
            )  # fmt: skip
        if wait:
            self.wait_until_ready()
        return self

    def wait_until_ready(self) -> None:
        """Return when clients can connect. Raises BrokerError."""
        deadline = time.monotonic() + START_S_MAX
        while not listens(self.port):
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise BrokerError(f"the broker did not start; {self.log} ends: {self._last_words()}")
            time.sleep(0.05)

    def answers(self) -> bool:
        """Whether clients can connect."""
        return listens(self.port)

    def stop(self, patience_s: float = STOP_S_MAX) -> bool:
        """Ask it to end, and see that it does; whether it did so by itself."""
        if self._process is None:
            return True
        self._process.terminate()
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        self._process = None
        return True

    def kill(self) -> None:
        """End it at once, as a power cut would end the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Freeze it: connections stay open, nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen one go on."""
        os.kill(self.pid, signal.SIGCONT)

    def __enter__(self) -> Broker:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _settings(self) -> Path:
        values = {
            "node": self._node,
            "voters": ",".join(f"{node}@127.0.0.1:{port}" for node, port in self._voters),
            "port": self.port,
            "controller_port": self.controller_port,
            "data": self.folder / "data",
            "replicas": len(self._voters),
        }
        path = self.folder / "server.properties"
        lines = (HERE / "server.properties").read_text().splitlines()
        filled = [line if line.startswith("#") else line.format(**values) for line in lines]
        path.write_text("\n".join(filled) + "\n")
        return path

    def _format(self, classpath: str, settings: Path) -> None:
        command = [
            "java", *JAVA_OPTIONS, "-cp", classpath, "kafka.tools.StorageTool", "format",
            "-t", CLUSTER_ID, "-c", str(settings), *self.format_options,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_S_MAX, check=False)
        if done.returncode:
            raise BrokerError(f"Kafka could not prepare {self.folder}: {(done.stdout + done.stderr).strip()[-500:]}")

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            return self.log.read_text(errors="replace").strip()[-500:] or "without a word"
        return "without a word"


def _shared_classes() -> tuple[str, ...]:
    """Java's options to map Kafka's classes as an earlier broker left them: half a start's time, a third of its work.

    Made once a machine, in some ten seconds (JEP 350). Java ignores an archive that is of another Java or other jars.
    """
    with class_archive() as path:
        if not path.exists():
            _archive_classes(path)
        # An empty one says that it was tried here and did not work.
        return (f"-XX:SharedArchiveFile={path}", "-Xshare:auto") if path.stat().st_size else ()


def _archive_classes(path: Path) -> None:
    """Let a broker come and go, and keep the classes that it loaded; an empty file when it does not work."""
    print("keeping Kafka's classes for quicker starts (once)", file=sys.stderr)
    unfinished = path.with_suffix(".part")
    with tempfile.TemporaryDirectory(prefix="strikewire-kafka-") as scratch:
        broker = Broker(Path(scratch) / "kafka", classes=(f"-XX:ArchiveClassesAtExit={unfinished}",))
        try:
            whole = broker.start().stop(ARCHIVE_S_MAX)
        except BrokerError:
            whole = False
    if whole and unfinished.exists():
        unfinished.rename(path)
    else:
        path.touch()


def die_with_parent() -> None:
    """In the child: a test that is killed leaves no broker behind (Linux; elsewhere it does nothing)."""
    with contextlib.suppress(OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


@contextlib.contextmanager
def _until_signal() -> Iterator[list[int]]:
    signals: list[int] = []
    before = {number: signal.signal(number, lambda got, _: signals.append(got)) for number in (2, 15)}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main() -> int:
    """`make kafka`: one broker in the foreground until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="make kafka", description="a Kafka broker on loopback, in the foreground")
    parser.add_argument("--port", type=int, help=f"default {PORT}")
    parser.add_argument("--folder", type=Path, help=f"its data (default {FOLDER})")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-docker", action="store_true", help="Java from this machine even where Docker runs")
    options = parser.parse_args()
    if not options.no_docker and engine_answers():
        given = [name for name in ("port", "folder", "json") if getattr(options, name) not in (None, False)]
        if given and (given != ["port"] or options.port != PORT):
            parser.error(
                f"--{given[-1]} is of the broker without Docker (add --no-docker); with Docker it listens on {PORT},"
                " and its data are in a volume"
            )
        os.execvp("docker", ["docker", "compose", "up", "kafka"])
    port = PORT if options.port is None else options.port
    if listens(port):
        print(f"port {port} of 127.0.0.1 is in use", file=sys.stderr)
        return 2
    try:
        with _until_signal() as signals, Broker(options.folder or FOLDER, port) as broker:
            ready = json.dumps({"ready": True, "address": broker.address, "pid": broker.pid, "log": str(broker.log)})
            print(ready if options.json else f"Kafka on {broker.address}, its log in {broker.log}", flush=True)
            while not signals:
                if broker._process is not None and broker._process.poll() is not None:
                    print(f"the broker ended; {broker.log} says why", file=sys.stderr)
                    return 2
                time.sleep(0.2)
    except BrokerError as error:
        print(error, file=sys.stderr)
        return 2
    return 130 if signals[0] == signal.SIGINT else 0


if __name__ == "__main__":
    sys.exit(main())
