"""A deploy that dies at any of its tasks: the site serves, and a second run finishes it."""

import json
import re

import pytest
from controller import Controller, everything_on
from visitors import Reader, Site

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(6 * 3600)]

#: A plugin of Ansible's that ends the run at a task, as a kill or a power cut would.
PLUGIN = """
import os, signal
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_NAME = "interrupt"
    tasks = 0

    def v2_playbook_on_task_start(self, task, is_conditional):
        self.tasks += 1
        print(f"TASK-NUMBER {self.tasks}", flush=True)
        if self.tasks == int(os.environ.get("INTERRUPT_AT", "0")):
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def site(laboratory, tmp_path_factory):
    """A host that serves, its controller, and its visitors' view."""
    (host,) = laboratory.boot("torn")
    controller = Controller(
        tmp_path_factory.mktemp("torn"), [host], laboratory.network,
        address=host.address, **everything_on("torn"),
    )  # fmt: skip
    controller.play("site").expect_success()
    plugins = controller.checkout / "ansible" / "callback_plugins"
    plugins.mkdir()
    (plugins / "interrupt.py").write_text(PLUGIN)
    certificate = host.ssh("cat /etc/nginx/tls/self-signed-*.pem")
    return host, controller, Site(host.address, certificate)


def test_a_deploy_that_is_interrupted_at_any_task_is_finished_by_the_next(site, monkeypatch):
    host, controller, visitors = site
    controller.write("app/examples/static/examples/new.css", "/* 0 */\n")
    controller.commit("A release that is not interrupted")
    deploy = controller.play("deploy").expect_success()
    last = int(re.findall(r"TASK-NUMBER (\d+)", deploy.output)[-1])
    assert last > 40
    for task in range(1, last + 1):
        controller.write("app/examples/static/examples/new.css", f"/* {task} */\n")
        controller.commit(f"A release that is interrupted at task {task}")
        with Reader(visitors) as reader:
            monkeypatch.setenv("INTERRUPT_AT", str(task))
            assert controller.play("deploy").status != 0
            monkeypatch.delenv("INTERRUPT_AT")
            controller.play("deploy").expect_success()
        assert reader.failures == [], f"interrupted at task {task}"
        serving = json.loads(host.ssh("stackctl serving"))
        assert {each["release"] for each in serving["programs"]} == {serving["release"]}
        assert not any(each["outdated"] for each in serving["programs"])
        assert visitors.read("/static/examples/new.css") == f"/* {task} */\n"
