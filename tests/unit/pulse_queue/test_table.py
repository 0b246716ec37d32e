"""What is allowed in which state: the page for people shows the one table."""

from pathlib import Path

from shotline.common.queue.views import QueueState
from shotline.pulse_queue.table import ALLOWED

PAGE = Path(__file__).resolve().parents[3] / "docs" / "queue.md"


def test_the_page_has_the_table_as_it_is() -> None:
    lines = [
        "| operation | " + " | ".join(QueueState) + " |",
        "| --- |" + " --- |" * len(QueueState),
    ]
    for operation, states in ALLOWED.items():
        cells = ("yes" if state in states else "" for state in QueueState)
        lines.append(f"| {operation.replace('_', ' ')} | " + " | ".join(cells) + " |")
    assert "\n".join(lines) in PAGE.read_text(encoding="utf-8")
