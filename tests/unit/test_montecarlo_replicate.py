"""Replications on several processes: the same results, whatever happens to the processes."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from dcsim.engine import simulate
from dcsim.montecarlo import Interrupted, RunFolder, StoreError, WorkerDied, replicate_many
from tests.unit.montecarlo_fakes import (
    always_dies,
    dies_once,
    fails,
    fails_oddly,
    fake,
    interrupted,
    noisy,
    replicate,
    small,
    stuck,
)


def gone(pid):
    """Whether a process has ended, waiting for it a while; one that nobody has buried yet has."""
    for _ in range(1000):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        with suppress(FileNotFoundError):  # there is no /proc on macOS
            if ") Z " in Path(f"/proc/{pid}/stat").read_text():
                return True
        time.sleep(0.01)
    return False


def parquet_of(store):
    """The bytes that a finished run leaves."""
    return (store.folder / "replications/all.parquet").read_bytes()


def test_results_do_not_depend_on_the_number_of_workers(tmp_path):
    """The engine's replications in 1, 2 and 3 processes leave the same bytes and the same mean."""
    stores = [RunFolder(tmp_path / str(workers), small()) for workers in (1, 2, 3)]
    samples = [replicate(small(), 6, workers=w, store=store) for w, store in enumerate(stores, 1)]
    assert parquet_of(stores[0]) == parquet_of(stores[1]) == parquet_of(stores[2])
    assert samples[0].mean_loss == samples[1].mean_loss == samples[2].mean_loss
    capacity, useful = small().capacity_gpu_ms, int(simulate(small(), 4).gpu_ms[:, 0].sum())
    assert samples[0].loss[4] == (capacity - useful) / capacity
    assert len(set(samples[0].loss)) > 1


def test_a_replication_is_a_function_of_its_number_alone():
    """Replication 2 of 3 equals replication 2 of 5."""
    few, many = replicate(small(), 3, workers=1), replicate(small(), 5, workers=1)
    assert np.array_equal(few.gpu_ms, many.gpu_ms[:3])


def test_several_runs_share_the_workers_and_keep_their_order(tmp_path):
    """Each run gets the sample it would get alone, in the order of the runs, and advances with the others."""
    seeds = [small(seed=seed, name=f"seed {seed}") for seed in (5, 1, 9)]
    stores = [RunFolder(tmp_path, scenario) for scenario in seeds]
    calls = []
    samples = replicate_many(
        list(zip(seeds, stores, strict=True)), 4, workers=1, simulate=fake, progress=lambda *call: calls.append(call)
    )
    for scenario, store, sample in zip(seeds, stores, samples, strict=True):
        alone = replicate(scenario, 4, workers=1, store=RunFolder(tmp_path / "alone", scenario), simulate=fake)
        assert sample.scenario == scenario
        assert np.array_equal(sample.gpu_ms, alone.gpu_ms)
        assert parquet_of(store) == parquet_of(RunFolder(tmp_path / "alone", scenario))
    assert [call[:2] for call in calls] == [(done, 12) for done in range(1, 13)]
    assert [call[2].name for call in calls[:4]] == ["seed 5", "seed 1", "seed 9", "seed 5"]


def test_progress_tells_how_sure_the_mean_is():
    """The half-width is None for one replication and then that of Student's interval."""
    widths = []
    sample = replicate(small(), 3, workers=1, simulate=fake, progress=lambda *call: widths.append(call[2].half_width))
    assert widths[0] is None
    assert widths[1] == pytest.approx(12.706205 * abs(sample.loss[0] - sample.loss[1]) / 2, rel=1e-6)


def test_runs_that_simulate_alike_are_simulated_once(tmp_path):
    """Runs that differ in name, description, accounting or money share replications, not folders or scenarios."""
    asked = []

    def counted(scenario, replication):
        asked.append(replication)
        return fake(scenario, replication)

    tco = {"term": "36 mo", "gpu_hour": "4 USD"}
    alike = [small(), small(name="b"), small(description="c"), small(accounting={"mode": "hot"}), small(tco=tco)]
    stores = [RunFolder(tmp_path, scenario) for scenario in alike]
    samples = replicate_many(list(zip(alike, stores, strict=True)), 3, workers=1, simulate=counted)
    assert asked == [0, 1, 2]
    assert [sample.scenario for sample in samples] == alike
    assert len({store.folder for store in stores}) == 5
    for store, scenario in zip(stores, alike, strict=True):
        store.open(3, resume=True)
        assert store.finished.tolist() == [0, 1, 2]
        store.close()
        assert store.scenario == scenario


def test_one_scenario_given_twice_uses_one_folder(tmp_path):
    """The same scenario twice, each with its own store of the same folder, is one run."""
    first, second = replicate_many(
        [(small(), RunFolder(tmp_path, small())) for _ in range(2)], 2, workers=1, simulate=fake
    )
    assert np.array_equal(first.gpu_ms, second.gpu_ms)
    assert len(list(tmp_path.iterdir())) == 1


def test_each_run_may_want_its_own_number(tmp_path):
    """A run of 5 and a short one of the same physics share 2 replications, and the short one keeps no more."""
    store, calls = RunFolder(tmp_path, small(name="short")), []
    long, short, other = replicate_many(
        [(small(), None), (small(name="short"), store), (small(seed=4), None)],
        [5, 2, 3],
        workers=1,
        simulate=fake,
        progress=lambda done, total, running: calls.append((done, total)),
    )
    assert (len(long), len(short), len(other)) == (5, 2, 3)
    assert np.array_equal(long.gpu_ms[:2], short.gpu_ms)
    assert calls[-1] == (8, 8)
    assert store.finished.tolist() == [0, 1]


def test_what_a_simulation_prints_does_no_harm():
    """Words on stdout do not get between a worker's answers."""
    talked, quiet = replicate(small(), 4, workers=2, simulate=noisy), replicate(small(), 4, workers=1, simulate=fake)
    assert np.array_equal(talked.gpu_ms, quiet.gpu_ms)


def test_a_killed_worker_changes_nothing(tmp_path):
    """When a worker is killed in the middle, another does its replication, with the same result."""
    sample = replicate(small(), 5, workers=2, simulate=partial(dies_once, grave=tmp_path / "grave"))
    assert (tmp_path / "grave").exists()
    assert np.array_equal(sample.gpu_ms, replicate(small(), 5, workers=1, simulate=fake).gpu_ms)


def test_a_replication_that_kills_every_worker_ends_the_run(tmp_path):
    """After three workers the run fails, names the replication, and keeps what is finished."""
    store = RunFolder(tmp_path, small())
    with pytest.raises(WorkerDied, match="3 worker processes") as caught:
        replicate(small(), 8, workers=2, store=store, simulate=always_dies)
    assert caught.value.__notes__ == ["in replication 2 of 'small'"]
    resumed = replicate(small(), 8, workers=1, store=RunFolder(tmp_path, small()), resume=True, simulate=fake)
    assert np.array_equal(resumed.gpu_ms, replicate(small(), 8, workers=1, simulate=fake).gpu_ms)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_crosses_as_itself(tmp_path, workers):
    """What a simulation raises comes out as it is, with the replication's number, and the finished ones stay."""
    store = RunFolder(tmp_path, small())
    with pytest.raises(ArithmeticError, match="the sum is wrong") as caught:
        replicate(small(), 5, workers=workers, store=store, simulate=fails)
    assert caught.value.__notes__ == ["in replication 2 of 'small'"]
    store.open(5, resume=True)
    store.close()
    assert 2 not in store.finished
    assert store.notices == []
    if workers == 1:
        assert store.finished.tolist() == [0, 1]


def test_an_error_that_cannot_cross_is_told_in_words():
    """An error that no pipe can carry arrives as its name and message."""
    with pytest.raises(RuntimeError, match="Picky: this and that"):
        replicate(small(), 5, workers=2, simulate=fails_oddly)


def test_a_simulation_that_workers_cannot_import_is_refused_at_once():
    """A function without a module of its own is an error before any process is started."""
    with pytest.raises((AttributeError, pickle.PicklingError), match="lambda"):
        replicate(small(), 5, workers=2, simulate=lambda scenario, replication: fake(scenario, replication))


def test_an_interrupt_here_keeps_what_is_finished(tmp_path):
    """Ctrl-C in a run without workers gives the finished replications, which can be resumed."""
    store = RunFolder(tmp_path / "a", small())
    with pytest.raises(Interrupted) as caught:
        replicate(small(), 5, workers=1, store=store, simulate=interrupted)
    assert (caught.value.finished, caught.value.wanted) == (3, 5)
    assert caught.value.samples[0].replications.tolist() == [0, 1, 2]
    again = RunFolder(tmp_path / "a", small())
    replicate(small(), 5, workers=1, store=again, resume=True, simulate=fake)
    whole = RunFolder(tmp_path / "b", small())
    replicate(small(), 5, workers=1, store=whole, simulate=fake)
    assert parquet_of(again) == parquet_of(whole)


def test_an_interrupt_ends_the_workers_at_once(tmp_path):
    """Ctrl-C while workers are deep in long replications keeps the finished ones and leaves no process behind."""

    def press(done, total, running):
        if done == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted) as caught:
        replicate(small(), 9, workers=2, simulate=partial(stuck, pids=tmp_path), progress=press)
    assert (caught.value.finished, caught.value.wanted) == (2, 9)
    pids = [int(path.name) for path in tmp_path.iterdir()]
    assert len(pids) in {1, 2}
    assert all(gone(pid) for pid in pids)


def test_an_interrupt_before_anything_is_finished_has_no_sample():
    """With nothing finished there is no sample, rather than an empty one."""

    def at_once(scenario, replication):
        raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        replicate(small(), 2, workers=1, simulate=at_once)
    assert caught.value.samples == (None,)


SCRIPT = """
from functools import partial
from pathlib import Path
import sys
from tests.unit.montecarlo_fakes import replicate
from tests.unit.montecarlo_fakes import fake, small, stuck

if sys.argv[1:]:
    replicate(small(), 9, workers=2, simulate=partial(stuck, pids=Path(sys.argv[1])))
print(replicate(small(), 4, workers=2, simulate=fake).mean_loss)
"""


def script(path, *arguments, **options):
    """Start the script above from a file, as a user's script, with every warning an error."""
    path.write_text(SCRIPT)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONWARNINGS": "error"}
    command = [sys.executable, str(path), *map(str, arguments)]
    return subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


def test_a_script_needs_no_main_guard(tmp_path):
    """A user's script that calls at its top level works: workers do not run it again."""
    with script(tmp_path / "mine.py") as process:
        out, err = process.communicate()
    assert err == ""
    assert float(out) == replicate(small(), 4, workers=1, simulate=fake).mean_loss


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_parent(tmp_path, end):
    """However the parent is ended, its workers end too, in the middle of a replication, and say nothing."""
    (tmp_path / "pids").mkdir()
    with script(tmp_path / "mine.py", tmp_path / "pids", process_group=0) as process:
        while len(list((tmp_path / "pids").iterdir())) < 2:
            assert process.poll() is None
            time.sleep(0.01)
        os.killpg(process.pid, end)
        _, err = process.communicate()
    assert all(gone(int(path.name)) for path in (tmp_path / "pids").iterdir())
    assert err.count("Traceback") == (1 if end == signal.SIGINT else 0)  # the script's own, uncaught


def test_impossible_numbers_are_refused(tmp_path):
    """No replications, or no workers, is an error before anything is written."""
    for replications, workers in ((0, 1), (-1, 1), (1, 0)):
        with pytest.raises(ValueError, match="at least one"):
            replicate(small(), replications, workers=workers, store=RunFolder(tmp_path, small()), simulate=fake)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_store_stops_the_run(tmp_path):
    """When the folder vanishes in the middle, the run ends with a StoreError."""
    store = RunFolder(tmp_path, small())
    with pytest.raises(StoreError, match="No such file"):
        replicate(small(), 5, workers=1, store=store, simulate=fake, progress=lambda *_: shutil.rmtree(store.folder))
