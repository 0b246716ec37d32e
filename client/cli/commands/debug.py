"""The command of `shotline` for rehearsals: `debug`."""

import socket
from typing import TYPE_CHECKING, cast

import click

from shotline.client.cli import later
from shotline.client.cli.base import ask, command, finish, options_of, words, wrong

if TYPE_CHECKING:
    from shotline.client.local.rehearsing import What

_FORMS = "hang DAEMON or crash DAEMON"


@command("debug", example="shotline debug hang hub\nshotline debug crash MAGNETS:1")
@words("VERB DAEMON", required=True)
def debug(given: tuple[str, ...]) -> None:
    """Let a daemon of this machine hang, or end as by a crash, to see what happens then.

    VERB is `hang` (its loop stands still for good, while its sockets stay open) or `crash` (it is
    killed at once). DAEMON is hub, broker, dispatcher, monitor, a bridge, or a server CLASS:ID. It
    is off unless the configuration has `rehearsals: true` under `debug`; it takes a key of
    operators, and the audit has it. What watches over the daemon, systemd or `shotline up`, starts
    it again.
    """
    if len(given) != 2 or given[0] not in ("hang", "crash"):
        wrong(f"give {_FORMS}")
    what = cast("What", given[0])
    file = later.config.find_config(options_of().config)
    daemons = later.daemons.Daemons(later.config.load_config(file), file)
    process = later.rehearsing.found(daemons, given[1], what)
    heard = ask(later.rehearsing.asked(what, given[1], socket.gethostname()))
    if heard.reply.outcome is later.messages.Outcome.OK:
        later.rehearsing.carry_out(process, what)
    finish(heard)


COMMANDS: tuple[click.Command, ...] = (debug,)
