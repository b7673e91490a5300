"""What operators do beforehand: planned maintenance, and checks of health."""

from pydantic import BaseModel, ConfigDict, Field

from dcsim.hazards.hazard import Component
from dcsim.units import Duration, Fraction, PositiveDuration, Share


class Maintenance(BaseModel):
    """Planned work: components leave service for a while, the jobs on them are drained first, so nothing is lost."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(min_length=1, max_length=200, description="what is done, unlike any other")
    component: Component = Field(
        description="what leaves service as a whole, GPUs or what serves them; 'tray' is another word for 'node'"
    )
    every: PositiveDuration = Field(description="time from one window of a component to its next")
    first: Duration | None = Field(None, description="when the first window opens; leave out: after one 'every'")
    duration: PositiveDuration = Field(description="how long a component is out")
    drain: Duration = Field(
        0, description="time in which jobs on it save what they have and stop, before (default 0 s: assumed)"
    )
    rolling: bool = Field(
        True,
        strict=True,
        description="one component after the other, evenly over 'every'; false: all at once (default true: assumed)",
    )
    finds: Share = Field(
        0.0,
        description="of the components on it that are slow or spoil results (straggle, degrade, corrupt) and were not "
        "found, the share that it finds: they are identified as it ends; what a silent repair has returned works, and "
        "is not found (default 0 %: assumed)",
    )
    false_alarms: Fraction = Field(
        0.0, description="share of the windows in which good hardware fails the check (default 0 %: assumed)"
    )
    retest: PositiveDuration | None = Field(
        None, description="how much longer the component is out after a false alarm; required with false_alarms"
    )

    @property
    def start(self) -> int:
        """When the first window opens [ms]."""
        return self.every if self.first is None else self.first


class Preflight(BaseModel):
    """A check of a gang's members before each start: it takes time, and finds what nobody has found yet."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"examples": [{"time": "5 min", "finds": "80 %"}]}
    )
    time: PositiveDuration = Field(description="how long it takes, for all members at once")
    finds: Share = Field(
        0.0,
        description="of what is slow or faulty among them and not found yet (straggle, degrade, corrupt, a node that "
        "was not blamed), the share that it finds; what a silent repair has returned works, and is not found "
        "(default 0 %: assumed)",
    )
    false_alarms: Fraction = Field(
        0.0, description="probability that a good node fails the check (default 0 %: assumed)"
    )
    retest: PositiveDuration | None = Field(
        None, description="how long such a node is out of service; required with false_alarms"
    )
