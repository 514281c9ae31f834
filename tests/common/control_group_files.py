"""The files of control groups as kernels write them, in a folder of their own."""

from __future__ import annotations

from pathlib import Path

from common.host import ControlGroup, control_group

GIB = 1024**3
NO_LIMIT_V1 = "9223372036854771712"
V2_MOUNTS = "31 24 0:26 / /sys/fs/cgroup rw,nosuid,nodev shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNTS = """\
24 1 0:22 / /proc rw - proc proc rw
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""
# Of 110 MB of page cache 10 MB are in a tmpfs, which the file lists leave out, and 10 MB are not written yet.
STAT_V2 = """\
anon 200000000
file 110000000
shmem 10000000
file_mapped 60000000
file_dirty 7000000
file_writeback 3000000
inactive_anon 190000000
active_anon 20000000
inactive_file 30000000
active_file 70000000
unevictable 0
"""
STAT_V1 = """\
cache 1
active_file 2
dirty 3
total_cache 110000000
total_shmem 10000000
total_dirty 7000000
total_writeback 3000000
total_inactive_file 30000000
total_active_file 70000000
"""


class Machine:
    """A tree of files as the kernel shows them."""

    def __init__(self, root: Path, mounts: str, groups: str) -> None:
        self.root = root
        self.proc = root / "proc" / "self"
        self.write("proc/self/mountinfo", mounts)
        self.write("proc/self/cgroup", groups)

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    @property
    def group(self) -> ControlGroup:
        return control_group(self.proc, self.root)
