"""Who the client is, behind a proxy.

A header is trusted only from a peer in gunicorn's ``forwarded_allow_ips``; a peer on a unix
socket is trusted, as gunicorn's own workers trust it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

__all__ = ["TrustedProxies"]


_SCHEMES = {"https": "https", "wss": "https", "http": "http", "ws": "http"}


class TrustedProxies:
    """``addresses`` and ``networks`` are gunicorn's; ``*`` among the addresses trusts any peer."""

    def __init__(
        self, addresses: Iterable[str], networks: Iterable[IPv4Network | IPv6Network]
    ) -> None:
        self._any_peer = "*" in addresses
        self._networks = tuple(networks)
        # The same proxy's address comes with every request.
        self._knows = lru_cache(maxsize=256)(self._is_in_a_network)

    def apply(self, environ: dict[str, Any]) -> None:
        """Set ``REMOTE_ADDR`` and ``wsgi.url_scheme`` to the client's.

        The headers then agree with them, or are gone. So code of the application that reads the
        headers, such as ``ProxyFix`` or ``SECURE_PROXY_SSL_HEADER``, gets the same result.
        """
        peer = environ.setdefault("REMOTE_ADDR", "")
        if peer and not self._any_peer and not self._knows(peer):
            _drop_claims(environ)
            return
        forwarded = environ.pop("HTTP_X_FORWARDED_FOR", None)
        if forwarded and (client := self._client(forwarded)) is not None:
            environ["REMOTE_ADDR"] = environ["HTTP_X_FORWARDED_FOR"] = client
            environ.pop("REMOTE_PORT", None)
        scheme = environ.pop("HTTP_X_FORWARDED_PROTO", "").strip().lower()
        if scheme in _SCHEMES:
            environ["wsgi.url_scheme"] = environ["HTTP_X_FORWARDED_PROTO"] = _SCHEMES[scheme]

    def _client(self, forwarded: str) -> str | None:
        """The last address that is none of our proxies; any client may forge those before it."""
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


def _drop_claims(environ: dict[str, Any]) -> None:
    """Drop the headers that only a proxy may set: client, scheme, host and prefix."""
    for name in [name for name in environ if name.startswith("HTTP_X_FORWARDED")]:
        del environ[name]
    for name in ("HTTP_FORWARDED", "HTTP_X_REAL_IP"):
        environ.pop(name, None)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
