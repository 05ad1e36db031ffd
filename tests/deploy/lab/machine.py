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
    "pebble": "pebble",
    "procps": "pgrep",
    "systemd-container": "systemd-nspawn",
    "tinyproxy-bin": "tinyproxy",
}
#: What a real `vagrant up` takes on top. redir comes with vagrant-lxc, which has no program itself.
VAGRANT_PACKAGES = {
    "lxc": "lxc-start",
    "sudo": "sudo",
    "vagrant": "vagrant",
    "vagrant-lxc": "redir",
}

#: One at a time, as `make test` lets another target install its own beside the lab; and behind
#: Debian's own upgrades.
_APT_GET = (
    *("flock", "/var/lib/dpkg"),
    *("apt-get", "--quiet", "--quiet", "--option", "DPkg::Lock::Timeout=300"),
)


def why_not() -> str | None:
    """The reason why no host can be booted here; None when one can."""
    if os.geteuid() != 0:
        return "only root can boot hosts: run it as root, or in a virtual machine"
    if missing := _missing(PACKAGES):
        return f"these Debian packages are missing: {', '.join(missing)}. Run: make test-deploy"
    namespace = subprocess.run(
        ["unshare", "--net", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "none", "/mnt"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if namespace.returncode != 0:
        return f"this machine allows no namespaces: {namespace.stderr.strip()}"
    return None


def why_no_vagrant() -> str | None:
    """The reason why Vagrant cannot make a machine here, on top of ``why_not``."""
    if missing := _missing(VAGRANT_PACKAGES):
        return f"these Debian packages are missing: {', '.join(missing)}. Run: make test-vagrant"
    return None


def prepare() -> None:
    """Install what is missing, where that is possible; ``why_not`` tells what is left."""
    _install(_missing(PACKAGES))


def prepare_vagrant() -> None:
    """The same for ``why_no_vagrant``."""
    _install(_missing(PACKAGES | VAGRANT_PACKAGES))


def _install(missing: list[str]) -> None:
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update"], ["install", "--yes", "--no-install-recommends", *missing]):
            subprocess.run([*_APT_GET, *command], check=True, env=environment)


def ca_certificates() -> list[Path]:
    """Authorities that this machine trusts on top of Debian's: a closed network has its own."""
    return sorted(Path("/usr/local/share/ca-certificates").glob("*.crt"))


def _missing(packages: dict[str, str]) -> list[str]:
    return [package for package, program in packages.items() if not shutil.which(program)]
