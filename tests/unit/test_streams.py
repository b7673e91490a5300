"""Random streams are keyed by (seed, replication, hazard, purpose), and by nothing else."""

import itertools

import numpy as np
import pytest

from dcsim.streams import PURPOSES, generator

KEY = (1, 0, "gpu", "gaps")
OTHERS = [
    (2, 0, "gpu", "gaps"),
    (1, 1, "gpu", "gaps"),
    (1, 0, "link", "gaps"),
    (1, 0, "gpu", "marks"),
    (1, 0, "gpu", "repair"),
    (1, 0, "gpu", ("gaps", 0)),
    (1, 0, "gpu", ("gaps", 1)),
]


def first(key, size=4):
    """The first random words of a stream."""
    return generator(*key).integers(0, 2**63, size).tolist()


def test_a_key_always_gives_the_same_stream():
    """Asking again, or for another stream in between, changes nothing."""
    before = first(KEY)
    generator(1, 0, "link", "gaps").random(1_000)
    assert first(KEY) == before


@pytest.mark.parametrize("other", OTHERS)
def test_every_part_of_the_key_matters(other):
    """Seed, replication, hazard, purpose and its number each give a stream of their own."""
    assert set(first(KEY)).isdisjoint(first(other))


def test_many_streams_never_meet():
    """The first words of 3 x 100 x 4 x all purposes' streams, numbered ones too, are all different."""
    hazards, purposes = ("gpu", "nic", "rack", "ü"), (*PURPOSES, *((name, 0) for name in PURPOSES), ("lives", 7))
    keys = itertools.product((0, 1, 2**63 - 1), range(100), hazards, purposes)
    words = [first(key, 1)[0] for key in keys]
    assert len(set(words)) == len(words) == 3 * 100 * 4 * (2 * len(PURPOSES) + 1)


def test_neighbouring_replications_are_uncorrelated():
    """The draws of 1,000 consecutive replications have no correlation from one to the next, within four errors."""
    draws = np.array([generator(7, replication, "gpu", "gaps").random() for replication in range(1_000)])
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 4 / np.sqrt(999)


def test_streams_do_not_depend_on_the_process():
    """These are the first words on every machine and in every process: the key is a sha256, no salted `hash`."""
    assert first(KEY, 2) == [8819650294986723393, 5712246965458999630]


@pytest.mark.parametrize(
    ("purpose", "word"),
    [
        ("gaps", 8819650294986723393),
        ("marks", 2261523524817779964),
        ("repair", 1396488891463424173),
        ("chance", 4270105982957720029),
        (("lives", 3), 3835036447333076350),
    ],
)
def test_a_purpose_keeps_its_number(purpose, word):
    """A new purpose gets a new number, and no old one changes: results of two versions stay comparable."""
    assert first((1, 0, "gpu", purpose), 1) == [word]


def test_every_purpose_has_a_number_of_its_own():
    """Two purposes with one number would be one stream."""
    assert len(set(PURPOSES.values())) == len(PURPOSES)
