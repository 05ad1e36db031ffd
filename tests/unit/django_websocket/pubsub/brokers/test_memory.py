from django_websocket.pubsub.brokers.memory import MemoryBroker
from django_websocket.pubsub.brokers.suite import BrokerSuite


class TestMemoryBroker(BrokerSuite):
    shared = False

    def connect(self):
        return MemoryBroker()
