"""How often the components of a hazard fail over a horizon, where lemons are retired or cured too."""

import math

from dcsim.closed_form import Retirement, Served, served
from dcsim.hazards import Hazard
from dcsim.units import MS_PER_H


def fleet(hazard: Hazard, components: int, horizon: int) -> Served:
    """Return what all ``components`` of a hazard have over ``horizon`` [ms] in the mean: h in service, and failures.

    Failures are those of a Poisson stream at the rate that lemons have while they are lemons, and others without end:
    exact for memoryless lives that fail ``always``, repairs that take no time and no other reason to be out. Lives that
    age have their long-run rate. Without lemons failures = components * horizon / MTBF; with lemons too, unless they
    are retired or cured (``closed_form.served``).
    """
    hours, mtbf, lemons = horizon / MS_PER_H, hazard.mtbf_ms(components) / MS_PER_H, hazard.lemons
    if lemons is None or not _fewer(hazard):
        return Served(components * hours, components * hours / mtbf)
    rule = None
    if lemons.retire_after is not None:
        assert lemons.window is not None
        replace = math.inf if lemons.replace is None else lemons.replace / MS_PER_H
        rule = Retirement(lemons.retire_after, lemons.window / MS_PER_H, replace)
    ill = lemons.count(components)
    rate = components / lemons.weight(components) / mtbf
    sound, lemon = served(rate, lemons.factor, hazard.cures, rule, hours)
    well = components - ill
    return Served(well * sound.hours + ill * lemon.hours, well * sound.failures + ill * lemon.failures)


def mtbf_in_service(hazard: Hazard, components: int, horizon: int) -> float:
    """Return the time in service per failure [ms], in the mean over ``horizon`` [ms]: MTBF unless lemons leave."""
    if not _fewer(hazard):
        return hazard.mtbf_ms(components)
    found = fleet(hazard, components, horizon)
    return found.hours / found.failures * MS_PER_H


def _fewer(hazard: Hazard) -> bool:
    """Whether lemons become fewer."""
    return hazard.lemons is not None and (hazard.lemons.retire_after is not None or hazard.cures > 0)
