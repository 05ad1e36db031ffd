"""The metrics of this process in the Prometheus format, with ``prometheus_client``.

The collector reads plain numbers when Prometheus asks for them: a message pays for nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING

from django.db import connections
from prometheus_client import REGISTRY
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from .application import observers
from .connection.websocket import STATES
from .metrics import Histogram, counters
from .pubsub.process import known_dispatcher
from .server import health

if TYPE_CHECKING:
    from .connection.websocket import WebSocket

__all__ = ["WebSocketCollector", "exposition", "register"]

#: Counters of :mod:`.metrics` that are one number: name, attribute, meaning.
_TOTALS = (
    ("channel_messages_published", "published", "Messages published by this process."),
    ("channel_messages_received", "received", "Messages received from the broker."),
    ("channel_messages_delivered", "delivered", "Published messages handed to sockets."),
    ("channel_messages_replayed", "replayed", "Messages sent again from the history."),
    ("channel_gaps", "gaps", "Gaps announced to members of channels."),
    ("readers_lagging", "readers_lagging", "Readers that went back to the history."),
    ("broker_outages", "outages", "How often the broker was lost."),
    ("encodings_dropped", "encodings_dropped", "Broadcasts that waited too long for encode()."),
    ("slow_clients_closed", "slow_clients_closed", "Sockets closed for a full send buffer."),
    ("clients_throttled", "clients_throttled", "Clients not read for a while: too fast."),
    ("flooding_clients_closed", "flooding_clients_closed", "Sockets closed for the same."),
    ("histories_dropped", "histories_dropped", "Channels' histories removed from a full Redis."),
    ("database_releases", "database_releases", "Database connections closed or given back."),
)

#: Counters of what a limit has refused: limit, attribute.
_REFUSALS = (
    ("handshake_rate", "handshakes_refused_to_address"),
    ("sockets_per_address", "sockets_refused_to_address"),
    ("sockets_per_user", "sockets_refused_to_user"),
    ("channels", "channels_refused"),
)

#: Counters that each open socket keeps for itself: name, attribute, meaning.
_TRAFFIC = (
    ("messages_received", "messages_received", "Complete messages of clients."),
    ("messages_sent", "messages_sent", "Messages sent to clients."),
    ("received_bytes", "bytes_received", "Bytes read from clients after the handshake."),
    ("sent_bytes", "bytes_sent", "Bytes that the kernel has taken for clients."),
)

#: Numbers of psycopg's pool that are gauges: name, key in its statistics, meaning.
_POOL = (
    ("max", "pool_max", "Connections that a pool may have."),
    ("size", "pool_size", "Connections that a pool has."),
    ("available", "pool_available", "Connections of a pool that nobody uses."),
    ("waiting", "requests_waiting", "Views that wait for a connection of a pool."),
)


class WebSocketCollector(Collector):
    """Everything that this process knows of its sockets and channels."""

    def collect(self) -> Iterator[Metric]:
        """The metrics, read now."""
        websockets = [each for engine in health.engines for each in list(engine.websockets)]
        if health.engines:
            yield from _sockets(websockets, sum(engine.limit for engine in health.engines))
        for name, attribute, meaning in _TRAFFIC:
            now = sum(getattr(websocket, attribute) for websocket in websockets)
            yield _counter(name, meaning, getattr(counters, attribute) + now)
        for name, attribute, meaning in _TOTALS:
            yield _counter(name, meaning, getattr(counters, attribute))
        yield _dropped()
        yield _refused()
        yield from _handshakes()
        yield _histogram(
            "hub_lag", "How late the heartbeat was, four times a second.", counters.hub_lag
        )
        yield from _broker()
        yield from _pools()


def _sockets(websockets: Iterable[WebSocket], limit: int) -> Iterator[Metric]:
    states = dict.fromkeys(STATES, 0)
    queued = buffered = 0
    fullest_inbox = fullest_buffer = 0.0
    for websocket in websockets:
        states[websocket._state_name] += 1
        queued += len(websocket._inbox.queue)
        fullest_inbox = max(fullest_inbox, websocket._inbox.fill)
        buffer = websocket._stream.buffer
        if buffer is not None:
            buffered += buffer.size
            fullest_buffer = max(fullest_buffer, buffer.size / websocket._stream.limit)
    family = GaugeMetricFamily(
        "websocket_sockets", "Sockets of this process, by state.", labels=["state"]
    )
    for state, count in states.items():
        family.add_metric([state], count)
    yield family
    yield _gauge("sockets_limit", "Sockets that this process serves at most.", limit)
    yield _gauge("receive_queue_messages", "Messages that wait for views.", queued)
    yield _gauge("receive_queue_fill_ratio", "How full the fullest queue is.", fullest_inbox)
    yield _gauge("send_buffer_bytes", "Bytes that wait for clients.", buffered)
    yield _gauge("send_buffer_fill_ratio", "How full the fullest buffer is.", fullest_buffer)


def _dropped() -> Metric:
    family = CounterMetricFamily(
        "websocket_broadcasts_dropped",
        "Broadcasts dropped for slow clients, by policy.",
        labels=["policy"],
    )
    family.add_metric(["drop_oldest"], counters.broadcasts_dropped)
    family.add_metric(["latest"], counters.broadcasts_replaced)
    return family


def _refused() -> Metric:
    family = CounterMetricFamily(
        "websocket_refusals", "Handshakes and calls that a limit has refused.", labels=["limit"]
    )
    for limit, attribute in _REFUSALS:
        family.add_metric([limit], getattr(counters, attribute))
    return family


def _handshakes() -> Iterator[Metric]:
    family = CounterMetricFamily(
        "websocket_handshakes",
        "Handshakes by the status of the answer; 0: the client left before it.",
        labels=["status", "route"],
    )
    for (status, route), count in list(counters.handshakes.items()):
        family.add_metric([str(status), route], count)
    yield family
    yield _histograms(
        "handshake_duration",
        "From a handshake's first line to its answer.",
        "route",
        counters.handshake_seconds,
    )
    yield _histograms(
        "message_duration",
        "From a view's taking of a message to its asking for the next one.",
        "route",
        counters.message_seconds,
    )
    closes = CounterMetricFamily(
        "websocket_closes", "Sockets that have ended, by close code.", labels=["code"]
    )
    for code, count in list(counters.closed.items()):
        closes.add_metric([str(code)], count)
    yield closes


def _broker() -> Iterator[Metric]:
    yield _histograms(
        "broker_call_duration", "Calls of the broker.", "operation", counters.broker_seconds
    )
    errors = CounterMetricFamily(
        "websocket_broker_errors", "Calls of the broker that failed.", labels=["operation"]
    )
    for operation, count in list(counters.broker_errors.items()):
        errors.add_metric([operation], count)
    yield errors
    dispatcher = known_dispatcher()
    if dispatcher is None:
        return
    census = dispatcher.census()
    yield _gauge("broker_up", "0 from the loss of the broker until it is back.", census.connected)
    yield _gauge("channels", "Channels that this process is subscribed to.", census.channels)
    yield _gauge("subscriptions", "Members of these channels.", census.members)
    yield _gauge("presence_entries", "Sockets of this process that are present.", census.present)


def _pools() -> Iterator[Metric]:
    pools = [
        (alias, get_stats())
        for alias in connections
        if (pool := getattr(connections[alias], "pool", None)) is not None
        and (get_stats := getattr(pool, "get_stats", None)) is not None  # psycopg's, not Oracle's
    ]
    if not pools:
        return
    for name, key, meaning in _POOL:
        gauge = GaugeMetricFamily(f"websocket_database_pool_{name}", meaning, labels=["database"])
        for alias, numbers in pools:
            gauge.add_metric([alias], numbers.get(key, 0))
        yield gauge
    errors = CounterMetricFamily(
        "websocket_database_pool_errors",
        "Views that got no connection from a pool.",
        labels=["database"],
    )
    for alias, numbers in pools:
        errors.add_metric([alias], numbers.get("requests_errors", 0))
    yield errors


def _counter(name: str, meaning: str, value: float) -> Metric:
    return CounterMetricFamily(f"websocket_{name}", meaning, value=value)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"websocket_{name}", meaning, value=value)


def _histogram(name: str, meaning: str, histogram: Histogram) -> Metric:
    return HistogramMetricFamily(
        f"websocket_{name}_seconds", meaning, buckets=_buckets(histogram), sum_value=histogram.sum
    )


def _histograms(name: str, meaning: str, label: str, histograms: Mapping[str, Histogram]) -> Metric:
    family = HistogramMetricFamily(f"websocket_{name}_seconds", meaning, labels=[label])
    for value, histogram in list(histograms.items()):
        family.add_metric([value], _buckets(histogram), histogram.sum)
    return family


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    bounds = [*map(str, histogram.bounds), "+Inf"]
    return list(zip(bounds, accumulate(histogram.counts), strict=True))


@cache
def register() -> None:
    """Let ``prometheus_client`` expose the metrics, beside those of the project's own."""
    observers.factories.append(observers.timing)
    REGISTRY.register(WebSocketCollector())


def exposition(accept: str) -> tuple[bytes, str]:
    """All metrics of the process and their content type, in a format that ``accept`` allows."""
    encode, content_type = choose_encoder(accept)
    return encode(REGISTRY), content_type
