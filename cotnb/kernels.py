"""Kernels of a batch: this interpreter's own, over sockets that never collide.

A notebook spends its first seconds importing torch and transformers. A long batch does
that once, in a server process that does nothing else, and forks kernels from it.
"""

import atexit
import contextlib
import itertools
import multiprocessing
import multiprocessing.util  # its exit waits for children; ours, set later, is first
import os
import signal
import tempfile
import threading
from functools import partial
from pathlib import Path

from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

from cotnb.cores import threads_wanted

LONGEST_FOLDER = 80  # sockets lie in it, and systems allow their paths 104 bytes
FORKED = "cotnb-forked"  # as pyproject.toml names ForkedProvisioner
QUIET = "--log-level=CRITICAL"  # ending one is an interrupt, which it would tell
STARTED_ANEW = 2  # kernels of this process, before the others are forked
_started = itertools.count()


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
                self.own_spec = KernelSpec(
                    **{**get_kernel_dict([QUIET]), "metadata": _how_to_start()}
                )

            @property
            def kernel_spec(self):
                return self.own_spec

            async def _async_post_start_kernel(self, **settings):
                await super()._async_post_start_kernel(**settings)
                started.append(self.provisioner.pid)

            post_start_kernel = _async_post_start_kernel

        # whoever is stopped would else wait at its exit for what it forked
        end = partial(kill, started)
        atexit.register(end)
        try:
            yield BatchKernelManager, started
        finally:  # later a process id may be another's
            atexit.unregister(end)


def _how_to_start() -> dict:
    """As a new process; from the third on by a fork, where that can be.

    The server takes as long to start as a notebook's imports: few runs gain nothing.
    """
    many = next(_started) >= STARTED_ANEW
    can = "forkserver" in multiprocessing.get_all_start_methods()
    may = not multiprocessing.current_process().daemon  # which can have no children
    if not (many and can and may) or len(tempfile.gettempdir()) > LONGEST_FOLDER - 40:
        return {}
    return {"kernel_provisioner": {"provisioner_name": FORKED}}


class ForkedProvisioner(LocalProvisioner):
    """Starts a kernel as a fork of a process that has imported `cotnb.preloaded`."""

    async def launch_kernel(self, cmd, **settings):
        server = multiprocessing.get_context("forkserver")
        server.set_forkserver_preload(["cotnb.preloaded"])
        process = server.Process(
            target=_be_a_kernel,
            args=(cmd[cmd.index("-f") + 1], dict(settings["env"]), settings.get("cwd")),
        )
        process.start()
        self.process, self.pid, self.pgid = _Popen(process), process.pid, process.pid
        return self.connection_info


class _Popen:
    """A multiprocessing.Process in the words of subprocess.Popen."""

    stdin = stdout = stderr = None

    def __init__(self, process):
        self.process, self.pid = process, process.pid

    def poll(self) -> int | None:
        return self.process.exitcode

    def wait(self) -> int | None:
        self.process.join()
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        if self.process.exitcode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _be_a_kernel(connection_file: str, env: dict, folder: str | None) -> None:
    """What a fork does: become a kernel, as a process started anew would."""
    import sys

    import torch
    from ipykernel.kernelapp import launch_new_instance

    os.setsid()  # a group of its own, to be ended with what it starts
    os.environ.clear()
    os.environ.update(env)
    if folder:
        os.chdir(folder)
    torch.set_num_threads(threads_wanted(env))
    # the server outlives a killed batch while it has kernels, so it is no use to watch
    threading.Thread(target=_end_with_the_batch, daemon=True).start()
    parent = f"--IPKernelApp.parent_handle={os.getppid()}"
    sys.argv = ["ipykernel_launcher", "-f", connection_file, parent, QUIET]
    launch_new_instance(argv=sys.argv[1:])


def _end_with_the_batch() -> None:
    multiprocessing.parent_process().join()
    os.killpg(0, signal.SIGKILL)


def kill(started: list[int]) -> None:
    """End the kernels with these process ids, and what they started."""
    for pid in started:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getpgid(pid) == pid:
                os.killpg(pid, signal.SIGKILL)
            else:  # just forked, not yet a group of its own
                os.kill(pid, signal.SIGKILL)
