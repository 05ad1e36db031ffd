"""The documentation's way: the app, and ``ELASTIC_APM``. It puts its middleware in front."""

import os

from .settings import *  # noqa: F403

INSTALLED_APPS = ["elasticapm.contrib.django", *INSTALLED_APPS]  # noqa: F405
ELASTIC_APM = {
    "SERVICE_NAME": "company",
    "SERVER_URL": os.environ["ELASTIC_SINK"],
    "DJANGO_TRANSACTION_NAME_FROM_ROUTE": True,
    # Ask no cloud for this machine's name.
    "CLOUD_PROVIDER": "none",
    # How long what it has noted may wait until it is sent.
    "API_REQUEST_TIME": "1s",
}
