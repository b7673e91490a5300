"""What moves the answer of a calibration, in sentences, the most first; and the words of its page."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from dcsim.calibrate import Calibration, ClassEstimate
from dcsim.calibrate.fragment import LEAST_FOR_LEMONS, is_worn
from dcsim.calibrate.patterns import SURE
from dcsim.calibrate.site import FEW
from dcsim.calibrate.suspects import Suspect
from dcsim.report.figures import Figure, brief
from dcsim.report.page import and_list, printable
from dcsim.wording import counted

AGAIN = 0.3
"""Weight of units that fail again at once among what moves the answer; source: assumed, as the count cannot tell."""
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
            f"{counted(failures, 'failure')} leave{'s' if failures == 1 else ''} the rate open by a factor of "
            f"{three(high / low)}: {name} narrows it. The scenario draws the rate from all that is left open.",
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


def bad_units(whole: ClassEstimate) -> tuple[Suspect, ...]:
    """Return the units that fail beyond chance, the worst first, where units differ at all."""
    if whole.lemons is None or not whole.lemons.found or whole.suspects is None:
        return ()
    return whole.suspects.bad


def _of_patterns(found: Calibration, told: Told) -> Iterator[Weighed]:
    whole = found.whole
    lemons, units, unit = whole.lemons, many(2, told.component).partition(" ")[2], one(told.component)
    if lemons is not None and lemons.found and whole.by_unit is not None:
        listed = [f"{printable(each.name, 30)} ({each.failures:,})" for each in bad_units(whole)[:MOST_UNITS]]
        rest = [f"{len(bad_units(whole)) - MOST_UNITS:,} more"] if len(bad_units(whole)) > MOST_UNITS else []
        named = f" Beyond chance: {and_list([*listed, *rest])}." if listed else ""
        yield (
            math.log(lemons.worst_share / max(lemons.expected_share, 1e-9)),
            f"The worst tenth of the {units} has {100 * lemons.worst_share:.0f} % of the failures, by chance it would "
            f"have {100 * lemons.expected_share:.0f} %.{named} The scenario has lemons where "
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
        bursts = "the scenario has bursts"
        if not whole.together:
            why = "a trend adds to that" if trend is not None and trend.found else "it is the same units again"
            bursts = f"{why}, so the scenario has no bursts"
        yield (
            math.log(whole.dispersion) / 2,
            f"Failures come together: daily counts vary {three(whole.dispersion)} times as much as by chance, so the "
            f"interval of the rate should be {three(whole.dispersion**0.5)} times as wide; {bursts}.",
        )
    clumps = whole.clumps
    if clumps is not None and clumps.again > 1 and clumps.again_chance < SURE:
        yield (
            AGAIN,
            f"A {unit} that failed fails again within a day {three(clumps.again)} times as often as by chance: repairs "
            "that did not help, or one failure that was written down twice.",
        )
    if whole.lives is not None and whole.ages and not is_worn(whole):
        shape = f"All {units} together look as if they had the Weibull shape {three(whole.lives.shape)}"
        why = f"the mean of that law, {three(whole.lives.mean_h)} h, is not that of the record"
        if whole.own is not None:
            low, high = three(whole.own.shape_low), three(whole.own.shape_high)
            why = f"each {unit} by itself has {three(whole.own.shape)} ({low} to {high})"
        yield 0.1, f"{shape}; {why}. The scenario keeps a constant rate."


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
    if whole.tail is not None and not whole.tail.bends and whole.tail.index <= 1:
        yield 0.5, f"The mean repair may be longer than any record of this length shows: {whole.tail.sentence}."
    if whole.open:
        share = whole.open / whole.outages
        yield (
            share + 0.02,
            f"{counted(whole.open, 'outage')} of {whole.outages:,} had not ended when the record did: the mean repair "
            "is longer than that of those that ended.",
        )
    if whole.forgotten:
        yield (
            whole.forgotten / whole.outages + 0.01,
            f"{counted(whole.forgotten, 'outage')} without an end came before another failure of the same component: "
            "somebody did not write down the end. How long they took is left open, all repairs are taken to be alike.",
        )
    if repairs.zeros:
        yield (
            repairs.zeros / len(repairs.hours),
            f"{counted(repairs.zeros, 'repair')} took no time at all; they are in the mean and the median, not in a "
            "law of repairs.",
        )


def _of_reading(found: Calibration) -> Iterator[Weighed]:
    broken = found.outages.broken
    if broken.total:
        order = sorted(broken.counts, key=lambda why: -broken.counts[why])[:MOST_BROKEN]
        listed = "; ".join(f"{broken.counts[why]:,}: {why}, first {printable(broken.first[why], 120)}" for why in order)
        share = broken.total / (broken.total + len(found.outages))
        yield share + 0.01, f"{counted(broken.total, 'line')} could not be used: {listed}."
