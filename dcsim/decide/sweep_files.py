"""What a sweep leaves behind: tidy tables, one row for each point and on request one for each run, and a document."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic_core import PydanticCustomError

from dcsim.decide.documents import difference_json, summary_json
from dcsim.decide.estimate import SCHEMA
from dcsim.decide.run_table import run_table
from dcsim.decide.variants import Axis, Variant, value_text
from dcsim.files import (
    StoreError,
    kind_of,
    make_folder,
    names_in,
    on_disk,
    remove,
    remove_unfinished,
    whole,
    write_whole,
)
from dcsim.montecarlo import Summary
from dcsim.units import MS_PER_H, Dimension, parse_any
from dcsim.wording import unlike_formula

if TYPE_CHECKING:
    from dcsim.decide.result import RunResult
    from dcsim.decide.sweep import Point, Sweep

POINTS, EACH_RUN, DOCUMENT, QUESTION = "points", "runs-of-points", "sweep.json", "question.json"
"""Files of a sweep: the first two as .parquet and as .csv."""
REPORTS = ("report.html", "report.md", "report.csv")
OURS = (*(f"{name}.{kind}" for name in (POINTS, EACH_RUN) for kind in ("parquet", "csv")), DOCUMENT, QUESTION, *REPORTS)
FOLDERS = ("runs",)
RUN_COLUMNS = ("loss", "lost", "paid_usd", "useful_gpu_hours", "usd_per_useful_gpu_hour", "done_h")


def quantity(value: Any) -> tuple[float, Dimension | None] | None:
    """Return a value as a canonical number and its dimension, None for a plain number's; None for what is no number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value), None
    try:
        return parse_any(value)
    except PydanticCustomError:
        return None


def positions(axis: Axis) -> tuple[tuple[float, ...], str] | None:
    """Return the values of an axis as numbers of one unit, and the unit; None where they are words or of several kinds.

    Durations are in hours, shares in per cent, all else in canonical units.
    """
    found = [quantity(value) for value in axis.values]
    known = [each for each in found if each is not None]
    if len(known) < len(found) or len({dimension and dimension.canonical for _, dimension in known}) > 1:
        return None
    dimension = known[0][1]
    if dimension is None:
        return tuple(number for number, _ in known), ""
    scale: float
    if dimension.whole:
        scale, unit = MS_PER_H, "GPU-h" if dimension.canonical.startswith("GPU") else "h"
    elif dimension.canonical == "1":
        scale, unit = 0.01, "%"
    else:
        scale, unit = 1, dimension.canonical
    return tuple(number / scale for number, _ in known), unit


# --- tables -----------------------------------------------------------------------------------------------------------


def _input_columns(axes: Sequence[Axis], inputs: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Any, Any]]:
    """Yield (field, array) of every key: as it was given, and as a number in its unit where it was text."""
    import pyarrow as pa

    for axis in axes:
        given = [each[axis.key] for each in inputs]
        numbers = positions(axis)
        if numbers is None or numbers[1]:
            values = pa.array([value_text(value) for value in given], pa.string())
            about = {"unit": "", "description": "as it was given"}
            yield pa.field(axis.key, pa.string(), nullable=False, metadata=about), values
        if numbers is not None:
            by_value = {value_text(value): number for value, number in zip(axis.values, numbers[0], strict=True)}
            array = pa.array([by_value[value_text(value)] for value in given], pa.float64())
            name = f"{axis.key} [{numbers[1]}]" if numbers[1] else axis.key
            about = {"unit": numbers[1] or "1", "description": "as a number"}
            yield pa.field(name, pa.float64(), nullable=False, metadata=about), array


def points_table(sweep: "Sweep") -> Any:
    """Return a pyarrow.Table with one row for each point; each field's metadata holds its unit and meaning.

    Columns: ``point``, ``scenario``, ``file`` (its number), the inputs, ``runs``, then of each figure its mean and the
    ends of its 95 % interval, and how the point stands to the best one. Null: there is no such figure or interval.
    """
    import pyarrow as pa

    points, region = sweep.points, sweep.region
    made: list[tuple[Any, Any]] = []

    def add(name: str, values: Any, kind: Any, unit: str, meaning: str) -> None:
        made.append((pa.field(name, kind, metadata={"unit": unit, "description": meaning}), pa.array(values, kind)))

    add("point", [point.number for point in points], pa.int64(), "1", "number of the point, from 0")
    add("scenario", [sweep.offers[point.offer].name for point in points], pa.string(), "", "name of the scenario")
    add("file", [point.offer for point in points], pa.int64(), "1", "number of the file, from 0")
    made += _input_columns(sweep.axes, [dict(point.inputs) for point in points])
    add("runs", [sweep.runs] * len(points), pa.int64(), "1", "runs of the point")
    for about in sweep.figures:
        name, its = about.name, [point.figures[about.name] for point in points]
        add(name, [each and each.mean for each in its], pa.float64(), about.unit, f"{about.label}: mean over the runs")
        for place, end in enumerate(("low", "high")):
            ends = [_end(each, place) for each in its]
            add(f"{name}_{end}", ends, pa.float64(), about.unit, "end of the 95 % interval of the mean")
    for formula in sweep.metric.formulas:
        values = [point.formulas[formula.name] for point in points]
        name = f"{sweep.metric.name}, {formula.name}"
        add(name, values, pa.float64(), sweep.metric.unit, f"{sweep.metric.label} by formula; null where it has none")
    standings = [None] * len(points) if region is None else list(region.standings)
    add("standing", standings, pa.string(), "", f"to the point of the best {sweep.metric.name}: best, tied or worse")
    gaps = [None] * len(points) if region is None else [gap and gap.mean for gap in region.gaps]
    add("difference", gaps, pa.float64(), sweep.metric.unit, f"{sweep.metric.name} less that of the best point")
    fields, arrays = zip(*made, strict=True)
    about_all = {"dcsim.metric": sweep.metric.name, "dcsim.seed": str(sweep.offers[0].seed)}
    return pa.table(list(arrays), schema=pa.schema(list(fields), metadata=about_all))


def _end(summary: Summary | None, place: int) -> float | None:
    return None if summary is None or summary.ci95 is None or not summary.reliable else summary.ci95[place]


def _run_rows(axes: Sequence[Axis], number: int, member: Variant, result: "RunResult") -> Any:
    """Return one point's rows of the table of runs: its inputs beside what each of its runs lost, did and cost."""
    import pyarrow as pa

    found = run_table(result.sample)
    count = found.num_rows
    made: list[tuple[Any, Any]] = [
        (pa.field("point", pa.int64()), pa.array(np.full(count, number))),
        (pa.field("scenario", pa.string()), pa.array([member.scenario.name] * count, pa.string())),
        *_input_columns(axes, [dict(member.inputs)] * count),
        (pa.field("run", pa.int64()), found["run"].combine_chunks()),
    ]
    for name in RUN_COLUMNS:
        there = name in found.column_names
        column = found[name].combine_chunks() if there else pa.nulls(count, pa.float64())
        made.append((pa.field(name, pa.float64()), column.cast(pa.float64())))
    fields, arrays = zip(*made, strict=True)
    return pa.table(list(arrays), schema=pa.schema([pa.field(each.name, each.type) for each in fields]))


def for_spreadsheet(table: Any) -> Any:
    """Return a table whose texts no spreadsheet takes for formulas."""
    import pyarrow as pa

    for place, field in enumerate(table.schema):
        if field.type == pa.string():
            texts = [None if text is None else unlike_formula(text) for text in table[field.name].to_pylist()]
            table = table.set_column(place, field, pa.array(texts, pa.string()))
    return table


# --- files ------------------------------------------------------------------------------------------------------------


class MadeFiles:
    """The files in a sweep's folder; rows of runs are written as points are done, all files appear whole or not at all.

    Without a folder nothing is written. ``notices``: what the user should hear of the folders of runs.
    """

    def __init__(self, folder: Path | None, axes: Sequence[Axis], every_run: bool) -> None:
        self.folder, self.axes = folder, axes
        self.every_run = every_run and folder is not None
        self.notices: tuple[str, ...] = ()
        self._stack = ExitStack()
        self._writers: list[Any] = []
        self._sinks: list[Any] = []

    def __enter__(self) -> Self:
        if self.folder is None:
            return self
        make_folder(self.folder)
        with on_disk(self.folder):
            remove_unfinished(self.folder)
            others = [name for name in names_in(self.folder) if name not in (*OURS, *FOLDERS)]
            if others and kind_of(self.folder / DOCUMENT) is None:
                raise StoreError(self.folder, "is not a sweep of dcsim and not empty; move it away")
        if self.every_run:
            self._sinks = [self._stack.enter_context(whole(self.folder / f"{EACH_RUN}.{kind}")) for kind in KINDS]
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def add(self, number: int, member: Variant, result: "RunResult") -> None:
        """Take a point that is done."""
        self.notices += result.notices
        if not self.every_run:
            return
        from pyarrow import csv, parquet

        rows = _run_rows(self.axes, number, member, result)
        if not self._writers:
            parquet_writer = parquet.ParquetWriter(self._sinks[0], rows.schema, **STORED)
            self._writers = [parquet_writer, csv.CSVWriter(self._sinks[1], rows.schema)]
        self._writers[0].write_table(rows)
        self._writers[1].write_table(for_spreadsheet(rows))

    def finish(self, sweep: "Sweep") -> None:
        """Write what follows from all points; an earlier sweep's rows of runs go where none are asked for."""
        for writer in self._writers:
            writer.close()
        if self.folder is None:
            return
        from pyarrow import csv, parquet

        table = points_table(sweep)
        with whole(self.folder / f"{POINTS}.parquet") as file:
            parquet.write_table(table, file, **STORED)
        with whole(self.folder / f"{POINTS}.csv") as file:
            csv.write_csv(for_spreadsheet(table), file)
        text = json.dumps(to_json(sweep), indent=1, allow_nan=False) + "\n"
        write_whole(self.folder / DOCUMENT, text.encode())
        if not self.every_run:
            for kind in KINDS:
                remove(self.folder / f"{EACH_RUN}.{kind}")


KINDS = ("parquet", "csv")
STORED: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True}


# --- document ---------------------------------------------------------------------------------------------------------


def to_json(sweep: "Sweep") -> dict[str, Any]:
    """Return a sweep as plain data: fractions, hours and USD, unrounded."""
    region = sweep.region
    return {
        "schema": SCHEMA,
        "metric": sweep.metric.name,
        "lower_is_better": sweep.metric.lower_is_better,
        "axes": [{"key": axis.key, "values": list(axis.values)} for axis in sweep.axes],
        "latin_hypercube": sweep.drawn,
        "scenarios": [each.name for each in sweep.offers],
        "seed": sweep.offers[0].seed,
        "replications": sweep.runs,
        "best": None if region is None else region.best,
        "not_told_apart": [] if region is None else list(region.members),
        "points": [_point_json(sweep, point) for point in sweep.points],
        "winners": [
            {
                "inputs": dict(each.inputs),
                "points": list(each.points),
                "best": None if each.region is None else each.points[each.region.best],
                "not_told_apart": [each.points[member] for member in each.offers],
            }
            for each in sweep.winners
        ],
        "notes": list(sweep.notes),
    }


def _point_json(sweep: "Sweep", point: "Point") -> dict[str, Any]:
    region = sweep.region
    return {
        "point": point.number,
        "scenario": sweep.offers[point.offer].name,
        "file": point.offer,
        "inputs": dict(point.inputs),
        "runs_needed": point.runs_needed,
        "figures": {name: summary_json(each) for name, each in point.figures.items()},
        **({"formulas": dict(point.formulas)} if point.formulas else {}),
        "standing": None if region is None else region.standings[point.number],
        "difference": None if region is None else difference_json(region.gaps[point.number]),
    }
