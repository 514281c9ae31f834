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


# What Linux 6.18 shows in a virtual machine with both versions, memory and cpu in v1 (taken from one).
BOTH_MOUNTS = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
BOTH_GROUPS = "9:name=systemd:/\n8:pids:/\n4:memory:/api/d069\n3:cpuset:/\n2:cpuacct:/\n1:cpu:/\n0::/\n"
BOTH_V2_CPU_STAT = """\
usage_usec 64843971715
user_usec 57857243589
system_usec 6986728126
nice_usec 15138096217
"""
# What a container with a namespace of its own sees on a host that has v2 alone. No such host was at hand:
# names, order and form are as in the kernel's Documentation/admin-guide/cgroup-v2.rst. Figures are made up.
V2_CONTAINER_MOUNTS = """\
480 470 0:59 / / rw,relatime master:300 - overlay overlay rw,lowerdir=/l,upperdir=/u,workdir=/w
486 480 0:63 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro
487 486 0:30 / /sys/fs/cgroup ro,nosuid,nodev,noexec - cgroup2 cgroup rw,nsdelegate,memory_recursiveprot
"""
V2_CONTAINER = {
    "cgroup.controllers": "cpuset cpu io memory hugetlb pids rdma misc\n",
    "cpu.max": "150000 100000\n",
    "cpu.stat": "usage_usec 9500000\nuser_usec 8000000\nsystem_usec 1500000\ncore_sched.force_idle_usec 0\n"
    "nr_periods 120\nnr_throttled 10\nthrottled_usec 250000\nnr_bursts 0\nburst_usec 0\n",
    "memory.max": "1610612736\n",
    "memory.high": "max\n",
    "memory.current": "734003200\n",
    "memory.peak": "1073741824\n",
    "memory.swap.max": "0\n",
    "memory.events": "low 0\nhigh 0\nmax 41\noom 2\noom_kill 1\noom_group_kill 0\n",
    "memory.events.local": "low 0\nhigh 0\nmax 41\noom 2\noom_kill 1\noom_group_kill 0\n",
    "memory.stat": "anon 503316480\nfile 209715200\nkernel 20971520\nkernel_stack 1048576\n"
    "pagetables 4194304\nsec_pagetables 0\npercpu 72000\nsock 0\nvmalloc 0\nshmem 52428800\nzswap 0\n"
    "zswapped 0\nfile_mapped 104857600\nfile_dirty 10485760\nfile_writeback 0\nswapcached 0\nanon_thp 0\n"
    "file_thp 0\nshmem_thp 0\ninactive_anon 540016640\nactive_anon 15728640\ninactive_file 94371840\n"
    "active_file 62914560\nunevictable 0\nslab_reclaimable 8388608\nslab_unreclaimable 4194304\n"
    "slab 12582912\nworkingset_refault_anon 0\nworkingset_refault_file 1200\npgfault 700000\npgmajfault 90\n",
}
