"""Every size of the stack, from the number of cores: the one place with the arithmetic.

`make run` and Ansible both take their numbers from here; deploy/README.md says the formulas.
"""

#: One serves while the other restarts.
FEWEST_INSTANCES = 2
#: Their ports end in 01 to 99.
MOST_INSTANCES = 99


def instances(cores: int, wanted: int = 0) -> int:
    """How many gunicorns of one kind a host runs: one a core, as each is one process.

    Raises ``ValueError`` for a wanted number that cannot be.
    """
    if not wanted:
        return max(FEWEST_INSTANCES, min(cores, MOST_INSTANCES))
    if not FEWEST_INSTANCES <= wanted <= MOST_INSTANCES:
        raise ValueError(
            f"set it to {FEWEST_INSTANCES} at least, so that one serves while the other restarts, "
            f"and {MOST_INSTANCES} at most, or to 0 for one a core"
        )
    return wanted
