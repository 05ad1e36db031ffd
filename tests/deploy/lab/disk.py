"""A host's disk: the bare Debian, and what was written since in a layer of its own."""

import shutil
import subprocess
from pathlib import Path

import leftovers
import machine
import rootfs

AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


def root(folder: Path) -> Path:
    """Where the disk in ``folder`` is mounted."""
    return folder / "root"


def mount(label: str, name: str, folder: Path) -> None:
    """A disk that boots as ``name``; one can log in once somebody's key is on it."""
    upper, work = folder / "upper", folder / "work"
    for each in (upper, work, root(folder)):
        each.mkdir(parents=True)
    layers = f"lowerdir={rootfs.path()},upperdir={upper},workdir={work}"
    command = ["mount", "-t", "overlay", label, "-o", layers, root(folder)]
    subprocess.run(command, check=True)
    etc = root(folder) / "etc"
    write(etc / "hostname", f"{name}\n")
    write(etc / "hosts", f"127.0.0.1 localhost\n127.0.1.1 {name}\n")
    write(etc / "resolv.conf", "")
    subprocess.run(["ssh-keygen", "-A", "-f", root(folder)], check=True, capture_output=True)


def show_the_way_out(root: Path, proxy: str) -> None:
    """To apt and to pip, for who types commands: Ansible is told by its variables."""
    for path in machine.ca_certificates():
        shutil.copy(path, root / "usr" / "local" / "share" / "ca-certificates")
    subprocess.run(["chroot", root, "update-ca-certificates"], check=True, capture_output=True)
    write(root / "etc" / "apt" / "apt.conf.d" / "proxy", f'Acquire::http::Proxy "{proxy}";\n')
    write(root / "etc" / "pip.conf", f"[global]\nproxy = {proxy}\ncert = {AUTHORITIES}\n")


def write(path: Path, text: str) -> None:
    """Instead of what is there, be it a link that leads out of the disk."""
    path.unlink(missing_ok=True)
    path.write_text(text)


def discard(label: str, folder: Path) -> None:
    """Also end what runs on it."""
    leftovers.discard(label)
    shutil.rmtree(folder, ignore_errors=True)
