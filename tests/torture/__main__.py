"""`make torture N=20 ARGS="--json"`: kill -9, freeze and thaw, at random moments under load; then count.

Seeded: the same seed chooses the same victims at the same distances. What the processes make of it is theirs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from deploy.kafka.broker import BrokerError, reason_not_here
from services.commands.agents import calendar_of_day
from services.core.calendar import ny_date
from services.core.pipeline import Pipeline
from services.errors import StrikewireError
from services.history.engine import open_remote
from services.history.warehouse import Warehouse
from services.replay.runner import stored
from services.wiring import build_pipeline
from tests.support.audit import Audit, audit
from tests.torture.chain import Chain
from tests.torture.faults import Faults, plan
from tests.torture.processes import TortureError

SETTLE_S_MAX = 180.0


def main() -> int:
    """0 when nothing was lost or doubled, 1 when something was, 2 when the chain did not come up."""
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, metavar="N", help="kill -9 so many times (default 20)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=20.0, help="of the market (default 20)")
    parser.add_argument("--only", help="victims, separated by commas (default: all)")
    parser.add_argument("--without-store", action="store_true", help="no warehouse, sink and Redis")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave data and logs there")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    reason = reason_not_here()
    if reason is not None:
        print(f"no torture here: {reason}", file=sys.stderr)
        return 2
    with _folder(options.keep) as folder:
        chain = Chain(folder, options.seed, options.speed, not options.without_store)
        try:
            document = _torture(chain, options)
        except (TortureError, BrokerError, StrikewireError) as error:
            print(f"torture: {error}", file=sys.stderr)
            return 2
        finally:
            chain.stop()
    if options.json:
        print(json.dumps(document))
    else:
        for name, value in document.items():
            print(f"{name:24} {value}")
    return 0 if document["lost"] == document["doubled"] == 0 and document["digests_equal"] else 1


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="strikewire-torture-")) if keep is None else keep.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    if keep is None:
        shutil.rmtree(folder, ignore_errors=True)


def _torture(chain: Chain, options: argparse.Namespace) -> dict[str, Any]:
    say: Callable[[str], None] = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    began = time.monotonic()
    chain.start()
    say(f"up after {time.monotonic() - began:.0f} s in {chain.folder}")
    faults = Faults(chain, say)
    only = options.only.split(",") if options.only else None
    for fault in plan(options.seed, options.kills, [name for name in faults.victims if not only or name in only]):
        faults.wait(fault.after_s)
        if not fault.hasty:
            faults.wait_for(fault.victim)
        faults.commit(fault)
    faults.settle()
    say("all are back; the gateway ends, the rest comes to rest")
    chain.gateway.stop()
    settled, in_store = asyncio.run(_until_settled(chain))
    warehouse_doubled = in_store["rows_doubled"]
    lost = settled.missing + max(0, settled.rows - in_store["rows"]) + max(0, settled.decisions - in_store["decisions"])
    return {
        "kills": faults.kills,
        "freezes": faults.freezes,
        "by_victim": dict(faults.count),
        "lost": lost,
        "doubled": settled.doubled + warehouse_doubled,
        "doubled_by_zombies": sum(len(one.offsets) - 1 for one in settled.repeats if faults.is_zombies(one)),
        "digests_equal": settled.equal and in_store["digest"] == settled.log_digest,
        "foreign": settled.foreign,
        "different": settled.different,
        "frames": settled.frames,
        "rows": settled.rows,
        "decisions": settled.decisions,
        "zombie_frames": settled.zombies,
        "repeats": [
            {
                **one._asdict(),
                "apart_s": round(max(one.written_s) - min(one.written_s), 3),
                "around": faults.around(one),
            }
            for one in settled.repeats
        ],
        "warehouse": in_store,
        "ended_unasked": {one.name: one.unasked_ends for one in chain.services if one.unasked_ends},
        "back_s": faults.back_s(),
        "seconds": round(time.monotonic() - began, 1),
        "seed": options.seed,
    }


async def _until_settled(chain: Chain) -> tuple[Audit, dict[str, Any]]:
    """Audit until nothing is missing, or patience ends."""
    rules = chain.config.rules()

    def build(partition: int, log_ns: int) -> Pipeline:
        return build_pipeline(rules, calendar_of_day(ny_date(log_ns)), partition)

    deadline = time.monotonic() + SETTLE_S_MAX
    while True:
        found = await audit(chain.config.kafka, chain.config.gateway.partitions, build)
        in_store = _in_store(chain, found)
        done = not found.missing and in_store["rows"] >= found.rows and in_store["digest"] == found.log_digest
        if done or time.monotonic() > deadline:
            return found, in_store
        await asyncio.sleep(2.0)


def _in_store(chain: Chain, found: Audit) -> dict[str, Any]:
    """What the warehouse holds; without one, what the log would have it hold."""
    if chain.warehouse is None:
        return {"rows": found.rows, "decisions": found.decisions, "rows_doubled": 0, "digest": found.log_digest}
    client = open_remote(chain.config.warehouse)
    try:
        rows = distinct = 0
        for table in ("option_trades", "option_greeks", "index_ticks"):
            result = client.query(f"SELECT count(), uniqExact(partition, epoch, position) FROM {table}")
            rows += result.result_rows[0][0]
            distinct += result.result_rows[0][1]
        tally = stored(Warehouse(client))
        return {
            "rows": distinct,
            "rows_doubled": rows - distinct,
            "decisions": tally.signals + tally.alerts,
            "digest": tally.digest,
        }
    finally:
        client.close()


if __name__ == "__main__":
    sys.exit(main())
