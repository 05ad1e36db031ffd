"""What a newcomer gets wrong is refused at start, or said in one line with the remedy."""

import contextlib

import pytest
import websocket

from support.newcomer import MODULES, SETTINGS, Project
from support.server import OUR_WORKER, PATIENCE, STOCK_WORKER, wait_for

WITHOUT_OUR_APP = [name for name in SETTINGS["INSTALLED_APPS"] if name != "django_websocket"]


@pytest.fixture
def project(tmp_path):
    """A project with these settings and modules instead of the right ones."""

    def make(settings=None, **modules):
        return Project(tmp_path, settings or {}, modules)

    return make


def refuses_to_boot(project, *arguments):
    """The log of a gunicorn that has ended by itself, and not as if all were well."""
    with project.serve("wsgi:websocket", OUR_WORKER, *arguments) as server:
        assert server.process.wait(PATIENCE) != 0, server.log
    return server.log


def test_without_mistakes_nothing_is_said(project):
    mine = project()
    with mine.serve() as server:
        client = server.connect("/echo/")
        client.send("hello")
        assert client.recv() == "hello"
    assert "WARNING" not in server.log
    assert "ERROR" not in server.log


def test_an_app_that_is_not_installed(project):
    log = refuses_to_boot(project({"INSTALLED_APPS": WITHOUT_OUR_APP}))
    assert 'add "django_websocket" to INSTALLED_APPS' in log


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("sockets", "said"),
    [
        ("import no_such_module", ["No module named 'no_such_module'", "sockets.py, line 1"]),
        ("from django.urls import path\nurlpatterns = [path('a', pahts)]", ["pahts", "line 2"]),
        ("urls = []", ["'sockets'", "urlpatterns"]),
    ],
)
def test_a_urlconf_that_cannot_be_imported(project, sockets, said, workers):
    log = refuses_to_boot(project(sockets=sockets), "--workers", workers)
    line = log.strip().rpartition("ImproperSetting: ")[2]
    assert "WEBSOCKET_URLCONF" in line
    for words in said:
        assert words in line
    assert "resolvers.py" not in line, "Django's own files are not at fault"


def test_a_urlconf_with_a_syntax_error(project):
    log = refuses_to_boot(project(sockets="def ("))
    assert 'sockets.py", line 1' in log
    assert "SyntaxError: invalid syntax\nWEBSOCKET_URLCONF: 'sockets' cannot be used" in log


def test_a_syntax_error_while_gunicorn_watches_the_code(project):
    mine = project(sockets="def (")

    def mended():
        # Again and again: gunicorn may not have begun to look at the file's time.
        mine.write("sockets", MODULES["sockets"])
        assert server.process.poll() is None, server.log
        with contextlib.suppress(OSError, websocket.WebSocketException):
            return server.connect("/echo/")

    with mine.serve("wsgi:websocket", OUR_WORKER, "--reload", "--reload-engine", "poll") as server:
        server.wait_for_log("WEBSOCKET_URLCONF: 'sockets' cannot be used")
        wait_for(mended, "the new worker")


def test_a_view_that_opens_no_socket(project):
    sockets = """
        from django.urls import include, path
        from inner import stock
        urlpatterns = [path("shop/", include([path("stock/<int:product>/", stock)]))]
    """
    inner = """
        from django.http import HttpResponse
        from django.contrib.auth.decorators import login_required
        @login_required
        def stock(request, product):
            return HttpResponse("forgotten")
    """
    done = project(sockets=sockets, inner=inner).manage("check")
    assert done.returncode != 0
    assert "django_websocket.E005" in done.stdout
    assert "inner.stock, which opens no socket" in done.stdout
    assert "'shop/stock/<int:product>/'" in done.stdout


def test_a_socket_s_view_that_is_a_page_only(project):
    pages = """
        from django.urls import path
        from django_websocket import websocket
        from sockets import echo
        @websocket
        def lost(request, websocket): ...
        urlpatterns = [path("echo/", echo), path("lost/", lost)]
    """
    done = project({"DEBUG": True}, pages=pages).manage("check")
    assert "System check identified 1 issue" in done.stdout, done.stdout
    assert "django_websocket.W004" in done.stdout
    assert "pages.lost, which is a socket's view" in done.stdout


# A handshake that reaches the wrong server


@pytest.mark.parametrize("worker", ["sync", "gthread", "gevent"])
def test_the_websocket_application_on_another_worker(project, worker):
    with project().serve("wsgi:websocket", worker) as server:
        for _ in range(20):
            response = server.handshake("/echo/")
            assert response.status == 501
            assert b"--worker-class" not in response.body, "clients need not know"
        server.wait_for_log("--worker-class django_websocket.worker.WebSocketWorker")
        assert server.log.count("ERROR") == 1
        assert server.get("/echo/").status == 426


STRICT = """
import io
from wsgiref.handlers import SimpleHandler
import wsgi
KEY = {"HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==", "HTTP_UPGRADE": "websocket"}
for headers in ({}, KEY):
    out, environ = io.BytesIO(), {"REQUEST_METHOD": "GET", "PATH_INFO": "/echo/", **headers}
    environ |= {"SERVER_NAME": "a", "SERVER_PORT": "1", "HTTP_HOST": "127.0.0.1"}
    environ |= {"SERVER_PROTOCOL": "HTTP/1.1", "SERVER_SOFTWARE": "WSGIServer/0.2"}
    SimpleHandler(io.BytesIO(), out, io.StringIO(), environ).run(wsgi.websocket)
    print(out.getvalue().split(b"\\r\\n")[0])
"""


def test_a_server_that_takes_no_hop_by_hop_headers_of_an_application(project):
    """As PEP 3333 wants it: wsgiref, and so Django's own runserver, and waitress."""
    done = project().manage("shell", "-c", STRICT)
    assert "426 Upgrade Required" in done.stdout, done.stdout
    assert "501 Not Implemented" in done.stdout
    assert "--worker-class django_websocket.worker.WebSocketWorker" in done.stdout


def test_an_asgi_server(project):
    """uvicorn, or gunicorn with its worker, calls an application with one argument first."""
    done = project().manage("shell", "-c", "import wsgi; wsgi.websocket({'type': 'websocket'})")
    assert "TypeError: an ASGI server has called this application" in done.stdout
    assert "--worker-class django_websocket.worker.WebSocketWorker" in done.stdout


HEALTH = "django_websocket.middleware.HealthMiddleware"
REACHED = "The handshake on {} has reached the application for pages"


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize(("middleware", "status"), [([], 404), ([HEALTH], 501)])
def test_a_handshake_among_the_pages(project, middleware, status, debug):
    settings = {"MIDDLEWARE": [*middleware, *SETTINGS["MIDDLEWARE"]], "DEBUG": debug}
    with project(settings).serve("wsgi:application", "gthread") as server:
        assert server.get("/echo/").status == 404, "it is no handshake"
        assert server.handshake("/nowhere/").status == 404, "no socket is there either"
        assert "handshake" not in server.log
        assert [server.handshake("/echo/").status for _ in range(20)] == [status] * 20
        server.wait_for_log(REACHED.format("/echo/"))
        assert server.log.count("ERROR") == 1
        assert "WEBSOCKET_SERVER" in server.log


def test_a_handshake_that_a_proxy_has_stripped_on_its_way_to_the_pages(project):
    with project().serve("wsgi:application", "sync") as server:
        server.get("/echo/", **{"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
        server.wait_for_log(REACHED.format("/echo/"))


def test_a_page_that_shares_its_url_with_a_socket_is_answered_and_the_mistake_is_logged(project):
    sockets = """
        from django.urls import path
        from django_websocket import websocket
        urlpatterns = [path("page/", websocket(lambda request, websocket: None))]
    """
    with project(sockets=sockets).serve("wsgi:application", "gthread") as server:
        assert server.handshake("/page/").body == b"a page"
        server.wait_for_log(REACHED.format("/page/"))


@pytest.mark.parametrize("worker", [OUR_WORKER, STOCK_WORKER], ids=["our", "stock"])
def test_the_pages_on_a_worker_for_sockets(project, worker):
    with project().serve("wsgi:application", worker) as server:
        assert server.get("/page/").status == 200
        server.handshake("/echo/")
        server.wait_for_log(REACHED.format("/echo/"))
        assert "such as project.wsgi:websocket" in server.log


def test_a_socket_s_view_among_the_pages(project):
    pages = """
        from django.urls import path
        from sockets import echo
        urlpatterns = [path("chat/", echo)]
    """
    with project(pages=pages).serve("wsgi:application", "gthread") as server:
        assert server.get("/chat/").status == 426
        assert server.handshake("/chat/").status == 501
        server.wait_for_log("its view is in ROOT_URLCONF; add it to WEBSOCKET_URLCONF")


# A handshake that is refused on its way to the view


@pytest.mark.parametrize(
    ("changed", "path", "said"),
    [
        ({}, "/echo", "/echo was redirected to /echo/, which no WebSocket client follows: connect"),
        (
            {"SECURE_SSL_REDIRECT": True},
            "/echo/",
            "if a proxy terminates TLS, make it set X-Forwarded-Proto",
        ),
    ],
)
def test_a_handshake_that_is_redirected(project, changed, path, said):
    settings = changed | {
        "MIDDLEWARE": ["django.middleware.security.SecurityMiddleware", *SETTINGS["MIDDLEWARE"]]
    }
    with project(settings).serve() as server:
        assert [server.handshake(path).status for _ in range(20)] == [301] * 20
        server.wait_for_log(said)
        assert server.log.count("WARNING") == 1


def test_a_host_that_is_not_allowed(project):
    with project().serve() as server:
        assert server.handshake("/echo/", Host="shop.example").status == 400
        server.wait_for_log("You may need to add 'shop.example' to ALLOWED_HOSTS")


def test_a_proxy_that_passes_half_of_the_handshake_on(project):
    with project().serve() as server:
        statuses = [server.handshake("/echo/", Connection="close").status for _ in range(20)]
        assert statuses == [400] * 20
        server.wait_for_log("Refused a handshake on '/echo/': The Connection header lacks")
        assert server.log.count("Refused a handshake") == 1
        assert "a proxy must pass on both headers" in server.log


def test_a_worker_that_is_full(project):
    with project({"WEBSOCKET_MAX_CONNECTIONS": 1}).serve() as server:
        client = server.connect("/echo/")
        assert server.handshake("/echo/").status == 503
        server.wait_for_log("its maximum of 1 sockets; raise --worker-connections")
        client.send("still here")
        assert client.recv() == "still here"


# Messages that go nowhere


@pytest.mark.parametrize("debug", [True, False])
def test_a_check_for_messages_that_stay_in_their_process(project, debug):
    done = project({"DEBUG": debug}).manage("check")
    assert done.returncode == 0, done.stdout
    assert ("django_websocket.W003" in done.stdout) is not debug


PUBLISH = "from django_websocket import publish; [publish('news', 'hello') for _ in range(3)]"
NOBODY = "Messages of this process reach nobody"


@pytest.mark.parametrize(
    "code",
    [
        PUBLISH,
        "from django_websocket import retract; retract('news', '1767225600000-000000')",
        "from django_websocket import clear; clear('news')",
        "from django_websocket import presence; presence('news')",
        "from django_websocket.pubsub import subscribe; subscribe('news').__enter__()",
    ],
)
def test_a_command_that_reaches_nobody(project, code):
    done = project({"DEBUG": True}).manage("shell", "--no-imports", "-c", code)
    assert done.stdout.count(NOBODY) == 1, done.stdout
    assert "WEBSOCKET_BROKER" in done.stdout


def test_a_page_that_reaches_nobody(project):
    with project().serve("wsgi:application", "gthread") as server:
        assert [server.get("/say/").status for _ in range(3)] == [200] * 3
    assert server.log.count(NOBODY) == 1


@pytest.mark.parametrize("worker", [OUR_WORKER, STOCK_WORKER], ids=["our", "stock"])
def test_a_socket_that_publishes_reaches_its_neighbours(project, worker):
    sockets = """
        from django.urls import path
        from django_websocket import publish, websocket
        @websocket
        def says(request, websocket):
            publish("news", "hello")
            websocket.send("said")
        urlpatterns = [path("says/", says)]
    """
    with project(sockets=sockets).serve("wsgi:websocket", worker) as server:
        assert server.connect("/says/").recv() == "said"
    assert NOBODY not in server.log


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_that_do_not_reach_each_other(project, workers):
    with project().serve("wsgi:websocket", OUR_WORKER, "--workers", str(workers)) as server:
        server.connect("/echo/")
    said = "reaches the sockets of only one of these 2 workers" in server.log
    assert said is (workers == 2)


def test_tests_of_pages_may_publish_to_nobody(project):
    mine = project()
    mine.write(
        "tests",
        """
        from django.test import SimpleTestCase
        class Says(SimpleTestCase):
            def test_says(self):
                assert self.client.get("/say/").content == b"said"
        """,
    )
    done = mine.manage("test", "tests")
    assert "Ran 1 test" in done.stdout, done.stdout
    assert "OK" in done.stdout
    assert "memory://" not in done.stdout


def test_a_broker_whose_package_is_not_installed(project):
    mine = project({"WEBSOCKET_BROKER": "redis://127.0.0.1:1/0"})
    mine.write("redis", "raise ModuleNotFoundError('no', name='redis')")
    for words in (["check"], ["shell", "--no-imports", "-c", PUBLISH]):
        done = mine.manage(*words)
        assert done.returncode != 0
        assert "django-gevent-websocket[redis]" in done.stdout, done.stdout


def test_a_view_that_holds_all_sockets(project):
    sockets = """
        import hashlib
        from django.urls import path
        from django_websocket import websocket
        def digest(word):
            return hashlib.pbkdf2_hmac("sha256", word.encode(), b"salt", 5_000_000).hex()
        @websocket
        def room(request, websocket, name):
            for message in websocket:
                websocket.send(digest(message))
        urlpatterns = [path("rooms/<slug:name>/", room)]
    """
    with project(sockets=sockets).serve() as server:
        client = server.connect("/rooms/lobby/?token=secret")
        client.send("hello")
        client.recv()
        server.wait_for_log("blocked the worker")
    (line,) = [line for line in server.log.splitlines() if "blocked the worker" in line]
    assert "seconds: '/rooms/lobby/' " in line
    assert "sockets.py:5 digest" in line
    assert "sockets.py:9 room" in line
    assert "secret" not in line


@pytest.mark.parametrize(
    ("engine", "cache", "debug", "warned"),
    [
        ("cache", "locmem.LocMemCache", False, True),
        ("cached_db", "locmem.LocMemCache", False, True),
        ("cache", "locmem.LocMemCache", True, False),
        ("cache", "filebased.FileBasedCache", False, False),
        ("db", "locmem.LocMemCache", False, False),
    ],
)
def test_sessions_that_stay_in_their_process(project, engine, cache, debug, warned):
    settings = {
        "DEBUG": debug,
        "SESSION_ENGINE": f"django.contrib.sessions.backends.{engine}",
        "CACHES": {"default": {"BACKEND": f"django.core.cache.backends.{cache}", "LOCATION": "/"}},
    }
    done = project(settings).manage("check")
    assert ("django_websocket.W006" in done.stdout) is warned, done.stdout
