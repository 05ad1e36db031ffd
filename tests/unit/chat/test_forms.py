import json

import pytest
from django.contrib.auth.models import AnonymousUser

from chat.forms import MessageForm, RoomForm

VALID = {"name": "Ada", "colour": "#1a2B3c", "text": "Hello"}


def check(user=None, **changes):
    form = MessageForm(VALID | changes, user=user or AnonymousUser())
    form.is_valid()
    return form


@pytest.mark.django_db
class TestMessageForm:
    def test_gives_what_it_was_given(self):
        assert check().cleaned_data == {
            "name": "Ada", "colour": "#1a2b3c", "text": "Hello", "key": None,
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("name", ""),
            ("name", " \t "),
            ("name", "x" * 33),
            ("name", "ﷺ" * 2),  # 36 letters, once they are spelled out
            ("name", "Ada\x00"),
            ("name", "Ada\u202e"),  # turns what follows around
            ("name", "A\u200bda"),
            ("name", "A\u200dda"),
            ("name", "\u200dعلی"),
            ("name", "\ud800"),
            ("colour", ""),
            ("colour", "red"),
            ("colour", "#12345"),
            ("colour", "#12345g"),
            ("colour", "#123456\n#"),
            ("colour", "#123456;}"),
            ("text", ""),
            ("text", " \n "),
            ("text", "\u200b"),
            ("text", "x" * 1001),
            ("text", "a\x00b"),
            ("text", "a\x1bb"),
            ("text", "\ud800"),
            ("key", "x"),
        ],
    )
    def test_refuses(self, field, value):
        form = check(**{field: value})
        assert list(form.errors) == [field]
        json.dumps(form.errors[field][0]).encode()

    @pytest.mark.parametrize("field", VALID)
    def test_requires_every_field(self, field):
        form = MessageForm({k: v for k, v in VALID.items() if k != field}, user=AnonymousUser())
        assert list(form.errors) == [field]

    @pytest.mark.parametrize(
        ("text", "kept"),
        [
            ("  two\r\nlines ", "two\nlines"),
            ("<b>bold</b>", "<b>bold</b>"),
            ("\u2764\ufe0f\u200d\U0001f525", "\u2764\ufe0f\u200d\U0001f525"),  # a heart on fire
            ("سلام", "سلام"),
            ("x" * 1000, "x" * 1000),
        ],
    )  # fmt: skip
    def test_keeps_text_as_it_was_meant(self, text, kept):
        assert check(text=text).cleaned_data["text"] == kept

    def test_writes_a_name_in_one_way(self):
        assert (
            check(name="  \N{FULLWIDTH LATIN CAPITAL LETTER A}da \n Lovelace ").cleaned_data["name"]
            == "Ada Lovelace"
        )

    @pytest.mark.parametrize(
        "name", ["Grace", "grace", " GRACE ", "\N{FULLWIDTH LATIN CAPITAL LETTER G}race"]
    )
    def test_keeps_a_members_name_from_visitors(self, member, name):
        assert list(check(name=name).errors) == ["name"]

    @pytest.mark.parametrize("name", ["می\u200cکند", "क्\u200dष", "\U0001f469\u200d\U0001f680"])
    def test_keeps_joiners_where_a_name_needs_them(self, name):
        assert check(name=name).cleaned_data["name"] == name

    def test_a_joiner_makes_no_other_name(self, django_user_model):
        django_user_model.objects.create_user("علی")
        assert list(check(name="عل\u200cی").errors) == ["name"]

    def test_knows_the_case_of_other_letters(self, django_user_model):
        django_user_model.objects.create_user("éva")
        assert list(check(name="Éva").errors) == ["name"]

    def test_a_member_has_their_own_name(self, member):
        assert check(user=member, name="Ada").cleaned_data["name"] == "Grace"

    def test_a_members_name_may_be_long(self, django_user_model):
        user = django_user_model.objects.create_user("x" * 150)
        assert check(user=user).cleaned_data["name"] == "x" * 150


class TestRoomForm:
    @pytest.mark.parametrize(
        ("entered", "slug"),
        [
            ("lobby", "lobby"),
            ("Coffee break!", "coffee-break"),
            ("Café", "café"),
            (" Моя кухня ", "моя-кухня"),
        ],
    )
    def test_makes_a_slug(self, entered, slug):
        form = RoomForm({"room": entered})
        assert form.is_valid()
        assert form.cleaned_data["room"] == slug

    @pytest.mark.parametrize("entered", ["", "  ", "!!!", "\u200d", "x" * 51])
    def test_refuses(self, entered):
        assert list(RoomForm({"room": entered}).errors) == ["room"]
