"""The lab: any number of hosts on one network, on this machine, gone without a trace afterwards."""

import fcntl
import subprocess
from pathlib import Path
from typing import TextIO

import host
import rootfs
from host import Host
from network import Network


class Laboratory:
    """One at a time on a machine: a second one waits for the first. Close it, whatever happens."""

    def __init__(self, folder: Path = rootfs.LAB / "run") -> None:
        self._folder = folder
        self._key = folder / "id_ed25519"
        self._hosts: list[Host] = []
        self._lock: TextIO | None = None
        self.network = Network(folder)

    def open(self) -> "Laboratory":
        rootfs.path()
        self._lock = Path("/run/lock/django-gevent-websocket-lab").open("w")  # noqa: SIM115
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.clean()
        self._folder.mkdir(parents=True)
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", self._key], check=True
        )
        self.network.up()
        return self

    def boot(self, *names: str) -> list[Host]:
        """Freshly booted hosts of these names. They start at once and together."""
        first = 11 + len(self._hosts)
        hosts = [
            Host(name, number, self._folder, self._key) for number, name in enumerate(names, first)
        ]
        self._hosts += hosts
        for each in hosts:
            each.boot()
        return [each.wait() for each in hosts]

    def close(self) -> None:
        for each in self._hosts:
            each.power_off()
        self.clean()
        if self._lock:
            self._lock.close()

    def clean(self) -> None:
        """Remove what an interrupted run has left behind."""
        if self._folder.exists():
            for folder in self._folder.iterdir():
                if folder.is_dir():
                    host.discard(folder)
        self.network.down()
        if self._folder.exists():
            for file in self._folder.iterdir():
                file.unlink()
            self._folder.rmdir()
