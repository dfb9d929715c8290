"""Stage 4: what a call leaves behind in registers, flags and memory."""

from __future__ import annotations

from demands import (
    come_to,
    end_in_words,
    ended_by_fault,
    expect_returns,
    finish,
    listed,
)
from privuser import (
    BEGINNING,
    DONE,
    PRIVUSER_END,
    PRIVUSER_START,
    drawn_bytes,
    plant,
)

from grader.machine import Machine
from grader.machine.registers import Registers
from grader.machine.secrecy import in_registers, kept_secret
from grader.testing.boots import Boots
from grader.testing.kernel_error import KernelError
from grader.testing.message import must
from grader.testing.plugin import graded

E_FAULT, E_NO_CALL = int(KernelError.E_FAULT), int(KernelError.E_NO_CALL)

STATUS_FLAGS = 0x8D5
"""CF, PF, AF, ZF, SF and OF of EFLAGS."""


@graded(stage=4, points=3, handout="residue", usually="ECX and EDX come back as the function left them")
def test_a_call_leaves_nothing_of_privuser_behind(boot: Boots, seed: int) -> None:
    """After a call that works, fails or is refused, no register holds a word of the secret or an address in PrivUser,
    flags do not depend on it, and no memory of ring 3's, below its stack pointer or elsewhere, holds it.
    """
    other, secret = (bytes([drawn[0] & ~1 | bit]) + drawn[1:] for bit, drawn in enumerate(drawn_secrets(seed)))
    machine = boot("residue", role="calls")
    come_to(machine, "look_here", "residue", BEGINNING)
    plant(machine, "residue_secret", "residue", other)
    states: list[dict[str, int]] = []
    for call in ("works", "works", "fails", "has a result in memory", "does not exist", "names PrivUser"):
        now = at_the_gates_end(machine)
        expect_nothing_in_registers(machine, secret if states else other, f"right after the RETF of a call that {call}")
        come_to(machine, "residue_after", "residue", f"the return to ring 3 of a privcall that {call}")
        expect_nothing_in_registers(machine, secret if states else other, f"after a call that {call}")
        kept_secret(machine, secret if states else other, f"after a call that {call}, the secret")
        states.append({**now.general(), "eflags": now.eflags & STATUS_FLAGS})
        plant(machine, "residue_secret", "residue", secret)
    differing = [name.upper() for name in states[0] if states[0][name] != states[1][name]]
    names = listed(differing)
    assert not differing, (
        f"right after the RETF of a privcall that was made twice, with another secret each time, {names} differ"
    )
    come_to(machine, "look_here", "residue", "the end of six privcalls")
    kept_secret(machine, secret)
    report = finish(machine, "the end of a program that made six privcalls")
    results = {"spread": 539, "no-call": E_NO_CALL, "bad": E_FAULT, "digest": 16}
    words = {
        "spread": "whose function returns 539",
        "no-call": "with the number privcall_count",
        "bad": "with an IN buffer in PrivUser",
        "digest": "whose function has an IN buffer and an OUT buffer of 16 bytes, and returns 16,",
    }
    expect_returns(report, "a privcall {} returned", results, words)
    must(report.signed("failed"), -1, "a privcall whose function returns -1 returned")
    must(
        report["hash"],
        digest(secret, machine.nonce),
        "a privcall with an OUT buffer computed a checksum there, which reads",
    )
    left = report["direct"] - DONE
    called = "the gate was called without the stub, with -1 in all registers,"
    assert not 0 < left <= 8, f"{called} and left addresses in PrivUser in {left} of them"
    refused = left == 0 or ended_by_fault(report["direct"])
    assert refused, (
        f"{called} and the process was not refused, nor ended by a fault, but ended {end_in_words(report['direct'])}"
    )


def at_the_gates_end(machine: Machine) -> Registers:
    """Run to the first instruction in ring 3 after the next call through the gate."""
    come_to(machine, machine.read_u32(PRIVUSER_START + 4), None, "a privcall at the entry that the header names")
    back = machine.read_u32(machine.registers().esp)  # the processor pushed it last
    come_to(machine, back, None, "the return of a privcall to ring 3, by RETF")
    return machine.registers()


def expect_nothing_in_registers(machine: Machine, secret: bytes, when: str) -> None:
    """Fail when ring 3 has a register with a word of the secret or an address in PrivUser."""
    now = machine.registers()
    must(now.cpl, 3, f"{when}, the program goes on in ring")
    for name, value in now.general().items():
        shown = PRIVUSER_START <= value < PRIVUSER_END
        assert not shown, f"{when}, {name.upper()} still holds {value:#010x}, an address in PrivUser"
    leaks = in_registers(machine, secret)
    assert not leaks, f"{when}, a word of the secret is in {leaks[0]}"


def drawn_secrets(seed: int) -> tuple[bytes, bytes]:
    """Two secrets for this run."""
    return drawn_bytes(seed, 16), drawn_bytes(seed + 1, 16)


def digest(secret: bytes, nonce: int) -> int:
    """`digest` of probes/residue_privuser.c over the 64 bytes of probes/residue.c."""
    keys = [int.from_bytes(secret[at : at + 4], "little") for at in range(0, 16, 4)]
    found = keys[0]
    for index in range(64):
        found = (found ^ (nonce + index & 0xFF) ^ keys[index % 4]) * 0x01000193 & 0xFFFFFFFF
    return found
