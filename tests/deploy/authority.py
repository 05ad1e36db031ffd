"""An ACME authority on the lab's network: Pebble, Let's Encrypt's own for tests, and its DNS."""

import contextlib
import json
import os
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from network import Network, wait_for_port

from support.certificate import self_signed

#: One after another, where several are open.
FIRST_PORT = 14000
NOT_THE_TIME_OF_A_REAL_ONE = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}


class Names:
    """Every name leads to ``address``, but those that were sent elsewhere."""

    def __init__(self, network: Network, address: str):
        self.resolver = f"{network.gateway}:8053"
        self._management = f"{network.gateway}:8055"
        self._command = [
            "pebble-challtestsrv", "-defaultIPv4", address, "-defaultIPv6", "",
            "-dns01", self.resolver, "-management", self._management,
            "-http01", "", "-https01", "", "-tlsalpn01", "",
        ]  # fmt: skip

    @contextlib.contextmanager
    def served(self) -> Iterator["Names"]:
        with _running(self._command, self._management):
            yield self

    def send_elsewhere(self, name: str, address: str) -> None:
        words = json.dumps({"host": name, "addresses": [address]}).encode()
        urllib.request.urlopen(f"http://{self._management}/add-a", words).close()


class Authority:
    """``directory`` is its URL; ``certificate`` a file with what its own https is trusted by."""

    def __init__(self, network: Network, folder: Path, number: int = 0):
        self._listen = f"{network.gateway}:{FIRST_PORT + 2 * number}"
        self._management = f"{network.gateway}:{FIRST_PORT + 2 * number + 1}"
        self.directory = f"https://{self._listen}/dir"
        self.certificate = folder / f"authority-{number}.crt"
        key = folder / f"authority-{number}.key"
        self_signed(self.certificate, key, f"authority-{number}", network.gateway)
        self._configuration = folder / f"authority-{number}.json"
        pebble = {
            "listenAddress": self._listen,
            "managementListenAddress": self._management,
            "certificate": str(self.certificate),
            "privateKey": str(key),
            "httpPort": 80,
            "tlsPort": 443,
        }
        self._configuration.write_text(json.dumps({"pebble": pebble}))

    @contextlib.contextmanager
    def open(self, names: Names) -> Iterator["Authority"]:
        command = ["pebble", "-config", self._configuration, "-dnsserver", names.resolver]
        with _running(command, self._management, **NOT_THE_TIME_OF_A_REAL_ONE):
            yield self

    @property
    def root(self) -> str:
        """What its certificates are trusted by (PEM); another one each time it opens."""
        trust = ssl.create_default_context(cafile=self.certificate)
        with urllib.request.urlopen(f"https://{self._management}/roots/0", context=trust) as answer:
            return answer.read().decode()


@contextlib.contextmanager
def _running(command: list, listen: str, **environment: str) -> Iterator[None]:
    """Until the block ends, or we do."""
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *command], env=os.environ | environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        address, port = listen.split(":")
        wait_for_port(address, int(port))
        yield
    finally:
        process.kill()
        process.wait()
