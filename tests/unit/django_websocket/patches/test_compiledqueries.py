"""Sessions and users are those that Django finds, with the same queries."""

import datetime
import subprocess
import sys

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User, UserManager
from django.contrib.sessions.backends import cached_db
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone

from django_websocket.patches import compiledqueries
from django_websocket.patches.compiledqueries import compile_once
from support.postgresql import postgresql
from support.server import PATIENCE, ROOT

pytestmark = pytest.mark.django_db

DJANGO_LOAD, DJANGO_GET_USER = SessionStore.load, ModelBackend.get_user


@pytest.fixture(autouse=True)
def compiled(monkeypatch):
    monkeypatch.setattr(SessionStore, "load", compiledqueries._django_load)
    monkeypatch.setattr(ModelBackend, "get_user", compiledqueries._django_get_user)
    monkeypatch.setattr(compiledqueries, "_selects", {})
    compile_once()
    compile_once()
    assert SessionStore.load is not compiledqueries._django_load


def as_it_is(user):
    if user is None:
        return None
    # Django 6.1 writes its default into each object.
    fetch_mode = getattr(user._state, "fetch_mode", None)
    state = vars(user._state) | {"fetch_mode": fetch_mode}
    return type(user), vars(user) | {"_state": state}


def make_user(name="reader", **fields):
    return get_user_model().objects.create_user(name, **fields)


@pytest.mark.parametrize("fields", [{}, {"last_login": timezone.now(), "is_staff": True}])
def test_a_user_is_the_one_that_django_finds(fields, django_assert_num_queries):
    pk = make_user(first_name="Zoë", **fields).pk
    django = compiledqueries._django_get_user(ModelBackend(), pk)
    with django_assert_num_queries(2):
        for _ in range(2):
            assert as_it_is(ModelBackend().get_user(pk)) == as_it_is(django)


def test_a_user_who_may_not_log_in_or_is_gone_is_none():
    user = make_user()
    assert ModelBackend().get_user(user.pk) == user
    User.objects.update(is_active=False)
    assert ModelBackend().get_user(user.pk) is None
    user.delete()
    assert ModelBackend().get_user(user.pk) is None


def test_a_primary_key_of_another_type_is_refused_as_django_does():
    for get_user in (compiledqueries._django_get_user, ModelBackend.get_user):
        with pytest.raises(ValueError, match="expected a number"):
            get_user(ModelBackend(), "no number")


def test_a_session_is_the_one_that_django_finds(django_assert_num_queries):
    store = SessionStore()
    store["key"] = "Zoë"
    store.save()
    with django_assert_num_queries(2):
        for _ in range(2):
            assert SessionStore(store.session_key)["key"] == "Zoë"


def test_an_engine_that_finds_the_row_in_its_own_way_goes_on_doing_so():
    class Narrower(SessionStore):
        def _get_session_from_db(self):
            return None  # such as a session that belongs to another host

    store = SessionStore()
    store["key"] = 1
    store.save()
    assert Narrower(store.session_key).load() == {}
    assert SessionStore(store.session_key).load() == {"key": 1}


@pytest.mark.parametrize("change", ["expired", "deleted", "unknown"])
def test_a_session_that_is_over_is_empty_and_gets_a_new_key(change):
    store = SessionStore()
    store["key"] = 1
    store.save()
    if change == "expired":
        past = timezone.now() - datetime.timedelta(seconds=1)
        Session.objects.update(expire_date=past)
    elif change == "deleted":
        store.delete()
    found = SessionStore("x" * 32 if change == "unknown" else store.session_key)
    assert found.load() == {}
    assert found.session_key is None
    found["key"] = 2
    found.save()
    assert found.session_key not in (None, store.session_key)


def test_a_session_that_expires_later_is_found_until_then():
    """The time is that of the call, not of the first one."""
    store = SessionStore()
    store["key"] = 1
    store.save()
    assert SessionStore(store.session_key).load() == {"key": 1}
    Session.objects.update(expire_date=timezone.now())
    assert SessionStore(store.session_key).load() == {}


class Tenants(UserManager):
    tenant = "a"

    def get_queryset(self):
        return super().get_queryset().filter(last_name=self.tenant)


class Tenant(User):
    objects = Tenants()

    class Meta:
        proxy = True
        app_label = "auth"


def test_a_manager_that_filters_is_asked_each_time(settings, monkeypatch):
    user = make_user(last_name="a")
    monkeypatch.setattr(compiledqueries, "get_user_model", lambda: Tenant)
    monkeypatch.setattr("django.contrib.auth.backends.UserModel", Tenant)
    assert isinstance(ModelBackend().get_user(user.pk), Tenant)
    monkeypatch.setattr(Tenants, "tenant", "b")
    assert ModelBackend().get_user(user.pk) is None


def test_classes_that_have_their_own_way_keep_it():
    assert cached_db.SessionStore.load.__module__ == "django.contrib.sessions.backends.cached_db"

    class Strict(ModelBackend):
        def user_can_authenticate(self, user):
            return False

    assert Strict().get_user(make_user().pk) is None


POSTGRESQL = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.contrib.auth import get_user_model
from django.utils import timezone
user = get_user_model().objects.create_user("reader", last_login=timezone.now())
from django.contrib.auth.backends import ModelBackend
from django.contrib.sessions.backends.db import SessionStore
store = SessionStore(); store["key"] = "é"; store.save()

def found():
    user_found = vars(ModelBackend().get_user(user.pk)) | {"_state": None}
    return user_found, SessionStore(store.session_key).load(), SessionStore("x" * 32).load()

before = found()
from django_websocket.patches import compiledqueries
compiledqueries.compile_once()
assert found() == before == found()
assert len(compiledqueries._selects) == 2 and all(compiledqueries._selects.values())
"""


def test_on_postgresql_too(tmp_path):
    with postgresql() as url:
        subprocess.run(
            [sys.executable, ROOT / "app/manage.py", "shell", "--no-imports", "-c", POSTGRESQL],
            env={"DATABASE_URL": url, "STATE_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
            check=True,
            timeout=PATIENCE * 2,
        )
