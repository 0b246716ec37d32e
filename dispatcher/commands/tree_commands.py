"""The commands that need a tree: make its pulse, build its tables, look at it (D1, D14). Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import structs

from shotline.common import commands as c
from shotline.common.dangers import Danger, NamedDanger
from shotline.common.messages import Outcome
from shotline.common.nodes import ActionNode, DispatchOptions
from shotline.common.records import PulseCreated, ShotKey, TableBuilt
from shotline.common.views import CurrentResult, Severity, TreeProblem, TreeResult
from shotline.dispatcher.commands import meant
from shotline.dispatcher.commands.answer import Answer, Asked, Dangerous, Refused
from shotline.dispatcher.commands.requests import Done, Family, Requests
from shotline.dispatcher.commands.retention import Retention
from shotline.dispatcher.reading.paging import Page, numbered, page
from shotline.dispatcher.reading.problems import TableProblem, find_problems
from shotline.dispatcher.shots import Shot
from shotline.dispatcher.table import Table
from shotline.dispatcher.trees.jobs import (
    CreatePulseJob,
    CurrentShotJob,
    ReadTableJob,
    TreeDone,
    WriteNodesJob,
)
from shotline.trees.tree import TreeError

PROBLEMS_MAX: Final = 500  # told of one tree


class TreeCommands(Family):
    """Makes pulses and tables, asks trees; keeps what is loaded and stored within its limits."""

    def __init__(self, requests: Requests, retention: Retention) -> None:
        super().__init__(requests)
        self._retention = retention
        self._read: tuple[ShotKey, Table] | None = None  # the last one whose pages are not all told

    def create_pulse(self, asked: Asked, command: c.CreatePulse) -> Answer | None:
        """Make the pulse (D14, D16)."""
        meant.refuse_unknown_tree(self._core, command.tree)
        key = ShotKey(command.tree, command.shot)
        if command.shot < 1:
            raise Refused(f"shot {command.shot} cannot be created: pulses begin with 1")
        shot = self._core.shots.get(key)
        if shot is not None and shot.open_run is not None:
            raise Refused(f"{key}: run {shot.open_run.number} is open; abort it first")
        replace = command.insists(Danger.PULSE_EXISTS)

        def created(done: Done) -> Answer | None:
            assert isinstance(done, TreeDone)
            if done.exists:
                exists = NamedDanger(danger=Danger.PULSE_EXISTS, text=f"{key} exists already")
                raise Dangerous(exists)
            if done.error:
                return Answer(Outcome.REFUSED, f"{key} was not created: {done.error}")
            # What is stored of a pulse that is replaced stays: numbers of attempts go on.
            return self._requests.on_loaded(asked, key, lambda: known(done))

        def known(done: TreeDone) -> Answer:
            self._core.current = key
            shot = self._core.shots.setdefault(key, Shot(key))
            self._core.put(
                shot, PulseCreated(time=self._core.wall, replaced=replace, who=asked.user)
            )
            self._core.used(key)
            return Answer(Outcome.OK, f"{key} was created", notices=done.warnings)

        self._requests.begun(asked, f"{key} is made")
        self._core.after(
            CreatePulseJob(job=self._requests.later(asked, created), key=key, replace=replace)
        )
        return None

    def build_tables(self, asked: Asked, command: c.BuildTables) -> Answer | None:
        """Read and classify all nodes (D1, D14)."""
        key = meant.key_to_build(self._core, command)
        meant.refuse_unknown_tree(self._core, key.tree)
        shot = self._core.shots.get(key)
        if shot is not None and shot.open_run is not None:
            raise Refused(
                f"{key}: run {shot.open_run.number} is open; tables are built between runs"
            )
        if key in self._core.building:
            raise Refused(f"{key}: its tables are being built already")
        self._core.building[key] = None

        def read(done: Done) -> Answer | None:
            assert isinstance(done, TreeDone)
            self._core.building.pop(key, None)
            if done.error:
                return Answer(Outcome.REFUSED, f"{key}: its tables were not built: {done.error}")
            try:
                Table.build(done.nodes, done.phases, DispatchOptions())
            except TreeError as error:
                return Answer(Outcome.REFUSED, f"{key}: its tables were not built: {error}")
            return self._requests.on_loaded(asked, key, lambda: self._built(key, done, command))

        self._core.after(ReadTableJob(job=self._requests.later(asked, read), key=key))
        return None

    def _built(self, key: ShotKey, done: TreeDone, command: c.BuildTables) -> Answer:
        core = self._core
        shot = core.shots.setdefault(key, Shot(key))
        before = dict(shot.actions)
        core.put(
            shot,
            TableBuilt(
                time=core.wall,
                actions=self._shared(key.tree, done.nodes),
                phases=done.phases,
                options=self._options(key.tree, done),
                reset=command.reset,
                sources=done.sources,
                variables=command.variables or shot.variables,
            ),
        )
        for path, live in shot.actions.items():
            if before.get(path) != live:
                core.put(shot, live)
        core.used(key)
        core.newest[key.tree] = key.shot
        self._unload()
        problems = find_problems(shot.table)
        return Answer(
            Outcome.OK,
            f"{key}: {len(shot.actions)} actions in {len(shot.table.phases)} phases",
            self._views.built(shot, list_actions=command.list_actions),
            (*done.warnings, *(f"{p.severity}: {p.path} {p.text}" for p in problems))[:50],
        )

    def _shared(self, tree: str, nodes: Sequence[ActionNode]) -> tuple[ActionNode, ...]:
        """Return a table's actions; those that are as in the tree's newest shot share what it has.

        Most are, from shot to shot, but for the pulse's folder, and they take much of its memory.
        """
        newest = self._core.shots.get(ShotKey(tree, self._core.newest.get(tree, 0)))
        if newest is None:
            return tuple(nodes)
        known = {node.path: node for node in newest.table.actions}
        return tuple(_as_before(known.get(one.path), one) for one in nodes)

    def _options(self, tree: str, done: TreeDone) -> DispatchOptions:
        """Return the options of the configuration, else those that the tree itself declares."""
        return self._core.config.experiments[tree].options or done.options or DispatchOptions()

    def _unload(self) -> None:
        """Forget closed shots in memory, and old ones in Redis (retention)."""
        self._core.unload()
        self._retention.look()

    # What only looks

    def read_tree(self, asked: Asked, command: c.ReadTree) -> Answer | None:
        """Read a shot's tree and say what is wrong or odd about it.

        Further pages are of what was read for the first one.
        """
        key = self._key(command)
        meant.refuse_unknown_tree(self._core, key.tree)
        if command.since and self._read is not None and self._read[0] == key:
            return Answer(Outcome.OK, "", self._told(*self._read, command.since))

        def done(done: Done) -> Answer:
            assert isinstance(done, TreeDone)
            if done.error:
                return Answer(Outcome.REFUSED, f"{key} cannot be read: {done.error}")
            options = self._options(key.tree, done)
            try:
                table = Table.build(done.nodes, done.phases, options)
            except TreeError as error:
                return Answer(Outcome.REFUSED, f"{key} cannot be dispatched: {error}")
            return Answer(Outcome.OK, "", self._told(key, table, command.since), done.warnings)

        self._core.after(ReadTableJob(job=self._requests.later(asked, done), key=key))
        return None

    def write_nodes(self, asked: Asked, command: c.WriteNodes) -> Answer | None:
        """Write values into nodes of a pulse."""
        key = meant.key_of(self._core, command)
        meant.refuse_unknown_tree(self._core, key.tree)
        shot = self._core.shots.get(key)
        if shot is not None and shot.open_run is not None:
            run = shot.open_run.number
            raise Refused(f"{key}: run {run} is open; nodes are written between runs")

        def done(done: Done) -> Answer:
            assert isinstance(done, TreeDone)
            if done.error:
                return Answer(Outcome.REFUSED, f"{key}: its nodes were not written: {done.error}")
            return Answer(Outcome.OK, f"{key}: {len(command.values)} nodes written")

        job = self._requests.later(asked, done)
        self._core.after(WriteNodesJob(job=job, key=key, values=command.values))
        return None

    def current_shot(self, asked: Asked, command: c.CurrentShot) -> Answer | None:
        """Read, set or raise the site's current shot number."""
        meant.refuse_unknown_tree(self._core, command.tree)
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

        job = self._requests.later(asked, done)
        key = ShotKey(command.tree, 0)
        self._requests.begun(asked, f"the current shot of {command.tree} is set")
        self._core.after(
            CurrentShotJob(job=job, key=key, set_to=command.set_to, increment=command.increment)
        )
        return None

    def _key(self, command: c.ReadTree) -> ShotKey:
        if command.tree is not None and command.shot is not None:
            return ShotKey(command.tree, command.shot)  # the model and the current shot, too
        return meant.key_of(self._core, command)

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
        return page(nodes, self._core.page_bytes, head)

    def _problems(self, table: Table) -> tuple[TreeProblem, ...]:
        """Return what is wrong or odd: errors first, in the order in which they were found."""
        found = [*self._unserved(table), *find_problems(table)]
        found.sort(key=lambda problem: problem.severity is not Severity.ERROR)
        told = [
            TreeProblem(severity=severity, path=path, text=text)
            for severity, path, text in found[:PROBLEMS_MAX]
        ]
        if len(found) > PROBLEMS_MAX:
            more = f"{len(found) - PROBLEMS_MAX} more are not listed"
            severity = found[PROBLEMS_MAX].severity
            told.append(TreeProblem(severity=severity, path="", text=more))
        return tuple(told)

    def _unserved(self, table: Table) -> Iterator[TableProblem]:
        """Yield the classes that no server serves, neither a configured nor a present one."""
        servers = self._core.fleet.servers.values()
        here = {server.register.server_class for server in servers if not server.is_lost}
        configured = {name.partition(":")[0] for name in self._core.config.named_servers}
        served = here | configured
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
        there = {
            (server.register.server_class, label)
            for server in servers
            for label in server.register.labels
        }
        for node in table.actions:
            asked = (node.server_class, node.label)
            if node.label and node.server_class in here and asked not in there:
                text = f"no server of class {node.server_class} has the label {node.label}"
                yield TableProblem(Severity.WARNING, node.path, text)


def _as_before(was: ActionNode | None, one: ActionNode) -> ActionNode:
    """Return an action, made of what an earlier one has where they are the same."""
    if was is None or was == one:
        return was or one
    same = structs.replace(was, folder=one.folder)
    return same if same == one else one
