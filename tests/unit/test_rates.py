"""A mean time between failures that is written as a rate: AFR, FIT, failures per time."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from dcsim.scenario import ScenarioError, json_schema, load, to_toml
from dcsim.units import DURATION, MS_PER_H, MTBF, PER_GPU_HOUR, parse, write

HOURS = {"s": Fraction(1, 3600), "min": Fraction(1, 60), "h": Fraction(1), "d": 24, "mo": 720, "y": 8760}
TEXT = """
name = "rates"
horizon = "1 mo"
cluster = { topology = "hgx-h100", gpus = 64 }
[[jobs]]
name = "train"
gpus = 64
recovery = { kind = "checkpoint-restart", checkpoint_every = "1 h" }
[[hazards]]
component = "gpu"
mtbf = "25000 h"
"""


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("0.001 /h", 1_000),
        ("0.001/h", 1_000),
        ("1e-3 per h", 1_000),
        ("0.001 1/h", 1_000),
        ("1/h", 1),
        ("0.024 /d", 1_000),
        ("0.72 /mo", 1_000),
        ("8.76 /y", 1_000),
        ("8.76 per y", 1_000),
        ("876 %/y", 1_000),
        ("72 % per mo", 1_000),
        ("500 FIT", 2_000_000),
        ("1e6 FIT", 1_000),
    ],
)
def test_a_rate_is_the_inverse_of_a_time(text, hours):
    """Every form is the same MTBF as the duration that it stands for, by hand."""
    assert parse(text, MTBF) == hours * MS_PER_H


def test_an_annual_failure_rate_is_a_rate_not_a_probability():
    """9 % a year: 8,760 h / 0.09 = 97,333 h 20 min, not -8,760 h / log(0.91) = 92,885 h."""
    assert parse("9 %/y", MTBF) == 97_333 * MS_PER_H + 20 * 60_000


def test_a_topology_takes_a_rate_for_its_optics(tmp_path):
    """The MTBF of links that a topology file gives is read alike."""
    links = '[[optics]]\nname = "linear"\nreach = "500 m"\npower = "6 W"\nmtbf = "792 FIT"\n'
    (tmp_path / "plant.toml").write_text(f'base = "clos-100k"\nname = "mine"\n{links}')
    scenario = loaded(tmp_path, 'mtbf = "1 y"', set=["cluster.topology=plant.toml"])
    optics = scenario.cluster.topology.known_optics
    assert optics["linear"].mtbf == round(Fraction(10**9 * MS_PER_H, 792))


@settings(max_examples=300, derandomize=True, deadline=None)
@given(
    st.decimals(min_value="1e-3", max_value="1e3", allow_nan=False, places=9),
    st.sampled_from(list(HOURS)),
    st.sampled_from(["/{}", "1/{}", "per {}", "%/{}", "% per {}"]),
)
def test_a_rate_is_rounded_to_the_nearest_millisecond(number, unit, form):
    """The kept time is the exact inverse, as rational numbers say, rounded half to even; writing it loses nothing."""
    exact = HOURS[unit] * MS_PER_H / Fraction(number) * (100 if "%" in form else 1)
    ms = parse(f"{number:f} {form.format(unit)}", MTBF)
    assert ms == round(exact)
    assert parse(write(ms, MTBF), MTBF) == ms


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 /h", "must be above zero"),
        ("-1 /h", "must be above zero"),
        ("0 FIT", "must be above zero"),
        ("1e-20 /h", "too long a time; must be at most 1000000000 h"),
        ("1e12 /h", "below one millisecond"),
        ("1e99999999 /h", "below one millisecond"),
        ("1e-9999999999 /h", "out of range"),
        ("9 %", "name the time, as in %/y"),
        ("0.001 /m", "may mean minutes or months"),
        ("0,001 /h", "write the number with a decimal point"),
        ("1/25000 h", 'write one number with one unit, such as "0.001 /h"'),
        ("1 failure per 25000 h", 'write one number with one unit, such as "0.001 /h"'),
        ("9 % AFR", 'did you mean "9 %/y"?'),
        ("9 %/year", 'did you mean "9 %/y"?'),
        ("500 fits", 'did you mean "500 FIT"?'),
        ("25000", 'or a rate such as "0.001 /h", "9 %/y" or "500 FIT"; the unit is missing'),
    ],
)
def test_what_is_no_rate_is_told(text, words):
    """Zero, negative, endless and unclear rates are one line each."""
    with pytest.raises(PydanticCustomError) as caught:
        parse(text, MTBF)
    assert words in caught.value.message()


@pytest.mark.parametrize(
    ("text", "inverse"), [("0.001 /h", "1000 h"), ("9 %/y", "97333.33333 h"), ("500 FITs", "2000000 h")]
)
def test_elsewhere_a_rate_is_answered_with_its_inverse(text, inverse):
    """A duration that is no MTBF takes no rate, and the message says what the rate is as a time."""
    with pytest.raises(PydanticCustomError, match=f"a rate is not read here .*one failure in {inverse}"):
        parse(text, DURATION)
    with pytest.raises(PydanticCustomError, match="allowed: a price"):
        parse(text, PER_GPU_HOUR)


def loaded(tmp_path, replaced, **how):
    """The scenario with another line for its MTBF."""
    path = tmp_path / "a.toml"
    path.write_text(TEXT.replace('mtbf = "25000 h"', replaced))
    return load(path, **how)


@pytest.mark.parametrize(
    "mtbf",
    [
        'mtbf = "0.001 /h"',
        'mtbf = { kind = "exponential", mean = "0.001 /h" }',
        'mtbf = { kind = "weibull", mean = "0.024 /d", shape = 0.7 }',
        'mtbf = { kind = "lognormal", mean = "1e6 FIT", sigma = 1 }',
        'mtbf = { kind = "mixture", parts = [{ share = "100 %", life = { kind = "exponential", mean = "1e6 FIT" } }] }',
    ],
)
def test_every_mean_time_to_failure_may_be_a_rate(tmp_path, mtbf):
    """In every form of the key; the resolved scenario holds a time and is the same as with that time."""
    scenario = loaded(tmp_path, mtbf)
    assert scenario.hazards[0].lifetime.mean_ms == 1_000 * MS_PER_H
    (tmp_path / "b.toml").write_text(to_toml(scenario))
    assert "1000 h" in (tmp_path / "b.toml").read_text()
    assert load(tmp_path / "b.toml") == scenario


def test_a_rate_from_outside_of_the_file(tmp_path):
    """--set and keyword arguments take rates as files do, and so does the range of an MTBF."""
    for how in ({"set": ["hazards.gpu.mtbf=9 %/y"]}, {"hazards.gpu.mtbf": "9 %/y"}):
        assert loaded(tmp_path, 'mtbf = "1 h"', **how).hazards[0].mtbf == parse("9 %/y", MTBF)
    ranged = loaded(tmp_path, 'mtbf = "9 %/y"\nmtbf_range = ["876 %/y", "1000 FIT"]')
    assert ranged.hazards[0].mtbf_range == (1_000 * MS_PER_H, 1_000_000 * MS_PER_H)


def test_a_range_of_rates_in_the_order_of_the_rates_is_told(tmp_path):
    """The lowest MTBF has the highest rate; the message says so."""
    with pytest.raises(ScenarioError, match="must be the lowest MTBF, then the highest"):
        loaded(tmp_path, 'mtbf = "9 %/y"\nmtbf_range = ["1000 FIT", "876 %/y"]')


def test_an_uncertain_mtbf_is_a_time(tmp_path):
    """A distribution of a rate is not one of its inverse, so an uncertain value takes times and says the inverse."""
    unknown = '[[uncertain]]\nkey = "hazards.gpu.mtbf"\nvalue = { kind = "uniform", low = "9 %/y", high = "1 y" }'
    with pytest.raises(ScenarioError, match=r"a rate is not read here .9 %/y is one failure in 97333.33333 h"):
        loaded(tmp_path, f'mtbf = "9 %/y"\n{unknown}')


def test_editors_know_rates():
    """The pattern of an MTBF in the JSON Schema accepts what is read and nothing else."""
    import re

    from dcsim.units import _FAILURE_RATES

    forms = json_schema()["$defs"]["Hazard"]["properties"]["mtbf"]["oneOf"]
    (pattern,) = (form["pattern"] for form in forms if "x-inverse" in form)
    assert all(re.fullmatch(pattern, f"0.5 {unit}") for unit in (*DURATION.units, *_FAILURE_RATES))
    assert not any(re.fullmatch(pattern, text) for text in ("9 %", "0.5 /m", "-1 /h", "1,5 /h"))
