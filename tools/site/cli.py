"""Writes the page of all commands, from the very objects that read the command line."""

import inspect
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from typing import Final

import click

from shotline.client.cli.helped import ShotlineGroup
from tools.site.words import cell, code, prose, table

PROGRAMS: Final = ("shotline-hub", "shotline-broker", "shotline-dispatcher")
_INTRODUCTION: Final = """\
# Commands

All that the programs take, written from the programs themselves; `--help` says the same in a
terminal. What an operator does with them is in [Operating](../operating.md); exit codes and what
`--json` writes are [there, too](../operating.md#exit-codes).

"""


def page() -> str:
    """Return the whole page."""
    root = program("shotline")
    assert isinstance(root, ShotlineGroup)
    context = click.Context(root, info_name="shotline")
    common: set[str | None] = {option.name for option in root.params}
    parts = [_INTRODUCTION, "## shotline\n\n", _about(root)]
    parts.append("Every command takes these options, before its name or after it:\n\n")
    parts.append(_options(root, context, set()))
    for heading, commands in root.sections.items():
        parts.append(f"## {heading}\n\n")
        for command in commands:
            if not command.hidden:
                parts += _sections(command, context, common)
    parts.append("## The daemons\n\n")
    for name in daemons():
        parts += _section(program(name), click.Context(program(name), info_name=name), set())
    return "".join(parts)


@cache
def program(name: str) -> click.Command:
    """Return what reads the command line of one of the installed programs."""
    (found,) = entry_points(group="console_scripts", name=name)
    loaded = found.load()
    if name == "shotline":
        loaded = inspect.getmodule(loaded).shotline  # type: ignore[union-attr]  # behind its main
    assert isinstance(loaded, click.Command)
    return loaded


def daemons() -> list[str]:
    """Return the names of the other installed programs, the usual ones first."""
    found = entry_points(group="console_scripts")
    names = {one.name for one in found if one.value.startswith("shotline.")} - {"shotline"}
    return [*PROGRAMS, *sorted(names - set(PROGRAMS))]


def _sections(
    command: click.Command, above: click.Context, common: set[str | None]
) -> Iterator[str]:
    context = click.Context(command, info_name=command.name, parent=above)
    yield from _section(command, context, common)
    if isinstance(command, click.Group):
        shown = [one for one in command.commands.values() if not one.hidden]
        rows = [
            (_link(f"{context.command_path} {one.name}"), cell(one.get_short_help_str(limit=200)))
            for one in shown
        ]
        yield table(("command", ""), rows)
        for inner in shown:
            yield from _sections(inner, context, common)


def _link(command: str) -> str:
    return f"[{code(command)}](#{command.replace(' ', '-')})"


def _section(
    command: click.Command, context: click.Context, common: set[str | None]
) -> Iterator[str]:
    depth = context.command_path.count(" ") + 2 if " " in context.command_path else 3
    yield f"{'#' * depth} {context.command_path}\n\n"
    yield _about(command)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"```text\n{usage}\n```\n\n"
    yield _options(command, context, common)
    example = getattr(command, "example", "")
    if example:
        lines = "\n".join(line.strip() for line in example.splitlines())
        yield f"For example:\n\n```sh\n{lines}\n```\n\n"


def _about(command: click.Command) -> str:
    text = inspect.cleandoc(command.help or "").partition("\f")[0]
    paragraphs = text.split("\n\n")
    shown = [
        f"```text\n{one.removeprefix(chr(8)).strip(chr(10))}\n```"
        if one.startswith("\b")
        else prose(" ".join(one.split()))
        for one in paragraphs
    ]
    return "\n\n".join(shown) + "\n\n"


def _options(command: click.Command, context: click.Context, common: set[str | None]) -> str:
    rows = []
    for one in command.get_params(context):
        if not isinstance(one, click.Option) or one.hidden or "--help" in one.opts:
            continue
        if one.name not in common:
            said = one.get_help_record(context)
            if said is not None:
                names = " ".join(said[0].split())
                rows.append((code(names), cell(said[1])))
    return table(("option", ""), rows)
