"""Pages and sockets share their URLs, and the cache of Django's per-site cache middleware."""

import pytest
import websocket

from support.neighbours import environment
from support.server import OUR_WORKER, STOCK_WORKER, serve

CACHING = [
    "django.middleware.cache.UpdateCacheMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.cache.FetchFromCacheMiddleware",
]
BOTH_IN_ONE = [
    "django.middleware.cache.CacheMiddleware",
    "django.middleware.common.CommonMiddleware",
]


@pytest.fixture(
    scope="module",
    params=[(CACHING, OUR_WORKER), (CACHING, STOCK_WORKER), (BOTH_IN_ONE, OUR_WORKER)],
    ids=["two parts", "two parts, stock", "one part"],
)
def servers(request, tmp_path_factory):
    """The pages, and the sockets beside them."""
    middleware, worker = request.param
    folder = tmp_path_factory.mktemp("caches")
    backend = "django.core.cache.backends.filebased.FileBasedCache"
    cache = {"BACKEND": backend, "LOCATION": str(folder / "cache")}
    env = environment(folder, MIDDLEWARE=middleware, CACHES={"default": cache})
    app = "support.neighbours.wsgi"
    with (
        serve(f"{app}:application", "gthread", folder / "pages", env) as pages,
        serve(f"{app}:websocket", worker, folder / "sockets", env) as sockets,
    ):
        sockets.ours = worker == OUR_WORKER
        yield pages, sockets


def echoes(sockets, path):
    client = sockets.connect(path, host="testserver", suppress_origin=True)
    client.send("hello")
    answer = client.recv()
    client.close()
    return answer == "hello"


def page(pages, path):
    response = pages.get(path, Host="testserver")
    return response.status, response.body, response.headers["Age"] is not None


@pytest.mark.parametrize("path", ["/shared/", "/cached/"])
def test_a_cached_page_does_not_answer_a_handshake(servers, path):
    pages, sockets = servers
    assert page(pages, path) == (200, b"the page", False)
    assert page(pages, path) == (200, b"the page", True), "it comes from the cache"
    for _ in range(2):
        assert echoes(sockets, path)
    assert sockets.get(path, Host="testserver").status == 426
    assert page(pages, path) == (200, b"the page", True)


def test_what_answers_a_handshake_is_no_page(servers):
    pages, sockets = servers
    assert echoes(sockets, "/asked-first/")
    for path in ("/refused-with-200/", "/cached-refusal/"):
        if sockets.ours:
            with pytest.raises(websocket.WebSocketBadStatusException, match="200"):
                sockets.connect(path, host="testserver", suppress_origin=True)
        else:
            sockets.connect(path, host="testserver", suppress_origin=True).recv()
    assert page(pages, "/asked-first/") == (200, b"the page", False)
    assert page(pages, "/refused-with-200/") == (200, b"the page", False)
