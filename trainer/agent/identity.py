"""Who a trainer is: its name, its host, and who holds it to which memory limit."""

from __future__ import annotations

import uuid
from importlib.metadata import version

from common.host import ControlGroup, host_identity
from common.protocol.trainers import LimitKind, TrainerHello

NEAR = 1.25
"""A cgroup limit up to so many times the trainer's own is meant for it; a larger one is for others too."""


def introduce(name: str, memory_limit_bytes: int, group: ControlGroup) -> TrainerHello:
    """Say who this process is, and who holds it to which memory limit.

    Parameters
    ----------
    name : str
        Unique among live trainers, the same after a restart.
    memory_limit_bytes : int
        What a job may take by configuration; a smaller limit of the cgroup wins.
    group : ControlGroup
        The control group of this process.
    """
    limit = group.memory_limit_bytes()
    by_kernel = limit is not None and limit <= memory_limit_bytes * NEAR
    return TrainerHello(
        name=name,
        boot_id=uuid.uuid4().hex,
        host=host_identity(),
        limit_kind=LimitKind.CGROUP if by_kernel else LimitKind.AGENT,
        memory_limit_bytes=min(memory_limit_bytes, limit or memory_limit_bytes),
        version=version("nighttrain"),
    )
