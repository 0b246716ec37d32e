"""The commands of `shotline queue`: the programme of pulses that run one after the other."""

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, ParamSpec, TypeVar

import click

from shotline.client.cli import later
from shotline.client.cli.base import (
    ShotlineGroup,
    command,
    common_options,
    options_of,
    say,
    send,
    signed,
    wrong,
)

if TYPE_CHECKING:
    from shotline.client.supervisor import Supervisor
    from shotline.common.queue.plans import HistoryItem

P = ParamSpec("P")
T = TypeVar("T")
Wrap = Callable[[Callable[P, T]], Callable[P, T]]

_NAMED: Final = re.compile(r"[A-Za-z_]\w*=")

UID = click.argument("uid")
UIDS = click.argument("uids", nargs=-1, required=True, metavar="UID...")
WAIT = click.option("--wait", is_flag=True, help="Return at its end; exit code 5 when it failed.")


@click.group(
    "queue",
    cls=ShotlineGroup,
    example="shotline queue add ohmic current_ka=400\nshotline queue start --wait",
)
@common_options
def queue() -> None:
    """The pulse queue: plans of pulses that run one after the other.

    A plan is of a kind that the configuration declares, with parameters NAME=VALUE, or names an
    experiment and its phases.
    """


def _asking(function: Callable[..., T]) -> Callable[..., T]:
    """Add the options of every command that changes something."""
    added = (
        click.option("--group", default="", metavar="GROUP", help="Of which group of users."),
        click.option("--key", "lock_key", default="", metavar="KEY", help="The lock's key."),
        click.option(
            "--version",
            type=click.IntRange(min=0),
            help="Refuse it when the queue is no longer at this version.",
        ),
    )
    for option in reversed(added):
        function = option(function)
    return function


def _placing(function: Callable[..., T]) -> Callable[..., T]:
    added = (
        click.option(
            "--position", "place", metavar="N", help="front, back, or a number from 0; -1 … behind."
        ),
        click.option("--before", metavar="UID", help="Before this entry."),
        click.option("--after", metavar="UID", help="After this entry."),
    )
    for option in reversed(added):
        function = option(function)
    return function


def _planning(function: Callable[..., T]) -> Callable[..., T]:
    """Add what a plan consists of."""
    added = (
        click.argument("given", nargs=-1, metavar="[KIND] [NAME=VALUE]..."),
        click.option("--experiment", metavar="TREE", help="Its experiment."),
        click.option("--shot", metavar="N", help="A shot number; default: next."),
        click.option(
            "--phases",
            metavar="A,B,C",
            help="Its phases; `STORE?` on success only, `DUMP!` on failure only, `PARK+` closing.",
        ),
        click.option("--repeat", type=click.IntRange(min=1), help="Run it so many times."),
        click.option(
            "--existing",
            type=click.Choice(["refuse", "use", "replace"]),
            help="What becomes of a pulse that exists.",
        ),
        click.option("--note", default="", help="For people."),
        click.option("--meta", multiple=True, metavar="NAME=VALUE", help="Kept with it."),
        click.option("--stop", is_flag=True, help="A stop: the queue stops when it comes to it."),
    )
    for option in reversed(added):
        function = option(function)
    return function


def _plan(given: Sequence[str], options: dict[str, Any]) -> dict[str, Any]:
    """Return a plan of a command line's words and options, which are taken out."""
    names = ("experiment", "shot", "phases", "repeat", "existing", "note", "meta", "stop")
    found = {name: options.pop(name) for name in names}
    if found.pop("stop"):
        return {"type": "stop", "note": found["note"]}
    shot, phases, meta = found.pop("shot"), found.pop("phases"), found.pop("meta")
    plan = {name: value for name, value in found.items() if value}
    words = list(given)
    if words and "=" not in words[0]:
        plan["kind"] = words.pop(0)
    plan["parameters"] = dict(map(_pair, words))
    if meta:
        plan["meta"] = dict(map(_pair, meta))
    if shot is not None and shot != "next":
        if not shot.isdecimal():
            wrong(f"the shot must be a number or `next`, not {shot!r}")
        plan["shot"] = int(shot)
    if phases is not None:
        plan["phases"] = [_phase(word) for word in phases.split(",") if word]
    return plan


def _phase(word: str) -> dict[str, Any]:
    closing = word.endswith("+")
    word = word.removesuffix("+")
    when = {"?": "on_success", "!": "on_failure"}.get(word[-1:], "always")
    return {"phase": word.rstrip("?!"), "when": when, "closing": closing}


def _pair(word: str) -> tuple[str, Any]:
    name, sign, text = word.partition("=")
    if not sign:
        wrong(f"give NAME=VALUE, not {word!r}")
    return name, _value(text)


def _value(text: str) -> Any:
    """Return what a word stands for: JSON where it is some, else text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _place(options: dict[str, Any]) -> None:
    place = options.pop("place")
    if place is None or place in ("front", "back"):
        options["position"] = place
        return
    if not place.replace("−", "-").lstrip("-").isdecimal():
        wrong(f"a position is front, back, or a number, not {place!r}")
    options["position"] = int(place.replace("−", "-"))


def _plans_of(file: str) -> list[Any]:
    """Return the plans of a YAML or JSON file."""
    given = sys.stdin.buffer.read() if file == "-" else None
    try:
        content = Path(file).read_bytes() if given is None else given
    except OSError as error:
        wrong(f"{file}: {error.strerror or error}")
    found = later.yamlfile.parse_yaml(content, Path(file)).data
    plans = found.get("plans") if isinstance(found, dict) else found
    if not isinstance(plans, list) or not plans:
        wrong(f"{file}: give a list of plans, or `plans:` with one")
    return plans


# What is in it


@command(
    "add",
    example="shotline queue add ohmic current_ka=400\nshotline queue add --experiment "
    "DEMO --phases INIT,PULSE,STORE",
)
@_planning
@_placing
@_asking
def add(given: tuple[str, ...], **options: Any) -> None:
    """Add a plan to the queue, by default at its back."""
    plan = _plan(given, options)
    _place(options)
    send(later.queue_verbs.queue_add(plan, **options), later.queue_view.show_entries)


@command("batch", example="shotline queue batch today.yaml")
@click.argument("file")
@_placing
@_asking
def batch(file: str, **options: Any) -> None:
    """Add the plans of a YAML or JSON file (-: standard input), all or none."""
    _place(options)
    send(later.queue_verbs.queue_add(_plans_of(file), **options), later.queue_view.show_entries)


@command("propose", example="shotline queue propose ohmic current_ka=450")
@_planning
@_asking
def propose(given: tuple[str, ...], **options: Any) -> None:
    """Propose a plan: it waits until somebody approves it."""
    plan = _plan(given, options)
    send(later.queue_verbs.queue_propose(plan, **options), later.queue_view.show_entries)


@command("approve", example="shotline queue approve 3fa9c2d41b07 --position front")
@UIDS
@_placing
@_asking
def approve(uids: tuple[str, ...], **options: Any) -> None:
    """Put proposals into the queue."""
    _place(options)
    send(later.queue_verbs.queue_approve(uids, **options), later.queue_view.show_entries)


@command("update", example="shotline queue update 3fa9c2d41b07 ohmic current_ka=420")
@UID
@_planning
@_asking
def update(uid: str, given: tuple[str, ...], **options: Any) -> None:
    """Give an entry another plan."""
    plan = _plan(given, options)
    send(later.queue_verbs.queue_update(uid, plan, **options), later.queue_view.show_entries)


@command("replace", example="shotline queue replace 3fa9c2d41b07 ohmic current_ka=420")
@UID
@_planning
@_asking
def replace(uid: str, given: tuple[str, ...], **options: Any) -> None:
    """Put another plan in an entry's place, with a uid of its own."""
    plan = _plan(given, options)
    call = later.queue_verbs.queue_update(uid, plan, replace=True, **options)
    send(call, later.queue_view.show_entries)


@command("move", example="shotline queue move 3fa9c2d41b07 --position front")
@UIDS
@_placing
@click.option("--reorder", is_flag=True, help="In the queue's order, not in the given one.")
@_asking
def move(uids: tuple[str, ...], **options: Any) -> None:
    """Move entries, all or none; a position is where they end up."""
    _place(options)
    send(later.queue_verbs.queue_move(uids, **options), later.queue_view.show_entries)


@command("remove", example="shotline queue remove 3fa9c2d41b07")
@click.argument("uids", nargs=-1, metavar="[UID]...")
@click.option("--ignore-missing", is_flag=True, help="Also where some are not there.")
@_asking
def remove(uids: tuple[str, ...], **options: Any) -> None:
    """Take entries or proposals out; without UID the last entry."""
    call = later.queue_verbs.queue_remove(uids or None, **options)
    send(call, later.queue_view.show_entries)


@command("clear", example="shotline queue clear")
@_asking
def clear(**options: Any) -> None:
    """Take all entries out of the queue."""
    send(later.queue_verbs.queue_clear(**options))


@command("release", example="shotline queue release 3fa9c2d41b07 --as 'A. Miller'")
@UIDS
@_asking
def release(uids: tuple[str, ...], **options: Any) -> None:
    """Let HELD entries run again; whoever asks is named with them."""
    send(later.queue_verbs.queue_release(uids, **options), later.queue_view.show_entries)


@command("list", example="shotline queue list")
def list_entries() -> None:
    """Show the entries in their order, the running one, and the proposals."""
    send(later.queue_verbs.queue_list(), later.queue_view.show_list)


@command("show", example="shotline queue show 3fa9c2d41b07")
@UID
def show(uid: str) -> None:
    """Show one entry, all of it."""
    send(later.queue_verbs.queue_get(uid), later.queue_view.show_whole)


# How it goes on


@command("start", example="shotline queue start --wait")
@WAIT
@_asking
def start(**options: Any) -> None:
    """Arm the queue: its entries run one after the other."""
    send(later.queue_verbs.queue_start(**options), later.queue_view.show_queue)


@command("stop", example="shotline queue stop")
@_asking
def stop(**options: Any) -> None:
    """Stop the queue after the running plan."""
    send(later.queue_verbs.queue_stop(**options))


@command("cancel-stop", example="shotline queue cancel-stop")
@_asking
def cancel_stop(**options: Any) -> None:
    """Do not stop the queue after this plan, after all."""
    send(later.queue_verbs.queue_stop(cancel=True, **options))


@command("pause", example="shotline queue pause\nshotline queue pause --immediate")
@click.option("--immediate", is_flag=True, help="At once: what runs is aborted.")
@_asking
def pause(**options: Any) -> None:
    """Pause the running plan, before its next phase or sequence number."""
    send(later.queue_verbs.queue_pause(**options))


@command("resume", example="shotline queue resume --again")
@click.option("--again", "aborted", flag_value="again", help="Run again what was aborted for it.")
@click.option("--leave", "aborted", flag_value="leave", help="Leave that as it is.")
@_asking
def resume(**options: Any) -> None:
    """Let the paused plan go on."""
    send(later.queue_verbs.queue_resume(**options))


def _ending(name: str, how: Literal["stop", "abort", "halt"], words: str) -> click.Command:
    def end(reason: tuple[str, ...], **options: Any) -> None:
        call = later.queue_verbs.queue_end(how, " ".join(reason), **options)
        send(call, later.queue_view.show_ended)

    end.__doc__ = words
    wrapped = WAIT(_asking(end))
    wrapped = click.argument("reason", nargs=-1, metavar="[REASON]...")(wrapped)
    return command(name, example=f"shotline queue {name} plasma lost --wait")(wrapped)


stop_plan = _ending("stop-plan", "stop", "End the running plan in order, with its closing phases.")
abort = _ending("abort", "abort", "Abort what the plan runs; its closing phases still run.")
halt = _ending("halt", "halt", "Abort what the plan runs; nothing more of it runs.")


@command("mode", example="shotline queue mode --loop --no-ignore-failures")
@click.option("--loop/--no-loop", default=None, help="What completed goes to the back again.")
@click.option(
    "--ignore-failures/--no-ignore-failures", default=None, help="Go on after a failed plan."
)
@_asking
def mode(**options: Any) -> None:
    """Set how the queue goes on by itself."""
    send(later.queue_verbs.queue_mode(**options), later.queue_view.show_queue)


@command("autostart", example="shotline queue autostart on")
@click.argument("switch", type=click.Choice(["on", "off"]))
@_asking
def autostart(switch: str, **options: Any) -> None:
    """Arm the queue by itself whenever something may run."""
    send(later.queue_verbs.queue_autostart(enable=switch == "on", **options))


@command("execute", example="shotline queue execute ohmic current_ka=400 --wait")
@_planning
@WAIT
@_asking
def execute(given: tuple[str, ...], **options: Any) -> None:
    """Run a plan now, past the queue."""
    plan = _plan(given, options)
    call = later.queue_verbs.queue_execute(plan, **options)
    send(call, later.queue_view.show_ended)


@command("environment", example="shotline queue environment open --wait")
@click.argument("act", type=click.Choice(["open", "close", "destroy", "reload", "status"]))
@click.argument("classes", nargs=-1, metavar="[CLASS]...")
@WAIT
@_asking
def environment(
    act: Literal["open", "close", "destroy", "reload", "status"],
    classes: tuple[str, ...],
    **options: Any,
) -> None:
    """Open, close, destroy or reload the workers of the servers that the queue needs."""
    if act == "status":
        send(later.queue_verbs.queue_status(), later.queue_view.show_environment)
        return
    call = later.queue_verbs.queue_environment(act, classes, **options)
    send(call, later.queue_view.show_environment)


# Who may


@command("lock", example="shotline queue lock SECRET --queue --note 'calibration'")
@click.argument("key")
@click.option("--queue", is_flag=True, help="What is in it, and its modes.")
@click.option("--environment", is_flag=True, help="What runs.")
@click.option("--note", default="", help="Why, for others.")
def lock(key: str, **options: Any) -> None:
    """Lock the queue, or what runs, or both, for all who have not this KEY."""
    send(later.queue_verbs.queue_lock(key, **options))


@command("unlock", example="shotline queue unlock SECRET")
@click.argument("key")
def unlock(key: str) -> None:
    """Take the lock away, with its KEY or the emergency key."""
    send(later.queue_verbs.queue_unlock(key))


@command("lock-info", example="shotline queue lock-info")
@click.argument("key", default="")
def lock_info(key: str) -> None:
    """Show who has locked what; with KEY, whether it is the lock's."""
    send(later.queue_verbs.queue_lock_info(key), later.queue_view.show_lock)


@command("allowed", example="shotline queue allowed --group visitors")
@click.option("--group", default="", metavar="GROUP", help="Of which group of users.")
def allowed(group: str) -> None:
    """Show what a group may use."""
    send(later.queue_verbs.queue_allowed(group), later.queue_view.show_allowed)


@command("kinds", example="shotline queue kinds")
def kinds() -> None:
    """Show the kinds of plans, with their parameters."""
    send(later.queue_verbs.queue_kinds(), later.queue_view.show_kinds)


# What became of it


@command("history", example="shotline queue history --last 20")
@click.option("--last", type=click.IntRange(min=1), help="Only so many.")
@click.option("--all", is_flag=True, help="Also those that are hidden.")
def history(**options: Any) -> None:
    """Show the plans that have ended, the latest last."""
    send(later.queue_verbs.queue_history(**options), later.queue_view.show_history)


@command("hide-history", example="shotline queue hide-history --keep 10")
@click.option("--keep", type=click.IntRange(min=0), help="So many last ones stay shown.")
@click.option("--until", metavar="UID", help="Those behind this one stay shown.")
@_asking
def hide_history(**options: Any) -> None:
    """Begin the view of the history anew; nothing is lost."""
    send(later.queue_verbs.queue_hide_history(**options))


@command("export", example="shotline queue export --csv --by run > today.csv")
@click.option("--csv", "as_csv", is_flag=True, help="CSV; else one JSON object in each line.")
@click.option(
    "--by",
    type=click.Choice(["plan", "run", "action"]),
    default="plan",
    show_default=True,
    help="One row for each.",
)
@click.option("--last", type=click.IntRange(min=1), help="Only so many plans.")
@click.option("--all", is_flag=True, help="Also those that are hidden.")
def export(as_csv: bool, by: str, **options: Any) -> None:  # noqa: FBT001
    """Write the history as JSON lines or CSV; actions are those of shots that are still kept."""
    with options_of().supervisor() as supervisor:
        items: tuple[HistoryItem, ...] = supervisor.queue_history(**options).items
        for line in later.queue_export.head(by, as_csv=as_csv):
            say(line)
        for item in items:
            for row in _rows(supervisor, item, by):
                say(later.queue_export.line(row, by, as_csv=as_csv))


def _rows(supervisor: "Supervisor", item: "HistoryItem", by: str) -> Iterator[dict[str, Any]]:
    if by == "plan":
        yield later.queue_export.plan_row(item)
        return
    for run in item.result.runs:
        if by == "run":
            yield later.queue_export.run_row(item, run)
            continue
        try:
            report = supervisor.wait(run.tree, run.shot, run.run)
        except later.errors.SupervisorError as error:
            say(f"shotline: {run.tree}/{run.shot} run {run.run}: {error}", err=True)
            continue
        yield from later.queue_export.action_rows(item, run, report)


@command("status", example="shotline queue status")
def status() -> None:
    """Show how the queue stands, what it does and why."""
    send(later.queue_verbs.queue_status(), later.queue_view.show_queue)


@command("watch", example="shotline queue watch")
def watch() -> None:
    """Show what happens to the queue, until Ctrl-C."""
    with options_of().supervisor() as supervisor:
        later.queue_view.watch(supervisor, as_json=options_of().json)


# Tasks


@click.group("task", cls=ShotlineGroup)
@common_options
def task() -> None:
    """Functions that the configuration names, called in a worker of a server."""


@command("run", example="shotline queue task run calibrate 3 current_ka=400 --wait")
@click.argument("function")
@click.argument("arguments", nargs=-1, metavar="[VALUE]... [NAME=VALUE]...")
@click.option("--background", is_flag=True, help="Also while a plan runs.")
@WAIT
@_asking
def run_task(function: str, arguments: tuple[str, ...], **options: Any) -> None:
    """Call a function, with arguments in its order, by name, or both."""
    named = [word for word in arguments if _NAMED.match(word)]
    positional = [_value(signed(word)) for word in arguments if not _NAMED.match(word)]
    if list(arguments[len(positional) :]) != named:
        wrong("arguments in the function's order stand before those by name")
    call = later.queue_verbs.queue_run_task(
        function, dict(map(_pair, named)), positional=positional, **options
    )
    send(call, later.queue_view.show_tasks)


@command("status", example="shotline queue task status")
@click.argument("uids", nargs=-1, metavar="[UID]...")
def task_status(uids: tuple[str, ...]) -> None:
    """Show tasks, how they stand and what came of them."""
    send(later.queue_verbs.queue_tasks(uids or None), later.queue_view.show_tasks)


@command("result", example="shotline queue task result 3fa9c2d41b07")
@UID
def task_result(uid: str) -> None:
    """Show what a task has returned."""
    send(later.queue_verbs.queue_tasks(uid), later.queue_view.show_tasks)


for _one in (run_task, task_status, task_result):
    task.add_command(_one)
queue.add_section(
    "What is in it",
    (
        list_entries,
        show,
        add,
        batch,
        propose,
        approve,
        update,
        replace,
        move,
        remove,
        clear,
        release,
    ),
)
queue.add_section(
    "How it goes on",
    (
        status,
        watch,
        start,
        stop,
        cancel_stop,
        pause,
        resume,
        stop_plan,
        abort,
        halt,
        execute,
        mode,
        autostart,
        environment,
        task,
    ),
)
queue.add_section("Who may", (allowed, kinds, lock, unlock, lock_info))
queue.add_section("What became of it", (history, hide_history, export))

COMMANDS: tuple[click.Command, ...] = (queue,)
