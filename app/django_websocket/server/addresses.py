"""What one client address may do: how many handshakes a second, how many sockets."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from time import monotonic
from typing import TYPE_CHECKING, Any

from django_websocket.connection.leakybucket import fill
from django_websocket.connection.register import Register
from django_websocket.metrics import counters

if TYPE_CHECKING:
    from django_websocket.connection.websocket import WebSocket
    from django_websocket.options import Options

__all__ = ["Addresses", "addresses_of"]

#: So many seconds' worth of handshakes may come at once.
BURST = 10.0

#: How many addresses are remembered between two searches for those that have been quiet.
_SWEEP = 10_000

#: Who has one IPv6 address has a network of this size.
_IPV6_PREFIX = 64


class Addresses:
    """The clients of one worker. A client on a unix socket has no address, and no limit."""

    def __init__(self, handshakes: float | None, sockets: int | None) -> None:
        self._each = 1 / handshakes if handshakes else 0.0
        self._most = sockets
        self._register = Register()
        #: Leaky buckets: when each is empty, in time.monotonic().
        self._empty_at: dict[str, float] = {}
        self._sweep_at = _SWEEP

    def refusal(self, environ: dict[str, Any]) -> str | None:
        """Why a handshake is refused, if it is. Counts it otherwise."""
        address = network_of(environ.get("REMOTE_ADDR", ""))
        if not address:
            return None
        if self._most is not None and self._register.count(address) >= self._most:
            counters.sockets_refused_to_address += 1
            return f"{address} has {self._most} sockets: see WEBSOCKET_MAX_SOCKETS_PER_ADDRESS"
        if self._each and not self._has_room(address):
            counters.handshakes_refused_to_address += 1
            return f"{address} sends too many handshakes: see WEBSOCKET_HANDSHAKE_RATE"
        return None

    def add(self, environ: dict[str, Any], websocket: WebSocket) -> None:
        """Count the socket until it closes."""
        address = network_of(environ.get("REMOTE_ADDR", ""))
        if address and self._most is not None:
            self._register.add(address, websocket)

    def _has_room(self, address: str) -> bool:
        now = monotonic()
        if len(self._empty_at) >= self._sweep_at:
            self._empty_at = {key: at for key, at in self._empty_at.items() if at > now}
            self._sweep_at = len(self._empty_at) + _SWEEP
        empty_at = fill(self._empty_at.get(address, 0.0), self._each, BURST, now)
        if empty_at is None:
            return False
        self._empty_at[address] = empty_at
        return True


def network_of(address: str) -> str:
    """What counts as one client: an IPv4 address, a network of IPv6 addresses."""
    if ":" not in address:
        return address
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = getattr(parsed, "ipv4_mapped", None)
    return str(mapped) if mapped else str(ip_network((parsed, _IPV6_PREFIX), strict=False))


def addresses_of(options: Options) -> Addresses | None:
    """The limits that the options ask for, if any."""
    if options.handshake_rate is None and options.max_sockets_per_address is None:
        return None
    return Addresses(options.handshake_rate, options.max_sockets_per_address)
