"""The root filesystem that every host of the lab starts from: a bare Debian, made once."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

LAB = Path(__file__).resolve().parents[3] / "var" / "lab"

#: Debian 12; LAB_SUITE=trixie makes it Debian 13.
SUITE = os.environ.get("LAB_SUITE", "bookworm")

#: What an installer leaves on a server: it boots, one can log in, Ansible finds a Python.
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "sudo", "iproute2",
    "ifupdown", "isc-dhcp-client", "ca-certificates",
)  # fmt: skip

#: An image has no package lists, no keys and no identity of its own.
HOOKS = (
    'rm -rf "$1"/var/lib/apt/lists/* && touch -d @0 "$1"/var/lib/apt/lists',
    'rm -f "$1"/etc/ssh/ssh_host_*_key* && : > "$1"/etc/machine-id',
)


def path() -> Path:
    """The folder of the root filesystem, made on first use. It is never booted itself."""
    recipe = " ".join((*PACKAGES, *HOOKS))
    ready = LAB / f"{SUITE}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    LAB.mkdir(parents=True, exist_ok=True)
    with (LAB / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several laboratories, one makes it
        if not ready.exists():
            _make(ready)
    return ready


def _make(ready: Path) -> None:
    sys.stderr.write(f"Making a bare Debian ({SUITE}), once; this takes about two minutes.\n")
    unfinished = ready.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", "--format=directory",
         '--aptopt=Apt::Install-Recommends "false"', f"--include={','.join(PACKAGES)}",
         *(f"--customize-hook={hook}" for hook in HOOKS), SUITE, unfinished],
        check=True, env=os.environ | {"TMPDIR": "/tmp"},
    )  # fmt: skip
    unfinished.rename(ready)
