"""Who the client is, when a proxy stands between.

A header is believed only from a peer in gunicorn's ``forwarded_allow_ips``; a peer on a unix
socket is trusted, as gunicorn's own workers trust it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

__all__ = ["TrustedProxies"]


class TrustedProxies:
    """``addresses`` and ``networks`` are gunicorn's; ``*`` among the addresses trusts any peer."""

    def __init__(
        self, addresses: Iterable[str], networks: Iterable[IPv4Network | IPv6Network]
    ) -> None:
        self._any_peer = "*" in addresses
        self._networks = tuple(networks)
        # A proxy's address comes with every request.
        self._knows = lru_cache(maxsize=256)(self._is_in_a_network)

    def apply(self, environ: dict[str, Any]) -> None:
        """Set ``REMOTE_ADDR`` and ``wsgi.url_scheme`` to the client's."""
        peer = environ.setdefault("REMOTE_ADDR", "")
        if peer and not self._any_peer and not self._knows(peer):
            return
        forwarded = environ.get("HTTP_X_FORWARDED_FOR")
        if forwarded and (client := self._client(forwarded)) is not None:
            environ["REMOTE_ADDR"] = client
            environ.pop("REMOTE_PORT", None)
        scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").strip().lower()
        if scheme in ("https", "wss"):
            environ["wsgi.url_scheme"] = "https"
        elif scheme in ("http", "ws"):
            environ["wsgi.url_scheme"] = "http"

    def _client(self, forwarded: str) -> str | None:
        """The last address that no proxy of ours has; what stands before it, anyone may claim."""
        client = None
        for entry in reversed(forwarded.split(",")):
            address = entry.strip()
            if not _is_address(address):
                break
            client = address
            if not self._knows(address):
                break
        return client

    def _is_in_a_network(self, address: str) -> bool:
        return _is_address(address) and any(
            ip_address(address) in network for network in self._networks
        )


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
