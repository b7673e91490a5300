"""One class of failures looked at closely: every thing is said in a sentence where the record tells it."""

from dataclasses import replace

import numpy as np
import pytest

from dcsim.calibrate.findings import findings
from dcsim.records import Outages

SEED = 20261204


def record(units: int = 40, span_h: float = 4000.0) -> Outages:
    """A record of units that fail every 500 h, one of them ten times as often; repairs of an hour or so."""
    rng = np.random.default_rng(SEED)
    rows = []
    for unit in range(units):
        at = 0.0
        while (at := at + rng.exponential(50.0 if unit == 3 else 500.0)) < span_h:
            end = at + float(np.exp(rng.normal(0, 0.7)))
            rows.append((at, end, unit, at + rng.exponential(0.1)))
            at = end
    start, end, unit, noticed = (np.array(each) for each in zip(*sorted(rows), strict=True))
    end = np.where(end > span_h, np.nan, end)
    none = np.zeros(len(rows), dtype=np.int64)
    names = tuple(f"n{each}" for each in range(units))
    return Outages(
        start, end, unit.astype(np.int64), names, none, ("",), 1.7e9, span_h, len(rows), (), noticed_h=noticed
    )


def test_all_that_a_record_tells_is_found_and_said() -> None:
    found = findings(record(), 50)
    assert found.suspects is not None
    assert [each.name for each in found.suspects.bad] == ["n3"]
    assert found.suspects.units == 50
    assert found.own is not None
    assert found.own.shape_low <= 1 <= found.own.shape_high
    assert not found.by_clock["since repair"].ageless  # the lemon poses as infant mortality
    assert not found.ages
    assert found.clock == "since repair"
    assert found.repairs_fit is not None
    assert found.repairs_fit.best.name == "lognormal"
    assert found.detection is not None
    assert found.detection.mean_h == pytest.approx(0.1, rel=0.15)
    said = "\n".join(found.sentences())
    for part in (
        "by age since repair",
        "with a rate for each unit",
        "repairs: lognormal",
        "n3 (",
        "no trend",
        "noticed",
    ):
        assert part in said
    assert "of the week" in said


def test_ages_since_installation_are_told_where_it_is_known() -> None:
    """Units whose rate grows with their age, whatever is repaired: a Weibull law of shape 3 by age."""
    rng = np.random.default_rng(SEED)
    rows = []
    installed = -rng.random(60) * 3000
    for unit, born in enumerate(installed.tolist()):
        age = -born
        while (age := (age**3 + 1000.0**3 * rng.exponential()) ** (1 / 3)) + born < 2000:
            rows.append((age + born, age + born + 0.01, unit))
    start, end, unit = (np.array(each) for each in zip(*sorted(rows), strict=True))
    none, names = np.zeros(len(rows), dtype=np.int64), tuple(f"n{each}" for each in range(60))
    outages = Outages(start, end, unit.astype(np.int64), names, none, ("",), None, 2000.0, len(rows), ())
    found = findings(outages, installed_h=installed)
    assert found.clock == "since installation"
    law = found.by_clock["since installation"]
    assert law.shape_low <= 3 <= law.shape_high
    assert "likelihood prefers age since installation" in found.sentences()


def test_a_record_that_names_no_units_tells_times_and_repairs_alone() -> None:
    full = record()
    found = findings(replace(full, components=("",), component=np.zeros(len(full), dtype=np.int64), begin=None), 50)
    assert found.suspects is None
    assert found.own is None
    assert found.by_clock == {}
    assert found.daily is None
    assert found.trend is not None
    assert found.trend.failures == len(full)
    assert found.sentences()


def test_a_single_failure_is_no_error() -> None:
    full = record()
    one = replace(
        full, start_h=full.start_h[:1], end_h=full.end_h[:1], component=full.component[:1], kind=full.kind[:1],
        noticed_h=None,
    )  # fmt: skip
    found = findings(one)
    assert found.trend is None
    assert found.lives_fit is None
    assert all(isinstance(each, str) for each in found.sentences())


@pytest.mark.parametrize(("units", "span", "why"), [(3, None, "names 40 components"), (None, 0.0, "above 0 h")])
def test_a_record_that_does_not_fit_is_refused(units: int | None, span: float | None, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        findings(record(), units, span)
