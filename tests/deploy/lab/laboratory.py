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

#: How many there may be on a machine, numbered from 0.
MOST = 8


class Laboratory:
    """One at a time of each number: a second one waits for the first. Close it, whatever happens.

    Those of different numbers have nothing in common but the root filesystem.
    """

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self._folder = rootfs.LAB / "run" / str(number)
        self._key = self._folder / "id_ed25519"
        self._hosts: list[Host] = []
        self._lock: TextIO | None = None
        self.network = Network(number, self._folder)

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
            Host(
                name,
                address,
                self.network,
                leftovers.label_of(self.number, name),
                self._folder,
                self._key,
            )
            for address, name in enumerate(names, first)
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
        self._lock = Path(f"/run/lock/{leftovers.NAME}-{self.number}").open("w")  # noqa: SIM115
        fcntl.flock(self._lock, how)

    def _remove_leftovers(self) -> None:
        leftovers.destroy_containers(self.number)
        leftovers.discard(leftovers.label_of(self.number))
        self.network.down()
        shutil.rmtree(self._folder, ignore_errors=True)
