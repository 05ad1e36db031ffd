"""URLs of sockets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, get_resolver, get_urlconf, reverse

from .conf import get_options

__all__ = ["NO_SOCKETS", "is_socket_path", "reverse_websocket", "sockets_urlconf", "urlconfs"]

#: Stands for the urlconf of pages without sockets.
NO_SOCKETS: Any = ()


def urlconfs() -> tuple[str, ...]:
    """Every urlconf that ``WEBSOCKET_URLCONF`` names."""
    named = get_options().urlconf
    if named is None or isinstance(named, str):
        return (named,) if named else ()
    return tuple(dict.fromkeys(named.values()))


def sockets_urlconf(pages: Any) -> Any:
    """The sockets' urlconf for ``pages``, a urlconf set by middleware; None: ROOT_URLCONF.

    :data:`NO_SOCKETS` if ``WEBSOCKET_URLCONF`` names several, and none for these pages.
    """
    named = get_options().urlconf
    if named is None or isinstance(named, str):
        return named
    pages = settings.ROOT_URLCONF if pages is None else getattr(pages, "__name__", pages)
    return named.get(pages, pages if pages in named.values() else NO_SOCKETS)


def is_socket_path(path: str) -> bool:
    """Whether a view is found for ``path`` in any urlconf of sockets."""
    for urlconf in urlconfs():
        try:
            get_resolver(urlconf).resolve(path)
        except Exception:  # noqa: BLE001, S112 - nothing is there, or the urlconf is broken
            continue
        return True
    return False


def reverse_websocket(
    viewname: str,
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    request: HttpRequest | None = None,
    current_app: str | None = None,
) -> str:
    """The URL of a socket, looked up in ``WEBSOCKET_URLCONF`` as Django's ``reverse()`` does.

    It starts with ``WEBSOCKET_SERVER`` if that is set, else with ``ws://`` or ``wss://`` and the
    host of ``request``; without either it is a path. Raises ``NoReverseMatch``.

    If ``WEBSOCKET_URLCONF`` names several urlconfs, this uses the one for the urlconf of
    ``request``, or else for the active urlconf.
    """
    options = get_options()
    urlconf = _urlconf_beside(request)
    if urlconf == NO_SOCKETS:
        raise NoReverseMatch(
            f"WEBSOCKET_URLCONF names no sockets for the urlconf of this request, so {viewname!r} "
            "cannot be found: add that urlconf"
        )
    path = reverse(
        viewname,
        urlconf=urlconf,
        args=args,
        kwargs=dict(kwargs) if kwargs else None,
        current_app=current_app,
    )
    if options.server is not None:
        return options.server.rstrip("/") + path
    if request is not None:
        scheme = "wss" if request.is_secure() else "ws"
        return f"{scheme}://{request.get_host()}{path}"
    return path


def _urlconf_beside(request: HttpRequest | None) -> Any:
    if request is None:
        return sockets_urlconf(get_urlconf())
    urlconf = getattr(request, "urlconf", None)
    # A handshake already has its socket's urlconf.
    return urlconf if hasattr(request, "websocket") else sockets_urlconf(urlconf)
