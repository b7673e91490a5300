"""What is sold, and what is given back of its price: the [sla] table, and credits as lines of a statement."""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from dcsim.economics.statement import Input, Line, Party
from dcsim.parts import one_word
from dcsim.units import Fraction, Share, Whole

Sold = Annotated[Literal["gpu", "node", "tray", "nvlink-domain", "rack", "replica"], AfterValidator(one_word)]
"""What is sold as a whole; "tray" is read as "node"; a replica is one of the gangs of a job, wherever it runs."""
AVAILABILITY, TIERS = (0.995, 0.99, 0.95), (0.10, 0.30, 1.00)
"""Tiers of an SLA, and the credit in each; source: public, as cloud providers have them for single machines."""
_STEPS = (1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 2.75, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9)
PROMISES = (1.0, *(1 - step * 10.0**power for power in (-4, -3, -2, -1) for step in _STEPS))
"""Availabilities that are tried as promises, the highest first; source: assumed."""


class Credits(BaseModel):
    """What a seller gives back of a month's price for a month whose availability was too low."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra={"examples": [{"claimed": "60 %"}]})
    tiers: tuple[Share, ...] | None = Field(
        None,
        min_length=1,
        max_length=16,
        description="share of the month's price that is given back for a domain that misses each availability of "
        "[sla]; they rise; leave out: 10, 30 and 100 % (public: usual of single machines)",
    )
    claimed: Share = Field(
        1.0, description="share of the credits that customers ask for; nobody credits unasked (default 100 %: assumed)"
    )
    cap: Share = Field(
        1.0, description="most that is given back of a month's price, of all domains together (default 100 %: assumed)"
    )
    counts_maintenance: bool = Field(
        False,
        strict=True,
        description="planned maintenance is downtime too; slow hardware never is (default false: assumed, usual)",
    )

    @property
    def shares(self) -> tuple[float, ...]:
        """The credit in each tier."""
        return TIERS if self.tiers is None else self.tiers


class Guarantee(BaseModel):
    """A goodput guarantee: of all interruptions of jobs, so many lose no progress, or the renewal is cheaper."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra={"examples": [{"kept": "90 %"}]})
    kept: Share = Field(
        0.9,
        gt=0,
        description="share of the interruptions that lose no progress (default 90 %: assumed)",
    )
    credit: Share = Field(
        0.25,
        description="else, share of the renewed contract's price that is given back (default 25 %: assumed)",
    )


class Sla(BaseModel):
    """What is sold, and of which availability month by month; the ledger counts how much of it was available."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    sold: Sold = Field(
        description="what is sold as a whole; 'tray' is another word for 'node'; a replica of a job is available while "
        "it computes, wherever it runs"
    )
    jobs: tuple[str, ...] | None = Field(
        None, min_length=1, description='jobs whose replicas are sold, with sold = "replica"; leave out: all'
    )
    needs: Whole | None = Field(
        None,
        ge=1,
        description="GPUs of it that must be in service for it to be available (64 of a rack of 72); leave out: all",
    )
    excludes_announced: bool = Field(
        False,
        strict=True,
        description="failures that are announced ([[hazards]] notice) are no downtime, as planned maintenance is none "
        "(default false: assumed)",
    )
    availability: tuple[Share, ...] | None = Field(
        None,
        min_length=1,
        max_length=16,
        description="shares of a month, the highest first: for each it is counted in how many months of a domain it "
        "was reached; leave out: 99.5, 99 and 95 %, assumed",
    )
    credits: Credits | None = Field(
        None, description="what is given back for months below an availability; leave out: nothing"
    )
    guarantee: Guarantee | None = Field(
        None, description="interruptions without lost progress, told beside credits; leave out: nobody guarantees it"
    )
    promise: Fraction | None = Field(
        None,
        gt=0,
        lt=1,
        description="share of its months in which a domain may miss a promise: says which availability can be "
        "promised; leave out: nobody asks",
    )

    @property
    def replicas(self) -> bool:
        """Whether replicas of jobs are sold, not a part of the cluster."""
        return self.sold == "replica"

    def sells(self, job: str) -> bool:
        """Whether the replicas of a job are sold."""
        return self.replicas and (self.jobs is None or job in self.jobs)

    @property
    def shares(self) -> tuple[float, ...]:
        """The availabilities that are told."""
        return AVAILABILITY if self.availability is None else self.availability

    @property
    def counted(self) -> tuple[float, ...]:
        """The availabilities that are counted: those that are told, then those that might be promised."""
        return self.shares if self.promise is None else (*self.shares, *PROMISES)


def reached_names(shares: tuple[float, ...]) -> tuple[str, ...]:
    """Return the names of the series that say how many domains had each availability, such as domains_at_99_5."""
    return tuple("domains_at_" + f"{100 * share:.10g}".replace(".", "_") for share in shares)


def mistakes(sla: Sla) -> list[tuple[tuple[str, ...], str]]:
    """Return what is wrong between the keys of an SLA: the path in its table, and what was found and is allowed."""
    found: list[tuple[tuple[str, ...], str]] = []
    if any(a <= b for a, b in pairwise(sla.shares)):
        found.append((("availability",), f"found {_listed(sla.shares)}; must fall, the highest first"))
    if sla.replicas and sla.needs is not None:
        found.append((("needs",), 'found with sold = "replica", which is available while it computes; leave it out'))
    if sla.jobs is not None and not sla.replicas:
        found.append((("jobs",), f'found with sold = "{sla.sold}"; allowed only with sold = "replica"'))
    if sla.excludes_announced and sla.credits is not None and sla.credits.counts_maintenance:
        found.append((("excludes_announced",), "found with credits.counts_maintenance; both are planned, or neither"))
    if sla.credits is not None:
        path, tiers = ("credits", "tiers"), sla.credits.shares
        if len(tiers) != len(sla.shares):
            found.append((path, f"found {_listed(tiers)}; one for each of the availabilities, {_listed(sla.shares)}"))
        elif any(a > b for a, b in pairwise(tiers)):
            found.append((path, f"found {_listed(tiers)}; must rise, as the availabilities fall"))
    return found


def _listed(shares: tuple[float, ...]) -> str:
    return ", ".join(f"{100 * share:.10g} %" for share in shares)


def credit_lines(sla: Sla, charge: str, party: Party = "owner") -> tuple[list[Line], list[Input]]:
    """Return the lines of what is given back of the line ``charge`` [USD] and their inputs; none without [sla.credits].

    They read the series ``domains`` (sold in a month) and those of ``reached_names``. ``credit_share`` is what the
    tiers give back of a month's price if all is claimed; ``credits`` [USD] is claimed of it, and never above the cap.
    """
    if sla.credits is None:
        return [], []
    source = "tiers of [sla.credits]: a month below an availability gives back its share of the price"
    inputs = [
        Input("sla_claimed", sla.credits.claimed, "1", "sla.credits.claimed", "share of the credits that is asked for"),
        Input("sla_cap", sla.credits.cap, "1", "sla.credits.cap", "most of a month's price"),
    ]
    terms, before = [], "0"
    for name, tier in zip(reached_names(sla.shares), sla.credits.shares, strict=True):
        tier_name = name.replace("domains_at", "credit_below")
        inputs.append(Input(tier_name, tier, "1", "sla.credits.tiers", "of the price of a month below it"))
        terms.append(f"({tier_name} - {before}) * (domains - {name})")
        before = tier_name
    return [
        Line(
            "credit_share",
            "credits if all are claimed, of the price",
            "1",
            f"({' + '.join(terms)}) / domains if domains > 0 else 0",
            party,
            "none",
            source,
        ),
        Line("credits", "SLA credits", "USD", f"min(sla_claimed * credit_share, sla_cap) * {charge}", party),
    ], inputs


def left_of_price(sold: float, credits: float) -> float:
    """Return what is left of a price of 1 for each GPU that is owned: ``sold``, the share that is, less credits on it.

    ``credits``: the share of the price that is given back. Two shapes earn the same at prices in the inverse ratio.
    """
    return sold * (1 - credits)
