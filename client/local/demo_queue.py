"""A short programme of the demo: one plan of each kind, run by the pulse queue, told as it goes."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from shotline.client.cli.views.queue_view import plan_words, progress_words
from shotline.client.observer import News
from shotline.client.plain import plain
from shotline.client.supervisor import Supervisor
from shotline.client.text import duration
from shotline.client.verbs.queue_verbs import Plan
from shotline.common.channels import QUEUE
from shotline.common.queue.plans import ExitStatus
from shotline.common.queue.views import QueueEvent, QueueState

PROGRAMME: Final[Sequence[Plan]] = (
    {"kind": "conditioning", "note": "the vessel first"},
    {"kind": "ohmic", "parameters": {"current_ka": 350}},
    {"kind": "heated", "parameters": {"current_ka": 420, "power_mw": [0.5, 0.9]}},
)


def run_programme(shotline: Supervisor, out: Console) -> bool:
    """Add the programme, start the queue, tell what happens; return whether all went well."""
    with shotline.events(QUEUE) as stream:
        stream.get(None)  # its whole state
        added = shotline.queue_add(PROGRAMME, user="demo")
        out.print(Text("\nThe programme", style="bold"))
        for number, entry in enumerate(added.entries, 1):
            out.print(Text(f"  {number}  {plan_words(entry.plan)}"))
        shotline.queue_start(user="demo")
        told, has_run = "", False
        while True:
            update = stream.get(None)
            if not isinstance(update, News) or not isinstance(update.payload, QueueEvent):
                continue
            event = update.payload
            if event.progress is not None:
                out.print(Text(f"    {progress_words(event.progress)}", style="dim"))
            if event.queue is not None and event.queue.text != told:
                told = event.queue.text
                out.print(Text(f"  {event.queue.state.value}: {plain(told)}"))
            has_run = has_run or (event.queue is not None and event.queue.running is not None)
            if has_run and event.queue is not None and event.queue.state is QueueState.IDLE:
                break
    return _summarise(shotline, {entry.uid for entry in added.entries}, out)


def _summarise(shotline: Supervisor, uids: set[str], out: Console) -> bool:
    out.print(Text("\nWhat became of it", style="bold"))
    items = [item for item in shotline.queue_history().items if item.entry.uid in uids]
    for item in items:
        result = item.result
        took = duration(max(result.ended_at - result.began_at, 0.0))
        name = f"{result.tree}/{result.shot}"
        out.print(
            Text(f"  {name:<8} {result.exit_status.value:<10} {took:>8}  {item.entry.plan.kind}")
        )
    good = [item.result.exit_status is ExitStatus.COMPLETED for item in items]
    return len(good) == len(uids) and all(good)
