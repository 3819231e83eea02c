"""Numbered SQL, applied once, in order, and never changed afterwards.

`schemas/clickhouse/NNNN_*.sql` is rendered for one node or for a cluster, split at its semicolons, and noted in
`schema_migrations` with the checksum of the file. A file that was applied and has changed since is refused: history was
written under the old text. (clickhouse-migrations does the same but cannot drive the embedded engine.)
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

from services.errors import MigrationError

__all__ = ["MIGRATIONS_DIR", "Rendering", "cluster", "migrate", "rendered", "single_node"]

MIGRATIONS_DIR = Path(__file__).parent.parent.parent / "schemas" / "clickhouse"

_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations {on_cluster} (
    version UInt32, name String, sha256 String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = {mt} ORDER BY version
"""


class Rendering(NamedTuple):
    """What the tokens of a migration stand for."""

    on_cluster: str
    mt: str
    rmt: str
    dedup: str


# A window of 10,000 blocks: hours of inserts, far beyond any retry of one of them.
single_node = Rendering("", "MergeTree", "ReplacingMergeTree", "non_replicated_deduplication_window = 10000")


def cluster(name: str) -> Rendering:
    """Rendering for a replicated cluster."""
    path = "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'"
    return Rendering(
        f"ON CLUSTER '{name}'",
        f"ReplicatedMergeTree({path})",
        f"ReplicatedReplacingMergeTree({path})",
        # Seven days of tokens, so that a sink that was away for a weekend still finds its last one.
        "replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800",
    )


def rendered(text: str, rendering: Rendering) -> list[str]:
    """The statements of a migration."""
    for token, value in rendering._asdict().items():
        text = text.replace("{" + token + "}", value)
    bare = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return [statement.strip() for statement in bare.split(";") if statement.strip()]


def migrate(client: Any, folder: Path = MIGRATIONS_DIR, rendering: Rendering = single_node) -> list[str]:
    """Apply what is missing; the names applied. Raises MigrationError when an applied file has changed or is gone."""
    for statement in rendered(_LEDGER, rendering):
        client.command(statement)
    known = {row[0]: (row[1], row[2]) for row in client.query(
        "SELECT version, any(name), any(sha256) FROM schema_migrations GROUP BY version"
    ).result_rows}  # fmt: skip
    files = {int(path.name.split("_", 1)[0]): path for path in sorted(folder.glob("[0-9]*_*.sql"))}
    for version, (name, _) in sorted(known.items()):
        if version not in files:
            raise MigrationError(f"the warehouse has migration {name}, which this program does not know: it is newer")
    applied = []
    for version, path in sorted(files.items()):
        text = path.read_text()
        checksum = hashlib.sha256(text.encode()).hexdigest()
        if version in known:
            if known[version][1] != checksum:
                raise MigrationError(f"{path.name} was applied and has changed since; write a new migration instead")
            continue
        for statement in rendered(text, rendering):
            client.command(statement)
        # By a statement: the client's own insert of rows imports pandas, a third of a second, to see that this is none.
        client.command(
            "INSERT INTO schema_migrations (version, name, sha256)"
            " VALUES ({version:UInt32}, {name:String}, {sha256:String})",
            parameters={"version": version, "name": path.name, "sha256": checksum},
        )
        applied.append(path.name)
    return applied
