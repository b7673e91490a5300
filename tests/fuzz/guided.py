"""`scripts/fuzz --guided DOOR [N]`: inputs guided by which lines of dcsim they reach, by atheris (libFuzzer).

Half of the changes are libFuzzer's, the others those of scripts/fuzz, which keep TOML and parquet whole more often.
A wrong input is kept in outputs/fuzz.
"""

import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

KEPT = Path("outputs/fuzz")
MISSING = "scripts/fuzz --guided needs atheris (pip install atheris; it has wheels for Linux and some Pythons)"


def main(door: str, inputs: str = "10000") -> int:
    """Try inputs until one is neither let in nor refused in lines; libFuzzer then ends the process with 77."""
    if find_spec("atheris") is None:
        print(MISSING, file=sys.stderr)
        return 2
    import atheris

    with atheris.instrument_imports(include=["dcsim"], enable_loader_override=False):
        from tests.fuzz.doors import DOORS
        from tests.fuzz.judge import altered, judged
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

        def mutated(content: bytes, most: int, number: int) -> bytes:
            rng = np.random.default_rng(number)
            if rng.random() < 0.5:
                return bytes(atheris.Mutate(content, most))
            ops = rng.integers(0, 2**20, (int(rng.geometric(0.5)), 3)).tolist()
            return altered(door, content, bool(rng.integers(2)), ops)[:most]

        KEPT.mkdir(parents=True, exist_ok=True)
        longest = 2 * max(map(len, DOORS[door].inputs()))
        options = [f"-runs={inputs}", "-seed=1", f"-max_len={longest}", f"-artifact_prefix={KEPT}/{door}-"]
        atheris.Setup([sys.argv[0], str(corpus), *options], one, custom_mutator=mutated)
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
