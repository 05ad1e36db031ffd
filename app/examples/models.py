"""What the examples store."""

from django.db import models


class Minutes(models.Model):
    """The minutes of a meeting, which those who are there write together."""

    title = models.CharField(max_length=80)
    date = models.DateField(null=True, blank=True)
    people = models.PositiveSmallIntegerField("number of people", null=True, blank=True)
    text = models.TextField(max_length=2000, blank=True)

    class Meta:
        verbose_name_plural = "minutes"

    def __str__(self) -> str:
        return self.title
