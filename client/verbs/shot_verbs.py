"""One function per command about shots and servers: its arguments, checked, made into a `Call`.

The supervisors' methods are made of these, so their names, arguments and docstrings are the
library's. Tree and shot left out mean the current pulse.
"""

from collections.abc import Sequence
from typing import Literal

from shotline.client.calls import Call, answer, make, named_shot, reading, result, run, shot_of
from shotline.client.errors import WrongArguments
from shotline.client.report import Answer, Report
from shotline.common import commands as c
from shotline.common import views as v
from shotline.common.base import Json
from shotline.common.queue.views import WorkersResult


def create_pulse(tree: str, shot: int | None = None, *, replace: bool = False) -> Call[Answer]:
    """Make the pulse of a shot from its model; `replace` one that exists."""
    key = shot_of(tree, shot)
    return answer(make(c.CreatePulse, tree=key.tree, shot=key.shot, replace=replace))


def build_tables(
    tree: str | None = None,
    shot: int | None = None,
    *,
    reset: bool = False,
    list_actions: bool = True,
) -> Call[v.ActionsResult]:
    """Read and classify all actions of a shot; `reset` forgets their states.

    Without `list_actions` the answer only counts them, in its shot: a list of thousands takes time.
    """
    asked = make(c.BuildTables, tree=tree, shot=shot, reset=reset, list_actions=list_actions)
    return result(asked, v.ActionsResult)


def do_phase(
    phase: str,
    tree: str | None = None,
    shot: int | None = None,
    *,
    wait: bool = True,
    even_if_running: bool = False,
    even_if_changed: bool = False,
    check: bool = False,
) -> Call[Report]:
    """Run the actions of a phase and wait for the end of this run.

    A run that was aborted or is HELD raises RunAborted or RunHeld. Failed actions are in the
    report; with `check` they raise ActionFailed, which carries it. `wait=False` returns as soon as
    the run is open. `even_if_running`: also where an attempt may still be running;
    `even_if_changed`: also where the experiment refuses tables whose source has changed since they
    were built.
    """
    asked = {
        "wait": wait,
        "even_if_running": even_if_running,
        "even_if_changed": even_if_changed,
    }
    return run(make(c.DoPhase, tree=tree, shot=shot, phase=phase, **asked), check=check)


def do_sequence(
    phase: str,
    first: int,
    last: int,
    tree: str | None = None,
    shot: int | None = None,
    *,
    wait: bool = True,
    even_if_running: bool = False,
    even_if_changed: bool = False,
    check: bool = False,
) -> Call[Report]:
    """Run the actions of a range of sequence numbers of a phase; see `do_phase`."""
    asked = {
        "first": first,
        "last": last,
        "wait": wait,
        "even_if_running": even_if_running,
        "even_if_changed": even_if_changed,
    }
    return run(make(c.DoSequence, tree=tree, shot=shot, phase=phase, **asked), check=check)


def dispatch(
    path: str,
    tree: str | None = None,
    shot: int | None = None,
    *,
    wait: bool = True,
    even_if_off: bool = False,
    even_if_running: bool = False,
    even_if_changed: bool = False,
    check: bool = False,
) -> Call[Report]:
    """Run one action again; see `do_phase`."""
    asked = {
        "wait": wait,
        "even_if_off": even_if_off,
        "even_if_running": even_if_running,
        "even_if_changed": even_if_changed,
    }
    return run(make(c.DispatchAction, tree=tree, shot=shot, path=path, **asked), check=check)


def abort(
    what: str | None = None,
    tree: str | None = None,
    shot: int | None = None,
    *,
    path: str | None = None,
    all_runs: bool = False,
) -> Call[Answer]:
    """Abort the open run of the current pulse, or of a shot, or one action of it; or all open runs.

    `what` is a path, or a shot as `TREE/SHOT`. The answer says which runs are open all the same.
    Refused where the current pulse has none and others are open. `abort("TEST", 42, path)` means
    that shot, too.
    """
    if isinstance(tree, int):  # the shot stands first
        what, tree, shot = shot, what, tree
    elif what is not None and tree is None and named_shot(what) is not None:
        what, tree = None, what
    if what is not None and path is not None:
        raise WrongArguments(f"one path, not both {what!r} and {path!r}")
    return answer(make(c.Abort, tree=tree, shot=shot, path=path or what, all=all_runs))


def abort_pending(tree: str | None = None, shot: int | None = None) -> Call[Answer]:
    """Remove what was not sent yet; what runs goes on."""
    return answer(make(c.AbortPending, tree=tree, shot=shot))


def hold(tree: str | None = None, shot: int | None = None) -> Call[Answer]:
    """Start nothing more of the open run until `resume`."""
    return answer(make(c.Hold, tree=tree, shot=shot))


def resume(tree: str | None = None, shot: int | None = None) -> Call[Answer]:
    """Let a HELD run go on."""
    return answer(make(c.Resume, tree=tree, shot=shot))


def wait(
    tree: str | None = None,
    shot: int | None = None,
    run_number: int | None = None,
    *,
    check: bool = False,
) -> Call[Report]:
    """Wait for the end of the open run, or of the numbered one; see `do_phase`."""
    return run(make(c.Wait, tree=tree, shot=shot, run=run_number), check=check)


def server_restart(server: str) -> Call[Answer]:
    """End what a server runs and start it anew. `server` is CLASS or CLASS:ID."""
    return answer(make(c.ServerRestart, server=server))


def server_abort(server: str, path: str | None = None) -> Call[Answer]:
    """Abort the actions of a class or server, or the one at `path`."""
    return answer(make(c.ServerAbort, server=server, path=path))


def server_stop(server: str) -> Call[Answer]:
    """End a server when its work is done."""
    return answer(make(c.ServerStop, server=server))


def server_quit(server: str) -> Call[Answer]:
    """End a server at once; its running actions become ABORTED."""
    return answer(make(c.ServerQuit, server=server))


def run_function(
    function: str, arguments: dict[str, Json] | None = None, *, positional: Sequence[Json] = ()
) -> Call[Answer]:
    """Have a server's worker call a function that the configuration names; it has begun then."""
    given = {"positional": tuple(positional), "arguments": arguments or {}}
    return answer(make(c.RunFunction, function=function, **given))


def server_workers(
    servers: str | Sequence[str], act: Literal["open", "close", "destroy", "reload"]
) -> Call[WorkersResult]:
    """Open, close, destroy or reload servers' workers; returned when all have answered."""
    named = (servers,) if isinstance(servers, str) else tuple(servers)
    return reading(make(c.ServerWorkers, servers=named, act=act), WorkersResult)


def clear_url(url: str) -> Call[Answer]:
    """Forget that an mdsip url may still be busy."""
    return answer(make(c.ClearUrl, url=url))


def status() -> Call[v.StatusResult]:
    """Return the state of everything, in short."""
    return result(make(c.SystemStatus), v.StatusResult)


def servers() -> Call[v.ServersResult]:
    """Return all action servers."""
    return result(make(c.Servers), v.ServersResult)


def server_log(server: str, *, limit: int = 100) -> Call[v.ServerLogResult]:
    """Return the end of a server's own log, also of one that is gone."""
    return result(make(c.ServerLog, server=server, limit=limit), v.ServerLogResult)


def actions(
    tree: str | None = None, shot: int | None = None, *, phase: str | None = None
) -> Call[v.ActionsResult]:
    """Return all actions of a shot, or of one phase of it, as they stand."""
    return result(make(c.Actions, tree=tree, shot=shot, phase=phase), v.ActionsResult)


def pending() -> Call[v.ActionsResult]:
    """Return what is ready, sent or running, and what everything else waits for."""
    return result(make(c.PrintPending), v.ActionsResult)


def show(path: str, tree: str | None = None, shot: int | None = None) -> Call[v.StoryResult]:
    """Return one action's story: every transition with time and cause."""
    return result(make(c.Show, tree=tree, shot=shot, path=path), v.StoryResult)


def logs(
    path: str,
    tree: str | None = None,
    shot: int | None = None,
    *,
    attempt: int | None = None,
    since: int = 0,
    limit: int = 10_000,
) -> Call[v.LogsResult]:
    """Return the stored output of an attempt (the last one without `attempt`)."""
    command = make(
        c.Logs, tree=tree, shot=shot, path=path, attempt=attempt, since=since, limit=limit
    )
    return result(command, v.LogsResult)


def check(
    tree: str | None = None, shot: int | None = None, *, reset: bool = False
) -> Call[v.CheckResult]:
    """Return the essential actions that failed since the last `reset`."""
    return reading(make(c.Check, tree=tree, shot=shot, reset=reset), v.CheckResult)


def tree(tree: str | None = None, shot: int | None = None) -> Call[v.TreeResult]:
    """Return what a shot's tree declares and what is wrong about it; nothing is built."""
    return result(make(c.ReadTree, tree=tree, shot=shot), v.TreeResult)


def current(
    tree: str, set_to: int | None = None, *, increment: bool = False
) -> Call[v.CurrentResult]:
    """Return the site's current shot number of an experiment; set or increment it first."""
    command = make(c.CurrentShot, tree=tree, set_to=set_to, increment=increment)
    return result(command, v.CurrentResult)


def snapshot(channel: str) -> Call[v.SnapshotResult]:
    """Return the state of a channel with the number of its last event."""
    return result(make(c.Snapshot, channel=channel), v.SnapshotResult)


def shots(tree: str | None = None) -> Call[v.ShotsResult]:
    """Return the shots that are known."""
    return result(make(c.Shots, tree=tree), v.ShotsResult)


def audit(
    *,
    since: float | None = None,
    who: str | None = None,
    command: str | None = None,
    tree: str | None = None,
    shot: int | None = None,
    outcome: str | None = None,
    before: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> Call[v.AuditResult]:
    """Return who has asked for what, from where, when, and what came of it; the newest first.

    `since` is seconds since 1970; `who` a part of a name or address; `command` a verb, or what is
    done at the page (`login`). Where the result has `next`, older lines may follow: ask again with
    it as `before`. `after` is the id of a line than which all are newer.
    """
    asked = {
        "since": since,
        "who": who,
        "command": command,
        "tree": tree,
        "outcome": outcome,
        "before": before,
        "after": after,
        "limit": limit,
    }
    if shot is not None:
        asked["shot"] = shot
    return result(make(c.Audit, **asked), v.AuditResult)


def quit_dispatcher() -> Call[Answer]:
    """End the dispatcher. Running actions go on in their servers."""
    return answer(make(c.Quit))
