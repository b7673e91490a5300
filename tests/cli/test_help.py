"""Help of every verb, the verbs of verbs included: an example that its own command line takes, within 80 columns."""

import shlex

import click
import pytest

from dcsim.cli import app


def verbs(group, path=()):
    """Yield (path, command) of a group and of everything below it."""
    yield path, group
    if isinstance(group, click.Group):
        for name in group.list_commands(click.Context(group)):
            found = group.get_command(click.Context(group), name)
            assert found is not None
            yield from verbs(found, (*path, name))


VERBS = dict(verbs(app))


def examples(text):
    """Return the command lines at the end of a help text, without their redirections."""
    _, title, lines = text.rpartition("Example")
    assert title, "no example"
    lines = lines.partition(":")[2].split("\n\n")[0].strip().splitlines()
    split = [shlex.split(line) for line in lines if line.strip()]
    return [words[: words.index(">")] if ">" in words else words for words in split]


def test_all_verbs_are_found():
    """The walk sees the verbs and those of `topology`."""
    assert {("run",), ("compare",), ("merge",), ("topology",), ("topology", "show"), ("topology", "import")} <= set(
        VERBS
    )


@pytest.mark.parametrize("path", VERBS, ids=lambda path: " ".join(path) or "dcsim")
def test_help_has_examples_that_parse(dcsim, path):
    """Every help ends with example lines; each starts with the verb, and click takes its options and arguments."""
    done = dcsim(*path, "--help")
    assert done.exit_code == 0
    for words in examples(done.stdout):
        assert words[: len(path) + 1] == ["dcsim", *path]
        context, rest = click.Context(app, info_name="dcsim"), words[1:]
        command = app
        while isinstance(command, click.Group) and rest:
            name, command, rest = command.resolve_command(context, rest)
            context = click.Context(command, info_name=name, parent=context)
        assert not isinstance(command, click.Group), f"{words} ends before a verb"
        options = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
        assert {word for word in rest if word.startswith("-") and word != "-"} <= options | {"-h", "--help"}
        arguments = [each for each in command.params if isinstance(each, click.Argument) and each.required]
        assert len([word for word in rest if not word.startswith("-")]) >= len(arguments)


@pytest.mark.parametrize("path", VERBS, ids=lambda path: " ".join(path) or "dcsim")
def test_help_fits_80_columns(dcsim, monkeypatch, path):
    """In a terminal of 80 columns no line is wider, but for an example, which is one line to copy."""
    monkeypatch.setenv("COLUMNS", "80")
    text = dcsim(*path, "--help").stdout
    assert [line for line in text.splitlines() if len(line) > 80 and not line.strip().startswith("dcsim ")] == []
