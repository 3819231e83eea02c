"""The family of errors that end a command with one sentence.

    StrikewireError                     whatever a user or operator can act on; exit status 2
    ├── AgentsError                     the agents cannot go on; restarted, they catch up
    ├── ConfigError                     a key, value or file of the configuration
    │   └── RuleFileError               a file with a rule of the user's own: missing, changed, or broken
    ├── FeedError                       the vendor or stand-in
    │   ├── AccountBusyError            another program on this machine uses this key: it would be thrown off
    │   ├── FeedRefusedError            the vendor refuses this key or plan on a cluster: no retry helps
    │   ├── RestRefusedError            a request is refused for good: the feature is switched off
    │   └── RestUnavailableError        REST stayed away through every retry: this answer is missing
    ├── InputError                      a path, id, date or tape that is not there or cannot be read
    │   └── ChainFileError              a chain file: names the file, the line and the column
    ├── KafkaRefusedError               a broker refused something that will be refused again
    ├── KafkaUnreachableError           no broker answers, or none that we may speak to
    ├── LeaseLostError                  another gateway has the lease now
    ├── StoreError                      the warehouse refused
    │   ├── MigrationError              its schema is not the one this program knows
    │   ├── StoreBusyError              another process owns it
    │   └── StoreUnreachableError       nothing answers there; it may come
    └── TopicDifferenceError            a topic is there, and not as it should be

A test compares the tree with the classes, which stand in the rooms that raise them.

Each carries its data and builds its own sentence. What nobody can act on (a broken promise inside the program) is an
AssertionError and stops it: restart, replay.
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "ConfigError",
    "FeedError",
    "InputError",
    "MigrationError",
    "RuleFileError",
    "StoreBusyError",
    "StoreError",
    "StoreUnreachableError",
    "StrikewireError",
]


class StrikewireError(Exception):
    """Base of the family; `str()` is the sentence a user reads."""


class ConfigError(StrikewireError):
    """A key or value of the configuration that cannot be used."""

    def __init__(self, where: str, problem: str) -> None:
        self.where, self.problem = where, problem
        super().__init__(f"{where}: {problem}")


class RuleFileError(ConfigError):
    """A file with a rule of the user's own that is missing, has changed since it was recorded, or cannot be loaded."""

    def __init__(self, path: str | Path, problem: str) -> None:
        super().__init__(str(path), problem)


class InputError(StrikewireError):
    """Something the user named that is not there or cannot be read."""

    def __init__(self, what: str | Path, problem: str) -> None:
        self.what, self.problem = str(what), problem
        super().__init__(f"{what}: {problem}")


class StoreError(StrikewireError):
    """The warehouse refused."""


class StoreBusyError(StoreError):
    """Another process owns the embedded warehouse."""

    def __init__(self, data_dir: Path, owner: str) -> None:
        self.data_dir, self.owner = data_dir, owner
        super().__init__(
            f"{data_dir} is in use by {owner or 'another process'}; one process at a time owns an embedded warehouse"
        )


class StoreUnreachableError(StoreError):
    """No warehouse answers there; it may come."""


class MigrationError(StoreError):
    """A migration that was applied is not the file this program carries."""


class FeedError(StrikewireError):
    """The feed refused or cannot be reached."""
