import pytest

from common.host import ControlGroup
from common.protocol.trainers import LimitKind
from trainer.agent.identity import introduce

GIB = 1024**3


class Group(ControlGroup):
    def __init__(self, limit: int | None) -> None:
        super().__init__()
        object.__setattr__(self, "limit", limit)

    def memory_limit_bytes(self) -> int | None:
        return self.limit


@pytest.mark.parametrize(
    ("group_gib", "own_gib", "kind", "reported_gib"),
    [
        (None, 2, LimitKind.AGENT, 2),
        (64, 2, LimitKind.AGENT, 2),
        (2.5, 2, LimitKind.CGROUP, 2),
        (2, 2, LimitKind.CGROUP, 2),
        (1, 2, LimitKind.CGROUP, 1),
    ],
)
def test_a_small_cgroup_limit_is_the_trainers_and_a_large_one_is_not(
    group_gib, own_gib, kind, reported_gib
) -> None:
    hello = introduce("t1", own_gib * GIB, Group(None if group_gib is None else int(group_gib * GIB)))
    assert (hello.limit_kind, hello.memory_limit_bytes) == (kind, reported_gib * GIB)


def test_each_start_has_a_boot_id_of_its_own() -> None:
    ids = {introduce("t1", GIB, ControlGroup()).boot_id for _ in range(100)}
    assert len(ids) == 100
