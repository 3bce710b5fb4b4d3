"""Rationales: the record that teachers share, teachers, files of them, filters."""

from cotnb.rationales.files import from_file, teacher_file, teacher_rationales
from cotnb.rationales.filters import (
    by_teacher,
    keep_correct,
    keep_distinct,
    keep_verified,
    match,
    match_by_style,
)
from cotnb.rationales.generator import from_generator
from cotnb.rationales.record import Rationale

__all__ = [
    "Rationale",
    "by_teacher",
    "from_file",
    "from_generator",
    "keep_correct",
    "keep_distinct",
    "keep_verified",
    "match",
    "match_by_style",
    "teacher_file",
    "teacher_rationales",
]
