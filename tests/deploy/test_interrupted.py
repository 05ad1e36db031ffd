"""A deploy that dies at any of its tasks: the site serves, and the same command finishes it."""

import json
import re

import pytest
from controller import Controller, Play, everything_on
from visitors import Reader, Site

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(4 * 3600)]

#: A plugin of Ansible's that says what a run does, and ends it at a task or in the midst of one.
#: It takes the processes of the run along, as the controller's power cut does; what they have begun
#: on the host goes on there.
PLUGIN = """
import os, signal, threading, time
from ansible.plugins.callback import CallbackBase

if os.getpgid(0) != os.getpid():
    os.setpgid(0, 0)

class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_NAME = "interrupt"
    task = 0

    def v2_playbook_on_task_start(self, task, is_conditional):
        self.task += 1
        self.began = time.monotonic()
        number, _, delay = os.environ.get("INTERRUPT_AT", "0").partition("+")
        if self.task == int(number):
            threading.Timer(float(delay or 0), os.killpg, (0, signal.SIGKILL)).start()
            if not delay:
                time.sleep(60)

    def v2_runner_on_ok(self, result):
        action = result.task.action.rpartition(".")[2]
        print(f"DID {self.task} {action} {time.monotonic() - self.began:.1f}", flush=True)
"""
#: Actions that change nothing: to die at one of them is to die at the next that does something.
IDLE = {
    *("assert", "debug", "fail", "find", "include_role", "include_tasks", "set_fact", "stat"),
}
#: The preflight changes nothing either.
QUICKLY = ("--skip-tags=always",)
CSS = "app/examples/static/examples/new.css"
#: A task of the team's own at the end of the move, which has to be done for each release.
NOTE = """
- name: Take a note.
  ansible.builtin.shell:
    cmd: echo {{ app_release }} >>/var/tmp/moved
  changed_when: false
"""


class Torn:
    """A host that serves, its controller, and its visitors' view."""

    def __init__(self, host, controller: Controller, site: Site) -> None:
        self.host = host
        self.controller = controller
        self.site = site
        self.hook = controller.checkout.parent / "note.yml"
        self.hook.write_text(NOTE)

    def new_release(self, name: str) -> None:
        self.controller.write(CSS, f"/* {name} */\n")
        self.controller.commit(name)

    def deploy(self, *words: str, **variables) -> Play:
        hooks = {"after_switch": str(self.hook)}
        return self.controller.play("deploy", *words, app_hooks=hooks, **variables)

    def expect_only(self, name: str) -> None:
        """Every process is of this release, and so are the static files."""
        serving = json.loads(self.host.ssh("stackctl serving"))
        assert {each["release"] for each in serving["programs"]} == {serving["release"]}
        assert not any(each["outdated"] for each in serving["programs"])
        assert serving["release"] in self.host.ssh("cat /var/tmp/moved").split()
        assert self.site.read("/static/examples/new.css") == f"/* {name} */\n"
        assert self.host.ssh("ls /run/stack.deploy", check=False) == ""


@pytest.fixture(scope="module")
def torn(laboratory, tmp_path_factory):
    (host,) = laboratory.boot("torn")
    controller = Controller(
        tmp_path_factory.mktemp("torn"), [host], laboratory.network,
        address=host.address, **everything_on("torn"),
    )  # fmt: skip
    controller.play("site").expect_success()
    plugins = controller.checkout / "ansible" / "callback_plugins"
    plugins.mkdir()
    (plugins / "interrupt.py").write_text(PLUGIN)
    certificate = host.ssh("cat /etc/nginx/stack.d/tls/self-signed-*.pem")
    return Torn(host, controller, Site(host.address, certificate))


def moments(deploy: Play) -> list[str]:
    """At which tasks to end a run, by what another has done: at the beginning of each that does
    something, and in the midst of each that takes its time."""
    found = []
    for number, action, seconds in re.findall(r"^DID (\d+) (\w+) ([\d.]+)$", deploy.output, re.M):
        if action not in IDLE:
            found += [number] + [f"{number}+{float(seconds) / 2}"] * (float(seconds) > 2)
    return found


def test_a_deploy_that_is_interrupted_at_any_task_is_finished_by_the_next(torn, monkeypatch):
    torn.new_release("not interrupted")
    all_moments = moments(torn.deploy(*QUICKLY).expect_success())
    assert len(all_moments) > 20
    for moment in all_moments:
        name = f"interrupted at {moment}"
        torn.new_release(name)
        with Reader(torn.site) as reader:
            monkeypatch.setenv("INTERRUPT_AT", moment)
            assert torn.deploy(*QUICKLY).status < 0, name
            monkeypatch.delenv("INTERRUPT_AT")
            torn.deploy(*QUICKLY).expect_success()
        assert reader.failures == [], name
        torn.expect_only(name)


def test_a_run_that_is_interrupted_before_it_changes_anything_is_no_obstacle(torn, monkeypatch):
    torn.new_release("interrupted in the preflight")
    monkeypatch.setenv("INTERRUPT_AT", "20")
    assert torn.deploy().status < 0
    monkeypatch.delenv("INTERRUPT_AT")
    torn.deploy().expect_success()
    torn.expect_only("interrupted in the preflight")


def test_the_lock_of_a_run_elsewhere_says_whose_it_is_and_how_to_break_it(torn):
    torn.host.ssh("echo eve@elsewhere 4711 Fri_Nov_27_20:15:00_2026 >/run/stack.deploy")
    torn.new_release("after another")
    refused = torn.deploy(*QUICKLY)
    said = " ".join(refused.output.split())
    assert refused.status > 0
    assert "eve@elsewhere has deployed to torn since Fri Nov 27 20:15:00 2026" in said
    assert "process 4711 there" in said
    assert "-e app_lock=break" in said
    torn.deploy(*QUICKLY, app_lock="break").expect_success()
    torn.expect_only("after another")
