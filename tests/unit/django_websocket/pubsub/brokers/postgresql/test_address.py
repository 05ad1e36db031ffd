import pytest
from django.db import connections

from django_websocket.errors import ImproperSetting
from django_websocket.pubsub.brokers.base import make_broker
from django_websocket.pubsub.brokers.postgresql.address import Address


def test_alone_it_is_the_project_s_own_database_which_has_to_be_postgresql():
    with pytest.raises(ImproperSetting, match=r"which is sqlite: name a PostgreSQL there"):
        make_broker("postgresql://")


@pytest.mark.parametrize("url", ["postgresql://host", "postgresql://host/", "postgresql:///"])
def test_a_url_without_a_database_is_refused(url):
    with pytest.raises(ImproperSetting, match=r"expected a database's name"):
        make_broker(url)


def test_a_url_that_is_none_is_refused_without_its_password():
    with pytest.raises(ImproperSetting, match=r"expected a URL such as") as caught:
        make_broker("postgresql://user:secret@host:no/name?wrong")
    assert "secret" not in str(caught.value)


def test_a_url_names_another_database_and_people_do_not_see_its_password():
    address = Address("postgresql://ada:secret@db.example.com:5433/site?sslmode=require")
    parameters = address.parameters()
    assert parameters["dbname"] == "site"
    assert parameters["sslmode"] == "require"
    assert parameters["port"] == "5433"
    assert str(address) == "the PostgreSQL at db.example.com"


@pytest.fixture
def own(monkeypatch):
    from django.db.backends.postgresql.base import DatabaseWrapper

    wrapper = connections["default"]
    settings = wrapper.settings_dict | {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "site",
        "HOST": "db",
        "OPTIONS": {"pool": {"max_size": 3}, "sslmode": "require"},
    }
    connections["default"] = DatabaseWrapper(settings, "default")
    yield connections["default"]
    connections["default"] = wrapper


def test_of_the_project_s_database_it_takes_what_connects(own):
    address = Address("postgresql://")
    parameters = address.parameters()
    assert (parameters["dbname"], parameters["host"]) == ("site", "db")
    assert parameters["sslmode"] == "require"
    assert "pool" not in parameters
    assert "cursor_factory" not in parameters
    own.settings_dict["NAME"] = "test_site"
    assert address.parameters()["dbname"] == "test_site"
