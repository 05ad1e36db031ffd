#!/usr/bin/python3
"""The site in nginx: activate a configuration, close the site, renew its certificate.

The command's name contains the site's: stack-nginx is for the site "stack".
"""

import argparse
import contextlib
import fcntl
import hashlib
import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ETC = Path("/etc/nginx")
SITE = Path(sys.argv[0]).name.removesuffix("-nginx")
FOLDER = f"{SITE}.d"
#: How many versions are kept: the active one and the previous one.
KEPT = 2
#: A certificate that expires within this many seconds is renewed.
SOON = 30 * 24 * 3600
NGINX_CONF = f"""\
# Managed by Ansible: all of it is in the version of the site {SITE} that is in force.
# What was here before is in nginx.conf.before-{SITE}.
include {SITE}/nginx.conf;
"""
ENTRY = f"""\
# Managed by Ansible: the site {SITE}, all of it.
include {SITE}/conf.d/*.conf;
"""


class Refused(Exception):
    """Nothing has changed."""


class Tree:
    """A folder like /etc/nginx: the active one, or a copy for trying a change."""

    def __init__(self, path: Path, entry: Path):
        self.path = path
        self.link = path / SITE
        self.versions = path / FOLDER / "versions"
        self.entry = path / entry.relative_to(ETC)
        self.nginx_conf = path / "nginx.conf"

    def has(self, version: str, *, owns_nginx_conf: bool) -> bool:
        return (
            self.link.is_symlink()
            and self.link.readlink() == Path(FOLDER, "versions", version)
            and _text(self.entry) == ENTRY
            and (not owns_nginx_conf or _text(self.nginx_conf) == NGINX_CONF)
        )

    def put_in_force(self, version: str, *, owns_nginx_conf: bool) -> None:
        """Activate ``version``. The power may fail after any step: nginx accepts what is there."""
        _link(self.link, Path(FOLDER, "versions", version))
        if owns_nginx_conf:
            self._take_nginx_conf()
            self._disable_debians_page(version)
        if _text(self.entry) != ENTRY:
            _write(self.entry, ENTRY)

    def _take_nginx_conf(self) -> None:
        backup = self.path / f"nginx.conf.before-{SITE}"
        before = _text(self.nginx_conf)
        if before != NGINX_CONF:
            if not backup.exists():
                _write(backup, before)
            _write(self.nginx_conf, NGINX_CONF)

    def _disable_debians_page(self, version: str) -> None:
        """Only if both would be the default server, and Debian's page is as installed."""
        page = self.path / "sites-enabled" / "default"
        is_default = " default_server" in _text(self.versions / version / "local" / "http.conf")
        is_enabled = page.is_symlink() and page.readlink().name == "default"
        if is_default and is_enabled and _is_debians(ETC / "sites-available" / "default"):
            page.unlink()

    def add(self, staged: Path) -> str:
        """Add a version with the staged files, and return its name."""
        paths = [path for path in sorted(staged.rglob("*")) if path.is_file()]
        names = [path.relative_to(staged) for path in paths]
        contents = [
            _named_after_the_site(name, path.read_bytes())
            for name, path in zip(names, paths, strict=True)
        ]
        parts = repr([(str(name), content) for name, content in zip(names, contents, strict=True)])
        version = hashlib.sha256(parts.encode()).hexdigest()[:12]
        if not (self.versions / version).exists():
            unfinished = self.versions / f"{version}.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            for name, path, content in zip(names, paths, contents, strict=True):
                (unfinished / name).parent.mkdir(parents=True, exist_ok=True)
                (unfinished / name).touch(path.stat().st_mode & 0o777)
                (unfinished / name).write_bytes(content)
            os.sync()
            unfinished.rename(self.versions / version)
        return version

    def forget_old_versions(self, version: str) -> None:
        others = [path for path in self.versions.iterdir() if path.name != version]
        others.sort(key=lambda path: path.stat().st_ctime, reverse=True)
        for path in others[KEPT - 1 :]:
            shutil.rmtree(path)


def activate(options: argparse.Namespace) -> None:
    """Activate the staged configuration, if nginx accepts it together with everything else."""
    live = Tree(ETC, options.entry)
    how = {"owns_nginx_conf": options.own_nginx_conf}
    pending = ETC / FOLDER / "pending"
    live.versions.mkdir(exist_ok=True)
    version = live.add(ETC / FOLDER / "staged")
    if live.has(version, **how) and not pending.exists():
        return
    with _a_copy(options.entry) as trial:
        trial.put_in_force(version, **how)
        _try(trial)
    pending.touch()
    live.put_in_force(version, **how)
    os.sync()
    _reload()
    pending.unlink()
    live.forget_old_versions(version)
    print("activated")


@contextlib.contextmanager
def _a_copy(entry: Path) -> Iterator[Tree]:
    """A copy of all that nginx reads, only for root. Removes the copy of an interrupted run."""
    folder = Path(f"/run/{SITE}-nginx")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        shutil.copytree(ETC, folder / "nginx", symlinks=True)
        yield Tree(folder / "nginx", entry)
    finally:
        shutil.rmtree(folder)


def _try(trial: Tree) -> None:
    """Let nginx read the copy under the paths of the active files, unseen by other processes."""
    script = 'mount --bind "$1" "$2" && exec /usr/sbin/nginx -t -q'
    answer = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", trial.path, ETC],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if answer.returncode != 0:
        raise Refused(
            "nginx does not accept the new configuration, so the one before stays in force: "
            + answer.stderr.strip()
        )


def _reload() -> None:
    is_active = ["systemctl", "--quiet", "is-active", "nginx.service"]
    is_running = subprocess.run(is_active, check=False).returncode == 0
    how = "reload" if is_running else "start"
    subprocess.run(["systemctl", how, "nginx.service"], check=True)


def maintenance(options: argparse.Namespace) -> None:
    """Close the site, or open it again."""
    flag = Path("/etc", SITE, "maintenance")  # gunicorn on this host watches it as well
    was_closed = flag.exists()
    if options.what == "on":
        flag.parent.mkdir(exist_ok=True)
        flag.touch()
    elif options.what == "off":
        flag.unlink(missing_ok=True)
    is_closed = flag.exists()
    verb = "is" if is_closed == was_closed else "is now"
    print(f"{SITE} {verb} {'closed for maintenance' if is_closed else 'open'}")


def ask(options: argparse.Namespace) -> None:
    """Request a page as a visitor would, and print the status."""
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", 443), timeout=60) as connection,
        trust.wrap_socket(connection, server_hostname=options.name) as tls,
    ):
        client = http.client.HTTPConnection(options.name)
        client.sock = tls
        client.request("GET", options.path)
        print(client.getresponse().status)


def renew(options: argparse.Namespace) -> None:
    """Create each self-signed certificate that is missing or expires within a month."""
    for request in sorted((ETC / FOLDER / "tls").glob("self-signed-*.cnf")):
        key, certificate = request.with_suffix(".key"), request.with_suffix(".pem")
        if certificate.exists() and key.exists() and _lasts(certificate):
            continue
        if not key.exists():
            _make(key, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
        subject = ("-config", request, "-key", key, "-days", "825", "-sha256")
        _make(certificate, "req", "-x509", "-new", *subject)
        if (ETC / SITE).exists():
            _reload()
        print(f"made {certificate}")


def _lasts(certificate: Path) -> bool:
    check = ["openssl", "x509", "-noout", "-checkend", str(SOON), "-in", str(certificate)]
    return subprocess.run(check, check=False, capture_output=True).returncode == 0


def _make(path: Path, *words: str | Path) -> None:
    """A file for openssl to write, which gets its name once it is complete."""
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.touch(mode=0o600)
    command: list[str | Path] = ["openssl", *words, "-out", unfinished]
    subprocess.run(command, check=True)
    _sync_and_rename(unfinished, path)


def _named_after_the_site(name: Path, content: bytes) -> bytes:
    """Replace "stack", the site's name in the shared files, by this site's name."""
    if name.parts[0] in ("local", "tls"):
        return content
    prefix = SITE.replace("-", "_").encode()
    content = re.sub(rb"(?<![\w-])stack_", prefix + b"_", content)
    return re.sub(rb"(?m)^(\s*include )stack/", rb"\g<1>" + SITE.encode() + b"/", content)


def _is_debians(path: Path) -> bool:
    """Whether it is as Debian's package has installed it."""
    conffiles = ["dpkg-query", "--show", "--showformat=${Conffiles}\n", "nginx", "nginx-common"]
    known = subprocess.run(conffiles, check=False, capture_output=True, text=True).stdout
    md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    return f" {path} {md5}" in known


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _write(path: Path, text: str) -> None:
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_text(text)
    _sync_and_rename(unfinished, path)


def _link(path: Path, target: Path) -> None:
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.symlink_to(target)
    unfinished.rename(path)


def _sync_and_rename(unfinished: Path, path: Path) -> None:
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.rename(path)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for run in (activate, maintenance, ask, renew):
        commands.add_parser(run.__name__, help=run.__doc__).set_defaults(run=run)
    command = commands.choices["activate"]
    command.add_argument("entry", type=Path, help="the file with the line that adds the site")
    command.add_argument("--own-nginx-conf", action="store_true", help="nginx.conf is the site's")
    command = commands.choices["maintenance"]
    command.add_argument("what", choices=["on", "off", "status"])
    command = commands.choices["ask"]
    command.add_argument("name", help="a name of the site")
    command.add_argument("path")
    return parser.parse_args()


def main() -> None:
    options = _options()
    with (ETC / FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            options.run(options)
        except Refused as refused:
            sys.exit(str(refused))
        except subprocess.CalledProcessError as error:
            words = " ".join(map(str, error.cmd[:3]))
            sys.exit(f"{words} failed. See: journalctl --unit nginx.service")
        except OSError as error:
            sys.exit(f"{SITE}-nginx: {error}")


if __name__ == "__main__":
    main()
