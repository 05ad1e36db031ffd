"""What the lab needs of the machine it runs on, and a way to get it."""

import os
import shutil
import subprocess
from pathlib import Path

#: Debian package and the program that shows it is here.
PACKAGES = {
    "iproute2": "ip",
    "mmdebstrap": "mmdebstrap",
    "openssh-client": "ssh",
    "systemd-container": "systemd-nspawn",
    "tinyproxy-bin": "tinyproxy",
}


def why_not() -> str | None:
    """The reason why no host can be booted here; None when one can."""
    if os.geteuid() != 0:
        return "only root can boot hosts: run it as root, or in a virtual machine"
    if missing := _missing():
        return f"these Debian packages are missing: {', '.join(missing)}. Run: make test-deploy"
    namespace = subprocess.run(
        ["unshare", "--net", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "none", "/mnt"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if namespace.returncode != 0:
        return f"this machine allows no namespaces: {namespace.stderr.strip()}"
    return None


def prepare() -> None:
    """Install what is missing, where that is possible; ``why_not`` tells what is left."""
    missing = _missing()
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update"], ["install", "--yes", "--no-install-recommends", *missing]):
            subprocess.run(["apt-get", "--quiet", "--quiet", *command], check=True, env=environment)


def ca_certificates() -> list[Path]:
    """Authorities that this machine trusts on top of Debian's: a closed network has its own."""
    return sorted(Path("/usr/local/share/ca-certificates").glob("*.crt"))


def _missing() -> list[str]:
    return [package for package, program in PACKAGES.items() if not shutil.which(program)]
