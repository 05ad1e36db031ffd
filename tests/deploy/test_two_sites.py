"""The bundled project and a foreign one on one host: neither notices the other."""

import dataclasses
import re
import time

import pytest
import yaml
from controller import ROOT, Controller, everything_on
from team import Team
from visitors import Reader, Site

from support.shop import Customer, hear
from support.walkthrough import read_blocks

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(3000)]

#: What a second site on a host has to say.
(SECOND,) = read_blocks(ROOT / "docs/how-to/your-own-project.md")["A second site on the same host"]
PORTS = yaml.safe_load(SECOND.text)
#: Under which the second one is reached; no name server knows it.
NAME = "shop.example.com"


@dataclasses.dataclass(frozen=True)
class Street:
    host: object
    controller: Controller
    chat: Site
    team: Team
    customer: Customer


@pytest.fixture(scope="module")
def street(laboratory, tmp_path_factory):
    """First the chat, then the shop beside it."""
    (host,) = laboratory.boot("street")
    controller = Controller(
        tmp_path_factory.mktemp("chat"), [host], laboratory.network,
        address=host.address, **everything_on("street"),
    )  # fmt: skip
    controller.play("site").expect_success()
    chat = Site(host.address, certificate_of(host, host.address))
    team = Team(tmp_path_factory.mktemp("shop"), host, laboratory.network, NAME, **PORTS)
    team.build_wheel()
    with Reader(chat) as reader:
        team.play("site").expect_success()
    assert reader.failures == []
    customer = Customer(f"https://{NAME}", certificate_of(host, NAME), host.address)
    return Street(host, controller, chat, team, customer)


def certificate_of(host, name: str) -> str:
    """What the host shows to those who ask for the name."""
    sni = "" if re.fullmatch(r"[\d.]+", name) else f"-servername {name}"
    shown = host.ssh(f"openssl s_client -connect 127.0.0.1:443 {sni} </dev/null 2>&1")
    return re.search("-----BEGIN.*END CERTIFICATE-----", shown, re.S)[0]


def processes(host, site: str) -> set[str]:
    """Those of a site's user."""
    return set(host.ssh(f"pgrep --euid {site} gunicorn").split())


def test_both_serve(street):
    street.chat.chat("lobby", "a shop has opened next door")
    street.customer.deliver("tea", 2)
    with street.customer.counter() as counter:
        counter.send("tea")
        hear(counter, product="tea", stock=2)
        street.customer.order("tea")
        hear(counter, confirmed="tea", stock=1)
    assert street.chat.get("/shop/") == 404


def test_another_run_for_either_changes_nothing(street):
    assert street.controller.play("site").expect_success().changed == {"street": 0}
    assert street.team.play("site").expect_success().changed == {"counter": 0}


def test_a_deploy_of_one_leaves_the_other_alone(street):
    before = processes(street.host, "stack")
    street.team.release_version("2")
    with Reader(street.chat) as reader:
        street.team.play("deploy").expect_success()
    assert street.customer.staff()["pages"]["version"] == "2"
    assert processes(street.host, "stack") == before
    assert reader.failures == []


def test_neither_can_read_what_is_the_other_s(street):
    for reader, site in (("stack", "shop"), ("shop", "stack")):
        for path in (f"/etc/{site}/environment", f"/var/lib/{site}/log"):
            said = street.host.ssh(
                f"setpriv --reuid={reader} --regid={reader} --clear-groups cat {path} 2>&1",
                check=False,
            )
            assert "Permission denied" in said, said


def test_both_serve_after_a_reboot(street):
    street.host.reboot()
    street.chat.wait(60)
    deadline = time.monotonic() + 60
    while (status := street.customer.get("/shop/")) != 200:
        assert time.monotonic() < deadline, f"the shop answers with {status}"
        time.sleep(0.5)
