"""The other test project's settings, but for what ``NEIGHBOURS`` says as JSON."""

import json
import os

from support.site.settings import *  # noqa: F403

ROOT_URLCONF = "support.neighbours.urls"
WEBSOCKET_URLCONF = "support.neighbours.websocket_urls"
globals().update(json.loads(os.environ.get("NEIGHBOURS", "{}")))
