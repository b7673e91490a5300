"""Simulated credits and promises of independent domains against their closed form, within four standard errors."""

import math

import numpy as np
import pytest

from dcsim.decide.accounts import MoneyBook
from dcsim.decide.availability import Availability
from dcsim.decide.owner_by_formula import owner_by_formula
from dcsim.decide.sla_credits import SlaCredits
from dcsim.decide.sla_theory import sla_theory, time_up
from dcsim.economics.credits import PROMISES
from dcsim.montecarlo import replicate_many
from dcsim.scenario import Scenario, read

SIGMA = math.sqrt(math.log(2))
"""Of lognormal repairs with cv 1."""


SIXTY_FOUR = {
    "name": "sixty-four",
    "description": "",
    "node": {"gpus": 8},
    "rack": {"nodes": 8},
    "nvlink": {"domain": "node"},
}


def sold(
    topology: str | dict[str, object], part: str, gpus: int, repair: str, months: int = 13, **sla: object
) -> Scenario:
    """Domains that fail as a whole, GPU by GPU every 25,000 h; seed chosen beforehand."""
    return read(
        {
            "name": "sold",
            "horizon": f"{months} mo",
            "seed": 20_265,
            "cluster": {"topology": topology, "gpus": gpus},
            "jobs": [{"name": "a", "gpus": 8, "recovery": {"kind": "stateless"}}],
            "hazards": [
                {
                    "component": "gpu",
                    "mtbf": "25000 h",
                    "blast": part,
                    "repair": {"kind": "lognormal", "mean": repair, "sigma": SIGMA},
                }
            ],
            "sla": {"sold": part, "credits": {}} | sla,
            "tco": {"gpu_hour": "4 USD"},
        }
    )


CASES = [
    ("hgx-h100", "node", 8, "0.25 h"),
    ("hgx-h100", "node", 8, "8.6666667 h"),
    ("hgx-h100", "node", 8, "24 h"),
    ("gb300-nvl72", "node", 4, "24 h"),
    (SIXTY_FOUR, "rack", 64, "1 h"),
    ("gb300-nvl72", "rack", 72, "8.6666667 h"),
]


@pytest.mark.parametrize(("topology", "part", "size", "repair"), CASES)
def test_credits_of_the_published_shapes(topology: str | dict[str, object], part: str, size: int, repair: str) -> None:
    """40 runs of 144 domains; months after the first are in the steady state. A run is one value: months depend."""
    scenario = sold(topology, part, 144 * size, repair)
    (found,) = replicate_many([(scenario, None)], 40)
    credits, theory = SlaCredits.of(found, None), sla_theory(scenario)
    assert credits is not None
    assert theory is not None
    assert theory.share is not None
    shares = (credits.credits / credits.charge)[:, 1:].mean(axis=1)
    error = shares.std(ddof=1) / math.sqrt(len(shares))
    assert abs(shares.mean() - theory.share) < 4 * error + 1e-5
    assert np.allclose(credits.charge, 144 * size * 4 * 720)
    reached = found.ledgers.available_domains[:, 1:, :3].mean(axis=1) / 144
    for number, missed in enumerate(theory.missed):
        its = 1 - reached[:, number]
        assert abs(its.mean() - missed) < 4 * its.std(ddof=1) / math.sqrt(len(its)) + 3e-5, number


def test_what_can_be_promised_lies_a_step_below_theory_at_most() -> None:
    """576 domains for 12 steady months in 40 runs: the counted promise is on a grid."""
    scenario = sold("hgx-h100", "node", 8 * 576, "8.6666667 h", promise="1 %")
    (found,) = replicate_many([(scenario, None)], 40)
    told, theory = Availability.of(found), sla_theory(scenario)
    assert told is not None
    assert theory is not None
    assert theory.promised is not None
    assert told.promised is not None
    assert told.availability == (0.995, 0.99, 0.95)
    assert told.promised in PROMISES
    next_better = PROMISES[PROMISES.index(told.promised) - 1]
    assert told.promised - 0.001 < theory.promised < next_better + 0.001
    assert told.to_json()["promise"] == {"missed": 0.01, "availability": told.promised}


def test_without_a_closed_form_there_is_none() -> None:
    """Parts of several sizes, crews, and rates that vary. One that fails as a whole needs 64 as well as 72."""
    plain = sold("gb300-nvl72", "rack", 144, "1 h")
    assert sla_theory(plain) is not None
    assert sla_theory(read(plain, set=["sla.needs=64"])) == sla_theory(plain)
    tray = {"name": "tray", "component": "node", "mtbf": "9000 h", "repair": "1 h"}
    document = plain.model_dump(mode="json", exclude_none=True)
    assert sla_theory(read(document | {"hazards": [*document["hazards"], tray]})) is None
    for key, value in (
        ("effect", '"kill"'),
        ("detect", '{ kind = "exponential", mean = "1 h" }'),
        ("repair", '{ time = "1 h", crews = 1 }'),
        ("mtbf", '{ kind = "weibull", mean = "25000 h", shape = 2 }'),
    ):
        assert sla_theory(read(plain, set=[f"hazards.gpu.{key}={value}"])) is None, key
    assert sla_theory(plain.model_copy(update={"sla": None})) is None


def test_an_owners_credits_by_formula_agree_with_the_simulation() -> None:
    """The statement by formula gives back the expected share of the rent; 40 runs of 144 nodes, steady months."""
    plain = sold("hgx-h100", "node", 144 * 8, "8.6666667 h")
    owner = {"server": "246391 USD", "rent": "2 USD", "occupancy": "100 %", "price_decay": "0 %", "power": "10 kW"}
    document = plain.model_dump(mode="json", exclude_none=True) | {"owner": owner}
    scenario = Scenario.model_validate(document)
    statement = owner_by_formula(scenario)
    assert statement is not None
    expected = statement.total("credits")[0] / statement.total("revenue")[0]
    theory = sla_theory(scenario)
    assert theory is not None
    assert expected == pytest.approx(theory.share)
    (found,) = replicate_many([(scenario, None)], 40)
    book = MoneyBook.of(found)
    assert book is not None
    shares = book.statement.total("credits") / book.statement.total("revenue")
    assert abs(shares.mean() - expected) < 4 * shares.std(ddof=1) / math.sqrt(len(shares)) + 5e-4  # it begins up


@pytest.mark.parametrize(
    ("needs", "repair", "published"), [(64, "24 h", 0.999956), (64, "72 h", 0.99894), (72, "24 h", 0.933)]
)
def test_64_of_72_is_up_as_16_of_18_trays_are(needs: int, repair: str, published: float) -> None:
    """Published: at 24 and 72 h of repair, and all 18 at 24 h."""
    scenario = sold("gb300-nvl72", "rack", 72 * 72, repair, needs=needs, credits=None)
    scenario = read(scenario, set=['hazards.gpu.blast="node"'])
    found = time_up(scenario)
    assert found == pytest.approx(published, abs=5e-4 if published < 0.99 else 5e-6 if published < 0.9999 else 5e-7)
    theory = sla_theory(scenario)
    assert theory is not None
    assert theory.approximate


@pytest.mark.parametrize(("needs", "repair"), [(64, "72 h"), (68, "24 h"), (72, "8 h")])
def test_months_of_64_of_72_miss_what_theory_says(needs: int, repair: str) -> None:
    """40 runs of 144 racks whose trays fail every 6,250 h; within 4 standard errors and 5 % of the approximation."""
    scenario = read(sold("gb300-nvl72", "rack", 144 * 72, repair, needs=needs), set=['hazards.gpu.blast="node"'])
    (found,) = replicate_many([(scenario, None)], 40)
    theory = sla_theory(scenario)
    assert theory is not None
    reached = found.ledgers.available_domains[:, 1:, :3].mean(axis=1) / 144
    for number, missed in enumerate(theory.missed):
        its = 1 - reached[:, number]
        assert abs(its.mean() - missed) < 4 * its.std(ddof=1) / math.sqrt(len(its)) + 0.05 * missed + 3e-5, number


def test_months_of_replicas_miss_what_theory_says() -> None:
    """144 replicas of 8 GPUs are struck every 312 h and compute again after an hour; spares are never short."""
    document = {
        "name": "replicas",
        "horizon": "13 mo",
        "seed": 20_265,
        "cluster": {"topology": "hgx-h100", "gpus": 160 * 8, "spares": 16 * 8},
        "jobs": [
            {
                "name": "a",
                "gpus": 8,
                "count": 144,
                "recovery": {"kind": "stateless", "failover": "10 min", "restore": "20 min"},
            }
        ],
        "hazards": [{"component": "gpu", "mtbf": "2500 h", "detect": "30 min", "repair": "2 h"}],
        "sla": {"sold": "replica", "credits": {}},
        "tco": {"gpu_hour": "4 USD"},
    }
    scenario = read(document)
    (found,) = replicate_many([(scenario, None)], 40)
    credits, theory = SlaCredits.of(found, None), sla_theory(scenario)
    assert credits is not None
    assert theory is not None
    assert theory.share is not None
    reached = found.ledgers.available_domains[:, 1:, :3].mean(axis=1) / 144
    for number, missed in enumerate(theory.missed):
        its = 1 - reached[:, number]
        assert abs(its.mean() - missed) < 4 * its.std(ddof=1) / math.sqrt(len(its)) + 3e-5, number
    shares = (credits.credits / credits.charge)[:, 1:].mean(axis=1)
    assert abs(shares.mean() - theory.share) < 4 * shares.std(ddof=1) / math.sqrt(len(shares)) + 1e-5
    preflight = read(document | {"jobs": [document["jobs"][0] | {"preflight": {"time": "5 min"}}]})  # type: ignore[index]
    assert sla_theory(preflight) is None


def test_the_simulated_share_of_time_agrees_with_16_of_18_trays() -> None:
    """The mean time up is the integral of the share of months that reach an availability; trays fail every 625 h."""
    listed = (1, 0.99, 0.98, 0.96, 0.94, 0.91, 0.88, 0.84, 0.8, 0.75, 0.7, 0.6, 0.5, 0.35, 0.2, 0.05)
    texts = [f"{100 * each:g} %" for each in listed]
    plain = sold("gb300-nvl72", "rack", 72 * 72, "72 h", needs=64, availability=texts, credits=None)
    scenario = read(plain, set=['hazards.gpu.blast="node"', 'hazards.gpu.mtbf="2500 h"'])
    expected = time_up(scenario)
    assert expected is not None
    assert 0.6 < expected < 0.8
    (sample,) = replicate_many([(scenario, None)], 20)
    counted = sample.ledgers.available_domains[:, 2:, : len(listed)].mean(axis=1) / 72
    shares = np.array(listed)
    up = ((counted[:, 1:] + counted[:, :-1]) / 2 * (shares[:-1] - shares[1:])).sum(axis=1) + counted[:, -1] * shares[-1]
    assert abs(up.mean() - expected) < 4 * up.std(ddof=1) / math.sqrt(len(up)) + 2e-3
