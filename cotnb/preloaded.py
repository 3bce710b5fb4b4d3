"""What kernels find imported already; nothing here may start a thread or touch a GPU.

See `kernels.ForkedProvisioner`.
"""

import os

# before matplotlib is imported, as a kernel does
os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")

import datasets  # noqa: F401
import ipykernel.kernelapp  # noqa: F401
import seaborn  # noqa: F401
from transformers import LlamaForCausalLM, T5ForConditionalGeneration  # noqa: F401

import cotnb.experiment
import cotnb.report
import cotnb.training  # noqa: F401
