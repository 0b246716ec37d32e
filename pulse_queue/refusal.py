"""How the queue refuses: with a stable code, and a sentence. Pure."""

from shotline.common.queue.views import PlanAnswer, QueueChange, RefusalCode

UNKNOWN = frozenset(
    {
        RefusalCode.UNKNOWN_ENTRY,
        RefusalCode.UNKNOWN_KIND,
        RefusalCode.UNKNOWN_EXPERIMENT,
        RefusalCode.UNKNOWN_PHASE,
        RefusalCode.UNKNOWN_GROUP,
        RefusalCode.UNKNOWN_FUNCTION,
        RefusalCode.UNKNOWN_TASK,
    }
)
"""The codes of refusals where something that the command names does not exist."""


class QueueRefusal(Exception):
    """The operation may not be carried out now; nothing was changed."""

    def __init__(
        self,
        code: RefusalCode,
        text: str,
        *,
        answers: tuple[PlanAnswer, ...] = (),
        changes: tuple[QueueChange, ...] = (),
        aborted: tuple[str, ...] = (),
    ) -> None:
        super().__init__(text)
        self.code = code
        self.answers = answers
        self.changes = changes
        self.aborted = aborted
