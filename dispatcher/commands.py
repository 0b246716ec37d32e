"""Hands each command to the part that carries it out. What is refused, is refused there. Pure."""

from collections.abc import Callable

from pydantic import ValidationError

from shotline.common import commands as c
from shotline.common.messages import Outcome, Request
from shotline.common.nodes import DispatchOptions
from shotline.common.views import AnyResult
from shotline.dispatcher.choice import Choice
from shotline.dispatcher.core import Core
from shotline.dispatcher.desk import Answer, Asked, Desk, Refused, Unknown
from shotline.dispatcher.execution import Execution
from shotline.dispatcher.office import Office
from shotline.dispatcher.pulses import Pulses
from shotline.dispatcher.reading.paging import Page
from shotline.dispatcher.reading.queries import Queries
from shotline.dispatcher.reading.views import Answers
from shotline.dispatcher.run_commands import Runs
from shotline.dispatcher.server_commands import Orders
from shotline.dispatcher.sources import Sources
from shotline.dispatcher.table import LookupFailed
from shotline.dispatcher.tree_queries import Trees


class Commands:
    """All commands (DESIGN D9 to D17)."""

    def __init__(
        self,
        core: Core,
        execution: Execution,
        answers: Answers,
        options_of: Callable[[str], DispatchOptions | None],
    ) -> None:
        self._core = core
        self.desk = Desk(core, self.handle)
        self.office = Office(core, execution, answers, Choice(core), self.desk)
        self.sources = Sources(self.office)
        self.runs = Runs(self.office, self.sources)
        self.orders = Orders(self.office)
        self.queries = Queries(self.office)
        self._pulses = Pulses(self.office, options_of)
        self._trees = Trees(self.office, options_of)
        self.desk.rebuild = self._result_again

    def handle(self, asked: Asked, command: c.AnyCommand) -> Answer | None:
        """Carry out a command. None: the answer follows. Raise Refused."""
        try:
            return self._handle(asked, command)
        except LookupFailed as error:
            raise Unknown(str(error)) from None

    def _handle(self, asked: Asked, command: c.AnyCommand) -> Answer | None:
        match command:
            case c.CreatePulse():
                return self._pulses.create_pulse(asked, command)
            case c.BuildTables():
                return self._pulses.build_tables(asked, command)
            case c.ReadTree():
                return self._trees.read(asked, command)
            case c.CurrentShot():
                return self._trees.current(asked, command)
            case c.DoPhase() | c.DoSequence():
                return self.runs.do_run(asked, command)
            case c.DispatchAction():
                return self.runs.dispatch(asked, command)
            case c.Abort(server=str()):
                return self.orders.abort(command.server or "", command.path)
            case c.Abort():
                return self.runs.abort(command)
            case c.AbortPending():
                return self.runs.abort_pending(command)
            case c.Hold() | c.Resume():
                return self.runs.hold_or_resume(command)
            case c.Wait():
                return self.runs.wait(asked, command)
            case c.ServerAbort():
                return self.orders.abort(command.server, command.path)
            case c.ServerStop() | c.ServerQuit() | c.ServerRestart():
                return self.orders.command(command)
            case c.ClearUrl():
                return self.orders.clear_url(command.url)
            case c.Quit():
                return self._quit()
            case _:
                return self.queries.read(asked, command)

    def _result_again(self, request: Request) -> AnyResult | Page | None:
        """Return the result of a repeated command that was too large to keep, as it stands now."""
        found = self._core.run_of_command(request.id)
        if found is not None:
            return self.office.answers.report(*found)
        try:
            command = c.decode_command(request.command)
            if not isinstance(command, c.BuildTables):
                return None
            shot = self.office.choice.shot(command)
            return self.office.answers.built(shot, list_actions=command.list_actions)
        except (ValidationError, RecursionError, Refused):
            return None

    def _quit(self) -> Answer:
        self._core.leave("asked to quit by a command")
        running = sum(len(server.attempts) for server in self._core.fleet.servers.values())
        return Answer(Outcome.OK, f"the dispatcher ends; {running} actions go on in their servers")
