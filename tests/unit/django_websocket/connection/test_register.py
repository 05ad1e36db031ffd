import gc

from django_websocket.connection import register
from django_websocket.connection.register import Register


class Socket:
    closed = False


def test_what_is_open_counts():
    sockets, one, other = Register(), Socket(), Socket()
    sockets.add("Ada", one)
    sockets.add("Ada", one)
    sockets.add("Ada", other)
    assert (sockets.count("Ada"), sockets.count("Grace")) == (2, 0)
    one.closed = True
    assert sockets.count("Ada") == 1
    del other
    gc.collect()
    assert sockets.count("Ada") == 0


def test_who_has_no_socket_left_is_forgotten(monkeypatch):
    monkeypatch.setattr(register, "_SWEEP", 10)
    sockets, stays = Register(), Socket()
    sockets.add("stays", stays)
    for number in range(100):
        sockets.add(number, Socket())
        gc.collect()
    assert len(sockets) <= 12
    assert sockets.count("stays") == 1
