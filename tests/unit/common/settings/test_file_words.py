"""What is wrong with a file is said in the words of its writer, with what may have been meant."""

from pathlib import Path

import pytest

from shotline.common.settings.config import Config
from shotline.common.settings.yamlfile import FileProblems, parse_yaml


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("moniter: {}", "moniter: is not a known key; did you mean monitor?"),
        (
            "broker: {HEARTBEAT_S: 1}",
            "broker.HEARTBEAT_S: is not a known key; did you mean heartbeat_s?",
        ),
        ("broker: {colour: red}", "broker.colour: is not a known key"),
        (
            "up: {servers: [{class: A, slot: 2}]}",
            "up.servers[0].slot: is not a known key; did you mean slots?",
        ),
        (
            "experiments: {T: {source: {kind: file, fil: x}}}",
            "experiments.T.source.fil: is not a known key; did you mean file?",
        ),
        ("broker: {servers_max: many}", "broker.servers_max: must be a whole number"),
        ("broker: {probe_s: soon}", "broker.probe_s: must be a number"),
        ("broker: {probe_s: 0}", "broker.probe_s: must be greater than 0"),
        ("broker: {clients_max: 0}", "broker.clients_max: must be at least 1"),
        ("broker: [1]", "broker: must be a mapping of keys to values"),
        ("logging: {file: 3}", "logging.file: must be text"),
        (
            "logging: {level: warn}",
            "logging.level: must be one of debug, info, warning, error, critical; "
            "did you mean warning?",
        ),
        (
            "experiments: {T: {source: {kind: mdsips}}}",
            "experiments.T.source: must be one of file, mdsip, mdsplus; did you mean mdsip?",
        ),
        (
            "broker: {clients: 'http://x'}",
            "broker.clients: must be tcp://HOST:PORT with a port from 1 to 65535, or ipc://FILE",
        ),
    ],
)
def test_problems_speak_our_words(text: str, problem: str) -> None:
    with pytest.raises(FileProblems) as caught:
        parse_yaml(text.encode(), Path("c.yaml")).validate(Config)
    said = str(caught.value).splitlines()
    assert f"c.yaml:1: {problem}" in said
    assert not [line for line in said if "Input should" in line or "Value error" in line]
