"""Sockets of real handshakes. How processes learn that they have to look: test_session_listener."""

import pytest
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils.functional import SimpleLazyObject, empty

from django_websocket.auth.review import (
    come_back,
    find_gone,
    identify,
    open_sockets,
    review,
    review_all,
)
from django_websocket.test import WebSocketClient

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def site():
    with override_settings(
        WEBSOCKET_URLCONF="support.site.websocket_urls",
        ROOT_URLCONF="support.site.urls",
        LOGIN_URL="login",
    ):
        yield


@pytest.fixture
def connect():
    """Open sockets on one URL; they close when the test is done."""
    sessions = []

    def connect(client=None, path="/private-echo/", **options):
        session = (client or WebSocketClient()).connect(path, **options)
        session.send("here")
        assert session.receive() == "here"
        sessions.append(session)
        return session

    yield connect
    for session in sessions:
        session.close()


def logged_in(user):
    client = WebSocketClient()
    client.force_login(user)
    return client


def code(session):
    """None: it is open."""
    if session.closed:
        return session.close_code
    try:
        session.receive(timeout=0.05)
    except TimeoutError:
        session.send("still here")
        assert session.receive() == "still here"
    return session.close_code


@pytest.fixture
def users():
    return [User.objects.create_user(name, password="old") for name in ("ada", "grace")]


def key(client):
    return client.cookies["sessionid"].value


def test_nothing_has_changed(connect, users):
    sessions = [connect(logged_in(user)) for user in users]
    sessions += [connect(logged_in(users[0]), "/echo/"), connect(path="/echo/")]
    review_all()
    come_back(find_gone(open_sockets.items()))
    assert [code(session) for session in sessions] == [None] * 4


def test_a_session_that_knows_the_new_password_stays(connect, users):
    own, other, cycled = (logged_in(users[0]) for _ in range(3))
    sessions = [connect(client) for client in (own, own, other, cycled, logged_in(users[1]))]
    users[0].set_password("new")
    users[0].save()
    session = own.session
    session[HASH_SESSION_KEY] = users[0].get_session_auth_hash()
    session.save()
    cycled.session.delete(key(cycled))
    review(open_sockets.items())
    assert [code(session) for session in sessions] == [None, None, 4401, 1012, None]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda user, client: User.objects.filter(pk=user.pk).update(is_active=False), 4401),
        (lambda user, client: User.objects.filter(pk=user.pk).delete(), 4401),
        (lambda user, client: User.objects.filter(pk=user.pk).update(password="x"), 4401),
        (lambda user, client: Session.objects.all().delete(), 1012),
        (lambda user, client: Session.objects.update(expire_date="2000-01-01T00:00Z"), 1012),
        (lambda user, client: Session.objects.update(session_data="torn"), 4401),
    ],
    ids=["inactive", "deleted", "password", "session deleted", "expired", "torn"],
)
@pytest.mark.parametrize("path", ["/private-echo/", "/asking/"])
def test_what_the_next_handshake_would_not_let_in(connect, users, change, expected, path):
    users[0].is_superuser = True
    users[0].save()
    client = logged_in(users[0])
    session = connect(client, path)
    change(users[0], client)
    review(open_sockets.items())
    assert code(session) == expected


def test_a_review_leaves_the_stored_session_alone(connect, users, settings):
    """Django's get_user() would give it a new key, which the browser would not learn."""
    client = logged_in(users[0])
    session = connect(client)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"
    review(open_sockets.items())
    assert code(session) is None
    users[0].set_password("new")
    users[0].save()
    review(open_sockets.items())
    assert code(session) == 4401
    assert Session.objects.filter(session_key=key(client)).exists()


def test_one_query_finds_all_sessions_that_are_gone(connect, users):
    kept, gone, anonymous = logged_in(users[0]), logged_in(users[1]), WebSocketClient()
    anonymous.session["cart"] = 1
    sessions = [connect(client) for client in (kept, kept, gone)]
    sessions += [connect(client, "/echo/") for client in (kept, anonymous)]
    Session.objects.filter(session_key=key(gone)).delete()
    with CaptureQueriesContext(connection) as queries:
        come_back(find_gone(open_sockets.items()))
    assert len(queries) == 1
    assert [code(session) for session in sessions] == [None, None, 1012, None, None]


def test_expiry_is_read_anew(connect, users):
    client = logged_in(users[0])
    session = connect(client)
    Session.objects.update(expire_date="2000-01-01T00:00Z")
    Session.objects.update(expire_date="2100-01-01T00:00Z")
    come_back(find_gone(open_sockets.items()))
    assert code(session) is None


def test_users_of_sockets_whose_view_has_not_looked(connect, users, django_assert_num_queries):
    with override_settings(SESSION_SAVE_EVERY_REQUEST=False):
        for client in [logged_in(user) for user in users for _ in range(5)]:
            connect(client, "/echo/")
        cart = WebSocketClient()
        session = cart.session
        session["cart"] = 1
        session.save()
        connect(cart, "/echo/")
        connect(path="/echo/")
    assert sum(opened.unknown for opened in open_sockets.values()) == 12
    with django_assert_num_queries(1):
        identify(open_sockets.items())
    found = [opened.user for opened in open_sockets.values()]
    assert found == [str(users[0].pk)] * 5 + [str(users[1].pk)] * 5 + [None] * 2
    with django_assert_num_queries(0):
        identify(open_sockets.items())


def by_token(get_response):
    def middleware(request):
        request.user = SimpleLazyObject(lambda: User.objects.get(username=request.GET["token"]))
        return get_response(request)

    return middleware


def test_a_user_without_a_session(connect, users):
    with override_settings(MIDDLEWARE=[f"{__name__}.by_token"]):
        sessions = [connect(path=f"/echo/?token={name}") for name in ("ada", "grace")]
    identify(open_sockets.items())
    assert [opened.user for opened in open_sockets.values()] == [str(user.pk) for user in users]
    come_back(find_gone(open_sockets.items()))
    User.objects.filter(pk=users[0].pk).update(is_active=False)
    review(open_sockets.items())
    assert [code(session) for session in sessions] == [4403, None]


def as_grace(get_response):
    def middleware(request):
        if request.user.username == "ada":
            request.user = User.objects.get(username="grace")
        return get_response(request)

    return middleware


def test_someone_who_looks_at_the_site_as_someone_else(connect, users, settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.as_grace"]
    client, other = logged_in(users[0]), logged_in(users[0])
    sessions = [connect(client), connect(other)]
    review(open_sockets.items())
    client.session.delete(key(client))
    come_back(find_gone(open_sockets.items()))
    assert [code(session) for session in sessions] == [1012, None]
    users[0].set_password("new")
    users[0].save()
    review(open_sockets.items())
    assert code(sessions[1]) == 4401


def test_where_django_keeps_what_a_session_has_loaded(users):
    """The private name that OpenSocket knows; without it each socket would cost a query."""
    session = logged_in(users[0]).session
    assert not hasattr(type(session)(session.session_key), "_session_cache")
    assert session.get(HASH_SESSION_KEY)
    assert session._session_cache[HASH_SESSION_KEY]


@override_settings(SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies")
def test_a_session_in_the_cookie(connect, users):
    sessions = [connect(logged_in(user)) for user in users]
    unasked = connect(logged_in(users[1]), "/echo/")
    review_all()
    come_back(find_gone(open_sockets.items()))
    assert [code(session) for session in [*sessions, unasked]] == [None, None, None]
    users[1].set_password("new")
    users[1].save()
    review(open_sockets.items())
    assert [code(session) for session in [*sessions, unasked]] == [None, 1012, 1012]


def test_where_the_store_cannot_be_asked(connect, users, caplog):
    """A check closes nothing; where there is reason to look, the next handshake has to decide."""
    session = connect(logged_in(users[0]))
    anonymous = connect(path="/echo/")
    with connection.execute_wrapper(away):
        come_back(find_gone(open_sockets.items()))
        assert code(session) is None
        review(open_sockets.items())
    assert code(session) == 1013
    assert code(anonymous) is None
    assert "Could not look for ended sessions" in caplog.text


def away(*args):
    raise ConnectionError("the database is away")


def test_a_socket_that_cannot_be_closed_keeps_no_other(connect, users):
    sessions = [connect(logged_in(user)) for user in users]
    [opened, _] = open_sockets.values()
    sockets = [(Stubborn(), opened), *open_sockets.items()]
    users[0].delete()
    review(sockets)
    assert [code(session) for session in sessions] == [4401, None]
    come_back(sockets)
    assert [code(session) for session in sessions] == [4401, 1012]


class Stubborn:
    def close(self, *args):
        raise OSError("it will not")


def test_the_private_name_of_a_lazy_user_is_there():
    """By it a user is seen without being loaded."""
    user = SimpleLazyObject(User)
    assert user._wrapped is empty
    assert user.pk is None
    assert user._wrapped is not empty
