"""System calls: a wrong pointer costs its owner an error and nobody anything else."""

from grader.machine.witness import BOTH
from grader.testing.boots import Boots
from grader.testing.plugin import graded

E_FAULT, E_NO_CALL = -2, -10

CALLS = [
    "spawn-name",
    "spawn-argument",
    "create-name",
    "read-name",
    "delete-name",
    "parameter-key",
    "write",
    "read",
    "create-data",
    "read-buffer",
    "list-files",
    "list-processes",
    "parameter-value",
    "wait-status",
]
READ_ONLY = ["ro-read", "ro-read-file", "ro-list", "ro-parameter"]


@graded(
    stage=3,
    points=5,
    handout="system-calls",
    usually="only the first byte is checked, or a sum wraps around",
    witnesses=BOTH,
)
def test_wrong_pointers_are_refused_and_right_ones_are_not(boot: Boots) -> None:
    """Null, the kernel's memory, a range that wraps or has a hole: each is E_FAULT, and a right pointer works."""
    machine = boot("pointers", guest_seconds=4)
    report = machine.finish()
    # One hexadecimal digit for each wrong pointer of the probe's table, the first one rightmost: 0 is right.
    assert {name: f"{report[name]:x}" for name in CALLS} == dict.fromkeys(CALLS, "0")
    assert {name: report.signed(name) for name in READ_ONLY} == dict.fromkeys(READ_ONLY, E_FAULT)
    assert (report["ro-intact"], report["ro-write"]) == (1, 0)
    assert report["right-write"] == len("right\n") and b"right\n" in machine.serial
    assert report["right-parameter"] == len(str(machine.nonce))
    assert (report["right-list"], report["right-pid"]) == (1, 1)
    assert (report["right-wait"], report["right-status"]) == (1, 42)
    assert (report.signed("unknown-call"), report.signed("unknown-huge")) == (E_NO_CALL, E_NO_CALL)


@graded(
    stage=3,
    points=1,
    handout="system-calls",
    usually="the result is not where the program's EAX is restored from",
    witnesses=BOTH,
)
def test_a_system_call_changes_eax_alone(boot: Boots) -> None:
    """EAX has the result after INT 0x80, and every other register, flag and selector is as it was."""
    machine = boot("quiet", ticks=1)
    machine.run_to("isr_128")
    inside = machine.registers()
    frame = [machine.read_u32(inside.esp + 4 * index) for index in range(5)]
    eip, _, eflags, esp, _ = frame
    machine.run_to(eip)
    after = machine.registers()
    kept = ("ebx", "ecx", "edx", "esi", "edi", "ebp")
    assert {name: getattr(after, name) for name in kept} == {name: getattr(inside, name) for name in kept}
    assert (after.esp, after.eflags, after.cpl) == (esp, eflags, 3)
    assert all(getattr(after, name).selector == 0x23 for name in ("ds", "es", "fs", "gs", "ss"))
    assert after.eax == 0


@graded(stage=3, points=1, handout="system-calls", usually="the direction flag is not cleared on entry", witnesses=BOTH)
def test_a_programs_flags_do_not_reach_the_kernel(boot: Boots) -> None:
    """DF, NT, AC and ID are the program's own: the kernel works the same with each of them set, and gives them back."""
    report = boot("flags").finish()
    assert (report["failed"], report["kept"]) == (0, 4)
