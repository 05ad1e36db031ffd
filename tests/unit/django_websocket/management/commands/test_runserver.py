"""``manage.py runserver`` of a new project, with the library first in INSTALLED_APPS."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import websocket

from support.ports import free_port
from support.server import PATIENCE, ROOT, Server

SOCKETS = """
from django.urls import path
from django_websocket import websocket

@websocket
def room(request, websocket):
    websocket.subscribe("room")
    for message in websocket:
        websocket.send(f"GREETING, {message}")

@websocket
def busy(request, websocket):
    websocket.send("busy")
    while True:
        pass

urlpatterns = [path("room/", room), path("busy/", busy)]
"""
URLS = """
from django.http import HttpResponse
from django.urls import path
from django_websocket import publish

def room(request):
    publish("room", request.GET.get("say", "nothing"))
    return HttpResponse("a page")

def broken(request):
    raise ValueError("this page is broken")

urlpatterns = [path("room/", room), path("broken/", broken)]
"""


READY = "WebSockets: shop.sockets, on the same port."


@pytest.fixture
def site(tmp_path):
    """The folder of a project that ``startproject`` has made, with a page and a socket."""
    django_admin = [sys.executable, "-m", "django"]
    subprocess.run([*django_admin, "startproject", "shop", tmp_path], check=True)
    settings = tmp_path / "shop/settings.py"
    first = 'INSTALLED_APPS = [\n    "django_websocket",\n'
    text = settings.read_text().replace("INSTALLED_APPS = [\n", first)
    settings.write_text(text + 'WEBSOCKET_URLCONF = "shop.sockets"\n')
    (tmp_path / "shop/sockets.py").write_text(SOCKETS.replace("GREETING", "Hello"))
    (tmp_path / "shop/urls.py").write_text(URLS)
    manage(tmp_path, "migrate", "--verbosity=0")
    return tmp_path


def environment(**more):
    return os.environ | {"PYTHONPATH": str(ROOT / "app"), "PYTHONUNBUFFERED": "1"} | more


def manage(site, *arguments, **options):
    environ = environment()
    environ.pop("DJANGO_SETTINGS_MODULE", None)
    return subprocess.run(
        [sys.executable, site / "manage.py", *arguments],
        check=True, env=environ, capture_output=True, text=True, **options,
    )  # fmt: skip


@contextmanager
def runserver(site, *options, program=(), cwd=None, ready=READY, check_end=True):
    """The command in a process group of its own, as a terminal starts it."""
    port = free_port()
    log = site / "runserver.log"
    environ = environment()
    environ.pop("DJANGO_SETTINGS_MODULE", None)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *(program or [site / "manage.py"]), "runserver", str(port), *options],
            stdout=output, stderr=output, env=environ, cwd=cwd or site, start_new_session=True,
        )  # fmt: skip
    server = Server(process, ("127.0.0.1", port), log)
    try:
        server.wait_for_log(ready)
        yield server
    finally:
        server.drop_clients()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        try:
            status = process.wait(PATIENCE)
        finally:
            process.kill()
    if check_end:
        assert status == 0
        assert "Traceback" not in server.log


@pytest.fixture(params=[(), ("--noreload",)], ids=["reload", "noreload"])
def server(request, site):
    with runserver(site, *request.param, check_end=False) as server:
        yield server


def test_pages_static_files_and_sockets_on_one_port(server):
    client = server.connect("/room/")
    client.send("Ada")
    assert client.recv() == "Hello, Ada"
    page = server.get("/room/?say=hi")
    assert page.body == b"a page"
    assert json.loads(client.recv())["data"] == "hi"  # memory:// reaches it
    module = server.get("/static/django_websocket/websocket.js")
    assert module.status == 200
    assert b"export" in module.body
    broken = server.get("/broken/")
    assert broken.status == 500
    assert b"this page is broken" in broken.body
    assert server.handshake("/nowhere/").status == 404
    server.wait_for_log('"GET /room/?say=hi HTTP/1.1" 200')
    client.close(1000)
    server.wait_for_log('"GET /room/ HTTP/1.1" 101')


def test_a_page_that_publishes_before_any_socket_has_come_is_no_mistake(server):
    assert server.get("/room/").status == 200
    server.wait_for_log('"GET /room/ HTTP/1.1" 200')
    assert "reach nobody" not in server.log


def close_code(client):
    while True:
        opcode, payload = client.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return int.from_bytes(payload[:2])


def greeting(server):
    try:
        client = websocket.create_connection(server.url("/room/"), timeout=5)
    except (OSError, websocket.WebSocketTimeoutException):  # its code may be broken
        return None
    client.send("Ada")
    answer = client.recv()
    client.shutdown()
    return answer


def save(path, text, reloaded):
    """Write the file, and again where the autoreloader had not looked at it before."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        path.write_text(text)
        soon = time.monotonic() + 5
        while time.monotonic() < soon:
            if reloaded():
                return
            time.sleep(0.05)
    raise AssertionError(f"no reload within {PATIENCE} s of a change in {path.name}")


def test_a_change_of_the_view_closes_sockets_with_1012_and_is_live(site):
    path = site / "shop/sockets.py"
    with runserver(site) as server:
        path.write_text(SOCKETS.replace("GREETING", "Welcome"))
        # The next change is surely one: the autoreloader has seen this one.
        save(path, path.read_text(), lambda: greeting(server) == "Welcome, Ada")
        client = server.connect("/room/")
        save(path, SOCKETS, lambda: greeting(server) == "GREETING, Ada")
        assert close_code(client) == 1012


def test_nobody_is_refused_while_it_starts_again(site):
    with runserver(site) as server:
        client = server.connect("/room/")
        path = site / "shop/sockets.py"
        save(path, SOCKETS, lambda: select.select([client.sock], [], [], 0)[0])
        assert greeting(server) == "GREETING, Ada"
        assert close_code(client) == 1012


def test_an_urlconf_that_was_mended_is_served(site):
    """Also where the error is in a module that the urlconf imports."""
    views, sockets = site / "shop/views.py", site / "shop/sockets.py"
    views.write_text("")
    with runserver(site, check_end=False) as server:
        for number, broken in enumerate(["def nothing(", "import shop.nowhere", "1/0"], start=1):
            views.write_text(f"{broken}\n")
            save(
                sockets,
                "from shop import views\n" + SOCKETS.replace("GREETING", f"Hello {number}"),
                lambda: "E002" in server.log[server.log.rfind("Watching for") :],
            )
            save(views, "", lambda number=number: greeting(server) == f"Hello {number}, Ada")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("options", [(), ("--noreload",)], ids=["reload", "noreload"])
def test_the_end_is_clean(site, number, options):
    with runserver(site, *options) as server:
        client = server.connect("/room/")
        os.kill(server.pid, number)
        assert close_code(client) == 1012
        assert server.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("options", [(), ("--noreload",)], ids=["reload", "noreload"])
def test_a_second_ctrl_c_ends_what_the_first_could_not(site, options):
    with runserver(site, *options, check_end=False) as server:
        assert server.connect("/busy/").recv() == "busy"  # and holds the whole process
        processes = [server.process, *psutil.Process(server.pid).children(recursive=True)]
        assert len(processes) == (1 if options else 2)
        os.killpg(server.pid, signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(1)
        os.killpg(server.pid, signal.SIGINT)
        assert server.process.wait(PATIENCE) != 0
        assert not psutil.wait_procs(processes[1:], PATIENCE)[1]
        assert "Traceback" not in server.log


def test_ctrl_c_twice_in_a_row_leaves_no_traceback(site):
    with runserver(site, check_end=False) as server:
        (child,) = psutil.Process(server.pid).children()
        for _ in range(2):
            os.killpg(server.pid, signal.SIGINT)
        server.process.wait(PATIENCE)
        assert not child.is_running()
        assert "Traceback" not in server.log


@pytest.mark.parametrize("options", [(), ("--noreload",)], ids=["reload", "noreload"])
def test_ctrl_c_while_the_project_is_loaded_ends_it_without_a_traceback(site, options):
    (site / "shop/sockets.py").write_text(
        f"print('loading')\nimport time\ntime.sleep(3)\n{SOCKETS}"
    )
    with runserver(site, *options, ready="loading", check_end=False) as server:
        os.killpg(server.pid, signal.SIGINT)
        server.process.wait(PATIENCE)
        assert "on the same port" not in server.log
        assert "Traceback" not in server.log


@pytest.mark.parametrize("broken", [False, True], ids=["serving", "broken"])
def test_nothing_stays_when_the_first_process_is_killed(site, broken):
    """By a terminal that crashes, an editor that stops its task, the kernel out of memory."""
    with runserver(site, check_end=False) as server:
        (child,) = psutil.Process(server.pid).children()
        if broken:
            save(site / "shop/sockets.py", "1/0", lambda: "ZeroDivisionError" in server.log)
            (child,) = psutil.Process(server.pid).children()
        os.kill(server.pid, signal.SIGKILL)
        assert not psutil.wait_procs([child], PATIENCE)[1]
        socket.create_server(server.address).close()  # the port is free


def test_a_port_that_is_taken_is_said_as_django_does(site):
    with runserver(site) as server:
        second = subprocess.run(
            [sys.executable, site / "manage.py", "runserver", str(server.address[1])],
            env=environment(DJANGO_SETTINGS_MODULE="shop.settings"),
            cwd=site, capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip
    assert second.returncode == 1
    assert "That port is already in use." in second.stderr


@pytest.mark.parametrize("options", [(), ("--noreload",)], ids=["reload", "noreload"])
def test_a_port_that_is_none_is_said(site, options):
    with pytest.raises(subprocess.CalledProcessError) as failed:
        manage(site, "runserver", "80000", *options, timeout=PATIENCE)
    assert failed.value.stderr == "CommandError: Expected a port up to 65535, found 80000.\n"


@pytest.mark.parametrize("options", [(), ("--noreload",)], ids=["reload", "noreload"])
def test_from_another_folder(site, options, tmp_path_factory):
    with runserver(site, *options, cwd=tmp_path_factory.mktemp("elsewhere")) as server:
        assert greeting(server) == "Hello, Ada"


def test_as_a_module(site):
    program = ["-W", "error::ImportWarning", "-m", "django"]
    with runserver(site, "--settings=shop.settings", program=program) as server:
        assert greeting(server) == "Hello, Ada"


def test_in_a_python_that_is_patched_already(site):
    """For debuggers: there is no second process."""
    with runserver(site, "--noreload", program=["-m", "gevent.monkey", "manage.py"]) as server:
        assert greeting(server) == "Hello, Ada"
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
        assert children == ""


def test_options_of_django_s_own(site):
    with runserver(site, "--nothreading", "--nostatic", "--skip-checks") as server:
        assert server.get("/static/django_websocket/websocket.js").status == 404
        assert "--nothreading has no effect" in server.log
        assert "Performing system checks" not in server.log


def test_below_whitenoise_s_command(site):
    settings = site / "shop/settings.py"
    first = 'INSTALLED_APPS = [\n    "whitenoise.runserver_nostatic",\n'
    settings.write_text(settings.read_text().replace("INSTALLED_APPS = [\n", first))
    with runserver(site) as server:
        assert greeting(server) == "Hello, Ada"
        assert server.get("/static/django_websocket/websocket.js").status == 404


def test_another_app_s_command_is_said_to_be_in_front(site):
    settings = site / "shop/settings.py"
    text = settings.read_text().replace('    "django_websocket",\n', "", 1)
    settings.write_text(f'{text}INSTALLED_APPS += ["django_websocket"]\n')
    said = manage(site, "check").stderr
    assert 'above "django.contrib.staticfiles"' in said
    assert "django_websocket.W010" in said
