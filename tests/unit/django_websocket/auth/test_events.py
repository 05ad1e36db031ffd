import logging

import pytest

from django_websocket.auth.events import Enforcer, digest, understand
from django_websocket.auth.review import review
from django_websocket.pubsub.message import Message, pack


def message(data):
    return Message("auth", "1-0", pack(data))


@pytest.mark.parametrize(
    "event",
    [
        {"session": digest("key"), "code": 4401},
        {"replaced": digest("key"), "by": "7"},
        {"user": "7", "code": 4403, "reason": "bye"},
        {"change": {"users": ["7"]}},
    ],
)
def test_an_event_is_understood(event):
    assert understand(message(event)) == event


@pytest.mark.parametrize(
    "event",
    [None, [], {}, {"session": 7, "code": 4401}, {"user": "7"}, {"user": "7", "code": 999}],
)
def test_anything_else_is_a_line_in_the_log(event, caplog):
    with caplog.at_level(logging.WARNING, "django_websocket"):
        assert understand(message(event)) is None
    assert "which is no session event" in caplog.text


class Jobs(list):
    def add(self, job, sockets, seconds=0.0):
        self.append((job, list(sockets)))


def test_after_an_event_that_says_nothing_every_socket_is_looked_at():
    jobs = Jobs()
    Enforcer(jobs).obey(None, [("socket", "opened")])
    assert jobs == [(review, [("socket", "opened")])]


def test_what_cannot_be_obeyed_has_every_socket_looked_at(caplog):
    jobs = Jobs()
    Enforcer(jobs).obey({"user": "7", "code": 4403}, [("socket", None)])
    assert [job for job, _ in jobs] == [review]
    assert "Could not handle" in caplog.text
