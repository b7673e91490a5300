"""``dcsim table tokens``: the batch that memory allows and the price asks for, against the deck's block and by hand."""

import json

import pytest
from click.testing import CliRunner

from dcsim.cli import app
from dcsim.closed_form.inference import usd_per_mtok
from dcsim.decide.tables_tokens import token_table
from dcsim.report.tokens_page import batch_page
from dcsim.scenario import ScenarioError, load, read
from dcsim.scenario.files import plain

H100 = {"weights": "140 GB", "kv_cache": "0.625 GB", "memory": "80 GB", "bandwidth": "3.35 TB/s"}


def one_gpu(rent="2.50 USD", model=H100, **tokens):
    """Replicas of a single GPU of the deck's block, that never fail and are always asked."""
    document = plain(load("tokens/node-replicas"))
    document["jobs"] = [document["jobs"][0] | {"gpus": 1, "count": 512}]
    document["hazards"] = [document["hazards"][0] | {"mtbf": "1e9 h", "mtbf_range": None, "blast": 1}]
    document["tco"] = {"gpu_hour": rent}
    document["accounting"] |= {"job_size": 1}
    document["tokens"] = {"speed": "735 tok/s", "price": "1.75 USD/Mtok", "model": model} | tokens
    return read(document)


def test_the_published_costs_by_batch_come_out():
    """29.0, 0.45 and 0.11 USD at batches of 1, 64 and 256 on an H100, whose 41.8 ms read the weights."""
    found = token_table(one_gpu(), ["batch=1,64,256"])
    assert [round(each.floor_usd, 2) for each in found.batches] == [29.02, 0.45, 0.11]
    assert [f"{1e3 * each.floor_s:.1f}" for each in found.batches] == ["41.8"] * 3


def test_contexts_have_the_published_caches():
    """2.5, 20, 80 and 625 GB at 4, 32, 128 and 1,000 thousand tokens."""
    found = token_table(one_gpu())
    assert [each.each_gb for each in found.contexts] == pytest.approx([2.5, 20, 80, 625])


def test_weights_that_do_not_fit_leave_no_batch():
    """140 GB do not fit in 80 GB; both the table and its page say so."""
    found = token_table(one_gpu())
    assert found.own.largest == 0
    assert found.own.best is None
    assert "the weights do not fit in the 80 GB of one GPU" in batch_page(found).answer[0]


def test_the_largest_batch_is_told_with_the_replica_of_the_scenario():
    """A node of eight H200 has 1,128 GB: 395 caches of 2.5 GB beside the weights; the next one does not fit."""
    found = token_table("tokens/node-replicas", {"batch": [395, 396]})
    assert (found.gpus, found.memory_gb, found.own.largest) == (8, pytest.approx(1128), 395)
    assert [each.fits for each in found.batches] == [True, False]


def test_at_the_batch_of_its_speed_a_scenario_pays_what_a_run_says():
    """735 tokens a second of a GPU, decoding alone, cost what the formula of the stack says at the replica's loss."""
    found = token_table("tokens/node-replicas")
    batch = found.batch_of_speed
    at = token_table("tokens/node-replicas", {"batch": [round(batch)]}).batches[0]
    assert at.gpu_tokens_per_s == pytest.approx(735, rel=0.02)
    assert at.usd * at.gpu_tokens_per_s / 735 == pytest.approx(usd_per_mtok(1.90, 735.0, found.loss, 0.65), rel=1e-9)


def test_a_speed_with_its_prefill_takes_a_larger_batch():
    """Where half of the work is prefill, a GPU that gives 300 tokens a second decodes 600."""
    model = H100 | {"memory": "192 GB"}
    half = token_table(one_gpu(model=model | {"prefill": "50 %"}, speed="300 tok/s"))
    assert half.batch_of_speed == pytest.approx(token_table(one_gpu(model=model, speed="600 tok/s")).batch_of_speed)


def test_the_price_pays_from_the_batch_that_is_told():
    """One sequence fewer costs more than the price, one more costs less."""
    found = token_table("tokens/node-replicas")
    pays = found.own.pays_from
    below, above = token_table("tokens/node-replicas", {"batch": [int(pays), int(pays) + 1]}).batches
    assert below.left < 0 < above.left


def test_cache_hits_save_the_published_share():
    """56.3 % of hits on 80 % of prefill: 45.0 % of the fleet, and as much of what a million tokens cost."""
    model = H100 | {"memory": "192 GB", "prefill": "80 %"}
    found = token_table(one_gpu(model=model))
    none, published = (next(each for each in found.hits if each.hit == hit) for hit in (0.0, 0.563))
    assert published.saved == pytest.approx(0.450, abs=5e-4)
    assert published.usd / none.usd == pytest.approx(1 - published.saved)


def test_without_prefill_there_are_no_hits_to_tell():
    """Another fleet does the prefill."""
    assert token_table(one_gpu()).hits == ()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["batch=0"], "allowed: a whole number from 1"),
        (["batch=1.5"], "allowed: a whole number from 1"),
        (["context=4"], "the unit is missing"),
        (["batsch=4"], "table tokens is about batch and context"),
    ],
)
def test_other_values_are_refused_in_a_line(values, told):
    """The key, what was found, and what is allowed."""
    with pytest.raises(ScenarioError) as error:
        token_table("tokens/node-replicas", values)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def called(*words):
    return CliRunner().invoke(app, ["table", "tokens", *words])


def test_a_scenario_without_a_model_has_no_batch_to_choose():
    """One line, exit 2."""
    found = called("inference-512/gold")
    assert found.exit_code == 2
    assert "tokens.model: Gold-tier: missing" in found.stderr
    assert found.stdout == ""


def test_the_verb_prints_the_table_and_the_same_as_plain_data():
    """What is declined is told with its reason."""
    shown = called("tokens/node-replicas").stdout
    assert "at most 395 sequences of 4,000 tokens fit" in " ".join(shown.split())
    assert "Published rows that are not repeated" in shown
    document = json.loads(called("tokens/node-replicas", "--json").stdout)
    assert document["own_context"]["largest"] == 395
    assert len(document["declined"]) == 3
