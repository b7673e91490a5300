"""The report that people forward, as a document: the answer first, then what it rests on."""

from collections.abc import Sequence
from dataclasses import replace

from dcsim.decide import RunResult
from dcsim.decide.comparison import Comparison
from dcsim.decide.dossier import Dossier
from dcsim.decide.result import price_all_in
from dcsim.report.document import Card, Document, Section
from dcsim.report.formula import term_of
from dcsim.report.inputs import inputs_section, made, method_section
from dcsim.report.months import months
from dcsim.report.page import and_list, loss, number, printable
from dcsim.report.scatter import sure
from dcsim.report.sections import beside, first_picture, gap, names, where, why
from dcsim.report.simulated import comparison_page, run_page
from dcsim.report.spread import SAME, luck, with_error

LONGEST_TITLE, LONGEST_ABOUT = 120, 300


def document(given: Dossier) -> Document:
    """Return the whole report of a run, or of runs that were compared; where their folders are is no part of it."""
    shown = replace(given, runs=tuple(replace(run, folder=None) for run in given.runs))
    runs = shown.runs
    sections: list[Section] = [beside(runs)]
    if shown.bridges:
        sections.append(why(shown.bridges, names(runs)))
    if len(runs) > 1:
        sections.append(gap(shown.pairs, runs))
    sections += [where(shown), sure(runs)]
    if shown.stories:
        sections.append(months(shown.stories, names(runs)))
    sections += [inputs_section(shown), method_section(shown)]
    return Document(
        title=printable(" or ".join(run.scenario.name for run in runs) + ("?" if len(runs) > 1 else ""), LONGEST_TITLE),
        about=_about(runs),
        answer=_answer(shown),
        cards=_cards(runs),
        first=(first_picture(runs),),
        sections=tuple(sections),
        made=made(given),
    )


def _about(runs: Sequence[RunResult]) -> tuple[str, ...]:
    """Return what is on offer: the scenarios' own descriptions, and the size of it all."""
    gpus = and_list(list(dict.fromkeys(f"{run.scenario.cluster.gpus:,} GPUs" for run in runs)))
    topologies = and_list(list(dict.fromkeys(printable(run.scenario.cluster.topology.name) for run in runs)))
    over = f" over {term_of([run.estimate for run in runs])}" if any(run.tco for run in runs) else ""
    many = f"{len(runs[0].sample):,} replications" if len(runs[0].sample) > 1 else "one replication, so no interval"
    lines = [f"{gpus} of {topologies}{over}; {many}."]
    for name, run in zip(names(runs), runs, strict=True):
        if run.scenario.description:
            lines.append(f"{name}: {printable(run.scenario.description, LONGEST_ABOUT)}")
    return tuple(lines)


def _answer(given: Dossier) -> tuple[str, ...]:
    if len(given.runs) > 1:
        return comparison_page(Comparison(given.runs, given.pairs, given.bridges, given.notes)).opening
    page = run_page(given.runs)
    return (page.answer[0], *page.cautions, *luck(given.runs))


def _cards(runs: Sequence[RunResult]) -> tuple[Card, ...]:
    """Return the figure of each offer that decides, the best one marked."""
    prices = [price_all_in(run.tco) for run in runs]
    known = [price for price in prices if price is not None]
    cards = []
    for name, run, price in zip(names(runs), runs, prices, strict=True):
        notes: tuple[str, ...]
        lost = f"{with_error(run.loss)} %"
        if run.tco is None or price is None or len(known) < len(runs):
            best = "least lost" if len(runs) > 1 and run.loss.mean == min(each.loss.mean for each in runs) else ""
            notes = ("one run, no interval" if run.loss.half_width is None else f"95 % interval: {lost}",)
            if run.tco is not None:
                notes += (f"{number(run.tco.total_usd / 1e6, 1)} million USD in {term_of([run.estimate])}",)
            cards.append(Card(name, loss(run.loss.mean), "% of GPU-hours lost", notes, best))
            continue
        money = f"{number(run.tco.total_usd / 1e6, 1)} million USD in {term_of([run.estimate])}"
        tied = sum(each - min(known) <= SAME * each for each in known) > 1
        alike = price - min(known) <= SAME * price
        best = "" if len(runs) == 1 or not alike else "the same" if tied else "cheapest"
        more = f"+{number(price - min(known), 2)} USD"
        told = (f"{lost} of GPU-hours lost", money)
        notes = told if price == min(known) else (more, *told)
        cards.append(Card(name, number(price, 2), "USD per useful GPU-hour", notes, best))
    return tuple(cards)
