"""The files of deploy/ agree with each other, and with the tables of deploy/README.md."""

import re
import runpy
import subprocess
from configparser import RawConfigParser
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from django_websocket.options import Options
from support.gunicorn import shipped_settings
from support.nginx import SHIPPED, Nginx
from support.stack import ROOT

DEPLOY = ROOT / "deploy"
README = (DEPLOY / "README.md").read_text()
NGINX = "\n".join(path.read_text() for path in sorted(SHIPPED.rglob("*.conf")))
GUNICORNS = ("http", "websocket")


def cell(table_row: str, column: int = 1) -> str:
    """A cell of the README's row that begins so; columns count from 0."""
    (line,) = (line for line in README.splitlines() if line.startswith(f"| {table_row}"))
    return line.split("|")[column + 1].strip()


def number(table_row: str) -> int:
    return int(re.sub(r"\D", "", cell(table_row)))


def nginx_value(directive: str, pattern: str) -> set[str]:
    """Every value that the shipped files give a directive."""
    found = set(re.findall(rf"^\s*{directive} {pattern}", NGINX, re.MULTILINE))
    assert found, f"no file sets {directive}"
    return found


@pytest.fixture
def programs(monkeypatch, tmp_path):
    """Every program as supervisor reads the shipped files, by its name."""
    for folder in ("run", "log"):
        (tmp_path / folder).mkdir()
    environment = {
        "PROJECT_DIR": ROOT,
        "DEPLOY_DIR": DEPLOY,
        "STATE_DIR": tmp_path,
        "VENV_DIR": ROOT / ".venv",
        "STACK_USER": "root",
        "OPEN_FILES": 1024,
        "HTTP_INSTANCES": 2,
        "WEBSOCKET_INSTANCES": 2,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, str(value))
    options = ServerOptions()
    options.realize(["--configuration", str(DEPLOY / "supervisor" / "supervisord.conf")])
    return {
        program.name: program
        for group in options.process_group_configs
        for program in group.process_configs
    }


def test_supervisor_runs_the_programs_of_the_table(programs):
    instances = {
        f"{name}-{instance}" for name in GUNICORNS for instance in range(1, number(f"`{name}`") + 1)
    }
    assert set(programs) == instances | {"nginx", "redis"}


def test_every_program_logs_where_the_table_says(programs):
    for program in programs.values():
        log = f"log/{program.name}.log"
        assert program.stdout_logfile.endswith(log)
        assert program.redirect_stderr
        assert f"`{log}`" in README


def test_a_stop_kills_nothing_that_would_have_ended_by_itself(programs):
    grace = number("gunicorn: a stop may take")
    for name in GUNICORNS:
        assert shipped_settings(name)["graceful_timeout"] == grace
        for instance in (1, 2):
            program = programs[f"{name}-{instance}"]
            assert program.stopwaitsecs == number("supervisor kills after") == grace + 10
            assert program.startsecs == number("supervisor calls it started after")
    for name, program in programs.items():
        # nginx's ends as a group: deploy/bin/whole.
        assert (program.stopasgroup, program.killasgroup) == (name == "nginx", True)


@pytest.mark.parametrize("name", GUNICORNS)
def test_another_supervisor_treats_the_programs_as_ours_does(name):
    ours, theirs = (
        dict(_ini(DEPLOY / "supervisor" / file)[section])
        for file, section in (
            (f"programs/{name}.conf", f"program:{name}"),
            ("conf.d/stack.conf", f"program:stack-{name}"),
        )
    )
    assert "%(ENV_" not in "".join(theirs.values())
    assert theirs["numprocs"] == cell(f"`{name}`")
    assert f"--nofile={number('open files')} " in theirs["command"]
    here = {"command", "directory", "environment", "numprocs", "priority", "stdout_logfile", "user"}
    assert {key: value for key, value in theirs.items() if key not in here} == {
        key: value for key, value in ours.items() if key not in here
    }


@pytest.mark.parametrize("name", GUNICORNS)
def test_a_unit_of_systemd_has_the_times_and_sizes_of_the_tables(name):
    service = _ini(DEPLOY / "systemd" / f"stack-{name}@.service")["Service"]
    assert int(service["TimeoutStopSec"]) == number("supervisor kills after")
    assert int(service["LimitNOFILE"]) == number("open files")


def test_the_files_of_a_host_have_the_sizes_of_two_cores():
    sizes = runpy.run_path(str(DEPLOY / "local" / "sizes.py"))["of_one_host"](2)
    guide = (ROOT / "docs" / "how-to" / "without-ansible.md").read_text()
    texts = {
        "site.env": (DEPLOY / "host" / "site.env").read_text(),
        "environment": (DEPLOY / "host" / "environment").read_text(),
        "nginx main.conf": (DEPLOY / "host" / "nginx" / "main.conf").read_text(),
        "PostgreSQL": re.search('ALTER SYSTEM SET (.*)"', guide)[1],
    }
    for file, numbers in sizes.items():
        for name, size in numbers.items():
            assert re.search(rf"^\s*{name}(?: = |=| ){size};?$", texts[file], re.MULTILINE), name


def _ini(path: Path) -> RawConfigParser:
    """As supervisor and systemd have it, without what comes twice."""
    parser = RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(path)
    return parser


def test_programs_stop_in_the_order_of_the_table(programs):
    by_priority = sorted(programs.values(), key=lambda program: -program.priority)
    order = dict.fromkeys(program.name.rstrip("-12") for program in by_priority)
    places = {"first": 0, "second": 1, "third": 2, "last": 3}
    assert list(order) == sorted(order, key=lambda name: places[cell(f"`{name}`", 2)])


@pytest.mark.parametrize("name", GUNICORNS)
def test_a_gunicorn_is_what_the_table_says(name):
    config = shipped_settings(name)
    assert cell(f"`{name}`", 3) == f"`{config['wsgi_app']}`"
    assert config["worker_class"] in cell(f"`{name}`", 4)
    kind = {"http": "pages", "websocket": "sockets"}[name]
    assert config["timeout"] == number(f"gunicorn: a worker of {kind} may hang")
    assert config["workers"] == 1
    assert config["control_socket_disable"]


@pytest.mark.parametrize("name", GUNICORNS)
def test_nginx_and_gunicorn_name_the_same_sockets(monkeypatch, name):
    for instance in ("1", "2"):
        monkeypatch.setenv("INSTANCE", instance)
        monkeypatch.delenv(f"{name.upper()}_BIND", raising=False)
        bind = shipped_settings(name)["bind"]
        assert f"-{instance}." in bind
        assert f"server {bind} " in NGINX
        assert f"`{bind.removeprefix('unix:')}`" in cell(f"`{name}`", 5)


def test_all_sizes_follow_from_the_number_of_sockets():
    sockets = shipped_settings("websocket")["worker_connections"]
    assert f"{sockets:,} sockets per instance" in README
    behind = sockets * number("`websocket`")
    connections = number("nginx `worker_connections`")
    open_files = number("open files")
    assert number("sockets behind this nginx") == behind
    assert nginx_value("worker_connections", r"(\d+)") == {str(connections)}
    assert nginx_value("worker_rlimit_nofile", r"(\d+)") == {str(open_files)}
    sizes = runpy.run_path(str(DEPLOY / "local" / "sizes.py"))
    assert sizes["SOCKETS"] == sockets
    assert sizes["THREADS"] == shipped_settings("http")["threads"]
    assert sizes["nginx_connections"](behind, processes=2) == connections
    assert sizes["open_files"](connections) == open_files
    assert 2 * behind + 5000 < connections < open_files - 1000
    assert 2 * sockets + 1000 < open_files


def test_as_many_connections_may_wait_as_everybody_makes_at_once():
    kernel = ROOT / "ansible" / "roles" / "base" / "vars" / "main.yml"
    allowed = int(re.search(r"^  net.core.somaxconn: (\d+)$", kernel.read_text(), re.M)[1])
    for name, row in (("websocket", "a WebSocket"), ("http", "an HTTP")):
        waiting = shipped_settings(name)["backlog"]
        assert waiting == number(f"connections that wait for {row} gunicorn")
        assert 2048 < waiting <= allowed
    assert (
        shipped_settings("websocket")["backlog"]
        == shipped_settings("websocket")["worker_connections"]
    )
    assert number("connections that wait for nginx") == allowed
    assert nginx_value(r"listen \S+ default_server", r"backlog=(\d+);") == {str(allowed)}


def test_nginx_listens_with_the_backlog_that_it_is_given(stack):
    wanted = min(16384, int(Path("/proc/sys/net/core/somaxconn").read_text()))
    sockets = subprocess.run(
        ["ss", "-Hltn", f"sport = :{stack.port}"], capture_output=True, text=True, check=True
    )
    # For a listening socket ss says in its third column how many may wait.
    assert {line.split()[2] for line in sockets.stdout.splitlines()} == {str(wanted)}


def test_nginx_has_the_times_and_limits_of_the_tables():
    def seconds(row: str) -> set[str]:
        return {f"{number(row)}s"}

    assert nginx_value("client_header_timeout", r"(\w+)") == seconds("nginx waits for a client")
    assert nginx_value("proxy_connect_timeout", r"(\w+)") == seconds("nginx waits for a gunicorn")
    assert nginx_value("proxy_read_timeout", r"(\w+)") == seconds("nginx's idle timeout")
    assert nginx_value("proxy_next_upstream_timeout", r"(\w+)") == seconds("nginx tries other")
    assert nginx_value("worker_shutdown_timeout", r"(\d+)h") == {
        str(number("old nginx workers") // 3600)
    }
    assert nginx_value("limit_conn stack_sockets_per_address", r"(\d+)") == {
        str(number("sockets of one client address"))
    }
    assert nginx_value("limit_req zone=stack_handshakes_per_address", r"burst=(\d+)") == {
        str(2 * number("sockets of one client address"))
    }
    assert nginx_value(
        "limit_req_zone .* zone=stack_handshakes_per_address:10m", r"rate=(\d+)r/s"
    ) == {str(number("handshakes of one client address"))}
    assert nginx_value("limit_req_zone .* zone=stack_logins_per_address:10m", r"rate=(\d+)r/m") == {
        str(number("logins of one client address"))
    }
    assert nginx_value("client_max_body_size", r"(\d+)m") == {cell("body").removesuffix(" MiB")}


def test_a_ping_comes_before_nginx_loses_patience():
    interval = number("the application pings")
    assert Options().ping_interval == interval
    assert 2 * interval < number("nginx's idle timeout")


def test_gunicorn_takes_headers_that_nginx_lets_through():
    assert nginx_value("large_client_header_buffers", r"4 (\w+)") == {"8k"}
    for setting in ("limit_request_line", "limit_request_field_size"):
        assert 8000 < shipped_settings("http")[setting] <= 8192


def test_no_expression_in_a_map_captures_but_the_one_that_must():
    """A capture in a map would overwrite the $1 of a rewrite."""
    patterns = re.findall(r'^\s*"~\*?(.*)" \S+;', NGINX, re.MULTILINE)
    capturing = [pattern for pattern in patterns if re.search(r"(?<!\\)\((?!\?)", pattern)]
    assert capturing == [r"^([^ ]+) \1\.?(?::[0-9]*)?$"]


@pytest.mark.parametrize("folder", [SHIPPED, ROOT / "tests" / "integration" / "classic"])
def test_nginx_accepts_the_configuration(stack, tmp_path, folder):
    front = Nginx(stack, tmp_path / "nginx", configuration=folder)
    answer = subprocess.run(
        front.command("-t"), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
