import threading

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from django_websocket.testing.database import lend, use


def in_a_thread(function, lent):
    found = []

    def run():
        with use(lent):
            found.append(function())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.django_db
def test_another_thread_is_in_the_same_transaction():
    User.objects.create_user("ada")

    def work():
        with transaction.atomic():
            User.objects.create_user("grace")
        return User.objects.count()

    assert in_a_thread(work, lend()) == 2
    assert User.objects.count() == 2


@pytest.mark.django_db
def test_what_it_rolls_back_is_its_savepoint_s():
    def work():
        with transaction.atomic():
            User.objects.create_user("grace")
            transaction.set_rollback(True)
        return User.objects.count()

    assert in_a_thread(work, lend()) == 0
    assert connection.in_atomic_block
    assert not connection.needs_rollback


@pytest.mark.django_db
def test_what_a_project_keeps_on_the_connection_is_each_one_s():
    connection.tenant = "acme"
    try:
        lent = lend()

        def work():
            found = connection.tenant
            connection.tenant = "globex"
            return found

        assert in_a_thread(work, lent) == "acme"
        assert connection.tenant == "acme"
    finally:
        del connection.tenant


@pytest.mark.django_db
def test_afterwards_the_thread_may_use_it_no_longer():
    lent = lend()
    in_a_thread(lambda: None, lent)
    assert not connection.allow_thread_sharing
