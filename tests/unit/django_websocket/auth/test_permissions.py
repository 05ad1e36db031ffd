"""How processes tell each other is in test_sessions.py."""

import json

import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission, User

from django_websocket.auth.permissions import Change, holds

pytestmark = pytest.mark.django_db

NEEDED = ("auth.view_user",)


@pytest.fixture
def users():
    return [User.objects.create_user(name) for name in ("Ada", "Grace", "Linus")]


@pytest.fixture
def view():
    return Permission.objects.get(codename="view_user")


def passed_on(change):
    """What another process makes of it."""
    return Change.from_event(json.loads(json.dumps(change.as_event())))


def test_a_change_concerns_its_users(users):
    pks = {user.pk for user in users}
    change = passed_on(Change.of_users([users[0].pk, users[1].pk, 10**9]))
    assert change.concerned(pks) == {users[0].pk, users[1].pk}
    assert change.concerned({users[2].pk}) == set()


def test_a_change_of_a_group_concerns_its_members(users, django_assert_num_queries):
    group = Group.objects.create(name="readers")
    group.user_set.add(users[1])
    through = Group.permissions.through
    change = passed_on(Change.of_relation(through, group, None, reverse=False))
    with django_assert_num_queries(1):
        assert change.concerned({user.pk for user in users}) == {users[1].pk}


def test_a_change_without_names_concerns_everyone(users, django_assert_num_queries):
    pks = {user.pk for user in users}
    with django_assert_num_queries(0):
        for change in (Change(), Change.of_users([]), Change.of_users(range(10_000))):
            assert passed_on(change).concerned(pks) == pks


@pytest.mark.parametrize(
    ("relation", "pks", "reverse", "expected"),
    [
        (User.user_permissions, {7}, False, Change(users=["1"])),
        (User.user_permissions, None, False, Change(users=["1"])),
        (User.user_permissions, {7, 8}, True, Change(users=["7", "8"])),
        (User.user_permissions, None, True, Change(users=[])),
        (User.groups, {7}, False, Change(users=["1"])),
        (User.groups, {7}, True, Change(users=["7"])),
        (Group.permissions, {7}, False, Change(groups=["1"])),
        (Group.permissions, {7}, True, Change(groups=["7"])),
        (Group.permissions, None, True, Change(groups=[])),
    ],
)
def test_a_relation_has_an_owner_on_one_side(relation, pks, reverse, expected):
    owner = User(pk=1)
    assert Change.of_relation(relation.through, owner, pks, reverse=reverse) == expected


def test_what_a_user_may_is_read_anew(users, view):
    user = users[0]
    user.user_permissions.add(view)
    assert user.has_perms(NEEDED)
    assert holds(user, NEEDED)
    user.user_permissions.remove(view)
    assert user.has_perms(NEEDED)  # as it was when it was first asked
    assert not holds(user, NEEDED)


def test_who_is_deleted_inactive_or_nobody_may_nothing(users, view):
    deleted, inactive, _ = users
    for user in (deleted, inactive):
        user.user_permissions.add(view)
    User.objects.filter(pk=inactive.pk).update(is_active=False)
    User.objects.filter(pk=deleted.pk).delete()
    for user in (deleted, inactive, AnonymousUser()):
        assert not holds(user, NEEDED)
