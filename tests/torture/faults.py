"""What is done to whom, and when: seeded faults, a supervisor that starts again what ended, and a journal of both."""

from __future__ import annotations

import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.support.audit import Repeat
from tests.torture.chain import Chain
from tests.torture.processes import Process, TortureError

__all__ = ["Fault", "Faults", "plan"]

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
# What was under way is sent within a fraction of a second after its process woke up.
ZOMBIE_S = 1.0


class Fault(NamedTuple):
    """What happens next."""

    victim: str
    freeze_s: float  # 0: kill -9
    after_s: float
    hasty: bool  # whether it does not wait for a victim that is still recovering


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
        self._froze_at: dict[str, float] = {}  # Unix seconds
        self._down_since: dict[str, float] = {}
        self._took: dict[str, list[float]] = {}
        self._journal: list[tuple[float, str]] = []
        self._stood_still: list[tuple[float, float]] = []  # whoever of the agents: from when to when, Unix seconds

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
            self._froze_at[name] = time.time()
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

    def is_zombies(self, repeat: Repeat) -> bool:
        """Whether one of its writings may be of a worker that stood still: the broker took it meanwhile, for a kernel
        sends on, or just after it was resumed.
        """
        return any(begin < at < end + ZOMBIE_S for at in repeat.written_s for begin, end in self._stood_still)

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
        if name.startswith("agents"):
            self._stood_still.append((self._froze_at.pop(name), time.time()))
        self._note(f"thaw {name}")
        if name == "broker":
            self._chain.broker.resume()
        else:
            self._by_name[name].thaw()
