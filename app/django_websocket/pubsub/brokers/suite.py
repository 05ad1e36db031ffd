"""What every backend must do, as tests for pytest. Run them on a backend of your own::

    from django_websocket.pubsub.brokers.suite import BrokerSuite, EditingSuite, PresenceSuite

    class TestMyBroker(BrokerSuite, EditingSuite, PresenceSuite):
        def connect(self):
            return MyBroker("my://localhost")

Leave out ``PresenceSuite`` if the backend knows no presence, ``EditingSuite`` if it does not
edit.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from enum import Enum
from functools import partial
from uuid import uuid4

from django_websocket.errors import ImproperSetting
from django_websocket.pubsub.message import (
    CLEARED,
    ZERO,
    Message,
    edition,
    is_id,
    make_id,
    presence_channel,
    retraction,
)

from .base import Broker, Entry, History, Presence, Wanted, require_presence

__all__ = ["BrokerSuite", "EditingSuite", "PresenceSuite", "Recorder"]

#: How long a test waits for anything, in seconds.
PATIENCE = 90.0


class _Named(str, Enum):  # noqa: UP042 - projects have such
    """Members whose ``format()`` differs from their text."""

    ROOM = "a.room"
    ADA = "Ada"


class Recorder:
    """A receiver that records its calls."""

    def __init__(self) -> None:
        self.received: list[tuple[str, Entry]] = []
        #: Whether it reads the channel's history for each message, and keeps it here.
        self.wants_histories = False
        self.histories: list[History] = []
        #: By channel, the id of the last message when it was subscribed.
        self.positions: dict[str, str] = {}
        self._changed = threading.Condition()

    def subscribed(self, channels: Collection[str]) -> Wanted:
        histories = yield [(channel, None) for channel in channels], None
        with self._changed:
            for channel, history in zip(channels, histories, strict=True):
                self.positions[channel] = history.last
            self._changed.notify_all()

    def message(self, channel: str, entry: Entry) -> Wanted | None:
        with self._changed:
            assert channel in self.positions, "message() came before subscribed() was answered"
            self.received.append((channel, entry))
            self._changed.notify_all()
        return self._histories_of(channel) if self.wants_histories else None

    def _histories_of(self, channel: str) -> Wanted:
        """Read the history twice, the first time only one entry."""
        for limit in (1, None):
            [history] = yield [(channel, ZERO)], limit
            with self._changed:
                self.histories.append(history)
                self._changed.notify_all()

    def lost(self, channels: Collection[str]) -> None:
        with self._changed:
            for channel in channels:
                self.positions.pop(channel, None)

    def give_way(self) -> None:
        pass

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE), f"timed out waiting for {what}"

    def entries(self, count: int) -> list[Entry]:
        """Wait for ``count`` entries and return the first ones."""
        self.wait_for(lambda: len(self.received) >= count, f"{count} messages")
        return [entry for _, entry in self.received]


class _Suite:
    """What both suites share."""

    #: Whether two brokers from :meth:`connect` reach each other.
    shared = True

    def connect(self) -> Broker:
        """A new broker, such as each process has."""
        raise NotImplementedError

    @contextmanager
    def broker(self) -> Iterator[tuple[Broker, Recorder]]:
        broker, recorder = self.connect(), Recorder()
        broker.listen(recorder)
        try:
            yield broker, recorder
        finally:
            broker.close()

    def subscribe(self, broker: Broker, recorder: Recorder, channel: str) -> None:
        broker.subscribe(channel)
        recorder.wait_for(lambda: channel in recorder.positions, f"the subscription to {channel}")


class BrokerSuite(_Suite):
    """Subclass it and define :meth:`connect`."""

    def test_a_message_arrives_as_it_was_published(self) -> None:
        channel, payload = _name(), bytes(range(256))
        with self.broker() as (broker, recorder):
            self.subscribe(broker, recorder, channel)
            published = broker.publish(channel, payload, 10, 60)
            assert recorder.entries(1) == [Entry(published, ZERO, payload)]
            assert recorder.received[0][0] == channel

    def test_what_a_message_makes_the_receiver_want_is_read(self) -> None:
        channel = _name()
        with self.broker() as (broker, recorder):
            self.subscribe(broker, recorder, channel)
            first = broker.publish(channel, b"1", 10, 60)
            recorder.entries(1)
            recorder.wants_histories = True
            second = broker.publish(channel, b"2", 10, 60)
            recorder.wait_for(lambda: len(recorder.histories) >= 2, "two histories")
            found = [[entry.id for entry in history.entries] for history in recorder.histories]
            assert found == [[first], [first, second]]

    def test_a_text_counts_whatever_its_type_makes_of_it(self) -> None:
        channel, other = _Named.ROOM, "a.room"
        with self.broker() as (broker, recorder):
            self.subscribe(broker, recorder, other)
            published = broker.publish(channel, b"x", 10, 60)
            assert recorder.entries(1)[0].id == published
            broker.clear(channel, 60)

    def test_a_message_reaches_every_process(self) -> None:
        if not self.shared:
            return
        channel = _name()
        with self.broker() as (one, recorder), self.broker() as (other, other_recorder):
            self.subscribe(one, recorder, channel)
            self.subscribe(other, other_recorder, channel)
            published = other.publish(channel, b"x", 10, 60)
            assert recorder.entries(1)[0].id == other_recorder.entries(1)[0].id == published

    def test_ids_grow_as_text_and_name_the_one_before(self) -> None:
        channel = _name()
        with self.broker() as (broker, recorder):
            self.subscribe(broker, recorder, channel)
            ids = [broker.publish(channel, b"x", 10, 60) for _ in range(50)]
            assert all(map(is_id, ids))
            assert ids == sorted(set(ids))
            entries = recorder.entries(50)
            assert [entry.id for entry in entries] == ids
            assert [entry.previous for entry in entries] == [ZERO, *ids[:-1]]

    def test_publishers_at_the_same_time_agree_on_one_order(self) -> None:
        channel = _name()
        with self.broker() as (broker, recorder):
            self.subscribe(broker, recorder, channel)

            def work() -> None:
                for _ in range(25):
                    broker.publish(channel, b"x", 200, 60)

            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(PATIENCE)
            received = recorder.entries(100)
            assert [entry.id for entry in received] == sorted({entry.id for entry in received})
            assert list(broker.read([(channel, ZERO)])[0].entries) == received

    def test_what_other_channels_say_is_not_heard(self) -> None:
        channel = _name()
        with self.broker() as (broker, recorder):
            self.subscribe(broker, recorder, channel)
            broker.publish(_name(), b"other", 10, 60)
            broker.publish(channel, b"mine", 10, 60)
            assert [entry.payload for entry in recorder.entries(1)] == [b"mine"]

    def test_after_unsubscribing_nothing_is_heard(self) -> None:
        channel, other = _name(), _name()
        with self.broker() as (broker, recorder):
            self.subscribe(broker, recorder, channel)
            broker.unsubscribe(channel)
            self.subscribe(broker, recorder, other)
            broker.publish(channel, b"x", 10, 60)
            broker.publish(other, b"y", 10, 60)
            assert [entry.payload for entry in recorder.entries(1)] == [b"y"]

    def test_what_is_published_while_subscribing_is_heard_or_was_there(self) -> None:
        for _ in range(20):
            self._subscribe_while_publishing(_name())

    def _subscribe_while_publishing(self, channel: str) -> None:
        """No message is lost between the history and the live delivery."""
        with self.broker() as (broker, recorder):
            publish = partial(broker.publish, channel, b"x", 100, 60)
            thread = threading.Thread(target=lambda: [publish() for _ in range(20)])
            thread.start()
            self.subscribe(broker, recorder, channel)
            thread.join(PATIENCE)
            last = publish()
            recorder.wait_for(
                lambda: bool(recorder.received) and recorder.received[-1][1].id == last, "the end"
            )
            start = recorder.positions[channel]
            received = [entry for _, entry in recorder.received if entry.id > start]
            assert received == list(broker.read([(channel, start)])[0].entries)

    def test_reading_goes_on_after_a_position(self) -> None:
        channel = _name()
        with self.broker() as (broker, _):
            ids = [broker.publish(channel, str(n).encode(), 10, 60) for n in range(5)]
            [history] = broker.read([(channel, ids[1])])
            assert [entry.payload for entry in history.entries] == [b"2", b"3", b"4"]
            assert history.last == ids[4]
            assert list(history.since(ids[1])) == list(history.entries)

    def test_reading_several_channels_at_once(self) -> None:
        channels = [_name() for _ in range(250)]
        with self.broker() as (broker, _):
            ids = [broker.publish(channel, channel.encode(), 10, 60) for channel in channels]
            histories = broker.read([(channel, ZERO) for channel in channels])
            assert [history.last for history in histories] == ids
            assert [h.entries[0].payload.decode() for h in histories] == channels

    def test_an_unknown_channel_is_at_its_beginning(self) -> None:
        with self.broker() as (broker, _):
            for position in (None, ZERO, "1767225600000-000000"):
                [history] = broker.read([(_name(), position)])
                assert (list(history.entries), history.last) == ([], ZERO)

    def test_without_a_position_only_the_last_id_is_read(self) -> None:
        channel = _name()
        with self.broker() as (broker, _):
            published = broker.publish(channel, b"x", 10, 60)
            [history] = broker.read([(channel, None)])
            assert (list(history.entries), history.last) == ([], published)

    def test_what_is_not_kept_is_known_to_be_missing(self) -> None:
        channel = _name()
        with self.broker() as (broker, recorder):
            self.subscribe(broker, recorder, channel)
            broker.publish(channel, b"kept", 10, 60)
            missing = broker.publish(channel, b"not kept", 0, 60)
            [history] = broker.read([(channel, ZERO)])
            assert [entry.payload for entry in history.entries] == [b"kept"]
            assert history.last == missing
            assert list(history.since(ZERO))[-1] == missing
            assert [entry.payload for entry in recorder.entries(2)] == [b"kept", b"not kept"]

    def test_a_history_can_be_read_in_parts(self) -> None:
        channel = _name()
        with self.broker() as (broker, _):
            ids = [broker.publish(channel, str(n).encode(), 100, 60) for n in range(10)]
            position = ZERO
            found: list[Entry] = []
            while True:
                [history] = broker.read([(channel, position)], 4)
                assert history.last == ids[9]
                assert len(history.entries) <= 4
                assert list(history.since(position)) == list(history.entries)
                found += history.entries
                if history.more is None:
                    break
                position = history.more
            assert [entry.id for entry in found] == ids
            assert broker.read([(channel, ids[5])], 4)[0].more in (None, ids[9])
            assert broker.read([(channel, None)], 4)[0].more is None

    def test_another_channel_s_id_is_no_sign_of_a_gap(self) -> None:
        quiet, busy, never = _name(), _name(), _name()
        with self.broker() as (broker, _):
            before = broker.publish(busy, b"0", 10, 60)
            time.sleep(0.01)  # within a millisecond the ids of two channels have no order
            middle = broker.publish(quiet, b"x", 10, 60)
            time.sleep(0.01)
            after = [broker.publish(busy, b"1", 10, 60) for _ in range(2)]
            time.sleep(0.01)
            newest = broker.publish(quiet, b"y", 10, 60)
            for position, expected in ((before, after), (middle, after), (newest, [])):
                [history] = broker.read([(busy, position)])
                assert [entry.id for entry in history.entries] == expected
                assert list(history.since(position)) == list(history.entries), "a false gap"
            [history] = broker.read([(never, newest)])
            assert list(history.since(newest)) == [], "a false gap"
            time.sleep(0.01)
            first = broker.publish(never, b"z", 10, 60)
            [history] = broker.read([(never, newest)])
            assert [entry.id for entry in history.since(newest)] == [first], "a false gap"  # type: ignore[union-attr]

    def test_what_is_missing_is_known_also_by_another_channel_s_id(self) -> None:
        other, channel = _name(), _name()
        with self.broker() as (broker, _):
            position = broker.publish(other, b"x", 10, 60)
            time.sleep(0.01)
            missing = broker.publish(channel, b"not kept", 0, 60)
            [history] = broker.read([(channel, position)])
            assert list(history.since(position)) == [missing]
            kept = broker.publish(channel, b"kept", 10, 60)
            [history] = broker.read([(channel, position)])
            assert list(history.since(position)) == [missing, Entry(kept, missing, b"kept")]

    def test_of_ids_that_nobody_can_have_nothing_is_known(self) -> None:
        channel = _name()
        with self.broker() as (broker, _):
            published = broker.publish(channel, b"x", 10, 60)
            for position in (make_id(1, 0), make_id(9_999_999_999_999, 0)):
                [history] = broker.read([(channel, position)])
                assert isinstance(next(history.since(position)), str), "no gap"
            [history] = broker.read([(channel, published)])
            assert list(history.since(published, own=True)) == []
            assert list(history.since(make_id(1, 0), own=True)) == [published]

    def test_a_history_is_trimmed_at_its_beginning(self) -> None:
        channel = _name()
        with self.broker() as (broker, _):
            ids = [broker.publish(channel, b"x", 10, 60) for _ in range(500)]
            [history] = broker.read([(channel, ZERO)])
            kept = [entry.id for entry in history.entries]
            assert 10 <= len(kept) < 250
            assert kept == ids[-len(kept) :]
            assert next(history.since(ZERO)) == ids[-len(kept) - 1]

    def test_a_history_is_bounded_in_bytes(self) -> None:
        channel, most = _name(), 64 * 1024
        with self.broker() as (broker, recorder):
            try:
                broker.keep_at_most(most)
            except ImproperSetting:  # then the setting is refused
                return
            self.subscribe(broker, recorder, channel)
            ids = [broker.publish(channel, b"x" * 10_000, 1000, 60) for _ in range(20)]
            assert len(recorder.entries(20)) == 20
            [history] = broker.read([(channel, ZERO)])
            kept = [entry.id for entry in history.entries]
            assert kept == ids[-len(kept) :]
            assert most / 2 < 10_000 * len(kept) <= most
            assert history.last == ids[-1]
            assert next(history.since(ids[0])) == ids[-len(kept) - 1]
            large = broker.publish(channel, b"x" * 2 * most, 1000, 60)
            assert recorder.entries(21)[-1].id == large
            [history] = broker.read([(channel, ids[-1])])
            assert list(history.since(ids[-1])) == [large]

    def test_a_history_ends_after_its_time_and_its_last_id_is_remembered(self) -> None:
        channel = _name()
        with self.broker() as (broker, _):
            first = broker.publish(channel, b"x", 10, 0.2)
            deadline = time.monotonic() + PATIENCE
            while broker.read([(channel, ZERO)])[0].entries:
                assert time.monotonic() < deadline, "the history is still there"
                time.sleep(0.02)
            assert broker.read([(channel, None)])[0].last == first
            assert broker.publish(channel, b"y", 10, 60) > first

    # Retracting

    def test_what_is_taken_back_is_a_notice_from_then_on(self) -> None:
        channel = _name()
        with self.broker() as (broker, recorder):
            self.subscribe(broker, recorder, channel)
            ids = [broker.publish(channel, str(n).encode(), 10, 60) for n in range(4)]
            notice = broker.retract(channel, ids[1], 10, 60)
            assert recorder.entries(5)[4] == Entry(notice, ids[3], retraction(ids[1]))
            for position in (ZERO, *ids):
                [history] = broker.read([(channel, position)])
                assert list(history.since(position)) == list(history.entries), "a false gap"
                assert history.entries[-1] == Entry(notice, ids[3], retraction(ids[1]))
                assert b"1" not in [entry.payload for entry in history.entries]
            [history] = broker.read([(channel, ZERO)])
            assert history.entries[1] == Entry(ids[1], ids[0], retraction(ids[1]))
            assert [entry.id for entry in history.entries] == [*ids, notice]

    def test_everything_can_be_taken_back_in_any_order(self) -> None:
        channel = _name()
        with self.broker() as (broker, _):
            ids = [broker.publish(channel, b"secret", 10, 60) for _ in range(5)]
            for number in (4, 0, 2, 1, 3):
                broker.retract(channel, ids[number], 10, 60)
            later = broker.publish(channel, b"x", 10, 60)
            for position in (ids[0], ids[3], ids[4]):
                [history] = broker.read([(channel, position)])
                assert list(history.since(position)) == list(history.entries)
                assert b"secret" not in [entry.payload for entry in history.entries]
                assert history.last == later

    def test_taking_back_changes_nothing_else_in_a_long_history(self) -> None:
        with self.broker() as (broker, _):
            for length in (31, 32, 33, 100):
                channel = _name()
                ids = [broker.publish(channel, b"%d" % n, 1000, 60) for n in range(length)]
                [before] = broker.read([(channel, ZERO)])
                broker.retract(channel, ids[20], 1000, 60)
                [after] = broker.read([(channel, ZERO)])
                expected = list(before.entries)
                expected[20] = expected[20]._replace(payload=retraction(ids[20]))
                assert list(after.entries)[:-1] == expected

    def test_taking_back_twice_or_what_nobody_knows_is_a_notice_and_no_more(self) -> None:
        channel, unknown = _name(), make_id(1, 0)
        with self.broker() as (broker, recorder):
            self.subscribe(broker, recorder, channel)
            first = broker.publish(channel, b"x", 10, 60)
            for published in (first, first, unknown):
                broker.retract(channel, published, 10, 60)
            notices = recorder.entries(4)[1:]
            assert [entry.payload for entry in notices] == [
                retraction(published) for published in (first, first, unknown)
            ]
            [history] = broker.read([(channel, first)])
            assert list(history.since(first)) == notices
            again = broker.retract(channel, notices[0].id, 10, 60)  # a notice itself
            [history] = broker.read([(channel, ZERO)])
            assert list(history.since(ZERO)) == list(history.entries)
            assert history.last == again

    def test_a_channel_without_history_keeps_the_notice(self) -> None:
        channel = _name()
        with self.broker() as (broker, _):
            published = broker.publish(channel, b"not kept", 0, 60)
            notice = broker.retract(channel, published, 0, 60)
            [history] = broker.read([(channel, published)])
            assert list(history.since(published)) == [
                Entry(notice, published, retraction(published))
            ]

    def test_notices_push_out_what_is_old_and_nothing_else(self) -> None:
        channel = _name()
        with self.broker() as (broker, _):
            for _ in range(20):
                broker.publish(channel, b"x", 1000, 60)
            for _ in range(50):
                notice = broker.retract(channel, make_id(1, 0), 10, 60)
            [history] = broker.read([(channel, ZERO)])
            assert len(history.entries) == 20
            assert history.last == notice
            channel = _name()
            ids = [broker.publish(channel, b"x", 1000, 60) for _ in range(3)]
            broker.retract(channel, ids[0], 10, 60)
            [history] = broker.read([(channel, ZERO)])
            assert [entry.payload for entry in history.entries[1:3]] == [b"x", b"x"]

    def test_what_is_no_longer_kept_can_be_taken_back(self) -> None:
        channel = _name()
        with self.broker() as (broker, _):
            ids = [broker.publish(channel, b"x", 10, 60) for _ in range(500)]
            notice = broker.retract(channel, ids[0], 10, 60)
            [history] = broker.read([(channel, ids[0])])
            found = list(history.since(ids[0]))
            assert isinstance(found[0], str), "the gap is there as before"
            assert found[-1] == Entry(notice, ids[-1], retraction(ids[0]))

    def test_taking_back_shortens_no_time(self) -> None:
        channel = _name()
        with self.broker() as (broker, _):
            ids = [broker.publish(channel, b"x", 10, 60) for _ in range(2)]
            broker.retract(channel, ids[0], 10, 0.05)
            other = _name()
            broker.publish(other, b"x", 10, 0.05)
            self._wait_until_empty(broker, other)
            assert broker.read([(channel, ids[0])])[0].entries[0].payload == b"x"

    def test_a_notice_ends_with_the_history(self) -> None:
        channel = _name()
        with self.broker() as (broker, _):
            published = broker.publish(channel, b"x", 10, 0.05)
            notice = broker.retract(channel, published, 10, 0.2)
            self._wait_until_empty(broker, channel)
            [history] = broker.read([(channel, published)])
            assert (list(history.entries), history.last) == ([], notice)

    def _wait_until_empty(self, broker: Broker, channel: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while broker.read([(channel, ZERO)])[0].entries:
            assert time.monotonic() < deadline, "the history is still there"
            time.sleep(0.02)

    def test_a_cleared_channel_has_nothing_older(self) -> None:
        channel = _name()
        with self.broker() as (broker, recorder):
            self.subscribe(broker, recorder, channel)
            ids = [broker.publish(channel, b"secret", 10, 60) for _ in range(3)]
            cleared = broker.clear(channel, 60)
            later = broker.publish(channel, b"later", 10, 60)
            expected = [Entry(cleared, ids[2], CLEARED), Entry(later, cleared, b"later")]
            assert recorder.entries(5)[3:] == expected
            for position in (ZERO, *ids):
                [history] = broker.read([(channel, position)])
                assert list(history.since(position)) == expected, "a gap, or something older"
            assert list(broker.read([(channel, cleared)])[0].since(cleared)) == expected[1:]

    def test_clearing_shortens_no_time_and_can_be_repeated(self) -> None:
        channel = _name()
        with self.broker() as (broker, _):
            published = broker.publish(channel, b"x", 10, 60)
            cleared = broker.clear(channel, 0.05)
            other = _name()
            broker.publish(other, b"x", 10, 0.05)
            self._wait_until_empty(broker, other)
            [history] = broker.read([(channel, published)])
            assert list(history.since(published)) == [Entry(cleared, published, CLEARED)]
            again = broker.clear(channel, 60)
            [history] = broker.read([(channel, published)])
            assert list(history.since(published)) == [Entry(again, cleared, CLEARED)]

    def test_an_unknown_channel_can_be_cleared(self) -> None:
        channel = _name()
        with self.broker() as (broker, _):
            cleared = broker.clear(channel, 60)
            [history] = broker.read([(channel, ZERO)])
            assert list(history.since(ZERO)) == [Entry(cleared, ZERO, CLEARED)]

    def test_taking_back_reaches_every_process(self) -> None:
        if not self.shared:
            return
        channel = _name()
        with self.broker() as (one, recorder), self.broker() as (other, _):
            self.subscribe(one, recorder, channel)
            published = one.publish(channel, b"x", 10, 60)
            other.retract(channel, published, 10, 60)
            other.clear(channel, 60)
            payloads = [entry.payload for entry in recorder.entries(3)]
            assert payloads == [b"x", retraction(published), CLEARED]

    def test_taking_back_while_others_publish(self) -> None:
        channel = _name()
        with self.broker() as (broker, recorder):
            self.subscribe(broker, recorder, channel)

            def work() -> None:
                for _ in range(25):
                    broker.retract(channel, broker.publish(channel, b"secret", 500, 60), 500, 60)

            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(PATIENCE)
            received = recorder.entries(200)
            [history] = broker.read([(channel, ZERO)])
            assert list(history.since(ZERO)) == list(history.entries)
            assert [entry.id for entry in history.entries] == [entry.id for entry in received]
            assert b"secret" not in [entry.payload for entry in history.entries]

    def test_any_name_and_any_size_pass(self) -> None:
        for name in (f"a*b?[c]:/\\'\"-{uuid4().hex}", f"räume.π.🙂.{uuid4().hex}", "n" * 200):
            with self.broker() as (broker, recorder):
                self.subscribe(broker, recorder, name)
                broker.publish(name, b"z" * 1024 * 1024, 1, 60)
                assert recorder.entries(1)[0].payload == b"z" * 1024 * 1024

    def test_it_says_that_it_works(self) -> None:
        with self.broker() as (broker, _):
            broker.check()


class EditingSuite(_Suite):
    """For a broker that implements :meth:`~django_websocket.pubsub.brokers.base.Broker.edit`."""

    def test_what_is_edited_has_its_new_content_from_then_on(self) -> None:
        channel = _name()
        with self.broker() as (broker, recorder):
            self.subscribe(broker, recorder, channel)
            ids = [broker.publish(channel, b"j%d" % n, 10, 60) for n in range(3)]
            first = broker.edit(channel, ids[1], b"jx", 10, 60)
            second = broker.edit(channel, ids[1], b"jy", 10, 60)
            published = [entry.payload for entry in recorder.entries(5)[3:]]
            assert published == [edition(ids[1], b"jx"), edition(ids[1], b"jy")]
            for position in (ZERO, *ids):
                [history] = broker.read([(channel, position)])
                assert list(history.since(position)) == list(history.entries), "a false gap"
            assert [entry.id for entry in broker.read([(channel, ZERO)])[0].entries] == [
                *ids, first, second,
            ]  # fmt: skip
            assert self._payloads(broker, channel) == [
                b"j0", b"jy", b"j2", edition(ids[1], b"jy"), edition(ids[1], b"jy"),
            ]  # fmt: skip

    def test_what_is_taken_back_is_not_in_its_editions_and_cannot_be_edited(self) -> None:
        channel = _name()
        with self.broker() as (broker, _):
            id = broker.publish(channel, b"ja", 10, 60)  # noqa: A001
            broker.edit(channel, id, b"jb", 10, 60)
            broker.retract(channel, id, 10, 60)
            assert broker.edit(channel, id, b"jc", 10, 60) is None
            assert self._payloads(broker, channel) == [retraction(id)] * 3

    def test_neither_can_a_notice_be_edited(self) -> None:
        channel = _name()
        with self.broker() as (broker, _):
            id = broker.publish(channel, b"ja", 10, 60)  # noqa: A001
            edited = broker.edit(channel, id, b"jb", 10, 60)
            cleared = broker.clear(channel, 60)
            for notice in (edited, cleared):
                assert notice is not None
                broker.edit(channel, notice, b"jc", 10, 60)
            assert self._payloads(broker, channel)[0] == CLEARED

    def test_what_is_no_longer_kept_can_be_edited_and_then_taken_back(self) -> None:
        channel = _name()
        with self.broker() as (broker, _):
            id = broker.publish(channel, b"ja", 0, 60)  # noqa: A001
            broker.edit(channel, id, b"jb", 0, 60)
            assert self._payloads(broker, channel) == [edition(id, b"jb")]
            broker.publish(channel, b"jx", 10, 60)
            broker.retract(channel, id, 10, 60)
            assert self._payloads(broker, channel) == [retraction(id), b"jx", retraction(id)]

    def _payloads(self, broker: Broker, channel: str) -> list[bytes]:
        return [entry.payload for entry in broker.read([(channel, ZERO)])[0].entries]


class PresenceSuite(_Suite):
    """For a broker that is also a :class:`~django_websocket.pubsub.brokers.base.Presence`."""

    @contextmanager
    def presence(self) -> Iterator[tuple[Broker, Presence, Recorder]]:
        with self.broker() as (broker, recorder):
            yield broker, require_presence(broker), recorder

    def test_a_name_counts_whatever_its_type_makes_of_it(self) -> None:
        channel, other = _Named.ROOM, "a.room"
        with self.presence() as (_, presence, _):
            presence.announce(channel, "a1", {_Named.ADA: 1}, 60, None)
            assert presence.roster(other).people == {"Ada": 1}
            assert presence_channel(channel) == presence_channel(other)
            presence.announce(other, "a1", {}, 60, None)

    def test_it_counts_sockets_by_name_over_all_processes(self) -> None:
        channel, other = _name(), _name()
        with self.presence() as (_, presence, _):
            presence.announce(channel, "one", {"Ada": 2, "Grace": 1}, 60, None)
            presence.announce(channel, "two", {"Ada": 1}, 60, None)
            presence.announce(other, "one", {"Linus": 1}, 60, None)
            assert presence.roster(channel).people == {"Ada": 3, "Grace": 1}
            assert presence.roster(other).people == {"Linus": 1}

    def test_nobody_is_in_an_unknown_channel(self) -> None:
        with self.presence() as (_, presence, _):
            assert presence.roster(_name()) == ({}, ZERO)

    def test_a_process_changes_its_own_counts_only(self) -> None:
        channel = _name()
        with self.presence() as (_, presence, _):
            stamp = presence.announce(channel, "one", {"Ada": 1, "Grace": 1}, 60, None)
            presence.announce(channel, "two", {"Ada": 1, "Grace": 1}, 60, None)
            stamp = presence.announce(channel, "one", {"Ada": 0, "Linus": 3}, 60, stamp)
            assert stamp is not None
            assert presence.roster(channel).people == {"Ada": 1, "Grace": 2, "Linus": 3}
            presence.announce(
                channel, "one", {"Joan": 1}, 60, None
            )  # without a stamp: all its counts
            assert presence.roster(channel).people == {"Ada": 1, "Grace": 1, "Joan": 1}
            presence.announce(channel, "one", {}, 60, None)
            assert presence.roster(channel).people == {"Ada": 1, "Grace": 1}

    def test_the_first_and_the_last_socket_of_a_name_are_told(self) -> None:
        channel = _name()
        with self.presence() as (broker, presence, recorder):
            self.subscribe(broker, recorder, presence_channel(channel))
            one = presence.announce(channel, "one", {"Grace": 1, "Ada": 1}, 60, None)
            two = presence.announce(channel, "two", {"Ada": 1}, 60, None)  # Ada is already present
            one = presence.announce(channel, "one", {"Ada": 0, "Linus": 1}, 60, one)
            presence.announce(channel, "two", {"Ada": 5}, 60, two)
            presence.announce(channel, "two", {}, 60, None)
            assert self._changes(recorder, 3) == [
                {"joined": ["Ada", "Grace"], "left": []},
                {"joined": ["Linus"], "left": []},
                {"joined": [], "left": ["Ada"]},
            ]
            assert presence.roster(channel).position == recorder.received[-1][1].id

    def test_a_change_of_name_is_one_step(self) -> None:
        channel = _name()
        with self.presence() as (broker, presence, recorder):
            self.subscribe(broker, recorder, presence_channel(channel))
            stamp = presence.announce(channel, "one", {"Ada": 1}, 60, None)
            presence.announce(channel, "one", {"Ada": 0, "Countess": 1}, 60, stamp)
            assert self._changes(recorder, 2)[1] == {"joined": ["Countess"], "left": ["Ada"]}

    def test_a_process_that_falls_silent_is_forgotten_and_that_is_told_once(self) -> None:
        channel = _name()
        with self.presence() as (broker, presence, recorder):
            self.subscribe(broker, recorder, presence_channel(channel))
            stamp = presence.announce(channel, "dead", {"Ada": 1, "Grace": 1}, 2.0, None)
            alive = presence.announce(channel, "alive", {"Grace": 1}, 60, None)
            for _ in range(12):  # a process that repeats its counts stays
                time.sleep(0.2)
                stamp = presence.announce(channel, "dead", {}, 2.0, stamp)
                assert presence.roster(channel).people == {"Ada": 1, "Grace": 2}
            deadline = time.monotonic() + PATIENCE
            while "Ada" in presence.roster(channel).people:
                assert time.monotonic() < deadline, "a dead process' people are still there"
                time.sleep(0.02)
            assert presence.announce(channel, "alive", {"Linus": 1}, 60, alive)
            assert self._changes(recorder, 3)[1:] == [
                {"joined": [], "left": ["Ada"]},
                {"joined": ["Linus"], "left": []},
            ]
            assert presence.roster(channel).people == {"Grace": 1, "Linus": 1}

    def test_a_repeated_word_notices_dead_processes(self) -> None:
        channel = _name()
        with self.presence() as (broker, presence, recorder):
            self.subscribe(broker, recorder, presence_channel(channel))
            presence.announce(channel, "dead", {"Ada": 1}, 0.05, None)
            time.sleep(0.1)
            presence.announce(channel, "listener", {}, 60, None)  # it has no users of its own
            assert self._changes(recorder, 2)[1] == {"joined": [], "left": ["Ada"]}

    def test_who_was_given_up_or_has_an_old_stamp_is_asked_for_everything(self) -> None:
        channel = _name()
        with self.presence() as (_, presence, _):
            old = presence.announce(channel, "one", {"Ada": 1}, 0.05, None)
            time.sleep(0.1)
            assert presence.announce(channel, "one", {"Grace": 1}, 60, old) is None
            assert presence.roster(channel).people == {}
            first = presence.announce(channel, "one", {"Ada": 1, "Grace": 1}, 60, None)
            second = presence.announce(channel, "one", {}, 60, first)
            assert None not in (first, second)
            assert presence.announce(channel, "one", {"Ada": 0}, 60, first) is None
            assert presence.roster(channel).people == {"Ada": 1, "Grace": 1}

    def test_any_name_can_be_present(self) -> None:
        names = ["/", "a/b", "räume π 🙂", '"\\', "{x}", "n" * 200, " ", "0"]
        channel = f"{_name()}/ä"
        with self.presence() as (broker, presence, recorder):
            self.subscribe(broker, recorder, presence_channel(channel))
            presence.announce(channel, "one", dict.fromkeys(names, 1), 60, None)
            assert presence.roster(channel).people == dict.fromkeys(names, 1)
            assert self._changes(recorder, 1) == [{"joined": sorted(names), "left": []}]
            presence.announce(channel, "one", {}, 60, None)
            assert self._changes(recorder, 2)[1] == {"joined": [], "left": sorted(names)}

    def test_thousands_are_present(self) -> None:
        channel, names = _name(), {f"visitor {number}": 1 for number in range(5000)}
        with self.presence() as (_, presence, _):
            presence.announce(channel, "one", names, 60, None)
            presence.announce(channel, "two", names, 0.05, None)
            time.sleep(0.1)
            assert presence.roster(channel).people == names

    def test_changes_come_in_the_order_of_the_roster(self) -> None:
        channel = _name()
        with self.presence() as (broker, presence, recorder):
            self.subscribe(broker, recorder, presence_channel(channel))

            def work(process: str) -> None:
                stamp = None
                for number in range(40):
                    counts = {"Ada": number % 2, process: number % 2}
                    stamp = presence.announce(channel, process, counts, 60, stamp)

            threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "two")]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(PATIENCE)
            last = presence.roster(channel)
            recorder.wait_for(
                lambda: recorder.received[-1][1].id == last.position, "the last change"
            )
            there: set[str] = set()
            for change in self._changes(recorder, 1):
                assert there.isdisjoint(change["joined"])
                assert there.issuperset(change["left"])
                there = (there - set(change["left"])) | set(change["joined"])
            assert there == set(last.people)

    def test_presence_is_the_same_for_every_process(self) -> None:
        if not self.shared:
            return
        channel = _name()
        with self.presence() as (broker, one, recorder), self.presence() as (_, other, _):
            self.subscribe(broker, recorder, presence_channel(channel))
            other.announce(channel, "other", {"Ada": 1}, 60, None)
            assert self._changes(recorder, 1) == [{"joined": ["Ada"], "left": []}]
            assert one.roster(channel) == other.roster(channel)

    def _changes(self, recorder: Recorder, count: int) -> list[dict[str, list[str]]]:
        """All presence changes received so far, at least ``count``."""
        recorder.entries(count)
        return [Message(name, entry.id, entry.payload).data for name, entry in recorder.received]


def _name() -> str:
    return f"suite.{uuid4().hex}"
