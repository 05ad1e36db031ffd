"""Headers that every page has."""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse

__all__ = ["content_security_policy"]


def _policy() -> str:
    """Scripts, styles and all else come from the site's own files: nothing inline runs."""
    sockets = urlsplit(settings.WEBSOCKET_SERVER or "")
    connect = f" {sockets.scheme}://{sockets.netloc}" if sockets.netloc else ""
    return (
        f"default-src 'self'; connect-src 'self'{connect}; img-src 'self' data:; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


def content_security_policy(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Sends Content-Security-Policy. Django 6 has a middleware for it, 5.2 has none.

    A view may set a policy of its own. Django's page for an exception, which DEBUG shows, is all
    inline and has none.
    """
    policy = _policy()

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not (settings.DEBUG and response.status_code >= 400):
            response.headers.setdefault("Content-Security-Policy", policy)
        return response

    return middleware
