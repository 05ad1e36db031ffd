"""Redis and PostgreSQL of sites, on a host that has both already, and as a provider's service."""

import contextlib
import shlex
from types import SimpleNamespace

import pytest
import websocket
from controller import Controller, everything_on
from front import HANDSHAKE, Front
from visitors import Site

pytestmark = [pytest.mark.timeout(1800), pytest.mark.scenario]

DATA = ("--tags", "redis,postgresql")
PORTS = {"stack_redis_port": 6380, "redis_cache": True, "redis_cache_max_memory": "4mb"}
SHOP = {"stack_site": "shop", "stack_redis_port": 6390, "stack_http_port_base": 8300,
        "stack_websocket_port_base": 8400,
        "postgresql_clients": ["127.0.0.1", "fd00::5", "app.internal"],
        "vault_redis_password": "@/:#?%2F+ '\"$(id)&é",
        "vault_postgresql_password": "a@b/c:d#e?f%20g+h i'j\"k$HOME`l\\mé[]{"}  # fmt: skip

#: What somebody did to the host by hand: Redis with a key, and a cluster with a database. Then what
#: a provider would run elsewhere: both on other ports, for everybody who has the password.
BY_HAND = """
set -e
export http_proxy={proxy} DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends redis-server postgresql >/dev/null 2>&1
redis-cli set theirs kept
cd /
su postgres -c "psql -qc \\"create role them login password 'theirs'\\""
su postgres -c "createdb -O them theirs"
PGPASSWORD=theirs psql -q -h 127.0.0.1 -U them theirs -c 'create table kept as select 42 as answer'

redis-server --port 6400 --bind 0.0.0.0 --requirepass managed --daemonize yes >/dev/null
version=$(ls /etc/postgresql)
pg_createcluster -p 5500 "$version" managed >/dev/null
echo "listen_addresses = '*'" >>"/etc/postgresql/$version/managed/postgresql.conf"
echo "host app app {network}.0/24 scram-sha-256" >>"/etc/postgresql/$version/managed/pg_hba.conf"
systemctl start "postgresql@$version-managed"
su postgres -c "psql -p 5500 -qc \\"create role app login password 'managed'\\""
su postgres -c "createdb -p 5500 -O app app"
"""


@pytest.fixture(scope="module")
def data(laboratory, tmp_path_factory):
    """The host, its controller, and what Ansible said: refused, then for two sites."""
    (host,) = laboratory.boot("data")
    network = host.address.rpartition(".")[0]
    host.ssh(BY_HAND.format(proxy=laboratory.network.proxy, network=network), timeout=600)
    controller = Controller(
        tmp_path_factory.mktemp("data"), [host], laboratory.network,
        address=host.address, **everything_on("data"),
    )  # fmt: skip
    refused = controller.play("site", *DATA)
    before = host.ssh("cat /etc/redis/redis.conf; ls -R /etc/redis /etc/postgresql; ss -Hltn")
    stack = controller.play("site", *DATA, **PORTS).expect_success()
    shop = controller.play("site", *DATA, **SHOP).expect_success()
    again = [controller.play("site", *DATA, **site).expect_success() for site in (PORTS, SHOP)]
    secrets = controller.checkout / "ansible" / "secrets" / "inventory"
    passwords = {
        "stack": {path.name: path.read_text().strip() for path in secrets.iterdir()},
        "shop": {name.removeprefix("vault_"): value for name, value in SHOP.items()},
        "them": {"postgresql_password": "theirs"},
    }
    return SimpleNamespace(
        host=host, controller=controller, refused=refused, before=before, stack=stack, shop=shop,
        again=again, passwords=passwords,
    )  # fmt: skip


def redis(data, port, command, user="stack", password="redis_password"):
    """What Redis answers to the site's user."""
    secret = shlex.quote(data.passwords[user][password])
    return data.host.ssh(
        f"redis-cli --no-auth-warning -p {port} --user {user} -a {secret} {command} 2>&1",
        check=False,
    ).strip()


def sql(data, statement, user):
    """What PostgreSQL answers over TCP, in the database of the user's name."""
    database = "theirs" if user == "them" else user
    password = shlex.quote(data.passwords[user]["postgresql_password"])
    return data.host.ssh(
        f'PGPASSWORD={password} psql -At -h 127.0.0.1 -U {user} {database} -c "{statement}" 2>&1',
        check=False,
    ).strip()


def test_a_port_that_another_program_has_is_refused_by_name_and_nothing_is_changed(data):
    assert data.refused.status != 0
    assert "Port 6379 of data is held by redis-server.service" in " ".join(
        data.refused.output.split()
    )
    assert "stack_redis_port" in data.refused.output
    assert "redis-server@" not in data.before
    assert "zz-sites.conf" not in data.before


def test_what_was_there_before_is_as_it_was(data):
    assert data.host.ssh("redis-cli get theirs").strip() == "kept"
    assert sql(data, "select answer from kept", "them") == "42"
    assert data.host.ssh("systemctl is-active redis-server.service").strip() == "active"


def test_the_next_run_of_either_site_changes_nothing(data):
    assert [play.changed for play in data.again] == [{"data": 0}] * 2


def test_each_site_has_a_redis_and_a_database_that_the_other_may_not_use(data):
    assert redis(data, 6380, "set ours 1") == "OK"
    assert redis(data, 6390, "get ours", user="shop") == "", "nothing of the other site's"
    assert "WRONGPASS" in redis(data, 6380, "ping", user="shop")
    assert redis(data, 6390, "set ours 1", user="shop") == "OK", "with a password of any characters"
    for site in ("stack", "shop"):
        assert sql(data, "create table if not exists own(); select 1", site)[-1] == "1"
        grants = f"select has_database_privilege('{site}', 'theirs', 'CREATE')"
        assert sql(data, grants, site) == "f"
    assert int(sql(data, "show max_connections", "stack")) >= 100 + 2 * 200


def test_hosts_of_any_address_may_log_in(data):
    rules = (
        "select address, netmask, error from pg_hba_file_rules where database = '{shop}' order by 1"
    )
    answer = data.host.ssh(f'cd / && su postgres -c "psql -At -c \\"{rules}\\""')
    mask = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
    assert answer.split() == ["127.0.0.1|255.255.255.255|", "app.internal||", f"fd00::5|{mask}|"]


def test_the_cache_may_be_cleared_and_forgets_when_it_is_full_but_the_broker_keeps(data):
    def cache(command):
        return redis(data, 7380, command, password="redis_cache_password")

    assert redis(data, 6380, "set message kept") == "OK"
    assert "NOPERM" in redis(data, 6380, "flushdb")
    assert cache("set page cached") == "OK"
    assert cache("flushdb") == "OK"
    assert cache("dbsize") == "0"
    fill = "for i in $(seq 3000); do printf 'SET page%s %04000d\\r\\n' $i 0; done"
    data.host.ssh(
        f"({fill}) | redis-cli --no-auth-warning -p 7380 --user stack"
        f" -a {data.passwords['stack']['redis_cache_password']} --pipe"
    )
    assert 0 < int(cache("dbsize")) < 3000
    assert len(cache("get page3000")) == 4000
    assert redis(data, 6380, "get message") == "kept"


def test_a_redis_that_is_written_but_not_restarted_is_restarted_by_the_next_run(data):
    data.host.ssh("sleep 1.1; touch /etc/redis/redis-stack.conf")
    before = data.host.ssh("systemctl show -P MainPID redis-server@stack")
    data.controller.play("site", *DATA, **PORTS).expect_success()
    assert data.host.ssh("systemctl show -P MainPID redis-server@stack") != before
    assert redis(data, 6380, "get ours") == "1"


def test_a_port_of_no_cluster_is_refused_with_those_that_there_are(data):
    play = data.controller.play("site", *DATA, **PORTS, stack_postgresql_port=5433)
    assert play.status != 0
    assert "main on 5432" in play.output
    assert "managed on 5500" in play.output


def test_a_database_of_somebody_else_is_refused(data):
    data.host.ssh("cd / && su postgres -c 'createdb -O them mine'")
    play = data.controller.play(
        "site", *DATA, **SHOP | {"stack_site": "mine", "stack_redis_port": 6399}
    )
    assert play.status != 0
    assert "a database mine of the user them" in " ".join(play.output.split())


def test_how_many_gunicorns_a_host_outside_of_the_limit_runs_must_be_known(
    data, laboratory, tmp_path
):
    address = laboratory.network.address(99)
    gone = SimpleNamespace(name="gone", address=address, key=data.host.key)
    groups = everything_on("data") | {"web": ["data", "gone"]}
    controller = Controller(
        tmp_path, [data.host, gone], laboratory.network, address=data.host.address, **groups
    )
    words = ("plays/preflight", "--limit=data")
    unknown = controller.play(*words, **PORTS)
    assert unknown.status != 0
    assert "Nobody has looked at gone yet" in " ".join(unknown.output.split())
    controller.play(*words, **PORTS, stack_cores=4).expect_success()


@pytest.fixture(scope="module")
def far(data, laboratory, tmp_path_factory):
    """A host on which a site uses what the other one has, and itself by an IPv6 address."""
    (host,) = laboratory.boot("far")
    address = "fd00:213::5"
    host.ssh(f"ip -6 address add {address}/64 dev eth0 nodad")
    groups = {group: ["far"] for group in ("proxy", "web", "websocket")}
    controller = Controller(
        tmp_path_factory.mktemp("far"), [host], laboratory.network, address=host.address, **groups
    )
    settings = {
        "app_redis_url": f"redis://:managed@{data.host.address}:6400/0",
        "app_database_url": f"postgres://app:managed@{data.host.address}:5500/app",
        "stack_http_instances": 4,
        "stack_websocket_instances": 10,
        "app_readiness_timeout": 120,
        # As if its gunicorns were on other hosts than nginx.
        "stack_is_one_host": False,
        "private_address": address,
    }
    controller.play("site", **settings).expect_success()
    site = Site(
        host.address, host.ssh("cat /etc/nginx/tls/self-signed-*.pem /etc/nginx/*/tls/*.pem || :")
    )

    def play(*words, **variables):
        return controller.play(*words, **settings | variables)

    return SimpleNamespace(host=host, address=address, play=play, site=site, front=Front(host))


def test_a_site_on_managed_services_installs_none_and_serves_with_many_gunicorns(data, far):
    packages = far.host.ssh("dpkg-query --show --showformat='${db:Status-Status} ${Package}\n'")
    installed = [line for line in packages.splitlines() if line.startswith("installed ")]
    assert installed
    assert not [line for line in installed if "redis" in line or "postgresql" in line]
    far.site.chat("lobby", "over ten gunicorns and somebody else's Redis")
    for port in (*range(8101, 8105), *range(8201, 8211)):
        code = "curl -so /dev/null -w '%{http_code}'"
        headers = f"-H 'Host: {far.host.address}' -H 'X-Forwarded-Proto: https'"
        assert far.host.ssh(f"{code} {headers} http://[{far.address}]:{port}/readyz") == "200"
    assert data.host.ssh("redis-cli --no-auth-warning -p 6400 -a managed dbsize").strip() != "0"


LOCK = "/run/stack.deploy"


def test_nobody_closes_a_site_during_a_deploy(far):
    far.host.ssh(f"echo ada@laptop 42 2026-01-01_12:00 >{LOCK}")
    try:
        play = far.play("maintenance", maintenance="on")
    finally:
        far.host.ssh(f"rm {LOCK}")
    assert play.status != 0
    assert "ada@laptop has deployed" in " ".join(play.output.split())
    assert far.site.get("/chat/") == 200


def test_one_closes_the_site_and_a_colleague_opens_it(far, tmp_path):
    with contextlib.closing(far.site.connect("lobby")) as socket:
        far.play("maintenance", maintenance="on").expect_success()
        while (frame := socket.recv_data())[0] != websocket.ABNF.OPCODE_CLOSE:
            pass
        assert frame[1] == (1013).to_bytes(2, "big") + b"closed for maintenance"
    status, text, headers = far.front.get(far.host.address, "/chat/")
    assert (status, headers["Retry-After"]) == (503, "60")
    assert "maintenance" in text
    assert far.front.get(far.host.address, "/chat/lobby/", headers=HANDSHAKE)[0] == 503
    assert far.host.ssh(f"test -e {LOCK} || echo free") == "free\n"
    assert far.play("maintenance", maintenance="on").expect_success().changed == {"far": 0}
    secrets = tmp_path / "a colleague has none"
    far.play("maintenance", maintenance="off", stack_secrets=str(secrets)).expect_success()
    assert not secrets.exists()
    assert far.site.get("/chat/") == 200
    far.site.chat("lobby", "open again")
