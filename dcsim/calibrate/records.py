"""A site's outages made one record: several files joined, its last part taken, forgotten ends put in."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dcsim.records import Broken, Outages


class SpanError(ValueError):
    """The length of the record does not fit what is in it."""


def named(outages: Outages) -> Sequence[str]:
    """Return the names of components; none where the record has none."""
    return [] if outages.components == ("",) else outages.components


def joined(records: Sequence[Outages]) -> Outages:
    """Return several records as one, on the clock of the first; the same name is the same component in all.

    Raises SpanError for files of hours, which have no common clock.
    """
    if len(records) == 1:
        return records[0]
    begins = [each.begin for each in records if each.begin is not None]
    if len(begins) < len(records):
        raise SpanError("several files; one counts hours, so they have no clock in common")
    begin = min(begins)
    components: dict[str, int] = {}
    kinds: dict[str, int] = {}
    broken = Broken()
    shifts = [(each - begin) / 3600 for each in begins]
    for each in records:
        for why, count in each.broken.counts.items():
            broken.counts[why] = broken.counts.get(why, 0) + count
            broken.first.setdefault(why, each.broken.first[why])

    def numbered(names: dict[str, int], of: Sequence[str], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        numbers = np.array([names.setdefault(name, len(names)) for name in of], dtype=np.int64)
        return numbers[rows]

    whose = [numbered(components, each.components, each.component) for each in records]
    what = [numbered(kinds, each.kinds, each.kind) for each in records]
    starts = np.concatenate([each.start_h + shift for each, shift in zip(records, shifts, strict=True)])
    order = np.argsort(starts, kind="stable")
    ends = np.concatenate([each.end_h + shift for each, shift in zip(records, shifts, strict=True)])
    noticed = np.concatenate(
        [
            np.full(len(each), np.nan) if each.noticed_h is None else each.noticed_h + shift
            for each, shift in zip(records, shifts, strict=True)
        ]
    )
    return replace(
        records[0],
        start_h=starts[order],
        end_h=ends[order],
        component=np.concatenate(whose)[order],
        components=tuple(components),
        kind=np.concatenate(what)[order],
        kinds=tuple(kinds),
        begin=begin,
        span_h=max(each.span_h + shift for each, shift in zip(records, shifts, strict=True)),
        rows=sum(each.rows for each in records),
        told=tuple(dict.fromkeys(text for each in records for text in each.told)),
        broken=broken,
        noticed_h=None if np.isnan(noticed).all() else noticed[order],
        units=max((each.units for each in records if each.units is not None), default=None),
    )


def last_part(outages: Outages, last_h: float, span_h: float | None = None) -> Outages:
    """Return the outages that begin within the last hours of a record of ``span_h``, on a clock that begins there.

    Raises SpanError if the record is not that long.
    """
    whole_h = outages.span_h if span_h is None else span_h
    if last_h > whole_h:
        raise SpanError(f"found {last_h:,.6g} h to take of a record of {whole_h:,.6g} h")
    cut = whole_h - last_h
    rows = outages.start_h >= cut
    return replace(
        outages,
        start_h=outages.start_h[rows] - cut,
        end_h=outages.end_h[rows] - cut,
        component=outages.component[rows],
        kind=outages.kind[rows],
        noticed_h=None if outages.noticed_h is None else outages.noticed_h[rows] - cut,
        begin=None if outages.begin is None else outages.begin + 3600 * cut,
        span_h=last_h,
        told=(*outages.told, f"only the last {last_h:,.6g} h of it, {int(rows.sum()):,} outages"),
    )


def closed(outages: Outages) -> tuple[Outages, NDArray[np.bool_]]:
    """Return the outages with those closed that somebody forgot to close, and which those are, bool (n,).

    An open outage of a component that failed again has ended, nobody knows when: it is given the median of the repairs
    that ended, at most up to the next outage, and says nothing of how long repairs take. Where a record tells no end at
    all, each is closed at once.
    """
    if not outages.ends_told:
        return replace(outages, end_h=outages.start_h), np.ones(len(outages), dtype=np.bool_)
    forgotten = np.zeros(len(outages), dtype=np.bool_)
    repair = outages.repair_h
    still = np.isnan(repair)
    if not still.any() or still.all() or not named(outages):
        return outages, forgotten
    order = np.lexsort((outages.start_h, outages.component))
    start, whose = outages.start_h[order], outages.component[order]
    gap = np.full(len(order), np.inf)  # from each outage to the next of its component that begins later
    for row in range(len(order) - 2, -1, -1):
        if whose[row] == whose[row + 1]:
            gap[row] = start[row + 1] - start[row] or gap[row + 1]
    forgotten[order] = np.isfinite(gap) & still[order]
    until = np.empty_like(gap)
    until[order] = np.minimum(gap, float(np.median(repair[~still])))
    return replace(outages, end_h=np.where(forgotten, outages.start_h + until, outages.end_h)), forgotten
