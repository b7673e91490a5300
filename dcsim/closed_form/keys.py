"""The [accounting] table: which of the published linear formulas stands beside the simulation."""

from pydantic import BaseModel, ConfigDict, Field

from dcsim.closed_form.accounting import Identify, Mode
from dcsim.units import Whole


class AccountingKeys(BaseModel):
    """Mode, identify variant and job size of the ClusterMAX accounting."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    mode: Mode | None = Field(
        None, description="leave out: tolerant for strategies without rollback, else hot if there are spares, else cold"
    )
    identify: Identify = Field(
        "max",
        description="identify-and-rollback term: sum (the article's), max (what the calculator's figures follow), "
        "rollback (the deck's Silver column) (default max: public (ClusterMAX calculator))",
    )
    job_size: Whole | None = Field(None, ge=1, description="GPUs charged per failure; leave out: squared job sizes / N")
