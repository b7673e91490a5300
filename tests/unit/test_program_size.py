"""How large the tables of a program are: bounded by places and components, never gangs times parts of the network."""

from dcsim.program.program import Program
from dcsim.scenario import Scenario

MIB = 2**20
CLOS = {
    "name": "clos",
    "description": "",
    "node": {"gpus": 8},
    "rack": {"nodes": 4},
    "nvlink": {"domain": "node"},
    "fabric": {
        **{"nics": 8, "port": "400 Gb/s", "rails": 8, "leaf": {"nodes": 32, "uplinks": 32}, "core": {"ports": 64}},
        "spine": {"count": 32, "segments": 64, "uplinks": 32},
    },
}


def test_ten_thousand_gangs_on_a_million_gpus_send_through_small_tables():
    """3,907 segments and 62 pods; a table of gangs by segments alone would be 298 MiB."""
    job = {"name": "a", "gpus": 88, "count": 10_000, "comm": "20 %", "recovery": {"kind": "stateless"}}
    scenario = {"name": "many", "horizon": "1 h", "cluster": {"topology": CLOS, "gpus": 1_000_000}, "jobs": [job]}
    tables = Program(Scenario.model_validate({**scenario, "hazards": [{"component": "node", "mtbf": "1 y"}]})).tables
    assert len(tables["gangs"]) == 10_000
    assert len(tables["first_demand"]) == 3_907 + 62
    assert sum(table.nbytes for table in tables.values()) < 64 * MIB
