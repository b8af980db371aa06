"""What the whole machine does."""

import os
import pathlib


def cpu_seconds():
    """What both cores have spent so far, idle and waiting for I/O left out."""
    user, nice, system, _idle, _wait, irq, softirq = map(int, pathlib.Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
