"""The documentation's way: ``init()`` in the settings. The Django integration turns itself on."""

import os

import sentry_sdk

from .settings import *  # noqa: F403

sentry_sdk.init(os.environ["SENTRY_SINK"], traces_sample_rate=1.0, send_default_pii=True)
