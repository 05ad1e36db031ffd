"""Ports for servers of the tests."""

import random
import socket

#: The kernel gives the ends of outgoing connections ports above these, so none of them takes one
#: between its choice and its use.
_PORTS = range(20000, 32000)

#: pytest-randomly lets every test run's ``random`` give the same numbers.
_random = random.SystemRandom()


def free_port() -> int:
    while True:
        try:
            with socket.create_server(("127.0.0.1", _random.choice(_PORTS))) as probe:
                return int(probe.getsockname()[1])
        except OSError:  # somebody has it
            pass
