"""The report that people forward, as a document: the answer first, then what it rests on."""

from collections.abc import Sequence
from dataclasses import replace

from dcsim.decide import Comparison, RunResult, Verdict
from dcsim.decide.report_data import ReportData
from dcsim.decide.verdict import verdict as judge
from dcsim.montecarlo import Summary
from dcsim.report.answer import USEFUL, hours, paid, set_aside
from dcsim.report.document import Card, Page, Section
from dcsim.report.figures import loss, number, price_digits
from dcsim.report.grid_page import grid_section
from dcsim.report.inputs import inputs_section, made, method_section
from dcsim.report.lender_page import lender_card, lender_section
from dcsim.report.limits import judged_again, with_limits
from dcsim.report.months import months
from dcsim.report.owner_answer import most_cash, owner_card
from dcsim.report.owner_page import first_owner_picture, owner_section
from dcsim.report.page import and_list, names, printable
from dcsim.report.published_tables import over_of
from dcsim.report.sections import beside, first_picture, gap, where, why
from dcsim.report.simulated import comparison_page, run_page
from dcsim.report.sold import sold_section
from dcsim.report.tokens_page import tokens_card, tokens_section
from dcsim.report.uncertainty import luck, sure, with_error
from dcsim.units import MS_PER_H

LONGEST_TITLE, LONGEST_ABOUT = 120, 300


def document(given: ReportData) -> Page:
    """Return the whole report of a run, or of runs that were compared; where their folders are is no part of it."""
    shown = replace(given, runs=tuple(replace(run, folder=None) for run in given.runs))
    runs = shown.runs
    sections: list[Section] = [*owner_section(runs), beside(runs)]
    if shown.bridges:
        sections.append(why(shown.bridges, [each for each, run in zip(names(runs), runs, strict=True) if not run.done]))
    if len(runs) > 1:
        sections.append(gap(shown.pairs, runs, shown.walks))
    sections += [*lender_section(runs), *sold_section(runs), *tokens_section(runs), *grid_section(runs)]
    sections += [where(shown), sure(runs)]
    lengths = list(dict.fromkeys(f"{run.scenario.month / MS_PER_H:g} h" for run in runs))
    sections.append(months(shown.stories, names(runs), and_list(lengths)))
    sections += [inputs_section(shown), method_section(shown)]
    command = given.manifests[0].command if given.manifests else ()
    page = replace(
        _answer(shown),
        title=printable(" or ".join(run.scenario.name for run in runs) + ("?" if len(runs) > 1 else ""), LONGEST_TITLE),
        about=_about(runs),
        cards=_cards(runs),
        parts=(first_owner_picture(runs) or first_picture(runs),),
        notes=(),  # they stand in the section on the method
        sections=tuple(sections),
        made=made(given),
    )
    return with_limits(page, judged_again(command, runs))


def _about(runs: Sequence[RunResult]) -> tuple[str, ...]:
    """Return what is on offer: the scenarios' own descriptions, and the size of it all."""
    gpus = and_list(list(dict.fromkeys(f"{run.scenario.cluster.gpus:,} GPUs" for run in runs)))
    topologies = and_list(list(dict.fromkeys(printable(run.scenario.cluster.topology.name) for run in runs)))
    over = f", bills {over_of(runs)}" if any(run.tco for run in runs) else ""
    many = f"{len(runs[0].sample):,} runs" if len(runs[0].sample) > 1 else "one run, so no interval"
    lines = [USEFUL] if any(run.tco for run in runs) else []
    lines += [f"{gpus} of {topologies}{over}; {many}."]
    for name, run in zip(names(runs), runs, strict=True):
        if run.scenario.description:
            lines.append(f"{name}: {printable(run.scenario.description, LONGEST_ABOUT)}")
    return tuple(lines)


def _answer(given: ReportData) -> Page:
    """Return the page that a screen shows, whose answer the report has too."""
    if len(given.runs) > 1:
        return comparison_page(Comparison(given.runs, given.pairs, given.bridges, given.notes, given.walks, given.by))
    page = run_page(given.runs)
    return replace(page, answer=(*page.answer[: page.headline], *luck(given.runs)))


def _cards(runs: Sequence[RunResult]) -> tuple[Card, ...]:
    """Return the figure of each offer that decides, the best one marked."""
    found = judge(runs) if len(runs) > 1 else None
    priced = all(run.useful_hour_usd for run in runs)
    standing = {} if found is None else {each.index: each for each in found.others}
    digits = price_digits([run.useful_hour_usd.mean if run.useful_hour_usd else None for run in runs])
    cards = []
    for index, (name, run) in enumerate(zip(names(runs), runs, strict=True)):
        lost = f"{with_error(run.lost)} % of GPU-hours lost{set_aside(run).removesuffix(',')}"
        notes = [f"no job asked for {loss(run.unasked)} % of GPU-hours"] if run.unasked else []
        notes += [] if run.done is None else [f"done after {hours(run)}"]
        who = "paid" if run.cash is None else "a renter of all GPUs pays"
        notes += [] if run.tco is None else [f"{who} {paid(run)} {over_of([run])}"]
        notes += [*lender_card(run), *tokens_card(run)]
        if (owned := owner_card(name, run, (*notes, lost), index == most_cash(runs))) is not None:
            cards.append(owned)
            continue
        if not priced or run.useful_hour_usd is None:
            half = run.lost.shown_half_width
            interval = "one run, no interval" if half is None else f"95 % interval: {with_error(run.lost)} %"
            best = "least lost" if found is None and len(runs) > 1 and run.lost == _least(runs) else ""
            aside = filter(None, [set_aside(run).strip(", ")])
            cards.append(Card(name, loss(run.lost.mean), "% of GPU-hours lost", (interval, *aside, *notes), best))
            continue
        against = standing.get(index)
        if against is not None and against.standing == "dearer" and found is not None:
            least = runs[found.best].useful_hour_usd
            notes = [f"{100 * (against.usd or 0.0) / least.mean:,.0f} % more" if least else "dearer", *notes]
        price = number(run.useful_hour_usd.mean, digits)
        cards.append(Card(name, price, "USD per useful GPU-hour", (*notes, lost), _mark(found, index)))
    return tuple(cards)


def _least(runs: Sequence[RunResult]) -> Summary:
    return min((run.lost for run in runs), key=lambda lost: lost.mean)


def _mark(found: Verdict | None, index: int) -> str:
    """Say in a word or two why this offer is marked; empty: it is not."""
    if found is None:
        return ""
    if index == found.cheapest:
        return "cheapest"
    for standing, word in (("same", "the same"), ("tied", "no clear difference")):
        group = {found.best} | {each.index for each in found.others if each.standing == standing}
        if index in group and len(group) > 1:
            return word
    return ""
