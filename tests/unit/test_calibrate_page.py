"""The page of a calibration: what it says follows from the record, and what moves the answer most comes first."""

import numpy as np
import pytest

from dcsim.calibrate import Blame, Blamed, Calibration, Prior, calibrated
from dcsim.calibrate.laws import SURE, fitted
from dcsim.calibrate.lives import Lives
from dcsim.calibrate.site import of_count
from dcsim.records import Broken, Outages
from dcsim.report.calibrate_figures import _alike, sections
from dcsim.report.calibrate_page import blame_section, classes_table, fit_table, notes_of, sentences
from dcsim.report.calibrate_warnings import Told, duration, span, warnings
from dcsim.report.document import Bars, Picture

SEED = 20261129
TOLD = Told("node", "log.csv", 8)


def record(starts: list[float], repairs: list[float], units: list[int], kinds: list[int] | None = None) -> Outages:
    """Outages of units u0, u1, …; kinds k0, k1, …"""
    order = np.argsort(starts)
    start, repair, unit = (np.array(each, dtype=float)[order] for each in (starts, repairs, units))
    kind = np.array(kinds or [0] * len(starts))[order]
    names = tuple(f"u{number}" for number in range(int(max(units)) + 1))
    what = tuple(f"k{number}" for number in range(int(kind.max()) + 1))
    return Outages(
        start, start + repair, unit.astype(np.int64), names, kind.astype(np.int64), what, 0.0,
        float(np.nanmax(start + np.nan_to_num(repair))), len(starts), ("read by hand",), Broken(),
    )  # fmt: skip


def even(units: int, failures: int, hours: float = 4320.0) -> Calibration:
    """A record of units that are alike, with repairs of about two hours."""
    rng = np.random.default_rng(SEED)
    starts = rng.uniform(0, hours, failures).tolist()
    repairs = np.exp(rng.normal(0.5, 0.6, failures)).tolist()
    return calibrated(record(starts, repairs, rng.integers(units, size=failures).tolist()), units, hours)


def test_a_record_of_alike_units_at_a_constant_rate_has_nothing_to_warn_of() -> None:
    assert warnings(even(200, 400), TOLD) == ()


def test_units_that_never_failed_are_estimated_where_they_are_counted() -> None:
    """Of 400 units alike, with 1.5 failures each, 400 e^-1.5 = 89 never fail; the record names the others."""
    rng = np.random.default_rng(SEED)
    whose = rng.integers(400, size=600)
    named = {unit: number for number, unit in enumerate(dict.fromkeys(whose.tolist()))}
    outages = record(rng.uniform(0, 4320, 600).tolist(), [1.0] * 600, [named[unit] for unit in whose.tolist()])
    text = next(each for each in warnings(calibrated(outages, None, 4320.0), TOLD) if "never failed" in each)
    count = int(text.partition("about ")[2].partition(" more")[0])
    assert count == pytest.approx(400 - len(named), rel=0.2)


def test_the_largest_move_comes_first() -> None:
    """One unit has most of the failures, and one of 60 outages is open: the unit comes first."""
    rng = np.random.default_rng(SEED)
    starts = rng.uniform(0, 4000, 60).tolist()
    repairs = np.exp(rng.normal(0.5, 0.6, 60)).tolist()
    repairs[50] = float("nan")
    found = calibrated(record(starts, repairs, [0] * 40 + list(range(1, 21))), 64, 4320.0)
    first, *others = warnings(found, TOLD)
    assert "Beyond chance: u0 (39)." in first
    assert "Look at u0 first: it has 39 of the 59 failures, more than chance explains." in sentences(found, TOLD)
    assert any("1 outage of 60 had not ended" in each for each in others)


def test_units_that_fail_again_at_once_are_no_bursts_of_different_ones() -> None:
    """Each of 100 failures is followed by another one of the same unit three hours later."""
    rng = np.random.default_rng(SEED)
    first, unit = rng.uniform(0, 8_000, 100), rng.permutation(200)[:100]
    starts, whose = [*first, *(first + 3)], [*unit, *unit]
    found = calibrated(record(starts, [1.0] * 200, whose), 200, 8_010.0)
    texts = warnings(found, TOLD)
    assert any("A node that failed fails again within a day" in each for each in texts)
    assert any("it is the same units again, so the scenario has no bursts" in each for each in texts)
    assert not found.whole.together


def test_a_tail_without_a_mean_is_said() -> None:
    """Repairs by a Pareto law with index 0.8 have no finite mean."""
    rng = np.random.default_rng(SEED)
    starts, repairs = rng.uniform(0, 4_000, 400), rng.pareto(0.8, 400) + 0.1
    found = calibrated(record(starts.tolist(), repairs.tolist(), list(range(400))), 400, 1e6)
    assert any("may be longer than any record of this length shows" in each for each in warnings(found, TOLD))


def test_the_hours_and_days_of_failures_are_noted() -> None:
    """From Thursday 1 January 1970 on: failures on working days alone, around noon."""
    rng = np.random.default_rng(SEED)
    days = [day for day in range(180) if (day + 3) % 7 < 5]
    starts = [24 * float(rng.choice(days)) + float(rng.uniform(9, 15)) for _ in range(300)]
    notes = notes_of(calibrated(record(starts, [1.0] * 300, list(range(300))), 300, 4_320.0))
    assert any(each.startswith("Failures differ within a day, beyond chance.") for each in notes)
    assert any(each.startswith("Failures differ within a week, beyond chance.") for each in notes)
    assert not [each for each in notes_of(even(200, 400)) if "differ" in each]


def test_a_record_without_a_given_span_says_what_it_is_taken_to_be() -> None:
    outages = even(200, 400).outages
    (text,) = warnings(calibrated(outages, 200), TOLD)
    assert text.startswith("The record is taken to be 180 days long, from its first outage to its last moment;")


def test_few_failures_are_said_and_a_prior_takes_that_away() -> None:
    assert "leave the rate open by a factor of" in warnings(of_count(2, 8, 720.0), TOLD)[0]
    assert warnings(of_count(2, 8, 720.0, Prior.of("rsc-1", 8)), TOLD) == ()


@pytest.mark.parametrize(
    ("failures", "first"),
    [
        (0, "In 30 days 8 nodes did not fail: more than 1,560 h per node between failures, with 97.5 % confidence."),
        (1, "In 30 days 8 nodes failed once: one failure per node every 5,760 h (1,030 to 228,000)."),
        (2, "In 30 days 8 nodes failed 2 times: one failure per node every 2,880 h (797 to 23,800)."),
    ],
)
def test_the_first_sentence(failures: int, first: str) -> None:
    assert sentences(of_count(failures, 8, 720.0), TOLD)[0] == first


def test_components_have_their_words() -> None:
    told = Told("leaf", "log.csv")
    assert sentences(of_count(2, 8, 720.0), told)[0].startswith(
        "In 30 days 8 leaves failed 2 times: one failure per leaf"
    )
    assert "4 GPUs failed once: one failure per GPU" in sentences(of_count(1, 4, 720.0), Told("gpu", "log.csv", 1))[0]


def test_the_table_has_all_classes_and_all_of_them_together() -> None:
    rng = np.random.default_rng(SEED)
    kinds = [0] * 30 + [1] * 20
    outages = record(rng.uniform(0, 4320, 50).tolist(), [1.0] * 50, list(range(50)), kinds)
    rows = classes_table(calibrated(outages, 64, 4320.0), TOLD).rows
    assert [(row.label, row.texts[0]) for row in rows] == [("k0", "30"), ("k1", "20"), ("all together", "50")]


def test_every_picture_has_a_finding_and_a_table() -> None:
    pictures = [part for section in sections(even(20, 400), TOLD) for part in section.parts]
    assert len(pictures) == 5
    for each in pictures:
        assert isinstance(each, Picture)
        assert each.says.endswith(".")
        assert each.table.rows


def test_a_count_has_a_picture_of_its_rate_alone() -> None:
    assert [len(section.parts) for section in sections(of_count(2, 8, 720.0), TOLD)] == [1]


def test_detection_has_a_picture_where_the_record_tells_it() -> None:
    from dataclasses import replace

    found = even(20, 100)
    late = np.random.default_rng(SEED).exponential(0.2, 100)
    outages = replace(found.outages, noticed_h=found.outages.start_h + late)
    *_, last = sections(calibrated(outages, 20, 4320.0), TOLD)
    assert last.parts[-1].title == "How long failures go unnoticed"


def test_what_chance_gives_the_worst_units_is_what_simulated_units_have() -> None:
    rng = np.random.default_rng(SEED)
    seen = np.mean([np.sort(rng.multinomial(600, [1 / 300] * 300))[::-1][:30].sum() for _ in range(400)])
    assert _alike(600, 300)[:30].sum() == pytest.approx(seen, rel=0.03)


@pytest.mark.parametrize(
    ("hours", "text"),
    [(0.001, "3.6 s"), (0.5, "30 min"), (1.9, "110 min"), (2.04, "2 h"), (70, "70 h"), (240, "10 d")],
)
def test_durations_have_two_digits(hours: float, text: str) -> None:
    assert duration(hours) == text


@pytest.mark.parametrize(("hours", "text"), [(30, "30 h"), (4320, "180 days"), (8760 * 9.5, "9.5 years")])
def test_spans_are_said_in_their_unit(hours: float, text: str) -> None:
    assert span(hours) == text


def test_alike_units_name_nobody_and_several_bad_ones_are_named_in_one_sentence() -> None:
    assert not any(each.startswith("Look at") for each in sentences(even(200, 400), TOLD))
    rng = np.random.default_rng(SEED)
    whose = [*np.repeat(range(5), 20).tolist(), *range(5, 45)]
    found = calibrated(record(rng.uniform(0, 40_000, 140).tolist(), [1.0] * 140, whose), 64, 40_000.0)
    (text,) = [each for each in sentences(found, TOLD) if each.startswith("Look at")]
    assert text == "Look at u0, u1, u2 and 2 more first: they have 100 of the 140 failures, more than chance explains."


def test_classes_that_overlap_say_why_they_sum_to_more() -> None:
    """One node fails twice at once, of two kinds: two failures by class, one of the node."""
    starts, repairs = [100.0 * each for each in range(1, 31)], [1.0] * 30
    once = calibrated(record([*starts, 100.5], [*repairs, 1.0], [*range(30), 0], [0, 1] * 15 + [1]), 30, 4_000.0)
    assert sum(each.rate.failures for each in once.classes) == once.whole.rate.failures + 1
    assert any(
        each.startswith("All together: failures of one node that overlap") for each in classes_table(once, TOLD).notes
    )
    apart = calibrated(record(starts, repairs, list(range(30)), [0, 1] * 15), 30, 4_000.0)
    assert not any(each.startswith("All together") for each in classes_table(apart, TOLD).notes)


def test_which_law_fits_is_a_table_that_says_what_hangs_on_it() -> None:
    """Lognormal repairs: the best law by AIC stands first, and one whose own samples lie closer is said not to fit."""
    rng = np.random.default_rng(SEED)
    fit = fitted(Lives.of_times(np.exp(rng.normal(1.0, 1.5, 100)), np.array([])), SEED)
    assert fit is not None
    table = fit_table("Repairs", fit)
    assert [row.label for row in table.rows] == [law.name for law in fit.laws]
    first, *others = table.rows
    assert (first.label, first.strong, first.texts[1], first.texts[4]) == ("lognormal", True, "0.0", "yes")
    assert not any(row.strong for row in others)
    aic = {row.label: float(row.texts[1]) for row in table.rows}
    assert aic["gamma"] == pytest.approx(fit.law("gamma").aic - fit.law("lognormal").aic, abs=0.05)
    exponential = next(row for row in others if row.label == "exponential")
    assert exponential.texts[4] == "no"
    assert float(exponential.texts[3]) < SURE
    assert first.texts[0] == duration(fit.best.mean_h)


def test_blame_is_drawn_with_those_that_stand_out_first() -> None:
    """A node and an owner are accused; the bars are the failures that are due to each, the table has its chance."""

    def of(name: str, blamed: float, accused: bool) -> Blamed:
        return Blamed(name, 9, blamed, 1000.0, 0.009, 0.004, 0.02, 0.001 if accused else 0.4, accused)

    blame = Blame(
        (of("n1", 3.0, False), of("n7", 8.0, True)), (of("anna", 6.5, True),), 18, 11.0, 9.0, 13.0, 1e-3, 1e-3, 0.2
    )
    (picture,) = blame_section(blame).parts
    assert isinstance(picture, Picture)
    assert isinstance(picture.chart, Bars)
    assert picture.chart.labels == ("node n7", "owner anna", "node n1, as others")
    assert picture.chart.values == (8.0, 6.5, 3.0)
    assert picture.chart.marked == 0
    assert [row.label for row in picture.table.rows] == ["n7", "anna", "n1"]
    nobody = blame_section(Blame((of("n1", 3.0, False),), (), 3, 3.0, 2.0, 3.0, 1e-3, 0.0, 0.2)).parts[0]
    assert isinstance(nobody, Picture)
    assert isinstance(nobody.chart, Bars)
    assert nobody.chart.marked == -1
