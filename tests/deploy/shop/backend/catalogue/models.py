from django.conf import settings
from django.db import models
from django.utils import timezone

from config import VERSION


class Product(models.Model):
    name = models.CharField(max_length=50, unique=True)
    stock = models.PositiveIntegerField(default=0)
    leaflet = models.FileField(upload_to="leaflets", blank=True)

    def __str__(self):
        return f"{self.name}: {self.stock}"


class Shift(models.Model):
    """Who works behind the counter, in which branch, and which version of the shop they run."""

    role = models.CharField(max_length=20, primary_key=True)
    branch = models.CharField(max_length=20, blank=True)
    version = models.CharField(max_length=20)
    tasks = models.PositiveIntegerField(default=0)
    latest = models.DateTimeField()

    def __str__(self):
        return f"{self.role} on version {self.version}"

    @classmethod
    def record(cls, role):
        values = {"branch": settings.BRANCH, "version": VERSION, "latest": timezone.now()}
        shift, _ = cls.objects.update_or_create(role=role, defaults=values)
        cls.objects.filter(pk=shift.pk).update(tasks=models.F("tasks") + 1)
