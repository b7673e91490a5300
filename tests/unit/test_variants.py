"""Variants of a scenario: how axes are read, what is simulated of them, and the figures that are asked for by name."""

import pickle

import numpy as np
import pytest

from dcsim.decide import run
from dcsim.decide.metrics import METRICS, metric, usual_metric
from dcsim.decide.variants import Axis, at, grid, read_axes, simulate_variants, switch_notes, variants
from dcsim.recovery import STRATEGIES
from dcsim.recovery.keys import OF_THE_STRATEGY
from dcsim.recovery.presets import presets
from dcsim.scenario import ScenarioError, load, read

GOLD = load("pretrain-5184/gold", horizon="1 mo")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("cluster.spares=0,8,16", (0, 8, 16)),
        ("cluster.spares=0:24:8", (0, 8, 16, 24)),
        ("cluster.spares=0:25:8,32", (0, 8, 16, 24, 32)),
        ("hazards.gpu.detect=5 min:15 min:5 min", ("5 min", "10 min", "15 min")),
        ("hazards.gpu.detect=30 min:2 h:30 min", ("30 min", "1 h", "90 min", "2 h")),
        ('hazards.gpu.detect="5 min", "1 h"', ("5 min", "1 h")),
        ("hazards.gpu.share=5 %:10 %:2.5 %", ("5 %", "7.5 %", "10 %")),
        ("tco.price=0.1:0.3:0.1", (0.1, 0.2, 0.3)),
        ("jobs.a.recovery=stateless,elastic", ("stateless", "elastic")),
        ("maintenance=true,false", (True, False)),
        ("hazards.a.repair.visits=tue 9:00", ("tue 9:00",)),
    ],
)
def test_an_axis_has_single_values_and_ranges(text: str, values: tuple[object, ...]):
    """Values stand between commas, a range is lowest:highest:step with both ends, quantities need no quotes."""
    assert Axis.read(text) == Axis(text.partition("=")[0], values)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cluster.spares", "-L: found 'cluster.spares'; must be key=values, such as"),
        ("=1,2", "-L: found '=1,2'; must be key=values"),
        ("cluster.spares=", "-L: cluster.spares: found no value; must be"),
        ("cluster.spares=1,2,1", "-L: cluster.spares: found 1; each value must be given once"),
        ("a=0:64", "-L: a: found '0:64'; a range needs a step: lowest:highest:step"),
        ("a=5 min:1 h", "-L: a: found '5 min:1 h'; a range needs a step: lowest:highest:step"),
        ("a=1:5:0", "-L: a: found '1:5:0'; must be lowest:highest:step with a step above zero"),
        ("a=5:1:1", "-L: a: found '5:1:1'; must be lowest:highest:step"),
        ("a=5 min:1:2", "-L: a: found '5 min:1:2'; lowest, highest and step must have units of one kind"),
        ("a=0:1e9:1", "-L: a: found '0:1e9:1'; must have at most 1,000 values"),
    ],
)
def test_a_wrong_axis_has_one_line(text: str, said: str):
    """Where, what was found, what is allowed."""
    with pytest.raises(ScenarioError) as found:
        Axis.read(text)
    assert str(found.value).startswith(said)


def test_all_problems_of_all_variants_are_told_at_once():
    """Each with the option that made it; what is wrong in several variants is told once."""
    with pytest.raises(ScenarioError) as found:
        grid([GOLD], read_axes(["cluster.spares=8,72", "cluster.gpuss=1", "cluster.gpuss=2"]))
    assert str(found.value) == "-L: cluster.gpuss: found twice; give all of its values at once"
    with pytest.raises(ScenarioError) as found:
        grid([GOLD], read_axes(["cluster.spares=8,72", "hazards.gpu.detect=5 min,x"]))
    wrong, too_many = str(found.value).splitlines()
    assert wrong.startswith("-L hazards.gpu.detect=x: hazards.gpu.detect: found 'x'; allowed: a duration")
    assert too_many == (
        "-L cluster.spares=72 -L hazards.gpu.detect=5 min: jobs: found 5224 GPUs = 4096 x 1 + 264 x 4 in jobs "
        "+ 72 spares; at most 5184 (cluster.gpus)"
    )


def test_a_grid_has_every_offer_with_every_combination():
    """The last axis changes fastest, the offer slowest; a variant knows what it was given."""
    other = load("pretrain-5184/gold", horizon="1 mo", **{"tco.gpu_hour": "3 USD"})
    found = grid([GOLD, other], read_axes(["cluster.spares=0,8", "seed=1,2,3"]))
    assert [each.offer for each in found] == [0] * 6 + [1] * 6
    assert [each.inputs for each in found[:4]] == [
        (("cluster.spares", 0), ("seed", 1)),
        (("cluster.spares", 0), ("seed", 2)),
        (("cluster.spares", 0), ("seed", 3)),
        (("cluster.spares", 8), ("seed", 1)),
    ]
    assert found[4].scenario == load("pretrain-5184/gold", horizon="1 mo", seed=2, **{"cluster.spares": 8})
    assert at(GOLD, {}) == GOLD


def test_variants_are_simulated_as_single_runs_are():
    """Every figure of each run is the one of a run of its own; ends of ranges of MTBF are left out."""
    variants = grid([GOLD], read_axes(["cluster.spares=0,16"]))
    results = simulate_variants([each.scenario for each in variants], replications=4)
    for variant, result in zip(variants, results, strict=True):
        alone = run(variant.scenario, replications=4)
        assert result.mtbf_range is None
        assert alone.mtbf_range is not None
        for name, each in METRICS.items():
            mine, its = each.of(result), each.of(alone)
            assert (mine is None) == (its is None) == (name == "finish_h" or each.table not in ("", "tco"))
            if mine is not None and its is not None:
                assert np.array_equal(mine.values, its.values)


def test_figures_are_what_they_are_called():
    """Each figure against the ledger of two runs."""
    result = run(GOLD, replications=2)
    hours = np.array([each / 3_600_000 for each in result.sample.useful_gpu_ms])
    whole = 5184 * 720.0

    def mean(name: str) -> float:
        found = METRICS[name].summary(result)
        assert found is not None
        return found.mean

    assert mean("useful_gpu_hours") == pytest.approx(36 * hours.mean(), rel=1e-12)  # of the term
    assert mean("goodput") == pytest.approx(hours.mean() / whole, rel=1e-12)
    assert mean("loss") == result.loss.mean
    assert mean("goodput") + mean("loss") == pytest.approx(1, rel=1e-12)
    assert mean("wait_gpu_hours") == pytest.approx(result.ledger["wait"], rel=1e-12)
    assert result.paid_usd is not None
    assert mean("paid_usd") == pytest.approx(result.paid_usd.mean, rel=1e-12)
    assert mean("usd_per_useful_gpu_hour") == pytest.approx(mean("paid_usd") / mean("useful_gpu_hours"), rel=1e-9)
    assert METRICS["finish_h"].of(result) is None


def test_the_time_of_a_job_that_ends_is_told_only_where_all_runs_are_done():
    """A mean over the quick runs alone would be too short."""
    recovery = {"kind": "checkpoint-restart", "checkpoint_every": "30 min", "checkpoint_write": "0 s", "restore": "0 s"}
    job = {"name": "a", "gpus": 8, "work": "84 GPU-h", "recovery": recovery}
    tables = {
        "name": "ends",
        "seed": 1,
        "horizon": "1 mo",
        "cluster": {"topology": "hgx-h100", "gpus": 8},
        "jobs": [job],
    }
    tables |= {"hazards": [{"component": "gpu", "mtbf": "53 h"}]}
    found = METRICS["finish_h"].summary(run(tables, replications=8))
    assert found is not None
    assert found.mean > 10.5
    assert METRICS["finish_h"].of(run(tables | {"horizon": "10 h"}, replications=2)) is None


def test_a_figure_is_found_by_its_name():
    """A wrong name has the nearest right one; without a price the loss is what a question is about."""
    with pytest.raises(ScenarioError, match='did you mean "goodput"') as found:
        metric("godput")
    assert str(found.value).startswith("--metric: found 'godput'; allowed: loss, ")
    assert metric("loss") is METRICS["loss"]
    assert usual_metric([GOLD]).name == "usd_per_useful_gpu_hour"
    assert usual_metric([GOLD, GOLD.model_copy(update={"tco": None})]).name == "loss"


def test_spares_that_are_a_share_follow_the_cluster():
    """A file with "2 %" has 2 % of the GPUs at every size, also once it was read and changed; a number stays."""
    offer = load("pretrain-5184/gold", **{"cluster.spares": "0.5 %"})
    assert offer.cluster.spares == 28  # of 5,184: 25.92, in trays of four
    sizes = [each.scenario.cluster for each in grid([offer, GOLD], read_axes(["cluster.gpus=5472,5760"]))]
    assert [(each.gpus, each.spares) for each in sizes] == [(5472, 28), (5760, 32), (5472, 32), (5760, 32)]
    moved = at(at(offer, {"hazards.gpu.detect": "5 min"}), {"cluster.gpus": 5760})
    assert moved.cluster.spares == 32  # 28.8
    assert at(offer, {"cluster.gpus": 5760, "cluster.spares": 8}).cluster.spares == 8
    assert pickle.loads(pickle.dumps(offer)).cluster.spares.share == "0.5 %"


@pytest.mark.parametrize(("share", "stock"), [("0 %", 0), ("0.5 %", 28), ("2 %", 108), ("50 %", 5152), ("0.01 %", 4)])
def test_a_share_of_spares_is_bought(share: str, stock: int):
    """Jobs keep their 5,152 GPUs: the stock is the least number of whole trays that is the share of them and itself."""
    (found,) = variants([(0, GOLD, {"cluster.spares": share})], buys=True)
    cluster = found.scenario.cluster
    assert (cluster.gpus, cluster.spares) == (5152 + stock, stock)
    part = float(share.split()[0]) / 100
    assert stock == 0 or stock - 4 < part * (5152 + stock - 4) or stock == 4
    assert stock >= part * cluster.gpus


def test_a_share_that_is_none_says_so():
    """All GPUs cannot be spares, and a share needs its sign."""
    for share, said in (
        ("100 %", "-L cluster.spares=100 %: jobs: found"),
        ("2", "-L cluster.spares=2: cluster.spares"),
    ):
        with pytest.raises(ScenarioError) as found:
            variants([(0, GOLD, {"cluster.spares": share})], buys=True)
        assert str(found.value).startswith(said)


RECOVERY = "jobs.pretrain.recovery"


@pytest.mark.parametrize("source", ["elastic", "tiered-checkpoint", "checkpoint-restart", "live-migration"])
def test_a_strategy_is_an_axis(source: str):
    """Every kind can take the place of every other; it has what the file gave another value than its default.

    A key that only one of the kinds has may be given for all: it is left out of the others.
    """
    offer = load(f"strategies-5184/{source}", horizon="1 mo")
    old = offer.jobs[0].recovery.model_dump(exclude_defaults=True, exclude={"kind"})
    given = {"group": 256, "checkpoint_every": "30 min", "checkpoint_write": "20 s", "checkpoint_drain": "1 min"}
    tiers = [{"every": "30 min", "write": "20 s", "restore": "5 min"}]
    for kind, model in STRATEGIES.items():
        inputs = {f"{RECOVERY}.kind": kind} | {f"{RECOVERY}.{key}": value for key, value in given.items()}
        (found,) = variants([(0, offer, inputs | {f"{RECOVERY}.tiers": tiers})])
        new = found.scenario.jobs[0].recovery
        assert type(new) is model
        if type(offer.jobs[0].recovery) is model:
            continue
        for key, value in new.model_dump(exclude_defaults=True, exclude={"kind"}).items():
            assert key in (*given, "tiers") or value == old[key]
        for key in old.keys() & model.model_fields.keys() - given.keys() - {"tiers", *OF_THE_STRATEGY}:
            assert getattr(new, key) == getattr(offer.jobs[0].recovery, key)
        assert found.scenario.jobs[1] == offer.jobs[1]


def test_a_preset_is_an_axis():
    """Its own values go first, what it does not give is taken from the file where its kind has it."""
    offer = load("strategies-5184/checkpoint-restart", horizon="1 mo")
    axes = read_axes([f"{RECOVERY}.preset=torchft,tiered-memory", f"{RECOVERY}.group=256"])
    elastic, tiered = (each.scenario.jobs[0].recovery for each in grid([offer], axes))
    assert (elastic.kind, elastic.group) == ("elastic", 256)
    by_preset = load("strategies-5184/elastic").jobs[0].recovery
    keys = presets()["torchft"].keys
    assert all(getattr(elastic, key) == getattr(by_preset, key) for key in keys)
    assert "restore_per_doubling" not in keys
    assert elastic.restore_per_doubling == offer.jobs[0].recovery.restore_per_doubling
    assert tiered.kind == "tiered-checkpoint"


@pytest.mark.parametrize(
    ("source", "key", "preset", "expected"),
    [
        ("strategies-5184/checkpoint-restart", f"{RECOVERY}.preset", "byterobust", {"checkpoint_every": 3_600_000}),
        ("strategies-5184/checkpoint-restart", f"{RECOVERY}.preset", "trainmover", {"failover": 20_000}),
        ("strategies-5184/elastic", f"{RECOVERY}.preset", "torchpass", {"failover": 300_000}),
        ("strategies-5184/live-migration", f"{RECOVERY}.preset", "trainmover", {"failover": 20_000}),
        ("failures/reference", "hazards.node.preset", "delta-a100", {"component": "gpu"}),
        ("papers/kokolis", "hazards.node.preset", "rsc-2", {"component": "node"}),
        ("pretrain-5184/gold", "hazards.gpu.preset", "llama3/gpu", {"mtbf_range": None}),
    ],
)
def test_a_preset_means_the_same_wherever_it_is_set(source, key, preset, expected):
    """On top of a file, on top of a whole scenario, and in a sweep: what it gives goes before what was there."""
    swept = at(load(source), {key: preset})
    assert load(source, set=[f"{key}={preset}"]) == swept
    assert read(load(source), **{key: preset}) == swept
    holder = swept.jobs[0].recovery if key.startswith("jobs") else swept.hazards[0]
    assert {name: getattr(holder, name) for name in expected} == expected


def test_a_key_beside_a_preset_goes_first_in_any_order():
    """What is set from outside for a key goes before the preset, which goes before the file."""
    changes = ["hazards.node.mtbf=9 h", "hazards.node.preset=delta-a100"]
    for order in (changes, changes[::-1]):
        node = load("failures/reference", set=order).hazards[0]
        assert (node.component, node.mtbf) == ("gpu", 9 * 3_600_000)
    table = ["hazards.node={component='node',mtbf='9 h',repair='1 h'}", "hazards.0.preset=delta-a100"]
    assert load("failures/reference", set=table).hazards[0].component == "gpu"


def test_a_job_s_mistakes_are_told_beside_a_preset():
    """A table that cannot be read gives its own mistakes, and a preset that nobody knows one line."""
    for changes, told in (
        ([f"{RECOVERY}.failover=3"], f"{RECOVERY}.failover: found 3"),
        ([f"{RECOVERY}.preset=torch"], f"{RECOVERY}.preset: found 'torch'; allowed: torchpass"),
    ):
        with pytest.raises(ScenarioError) as wrong:
            load("strategies-5184/elastic", set=[*changes, "horizon=1 mo"])
        assert told in str(wrong.value)


def test_a_strategy_says_what_it_takes_over_and_what_it_lacks():
    """A note for each; a key that it needs, and a name that nobody knows, are told by one line."""
    offer = load("strategies-5184/elastic", horizon="1 mo")
    found = grid([offer], read_axes([f"{RECOVERY}.kind=checkpointless,elastic"]))
    (said,) = switch_notes([offer], found)
    assert said.startswith(f"{RECOVERY}.kind=checkpointless takes over ")
    assert (
        "from the file, not network_overhead, group, rejoin, step; every other key has its default, unless -L gives it."
        in said
    )
    for values, told in (
        ("kind=checkpoint-restart", f"-L {RECOVERY}.kind=checkpoint-restart: {RECOVERY}.checkpoint_every: missing"),
        ("kind=elastics", f"-L {RECOVERY}.kind=elastics: {RECOVERY}.kind: found 'elastics'"),
        ("preset=torch", f"-L {RECOVERY}.preset=torch: {RECOVERY}"),
    ):
        with pytest.raises(ScenarioError) as wrong:
            grid([offer], read_axes([f"{RECOVERY}.{values}"]))
        assert str(wrong.value).startswith(told)
    with pytest.raises(ScenarioError) as wrong:
        grid([offer], read_axes([f"{RECOVERY}.kind=checkpointless", f"{RECOVERY}.grup=1"]))
    assert f"{RECOVERY}.grup: unknown key" in str(wrong.value)
