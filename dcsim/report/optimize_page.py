"""An optimum as a page: the simplest of the best settings, what cannot be told apart from it, and how it was found."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from math import floor, log10
from typing import Any

from dcsim import __version__
from dcsim.decide.optimize_race import CLOSE, FIRST_RUNS, Met
from dcsim.decide.optimize_result import Optimum, Setting
from dcsim.decide.sweep_files import positions
from dcsim.decide.variants import Axis, value_text
from dcsim.report.document import HeatMap, Lines, Page, Part, Picture, Section
from dcsim.report.figures import MISSING, Cell, PointUnit, number, per_cent
from dcsim.report.page import SHORT, Passage, Row, Table, and_list, printable
from dcsim.report.sweep_page import best_is, setting
from dcsim.scenario import sha256

MOST_ROWS, MOST_NAMED, LONGEST = 40, 3, 60
"""Settings that a list shows, and that a sentence names; letters of a value; source: assumed."""
STANDS = {
    "best": "best mean",
    "tied": "not told apart",
    "worse": "worse",
    "misses": "misses",
    "unsure": "unsure",
    "no figure": "no figure",
}
"""How a setting stands, in a table."""
METHOD = (
    f"Every setting is simulated with the same random numbers, {FIRST_RUNS} runs at first, or what --runs "
    "allows. Settings that are worse for sure drop out, and the others get twice as many runs, until one is left, or "
    "those left differ by less than "
    f"{100 * CLOSE:g} %, or no further runs are allowed. A setting is worse for sure where its difference from the "
    "best mean, run by run, is clear at 95 %, corrected for the number of settings and of looks (Bonferroni). So the "
    "setting that is best in truth is among those left with a probability of at least 95 %. Where too few failures "
    "struck for an interval, nothing drops out.",
    "Of the settings that are left the simplest is named: fewest spares, then crews and GPUs, then the longest "
    "checkpoint interval, then the order in which files and values were given.",
    "A requirement such as goodput >= 95 % at 90 % is met for sure where the interval of the share of runs that keep "
    "it (Clopper and Pearson) lies at 90 % or above, with the same correction.",
)


def optimum_page(found: Optimum, notes: Sequence[str] = ()) -> Page:
    """Return the answer, the settings, and how many runs it took."""
    runs = (
        f"runs (replications): {found.used:,} of at most {found.most:,}, seed {found.offers[0].seed}; the number of "
        "runs of each setting is in the table; ± is the 95 % interval of a mean"
    )
    kept = [] if found.folder is None else [f"written: {found.folder}/"]
    return Page(
        answer=tuple(sentences(found)),
        headline=1,
        parts=(settings_table(found), _race_table(found)),
        notes=(*found.notes, *notes, runs, *kept),
    )


def optimum_document(found: Optimum, command: Sequence[str], notes: Sequence[str] = ()) -> Page:
    """Return the same as a whole report; ``command`` makes it again."""
    names = printable(" or ".join(each.name for each in found.offers), 80)
    items = [("command", shlex.join([printable(word, 200) for word in command])), ("dcsim", __version__)]
    items += [(f"sha256 of {printable(each.name)}", sha256(each)) for each in found.offers]
    page = optimum_page(replace(found, folder=None), notes)
    return replace(
        page,
        parts=_pictures(found),
        notes=(),
        title=f"{names}: {and_list([printable(key) for key in found.keys])}" if found.keys else names,
        about=(f"{len(found.settings):,} settings, {found.used:,} runs.",),
        sections=(
            Section("settings", "Settings", parts=(settings_table(found, 1000), _race_table(found))),
            Section("method", "Method", METHOD, (Passage("Notes", tuple(("", each) for each in page.notes)),)),
        ),
        made=Passage("How to make this again", tuple(items)),
    )


def _unit(found: Optimum) -> PointUnit:
    """Return the unit of the figure, with the digits that tell the settings that are left apart."""
    unit = PointUnit.of(found.metric, [each.figure.mean for each in found.settings if each.figure is not None])
    if not found.dearer:
        return unit
    return replace(unit, digits=min(5, max(unit.digits, -floor(log10(found.dearer / unit.scale)))))


def named(found: Optimum, its: Setting) -> str:
    """Return a setting in words, its offer too where there are several."""
    offer = [printable(its.scenario.name)] if len(found.offers) > 1 else []
    return " and ".join([*offer, *([setting(its.inputs)] if its.inputs else [])])


# --- sentences --------------------------------------------------------------------------------------------------------


def sentences(found: Optimum) -> list[str]:
    """Say which setting is best, what is as good, what is required, and where theory or a wider range says more."""
    if found.chosen is None:
        return _none(found)
    its, unit = found.settings[found.chosen], _unit(found)
    assert its.figure is not None
    said = f"With {named(found, its)} {best_is(found.metric)}: {unit.said(its.figure.mean)}"
    others = len(found.members) - 1
    known = sum(each.fate != "no figure" for each in found.settings)
    if found.requirements:
        asked = and_list([f'"{each.text}"' for each in found.requirements])
        said = f"Of what meets {asked} for sure, {said[0].lower()}{said[1:]}"
    if not others:
        said += "." if known == 1 or found.requirements else "; every other setting is worse."
    elif found.chosen == found.best:
        said += f"; {_several(found, others)} cannot be told apart from it."
    else:
        said += f"; it is the simplest of {others + 1:,} settings that cannot be told apart."
    return [
        said,
        *_at_most(found, unit),
        *_met(found, its),
        *_unsure(found),
        *_more(found),
        *_by_theory(found),
        *_at_an_end(found),
    ]


def _several(found: Optimum, others: int) -> str:
    rest = [found.settings[number] for number in found.members if number != found.chosen]
    if others <= MOST_NAMED:
        return and_list([named(found, each) for each in rest])
    return f"{others} of the other {len(found.settings) - 1:,} settings"


def _at_most(found: Optimum, unit: PointUnit) -> list[str]:
    """Say how much worse the simplest can be than the best of those that are not told apart."""
    if len(found.members) < 2 or found.best is None:
        return []
    best = found.settings[found.best]
    if found.dearer is None or best.figure is None:
        return ["Too few runs to say by how much they differ."]
    if found.chosen == found.best:
        return []
    share = found.dearer / abs(best.figure.mean) if best.figure.mean else 0.0
    return [
        f"It is at most {unit.said(found.dearer)} ({per_cent(share, 2)} %) worse than {named(found, best)}, which has "
        "the best mean."
    ]


def _met(found: Optimum, its: Setting) -> list[str]:
    said = []
    for each, met in zip(found.requirements, its.met, strict=True):
        if met is not None:
            said.append(
                f"{_share(met)} of its {its.runs:,} runs keep {printable(each.metric.name)} "
                f"{each.condition.op} {_bound(each.metric.unit, each.condition.bound)}; "
                f"{per_cent(each.share, 0)} % are asked for."
            )
    return said


def _share(met: Met) -> str:
    return f"{per_cent(met.share, 1)} % ({per_cent(met.ci95[0], 1)} to {per_cent(met.ci95[1], 1)})"


def _bound(unit: str, bound: float) -> str:
    if unit == "1":
        return f"{100 * bound:g} %"
    return f"{bound / 1e6:,.6g} million {unit}" if bound >= 1e6 else f"{bound:,.6g} {unit}"


def _unsure(found: Optimum) -> list[str]:
    unsure = [each for each in found.settings if each.fate == "unsure"]
    if not unsure:
        return []
    which = and_list([named(found, each) for each in unsure]) if len(unsure) <= MOST_NAMED else f"{len(unsure)} others"
    return [f"{which} may meet what is required too; these runs cannot tell."]


def _more(found: Optimum) -> list[str]:
    if not found.exhausted:
        return []
    return [f"All {found.most:,} runs that were allowed are used; with more of them (--runs) fewer may be left."]


def _none(found: Optimum) -> list[str]:
    """Say that no setting meets what is required for sure, and which comes nearest."""
    asked = and_list([f'"{each.text}"' for each in found.requirements])
    unsure = [each for each in found.settings if each.fate == "unsure"]
    if not found.requirements or all(each.fate == "no figure" for each in found.settings):
        return [f"No setting has a figure of {found.metric.label}."]

    def least(each: Setting) -> float:
        return min((met.share for met in each.met if met is not None), default=0.0)

    nearest = max(found.settings, key=least)
    met = min((each for each in nearest.met if each is not None), key=lambda each: each.share)
    surely = "No setting meets" if not unsure else "No setting meets for sure"
    said = [f"{surely} {asked}: {named(found, nearest)} comes nearest, {_share(met)} of its {nearest.runs:,} runs do."]
    return said + _unsure(found) + _more(found)


def _by_theory(found: Optimum) -> list[str]:
    """Say what exact theory has as the best, and whether it is among those that are left."""
    if found.theory_best is None:
        return []
    its = found.settings[found.theory_best]
    if its.number == found.chosen:
        return ["Exact theory has the same setting as the best."]
    inside = "which is among them" if its.number in found.members else "which the simulation finds worse"
    return [f"Exact theory has {named(found, its)} as the best, {inside}."]


def _values(found: Optimum, key: str) -> list[Any]:
    return list(dict.fromkeys(dict(each.inputs)[key] for each in found.settings if key in dict(each.inputs)))


def _at_an_end(found: Optimum) -> list[str]:
    """Say where the best value is the lowest or highest one of those given, so that a better one may lie beyond it."""
    said: list[str] = []
    if found.best is None:
        return said
    inputs = dict(found.settings[found.best].inputs)
    for key in found.keys:
        values = _values(found, key)
        where = positions(Axis(key, tuple(values)))
        if where is None or len(values) < 3:
            continue
        value = where[0][values.index(inputs[key])]
        ends = {min(where[0]): "lowest", max(where[0]): "highest"}
        if value in ends and value > 0:
            beyond = "lower" if ends[value] == "lowest" else "higher"
            said.append(f"{printable(key, LONGEST)}: the {ends[value]} value is best, a {beyond} one may be better.")
    return said


# --- tables -----------------------------------------------------------------------------------------------------------


def _label(found: Optimum, its: Setting) -> str:
    texts = [printable(value_text(value), LONGEST) for _, value in its.inputs]
    names = [printable(its.scenario.name, SHORT)] if len(found.offers) > 1 else []
    return ", ".join([*names, *texts])


def _rank(found: Optimum, its: Setting) -> tuple[bool, bool, float]:
    sign = 1.0 if found.metric.lower_is_better else -1.0
    mean = float("inf") if its.figure is None else sign * its.figure.mean
    return its.number not in found.members, its.fate in ("misses", "no figure"), mean


def settings_table(found: Optimum, most: int = MOST_ROWS) -> Table:
    """Return the settings as rows: all of them in order, or the best of many."""
    shown, notes, unit = list(found.settings), [], _unit(found)
    if len(shown) > most:
        shown = sorted(shown, key=lambda each: _rank(found, each))[:most]
        notes.append(f"The best {most} of {len(found.settings):,} settings; --json has all.")
    if any(each.fate == "tied" for each in found.settings):
        notes.append("Not told apart: from the best mean, at 95 %, corrected for all settings and looks.")
    theory = any(each.theory is not None for each in found.settings)
    figure = "USD per useful GPU-h" if found.metric.unit == "USD" and "per" in found.metric.label else ""
    columns = ["stands", figure or f"{found.metric.label}, {unit.name}", *(["exact theory"] if theory else [])]
    columns += [f"runs that keep {its.text.split(' at ')[0]}, %" for its in found.requirements]
    columns += ["runs"]
    rows = []
    for each in shown:
        half = None if each.figure is None else each.figure.shown_half_width
        chosen = each.number == found.chosen
        stands = STANDS[each.fate] + (", simplest" if chosen and len(found.members) > 1 else "")
        cells: list[Cell] = [stands, unit.figure(None if each.figure is None else each.figure.mean, half)]
        cells += [unit.figure(each.theory)] if theory else []
        cells += [MISSING if met is None else per_cent(met.share, 1) for met in each.met]
        rows.append(Row(_label(found, each), (*cells, number(each.runs, 0)), strong=chosen))
    last = [key.rpartition(".")[2] for key in found.keys]
    called = last if len(set(last)) == len(last) else found.keys
    corner = ", ".join([*(["scenario"] if len(found.offers) > 1 else []), *map(printable, called)])
    return Table("Settings", tuple(columns), tuple(rows), corner, tuple(notes))


def _race_table(found: Optimum) -> Table:
    """Return how many settings each look left."""
    rows = [Row(f"{each.runs:,} runs of each", (number(each.in_play, 0), number(each.left, 0))) for each in found.looks]
    return Table("How settings dropped out", ("simulated", "left"), tuple(rows), "look after")


# --- pictures ---------------------------------------------------------------------------------------------------------


def _pictures(found: Optimum) -> tuple[Part, ...]:
    if not found.keys:
        return (settings_table(found),)
    grid = 1
    for key in found.keys:
        grid *= len(_values(found, key))
    if len(found.keys) == 2 and grid * len(found.offers) == len(found.settings) and grid > len(found.settings) ** 0.5:
        return tuple(_heat_map(found, offer) for offer in range(len(found.offers)))
    return tuple(_lines(found, key) for key in found.keys)


def _mean(its: Setting, unit: PointUnit) -> float | None:
    return None if its.figure is None else its.figure.mean / unit.scale


def _heat_map(found: Optimum, offer: int) -> Picture:
    first, second = found.keys
    rows, columns = _values(found, first), _values(found, second)
    unit, its = _unit(found), [each for each in found.settings if each.offer == offer]
    places = {
        each.number: (rows.index(dict(each.inputs)[first]), columns.index(dict(each.inputs)[second])) for each in its
    }
    at = {place: each for each in its for place in [places[each.number]]}
    values = tuple(tuple(_mean(at[row, column], unit) for column in range(len(columns))) for row in range(len(rows)))
    chart = HeatMap(
        tuple(printable(value_text(value), SHORT) for value in rows),
        tuple(printable(value_text(value), SHORT) for value in columns),
        values,
        first,
        second,
        unit.name,
        found.metric.lower_is_better,
        None if found.chosen is None else places.get(found.chosen),
        tuple(places[number] for number in found.members if number in places),
        unit.digits,
    )
    name = f": {printable(found.offers[offer].name)}" if len(found.offers) > 1 else ""
    return Picture(f"{found.metric.label}, {unit.name}{name}", sentences(found)[0], chart, settings_table(found, 1000))


def _lines(found: Optimum, key: str) -> Picture:
    """Draw the figure along one key: a line for each offer, at the best of the other keys."""
    unit, values = _unit(found), _values(found, key)
    where = positions(Axis(key, tuple(values)))
    series, marked, best = [], [], None
    for line, offer in enumerate(found.offers):
        its = []
        for value in values:
            here = [each for each in found.settings if each.offer == line and dict(each.inputs)[key] == value]
            its.append(min(here, key=lambda each: _rank(found, each)))
        intervals = tuple(
            (each.figure.ci95[0] / unit.scale, each.figure.ci95[1] / unit.scale)
            if each.figure is not None and each.figure.ci95 is not None and each.figure.reliable
            else None
            for each in its
        )
        series.append((printable(offer.name, SHORT), tuple(_mean(each, unit) for each in its), intervals))
        marked += [(line, place) for place, each in enumerate(its) if each.number in found.members]
        best = next(((line, place) for place, each in enumerate(its) if each.number == found.chosen), best)
    others = " (at the best of the other keys)" if len(found.keys) > 1 else ""
    chart = Lines(
        tuple(float(index) for index in range(len(values))) if where is None else tuple(where[0]),
        tuple(printable(value_text(value), SHORT) for value in values),
        tuple(series),
        key + others,
        unit.name,
        best,
        tuple(marked),
        unit.digits,
    )
    return Picture(f"{found.metric.label} by {key}{others}", sentences(found)[0], chart, settings_table(found, 1000))
