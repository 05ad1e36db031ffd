from django_websocket.pubsub.memory import MemoryBroker
from django_websocket.pubsub.suite import BrokerSuite


class TestMemoryBroker(BrokerSuite):
    shared = False

    def connect(self):
        return MemoryBroker()
