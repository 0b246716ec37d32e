"""What the soak calls flat."""

import pytest
from tests.soak.judging import is_flat


@pytest.mark.parametrize("what", ["MiB", "descriptors", "threads", "keys"])
def test_what_grows_all_the_time_is_not_flat(what: str) -> None:
    assert not is_flat(what, [100.0 + 3 * number for number in range(30)])


@pytest.mark.parametrize("what", ["MiB", "descriptors", "threads", "keys"])
def test_what_goes_up_and_down_is_flat(what: str) -> None:
    assert is_flat(what, [100.0 + number % 3 for number in range(30)])
    assert is_flat(what, [100.0 - number for number in range(30)])


def test_a_single_peak_is_no_growth() -> None:
    assert is_flat("MiB", [100.0] * 20 + [400.0] + [100.0] * 9)
