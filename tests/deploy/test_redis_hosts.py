"""Three hosts of Redis, of which the Sentinels choose the primary, under load."""

import contextlib
import itertools
import re
import threading
import time
from types import SimpleNamespace

import pytest
from controller import Controller

from django_websocket.errors import BrokerError
from django_websocket.pubsub.brokers.redis import RedisBroker

pytestmark = [pytest.mark.timeout(1500), pytest.mark.scenario]

HOSTS = ("data1", "data2", "data3")
#: Within which senders are served again.
SERVED_SECONDS = 10
#: Within which a host that comes back is a replica, and the Sentinels agree.
PATIENCE = 60
ASK = "/etc/redis/stack.primary /etc/redis/stack.sentinels"
#: Everybody but the controller's ssh is out of reach, and nobody is told so.
CUT_OFF = """
add table inet cut
add chain inet cut input { type filter hook input priority -300; }
add rule inet cut input tcp dport != 22 drop
add chain inet cut output { type filter hook output priority -300; }
add rule inet cut output tcp sport != 22 drop
"""


@pytest.fixture(scope="module")
def redises(laboratory, tmp_path_factory):
    """The hosts by address, what a further run of the role does, and the site's URL."""
    hosts = laboratory.boot(*HOSTS)
    first = {group: [HOSTS[0]] for group in ("proxy", "web", "websocket", "postgresql")}
    controller = Controller(
        tmp_path_factory.mktemp("redises"), hosts, laboratory.network,
        redis=list(HOSTS), address=hosts[0].address, **first,
    )  # fmt: skip

    def play():
        return controller.play("../tests/deploy/redises").expect_success()

    play()
    for host in hosts:
        host.ssh(f"export http_proxy={laboratory.network.proxy}; apt-get install -yqq nftables")
    secrets = controller.checkout / "ansible" / "secrets" / "inventory"
    password = (secrets / "redis_password").read_text().strip()
    sentinels = ",".join(f"{host.address}:26379" for host in hosts)
    url = (
        f"redis+sentinel://stack:{password}@{sentinels}/stack"
        f"?sentinel_username=stack&sentinel_password={password}&wait=1"
    )
    return SimpleNamespace(hosts={host.address: host for host in hosts}, play=play, url=url)


class Sender:
    """Publishes without a pause, and knows what was acknowledged and when."""

    def __init__(self, url, channel):
        self._broker = RedisBroker(url)
        self._channel = channel
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.acknowledged = []
        self.times = []

    def _run(self):
        for number in itertools.count():
            if self._stopped.wait(0.002):
                return
            with contextlib.suppress(BrokerError):
                self._broker.publish(self._channel, b"%d" % number, 1_000_000, 3600)
                self.acknowledged.append(b"%d" % number)
                self.times.append(time.monotonic())

    def __enter__(self):
        self._thread.start()
        wait_until(lambda: len(self.acknowledged) > 100)
        return self

    def __exit__(self, *error):
        self._stopped.set()
        self._thread.join()

    def kept(self):
        [history] = self._broker.read([(self._channel, "0000000000000-000000")])
        return [entry.payload for entry in history.entries]

    def close(self):
        self._broker.close()


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def primary(redises, *, without=None):
    """Its address, as a host says."""
    host = next(host for address, host in redises.hosts.items() if address != without)
    return host.ssh(ASK).split()[0]


def all_are_back(redises):
    answers = {host.ssh(ASK) for host in redises.hosts.values()}
    now = redises.hosts[primary(redises)]
    password = re.search(r"stack:(\w+)@", redises.url)[1]
    replicas = now.ssh(
        f"redis-cli --no-auth-warning --user stack -a {password} -h {now.address} INFO replication"
    )
    return len(answers) == 1 and replicas.count("state=online") == 2


def kill(host):
    host.ssh("kill -KILL $(systemctl show -P MainPID redis-server@stack)")


def cut_off(host):
    host.ssh(f"nft --file - <<'END'\n{CUT_OFF}\nEND")


def join(host):
    host.ssh("nft delete table inet cut 2>/dev/null || true")


@pytest.mark.parametrize("lose", [kill, cut_off])
def test_senders_are_served_again_and_nothing_acknowledged_is_lost(redises, lose, record_property):
    wait_until(lambda: all_are_back(redises))
    before = primary(redises)
    with contextlib.closing(Sender(redises.url, lose.__name__)) as sender:
        with sender:
            lost_at = time.monotonic()
            lose(redises.hosts[before])
            wait_until(lambda: primary(redises, without=before) != before)
            count = len(sender.acknowledged)
            wait_until(lambda: len(sender.acknowledged) > count + 100)
            join(redises.hosts[before])
            wait_until(lambda: all_are_back(redises))
        gaps = [after - earlier for earlier, after in itertools.pairwise(sender.times)]
        assert primary(redises) != before, "who comes back is no primary"
        kept = sender.kept()
        record_property("served after", max(gaps))
        print(
            f"{lose.__name__}: {len(sender.acknowledged)} acknowledged, none for {max(gaps):.1f} s"
        )
        missing = set(sender.acknowledged) - set(kept)
        assert not missing
        assert len(kept) == len(set(kept)), "a message is there twice"
        assert sender.times[-1] > lost_at
        assert max(gaps) < SERVED_SECONDS


def test_a_further_run_leaves_the_primary_where_the_sentinels_have_put_it(redises):
    wait_until(lambda: all_are_back(redises))
    before = primary(redises)
    first = next(iter(redises.hosts))
    if before == first:
        kill(redises.hosts[first])
        wait_until(lambda: primary(redises, without=first) != first and all_are_back(redises))
        before = primary(redises)
    assert redises.play().changed == dict.fromkeys(HOSTS, 0)
    assert primary(redises) == before


def test_a_redis_that_starts_again_is_a_replica(redises):
    wait_until(lambda: all_are_back(redises))
    replica = next(host for address, host in redises.hosts.items() if address != primary(redises))
    replica.ssh("systemctl restart redis-server@stack")
    assert f"replicaof {primary(redises)} 6379" in replica.ssh(
        "cat /run/redis-stack/replication.conf"
    )
    wait_until(lambda: all_are_back(redises))


def test_only_the_site_is_let_in(redises):
    host = next(iter(redises.hosts.values()))
    for port, words in ((6379, "GET a"), (26379, "SENTINEL MASTERS")):
        answer = host.ssh(f"redis-cli -h {host.address} -p {port} {words} 2>&1", check=False)
        assert "NOAUTH" in answer
