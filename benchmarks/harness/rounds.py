"""Measures every peer in each round, so that a drift of the machine affects all of them."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import multiprocessing
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle

import uvloop

from .model import Peer
from .scenario import Scenario
from .server import Server, ServerFailed, Site, running

LONGEST = 300  # seconds, for one measurement

#: Scenario's name → peer's name → the figures of each round.
Figures = dict[str, dict[str, list[dict[str, float]]]]


@dataclass
class Run:
    site: Site
    #: The same with PostgreSQL, if it is installed and a scenario needs it.
    postgresql: Site | None
    scenarios: Sequence[Scenario]
    peers: Sequence[Peer]
    rounds: int
    seconds: float
    say: Callable[[str], None]
    figures: Figures = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def measure(self) -> None:
        """Fill ``figures`` and ``failures``; a peer that fails does not stop the others."""
        shared = [scenario for scenario in self.scenarios if not scenario.apart]
        for kind in sorted({_kind(scenario) for scenario in shared}):
            self._measure_shared([each for each in shared if _kind(each) == kind])
        for scenario in self.scenarios:
            if scenario.apart:
                self._measure_apart(scenario)

    def _measure_shared(self, scenarios: Sequence[Scenario]) -> None:
        """Measure all of these, with servers that keep running."""
        processes = scenarios[0].processes
        site = self.postgresql if scenarios[0].postgresql else self.site
        if site is None:
            self.say(f"{scenarios[0].name} needs PostgreSQL: apt install postgresql")
            return
        with contextlib.ExitStack() as stack:
            servers: dict[str, Server] = {}
            for peer in self.peers:
                if any(scenario.takes(peer) for scenario in scenarios):
                    with self._noting(peer.label):
                        server = stack.enter_context(running(peer, site, processes))
                        servers[peer.name] = server
            for scenario, peer in self._turns(scenarios):
                if found := servers.get(peer.name):
                    with self._noting(f"{scenario.name}, {peer.label}"):
                        self._measure(scenario, found)

    def _measure_apart(self, scenario: Scenario) -> None:
        """Measure all peers, one on each core at a time."""
        self.say(scenario.title)
        peers = [peer for peer in self.peers if scenario.takes(peer)]
        sites = [
            dataclasses.replace(self.site, core=core)
            for core in (self.site.core, *os.sched_getaffinity(0))
        ]
        with contextlib.ExitStack() as stack:
            spawn = multiprocessing.get_context("spawn")
            pools = [stack.enter_context(ProcessPoolExecutor(1, spawn)) for _ in sites]
            measuring = [
                pool.submit(_apart, scenario, peer, site, self.seconds)
                for peer, site, pool in zip(peers, cycle(sites), cycle(pools))
            ]
            for peer, figures in zip(peers, measuring, strict=True):
                with self._noting(f"{scenario.name}, {peer.label}"):
                    self._keep(scenario, peer, figures.result())

    def _turns(self, scenarios: Sequence[Scenario]) -> Iterator[tuple[Scenario, Peer]]:
        for scenario in scenarios:
            self.say(scenario.title)
            for _ in range(min(self.rounds * scenario.repeats, scenario.max_rounds)):
                yield from ((scenario, peer) for peer in self.peers if scenario.takes(peer))

    def _measure(self, scenario: Scenario, server: Server) -> None:
        self._keep(scenario, server.peer, _figures(scenario, server, self.seconds))

    def _keep(self, scenario: Scenario, peer: Peer, figures: dict[str, float]) -> None:
        self.say(f"  {peer.label}: {figures[scenario.figure]:,.4g} {scenario.unit}")
        self.figures.setdefault(scenario.name, {}).setdefault(peer.name, []).append(figures)

    @contextlib.contextmanager
    def _noting(self, what: str) -> Iterator[None]:
        try:
            yield
        except ServerFailed as error:
            self._note(f"{what}: the server {error}")
        except Exception as error:  # noqa: BLE001 - a peer may fail in any way
            self._note(f"{what}: {_reason(error)}")

    def _note(self, failure: str) -> None:
        self.say(f"  FAILED {failure}")
        self.failures.append(failure)


def _kind(scenario: Scenario) -> tuple[bool, int]:
    """Scenarios of one kind share their servers."""
    return scenario.postgresql, scenario.processes


def _apart(scenario: Scenario, peer: Peer, site: Site, seconds: float) -> dict[str, float]:
    """Measure a server that has just started, from its own core."""
    os.sched_setaffinity(0, {site.core})
    with running(peer, site, scenario.processes) as server:
        return _figures(scenario, server, seconds)


def _figures(scenario: Scenario, server: Server, seconds: float) -> dict[str, float]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_in_time(scenario.measure(server, seconds)))


async def _in_time(measuring: Awaitable[dict[str, float]]) -> dict[str, float]:
    try:
        async with asyncio.timeout(LONGEST) as limit:
            return await measuring
    except TimeoutError:
        if limit.expired():
            raise TimeoutError(f"it took longer than {LONGEST} s") from None
        raise


def _reason(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
