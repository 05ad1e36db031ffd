"""What came of a visit: what clients met, what is left in memory, and what the tool says of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from .environments import environment
from .site import Site
from .visit import Visit, crowd, visit


@dataclass(frozen=True)
class Handshake:
    """A tool's transaction or span of one handshake. Times in seconds."""

    name: str
    status: int
    began: float
    ended: float

    @property
    def route(self) -> str:
        """The fixed part of the name: tools write a route as "GET a/<slug:b>/" or "/a/{b}/"."""
        return re.split(r"[<{]", self.name.removeprefix("GET "))[0].strip("/")


@dataclass(frozen=True)
class Failure:
    """A tool's event of an exception."""

    message: str
    traceback: str
    where: str
    user: str | None = None


@dataclass
class Account:
    visit: Visit
    #: What there is too much of in memory, after sockets have come and gone.
    grown: dict[str, int]
    #: What the process has printed.
    log: str = ""
    handshakes: list[Handshake] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def visited(
    site: Site, name: str, *words: str, look: Callable[[], None] | None = None, **environ: str
) -> Account:
    """Let the environment's sockets be visited, and end them. ``look`` is called in between.

    ``words`` go before the command, the first of them being a program of the environment.
    """
    python = environment(name)
    if words:
        words = (str(python.with_name(words[0])), *words[1:])
    with site.gunicorn("websocket", python, words, **environ) as server:
        account = Account(visit(site, server), crowd(server))
        if look is not None:
            look()
    account.log = server.log
    return account


class Serves:
    """Tests of a module whose fixture ``account`` is an Account."""

    def test_sockets_behave_as_without_it(self, account):
        assert account.visit == Visit()

    def test_nothing_stays_of_sockets_that_have_closed(self, account):
        assert account.grown == {}


class Traces(Serves):
    """And of one whose account has handshakes and failures."""

    def test_a_handshake_is_one_transaction_named_by_its_route(self, account):
        seen = Counter((each.route, each.status) for each in account.handshakes)
        routes = ("chat", "company/private", "company/permitted", "company/fails")
        assert {key: count for key, count in seen.items() if key[0] in routes} == {
            ("chat", 101): 2,
            ("company/private", 101): 1,
            ("company/private", 302): 1,
            ("company/permitted", 403): 1,
            ("company/fails", 101): 1,
        }

    def test_what_came_to_no_view_is_one_transaction_too(self, account):
        statuses = Counter(each.status for each in account.handshakes)
        assert (statuses[403], statuses[404]) == (2, 1)

    def test_it_ends_with_the_handshake_and_not_with_the_socket(self, account):
        def find(route, status):
            (found,) = (
                each for each in account.handshakes if (each.route, each.status) == (route, status)
            )
            return found

        # Its socket is open until the visit's end.
        assert find("company/private", 101).ended < find("company/permitted", 403).began

    def test_an_exception_after_the_handshake_arrives_once(self, account):
        (failure,) = account.failures
        assert failure.message == "the view has failed: on purpose"
        assert "fails" in failure.traceback
        assert "company/fails/" in failure.where
