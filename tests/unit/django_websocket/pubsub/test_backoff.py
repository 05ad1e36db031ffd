from django_websocket.pubsub.backoff import FIRST_PAUSE, LONGEST_PAUSE, Backoff

ROUNDS = 500


def pauses(count):
    backoff = Backoff()
    return [backoff.fail() for _ in range(count)]


def test_pauses_lie_between_nothing_and_a_limit_that_doubles():
    rounds = [pauses(8) for _ in range(ROUNDS)]
    for number, drawn in enumerate(zip(*rounds, strict=True)):
        limit = min(LONGEST_PAUSE, FIRST_PAUSE * 2**number)
        assert 0 <= min(drawn) < limit / 4
        assert limit * 3 / 4 < max(drawn) <= limit


def test_after_a_success_pauses_are_short_again():
    backoff = Backoff()
    for _ in range(10):
        backoff.fail()
    backoff.reset()
    assert backoff.fail() <= FIRST_PAUSE


def test_an_outage_of_days_is_no_reason_to_wait_for_longer():
    assert max(pauses(10_000)) <= LONGEST_PAUSE
