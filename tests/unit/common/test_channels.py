"""The names of the event feed's channels, there and back."""

import pytest

from shotline.common.channels import (
    FEED,
    LOG,
    SERVERS,
    output_channel,
    output_of,
    shot_channel,
    shot_of,
)
from shotline.common.records import ShotKey

KEY = ShotKey("TEST", 42)


def test_a_name_says_what_it_was_made_of() -> None:
    for path in (r"\TEST::TOP.A:B", "WITH/SLASHES", "TWO\nLINES"):
        assert output_of(output_channel(KEY, path)) == (KEY, path)
        assert shot_of(output_channel(KEY, path)) is None
    assert shot_of(shot_channel(KEY)) == KEY
    assert output_of(shot_channel(KEY)) is None


@pytest.mark.parametrize(
    "channel",
    [
        SERVERS,
        LOG,
        FEED,
        "",
        "shot/",
        "shot/TEST",
        "shot/TEST/",
        "shot/TEST/x",
        "shot/TEST/1/2",
        f"shot/TEST/{'9' * 5000}",
        "output/TEST/1/",
        "output/TEST/x/A",
        "TEST/42",
    ],
)
def test_other_names_name_no_shot_and_no_output(channel: str) -> None:
    assert shot_of(channel) is None
    assert output_of(channel) is None
