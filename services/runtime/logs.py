"""Logs on stderr: readable on a terminal, one JSON object a line otherwise."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import TextIO, cast

import msgspec

__all__ = ["LEVELS", "set_up"]

LEVELS = ("debug", "info", "warning", "error")


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


class _Stderr:
    """Stderr as it is at each write. A live table puts itself in its place, so that lines come out above the table."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return sys.stderr.isatty()


def set_up(level: str) -> None:
    """Send the program's logs to stderr. Libraries speak from warning up."""
    handler: logging.Handler
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.highlighter import NullHighlighter
        from rich.logging import RichHandler

        screen = Console(file=cast(TextIO, _Stderr()))
        handler = RichHandler(console=screen, show_path=False, highlighter=NullHighlighter())
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in ("services", "strikewire"):
        logging.getLogger(name).setLevel(level.upper())
