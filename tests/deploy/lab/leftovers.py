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

#: What the names of the LXC containers begin with that Vagrant makes.
CONTAINERS = "django-gevent-websocket-lab"
#: Seconds within which the kernel takes a killed guest apart, and lets go of its disk.
PATIENCE = 20


def disk(name: str = "") -> str:
    """The name under which a host's disk is mounted; without one, what all of them begin with."""
    return f"django-gevent-websocket-lab/{name}"


def destroy_containers() -> None:
    """Those that Vagrant made."""
    if shutil.which("lxc-ls"):
        listing = subprocess.run(["lxc-ls", "-1"], check=True, capture_output=True, text=True)
        for name in listing.stdout.split():
            if name.startswith(CONTAINERS):
                subprocess.run(["lxc-destroy", "--force", "--name", name], check=True)


def discard(name: str = "") -> None:
    """End the guest of this name and unmount its disk; without a name, those of all of them."""
    deadline = time.monotonic() + PATIENCE
    while _end_guests(name) or _unmount(name):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{disk(name)} is in use: {guests(name)}")
        time.sleep(0.1)


def guests(name: str = "") -> list[int]:
    """The processes whose root is the disk of this name, or any of them."""
    processes = [process.name for process in Path("/proc").glob("[0-9]*")]
    return [int(process) for process in processes if "/" in _mount_points(process, name)]


def _end_guests(name: str) -> bool:
    """Whether there were any. The first process of a guest takes the others with it."""
    found = guests(name)
    for process in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    return bool(found)


def _unmount(name: str) -> bool:
    """Whether any is still mounted: systemd-nspawn needs a moment to let go of its guest's."""
    for point in _mount_points("self", name):
        subprocess.run(["umount", point], check=False, capture_output=True)
    return bool(_mount_points("self", name))


def _mount_points(process: str, name: str) -> list[str]:
    """Where a process sees such disks, see mountinfo in proc(5); nowhere if it is gone."""
    wanted = f" - overlay {disk(name)}" + (" " if name else "")
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{process}/mountinfo").read_text().splitlines()
        return [line.split()[4] for line in lines if wanted in line]
    return []
