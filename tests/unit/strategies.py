"""Strategies to put to the tests: every registered kind, and one that comes later in a file of its own."""

from typing import ClassVar, Literal

from dcsim.recovery import STRATEGIES, Recovery
from dcsim.recovery.keys import Ms
from dcsim.units import Duration
from tests.property.scenarios import text


class Shadowed(Recovery):
    """A kind unlike the shipped ones: writes block nothing, the last ``window`` is lost, one more phase is waited."""

    rolls_back: ClassVar[bool] = True
    uses: ClassVar[frozenset[str]] = frozenset({"failover", "window"})
    kind: Literal["shadowed"]
    window: Duration = 7

    @property
    def phases(self) -> tuple[int, int]:
        """Failover [ms], then the window once more."""
        return self.failover, self.window

    def settle(self, run: Ms) -> tuple[Ms, Ms, Ms]:
        """All but the last ``window`` ms are saved."""
        saved = (run - self.window) * (run > self.window)
        return saved, 0 * run, run - saved


KINDS: dict[str, type[Recovery]] = {**STRATEGIES, "shadowed": Shadowed}


def strategy(kind: str, every: int = 10, write: int = 4, **keys: str) -> Recovery:
    """Return a strategy of a kind; ``every`` and ``write`` in ms."""
    times = {"failover": text(3), "restore": text(5), "checkpoint_every": text(every), "checkpoint_write": text(write)}
    return KINDS[kind].model_validate({"kind": kind, **times, **keys})
