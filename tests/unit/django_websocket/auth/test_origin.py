"""RFC 6455 section 10.2: the Origin header keeps other sites' pages out."""

import pytest
from django.test import RequestFactory, override_settings

from django_websocket.auth.origin import origin_allowed


def allowed(origin, *, host="example.com", secure=True, **settings):
    headers = {} if origin is None else {"Origin": origin}
    request = RequestFactory().get("/", secure=secure, headers=headers, HTTP_HOST=host)
    with override_settings(ALLOWED_HOSTS=["*"], **settings):
        return origin_allowed(request)


def test_no_origin_is_no_browser():
    assert allowed(None)


@pytest.mark.parametrize(
    ("origin", "host", "secure"),
    [
        ("https://example.com", "example.com", True),
        ("https://example.com", "example.com:443", True),
        ("https://EXAMPLE.com", "example.com", True),
        ("http://example.com", "example.com", False),
        ("http://localhost:8080", "localhost:8080", False),
        ("https://localhost:8443", "localhost:8443", True),
        ("http://[::1]:8080", "[::1]:8080", False),
        # TLS ends in front of a proxy that does not say so.
        ("https://example.com", "example.com", False),
        ("https://example.com:8443", "example.com:8443", False),
    ],
)
def test_own_host(origin, host, secure):
    assert allowed(origin, host=host, secure=secure)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://example.com.evil.example",
        "https://notexample.com",
        "https://sub.example.com",
        "https://example.com:8443",
        "http://example.com",
        "null",
        "",
        "example.com",
        "file://",
        "chrome-extension://example.com",
        "https://example.com:port",
        "https://[::1",
    ],
)
def test_foreign_or_broken_origin(origin):
    assert not allowed(origin)


@pytest.mark.parametrize("setting", ["WEBSOCKET_ALLOWED_ORIGINS", "CSRF_TRUSTED_ORIGINS"])
@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("https://app.example.org", True),
        ("https://app.example.org:443", True),
        ("http://app.example.org", False),
        ("https://app.example.org:8443", False),
        ("https://deep.wild.example", True),
        ("https://wild.example", True),  # as in CSRF_TRUSTED_ORIGINS
        ("https://unwild.example", False),
    ],
)
def test_listed_origins(setting, origin, expected):
    listed = ["https://app.example.org", "https://*.wild.example"]
    assert allowed(origin, **{setting: listed}) is expected


def test_star_allows_every_origin():
    assert allowed("null", WEBSOCKET_ALLOWED_ORIGINS=["*"])
