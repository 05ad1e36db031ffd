"""Prepare the machine for the lab, or remove what an interrupted run has left behind."""

import sys

import machine
import rootfs
from laboratory import MOST, Laboratory


def prepare() -> None:
    machine.prepare()
    if not machine.why_not():
        rootfs.path()


def clean() -> None:
    for number in range(MOST):
        Laboratory(number).clean()


COMMANDS = {
    "prepare": prepare,
    "prepare-vagrant": machine.prepare_vagrant,
    "clean": clean,
}

if __name__ == "__main__":
    if sys.argv[1:] not in ([name] for name in COMMANDS):
        sys.exit(f"usage: python tests/deploy/lab {'|'.join(COMMANDS)}")
    COMMANDS[sys.argv[1]]()
