"""``since=request.GET``: where each channel of one socket goes on from."""

import pytest
from django.http import QueryDict

from django_websocket.pubsub.arguments import position_of


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", None),
        ("since=1", "1"),
        ("since.a.b=2&since=1", "2"),
        ("since.other=2&since=1", None),
        ("since.a.b=2&since.other=3", "2"),
        ("since.=0&since.other=3&since=3", "0"),
        ("since.=0&since.a.b=2", "2"),
    ],
)
def test_of_a_query_string(query, expected):
    assert position_of(QueryDict(query), "a.b") == expected


@pytest.mark.parametrize("since", ["1", None, 5])
def test_anything_else_is_the_position_or_a_mistake_of_its_own(since):
    assert position_of(since, "a.b") is since
