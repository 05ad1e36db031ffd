"""Computes every size of the stack from the number of cores.

`make run` and Ansible take their numbers from here; deploy/README.md lists the formulas. Run as a
program, it prints the numbers for a host that has the whole site: `sizes.py [CORES]`.
"""

import math
import os
import sys

#: So that one serves while the other restarts.
FEWEST_INSTANCES = 2
#: An instance's port ends in its number, 01 to 99.
MOST_INSTANCES = 99
#: Sockets of a gunicorn for sockets, and threads of a gunicorn for pages.
SOCKETS = 10_000
THREADS = 16
#: nginx's connections for pages, in each nginx process.
FOR_PAGES = 5056
#: Files that a process has open besides its clients' connections: logs, the broker, the database.
OTHER_FILES = 1024
#: The least limit on open files. systemd and the kernel grant it by default.
OPEN_FILES = 65_536
#: Connections to PostgreSQL: of each gunicorn at most and at least, of all gunicorns together as
#: long as each has the least, and of people and migrations.
POOL, LEAST_POOL = 8, 4
ALL_POOLS = 400
OTHER_CONNECTIONS = 20
#: PostgreSQL's max_connections at least.
LEAST_CONNECTIONS = 200


def instances(cores: int, wanted: int = 0) -> int:
    """How many gunicorns of one kind a host runs: one per core, as each is one process.

    Raises ``ValueError`` if ``wanted`` is out of range.
    """
    if not wanted:
        return max(FEWEST_INSTANCES, min(cores, MOST_INSTANCES))
    if not FEWEST_INSTANCES <= wanted <= MOST_INSTANCES:
        raise ValueError(
            f"set it to {FEWEST_INSTANCES} at least, so that one serves while the other restarts, "
            f"and {MOST_INSTANCES} at most, or to 0 for one a core"
        )
    return wanted


def nginx_connections(sockets: int, processes: int, proxies: int = 1) -> int:
    """How many connections one nginx process takes: two per socket, and those for pages.

    The kernel distributes clients over nginx's processes, but not quite evenly, so each has room
    for twice its share. If there are several proxies, one of them may be down.
    """
    share = min(1.0, 2 / processes) / max(1, proxies - 1)
    return math.ceil(2 * sockets * share) + FOR_PAGES


def open_files(connections: int) -> int:
    """How many files a process with that many connections may open."""
    return max(OPEN_FILES, connections + OTHER_FILES)


def database_pool(gunicorns: int) -> int:
    """How many connections to PostgreSQL each gunicorn keeps: fewer if there are many gunicorns."""
    return max(LEAST_POOL, min(POOL, ALL_POOLS // gunicorns))


def database_connections(gunicorns: int, hosts: int, pool: int) -> int:
    """PostgreSQL's max_connections: all pools, and one more on each host to try a release."""
    return max(LEAST_CONNECTIONS, pool * (gunicorns + hosts) + OTHER_CONNECTIONS)


def of_one_host(cores: int) -> dict[str, dict[str, int]]:
    """The numbers for a host that has the whole site, by the file that contains them."""
    count = instances(cores)
    connections = nginx_connections(count * SOCKETS, cores)
    pool = database_pool(2 * count)
    return {
        "site.env": {
            "OPEN_FILES": open_files(2 * SOCKETS),
            "HTTP_INSTANCES": count,
            "WEBSOCKET_INSTANCES": count,
        },
        "environment": {
            "HTTP_THREADS": THREADS,
            "WEBSOCKET_CONNECTIONS": SOCKETS,
            "DATABASE_POOL_SIZE": pool,
        },
        "nginx main.conf": {
            "worker_processes": cores,
            "worker_rlimit_nofile": open_files(connections),
            "worker_connections": connections,
        },
        "PostgreSQL": {"max_connections": database_connections(2 * count, 1, pool)},
    }


def main() -> None:
    """Print the numbers."""
    cores = int(sys.argv[1]) if len(sys.argv) > 1 else os.cpu_count() or 1
    for file, numbers in of_one_host(cores).items():
        for name, number in numbers.items():
            sys.stdout.write(f"{file:<16} {name} {number}\n")


if __name__ == "__main__":
    main()
