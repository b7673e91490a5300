"""Traces: the failures of a record, replayed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from dcsim.distributions import Times
from dcsim.hazards.column import Column, ListOf, read_parquet
from dcsim.hazards.lifetimes.lifetime import Lifetime, Mistake, refuse
from dcsim.hazards.recorded import MOST_OUTAGES, SHARED_KEYS, Dates, OutageColumns, Record, Share, cut_of
from dcsim.problems import wrong
from dcsim.textfile import RecordError
from dcsim.units import DURATION, Duration, PositiveDuration, Whole, write
from dcsim.wording import shown

MOST_COMPONENTS = 10**7
MOST_LISTED = 10_000
"""Outages up to which a scenario is hashed by its lists; source: assumed, as many as a scenario file of 1 MiB holds."""


def _condition(value: Any) -> Any:
    """Refuse what is no condition on a column."""
    texts = value if isinstance(value, list | tuple) else [value]
    if not texts or not all(isinstance(each, str) for each in texts):
        must = 'must be text such as "gpu", "gpu, fan", "!= gpu", ">= 4" or "2..5", or a list of texts'
        raise PydanticCustomError("quantity", "{why}", {"why": wrong(value, must)})
    return value


Condition = Annotated[str | tuple[str, ...], BeforeValidator(_condition)]
Moments = Annotated[Column, ListOf(Annotated[tuple[Duration, ...], Field(min_length=1, max_length=MOST_OUTAGES)], True)]
Repairs = Annotated[Column, ListOf(Annotated[tuple[Duration, ...], Field(max_length=MOST_OUTAGES)], True)]
Numbers = Annotated[Column, ListOf(Annotated[tuple[Whole, ...], Field(max_length=MOST_OUTAGES)])]


def _alone(model: type[Lifetime], key: str, data: dict[str, Any], held: tuple[str, ...]) -> None:
    """Refuse keys beside the one that holds what they say."""
    refuse(model, [((each,), f"found beside {key}, which holds it") for each in held if each in data])


class TraceLifetime(Lifetime):
    """Recorded failures, at their recorded times; component i of the record is component i modulo C of the cluster.

    Loading a scenario reads ``file`` and puts its columns in its place, so that the scenario a run keeps stands alone:

        [hazards.mtbf]
        kind = "trace"
        file = "outages.csv"                    # CSV, parquet or JSON lines; columns start_h or start, and if it has
        start = "random"                        # them: component, repair_h or repair_min or end (see OutageColumns)
        repeat = true

    A file with other names is read by saying them; LANL's log (public: LA-UR-05-7318), one of its systems at a time:

        file = "lanl-outages-1996-2005.csv"
        columns = { start = "Prob Started", repair_min = "Down Time", component = "nodenumz" }
        where = { System = "20" }

    Causes cut from one file by ``where`` share its clock, one beginning, also a random one, and one numbering of names
    (``dcsim.hazards.recorded``). What one says of begin, dates, span, start and repeat holds for those that leave it
    out. Lines that cannot be used are left out, counted and said in ``notes``.

    Recorded repair times take the place of the repair's first stage, and no further one follows. The repair of an
    outage that had not ended lasts to the end of the record.
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
    file: str | None = Field(
        None,
        description="file of outages, relative to this scenario file: CSV (cells between commas, tabs, semicolons, "
        "pipes or blanks), parquet or JSON lines",
    )
    columns: OutageColumns | None = Field(
        None, description="what the file's columns are called; leave out: by usual names such as start, end and node"
    )
    where: dict[str, Condition] | None = Field(
        None,
        description="columns of the file and what rows to take hold: gpu, or one of gpu, fan, or != gpu, >= 4, 2..5; a "
        "list of texts is taken as it is. Traces of one file share its clock, and what one says of begin, dates, span, "
        "start and repeat holds for all; the record is the rows that fit what their wheres have in common",
    )
    dates: Dates | None = Field(
        None, description="which comes first in the file's dates, as in 3/4/2024; needed where no date of it tells"
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
    at: Moments | None = Field(None, description="instead of a file: when each failure happened")
    component: Numbers | None = Field(None, description="component of each failure, from 0; leave out: any, by chance")
    repair: Repairs | None = Field(
        None, description="how long each repair took; leave out: as the hazard's repair says"
    )
    outages: str | None = Field(
        None,
        description="instead of at, component and repair: parquet file with the columns at_ms, component and "
        "repair_ms, as the folder of a run has it",
    )
    notes: tuple[Annotated[str, Field(max_length=2_000)], ...] | None = Field(
        None, max_length=10, description="what was said when the file was read; it is told as a caution"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_file(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, dict):
            return data
        folder: Path | None = (info.context or {}).get("folder")
        if isinstance(name := data.get("outages"), str):
            _alone(cls, "outages", data, ("file", "at", "component", "repair"))
            try:
                read: dict[str, Any] = dict(read_parquet((folder or Path()) / name, MOST_OUTAGES))
            except RecordError as error:
                refuse(cls, [(("outages",), f"{shown(name)} {error}")])
            return read | {key: value for key, value in data.items() if key != "outages"}
        if not isinstance(data.get("file"), str | Share) or (cut := cut_of(data)) is None:
            return data  # its keys say what is wrong
        _alone(cls, "file", data, ("at", "component", "repair", "record", "notes"))
        share = data["file"]
        if isinstance(share, str):
            span = SHARED_KEYS["span"].validate_python(data["span"]) if "span" in data else None
            share = Share(share, Record((folder or Path()) / share, share, [cut], [""], span), 0)
        try:
            read = share.columns()
        except RecordError as error:
            name = f"{shown(share.file)} " if error.key == "file" else ""
            refuse(cls, [((error.key,), f"{name}{error}")])
        taken = ("file", "columns", "where", "begin", "dates")
        return read | {key: value for key, value in data.items() if key not in taken}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        refuse(type(self), self._mistakes())
        return self

    def _mistakes(self) -> Iterator[Mistake]:
        if self.begin is not None and self.file is None:
            yield ("begin",), "found without file; at counts from the record's beginning"
        if self.at is None:
            yield ("file",), "missing; required (file of outages), or their times in at"
            return
        for key in ("component", "repair"):
            column: Column | None = getattr(self, key)
            if column is not None and len(column) != len(self.at):
                yield (key,), f"found {len(column)} entries; must be {len(self.at)}, one for each in at"
        last = int(self.at.array.max())
        if self.span is None and int(self.at.array.min()) == last:
            notes = "".join(f"; {each}" for each in self.notes or ())
            yield ("span",), f"missing; required (failures at one instant have no gap to tell it from){notes}"
        if self.span is not None and self.span <= last:
            yield (
                ("span",),
                f"found {write(self.span, DURATION)}; must be beyond the last failure at {write(last, DURATION)}",
            )
        if self.component is not None and len(self.component):
            lowest, highest = int(self.component.array.min()), int(self.component.array.max())
            if lowest < 0 or highest >= (self.components or MOST_COMPONENTS):
                found, most = lowest if lowest < 0 else highest, (self.components or MOST_COMPONENTS) - 1
                yield ("component",), f"found {found}; must be from 0 to {most}"

    @property
    def columns_held(self) -> dict[str, Column]:
        """What it holds, by key."""
        held = {"at": self.at, "component": self.component, "repair": self.repair}
        return {key: column for key, column in held.items() if column is not None}

    # --- figures ----------------------------------------------------------------------------------------------------

    @property
    def times(self) -> Times:
        """When each failure happened [ms], int64 (n,)."""
        assert self.at is not None
        return self.at.array

    @property
    def span_ms(self) -> int:
        """Length of the record [ms]."""
        if self.span is not None:
            return self.span
        first, last = int(self.times.min()), int(self.times.max())
        return last + max(1, round((last - first) / (len(self.times) - 1)))

    @property
    def longest_ms(self) -> int | None:
        """Without ``repeat``, the length of the record [ms]."""
        return None if self.repeat else self.span_ms

    @property
    def mean_ms(self) -> float:
        """MTBF of one recorded component [ms]; of all together if neither their number nor any is known."""
        highest = 0 if self.component is None else int(self.component.array.max())
        return self.mtbf_ms(self.components or 1 + highest)

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
        return None if self.repair is None else self.repair.total / len(self.repair)

    def with_mean(self, mean: float) -> Self:
        """Stretch time between failures (not the repairs)."""
        scale = mean / self.mean_ms
        span = max(1, round(self.span_ms * scale))
        at = np.minimum(np.rint(self.times * scale).astype(np.int64), span - 1)
        return self.model_copy(update={"span": span, "at": Column(at)})

    # --- replay -----------------------------------------------------------------------------------------------------

    def replay(self, rng: np.random.Generator, horizon: int) -> tuple[Times, NDArray[np.int64]]:
        """Return times in [0, horizon) and rows of the record, from its beginning or from any instant of it."""
        span = self.span_ms
        offset = int(rng.random() * span) if self.start == "random" else 0
        at = (self.times - offset) % span
        order = np.argsort(at, kind="stable")
        laps = -(-horizon // span) if self.repeat else 1
        times = (at[order] + span * np.arange(laps, dtype=np.int64)[:, None]).ravel()
        count = int(np.searchsorted(times, horizon))
        return times[:count], np.tile(order, laps)[:count]

    def components_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Return the recorded component of each row."""
        return None if self.component is None else self.component.array[rows]

    def repairs_of(self, rows: NDArray[np.int64]) -> Times:
        """Return the recorded repair [ms] of each row."""
        assert self.repair is not None
        return self.repair.array[rows]
