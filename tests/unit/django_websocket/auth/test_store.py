"""Against each engine's own store."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.backends import cache, cached_db, db, file, signed_cookies
from django.contrib.sessions.models import Session
from django.core.cache import caches

from django_websocket.auth.store import in_browser, stored, user_in

pytestmark = pytest.mark.django_db

ENGINES = [db, cached_db, cache, file]


@pytest.fixture(params=ENGINES, ids=lambda module: module.__name__.rpartition(".")[2])
def engine(request, settings, tmp_path):
    settings.SESSION_FILE_PATH = str(tmp_path)
    caches["default"].clear()
    return request.param.SessionStore


def save(engine, **data):
    session = engine()
    session.update(data)
    session.save()
    return session


def test_what_a_handshake_would_find(engine):
    one, other = save(engine, name="Ada"), save(engine, name="Grace")
    gone, expired = save(engine, name="Linus"), save(engine, name="Edsger")
    gone.delete()
    expired.set_expiry(timedelta(seconds=-1))
    expired.save()
    keys = [session.session_key for session in (one, other, gone, expired)]
    found = stored(engine, [*keys, "x" * 32])
    assert {key: data["name"] for key, data in found.items()} == {keys[0]: "Ada", keys[1]: "Grace"}


def test_an_empty_session_is_one(engine):
    session = save(engine)
    assert stored(engine, [session.session_key]) == {session.session_key: {}}


def test_the_database_is_asked_once_for_all(django_assert_num_queries):
    keys = [save(db.SessionStore, number=number).session_key for number in range(300)]
    with django_assert_num_queries(1):
        assert len(stored(db.SessionStore, keys)) == 300


def test_more_keys_than_a_query_takes(settings):
    keys = [f"{number:032}" for number in range(1500)]
    Session.objects.bulk_create(
        Session(session_key=key, session_data="", expire_date="2100-01-01T00:00Z") for key in keys
    )
    assert stored(db.SessionStore, keys).keys() == set(keys)


def test_a_copy_in_the_cache_counts_as_it_does_at_a_handshake():
    caches["default"].clear()
    session = save(cached_db.SessionStore, name="Ada")
    Session.objects.all().delete()
    assert stored(cached_db.SessionStore, [session.session_key]).keys() == {session.session_key}
    caches["default"].clear()
    assert stored(cached_db.SessionStore, [session.session_key]) == {}


def test_a_cache_that_is_away_is_no_empty_cache(settings):
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "unix:///nowhere/redis.sock",
        }
    }
    with pytest.raises(Exception, match="nowhere"):
        stored(cache.SessionStore, ["x" * 32])


def test_which_engines_leave_a_session_to_the_browser():
    class Own(signed_cookies.SessionStore):
        pass

    assert in_browser(Own)
    assert not any(in_browser(module.SessionStore) for module in ENGINES)


def test_the_user_of_a_session():
    user = User.objects.create_user("ada")
    assert user_in({"_auth_user_id": str(user.pk)}) == str(user.pk)
    assert user_in({}) is None
    assert user_in({"_auth_user_id": "no number"}) is None
