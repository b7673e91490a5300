"""Keys of the network and the storage gateways in a topology file, and the kinds of optics that come with dcsim.

Nodes under the same leaves are a *segment*; segments under the same spines are a *pod*; cores join the pods. A leaf
belongs to one rail (a group of NICs of every node) and one home (one of the ports of a NIC), so a segment has
rails * homes leaves. ECMP spreads traffic evenly over the uplinks of a switch.
"""

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from dcsim.units import Length, MeanTimeBetweenFailures, Power, Rate

MOST_PARTS = 10**7
"""Parts of one kind below one other part; source: assumed."""
Count = Annotated[int, Field(strict=True, ge=1, le=MOST_PARTS)]


class Table(BaseModel):
    """A table of a topology file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Optics(Table):
    """One way to join two ports."""

    reach: Length = Field(description="longest link")
    power: Power = Field(description="power per port")
    mtbf: MeanTimeBetweenFailures = Field(description="mean time between failures of one link, both its ends included")


class LeafKeys(Table):
    """Switches that nodes hang on."""

    nodes: Count | Annotated[tuple[Count, ...], Field(min_length=1)] = Field(
        description="nodes in a segment (under the same leaves); a list where segments differ"
    )
    uplinks: Annotated[int, Field(strict=True, ge=0, le=MOST_PARTS)] = Field(
        0, description="links of one leaf to the spines, spread evenly over them (default 0: assumed)"
    )
    link: Rate | None = Field(None, description="data rate of one uplink; leave out: that of a port of a NIC")
    optics: str = Field("pluggable", description="kind of optics of the uplinks (default pluggable: deck)")
    power: Power = Field(0.0, description="power of one leaf without optics (default 0 W: assumed)")


class SpineKeys(Table):
    """Switches that join the segments of a pod."""

    count: Count = Field(description="spines in a pod")
    segments: Count | Annotated[tuple[Count, ...], Field(min_length=1)] = Field(
        description="segments in a pod; a list where pods differ"
    )
    uplinks: Annotated[int, Field(strict=True, ge=0, le=MOST_PARTS)] = Field(
        0, description="links of one spine to its cores (default 0: assumed)"
    )
    link: Rate | None = Field(None, description="data rate of one uplink; leave out: that of a leaf's")
    optics: str = Field("pluggable", description="kind of optics of the uplinks (default pluggable: deck)")
    power: Power = Field(0.0, description="power of one spine without optics (default 0 W: assumed)")


class CoreKeys(Table):
    """Switches that join the pods: as many as the uplinks of the pods need ports."""

    ports: Count = Field(description="ports of one core for the uplinks of spines")
    planes: Count = Field(
        1, description="groups of cores; spine i of every pod reaches plane i mod planes only (default 1: assumed)"
    )
    power: Power = Field(0.0, description="power of one core without optics (default 0 W: assumed)")


class FabricKeys(Table):
    """The scale-out network."""

    nics: Count = Field(description="NICs of one node for job traffic")
    port: Rate = Field(description="data rate of one NIC, all its ports together")
    homes: Annotated[int, Field(strict=True, ge=1, le=8)] = Field(
        1, description="ports of a NIC, each on a leaf of its own; 2: dual-homed (default 1: assumed)"
    )
    rails: Count = Field(
        1, description="groups of NICs with leaves of their own: NIC i is of rail i mod rails (default 1: assumed)"
    )
    reroute: bool = Field(
        False,
        description="true: a node that loses a NIC or its leaf goes on over its other NICs, at their share of the data "
        "rate; false: its worst NIC decides (default false: assumed)",
    )
    optics: str = Field("dac", description="kind of optics between NIC and leaf (default dac: deck)")
    leaf: LeafKeys = Field(description="the [fabric.leaf] table")
    spine: SpineKeys | None = Field(None, description="the [fabric.spine] table; leave out: one segment")
    core: CoreKeys | None = Field(None, description="the [fabric.core] table; leave out: one pod")

    @property
    def leaves(self) -> int:
        """Leaves of one segment."""
        return self.rails * self.homes

    @property
    def uplink_rate(self) -> float:
        """Data rate of one uplink of a leaf [GB/s]."""
        return self.leaf.link or self.port / self.homes

    @property
    def core_rate(self) -> float:
        """Data rate of one uplink of a spine [GB/s]."""
        return (self.spine.link if self.spine else None) or self.uplink_rate

    def cores(self, pods: int) -> int:
        """Return how many cores join this many pods: whole planes, with a port for every uplink; one pod needs none."""
        if pods < 2 or not self.spine or not self.core:
            return 0
        uplinks = pods * self.spine.count * self.spine.uplinks
        per_plane = -(-uplinks // (self.core.planes * self.core.ports))
        return per_plane * self.core.planes

    @property
    def kinds_of_optics(self) -> dict[str, str]:
        """Kind of optics by the name of the links that it joins."""
        kinds = {"access-link": self.optics}
        if self.spine:
            kinds["leaf-uplink"] = self.leaf.optics
        if self.spine and self.core:
            kinds["spine-uplink"] = self.spine.optics
        return kinds

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        spine, core = self.spine, self.core
        wrong = None
        if self.nics % self.rails:
            wrong = f"found {self.nics} nics; must be a multiple of the {self.rails} rails"
        elif spine and self.leaf.uplinks % spine.count:
            wrong = f"found {self.leaf.uplinks} uplinks of a leaf; must be a multiple of the {spine.count} spines"
        elif spine and not self.leaf.uplinks:
            wrong = "found spines; leaf.uplinks must say how many links a leaf has to them"
        elif core and (spine is None or not spine.uplinks):
            wrong = "found cores; spine.uplinks must say how many links a spine has to them"
        elif core and spine and spine.count % core.planes:
            wrong = f"found {spine.count} spines of a pod; must be a multiple of the {core.planes} planes of cores"
        if wrong:
            raise PydanticCustomError("quantity", "{why}", {"why": wrong})
        return self


class StorageKeys(Table):
    """What jobs write checkpoints to and load state from."""

    gateways: Count = Field(description="storage gateways that share the load of all jobs")
    bandwidth: Rate = Field(description="data rate of one gateway")


@lru_cache(maxsize=1)
def shipped_optics() -> dict[str, Optics]:
    """Return the kinds of optics that come with dcsim; each value has its source beside it in ``optics.toml``."""
    text = (Path(__file__).parent / "optics.toml").read_text(encoding="utf-8")
    return {name: Optics.model_validate(table) for name, table in tomllib.loads(text).items()}
