import os
import select

import pytest

from django_websocket.connection.readyflag import ReadyFlag


def readable(flag):
    return bool(select.select([flag], [], [], 0)[0])


def test_readable_while_set():
    flag = ReadyFlag()
    try:
        assert not readable(flag)
        flag.set(True)
        flag.set(True)
        assert readable(flag)
        flag.set(False)
        flag.set(False)
        assert not readable(flag)
    finally:
        flag.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(flag.fileno())
