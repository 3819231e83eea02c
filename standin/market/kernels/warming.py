"""Every loop of this room compiled, or loaded: before a market opens, not while it talks. As a program it does only
that, and leaves what it compiled in the cache."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from services.quant.jit import kernel

__all__ = ["kernels", "warm_up"]


def kernels() -> dict[str, kernel]:
    """The room's loops by name."""
    room = __package__  # as a program this module has no name of its own
    found: dict[str, kernel] = {}
    for module in pkgutil.iter_modules(importlib.import_module(room).__path__):
        contents = vars(importlib.import_module(f"{room}.{module.name}"))
        found |= {name: one for name, one in contents.items() if isinstance(one, kernel)}
    return found


@functools.cache
def warm_up() -> None:
    """A market's first second otherwise takes ten of them on a fresh machine, in which nobody is answered."""
    for one in kernels().values():
        one.compile()


if __name__ == "__main__":
    warm_up()
