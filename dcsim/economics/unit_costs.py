"""What one GPU-hour costs its owner and earns: the token-factory stack, row by row, and published prices beside it.

The rows are formulas over the totals of an owner's statement, in the language of its lines.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from math import floor
from pathlib import Path
from types import MappingProxyType

import numpy as np

from dcsim.economics.statement import Line, Statement
from dcsim.units import PER_GPU_HOUR, parse

_ROWS = (
    ("depreciation_hour", "depreciation", "USD/GPU-h", "depreciation / cluster_gpu_hours"),
    ("opex_hour", "operating costs", "USD/GPU-h", "opex / cluster_gpu_hours"),
    ("cost_hour", "cost of a GPU-hour", "USD/GPU-h", "depreciation_hour + opex_hour"),
    ("revenue_hour", "revenue of a GPU-hour", "USD/GPU-h", "(revenue - credits) / cluster_gpu_hours"),
    ("gross_margin", "gross margin", "1", "1 - cost_hour / revenue_hour"),
    ("cost_useful_hour", "cost of a useful GPU-hour", "USD/GPU-h", "(depreciation + opex) / useful_gpu_hours"),
    ("rented_share", "share of the GPU-hours that is invoiced", "1", "billed_gpu_hours / cluster_gpu_hours"),
    ("breakeven_share", "share invoiced at which the margin is 0", "1", "rented_share * cost_hour / revenue_hour"),
    ("breakeven_rent", "rent at which the margin is 0", "USD/GPU-h", "(depreciation + opex) / billed_gpu_hours"),
    ("electricity_share", "electricity, share of the cost", "1", "electricity / (depreciation + opex)"),
    (
        "power_share",
        "electricity and colocation, share of the cost",
        "1",
        "(electricity + colocation) / (depreciation + opex)",
    ),
    ("watt_year", "revenue per IT watt-year", "USD/W/y", "revenue / (it_kw * 1000) / (hours / year_hours)"),
)
_TOTALS = ("depreciation", "opex", "revenue", "credits", "billed_gpu_hours", "electricity", "colocation")
_SERIES = ("cluster_gpu_hours", "useful_gpu_hours", "hours")

UNIT_LINES: tuple[Line, ...] = tuple(
    Line(name, label, unit, formula, "owner", "last", "deck") for name, label, unit, formula in _ROWS
)
"""The rows of the stack, in their order. What a GPU-hour costs and earns is of all GPU-hours, rented or not."""


def unit_costs(statement: Statement, mean: bool = False) -> Statement:
    """Return ``UNIT_LINES`` of an owner's statement over its whole term: values float64 (n, 1) by name.

    ``mean``: of the means of all runs instead, float64 (1, 1): ratios of means.
    """
    totals = {name: statement.total(name)[:, None] for name in (*_TOTALS, *_SERIES)}
    inputs = [statement.inputs[name] for name in ("it_kw", "year_hours")]
    if mean:
        totals = {name: each.mean(axis=0, keepdims=True) for name, each in totals.items()}
        inputs = [replace(each, value=float(np.mean(each.value))) for each in inputs]
    return Statement.of(UNIT_LINES, inputs, totals)


@cache
def owner_prices() -> Mapping[str, float]:
    """Return the published cost of a GPU-hour [USD] to its owner, by the name of the GPU; source: deck."""
    text = (Path(__file__).parent / "owner_prices.toml").read_text(encoding="utf-8")
    return MappingProxyType({name: float(parse(price, PER_GPU_HOUR)) for name, price in tomllib.loads(text).items()})


def published_price(topology: str) -> tuple[str, float] | None:
    """Return the GPU of a topology, such as that of "hgx-h200", and its published price [USD]; None: there is none."""
    words = topology.upper().split("-")
    return next(((name, price) for name, price in owner_prices().items() if name in words), None)


def gpus_within(power_kw: float, kw_per_gpu: float, pue: float, per_unit: int) -> int:
    """Return the GPUs, in whole units, that a power at the site's meter [kW] feeds at full load.

    ``kw_per_gpu``: what a GPU draws with its share of everything else [kW]; ``per_unit``: GPUs of a server or rack.
    """
    return floor(power_kw / (kw_per_gpu * pue * per_unit) * (1 + 1e-12)) * per_unit
