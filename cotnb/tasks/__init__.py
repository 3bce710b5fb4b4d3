"""Tasks: questions with exact answers, and where they have them exact steps."""

from cotnb.tasks.example import ANSWER_TYPES, Example
from cotnb.tasks.registry import load_task, task_list, task_names

__all__ = ["ANSWER_TYPES", "Example", "load_task", "task_list", "task_names"]
