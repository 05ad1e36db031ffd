import signal

import pytest

from support.company.environments import versions
from support.stack import probed_stack

pytest_plugins = ["support.retry_alone"]

# A shell has what it starts in the background ignore SIGINT, and so would the servers of the tests.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    """The shipped stack, once for the whole run; afterwards nothing of it may be left running."""
    stack = probed_stack(tmp_path_factory.mktemp("stack") / "state")
    yield stack.start()
    stack.stop()


def pytest_report_header():
    """The newest releases of what teams have installed, as `make environments` has found them."""
    return f"tests/company: {', '.join(versions()) or 'no environment made yet'}"


def pytest_collection_modifyitems(items):
    """Files that may take minutes come first, so that the others fill the cores beside them."""

    def timeout(item):
        marker = item.getparent(pytest.Module).get_closest_marker("timeout")
        return marker.args[0] if marker else 0

    items.sort(key=timeout, reverse=True)
