"""What is told to the C library and to the interpreter, each in a process of its own: it is for good."""

from __future__ import annotations

import subprocess
import sys


def said_by(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


HEAPS = """
import ctypes, tempfile, threading
from hub.running.memory import share_memory

{first}
c = ctypes.CDLL(None)
c.malloc.restype, c.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
together = threading.Barrier(4)

def take():
    together.wait()
    for _ in range(1000):
        c.malloc(1000)
    together.wait()

threads = [threading.Thread(target=take) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
c.fopen.restype, c.fclose.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
c.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
with tempfile.NamedTemporaryFile() as file:
    out = c.fopen(file.name.encode(), b"w")
    c.malloc_info(0, out)
    c.fclose(out)
    print(file.read().count(b"<heap "))
"""


def test_all_threads_share_one_heap() -> None:
    assert int(said_by(HEAPS.format(first=""))) > 1  # else this would show nothing
    assert int(said_by(HEAPS.format(first="share_memory()"))) == 1


GARBAGE = """
import gc, weakref
from hub.running.memory import give_back_memory

class Node:
    pass

def ring():
    one, other = Node(), Node()
    one.other, other.other = other, one
    return weakref.ref(one)

gc.disable()
before = ring()
give_back_memory()
after = ring()
print(before() is None, after() is None)
gc.collect()
print(after() is None)
"""


def test_what_the_start_left_behind_is_gone_and_what_comes_later_goes_too() -> None:
    assert said_by(GARBAGE).splitlines() == ["True False", "True"]


LOOKED_THROUGH = """
import gc
import hub.configuration.file
from hub.running.memory import give_back_memory

gc.disable()
give_back_memory()
print(len(gc.get_objects()), gc.get_freeze_count())
"""


def test_the_collector_no_longer_looks_through_what_the_start_made() -> None:
    looked_through, left_alone = map(int, said_by(LOOKED_THROUGH).split())
    assert looked_through < left_alone / 10
