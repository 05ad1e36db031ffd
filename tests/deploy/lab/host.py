"""A freshly booted Debian with systemd and ssh, as a container with its own address."""

import shutil
import subprocess
import threading
import time
from pathlib import Path

import disk
from network import Network, ip, wait_for_port

#: With this exit status systemd-nspawn says that the host wants to be started again.
REBOOT = 133
SSH_OPTIONS = (
    "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
    "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=5",
)  # fmt: skip


class Host:
    """``label`` names its disk, which is in ``folder``; ``number`` is the last part of its address,
    ``key`` the ssh key that may log in as root."""

    def __init__(
        self, name: str, number: int, network: Network, label: str, folder: Path, key: Path
    ):
        self.name = name
        self.address = network.address(number)
        self.key = key
        #: Where sshd listens: a test may move it.
        self.ssh_port = 22
        self.label = label
        self._network = network
        self._folder = folder / name
        self._root = disk.root(self._folder)
        self._console = self._folder / "console.log"
        self._power: threading.Thread | None = None
        self._is_wanted = False

    def boot(self) -> "Host":
        """From a blank disk."""
        self._make_disk()
        self._namespace = self._network.attach(self.name, self.address)
        self._is_wanted = True
        self._power = threading.Thread(target=self._supply_power, daemon=True)
        self._power.start()
        return self

    def wait(self) -> "Host":
        """Until one can log in and everything has started."""
        wait_for_port(self.address, self.ssh_port)
        state = self.ssh("systemctl is-system-running --wait", check=False).strip()
        assert state in ("running", "degraded"), f"{self.name} is {state!r}"
        return self

    def ssh(self, command: str, *, check: bool = True, timeout: float = 120) -> str:
        """What the command prints, run by root."""
        return subprocess.run(
            ["ssh", "-i", self.key, "-p", str(self.ssh_port), *SSH_OPTIONS,
             f"root@{self.address}", command],
            check=check, stdout=subprocess.PIPE, text=True, timeout=timeout,
        ).stdout  # fmt: skip

    def put(self, file: Path, path: str) -> None:
        """Copy a file of this machine to the host."""
        shutil.copy(file, self._root / path.lstrip("/"))

    def put_folder(self, folder: Path, path: str, *without: str) -> None:
        """The same for a folder, without what has these names."""
        ignored = shutil.ignore_patterns(*without)
        shutil.copytree(folder, self._root / path.lstrip("/"), symlinks=True, ignore=ignored)

    def show_the_way_out(self) -> None:
        """To apt and pip, as the first administrator of a closed network does."""
        disk.show_the_way_out(self._root, self._network.proxy)

    def reboot(self) -> None:
        before = self.ssh("cat /proc/sys/kernel/random/boot_id; date +%s%N > /run/booted")
        assert before
        self.ssh("systemctl reboot", check=False)
        deadline = time.monotonic() + 150
        while "fresh" not in self.ssh("test -e /run/booted || echo fresh", check=False):
            assert time.monotonic() < deadline, f"{self.name} does not come back"
            time.sleep(0.5)
        self.wait()

    def set_cable(self, *, plugged: bool) -> None:
        self._network.set_cable(self.name, plugged=plugged)

    def set_kernel(self, name: str, value: int) -> None:
        """A setting of its network, which a container may read but not change."""
        ip("netns", "exec", self._namespace.name, "sysctl", "-qw", f"{name}={value}")

    def power_off(self) -> None:
        """Without ceremony: the disk is thrown away."""
        self._is_wanted = False
        disk.discard(self.label, self._folder)
        if self._power:
            self._power.join()

    def _make_disk(self) -> None:
        disk.mount(self.label, self.name, self._folder)
        ssh = self._root / "root" / ".ssh"
        ssh.mkdir(mode=0o700, exist_ok=True)
        disk.write(ssh / "authorized_keys", self.key.with_suffix(".pub").read_text())

    def _supply_power(self) -> None:
        status = REBOOT
        while self._is_wanted and status == REBOOT:
            with self._console.open("ab") as console:
                nspawn = subprocess.run(
                    ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit",
                     "--capability=CAP_NET_ADMIN", f"--machine={self.name}",
                     f"--directory={self._root}", f"--network-namespace-path={self._namespace}",
                     "--resolv-conf=off", "--timezone=off", "--console=pipe"],
                    stdin=subprocess.DEVNULL, stdout=console, stderr=console, check=False,
                    start_new_session=True,
                )  # fmt: skip
            status = nspawn.returncode
