"""A freshly booted Debian 12 with systemd and ssh, as a container with its own address."""

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import network
import rootfs

#: With this exit status systemd-nspawn says that the host wants to be started again.
REBOOT = 133
SSH_OPTIONS = (
    "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
    "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=5",
)  # fmt: skip


class Host:
    """``folder`` is for its disk, ``number`` the last part of its address, ``key`` the ssh key
    that may log in as root."""

    def __init__(self, name: str, number: int, folder: Path, key: Path):
        self.name = name
        self.address = f"{network.PREFIX}.{number}"
        self.key = key
        self._folder = folder / name
        self._root = self._folder / "root"
        self._console = self._folder / "console.log"
        self._process: subprocess.Popen | None = None
        self._is_wanted = False

    def boot(self) -> "Host":
        """From a blank disk."""
        self._make_disk()
        self._namespace = network.attach(self.name, self.address)
        self._is_wanted = True
        threading.Thread(target=self._supply_power, name=f"power-{self.name}", daemon=True).start()
        return self

    def wait(self) -> "Host":
        """Until one can log in and everything has started."""
        network.wait_for_port(self.address, 22, 60)
        state = self.ssh("systemctl is-system-running --wait", check=False).strip()
        assert state in ("running", "degraded"), f"{self.name} is {state!r}"
        return self

    def ssh(self, command: str, *, check: bool = True, timeout: float = 120) -> str:
        """What the command prints, run by root."""
        return subprocess.run(
            ["ssh", "-i", self.key, *SSH_OPTIONS, f"root@{self.address}", command],
            check=check, stdout=subprocess.PIPE, text=True, timeout=timeout,
        ).stdout  # fmt: skip

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
        network.set_cable(self.name, plugged=plugged)

    def power_off(self) -> None:
        """Without ceremony: the disk is thrown away."""
        self._is_wanted = False
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        discard(self._folder)

    def _make_disk(self) -> None:
        upper, work = self._folder / "upper", self._folder / "work"
        for folder in (upper, work, self._root):
            folder.mkdir(parents=True)
        layers = f"lowerdir={rootfs.path()},upperdir={upper},workdir={work}"
        subprocess.run(
            ["mount", "-t", "overlay", "stack-lab", "-o", layers, self._root], check=True
        )
        self._write("etc/hostname", f"{self.name}\n")
        self._write("etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n")
        self._write("etc/resolv.conf", "")
        subprocess.run(["ssh-keygen", "-A", "-f", self._root], check=True, capture_output=True)
        (self._root / "root" / ".ssh").mkdir(mode=0o700, exist_ok=True)
        self._write("root/.ssh/authorized_keys", self.key.with_suffix(".pub").read_text())

    def _write(self, name: str, text: str) -> None:
        path = self._root / name
        path.unlink(missing_ok=True)
        path.write_text(text)

    def _supply_power(self) -> None:
        status = REBOOT
        while self._is_wanted and status == REBOOT:
            with self._console.open("ab") as console:
                self._process = subprocess.Popen(
                    ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit",
                     "--capability=CAP_NET_ADMIN", f"--machine={self.name}",
                     f"--directory={self._root}", f"--network-namespace-path={self._namespace}",
                     "--resolv-conf=off", "--timezone=off", "--console=pipe"],
                    stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                    start_new_session=True,
                )  # fmt: skip
            (self._folder / "pid").write_text(str(self._process.pid))
            status = self._process.wait()


def discard(folder: Path) -> None:
    """End what runs on the disk in ``folder``, and remove the disk."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if f"--directory={folder / 'root'}".encode() in words:
                os.kill(int(process.name), signal.SIGKILL)
    while subprocess.run(["umount", folder / "root"], check=False, capture_output=True).returncode:
        if not (folder / "root").is_mount():
            break
        time.sleep(0.1)
    shutil.rmtree(folder, ignore_errors=True)
