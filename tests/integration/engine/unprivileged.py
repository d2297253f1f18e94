"""Runs a command without root's right to pass over file modes: ``unprivileged.py COMMAND WORD …``.

A test that makes a file read-only means what it says then, whoever runs it. Only root on Linux needs it.
"""

from __future__ import annotations

import ctypes
import os
import sys

_PR_CAPBSET_DROP = 24
_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2


def main(command: list[str]) -> None:
    """Give the rights up for whatever this process becomes, and become `command`."""
    if os.geteuid() == 0:
        library = ctypes.CDLL(None, use_errno=True)
        for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
            if library.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                raise OSError(ctypes.get_errno(), "the rights of root cannot be given up")
    os.execv(command[0], command)  # noqa: S606 - the command of a test


if __name__ == "__main__":
    main(sys.argv[1:])
