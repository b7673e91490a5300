"""dcsim run --shard and dcsim merge: several machines, the bytes of one."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import SMALL

ROOT = Path(__file__).parents[2]


def files(folder):
    """Every file of a folder with its bytes."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("engine", ["simpy", "auto"])
def test_merged_shards_are_the_undivided_run(dcsim, engine):
    """Shards run in folders of their own, with other workers, merge to the three files of one run."""
    common = ("run", "small.toml", "-n", 9, "--engine", engine)
    for number in (1, 2, 3, 4):
        done = dcsim(*common, "--shard", f"{number}/4", "-o", f"machine-{number}", "--workers", 1 + number % 2)
        assert (done.exit_code, done.stderr) == (0, "")
        share = len(range(number - 1, 9, 4))
        assert done.stdout.startswith(f"Small: shard {number}/4: {share} of 9 replications in machine-{number}/small-")
    merged = dcsim("merge", *(f"machine-{number}" for number in (3, 1, 4, 2)), "-o", "merged")
    assert (merged.exit_code, merged.stderr) == (0, "")
    assert dcsim(*common, "-o", "clean").exit_code == 0
    assert files(Path("merged")) == files(Path("clean"))
    (run,) = Path("merged").iterdir()
    assert merged.stdout == f"{run}/: 9 replications of 4 shards\n"


def test_a_merged_run_is_reported_without_simulating(dcsim, monkeypatch):
    """dcsim run --resume and compare --resume read merged shards of several files; nothing is simulated again."""
    for number in (1, 2):
        common = ("small.toml", "other.toml", "--seed", 5, "-n", 6)
        assert dcsim("run", *common, "--shard", f"{number}/2").exit_code == 0
    merged = dcsim("merge", "outputs")
    assert merged.stdout.count("6 replications of 2 shards") == 2

    def never(*_):
        raise AssertionError("simulated")

    monkeypatch.setattr("dcsim.engine.compiled_clock.simulate_many", never)
    for path in Path("outputs").glob("*.shard-*"):
        shutil.rmtree(path)
    monkeypatch.setattr("dcsim.decide.study.range_ends", lambda _: ())  # simulated beside, and not kept
    for verb in ("run", "compare"):
        done = dcsim(verb, *common, "--resume", "--json")
        assert [each["replications"] for each in json.loads(done.stdout)["scenarios"]] == [6, 6]


def test_shards_that_make_no_run_are_refused(dcsim):
    """Missing, damaged and foreign shards are a line each on stderr, exit code 2, and nothing is written."""
    for number in (1, 2, 4):
        dcsim("run", "small.toml", "-n", 8, "--shard", f"{number}/4", "-o", "parts")
    before = files(Path("parts"))
    done = dcsim("merge", "parts", "-o", "merged")
    assert (done.exit_code, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.endswith(": shard 3/4 is missing")
    dcsim("run", "small.toml", "-n", 8, "--shard", "3/4", "-o", "parts")
    (victim,) = Path("parts").glob("*.shard-2-of-4/replications/all.parquet")
    content = victim.read_bytes()
    victim.write_bytes(content[: len(content) // 3])
    done = dcsim("merge", "parts", "-o", "merged")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"{victim}: not a whole parquet file; run this shard again with --resume\n"
    assert not Path("merged").exists()
    again = dcsim("run", "small.toml", "-n", 8, "--shard", "2/4", "-o", "parts", "--resume")
    assert again.exit_code == 0
    assert "removed, its replications are run again" in again.stderr
    assert files(Path("parts")).items() >= before.items()
    assert dcsim("merge", "parts", "-o", "merged").exit_code == 0


@pytest.mark.parametrize("text", ["0/8", "9/8", "8", "a/b"])
def test_what_is_no_shard_is_refused(dcsim, text):
    """A shard is k/n with k from 1 to n."""
    done = dcsim("run", "small.toml", "--shard", text)
    assert done.exit_code == 2
    assert f"found '{text}'; required: k/n with 1 <= k <= n, such as 1/8" in done.stderr


def test_what_a_shard_cannot_do_is_refused(dcsim):
    """A shard without a replication, or asked for figures of the whole, is refused before anything is written."""
    for more, told in (
        ((), "shard 5/8 has none of 4 replications"),
        (("--fail-under", "90 %"), "--fail-under needs all replications"),
        (("--precision", "1 pp"), "--precision needs all replications"),
    ):
        done = dcsim("run", "small.toml", "-n", 4, "--shard", "5/8", *more)
        assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
        assert told in done.stderr
    assert not Path("outputs").exists()


def test_compare_takes_no_shard(dcsim):
    """Compare says how shards are compared instead."""
    done = dcsim("compare", "small.toml", "other.toml", "--shard", "1/2")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "dcsim run --shard" in done.stderr
    assert "dcsim merge" in done.stderr


SCRIPTS = re.findall(
    r"^```bash\n(.*?)^```$", (ROOT / "docs" / "clusters.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
)
(ARRAY,) = (script for script in SCRIPTS if script.startswith("#!/bin/bash\n#SBATCH"))
(THEN,) = (script for script in SCRIPTS if "sbatch --dependency=afterok" in script)
SLURM = """#!/bin/bash
while [[ $1 == --* && $1 != --wrap ]]; do shift; done
if [[ $1 == --wrap ]]; then bash -c "$2"; exit; fi
export SLURM_ARRAY_TASK_COUNT=3 SLURM_CPUS_PER_TASK=1
for SLURM_ARRAY_TASK_ID in 2 0 1; do SLURM_ARRAY_TASK_ID=$SLURM_ARRAY_TASK_ID bash "$1" >&2 || exit; done
echo 42
"""


def test_the_slurm_jobs_of_the_docs_give_the_undivided_run(tmp_path):
    """The array of the docs and the job after it, run by a Slurm of three lines, leave the bytes of one run."""
    (tools := tmp_path / "bin").mkdir()
    for name, text in (
        ("sbatch", SLURM),
        ("srun", '#!/bin/bash\nwhile [[ $1 == --* ]]; do shift; done\nexec "$@"\n'),
        ("dcsim", f'#!/bin/bash\nexec "{sys.executable}" -P -m dcsim "$@"\n'),
    ):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    (tmp_path / "shards.sh").write_text(ARRAY.replace("-n 100000", "-n 10"))
    (tmp_path / "mine.toml").write_text(SMALL)
    environment = os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}

    def bash(script):
        found = subprocess.run(
            ["bash", "-euc", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert found.returncode == 0, found.stderr
        return found.stdout

    told = bash(THEN.replace("-n 100000", "-n 10"))
    assert "10 replications of 3 shards" in told
    assert "runs (replications): 10 of" in told
    bash("dcsim run mine.toml -n 10 --seed 1 -o clean")
    (clean,) = (tmp_path / "clean").iterdir()
    merged = files(tmp_path / "outputs" / clean.name)
    undivided = files(clean)
    assert merged == undivided
