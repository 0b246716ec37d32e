"""Tree workers' host: what no other process can be told is refused, and nobody dies of it."""

from shotline.common.records import ShotKey
from shotline.common.service import Service
from shotline.dispatcher.effects import CreatePulseJob, TreeDone
from shotline.dispatcher.tree_host import TreeHost
from shotline.trees.source import FileSource


def test_a_file_whose_name_is_not_utf_8_is_refused_in_words() -> None:
    done: list[TreeDone] = []
    source = FileSource(file="x.yaml").model_copy(update={"file": "/caf\udce9/x.yaml"})
    host = TreeHost(Service("test"), {"T": source}, 1.0, done.append)
    host.do(CreatePulseJob(1, ShotKey("T", 1), replace=False))
    [answer] = done
    assert "/caf\\udce9/x.yaml is not UTF-8" in answer.error
    assert host.wake_at() is None
    host.close()
