import math

import pytest

from django_websocket.connection.timeouts import LONGEST, check_timeout, is_number


@pytest.mark.parametrize("timeout", [None, 0, 0.5, 3600, LONGEST])
def test_times_to_wait(timeout):
    check_timeout(timeout)


@pytest.mark.parametrize("timeout", ["1", True, b"1", [1]])
def test_what_is_no_time_is_a_type_error(timeout):
    with pytest.raises(TypeError, match="timeout in seconds or None"):
        check_timeout(timeout)


@pytest.mark.parametrize("timeout", [-1, -0.001, math.nan, math.inf, 2 * LONGEST])
def test_what_the_event_loop_cannot_wait_for_is_a_value_error(timeout):
    with pytest.raises(ValueError, match="0 or more seconds"):
        check_timeout(timeout)


def test_a_deadline_may_be_over():
    check_timeout(-1, may_be_over=True)
    for timeout in (math.nan, math.inf):
        with pytest.raises(ValueError, match="0 or more seconds"):
            check_timeout(timeout, may_be_over=True)


def test_a_bool_is_no_number():
    assert is_number(1)
    assert is_number(0.5)
    assert not is_number(False)
    assert not is_number("1")
