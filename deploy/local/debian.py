"""The programs that come from Debian, and their installation."""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from terminal import Problem, say

# nginx's rewrite module, which routes sockets, had holes that let a request overwrite memory
# (CVE-2026-42945, CVE-2026-9256, CVE-2026-42533). This is the first Debian 12 package without them.
# Debian 13 has a later nginx; keep that one up to date as well.
OLDEST_NGINX = "1.22.1-9+deb12u10"


@dataclass(frozen=True)
class Package:
    """A Debian package, a file that shows it is installed, and the service that it would start."""

    name: str
    file: Path
    service: str | None = None

    @property
    def missing(self) -> bool:
        return not self.file.exists()


class PythonVenv(Package):
    """What `python3 -m venv` needs is a package of its own in Debian."""

    @property
    def missing(self) -> bool:
        return importlib.util.find_spec("ensurepip") is None


VENV = PythonVenv("python3-venv", Path("ensurepip"))
FOR_THE_STACK = (
    Package("nginx", Path("/usr/sbin/nginx"), "nginx.service"),
    Package("redis-server", Path("/usr/bin/redis-server"), "redis-server.service"),
    VENV,
)
FOR_THE_TESTS = (
    *FOR_THE_STACK,
    Package("caddy", Path("/usr/bin/caddy"), "caddy.service"),
    Package("chromium", Path("/usr/bin/chromium")),
    Package("faketime", Path("/usr/bin/faketime")),
    Package("haproxy", Path("/usr/sbin/haproxy"), "haproxy.service"),
    Package("nodejs", Path("/usr/bin/node")),
    Package("npm", Path("/usr/bin/npm")),
    Package("openssl", Path("/usr/bin/openssl")),
    Package("pgbouncer", Path("/usr/sbin/pgbouncer"), "pgbouncer.service"),
    Package("postgresql", Path("/usr/lib/postgresql"), "postgresql.service"),
    Package("prometheus", Path("/usr/bin/promtool"), "prometheus.service"),
)


def ensure(packages: Iterable[Package]) -> None:
    """Install what is missing, and refuse an nginx with known holes."""
    if missing := [package for package in packages if package.missing]:
        _install(missing)
    _refuse_old_nginx()


def _install(packages: list[Package]) -> None:
    names = [package.name for package in packages]
    if not shutil.which("apt-get"):
        raise Problem(f"Install these first, there is no apt-get to do it: {', '.join(names)}.")
    is_root = os.geteuid() == 0
    if not is_root and not shutil.which("sudo"):
        raise Problem(f"Run this as root first: apt-get install {' '.join(names)}")

    say(f"Installing from Debian, as root: {', '.join(names)}")
    services = " ".join(package.service for package in packages if package.service)
    install = str(Path(__file__).with_name("install-packages"))
    command = ["env", f"SERVICES={services}", install, *names]
    if subprocess.run(command if is_root else ["sudo", *command], check=False).returncode != 0:
        raise Problem(f"Debian could not install {', '.join(names)}. Its own words are above.")


def _refuse_old_nginx() -> None:
    found = _version_of("nginx")
    if found and _is_older(found, OLDEST_NGINX):
        raise Problem(
            f"nginx {found} has known security holes; {OLDEST_NGINX} or newer is needed. "
            "Run: sudo apt-get update && sudo apt-get install nginx"
        )


def _version_of(package: str) -> str | None:
    """The version of an installed package; None for an nginx that is not Debian's."""
    if not shutil.which("dpkg-query"):
        return None
    answer = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Version}", package],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    return answer.stdout.strip() or None


def _is_older(version: str, than: str) -> bool:
    comparison = ["dpkg", "--compare-versions", version, "lt", than]
    return subprocess.run(comparison, check=False).returncode == 0
