"""What a cluster did by month adds up to the ledger and to the energy of the run, by the exact second road."""

import numpy as np
import pytest

from dcsim.decide.activity import Activity
from dcsim.decide.bills import Energy
from dcsim.ledger import STATES
from dcsim.montecarlo import Sample, replicate_many
from dcsim.scenario import read
from dcsim.units import MS_PER_H


def sample(name: str, runs: int = 3, **changed: object) -> Sample:
    (found,) = replicate_many([(read(name).model_copy(update=changed), None)], runs)
    return found


def test_months_of_730_h_cut_the_horizon_where_a_twelfth_of_a_year_ends() -> None:
    found = sample("pretrain-5184/gold", month=730 * MS_PER_H)
    activity = Activity.of(found)
    assert activity is not None
    assert activity.hours.tolist() == [0, *[730] * 35, 36 * 720 - 35 * 730]
    assert activity.series["cluster_gpu_hours"][0].tolist() == (5_184 * activity.hours).tolist()
    assert found.gpu_ms.tolist() == sample("pretrain-5184/gold").gpu_ms.tolist()


@pytest.mark.parametrize("name", ["plant/energised-late", "plant/feed-capped", "strategies-5184/elastic"])
def test_hours_and_energy_by_month_add_up_to_the_run(name: str) -> None:
    """The energy of a run is computed from its ledger alone; a capped and a shrunk step draw less."""
    found = sample(name)
    activity, scenario = Activity.of(found), found.scenario
    assert activity is not None
    for run in range(len(found)):
        one = Sample.of(scenario, [found.ledgers.account(run)])
        hours = one.mean_gpu_hours
        for state in STATES:
            assert activity.gpu_hours[state][run].sum() == pytest.approx(hours[state], rel=1e-12), state
        energy = Energy.of(scenario, hours, one.overhead_by_cause)
        assert (energy is None) == (activity.energy_kwh is None)
        if energy is not None and activity.energy_kwh is not None:
            assert activity.energy_kwh[run].sum() == pytest.approx(energy.total_kwh, rel=1e-12)


def test_what_is_in_service_has_power_and_is_not_in_repair() -> None:
    activity = Activity.of(sample("plant/energised-late"))
    assert activity is not None
    series = activity.series
    dark = series["cluster_gpu_hours"] - series["powered_gpu_hours"]
    assert dark[0, 1] > 0
    assert np.allclose(dark, activity.gpu_hours["unpowered"])
    out = activity.gpu_hours["repair"] + activity.gpu_hours["maintenance"]
    assert np.allclose(series["powered_gpu_hours"] - series["in_service_gpu_hours"], out)


def test_without_months_there_is_no_activity() -> None:
    found = sample("pretrain-5184/gold", 1)
    assert Activity.of(Sample(found.scenario, found.ledgers.without_months())) is None
