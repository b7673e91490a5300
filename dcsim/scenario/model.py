"""The scenario: one frozen value, composed of the models that each family owns."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from dcsim.closed_form.keys import AccountingKeys
from dcsim.economics import Tco
from dcsim.hazards import Hazard
from dcsim.recovery import AnyRecovery
from dcsim.topology import MAX_GPUS, TopologyDescription, TopologyError, resolve
from dcsim.units import Duration, PositiveDuration, Whole


def _resolved(value: object, info: ValidationInfo) -> object:
    """Turn the name or path of a topology into its description; the scenario's folder comes in the context."""
    if not isinstance(value, str):
        return value
    folder: Path | None = (info.context or {}).get("folder")
    try:
        return resolve(value, folder)
    except TopologyError as error:
        raise PydanticCustomError("topology", "{problems}", {"problems": error.problems}) from None


Topology = Annotated[TopologyDescription, BeforeValidator(_resolved, json_schema_input_type=str | TopologyDescription)]


class Cluster(BaseModel):
    """What is bought: GPUs on a topology, some of them kept as spares."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    topology: Topology = Field(description="a name in topologies/, a path relative to this file, or a description")
    gpus: Whole = Field(ge=1, le=MAX_GPUS, description="GPUs in the cluster, spares included; a multiple of the tray")
    spares: Whole = Field(0, ge=0, description="GPUs kept free as spares (default 0: assumed)")


class Job(BaseModel):
    """``count`` gangs of ``gpus`` GPUs each that run to the horizon."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(min_length=1, max_length=200, description="what the job is called, unlike any other")
    gpus: Whole = Field(ge=1, le=MAX_GPUS, description="GPUs of one gang")
    count: Whole = Field(1, ge=1, le=100_000, description="gangs of this kind (default 1: assumed)")
    priority: Whole = Field(
        0, ge=-(10**6), le=10**6, description="higher takes hardware from strictly lower (default 0: assumed)"
    )
    submit: Duration = Field(0, description="when the gangs arrive; those of 0 s run already (default 0 s: assumed)")
    recovery: AnyRecovery = Field(description="what happens after a strike")


class Scenario(BaseModel):
    """A cluster, its jobs, what fails, and what it costs."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(min_length=1, max_length=10_000, description="shown in every report")
    description: str = Field("", max_length=10_000, description="free text")
    horizon: PositiveDuration = Field(description="simulated time; 1 mo = 720 h")
    seed: Whole = Field(0, ge=0, le=2**63 - 1, description="seed of every random stream (default 0: assumed)")
    cluster: Cluster = Field(description="the [cluster] table")
    jobs: tuple[Job, ...] = Field(min_length=1, max_length=10_000, description="a [[jobs]] table for every job")
    hazards: tuple[Hazard, ...] = Field(
        min_length=1, max_length=1_000, description="a [[hazards]] table for every cause of failure"
    )
    accounting: AccountingKeys = Field(AccountingKeys(), description="the published formula beside it")
    tco: Tco | None = Field(None, description="what it costs; leave out: no money")

    @property
    def capacity_gpu_ms(self) -> int:
        """N * H [GPU-ms]: what the ledger's states must sum to."""
        return self.cluster.gpus * self.horizon

    @property
    def gpus_in_jobs(self) -> int:
        """GPUs of all gangs of all jobs."""
        return sum(job.gpus * job.count for job in self.jobs)
