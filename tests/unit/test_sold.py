"""How much of each month what is sold is available: each number as arithmetic, and all of it against closed forms."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from dcsim.engine import simulate_by_simpy
from dcsim.engine.compiled_clock import simulate_many
from dcsim.montecarlo.arrow_ledgers import arrow_schema, arrow_table, from_arrow
from dcsim.scenario import Scenario, ScenarioError, load, read
from tests.unit.literal import Struck, chosen, hazard, job, scenario

H = 3_600_000
MONTH = 720 * H


def available(tiny: Scenario, failures: list[list[Struck]]) -> list[list[int]]:
    """Domains by month, by availability and then without maintenance: by both clocks."""
    with chosen(failures):
        found, by_simpy = simulate_many(tiny, [0]), simulate_by_simpy(tiny, 0)
    assert found.available_domains[0].tolist() == by_simpy.available_domains.tolist()
    return found.available_domains[0].tolist()


def cluster(sla: dict[str, object], months: int = 2, **keys: object) -> Scenario:
    """Eight GPUs in racks of four nodes of one; a gang of four, the rest is free."""
    keys = {"hazards": [hazard(detect=2 * H)]} | keys
    return scenario(8, job("a", 4, failover=0, restore=0), horizon=months * MONTH, sla=sla, **keys)


HOURS = ["100 %", f"{100 - 1000 / 720:.12f} %", "90 %"]
"""No hour, 10 h and 72 h of a month."""


def test_a_domain_is_lost_from_the_failure_until_the_repair_is_over() -> None:
    """One node, struck at 100 h, found after 2 h, repaired for 8 h: lost for 10 h, as 10 h allow and 0 h do not."""
    found = available(cluster({"sold": "node", "availability": HOURS}), [[(100 * H, 0, 8 * H)]])
    assert found == [[7, 8, 8, 7, 8, 8], [8] * 6]
    found = available(cluster({"sold": "node", "availability": HOURS}), [[(100 * H, 0, 8 * H + 1)]])
    assert found == [[7, 7, 8, 7, 7, 8], [8] * 6]


def test_the_end_of_a_month_cuts_a_repair() -> None:
    """Lost from 715 h to 735 h: 5 h are in the first month, 15 h in the second."""
    found = available(cluster({"sold": "node", "availability": HOURS}), [[(715 * H, 0, 18 * H)]])
    assert found == [[7, 8, 8, 7, 8, 8], [7, 7, 8, 7, 7, 8]]


def test_a_rack_that_needs_three_of_four() -> None:
    """One GPU less is no loss; while two are out, from 105 h to 110 h, it is lost."""
    both = [[(100 * H, 0, 8 * H), (105 * H, 1, 20 * H)]]
    assert available(cluster({"sold": "rack", "needs": 3, "availability": HOURS}, 1), both) == [[1, 2, 2, 1, 2, 2]]
    assert available(cluster({"sold": "rack", "needs": 2, "availability": HOURS}, 1), both) == [[2] * 6]
    # all of it: lost from 100 h to 127 h
    assert available(cluster({"sold": "rack", "availability": HOURS}, 1), both) == [[1, 1, 2, 1, 1, 2]]


def test_a_replica_is_lost_until_it_computes_again() -> None:
    """Struck at 100 h and found after 2 h it moves to free GPUs; the repair of 8 h is nobody's downtime."""
    sla = {"sold": "replica", "availability": HOURS}
    assert available(cluster(sla), [[(100 * H, 0, 8 * H)]]) == [[0, 1, 1, 0, 1, 1], [1] * 6]
    # from 719 h to 721 h: an hour in each month
    assert available(cluster(sla), [[(719 * H, 0, 8 * H)]]) == [[0, 1, 1, 0, 1, 1]] * 2
    # found after 20 h, more than the 10 h that 98.6 % allow
    late = cluster(sla, 1, hazards=[hazard(detect=20 * H)])
    assert available(late, [[(100 * H, 0, 8 * H)]]) == [[0, 0, 1, 0, 0, 1]]
    # struck when the horizon ends, and not found any more
    assert available(late, [[(715 * H, 0, 8 * H)]]) == [[0, 1, 1, 0, 1, 1]]


def test_announced_failures_are_no_downtime_where_the_contract_says_so() -> None:
    """A node is out for 10 h and its replica for 2 h, after a notice of 1 h: in all, and without what is excluded."""
    for sold, in_all in (("node", 7), ("replica", 0)):
        for excluded in (False, True):
            sla = {"sold": sold, "availability": ["100 %"], "excludes_announced": excluded}
            tiny = cluster(sla, 1, hazards=[hazard(detect=2 * H, notice="1 h", blast="node")])
            found = available(tiny, [[(100 * H, 0, 8 * H)]])
            assert found == [[in_all, in_all + 1 if excluded else in_all]], (sold, excluded)
            # one that would have been announced before the start is not
            assert available(tiny, [[(H // 2, 0, 8 * H)]]) == [[in_all, in_all]], (sold, excluded)


def test_maintenance_is_told_apart() -> None:
    """Each rack is out for 20 h in the second month, which counts in the first three columns alone."""
    work = {"name": "w", "component": "rack", "every": "1000 h", "duration": "20 h", "rolling": False}
    tiny = cluster({"sold": "rack", "availability": HOURS}, maintenance=[work])
    assert available(tiny, [[]]) == [[2] * 6, [0, 0, 2, 2, 2, 2]]
    # 8 h of repair end in maintenance: without it 2 + 6 h are left of what is out for 10 h
    assert available(tiny, [[(992 * H, 0, 8 * H)]]) == [[2] * 6, [0, 0, 2, 1, 2, 2]]


def test_a_failure_after_a_false_alarm_is_no_planned_work() -> None:
    """Every check fails: nodes 0 to 3 are tested again by turns, which is planned. Node 4, free, fails at 100.5 h."""
    check = {"time": "1 h", "false_alarms": "99.9999999 %", "retest": "1 h"}
    checked = job("a", 2, submit=H, failover=0, restore=0, preflight=check)
    sla = {"sold": "node", "availability": ["100 %"]}
    tiny = scenario(8, checked, hazards=[hazard(detect=2 * H)], horizon=MONTH, sla=sla)
    assert available(tiny, [[]]) == [[4, 8]]
    assert available(tiny, [[(100 * H + H // 2, 2, 8 * H)]]) == [[3, 7]]


def test_a_part_of_a_domain_is_not_sold() -> None:
    """Of six GPUs on racks of four one rack is whole."""
    tiny = scenario(6, job("a", 4), horizon=MONTH, sla={"sold": "rack", "availability": HOURS})
    assert available(tiny, [[]]) == [[1] * 6]


def test_what_is_sold_changes_no_account() -> None:
    """The ledger is the same whether somebody counts or not."""
    sold = cluster({"sold": "rack"})
    both = [simulate_many(each, [0, 1]) for each in (sold, sold.model_copy(update={"sla": None}))]
    assert np.array_equal(both[0].gpu_ms, both[1].gpu_ms)
    assert both[1].available_domains.shape == (2, 0, 1)
    assert simulate_many(sold, [0], monthly=False).available_domains.shape == (1, 0, 1)


def test_the_columns_come_back_from_parquet() -> None:
    """What is written can be read, with and without something that is sold."""
    for tiny in (cluster({"sold": "node"}), cluster({"sold": "node"}).model_copy(update={"sla": None})):
        ledgers = simulate_many(tiny, [0, 1, 2])
        table = arrow_table(ledgers, arrow_schema("0" * 64, 0))
        again = from_arrow(table, ledgers.owners, tiny.capacity_gpu_ms)
        assert all(np.array_equal(a, b) for a, b in zip(again.columns(), ledgers.columns(), strict=True))


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"sold": "rack", "needs": 73}, "sla.needs: found 73 GPUs; at most 72"),
        ({"sold": "rack", "availability": ["99 %", "99.5 %"]}, "sla.availability: found 99 %, 99.5 %; must fall"),
        ({"sold": "racks"}, "sla.sold: found 'racks'; allowed: gpu, node, tray, nvlink-domain, rack, replica"),
        ({"sold": "rack", "need": 64}, "sla.need: unknown key"),
        ({"sold": "replica", "needs": 64}, 'sla.needs: found with sold = "replica", which is available while'),
        ({"sold": "rack", "jobs": ["a"]}, 'sla.jobs: found with sold = "rack"; allowed only with'),
        ({"sold": "replica", "jobs": ["trian"]}, "sla.jobs.0: found 'trian'; allowed: "),
        (
            {"sold": "node", "excludes_announced": True, "credits": {"counts_maintenance": True}},
            "sla.excludes_announced: found with credits.counts_maintenance",
        ),
    ],
)
def test_mistakes_have_a_line_each(keys: dict[str, object], why: str) -> None:
    """The path, what was found, and what is allowed."""
    document = load("nvl72-64-of-72/pooled").model_dump(mode="json", exclude_defaults=True) | {"sla": keys}
    with pytest.raises(ScenarioError, match=why.replace(".", r"\.")):
        read(document)


def test_independent_nodes_agree_with_theory() -> None:
    """Nodes fail as Poisson streams and are out for exactly R: P(no loss in a month) = exp(-rate (M + R)), in between

    the failures of R hours before the month count too; P(at most R hours) adds exactly one failure, whole or cut, and
    is bounded by at most one failure: the two shares lie within 4 standard errors.
    """
    mtbf, repair, nodes, months, runs = 3000, 24, 8, 12, 64
    document = {
        "name": "sold",
        "horizon": f"{months} mo",
        "seed": 20_261,
        "cluster": {"topology": "hgx-h100", "gpus": 8 * nodes},
        "jobs": [{"name": "a", "gpus": 8, "recovery": {"kind": "stateless"}}],
        "hazards": [{"component": "node", "mtbf": f"{mtbf} h", "blast": "node", "repair": f"{repair} h"}],
        "sla": {"sold": "node", "availability": ["100 %"]},
    }
    found = simulate_many(read(document), range(runs)).available_domains[:, 1:, 0]
    share = found.mean() / nodes
    # alternating renewal: up at the begin of a month with mtbf / (mtbf + repair), then no failure in it
    expected = mtbf / (mtbf + repair) * math.exp(-720 / mtbf)
    error = math.sqrt(expected * (1 - expected) / (runs * nodes * (months - 1)))
    assert abs(share - expected) < norm.ppf(1 - 3e-5) * error


def test_a_run_says_what_was_available() -> None:
    """The share of domain-months in the table and in JSON, with maintenance and without."""
    from dcsim.decide import run
    from dcsim.report.simulated import simulated_table

    work = {"name": "w", "component": "rack", "every": "1000 h", "duration": "20 h", "rolling": False}
    tiny = cluster({"sold": "rack", "needs": 3, "availability": HOURS}, maintenance=[work])
    with chosen([[]]):
        found = run(tiny, replications=1, workers=1)
    told = found.to_json()["scenarios"][0]["availability"]
    assert (told["sold"], told["gpus"], told["needs_gpus"], told["domains"]) == ("rack", 4, 3, 2)
    assert [each["domain_months"] for each in told["reached"]] == [0.5, 0.5, 1.0]
    assert [each["without_maintenance"] for each in told["reached"]] == [1.0, 1.0, 1.0]
    assert told["reached"][0]["by_month"] == [1.0, 0.0]
    rows = {row.label: row.texts for row in simulated_table([found]).rows}
    assert rows["rack-months: 3 of 4 GPUs up 100 % or more, %"] == ("50.00",)
    assert rows["rack-months: 3 of 4 GPUs up 90 % or more, %"] == ("100.00",)
    assert rows["  without maintenance, %"] == ("100.00",)
    bare = tiny.model_copy(update={"sla": None})
    with chosen([[]]):
        assert run(bare, replications=1, workers=1).to_json()["scenarios"][0]["availability"] is None
