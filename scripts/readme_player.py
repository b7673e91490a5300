"""Plays command lines and Python sources for readme.py, each in a process of its own that is forked from this one.

This process has read the program and its libraries once. A step therefore begins at once, where a new interpreter
would first import them for longer than most steps take. It shares nothing else with the steps before it.

A line on stdin is a step in JSON: ``folder``, ``out`` and ``err`` (files for its two streams), ``variables`` (of its
environment, beside those of this process), and ``arguments`` (of the command line) or ``source`` (Python). Its exit
code follows as a line on stdout.
"""

import gc
import json
import os
import pkgutil
import sys
import traceback
from importlib import import_module
from typing import Any

import dcsim

LIBRARIES = (
    "jinja2", "llvmlite.binding", "networkx", "pyarrow.csv", "pyarrow.parquet", "rich.table", "scipy.optimize",
    "scipy.stats", "tomli_w", "yaml",
)  # fmt: skip
"""What the program imports where it first uses it."""


def read_all() -> None:
    """Import the modules of the program, which do nothing when they are imported, and its libraries.

    Its garbage collector leaves them alone from then on, so that forked processes go on sharing them.
    """
    inside = (each.name for each in pkgutil.walk_packages(dcsim.__path__, "dcsim."))
    for name in (*LIBRARIES, *inside):
        import_module(name)
    gc.freeze()


def next_step() -> dict[str, Any]:
    """Fork a process for each line of stdin; return in it what it plays. This process ends with stdin."""
    for line in sys.stdin:
        child = os.fork()
        if not child:
            return dict(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    sys.exit()


def begin(step: dict[str, Any]) -> None:
    """Give this process the folder, the variables and the streams of its step."""
    os.chdir(step["folder"])
    os.environ |= step["variables"]
    for descriptor, name in enumerate((os.devnull, step["out"], step["err"])):
        opened = os.open(name, os.O_RDWR)
        os.dup2(opened, descriptor)
        os.close(opened)


def play(step: dict[str, Any]) -> int:
    """Play a step as an interpreter of its own would; return its exit code."""
    try:
        if "source" in step:
            exec(compile(step["source"], "<string>", "exec"), {"__name__": "__main__"})
        else:
            sys.argv = ["dcsim", *step["arguments"]]
            dcsim.cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    read_all()
    step = next_step()
    begin(step)
    code = play(step)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # an interpreter that ends in order visits all that it has imported
