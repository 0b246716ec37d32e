"""What the doctor sees of broker, dispatcher and servers: as any supervisor sees them."""

import time
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Final

from shotline import __version__
from shotline.client.doctor.finding import Finding, fine, problem, warning
from shotline.client.errors import NoBroker, NoDispatcher, NotLetIn, SupervisorError
from shotline.client.observer import News
from shotline.client.supervisor import Supervisor
from shotline.common.channels import FEED
from shotline.common.errors import ConfigError
from shotline.common.keys.folder import own_key
from shotline.common.settings.config import Config
from shotline.common.views import ActionView, JournalState, ServerView, StatusResult

ASK_S: Final = 5.0
_CLOCK_S: Final = 1.0  # clocks may differ by less


def site(config: Config, broker: str | None = None, key: Path | None = None) -> Iterator[Finding]:
    """Look at what answers at the broker's address, by default that of the configuration."""
    address = broker or config.broker.clients
    try:
        curve = key or own_key(config.keys, "operator", "viewer")
        connected = Supervisor(address, key=curve, timeout_s=ASK_S)
    except ConfigError as error:
        yield problem("keys", str(error), "as it says; see docs/security.md")
        return
    with connected as supervisor:
        try:
            asked_at = time.time()
            status = supervisor.status()
        except NotLetIn as error:
            advice = "let it in: shotline keys new, or bundle, on the broker's host"
            yield problem("broker", str(error), advice)
            return
        except NoBroker:
            advice = (
                "start it (systemctl start shotline.target, or shotline up); on another machine, "
                "see that its port can be reached from here"
            )
            yield problem("broker", f"none answers at {address}", advice)
            return
        except NoDispatcher:
            yield fine("broker", f"it answers at {address}")
            advice = "start it (systemctl start shotline.target, or shotline up), or see its log"
            yield problem("dispatcher", "the broker has none", advice)
            return
        except SupervisorError as error:
            yield problem("dispatcher", str(error), "see the logs of broker and dispatcher")
            return
        yield fine("broker", f"it answers at {address}")
        yield from dispatcher(status)
        yield from servers(config, status)
        yield from clocks(status, _actions(supervisor, status), asked_at, config.broker.suspect_s)
        yield from _feed(config, supervisor)


def dispatcher(status: StatusResult) -> Iterator[Finding]:
    """Look at the dispatcher, its journal and its runs."""
    if status.recovering:
        text = f"{status.dispatcher} collects what the servers have"
        yield warning("dispatcher", text, "look again in some seconds")
    else:
        yield fine("dispatcher", f"{status.dispatcher} dispatches in term {status.term}")
    if status.journal is JournalState.OK:
        yield fine("journal", "all is written to Redis")
    else:
        stopped = status.journal is JournalState.STOPPED
        advice = "bring Redis back, or make room on the dispatcher's disk"
        words = "nothing new starts" if stopped else "the journal goes to the spill file"
        yield problem("journal", f"{words}: {status.journal_text}", advice)
    for shot in status.shots:
        for run in shot.runs:
            if run.state == "held":
                text = f"run {run.run} of {run.tree}/{run.shot} is HELD: {run.reason}"
                advice = "look at the plant, then shotline resume or shotline abort"
                yield warning("runs", text, advice)


def servers(config: Config, status: StatusResult) -> Iterator[Finding]:
    """Look at the servers, and for those that the configuration names."""
    known = {one.server: one for one in status.servers}
    wanted = config.named_servers
    for name in sorted(wanted - known.keys()):
        yield problem("servers", f"{name} is not there", _start_it(name))
    good = 0
    for name, one in sorted(known.items()):
        if one.liveness == "lost" and name not in wanted and _is_on_demand(config, one):
            continue
        found = list(_server(one, is_wanted=name in wanted))
        yield from found
        good += not found
    if good:
        yield fine("servers", f"{good} are alive and take work")
    if not known and not wanted:
        yield warning("servers", "there are none", "start one: shotline-action-server CLASS ID")


def _is_on_demand(config: Config, one: ServerView) -> bool:
    """Return whether servers of its class come and go."""
    return one.server_class in config.providers.classes


def _server(one: ServerView, *, is_wanted: bool) -> Iterator[Finding]:
    name = one.server
    if one.liveness != "alive":
        made = problem if is_wanted and one.liveness != "suspect" else warning
        why = f": {one.why}" if one.why else ""
        yield made("servers", f"{name} is {one.liveness}{why}", _start_it(name))
        return
    if one.broken:
        text = f"{name} cannot run anything in {one.broken} of {one.slots} slots: {one.trouble}"
        yield problem("servers", text, f"see the log of {name} on {one.host}")
    if one.stuck:
        text = f"{name} has {one.stuck} processes that cannot be ended"
        advice = f"they are in a driver: look at the hardware of {one.host}, or restart it"
        yield warning("servers", text, advice)
    if one.version and one.version != __version__:
        text = f"{name} on {one.host} has version {one.version}, here it is {__version__}"
        made = warning if _minor(one.version) == _minor(__version__) else problem
        yield made("versions", text, "install the same version on both")


def clocks(
    status: StatusResult, actions: tuple[ActionView, ...], asked_at: float, silent_s: float
) -> Iterator[Finding]:
    """Compare the clocks of this machine, the dispatcher's and the servers'.

    Times of the dispatcher's clock came between our question and now; a server started an action
    after the dispatcher had decided it, and ended it before the dispatcher knew of it.
    """
    heard = [one.last_seen_at for one in status.servers if one.liveness == "alive"]
    last = max((at for at in heard if at is not None), default=None)
    off_s = 0.0
    if last is not None:
        now = time.time()
        off_s = last - now if last > now else min(last + silent_s - asked_at, 0.0)
    found = list(_apart("the dispatcher's machine", "this one's", off_s, off_s))
    for server, (least_s, most_s) in sorted(_offsets(actions).items()):
        found += _apart(f"the machine of {server}", "the dispatcher's", least_s, most_s)
    yield from found
    if not found:
        yield fine("clocks", "nothing was seen that tells of clocks that differ")


def _offsets(actions: tuple[ActionView, ...]) -> dict[str, tuple[float, float]]:
    """Return by server between what bounds its clock lies, as seconds after the dispatcher's."""
    offsets: dict[str, tuple[float, float]] = {}
    for one in actions:
        last = one.last
        if last.server is None or last.duration_s is None:  # nothing has run
            continue
        least_s, most_s = offsets.get(last.server, (-inf, inf))
        if last.started_at is not None and last.dispatched_at is not None:
            most_s = min(most_s, last.started_at - last.dispatched_at)
        if last.ended_at is not None:
            least_s = max(least_s, last.ended_at - last.time)
        offsets[last.server] = least_s, most_s
    return offsets


def _apart(whose: str, others: str, least_s: float, most_s: float) -> Iterator[Finding]:
    advice = "keep both right by NTP (chrony, systemd-timesyncd); nothing is decided by them"
    if least_s > _CLOCK_S:
        yield warning(
            "clocks", f"the clock of {whose} is {least_s:.1f} s ahead of {others}", advice
        )
    elif most_s < -_CLOCK_S:
        yield warning("clocks", f"the clock of {whose} is {-most_s:.1f} s behind {others}", advice)


def _actions(supervisor: Supervisor, status: StatusResult) -> tuple[ActionView, ...]:
    """Return the actions of the newest shot that is in memory, none where that cannot be had."""
    built = [one for one in status.shots if one.loaded and one.built_at is not None]
    if not built:
        return ()
    newest = max(built, key=lambda one: one.built_at or 0.0)
    try:
        return supervisor.actions(newest.tree, newest.shot).actions
    except SupervisorError:
        return ()


def _feed(config: Config, supervisor: Supervisor) -> Iterator[Finding]:
    """Wait for a beat of the event feed: it comes to another port than answers."""
    wait_s = 3 * config.broker.heartbeat_s + 2.0
    with supervisor.events(taps=(FEED,)) as events:
        update = events.get(wait_s)
    if isinstance(update, News):
        yield fine("event feed", "it beats")
        return
    text = f"nothing comes from it in {wait_s:g} s"
    advice = f"see that the port of broker.events ({config.broker.events}) can be reached from here"
    yield problem("event feed", text, advice)


def _start_it(name: str) -> str:
    return f"start it (the page's Start, or systemctl start shotline-action-server@{name})"


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]
