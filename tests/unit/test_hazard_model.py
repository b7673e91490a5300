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
    assert (plain.detect, plain.stage.duration, plain.stage.crews) == (0, Fixed(time="0 s"), None)
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
    stage = hazard(repair=repair).stage
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
        ({"detect": "-1 s"}, ("detect",)),
        ({"repair": 15}, ("repair", "<time>", "<text>")),
        ({"repair": []}, ("repair", "<list>")),
        ({"repair": [{"time": "1 h"}, {"time": "1 h"}]}, ("repair", "<list>")),
        ({"repair": {"crews": 2}}, ("repair", "<table>", "time")),
        ({"repair": {"time": "1 h", "crews": 0}}, ("repair", "<table>", "crews")),
        ({"repair": {"time": "1 h", "crews": 1.5}}, ("repair", "<table>", "crews")),
        ({"repair": {"mean": "1 h", "sigma": 1}}, ("repair", "<time>")),
        ({"coverage": 1}, ("coverage",)),
    ],
)
def test_one_mistake_is_one_error(keys, loc):
    """Forms of a key are told apart before they are read, so that no mistake is reported once per form."""
    with pytest.raises(ValidationError) as caught:
        hazard(**keys)
    assert [error["loc"] for error in caught.value.errors()] == [loc]


def test_a_hazard_is_frozen():
    """What is drawn from a hazard cannot be changed behind its back."""
    with pytest.raises(ValidationError):
        hazard().detect = 5
