"""The experiment file as a tree: pulses are folders, each with the file as it was when it was made.

    <pulses>/<TREE>/<SHOT>/experiment.yaml   the experiment file, as of `create_pulse`
    <pulses>/<TREE>/<SHOT>/nodes.json        what was written for arguments of its actions
    <pulses>/<TREE>/<SHOT>/events.log        one line for each completion event
    <pulses>/<TREE>/<SHOT>/…                 whatever the tasks write

What a file may say is `experiment_file`'s.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from msgspec import structs

from shotline.common.base import Json
from shotline.common.nodes import ActionNode, DispatchOptions, Phase, SourceMark
from shotline.common.settings.yamlfile import FileProblems, read_bounded
from shotline.trees.arguments import argument_nodes, problem_of, with_written
from shotline.trees.experiment_file import Experiment, read_experiment
from shotline.trees.marks import mark_of
from shotline.trees.tree import PulseExists, TreeError

MODEL_SHOT: Final = -1
_COPY: Final = "experiment.yaml"
_NODES: Final = "nodes.json"


class FileTree:
    """An experiment file and its pulses; implements `Tree`."""

    def __init__(self, tree: str, file: Path, pulses: Path | None = None) -> None:
        self.tree = tree.upper()
        self._file = file.expanduser().absolute()
        self._pulses = (pulses or self._file.parent / "pulses").expanduser().absolute()
        self._last_read: tuple[bytes, Experiment] | None = None

    def actions(self, shot: int) -> Sequence[ActionNode]:
        """Return the actions of the shot as its file declared them when it was made."""
        experiment, written = self._read(shot), self._written(shot)
        return [self._in_folder(with_written(node, written), shot) for node in experiment.actions]

    def action(self, shot: int, path: str) -> ActionNode:
        """Return the action with this full or short path."""
        wanted = path.upper()
        for node in self._read(shot).actions:
            if wanted in (node.path, node.name):
                return self._in_folder(with_written(node, self._written(shot)), shot)
        raise TreeError(f"{self.tree}/{shot} has no action {path}")

    def phases(self, shot: int) -> Sequence[Phase]:
        """Return the phases in the order of their numbers."""
        return self._read(shot).phases

    def options(self, shot: int) -> DispatchOptions:
        """Return how the file wants its actions dispatched."""
        return self._read(shot).options

    def warnings(self, shot: int) -> Sequence[str]:
        """Return what is worth a look in the shot's file, each with its line."""
        warnings = self._read(shot).warnings
        if shot == MODEL_SHOT:
            return warnings
        model, own = self._model_mark(), _file_mark("", self.folder(shot) / _COPY)
        if not model.mark or not own.mark or model.mark == own.mark:
            return warnings
        return (
            *warnings,
            f"{model.what} is not what {self.tree}/{shot} was made from: the pulse keeps its own "
            f"({self.folder(shot) / _COPY}) until it is made again",
        )

    def marks(self, shot: int) -> Sequence[SourceMark]:
        """Return how the pulse's file stands, and the experiment file that it is a copy of."""
        if shot == MODEL_SHOT:
            return (self._model_mark(),)
        copy = self.folder(shot) / _COPY
        return (_file_mark(f"the pulse's file {copy}", copy), self._model_mark())

    def _model_mark(self) -> SourceMark:
        mark = _file_mark(f"the experiment file {self._file}", self._file)
        return structs.replace(mark, model=True)

    def folder(self, shot: int) -> Path:
        """Return the folder of a pulse, existing or not."""
        return self._pulses / self.tree / str(shot)

    def create_pulse(self, shot: int, *, replace: bool) -> None:
        """Make the pulse's folder with a copy of the experiment file in it.

        With `replace` an existing pulse is deleted with all that its tasks wrote.
        """
        if shot < 1:
            raise TreeError(f"{shot} is not a shot number; pulses have numbers from 1")
        folder = self.folder(shot)
        if folder.exists() and not replace:
            raise PulseExists(
                f"{self.tree}/{shot} exists already ({folder}); --replace deletes it first"
            )
        content = self._content(self._file)
        self._parsed(content, self._file)
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            # Made aside and renamed: nobody ever sees half a pulse.
            made = Path(tempfile.mkdtemp(prefix=f".{shot}.", dir=folder.parent))
            try:
                made.chmod(0o755)
                (made / _COPY).write_bytes(content)
                _put_in_place(made, folder)
            finally:
                shutil.rmtree(made, ignore_errors=True)
        except OSError as error:
            raise TreeError(
                f"cannot make {folder}: {error.strerror or error}; the folder of pulses must be "
                "writable for the dispatcher"
            ) from None

    def write_nodes(self, shot: int, values: Mapping[str, Json]) -> None:
        """Write values for arguments of the pulse's actions, each as PATH:ARGUMENT, all or none."""
        actions = self._read(shot).actions
        known = {name for node in actions for name in argument_nodes(node)}
        named = {self._full(path): value for path, value in values.items()}
        for path in named:
            if path not in known:
                raise TreeError(
                    f"{self.tree}/{shot} has no node {path}; nodes of an experiment file are the "
                    "arguments of its actions' tasks, PATH:ARGUMENT"
                )
        written = {**self._written(shot), **named}
        for node in actions:
            if (problem := problem_of(node, written)) is not None:
                raise TreeError(f"{self.tree}/{shot} {problem}")
        file = self.folder(shot) / _NODES
        made = file.with_name(f".{_NODES}.new")
        try:
            made.write_text(json.dumps(written, ensure_ascii=False, indent=1), encoding="utf-8")
            made.replace(file)
        except OSError as error:
            raise TreeError(f"cannot write {file}: {error.strerror or error}") from None

    def _full(self, path: str) -> str:
        upper = path.strip().upper()
        return upper if upper.startswith("\\") else f"\\{self.tree}::TOP:{upper.lstrip(':.')}"

    def _written(self, shot: int) -> dict[str, Json]:
        """Return what was written to nodes of the pulse, by their full paths."""
        if shot == MODEL_SHOT:
            return {}
        file = self.folder(shot) / _NODES
        try:
            found = json.loads(file.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise TreeError(f"cannot read {file}: {error}") from None
        return found if isinstance(found, dict) else {}

    def raise_event(self, event: str, shot: int) -> None:
        """Write the event to the log in the shot's folder."""
        log = self.folder(shot) / "events.log"
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = f"{now} {self.tree}/{shot} {event!r}\n".encode()
        try:
            # One write to a file opened for appending: lines of two writers never mix.
            descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise TreeError(
                f"cannot write event {event} to {log}: {error.strerror or error}"
            ) from None

    def close(self) -> None:
        """Forget what was read."""
        self._last_read = None

    def _read(self, shot: int) -> Experiment:
        if shot == MODEL_SHOT:
            return self._parsed(self._content(self._file), self._file)
        copy = self.folder(shot) / _COPY
        if not copy.exists():
            raise TreeError(
                f"{self.tree}/{shot} does not exist (no {copy}); create the pulse first: "
                f"shotline create-pulse {self.tree} {shot}"
            )
        return self._parsed(self._content(copy), copy)

    def _in_folder(self, node: ActionNode, shot: int) -> ActionNode:
        if shot == MODEL_SHOT:
            return node
        return structs.replace(node, folder=str(self.folder(shot)))

    def _content(self, path: Path) -> bytes:
        try:
            return read_bounded(path)
        except FileProblems as problems:
            raise TreeError(str(problems)) from problems

    def _parsed(self, content: bytes, path: Path) -> Experiment:
        # A pulse that was just created has the same content; it is not taken apart again.
        digest = hashlib.sha256(content).digest()
        if self._last_read is not None and self._last_read[0] == digest:
            return self._last_read[1]
        experiment = read_experiment(content, path)
        if experiment.tree != self.tree:
            raise TreeError(f"{path} is the experiment {experiment.tree}, not {self.tree}")
        self._last_read = (digest, experiment)
        return experiment


def _file_mark(what: str, path: Path) -> SourceMark:
    try:
        status = path.stat()
        content = read_bounded(path)
    except FileNotFoundError:
        return SourceMark(what=what)
    except OSError as error:
        return SourceMark(what=what, unseen=error.strerror or str(error))
    except FileProblems as problems:
        return SourceMark(what=what, unseen=str(problems))
    changed = datetime.fromtimestamp(status.st_mtime, UTC).astimezone()
    return SourceMark(
        what=what, mark=mark_of(content), changed=changed.strftime("%Y-%m-%d %H:%M:%S")
    )


def _put_in_place(made: Path, folder: Path) -> None:
    """Rename a finished pulse to its place; what was there is deleted after that."""
    if not folder.exists():
        made.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
    folder.rename(old / "pulse")
    made.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
