import pytest

from chat import broker
from support.redis import Redis


@pytest.fixture
def redis(tmp_path, settings):
    """A running Redis, which is the chat's."""
    server = Redis(tmp_path).start()
    settings.REDIS_URL = server.url
    broker.get_broker.cache_clear()
    yield server
    server.kill()
    broker.get_broker.cache_clear()


@pytest.fixture
def no_redis(tmp_path, settings):
    """Nobody answers where the chat's Redis should be."""
    settings.REDIS_URL = f"unix://{tmp_path / 'nobody.sock'}"
    broker.get_broker.cache_clear()
    yield
    broker.get_broker.cache_clear()


@pytest.fixture
def member(django_user_model):
    return django_user_model.objects.create_user("Grace", password="compiler")
