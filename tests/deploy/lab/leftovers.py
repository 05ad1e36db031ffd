"""What a run that was cut off has left on this machine: guests that still run, and their disks.

Both are known by the name that the lab gives its disks, so nothing else is ever touched. A guest
has its disk as its root, in whatever namespaces it lives and whatever became of its folder.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

#: What the names of disks and containers begin with.
NAME = "django-gevent-websocket-lab"
#: Seconds within which the kernel takes a killed guest apart, and lets go of its disk.
PATIENCE = 20


def label_of(number: int, host: str = "") -> str:
    """The name under which the disk of a host is mounted in the laboratory of this number; without
    a host, what all of them begin with."""
    return f"{NAME}/{number}/{host}"


def container(number: int) -> str:
    """The name of the LXC container that Vagrant makes begins with it."""
    return f"{NAME}-{number}"


def destroy_containers(number: int) -> None:
    """Those that Vagrant made."""
    if shutil.which("lxc-ls"):
        listing = subprocess.run(["lxc-ls", "-1"], check=True, capture_output=True, text=True)
        for name in listing.stdout.split():
            if name.startswith(container(number)):
                subprocess.run(["lxc-destroy", "--force", "--name", name], check=True)


def discard(label: str) -> None:
    """End the guest whose disk has this label, and unmount the disk. A label that ends with a slash
    stands for all that begin with it."""
    deadline = time.monotonic() + PATIENCE
    while _end_guests(label) or _unmount(label):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{label} is in use: {guests(label)}")
        time.sleep(0.1)


def guests(label: str) -> list[int]:
    """The processes whose root is a disk with this label."""
    processes = [process.name for process in Path("/proc").glob("[0-9]*")]
    return [int(process) for process in processes if "/" in _mount_points(process, label)]


def _end_guests(label: str) -> bool:
    """Whether there were any. The first process of a guest takes the others with it."""
    found = guests(label)
    for process in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    return bool(found)


def _unmount(label: str) -> bool:
    """Whether any is still mounted: systemd-nspawn needs a moment to let go of its guest's."""
    for point in _mount_points("self", label):
        subprocess.run(["umount", point], check=False, capture_output=True)
    return bool(_mount_points("self", label))


def _mount_points(process: str, label: str) -> list[str]:
    """Where a process sees such disks, see mountinfo in proc(5); nowhere if it is gone."""
    wanted = f" - overlay {label}" + ("" if label.endswith("/") else " ")
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{process}/mountinfo").read_text().splitlines()
        return [line.split()[4] for line in lines if wanted in line]
    return []
