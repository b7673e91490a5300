"""The keys of a hazard: forms of MTBF, blast and repair, and what an engine reads from them."""

import pytest
from pydantic import ValidationError

from dcsim.distributions import Fixed, Lognormal
from dcsim.hazards import Hazard
from dcsim.units import MS_PER_H


def hazard(**keys):
    """A hazard that fails every 25,000 h."""
    return Hazard.model_validate({"component": "gpu", "mtbf": "25000 h", **keys})


def test_only_component_and_mtbf_are_required():
    """Everything else has a default: nothing to detect, nothing to repair, blast derived."""
    plain = hazard()
    (stage,) = plain.stages
    assert (plain.detection, stage.duration) == (Fixed(time="0 s"), Fixed(time="0 s"))
    assert (stage.crews, stage.success, stage.silent) == (None, 1, 0)
    assert (plain.key, plain.struck_part) == ("gpu", "node")
    with pytest.raises(ValidationError) as caught:
        Hazard.model_validate({})
    assert {error["loc"] for error in caught.value.errors()} == {("component",), ("mtbf",)}


def test_the_name_names_the_streams_and_the_component_stands_in_for_it():
    """Two hazards on one component are told apart by their names."""
    assert hazard(name="hbm").key == "hbm"
    assert hazard().key == "gpu"


def test_a_tray_is_a_node():
    """The two words give equal hazards, so that both name the same random streams."""
    assert hazard(component="tray", blast="tray") == hazard(component="node", blast="node")
    assert hazard(component="tray").key == "node"


@pytest.mark.parametrize("mtbf", ["25000 h", {"kind": "exponential", "mean": "25000 h"}])
def test_a_plain_mtbf_is_exponential(mtbf):
    """Text and table mean the same lifetime."""
    lifetime = hazard(mtbf=mtbf).lifetime
    assert lifetime.mean_ms == 25_000 * MS_PER_H
    assert lifetime.kind == "exponential"


@pytest.mark.parametrize(
    ("component", "blast", "part"),
    [
        ("gpu", None, "node"),
        ("node", None, "node"),
        ("tray", None, "node"),
        ("gpu", "tray", "node"),
        ("rack", None, "rack"),
        ("gpu", "gpu", "gpu"),
        ("gpu", "rack", "rack"),
        ("gpu", 64, None),
        ("rack", 8, None),
    ],
)
def test_the_blast_is_a_part_unless_it_is_a_number(component, blast, part):
    """A GPU takes its tray with it, other parts themselves; a number is a typed blast and has no part."""
    assert hazard(component=component, blast=blast).struck_part == part


LOGNORMAL = {"kind": "lognormal", "mean": "1 h", "sigma": 0.5}


@pytest.mark.parametrize(
    ("repair", "crews", "name"),
    [
        ("1 h", None, None),
        (LOGNORMAL, None, None),
        ({"time": "1 h"}, None, None),
        ({"time": LOGNORMAL, "crews": 2}, 2, None),
        ([{"time": "1 h", "crews": 2, "name": "technician"}], 2, "technician"),
    ],
)
def test_every_form_of_a_repair_is_one_stage(repair, crews, name):
    """Text, distribution, table and list of one table are read alike; their mean is an hour."""
    (stage,) = hazard(repair=repair).stages
    assert stage.duration.mean_ms == MS_PER_H
    assert (stage.crews, stage.name) == (crews, name)
    assert isinstance(stage.duration, Lognormal if "lognormal" in str(repair) else Fixed)


@pytest.mark.parametrize(
    ("keys", "loc"),
    [
        ({"component": "gpus"}, ("component",)),
        ({"mtbf": "0 h"}, ("mtbf", "<text>")),
        ({"mtbf": 25_000}, ("mtbf", "<text>")),
        ({"mtbf": {"kind": "normal", "mean": "1 h"}}, ("mtbf",)),
        ({"mtbf": {"mean": "1 h"}}, ("mtbf",)),
        ({"mtbf_range": ["1 h", 2]}, ("mtbf_range", 1)),
        ({"blast": 0}, ("blast", "<number>")),
        ({"blast": 64.0}, ("blast", "<number>")),
        ({"blast": True}, ("blast", "<number>")),
        ({"blast": "64"}, ("blast", "<text>")),
        ({"detect": "-1 s"}, ("detect", "<text>")),
        ({"detect": {"kind": "lognormal", "mean": "1 h"}}, ("detect", "<lognormal>", "sigma")),
        ({"repair": 15}, ("repair", "<time>", "<text>")),
        ({"repair": []}, ("repair", "<list>")),
        ({"repair": [{"time": "1 h"}] * 21}, ("repair", "<list>")),
        ({"repair": [{"time": "1 h"}, {"time": "1 h", "success": "0 %"}]}, ("repair", "<list>", 1, "success")),
        ({"repair": {"time": "1 h", "silent": "101 %"}}, ("repair", "<table>", "silent")),
        ({"repair": {"crews": 2}}, ("repair", "<table>", "time")),
        ({"repair": {"time": "1 h", "crews": 0}}, ("repair", "<table>", "crews")),
        ({"repair": {"time": "1 h", "crews": 1.5}}, ("repair", "<table>", "crews")),
        ({"repair": {"mean": "1 h", "sigma": 1}}, ("repair", "<time>")),
        ({"coverage": 1}, ("coverage",)),
        ({"effect": "explode"}, ("effect",)),
        ({"effect": "straggle", "keeps": "0 %"}, ("keeps",)),
        ({"effect": "straggle", "keeps": "100 %"}, ("keeps",)),
        ({"wrong_node": "100 %"}, ("wrong_node",)),
        ({"burst": {"size": 0.5, "within": "1 min"}}, ("burst", "size")),
        ({"burst": {"size": 2.0}}, ("burst", "within")),
        ({"lemons": {"fraction": "5 %", "factor": 0.5}}, ("lemons", "factor")),
        ({"lemons": {"fraction": "5 %", "factor": 2, "retire_after": 0, "window": "1 d"}}, ("lemons", "retire_after")),
    ],
)
def test_one_mistake_is_one_error(keys, loc):
    """Forms of a key are told apart before they are read, so that no mistake is reported once per form."""
    with pytest.raises(ValidationError) as caught:
        hazard(**keys)
    assert [error["loc"] for error in caught.value.errors()] == [loc]


LEMONS = {"fraction": "5 %", "factor": 10}
WEIBULL = {"kind": "weibull", "mean": "1000 h", "shape": 0.7}
EMPIRICAL = {"kind": "empirical", "values": ["10 h", "20 h"]}
TRACE = {"kind": "trace", "at": ["1 h", "5 h"]}
REPAIRED = TRACE | {"repair": ["1 h", "2 h"]}


@pytest.mark.parametrize(
    ("keys", "loc", "why"),
    [
        ({"effect": "straggle"}, ("keeps",), 'missing; required (effect "straggle": the share of its speed'),
        ({"effect": "degrade"}, ("keeps",), "missing; required"),
        ({"keeps": "50 %"}, ("keeps",), 'found with effect "interrupt"; only effect "straggle" or "degrade"'),
        ({"effect": "kill", "wrong_node": "1 %"}, ("wrong_node",), 'found with effect "kill"; only effect "interrupt"'),
        ({"mtbf": WEIBULL, "burst": {"size": 2, "within": "1 h"}}, ("burst",), 'found with an mtbf of kind "weibull"'),
        ({"mtbf": EMPIRICAL, "age": "20 h"}, ("age",), "found 20 h; no component with this lifetime lives that long"),
        ({"mtbf": TRACE, "age": "20 h"}, ("age",), "found with a trace"),
        ({"mtbf": TRACE, "lemons": LEMONS}, ("lemons",), "found with a trace"),
        ({"mtbf": TRACE, "mtbf_range": ["1 h", "2 h"]}, ("mtbf_range",), "found with a trace"),
        ({"mtbf": TRACE, "burst": {"size": 2, "within": "1 h"}}, ("burst",), "found with an mtbf of kind"),
        ({"mtbf": REPAIRED, "repair": {"time": "1 h", "success": "50 %"}}, ("repair",), "found stages that may fail"),
        ({"mtbf": REPAIRED, "repair": [{"time": "1 h"}, {"time": "1 h"}]}, ("repair",), "found stages that may fail"),
        ({"lemons": LEMONS | {"retire_after": 3}}, ("lemons", "window"), "missing; required (retire_after is given)"),
        ({"lemons": LEMONS | {"window": "1 d"}}, ("lemons", "retire_after"), "missing; required (window is given)"),
        ({"lemons": LEMONS | {"replace": "1 d"}}, ("lemons", "retire_after"), "missing; required (replace is given)"),
        (
            {"effect": "kill", "lemons": LEMONS | {"retire_after": 3, "window": "1 d"}},
            ("lemons", "retire_after"),
            'found with effect "kill", which takes no component out',
        ),
    ],
)
def test_keys_that_contradict_each_other_are_one_error_at_the_key(keys, loc, why):
    """What one hazard's keys mean together is checked with them, so the error stands where the mistake is."""
    with pytest.raises(ValidationError) as caught:
        hazard(**keys)
    (error,) = caught.value.errors()
    assert error["loc"] == loc
    assert error["msg"].startswith(why)


def test_every_contradiction_is_named_at_once():
    """Two mistakes are two errors, not one after the other."""
    with pytest.raises(ValidationError) as caught:
        hazard(effect="degrade", wrong_node="1 %")
    assert {error["loc"] for error in caught.value.errors()} == {("keeps",), ("wrong_node",)}


@pytest.mark.parametrize(
    ("keys", "ages", "placed"),
    [
        ({"blast": 64}, False, False),
        ({}, False, True),  # a derived blast
        ({"blast": 64, "burst": {"size": 2, "within": "1 h"}}, False, False),
        ({"blast": 64, "lemons": LEMONS}, False, True),
        ({"blast": 64, "mtbf": WEIBULL}, True, True),
        ({"blast": 64, "mtbf": TRACE}, False, False),
        ({"blast": 64, "mtbf": TRACE | {"component": [0, 3]}}, False, True),
        ({"blast": 64, "effect": "straggle", "keeps": "50 %"}, False, True),
        ({"blast": 64, "effect": "degrade", "keeps": "50 %"}, False, True),
        ({"blast": 64, "effect": "kill"}, False, False),
        ({"blast": 64, "effect": "corrupt"}, False, False),
    ],
)
def test_what_has_a_place_and_what_has_an_age(keys, ages, placed):
    """A failure marks a component where it matters which one it is, else a slot; every law but two has ages."""
    assert (hazard(**keys).ages, hazard(**keys).placed) == (ages, placed)


@pytest.mark.parametrize(("effect", "stops"), [("interrupt", True), ("kill", True), ("corrupt", True)])
def test_what_stops_a_gang(effect, stops):
    """Everything stops the gang it strikes; only what is degraded is repaired in place, and slow until then."""
    assert hazard(effect=effect).stops is stops
    assert hazard(effect=effect).keeps_ppb == 10**9
    slow = hazard(effect="degrade", keeps="12.5 %")
    assert (slow.stops, slow.keeps_ppb) == (False, 125 * 10**6)
    assert hazard(effect="straggle", keeps="1e-9 %").keeps_ppb == 1  # never nothing: work would never end


@pytest.mark.parametrize(
    ("repair", "hours"),
    [
        ("2 h", 2),
        ({"time": "2 h", "success": "50 %"}, 2 * 2),  # done again with chance 1/2: 1 + 1/2 + 1/4 + ... = 2 times
        ([{"time": "1 h", "success": "80 %"}, {"time": "10 h"}], 1 + 0.2 * 10),
        (
            [{"time": "1 h", "success": "80 %"}, {"time": "10 h", "success": "50 %"}, {"time": "100 h"}],
            1 + 0.2 * 10 + 0.2 * 0.5 * 100,
        ),
        ([{"time": "1 h", "success": "80 %"}, {"time": LOGNORMAL, "success": "25 %"}], 1 + 0.2 * 1 / 0.25),
        ([{"time": "1 h"}, {"time": "100 h"}], 1),  # the first always helps
    ],
)
def test_the_mean_repair(repair, hours):
    """Each stage counts with the chance that all before it failed, the last one as often as it is tried."""
    assert hazard(repair=repair).mean_repair_ms == pytest.approx(hours * MS_PER_H, rel=1e-12)
    assert hazard(repair=repair, requalify="3 h").mean_repair_ms == pytest.approx((hours + 3) * MS_PER_H, rel=1e-12)


def test_the_mean_detection():
    """A duration or a distribution: the mean is what formulas charge."""
    assert hazard(detect="15 min").mean_detect_ms == 15 * 60_000
    assert hazard(detect=LOGNORMAL).mean_detect_ms == MS_PER_H


def test_the_mtbf_of_a_trace_follows_the_cluster():
    """A law holds for one component; a record has as many failures whatever replays it: C * span / failures."""
    assert hazard(mtbf=WEIBULL).mtbf_ms(8) == 1000 * MS_PER_H
    assert hazard(mtbf=TRACE | {"span": "10 h"}).mtbf_ms(8) == 8 * 10 * MS_PER_H / 2
    assert hazard(mtbf=REPAIRED).mean_repair_ms == 1.5 * MS_PER_H


def test_a_hazard_is_frozen():
    """What is drawn from a hazard cannot be changed behind its back."""
    with pytest.raises(ValidationError):
        hazard().detect = 5
