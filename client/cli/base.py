"""What all commands of `shotline` share: options, positional words, asking, and exit codes.

Messages, sockets and tables are imported where a command asks and answers (see `later`).
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, ParamSpec, TypeVar

import click

from shotline.client.cli.completion import ASK_S, Known, complete
from shotline.client.cli.helped import MINUS, ShotlineCommand
from shotline.client.cli.helped import ShotlineGroup as ShotlineGroup
from shotline.client.plain import plain
from shotline.common.base import as_plain

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem
    from rich.console import Console

    from shotline.client.calls import Call
    from shotline.client.errors import SupervisorError
    from shotline.client.supervisor import Supervisor
    from shotline.common.dangers import NamedDanger
    from shotline.common.messages import Outcome, Reply
    from shotline.common.views import AnyResult

P = ParamSpec("P")
T = TypeVar("T")

DIGITS_MAX: Final = 18  # of any number that a command takes; each has its own limits besides
STILL_GOING: Final = (
    "shotline: only the waiting has ended; the run goes on: `shotline wait` waits again, "
    "`shotline abort` ends it"
)
WIDE: Final = 10_000  # of what is not a terminal: there a row is a line, however long
_SHOT_NAME: Final = re.compile(r"([A-Za-z][A-Za-z0-9_]*)/([-−]?\d+)", re.ASCII)
_TREE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NUMBER: Final = re.compile(r"-?\d+", re.ASCII)


@dataclass
class Options:
    """The options that every command has; given before the command's name or after it."""

    broker: str | None = None
    config: Path | None = None
    key_file: Path | None = None
    timeout_s: float | None = None
    on_behalf_of: str = ""
    json: bool = False
    utc: bool = False

    def supervisor(self) -> Supervisor:
        """Return a connection to the broker that counts here."""
        from shotline.client.supervisor import TIMEOUT_S, Supervisor

        return Supervisor(
            self.broker,
            config=self.config,
            key=self.key_file,
            timeout_s=TIMEOUT_S if self.timeout_s is None else self.timeout_s,
            wait_timeout_s=self.timeout_s,
            on_behalf_of=self.on_behalf_of,
        )


class _Seconds(click.FloatRange):
    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Refuse what is no number, which no limit does."""
        found: float = super().convert(value, param, ctx)
        if math.isnan(found):
            self.fail(f"{value!r} is not a number of seconds", param, ctx)
        return found


def common_options(function: Callable[P, T]) -> Callable[P, T]:
    """Add the options that every command has; they go to the `Options` of the context."""

    def note(ctx: click.Context, parameter: click.Parameter, value: object) -> None:
        if value is not None and value is not False:
            setattr(options_of(ctx), str(parameter.name), value)
            if parameter.name == "utc":
                _show_utc()

    added = (
        click.option(
            "--broker",
            metavar="ADDRESS",
            expose_value=False,
            callback=note,
            help="The broker, tcp://HOST:PORT.",
        ),
        click.option(
            "--config",
            type=click.Path(path_type=Path, dir_okay=False),
            expose_value=False,
            callback=note,
            help="The configuration file.",
        ),
        click.option(
            "--key-file",
            type=click.Path(path_type=Path, dir_okay=False),
            expose_value=False,
            callback=note,
            help="The file of the key to be let in by.",
        ),
        click.option(
            "--timeout",
            "timeout_s",
            type=_Seconds(min=0, min_open=True, max=365 * 86400),
            metavar="SECONDS",
            expose_value=False,
            callback=note,
            help="Give up after this time.",
        ),
        click.option(
            "--as",
            "on_behalf_of",
            metavar="NAME",
            expose_value=False,
            callback=note,
            help="For whom the command is given; the audit has it beside you.",
        ),
        click.option(
            "--json",
            is_flag=True,
            expose_value=False,
            callback=note,
            help="Write one JSON object.",
        ),
        click.option(
            "--utc",
            is_flag=True,
            envvar="SHOTLINE_UTC",
            expose_value=False,
            callback=note,
            help="Show times in UTC, not in local time.  [env SHOTLINE_UTC]",
        ),
    )
    for option in reversed(added):
        function = option(function)
    return function


def _show_utc() -> None:
    from datetime import UTC

    from shotline.client.text import show_in

    show_in(UTC)


def command(
    name: str, *, example: str, hidden: bool = False
) -> Callable[[Callable[P, None]], ShotlineCommand]:
    """Make a function a command with the common options."""

    def decorate(function: Callable[P, None]) -> ShotlineCommand:
        made = click.command(name, cls=ShotlineCommand, example=example, hidden=hidden)(
            common_options(function)
        )
        assert isinstance(made, ShotlineCommand)
        return made

    return decorate


def options_of(ctx: click.Context | None = None) -> Options:
    """Return the options of this invocation."""
    return (ctx or click.get_current_context()).ensure_object(Options)


def words(
    metavar: str, *, required: bool = False, new_shot: bool = False
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Add positional words; `TREE/SHOT` counts as the two words TREE SHOT.

    The shell completes them by the metavar; with `new_shot` SHOT is one that is still to be made.
    """
    kinds = metavar.replace("SHOT", "NEW_SHOT") if new_shot else metavar

    def split(_: click.Context, __: click.Parameter, value: Sequence[str]) -> tuple[str, ...]:
        found: list[str] = []
        for word in value:
            shot = _SHOT_NAME.fullmatch(word)
            found += map(signed, [word] if shot is None else shot.groups())
        return tuple(found)

    def completed(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return complete(kinds, ctx.params.get("given") or (), incomplete, known(ctx))

    return click.argument(
        "given",
        nargs=-1,
        metavar=metavar,
        required=required,
        callback=split,
        shell_complete=completed,
    )


def known(ctx: click.Context) -> Known:
    """Return what may be completed with the options that this command line has so far."""
    options = options_of(ctx)
    return Known(options.config, replace(options, timeout_s=ASK_S).supervisor)


def signed(word: str) -> str:
    """Return a word with its sign, where `ShotlineCommand` has taken it."""
    return "-" + word[1:] if word.startswith(MINUS) and word[1:].isdecimal() else word


def wrong(message: str) -> NoReturn:
    """End with a usage error."""
    raise click.UsageError(message, click.get_current_context(silent=True))


class NamedShot(NamedTuple):
    """A shot as it was named on the command line."""

    tree: str
    shot: int


class ShotName(click.ParamType):  # type: ignore[type-arg]  # older clicks have none
    """A shot as one word, `TREE/SHOT`, where a command takes several or has it in an option."""

    name = "TREE/SHOT"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> NamedShot:
        """Return the shot. Fail when it is none."""
        if isinstance(value, NamedShot):
            return value
        found = _SHOT_NAME.fullmatch(str(value))
        if found is None:
            self.fail(f"{plain(str(value))!r} is no shot: write TREE/SHOT, as TEST/42", param, ctx)
        return NamedShot(found[1].upper(), shot_number(signed(found[2])))

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """Return trees, and once there is a slash their shots."""
        return complete("TREE", (), incomplete, known(ctx))


SHOT: Final = ShotName()


def shot_number(word: str) -> int:
    """Return a shot number. End with a usage error when it is none."""
    return whole_number(word, "the shot")


def whole_number(word: str, what: str) -> int:
    """Return an integer. End with a usage error when it is none."""
    if not _NUMBER.fullmatch(word):
        wrong(f"{what} must be a whole number, not {plain(word)!r}")
    if len(word) > DIGITS_MAX:
        wrong(f"{what} must have at most {DIGITS_MAX} digits, not {len(word.lstrip('-'))}")
    return int(word)


def optional_shot(given: Sequence[str]) -> tuple[str | None, int | None]:
    """Return [TREE/SHOT]."""
    if not given:
        return None, None
    if len(given) != 2:
        wrong("give both TREE and SHOT, as TREE/SHOT, or neither for the current pulse")
    return given[0], shot_number(given[1])


def and_shot(given: Sequence[str], *before: str) -> tuple[list[str], str | None, int | None]:
    """Return the words that are required, and the [TREE/SHOT] behind or, as well, before them.

    path, tree, shot = and_shot(given, "PATH")
    """
    count = len(before)
    if len(given) == count:
        return list(given), None, None
    if len(given) != count + 2:
        wrong(f"give {' '.join(before)} [TREE/SHOT], got {len(given)} words")
    if not _is_shot(given[-2:]) and (_is_shot(given[:2]) or not _TREE.fullmatch(given[-2])):
        return list(given[2:]), given[0], shot_number(given[1])
    return list(given[:-2]), given[-2], shot_number(given[-1])


def _is_shot(given: Sequence[str]) -> bool:
    return bool(_TREE.fullmatch(given[0]) and _NUMBER.fullmatch(given[1]))


def say(text: str, *, err: bool = False) -> None:
    """Write a line for the operator, in the encoding that the stream has."""
    print(text, file=sys.stderr if err else sys.stdout, flush=True)


def console() -> Console:
    """Return a console that shows text as it is: no markup, and not cut off a terminal."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else WIDE
    return Console(markup=False, emoji=False, highlight=False, width=width)


@dataclass(frozen=True)
class Heard:
    """A reply as it came, with what it carries."""

    reply: Reply
    result: AnyResult | None


def ask(call: Call[T], supervisor: Supervisor | None = None) -> Heard:
    """Send a command and return its reply, whatever its outcome. Raise SupervisorError."""
    from shotline.client.calls import Call

    told = Call(call.command, Heard, call.long)
    if supervisor is not None:
        return supervisor.ask(told)
    with options_of().supervisor() as own:
        try:
            return own.ask(told)
        except KeyboardInterrupt:
            if call.long:
                say(STILL_GOING, err=True)
            raise


def send(call: Call[T], show: Callable[[Console, AnyResult], None] | None = None) -> None:
    """Send a command, show its reply, and end with the exit code of its outcome."""
    finish(ask(call), show)


def finish(told: Heard, show: Callable[[Console, AnyResult], None] | None = None) -> None:
    """Show a reply, and end with the exit code of its outcome."""
    from shotline.common.messages import EXIT_CODES

    reply, result = told.reply, told.result
    code = EXIT_CODES[reply.outcome]
    if options_of().json:
        said = as_json(reply.outcome, reply.message, reply.notices, reply.result, reply.dangers)
        say(json.dumps(said))
    else:
        out = console()
        if result is not None and show is not None:
            show(out, result)
        for notice in reply.notices:
            say(f"note: {plain(notice)}", err=True)
        if reply.message:
            bad = code not in (0, 5)
            say(f"{'shotline: ' if bad else ''}{quoted(reply.message)}", err=bad)
    if code:
        raise click.exceptions.Exit(code)


def as_json(
    outcome: Outcome,
    message: str,
    notices: Sequence[str] = (),
    result: bytes = b"",
    dangers: Sequence[NamedDanger] = (),
) -> dict[str, object]:
    """Return what `--json` writes."""
    from shotline.common.messages import EXIT_CODES

    return {
        "outcome": outcome.value,
        "exit_code": EXIT_CODES[outcome],
        "message": message,
        "notices": list(notices),
        "dangers": [as_plain(one) for one in dangers],
        "result": json.loads(result) if result else None,
    }


def plain_lines(text: str) -> str:
    """Return text whose lines are kept and whose control characters are shown."""
    return "\n".join(plain(line) for line in text.split("\n"))


def quoted(text: str) -> str:
    """Return what a peer says: a line in it does not stand as if it were one of ours."""
    return plain_lines(text).replace("\n", "\n    ")


def show_error(error: SupervisorError, *, as_object: bool) -> int:
    """Write an error for the operator and return its exit code."""
    if as_object:
        say(json.dumps(as_json(error.outcome, str(error), error.notices)))
    else:
        say(f"shotline: {quoted(str(error))}", err=True)
        for notice in error.notices:
            say(f"note: {plain(notice)}", err=True)
    return error.exit_code
