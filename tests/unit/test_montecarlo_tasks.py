"""Tasks of several replications: who cuts and answers them how changes no result and no byte."""

from concurrent.futures import Future
from itertools import islice

import numpy as np
import pytest

from dcsim.ledger import Ledgers
from dcsim.montecarlo import RunFolder, Sample, Shard, replicate_many
from dcsim.montecarlo.collector import Collector
from dcsim.montecarlo.engines import TASK_S, Engine, seconds_a_run, task_size
from dcsim.montecarlo.parquet_files import GROUP, in_order
from dcsim.montecarlo.tasks import Task, cut, in_flight
from tests.unit.montecarlo_fakes import fails, fake, replicate, small


def fakes(numbers):
    """Ledgers of the small scenario."""
    return Ledgers.of([fake(small(), number) for number in numbers])


def files(folder):
    """Every file of a folder with its bytes."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- cutting ----------------------------------------------------------------------------------------------------------


def test_a_task_is_a_range_in_words():
    """A task knows its replications and says them."""
    assert list(Task(0, 3, 4).numbers) == [3, 4, 5, 6]
    assert list(Task(0, 1, 3, 8).numbers) == [1, 9, 17]
    assert (str(Task(0, 3, 1)), str(Task(0, 3, 4))) == ("replication 3", "replications 3 to 6")


def test_what_is_missing_is_cut_at_gaps_and_sizes():
    """Every missing replication is in one task, no task is longer than asked, and none spans what is finished."""
    missing = np.array([0, 1, 2, 3, 4, 7, 8, 12])
    tasks = list(cut(5, missing, 1, 3))
    assert tasks == [Task(5, 0, 3), Task(5, 3, 2), Task(5, 7, 2), Task(5, 12, 1)]
    assert list(cut(0, np.array([2, 10, 18, 34]), 8, 9)) == [Task(0, 2, 3, 8), Task(0, 34, 1, 8)]
    assert list(cut(0, np.array([], dtype=np.int64), 1, 9)) == []


def test_every_worker_has_work():
    """SimPy gets one run at a time; compiled rules as many as leave two tasks a worker, of about a second at most."""
    compiled = Engine("compiled")
    assert task_size(Engine("simpy"), small(), 10_000, 2) == 1
    assert [task_size(compiled, small(), each, 2) for each in (1, 8, 100, 10**6)] == [1, 2, 25, 256]
    busy = small(hazards=[{"component": "gpu", "mtbf": "3 h", "blast": 8}])
    size = task_size(compiled, busy, 10**6, 2)
    assert 1 < size < 256
    assert TASK_S / 2 < size * seconds_a_run(compiled, busy) <= TASK_S


def test_no_more_are_asked_than_may_be_in_flight():
    """Of endless tasks only so many are taken, and one more for each answer."""
    taken = []

    def endless():
        number = 0
        while True:
            taken.append(number)
            yield Task(0, number, 1)
            number += 1

    running = in_flight(endless(), 3, lambda task: task.first, min)
    assert [task.first for task, _ in islice(running, 2)] == [0, 1]
    assert len(taken) == 5


def test_none_waits_until_every_answer_is_dealt_with():
    """What follows None is asked for only after all before it were answered, and their answers taken."""
    dealt = []

    def tasks():
        yield from (Task(0, number, 1) for number in range(3))
        yield None
        assert dealt == [0, 1, 2]
        yield Task(0, 3, 1)
        yield None
        assert dealt == [0, 1, 2, 3]

    def ask(task):
        future = Future()
        future.set_result(task.first)
        return future

    for task, future in in_flight(tasks(), 8, ask, lambda asked: asked[0]):
        assert future.result() == task.first
        dealt.append(task.first)
    assert dealt == [0, 1, 2, 3]


# --- collector --------------------------------------------------------------------------------------------------------


def test_gathered_replications_are_in_order():
    """Whatever the order in which they come, and whatever comes twice or too far, the columns are in order."""
    gathered = Collector()
    gathered.reserve(6)
    assert gathered.ledgers(6) is None
    assert gathered.add(fakes([4, 5])).replications.tolist() == [4, 5]
    assert gathered.add(fakes([0, 4, 9])).replications.tolist() == [0]
    assert gathered.add(fakes([0, 5])) is None
    assert gathered.missing(6).tolist() == [1, 2, 3]
    assert gathered.ledgers(6).replications.tolist() == [0, 4, 5]
    assert gathered.ledgers(3).replications.tolist() == [0]
    gathered.add(fakes([1, 2, 3]))
    gathered.reserve(8)
    gathered.add(fakes([7]))
    whole = gathered.ledgers(8)
    assert whole.replications.tolist() == [0, 1, 2, 3, 4, 5, 7]
    for one, other in zip(whole.columns(), fakes([0, 1, 2, 3, 4, 5, 7]).columns(), strict=True):
        assert np.array_equal(one, other)


def test_a_shard_gathers_its_own():
    """A shard has room for every n-th replication only."""
    gathered = Collector(Shard(2, 3))
    gathered.reserve(8)
    assert gathered.missing(8).tolist() == [1, 4, 7]
    assert gathered.add(fakes(range(5))).replications.tolist() == [1, 4]
    assert gathered.missing(8).tolist() == [7]
    assert gathered.missing(7).tolist() == []


# --- the last file ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 2, 7])
def test_row_groups_come_out_in_order_each_once(step):
    """Parts that interleave, overlap or come in any order make the same blocks of fixed size."""
    whole = fakes(range(2 * GROUP + 100))
    numbers = whole.replications
    parts = [whole.chosen(numbers % step == rest) for rest in range(step)]
    parts += [whole.chosen(slice(10, 30)), whole.chosen(slice(GROUP - 1, GROUP + 1))]
    groups = [(int(part.replications[0]), lambda part=part: part) for part in reversed(parts)]
    blocks = list(in_order(groups))
    assert [len(block) for block in blocks] == [GROUP, GROUP, 100]
    assert np.array_equal(np.concatenate([block.gpu_ms for block in blocks]), whole.gpu_ms)


def test_only_what_overlaps_is_held():
    """Parts one after the other are read when their turn comes, not before."""
    whole, read = fakes(range(3 * GROUP)), []

    def loader(start):
        def load():
            read.append(start)
            return whole.chosen(slice(start, start + GROUP))

        return load

    blocks = in_order([(start, loader(start)) for start in range(0, 3 * GROUP, GROUP)])
    for turn in range(3):
        next(blocks)
        assert len(read) == turn + 1


@pytest.mark.parametrize("chunk", [1, 3, 1000])
@pytest.mark.parametrize("workers", [1, 2])
def test_chunks_change_no_byte(tmp_path, chunk, workers):
    """Tasks of one, three or all replications, in one process or two, leave the same folder and sample."""
    plain, cut_up = RunFolder(tmp_path / "plain", small()), RunFolder(tmp_path / "cut", small())
    one = replicate(small(), 10, workers=1, store=plain, simulate=fake)
    other = replicate(small(), 10, workers=workers, store=cut_up, simulate=fake, chunk=chunk)
    assert files(plain.folder) == files(cut_up.folder)
    for left, right in zip(one.ledgers.columns(), other.ledgers.columns(), strict=True):
        assert np.array_equal(left, right)


def test_an_interrupted_run_of_chunks_goes_on_in_others(tmp_path):
    """What one size of tasks finished, another size completes, to the same bytes."""
    plain, cut_up = RunFolder(tmp_path / "plain", small()), RunFolder(tmp_path / "cut", small())
    replicate(small(), 11, workers=1, store=plain, simulate=fake)
    store = RunFolder(tmp_path / "cut", small())
    store.open(11)
    store.write(fakes([3, 4, 5]))
    store.write(fakes([8]))
    store._release()  # as the end of a process does
    replicate(small(), 11, workers=1, store=cut_up, resume=True, simulate=fake, chunk=4)
    assert files(plain.folder) == files(cut_up.folder)


def test_many_small_parts_are_put_together(tmp_path):
    """A run of a thousand tasks of one never has more than a few hundred files, and loses none of them."""
    store, most = RunFolder(tmp_path, small()), 0
    kept = store.open(700)
    assert kept == []
    for number in range(699):
        store.write(fakes([number]))
        most = max(most, len(list((store.folder / "replications").iterdir())))
    assert most <= 256 + 2
    store._release()
    again = RunFolder(tmp_path, small())
    assert Ledgers.joined(again.open(700, resume=True)).replications.tolist() == list(range(699))
    assert again.notices == []
    again.close()


def test_progress_counts_replications():
    """However many a task has, progress is told in replications."""
    calls = []
    replicate(
        small(), 7, workers=1, simulate=fake, chunk=3, progress=lambda done, total, _: calls.append((done, total))
    )
    assert calls == [(3, 7), (6, 7), (7, 7)]


def test_an_error_in_a_chunk_names_its_replications():
    """What a simulation raises says which replications it was asked for."""
    with pytest.raises(ArithmeticError) as caught:
        replicate(small(), 5, workers=2, simulate=fails, chunk=4)
    assert caught.value.__notes__ == ["in replications 0 to 3 of 'small'"]


# --- going on ---------------------------------------------------------------------------------------------------------


def test_known_replications_are_not_simulated_again():
    """What an earlier sample holds is taken over, and only the rest is simulated."""
    asked = []

    def counted(scenario, replication):
        asked.append(replication)
        return fake(scenario, replication)

    first = replicate(small(), 3, workers=1, simulate=fake)
    runs = [(small(), None), (small(seed=4), None)]
    second, _ = replicate_many(runs, [5, 2], workers=1, simulate=counted, known=[first, None])
    assert asked == [0, 1, 3, 4]
    assert np.array_equal(second.gpu_ms, replicate(small(), 5, workers=1, simulate=fake).gpu_ms)


@pytest.mark.parametrize("workers", [1, 2])
def test_more_goes_on_in_the_same_call(tmp_path, workers):
    """A run that wants more after a look leaves what a run of that many leaves."""
    seen = []

    def more(samples):
        seen.append([len(sample) for sample in samples])
        return [min(2 * len(samples[0]), 12), len(samples[1])]

    runs = [(small(), RunFolder(tmp_path / "looks", small())), (small(seed=4), None)]
    calls = []
    sample, other = replicate_many(
        runs, 3, workers=workers, simulate=fake, more=more, progress=lambda *call: calls.append(call[:2])
    )
    assert seen == [[3, 3], [6, 3], [12, 3]]
    assert (len(sample), len(other)) == (12, 3)
    assert calls[-1] == (15, 15)
    whole = RunFolder(tmp_path / "whole", small())
    replicate(small(), 12, workers=1, store=whole, simulate=fake)
    assert files(runs[0][1].folder) == files(whole.folder)


def test_shards_of_a_run_are_its_replications(tmp_path):
    """The shards of a run have folders of their own, and together the replications of the whole."""
    whole = replicate(small(), 10, workers=1, simulate=fake)
    parts = []
    for number in (1, 2, 3):
        shard = Shard(number, 3)
        store = RunFolder(tmp_path, small(), shard=shard)
        assert store.folder.name.endswith(f"-3.shard-{number}-of-3")
        (sample,) = replicate_many([(small(), store)], 10, workers=2, simulate=fake, shard=shard, chunk=2)
        assert sample.replications.tolist() == list(range(number - 1, 10, 3)) == store.finished.tolist()
        parts.append(sample.ledgers)
    joined = Sample(small(), Ledgers.joined(parts))
    assert np.array_equal(joined.gpu_ms, whole.gpu_ms)


@pytest.mark.parametrize("text", ["", "0/8", "9/8", "1/0", "1/", "/8", "a/b", "-1/8", "1/8/2", " 1/8", "1/100000000"])
def test_what_is_no_shard_is_refused(text):
    """A shard counts from 1 to n."""
    with pytest.raises(ValueError, match="such as 1/8"):
        Shard.read(text)
    assert Shard.read("8/8") == Shard(8, 8)
