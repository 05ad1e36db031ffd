import pytest

from support.redis import redis_server


@pytest.fixture(scope="session")
def shared_redis():
    """One server for all tests that leave it as it is."""
    with redis_server() as server:
        yield server


@pytest.fixture
def redis():
    """A server of the test's own."""
    with redis_server() as server:
        yield server
