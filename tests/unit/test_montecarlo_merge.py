"""Shards put together: the bytes of an undivided run, or a line for each that makes none."""

import json
import shutil

import pytest

from dcsim.ledger import Ledgers
from dcsim.montecarlo import RunFolder, Shard, StoreError, replicate_many
from dcsim.montecarlo.merge import MergeError, merge
from tests.unit.montecarlo_fakes import edit_manifest, fake, replicate, small

N = 11
FILES = ["manifest.backup.json", "manifest.json", "replications/all.parquet", "scenario.toml"]


def files(folder):
    """Every file of a folder with its bytes."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def shard(root, text, n=N, scenario=None, chunk=None):
    """Run one shard, and return its folder."""
    scenario = scenario or small()
    part = Shard.read(text)
    store = RunFolder(root, scenario, shard=part, command=["dcsim", "run"])
    replicate_many([(scenario, store)], n, workers=1, shard=part, simulate=fake, chunk=chunk)
    return store.folder


def whole(root, n=N, scenario=None):
    """Run all on one machine, and return its folder."""
    store = RunFolder(root, scenario or small(), command=["dcsim", "run"])
    replicate(scenario or small(), n, workers=1, store=store, simulate=fake)
    return store.folder


def refused(*given, output=None):
    """The lines that a merge ends with."""
    with pytest.raises(MergeError) as caught:
        merge(given, output)
    return list(caught.value.problems)


@pytest.mark.parametrize("of", [1, 2, 3, 11])
def test_merged_shards_are_the_undivided_run(tmp_path, of):
    """However many shards, run with whatever chunks, given in whatever order: the same four files, byte by byte."""
    if of == 1:  # one shard of one is the run itself
        assert files(shard(tmp_path / "a", "1/1")) == files(whole(tmp_path / "b"))
        return
    parts = [shard(tmp_path / f"machine {k}", f"{k}/{of}", chunk=k) for k in range(of, 0, -1)]
    (merged,) = merge(parts, tmp_path / "merged")
    clean = whole(tmp_path / "clean")
    assert merged.folder.name == clean.name
    assert (merged.replications, merged.shards, merged.scenario) == (N, of, small())
    assert files(merged.folder) == files(clean)
    assert sorted(files(clean)) == FILES


def test_shards_without_a_replication_are_not_missed(tmp_path):
    """Of 13 shards of 11 replications two have none, and no machine can make them."""
    parts = [shard(tmp_path, f"{k}/{N + 2}") for k in range(1, N + 1)]
    name = whole(tmp_path / "clean").name
    assert refused(*parts[1:]) == [f"{name}: shard 1/{N + 2} is missing"]
    (merged,) = merge(parts, tmp_path / "merged")
    assert files(merged.folder) == files(tmp_path / "clean" / name)


def test_a_folder_of_shards_of_several_runs(tmp_path):
    """A folder that holds the shards of two runs gives both, beside their shards, which stay."""
    for scenario in (small(), small(seed=4)):
        for text in ("1/2", "2/2"):
            shard(tmp_path, text, scenario=scenario)
    before = {path.name for path in tmp_path.iterdir()}
    merged = merge([tmp_path])
    assert {each.scenario.seed for each in merged} == {3, 4}
    assert {path.name for path in tmp_path.iterdir()} == before | {each.folder.name for each in merged}
    for each in merged:
        assert files(each.folder) == files(whole(tmp_path / "clean", scenario=each.scenario))
    again = merge([tmp_path])
    assert [each.folder for each in again] == [each.folder for each in merged]


def test_an_earlier_run_is_replaced_and_what_is_not_ours_stays(tmp_path):
    """A whole run in the same place gives way; notes beside it do not."""
    (old := whole(tmp_path, n=3)).joinpath("notes.md").write_text("mine")
    merge([shard(tmp_path, f"{k}/2") for k in (1, 2)])
    assert files(old) == files(whole(tmp_path / "clean")) | {"notes.md": b"mine"}


def test_more_than_wanted_is_left_out(tmp_path):
    """Shards that hold more than their run wanted, from an earlier one, give the run that was wanted."""
    for k in (1, 2):
        part = Shard(k, 2)
        shard(tmp_path, f"{k}/2", n=20)
        store = RunFolder(tmp_path, small(), shard=part, command=["dcsim", "run"])
        replicate_many([(small(), store)], N, workers=1, shard=part, simulate=fake, resume=True)
    (merged,) = merge([tmp_path])
    assert files(merged.folder) == files(whole(tmp_path / "clean"))


def test_missing_shards_are_named(tmp_path):
    """Each that is missing is one line, and nothing is written."""
    folder = shard(tmp_path, "2/4")
    name = folder.name.partition(".shard")[0]
    assert refused(tmp_path) == [f"{name}: shard {k}/4 is missing" for k in (1, 3, 4)]
    assert list(tmp_path.iterdir()) == [folder]


def test_a_shard_that_is_there_twice_is_named(tmp_path):
    """Two copies of one shard are refused by name, both of them."""
    one, other = shard(tmp_path / "a", "1/2"), shard(tmp_path / "b", "2/2")
    copy = shutil.copytree(one, tmp_path / "c" / one.name)
    assert refused(one, other, copy) == [f"{copy}: shard 1/2 twice; the other is {one}"]


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"n": 12}, "12 replications, not 11"),
        ({"text": "2/3"}, "one of 3 shards, not of 2"),
    ],
)
def test_a_shard_of_another_run_is_named(tmp_path, how, told):
    """Shards of runs of another length, or cut otherwise, do not go together."""
    one = shard(tmp_path / "a", "1/2")
    other = shard(tmp_path / "b", **({"text": "2/2"} | how))
    found = refused(one, other)
    assert found[0] == f"{other}: of another run than {one}: {told}"
    assert not (tmp_path / "a" / one.name.partition(".shard")[0]).exists()


def test_a_foreign_seed_under_the_same_name_is_told(tmp_path):
    """A shard of another seed in a folder that was renamed is of another run."""
    one, other = shard(tmp_path / "a", "1/2"), shard(tmp_path / "b", "2/2", scenario=small(seed=4))
    renamed = other.rename(other.with_name(one.name.replace("1-of-2", "2-of-2")))
    assert any(
        line.startswith(f"{renamed}: of another run than {one}: scenario_sha256") for line in refused(one, renamed)
    )


def damage(folder, how):
    """Damage a shard."""
    together, manifest = folder / "replications/all.parquet", folder / "manifest.json"
    backup = folder / "manifest.backup.json"
    match how:
        case "truncated":
            together.write_bytes(together.read_bytes()[: together.stat().st_size // 3])
        case "one bit":
            content = together.read_bytes()
            together.write_bytes(content[:1000] + bytes([content[1000] ^ 1]) + content[1001:])
        case "no replications":
            together.unlink()
        case "another shard's":
            together.write_bytes((shard(folder.parent / "x", "1/2") / "replications/all.parquet").read_bytes())
        case "another scenario's":
            other = shard(folder.parent / "x", "2/2", scenario=small(seed=4))
            together.write_bytes((other / "replications/all.parquet").read_bytes())
        case "no manifest":
            manifest.unlink()
            backup.unlink()
        case "half a manifest":
            manifest.write_text("{")
            backup.write_text("{")
        case "another program's manifest":
            manifest.write_text(json.dumps({"program": "other"}))
        case "unfinished":
            edit_manifest(folder, replications={"wanted": N, "finished": 4})
        case "another version":
            edit_manifest(folder, dcsim="0.0.1")
        case "whole":
            edit_manifest(folder, "shard")
        case "too many":
            edit_manifest(folder, replications={"wanted": 10**9, "finished": 10**9})
        case "a word for a number":
            edit_manifest(folder, replications={"wanted": "11", "finished": 11})
        case "a list for a number":
            edit_manifest(folder, seed=[3])
        case "no shards":
            edit_manifest(folder, shard=[2, 0])


@pytest.mark.parametrize(
    ("how", "path", "told"),
    [
        ("truncated", "/replications/all.parquet", "not a whole parquet file; run this shard again"),
        ("one bit", "/replications/all.parquet", "all of it is damaged; run this shard again with --resume"),
        ("no replications", "/replications/all.parquet", "No such file"),
        ("another shard's", "/replications/all.parquet", "not the replications of shard 2/2"),
        ("another scenario's", "/replications/all.parquet", "not of this scenario"),
        ("no manifest", "", "is not a run of dcsim"),
        ("half a manifest", "", "manifest.json is damaged; manifest.backup.json is damaged"),
        ("another program's manifest", "", "is not a run of dcsim"),
        ("too many", "", "of another run than "),
        ("a word for a number", "/manifest.json", "damaged: replications.wanted: "),
        ("a list for a number", "/manifest.json", "damaged: seed: "),
        ("no shards", "/manifest.json", "damaged: shard.1: "),
        ("unfinished", "", "not finished: 4 of 5 replications; run it again with --resume"),
        ("another version", "", "is of dcsim 0.0.1, not "),
        ("whole", "", "is a whole run, not a shard of one"),
    ],
)
def test_a_damaged_shard_is_named_and_nothing_is_written(tmp_path, how, path, told):
    """Whatever is wrong with a shard, it is told in one line that begins with its path, and no run appears."""
    one, other = shard(tmp_path / "a", "1/2"), shard(tmp_path / "b", "2/2")
    damage(other, how)
    found = refused(one, other, output=tmp_path / "merged")
    assert found[0].startswith(f"{other}{path}: {told}")
    assert not any("\n" in line for line in found)
    assert not (tmp_path / "merged").exists()


def test_a_damaged_scenario_is_taken_from_another_shard(tmp_path):
    """The shards of a run keep the same scenario: one whole copy serves them all, none is refused."""
    shards = [shard(tmp_path, f"{k}/2") for k in (1, 2)]
    (shards[0] / "scenario.toml").write_text("{")
    (merged,) = merge(shards, tmp_path / "merged")
    assert files(merged.folder) == files(whole(tmp_path / "clean"))
    (shards[1] / "scenario.toml").write_text((merged.folder / "scenario.toml").read_text().replace("64", "72"))
    damaged, other = refused(*shards)
    assert damaged.startswith(f"{shards[0]}/scenario.toml: is damaged")
    assert other.startswith(f"{shards[1]}/scenario.toml: is not the scenario of this run")


def test_a_promise_of_a_thousand_million_runs_costs_no_memory(tmp_path):
    """Shards whose manifests say far more runs than their files hold are refused by what the files hold."""
    shards = [shard(tmp_path, f"{k}/2") for k in (1, 2)]
    for each in shards:
        edit_manifest(each, replications={"wanted": 10**9, "finished": 10**9})
    told = "not the replications of shard"
    assert all(f"{each}/replications/all.parquet: {told}" in refused(*shards)[k] for k, each in enumerate(shards))


def test_what_is_no_shard_is_named(tmp_path):
    """A folder without shards, one that is not there, a renamed shard."""
    (tmp_path / "empty").mkdir()
    renamed = (one := shard(tmp_path / "a", "1/2")).rename(one.with_name("renamed"))
    assert refused(tmp_path / "empty", tmp_path / "gone", renamed) == [
        f"{tmp_path}/empty: neither a shard of a run nor a folder that holds one",
        f"{tmp_path}/gone: no such folder",
        f"{renamed}: is shard 1/2 of a run, but its folder is not called so; rename it back",
    ]


def test_a_file_is_no_folder_and_the_runs_of_a_sweep_are_named(tmp_path):
    """A file that is there is not said to be missing; a folder of a sweep keeps its shards one folder below."""
    (tmp_path / "file").write_text("")
    shard(tmp_path / "sweep-x" / "runs", "1/2")
    assert refused(tmp_path / "file", tmp_path) == [
        f"{tmp_path}/file: is a file, not a folder",
        f'{tmp_path}: neither a shard of a run nor a folder that holds one; did you mean "{tmp_path}/sweep-x/runs"?',
    ]


def test_versions_of_all_machines_are_in_the_manifest(tmp_path):
    """Where machines differ in Python or engine, the merged manifest names both."""
    folders = [shard(tmp_path, f"{k}/2") for k in (1, 2)]
    edit_manifest(folders[1], "engine_why", python="9.9.9", engine="batch")
    (merged,) = merge(folders)
    manifest = json.loads((merged.folder / "manifest.json").read_text())
    assert (manifest["engine"], manifest["engine_why"]) == ("batch, simpy", ["asked for"])
    assert manifest["python"].endswith(", 9.9.9")


def test_a_place_that_is_no_run_is_left_alone(tmp_path):
    """A folder of that name that dcsim did not write is neither replaced nor touched."""
    folders = [shard(tmp_path, f"{k}/2") for k in (1, 2)]
    taken = tmp_path / folders[0].name.partition(".shard")[0]
    taken.mkdir()
    (taken / "precious").write_text("mine")
    with pytest.raises(StoreError, match="not a run of dcsim and not empty"):
        merge(folders)
    assert files(taken) == {"precious": b"mine"}


def test_a_killed_shard_goes_on(tmp_path):
    """A shard that was killed is resumed, with what it had, and then merges."""
    one, part = shard(tmp_path, "1/2"), Shard(2, 2)
    store = RunFolder(tmp_path, small(), shard=part, command=["dcsim", "run"])
    store.open(N)
    store.write(Ledgers.of([fake(small(), 3)]))
    store._release()  # as the end of a process does
    assert (
        "not finished: 1 of 5" in refused(one, store.folder)[0]
        or "not finished: 0 of 5" in refused(one, store.folder)[0]
    )
    asked = []

    def counted(scenario, replication):
        asked.append(replication)
        return fake(scenario, replication)

    again = RunFolder(tmp_path, small(), shard=part, command=["dcsim", "run"])
    replicate_many([(small(), again)], N, workers=1, shard=part, simulate=counted, resume=True)
    assert asked == [1, 5, 7, 9]
    (merged,) = merge([tmp_path])
    assert files(merged.folder) == files(whole(tmp_path / "clean"))
