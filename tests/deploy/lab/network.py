"""A bridge with an address of its own, and a proxy on it: the hosts have no other way out."""

import contextlib
import json
import socket
import subprocess
import time
from pathlib import Path

PROXY_PORT = 8888
#: How long a port may take to accept.
SECONDS = 60


class Network:
    """Start it with ``up()``, end it and everything on it with ``down()``. ``number`` is the
    laboratory's; ``folder`` is for the proxy's files."""

    def __init__(self, number: int, folder: Path):
        self._prefix = f"10.213.{47 + number}"
        self.bridge = f"stacklab{number}"
        self.gateway = self.address(1)
        self.proxy = f"http://{self.gateway}:{PROXY_PORT}"
        #: Every network namespace and every interface of a host starts with it.
        self._name = f"stl{number}-"
        self._folder = folder
        self._proxy: subprocess.Popen | None = None

    def address(self, host: int) -> str:
        return f"{self._prefix}.{host}"

    def up(self) -> None:
        ip("link", "add", self.bridge, "type", "bridge")
        ip("address", "add", f"{self.gateway}/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")
        self._start_proxy()

    def down(self) -> None:
        """Also what an interrupted run has left behind."""
        if self._proxy:
            self._proxy.kill()
            self._proxy.wait()
        # Links first: with a namespace go its links, but in the kernel's own time.
        for link in json.loads(ip("-j", "link", "show")):
            if link["ifname"] == self.bridge or link["ifname"].startswith(self._name):
                ip("link", "delete", link["ifname"])
        for namespace in json.loads(ip("-j", "netns", "list") or "[]"):
            if namespace["name"].startswith(self._name):
                ip("netns", "delete", namespace["name"])

    def attach(self, name: str, address: str) -> Path:
        """A network namespace with one interface on the bridge; the path by which to enter it."""
        namespace = self._name + name
        ip("netns", "add", namespace)
        ip("link", "add", namespace, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        ip("link", "set", namespace, "master", self.bridge, "up")
        ip("-n", namespace, "link", "set", "lo", "up")
        ip("-n", namespace, "address", "add", f"{address}/24", "dev", "eth0")
        ip("-n", namespace, "link", "set", "eth0", "up")
        ip("-n", namespace, "route", "add", "default", "via", self.gateway)
        return Path("/run/netns") / namespace

    def set_cable(self, name: str, *, plugged: bool) -> None:
        """Cut a host off the network, or take it back."""
        ip("link", "set", self._name + name, "up" if plugged else "down")

    def _start_proxy(self) -> None:
        configuration = self._folder / "proxy.conf"
        configuration.write_text(
            f"Port {PROXY_PORT}\nListen {self.gateway}\nAllow {self.address(0)}/24\n"
            "Timeout 600\nMaxClients 100\nLogLevel Warning\n"
        )
        # It ends with us, however we end.
        self._proxy = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "tinyproxy", "-d", "-c", configuration],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for_port(self.gateway, PROXY_PORT)


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


def wait_for_port(address: str, port: int) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1):
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"Nothing accepts on {address}:{port} after {SECONDS} s.")
        time.sleep(0.05)
