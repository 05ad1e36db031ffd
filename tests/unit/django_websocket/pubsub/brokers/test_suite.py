"""A backend of one's own passes the suite, and works without presence."""

import pytest

from django_websocket.errors import ImproperSetting, UnsupportedByBroker
from django_websocket.pubsub import presence, presence_channel, publish, register_broker, subscribe
from django_websocket.pubsub.brokers.base import make_broker
from django_websocket.pubsub.brokers.suite import BrokerSuite
from django_websocket.pubsub.process import get_dispatcher
from django_websocket.pubsub.subscriptions import Subscriptions
from support.server import PATIENCE
from support.sqlite_broker import SqliteBroker

register_broker("sqlite", "support.sqlite_broker.SqliteBroker")


class TestSqliteBroker(BrokerSuite):
    @pytest.fixture(autouse=True)
    def database(self, tmp_path):
        self.path = tmp_path / "broker.sqlite"

    def connect(self):
        return SqliteBroker(f"sqlite://{self.path}")


@pytest.fixture
def site(settings, tmp_path):
    """A site whose broker knows messages only."""
    settings.WEBSOCKET_BROKER = f"sqlite://{tmp_path}/broker.sqlite"
    settings.WEBSOCKET_HISTORY_SIZE = None


@pytest.mark.usefixtures("site")
def test_messages_need_no_presence():
    with subscribe("room", timeout=PATIENCE) as messages:
        publish("room", "hello")
        assert messages.receive(PATIENCE).data == "hello"


@pytest.mark.usefixtures("site")
def test_what_needs_presence_says_what_is_missing(ada):
    websocket = ada[0]
    subscriptions = Subscriptions(websocket, get_dispatcher)
    with subscribe() as messages:
        for call in (
            lambda: presence("room"),
            lambda: messages.subscribe(presence_channel("room")),
            lambda: subscriptions.enter("room", "Ada"),
            lambda: subscriptions.watch("room"),
        ):
            with pytest.raises(UnsupportedByBroker, match=r"SqliteBroker .* a Presence"):
                call()
    subscriptions.close()


def test_a_url_without_a_path_is_refused():
    with pytest.raises(ImproperSetting, match="sqlite:///path"):
        make_broker("sqlite://")
