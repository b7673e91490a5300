"""What a record says of a site, as a page: the finding, a table of classes, and what moves the answer."""

import math
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dcsim import __version__
from dcsim.calibrate import Calibration, ClassEstimate
from dcsim.calibrate.fragment import LEAST_FOR_LEMONS, is_worn
from dcsim.calibrate.priors import PUBLISHED
from dcsim.calibrate.site import FEW
from dcsim.report.document import Page, Section
from dcsim.report.figures import MISSING, Cell, Figure, brief, number
from dcsim.report.page import Passage, Row, Table, and_list, printable

LONG_TAIL = 0.2
"""Share of all repair hours from which on that of the longest hundredth is said; source: assumed."""
MOST_BROKEN, MOST_UNITS = 3, 3
"""Kinds of broken lines, and units with most failures, that a page names; source: assumed."""
IN_CAPITALS = ("gpu", "psu", "cdu")


@dataclass(frozen=True)
class Told:
    """What a page knows beside the estimates. ``component``: what fails; ``record``: the names of the files.

    ``gpus``: of one component, 0 where it holds none.
    """

    component: str
    record: str
    gpus: int = 0


# --- words ------------------------------------------------------------------------------------------------------------


def many(count: int, component: str) -> str:
    """Return a count with its word: "512 nodes", "1 leaf"."""
    ending = {"leaf": "leaves", "shelf": "shelves", "switch": "switches"}
    word = component.upper() if component in IN_CAPITALS else component
    return f"{count:,} {word if count == 1 else ending.get(word, word + 's')}"


def one(component: str) -> str:
    """Return the word for one component."""
    return many(1, component).partition(" ")[2]


def span(hours: float) -> str:
    """Return how long a record is: in days, in hours where it is short, in years where it is long."""
    if hours >= 3 * 8760:
        return f"{hours / 8760:.1f} years"
    return f"{hours / 24:,.0f} days" if hours >= 48 else f"{hours:.3g} h"


def duration(hours: float) -> str:
    """Return a time in two digits, in the unit that keeps it short."""
    for least, unit, name in ((1 / 60, 3600, "s"), (2, 60, "min"), (100, 1, "h")):
        if hours < least:
            return f"{brief(float(f'{hours * unit:.2g}'))} {name}"
    return f"{brief(float(f'{hours / 24:.2g}'))} d"


def three(value: float | None) -> Figure:
    """Return a number rounded to three digits."""
    return Figure(None) if value is None else brief(float(f"{value:.3g}"), 12)


def sentences(found: Calibration, told: Told) -> tuple[str, ...]:
    """Return the finding: how often, for how long, what that takes, and what a prior does."""
    whole, unit = found.whole, one(told.component)
    units = many(whole.units, told.component)
    rate, low_high = whole.rate, whole.rate.mtbf_interval_h
    if not rate.failures:
        first = (
            f"In {span(found.span_h)} {units} did not fail: more than {three(low_high[0])} h per {unit} between "
            f"failures, with 97.5 % confidence."
        )
    else:
        times = "once" if rate.failures == 1 else f"{rate.failures:,} times"
        high = "" if low_high[1] is None else f" ({three(low_high[0])} to {three(low_high[1])})"
        first = (
            f"In {span(found.span_h)} {units} failed {times}: one failure per {unit} every "
            f"{three(rate.mtbf_h)} h{high}."
        )
    return (first, *_repair(whole), *_cost(whole, told), *_main_class(found), *_of_prior(found, told))


def _repair(whole: ClassEstimate) -> Iterator[str]:
    repairs = whole.repairs
    if repairs is None:
        if whole.rate.failures and not len(whole.short):
            yield "The record does not tell how long repairs take; the scenario takes published ones, 6 h on average."
        elif whole.rate.failures:
            ended = whole.outages - whole.open
            yield f"Only {_counted(ended, 'repair')} ended, which is too few to say how long one takes."
        return
    tail = ""
    if repairs.tail_share > LONG_TAIL and len(repairs.hours) >= 100:
        tail = f"; the longest hundredth of the repairs takes {100 * repairs.tail_share:.0f} % of all repair hours"
    yield (
        f"A failure takes {duration(repairs.median_h)} at the median and {duration(repairs.mean_h)} on average{tail}."
    )


def _cost(whole: ClassEstimate, told: Told) -> Iterator[str]:
    if whole.repairs is None or not whole.rate.mtbf_h:
        return
    share = whole.repairs.mean_h / (whole.repairs.mean_h + whole.rate.mtbf_h)
    yield (
        f"Repair takes {three(100 * share)} % of the {one(told.component)}-hours; on average "
        f"{three(share * whole.units)} of {many(whole.units, told.component)} are out."
    )


def _main_class(found: Calibration) -> Iterator[str]:
    if len(found.classes) > 1 and found.whole.rate.failures:
        first = found.classes[0]
        share = 100 * first.rate.failures / sum(each.rate.failures for each in found.classes)
        yield f"The most frequent class is {printable(first.name, 40)}: {share:.0f} % of the failures."


def _of_prior(found: Calibration, told: Told) -> Iterator[str]:
    whole = found.whole
    if whole.prior is None:
        return
    prior, low_high = whole.prior, whole.rate.mtbf_interval_h
    alone = "no failure" if not whole.rate.mtbf_h else f"one every {_every(whole.rate.mtbf_h, low_high)}"
    after = _every(whole.belief.mtbf_h, whole.belief.interval_h())
    yield (
        f"With {prior.failures:.3g} failures at the rate of {prior.name} (one per {one(told.component)} every "
        f"{three(prior.published_h)} h) taken in, it is one every {after}; the record alone says {alone}."
    )


def _every(mtbf: float, interval: tuple[float, float | None]) -> str:
    return f"{three(mtbf)} h ({three(interval[0])} to {three(interval[1])})"


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


# --- what moves the answer ----------------------------------------------------------------------------------------


def warnings(found: Calibration, told: Told) -> tuple[str, ...]:
    """Return what a reader should know before using the numbers: what moves the answer most comes first."""
    each = [*_of_exposure(found, told), *_of_patterns(found, told), *_of_repairs(found), *_of_reading(found)]
    return tuple(text for _, text in sorted(each, key=lambda weighed: -weighed[0]))


Weighed = tuple[float, str]
"""By which factor it may move the answer, as a logarithm, and what it is."""


def _of_exposure(found: Calibration, told: Told) -> Iterator[Weighed]:
    whole, failures = found.whole, found.whole.rate.failures
    if failures < FEW and whole.prior is None:
        low, high = whole.belief.interval_h()
        name = "--prior llama3, rsc-1 or rsc-2" if told.gpus else "a longer record"
        yield (
            math.log(high / low) / 2,
            f"{_counted(failures, 'failure')} leave the rate open by a factor of {three(high / low)}: {name} narrows "
            "it. The scenario draws the rate from all that is left open.",
        )
    if not found.spanned and failures:
        yield (
            2 / (failures + 1),
            f"The record is taken to be {span(found.span_h)} long, from its first outage to its last moment; if "
            "somebody watched for longer, say so: --span.",
        )
    if whole.counted:
        yield from _of_counting(whole, told)


def _of_counting(whole: ClassEstimate, told: Told) -> Iterator[Weighed]:
    """Say what units that never failed are left out; if all fail alike, a Poisson law cut at 1 says how many."""
    from scipy.optimize import brentq

    mean = whole.rate.failures / whole.units
    text = f"{many(whole.units, told.component)} are in service as far as the record names them"
    if mean <= 1.001:
        yield 3.0, f"{text}; each failed about once, so most of those in service are not in it: say how many (--units)."
        return
    level = float(brentq(lambda rate: rate / -math.expm1(-rate) - mean, 1e-9, mean))
    never = whole.units / -math.expm1(-level) - whole.units
    if never >= 0.5:
        text += f"; if all fail alike, about {never:,.0f} more never failed"
    yield (
        math.log(1 + never / whole.units) + 0.05,
        f"{text}. Those that never failed lengthen the time between failures: say how many there are (--units).",
    )


def _of_patterns(found: Calibration, told: Told) -> Iterator[Weighed]:
    whole = found.whole
    lemons, units, unit = whole.lemons, many(2, told.component).partition(" ")[2], one(told.component)
    if lemons is not None and lemons.found and whole.by_unit is not None:
        worst = [each for each in np.argsort(-whole.by_unit, kind="stable")[:MOST_UNITS] if whole.by_unit[each] > 1]
        named = [f"{printable(found.outages.components[each], 30)} ({whole.by_unit[each]:,})" for each in worst]
        yield (
            math.log(lemons.worst_share / max(lemons.expected_share, 1e-9)),
            f"The worst tenth of the {units} has {100 * lemons.worst_share:.0f} % of the failures, by chance it would "
            f"have {100 * lemons.expected_share:.0f} %. Most have {and_list(named)}. The scenario has lemons where "
            f"{LEAST_FOR_LEMONS} failures of a class tell them.",
        )
    trend = whole.trend
    if trend is not None and trend.found:
        last = trend.power
        more = "fewer" if trend.found == "fewer" else "more"
        yield (
            abs(math.log(max(last, 1e-3))),
            f"Failures become {more} with time: at the end of the record the rate is {three(last)} times its mean. "
            'The scenario has the mean; --last "90 d" takes the last part of the record alone.',
        )
    if whole.dispersion > 1:
        if trend is not None and trend.found:
            bursts = "a trend adds to that, so the scenario has no bursts"
        else:
            bursts = "the scenario has bursts"
        yield (
            math.log(whole.dispersion) / 2,
            f"Failures come together: daily counts vary {three(whole.dispersion)} times as much as by chance, so the "
            f"interval of the rate should be {three(whole.dispersion**0.5)} times as wide; {bursts}.",
        )
    if whole.lives is not None and whole.ages and not is_worn(whole):
        shape = three(whole.lives.shape)
        why = f"of few {units} that fail often" if lemons is not None and lemons.found else "of the short lives alone"
        yield (
            0.1,
            f"Times between failures of one {unit} have the Weibull shape {shape}; that comes {why}, so the scenario "
            "keeps a constant rate.",
        )


def _of_repairs(found: Calibration) -> Iterator[Weighed]:
    whole, repairs = found.whole, found.whole.repairs
    if repairs is None:
        return
    ratio = math.log(max(repairs.mean_h, 1e-9) / max(repairs.law_mean_h, 1e-9))
    if repairs.understated or repairs.overstated:
        word = "understates" if repairs.understated else "overstates"
        yield (
            abs(ratio),
            f"A lognormal law through the repairs {word} their mean: {duration(repairs.law_mean_h)} against "
            f"{duration(repairs.mean_h)}. The scenario draws from the repairs themselves.",
        )
    if whole.open:
        share = whole.open / whole.outages
        yield (
            share + 0.02,
            f"{_counted(whole.open, 'outage')} of {whole.outages:,} had not ended when the record did: the mean repair "
            "is longer than that of those that ended.",
        )
    if whole.forgotten:
        yield (
            whole.forgotten / whole.outages + 0.01,
            f"{_counted(whole.forgotten, 'outage')} without an end came before another failure of the same component: "
            "somebody did not write down the end. How long they took is left open, all repairs are taken to be alike.",
        )
    if repairs.zeros:
        yield (
            repairs.zeros / len(repairs.hours),
            f"{_counted(repairs.zeros, 'repair')} took no time at all; they are in the mean and the median, not in a "
            "law of repairs.",
        )


def _of_reading(found: Calibration) -> Iterator[Weighed]:
    broken = found.outages.broken
    if broken.total:
        order = sorted(broken.counts, key=lambda why: -broken.counts[why])[:MOST_BROKEN]
        listed = "; ".join(f"{broken.counts[why]:,}: {why}, first {printable(broken.first[why], 120)}" for why in order)
        share = broken.total / (broken.total + len(found.outages))
        yield share + 0.01, f"{_counted(broken.total, 'line')} could not be used: {listed}."


# --- tables -------------------------------------------------------------------------------------------------------


def classes_table(found: Calibration, told: Told) -> Table:
    """Return one row for each class, the most frequent first, and one for all together."""
    rows = [_row(each, each.name) for each in found.classes]
    if len(found.classes) > 1:
        rows.append(replace(_row(found.whole, "all together"), strong=True))
    unit = one(told.component)
    notes = [
        f"MTBF: mean time between failures of one {unit} [h], with its 95 % interval (exact, of a Poisson count).",
        f"Shape: of a Weibull law through times between failures of one {unit}; 1 is a constant rate.",
    ]
    if found.pooled:
        names = and_list([printable(name or "not told", 24) for name in found.pooled[:8]])
        notes.append(f"others: {len(found.pooled)} classes, such as {names}.")
    columns = ("failures", "MTBF, h", "95 % interval", "shape", "repair, median", "repair, mean", "pattern")
    title = f"{many(found.whole.units, told.component)} over {span(found.span_h)}, by class"
    return Table(title, columns, tuple(rows), corner="class", notes=tuple(notes))


def _row(each: ClassEstimate, name: str) -> Row:
    low, high = each.rate.mtbf_interval_h
    interval = f"{three(low)} to {three(high)}" if high else f"above {three(low)}"
    lives, repairs = each.lives, each.repairs
    cells: tuple[Cell, ...] = (
        number(each.rate.failures, 0),
        three(each.rate.mtbf_h),
        interval,
        MISSING if lives is None else number(lives.shape, 2),
        MISSING if repairs is None else duration(repairs.median_h),
        MISSING if repairs is None else duration(repairs.mean_h),
        pattern(each),
    )
    return Row(printable(name, 28), cells)


def pattern(each: ClassEstimate) -> str:
    """Return what is unlike a constant rate of equal units, in a few words."""
    found = []
    if each.dispersion > 1:
        found.append("bursts")
    if each.lemons is not None and each.lemons.found:
        found.append("lemons")
    if each.trend is not None and each.trend.found:
        found.append(f"{each.trend.found} with time")
    return ", ".join(found) or "none"


# --- pages --------------------------------------------------------------------------------------------------------


def notes_of(found: Calibration) -> list[str]:
    """Return how the record was read, and what priors are from."""
    notes = [f"Read as: {printable(each, 400)}." for each in found.outages.told]
    if found.whole.prior is not None:
        published = PUBLISHED[found.whole.prior.name]
        notes.append(
            f"Prior {found.whole.prior.name}: {published.said} ({published.source}), one failure in "
            f"{published.gpu_h:,.0f} GPU-hours; it weighs as much as {found.whole.prior.failures:.3g} failures."
        )
    return notes


def calibrate_page(found: Calibration, told: Told) -> Page:
    """Return what a screen shows of a calibration."""
    return Page(
        answer=sentences(found, told),
        parts=(classes_table(found, told), *_warned(found, told)),
        notes=tuple(notes_of(found)),
    )


def _warned(found: Calibration, told: Told) -> list[Passage]:
    texts = warnings(found, told)
    return [Passage("What moves the answer, the most first", tuple(("", text) for text in texts))] if texts else []


def calibrate_document(found: Calibration, told: Told, command: Sequence[str], sha256: Sequence[str]) -> Page:
    """Return the page for a sceptic: the finding, what moves it, and a picture of each estimate."""
    from dcsim.report.calibrate_figures import sections

    made = Passage(
        "How to make this again",
        (
            ("command", shlex.join(printable(word, 200) for word in command)),
            ("dcsim", __version__),
            *(
                (f"sha256 of {printable(name, 60)}", digest)
                for name, digest in zip(told.record.split(", "), sha256, strict=False)
            ),
        ),
    )
    page = calibrate_page(found, told)
    about = f"{printable(told.record, 200)}: {_counted(len(found.outages), 'outage')} over {span(found.span_h)}."
    return replace(
        page,
        title=printable(f"{told.record}: how often do {many(2, told.component).partition(' ')[2]} fail?", 120),
        about=(about,),
        sections=tuple[Section, ...](sections(found, told)),
        made=made,
    )


def document(found: Calibration, told: Told) -> dict[str, Any]:
    """Return the estimates as one JSON document, with the finding and what moves it in words."""
    from dcsim.decide.estimate import SCHEMA

    words = {"answer": list(sentences(found, told)), "warnings": list(warnings(found, told))}
    return {"schema": SCHEMA, "component": told.component, **words, **found.to_json()}
