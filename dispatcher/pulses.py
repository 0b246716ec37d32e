"""The commands about a shot as a whole: create its pulse, build its tables. Pure."""

from collections.abc import Callable

from shotline.common import commands as c
from shotline.common.dangers import Danger, NamedDanger
from shotline.common.messages import Outcome
from shotline.common.nodes import DispatchOptions
from shotline.common.records import PulseCreated, ShotKey, TableBuilt
from shotline.dispatcher.desk import Answer, Asked, Dangerous, Refused
from shotline.dispatcher.effects import CreatePulseJob, ForgetShots, ReadTableJob, TreeDone
from shotline.dispatcher.office import Done, Office
from shotline.dispatcher.reading.problems import find_problems
from shotline.dispatcher.shots import Shot
from shotline.dispatcher.table import Table
from shotline.trees.tree import TreeError


class Pulses:
    """Makes pulses and tables; keeps what is in memory and in Redis within its limits."""

    def __init__(self, office: Office, options_of: Callable[[str], DispatchOptions | None]) -> None:
        self._office = office
        self._core = office.core
        self._execution = office.execution
        self._answers = office.answers
        self._choice = office.choice
        self._options_of = options_of

    def create_pulse(self, asked: Asked, command: c.CreatePulse) -> Answer | None:
        """Make the pulse (D14, D16)."""
        self._choice.known_tree(command.tree)
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
            return self._office.on_loaded(asked, key, lambda: known(done))

        def known(done: TreeDone) -> Answer:
            self._core.current = key
            shot = self._core.shots.setdefault(key, Shot(key))
            self._core.put(shot, PulseCreated(time=self._core.wall, replaced=replace))
            self._core.used(key)
            return Answer(Outcome.OK, f"{key} was created", notices=done.warnings)

        self._core.after(CreatePulseJob(self._office.later(asked, created), key, replace))
        return None

    def build_tables(self, asked: Asked, command: c.BuildTables) -> Answer | None:
        """Read and classify all nodes (D1, D14)."""
        key = self._choice.key_to_build(command)
        self._choice.known_tree(key.tree)
        shot = self._core.shots.get(key)
        if shot is not None and shot.open_run is not None:
            raise Refused(
                f"{key}: run {shot.open_run.number} is open; tables are built between runs"
            )
        if key in self._office.building:
            raise Refused(f"{key}: its tables are being built already")
        self._office.building[key] = None

        def read(done: Done) -> Answer | None:
            assert isinstance(done, TreeDone)
            self._office.building.pop(key, None)
            if done.error:
                return Answer(Outcome.REFUSED, f"{key}: its tables were not built: {done.error}")
            try:
                Table.build(done.nodes, done.phases, DispatchOptions())
            except TreeError as error:
                return Answer(Outcome.REFUSED, f"{key}: its tables were not built: {error}")
            return self._office.on_loaded(asked, key, lambda: self._built(key, done, command))

        self._core.after(ReadTableJob(self._office.later(asked, read), key))
        return None

    def _built(self, key: ShotKey, done: TreeDone, command: c.BuildTables) -> Answer:
        core = self._core
        shot = core.shots.setdefault(key, Shot(key))
        before = dict(shot.actions)
        core.put(
            shot,
            TableBuilt(
                time=core.wall,
                actions=done.nodes,
                phases=done.phases,
                options=self._options_of(key.tree) or done.options or DispatchOptions(),
                reset=command.reset,
                sources=done.sources,
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
            self._answers.built(shot, list_actions=command.list_actions),
            (*done.warnings, *(f"{p.severity}: {p.path} {p.text}" for p in problems))[:50],
        )

    def _unload(self) -> None:
        """Forget closed shots in memory, and old ones in Redis (retention)."""
        core = self._core
        core.unload()
        for tree in {key.tree for key in core.stored}:
            mine = [key for key in core.stored if key.tree == tree]
            old = [
                key
                for key in mine[: max(len(mine) - core.settings.keep_shots, 0)]
                if not core.is_open(key) and key != core.current
            ]
            if old:
                for key in old:
                    del core.stored[key]
                    core.shots.pop(key, None)
                core.after(ForgetShots(tuple(old)))
