"""A second nginx before the gunicorns of a running stack: another configuration, same upstreams."""

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from support.ports import free_port
from support.stack import PATIENCE, ROOT, Stack, wait_for

SHIPPED = ROOT / "deploy" / "nginx"


class Nginx:
    """nginx with the files of ``configuration``, a folder with an nginx.conf.

    Port 8080 in them becomes ``port``. ``changes`` are pairs (old, new), each of which must occur
    somewhere in the files. Works in the stack's folder, where the gunicorns' sockets are; what it
    writes is in ``prefix``.
    """

    def __init__(
        self,
        stack: Stack,
        prefix: Path,
        configuration: Path = SHIPPED,
        changes: dict[str, str] | None = None,
        extra: dict[str, str] | None = None,
    ):
        self.port = free_port()
        self.log = prefix / "nginx.log"
        self.prefix = prefix
        self._stack = stack
        for name in ("run", "tmp"):
            (prefix / name).mkdir(parents=True)
        self._folder = prefix / "nginx"
        shutil.copytree(configuration, self._folder)
        files = list(self._folder.rglob("*.conf"))
        for old, new in (changes or {}).items():
            self._change(files, old, new)
        self._change(files, ":8080", f":{self.port}")
        for name, text in (extra or {}).items():
            with (self._folder / name).open("a") as file:
                file.write(text)
        if os.geteuid() == 0:
            main = next(path for path in files if "worker_processes" in path.read_text())
            main.write_text("user root root;\n" + main.read_text())

    @staticmethod
    def _change(files: list[Path], old: str, new: str) -> None:
        found = [path for path in files if old in path.read_text()]
        assert found, f"no file says {old!r}"
        for path in found:
            path.write_text(path.read_text().replace(old, new))

    def command(self, *words: str) -> list[str]:
        return [
            "/usr/sbin/nginx", "-e", "stderr", "-p", str(self.prefix),
            "-c", str(self._folder / "nginx.conf"), *words,
        ]  # fmt: skip

    def __enter__(self) -> "Nginx":
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self.command("-g", "daemon off;"),
                cwd=self._stack.state, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        wait_for(self._answers)
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)

    def _answers(self) -> bool:
        assert self._process.poll() is None, self.log.read_text()
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except OSError:
            return False
        return True

    def signal(self, number: signal.Signals) -> None:
        """HUP reloads, USR1 reopens the logs."""
        self._process.send_signal(number)

    def workers(self) -> list[int]:
        """The pids of its worker processes, the old ones included."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    @property
    def lines(self) -> list[str]:
        return self.log.read_text().splitlines()
