from django_websocket.connection.leakybucket import fill


def test_it_is_filled_until_it_has_no_room_and_leaks():
    empty_at = 0.0
    for expected in (101.0, 102.0, 103.0):
        empty_at = fill(empty_at, 1, 3, now=100.0)
        assert empty_at == expected
    assert fill(empty_at, 1, 3, now=100.0) is None
    assert fill(empty_at, 1, 3, now=101.0) == 104.0


def test_one_always_has_room_whatever_sums_are_rounded_to():
    now = 65131.45804169014
    assert now + 1000 - now > 1000
    empty_at = fill(0.0, 1000, 5, now)
    assert empty_at == now + 1000
    assert fill(empty_at, 1000, 5, now) is None
