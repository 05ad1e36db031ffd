import pytest
from django.contrib.auth.models import AnonymousUser

from chat.models import HISTORY, Announcement, Message, Room

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static_files")]


def say(text, room="lobby", **options):
    options = {"user": AnonymousUser(), "name": "Ada", "colour": "#1a2b3c"} | options
    return Message.objects.post(room, text=text, **options)


class TestRooms:
    def test_lists_rooms(self, client):
        say("Hello")
        page = client.get("/chat/").content.decode()
        assert 'href="/chat/lobby/"' in page
        assert "1 message, the last just now" in page

    def test_offers_a_room_when_there_is_none(self, client):
        assert 'href="/chat/lobby/"' in client.get("/chat/").content.decode()

    def test_leads_to_the_room_that_was_entered(self, client):
        response = client.get("/chat/", {"room": "Coffee break"})
        assert response.status_code == 302
        assert response["Location"] == "/chat/coffee-break/"
        assert not Room.objects.exists()

    def test_says_what_is_wrong_with_a_name(self, client):
        page = client.get("/chat/", {"room": "!!!"})
        assert "Use letters or digits" in page.content.decode()
        assert 'aria-invalid="true"' in page.content.decode()

    def test_needs_a_fixed_number_of_queries(self, client, django_assert_num_queries):
        for number in range(5):
            say("Hello", room=f"room-{number}")
        with django_assert_num_queries(1):
            client.get("/chat/")


class TestRoom:
    def test_shows_the_last_messages(self, client):
        for number in range(HISTORY + 1):
            say(f"Number {number}.")
        page = client.get("/chat/lobby/").content.decode()
        assert "Number 0." not in page
        assert page.index("Number 1.") < page.index(f"Number {HISTORY}.")

    def test_escapes_what_visitors_write(self, client):
        say("<script>alert(1)</script>", name="<b>Ada</b>")
        page = client.get("/chat/lobby/").content.decode()
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "&lt;b&gt;Ada&lt;/b&gt;" in page
        assert "<b>" not in page

    def test_names_its_socket_at_its_own_url(self, client):
        page = client.get("/chat/lobby/", headers={"host": "localhost:8080"}).content.decode()
        assert 'data-socket="ws://localhost:8080/chat/lobby/"' in page

    def test_needs_no_broker(self, client, no_broker):
        say("Hello")
        assert "Hello" in client.get("/chat/lobby/").content.decode()

    def test_knows_whether_there_are_earlier_messages(self, client):
        for number in range(HISTORY):
            assert "data-more" not in client.get("/chat/lobby/").content.decode()
            say(f"Number {number}.")
        assert "data-more" in client.get("/chat/lobby/").content.decode()

    def test_shows_the_announcement(self, client):
        Announcement.objects.create(text="Old")
        Announcement.objects.create(text="Fire & smoke")
        Announcement.objects.create(text="Withdrawn", active=False)
        page = client.get("/chat/lobby/").content.decode()
        assert 'aria-live="polite">Fire &amp; smoke</p>' in page
        assert "Withdrawn" not in page

    def test_is_never_taken_from_a_cache(self, client):
        assert "no-store" in client.get("/chat/lobby/")["Cache-Control"]

    def test_a_look_opens_no_room(self, client):
        assert client.get("/chat/lobby/").status_code == 200
        assert not Room.objects.exists()

    @pytest.mark.parametrize("path", ["/chat/" + "x" * 51 + "/", "/chat/a.b/", "/chat/a/b/"])
    def test_no_such_room(self, client, path):
        assert client.get(path).status_code == 404

    def test_a_visitor_may_change_their_name(self, client):
        form = client.get("/chat/lobby/").context["form"]
        assert not form.fields["name"].disabled

    def test_a_member_may_not(self, client, member):
        client.force_login(member)
        page = client.get("/chat/lobby/").content.decode()
        assert '<input type="text" name="name" value="Grace"' in page
        assert "disabled" in page


class TestMessages:
    def test_pages_back_to_the_first_message(self, client):
        ids = [say(f"Number {number}.").pk for number in range(2 * HISTORY + 1)]
        say("elsewhere", room="kitchen")
        found, query = [], {}
        for more in (True, True, False):
            page = client.get("/chat/lobby/messages/", query).json()
            found = page["messages"] + found
            query = {"before": found[0]["id"]}
            assert page["more"] is more
        assert [message["id"] for message in found] == ids

    def test_tells_what_the_socket_tells(self, client):
        message = say("Hello")
        page = client.get("/chat/lobby/messages/").json()
        assert page == {"messages": [message.as_dict()], "more": False}

    def test_there_is_nothing_in_a_new_room(self, client):
        assert client.get("/chat/lobby/messages/").json() == {"messages": [], "more": False}

    @pytest.mark.parametrize("before", ["x", "0", "-1", str(2**63), "9" * 5000])
    def test_refuses_what_is_no_id(self, client, before):
        response = client.get("/chat/lobby/messages/", {"before": before})
        assert response.status_code == 400
        assert response.json()["errors"].keys() == {"before"}
