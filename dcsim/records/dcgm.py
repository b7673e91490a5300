"""Errors of GPUs as NVIDIA DCGM exports them over time: Prometheus text, answers of its API, or a table.

dcgm-exporter writes `DCGM_FI_DEV_XID_ERRORS{gpu="0",UUID="GPU-...",Hostname="n1",...} 79`: the last Xid, not a count,
so that the same Xid twice in a row is one change. `promtool tsdb dump` writes `{__name__="DCGM_FI_DEV_XID_ERRORS", ...}
79 1706652903000`; /api/v1/query_range answers `{"data": {"result": [{"metric": {...}, "values": [[t, "79"]]}]}}`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dcsim.records.gathered import Asked, Gathering, Records
from dcsim.records.gpus import CLASSES, Errors, class_of
from dcsim.records.json_stream import elements
from dcsim.records.lines import NO_ZONE, Clock, places
from dcsim.records.sinfo import TIMES
from dcsim.records.tables import Broken, opened
from dcsim.records.times import EITHER, Moments, OrderUnknown
from dcsim.records.where import text_of
from dcsim.textfile import RecordError, beginning
from dcsim.wording import visible

XID = "DCGM_FI_DEV_XID_ERRORS"
COUNTERS: Mapping[str, tuple[str, str]] = {
    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": ("double-bit error", "reset GPU"),
    "DCGM_FI_DEV_ECC_DBE_AGG_TOTAL": ("double-bit error", "reset GPU"),
    "DCGM_FI_DEV_ROW_REMAP_FAILURE": ("row remap failure", "reset GPU"),
}
"""Counters whose growth is an error: what it is called, and its class, as Xid 48 and 64 have it."""
METRICS = (XID, *COUNTERS)
HOSTS = ("hostname", "host", "node", "instance", "exported_hostname")
GPUS = ("gpu", "gpu_id", "gpuid", "device", "uuid", "gpu_uuid")
MOST_LINE = 100_000
"""Length of a line [characters]; source: assumed."""

_SAMPLE = re.compile(r"(?P<name>[A-Za-z_:][\w:]*)?\s*\{(?P<labels>.*)\}\s+(?P<value>\S+)(?:\s+(?P<time>\S+))?\s*")
_LABEL = re.compile(r'(\w+)\s*=\s*"((?:[^"\\]|\\.)*)"')

Sample = tuple[str, float, str, str, float]
"""Where it stands, when [s], of which GPU, of which metric, and its value."""


@dataclass
class Series:
    """The last value of each gauge and counter by GPU, and the errors that their changes tell."""

    errors: Errors = field(default_factory=Errors)
    last: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)
    before: int = 0

    def sample(self, at: float, gpu: str, metric: str, value: float) -> None:
        """Note a sample; raises ValueError if it is earlier than the one before of its series."""
        key = gpu, metric
        known = self.last.get(key)
        if known is not None and at < known[0]:
            raise ValueError(at)
        self.last[key] = at, value
        if value <= 0:
            return
        if known is None:
            self.before += metric == XID
        elif metric == XID:
            if value != known[1]:
                self.errors.add(at, gpu, class_of(int(value)), f"Xid {int(value)}", gpu)
        elif value > known[1] or value < known[1]:  # less than before: it began anew with a reset, and counted since
            what, kind = COUNTERS[metric]
            self.errors.add(at, gpu, CLASSES.index(kind), what, gpu)


def dcgm(paths: Sequence[Path], asked: Asked) -> Records:
    """Read samples of DCGM over time; the components are GPUs, by host and number. Repairs are not told."""
    broken, found, series = Broken(), Gathering(), Series()
    told = [
        "DCGM over time: an error is told at the first sample that shows it, two of one kind between samples as one"
    ]
    start = beginning(paths[0])
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and b"__name__=" not in start[:4096]:
        samples = _answers(paths, broken)
    elif is_table(paths[0]):
        samples = _rows(paths, asked, broken, told)
    else:
        samples = _lines(paths, asked, broken, told)
    for place, at, gpu, metric, value in samples:
        found.rows += 1
        try:
            if not 0 <= value < 1e15:
                raise ValueError(value)
            series.sample(at, gpu, metric, value)
        except ValueError:
            broken.add(place, "no count, or earlier than the sample before of this GPU", value)
            continue
        found.see(at)
        found.units.add(gpu)
    if not found.rows:
        raise RecordError(
            f"holds no sample of {XID} with a time" + (f"; {'; '.join(broken.told()[:2])}" if broken.total else "")
        )
    told += series.errors.into(found, asked.incident_s)
    if series.before:
        told.append(f"GPUs that had an Xid before the first sample, which is left out: {series.before:,}")
    told.append(f"{found.rows:,} samples of {len(found.units):,} GPUs, each in service all the time")
    return Records("dcgm", found.outages(told, broken, ends_told=False), None, None, tuple(told), broken)


def _gpu(labels: Mapping[str, str]) -> str:
    """Return a GPU as host/number; raises ValueError if the labels do not tell it."""
    lower = {name.lower(): value for name, value in labels.items() if value}
    host = next((lower[name] for name in HOSTS if name in lower), "")
    gpu = next((lower[name] for name in GPUS if name in lower), "")
    if not gpu:
        raise ValueError("no GPU")
    return visible(f"{host}/{gpu}" if host else gpu)


def _lines(paths: Sequence[Path], asked: Asked, broken: Broken, told: list[str]) -> Iterator[Sample]:
    """Read Prometheus text: samples with their own time, or below a line of time."""
    clock = Clock(asked.year)
    at: float | None = None
    for place, _, line in places(paths, broken):
        metric = next((name for name in METRICS if name in line), None)
        if metric is None:
            if not line.startswith(("#", "{")) and line[:1].strip():
                try:
                    found = clock.alone(line.strip())
                except ValueError:
                    found = None
                at = at if found is None else found
            continue
        if line.startswith("#"):
            continue
        hit = _SAMPLE.fullmatch(line) if len(line) <= MOST_LINE else None
        labels = dict(_LABEL.findall(hit["labels"])) if hit else {}
        try:
            if hit is None or (hit["name"] or labels.get("__name__")) != metric:
                raise ValueError(line)
            gpu, value = _gpu(labels), float(hit["value"])
            moment = at if hit["time"] is None else _time(hit["time"])
        except ValueError:
            broken.add(place, "not a sample of Prometheus with the label gpu", line[:60])
            continue
        if moment is None:
            broken.add(place, "a sample without a time (put a line of `date` before each scrape)")
            continue
        yield place, moment, gpu, metric, value
    told += clock.told()


def _time(text: str) -> float:
    """Return a sample's time [s]; Prometheus writes ms, OpenMetrics s. Raises ValueError."""
    found = float(text)
    if not 1e8 <= found < 1e14:
        raise ValueError(text)
    return found / 1000 if found >= 1e11 else found


def _answers(paths: Sequence[Path], broken: Broken) -> Iterator[Sample]:
    for place, element in elements(paths, "data.result", broken):
        try:
            labels = {str(name): str(value) for name, value in element["metric"].items()}
            metric = labels.get("__name__", XID)
            values = element["values"] if "values" in element else [element["value"]]
            if metric not in METRICS:
                continue
            gpu = _gpu(labels)
            pairs = [(_time(str(at)), float(value)) for at, value in values]
        except (KeyError, TypeError, ValueError, AttributeError):
            broken.add(place, "not a series of Prometheus with the label gpu")
            continue
        for at, number in pairs:
            yield place, at, gpu, metric, number


def columns_of(header: Sequence[str]) -> dict[str, Any]:
    """Return where a table of samples has its columns; nothing if it is none."""
    lower = [name.strip().lower() for name in header]
    time = next((lower.index(name) for name in TIMES if name in lower), None)
    labels = [(name, lower.index(name)) for name in (*HOSTS, *GPUS) if name in lower]
    metrics = [(metric, place) for place, name in enumerate(lower) for metric in METRICS if metric.lower() in name]
    long = [lower.index(name) for name in ("metric", "value") if name in lower]
    if time is None or not (metrics or len(long) == 2) or not any(name in GPUS for name, _ in labels):
        return {}
    return {"time": time, "labels": labels, "metrics": metrics, "long": long}


def is_table(path: Path) -> bool:
    """Return whether a file is a table of samples: a time, a GPU, and metrics or "metric" and "value"."""
    try:
        return bool(columns_of(opened(path).header))
    except RecordError:
        return False


def _rows(paths: Sequence[Path], asked: Asked, broken: Broken, told: list[str]) -> Iterator[Sample]:
    aware = None
    for path in paths:
        table = opened(path)
        where = columns_of(table.header)
        if not where:
            raise RecordError(f"{path.name}: has no columns of time, GPU and {XID}")
        moments = Moments.asked(table.header[where["time"]], asked.dates)
        for place, values in table.rows(broken):
            try:
                at = moments.read(values[where["time"]])
                if at is None:
                    raise ValueError(at)
                gpu = _gpu({name: text_of(values[column]) for name, column in where["labels"]})
                cells = [(metric, values[column]) for metric, column in where["metrics"]]
                cells = cells or [(text_of(values[where["long"][0]]), values[where["long"][1]])]
                numbers = [(metric, float(cell)) for metric, cell in cells if text_of(cell) and metric in METRICS]
            except OrderUnknown as date:
                broken.add(place, EITHER, str(date))
                continue
            except (ValueError, TypeError):
                broken.add(place, "no moment, GPU or count", values[where["time"]])
                continue
            for metric, number in numbers:
                yield place, at, gpu, metric, number
        aware = moments.aware
    if aware is False:
        told.append(NO_ZONE)
