"""What commands return to a supervisor: a run's report, and an answer in words. Pure values."""

from shotline.common.base import Struct
from shotline.common.messages import Reply
from shotline.common.views import ActionView, RunReport


class Answer(Struct):
    """What was done, in words, for commands that have nothing more to tell."""

    message: str
    notices: tuple[str, ...] = ()


class Report(RunReport):
    """A run as it stood when the reply was made, with each of its actions."""

    message: str = ""
    notices: tuple[str, ...] = ()

    @classmethod
    def of(cls, reply: Reply, report: RunReport) -> "Report":
        """Return the report that a reply carries."""
        return cls(
            run=report.run, actions=report.actions, message=reply.message, notices=reply.notices
        )

    @property
    def failed(self) -> tuple[ActionView, ...]:
        """The actions that count as failed, in the table's order."""
        return tuple(action for action in self.actions if action.failed)

    @property
    def ok(self) -> bool:
        """Whether the run has ended, was not aborted, and no action of it failed."""
        return self.run.state == "ended" and self.run.outcome == "completed" and not self.failed

    def action(self, path: str) -> ActionView:
        """Return one action by its path or name. Raise KeyError for one that the run lacks."""
        for action in self.actions:
            if path in (action.path, action.name):
                return action
        raise KeyError(path)
