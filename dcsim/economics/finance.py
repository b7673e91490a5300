"""What a lender is owed and what is left for equity: the [finance] table, its lines, and measures of a flow of cash.

A tranche's balance is carried from month to month; nothing else is remembered. Interest of a month is the balance at
its beginning times the rate a year times the month's share of 8,760 h. Tax is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from dcsim.economics.statement import Fold, Input, Line
from dcsim.units import HOURS_PER_YEAR, MS_PER_H, Duration, Fraction, Number, PositiveDuration, Share, Whole

Values = NDArray[np.float64]
DISCOUNT = 0.12
"""Rate a year at which cash before debt is discounted where nothing says another; source: assumed."""
RATE = 0.11
"""Interest a year where a tranche gives neither rate nor spread; source: primer (5.9 % to 18 %)."""


class Tranche(BaseModel):
    """One loan on the capital; the first one listed is served first."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field("debt", min_length=1, max_length=200, description="what it is called (default debt: assumed)")
    ltv: Share = Field(
        0.8, description="share of the capital that it pays for (default 80 %: assumed; filings 50 to 80 %)"
    )
    rate: Fraction | None = Field(
        None, description="interest a year; leave out: 11 % (primer), or the reference and a spread"
    )
    spread: Fraction | None = Field(
        None, description="instead of rate: what is paid on top of [finance] reference (filings: 2.25 to 13 %)"
    )
    tenor: PositiveDuration = Field(
        4 * HOURS_PER_YEAR * MS_PER_H,
        description="from closing until it is repaid, rounded up to months of the ledger (default 35040 h: assumed)",
    )
    interest_only: Duration = Field(0, description="from closing, time without repayment (default 0 s: assumed)")
    repayment: Literal["level", "sculpted"] = Field(
        "level",
        description="level: interest and repayment are the same every month; sculpted: together they are the mean cash "
        "of that month by its dscr (default level: assumed)",
    )
    dscr: Number | None = Field(
        None, gt=0, le=100, description="what sculpted repayment leaves: cash from operations by debt service"
    )
    balloon: Share = Field(
        0.0, description="share of the debt that is repaid at once at the end of its tenor (default 0 %: assumed)"
    )
    draw: Literal["closing", "energisation"] = Field(
        "closing",
        description="when the lender pays: with the capital, which is spent at closing or by phase ([owner] paid); or "
        "the share that has power as it gets it, equity until then (default closing: assumed)",
    )
    construction: Literal["paid", "capitalised"] = Field(
        "paid",
        description="what becomes of interest on capital that has no power yet: paid in cash, or added to the debt "
        "(default paid: assumed)",
    )
    fee: Fraction = Field(0.0, description="paid once on what is drawn (default 0 %: assumed)")
    commitment_fee: Fraction | None = Field(
        None, description="paid a year on what is granted and not yet drawn; leave out: nothing is"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.rate is not None and self.spread is not None:
            raise PydanticCustomError("quantity", "found both rate and spread; give one")
        if self.repayment == "sculpted" and self.dscr is None:
            raise PydanticCustomError("quantity", "found sculpted repayment without a dscr; give one")
        if self.repayment == "level" and self.dscr is not None:
            raise PydanticCustomError("quantity", "found a dscr; allowed only where repayment is sculpted")
        if self.construction == "capitalised" and self.draw == "energisation":
            why = 'found capitalised construction with draw = "energisation", which draws nothing before power'
            raise PydanticCustomError("quantity", "{why}", {"why": why})
        if self.interest_only >= self.tenor:
            raise PydanticCustomError("quantity", "found interest_only as long as the tenor; must be shorter")
        return self


class Finance(BaseModel):
    """The [finance] table: who pays for the capital of [owner], on which terms, and what equity asks for."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    tranches: tuple[Tranche, ...] = Field(
        (), max_length=20, description="a [[finance.tranches]] table for every loan; leave out: equity pays for all"
    )
    reference: Fraction | None = Field(
        None, description="rate a year that spreads are paid on top of, such as SOFR; required with a spread"
    )
    hurdle: Fraction = Field(0.2, description="return a year that equity asks for (default 20 %: primer)")
    discount: Fraction = Field(
        DISCOUNT, description="rate a year at which cash before debt is discounted (default 12 %: assumed)"
    )
    floor: Number = Field(
        1.2,
        ge=0,
        le=100,
        description="least DSCR that the lender allows (default 1.2: assumed; term sheets 1.20 to 1.25)",
    )
    trap: Number = Field(
        1.15,
        ge=0,
        le=100,
        description="DSCR below which equity gets no cash (default 1.15: assumed, from one term sheet); 0: never",
    )
    months: Whole = Field(
        1, ge=1, le=24, description="months of cash and debt service that a DSCR is about (default 1: assumed)"
    )
    grace: Duration = Field(0, description="from closing, time in which no DSCR is tested (default 0 s: assumed)")
    depreciation: Fraction = Field(
        0.2,
        description="what the collateral loses in value a year (default 20 %: assumed; token lenders 15 to 20 %)",
    )
    max_ltv: Number | None = Field(
        None, gt=0, le=10, description="most that is owed by value of the collateral (0.8 is 80 %); leave out: any"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        ltv = sum(each.ltv for each in self.tranches)
        if ltv > 1 + 1e-12:
            why = f"found tranches that pay for {100 * ltv:g} % of the capital; must be at most 100 % together"
            raise PydanticCustomError("quantity", "{why}", {"why": why})
        for each in self.tranches:
            if each.spread is not None and self.reference is None:
                why = f'found tranche "{each.name}" with a spread and no reference; give a reference'
                raise PydanticCustomError("quantity", "{why}", {"why": why})
        if len({each.name for each in self.tranches}) < len(self.tranches):
            raise PydanticCustomError("quantity", "found two tranches of one name; names must be unique")
        return self

    @property
    def sculpted(self) -> bool:
        """Whether some repayment follows the mean cash of all runs."""
        return any(each.repayment == "sculpted" for each in self.tranches)

    @property
    def capitalised(self) -> list[int]:
        """Numbers, from 1 on, of the tranches whose interest is added to the debt until there is power."""
        return [number for number, each in enumerate(self.tranches, 1) if each.construction == "capitalised"]

    def rate(self, tranche: Tranche) -> float:
        """Return the interest of a tranche, a year."""
        if tranche.spread is not None:
            assert self.reference is not None
            return self.reference + tranche.spread
        return RATE if tranche.rate is None else tranche.rate


IDLE = "idle_share"
"""Line: the share of the capital spent that had no power yet when the month began."""


def _tranche_rows(tranche: Tranche, number: int, whole: str) -> list[tuple[str, str, str, Fold]]:
    """Return name, label, formula and fold of one tranche's lines; its names begin with ``t1_``, ``t2_`` and so on.

    ``whole``: the line of all capital, spent or not."""
    t, name = f"t{number}_", tranche.name
    granted = f"{t}ltv * {whole} * energised" if tranche.draw == "energisation" else f"{t}ltv * capital"
    first = " + ".join(f"t{each}_interest + t{each}_principal" for each in range(1, number)) or "0"
    level = (
        f"(prev({t}balance) - {t}kept) * ({t}period / ((1 + {t}period) ** {t}left - 1) if {t}period > 0 "
        f"else 1 / {t}left)"
    )
    sculpted = f"max(0, min(prev({t}balance) - {t}kept, base_cash / {t}dscr - ({first}) - {t}interest))"
    repaid = level if tranche.repayment == "level" else sculpted
    ends = f"month == min({t}months, months)"
    charged = added = ""
    more: list[tuple[str, str, str, Fold]] = []
    if tranche.construction == "capitalised":
        added = f" + {t}added"
        more.append((f"{t}added", f"{name}: interest added to the debt", f"{t}interest * {IDLE}", "sum"))
    if tranche.commitment_fee is not None:
        charged = f" + {t}commitment_rate * prev({t}undrawn) * hours / year_hours"
        undrawn = f"max(0, {t}ltv * {whole} - {t}granted) if month < {t}months else 0"
        more.append((f"{t}undrawn", f"{name}: granted and not yet drawn", undrawn, "none"))
    return [
        (f"{t}period", f"{name}: interest rate of the month", f"{t}rate * hours / year_hours", "none"),
        (f"{t}left", f"{name}: months left with this one", f"max(0, {t}months - month + 1)", "none"),
        (f"{t}granted", f"{name}: paid out so far", granted, "last"),
        (f"{t}drawn", f"{name}: drawn", f"max(0, {t}granted - prev({t}granted)) if month < {t}months else 0", "sum"),
        (f"{t}kept", f"{name}: left to the balloon", f"{t}balloon_share * prev({t}granted)", "none"),
        (f"{t}interest", f"{name}: interest", f"prev({t}balance) * {t}period", "sum"),
        (
            f"{t}principal",
            f"{name}: repaid",
            f"{repaid} if month > {t}interest_only and month <= {t}months else 0",
            "sum",
        ),
        (
            f"{t}balloon",
            f"{name}: repaid at once at its end",
            f"prev({t}balance) + {t}drawn{added} - {t}principal if month > 0 and {ends} else 0",
            "sum",
        ),
        *more,
        (f"{t}fee", f"{name}: fees", f"{t}fee_share * {t}drawn{charged}", "sum"),
        (f"{t}balance", f"{name}: owed", f"prev({t}balance) + {t}drawn{added} - {t}principal - {t}balloon", "last"),
    ]


def finance_lines(finance: Finance, phased: bool = False) -> list[Line]:
    """Return the lines of lenders and of equity; they name lines of the owner and the inputs of ``finance_inputs``.

    ``phased``: whether the owner spends the capital by phase. Of a run they need the series ``energised`` (share of the
    capital that has power, never falling) where a tranche is drawn by it, ``base_cash`` (mean cash from operations)
    where one is sculpted, and ``live_share`` and ``paid_share`` (of the racks that have power, and are paid, at the end
    of each month) where interest is capitalised.
    """
    rows: list[tuple[str, str, str, Fold]] = []
    for number, tranche in enumerate(finance.tranches, start=1):
        rows += _tranche_rows(tranche, number, "whole_capital" if phased else "capital")
    adds = [f"t{number}_added" for number in finance.capitalised]
    cash = "interest - added" if adds else "interest"
    if adds:
        idle = "1 - prev(live_share) / max(prev(paid_share), 1e-9)"
        rows += [
            (IDLE, "share of the capital spent that has no power yet", idle, "none"),
            ("added", "interest added to the debt", " + ".join(adds), "sum"),
        ]

    def summed(name: str) -> str:
        return " + ".join(f"t{number}_{name}" for number in range(1, len(finance.tranches) + 1)) or "0"

    tested = "dscr_service > 0 and month > grace_months"
    breaks = "tested == 1 and dscr < dscr_floor"
    if finance.max_ltv is not None:
        breaks += " or balance > max_ltv * collateral"
    rows += [
        ("drawn", "debt drawn", summed("drawn"), "sum"),
        ("fees", "fees of debt", summed("fee"), "sum"),
        ("interest", "interest", summed("interest"), "sum"),
        ("principal", "debt repaid by schedule", summed("principal"), "sum"),
        ("balloon", "debt repaid at once at its end", summed("balloon"), "sum"),
        ("debt_service", "debt service", f"{cash} + principal + balloon", "sum"),
        ("balance", "debt owed", summed("balance"), "last"),
        ("collateral", "value of the collateral", AGED_BY_PHASE if phased else AGED, "none"),
        ("loan_to_value", "debt by value of the collateral", "balance / collateral if collateral > 0 else 0", "none"),
        ("scheduled", "interest and scheduled repayment", f"{cash} + principal", "sum"),
        *_rolling("dscr_cash", "cash that a DSCR is about", "operating_cash", finance.months),
        *_rolling("dscr_service", "debt service that a DSCR is about", "scheduled", finance.months),
        ("dscr", "DSCR", "dscr_cash / dscr_service if dscr_service > 0 else 0", "none"),
        ("tested", "months in which the DSCR is tested", f"1 if {tested} else 0", "sum"),
        ("broken", "months in which a covenant is broken", f"1 if {breaks} else 0", "sum"),
        ("trapping", "months in which equity gets no cash", "1 if tested == 1 and dscr < dscr_trap else 0", "sum"),
        (
            "trapped",
            "cash held back from equity",
            "max(0, prev(trapped) + operating_cash - debt_service - fees) if trapping == 1 and month < months else 0",
            "none",
        ),
        (
            "equity_cash",
            "cash of equity",
            "free_cash + drawn - fees - debt_service - (trapped - prev(trapped))",
            "sum",
        ),
        ("equity_so_far", "cash of equity so far", "prev(equity_so_far) + equity_cash", "last"),
    ]
    units = {"dscr", "loan_to_value", IDLE, *(name for name, *_ in rows if name.endswith("_period"))}
    months = {"tested", "broken", "trapping", *(name for name, *_ in rows if name.endswith("_left"))}
    return [
        Line(name, label, "1" if name in units else "months" if name in months else "USD", formula, "lender", fold)
        for name, label, formula, fold in rows
    ]


AGED = "capital * (1 - depreciation_rate) ** (month * month_hours / year_hours)"
AGED_BY_PHASE = "prev(collateral) * (1 - depreciation_rate) ** (hours / year_hours) + capex"
"""What capital is still worth: bought at the closing, or each phase when it is paid."""


def _rolling(name: str, label: str, of: str, months: int) -> list[tuple[str, str, str, Fold]]:
    """Return the line ``name``, the sum of ``of`` over this month and those before, and the lines that it needs."""
    if months == 1:
        return [(name, label, of, "none")]
    rows: list[tuple[str, str, str, Fold]] = []
    before = of
    for ago in range(1, months):
        rows.append((f"{name}_{ago}", f"{label}, {ago} months before", f"prev({before})", "none"))
        before = f"{name}_{ago}"
    parts = [of, *(f"{name}_{ago}" for ago in range(1, months))]
    return [*rows, (name, label, " + ".join(parts), "none")]


def finance_inputs(finance: Finance, month_h: float) -> list[Input]:
    """Return the inputs of the lines of ``finance_lines``, of one scenario with known prices; ``month_h`` [h]."""

    def months(duration: int) -> int:
        return ceil(duration / MS_PER_H / month_h - 1e-9)

    found: list[Input] = []
    for number, each in enumerate(finance.tranches, start=1):
        t, path = f"t{number}_", f"finance.tranches.{number - 1}."
        by = "finance.reference + " + path + "spread" if each.spread is not None else path + "rate"
        found += [
            Input(f"{t}ltv", each.ltv, "1", path + "ltv"),
            Input(f"{t}rate", finance.rate(each), "1/y", by),
            Input(f"{t}months", float(months(each.tenor)), "months", path + "tenor"),
            Input(f"{t}interest_only", float(months(each.interest_only)), "months", path + "interest_only"),
            Input(f"{t}balloon_share", each.balloon, "1", path + "balloon"),
            Input(f"{t}fee_share", each.fee, "1", path + "fee"),
        ]
        if each.dscr is not None:
            found.append(Input(f"{t}dscr", each.dscr, "1", path + "dscr"))
        if each.commitment_fee is not None:
            found.append(Input(f"{t}commitment_rate", each.commitment_fee, "1/y", path + "commitment_fee"))
    found += [
        Input("dscr_floor", finance.floor, "1", "finance.floor"),
        Input("dscr_trap", finance.trap, "1", "finance.trap"),
        Input("grace_months", float(months(finance.grace)), "months", "finance.grace"),
        Input("depreciation_rate", finance.depreciation, "1/y", "finance.depreciation"),
    ]
    if finance.max_ltv is not None:
        found.append(Input("max_ltv", finance.max_ltv, "1", "finance.max_ltv"))
    return found


# --- measures of a flow -----------------------------------------------------------------------------------------------

Convention = Literal["monthly", "yearly"]
"""Whether cash comes at the end of each month, or that of a year of 8,760 h at its end."""


@dataclass(frozen=True, eq=False)
class Flow:
    """Cash at the closing and at the end of each month, run by run: ``usd`` float64 (n, m + 1)."""

    usd: Values
    month_h: float

    def by(self, convention: Convention) -> tuple[Values, float]:
        """Return the flow by its periods, float64 (n, p + 1), and the periods of a year."""
        if convention == "monthly":
            return self.usd, HOURS_PER_YEAR / self.month_h
        ends = np.arange(self.usd.shape[1]) * self.month_h / HOURS_PER_YEAR
        year = np.ceil(ends - 1e-9).astype(np.int64)
        starts = np.flatnonzero(np.diff(year, prepend=-1))
        return np.add.reduceat(self.usd, starts, axis=1), 1.0

    def npv(self, rate: float, convention: Convention) -> Values:
        """Return the value at closing, by run, float64 (n,) [USD]; ``rate`` a year."""
        usd, periods = self.by(convention)
        return np.asarray(usd @ (1 + rate) ** (-np.arange(usd.shape[1]) / periods))

    def irr(self, convention: Convention) -> Values:
        """Return the rate a year at which the value is zero, by run, float64 (n,); nan where there is none."""
        from pyxirr import irr

        usd, periods = self.by(convention)
        found = (irr(row, silent=True) for row in usd)
        return np.array([np.nan if each is None else (1 + each) ** periods - 1 for each in found])

    def payback_months(self) -> Values:
        """Return after how many months all that was paid is back for good, float64 (n,); inf where it is not."""
        return payback(np.cumsum(self.usd, axis=1))


def payback(so_far: Values) -> Values:
    """Return the months until cash so far, float64 (n, m + 1), is no longer below zero for good, float64 (n,).

    Infinite where it is below zero at the end. Within a month it is taken to flow evenly.
    """
    months = so_far.shape[1] - 1
    short = so_far < 0
    last = np.where(short.any(axis=1), months - np.argmax(short[:, ::-1], axis=1), -1)
    found = np.full(len(so_far), np.inf)
    for run, month in enumerate(last.tolist()):
        if month < 0:
            found[run] = 0.0
        elif month < months:
            before, after = so_far[run, month], so_far[run, month + 1]
            found[run] = month + before / (before - after)
    return found


def expected_shortfall(
    values: Sequence[float] | Values, share: float = 0.05, worst: Literal["low", "high"] = "low"
) -> float:
    """Return the mean of the worst share of values; the last one counts in part where the share is no whole number."""
    ordered = np.sort(np.asarray(values, dtype=np.float64))[:: -1 if worst == "high" else 1]
    count = share * len(ordered)
    weights = np.clip(count - np.arange(len(ordered)), 0, 1)
    return float(ordered[weights > 0] @ weights[weights > 0] / count)
