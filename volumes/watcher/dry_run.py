"""What the rules would do with the files that are there: nothing is remembered or announced."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from shotline.common.errors import ConfigError
from shotline.common.settings.sections.volumes import ThenSection, VolumesSection
from shotline.volumes.watcher import contents
from shotline.volumes.watcher.rules import Rules


def dry_run(section: VolumesSection, volumes: tuple[str, ...]) -> Iterator[str]:
    """Yield a line for each file, and how many each rule has at the end. Raise ConfigError."""
    for name in volumes or section.folders:
        if name not in section.folders:
            raise ConfigError(f"there is no volume {name} under volumes.folders")
        yield from _of_volume(section, name)


def _of_volume(section: VolumesSection, name: str) -> Iterator[str]:
    root = section.folders[name].folder
    if not root.is_dir():
        yield f"{name}: {root} is not there"
        return
    rules = Rules(name, section.rules)
    counts: Counter[str] = Counter()
    for path in _paths(root):
        found = rules.found(path)
        if found is None:
            counts["no rule"] += 1
            continue
        if found.path != path:
            continue  # it belongs to another one
        look = contents.look_at(root, found)
        if look is None:
            yield f"{name}: {path}: {found.rule.name}: waits for {', '.join(found.companions)}"
            continue
        try:
            file = contents.read(root, found, look)
        except contents.Unreadable as error:
            counts["kept out"] += 1
            yield f"{name}: {path}: {found.rule.name}: would be kept out: {error}"
            continue
        counts[found.rule.name] += 1
        records = 1 if file is None else len(file.parts)
        told = " ".join(f"{key}={value}" for key, value in found.fields.items())
        then = _words(found.rule.section.then)
        yield f"{name}: {path}: {found.rule.name}: {records} records {then} {told}".rstrip()
    total = ", ".join(f"{count} {rule}" for rule, count in sorted(counts.items())) or "no files"
    yield f"{name}: {total}"


def _paths(root: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        folders.sort()
        within = Path(folder).relative_to(root)
        for one in sorted(names):
            yield (within / one).as_posix()


def _words(then: ThenSection) -> str:
    told = [f"for {', '.join(then.consumers)}"] if then.consumers else []
    if then.action or then.phase:
        told.append(f"run {then.action or then.phase} of {then.experiment}/{then.shot}")
    if then.plan is not None:
        told.append("add a plan to the queue")
    return "; ".join(told)
