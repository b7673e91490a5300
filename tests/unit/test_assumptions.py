"""In what compared offers differ: every kind of input, its values with units, and what a swap is worth."""

import pytest

from dcsim.decide.assumptions import assumption_differences, difference_sentence, differences_json
from dcsim.decide.estimate import account_scenario
from dcsim.decide.theory import gang_loss
from dcsim.scenario import load
from dcsim.scenario.plan import plan

GOLD = load("pretrain-5184/gold")
TIERS = [load(f"pretrain-5184/{name}") for name in ("gold", "hyperscaler", "silver")]


def only(**changes):
    """The one difference between Gold and Gold with changes."""
    (difference,) = assumption_differences([GOLD, load("pretrain-5184/gold", **changes)])
    return difference


def test_the_published_offers():
    """MTBF and detection matter most of what is assumed, then repair; what is bought is told apart."""
    found = assumption_differences(TIERS)
    assert [(each.label, each.values) for each in found if each.group == "assumption"] == [
        ("detection", ("15 min", "15 min", "60 min")),
        ("MTBF", ("25,000 h", "25,000 h", "15,000 h")),
        ("repair", ("15 min", "15 min", "60 min")),
        ('job size of "research"', ("264", "272", "272")),
    ]
    assert [(each.label, each.values) for each in found if each.group == "offer"] == [
        ("strategy", ("fault-tolerant", "fault-tolerant, memory overhead 5 %", "checkpoint-restart")),
        ("spares", ("32", "0", "0")),
    ]
    assert difference_sentence(TIERS, found) == (
        "The offers differ in assumed detection, MTBF (mean time between failures) and repair: "
        "detection 15 min at Gold-tier and Hyperscaler, 60 min at Silver-tier; "
        "MTBF 25,000 h against 15,000 h; repair 15 min against 60 min; and 1 more."
    )


def test_an_effect_is_the_larger_change_of_formula_and_theory():
    """Gold and Silver swap their MTBF, each by itself: the largest of four changes."""
    gold, silver = TIERS[0], TIERS[2]
    (mtbf,) = [each for each in assumption_differences([gold, silver]) if each.label == "MTBF"]
    changes = []
    for scenario, other in ((gold, silver), (silver, gold)):
        swapped = load(
            f"pretrain-5184/{'gold' if scenario is gold else 'silver'}",
            **{"hazards.gpu.mtbf": f"{other.hazards[0].mtbf // 3_600_000} h"},
        )
        changes += [abs(account_scenario(swapped).goodput_loss - account_scenario(scenario).goodput_loss)]
        changes += [abs(gang_loss(plan(swapped)) - gang_loss(plan(scenario)))]
    assert mtbf.effect == pytest.approx(max(changes), rel=1e-12)
    assert mtbf.effect > 0.1


@pytest.mark.parametrize(
    ("change", "key", "label", "group", "values"),
    [
        ({"horizon": "12 mo"}, "horizon", "horizon", "assumption", ("36 mo", "12 mo")),
        ({"horizon": "400 h"}, "horizon", "horizon", "assumption", ("25,920 h", "400 h")),
        ({"seed": 2603}, "seed", "seed", "assumption", ("1", "2603")),
        ({"hazards.gpu.mtbf": "50677 h"}, "hazards.gpu.mtbf", "MTBF", "assumption", ("25,000 h", "50,677 h")),
        ({"hazards.gpu.detect": "4 h"}, "hazards.gpu.detect", "detection", "assumption", ("15 min", "4 h")),
        (
            {"hazards.gpu.repair": {"kind": "lognormal", "mean": "8 h", "sigma": 1.0}},
            "hazards.gpu.repair", "repair", "assumption", ("15 min", "lognormal, mean 8 h, sigma 1"),
        ),
        (
            {"hazards.gpu.repair": {"time": "8 h", "crews": 2}},
            "hazards.gpu.repair", "repair", "assumption", ("15 min", "one stage, 8 h on average"),
        ),
        (
            {"hazards.gpu.mtbf": {"kind": "weibull", "mean": "25000 h", "shape": 0.7}},
            "hazards.gpu.mtbf", "MTBF", "assumption", ("25,000 h", "weibull, mean 25,000 h"),
        ),
        (
            {"hazards.gpu.blast": "rack"},
            "hazards.gpu.blast", "GPUs lost per failure", "assumption", ("64", "rack"),
        ),
        ({"jobs.pretrain.gpus": 2048}, "jobs.pretrain.gpus", 'job size of "pretrain"', "assumption",
         ("4,096", "2,048")),
        ({"jobs.pretrain.comm": "20 %"}, "jobs.pretrain.comm", 'communication of "pretrain"', "assumption",
         ("0 %", "20 %")),
        ({"cluster.spares": 0}, "cluster.spares", "spares", "offer", ("32", "0")),
        ({"cluster.topology": "gb200-nvl72"}, "cluster.topology", "topology", "offer", ("gb300-nvl72", "gb200-nvl72")),
        ({"jobs.research.recovery.failover": "9 min"}, "jobs.research.recovery.failover", 'failover of "research"',
         "offer", ("5 min", "9 min")),
        ({"accounting.mode": "hot"}, "accounting.mode", "mode of the formula", "formula", ("tolerant", "hot")),
    ],
)  # fmt: skip
def test_every_kind_of_input(change, key, label, group, values):
    """One key changed is one difference, under the key that --set takes."""
    found = only(**change)
    assert (found.key, found.label, found.group, found.values) == (key, label, group, values)


@pytest.mark.parametrize("change", [{"tco.gpu_hour": "9 USD"}, {"name": "x"}, {"description": "x"}])
def test_prices_and_names_are_no_assumptions(change):
    """What people read and pay changes nothing that is assumed."""
    assert assumption_differences([GOLD, load("pretrain-5184/gold", **change)]) == ()
    assert difference_sentence([GOLD, GOLD], ()) is None


def test_hazards_of_other_names_belong_together_by_component():
    """An offer that calls its GPU failures otherwise is compared, not called another world."""
    other = load("pretrain-5184/gold", **{"hazards.gpu.name": "gpu failures", 'hazards."gpu failures".mtbf': "9000 h"})
    (found,) = assumption_differences([GOLD, other])
    assert (found.label, found.values) == ("MTBF", ("25,000 h", "9,000 h"))


def test_a_hazard_that_only_one_has():
    """It is named, with what it is worth; several of them are one clause."""
    pluggable, packaged = load("plant/optics-pluggable"), load("plant/optics-co-packaged")
    found = assumption_differences([pluggable, packaged])
    link = found[0]
    assert (link.key, link.label, link.values) == ("hazards.link", 'failures of "link", "uplink"', ("yes", "none"))
    assert link.effect > 0
    assert difference_sentence([pluggable, packaged], found) == (
        'The offers differ in assumed failures of "link", "uplink" and failures of "leaf": '
        'failures of "link", "uplink" only at Pluggable optics; '
        'failures of "leaf" only at Co-packaged optics.'
    )


def test_a_hazard_that_two_have_unlike_each_other():
    """Of three offers one has no GPU failures: it is said who has them, and in which keys these differ."""
    made = [load(f"failures/{name}") for name in ("reference", "causes", "stragglers")]
    (gpu,) = [each for each in assumption_differences(made) if each.key == "hazards.gpu"]
    assert gpu.values == ("none", "yes", "yes")
    assert gpu.unlike
    made = [load(f"operations/{name}") for name in ("spot", "on-demand", "spot-without-warning")]
    found = assumption_differences(made)
    said = 'failures of "reclaim" only at Spot and Spot without warning, which differ in its notice'
    assert difference_sentence(made, found).startswith(f"The offers differ in assumptions: {said}")
    alike = assumption_differences(made[:2])
    assert all(not each.unlike for each in alike)


def test_values_that_read_alike_are_told_apart():
    """Two Weibull lives of one mean and two shapes; technicians with and without hours, and visits in their place."""
    lives = [{"kind": "weibull", "mean": "9000 h", "shape": shape} for shape in (0.7, 0.9)]
    made = [load("pretrain-5184/gold", **{"hazards.gpu.mtbf": life, "hazards.gpu.mtbf_range": None}) for life in lives]
    (found,) = assumption_differences(made)
    assert found.values == ("weibull, mean 9,000 h (shape 0.7)", "weibull, mean 9,000 h (shape 0.9)")
    names = ("by-day", "round-the-clock", "visit", "by-day")
    (found,) = assumption_differences([load(f"operations/technicians-{name}") for name in names])
    alike = "2 stages, 2.85 h on average"
    by_day = f"{alike} (crews 2, shifts weekdays 9-17)"
    assert found.values == (by_day, f"{alike} (crews 2)", f"{alike} (visits tue, visit_when 8)", by_day)
    (found,) = assumption_differences([load(f"operations/technicians-{name}") for name in names[:2]])
    assert found.values == (f"{alike} (shifts weekdays 9-17)", f"{alike} (without shifts)")


def test_many_offers_make_a_short_sentence():
    """Six values are told by their number and ends, and names are counted beyond four."""
    made = [load("pretrain-5184/gold", name=f"offer {number}", **{"hazards.gpu.mtbf": f"{number}0000 h"})
            for number in range(1, 7)]  # fmt: skip
    sentence = difference_sentence(made, assumption_differences(made))
    assert sentence == "The offers differ in assumptions: MTBF (6 values, 10,000 h to 60,000 h)."
    made = [load("pretrain-5184/gold", name=f"offer {number}") for number in range(5)] + [
        load("pretrain-5184/gold", name="other", **{"hazards.gpu.mtbf": "9000 h"})
    ]
    sentence = difference_sentence(made, assumption_differences(made))
    assert sentence == "The offers differ in assumptions: MTBF 25,000 h at 5 offers, 9,000 h at other."


def test_a_swap_that_does_not_fit_has_no_effect():
    """A cluster of two racks cannot take a blast of 64 racks: the difference is named all the same."""
    small = load("failures/reference")
    found = assumption_differences([GOLD, small])
    assert {"cluster.topology", "cluster.gpus"} <= {each.key for each in found}
    assert all(each.effect >= 0 for each in found)
    assert [each["key"] for each in differences_json(found)] == [each.key for each in found]


def test_offers_of_one_name_are_numbered():
    """Two offers of one name cannot be told apart by it."""
    made = [GOLD, load("pretrain-5184/gold", **{"hazards.gpu.mtbf": "9000 h"})]
    sentence = difference_sentence(made, assumption_differences(made))
    assert sentence == "The offers differ in assumptions: MTBF 25,000 h at Gold-tier (1), 9,000 h at Gold-tier (2)."
