"""SLA credits as arithmetic: tiers, what is claimed, the cap, what is excluded, and what they are printed beside."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.decide.accounts import MoneyBook
from dcsim.decide.availability import Availability, sold_series
from dcsim.decide.sla_credits import SlaCredits
from dcsim.economics.credits import Sla, credit_lines, reached_names
from dcsim.economics.statement import Line, Statement
from dcsim.montecarlo import replicate_many
from dcsim.scenario import ScenarioError, read
from tests.unit.literal import chosen
from tests.unit.test_sold import HOURS, H, cluster


def credited(sla: dict[str, object], counts: list[list[float]], price: float = 1000.0) -> Statement:
    """A month for each row of counts: domains sold, then those at each availability."""
    found = Sla.model_validate({"sold": "node"} | sla)
    lines, inputs = credit_lines(found, "price")
    columns = np.array([[0.0] * len(counts[0]), *counts])
    series = dict(zip(("domains", *reached_names(found.shares)), columns.T[:, None, :], strict=True))
    return Statement.of([Line("price", "price", "USD", f"{price} if month > 0 else 0"), *lines], inputs, series)


def test_each_domain_gives_back_what_its_tier_says() -> None:
    """Of ten domains two are between 99 and 99.5 %, one between 95 and 99 %, one below: 2 x 10 + 30 + 100 %."""
    found = credited({"credits": {}}, [[10, 8 - 2, 8, 9], [10, 10, 10, 10]])
    assert found.values["credit_share"][0].tolist() == pytest.approx([0, 0.15, 0])
    assert found.values["credits"][0].tolist() == pytest.approx([0, 150, 0])


def test_what_is_not_claimed_is_not_given_and_the_cap_is_on_what_is_given() -> None:
    """A share of the credits is asked for; the cap is a share of the month's price."""
    assert credited({"credits": {"claimed": "60 %"}}, [[10, 6, 8, 9]]).total("credits")[0] == pytest.approx(90)
    assert credited({"credits": {"cap": "5 %"}}, [[10, 6, 8, 9]]).total("credits")[0] == pytest.approx(50)
    both = {"credits": {"claimed": "60 %", "cap": "10 %"}}
    assert credited(both, [[10, 6, 8, 9]]).total("credits")[0] == pytest.approx(90)


def test_other_tiers() -> None:
    """Public: 99.9, 99 and 95 % give back 5, 10 and 25 %."""
    sla = {"availability": ["99.9 %", "99 %", "95 %"], "credits": {"tiers": ["5 %", "10 %", "25 %"]}}
    assert credited(sla, [[4, 1, 2, 3]]).total("credits")[0] == pytest.approx(1000 * (0.05 + 0.10 + 0.25) / 4)


SHARE = st.integers(0, 1000).map(lambda tenths: tenths / 1000)


@given(st.lists(SHARE, min_size=1, max_size=6).map(sorted), SHARE, SHARE, st.data())
def test_credits_are_never_above_the_cap_and_never_below_zero(
    tiers: list[float], claimed: float, cap: float, data: st.DataObject
) -> None:
    """Whatever the tiers and however many domains reach each of them; the sum over domains is done one by one."""
    sla = {
        "availability": [f"{99 - index} %" for index in range(len(tiers))],
        "credits": {
            "tiers": [f"{100 * each} %" for each in tiers],
            "claimed": f"{100 * claimed} %",
            "cap": f"{100 * cap} %",
        },
    }
    domains = data.draw(st.lists(st.integers(0, len(tiers)), min_size=1, max_size=30))  # tiers that each one misses
    counts = [len(domains), *(sum(missed <= index for missed in domains) for index in range(len(tiers)))]
    found = credited(sla, [list(map(float, counts))])
    (total,) = found.total("credits")
    assert 0 <= total <= 1000 * cap + 1e-9
    expected = sum(tiers[missed - 1] for missed in domains if missed) / len(domains)
    assert total == pytest.approx(1000 * min(cap, claimed * expected), abs=1e-9)


@pytest.mark.parametrize(
    ("credits", "why"),
    [
        (
            {"tiers": ["10 %", "30 %"]},
            "sla.credits.tiers: found 10 %, 30 %; one for each of the availabilities, 99.5 %",
        ),
        ({"tiers": ["30 %", "10 %", "100 %"]}, "sla.credits.tiers: found 30 %, 10 %, 100 %; must rise"),
        ({"tier": ["10 %"]}, "sla.credits.tier: unknown key"),
        ({"claimed": "110 %"}, "sla.credits.claimed: found '110 %'"),
        ({"counts_maintenance": 1}, "sla.credits.counts_maintenance"),
    ],
)
def test_mistakes_have_a_line_each(credits: dict[str, object], why: str) -> None:
    """The path, what was found, and what is allowed."""
    document = {
        "name": "sold",
        "horizon": "1 mo",
        "cluster": {"topology": "hgx-h100", "gpus": 8},
        "jobs": [{"name": "a", "gpus": 8, "recovery": {"kind": "stateless"}}],
        "hazards": [{"component": "node", "mtbf": "1 y"}],
        "sla": {"sold": "node", "credits": credits},
    }
    with pytest.raises(ScenarioError) as found:
        read(document)
    assert why in str(found.value)


def test_maintenance_is_downtime_only_where_the_contract_says_so() -> None:
    """Each rack is out for 20 h in the second of two months: below 10 h, above 72 h."""
    work = {"name": "w", "component": "rack", "every": "1000 h", "duration": "20 h", "rolling": False}
    for counts, share in ((False, 0.0), (True, 0.30 / 2)):
        tiny = cluster(
            {"sold": "rack", "availability": HOURS, "credits": {"counts_maintenance": counts}}, maintenance=[work]
        )
        with chosen([[]]):
            (sample,) = replicate_many([(tiny, None)], 1, workers=1)
        found = SlaCredits.of(sample, None)
        assert found is not None
        assert found.share.mean == pytest.approx(share)
        assert not found.priced
        assert found.to_json() == {"claimed": 1.0, "share_of_price": found.to_json()["share_of_price"]}


def test_a_run_says_what_comes_back() -> None:
    """One node of four racks' nodes is out for 100 h: it misses all tiers of one of two months; JSON, page, report."""
    from dcsim.decide import run
    from dcsim.report.simulated import run_page
    from dcsim.report.sold import sold_section, sold_tables

    sla = {"sold": "rack", "needs": 3, "availability": HOURS, "credits": {}, "promise": "30 %"}
    tiny = cluster(sla, tco={"gpu_hour": "2 USD", "term": "2 mo"})
    both = [[(100 * H, 0, 98 * H), (100 * H, 1, 98 * H)]]
    with chosen(both):
        found = run(tiny, replications=1, workers=1)
    told = found.to_json()["scenarios"][0]
    assert told["sla_credits"]["usd_a_month"]["mean"] == pytest.approx(8 * 2 * 720 * 0.5 / 2)
    assert told["sla_credits"]["share_of_price"]["mean"] == pytest.approx(0.25)
    assert told["availability"]["promise"] == {"missed": 0.3, "availability": 1.0}
    (said,) = [each for each in run_page([found]).answer if "credits" in each]
    assert said.startswith("SLA credits give back 25.00 % of the price, 2,880")
    assert "they do not pay for lost work" in said
    assert said.endswith("100 % can be promised for a rack, 3 of 4 GPUs: less is had in at most 30 % of its months.")
    rows = {row.label: row.texts for row in sold_tables([found])[0].rows}
    assert rows["months below 100 %, %"] == ("25.000",)
    assert rows["sold of the GPUs, %"] == ("75.00",)
    assert rows["left of 1 USD of price, per GPU"] == (f"{0.75 * 0.75:.4f}",)
    (section,) = sold_section([found])
    assert section.says == (said,)
    assert not sold_section([run(tiny.model_copy(update={"sla": None}), replications=1, workers=1)])


def test_an_owner_gives_credits_out_of_the_rent_that_is_invoiced() -> None:
    """The same outage: a quarter of the rent of the GPUs that are sold, three of four, comes back."""
    sla = {"sold": "rack", "needs": 3, "availability": HOURS, "credits": {}}
    owner = {"server": "1000 USD", "rent": "2 USD", "occupancy": "50 %", "power": "1 kW"}
    tiny = cluster(sla, owner=owner)
    with chosen([[(100 * H, 0, 98 * H), (100 * H, 1, 98 * H)]]):
        (sample,) = replicate_many([(tiny, None)], 1, workers=1)
    book = MoneyBook.of(sample)
    assert book is not None
    values = book.statement.values
    assert values["revenue"][0].tolist() == pytest.approx([0, 6 * 2 * 720 / 2, 6 * 2 * 720 / 2])
    assert values["credits"][0].tolist() == pytest.approx([0, 6 * 2 * 720 / 2 / 2, 0])
    left = values["revenue"] - values["credits"] - values["opex"]
    assert np.allclose(values["operating_cash"], left)
    found = SlaCredits.of(sample, book)
    assert found is not None
    assert found.share.mean == pytest.approx(0.25)
    assert found.usd_a_month.mean == pytest.approx(6 * 720 / 4)


def test_nothing_is_credited_before_there_is_power() -> None:
    """One of two racks has power from the middle of the second month on: it is sold from the third."""
    phase = [{"name": "late", "racks": 1, "date": f"{int(1.5 * 720)} h"}]
    tiny = cluster(
        {"sold": "rack", "availability": HOURS, "credits": {}}, 3, energisation=phase, tco={"gpu_hour": "1 USD"}
    )
    with chosen([[]]):
        (sample,) = replicate_many([(tiny, None)], 1, workers=1)
    assert sample.ledgers.available_domains[0].tolist() == [[1] * 7, [1] * 7, [2] * 7]
    series = sold_series(sample)
    assert series["domains"].tolist() == [[0, 1, 1, 2]]
    found, told = SlaCredits.of(sample, None), Availability.of(sample)
    assert found is not None
    assert told is not None
    assert found.share.mean == 0
    assert told.share(0) == 1
    assert told.handed_over.tolist() == [1, 1, 2]


def test_a_guarantee_of_kept_progress_is_broken_as_a_binomial_says() -> None:
    """Jobs of coverage 92 %: by chance fewer than 90 % of a run's interruptions keep their progress."""
    from scipy.stats import binom

    from dcsim.decide.sla_credits import GuaranteeResult, kept_by_job

    document = {
        "name": "kept",
        "horizon": "2 mo",
        "seed": 20_267,
        "cluster": {"topology": "hgx-h100", "gpus": 256, "spares": 64},
        "jobs": [
            {
                "name": "a",
                "gpus": 192,
                "recovery": {
                    "kind": "fault-tolerant",
                    "checkpoint_every": "1 h",
                    "failover": "1 min",
                    "restore": "10 min",
                    "coverage": "92 %",
                },
            }
        ],
        "hazards": [{"component": "node", "mtbf": "400 h", "repair": "2 h"}],
        "sla": {"sold": "node", "guarantee": {}},
    }
    (sample,) = replicate_many([(read(document), None)], 20, workers=1)
    assert kept_by_job(sample).tolist() == pytest.approx([0.92])
    found = GuaranteeResult.of(sample)
    assert found is not None
    counts = sample.ledgers.strikes[:, 0]
    assert counts.min() > 20
    expected = np.mean([binom.cdf(np.ceil(0.9 * n - 1e-9) - 1, n, 0.92) for n in counts])
    assert found.broken == pytest.approx(expected)
    assert 0.05 < found.broken < 0.5
    assert found.expected == pytest.approx(expected / 4)
    never = read(document, set=['jobs.a.recovery={kind="checkpoint-restart",checkpoint_every="1 h",restore="10 min"}'])
    (rolled,) = replicate_many([(never, None)], 2, workers=1)
    found = GuaranteeResult.of(rolled)
    assert found is not None
    assert (found.kept, found.broken) == (0, 1)


def test_a_run_says_how_its_guarantee_stands() -> None:
    """Checkpoints lose progress at every interruption; no interruption breaks nothing."""
    from dcsim.decide import run
    from dcsim.report.simulated import run_page
    from dcsim.report.sold import sold_tables

    for rows, said in (
        ([(100 * H, 0, H)], "0.0 % of the interruptions lose no progress; the guarantee of 90 % is broken"),
        ([], "No job is interrupted: the guarantee that 90 % lose no progress holds."),
    ):
        with chosen([rows]):
            found = run(cluster({"sold": "node", "guarantee": {}}), replications=1, workers=1)
        assert any(said in each for each in run_page([found]).answer)
    assert any(row.label == "  guarantee broken, % of terms" for row in sold_tables([found])[0].rows)
    told = found.to_json()["scenarios"][0]["sla_guarantee"]
    assert told == {"asked": 0.9, "kept": None, "broken": 0.0, "expected_credit_of_renewal": 0.0}


def test_a_sweep_keeps_the_months_that_credits_are_computed_from() -> None:
    """What is claimed scales what is given back; without [sla] the figure is refused by its name."""
    from dcsim.decide.sweep import sweep

    found = sweep("sla/node", {"sla.credits.claimed": ["50 %", "100 %"]}, metric="sla_credits_usd", replications=2)
    half, all_of_it = (each.figures["sla_credits_usd"].mean for each in found.points)
    assert half > 10_000
    assert all_of_it == pytest.approx(2 * half)
    with pytest.raises(ScenarioError, match=r"every scenario needs \[sla\]"):
        sweep("pretrain-5184/gold", {"cluster.spares": [32]}, metric="sla_credits", replications=2)


def test_who_invoices_no_downtime_and_gives_credits_for_it_is_told() -> None:
    """One caution, and none where hours with power are invoiced."""
    from dcsim.decide.cautions import cautions

    for billed, kinds in (("in-service", ["downtime-twice"]), ("powered", [])):
        given = read("owner/h200-neocloud", set=['sla={sold="node",credits={}}', f'owner.billed="{billed}"'])
        assert [each.kind for each in cautions([given]) if each.kind == "downtime-twice"] == kinds
