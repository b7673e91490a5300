"""What an owner pays and earns: the [owner] table, and the lines of the statement that follow from it.

Source of the stack: deck (SemiAnalysis, "From Fab to Token", April 2026), H200 token factory. Money in USD; a month is
the scenario's (730 h in the stack), a year 8,760 h.
"""

from dataclasses import dataclass
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from dcsim.economics.statement import Input, Line
from dcsim.units import (
    HOURS_PER_YEAR,
    MS_PER_H,
    Duration,
    Fraction,
    Money,
    MoneyPerMonth,
    Number,
    PositiveDuration,
    Power,
    PricePerGpuHour,
    PricePerKwh,
    PricePerKwMonth,
    PricePerWatt,
    Share,
)

PUE = 1.25
"""Where neither [owner] nor the topology gives one; source: assumed, 1.1 to 1.4 in the field."""


class Owner(BaseModel):
    """The [owner] table: what the cluster costs whoever owns it, and what it is rented out for, over the horizon."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"server": "246391 USD", "colocation": "110 USD/kW/mo", "rent": "1.90 USD", "occupancy": "65 %"}
            ]
        },
    )
    server: Money | None = Field(
        None, description="price of one node of the topology (H200 with 8 GPUs: 246,391, deck)"
    )
    rack: Money | None = Field(
        None,
        description="instead of server: price of one rack (GB200 NVL72 3.0-3.1 million: primer; GB300 3.5: public)",
    )
    network: Fraction = Field(0.1, description="share of the cluster's capital that is network (default 10 %: assumed)")
    storage: Fraction = Field(0.05, description="share of the cluster's capital that is storage (default 5 %: assumed)")
    facility: PricePerWatt = Field(
        0.0,
        description="capital for the building and its power [USD per W of IT] (default 0 USD/W: assumed, colocated)",
    )
    spares_stock: Share = Field(
        0.0, description="parts in stock, as a share of the price of all servers (default 0 %: assumed)"
    )
    paid: Literal["closing", "energisation"] = Field(
        "closing",
        description="when the capital is spent: all at the closing, or the share of each phase of [[energisation]] "
        "when that gets its power (default closing: assumed)",
    )
    lead: Duration = Field(
        0, description='with paid = "energisation": how long before its power a phase is paid (default 0 s: assumed)'
    )
    life: PositiveDuration = Field(
        4 * HOURS_PER_YEAR * MS_PER_H,
        description="over which the capital is written off, evenly (default 35040 h: deck; other owners up to 6 y)",
    )
    residual: Share = Field(
        0.0, description="share of the servers' price that they are sold for at the end (default 0 %: assumed)"
    )
    power: Power | None = Field(
        None,
        gt=0,
        description="what one node draws at full load, its share of switches included; leave out: as the topology says",
    )
    pue: Number | None = Field(None, ge=1, le=5, description="power usage effectiveness; leave out: the topology's")
    colocation: PricePerKwMonth = Field(
        0.0,
        description="rent of space for each kW of IT that has power (default 0 USD/kW/mo: assumed)",
    )
    electricity: PricePerKwh = Field(0.087, description="price of energy at the meter (default 0.087 USD/kWh: deck)")
    staff: MoneyPerMonth = Field(0.0, description="people who run the site (default 0 USD/mo: assumed)")
    maintenance: Share = Field(
        0.0, description="contracts for maintenance, a year, as a share of the capital (default 0 %: assumed)"
    )
    insurance: Share = Field(0.0, description="insurance, a year, as a share of the capital (default 0 %: assumed)")
    repair: Money = Field(0.0, description="parts and labour of one failure (default 0 USD: assumed)")
    rent: PricePerGpuHour | None = Field(
        None, description="what a GPU-hour is rented out for; leave out: [tco] gpu_hour, which is then required"
    )
    occupancy: Share = Field(
        0.65, description="share of the GPU-hours on sale that is rented (default 65 %: primer, 60 to 70 %)"
    )
    ramp: Duration = Field(0, description="time in which the occupancy grows to that, evenly (default 0 s: assumed)")
    billed: Literal["powered", "in-service"] = Field(
        "powered",
        description="which rented GPU-hours are invoiced: all that have power, so that downtime is a matter of "
        "credits; or only those in service (default powered: assumed)",
    )
    contract: PositiveDuration | None = Field(
        None, description="after which a rent is agreed anew; leave out: it holds over the whole horizon"
    )
    price_decay: Fraction = Field(
        0.25, description="what the market's rent falls by in a year, charged at each renewal (default 25 %: assumed)"
    )
    renewal_cut: Fraction | None = Field(
        None, description="instead of price_decay: what the rent falls by at each renewal"
    )

    @model_validator(mode="after")
    def _one_price(self) -> Self:
        if (self.server is None) == (self.rack is None):
            found = "neither" if self.server is None else "both"
            raise PydanticCustomError("quantity", "{why}", {"why": f"found {found} of server and rack; give one"})
        if self.lead and self.paid == "closing":
            raise PydanticCustomError("quantity", 'found lead; allowed only where paid = "energisation"')
        if self.network + self.storage >= 1:
            why = "found shares of network and storage that leave nothing for servers; must be below 100 % together"
            raise PydanticCustomError("quantity", "{why}", {"why": why})
        return self


@dataclass(frozen=True)
class Site:
    """What the statement needs to know of a cluster: ``units`` servers or racks bought; ``nodes`` of the topology.

    ``sold_gpus``: GPUs on sale. ``it_kw``: what the whole cluster draws at full load [kW], ``topology_kw`` what the
    topology says of it, None if it says nothing. ``month_h``: hours of a month. ``horizon_months``: of the scenario.
    """

    gpus: int
    sold_gpus: int
    units: float
    nodes: float
    it_kw: float
    topology_kw: float | None
    pue: float
    topology_pue: float
    month_h: float
    horizon_months: float


def energy_formula(site: Site) -> str:
    """Return the formula of a month's energy at the meter [kWh]: what was simulated, or full load while powered."""
    simulated = site.topology_kw is not None
    return "energy_kwh * power_scale" if simulated else "it_kw * pue * powered_gpu_hours / gpus"


def owner_lines(owner: Owner, site: Site, bridged: bool = False) -> list[Line]:
    """Return the lines of an owner's statement; they name the inputs of ``owner_inputs`` and the series of a run.

    ``bridged``: whether ``grid.grid_lines`` bring what power behind the meter costs.

    Where the capital is spent by phase they need the series ``paid_share`` of a run, the share of the racks that is
    paid at the end of each month.
    Source of the stack: deck. Straight-line depreciation is no cash: it is beside the flows, in ``accounting_profit``.
    """
    phased = owner.paid == "energisation"
    bought = "residual_share * units * unit_price" + (" * paid_share" if phased else "")

    def spent(amount: str) -> str:
        return f"{amount} * (paid_share - prev(paid_share))" if phased else f"{amount} if month == 0 else 0"

    signed = "floor(max(month - 1, 0) / contract_months)"
    fallen = f"(1 - renewal_cut) ** {signed}"
    if owner.renewal_cut is None:
        fallen = f"(1 - price_decay) ** ({signed} * contract_months * month_hours / year_hours)"
    powered, served = (f"min({each}, sold_gpus * hours)" for each in ("powered_gpu_hours", "in_service_gpu_hours"))
    whole = f"{owner.billed.replace('-', '_')}_gpu_hours"
    billable = powered if owner.billed == "powered" else served
    costs = "colocation + electricity + staff + maintenance + insurance + repairs"
    rows = [
        ("servers", "servers", spent("units * unit_price")),
        ("network_capex", "network", "servers * network_share / (1 - network_share - storage_share)"),
        ("storage_capex", "storage", "servers * storage_share / (1 - network_share - storage_share)"),
        ("facility_capex", "building and power", spent("facility_price * it_kw * 1000")),
        ("stock_capex", "parts in stock", "servers * stock_share"),
        ("capex", "capital spent", "servers + network_capex + storage_capex + facility_capex + stock_capex"),
        ("capital", "capital spent so far", "prev(capital) + capex"),
        ("rent_now", "rent of a GPU-hour", f"rent * {fallen}"),
        ("occupancy_now", "share rented", "occupancy * min(1, max(month - 0.5, 0) / ramp_months)"),
        ("on_sale_gpu_hours", "GPU-hours on sale that have power", powered),
        ("billed_gpu_hours", "GPU-hours invoiced", f"occupancy_now * {billable}"),
        ("revenue", "rent invoiced", "rent_now * billed_gpu_hours"),
        ("rent_lost", "rent not invoiced for what failed", f"rent_now * occupancy_now * ({powered} - {billable})"),
        ("colocation", "colocation", "colocation_price * it_kw * powered_gpu_hours / gpus / month_hours"),
        ("electricity", "electricity", f"electricity_price * {energy_formula(site)}"),
        ("staff", "staff", "staff_monthly * hours / month_hours"),
        ("maintenance", "maintenance", "maintenance_share * capital * hours / year_hours"),
        ("insurance", "insurance", "insurance_share * capital * hours / year_hours"),
        ("repairs", "repairs", "repair_price * failures"),
        ("failures_cost", "what failures cost", "rent_lost + credits + repairs"),
        (
            "spares_rent",
            "rent of the spares, were they on sale",
            f"rent_now * occupancy_now * (powered_gpu_hours - {powered})",
        ),
        ("all_on_sale", "rent invoiced, were the spares on sale", f"rent_now * occupancy_now * {whole}"),
        ("opex", "operating costs", f"{costs} + bridge" if bridged else costs),
        ("operating_cash", "cash from operations", "revenue - credits - opex"),
        ("residual", "sale of what is left", f"{bought} if month == months else 0"),
        ("free_cash", "cash before debt and tax", "operating_cash - capex + residual"),
        ("cash_so_far", "cash so far", "prev(cash_so_far) + free_cash"),
        *(_written_off_by_phase() if phased else [_WRITTEN_OFF]),
        ("accounting_profit", "profit before interest and tax", "operating_cash - depreciation"),
    ]
    last = {"capital", "cash_so_far", "written_off"}
    none = {"rent_now", "occupancy_now", "whole_capital", "to_write_off"}
    units = {"billed_gpu_hours": "GPU-h", "on_sale_gpu_hours": "GPU-h", "rent_now": "USD/GPU-h", "occupancy_now": "1"}
    return [
        Line(
            name,
            label,
            units.get(name, "USD"),
            formula,
            "owner",
            "last" if name in last else "none" if name in none else "sum",
            "deck" if name in ("colocation", "electricity", "depreciation") else "",
        )
        for name, label, formula in rows
    ]


_WRITTEN_OFF = (
    "depreciation",
    "depreciation (no cash)",
    "(capital - residual_share * units * unit_price) * hours / month_hours / life_months "
    "* max(0, min(1, life_months - month + 1))",
)


def _written_off_by_phase() -> list[tuple[str, str, str]]:
    """Return the lines of capital that is bought phase by phase; each is written off from the month after on.

    What is bought goes by the life evenly until nothing is left: each phase over its own life, unless the life of the
    first one ends within the horizon; then the others go faster from there on.
    """
    left = "prev(capital) - residual_share * units * unit_price * prev(paid_share)"
    whole = "units * unit_price * (1 / (1 - network_share - storage_share) + stock_share)"
    return [
        ("whole_capital", "capital of all phases", f"{whole} + facility_price * it_kw * 1000"),
        ("to_write_off", "capital bought, less what its servers are sold for", left),
        (
            "depreciation",
            "depreciation (no cash)",
            "min(to_write_off * hours / month_hours / life_months, to_write_off - prev(written_off))",
        ),
        ("written_off", "written off so far (no cash)", "prev(written_off) + depreciation"),
    ]


def owner_inputs(owner: Owner, site: Site, rent: float) -> list[Input]:
    """Return the inputs of an owner's lines, of one scenario with known prices; ``rent`` [USD per GPU-hour]."""
    price = owner.server if owner.server is not None else owner.rack
    assert price is not None  # the table says one of them
    path = "owner.server" if owner.server is not None else "owner.rack"
    ramp = owner.ramp / MS_PER_H / site.month_h
    contract = site.horizon_months + 1 if owner.contract is None else owner.contract / MS_PER_H / site.month_h
    scale = 1.0
    if site.topology_kw:
        scale = site.it_kw / site.topology_kw * site.pue / site.topology_pue
    rows: list[tuple[str, float, str, str]] = [
        ("gpus", site.gpus, "GPUs", "cluster.gpus"),
        ("sold_gpus", site.sold_gpus, "GPUs", "cluster.gpus less cluster.spares"),
        ("units", site.units, "1", "cluster.gpus by the topology"),
        ("unit_price", price, "USD", path),
        ("network_share", owner.network, "1", "owner.network"),
        ("storage_share", owner.storage, "1", "owner.storage"),
        ("facility_price", owner.facility, "USD/W", "owner.facility"),
        ("stock_share", owner.spares_stock, "1", "owner.spares_stock"),
        ("it_kw", site.it_kw, "kW", "owner.power" if owner.power else "topology"),
        ("pue", site.pue, "1", "owner.pue" if owner.pue else "topology"),
        ("power_scale", scale, "1", "owner.power and owner.pue by the topology's"),
        ("rent", rent, "USD/GPU-h", "owner.rent" if owner.rent is not None else "tco.gpu_hour"),
        ("occupancy", owner.occupancy, "1", "owner.occupancy"),
        ("ramp_months", max(ramp, 1e-9), "months", "owner.ramp"),
        ("contract_months", contract, "months", "owner.contract"),
        ("price_decay", owner.price_decay, "1/y", "owner.price_decay"),
        ("renewal_cut", owner.renewal_cut or 0.0, "1", "owner.renewal_cut"),
        ("colocation_price", owner.colocation, "USD/kW/mo", "owner.colocation"),
        ("electricity_price", owner.electricity, "USD/kWh", "owner.electricity"),
        ("staff_monthly", owner.staff, "USD/mo", "owner.staff"),
        ("maintenance_share", owner.maintenance, "1/y", "owner.maintenance"),
        ("insurance_share", owner.insurance, "1/y", "owner.insurance"),
        ("repair_price", owner.repair, "USD", "owner.repair"),
        ("residual_share", owner.residual, "1", "owner.residual"),
        ("life_months", owner.life / MS_PER_H / site.month_h, "months", "owner.life"),
        ("month_hours", site.month_h, "h", "month"),
        ("year_hours", HOURS_PER_YEAR, "h", "8,760 h"),
    ]
    return [Input(name, float(value), unit, where) for name, value, unit, where in rows]
