"""`dcsim check`, `schema`, `list` and `new`: about scenario files, before anything is computed."""

import json
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from dcsim.cli.options import FILES, JSON, SET, UnknownName, example, scenarios_of
from dcsim.cli.screen import out, out_json, out_page, styled
from dcsim.problems import not_one_of

if TYPE_CHECKING:
    from dcsim.scenario import Scenario


@click.command("check", epilog=example("dcsim check my.toml other.toml", "dcsim check my.toml --origins"))
@FILES
@SET
@click.option("--origins", is_flag=True, help="Also list every value that is given, and where it is from.")
def check_command(files: Sequence[str], overrides: Sequence[str], origins: bool) -> None:
    """Check scenario files and name every problem: its file and line, the key, and what is allowed.

    Exit code 2 if there is any. Of files without a problem it says what to know before they are simulated: repair that
    cannot keep up, too few spares, a formula that does not hold, and the like.
    """
    from dcsim.decide.cautions import cautions
    from dcsim.scenario import unused_keys
    from dcsim.scenario.record_cautions import records_told

    for file, scenario in zip(files, scenarios_of(files, overrides), strict=True):
        out(f"{file}: ok")
        for told in records_told(scenario):
            out(f"  {told}")
        for key in unused_keys(scenario):
            out(f"  {key} is set, but not used: the simulation of this scenario ignores it")
        for each in cautions([scenario]):
            out(f"  caution: {each.message}")
        if origins:
            _show_origins(file, scenario, overrides)


def _show_origins(file: str, scenario: "Scenario", overrides: Sequence[str]) -> None:
    """List what is no default: the key as --set takes it, the value, and the file's comment, preset or option."""
    from dcsim.scenario.provenance import DEFAULT, origins, values

    found = origins(scenario, file, overrides)
    for each in values(scenario):
        if not found[each.key].startswith(DEFAULT):
            out(f"  {each.key} = {each.text}: {found[each.key]}")


@click.command("schema", epilog=example("dcsim schema > dcsim.schema.json"))
def schema_command() -> None:
    """Print the JSON Schema of a scenario file.

    Editors complete and check TOML with it; an LSP such as taplo takes it from a first line
    `#:schema dcsim.schema.json`.
    """
    from dcsim.scenario import json_schema

    out_json(json_schema())


@click.command("list", epilog=example("dcsim list", "dcsim list strategies", "dcsim list hazards --json"))
@click.argument("topic", metavar="[TOPIC]", required=False)
@JSON
def list_command(topic: str | None, as_json: bool) -> None:
    """Print the scenarios and topologies that come with dcsim, by the names that other verbs take.

    With a TOPIC, print every kind of it and its keys with type, default, source and meaning: strategies, hazards,
    topologies, distributions, presets, or keys (all other tables of a scenario file).
    """
    if topic is not None:
        _list_topic(topic, as_json)
        return
    kinds: tuple[Literal["scenarios", "topologies"], ...] = ("scenarios", "topologies")
    found = {kind: shipped_descriptions(kind) for kind in kinds}
    if as_json:
        from dcsim.decide.estimate import SCHEMA

        out_json({"schema": SCHEMA, **found})
        return
    page = click.get_current_context().make_formatter()
    for kind, names in found.items():
        with page.section(kind.capitalize()):
            page.write_dl(list(names.items()), col_max=40)
    out_page(page.getvalue().strip())


def _list_topic(topic: str, as_json: bool) -> None:
    from dcsim.scenario.reference import TOPICS, reference

    if topic not in TOPICS:
        why = not_one_of(TOPICS, topic, f'no such topic "{topic}"')
        raise click.UsageError(why, click.get_current_context())
    if as_json:
        from dcsim.decide.estimate import SCHEMA

        out_json({"schema": SCHEMA, **reference(topic).to_json()})
        return
    from dcsim.report.reference import show_reference

    show_reference(reference(topic), styled(sys.stdout))


def shipped_descriptions(kind: Literal["scenarios", "topologies"]) -> dict[str, str]:
    """Name -> description of the shipped files of one kind."""
    import tomllib

    from dcsim.shipped import shipped_files

    files = shipped_files(kind)
    return {name: tomllib.loads(path.read_text("utf-8")).get("description", "") for name, path in files.items()}


@click.command("new", epilog=example("dcsim new mine.toml --from pretrain-5184/silver"))
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--from", "source", metavar="NAME", default="pretrain-5184/gold", show_default=True,
              help="A shipped scenario (dcsim list).")  # fmt: skip
def new_command(file: Path, source: str) -> None:
    """Write a copy of a shipped scenario to FILE, comments and sources included. Never overwrites.

    What it extends is copied too, beside FILE under its own name.
    """
    from dcsim.files import write_new
    from dcsim.shipped import shipped_files

    shipped = shipped_files("scenarios")
    if source not in shipped:
        raise UnknownName("scenario", source, shipped, "--from")
    # A name of its own: two columns of one name cannot be told apart in a comparison.
    name = json.dumps(printable_stem(file), ensure_ascii=False)
    own, *bases = extended(shipped[source])
    # And no words about a cluster that it soon is not any more.
    named = f'name = {name}\ndescription = "started from {source}"'
    content = re.sub(r"^description = .*\n", "", own.read_text("utf-8"), count=1, flags=re.M)
    content = re.sub(r"^name = .*$", lambda _: named, content, count=1, flags=re.M)
    copies = {file.parent / base.name: base.read_text("utf-8") for base in bases}
    try:
        if file in copies:
            raise click.BadParameter(f"{file} is the name of what {source} extends.", param_hint="FILE")
        for target, text in copies.items():
            if target.exists() and target.read_bytes() != text.encode():
                raise click.BadParameter(
                    f"{target}, which it extends, exists and is not overwritten.", param_hint="FILE"
                )
        write_new(file, content.encode())
        for target, text in copies.items():
            if not target.exists():
                write_new(target, text.encode())
    except FileExistsError:
        raise click.BadParameter(f"{file} exists and is not overwritten.", param_hint="FILE") from None
    except OSError as error:
        raise click.BadParameter(f"{file}: {error.strerror}.", param_hint="FILE") from None
    beside = f" with {' and '.join(map(str, copies))}, which it extends" if copies else ""
    out(f"{file}: a copy of {source}{beside}. Next: dcsim estimate {shlex.quote(str(file))}")


def extended(path: Path) -> list[Path]:
    """Return a shipped scenario's file and those that it extends, one after another."""
    import tomllib

    found = [path]
    while base := tomllib.loads(found[-1].read_text("utf-8")).get("extends"):
        found.append(found[-1].parent / base)
    return found


def printable_stem(file: Path) -> str:
    """Return a file's name without its ending and without what cannot be printed."""
    return "".join(sign for sign in file.stem if sign.isprintable()) or "mine"
