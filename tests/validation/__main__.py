"""Runs the published anchors and writes what was found (run by scripts/validate)."""

import argparse
import sys
import time
from collections.abc import Sequence

from dcsim.problems import did_you_mean
from tests.validation import page
from tests.validation.registry import Anchor, Control, RegistryError, Section, sections
from tests.validation.roads import EXHAUSTIVE, Found, allowed, ask, objections, shown


def judge(anchor: Anchor, found: Found | None) -> tuple[str, bool]:
    """Return a line about an anchor, and whether it holds."""
    if found is None:
        return f"skipped  {anchor.id}: needs {anchor.needs}", True
    wrong = objections(anchor, found)
    if wrong:
        return "\n".join(f"FAILED   {anchor.id}: {each}" for each in wrong), False
    return f"holds    {anchor.id}: {shown(anchor, found)}, published {anchor.printed} ({allowed(anchor)})", True


def judge_control(control: Control, anchor: Anchor, found: Found | None) -> tuple[str, bool]:
    """Return a line about a known wrong model, and whether it fails as it must."""
    if found is None:
        return f"skipped  {control.id}: needs {anchor.needs}", True
    told = f"{control.id}: {shown(anchor, found)}, {control.of} is {anchor.printed}"
    if objections(anchor, found):
        return f"refused  {told}", True
    return f"FAILED   {told}: a known wrong model is accepted", False


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/validate", description="Hold dcsim against published figures.")
    parser.add_argument("ids", nargs="*", metavar="ID", help="only these anchors and wrong models; nothing is written")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if the pages are not what was found"
    )
    parser.add_argument(
        "--exhaustive", action="store_true", help=f"{EXHAUSTIVE} times as many runs; nothing is written"
    )
    asked = parser.parse_args(arguments)
    try:
        every = sections()
    except RegistryError as error:
        print(error, file=sys.stderr)
        return 1
    anchors = {each.id: each for section in every for each in section.anchor if each.label != "declined"}
    controls = {each.id: each for each in page.controls(every)}
    if unknown := [each for each in asked.ids if each not in anchors and each not in controls]:
        for each in unknown:
            hint = did_you_mean(each, [*anchors, *controls])
            print(f"scripts/validate: found {each}; allowed: the names in docs/validation.md{hint}", file=sys.stderr)
        return 2
    begun, fine, answers = time.monotonic(), True, {}
    for name in asked.ids or (*anchors, *controls):
        times = EXHAUSTIVE if asked.exhaustive else 1
        if name in anchors:
            answers[name] = ask(anchors[name], times)
            line, good = judge(anchors[name], answers[name])
        else:
            wrong = controls[name].wrong(anchors[controls[name].of])
            answers[name] = ask(wrong, times)
            line, good = judge_control(controls[name], wrong, answers[name])
        fine &= good
        print(line, flush=True)
    print(f"{len(answers)} in {time.monotonic() - begun:.0f} s", file=sys.stderr)
    if not fine:
        return 1
    return 0 if asked.ids or asked.exhaustive else write(every, answers, asked.check)


def write(every: Sequence[Section], answers: page.Answers, check: bool) -> int:
    """Write both pages, or compare them with what would be written."""
    targets = {
        page.PAGE: page.page(every, answers, EXHAUSTIVE),
        page.README: page.readme(page.headlines(every, answers)),
    }
    status = 0
    for path, text in targets.items():
        same = path.is_file() and path.read_text(encoding="utf-8") == text
        if not same and check:
            print(f"{path.name} is not what was found: run scripts/validate", file=sys.stderr)
            status = 1
        elif not same:
            path.write_text(text, encoding="utf-8")
            print(f"{path.relative_to(page.ROOT)} written")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
