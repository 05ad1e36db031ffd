from django.db import transaction
from django.test import TestCase, TransactionTestCase

from django_websocket.pubsub.commits import on_commit, run_as_if_committed


class WithinATest(TestCase):
    def setUp(self):
        self.calls = []

    def call_later(self, name="call"):
        on_commit(lambda: self.calls.append(name), None)

    def test_it_is_called_once(self):
        with self.captureOnCommitCallbacks(execute=True):
            self.call_later()
            run_as_if_committed()
            run_as_if_committed()
        assert self.calls == ["call"]

    def test_a_block_that_is_open_is_waited_for(self):
        with transaction.atomic():
            self.call_later()
            run_as_if_committed()
            assert self.calls == []
        run_as_if_committed()
        assert self.calls == ["call"]

    def test_what_is_rolled_back_is_not_called(self):
        with transaction.atomic():
            self.call_later()
            transaction.set_rollback(True)
        run_as_if_committed()
        assert self.calls == []

    def test_callbacks_of_others_are_left_alone(self):
        transaction.on_commit(lambda: self.calls.append("other"))
        run_as_if_committed()
        assert self.calls == []


class WithTransactions(TransactionTestCase):
    def test_a_transaction_of_the_test_s_own_is_waited_for(self):
        calls = []
        with transaction.atomic():
            on_commit(lambda: calls.append("call"), None)
            run_as_if_committed()
            assert calls == []
        assert calls == ["call"]

    def test_its_error_is_in_the_log(self):
        def fail():
            raise ValueError("the reason")

        with self.assertLogs("django.db.backends.base", "ERROR") as logs, transaction.atomic():
            on_commit(fail, None)
        assert "the reason" in logs.output[0]
