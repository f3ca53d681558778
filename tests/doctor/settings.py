"""The settings, with a folder of the test's own for what a bot leaves on its machine."""

import os
from pathlib import Path

from config.settings import *  # noqa: F403

LOCAL = Path(os.environ["TEST_LOCAL"])
CELERY_BEAT_SCHEDULE_FILENAME = str(LOCAL / "beat-schedule")
