"""Kernels of a batch: this interpreter's own, over sockets that never collide."""

import contextlib
import os
import signal
import tempfile
from pathlib import Path

from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

LONGEST_FOLDER = 80  # sockets lie in it, and systems allow their paths 104 bytes


@contextlib.contextmanager
def ipc_kernels():
    """A kernel manager class for one run, and the process ids of what it starts.

    The kernel runs the interpreter that runs us, whatever kernels are installed, and
    talks over ipc sockets in a folder of its own, as ports picked by several kernels
    at once may collide. Yields (class, list of process ids).
    """
    started: list[int] = []
    place = tempfile.gettempdir()
    with tempfile.TemporaryDirectory(
        prefix="cotnb-", dir=place if len(place) <= LONGEST_FOLDER - 15 else "/tmp"
    ) as folder:

        class BatchKernelManager(AsyncKernelManager):
            def __init__(self, **settings):
                super().__init__(**settings)
                self.transport = "ipc"
                self.connection_file = str(Path(folder) / "kernel.json")

            @property
            def kernel_spec(self):
                return KernelSpec(**get_kernel_dict())

            async def _async_post_start_kernel(self, **settings):
                await super()._async_post_start_kernel(**settings)
                started.append(self.provisioner.pid)

            post_start_kernel = _async_post_start_kernel

        yield BatchKernelManager, started


def kill(started: list[int]) -> None:
    """End the kernels with these process ids, and what they started."""
    for pid in started:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(os.getpgid(pid), signal.SIGKILL)
