"""websocket.js in a real browser, on real failures of the stack."""

import itertools
import json
import re
import socket
from urllib.parse import parse_qs, urlsplit

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
        page = window(outage=True, bypass_csp=True)  # Playwright waits by eval()
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


ASK = """(request) => connection.request(...request).then(
  (data) => ({ data }),
  ({ name, code, message, fields }) => ({ name, code, message, fields }),
)"""


def ask(page, data, **options):
    """The outcome of a request: its data, or what the error says."""
    return page.page.evaluate(ASK, [data, options])


def ask_later(page, data, **options):
    """Ask without waiting; ``window.outcome`` is there when the reply is."""
    page.page.evaluate(
        f"(request) => {{ ({ASK})(request).then((it) => window.outcome = it); }}",
        [data, options],
    )


def outcome(page):
    page.wait("window.outcome")
    return page.page.evaluate("outcome")


@pytest.mark.parametrize("secure", [True, False], ids=["https", "http"])
def test_requests_of_two_connections_have_no_id_in_common(client, secure):
    """Also when the page's Math.random() says the same in both, as after a seed."""
    page = client()
    page.page.evaluate("secure => { if (!secure) crypto.randomUUID = undefined; }", secure)
    ids = page.page.evaluate("""async () => {
      Math.random = () => 0.5;
      const { connect } = await import("/static/django_websocket/websocket.js");
      const sent = [];
      const { send } = WebSocket.prototype;
      WebSocket.prototype.send = function (text) {
        sent.push(JSON.parse(text).id);
        send.call(this, text);
      };
      const two = [1, 2].map(() => connect("/probe/talk/"));
      await Promise.all(two.map((connection) => connection.request({})));
      two.forEach((connection) => connection.close());
      WebSocket.prototype.send = send;
      return sent;
    }""")
    assert len(set(ids)) == 2
    assert all(len(one) >= 32 for one in ids)


def test_a_request_has_its_reply(client):
    page = client()
    page.open("/probe/talk/")
    assert ask(page, {"a": [1]})["data"]["data"] == {"a": [1]}  # before it is open
    assert ask(page, ["refuse"]) == {
        "name": "RequestError",
        "code": "no",
        "message": "That is not done.",
        "fields": {},
    }
    assert ask(page, ["ignore"], timeout=50)["code"] == "timeout"
    assert page.heard == []


def test_an_event_has_its_answer_or_its_errors_by_field(client):
    page = client()
    page.open("/probe/events/")

    def request(*values):
        return page.page.evaluate(ASK, values)

    assert request("rename", {"name": "Ada"}) == {"data": {"name": "Ada", "colours": []}}
    assert request("rename", {"name": "", "colours": ["g"]}) == {
        "name": "RequestError",
        "code": "invalid",
        "message": "name: This field is required. colours: Select a valid choice. g is not one of "
        "the available choices.",
        "fields": {
            "name": ["This field is required."],
            "colours": ["Select a valid choice. g is not one of the available choices."],
        },
    }
    assert request("rename")["fields"] == {"name": ["This field is required."]}
    assert request("fail", None, {"timeout": 60_000})["code"] == "internal"
    assert request("nothing")["code"] == "unknown_event"
    form = """async ([names]) => {
      const fields = new FormData();
      for (const [name, value] of names) fields.append(name, value);
      return connection.request("rename", fields);
    }"""
    names = [["name", "Ada"], ["colours", "r"], ["colours", "b"]]
    assert page.page.evaluate(form, [names]) == {"name": "Ada", "colours": ["r", "b"]}


def test_an_error_that_no_request_waits_for_is_on_the_console(client):
    page = client()
    page.open("/probe/events/")
    page.wait_for("open")
    page.page.evaluate("console.warn = (text) => { window.warned = text; }")
    page.call("sendJSON", {"type": "rename"})
    page.wait("window.warned === 'invalid: name: This field is required.'")


def test_a_request_under_way_when_the_connection_is_lost(client, stack):
    page = client()
    page.open("/probe/talk/")
    page.wait_for("open")
    ask_later(page, ["ignore"])
    page.call("send", "the request has left")
    page.wait("heard.length === 1")
    kill_websocket_gunicorns(stack)
    assert outcome(page)["code"] == "lost"


def test_a_request_that_may_be_repeated_is_sent_again_under_its_id(client, stack):
    page = client()
    page.open("/probe/talk/")
    page.wait_for("open")
    page.page.evaluate(
        """() => {
          const { send } = WebSocket.prototype;
          window.ids = [];
          WebSocket.prototype.send = function (text) {
            ids.push(JSON.parse(text).id);
            if (ids.length > 1) send.call(this, text);
          };
        }"""
    )  # the first one never arrives
    ask_later(page, ["do it"], again=True, timeout=60_000)
    kill_websocket_gunicorns(stack)
    assert outcome(page)["data"]["data"] == ["do it"]
    first, second = page.page.evaluate("ids")
    assert first == second == outcome(page)["data"]["id"]


def test_a_request_may_wait_for_ever(client):
    page = client()
    page.open("/probe/talk/")
    assert ask(page, ["hello"], timeout=float("inf"))["data"]["data"] == ["hello"]


def test_a_reserved_type_of_a_later_version_is_ignored(client):
    page = client()
    page.open("/probe/talk/")
    page.wait_for("open")
    for text in ('{"type":"ws.later","a":1}', '{"type":"ws.cut', "the end"):
        page.call("send", text)  # the view sends it back
    page.wait("heard.length > 0")
    assert page.heard == ["the end"]


def test_a_channel_not_heard_of_before_the_connection_was_lost_begins_where_it_was_to(client):
    page = client()
    page.open("/probe/talk/", since="0")
    page.wait_for("open")
    page.call("send", '{"type":"ws.position","channel":"first","id":"5"}')
    ask(page, ["the position is here"])
    page.page.evaluate("dispatchEvent(new Event('online'))")  # a new connection
    url = ask(page, ["hello"], again=True)["data"]["url"]
    assert parse_qs(urlsplit(url).query) == {
        "wire": ["1"],
        "since": ["0"],
        "since.": ["0"],
        "since.first": ["5"],
    }


def test_offline_between_two_tries_it_still_tries(client):
    page = client(chance=1)
    page.open()
    page.wait_for("open")
    page.be_closed(4001)
    page.page.evaluate("dispatchEvent(new Event('offline'))")
    page.wait_for("open")


def test_offline_while_the_url_is_looked_up_it_still_connects(client):
    page = client()
    page.page.evaluate(
        """async () => {
          const { connect } = await import("/static/django_websocket/websocket.js");
          const { promise, resolve } = Promise.withResolvers();
          window.connection = connect(() => ({ then: (...each) => promise.then(...each) }));
          dispatchEvent(new Event("offline"));
          resolve("/probe/feed/");
        }"""
    )
    page.wait("connection.state.name === 'open'")


def test_a_request_that_is_aborted_or_comes_too_late(client):
    page = client()
    page.open("/probe/talk/")
    code = page.page.evaluate(
        """async () => {
          const leaving = new AbortController();
          const asked = connection.request(["ignore"], { signal: leaving.signal });
          leaving.abort();
          return asked.catch((error) => error.code);
        }"""
    )
    assert code == "aborted"
    ask_later(page, ["ignore"])
    page.call("close")
    assert outcome(page)["code"] == "closed"
    assert ask(page, ["anything"])["code"] == "closed"


WATCHED = """() => {
  window.sockets = [];
  const Real = WebSocket;
  window.WebSocket = class extends Real {
    constructor(...given) {
      super(...given);
      sockets.push(this);
    }
  };
}"""


@pytest.mark.parametrize(
    ("code", "reason"), [(1001, "gone"), (1000, "\u20ac" * 200), (999, ""), (4000, "x" * 123)]
)
def test_whatever_the_page_closes_with_the_socket_ends(client, code, reason):
    page = client()
    page.page.evaluate(WATCHED)
    page.open()
    page.wait_for("open")
    page.call("close", code, reason)
    assert page.get("state") == {"name": "closed", "code": code, "reason": reason}
    page.wait("sockets[0].readyState === WebSocket.CLOSED")


def test_the_url_and_the_protocols_may_be_found_each_time(client, stack):
    page = client()
    page.page.evaluate(
        """async () => {
          const { connect } = await import("/static/django_websocket/websocket.js");
          let tokens = 0;
          window.connection = connect(
            async () => {
              tokens += 1;
              if (tokens === 2) throw new Error("no token to be had");
              return `/probe/talk/?token=${tokens}#part`;
            },
            { protocols: () => [], backoff: { first: 10 }, onState: (state) => states.push(state) },
          );
        }""".replace("let tokens", "window.states = []; let tokens")
    )
    assert "token=1" in ask(page, ["where"])["data"]["url"]
    kill_websocket_gunicorns(stack)
    page.wait("states.some((state) => state.reason?.includes('no token to be had'))")
    page.wait_for("open")
    url = ask(page, ["where"], timeout=60_000)["data"]["url"]
    assert int(re.search(r"token=(\d+)", url)[1]) > 2


def test_without_a_url_it_is_the_page_s_own(client):
    page = client()
    page.page.goto("/probe/talk/?a=b#top")
    page.open(None)
    url = ask(page, ["where"], again=True)["data"]["url"]
    assert url.startswith("/probe/talk/?a=b")


def test_a_quiet_channel_goes_on_from_its_own_position(client, stack, say, channels, settings):
    settings.WEBSOCKET_BROKER = broker_of(stack)
    quiet, busy = channels
    publish(quiet, "before")
    page = client(chance=1)
    page.open(f"/probe/talk/?channel={quiet}&channel={busy}")
    page.wait_for("open")
    for number in range(30):
        publish(busy, number, history=5)
    page.wait("heard.length === 30")
    page.page.context.set_offline(True)
    kill_websocket_gunicorns(stack)
    page.wait_for("waiting")
    publish(quiet, "while nobody listened")
    page.page.context.set_offline(False)
    page.wait("heard.length === 31")
    last = json.loads(page.heard[-1])
    assert (last["channel"], last["data"]) == (quiet, "while nobody listened")
    assert not any('"gap"' in text for text in page.heard)


def test_json(client):
    page = client()
    page.page.evaluate(
        """async () => {
          const { connect } = await import("/static/django_websocket/websocket.js");
          window.values = [];
          window.others = [];
          window.connection = connect("/probe/talk/", {
            onJSON: (value) => values.push(value),
            onMessage: (data) => others.push(data),
            offline: "queue",
          });
          connection.sendJSON({ a: 1 });
          connection.sendJSON(null);
          connection.send("{no JSON");
        }"""
    )
    page.wait("values.length === 2 && others.length === 1")
    assert page.page.evaluate("[values, others]") == [[{"a": 1}, None], ["{no JSON"]]


def test_a_signal_closes_it(client):
    page = client()
    page.page.evaluate(
        """async () => {
          const { connect } = await import("/static/django_websocket/websocket.js");
          window.leaving = new AbortController();
          window.connection = connect("/probe/talk/", { signal: leaving.signal });
        }"""
    )
    page.wait("connection.state.name === 'open'")
    page.page.evaluate("leaving.abort()")
    assert page.get("state.name") == "closed"


def test_offline_is_no_open_connection(client):
    page = client(chance=1)
    page.open()
    page.wait_for("open")
    page.page.evaluate("dispatchEvent(new Event('offline'))")
    state = page.states[-1]
    assert (state["name"], state["reason"]) == ("waiting", "offline")
    page.page.evaluate("dispatchEvent(new Event('online'))")
    page.wait_for("open")
