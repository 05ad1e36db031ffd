"""A site's programs under supervisor: the state of each, its release and its settings."""

import http.client
import socket
import xmlrpc.client
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: The groups that serve visitors; their instances are numbered.
GUNICORNS = ("http", "websocket")
#: What supervisor also runs in a checkout. These are not restarted with the site.
NEIGHBOURS = ("nginx", "redis")


@dataclass(frozen=True)
class Program:
    """One process under supervisor. ``state`` is supervisor's, such as ``RUNNING``; ``pid`` is 0
    unless it runs."""

    group: str
    process: str
    state: str
    pid: int
    log: str
    environment: dict[str, str] = field(repr=False)

    @property
    def name(self) -> str:
        return f"{self.group}:{self.process}"

    @property
    def is_gunicorn(self) -> bool:
        return self.group in GUNICORNS

    @property
    def instance(self) -> int:
        """The number of a gunicorn: 1, 2, …"""
        return int(self.process.rpartition("-")[2])

    @property
    def release(self) -> str | None:
        """The folder of its release; None if it does not run."""
        return self.environment.get("RELEASE")

    @property
    def settings(self) -> str | None:
        return self.environment.get("SETTINGS_ID")

    @property
    def address(self) -> str:
        """Where a gunicorn listens, as in gunicorn's ``bind``."""
        kind = self.group.upper()
        bind = self.environment.get(f"{kind}_BIND", f"unix:run/{self.group}-{{instance}}.sock")
        return bind.format(instance=self.instance)


class Supervisor:
    """supervisord, called over its socket; see supervisor's XML-RPC API."""

    def __init__(self, path: Path):
        self._proxy = xmlrpc.client.ServerProxy("http://supervisor", transport=_Unix(path))

    def programs(self) -> Iterator[Program]:
        """All of the site's programs, in supervisor's order."""
        for each in self._call("getAllProcessInfo"):
            if each["group"] not in NEIGHBOURS:
                yield _program(each)

    def program(self, name: str) -> Program:
        return _program(self._call("getProcessInfo", name))

    def stop(self, name: str) -> None:
        """Start to stop it; does not wait."""
        self._ignoring_faults("stopProcess", name)

    def start(self, name: str) -> None:
        """Start it; does not wait."""
        self._ignoring_faults("startProcess", name)

    def _ignoring_faults(self, method: str, name: str) -> None:
        """It may have stopped, or started again, in the meantime: the caller reads its state."""
        try:
            self._call(method, name, False)
        except xmlrpc.client.Fault:
            return

    def _call(self, method: str, *arguments: object) -> Any:
        return getattr(self._proxy.supervisor, method)(*arguments)


def _program(info: dict[str, Any]) -> Program:
    return Program(
        info["group"], info["name"], info["statename"], info["pid"], info["stdout_logfile"],
        _environment(info["pid"]),
    )  # fmt: skip


def _environment(pid: int) -> dict[str, str]:
    """The environment with which a process was started (proc(5)); empty if it has ended."""
    try:
        words = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="surrogateescape")
    except OSError:
        return {}
    return dict(word.split("=", 1) for word in words.split("\0") if "=" in word)


class _Unix(xmlrpc.client.Transport):
    """XML-RPC over a unix socket."""

    def __init__(self, path: Path):
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self._path))
        return connection
