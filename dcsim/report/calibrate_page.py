"""What a record says of a site, as a page: the finding, a table of classes, and what moves the answer."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from dcsim import __version__
from dcsim.calibrate import Blame, Blamed, Calibration, ClassEstimate
from dcsim.calibrate.findings import Findings
from dcsim.calibrate.laws import CLOSE_AIC, SURE, Fit
from dcsim.calibrate.patterns import cycles
from dcsim.calibrate.priors import PUBLISHED
from dcsim.report.calibrate_warnings import (
    MOST_UNITS,
    Told,
    bad_units,
    duration,
    many,
    one,
    span,
    three,
    warnings,
)
from dcsim.report.document import Bars, Page, Picture, Section
from dcsim.report.figures import MISSING, Cell, number
from dcsim.report.page import Passage, Row, Table, and_list, printable
from dcsim.wording import counted

LONG_TAIL = 0.2
"""Share of all repair hours from which on that of the longest hundredth is said; source: assumed."""
# --- words ------------------------------------------------------------------------------------------------------------


def sentences(found: Calibration, told: Told) -> tuple[str, ...]:
    """Return the finding: how often, for how long, what that takes, and what a prior does."""
    whole, unit = found.whole, one(told.component)
    units = many(whole.units, told.component)
    rate, low_high = whole.rate, whole.rate.mtbf_interval_h
    told_by = "" if found.blame is None else " by the scheduler's own account"  # of runs, more may be due to nodes
    if not rate.failures:
        first = (
            f"In {span(found.span_h)} {units} did not fail{told_by}: more than {three(low_high[0])} h per {unit} "
            f"between{' such' if told_by else ''} failures, with 97.5 % confidence."
        )
    else:
        times = "once" if rate.failures == 1 else f"{rate.failures:,} times"
        high = "" if low_high[1] is None else f" ({three(low_high[0])} to {three(low_high[1])})"
        first = (
            f"In {span(found.span_h)} {units} failed {times}{told_by}: one{' such' if told_by else ''} failure per "
            f"{unit} every {three(rate.mtbf_h)} h{high}."
        )
    said = *_repair(whole), *_cost(whole, told), *_main_class(found), *_worst(whole), *_of_prior(found, told)
    return (first, *blame_sentences(found.blame), *said)


def blame_sentences(blame: Blame | None) -> Iterator[str]:
    """Say how many failed runs of jobs are due to nodes, and which nodes and owners stand out, each by itself."""
    if blame is None:
        return
    yield (
        f"Of {counted(blame.failures, 'run')} of jobs that failed about {blame.due_to_nodes:,.0f} "
        f"({blame.due_low:,.0f} to {blame.due_high:,.0f}) are due to nodes, the rest to the jobs themselves."
    )
    nodes, owners = ([_named(each) for each in some if each.accused] for some in (blame.nodes, blame.owners))
    if nodes:
        yield f"Nodes on which jobs fail more often, whoever's they are, and how often in 1,000 h: {_some(nodes)}."
    if owners:
        yield f"Owners whose jobs fail more often, on whatever nodes, and how often in 1,000 h: {_some(owners)}."
    if not (nodes or owners):
        yield "No node and no owner of jobs stands out."


def _named(each: Blamed) -> str:
    return f"{printable(each.name)} ({_interval(each)})"


def _interval(each: Blamed) -> Cell:
    """Return the interval of a rate [1/1,000 h]."""
    if each.low is None or each.high is None:
        return MISSING
    return f"{three(1000 * each.low)} to {three(1000 * each.high)}"


def _some(names: Sequence[str]) -> str:
    return and_list(names[:5]) if len(names) <= 5 else f"{', '.join(names[:5])} and {len(names) - 5} more"


def blame_section(blame: Blame) -> Section:
    """Return nodes and owners, those that stand out first, with the failures that are due to each."""
    shown = [("node", each) for each in blame.nodes] + [("owner", each) for each in blame.owners]
    shown.sort(key=lambda one: (not one[1].accused, -one[1].blamed))
    rows = [_blamed_row(each, what) for what, each in shown[:MOST_BLAMED]]
    notes = (
        "Due to it: failures that the node, or the owner's jobs, account for when both are estimated together; counts "
        "by node alone accuse the nodes on which a careless owner's jobs run.",
        "Chance: with which probability it would look so bad if it were like the others. Marked: at most five in a "
        "hundred of those that are marked are marked wrongly.",
        "Interval: holds the rate of at least 95 in 100 of those that are marked. Who is marked had bad luck, too; the "
        "interval heeds that, and may lie below the rate that was seen.",
    )
    columns = ("what", "failures", "due to it", "each 1,000 h", "95 % interval", "chance")
    table = Table("Nodes and owners of jobs", columns, tuple(rows), "name", notes)
    bars = shown[:MOST_BARS]
    if not bars:
        return Section("blame", "Who is to blame", tuple(blame_sentences(blame)), (table,))
    chart = Bars(
        tuple(f"{what} {printable(each.name, 30)}" + ("" if each.accused else ", as others") for what, each in bars),
        tuple(each.blamed for _, each in bars),
        tuple(None for _ in bars),
        "",
        0 if bars[0][1].accused else -1,
        1,
    )
    says = "Failed runs that are due to each node and to each owner's jobs, those that stand out first."
    picture = Picture("Failed runs, by what they are due to", says, chart, table)
    return Section("blame", "Who is to blame", tuple(blame_sentences(blame)), (picture,))


def closely_section(found: Findings) -> Section:
    """Return what else is seen in all failures together, and which law fits lives and repairs."""
    said = [printable(f"{each[:1].upper()}{each[1:]}.", 600) for each in found.sentences()]
    fits = (("From a repair to the next failure: which law fits", found.lives_fit),
            ("Time to repair: which law fits", found.repairs_fit))  # fmt: skip
    tables = [fit_table(title, fit) for title, fit in fits if fit is not None]
    return Section("closely", "Looked at closely", tuple(said), tuple(tables))


def fit_table(title: str, fit: Fit) -> Table:
    """Return the laws, the best first: what mean each gives, how far it is from what was seen, and whether it fits."""
    rows = [
        Row(
            law.name,
            (
                duration(law.mean_h),
                number(law.aic - fit.best.aic, 1),
                number(100 * law.distance, 1),
                f"{law.chance:.2g}",
                "yes" if law.fits else "no",
            ),
            strong=law is fit.best,
        )
        for law in fit.laws
    ]
    notes = (
        f"AIC: less is better; below {CLOSE_AIC} the law cannot be told from the best. Distance: the largest gap to "
        f"what was seen. Chance: that a sample of the law itself lies as far off; it fits from {SURE} on.",
    )
    columns = ("mean", "AIC over the best", "distance, points", "chance", "fits")
    return Table(title, columns, tuple(rows), "law", notes)


MOST_BARS = 10
"""Nodes and owners in the picture; source: assumed, what a page shows at a glance."""
MOST_BLAMED = 20
"""Nodes and owners in the table; source: assumed, a screen."""


def _blamed_row(each: Blamed, what: str) -> Row:
    cells = (
        what, number(each.failures, 0), number(each.blamed, 1), three(1000 * each.per_h), _interval(each),
        f"{each.chance:.2g}",
    )  # fmt: skip
    return Row(printable(each.name), cells, strong=each.accused)


def _repair(whole: ClassEstimate) -> Iterator[str]:
    repairs = whole.repairs
    if repairs is None:
        if whole.rate.failures and not len(whole.short):
            yield "The record does not tell how long repairs take; the scenario takes published ones, 6 h on average."
        elif whole.rate.failures:
            ended = whole.outages - whole.open
            yield f"Only {counted(ended, 'repair')} ended, which is too few to say how long one takes."
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


def _worst(whole: ClassEstimate) -> Iterator[str]:
    """Name the units that somebody should look at before anything else."""
    bad = bad_units(whole)
    if not bad:
        return
    listed = [printable(each.name, 30) for each in bad[:MOST_UNITS]]
    rest = [f"{len(bad) - MOST_UNITS:,} more"] if len(bad) > MOST_UNITS else []
    held = sum(each.failures for each in bad)
    yield (
        f"Look at {and_list([*listed, *rest])} first: {'it has' if len(bad) == 1 else 'they have'} {held:,} of the "
        f"{whole.rate.failures:,} failures, more than chance explains."
    )


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


# --- tables -------------------------------------------------------------------------------------------------------


def classes_table(found: Calibration, told: Told) -> Table:
    """Return one row for each class, the most frequent first, and one for all together."""
    rows = [_row(each, each.name) for each in found.classes]
    if len(found.classes) > 1:
        rows.append(replace(_row(found.whole, "all together"), strong=True))
    unit = one(told.component)
    notes = [
        f"MTBF: mean time between failures of one {unit} [h], with its 95 % interval (exact, of a Poisson count).",
        f"Shape: of a Weibull law through times between failures of one {unit}, each with a rate of its own; 1 is a "
        "constant rate.",
    ]
    if sum(each.rate.failures for each in found.classes) > found.whole.rate.failures:
        notes.append(f"All together: failures of one {unit} that overlap count once, in whichever class they are.")
    if found.pooled:
        names = and_list([printable(name or "not told", 24) for name in found.pooled[:8]])
        notes.append(f"others: {len(found.pooled)} classes, such as {names}.")
    columns = ("failures", "MTBF, h", "95 % interval", "shape", "repair, median", "repair, mean", "pattern")
    title = f"{many(found.whole.units, told.component)} over {span(found.span_h)}, by class"
    return Table(title, columns, tuple(rows), corner="class", notes=tuple(notes))


def _row(each: ClassEstimate, name: str) -> Row:
    low, high = each.rate.mtbf_interval_h
    interval = f"{three(low)} to {three(high)}" if high else f"above {three(low)}"
    repairs = each.repairs
    cells: tuple[Cell, ...] = (
        number(each.rate.failures, 0),
        three(each.rate.mtbf_h),
        interval,
        MISSING if each.shape is None else number(each.shape, 2),
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
    if found.outages.begin is not None and found.whole.rate.failures:
        for what, cycle in zip(("day", "week"), cycles(found.whole.at, found.outages.begin, found.span_h), strict=True):
            if cycle is not None and cycle.found:
                notes.append(f"Failures differ within a {what}, beyond chance. {cycle.sentence}.")
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


def calibrate_document(
    found: Calibration, told: Told, command: Sequence[str], sha256: Sequence[str], closely: Findings | None = None
) -> Page:
    """Return the page for a sceptic: the finding, what moves it, and a picture of each estimate.

    ``closely``: what else is seen in all failures together.
    """
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
    about = f"{printable(told.record, 200)}: {counted(len(found.outages), 'outage')} over {span(found.span_h)}."
    return replace(
        page,
        title=printable(f"{told.record}: how often do {many(2, told.component).partition(' ')[2]} fail?", 120),
        about=(about,),
        sections=(
            *tuple[Section, ...](sections(found, told)),
            *([] if found.blame is None else [blame_section(found.blame)]),
            *([] if closely is None else [closely_section(closely)]),
        ),
        made=made,
    )


def document(found: Calibration, told: Told) -> dict[str, Any]:
    """Return the estimates as one JSON document, with the finding and what moves it in words."""
    from dcsim.decide.estimate import SCHEMA

    words = {"answer": list(sentences(found, told)), "warnings": list(warnings(found, told))}
    return {"schema": SCHEMA, "component": told.component, **words, **found.to_json()}
