"""The renter's bill: every cost line, once, as a formula, and what is paid, lost and useful.

Source of the lines: deck (SemiAnalysis, "From Fab to Token", April 2026). Money in USD, a month is 720 h.
Amounts are floats, or float64 arrays with one value per run; every result then has that shape.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Generic, TypeVar

from dcsim.economics.renter import Onboarding, Tco
from dcsim.economics.statement import Input, Line, Statement
from dcsim.units import HOURS_PER_MONTH, MS_PER_MONTH

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Amount = TypeVar("Amount", float, "NDArray[np.float64]")


@dataclass(frozen=True)
class Use(Generic[Amount]):
    """What a cluster is paid for and does: ``months`` of rent, and the useful and the lost GPU-hours in them.

    Hours that are neither, after the last job is done, are paid while the contract runs on, but not lost.
    ``burn_in_gpu_hours`` are paid before the months begin.
    """

    months: Amount
    useful_gpu_hours: Amount
    lost_gpu_hours: Amount
    burn_in_gpu_hours: float = 0.0

    @classmethod
    def at(cls, gpus: int, months: Amount, loss: Amount, burn_in_gpu_hours: float = 0.0) -> "Use[Amount]":
        """Return the use of so many GPUs that lose this fraction of all GPU-hours."""
        hours = gpus * HOURS_PER_MONTH * months
        return cls(months + 0.0 * loss, hours * (1 - loss), hours * loss, burn_in_gpu_hours)


@dataclass(frozen=True)
class CostLine:
    """One line of the bill. ``formula``: its amount over the whole use [USD], as ``statement.Line`` has it.

    It reads the inputs of ``bill_inputs``, the series of ``USED`` and other lines. ``name`` is its key in JSON,
    ``label`` what people read, ``group`` its part of a gap between two offers. ``paid``: whether it is invoiced.
    """

    name: str
    label: str
    group: str
    formula: str
    paid: bool = True


_RENT = "gpus * gpu_hour * hours_per_month"
_SETUP = f"(setup_amount + setup_idle_months * {_RENT} + engineer_months * engineer_month) if month == 1 else 0"
LINES = (
    CostLine("gpu", "GPU rent", "gpu", f"{_RENT} * rented_months"),
    CostLine("hot_storage", "hot storage", "storage", "hot_size * hot_price * rented_months"),
    CostLine("cold_storage", "cold storage", "storage", "cold_size * cold_price * rented_months"),
    CostLine("network", "network", "network_cpu", "network_price * rented_months"),
    CostLine("cpu", "CPU nodes", "network_cpu", "cpu_price * rented_months"),
    CostLine("support", "support", "support", "support_rate * (gpu + hot_storage + cold_storage + network + cpu)"),
    CostLine("goodput", "lost work", "goodput", "gpu_hour * lost_gpu_hours", paid=False),
    CostLine("setup", "set-up", "setup", _SETUP),
    CostLine("debugging", "debugging", "debugging", "debugging_price * rented_months"),
    CostLine("licence", "licence", "licence", "gpus * licence_price * hours_per_month * rented_months"),
    CostLine("burn_in", "burn-in", "burn_in", "gpu_hour * burn_in_gpu_hours"),
)
"""Every line of the table, in the deck's order, then what the deck does not have; nothing else."""
USED = ("rented_months", "useful_gpu_hours", "lost_gpu_hours", "burn_in_gpu_hours")
"""Series of a bill: what a cluster is paid for and does (``Use``)."""
GROUPS: Mapping[str, str] = {
    "gpu": "GPU rent",
    "storage": "storage",
    "network_cpu": "network and CPU nodes",
    "support": "support",
    "goodput": "lost work",
    "setup": "set-up",
    "debugging": "debugging",
    "licence": "licence",
    "burn_in": "burn-in",
}
"""The parts of a gap between two offers: keys in JSON, and what people read. Every line is in exactly one."""


@dataclass(frozen=True)
class Bill:
    """What a use costs: ``lines`` by name [USD over all ``months``], of so many GPU-hours rented and useful.

    ``paid_usd`` is what is invoiced. ``with_lost_work_usd`` is the published method, which adds lost hours at the rent:
    no invoice says it. ``loss``: the lost share of the hours that are useful or lost.
    """

    months: float
    loss: float
    lines: Mapping[str, float]
    rented_gpu_hours: float
    useful_gpu_hours: float

    @property
    def paid_usd(self) -> float:
        """The sum of all lines that are invoiced."""
        return reduce(add, (self.lines[line.name] for line in LINES if line.paid))

    @property
    def with_lost_work_usd(self) -> float:
        """The sum of all lines: what is paid, and goodput loss * rent."""
        return self.paid_usd + reduce(add, (self.lines[line.name] for line in LINES if not line.paid))

    @property
    def monthly(self) -> dict[str, float]:
        """Every line by the month [USD/month]; what is paid once is spread over the months."""
        return {name: usd / self.months for name, usd in self.lines.items()}

    @property
    def usd_per_useful_gpu_hour(self) -> dict[str, float | None]:
        """Three prices of a useful GPU-hour [USD], p the rent and g the loss; None where nothing is useful.

        ``deck`` = p(1 + g), the published convention; ``physical`` = p/(1 - g), rent / useful hours; ``all_in`` = paid
        / useful hours. Lost work is no part of that: the division has charged every lost hour already.
        """
        rent, useful = self.lines["gpu"], self.useful_gpu_hours
        return {
            "deck": (rent + self.lines["goodput"]) / self.rented_gpu_hours,
            "physical": rent / useful if useful > 0 else None,
            "all_in": self.paid_usd / useful if useful > 0 else None,
        }


def bill_inputs(tco: Tco, gpus: int) -> list[Input]:
    """Return what the formulas of the bill read of a contract for so many GPUs."""
    setup = tco.setup if isinstance(tco.setup, Onboarding) else Onboarding()
    amount = 0.0 if isinstance(tco.setup, Onboarding) else tco.setup
    rows = [
        ("gpus", gpus, "GPUs", "cluster.gpus"),
        ("hours_per_month", HOURS_PER_MONTH, "h", "720 h (deck)"),
        ("gpu_hour", tco.gpu_hour, "USD/GPU-h", "tco.gpu_hour"),
        ("hot_size", tco.hot_storage.size, "GiB", "tco.hot_storage.size"),
        ("hot_price", tco.hot_storage.price, "USD/GiB/month", "tco.hot_storage.price"),
        ("cold_size", tco.cold_storage.size, "GiB", "tco.cold_storage.size"),
        ("cold_price", tco.cold_storage.price, "USD/GiB/month", "tco.cold_storage.price"),
        ("network_price", tco.network, "USD/month", "tco.network"),
        ("cpu_price", tco.cpu, "USD/month", "tco.cpu"),
        ("support_rate", tco.support, "1", "tco.support"),
        ("setup_amount", amount, "USD", "tco.setup"),
        ("setup_idle_months", setup.idle / MS_PER_MONTH, "months", "tco.setup.idle"),
        ("engineer_months", setup.engineer_months, "1", "tco.setup.engineer_months"),
        ("engineer_month", setup.engineer_month, "USD", "tco.setup.engineer_month"),
        ("debugging_price", tco.debugging, "USD/month", "tco.debugging"),
        ("licence_price", tco.licence, "USD/GPU-h", "tco.licence"),
    ]
    return [Input(name, float(value), unit, path) for name, value, unit, path in rows]


def bill_statement(inputs: Sequence[Input], use: "Use[NDArray[np.float64]]") -> Statement:
    """Return the bills of n runs as a statement whose month 1 is the whole use: every line, and both sums.

    ``inputs``: as ``bill_inputs`` gives them, of which some may differ by run.
    """
    import numpy as np

    lines = [Line(line.name, line.label, "USD", line.formula, "renter") for line in LINES]
    invoiced = " + ".join(line.name for line in LINES if line.paid)
    others = " + ".join(line.name for line in LINES if not line.paid)
    lines += [
        Line("paid", "paid", "USD", invoiced, "renter"),
        Line("with_lost_work", "published method, with lost work", "USD", f"paid + {others}", "renter"),
    ]
    months = np.asarray(use.months, dtype=np.float64)
    burnt_in = np.full_like(months, use.burn_in_gpu_hours)
    columns = (months, use.useful_gpu_hours, use.lost_gpu_hours, burnt_in)
    series = {name: np.stack([0 * months, each], axis=1) for name, each in zip(USED, columns, strict=True)}
    return Statement.of(lines, inputs, series)


def _of_one(tco: Tco, gpus: int, use: Use[float]) -> Statement:
    import numpy as np

    months, useful, lost = (np.array([each]) for each in (use.months, use.useful_gpu_hours, use.lost_gpu_hours))
    return bill_statement(bill_inputs(tco, gpus), Use(months, useful, lost, use.burn_in_gpu_hours))


def monthly_bill(tco: Tco, gpus: int, burn_in_gpu_hours: float = 0.0) -> float:
    """Return what is invoiced for a month of 720 h [USD]; what is paid once is spread over the term."""
    whole = _of_one(tco, gpus, Use(tco.months, 0.0, 0.0, burn_in_gpu_hours))
    return float(whole.total("paid")[0]) / tco.months


def bill(tco: Tco, gpus: int, use: Use[float]) -> Bill:
    """Return the bill of a use."""
    asked = use.useful_gpu_hours + use.lost_gpu_hours
    loss = use.lost_gpu_hours / asked if asked else 0.0
    found = _of_one(tco, gpus, use)
    lines = {line.name: float(found.total(line.name)[0]) for line in LINES}
    return Bill(use.months, loss, lines, gpus * HOURS_PER_MONTH * use.months, use.useful_gpu_hours)


def attribution(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, float]:
    """Split the gap between two bills' ``lines``, b minus a [USD], by ``GROUPS``; the parts sum to the gap.

    Without ``goodput`` they sum to the gap between what is paid.
    """
    return {key: reduce(add, (b[line.name] - a[line.name] for line in LINES if line.group == key)) for key in GROUPS}


def equal_payment(paid: float, useful: float, other_paid: float, other_useful: float) -> float:
    """Return what may be paid more for an offer until its useful GPU-hour costs what the other's does [USD].

    x with (paid + x) / useful = other_paid / other_useful; below zero where it is dearer already. ``paid`` in USD,
    ``useful`` in GPU-hours, above zero.
    """
    return other_paid * useful / other_useful - paid
