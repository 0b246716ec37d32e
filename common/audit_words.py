"""A line of the audit in words, as the log and the command line have it. Pure."""

from shotline.common.messages import Via
from shotline.common.records import Audited


def in_words(line: Audited) -> str:
    """Return a line but for its time."""
    shot = "/".join(str(part) for part in (line.tree, line.shot) if part is not None)
    what = " ".join(filter(None, (line.verb, shot, line.arguments)))
    message = f", {line.message}" if line.message else ""
    took = f" ({line.duration_s:.3f} s)" if line.duration_s is not None else ""
    untold = f" ({line.untold} others before it are not told)" if line.untold else ""
    return f"{giver_of(line)}: {what}: {line.outcome}{message}{took}{untold}"


def giver_of(line: Audited) -> str:
    """Return who it was, and from where."""
    is_own = line.via is Via.PROGRAM
    return " ".join(
        filter(
            None,
            (
                line.who or "somebody",
                "" if is_own else f"({line.via})",
                f"at {line.browser}" if line.browser else "",
                f"by {line.program}" if line.program and not is_own else "",
                f"with the key {line.key}" if line.key else "",
                f"from {line.address}" if line.address else "",
            ),
        )
    )
