"""What a newcomer gets wrong is refused at start, or said in one line with the remedy."""

import pytest

from support.newcomer import SETTINGS, Project
from support.server import OUR_WORKER, PATIENCE

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
        ("def (", ["invalid syntax", "sockets.py"]),
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


# A handshake that reaches the wrong server


@pytest.mark.parametrize("worker", ["sync", "gthread", "gevent"])
def test_the_websocket_application_on_another_worker(project, worker):
    with project().serve("wsgi:websocket", worker) as server:
        response = server.handshake("/echo/")
        assert response.status == 501
        assert b"--worker-class" not in response.body, "clients need not know"
        server.wait_for_log("--worker-class django_websocket.worker.WebSocketWorker")
        assert "ERROR" in server.log
        assert server.get("/echo/").status == 426
