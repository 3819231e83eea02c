"""Configuration: one frozen struct, read once at the start. Unknown keys are refused by name.

In order of rising precedence: the defaults here, a TOML file (`--config FILE`), single overrides (`--set KEY=VALUE`).
Secrets are never here: the feed's key comes from the environment variable MASSIVE_API_KEY.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import Meta

from services.core.partitioner import Partitioner, market_homes
from services.errors import ConfigError
from services.settings.gateway import GatewaySettings
from services.settings.kafka import KafkaSettings

__all__ = [
    "Config",
    "EmbeddedConfig",
    "OwnRulesConfig",
    "RedisConfig",
    "RuleFile",
    "RulesConfig",
    "SinkConfig",
    "WarehouseConfig",
    "apply",
    "convert",
    "load",
    "read_toml",
    "refuse_missing_file",
    "split_address",
]

# 0 takes any free one.
Port = Annotated[int, Meta(ge=0, le=65_535)]
# None at all would hold everything back for ever; a hundred million, at 150 bytes each, are 15 GB.
PendingRows = Annotated[int, Meta(ge=1, le=100_000_000)]


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the sections."""


class EmbeddedConfig(_Section, frozen=True):
    """[embedded]: the single-process host."""

    # What was recorded reaches the disk this often when nothing was decided; at once when something was. At 0 the disk
    # would be written for each frame; beyond a minute a crash loses more than a person would expect.
    commit_ms_max: Annotated[int, Meta(ge=1, le=60_000)] = 1000
    # Two decisions within this time share one commit. An alert waits for it, so no longer than a second.
    commit_ms_min: Annotated[int, Meta(ge=0, le=1000)] = 50
    # Rows that wait for the disk before the sockets are held back: ten commits' worth at 20,000 events a second.
    pending_rows_max: PendingRows = 200_000
    # Loopback port of /metrics, /live and /ready; 0 takes any free one.
    metrics_port: Port = 0


class WarehouseConfig(_Section, frozen=True):
    """[warehouse]: where history is kept. Its password: STRIKEWIRE_WAREHOUSE_PASSWORD, or the file of its _FILE."""

    # http://127.0.0.1:8123, or https:// for TLS; empty: the embedded engine in the data directory.
    url: str = ""
    user: str = "default"
    database: str = "strikewire"
    # The authority that signed the server's certificate, where the system's own do not know it.
    ca_file: str = ""


class RedisConfig(_Section, frozen=True):
    """[redis]: hot state. Its password: STRIKEWIRE_REDIS_PASSWORD, or the file of its _FILE."""

    # redis://127.0.0.1:6379/0, or rediss:// for TLS; empty: no hot state.
    url: str = ""
    # In front of every key and channel, so that two stacks can share a server.
    prefix: str = "strikewire:"
    ca_file: str = ""
    # A day's alerts and more: some 300 bytes to 2 kB each, so a million are up to 2 GB of the server's memory.
    alerts_max: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000


class SinkConfig(_Section, frozen=True):
    """[sink]: Kafka into the warehouse."""

    group: str = "sink"
    # ClickHouse takes 841 k rows/s in inserts of 100,000 against 262 k in inserts of 10,000. A million rows are 150 MB
    # in one request.
    rows_max: Annotated[int, Meta(ge=1, le=1_000_000)] = 100_000
    # How far history may lag behind the market when little comes. Ten minutes are already not what a reader expects.
    age_ms_max: Annotated[int, Meta(ge=1, le=600_000)] = 1_000
    # Rows in memory over all partitions before fetching pauses: a row takes about 150 bytes, so 150 MB.
    pending_rows_max: PendingRows = 1_000_000
    # Between two tries of an insert the warehouse did not take, which begin with 100 ms: less would be a loop without
    # rest, and more than ten minutes a sink that sleeps through the warehouse's return.
    retry_ms_max: Annotated[int, Meta(ge=100, le=600_000)] = 5_000
    metrics_port: Port = 0


class RuleFile(_Section, frozen=True):
    """A file with one rule of the user's own, as an epoch records it."""

    file: str
    version: str
    sha256: str


class OwnRulesConfig(_Section, frozen=True):
    """[rules]: contexts and detectors of the user's own (`runtime/rule_folders.py`)."""

    # Every file in them that does not begin with an underscore is a rule.
    folders: tuple[str, ...] = ()
    # By `detectors.<name>` or `contexts.<name>`, what an epoch records: these very files and no others.
    files: dict[str, RuleFile] = {}


class RulesConfig(_Section, frozen=True):
    """What decides: [contexts.<name>], [detectors.<name>], [scanner] and [rules]. Their owners check their keys."""

    contexts: dict[str, dict[str, Any]] = {}
    detectors: dict[str, dict[str, Any]] = {}
    scanner: dict[str, Any] = {}
    own: OwnRulesConfig = msgspec.field(default=OwnRulesConfig(), name="rules")
    # Where each symbol of the whole market is judged; its ticks are in every partition. Worked out, and recorded with
    # an epoch, so that a replay judges where live did. Without it every partition judges, as before.
    market_homes: dict[str, int] = {}


class Config(RulesConfig, frozen=True):
    """The whole configuration."""

    gateway: GatewaySettings = GatewaySettings()
    embedded: EmbeddedConfig = EmbeddedConfig()
    warehouse: WarehouseConfig = WarehouseConfig()
    kafka: KafkaSettings = KafkaSettings()
    redis: RedisConfig = RedisConfig()
    sink: SinkConfig = SinkConfig()

    def rules(self) -> RulesConfig:
        """The part that decides."""
        if self.market_homes:
            raise ConfigError("market_homes", "follows from gateway.partitions and cannot be set")
        homes = market_homes(Partitioner(self.gateway.partitions, self.gateway.partition_overrides))
        return RulesConfig(
            contexts=self.contexts,
            detectors=self.detectors,
            scanner=self.scanner,
            own=self.own,
            market_homes=homes,
        )


def load(path: Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """The configuration from a file and overrides. Raises ConfigError naming file, key or line."""
    data: dict[str, Any] = {}
    where = "configuration"
    if path is not None:
        where = str(path)
        data = read_toml(path)
    config: Config = convert(where, data, Config)
    if overrides:
        for override in overrides:
            apply(data, override)
        config = convert("--set " + " --set ".join(overrides), data, Config)
    if config.gateway.api_key:
        raise ConfigError("gateway.api_key", "the feed's key belongs in MASSIVE_API_KEY, not in a file or argument")
    return config


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as a dictionary. Raises ConfigError."""
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(str(path), error.strerror or "cannot be read") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), f"not TOML: {error}") from None


def refuse_missing_file(key: str, path: str) -> None:
    """Raises ConfigError naming the key and the file when it cannot be read; an empty path asks for no file."""
    try:
        if path:
            open(path, "rb").close()
    except OSError as error:
        raise ConfigError(key, f"{path}: {error.strerror}") from None


def split_address(key: str, url: str) -> SplitResult:
    """A URL in its parts. Raises ConfigError for one that has none; it is not repeated, for a password may be in it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ConfigError(key, "is no address, or its port is not a number from 1 to 65535")
    return parts


def convert(where: str, data: dict[str, Any], kind: type[Any]) -> Any:
    """`data` as a struct. Raises ConfigError naming the key."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        problem = str(error).replace("Object contains unknown field", "there is no key").replace(" - at `$.", " in `")
        raise ConfigError(where, problem) from None


def apply(data: dict[str, Any], override: str) -> None:
    """Set one `dotted.key=value` in `data`; the value is TOML, or text when it is not that. Raises ConfigError."""
    key, separator, text = override.partition("=")
    names = key.strip().split(".")
    if not separator or not all(names):
        raise ConfigError(f"--set {override}", "expected KEY=VALUE, such as detectors.unusual_activity.enabled=false")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    section = data
    for name in names[:-1]:
        section = section.setdefault(name, {})
        if not isinstance(section, dict):
            raise ConfigError(f"--set {override}", f"{name} is a value, not a section")
    section[names[-1]] = value
