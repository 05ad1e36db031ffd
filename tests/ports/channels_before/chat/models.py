from django.conf import settings
from django.db import models

USER = settings.AUTH_USER_MODEL


class Mute(models.Model):
    """``user`` does not want to read what ``muted`` says."""

    user = models.ForeignKey(USER, models.CASCADE, related_name="mutes")
    muted = models.ForeignKey(USER, models.CASCADE, related_name="+")
