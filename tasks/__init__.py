"""What a picture is restored from. A new task is one file and one line in ``choosing.py``, or an
entry point ``palette.tasks`` of another package."""

from palette.tasks.choosing import TASKS, available
from palette.tasks.generalist import Generalist, trainable

__all__ = ["TASKS", "Generalist", "available", "trainable"]
