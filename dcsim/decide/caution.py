"""A caution as a value, and how its sentence writes numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from dcsim.units import DURATION, MS_PER_H, write
from dcsim.wording import printable

Kind = Literal[
    "repair-overload",
    "formula",
    "assumptions",
    "record",
    "checkpoint-interval",
    "recovery-time",
    "unfinished-work",
    "blast-stops-job",
    "too-few-spares",
    "long-repair",
    "repair-hours",
    "spares-below-blast",
    "repair-queue",
    "few-failures",
    "unasked-gpus",
    "downtime-twice",
]
"""Kinds of caution, the most important first."""


@dataclass(frozen=True)
class Caution:
    """One caution. ``message``: a sentence or two without the scenario's name; ``figures``: its numbers for JSON.

    ``severity``: a share of the GPU-hours that it is about, which orders cautions of one kind.
    """

    kind: Kind
    scenarios: tuple[str, ...]
    message: str
    severity: float = 0.0
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def order(self) -> tuple[int, float]:
        """What cautions are sorted by: kind, then severity."""
        return get_args(Kind).index(self.kind), -self.severity

    @property
    def sentence(self) -> str:
        """Return the message after the scenarios that it is about."""
        if self.kind == "assumptions":
            return self.message
        names = [printable(name) for name in self.scenarios]
        return f"{', '.join(names)}: {self.message}"

    def joined(self, other: "Caution") -> "Caution":
        """Return both as one: of all their scenarios, with the worse severity and the figures that are equal."""
        names = tuple(dict.fromkeys((*self.scenarios, *other.scenarios)))
        equal = {key: value for key, value in self.figures.items() if other.figures.get(key) == value}
        return Caution(self.kind, names, self.message, max(self.severity, other.severity), equal)

    def to_json(self) -> dict[str, Any]:
        """Return the caution for a JSON document; ``scenario`` is None where it is about several."""
        one = self.scenarios[0] if len(self.scenarios) == 1 else None
        about = {"kind": self.kind, "scenario": one, "scenarios": list(self.scenarios), "message": self.message}
        return about | dict(self.figures)


# --- numbers in sentences -----------------------------------------------------------------------------------------


def are(number: int) -> str:
    """Write "none is", "1 is", "2 are"."""
    return "none is" if not number else f"{number:,} {'is' if number == 1 else 'are'}"


def percent(share: float) -> str:
    """Write a share with two significant digits, whole from 10 % on."""
    value = 100 * share
    return f"{value:,.0f} %" if value >= 10 else f"{value:.2g} %"


def in_hours(hours: float) -> str:
    """Write a time [h] in minutes, hours or days, to three digits."""
    for least, unit, name in ((48.0, 24.0, "d"), (1.0, 1.0, "h"), (0.0, 1 / 60, "min")):
        if hours >= least:
            return f"{hours / unit:,.0f} {name}" if hours / unit >= 100 else f"{hours / unit:.3g} {name}"
    return "0 min"


def in_time(ms: int) -> str:
    """Write a time [ms] as a scenario file would, or to three digits where that is long."""
    text = write(ms, DURATION)
    return text if len(text) <= 9 else in_hours(ms / MS_PER_H)


def one_in(share: float) -> str:
    """Write a small share as "1 in 20"."""
    often = 1 / share
    return f"one in {often:,.0f}" if often < 1e6 else "less than one in a million"
