"""Looks whether a command line is one that our programs understand, without carrying it out."""

import re
from collections.abc import Sequence

import click
from tools.site.cli import program


def fault_of(words: Sequence[str]) -> str | None:
    """Return what is wrong with a command line; None: its options and arguments exist."""
    name, *rest = words
    try:
        command = program(name)
    except ValueError:
        return f"there is no program {name}"
    try:
        _parse(command, click.Context(command, info_name=name), list(rest))
    except click.ClickException as error:
        return error.format_message()
    return None


def _parse(command: click.Command, context: click.Context, words: list[str]) -> None:
    words = [re.sub(r"^-(?=\d)", "−", word) for word in words]  # a number is no option
    group = isinstance(command, click.Group)
    context.allow_interspersed_args = not group
    given, left, _ = command.make_parser(context).parse_args(words)
    if group:
        if not left:
            return
        inner = command.get_command(context, left[0])
        if inner is None:
            raise click.UsageError(f"{context.command_path} has no command {left[0]}")
        _parse(inner, click.Context(inner, info_name=left[0], parent=context), left[1:])
        return
    if left:
        raise click.UsageError(f"{context.command_path}: too many words: {' '.join(left)}")
    if given.get("help") is True:
        return
    for parameter in command.params:
        value, _ = parameter.consume_value(context, given)
        if parameter.required and parameter.value_is_missing(value):
            raise click.UsageError(f"{context.command_path} needs {parameter.human_readable_name}")


def fault_of_mention(text: str) -> str | None:
    """Return what is wrong with a command that a sentence names, of which parts may be left out."""
    name, *rest = text.split()
    try:
        command = program(name)
    except ValueError:
        return f"there is no program {name}"
    context = click.Context(command, info_name=name)
    known = _options(command)
    for word in rest:
        if isinstance(command, click.Group) and re.fullmatch(r"[a-z][a-z_-]+", word):
            inner = command.get_command(context, word)
            if inner is None:
                return f"{context.command_path} has no command {word}"
            context = click.Context(inner, info_name=word, parent=context)
            command, known = inner, known | _options(inner)
        elif (option := re.match(r"\[?(--[a-z][a-z-]*)", word)) and option[1] not in known:
            return f"{context.command_path} has no option {option[1]}"
        elif word == "--":
            break
    return None


def _options(command: click.Command) -> set[str]:
    return {
        "--help",
        *(name for one in command.params for name in (*one.opts, *one.secondary_opts)),
    }
