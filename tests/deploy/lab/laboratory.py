"""The lab: any number of hosts on one network, on this machine, gone without a trace afterwards."""

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TextIO

import leftovers
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
        self._take(fcntl.LOCK_EX)
        rootfs.path()
        self._remove_leftovers()
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
        try:
            for each in self._hosts:
                each.power_off()
            self._remove_leftovers()
        finally:
            if self._lock:
                self._lock.close()

    def clean(self) -> None:
        """Remove what a run that was cut off has left behind. Exits where one is going on."""
        try:
            self._take(fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("A run uses the lab. End it first; it then cleans up by itself.")
        self._remove_leftovers()

    def _take(self, how: int) -> None:
        """The kernel lets go of the lock when we die, however we die."""
        self._lock = Path("/run/lock/django-gevent-websocket-lab").open("w")  # noqa: SIM115
        fcntl.flock(self._lock, how)

    def _remove_leftovers(self) -> None:
        leftovers.destroy_containers()
        leftovers.discard()
        self.network.down()
        shutil.rmtree(self._folder, ignore_errors=True)
