from django.contrib.auth.models import User


def test_a_note_rings_in_all_windows_of_its_reader_until_it_is_read(sockets):
    ada, grace = (User.objects.create_user(name) for name in ("ada", "grace"))
    sockets.force_login(ada)
    with sockets.connect("/bell/") as writer:
        sockets.force_login(grace)
        with sockets.connect("/bell/") as one, sockets.connect("/bell/") as two:
            assert writer.request("send", {"to": "grace", "text": "Hello"}) == {"data": None}
            for window in (one, two):
                assert window.receive_json()["data"] == {"note": {"from": "ada", "text": "Hello"}}
            one.send_json({"type": "read"})
            assert two.receive_json()["data"] == {"read": True}
        with sockets.connect("/bell/?since=0") as later:
            kept = [later.receive_json()["data"] for _ in range(2)]
        assert kept[1] == {"read": True}


def test_errors_by_field(sockets):
    sockets.force_login(User.objects.create_user("ada"))
    User.objects.create_user("gone", is_active=False)
    with sockets.connect("/bell/") as bell:
        for to in ("nobody", "gone"):
            fields = bell.request("send", {"to": to})["error"]["fields"]
            assert fields["to"] == ["There is no member of this name."]
            assert fields["text"] == ["This field is required."]


def test_members_only(sockets):
    with sockets.connect("/bell/") as bell:
        assert bell.receive() is None
        assert bell.close_code == 4401
