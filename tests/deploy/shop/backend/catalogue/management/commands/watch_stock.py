import signal
import threading

from django.core.management.base import BaseCommand
from django.db import close_old_connections
from django_websocket import publish

from catalogue.models import Product, Shift


class Command(BaseCommand):
    help = "Look every second for products that are running out, and say so on every open page."

    def handle(self, **options):
        leaves = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: leaves.set())
        while not leaves.wait(1):
            close_old_connections()
            Shift.record("watcher")
            for product in Product.objects.filter(stock=1):
                publish("stock", {"last": product.name})
        self.stdout.write("The watcher goes home.")
