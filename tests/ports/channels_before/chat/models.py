from django.conf import settings
from django.db import models


class Mute(models.Model):
    """``user`` does not want to read what ``muted`` says."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="mutes")
    muted = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
