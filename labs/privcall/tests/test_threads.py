"""Stage 4: threads that are in ring 2 at once, and what is left of each when it has ended."""

from __future__ import annotations

from itertools import pairwise

from demands import (
    come_to,
    expect_ends,
    finish,
)
from privuser import (
    KBASE,
    PAGE,
    PAGE_FAULT,
    PRIVUSER_END,
    PRIVUSER_STACK_SIZE,
    PRIVUSER_START,
    drawn_bytes,
    expect_fault_lines,
    expect_out_of_reach,
)

from grader.machine.diagnosis import fault_lines
from grader.testing.boots import Boots
from grader.testing.kernel_error import fault_status
from grader.testing.message import must
from grader.testing.plugin import graded


@graded(
    stage=4,
    points=3,
    handout="threads",
    usually="all threads of a process have one stack in ring 2, or share its buffers",
    schedules=True,
)
def test_threads_meet_in_ring_2_undisturbed(boot: Boots) -> None:
    """Four threads, then 24, are in ring 2 at once, each on a stack and with buffers of its own."""
    machine = boot("threads", role="meet", guest_seconds=6)
    stacks = []
    for _ in range(4):
        come_to(machine, "threads_inside", "threads", "the function of each of four threads' privcalls")
        now, task = machine.registers(), machine.tss()
        must(now.cpl, 2, "the function that a thread's privcall names runs in ring")
        found = machine.walk(now.esp)
        assert found.present and not found.user, (
            f"a thread in ring 2 is on a stack that is not there, or ring 3's: {found}"
        )
        where = f"ESP is {now.esp:#010x}, and ESP2 in the TSS {task.esp2:#010x}"
        inside = PRIVUSER_START <= now.esp < task.esp2 <= PRIVUSER_END
        assert inside, f"a thread in ring 2 is not on a stack in PrivUser that ends at ESP2: {where}"
        stacks.append(now.esp)
    expect_out_of_reach(machine)
    stacks.sort()
    gaps = [upper - lower for lower, upper in pairwise(stacks)]
    near = f"two of four threads that are in ring 2 at once have stacks that are only {min(gaps)} bytes apart"
    assert min(gaps) >= PRIVUSER_STACK_SIZE, near
    report = finish(machine, "the return of all threads that met in ring 2")
    for key, count in (("four", 4), ("crowd", 24)):
        right = report[key]
        clause = f"{count} threads were in ring 2 at once, each with words on its stack and with IN and OUT buffers"
        assert right == count, f"{clause}; only {right} found those undisturbed, and got what they had computed"


@graded(
    stage=4,
    points=1,
    handout="threads",
    usually="a thread's stack in ring 2 is not given back when it ends",
    schedules=True,
)
def test_eighty_threads_one_after_the_other_can_call(boot: Boots, seed: int) -> None:
    """Every new thread gets a stack in ring 2, however many there were before; none is left when they have ended, nor
    what was on it.
    """
    secret = drawn_bytes(seed, 32)
    machine = boot("threads", role="many", memory_mb=8, guest_seconds=4)
    come_to(machine, "threads_inside", "threads", "the function that a thread's privcall names")
    esp = machine.registers().esp
    places = [esp - 1024, esp - 1024 - PAGE]  # both pages: one may become a page table, which is cleared
    frames = {machine.walk(place & -PAGE).physical for place in places}
    for place in places:
        machine.write_virtual(place, secret)
    come_to(machine, "look_here", "threads", "the end of a thread that made a privcall")
    left = [page for page in machine.mappings(end=KBASE) if page.physical in frames and page.user]
    kept = not any(secret in machine.read_physical(page.physical, PAGE) for page in left)
    come_to(machine, "look_here", "threads", "the end of a thread that made a privcall")
    before = machine.mappings(start=PRIVUSER_START, end=PRIVUSER_END)
    come_to(machine, "look_here", "threads", "the end of 80 threads, one after the other, that made a privcall each")
    after = machine.mappings(start=PRIVUSER_START, end=PRIVUSER_END)
    report = finish(machine, "the end of a program that had 80 threads")
    assert kept, "what an ended thread had on its stack in ring 2 lies in a page that memory_map gave to ring 3"
    must(report["right"], 80, "of 80 threads, one after the other, the number whose privcall returned its result is")
    more = len(after) - len(before)
    assert more <= 0, (
        f"after 80 threads have made a privcall each and ended, PrivUser has {more} more pages than after one"
    )


@graded(
    stage=4,
    points=1,
    handout="threads",
    usually="a fault of one thread in ring 2 leaves the others running, or panics",
    schedules=True,
)
def test_a_fault_of_a_thread_in_ring_2_ends_its_process(boot: Boots) -> None:
    """When one thread faults in ring 2, its whole process ends with that exception, and no other process does."""
    machine = boot("threads", role="fault")
    report = finish(machine, "the end of a process one of whose threads faults in ring 2")
    clause = "a process with two threads in ring 2, of which the second executed UD2 there, ended"
    expect_ends(report, clause, {"ended": fault_status(6)})
    ring_2, ring_3 = machine.serial.split(b"probe ended=")
    expect_fault_lines(ring_2, "threads", [(6, "invalid opcode")])
    must(
        len(fault_lines(ring_3)),
        1,
        "of a fault in ring 3, the number of lines on the console with address and error code is",
    )
    for when in ("before", "after"):
        clause = f"{when} a fault in another process's ring 2, a privcall that doubles its argument returned"
        must(report[when], machine.nonce // 4 * 2, clause)
    expect_ends(report, "a process in ring 3 that read PrivUser's code ended", {"in-ring-3": PAGE_FAULT})
