"""Passwords, from the environment or from a file the environment names; never from an argument, never printed."""

from __future__ import annotations

import os
from pathlib import Path

from services.errors import ConfigError

__all__ = ["secret"]


def secret(name: str) -> str:
    """The value of the variable `name`, or the first line of the file that `name`_FILE names; empty when neither is.

    Raises ConfigError for a file that cannot be read; its sentence names the variable and the file, not the content.
    """
    value = os.environ.get(name, "")
    path = os.environ.get(f"{name}_FILE", "")
    if value or not path:
        return value
    try:
        return Path(path).read_text().split("\n", 1)[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}_FILE", f"{path}: {getattr(error, 'strerror', None) or 'not text'}") from None
