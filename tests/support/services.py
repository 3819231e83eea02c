"""Services as processes of their own: started with --json, ready when they say so, killed at the end in any case."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# A cold start compiles numba kernels, on a machine that may be busy with other tests.
READY_S_MAX = 90


class ServiceProcess:
    """`strikewire COMMAND ... --json` as a context manager; `ready` is the document it printed when it was."""

    def __init__(self, *arguments: object, log: Path | None = None, environment: dict[str, str] | None = None) -> None:
        self._arguments = [str(argument) for argument in arguments]
        self._log = log
        self._environment = {**os.environ, **(environment or {})}
        self.ready: dict[str, Any] = {}

    def __enter__(self) -> ServiceProcess:
        try:
            self.start()
        except BaseException:
            self.process.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.resume()
            self.process.kill()
        self.process.wait(20)

    def start(self) -> None:
        """Start it and wait until it is ready."""
        stderr = open(self._log, "ab") if self._log else subprocess.DEVNULL  # noqa: SIM115
        self.process = subprocess.Popen(
            self.command(),
            cwd=ROOT, stdout=subprocess.PIPE, stderr=stderr, env=self._environment, text=True,
        )  # fmt: skip
        lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=_read, args=(self.process, lines), daemon=True).start()
        line = lines.get(timeout=READY_S_MAX)
        tail = self._log.read_text()[-2000:] if self._log else ""
        assert line is not None, f"{self._arguments[0]} ended with {self.process.wait(5)} before it was ready\n{tail}"
        self.ready = json.loads(line)
        assert self.ready["ready"] is True

    def command(self) -> list[str]:
        """What is run."""
        return [sys.executable, "-m", "services.cli", *self._arguments, "--json"]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; its exit status."""
        self.process.send_signal(number)
        return self.process.wait(30)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait(10)

    def pause(self) -> None:
        """SIGSTOP."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)


def _read(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put(None)
