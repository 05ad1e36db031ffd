from django_websocket.server import loglimit
from django_websocket.server.loglimit import OnceAMinute


def test_many_lines_are_one_until_the_interval_has_passed(monkeypatch):
    lines = []
    log = OnceAMinute(lambda line, *values: lines.append(line % values))
    for number in range(100):
        log("line %s", number)
    assert lines == ["line 0"]
    monkeypatch.setattr(loglimit, "_INTERVAL", 0.0)
    again = OnceAMinute(log._log)
    again("line %s", 1)
    again("line %s", 2)
    assert lines == ["line 0", "line 1", "line 2"]
