import pytest

from django_websocket.pubsub.redis import RedisBroker
from django_websocket.pubsub.suite import BrokerSuite


class TestRedisBroker(BrokerSuite):
    @pytest.fixture(autouse=True)
    def server(self, shared_redis):
        self.url = shared_redis.url

    def connect(self):
        return RedisBroker(self.url)
