"""Pictures of a calibration, each estimate beside what was seen: rates, weeks, units, lives, repairs, detection."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dcsim.calibrate import Calibration, ClassEstimate
from dcsim.calibrate.lives import kaplan_meier
from dcsim.calibrate.priors import PUBLISHED
from dcsim.report.calibrate_warnings import Told, duration, many, one, three
from dcsim.report.document import Bars, Curves, Picture, Section
from dcsim.report.figures import number
from dcsim.report.page import Row, Table, printable

Values = NDArray[np.float64]

MOST_POINTS = 160
"""Points of a curve; source: assumed, more cannot be seen at this width."""
MOST_BARS = 120
"""Bars of a chart over time; source: assumed, as ``MOST_POINTS``."""
NODE_DAYS = 24_000.0
"""Component-hours in 1,000 component-days, in which published rates are told."""
SEEN = "seen"
MARKS_H = {
    1 / 3600: "1 s", 1 / 60: "1 min", 1 / 6: "10 min", 1.0: "1 h", 10.0: "10 h", 24.0: "1 d", 240.0: "10 d",
    720.0: "30 d", 8_760.0: "1 y", 87_600.0: "10 y",
}  # fmt: skip
"""Times that stand along a logarithmic axis [h]."""


def sections(found: Calibration, told: Told) -> list[Section]:
    """Return the pictures of all that the record tells, by question."""
    whole = found.whole
    pictures = (
        ("rates", "How often", [rates(found, told), weeks(found, told)]),
        ("units", "Whose failures", [units(whole, told), lives(whole, told)]),
        ("repairs", "For how long", [repairs(whole), detection(whole)]),
    )
    return [
        Section(key, title, parts=tuple(each for each in parts if each is not None))
        for key, title, parts in pictures
        if any(parts)
    ]


def rates(found: Calibration, told: Told) -> Picture:
    """Return the rate of each class with its interval, and published ones beside them."""
    named = [(each.name, each) for each in found.classes]
    if len(named) > 1:
        named.insert(0, ("all together", found.whole))
    else:
        named = [("this record", found.whole)]
    labels = [printable(name, 40) for name, _ in named]
    values = [each.rate.per_h * NODE_DAYS for _, each in named]
    intervals: list[tuple[float, float] | None] = [
        (each.rate.low * NODE_DAYS, each.rate.high * NODE_DAYS) for _, each in named
    ]
    for name, published in PUBLISHED.items() if told.gpus else ():
        labels.append(f"published: {name}")
        values.append(told.gpus / published.gpu_h * NODE_DAYS)
        intervals.append(None)
    unit = one(told.component)
    title = f"Failures per 1,000 {unit}-days"
    rows = [
        Row(label, (number(value, 3), number(ends and ends[0], 3), number(ends and ends[1], 3)))
        for label, value, ends in zip(labels, values, intervals, strict=True)
    ]
    table = Table(title, ("rate", "low end", "high end"), tuple(rows), corner="class")
    first = intervals[0] or (0.0, 0.0)
    says = (
        f"{labels[0].capitalize()}: {three(values[0])} failures per 1,000 {unit}-days, {three(first[0])} to "
        f"{three(first[1])} at 95 %."
    )
    if told.gpus:
        says += f" Published rates are of other fleets, for a {unit} of {many(told.gpus, 'gpu')}."
    digits = 2 if max(values) < 100 else 0
    return Picture(title, says, Bars(tuple(labels), tuple(values), tuple(intervals), "", 0, digits), table)


def weeks(found: Calibration, told: Told) -> Picture | None:
    """Return failures over time, with their mean and the trend."""
    whole = found.whole
    if len(whole.at) < 3:
        return None
    width = 168.0 * max(1, math.ceil(found.span_h / 168 / MOST_BARS)) if found.span_h > 1000 else 24.0
    edges = np.arange(0, found.span_h + width, width)
    counts = np.histogram(whole.at, edges)[0].astype(np.float64)
    if edges[-1] > found.span_h and len(counts) > 1:  # the last is not whole
        edges, counts = edges[:-1], counts[:-1]
    days = edges / 24
    period = f"{width / 168:.0f} weeks" if width > 168 else "week" if width == 168 else "day"
    mean = len(whole.at) * width / found.span_h
    series = [
        (f"failures in each {period}", "bars", _points(days, [*counts, counts[-1]])),
        ("mean", "dashes", ((0.0, mean), (float(days[-1]), mean))),
    ]
    trend = whole.trend
    says = f"{three(mean)} failures in each {period}; no trend beyond chance."
    if trend is not None and trend.found:
        at = np.linspace(edges[-1] / MOST_POINTS, edges[-1], MOST_POINTS)
        level = mean * trend.power * (at / found.span_h) ** (trend.power - 1)
        shown = level <= 1.5 * max(counts.max(), 1)
        series.append(("trend", "line", _points(at[shown] / 24, level[shown])))
        says = (
            f"{three(mean)} failures in each {period} at the mean, {three(mean * trend.power)} at the end: they become "
            f"{trend.found} with time."
        )
    title = "Failures over time"
    table = _table(title, ("failures",), [(f"{a:,.0f}", (b,)) for a, b in zip(days, counts, strict=False)], "day")
    return Picture(title, says, Curves(tuple(series), "days since the record begins", "failures"), table)


def units(whole: ClassEstimate, told: Told) -> Picture | None:
    """Return which share of the failures the worst units have, beside what chance gives."""
    if whole.by_unit is None or not whole.rate.failures or whole.units < 3:
        return None
    counts = np.sort(whole.by_unit)[::-1]
    alike = _alike(whole.rate.failures, whole.units)
    share = 100 * np.arange(whole.units + 1) / whole.units
    seen = 100 * np.concatenate([[0], np.cumsum(counts)]) / counts.sum()
    expected = 100 * np.concatenate([[0], np.cumsum(alike)]) / alike.sum()
    picks = _picks(whole.units + 1)
    series = (
        (SEEN, "line", _points(share[picks], seen[picks])),
        ("all alike, by chance", "dashes", _points(share[picks], expected[picks])),
    )
    some, word = max(1, round(whole.units / 10)), many(2, told.component).partition(" ")[2]
    says = (
        f"The worst {some:,} of {many(whole.units, told.component)} have {seen[some]:.0f} % of the failures; if all "
        f"were alike, the worst {some:,} would have {expected[some]:.0f} %."
    )
    rows = [
        (f"{share[each]:.0f} %", (float(seen[each]), float(expected[each])))
        for each in np.unique(np.linspace(0, whole.units, 11).astype(int))
    ]
    table = _table("Share of the failures", ("seen, %", "by chance, %"), rows, f"worst {word}")
    chart = Curves(series, f"share of the {word}, those with most failures first, %", "share of the failures, %")
    return Picture(f"Do some {word} fail more often than others?", says, chart, table)


def _alike(failures: int, units: int) -> Values:
    """Return the failures of units of one rate, most first, as a Poisson law has them at equally likely ranks."""
    from scipy.special import gammaincc

    mean = failures / units
    most = int(mean + 12 * mean**0.5 + 20)
    below = gammaincc(np.arange(most + 1) + 1, mean)  # P(a unit has at most so many)
    return np.searchsorted(below, (np.arange(units)[::-1] + 0.5) / units).astype(np.float64)


def lives(whole: ClassEstimate, told: Told) -> Picture | None:
    """Return the share of lives that go on, seen (Kaplan and Meier) and by law."""
    law = whole.lives
    if law is None:
        return None
    times, left = kaplan_meier(law.lives)
    picks = _picks(len(times))
    at = np.geomspace(max(times[0], 1e-4), times[-1], MOST_POINTS)
    series = [
        (SEEN, "steps", _points(times[picks], 100 * left[picks])),
        (f"Weibull, shape {law.shape:.2f}", "line", _points(at, 100 * np.exp(-((at / law.scale_h) ** law.shape)))),
    ]
    mtbf = whole.rate.mtbf_h
    if mtbf:
        series.append(("constant rate of the record", "dashes", _points(at, 100 * np.exp(-at / mtbf))))
    says = (
        f"Half of the repaired {many(2, told.component).partition(' ')[2]} fail again within {_half(times, left)}. The "
        f"Weibull law has the shape {law.shape:.2f} ({law.shape_low:.2f} to {law.shape_high:.2f}) and is never farther "
        f"than {100 * law.distance:.1f} points from what was seen."
    )
    title = "From a repair to the next failure"
    some = np.unique(np.linspace(0, len(times) - 1, 11).astype(int))
    law_left = np.exp(-((times / law.scale_h) ** law.shape))
    rows = [(duration(float(times[each])), (100 * float(left[each]), 100 * float(law_left[each]))) for each in some]
    table = _table(title, ("seen, %", "Weibull, %"), rows, "time")
    chart = Curves(tuple(series), "time since the repair", "share without a failure yet, %", _ticks(at), log_x=True)
    return Picture(title, says, chart, table)


def _half(times: Values, left: Values) -> str:
    below = np.flatnonzero(left <= 0.5)
    return duration(float(times[below[0]])) if len(below) else f"more than {duration(float(times[-1]))}"


def repairs(whole: ClassEstimate) -> Picture | None:
    """Return the share of repairs that take longer, seen and by the lognormal law, both axes logarithmic."""
    from scipy.special import ndtr

    found = whole.repairs
    if found is None:
        return None
    ordered = np.sort(found.hours[found.hours > 0])
    longer = 1 - np.arange(1, len(ordered) + 1) / (len(found.hours) + 1)
    picks = _picks(len(ordered))
    at = np.geomspace(ordered[0], ordered[-1], MOST_POINTS)
    law = ndtr(-(np.log(at) - found.log_mean) / found.sigma)
    drawn = law > longer[-1] / 3  # below what was seen there is nothing to compare it with
    series = (
        (SEEN, "dots", _points(ordered[picks], 100 * longer[picks])),
        (f"lognormal, mean {duration(found.law_mean_h)}", "line", _points(at[drawn], 100 * law[drawn])),
    )
    verdict = "agrees with"
    if found.understated or found.overstated:
        verdict = "understates" if found.understated else "overstates"
    says = (
        f"Half of the repairs take longer than {duration(found.median_h)}, one in a hundred longer than "
        f"{duration(float(np.quantile(found.hours, 0.99)))}. The lognormal law {verdict} the mean of "
        f"{duration(found.mean_h)} ({duration(found.mean_low_h)} to {duration(found.mean_high_h)})."
    )
    title = "How long repairs take"
    shares = (0.05, 0.25, 0.5, 0.75, 0.9, 0.99)
    rows = [
        (
            f"{100 * (1 - share):.0f} % take longer than, h",
            (float(np.quantile(found.hours, share)), _lognormal(whole, share)),
        )
        for share in shares
    ]
    table = _table(title, ("seen", "lognormal"), rows, "share")
    chart = Curves(series, "time to repair", "share that takes longer, %", _ticks(at), log_x=True, log_y=True)
    return Picture(title, says, chart, table)


def _lognormal(whole: ClassEstimate, share: float) -> float:
    from statistics import NormalDist

    assert whole.repairs is not None
    return math.exp(whole.repairs.log_mean + whole.repairs.sigma * NormalDist().inv_cdf(share))


def detection(whole: ClassEstimate) -> Picture | None:
    """Return the share of failures that are noticed later; None where the record does not tell when that was."""
    late = np.sort(whole.noticed_h[whole.noticed_h > 0])
    if len(late) < 3 or late[0] == late[-1]:
        return None
    left = 1 - np.arange(1, len(late) + 1) / (len(late) + 1)
    picks = _picks(len(late))
    says = (
        f"Half of {len(late):,} failures are noticed within {duration(float(np.median(late)))}, nine in ten within "
        f"{duration(float(np.quantile(late, 0.9)))}."
    )
    title = "How long failures go unnoticed"
    rows = [
        (f"{100 * (1 - share):.0f} % take longer than, h", (float(np.quantile(late, share)),))
        for share in (0.05, 0.25, 0.5, 0.75, 0.9)
    ]
    series = ((SEEN, "dots", _points(late[picks], 100 * left[picks])),)
    chart = Curves(series, "time to notice", "share noticed later, %", _ticks(late), log_x=True)
    return Picture(title, says, chart, _table(title, ("seen",), rows, "share"))


def _points(x: Sequence[float] | Values, y: Sequence[float] | Values) -> tuple[tuple[float, float], ...]:
    return tuple((float(a), float(b)) for a, b in zip(x, y, strict=True))


def _picks(count: int) -> NDArray[np.int64]:
    """Return which of so many points are drawn: the ends are kept, closest at both of them."""
    if count <= MOST_POINTS:
        return np.arange(count)
    even = np.linspace(0, count - 1, MOST_POINTS // 2)
    last = count - np.geomspace(1, count, MOST_POINTS // 2)
    return np.unique(np.concatenate([even, last]).astype(np.int64))


def _ticks(times: Values) -> tuple[tuple[float, str], ...]:
    """Return times that stand along a logarithmic axis of times [h]."""
    low, high = float(times[0]), float(times[-1])
    found = tuple((each, label) for each, label in MARKS_H.items() if low <= each <= high)
    return found if len(found) > 1 else ((low, duration(low)), (high, duration(high)))


def _table(title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, Sequence[float]]], corner: str) -> Table:
    return Table(
        title, columns, tuple(Row(label, tuple(number(each, 2) for each in cells)) for label, cells in rows), corner
    )
