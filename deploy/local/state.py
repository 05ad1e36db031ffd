"""The folder in which a stack lives: sockets, logs, data, and nginx's files for this host."""

import contextlib
import os
import pwd
import resource
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import sizes
from terminal import Problem

# The longest path of a socket must fit into sockaddr_un, which holds 107 bytes.
LONGEST_SOCKET = "run/supervisor.sock.12345678"
SUN_PATH = 107
GUNICORNS = ("http", "websocket")
PROGRAMS = (b"supervisord", b"gunicorn", b"nginx", b"redis-server")


class State:
    """``path`` is absolute. Every process of the stack has it as its working directory."""

    def __init__(self, checkout: Path, path: Path):
        self.checkout = checkout
        self.path = path.resolve()
        self.run = self.path / "run"
        self.log = self.path / "log"
        self.lock = self.run / "lock"
        self.supervisord_log = self.log / "supervisord.log"

    def __str__(self) -> str:
        with contextlib.suppress(ValueError):
            return str(self.path.relative_to(Path.cwd()))
        return str(self.path)

    def target(self, name: str) -> str:
        """The command that runs a target of the Makefile for this folder."""
        is_default = self.path == (self.checkout / "var").resolve()
        return f"make {name}" if is_default else f"make {name} STATE_DIR={self}"

    def make(self) -> None:
        """Create the folders. Raises ``Problem``."""
        if len(os.fsencode(self.path / LONGEST_SOCKET)) > SUN_PATH:
            raise Problem(
                f"{self.path} is too long a path for sockets. "
                "Choose another folder: make run STATE_DIR=/tmp/stack"
            )
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in ("run", "log", "tmp", "redis", "static"):
                (self.path / name).mkdir(exist_ok=True)
        except OSError as error:
            raise Problem(
                f"{self.path} cannot be written ({error.strerror}). "
                "Choose another folder: make run STATE_DIR=/tmp/stack"
            ) from error

    def environment(self, virtual_environment: Path) -> dict[str, str]:
        """The caller's environment, and what supervisord.conf and the settings read."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name not in ("PORT", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "VIRTUAL_ENV")
        }
        return inherited | {
            "PROJECT_DIR": str(self.checkout),
            "DEPLOY_DIR": str(self.checkout / "deploy"),
            "STATE_DIR": str(self.path),
            "VENV_DIR": str(virtual_environment),
            "STACK_USER": pwd.getpwuid(os.geteuid()).pw_name,
            "OPEN_FILES": str(available(sizes.open_files(2 * sizes.SOCKETS))),
            **{f"{name.upper()}_INSTANCES": str(instances(name)) for name in GUNICORNS},
        }

    def stage_nginx(self, port: int) -> None:
        """Give nginx its files: links to those of deploy/nginx, and the includes of local/ adapted
        to this host. Ansible does the same on its hosts."""
        source = self.checkout / "deploy" / "nginx"
        target = self.path / "nginx"
        shutil.rmtree(target, ignore_errors=True)
        local = self._nginx_local
        local.mkdir(parents=True)
        for name in ("nginx.conf", "conf.d", "stack/conf.d", "stack/snippets"):
            (target / name).symlink_to(source / name)
        for include in (source / "stack" / "local").iterdir():
            text = _written_for_this_host(include.name, include.read_text(), port)
            (local / include.name).write_text(text)

    @property
    def _nginx_local(self) -> Path:
        return self.path / "nginx" / "stack" / "local"

    def gunicorn_sockets(self) -> list[Path]:
        """The sockets on which nginx expects a gunicorn."""
        upstreams = (self._nginx_local / "http.conf").read_text()
        words = (word for word in upstreams.split() if word.startswith("unix:"))
        return [self.path / word.removeprefix("unix:") for word in words]

    def processes(self) -> Iterator[int]:
        """The ids of the stack's processes, including those whose supervisor has died."""
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                at_home = (process / "cwd").readlink().is_relative_to(self.path)
                command = (process / "cmdline").read_bytes()
                if at_home and any(program in command for program in PROGRAMS):
                    yield int(process.name)

    def signal_processes(self, number: signal.Signals) -> None:
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)


def available(open_files: int) -> int:
    """``open_files``, or the hard limit of this process if that is lower."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return open_files if hard == resource.RLIM_INFINITY else min(open_files, hard)


def cores() -> int:
    return len(os.sched_getaffinity(0))


def instances(gunicorn: str) -> int:
    """How many of them run: as the environment says, or one per core. Raises ``Problem``."""
    variable = f"{gunicorn.upper()}_INSTANCES"
    text = os.environ.get(variable) or "0"
    try:
        return sizes.instances(cores(), int(text))
    except ValueError as error:
        raise Problem(f"{variable} is {text}: {error}") from error


def has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


def _written_for_this_host(name: str, text: str, port: int) -> str:
    if name in ("listen.conf", "http.conf"):
        text = _replaced(text, ":8080", f":{port}")
        if not has_ipv6():
            text = _replaced(text, "listen [::1]", "# listen [::1]")
    if name == "main.conf":
        connections = sizes.nginx_connections(instances("websocket") * sizes.SOCKETS, cores())
        files = available(sizes.open_files(connections))
        text = _replaced(text, "worker_processes 2;", f"worker_processes {cores()};")
        text = _replaced(text, "worker_connections 45056;", f"worker_connections {connections};")
        text = _replaced(text, "nofile 65536;", f"nofile {files};")
        if os.geteuid() == 0:
            text += "user root root;\n"
    elif name == "http.conf":
        for gunicorn in GUNICORNS:
            second = f"    server unix:run/{gunicorn}-2.sock max_fails=0;\n"
            further = range(2, instances(gunicorn) + 1)
            text = _replaced(text, second, "".join(second.replace("-2", f"-{n}") for n in further))
    return text


def _replaced(text: str, old: str, new: str) -> str:
    if old not in text:
        raise Problem(
            f"deploy/nginx/stack/local/ does not say {old!r} any more; deploy/local/state.py does."
        )
    return text.replace(old, new)
