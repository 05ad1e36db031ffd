"""websocket.js in a real browser, on real failures of the stack."""

import itertools
import json
import socket

import pytest

from django_websocket.errors import BrokerError
from django_websocket.pubsub import clear, publish, retract
from support.outages import broker_of, kill_redis, kill_websocket_gunicorns, reload_nginx
from support.stack import needs_our_worker, wait_for

pytestmark = needs_our_worker

OPEN = """async ([url, options]) => {
  const { connect } = await import("/static/django_websocket/websocket.js");
  window.states = [];
  window.heard = [];
  window.connection = connect(url, {
    ...options,
    onState: (state) => states.push({ ...state, at: Date.now() }),
    onMessage: (data) => heard.push(data),
  });
}"""

#: Full jitter draws this instead of a random number.
CHANCE = "Math.random = () => {}"

_numbers = itertools.count(1)


class Client:
    """A page with nothing on it but a connection."""

    def __init__(self, page):
        self.page = page
        page.goto("/accounts/login/")

    def open(self, path="/probe/feed/", **options):
        self.page.evaluate(OPEN, [path, options])

    def call(self, method, *values):
        return self.page.evaluate(
            "([name, values]) => connection[name](...values)", [method, values]
        )

    def get(self, name):
        return self.page.evaluate(f"connection.{name}")

    @property
    def states(self):
        return self.page.evaluate("states")

    @property
    def heard(self):
        return self.page.evaluate("heard")

    def wait(self, condition):
        self.page.wait_for_function(condition)

    def wait_for(self, name):
        """Wait until the connection is in this state; what it says of itself then."""
        self.wait(f"connection.state.name === '{name}'")
        return self.states[-1]

    def be_closed(self, code, reason="so"):
        """Let the server close it; the state that follows."""
        before = len(self.states)
        self.call("send", f"close {code} {reason}")
        self.wait(f"states.length > {before}")
        return self.states[before]

    def say_hidden(self, hidden):
        """What a browser tells a page whose tab is switched away, or back."""
        self.page.evaluate(
            """(hidden) => {
              Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
              document.dispatchEvent(new Event("visibilitychange"));
            }""",
            hidden,
        )


@pytest.fixture
def client(window):
    """A client; ``chance`` is what it draws for a random number."""

    def client(chance=None):
        page = window(outage=True)
        if chance is not None:
            page.add_init_script(CHANCE.format(chance))
        return Client(page)

    return client


@pytest.fixture
def channels():
    return [f"feed-{next(_numbers)}" for _ in range(2)]


@pytest.fixture
def say(stack, settings, channels):
    """Publish numbers, to one channel after the other."""
    settings.WEBSOCKET_BROKER = broker_of(stack)

    def try_to(channel, number):
        try:
            return publish(channel, number)
        except BrokerError:
            return None

    def say(numbers):
        for number in numbers:
            wait_for(lambda n=number: try_to(channels[n % 2], n))

    return say


def test_open_send_receive(client):
    page = client()
    page.open()
    page.wait_for("open")
    assert [state["name"] for state in page.states] == ["connecting", "open"]
    assert page.call("send", "hello")
    page.wait("heard.length === 1")
    assert page.heard == ["hello"]


@pytest.mark.parametrize("address", ["", "http://", "ws://"])
def test_any_form_of_address(client, stack, address):
    page = client()
    page.open(f"{address}localhost:{stack.port}/probe/feed/?a=b" if address else "/probe/feed/")
    page.wait_for("open")


def go_offline(stack, page):
    page.context.set_offline(True)
    kill_websocket_gunicorns(stack)  # an emulated loss of the network leaves open sockets alone


@pytest.mark.parametrize("outage", [kill_websocket_gunicorns, kill_redis, reload_nginx, go_offline])
def test_nothing_is_missing_and_nothing_comes_twice(client, stack, say, channels, outage):
    page = client()
    page.open(f"/probe/feed/?channel={channels[0]}&channel={channels[1]}", since="0")
    page.wait_for("open")
    say(range(20))
    page.wait("heard.length === 20")
    outage(stack, page.page) if outage is go_offline else outage(stack)
    say(range(20, 40))
    page.page.context.set_offline(False)
    page.wait_for("open")
    say(range(40, 60))
    page.wait("heard.length >= 60")
    say([60, 61])
    page.wait("heard.some((text) => JSON.parse(text).data === 61)")
    numbers = page.page.evaluate("heard.map((text) => JSON.parse(text).data)")
    # Each channel has an order; between two there is none.
    assert [n for n in numbers if n % 2 == 0] == list(range(0, 62, 2))
    assert [n for n in numbers if n % 2 == 1] == list(range(1, 62, 2))


def test_it_goes_on_after_what_was_taken_back(client, stack, channels, settings):
    settings.WEBSOCKET_BROKER = broker_of(stack)
    page = client()
    page.open(f"/probe/feed/?channel={channels[0]}", since="0")
    page.wait_for("open")
    first = publish(channels[0], 0)
    notice = retract(channels[0], first)
    page.wait("heard.length === 2")
    assert page.get("since") == notice
    kill_websocket_gunicorns(stack)
    cleared = clear(channels[0])
    page.wait("heard.length === 3")
    assert page.get("since") == cleared
    heard = [json.loads(text) for text in page.heard]
    assert [it.get("retracted") for it in heard] == [None, first, None]
    assert heard[2] == {"id": cleared, "channel": channels[0], "cleared": True}


@pytest.mark.parametrize("code", [1000, 1008, 4401, 4403, 4404])
def test_some_codes_are_final(client, code):
    page = client(chance=0)
    page.open()
    page.wait_for("open")
    state = page.be_closed(code, "this is why")
    assert (state["name"], state["code"], state["reason"]) == ("closed", code, "this is why")
    assert not page.call("send", "hello")
    page.call("retry")
    assert page.wait_for("open")


def test_an_application_has_final_codes_of_its_own(client):
    page = client(chance=0)
    page.open(final=[4001])
    page.wait_for("open")
    assert page.be_closed(4002)["name"] == "waiting"
    page.wait_for("open")
    assert page.be_closed(4001)["name"] == "closed"


@pytest.mark.parametrize(
    ("code", "least", "most"),
    [(1012, 0, 250), (1011, 0, 1000), (4001, 0, 1000), (1013, 5000, 6000), (4429, 5000, 6000)],
)
def test_others_say_when_to_come_back(client, code, least, most):
    for chance, wait in ((0, least), (1, most)):
        page = client(chance)
        page.open()
        page.wait_for("open")
        state = page.be_closed(code)
        assert (state["name"], state["code"]) == ("waiting", code)
        assert abs(state["until"] - state["at"] - wait) < 50


def test_waits_double_up_to_a_bound(client):
    page = client(chance=0.01)
    page.open("/probably-not-there/")
    page.wait("states.filter(({ name }) => name === 'waiting').length >= 8")
    waits = [state["until"] - state["at"] for state in page.states if state["name"] == "waiting"]
    assert waits[:8] == pytest.approx([10, 20, 40, 80, 160, 300, 300, 300], abs=9)


def test_a_good_connection_begins_anew(client):
    page = client(chance=0.5)
    page.page.clock.install()
    page.open()
    for wait in (500, 1000, 2000):
        page.wait_for("open")
        state = page.be_closed(4001)
        assert state["until"] - state["at"] == pytest.approx(wait, abs=50)
        page.page.clock.fast_forward(wait)
    page.wait_for("open")
    page.page.clock.fast_forward(5_000)
    state = page.be_closed(4001)
    assert state["until"] - state["at"] == pytest.approx(500, abs=50)


def test_without_a_connection_sends_are_refused(client):
    page = client(chance=0)
    page.open()
    page.wait_for("open")
    page.be_closed(1013)
    assert not page.call("send", "hello")
    assert page.get("queued") == 0


def test_or_queued_up_to_a_bound(client):
    page = client(chance=0)
    page.open(offline="queue", queueSize=2)
    page.wait_for("open")
    page.be_closed(1013)
    assert [page.call("send", text) for text in ("one", "two", "three")] == [True, True, False]
    assert page.get("queued") == 2
    page.wait_for("open")
    page.call("send", "four")
    page.wait("heard.length === 3")
    assert page.heard == ["one", "two", "four"]


def test_back_online_it_connects_at_once(client):
    page = client(chance=1)
    page.open()
    page.wait_for("open")
    state = page.be_closed(1013)
    page.page.context.set_offline(True)
    page.page.context.set_offline(False)
    assert page.wait_for("open")["at"] < state["until"] - 1000


def test_a_hidden_page_waits_longer_and_a_visible_one_not_at_all(client):
    page = client(chance=1)
    page.open()
    page.wait_for("open")
    page.say_hidden(True)
    state = page.be_closed(4001)
    assert state["until"] - state["at"] == pytest.approx(10_000, abs=50)
    page.say_hidden(False)
    assert page.wait_for("open")["at"] < state["until"] - 1000


def test_after_a_sleep_it_takes_a_new_connection(client, say, channels):
    page = client()
    page.page.clock.install()
    page.open(f"/probe/feed/?channel={channels[0]}")
    page.wait_for("open")
    say([2])
    page.wait("heard.length === 1")
    page.page.clock.fast_forward(30_000)
    assert [state["name"] for state in page.states] == ["connecting", "open"]
    page.page.clock.fast_forward(100_000)  # as if the lid had been closed
    page.wait("states.length === 4")
    assert [state["name"] for state in page.states[2:]] == ["connecting", "open"]
    say([4])
    page.wait("heard.length === 2")


def test_a_server_that_does_not_answer(client):
    page = client()
    page.page.clock.install()
    with socket.create_server(("localhost", 0)) as mute:
        page.open(f"ws://localhost:{mute.getsockname()[1]}/")
        page.page.clock.fast_forward(9_000)
        assert page.get("state.name") == "connecting"
        page.page.clock.fast_forward(1_000)
        assert page.wait_for("waiting")["code"] == 1006


def test_closed_by_the_page_it_stays_closed(client):
    page = client(chance=0)
    page.open()
    page.wait_for("open")
    page.call("close", 1000, "bye")
    assert page.states[-1]["name"] == "closed"
    page.page.context.set_offline(True)
    page.page.context.set_offline(False)
    page.say_hidden(False)
    assert page.get("state.name") == "closed"
    page.call("close")
    assert len(page.states) == 3
