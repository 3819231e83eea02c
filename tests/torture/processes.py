"""The processes of the torture: each can be killed, frozen and started again, and is."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from deploy.kafka.broker import die_with_parent
from deploy.ports import listens

__all__ = ["Process", "TortureError"]

ROOT = Path(__file__).resolve().parents[2]


class TortureError(RuntimeError):
    """The chain did not come up, or did not come back."""


class Process:
    """One process. Its standard output is a file, so that nothing blocks when nobody reads.

    `port`: it is ready when somebody listens there; else when it printed its first line, as our services do.
    """

    def __init__(self, name: str, command: list[str], folder: Path, port: int = 0) -> None:
        self.name = name
        self._command = command
        self._port = port
        self._out, self._err = folder / f"{name}.out", folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._read_from = 0
        self.frozen = False
        self.unasked_ends = 0

    @property
    def running(self) -> bool:
        """Whether the process exists (frozen or not)."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; does not wait."""
        self._read_from = self._out.stat().st_size if self._out.exists() else 0
        with self._out.open("ab") as out, self._err.open("ab") as err:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True,
                preexec_fn=die_with_parent,
            )  # fmt: skip
        self.frozen = False

    def revive(self) -> None:
        """What a supervisor does: start it again when it has ended."""
        if not self.running:
            self.unasked_ends += 1
            self.start()

    def ready(self) -> dict[str, Any] | None:
        """What it said when it was ready, since its last start."""
        if self._port:
            return {"ready": True} if self.running and listens(self._port) else None
        if not self._out.exists():
            return None
        with self._out.open("rb") as out:
            out.seek(self._read_from)
            first = out.readline()
        return json.loads(first) if first.endswith(b"\n") else None

    def wait_until_ready(self, seconds: float) -> dict[str, Any]:
        """Raises TortureError with its last words."""
        deadline = time.monotonic() + seconds
        while (told := self.ready()) is None:
            if not self.running:
                raise TortureError(f"{self.name} ended before it was ready: {self.last_words()}")
            if time.monotonic() > deadline:
                raise TortureError(f"{self.name} was not ready within {seconds:.0f} s: {self.last_words()}")
            time.sleep(0.05)
        return told

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """SIGSTOP: the process stands still wherever it is; its connections stay open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        """SIGCONT."""
        assert self._process is not None
        if self.running:
            self._process.send_signal(signal.SIGCONT)
        self.frozen = False

    def stop(self, seconds: float = 30.0) -> None:
        """Ask it to end; kill it when it does not."""
        if self._process is None or not self.running:
            return
        if self.frozen:
            self.thaw()
        self._process.terminate()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def last_words(self) -> str:
        """The end of what it logged."""
        return self._err.read_text(errors="replace")[-600:] if self._err.exists() else "without a word"
