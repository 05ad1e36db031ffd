import pytest

from django_websocket.pubsub.brokers.redis.address import TIMEOUT, Address


def test_one_server():
    address = Address("redis://user:secret@example.org:6380/3?prefix=site&socket_timeout=5")
    assert address.prefix == "site"
    assert address.options.items() >= {
        "host": "example.org", "port": 6380, "db": 3, "username": "user", "password": "secret",
        "socket_timeout": 5.0, "socket_connect_timeout": TIMEOUT,
    }.items()  # fmt: skip
    assert str(address) == "redis://example.org:6380/3"


def test_a_unix_socket():
    address = Address("unix://:secret@/run/redis.sock?db=2")
    assert address.options.items() >= {"path": "/run/redis.sock", "db": 2}.items()
    assert str(address) == "unix:///run/redis.sock"


def test_tls():
    address = Address("rediss://example.org?ssl_ca_certs=/etc/ca.pem")
    assert address.options["connection_class"].__name__ == "SSLConnection"
    assert address.options["ssl_ca_certs"] == "/etc/ca.pem"


def test_sentinels():
    address = Address(
        "rediss+sentinel://user:secret@one,two:5000/chat?db=1&sentinel_password=watch"
    )
    assert address.hosts == [("one", 26379), ("two", 5000)]
    assert address.service == "chat"
    assert address.options.items() >= {"ssl": True, "db": 1, "password": "secret"}.items()
    assert address.sentinel_options["password"] == "watch"
    assert address.sentinel_options["username"] is None
    assert "db" not in address.sentinel_options


def test_how_many_replicas_to_wait_for():
    assert Address("redis://one?wait=2").wait == 2
    assert Address("redis+sentinel://one/chat").wait == 0


def test_a_cluster():
    address = Address("redis+cluster://:secret@one,two:7000")
    assert address.cluster
    assert address.hosts == [("one", 6379), ("two", 7000)]
    assert address.options["password"] == "secret"


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://one,two",
        "redis+cluster://one?wait=1",
        "redis://one?wait=-1",
        "redis://one?wait=all",
        "redis+sentinel:///chat",
        "redis+cluster://",
        "redis+cluster://:7000",
        "redis://one:port",
        "redis+nonsense://one",
        "redis://one?nonsense=1",
        "rediss://one?nonsense=1",
        "redis+sentinel://one/chat?nonsense=1",
        "rediss+cluster://one?nonsense=1",
    ],
)
def test_what_says_nothing_is_refused(url):
    with pytest.raises(ValueError, match=r"expected|[Pp]ort"):
        Address(url)
