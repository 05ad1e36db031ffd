import pytest

from examples.models import Minutes


@pytest.fixture
def minutes(sockets):
    with sockets.connect("/minutes/") as socket:
        yield socket


def next_data(socket):
    while "data" not in (message := socket.receive_json()):
        pass
    return message["data"]


def test_a_change_is_stored_and_reaches_the_others(sockets, minutes):
    with sockets.connect("/minutes/") as other:
        assert minutes.request("change", {"title": "Budget", "people": "5"}) == {"data": None}
        assert next_data(other) == {"title": "Budget", "people": 5}
        assert minutes.request("change", {"date": "2026-11-27"}) == {"data": None}
        assert next_data(other) == {"date": "2026-11-27"}
    stored = Minutes.objects.get()
    assert (stored.title, stored.people) == ("Budget", 5)


def test_an_invalid_change_is_neither_stored_nor_published(sockets, minutes):
    fields = minutes.request("change", {"title": " ", "people": "many"})["error"]["fields"]
    assert fields == {"title": ["This field is required."], "people": ["Enter a whole number."]}
    minutes.request("change", {"text": "later"})
    assert next_data(minutes) == {"text": "later"}
    assert Minutes.objects.get().title == "Our meeting"


def test_who_comes_gets_all_and_is_seen_in_a_field(sockets, minutes):
    answer = minutes.request("focus", {"field": "title"})["data"]
    assert answer["fields"] == {
        "title": "Our meeting", "date": None, "people": None, "text": "",
    }  # fmt: skip
    with sockets.connect("/minutes/") as other:
        assert other.receive_json()["present"] == [f"title:{answer['name']}"]
        minutes.request("focus", {"field": "<script>"})
        assert other.receive_json()["joined"] == [f":{answer['name']}"]


def test_what_is_no_field_is_ignored(minutes):
    assert minutes.request("change", {"pk": 7, "nothing": "x"}) == {"data": None}
    assert [*Minutes.objects.values_list("pk", flat=True)] == [1]
