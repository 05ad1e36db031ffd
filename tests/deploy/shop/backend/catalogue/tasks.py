from celery import shared_task
from django_websocket import publish

from .models import Product, Shift


@shared_task
def count_stock():
    """Beat sends it, a worker runs it."""
    Shift.record("worker")


@shared_task
def confirm(name):
    stock = Product.objects.get(name=name).stock
    publish("stock", {"confirmed": name, "stock": stock})
