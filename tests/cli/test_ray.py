"""--executor ray: the same integers as by this machine's own workers, whatever dies, and nothing left behind."""

import json
import os
import re
import secrets
import shlex
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml

import dcsim as package
from dcsim import load
from dcsim.engine import simulate
from dcsim.montecarlo import SIMPY, WorkerDied, ray_executor
from dcsim.montecarlo.tasks import Task

pytest.importorskip("ray", reason="the ray extra is not installed")
pytestmark = pytest.mark.xdist_group("ray")  # one worker, one Ray
ROOT = Path(__file__).parents[2]
WORKING = "ray::replications"  # what Ray calls a worker while it has a task of ours
LIMIT_S = 60


@pytest.fixture(scope="module")
def home():
    """The folder under which the Ray that the tests share keeps its own: its processes are known by it."""
    with TemporaryDirectory(dir="/tmp", prefix="ray") as short:
        yield short


@pytest.fixture(scope="module")
def ray(home):
    """A Ray of this machine that the tests share, as a caller's own: runs use it and leave it open."""
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patched:  # until it has started
            patched.delenv("RAY_ADDRESS", raising=False)
            patched.setenv("PYTHONPATH", str(ROOT))
            patched.setattr(tempfile, "tempdir", home)
            assert stack.enter_context(ray_executor.cluster(2)) == 2
        import ray

        yield ray


class Deadly:
    """Stands for a scenario, and ends the worker that opens it."""

    name = "deadly"

    def __reduce__(self):
        return os._exit, (1,)


class Wrong:
    """Stands for a scenario, and raises in the worker that opens it."""

    name = "wrong"

    def __reduce__(self):
        return float, ("nonsense",)


def answers(scenario, tasks):
    """Replications of one scenario, one a task, by two workers."""
    return ray_executor.answers([scenario], (Task(0, number, 1) for number in tasks), 2, SIMPY)


def processes(*words, parents=None):
    """The running processes with all these words in their command line, as number -> (state, parent)."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has just ended
            continue
        if state not in "ZX" and all(word in command for word in words) and (parents is None or int(parent) in parents):
            found[int(folder.name)] = (state, int(parent))
    return found


def daemons(home):
    """The two processes that are a Ray: another test run on this machine has its own."""
    return {name: set(processes(f"/{name} ", home)) for name in ("raylet", "gcs_server")}


def workers(home, word="ray::"):
    """The state of the workers of a Ray, or of those that are in the middle of a task."""
    return {each: state for each, (state, _) in processes(word, parents=daemons(home)["raylet"]).items()}


def until(condition):
    """Wait for something true of a function, and return it."""
    deadline = time.monotonic() + LIMIT_S
    while not (found := condition()):
        assert time.monotonic() < deadline, condition
        time.sleep(0.005)
    return found


def halted(process, home):
    """Stop a worker and return it if it stands still in the middle of a task; else let it go on."""
    os.kill(process, signal.SIGSTOP)
    until(lambda: workers(home).get(process) == "T")
    if process in workers(home, WORKING):
        return process
    os.kill(process, signal.SIGCONT)
    return None


def files(root):
    """What runs have kept in a folder."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in Path(root).rglob("*") if path.is_file()}


def start(folder, *arguments, **environment):
    """Start dcsim as a terminal does, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "dcsim", *map(str, arguments)],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)} | environment, text=True, process_group=0,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def problems(stderr):
    """What was said but for how far it is."""
    return [line for line in stderr.splitlines() if not line.startswith("simulating: ")]


def test_only_this_user_sees_what_ray_keeps(ray, home):
    """The folder of a Ray of this machine is closed to others, though Ray opens what it makes itself to all."""
    assert ray.is_initialized()
    (folder,) = Path(home).iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(folder.glob("*/session_*/sockets/*")) != []


def test_ray_and_local_workers_write_the_same_bytes(ray, dcsim):
    """A run on Ray prints the same and keeps byte for byte the same files as one by this machine's own workers."""
    local = dcsim("run", "small.toml", "other.toml", "-n", 5, "--workers", 2, "-o", "local", "--json")
    there = dcsim("run", "small.toml", "other.toml", "-n", 5, "-o", "there", "--json", "--executor", "ray")
    assert (local.exit_code, there.exit_code, problems(there.stderr)) == (0, 0, [])
    assert there.stdout.replace("there/", "local/") == local.stdout
    assert files("there") == files("local")
    assert sum(name.endswith("all.parquet") for name in files("there")) == 2


@pytest.mark.parametrize("verb", ["compare", "explain"])
def test_every_verb_that_simulates_may_use_ray(ray, dcsim, verb):
    """`compare` and `explain` say the same whoever simulates."""
    given = (verb, "small.toml", *["other.toml"][: verb == "compare"], "-n", 2, "--json")
    assert dcsim(*given, "--executor", "ray").stdout == dcsim(*given).stdout != ""


@pytest.fixture
def nodes(monkeypatch):
    """A cluster by `ray start`, each node at a loopback address of its own: a head without CPUs and two with one.

    Gives its address, and the raylet of a node by the node's number. Nodes start one after the other: two that share
    a folder and start at once take the same socket.
    """
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))  # for the nodes and for the run
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with socket.create_server(("127.0.0.2", 0)) as free:
        address = "{}:{}".format(*free.getsockname())

    def started(number, *role):
        given = [
            "--num-cpus=0" if number == 2 else "--num-cpus=1",
            "--num-gpus=0",
            f"--object-store-memory={80 * 2**20}",
        ]
        given += ["--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0"]
        subprocess.run(
            [Path(sys.executable).with_name("ray"), "start", *role, f"--node-ip-address=127.0.0.{number}", *given],
            stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=LIMIT_S,
        )  # fmt: skip

    def raylet(number):
        (found,) = processes("/raylet ", home, f"--node_ip_address=127.0.0.{number} ")
        return found

    with TemporaryDirectory(dir="/tmp", prefix="ray") as home:
        try:
            started(
                2, "--head", f"--port={address.partition(':')[2]}", "--include-dashboard=false", f"--temp-dir={home}"
            )
            started(3, f"--address={address}")
            started(4, f"--address={address}")
            yield address, raylet
        finally:  # `ray stop` would end every Ray of this machine
            while left := processes(home):
                for each in left:
                    with suppress(ProcessLookupError):
                        os.kill(each, signal.SIGKILL)


@pytest.mark.exhaustive
def test_a_killed_node_costs_nothing(nodes, dcsim, tmp_path):
    """A run on three nodes of which one is killed in the middle of a task leaves the bytes of a local run."""
    address, raylet = nodes
    given = ("run", "pretrain-5184/gold", "--engine", "simpy", "-n", 40, "--no-report", "-o")
    with start(tmp_path, *given, "there", "--executor", "ray", RAY_ADDRESS=address) as run:
        until(lambda: len([*tmp_path.glob("there/*/replications/part-*.parquet")]) > 3 or run.poll() is not None)
        victim = raylet(4)
        busy = until(lambda: processes(WORKING, parents={victim}))
        os.kill(victim, signal.SIGKILL)
        out, err = run.communicate()
    assert (run.returncode, problems(err)) == (0, []), out
    until(lambda: not busy.keys() & processes("ray::").keys())
    assert raylet(3)
    assert dcsim(*given[:-2], "-o", "local").exit_code == 0
    assert files("there") == files("local")


def test_a_killed_worker_costs_nothing(ray, home):
    """A task whose worker is killed in the middle of it is handed out again and gives the same accounts."""
    scenario = load("pretrain-5184/gold")
    running = answers(scenario, range(12))
    found = dict([next(running)])

    while not (victim := halted(next(iter(until(lambda: workers(home, WORKING)))), home)):
        continue
    os.kill(victim, signal.SIGKILL)
    found |= dict(running)
    assert sorted(task.first for task in found) == list(range(12))
    for task, ledgers in found.items():
        accounts, expected = ledgers.account(0), simulate(scenario, task.first)
        assert ledgers.replications.tolist() == list(task.numbers)
        assert (accounts.replication, accounts.failures, accounts.drawn) == (
            task.first,
            expected.failures,
            expected.drawn,
        )
        assert (accounts.gpu_ms == expected.gpu_ms).all()


def test_three_deaths_fail_the_run(ray):
    """A replication that kills three Ray workers fails as one that kills three local ones does, and is named."""
    with pytest.raises(WorkerDied) as died:
        list(answers(Deadly(), [4]))
    assert str(died.value) == "3 worker processes ended without an answer (killed, or out of memory)"
    assert died.value.__notes__ == ["in replication 4 of 'deadly'"]


def test_an_error_comes_through(ray):
    """What a simulation raises is raised here, with a note of the replication."""
    with pytest.raises(ValueError, match="could not convert string to float: 'nonsense'") as raised:
        list(answers(Wrong(), [5]))
    assert raised.value.__notes__ == ["in replication 5 of 'wrong'"]


def test_few_tasks_are_under_way_at_a_time(ray, home):
    """Of endless tasks two a worker are taken, one more for each answer; what is under way ends with the generator."""
    numbers = count()
    running = answers(load("pretrain-5184/gold"), numbers)
    next(running)
    next(running)
    assert next(numbers) == 2 * 2 + 2
    running.close()
    until(lambda: not workers(home, WORKING))


def test_another_version_is_refused(ray, monkeypatch):
    """Workers that have another dcsim fail the run with a line that names both."""
    there = package.__version__
    monkeypatch.setattr(package, "__version__", "9.9.9")
    wanted = rf"^Ray's workers on \S+ have dcsim {re.escape(there)}, but this is dcsim 9\.9\.9: install the same"
    with pytest.raises(ray_executor.ClusterError, match=wanted):
        list(answers(load("pretrain-5184/gold"), [0]))


def test_workers_without_dcsim_are_told(tmp_path):
    """What a worker runs travels whole: where dcsim is missing, it can still say so."""
    from ray import cloudpickle

    (tmp_path / "task").write_bytes(cloudpickle.dumps(ray_executor._task("1.0", "/nowhere")))
    code = "import pickle, sys; sys.modules['dcsim'] = None; print(pickle.load(open('task', 'rb'))([], range(1))[0])"
    there = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert there.stdout == "no dcsim\n"


def test_no_usage_statistics(ray):
    """Workers see usage statistics switched off, and Ray agrees."""

    def seen():
        from ray._common.usage.usage_lib import usage_stats_enabled

        return os.environ["RAY_USAGE_STATS_ENABLED"], usage_stats_enabled()

    assert ray.get(ray.remote(seen).remote()) == ("0", False)


def test_without_ray_one_line_says_what_to_install(dcsim, monkeypatch):
    """Without the extra, --executor ray exits with 2 and one line, before it touches what is kept."""
    assert dcsim("run", "small.toml", "-n", 2).exit_code == 0
    kept = files("outputs")
    monkeypatch.setattr(ray_executor, "find_spec", lambda name: None)
    refused = dcsim("run", "small.toml", "-n", 3, "--executor", "ray")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr == "--executor ray needs the ray extra: pip install 'dcsim[ray]'\n"
    assert files("outputs") == kept


def test_an_existing_cluster_is_used_and_left_running(ray, home, tmp_path):
    """With RAY_ADDRESS a run uses that cluster: no process of its own stays, and none of the cluster's ends."""
    before = daemons(home)
    assert [len(each) for each in before.values()] == [1, 1]
    address = ray.get_runtime_context().gcs_address
    with start(
        tmp_path, "run", "pretrain-5184/gold", "-n", 4, "--executor", "ray", "--json", RAY_ADDRESS=address
    ) as run:
        out, err = run.communicate()
    assert (run.returncode, problems(err)) == (0, [])
    assert json.loads(out)["scenarios"][0]["replications"] == 4
    assert daemons(home) == before
    assert ray.get(ray.put(1)) == 1


@pytest.mark.parametrize("sign", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.exhaustive)])
def test_an_interrupted_run_ends_its_ray(tmp_path, sign):
    """Ctrl-C and SIGTERM keep what is finished, exit with 130 or 143, and leave nothing of the run's Ray."""
    with TemporaryDirectory(dir="/tmp", prefix="ray") as short:
        given = ("run", "pretrain-5184/gold", "--engine", "simpy", "-n", 100_000, "--executor", "ray", "--workers", 2)
        with start(tmp_path, *given, TMPDIR=short, RAY_ADDRESS="") as run:
            try:
                until(lambda: len([*tmp_path.rglob("part-*.parquet")]) > 1 or run.poll() is not None)
                assert processes(f"{short}/dcsim-")
            finally:
                (os.killpg if sign == signal.SIGINT else os.kill)(run.pid, sign)  # a terminal tells the whole group
            out, err = run.communicate()
        assert (run.returncode, out) == (128 + sign, ""), err
        (said,) = problems(err)
        assert re.fullmatch(r"interrupted: \d+ finished replications are kept in outputs/, and --resume .*", said)
        until(lambda: not processes(f"{short}/dcsim-"))
        assert list(Path(short).iterdir()) == []


def test_the_job_of_the_docs_runs(ray, dcsim, tmp_path):
    """The KubeRay job of the docs runs; every container is of one image and sends no usage statistics."""
    blocks = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "docs" / "clusters.md").read_text(), re.MULTILINE | re.DOTALL)
    (job,) = [job for block in blocks if (job := yaml.safe_load(block))["kind"] == "RayJob"]
    cluster = job["spec"]["rayClusterSpec"]
    pods = [group["template"]["spec"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]
    containers = [container for pod in pods for container in pod["containers"]]
    assert len({container["image"] for container in containers}) == 1
    for container in containers:
        assert {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"} in container["env"]
        assert container["resources"]["requests"] == container["resources"]["limits"]
    mounts = {mount["mountPath"]: mount["name"] for mount in containers[0]["volumeMounts"]}
    assert sorted(mounts.values()) == sorted(volume["name"] for volume in pods[0]["volumes"])
    for path in mounts:
        (tmp_path / path.strip("/")).mkdir()
    scenarios, outputs = (str(tmp_path / path.strip("/")) for path in mounts)
    (Path(scenarios) / "mine.toml").write_text((tmp_path / "small.toml").read_text())
    words = shlex.split(job["spec"]["entrypoint"])
    assert words[0] == "dcsim"
    done = dcsim(*(re.sub("^/", f"{tmp_path}/", word) for word in words[1:]), "-n", 3)
    assert (done.exit_code, problems(done.stderr)) == (0, [])
    assert any(name.endswith("all.parquet") for name in files(outputs))
