"""Runs the Slurm array of docs/clusters.md on a real Slurm, on loopback (run by scripts/try-slurm).

munged, slurmctld and slurmd run in the foreground as children of this process, with a configuration, a key, sockets
and ports of their own in a temporary folder. The two blocks of the page are run as they stand; only the CPUs of a
task are fewer, and the runs if asked for, and the node declares more memory than the machine may have. A task is
requeued in the middle of its runs. The merged run is then compared, byte for byte, with one that nobody disturbed.
"""

import argparse
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TypeVar

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "clusters.md"
DAEMONS = ("munged", "slurmctld", "slurmd")
CPUS = 2
"""Of one task here; the page's 16 are for a larger machine."""
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MOST_CPUS = 8
"""Of the node, whatever the machine has: as many CPUs as that run the page's tasks soon enough."""
RUNS = 100_000
"""Of the page."""
LIMIT_S = 180.0
"""How long one step may take; source: assumed."""
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SCENARIO = """\
name = "Mine"
horizon = "90 d"
[cluster]
topology = "gb300-nvl72"
gpus = 144
spares = 8
[[jobs]]
name = "train"
gpus = 128
[jobs.recovery]
kind = "checkpoint-restart"
checkpoint_every = "30 min"
restore = "5 min"
[[hazards]]
component = "gpu"
mtbf = "1000 h"
detect = "5 min"
repair = "1 h"
[tco]
gpu_hour = "4 USD"
"""
# autobind: a site may bind a step to the CPUs that srun asks for, so that workers share one if it asks for one
# cred_expire: a requeued job starts again when the credentials of its first start are void (default: 120 s)
CONFIGURATION = """\
ClusterName=dcsim
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={home}/munge/socket,cred_expire=5
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd.pid
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
TaskPluginParam=autobind=threads
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
JobFileAppend=1
KillWait=5
ReturnToService=2
NodeName=loopback NodeHostname={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=65536 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
Found = TypeVar("Found")


class Failure(Exception):
    """What went wrong, in one line."""


def missing() -> str | None:
    """Return why Slurm cannot be tried on this machine, in one line, or None."""
    if not all(shutil.which(name, path=_path()) for name in DAEMONS):
        return "slurm-wlm and munge are not installed"
    if os.geteuid() != 0:
        return "Slurm's daemons need root here"
    if (os.cpu_count() or 1) < CPUS:
        return f"a task of {CPUS} CPUs needs as many"
    return None


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def blocks() -> tuple[str, str]:
    """Return the page's batch script and the commands that submit it."""
    found = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    (script,) = [each for each in found if "#SBATCH --array" in each]
    (submit,) = [each for each in found if "sbatch --parsable" in each]
    return script, submit


def until(what: str, condition: Callable[[], Found | None]) -> Found:
    """Wait for something true of a function, and return it. Raises Failure after LIMIT_S."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise Failure(f"waited {LIMIT_S:.0f} s for {what}")


def files(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Slurm:
    """A Slurm of one node, in a folder: ``Slurm(home)``."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.work = home / "work"
        configuration = home / "slurm.conf"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        self.environment |= {
            "PATH": os.pathsep.join([str(home / "bin"), _path()]),
            "SLURM_CONF": str(configuration),
            "PYTHONPATH": str(ROOT),
        }
        for name in ("bin", "work", "state", "spool", "munge"):
            (home / name).mkdir()
        (home / "bin/dcsim").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m dcsim "$@"\n')
        (home / "bin/dcsim").chmod(0o755)
        # sockets are found through these two by users of any name
        for open_to_all in (home, home / "munge"):
            open_to_all.chmod(0o711)
        (home / "munge/key").write_bytes(os.urandom(128))
        (home / "munge/key").chmod(0o400)
        with ExitStack() as held:  # both at once, so that they differ
            sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
            controller, node = (each.getsockname()[1] for each in sockets)
        host = socket.gethostname().partition(".")[0]
        configuration.write_text(
            CONFIGURATION.format(
                host=host, controller=controller, node=node, home=home, cpus=min(MOST_CPUS, os.cpu_count() or 1)
            )
        )

    def call(self, *command: str) -> str:
        """Run a command of Slurm and return what it prints. Raises Failure."""
        done = subprocess.run(
            command, cwd=self.work, env=self.environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        if done.returncode:
            raise Failure(f"{shlex.join(command)}: exit {done.returncode}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def restarted(self, job: str) -> bool:
        """Whether a job was requeued."""
        return "Restarts=1" in self.call("scontrol", "show", "job", job)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start the daemons, and end them with all that they have started."""
        munge = self.home / "munge"
        own = [f"--{name}-file={munge / name}" for name in ("key", "pid", "log", "seed")]
        commands = (
            ["munged", "--foreground", f"--socket={munge / 'socket'}", *own],
            ["slurmctld", "-D", "-c", "-f", str(self.home / "slurm.conf")],
            ["slurmd", "-D", "-N", "loopback", "-f", str(self.home / "slurm.conf")],
        )
        started: list[tuple[str, subprocess.Popen[bytes]]] = []

        def runs() -> bool:
            name, daemon = started[-1]
            if daemon.poll() is not None:
                log = (self.home / f"{name}.log").read_text(errors="replace").strip().splitlines()
                raise Failure(f"{name} ended: {log[-1] if log else 'it said nothing'}")
            return True

        def node() -> str:
            with suppress(Failure):  # the controller does not answer yet
                return self.call("sinfo", "--noheader", "--format=%T").strip()
            return ""

        ready = {
            "munged": lambda: runs() and (munge / "socket").exists(),
            "slurmctld": lambda: runs() and node() != "",
            "slurmd": lambda: runs() and node() == "idle",
        }

        try:
            for command in commands:
                with (self.home / f"{command[0]}.log").open("wb") as log:
                    daemon = subprocess.Popen(
                        command, cwd=self.home, env=self.environment, stdin=subprocess.DEVNULL,
                        stdout=log, stderr=log, process_group=0,
                    )  # fmt: skip
                started.append((command[0], daemon))
                until(command[0], ready[command[0]])
            yield
        finally:
            self._end([daemon for _, daemon in started])

    def _end(self, daemons: list["subprocess.Popen[bytes]"]) -> None:
        """End the jobs first, then the daemons, the last one first, then whatever is left of them."""
        for number in STOPS:  # once is enough
            signal.signal(number, signal.SIG_IGN)
        with suppress(Failure, subprocess.SubprocessError, OSError):
            subprocess.run(
                ["scancel", "--user=root"], env=self.environment, timeout=10, capture_output=True, check=False
            )
        for daemon in reversed(daemons):
            daemon.terminate()
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        deadline = time.monotonic() + LIMIT_S
        while (left := self.processes()) and time.monotonic() < deadline:
            for each in left:
                with suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)
            time.sleep(0.1)

    def processes(self) -> dict[int, str]:
        """Return number -> command of what was started for this Slurm: it has its configuration in its environment."""
        mark = f"SLURM_CONF={self.home / 'slurm.conf'}".encode()
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found


_FOREIGN = ("SLURM", "SBATCH", "SRUN", "SALLOC", "MUNGE", "PYTHON")
"""Beginnings of variables that would reach into the tried Slurm, or that are set here."""


def try_array(slurm: Slurm, runs: int) -> None:
    """Submit the page's blocks, requeue a task in the middle, and compare the bytes. Raises Failure."""
    script, submit = (block.replace(f"-n {RUNS}", f"-n {runs}") for block in blocks())
    if script.count(f"-n {runs} ") + submit.count(f"-n {runs} ") != 2:
        raise Failure(f"{PAGE.name} does not ask for {RUNS} runs, once for the shards and once for the report")
    work = slurm.work
    (work / "mine.toml").write_text(SCENARIO)
    (work / "shards.sh").write_text(script)
    # the machine's size is the only thing that differs from the page: an option of the command line goes before #SBATCH
    (slurm.home / "bin/sbatch").write_text(f'#!/bin/sh\nexec {shutil.which("sbatch")} --cpus-per-task={CPUS} "$@"\n')
    (slurm.home / "bin/sbatch").chmod(0o755)
    slurm.call("bash", "-euc", submit)

    def kept() -> tuple[int, list[Path]]:
        """Return the number of a task that has kept some of its runs and has not finished, and its parts."""
        for shard in work.glob("shards/*.shard-*"):
            task = int(shard.name.split("-")[-3]) - 1
            parts = [*shard.glob("replications/part-*.parquet")]
            if len(parts) >= 2 and task not in tried and not (shard / "replications/all.parquet").exists():
                return task, parts
        if not slurm.call("squeue", "--noheader"):
            raise Failure("every task finished before it could be requeued: ask for more --runs")
        return 0, []

    (job,) = set(slurm.call("squeue", "--noheader", "--name=dcsim", "--format=%F").split())
    tried: set[int] = set()
    while True:
        task, parts = until("a task with some of its runs", lambda: found if (found := kept())[1] else None)
        for process, command in slurm.processes().items():
            if " dcsim run " in command and (has := len(os.sched_getaffinity(process))) < CPUS:
                raise Failure(f"a task with {CPUS} CPUs runs on {has}: {command}")
        name = f"{job}_{task}"
        slurm.call("scontrol", "requeue", name)
        until("the requeue", partial(slurm.restarted, name))
        if all(part.exists() for part in parts):
            break
        tried.add(task)  # it finished before Slurm stopped it
    print(f"requeued task {task} of the array with {len(parts)} or more of its parts kept", flush=True)

    # meanwhile, the run that nobody disturbs: the last command of the page, in a folder of its own
    alone = re.search(r"&& (dcsim run .*) --resume'", submit)
    if alone is None:
        raise Failure(f"{PAGE.name} does not end with the run of the merged shards")
    with subprocess.Popen(
        [*shlex.split(alone[1]), "-o", "undisturbed"], cwd=work, env=slurm.environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as undisturbed:  # fmt: skip
        try:
            until("the end of all jobs", lambda: not slurm.call("squeue", "--noheader"))
            _, said = undisturbed.communicate(timeout=LIMIT_S)
        finally:
            undisturbed.kill()
    if undisturbed.returncode:
        raise Failure(f"{alone[1]}: exit {undisturbed.returncode}: {said.strip()}")

    for line in slurm.call("scontrol", "--oneliner", "show", "job").splitlines():
        if "JobState=COMPLETED" not in line:
            logs = "".join(log.read_text() for log in sorted(work.glob("slurm-*.out")))
            raise Failure(f"a job did not complete: {line}\n{logs}")
    merged, whole = files(work / "outputs"), files(work / "undisturbed")
    differ = sorted(path for path in merged.keys() | whole.keys() if merged.get(path) != whole.get(path))
    if differ or not whole:
        raise Failure(f"the merged run differs from the undisturbed one in {', '.join(differ) or 'nothing: no file'}")
    print(f"merged and undisturbed run: the same {sum(map(len, whole.values())):,} bytes in {len(whole)} files")


def main() -> int:
    """Try it: exit code 0, 1 with a line of what went wrong, 2 where it cannot be tried."""
    parser = argparse.ArgumentParser(prog="scripts/try-slurm", description="Run the Slurm array of docs/clusters.md.")
    parser.add_argument("--runs", type=int, default=RUNS, help="runs in all (default: those of the page, %(default)s)")
    runs = parser.parse_args().runs
    if why := missing():
        print(f"scripts/try-slurm: {why}", file=sys.stderr)
        return 2

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in STOPS:
        signal.signal(number, interrupted)
    try:
        with tempfile.TemporaryDirectory(prefix="try-slurm-", dir="/tmp") as home:
            slurm = Slurm(Path(home))
            with slurm.running():
                print(f"{slurm.call('slurmctld', '-V').strip()} in {home}", flush=True)
                try_array(slurm, runs)
    except Failure as failure:
        print(f"scripts/try-slurm: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("scripts/try-slurm: interrupted; everything is taken down", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
