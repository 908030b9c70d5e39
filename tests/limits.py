"""Limits for a child process: no rights of root, no room on the disk. For `preexec_fn=` of subprocess."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

_PR_CAPBSET_DROP = 24
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2


def drop_privileges() -> None:
    """Make the modes of files hold from here on, for root as for anyone."""
    if sys.platform == "linux" and os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
            if libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "cannot give up a capability")


@cache
def can_be_powerless() -> bool:
    """Return whether a child of this process can be refused a file by its mode."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "file"
        file.touch(mode=0)
        try:
            return subprocess.run(["cat", file], preexec_fn=drop_privileges, capture_output=True, check=False).returncode != 0
        except subprocess.SubprocessError:
            return False


@cache
def can_mount() -> bool:
    """Return whether a child may mount file systems that nobody else sees."""
    try:
        result = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False)
    except OSError:
        return False
    return result.returncode == 0


def limit_file_size(size: int) -> Callable[[], None]:
    """Return a function that lets no file grow beyond so many bytes, as on a disk that is full."""
    return partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
