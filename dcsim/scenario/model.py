"""The scenario: one frozen value, composed of the models that each family owns."""

import fractions
import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from dcsim.closed_form.keys import AccountingKeys
from dcsim.distributions import Distribution, DurationOrDistribution, as_distribution
from dcsim.economics import Sla, Tco, Tokens
from dcsim.economics.finance import Finance
from dcsim.economics.grid import Grid
from dcsim.economics.owner import Owner
from dcsim.hazards import Hazard
from dcsim.hazards.lifetimes.trace import TraceLifetime
from dcsim.hazards.recorded import shared_records
from dcsim.hazards.shifts import WeekTime
from dcsim.power.keys import Phase
from dcsim.recovery import AnyRecovery
from dcsim.scenario.uncertain import Correlated, Uncertain
from dcsim.scenario.upkeep import Maintenance, Preflight
from dcsim.topology import MAX_GPUS, TopologyDescription, TopologyError, completed, resolve
from dcsim.units import (
    DURATION,
    MS_PER_DAY,
    MS_PER_H,
    MS_PER_MONTH,
    SHARE,
    Duration,
    Fraction,
    Portion,
    PositiveDuration,
    Share,
    SizeGiB,
    Whole,
    Work,
    parse,
    write,
)


def _resolved(value: object, info: ValidationInfo) -> object:
    """Turn the name or path of a topology into its description; the folder that it is read from is in the context."""
    folder: Path | None = (info.context or {}).get("topology")
    try:
        if isinstance(value, dict):
            return completed(value, folder)
        return resolve(value, folder) if isinstance(value, str) else value
    except TopologyError as error:
        raise PydanticCustomError("topology", "{problems}", {"problems": error.problems}) from None


Topology = Annotated[TopologyDescription, BeforeValidator(_resolved, json_schema_input_type=str | TopologyDescription)]


def _asks_optics(hazard: object) -> bool:
    return isinstance(hazard, dict) and hazard.get("mtbf") == "optics"


def _spares(value: object, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> int:
    """Turn a share of the cluster's GPUs into a number: whole trays, at least that share."""
    if not isinstance(value, str):
        return int(handler(value))
    try:
        share = parse(value, SHARE)
    except PydanticCustomError as error:
        why = f"{error.message()}; or a whole number of GPUs, without quotes"
        raise PydanticCustomError("quantity", "{why}", {"why": why}) from None
    topology, gpus = info.data.get("topology"), info.data.get("gpus")
    if topology is None or gpus is None:
        return 0  # they have their own error
    tray = topology.node.gpus  # the share as written: 7 % of 100 are 7
    return Portion.of(value, handler(tray * math.ceil(fractions.Fraction(repr(share)) * gpus / tray)))


if TYPE_CHECKING:
    Spares = int
else:
    Spares = Annotated[
        Annotated[Whole, Field(ge=0)],
        WrapValidator(_spares),
        WithJsonSchema({"oneOf": [{"type": "integer", "minimum": 0}, TypeAdapter(Share).json_schema()]}),
    ]
    """Spare GPUs: a number, or a share of the cluster."""


class Cluster(BaseModel):
    """What is bought: GPUs on a topology, some of them kept as spares."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    topology: Topology = Field(
        description="a name in topologies/, a path relative to this file, or a table, which may name a base"
    )
    gpus: Whole = Field(ge=1, le=MAX_GPUS, description="GPUs in the cluster, spares included; a multiple of the tray")
    spares: Spares = Field(
        0,
        description='GPUs kept free as spares, or a share of all GPUs such as "2 %", rounded up to whole trays '
        "(default 0: assumed)",
    )
    spares_run: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="name of a job that works on the spares until they are needed: its priority is below all others'; "
        "leave out: they stand idle",
    )
    burn_in: Duration = Field(
        0,
        description="test load on every GPU at delivery, before the horizon begins: components are that much older "
        "then, and its GPU-hours are paid at the rent (default 0 s: assumed)",
    )
    in_rack_spares: Whole = Field(
        0, ge=0, description="last GPUs of every rack held back as spares for that rack only (default 0: assumed)"
    )


class StorageUse(BaseModel):
    """What a job moves through the storage gateways: blocking writes to its slowest tier, and loads from it.

    What drains while the job computes is background traffic that gives way.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    state: SizeGiB = Field(gt=0, description="size of one checkpoint of one gang")
    load: Duration = Field(
        0,
        description="part of a restore in which state is read, with storage to itself (default 0 s: assumed)",
    )


class Job(BaseModel):
    """Gangs of GPUs that run to the horizon, or until their work is done."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(min_length=1, max_length=200, description="what the job is called, unlike any other")
    gpus: Whole = Field(ge=1, le=MAX_GPUS, description="GPUs of one gang")
    count: Whole = Field(1, ge=1, le=100_000, description="gangs of this kind (default 1: assumed)")
    priority: Whole = Field(
        0, ge=-(10**6), le=10**6, description="higher takes hardware from strictly lower (default 0: assumed)"
    )
    submit: Duration = Field(0, description="when the gangs arrive; those of 0 s run already (default 0 s: assumed)")
    after: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="name of a job with work: this one is submitted when all of that one's gangs are done; leave out: "
        "it waits for none",
    )
    time_limit: PositiveDuration | None = Field(
        None,
        description="time for which a gang has its hardware; then it stops, with a checkpoint just before if it writes "
        "any, and starts anew; leave out: no limit",
    )
    requeue: DurationOrDistribution = Field(
        0, description="from the end of its time until a gang queues again (default 0 s: assumed)"
    )
    work: Work | None = Field(
        None, description="useful GPU-hours of one gang after which it ends; leave out: it runs to the horizon"
    )
    preflight: Preflight | None = Field(
        None, description="a check of its members before each start of a gang; leave out: there is none"
    )
    comm: Share = Field(
        0.0, description="share of a healthy, unshared step that is exposed communication (default 0 %: assumed)"
    )
    storage: StorageUse | None = Field(
        None, description="what it moves through the storage gateways; leave out: it is never in anyone's way"
    )
    recovery: AnyRecovery = Field(description="what happens after an interruption")

    @property
    def requeues(self) -> Distribution:
        """Distribution of the time until a gang whose time is over queues again."""
        return as_distribution(self.requeue)


Month = Annotated[Duration, Field(ge=28 * MS_PER_DAY, le=31 * MS_PER_DAY)]


class Slo(BaseModel):
    """A goodput objective for every month; what it leaves is the month's error budget."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra={"examples": [{"goodput": "93 %"}]})
    goodput: Fraction = Field(description="share of the cluster's GPU-hours that a month may not lose")


class Scenario(BaseModel):
    """A cluster, its jobs, what fails, and what it costs."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(min_length=1, max_length=10_000, description="shown in every report")
    description: str = Field("", max_length=10_000, description="free text")
    horizon: PositiveDuration = Field(description="simulated time; 1 mo = 720 h")
    month: Month = Field(
        MS_PER_MONTH,
        description="length of a month of the ledger, by which availability, cash and debt are told: 28 to 31 days, "
        '"730 h" is a twelfth of a year (default 1 mo: deck)',
    )
    starts: WeekTime = Field(
        "mon",
        description="day of the week, and time of day if it is not 0:00, at which it begins, for shifts and visits "
        "(default mon: assumed)",
    )
    seed: Whole = Field(0, ge=0, le=2**63 - 1, description="seed of every random stream (default 0: assumed)")
    cluster: Cluster = Field(description="the [cluster] table")
    jobs: tuple[Job, ...] = Field(min_length=1, max_length=10_000, description="a [[jobs]] table for every job")
    hazards: tuple[Hazard, ...] = Field(
        min_length=1, max_length=1_000, description="a [[hazards]] table for every cause of failure"
    )
    maintenance: tuple[Maintenance, ...] = Field(
        (), max_length=1_000, description="a [[maintenance]] table for every kind of planned work"
    )
    energisation: tuple[Phase, ...] = Field(
        (), max_length=1_000, description="an [[energisation]] table for every phase; leave out: all has power at once"
    )
    accounting: AccountingKeys = Field(AccountingKeys(), description="the published formula beside it")
    tco: Tco | None = Field(None, description="what it costs; leave out: no money")
    owner: Owner | None = Field(None, description="what its owner pays and earns by month; leave out: nobody asks")
    grid: Grid | None = Field(
        None, description="what late power costs, and how fast the load may change; leave out: nobody asks"
    )
    finance: Finance | None = Field(None, description="debt on it, and what equity asks for; leave out: nobody asks")
    tokens: Tokens | None = Field(None, description="what useful hours are sold as; leave out: no tokens are sold")
    slo: Slo | None = Field(None, description="a goodput objective month by month; leave out: nobody asks for one")
    sla: Sla | None = Field(None, description="what is sold, and its availability; leave out: nobody counts it")
    uncertain: tuple[Uncertain, ...] = Field(
        (), max_length=100, description="an [[uncertain]] table for every value that is not known; leave out: all are"
    )
    correlated: tuple[Correlated, ...] = Field(
        (),
        max_length=5_000,
        description="a [[correlated]] table for every two uncertain values that are drawn together; leave out: none is",
    )

    @model_validator(mode="before")
    @classmethod
    def _rates_of_optics(cls, data: Any, info: ValidationInfo) -> Any:
        """Replace ``mtbf = "optics"`` of a hazard on links by what the topology's kind of optics says."""
        hazards = data.get("hazards") if isinstance(data, dict) else None
        if not isinstance(hazards, list | tuple) or not any(_asks_optics(hazard) for hazard in hazards):
            return data
        try:
            topology = TypeAdapter(Topology).validate_python(data["cluster"]["topology"], context=info.context)
        except (ValidationError, KeyError, TypeError):
            return data  # the topology has its own error
        fabric, optics = topology.fabric, topology.known_optics
        kinds = fabric.kinds_of_optics if fabric else {}
        found = []
        for hazard in hazards:
            component = hazard.get("component") if _asks_optics(hazard) else None
            if isinstance(component, str) and component in kinds:
                hazard = {**hazard, "mtbf": write(optics[kinds[component]].mtbf, DURATION)}
            found.append(hazard)
        return {**data, "hazards": found}

    @model_validator(mode="before")
    @classmethod
    def _records(cls, data: Any, info: ValidationInfo) -> Any:
        """Let the traces that are cut from one file of outages share its clock and its numbers of components."""
        hazards = data.get("hazards") if isinstance(data, dict) else None
        if not isinstance(hazards, list | tuple):
            return data
        return {**data, "hazards": shared_records(hazards, (info.context or {}).get("folder"))}

    def traces(self, data: dict[str, Any]) -> list[tuple[dict[str, Any], TraceLifetime]]:
        """Return its traces, each with its table in the scenario as plain data."""
        pairs = zip(data["hazards"], self.hazards, strict=True) if self.hazards else ()
        return [(table["mtbf"], hazard.mtbf) for table, hazard in pairs if isinstance(hazard.mtbf, TraceLifetime)]

    @property
    def capacity_gpu_ms(self) -> int:
        """N * H [GPU-ms]: what the ledger's states must sum to."""
        return self.cluster.gpus * self.horizon

    @property
    def burn_in_gpu_hours(self) -> float:
        """GPU-hours of the burn-in at delivery, before the horizon."""
        return self.cluster.gpus * self.cluster.burn_in / MS_PER_H

    @property
    def gpus_in_jobs(self) -> int:
        """GPUs that the gangs of all jobs can have at once.

        A job that comes after another takes its place, unless some failures strike GPUs by number (a ``blast`` that is
        a number and marks no component): then every gang has numbers of its own.
        """
        asked = {job.name: job.gpus * job.count for job in self.jobs}
        if False in [hazard.placed for hazard in self.hazards]:  # a list: closing a generator loses a Ctrl-C
            return sum(job.gpus * job.count for job in self.jobs)
        before = {job.name: job.after for job in self.jobs if job.after in asked}
        later = dict.fromkeys(asked, 0)
        followers = Counter(before.values())
        ready = [name for name in asked if not followers[name]]
        total = 0
        while ready:  # from the last job of each chain to its first
            name = ready.pop()
            most = max(asked.pop(name), later[name])
            first = before.get(name)
            if first is None:
                total += most
                continue
            later[first] += most
            followers[first] -= 1
            if not followers[first]:
                ready.append(first)
        return total + sum(asked.values())  # of what comes after itself, which is told elsewhere

    @property
    def gpus_on_spares(self) -> int:
        """GPUs of the job that runs on the spares."""
        return sum(job.gpus * job.count for job in self.jobs if job.name == self.cluster.spares_run)

    @property
    def replacing(self) -> int:
        """GPUs that can replace failed ones: those that no job has, and spares on which a job runs until then."""
        return self.cluster.gpus - self.gpus_in_jobs + self.gpus_on_spares

    def priority_of(self, job: Job) -> int:
        """Return a job's priority; that of the one on the spares is below all others'."""
        if job.name != self.cluster.spares_run:
            return job.priority
        return min(each.priority for each in self.jobs if each is not job) - 1

    @property
    def ends(self) -> bool:
        """Whether every job has work to finish, so that the answer is about the time until the last one is done."""
        return all(job.work is not None for job in self.jobs)
