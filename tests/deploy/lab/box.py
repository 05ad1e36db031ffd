"""A Vagrant box for the LXC provider, of the bare Debian that the lab's hosts start from."""

import json
import os
import subprocess
from pathlib import Path

import disk
import leftovers
from laboratory import Laboratory
from network import Network

NAME = "box"
#: How Vagrant logs in for the first time; it then gives the machine a key of its own.
USER = "vagrant"
#: LXC gives a machine its address. These would look for one themselves when Vagrant sets the name.
UNWANTED = ("networking.service", "systemd-networkd.service")
NO_IFUP = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n"


def make(laboratory: Laboratory, folder: Path) -> Path:
    """The box; ``addresses`` are for its machines."""
    box = folder / "debian12.box"
    made, label = folder / NAME, leftovers.label_of(laboratory.number, NAME)
    disk.mount(label, NAME, made)
    try:
        _let_vagrant_in(disk.root(made))
        _leave_network_to_lxc(disk.root(made))
        disk.show_the_way_out(disk.root(made), laboratory.network.proxy)
        # Two folders deep, as the provider takes the first two parts off every name.
        _tar(made / "rootfs.tar.gz", "--transform=s,^./root,./rootfs,", "-C", made, "./root")
        (made / "metadata.json").write_text(json.dumps({"provider": "lxc", "version": "1.0.0"}))
        (made / "lxc-config").write_text(_lxc_config(laboratory.network))
        _tar(box, "-C", made, "metadata.json", "rootfs.tar.gz", "lxc-config")
    finally:
        disk.discard(label, made)
    return box


def addresses(machines: dict[str, str]) -> str:
    """A Vagrantfile that gives each machine its address, to be read before the one of a project."""
    return "\n".join(
        [
            'Vagrant.configure("2") do |config|',
            *(
                f'  config.vm.define("{name}") {{ |machine| machine.vm.provider("lxc") {{ |lxc| '
                f'lxc.customize "net.0.ipv4.address", "{address}/24" }} }}'
                for name, address in machines.items()
            ),
            "end",
            "",
        ]
    )


def _let_vagrant_in(root: Path) -> None:
    (key,) = Path("/usr/share").glob("**/vagrant-[0-9]*/keys/vagrant.pub")
    subprocess.run(["chroot", root, "useradd", "-m", "-s", "/bin/bash", USER], check=True)
    home = root / "home" / USER
    owner = home.stat()
    (home / ".ssh").mkdir(mode=0o700)
    disk.write(home / ".ssh" / "authorized_keys", key.read_text())
    for path in (home / ".ssh", home / ".ssh" / "authorized_keys"):
        os.chown(path, owner.st_uid, owner.st_gid)
    disk.write(root / "etc" / "sudoers.d" / USER, f"{USER} ALL=(ALL) NOPASSWD: ALL\n")


def _leave_network_to_lxc(root: Path) -> None:
    units = root / "etc" / "systemd" / "system"
    for unit in UNWANTED:
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")
    disk.write(units / "ifup@.service", NO_IFUP)


def _lxc_config(network: Network) -> str:
    settings = {
        "include": "/usr/share/lxc/config/common.conf",
        "apparmor.profile": "unconfined",
        "mount.auto": "proc:mixed sys:mixed cgroup:mixed",
        "net.0.type": "veth",
        "net.0.link": network.bridge,
        "net.0.flags": "up",
        "net.0.ipv4.gateway": network.gateway,
    }
    return "".join(f"lxc.{name} = {value}\n" for name, value in settings.items())


def _tar(archive: Path, *words: str | Path) -> None:
    command = ["tar", "--create", "--numeric-owner", "--use-compress-program=gzip --fast"]
    subprocess.run([*command, "--file", archive, *words], check=True)
