"""When a silent worker is taken for hung, and when not."""

import pytest

from tandem.serve.beat import BEAT_SECONDS, HUNG_SECONDS, LATE_SECONDS, Silence


def listen(*looks: tuple[float, bool]) -> list[bool]:
    """Look at these times, having heard something or not; whether it was hung at each."""
    silence = Silence(0.0)
    return [silence.too_long(at, heard=heard) for at, heard in looks]


def steps(
    until: float, *, every: float = BEAT_SECONDS, heard: bool = False, after: float = 0.0
) -> list[tuple[float, bool]]:
    count = int((until - after) / every)
    return [(after + every * number, heard) for number in range(1, count + 1)]


def test_one_that_beats_is_never_hung() -> None:
    assert not any(listen(*steps(100 * HUNG_SECONDS, heard=True)))


def test_one_that_is_silent_for_long_enough_is() -> None:
    looks = steps(HUNG_SECONDS + 3)
    hung = [at for (at, _), is_hung in zip(looks, listen(*looks), strict=True) if is_hung]
    assert hung[0] == HUNG_SECONDS


def test_a_beat_at_the_last_moment_saves_it() -> None:
    before = steps(HUNG_SECONDS - 1)
    assert not any(
        listen(*before, (HUNG_SECONDS, True), *steps(2 * HUNG_SECONDS - 1, after=HUNG_SECONDS))
    )


@pytest.mark.parametrize("asleep", [2 * HUNG_SECONDS, 3600.0, 9 * 3600.0])
def test_time_in_which_we_did_not_look_ourselves_does_not_count(asleep: float) -> None:
    """The machine slept, the whole of it was stopped, or it has no time for any of us."""
    awake = 5.0
    looks = [*steps(awake), (awake + asleep, False)]
    looks += steps(awake + asleep + HUNG_SECONDS - 1, after=awake + asleep)
    assert not any(listen(*looks))
    assert listen(*looks, *steps(asleep + 2 * HUNG_SECONDS, after=looks[-1][0]))[-1]


def test_a_machine_so_busy_that_we_are_late_each_time_raises_no_alarm() -> None:
    late = BEAT_SECONDS + LATE_SECONDS + 0.1
    assert not any(listen(*steps(100 * HUNG_SECONDS, every=late)))
