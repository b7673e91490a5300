"""The published resiliency and TCO tables, through the command that a reader of the deck would type.

Source: SemiAnalysis, "From Fab to Token", QCon AI Boston, April 2026. The deck prints rounded inputs, so money is held
to $1 a month and $20 over 36 months, losses to half of their last digit.
"""

import json

import pytest
from click.testing import CliRunner

from dcsim.cli import app

TIERS = ["pretrain-5184/gold", "pretrain-5184/hyperscaler", "pretrain-5184/silver"]
MONTH, TERM, LOSS = 1.0, 20.0, 0.005e-2


def estimate(*arguments):
    """Run `dcsim estimate` on the three tiers and return what it prints."""
    done = CliRunner().invoke(app, ["estimate", *TIERS, *arguments])
    assert done.exit_code == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(scope="module")
def tiers():
    """Give the JSON entries of Gold, hyperscaler and Silver."""
    document = json.loads(estimate("--json"))
    assert document["schema"] == 1
    return document["scenarios"]


@pytest.mark.parametrize(
    ("path", "published", "within"),
    [
        ("goodput.goodput_loss", [0.061426, 0.105253, 0.209067], LOSS),
        ("goodput.downtime_loss", [0.055253, 0.055253, 0.209067], LOSS),
        ("goodput.idle_spare_loss", [32 / 5184, 0, 0], 1e-12),
        ("goodput.performance_overhead", [0, 0.05, 0], 1e-12),
        ("goodput.interruptions_per_month", [149.2992, 149.2992, 248.832], 1e-9),
        ("goodput.cluster_mtbf_h", [25_000 / 5184, 25_000 / 5184, 15_000 / 5184], 1e-9),
        ("tco.lines.gpu", [5184 * 4 * 720] * 3, 1e-6),
        ("tco.lines.hot_storage", [512_000 * 0.035, 512_000 * 0.0725, 512_000 * 0.055], 1e-6),
        ("tco.lines.cold_storage", [10 * 1024**2 * price for price in (0.01, 0.02, 0.015)], 1e-6),
        ("tco.lines.network", [0, 19, 0], 0),
        ("tco.lines.cpu", [0, 3318, 0], 0),
        ("tco.lines.support", [0, 455_403, 0], MONTH),
        ("tco.lines.goodput", [917_088, 1_571_424, 3_121_349], MONTH),
        ("tco.lines.setup", [0, 14_996_587 / 36, 33_333 / 36], MONTH),
        ("tco.lines.debugging", [0, 8333, 128_583], 0),
        ("tco.monthly_usd", [15_969_785, 17_631_823, 18_366_224], MONTH),
        ("tco.total_usd", [574_912_276, 634_745_636, 661_184_050], TERM),
        ("tco.relative", [1.00, 1.10, 1.15], 0.005),
        ("tco.usd_per_useful_gpu_hour.deck", [4.2457, 4.4210, 4.8363], 5e-5),
        ("tco.usd_per_useful_gpu_hour.all_in", [4.2968, 4.8090, 5.1640], 5e-5),
    ],
)
def test_every_published_row(tiers, path, published, within):
    """Each row of the deck's two tables comes out for all three tiers."""
    for tier, expected in zip(tiers, published, strict=True):
        found = tier
        for key in path.split("."):
            found = found[key]
        assert found == pytest.approx(expected, abs=max(within, 1e-12))


def test_the_lines_of_a_tier_are_its_month(tiers):
    """The printed lines add up to the month, 36 months to the term."""
    for tier in tiers:
        assert sum(tier["tco"]["lines"].values()) == pytest.approx(tier["tco"]["monthly_usd"], rel=1e-14)
        assert tier["tco"]["total_usd"] == pytest.approx(36 * tier["tco"]["monthly_usd"], rel=1e-14)


@pytest.mark.parametrize(
    ("label", "cells"),
    [
        ("interruptions per month", ["149.30", "149.30", "248.83"]),
        ("goodput loss, %", ["6.14", "10.53", "20.91"]),
        ("relative to the first", ["1.00", "1.10", "1.15"]),
        ("paid per useful GPU-h, USD", ["4.2968", "4.8090", "5.1640"]),
        ("paid over 36 months, USD", ["541,897,114", "578,174,393", "548,815,511"]),
        ("recovery mode", ["tolerant", "tolerant", "hot"]),
    ],
)
def test_the_tables_as_printed(label, cells):
    """The printed table holds the deck's figures side by side, in 80 columns."""
    text = estimate()
    assert max(map(len, text.splitlines())) <= 80
    (row,) = [line for line in text.splitlines() if line.startswith(label)]
    assert row.removeprefix(label).split() == cells


def test_the_totals_as_printed():
    """The three 36-month totals stand in one row: the deck's, the first to the dollar."""
    (row,) = [line for line in estimate().splitlines() if line.startswith("published method, with lost work, USD")]
    gold, hyperscaler, silver = (int(cell.replace(",", "")) for cell in row.split()[-3:])
    assert gold == 574_912_276
    assert abs(hyperscaler - 634_745_636) <= TERM
    assert abs(silver - 661_184_050) <= TERM
