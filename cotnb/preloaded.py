"""What kernels find imported already; nothing here may start a thread or touch a GPU.

See `kernels.ForkedProvisioner`.
"""

import logging
import os
import sys

# before matplotlib is imported, as a kernel does
os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")

import datasets  # noqa: F401
import ipykernel.kernelapp  # noqa: F401
import seaborn  # noqa: F401
from transformers import LlamaForCausalLM, T5ForConditionalGeneration  # noqa: F401

import cotnb.experiment
import cotnb.results.report
import cotnb.training.tuning  # noqa: F401


class _Stderr:
    """sys.stderr as it is when something is written: a kernel puts its own there."""

    def __getattr__(self, name: str):
        return getattr(sys.stderr, name)


for _name in (None, "transformers", "datasets"):
    for _handler in logging.getLogger(_name).handlers:
        if isinstance(_handler, logging.StreamHandler):
            _handler.setStream(_Stderr())
