"""The commands that ask a tree itself: what it declares, and the site's current shot. Pure.

Nothing is built or journalled; the tree worker answers.
"""

from collections.abc import Callable, Iterator
from typing import Final

from shotline.common import commands as c
from shotline.common.messages import Outcome
from shotline.common.nodes import DispatchOptions
from shotline.common.records import ShotKey
from shotline.common.views import CurrentResult, TreeProblem, TreeResult
from shotline.dispatcher.desk import Answer, Asked, Refused
from shotline.dispatcher.effects import CurrentShotJob, ReadTableJob, TreeDone
from shotline.dispatcher.office import Done, Office
from shotline.dispatcher.reading.paging import Page, numbered, page
from shotline.dispatcher.reading.problems import Severity, TableProblem, find_problems
from shotline.dispatcher.table import Table
from shotline.trees.tree import TreeError

PROBLEMS_MAX: Final = 500  # told of one tree


class Trees:
    """Asks trees; shots in memory are neither needed nor changed."""

    def __init__(self, office: Office, options_of: Callable[[str], DispatchOptions | None]) -> None:
        self._office = office
        self._core = office.core
        self._options_of = options_of
        self._read: tuple[ShotKey, Table] | None = None  # the last one whose pages are not all told

    def read(self, asked: Asked, command: c.ReadTree) -> Answer | None:
        """Read a shot's tree and say what is wrong or odd about it.

        Further pages are of what was read for the first one.
        """
        key = self._key(command)
        self._office.choice.known_tree(key.tree)
        if command.since and self._read is not None and self._read[0] == key:
            return Answer(Outcome.OK, "", self._told(*self._read, command.since))

        def done(done: Done) -> Answer:
            assert isinstance(done, TreeDone)
            if done.error:
                return Answer(Outcome.REFUSED, f"{key} cannot be read: {done.error}")
            options = self._options_of(key.tree) or done.options or DispatchOptions()
            try:
                table = Table.build(done.nodes, done.phases, options)
            except TreeError as error:
                return Answer(Outcome.REFUSED, f"{key} cannot be dispatched: {error}")
            return Answer(Outcome.OK, "", self._told(key, table, command.since), done.warnings)

        self._core.after(ReadTableJob(self._office.later(asked, done), key))
        return None

    def current(self, asked: Asked, command: c.CurrentShot) -> Answer | None:
        """Read, set or raise the site's current shot number."""
        self._office.choice.known_tree(command.tree)
        if command.increment and command.set_to is not None:
            raise Refused("set the current shot or increment it, not both")

        def done(done: Done) -> Answer:
            assert isinstance(done, TreeDone)
            if done.error or done.current is None:
                raise Refused(f"{command.tree}: the current shot is not known: {done.error}")
            result = CurrentResult(tree=command.tree, shot=done.current)
            is_now = "is now" if command.increment or command.set_to is not None else "is"
            text = f"the current shot of {command.tree} {is_now} {done.current}"
            return Answer(Outcome.OK, text, result)

        job = self._office.later(asked, done)
        key = ShotKey(command.tree, 0)
        self._core.after(CurrentShotJob(job, key, command.set_to, command.increment))
        return None

    def _key(self, command: c.ReadTree) -> ShotKey:
        if command.tree is not None and command.shot is not None:
            return ShotKey(command.tree, command.shot)  # the model and the current shot, too
        return self._office.choice.key(command)

    def _told(self, key: ShotKey, table: Table, since: int) -> Page:
        told = self._page(key, table, since)
        self._read = None if told.is_last else (key, table)
        return told

    def _page(self, key: ShotKey, table: Table, since: int) -> Page:
        def head(next_: int | None) -> TreeResult:
            return TreeResult(
                tree=key.tree,
                shot=key.shot,
                phases=table.phases,
                actions=(),
                never={
                    node.path: table.initial(node.path).reason
                    for node in table.actions[since:next_]
                    if table.initial(node.path).cause is not None
                },
                problems=() if since else self._problems(table),
                next=next_,
            )

        nodes = numbered(table.actions, since, lambda node: node)
        return page(nodes, self._core.settings.page_bytes, head)

    def _problems(self, table: Table) -> tuple[TreeProblem, ...]:
        """Return what is wrong or odd: errors first, in the order in which they were found."""
        found = [*self._unserved(table), *find_problems(table)]
        found.sort(key=lambda problem: problem.severity is not Severity.ERROR)
        told = [
            TreeProblem(severity=severity.value, path=path, text=text)
            for severity, path, text in found[:PROBLEMS_MAX]
        ]
        if len(found) > PROBLEMS_MAX:
            more = f"{len(found) - PROBLEMS_MAX} more are not listed"
            severity = found[PROBLEMS_MAX].severity.value
            told.append(TreeProblem(severity=severity, path="", text=more))
        return tuple(told)

    def _unserved(self, table: Table) -> Iterator[TableProblem]:
        """Yield the classes that no server serves, neither a configured nor a present one."""
        servers = self._core.fleet.servers.values()
        here = {server.register.server_class for server in servers if not server.is_lost}
        served = here | self._core.settings.server_classes
        wanted = {
            node.server_class
            for node in table.actions
            if node.server_class and table.initial(node.path).cause is None
        }
        if not served and wanted:
            text = "no server is configured or registered: nobody knows whether classes are served"
            yield TableProblem(Severity.WARNING, "", text)
            return
        for name in sorted(wanted - served):
            text = f"server class {name} has no server, neither configured nor registered"
            yield TableProblem(Severity.ERROR, "", text)
