"""What holds for any name, any accounts, any order and any damage."""

import re
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.ledger import STATES, Ledgers
from dcsim.montecarlo import RunFolder, Sample, paired, probability_below, slug, summarise
from dcsim.montecarlo.parquet_files import DamagedError
from tests.unit.montecarlo_fakes import fake, replicate, small

finite = st.floats(-1e9, 1e9).map(lambda value: round(value, 6))  # below that, squares of differences vanish
hostile = st.sampled_from(["..", "/", "../../etc", "CON", "con.txt", "x" * 10_000, "", "名前", "ß/Å"])


@given(st.text() | hostile)
def test_a_slug_is_always_a_safe_name(name):
    """Whatever a scenario is called, its folder is a short plain name inside the root."""
    assert re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", slug(name))
    if name:
        folder = RunFolder(Path("root"), small(name=name)).folder
        assert folder.parent == Path("root")
        assert re.fullmatch(r"[a-z0-9-]+-[0-9a-f]{8}-3", folder.name)
        assert len(folder.name) <= 70


@given(st.integers(1, 9), st.integers(0, 2**32), st.randoms())
def test_folds_are_exact(n, seed, random):
    """Means equal the exact fractions rounded once, in whatever order the replications come."""
    scenario = small(seed=seed)
    replications = [fake(scenario, number) for number in range(n)]
    random.shuffle(replications)
    sample = Sample.of(scenario, replications)
    capacity = scenario.capacity_gpu_ms
    useful = sum(int(one.gpu_ms[:, 0].sum()) for one in replications)
    assert sample.mean_loss == float(1 - Fraction(useful, n * capacity))
    assert sum(sample.mean_gpu_hours.values()) * 3_600_000 / capacity - 1 < 1e-12
    for column, state in enumerate(STATES):
        total = sum(int(one.gpu_ms[:, column].sum()) for one in replications)
        assert sample.mean_gpu_hours[state] == float(Fraction(total, n * 3_600_000))
    strikes = sum(int(one.strikes[:2].sum()) for one in replications)
    assert sample.mean_interruptions_per_month == float(Fraction(strikes * 720, n * 1_000))
    if n == 1:
        assert sample.mean_loss == sample.loss[0]
        assert sample.mean_job_loss == sample.job_loss[0]
        assert sample.mean_ettr("big") == sample.ettr("big")[0]


@settings(max_examples=10)
@given(st.sets(st.integers(0, 7)), st.sets(st.integers(0, 7)))
def test_any_halves_of_a_run_make_the_same_whole(first, second):
    """Whatever was finished before, and in two goes, the last bytes are those of one undisturbed run."""
    scenario = small()
    with TemporaryDirectory() as name:
        root = Path(name)
        whole = RunFolder(root / "whole", scenario)
        replicate(scenario, 6, workers=1, store=whole, simulate=fake)
        for numbers in (first, second):
            store = RunFolder(root / "parts", scenario)
            store.open(6, resume=True)
            for number in numbers:
                store.write(Ledgers.of([fake(scenario, number)]))
            store.close()
        store = RunFolder(root / "parts", scenario)
        replicate(scenario, 6, workers=1, store=store, resume=True, simulate=fake)
        for path in ("manifest.json", "scenario.toml", "replications/all.parquet"):
            assert (store.folder / path).read_bytes() == (whole.folder / path).read_bytes()
        assert len(list((store.folder / "replications").iterdir())) == 1


FOLDER = TemporaryDirectory()
SPOILT = Path(FOLDER.name) / "spoilt.parquet"
with TemporaryDirectory() as folder:
    STORE = RunFolder(Path(folder), small())
    replicate(small(), 2, workers=1, store=STORE, simulate=fake)
    CONTENT = (STORE.folder / "replications/all.parquet").read_bytes()


@settings(max_examples=300)
@given(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
def test_a_changed_byte_is_never_believed(position, change):
    """A file with any one byte changed is refused, or still holds the same accounts."""
    spoilt = bytearray(CONTENT)
    spoilt[position] ^= change
    SPOILT.write_bytes(spoilt)
    try:
        (found,) = STORE.parquet.read(SPOILT).ledgers
    except DamagedError:
        return
    assert found.replications.tolist() == [0, 1]
    for one in map(found.account, range(2)):
        truth = fake(small(), one.replication)
        assert np.array_equal(one.gpu_ms, truth.gpu_ms)
        assert np.array_equal(one.overhead_gpu_ms, truth.overhead_gpu_ms)
        assert np.array_equal(one.strikes, truth.strikes)
        assert (one.owners, one.failures, one.drawn) == (truth.owners, truth.failures, truth.drawn)


@given(st.lists(finite, min_size=2, max_size=30))
def test_a_summary_is_in_order(values):
    """Quantiles rise within the values' range, the interval holds the mean, and no number is NaN."""
    summary = summarise(values)
    assert min(values) <= summary.p5 <= summary.p50 <= summary.p95 <= max(values)
    low, high = summary.ci95
    assert low <= summary.mean <= high
    assert summary.se >= 0
    assert (summary.se == 0) == (len(set(values)) == 1)


@given(st.lists(st.tuples(finite, finite), min_size=1, max_size=20))
def test_pairs_are_antisymmetric(pairs):
    """Swapping the two sides changes the sign of the difference and the complement of the probability."""
    a, b = zip(*pairs, strict=True)
    assert paired(a, b).mean == -paired(b, a).mean
    assert paired(a, b).se == paired(b, a).se
    assert abs(probability_below(a, b) + probability_below(b, a) - 1) < 1e-12
