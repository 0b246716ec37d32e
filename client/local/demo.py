"""`shotline demo`: a whole shot of the demo experiment on daemons of its own, shown live.

Configuration, data and logs are in a folder of the demo's; its ports are free ones. It ends by
itself and leaves no process behind.
"""

import contextlib
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml
from rich.console import Console
from rich.text import Text

from shotline.client.cli.views.live_table import view_for
from shotline.client.cli.views.render import show_line, symbol
from shotline.client.cli.views.watching import Watching
from shotline.client.errors import RunNotGood
from shotline.client.local.daemons import DaemonError, Daemons
from shotline.client.local.demo_queue import run_programme
from shotline.client.local.ports import free_ports
from shotline.client.local.up import serve, started
from shotline.client.observer import News, Whole
from shotline.client.plain import plain
from shotline.client.report import Report
from shotline.client.supervisor import Supervisor
from shotline.client.text import (
    STYLES,
    colour,
    counts_words,
    duration,
    state_words,
)
from shotline.common.actions import SETTLED_CAUSES, ActionState
from shotline.common.files.own import GROUP_FOLDER, make_folder, private_opener
from shotline.common.settings.config import Config, load_config, packaged
from shotline.common.views import ActionView, RunReport, ServersEvent, ServerView

TREE: Final = "DEMO"
BY_DESIGN: Final = "CAMERA:ARM"  # fails, so that a failure can be seen
SHOTS_KEPT: Final = 20
SHOT_EVERY_S: Final = 60.0
RECOVERY_LOOK_S: Final = 0.2
LINES_OF_A_FAILURE: Final = 5


def run_demo(folder: Path, out: Console, *, keep: bool, queue: bool = False) -> bool:
    """Run the demo; return whether all went as it is meant to go.

    With `queue` it is a short programme of the pulse queue instead of one shot; with `keep` the
    daemons stay until Ctrl-C. Raise LocalError when they cannot be started,
    SupervisorError when a command fails.
    """
    config_file = write_config(folder)
    config = load_config(config_file)
    daemons = Daemons(config, config_file)

    def tell(text: str) -> None:
        out.print(Text(text, style="dim"))

    page = config.monitor.page

    with started(daemons, tell) as up, Supervisor(config=config_file) as shotline:
        wait_for_servers(shotline, config)
        out.print(Text(f"The page: {page}", style="bold"))

        def one_shot() -> tuple[int, bool]:
            shot = next_shot(shotline)
            reports = run_shot(shotline, shot, out)
            return shot, summarise(shotline, shot, reports, out)

        if queue:
            good = run_programme(shotline, out)
            shot = next_shot(shotline) - 1
        else:
            shot, good = one_shot()
        if keep:
            show_next(out, config_file, daemons, shot, keep=True)
            words = f"\nThe daemons stay until Ctrl-C, with a shot every minute: {page}"
            serve(up, words, every_s=SHOT_EVERY_S, do=one_shot)
    if not keep:
        show_next(out, config_file, daemons, shot, keep=False)
    return good


def write_config(folder: Path) -> Path:
    """Write the demo's configuration into its folder and return the file."""
    folder = folder.absolute()
    make_folder(folder, GROUP_FOLDER)
    settings = yaml.safe_load(packaged("config.yaml").read_text(encoding="utf-8"))
    clients, servers, events, redis, page = free_ports(5)
    settings["data_folder"] = str(folder)
    settings["broker"] |= {
        "clients": f"tcp://127.0.0.1:{clients}",
        "servers": f"tcp://127.0.0.1:{servers}",
        "events": f"tcp://127.0.0.1:{events}",
    }
    settings["redis"]["port"] = redis
    settings["monitor"]["port"] = page
    settings["journal"]["keep_shots"] = SHOTS_KEPT
    source = settings["experiments"][TREE]["source"]
    source["file"] = str(packaged(source["file"]))
    file = folder / "config.yaml"
    text = "# The demo's own configuration, written by `shotline demo` each time it starts.\n"
    file.unlink(missing_ok=True)
    with open(file, "x", encoding="utf-8", opener=private_opener) as written:
        written.write(text + yaml.safe_dump(settings, sort_keys=False))
    return file


def wait_for_servers(shotline: Supervisor, config: Config) -> None:
    """Return once the dispatcher has recovered and sees all servers of `up` alive."""
    awaited = {f"{server.server_class}:{server.id}" for server in config.up.servers}
    deadline = time.monotonic() + config.up.start_s
    with shotline.events("servers") as stream:
        while awaited:
            update = stream.get(max(0.0, deadline - time.monotonic()))
            servers: Sequence[ServerView] = ()
            if isinstance(update, Whole):
                servers = update.snapshot.servers
            elif isinstance(update, News) and isinstance(update.payload, ServersEvent):
                servers = update.payload.servers
            awaited -= {one.server for one in servers if one.liveness == "alive"}
            if awaited and time.monotonic() >= deadline:
                names = ", ".join(sorted(awaited))
                raise DaemonError(f"the dispatcher does not see {names} in time")
        while shotline.status().recovering:
            stream.get(RECOVERY_LOOK_S)  # nothing tells of the end of a recovery


def next_shot(shotline: Supervisor) -> int:
    """Return the number after the highest that is known."""
    return max((shot.shot for shot in shotline.shots(TREE).shots), default=0) + 1


def run_shot(shotline: Supervisor, shot: int, out: Console) -> list[RunReport]:
    """Create the pulse, build the tables, run all phases with the live view; return the runs."""
    shotline.create_pulse(TREE, shot, replace=True)
    built = shotline.build_tables(TREE, shot, reset=True)
    reports: list[RunReport] = []
    with view_for(out) as view:
        watching = Watching(shotline, TREE, shot, view)
        for phase in built.shots[0].phases:
            opened = shotline.do_phase(phase, TREE, shot, wait=False)
            watching.follow_run(opened.run.run)
            try:
                reports.append(shotline.wait(TREE, shot, opened.run.run))
            except RunNotGood as error:
                view.say(f"{phase}: {error}")
                if error.report is not None:
                    reports.append(error.report)
                break
        watching.close()
    return reports


def summarise(shotline: Supervisor, shot: int, reports: Sequence[RunReport], out: Console) -> bool:
    """Show how the shot went; return whether only what fails by design has failed."""
    out.print(Text(f"\n{TREE}/{shot}", style="bold"))
    for report in reports:
        run = report.run
        took = "" if run.duration_s is None else duration(run.duration_s)
        state = run.outcome.value if run.outcome is not None else run.state
        out.print(
            Text(f"  {plain(run.phase):<8} {state:<10} {took:>8}  {counts_words(run.counts)}")
        )
    actions = [action for report in reports for action in report.actions]
    failed = [action for action in actions if action.failed]
    if failed:
        out.print(Text("\nWhat failed, and why", style="bold"))
    for action in failed:
        _show_failure(shotline, shot, action, out)
    left_out = [action for action in actions if action.last.cause is not None and _not_run(action)]
    if left_out:
        out.print(Text("\nWhat was not run, and why", style="bold"))
    for action in left_out:
        why = plain(action.last.reason) or state_words(action.last)
        out.print(Text.assemble("  ", symbol(out, colour(action.last)), f" {_name(action)}: {why}"))
    timed = sorted(actions, key=lambda action: -(action.last.duration_s or 0.0))[:3]
    longest = ", ".join(f"{_name(one)} {duration(one.last.duration_s or 0.0)}" for one in timed)
    out.print(Text(f"\nLongest: {longest}"))
    completed = all(Report(run=one.run).ok for one in reports) and bool(reports)
    unexpected = [action for action in failed if not _by_design(action)]
    if completed and failed and not unexpected:
        out.print(Text("All else went well: that failure is part of the demo.", style="green"))
    elif unexpected or not completed:
        out.print(Text("This is not how the demo is meant to go.", style="bold red"))
    return completed and not unexpected


def _show_failure(shotline: Supervisor, shot: int, action: ActionView, out: Console) -> None:
    last = action.last
    words = state_words(last)
    mark = symbol(out, colour(last))
    note = "  (it is meant to fail)" if _by_design(action) else ""
    out.print(Text.assemble("  ", mark, f" {_name(action)}  ", (words, STYLES[colour(last)]), note))
    if last.reason:
        out.print(Text(f"    {plain(last.reason)}"))
    if last.attempt:
        lines = shotline.logs(action.path, TREE, shot, attempt=last.attempt).lines
        for line in lines[-LINES_OF_A_FAILURE:]:
            out.print("    ", end="")
            show_line(out, line)


def show_next(out: Console, config_file: Path, daemons: Daemons, shot: int, *, keep: bool) -> None:
    """Show where the logs are and what to try next."""
    with contextlib.suppress(ValueError):
        config_file = config_file.relative_to(Path.cwd())
    program = f"{shlex.quote(_program())} --config {shlex.quote(str(config_file))}"
    out.print(Text(f"\nLogs of the daemons: {daemons.logs}"))
    out.print(Text("Next commands to try:", style="bold"))
    if not keep:
        out.print(Text(f"  {program} up   # the daemons again, on the same data; then elsewhere:"))
    for command in (
        f"actions {TREE} {shot}",
        f"show {BY_DESIGN} {TREE} {shot}",
        f"do-phase {TREE} {shot} STORE --wait",
        f"watch {TREE} {shot}",
        "status",
    ):
        out.print(Text(f"  {program} {command}"), soft_wrap=True)


def _program() -> str:
    """Return how the `shotline` of this installation is called from here."""
    own = Path(sys.executable).with_name("shotline")
    found = shutil.which("shotline")
    if not own.exists() or (found is not None and Path(found).samefile(own)):
        return "shotline"
    return str(own.relative_to(Path.cwd()) if own.is_relative_to(Path.cwd()) else own)


def _name(action: ActionView) -> str:
    return plain(action.name or action.path)


def _by_design(action: ActionView) -> bool:
    return action.path.upper().endswith(BY_DESIGN)


def _not_run(action: ActionView) -> bool:
    return action.last.cause in SETTLED_CAUSES[ActionState.NOT_DISPATCHED]
