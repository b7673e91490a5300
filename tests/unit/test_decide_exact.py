"""Where the seed of a comparison came from, and which failures the bridge's folds see."""

from typing import Any

import pytest

from dcsim.decide import comparison
from dcsim.scenario import load


class Asked(Exception):
    """What the simulation was asked for, instead of one."""


def test_only_a_seed_that_was_replaced_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first scenario's seed is its own; the second one's was 5 and is now the first one's."""

    def ask(*_: Any, origins: Any, **__: Any) -> None:
        raise Asked(origins)

    monkeypatch.setattr(comparison, "run_many", ask)
    gold = load("pretrain-5184/gold")
    with pytest.raises(Asked) as asked:
        comparison.compare([gold, gold.model_copy(update={"seed": gold.seed + 1})], origins=[{}, {}])
    assert asked.value.args[0] == [{}, {"seed": comparison.COMMON_SEED}]
