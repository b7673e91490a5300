"""Traces: the failures of a record, replayed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, ValidationInfo, model_validator

from dcsim.distributions import Times
from dcsim.hazards.lifetimes.lifetime import Lifetime, Mistake, refuse
from dcsim.hazards.outages import MOST_OUTAGES, OutageColumns, OutageError
from dcsim.hazards.records import Cut, Record, Share
from dcsim.units import DURATION, Duration, PositiveDuration, Whole, write
from dcsim.wording import shown

MOST_COMPONENTS = 10**7


class TraceLifetime(Lifetime):
    """Recorded failures, at their recorded times; component i of the record is component i modulo C of the cluster.

    Loading a scenario reads ``file`` and puts its columns in its place, so that the scenario a run keeps stands alone:

        [hazards.mtbf]
        kind = "trace"
        file = "outages.csv"                    # or .parquet; columns start_h or start, and if it has them: component,
        start = "random"                        # repair_h or repair_min or end (see OutageColumns)
        repeat = true

    A file with other names is read by saying them; LANL's log (public: LA-UR-05-7318), one of its systems at a time:

        file = "lanl-outages-1996-2005.csv"
        columns = { start = "Prob Started", repair_min = "Down Time", component = "nodenumz" }
        where = { System = "20" }

    Causes cut from one file by ``where`` share its clock, one beginning, also a random one, and one numbering of names
    (``dcsim.hazards.records``). What one says of begin, span, start and repeat holds for those that leave it out.

    Recorded repair times take the place of the repair's first stage, and no further one follows.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "trace",
                    "start": "random",
                    "repeat": True,
                    "span": "900 h",
                    "components": 3,
                    "at": ["20 h", "50 h", "51 h", "400 h"],
                    "component": [0, 2, 2, 1],
                    "repair": ["1 h", "15 min", "2 h", "30 h"],
                }
            ]
        }
    )
    recorded: ClassVar[bool] = True
    kind: Literal["trace"] = Field(description="failures of a record, replayed")
    file: str | None = Field(None, description="CSV or parquet file of outages, relative to this scenario file")
    columns: OutageColumns | None = Field(None, description="what the file's columns are called, if not as here")
    where: dict[str, str] | None = Field(
        None,
        description="columns of the file and the value that rows to take hold; traces of one file share its clock, and "
        "what one says of begin, span, start and repeat holds for all; the record is the rows that fit what their "
        "wheres have in common",
    )
    begin: str | None = Field(
        None,
        min_length=1,
        description="when the record began, written as the file's starts (a date, or with start_h a duration); leave "
        "out: at its first outage, or at hour 0 of start_h",
    )
    record: str | None = Field(
        None,
        min_length=1,
        max_length=1_000,
        description="name of the record that at is cut from: traces of one record share its clock, also when it begins "
        "at random; leave out: a record of its own",
    )
    start: Literal["fixed", "random"] = Field(
        "fixed",
        description="fixed: t = 0 is the record's beginning; random: each replication begins at any instant of the "
        "record, whose end goes on at its beginning (default fixed: assumed)",
    )
    repeat: bool = Field(False, strict=True, description="begin again when the record ends (default false: assumed)")
    span: PositiveDuration | None = Field(
        None,
        description="length of the record from its beginning; leave out: to its last failure and a mean gap beyond",
    )
    components: Whole | None = Field(
        None, ge=1, le=MOST_COMPONENTS, description="components recorded; leave out: the highest that fails, and one"
    )
    at: tuple[Duration, ...] | None = Field(
        None, min_length=1, max_length=MOST_OUTAGES, description="instead of a file: when each failure happened"
    )
    component: tuple[Whole, ...] | None = Field(
        None, max_length=MOST_OUTAGES, description="component of each failure, from 0; leave out: any, by chance"
    )
    repair: tuple[Duration, ...] | None = Field(
        None, max_length=MOST_OUTAGES, description="how long each repair took; leave out: as the hazard's repair says"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_file(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("file"), str | Share):
            return data
        if (cut := Cut.of(data)) is None:
            return data  # its keys say what is wrong
        held = ("at", "component", "repair", "record")
        refuse(cls, [((key,), "found beside file, which holds it") for key in held if key in data])
        share = data["file"]
        if isinstance(share, str):
            folder: Path | None = (info.context or {}).get("folder")
            record = Record((folder or Path()) / share, share, [cut], [""], "span" in data)
            share = Share(share, record, 0)
        try:
            read = share.columns()
        except OutageError as error:
            name = f"{shown(share.file)} " if error.key == "file" else ""
            refuse(cls, [((error.key,), f"{name}{error}")])
        return read | {key: value for key, value in data.items() if key not in ("file", "columns", "where", "begin")}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        refuse(type(self), self._mistakes())
        return self

    def _mistakes(self) -> Iterator[Mistake]:
        if self.begin is not None and self.file is None:
            yield ("begin",), "found without file; at counts from the record's beginning"
        if self.at is None:
            yield ("file",), "missing; required (CSV or parquet file of outages), or their times in at"
            return
        for key in ("component", "repair"):
            column = getattr(self, key)
            if column is not None and len(column) != len(self.at):
                yield (key,), f"found {len(column)} entries; must be {len(self.at)}, one for each in at"
        last = max(self.at)
        if self.span is None and min(self.at) == last:
            yield ("span",), "missing; required (failures at one instant have no gap to tell it from)"
        if self.span is not None and self.span <= last:
            yield (
                ("span",),
                f"found {write(self.span, DURATION)}; must be beyond the last failure at {write(last, DURATION)}",
            )
        if self.component is not None:
            highest = max(self.component, default=0)
            if min(self.component, default=0) < 0 or highest >= (self.components or MOST_COMPONENTS):
                found = min(self.component) if min(self.component) < 0 else highest
                yield ("component",), f"found {found}; must be from 0 to {(self.components or MOST_COMPONENTS) - 1}"

    # --- figures ----------------------------------------------------------------------------------------------------

    @property
    def times(self) -> tuple[int, ...]:
        """When each failure happened [ms]."""
        assert self.at is not None
        return self.at

    @property
    def span_ms(self) -> int:
        """Length of the record [ms]."""
        first, last = min(self.times), max(self.times)
        return self.span or last + max(1, round((last - first) / (len(self.times) - 1)))

    @property
    def longest_ms(self) -> int | None:
        """Without ``repeat``, the length of the record [ms]."""
        return None if self.repeat else self.span_ms

    @property
    def mean_ms(self) -> float:
        """MTBF of one recorded component [ms]; of all together if neither their number nor any is known."""
        return self.mtbf_ms(self.components or 1 + max(self.component or (0,)))

    def mtbf_ms(self, components: int) -> float:
        """components * span / failures [ms]: a replay has as many failures on any cluster."""
        return components * self.span_ms / len(self.times)

    @property
    def shared_clock(self) -> str | None:
        """Name of the record whose clock it shares with other traces."""
        return self.record

    @property
    def names_components(self) -> bool:
        """Whether the record has a column of components."""
        return self.component is not None

    @property
    def mean_repair_ms(self) -> float | None:
        """Mean recorded repair [ms], None without."""
        return None if self.repair is None else sum(self.repair) / len(self.repair)

    def with_mean(self, mean: float) -> Self:
        """Stretch time between failures (not the repairs)."""
        scale = mean / self.mean_ms
        span = max(1, round(self.span_ms * scale))
        at = tuple(min(round(time * scale), span - 1) for time in self.times)
        return self.model_copy(update={"span": span, "at": at})

    # --- replay -----------------------------------------------------------------------------------------------------

    def replay(self, rng: np.random.Generator, horizon: int) -> tuple[Times, NDArray[np.int64]]:
        """Return times in [0, horizon) and rows of the record, from its beginning or from any instant of it."""
        span = self.span_ms
        offset = int(rng.random() * span) if self.start == "random" else 0
        at = (np.array(self.times, dtype=np.int64) - offset) % span
        order = np.argsort(at, kind="stable")
        laps = -(-horizon // span) if self.repeat else 1
        times = (at[order] + span * np.arange(laps, dtype=np.int64)[:, None]).ravel()
        count = int(np.searchsorted(times, horizon))
        return times[:count], np.tile(order, laps)[:count]

    def components_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Return the recorded component of each row."""
        return None if self.component is None else np.array(self.component, dtype=np.int64)[rows]

    def repairs_of(self, rows: NDArray[np.int64]) -> Times:
        """Return the recorded repair [ms] of each row."""
        assert self.repair is not None
        return np.array(self.repair, dtype=np.int64)[rows]
