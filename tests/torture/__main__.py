"""`make torture N=20 ARGS="--json"`: kill -9, freeze and thaw, at random moments under load; then count.

Seeded: the same seed chooses the same victims at the same distances. What the processes make of it is theirs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from deploy.kafka.broker import BrokerError, reason_not_here
from services.commands.agents import calendar_of_day
from services.core.calendar import ny_date
from services.core.pipeline import Pipeline
from services.errors import StrikewireError
from services.history.engine import open_remote
from services.history.warehouse import Warehouse
from services.kafka.audit import Audit, Repeat, audit
from services.replay.runner import stored
from services.wiring import build_pipeline
from tests.torture.chain import Chain
from tests.torture.processes import Process, TortureError

PAUSE_S = (1.0, 5.0)
FREEZE_S = (0.5, 9.0)
# One fault in four is a freeze; of those beyond six seconds the group has given the partitions away meanwhile.
FREEZES = 0.25
# Most faults wait until their victim is back from the one before; the rest may hit it while it recovers.
HASTY = 0.25
BACK_S_MAX = 60.0
SETTLE_S_MAX = 180.0
# A repeat is told with what happened so long before it.
AROUND_S = 15.0


class Fault(NamedTuple):
    """What happens next."""

    victim: str
    freeze_s: float  # 0: kill -9
    after_s: float
    hasty: bool  # whether it does not wait for a victim that is still recovering


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


def plan(seed: int, kills: int, victims: list[str]) -> Iterator[Fault]:
    """Faults until so many kills were among them."""
    chance = random.Random(seed)
    # Agents are what recovers by replay: they are hit as often as all others together.
    weights = [1 + 2 * name.startswith("agents") for name in victims]
    while kills > 0:
        (victim,) = chance.choices(victims, weights)
        freeze_s = chance.uniform(*FREEZE_S) if chance.random() < FREEZES else 0.0
        kills -= not freeze_s
        yield Fault(victim, freeze_s, chance.uniform(*PAUSE_S), chance.random() < HASTY)


class Faults:
    """Commits faults, plays the supervisor, and notes how long each took to be back."""

    def __init__(self, chain: Chain, say: Callable[[str], None]) -> None:
        self._chain = chain
        self._say = say
        self._by_name: dict[str, Process] = {one.name: one for one in chain.services}
        self.victims = [*self._by_name, "broker"]
        self.count: Counter[str] = Counter()
        self.kills = self.freezes = 0
        self._thaw_at: dict[str, float] = {}
        self._down_since: dict[str, float] = {}
        self._took: dict[str, list[float]] = {}
        self._journal: list[tuple[float, str]] = []

    def wait(self, seconds: float) -> None:
        """Let time pass, as a supervisor would."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._supervise()
            time.sleep(0.05)

    def wait_for(self, name: str) -> None:
        """Let a victim come back to work, or patience end."""
        until = time.monotonic() + BACK_S_MAX
        while (name in self._down_since or name in self._thaw_at) and time.monotonic() < until:
            self.wait(0.1)

    def commit(self, fault: Fault) -> None:
        """Do it, to whatever state its victim is in."""
        name = fault.victim
        if name in self._thaw_at:
            self._thaw(name)
        self.count[name] += 1
        if fault.freeze_s:
            self.freezes += 1
            self._note(f"freeze {name} for {fault.freeze_s:.1f} s")
            self._freeze(name)
            self._thaw_at[name] = time.monotonic() + fault.freeze_s
            return
        self.kills += 1
        self._note(f"kill -9 {name} ({self.kills})")
        self._down_since.setdefault(name, time.monotonic())
        if name == "broker":
            self._chain.broker.kill()
            self._chain.broker.start(wait=False)
        else:
            one = self._by_name[name]
            if one.running:
                one.kill()
            one.start()

    def settle(self) -> None:
        """Thaw all and wait until everything is back. Raises TortureError."""
        for name in list(self._thaw_at):
            self._thaw(name)
        deadline = time.monotonic() + SETTLE_S_MAX
        while self._down_since:
            self._supervise()
            time.sleep(0.05)
            if time.monotonic() > deadline:
                words = {name: one.last_words() for name, one in self._by_name.items() if name in self._down_since}
                raise TortureError(f"not back after {SETTLE_S_MAX:.0f} s: {words or 'the broker'}")
        self.wait(5.0)

    def back_s(self) -> dict[str, dict[str, float]]:
        """How long each took from kill -9 to ready."""
        return {
            name: {"median": round(statistics.median(took), 1), "worst": round(max(took), 1), "n": len(took)}
            for name, took in sorted(self._took.items())
        }

    def _supervise(self) -> None:
        now = time.monotonic()
        for name, at in list(self._thaw_at.items()):
            if now >= at:
                self._thaw(name)
        for name, one in self._by_name.items():
            if not one.running:
                self._note(f"{name} ended by itself: {one.last_words().strip()[-300:]}")
                self._down_since.setdefault(name, now)
                one.revive()
        for name, since in list(self._down_since.items()):
            one_back = self._chain.broker.answers() if name == "broker" else self._by_name[name].ready() is not None
            if one_back:
                self._took.setdefault(name, []).append(now - since)
                self._note(f"{name} is back after {now - since:.1f} s")
                del self._down_since[name]

    def around(self, repeat: Repeat) -> list[str]:
        """What was done to whom from shortly before a decision was first written until it was written again."""
        first, last = min(repeat.written_s), max(repeat.written_s)
        return [
            f"{at - first:+.2f} s: {what}" for at, what in self._journal if first - AROUND_S < at < last + PAUSE_S[0]
        ]

    def _note(self, what: str) -> None:
        self._journal.append((time.time(), what))
        self._say(what)

    def _freeze(self, name: str) -> None:
        if name == "broker":
            self._chain.broker.pause()
        else:
            self._by_name[name].freeze()

    def _thaw(self, name: str) -> None:
        self._thaw_at.pop(name)
        self._note(f"thaw {name}")
        if name == "broker":
            self._chain.broker.resume()
        else:
            self._by_name[name].thaw()


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
