"""The renter's bill: every cost line, once, and what is paid, lost and useful.

Source of the lines: deck (SemiAnalysis, "From Fab to Token", April 2026). Money in USD, a month is 720 h.
Amounts are floats, or float64 arrays with one value per run; every result then has that shape.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Generic, TypeVar

from dcsim.economics.renter import Onboarding, Tco, gpu_monthly, licence_monthly, setup_usd
from dcsim.economics.statement import Line
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


def _nothing(tco: Tco, gpus: int) -> float:
    return 0.0


@dataclass(frozen=True)
class CostLine:
    """One line of the bill: ``monthly`` [USD/month] and ``once`` [USD] of a contract for so many GPUs.

    ``name`` is its key in JSON, ``label`` what people read, ``group`` its part of a gap between two offers.
    ``per_lost_hour`` [USD]: what a lost GPU-hour is charged; such a line is on nobody's invoice. ``formula``: the same
    in words of ``statement``, over the names of ``PRICES`` and the series of ``USED``, for a reader and a spreadsheet.
    ``per_burn_in_hour`` [USD]: what a GPU-hour of burn-in at delivery costs.
    """

    name: str
    label: str
    group: str
    formula: str
    monthly: Callable[[Tco, int], float] = _nothing
    once: Callable[[Tco, int], float] = _nothing
    per_lost_hour: Callable[[Tco], float] | None = None
    per_burn_in_hour: Callable[[Tco], float] | None = None

    @property
    def paid(self) -> bool:
        """Whether somebody sends an invoice for it."""
        return self.per_lost_hour is None

    def usd(self, tco: Tco, gpus: int, use: Use[Amount]) -> Amount:
        """Return its amount [USD] = monthly * months + once + price of an hour * hours lost, or of burn-in."""
        lost = 0.0 if self.per_lost_hour is None else self.per_lost_hour(tco)
        once = self.once(tco, gpus)
        if self.per_burn_in_hour is not None:
            once += self.per_burn_in_hour(tco) * use.burn_in_gpu_hours
        return self.monthly(tco, gpus) * use.months + once + lost * use.lost_gpu_hours


def _support(tco: Tco, gpus: int) -> float:
    """Support [USD/month] = rate * (GPU + storage + network + CPU)."""
    storage = tco.hot_storage.monthly_usd + tco.cold_storage.monthly_usd
    return tco.support * (gpu_monthly(tco, gpus) + storage + tco.network + tco.cpu)


_RENT = "gpus * gpu_hour * hours_per_month"
_SETUP = f"(setup_amount + setup_idle_months * {_RENT} + engineer_months * engineer_month) if month == 1 else 0"

LINES = (
    CostLine("gpu", "GPU rent", "gpu", f"{_RENT} * rented_months", gpu_monthly),
    CostLine(
        *("hot_storage", "hot storage", "storage", "hot_size * hot_price * rented_months"),
        lambda tco, _: tco.hot_storage.monthly_usd,
    ),
    CostLine(
        *("cold_storage", "cold storage", "storage", "cold_size * cold_price * rented_months"),
        lambda tco, _: tco.cold_storage.monthly_usd,
    ),
    CostLine("network", "network", "network_cpu", "network_price * rented_months", lambda tco, _: tco.network),
    CostLine("cpu", "CPU nodes", "network_cpu", "cpu_price * rented_months", lambda tco, _: tco.cpu),
    CostLine(
        *("support", "support", "support", "support_rate * (gpu + hot_storage + cold_storage + network + cpu)"),
        _support,
    ),
    CostLine(*("goodput", "lost work", "goodput", "gpu_hour * lost_gpu_hours"), per_lost_hour=lambda tco: tco.gpu_hour),
    CostLine("setup", "set-up", "setup", _SETUP, once=setup_usd),
    CostLine("debugging", "debugging", "debugging", "debugging_price * rented_months", lambda tco, _: tco.debugging),
    CostLine(
        *("licence", "licence", "licence", "gpus * licence_price * hours_per_month * rented_months"), licence_monthly
    ),
    CostLine(
        *("burn_in", "burn-in", "burn_in", "gpu_hour * burn_in_gpu_hours"), per_burn_in_hour=lambda tco: tco.gpu_hour
    ),
)
"""Every line of the table, in the deck's order, then what the deck does not have; nothing else."""
USED = ("rented_months", "useful_gpu_hours", "lost_gpu_hours", "burn_in_gpu_hours")
"""Series of a bill: what a cluster is paid for and does (``Use``)."""


def _setup(tco: Tco) -> Onboarding:
    return tco.setup if isinstance(tco.setup, Onboarding) else Onboarding()


PRICES: Mapping[str, tuple[str, str, Callable[[Tco], float]]] = {
    "gpu_hour": ("USD/GPU-h", "tco.gpu_hour", lambda tco: tco.gpu_hour),
    "hot_size": ("GiB", "tco.hot_storage.size", lambda tco: tco.hot_storage.size),
    "hot_price": ("USD/GiB/month", "tco.hot_storage.price", lambda tco: tco.hot_storage.price),
    "cold_size": ("GiB", "tco.cold_storage.size", lambda tco: tco.cold_storage.size),
    "cold_price": ("USD/GiB/month", "tco.cold_storage.price", lambda tco: tco.cold_storage.price),
    "network_price": ("USD/month", "tco.network", lambda tco: tco.network),
    "cpu_price": ("USD/month", "tco.cpu", lambda tco: tco.cpu),
    "support_rate": ("1", "tco.support", lambda tco: tco.support),
    "setup_amount": ("USD", "tco.setup", lambda tco: 0.0 if isinstance(tco.setup, Onboarding) else tco.setup),
    "setup_idle_months": ("months", "tco.setup.idle", lambda tco: _setup(tco).idle / MS_PER_MONTH),
    "engineer_months": ("1", "tco.setup.engineer_months", lambda tco: _setup(tco).engineer_months),
    "engineer_month": ("USD", "tco.setup.engineer_month", lambda tco: _setup(tco).engineer_month),
    "debugging_price": ("USD/month", "tco.debugging", lambda tco: tco.debugging),
    "licence_price": ("USD/GPU-h", "tco.licence", lambda tco: tco.licence),
}
"""What formulas of the bill call the renter's prices: unit, key, and the value."""
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


def amounts(tco: Tco, gpus: int, use: Use[Amount]) -> dict[str, Amount]:
    """Return every line over the whole use [USD], by name."""
    return {line.name: line.usd(tco, gpus, use) for line in LINES}


def paid(tco: Tco, gpus: int, use: Use[Amount]) -> Amount:
    """Return what is invoiced [USD].

    Added one by one: from Python 3.12 on the built-in sum rounds floats otherwise than arrays.
    """
    return reduce(add, (line.usd(tco, gpus, use) for line in LINES if line.paid))


def with_lost_work(tco: Tco, gpus: int, use: Use[Amount]) -> Amount:
    """Return the published method's cost [USD]: what is paid, and goodput loss * rent."""
    return paid(tco, gpus, use) + reduce(add, (line.usd(tco, gpus, use) for line in LINES if not line.paid))


def monthly_bill(tco: Tco, gpus: int, burn_in_gpu_hours: float = 0.0) -> float:
    """Return what is invoiced for a month of 720 h [USD]; what is paid once is spread over the term."""
    return paid(tco, gpus, Use(tco.months, 0.0, 0.0, burn_in_gpu_hours)) / tco.months


def bill(tco: Tco, gpus: int, use: Use[float]) -> Bill:
    """Return the bill of a use."""
    asked = use.useful_gpu_hours + use.lost_gpu_hours
    loss = use.lost_gpu_hours / asked if asked else 0.0
    rented = gpus * HOURS_PER_MONTH * use.months
    return Bill(use.months, loss, amounts(tco, gpus, use), rented, use.useful_gpu_hours)


def bill_lines() -> list[Line]:
    """Return the bill as lines of a statement whose month 1 is the whole term: those of ``LINES``, and both sums.

    They read the series of ``USED``, the inputs of ``PRICES``, ``gpus`` and ``hours_per_month``.
    """
    found = [Line(line.name, line.label, "USD", line.formula, "renter") for line in LINES]
    paid_for = " + ".join(line.name for line in LINES if line.paid)
    lost = " + ".join(line.name for line in LINES if not line.paid)
    return [
        *found,
        Line("paid", "paid", "USD", paid_for, "renter"),
        Line("with_lost_work", "published method, with lost work", "USD", f"paid + {lost}", "renter"),
    ]


def attribution(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, float]:
    """Split the gap between two bills' ``lines``, b minus a [USD], by ``GROUPS``; the parts sum to the gap.

    Without ``goodput`` they sum to the gap between what is paid.
    """
    return {key: reduce(add, (b[line.name] - a[line.name] for line in LINES if line.group == key)) for key in GROUPS}
