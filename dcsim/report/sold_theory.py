"""What is sold, by closed forms alone, and how it is named."""

from collections.abc import Sequence

from dcsim.decide.estimate import Estimate
from dcsim.decide.sla_theory import time_up
from dcsim.report.figures import MISSING, per_cent
from dcsim.report.page import Row, Table, printable
from dcsim.scenario import Scenario
from dcsim.scenario.plan import plan

NOT_PAID = "Credits are on the price of months below an availability. Work that failures destroy is not paid for."


def shape(sold: str, size: int, needs: int) -> str:
    """Say what is sold as a whole, such as "rack, 64 of 72 GPUs"."""
    if size == 1:
        return sold
    return f"{sold} of {size} GPUs" if needs == size else f"{sold}, {needs} of {size} GPUs"


def in_per_cent(share: float) -> str:
    """Write a share with all its decimals."""
    return f"{100 * share:.10g} %"


def theory_tables(estimates: Sequence[Estimate]) -> tuple[Table, ...]:
    """Return what independent domains miss and give back by renewal theory; nothing where nobody asks."""
    asking = [each.scenario for each in estimates]
    if not any(each.sla and (each.sla.credits or each.sla.promise) for each in asking):
        return ()
    found = [each.sla for each in estimates]
    columns = tuple(printable(each.scenario.name) for each in estimates)
    shares = {each.sla.shares for each in asking if each.sla}
    rows = [Row("sold", tuple(map(_sold_as, asking)))]
    up = tuple(per_cent(time_up(each), 4) for each in asking)
    if any(each.value is not None for each in up):
        rows.append(Row("up, % of the time", up))
    if len(shares) == 1 and any(found):
        for index, share in enumerate(next(iter(shares))):
            cells = tuple(per_cent(each.missed[index] if each else None, 3) for each in found)
            rows.append(Row(f"months below {in_per_cent(share)}, %", cells))
    if any(found) and any(each.sla and each.sla.promise for each in asking):
        rows.append(Row("can be promised, %", tuple(per_cent(each.promised if each else None, 3) for each in found)))
    if any(found) and any(each.sla and each.sla.credits for each in asking):
        rows.append(
            Row("credits, % of the price", tuple(per_cent(each.share if each else None) for each in found), True)
        )
    none = "" if all(found) else " Where none is given there is no closed form: simulate it with dcsim run."
    note = f"By renewal theory of independent domains, in the steady state.{none}"
    return (Table("What is sold", columns, tuple(rows), notes=(note, NOT_PAID)),)


def _sold_as(scenario: Scenario) -> str:
    sla = scenario.sla
    if sla is None:
        return MISSING
    size = plan(scenario).topology.gpus_per(sla.sold)
    return shape(sla.sold, size, sla.needs or size)
