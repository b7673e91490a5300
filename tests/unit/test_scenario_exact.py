"""Which scenarios ask for the plant's state, how far a component's failures reach, and how many there are."""

from typing import Any

import pytest
from pydantic import ValidationError

from dcsim.scenario import Scenario
from dcsim.scenario.intervals import fleet
from dcsim.scenario.plan import plan

SERVERS = {
    "name": "servers",
    "description": "",
    "node": {"gpus": 8},
    "rack": {"nodes": 4},
    "nvlink": {"domain": "node"},
}
FABRIC = {"nics": 1, "port": "400 Gb/s", "leaf": {"nodes": 8}}


def small(topology: dict[str, Any], **job: Any) -> Scenario:
    """Return a scenario of 64 GPUs and one job on 20 of them, on which nodes and racks fail."""
    content = {
        "name": "small",
        "horizon": "1 mo",
        "cluster": {"topology": SERVERS | topology, "gpus": 64},
        "jobs": [{"name": "a", "gpus": 20, "recovery": {"kind": "stateless"}, **job}],
        "hazards": [{"component": "node", "mtbf": "1000 h"}, {"component": "rack", "mtbf": "1000 h"}],
    }
    return Scenario.model_validate(content)


@pytest.mark.parametrize(
    ("topology", "job", "has_plant"),
    [
        ({}, {}, False),
        ({}, {"comm": "10 %"}, False),
        ({"fabric": FABRIC}, {}, False),
        ({"fabric": FABRIC}, {"comm": "10 %"}, True),
    ],
)
def test_a_network_counts_where_jobs_use_it(topology: dict[str, Any], job: dict[str, Any], has_plant: bool) -> None:
    """It takes a network and a job that talks over it."""
    assert plan(small(topology, **job)).has_plant is has_plant


def test_a_gang_is_reached_by_whole_components() -> None:
    """GPUs 0 to 19 lie on three nodes of eight, in one rack of 32."""
    layout = plan(small({}))
    assert [layout.reaching(hazard, 0) for hazard in layout.scenario.hazards] == [3, 1]


def test_a_fleet_without_lemons_serves_all_the_time() -> None:
    """Eight nodes over 720 h, MTBF 1,000 h."""
    made = small({})
    served = fleet(made.hazards[0], 8, made.horizon)
    assert (served.hours, served.failures) == pytest.approx((8 * 720, 8 * 720 / 1_000), rel=1e-12)


def test_the_largest_seed_is_the_largest_number_of_a_file() -> None:
    """TOML's whole numbers end at 2^63 - 1."""
    document = small({}).model_dump(mode="json", exclude_defaults=True)
    assert Scenario.model_validate(document | {"seed": 2**63 - 1}).seed == 2**63 - 1
    with pytest.raises(ValidationError, match="less than or equal to 9223372036854775807"):
        Scenario.model_validate(document | {"seed": 2**63})
