"""What a race for the best setting says: how every setting stands, and which of the best is the simplest."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dcsim.decide.display import Displayed, to_pandas
from dcsim.decide.estimate import SCHEMA
from dcsim.decide.metrics import Metric
from dcsim.decide.optimize_race import Fate, Met, RaceLook, Requirement
from dcsim.montecarlo import Summary
from dcsim.scenario import Scenario, sha256


@dataclass(frozen=True, eq=False)
class Setting:
    """One offer at one setting. ``runs``: simulated of it; ``figure``: what is optimised, None if it has none.

    ``met``: how surely it meets each requirement. ``dearer``: by how much it is worse than the best at most, where it
    is not told apart. ``theory``: the figure by exact theory; None where there is none.
    """

    number: int
    offer: int
    inputs: tuple[tuple[str, Any], ...]
    scenario: Scenario
    runs: int
    fate: Fate
    figure: Summary | None
    met: tuple[Met | None, ...]
    theory: float | None
    figures: Mapping[str, Summary | None]


@dataclass(frozen=True, eq=False, repr=False)
class Optimum(Displayed):
    """The answer: ``settings`` in order, the offers one after the other, the last axis changing fastest.

    ``best``: the number of the setting with the best mean of those that meet what is required; None where none does
    for sure. ``members``: it and those that are not told apart from it. ``chosen``: the simplest of them, and
    ``dearer``: by how much its figure is worse than the best one's at most (None: too few failures to say). ``looks``:
    how the race went; ``used`` of at most ``most`` runs. ``exhausted``: whether it ended because no more were allowed.
    """

    offers: tuple[Scenario, ...]
    keys: tuple[str, ...]
    metric: Metric
    requirements: tuple[Requirement, ...]
    settings: tuple[Setting, ...]
    best: int | None
    members: tuple[int, ...]
    chosen: int | None
    dearer: float | None
    looks: tuple[RaceLook, ...]
    used: int
    most: int
    exhausted: bool
    notes: tuple[str, ...]
    folder: Path | None = None

    @cached_property
    def theory_best(self) -> int | None:
        """The setting that is best by exact theory; None unless every setting has a figure by theory."""
        found = {each.number: each.theory for each in self.settings if each.theory is not None}
        if len(found) < len(self.settings) or len(set(found.values())) < 2:
            return None
        sign = 1 if self.metric.lower_is_better else -1
        return min(found, key=lambda number: sign * found[number])

    def __str__(self) -> str:
        """Return the answer in a line."""
        if self.chosen is None:
            return f"none of {len(self.settings)} settings meets what is required for sure"
        its = self.settings[self.chosen]
        inputs = ", ".join(f"{key} = {value}" for key, value in its.inputs)
        mean = float("nan") if its.figure is None else its.figure.mean
        return f"{self.metric.label}: {mean:.6g} {self.metric.unit} at {its.scenario.name}, {inputs}"

    def to_arrow(self) -> Any:
        """Return a pyarrow.Table with one row for each setting: inputs, runs, how it stands, figures."""
        import pyarrow as pa

        rows = [self._row(each) for each in self.settings]
        return pa.Table.from_pylist(rows)

    def to_pandas(self) -> Any:
        """Return the same table as a pandas.DataFrame; raises ImportError where pandas is not installed."""
        return to_pandas(self.to_arrow())

    def _row(self, each: Setting) -> dict[str, Any]:
        figures = {name: None if its is None else its.mean for name, its in each.figures.items()}
        half = None if each.figure is None else each.figure.shown_half_width
        shares = {
            its.text: None if met is None else met.share for its, met in zip(self.requirements, each.met, strict=False)
        }
        inputs = {key: value if isinstance(value, int | float | str) else str(value) for key, value in each.inputs}
        return {
            "number": each.number,
            "scenario": each.scenario.name,
            **inputs,
            "runs": each.runs,
            "stands": each.fate,
            "in_region": each.number in self.members,
            "chosen": each.number == self.chosen,
            **figures,
            "half_width": half,
            "theory": each.theory,
            **shares,
        }

    def to_json(self) -> dict[str, Any]:
        """Return the document that ``dcsim optimize --json`` prints."""
        return {
            "schema": SCHEMA,
            "seed": self.offers[0].seed,
            "offers": [each.name for each in self.offers],
            "keys": list(self.keys),
            "metric": self.metric.name,
            "requirements": [
                {"text": each.text, "metric": each.metric.name, "share": each.share} for each in self.requirements
            ],
            "best": self.best,
            "region": list(self.members),
            "chosen": self.chosen,
            "chosen_is_worse_by_at_most": self.dearer,
            "theory_best": self.theory_best,
            "runs": self.used,
            "most_runs": self.most,
            "exhausted": self.exhausted,
            "looks": [{"runs": each.runs, "in_play": each.in_play, "left": each.left} for each in self.looks],
            "settings": [self._entry(each) for each in self.settings],
            "notes": list(self.notes),
        }

    def _entry(self, each: Setting) -> dict[str, Any]:
        figures = {
            name: None
            if its is None
            else {"mean": its.mean, "se": its.se, "ci95": its.ci95 and list(its.ci95), "p5": its.p5, "p95": its.p95}
            for name, its in each.figures.items()
        }
        met = [
            None if one is None else {"share": one.share, "ci95": list(one.ci95), "is": one.fate} for one in each.met
        ]
        return {
            "number": each.number,
            "scenario": each.scenario.name,
            "scenario_sha256": sha256(each.scenario),
            "inputs": dict(each.inputs),
            "replications": each.runs,
            "stands": each.fate,
            "figures": figures,
            "requirements": met,
            "theory": each.theory,
        }
