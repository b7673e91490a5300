"""Tables that people ask for by name: one key of one scenario, by formula, by theory and simulated, side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcsim.decide.display import Displayed, to_pandas
from dcsim.decide.outcome import REPLICATIONS, Executor, How
from dcsim.decide.sweep import Sweep, simulated
from dcsim.decide.tables_asked import Asked, Checkpoint, Detection, Kind
from dcsim.decide.tables_spares import Nines, Pool, Spares
from dcsim.decide.variants import Axis, read_axes
from dcsim.montecarlo import UNSHARDED, Progress, Resume, Shard, WantedEngine
from dcsim.problems import not_one_of
from dcsim.scenario import Problem, Scenario, ScenarioError, Source, read

KINDS: dict[Kind, type[Asked]] = {
    "checkpoint": Checkpoint,
    "spares": Spares,
    "detection": Detection,
    "nines": Nines,
}


@dataclass(frozen=True, eq=False, repr=False)
class DecisionTable(Displayed):
    """One key's values with what each costs. ``closed``: for each point of the sweep the closed forms, by name.

    Names: ``formula`` and ``theory`` (loss by the published formula, and by exact theory of every gang alone),
    ``formula_usd`` and ``theory_usd`` (price of a useful GPU-hour at these losses), ``binomial`` and ``repairman``
    (P(short)), ``waiting`` [GPU-h], ``stock_usd`` [USD/month]. ``facts``: what the table as a whole says, by name.
    ``own``: the number of the point that is the scenario itself, None if it is not among them.
    """

    kind: Kind
    scenario: Scenario
    sweep: Sweep
    closed: tuple[Mapping[str, float | None], ...]
    facts: Mapping[str, Any]
    own: int | None
    pool: Pool | None = None

    def __str__(self) -> str:
        return f"{self.kind}: {self.sweep}"

    def to_arrow(self) -> Any:
        """Return a pyarrow.Table with one row for each value: what was simulated, then the closed forms."""
        import pyarrow as pa

        found = self.sweep.to_arrow()
        for name in self.closed[0] if self.closed else ():
            found = found.append_column(f"closed_{name}", pa.array([each[name] for each in self.closed], pa.float64()))
        return found

    def to_pandas(self) -> Any:
        """Return the same table as a pandas.DataFrame; raises ImportError where pandas is not installed."""
        return to_pandas(self.to_arrow())

    def to_json(self) -> dict[str, Any]:
        """Return the document that ``dcsim table --json`` prints."""
        found = self.sweep.to_json()
        points = [point | {"closed": dict(its)} for point, its in zip(found["points"], self.closed, strict=True)]
        return found | {"table": self.kind, "facts": dict(self.facts), "own": self.own, "points": points}


def table(
    kind: Kind,
    scenario: Source,
    values: Mapping[str, Any] | Sequence[str] = (),
    *,
    replications: int | None = None,
    seed: int | None = None,
    set: Sequence[str] = (),
    workers: int | None = None,
    output: Path | str | None = None,
    resume: Resume = False,
    progress: Progress | None = None,
    engine: WantedEngine = "auto",
    monthly: bool = False,
    executor: Executor = "local",
    shard: Shard = UNSHARDED,
    command: Sequence[str] = (),
    origins: Sequence[Mapping[str, str]] | None = None,
) -> DecisionTable:
    """Simulate one scenario at the values of one key and put the closed forms beside it.

    ``kind``: "checkpoint" (interval -> loss and price), "spares" (stock -> P(short), waiting, price), "detection" (time
    -> loss and price of a minute) or "nines" (what each further nine of having enough GPUs costs in spares).
    ``values``: a key and its values as ``sweep`` takes them (default: chosen by the theory of the scenario). All other
    keywords are those of ``run``. Raises ScenarioError, in one line, where the scenario has nothing to choose.
    """
    if kind not in KINDS:
        raise ScenarioError([Problem("table", None, "", not_one_of(KINDS, kind))])
    made = read(scenario, set=set, **({} if seed is None else {"seed": seed}))
    axes = [Axis.of(key, its) for key, its in values.items()] if isinstance(values, Mapping) else read_axes(values)
    if len(axes) > 1:
        raise ScenarioError([Problem("-L", None, "", f"found {len(axes)} keys; a table is about one: dcsim sweep")])
    how: How = {
        "workers": workers,
        "resume": resume,
        "engine": engine,
        "monthly": monthly,
        "executor": executor,
        "shard": shard,
        "command": command,
        "replications": REPLICATIONS if replications is None else replications,
    }
    asked = KINDS[kind](made, axes[0] if axes else None)
    found = simulated(asked.question, how, progress, None if output is None else Path(output), False, origins)
    closed = asked.all_closed()
    pool = asked.pool if isinstance(asked, Spares) else None
    return DecisionTable(kind, made, found, closed, asked.facts(found, closed), asked.own, pool)
