"""Hours and maintenance windows keep their time of day, on both days on which the clock is set."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from shotline.common.fleet.settings import Hours, HoursState, Repeat, Select, Window

BERLIN = "Europe/Berlin"
SPRING, AUTUMN = (2026, 3, 29), (2026, 10, 25)
OPEN, NO_NEW, ENDED = HoursState.OPEN, HoursState.NO_NEW, HoursState.ENDED


def at(day: tuple[int, int, int], hour: int, minute: int = 0, *, fold: int = 0) -> float:
    """Return a moment that a clock in Berlin shows; `fold` 1: the second time."""
    return datetime(*day, hour, minute, tzinfo=ZoneInfo(BERLIN), fold=fold).timestamp()


def shown(moment: float | None) -> str:
    """Return a moment as a clock in Berlin shows it."""
    assert moment is not None
    return datetime.fromtimestamp(moment, UTC).astimezone(ZoneInfo(BERLIN)).strftime("%d. %H:%M %Z")


@pytest.mark.parametrize("day", [SPRING, AUTUMN, (2026, 7, 1)])
def test_the_day_goes_by_the_clock_on_the_wall(day: tuple[int, int, int]) -> None:
    hours = Hours(start="08:00", stop="18:00", end="19:30", zone=BERLIN)
    assert not hours.trouble()
    wanted = {7: ENDED, 8: OPEN, 17: OPEN, 18: NO_NEW, 19: NO_NEW, 20: ENDED}
    assert {hour: hours.state(at(day, hour)) for hour in wanted} == wanted
    assert shown(hours.next_change(at(day, 7))).startswith(f"{day[2]:02}. 08:00")
    assert shown(hours.next_change(at(day, 12))).startswith(f"{day[2]:02}. 18:00")
    assert shown(hours.next_change(at(day, 19))).startswith(f"{day[2]:02}. 19:30")


def test_the_night_in_which_an_hour_is_left_out_is_an_hour_shorter() -> None:
    hours = Hours(start="22:00", end="06:00", zone=BERLIN)
    evening = at((2026, 3, 28), 22)
    assert hours.state(evening) is OPEN
    assert hours.next_change(evening) == evening + 7 * 3600
    assert hours.state(at(SPRING, 6)) is ENDED


def test_the_night_in_which_an_hour_comes_twice_is_an_hour_longer() -> None:
    hours = Hours(start="22:00", end="06:00", zone=BERLIN)
    evening = at((2026, 10, 24), 22)
    assert hours.next_change(evening) == evening + 9 * 3600


def test_what_the_clock_leaves_out_comes_when_it_is_set() -> None:
    hours = Hours(start="02:30", stop="18:00", zone=BERLIN)
    before = at(SPRING, 1, 59)
    assert hours.state(before) is NO_NEW
    assert shown(hours.next_change(before)) == "29. 03:00 CEST"
    assert hours.state(at(SPRING, 3)) is OPEN
    both = Hours(start="04:00", stop="02:15", end="02:45", zone=BERLIN)
    assert both.state(at(SPRING, 1, 59)) is OPEN
    assert both.state(at(SPRING, 3)) is ENDED


def test_what_the_clock_shows_twice_comes_the_first_time_and_once() -> None:
    hours = Hours(start="01:00", stop="02:30", end="02:45", zone=BERLIN)
    assert hours.state(at(AUTUMN, 2, 29)) is OPEN
    assert shown(hours.next_change(at(AUTUMN, 2, 0))) == "25. 02:30 CEST"
    assert hours.state(at(AUTUMN, 2, 35)) is NO_NEW
    assert hours.state(at(AUTUMN, 2, 50)) is ENDED
    assert hours.state(at(AUTUMN, 2, 0, fold=1)) is ENDED, "the hour that comes again opens nothing"
    assert hours.state(at(AUTUMN, 2, 29, fold=1)) is ENDED


def test_without_start_the_day_begins_at_midnight_and_without_an_end_it_ends_there() -> None:
    stop = Hours(stop="18:00")
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()
    assert stop.state(noon) is OPEN
    assert stop.state(noon + 8 * 3600) is NO_NEW
    assert stop.opens_at(noon + 8 * 3600) == noon + 12 * 3600
    start = Hours(start="08:00")
    assert start.state(noon) is OPEN
    assert start.state(noon - 6 * 3600) is NO_NEW
    assert start.next_change(noon) == noon + 12 * 3600


@pytest.mark.parametrize(
    ("hours", "why"),
    [
        (Hours(), "say nothing"),
        (Hours(start="00:00"), "say nothing"),
        (Hours(start="08:00", stop="18:00", end="17:00"), "follow each other"),
        (Hours(start="08:00", end="08:00"), "follow each other"),
        (Hours(start="08:00", zone="Europe/Atlantis"), "Europe/Atlantis is not known"),
        (Hours(start="08:00", zone="../../etc/passwd"), "is not known"),
    ],
)
def test_hours_that_cannot_be_kept_say_why(hours: Hours, why: str) -> None:
    assert why in hours.trouble()


def window(**fields: object) -> Window:
    """Return a window of an hour from 02:30 in Berlin, three days before the clock is set."""
    made = {
        "id": "night",
        "select": Select(servers=("*",)),
        "begins_at": at((2026, 3, 26), 2, 30),
        "duration_s": 3600.0,
        "zone": BERLIN,
    }
    return Window(**(made | fields))  # type: ignore[arg-type]


def times(window: Window, wall: float, count: int) -> list[str]:
    """Return when it begins the next times."""
    found = window.times_from(wall)
    return [shown(begins) for begins, _ in (next(found) for _ in range(count))]


def test_a_daily_window_keeps_its_time_of_day() -> None:
    daily = window(repeat=Repeat.DAILY)
    wanted = ["28. 02:30 CET", "29. 03:00 CEST", "30. 02:30 CEST"]
    assert times(daily, at((2026, 3, 28), 1), 3) == wanted
    assert times(daily, at((2026, 3, 28), 3), 1) == ["28. 02:30 CET"], "it is open"
    assert times(daily, at((2026, 3, 28), 3, 31), 1) == ["29. 03:00 CEST"]


def test_windows_of_weekdays_and_weeks_and_their_end() -> None:
    wall = at((2026, 3, 26), 0)
    days = window(repeat=Repeat.WEEKDAYS)  # from a Thursday on
    assert [one[:3] for one in times(days, wall, 4)] == ["26.", "27.", "30.", "31."]
    weeks = window(repeat=Repeat.WEEKLY)
    assert times(weeks, wall, 2) == ["26. 02:30 CET", "02. 02:30 CEST"]
    until = window(repeat=Repeat.DAILY, until=at((2026, 3, 28), 0))
    assert len(list(until.times_from(wall))) == 2
    once = window()
    assert len(list(once.times_from(wall))) == 1
    assert not list(once.times_from(at((2026, 3, 26), 3, 30)))
