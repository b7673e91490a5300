"""`scripts/fuzz --guided DOOR [N]`: inputs guided by which lines of dcsim they reach, by atheris (libFuzzer)."""

import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

MISSING = "scripts/fuzz --guided needs atheris (pip install atheris; it has wheels for Linux and some Pythons)"


def main(door: str, inputs: str = "10000") -> int:
    """Try inputs until one is neither let in nor refused in lines; libFuzzer then ends the process with 77."""
    if find_spec("atheris") is None:
        print(MISSING, file=sys.stderr)
        return 2
    import atheris

    with atheris.instrument_imports(include=["dcsim"], enable_loader_override=False):
        from tests.fuzz.doors import DOORS
        from tests.fuzz.judge import judged
    if door not in DOORS:
        print(f'scripts/fuzz: no such door "{door}"; allowed: {", ".join(DOORS)}', file=sys.stderr)
        return 2
    with TemporaryDirectory(prefix="dcsim-fuzz-") as scratch:
        corpus = Path(scratch) / "corpus"
        corpus.mkdir()
        for number, content in enumerate(DOORS[door].inputs()):
            (corpus / str(number)).write_bytes(content)

        def one(content: bytes) -> None:
            what, told = judged(door, content, Path(scratch))
            if told:
                raise AssertionError(f"{what}: {told}")

        atheris.Setup([sys.argv[0], str(corpus), f"-runs={inputs}", "-seed=1", "-max_len=20000"], one)
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
