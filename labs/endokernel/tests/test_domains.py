"""Stage 3: subprocesses inside one process, each with memory, rights and entries of its own."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import Any

import pytest

from grader.machine import Machine, Report
from grader.machine.registers import DIRECTION
from grader.machine.witness import Witness
from grader.testing import seeds
from grader.testing.boots import Boots
from grader.testing.kernel_error import KILLED_STATUS, KernelError, fault_status
from grader.testing.plugin import graded

DOMAIN_START, DOMAIN_SIZE = 0x80000000, 0x400000
"""As kernel/endokernel.h has them."""

MAIN, VAULT, MODULE, FIFTH = 0, 1, 2, 5
"""Domains of the probe `modules` (probes/modules.h): VAULT alone may read the secret."""

HARMLESS, HARMFUL = 100, 666
"""What a probe's child exits with when an attack did nothing, and when it went through (probes/crew.h)."""

E_PERMISSION, E_NO_CALL, E_FULL = KernelError.E_PERMISSION, KernelError.E_NO_CALL, KernelError.E_FULL

PART = 100

ROUNDS = 20
"""Domain calls that are interrupted, each at another place, at most."""

Start = Callable[..., Machine]
EntryOf = Callable[[Machine, str], int]


def content(start: int, length: int) -> bytes:
    """What the probes take for a right file in a run with this seed."""
    words = range(-(-length // 4))
    return b"".join((start + place * 0x9E3779B1 & 0xFFFFFFFF).to_bytes(4, "little") for place in words)[:length]


def made_of(secret: bytes) -> int:
    """What the vault returns of the secret (crew_checksum of the probes, without its sign)."""
    result = len(secret)
    for byte in secret:
        result = (result * 31 + byte) & 0xFFFFFFFF
    return result & 0x7FFFFFFF


@pytest.fixture
def secret(seed: int) -> bytes:
    """The file `secret` of this run, which nothing in the machine knows."""
    return b"".join(seeds.number(str(seed), "secret", place).to_bytes(8, "little") for place in range(64))


@pytest.fixture
def boot_domains(boot: Boots, secret: bytes, seed: int) -> Start:
    """Boots a probe with the secret and a public file on the disk."""

    def start(probe: str, **parameters: Any) -> Machine:
        files = {"secret": secret, "public": content(seed & 0xFFFFFFFF, 600)}
        programs = {"borrower": "borrower", "modules": "modules", "filer": "filer"}
        return boot(probe, files=files, programs=programs, seed=seed & 0xFFFFFFFF, **parameters)

    return start


def named(word: int) -> str:
    """What a call returned: the error's name, or the number."""
    return KernelError(word).name if word in tuple(KernelError) else f"{word:#x}"


def check_are_denied(report: Report, *keys: str) -> None:
    """These calls of the probe, by the names that it reports them with, returned E_PERMISSION."""
    for key in keys:
        assert report[key] == E_PERMISSION, f"{key}: {named(report[key])} in place of E_PERMISSION"


def region(domain: int) -> int:
    """Where a domain's memory begins."""
    return DOMAIN_START + domain * DOMAIN_SIZE


def pages_of(machine: Machine, domain: int) -> list[str]:
    """The pages of a domain's region that ring 3 can touch now, in words."""
    pages = machine.mappings(start=region(domain), end=region(domain + 1))
    return [str(page) for page in pages if page.user]


def check_view(machine: Machine, domain: int) -> None:
    """Ring 3 can touch the pages of this domain's region, and of no other's."""
    assert machine.registers().cpl == 3
    for other in range(1, 8):
        pages = pages_of(machine, other)
        if other == domain:
            assert pages, f"in domain {domain}, ring 3 cannot touch the domain's own memory"
        else:
            assert not pages, f"in domain {domain}, ring 3 can touch domain {other}'s page {pages[0]}"


def holds(machine: Machine, secret: bytes, start: int = 0, end: int = 0xC0000000) -> list[str]:
    """The pages between two addresses that ring 3 can read now and that hold a part of the secret, in words."""
    pieces = [secret[at : at + 16] for at in range(0, len(secret), 16)]
    found = []
    for page in machine.mappings(start=start, end=end):
        if page.user:
            with contextlib.suppress(ValueError):
                held = machine.read_physical(page.physical, page.page_bytes)
                found += [str(page)] if any(piece in held for piece in pieces) else []
    return found


def heartbeat_mac(key: bytes, data: bytes) -> int:
    """As in the given heartbeat.h."""
    found = 2166136261
    for byte in key + data:
        found = (found ^ byte) * 16777619 & 0xFFFFFFFF
    return found


@graded(
    stage=3,
    points=3,
    handout="domains",
    usually="rights go by the program, or the callee keeps its caller's",
    witnesses=(Witness.QEMU, Witness.BOCHS),
)
def test_one_module_reads_the_file_and_another_gets_only_what_it_returns(boot_domains: Start, secret: bytes) -> None:
    """The vault reads the secret for whoever calls it; no other domain does itself, whether it calls the vault, is
    called by it, or comes back from it, and what the vault read lies in the vault's memory alone.
    """
    machine = boot_domains("modules", role="secret")
    machine.run_to("vault_has_read", program="modules")
    check_view(machine, VAULT)
    assert holds(machine, secret, region(VAULT), region(VAULT + 1)), "the vault has read nothing into its memory"
    report = machine.finish()
    for asked in ("vault", "module_asks", "vault_itself", "vault_again"):
        assert report[asked] == made_of(secret), f"{asked}: {named(report[asked])} is not made of the secret"
    check_are_denied(report, "main_before", "main", "module", "vault_asks", "called_back", "vaults_public")
    check_are_denied(report, "vaults_pid", "modules_ticks")
    assert report["modules_pid"] == report["pid"]
    assert report["public"] == PART
    assert not holds(machine, secret), "the secret lies where the main program can read it"


@graded(
    stage=3,
    points=2,
    handout="the-heartbeat-again",
    usually="the domain that serves can open the file, or the one that keeps the key cannot",
)
def test_the_heartbeat_seals_with_a_key_that_it_cannot_tell(boot: Boots, seed: int) -> None:
    """`vault`, with a client that claims more than it sent: the answer is that long, over-read and all, and its seal
    right; the key is not in it.
    """
    key = seeds.number(str(seed), "key", bits=128).to_bytes(16, "little")
    machine = boot(None, first="vault", files={"key": key})
    machine.wait_for_serial(b"heartbeat ready")
    for claimed in (5, 255):
        machine.send(b"%d hello\n" % claimed)
        found = machine.wait_for_serial(re.compile(rb"response ([0-9a-f]*) mac ([0-9a-f]{8})\r?\n"))
        answer, seal = bytes.fromhex(found[1].decode()), int(found[2], 16)
        assert answer.startswith(b"hello")
        assert len(answer) == claimed
        assert seal == heartbeat_mac(key, answer), "the seal is not that of this key"
        assert key[:8] not in answer, "the key came out with the answer"
    assert not holds(machine, key, 0, DOMAIN_START), "the key lies in memory that is common to all domains"


@graded(
    stage=3,
    points=2,
    handout="memory",
    usually="the view is switched on the way into a domain and not on the way back, or never",
    schedules=True,
)
def test_each_domain_sees_its_own_memory_alone(boot_domains: Start) -> None:
    """While a domain runs, the page tables give ring 3 its own region, writable, and none of another; before and after,
    none at all.
    """
    machine = boot_domains("modules", role="views")
    for domain in (MAIN, *range(1, FIFTH + 1), MAIN):
        machine.run_to("in_domain", program="modules")
        check_view(machine, domain)
        if domain:
            own = machine.walk(machine.symbol(f"mark{domain}", "modules"))
            assert own.writable
            assert machine.read_physical(own.physical or 0, 4) == (0x101 * domain + 1).to_bytes(4, "little")
    report = machine.finish()
    assert report.all("mark") == [0x101 * domain + 1 for domain in range(1, FIFTH + 1)]


@graded(
    stage=3,
    points=2,
    handout="memory",
    usually="the page tables are changed and the processor is not told, so that it goes by what it remembers",
    witnesses=(Witness.QEMU, Witness.BOCHS),
    schedules=True,
)
def test_to_touch_another_domains_memory_is_a_page_fault(boot_domains: Start) -> None:
    """Reading, writing and calling what is another domain's ends the process with vector 14, also when that memory was
    in use just before; what is one's own, or common to all, is there.
    """
    report = boot_domains("modules", role="touches").finish()
    assert report.all("touch") == [fault_status(14)] * 9
    assert report["own"] == 0x101
    assert report["ordinary"] == 77
    assert report["poked"] == 539


@graded(
    stage=3,
    points=2,
    handout="entries",
    usually="domain or entry is compared as a signed number, or only by the stub in ring 3",
)
def test_only_declared_entries_can_be_called(boot_domains: Start) -> None:
    """Domains and entries that there are not, large and negative ones among them, are E_NO_CALL, and nothing of the
    program runs; those that there are can be called.
    """
    report = boot_domains("modules", role="entries").finish()
    assert report["domains"] == 12
    assert report["numbers"] == 13
    assert report["runs"] == 0
    assert report["secret"] == E_PERMISSION
    assert report["look"] == 1 + 3 * 2 + 5 * 3
    assert report["do"] == PART


@graded(
    stage=3,
    points=2,
    handout="domain-call",
    usually="the callee runs on its caller's stack, or with its caller's registers",
)
def test_a_callee_has_its_own_stack_and_sees_nothing_of_its_caller(boot_domains: Start) -> None:
    """An entry begins in ring 3 on a stack in its domain's region, with the three arguments on it; of the caller's
    registers there is no trace in registers, flags or stack.
    """
    machine = boot_domains("modules", role="patterns", a=3)
    look = machine.symbol("entry_look", "modules")
    for domain in (1, 2, 3):
        machine.run_to(look, program="modules")
        check_view(machine, domain)
        now = machine.registers()
        assert region(domain) <= now.esp < region(domain + 1), f"ESP is {now.esp:#x}, outside of domain {domain}"
        traces = [name for name, value in now.general().items() if value & 0xFFFFFF00 == 0xC0FFEE00]
        assert not traces, f"the caller's values are still in {', '.join(traces)}"
        assert not now.eflags & DIRECTION
        arguments = [(machine.nonce + (domain - 1 + place) * 0x9E3779B1 & 0xFFFFFFFF) | 1 for place in range(3)]
        assert [machine.read_u32(now.esp + 4 + 4 * place) for place in range(3)] == arguments
        page = machine.read_virtual(now.esp & ~0xFFF, 4096)
        assert b"\xee\xff\xc0" not in page, "the caller's registers lie on the callee's stack"
    report = machine.finish()
    assert report["right"] == report["kept"] == 3


@graded(
    stage=3,
    points=2,
    handout="domain-call",
    usually="what the monitor keeps for a return is not taken away again, or the callee's registers come back",
)
def test_a_caller_gets_its_registers_and_the_result_back(boot_domains: Start) -> None:
    """A thousand calls into five domains return their results to a caller with its stack pointer, EBX, ESI, EDI and EBP
    as they were, and with its own rights.
    """
    report = boot_domains("modules", role="patterns", a=1000, guest_seconds=4).finish()
    assert report["right"] == 1000
    assert report["kept"] == 1000
    assert report["secret"] == E_PERMISSION


@graded(
    stage=3,
    points=2,
    handout="returns",
    usually="the place to return to lies where the callee can write it, or is taken without being owed",
)
def test_a_forged_return_gives_nobody_anothers_rights(boot_domains: Start, secret: bytes) -> None:
    """A return that nobody is owed, a stack damaged before the return, a stack pointer in another's region, another
    thread's return, numbers 47 to 49 made without the stub: each is an error or ends its process, and none reads the
    secret.
    """
    machine = boot_domains("forger", role="forgeries", guest_seconds=4)
    report = machine.finish()
    assert len(report.all("forgery")) == 13
    for number, status in enumerate(report.all("forgery")):
        assert status != HARMFUL, f"forgery {number} (see `forge` in probes/forger.c) went through"
    assert b"returned to too early" not in machine.serial, "a thread took the return that another was owed"
    assert b"took another's rights" not in machine.serial, "a thread took the domain of another by a direct call"
    assert report["vault"] == made_of(secret)


@graded(
    stage=3,
    points=2,
    handout="domain-call",
    usually="the stub in ring 3 checks, or chooses the address that is called",
)
def test_a_jump_into_the_stub_enters_no_domain(boot_domains: Start, secret: bytes) -> None:
    """Whoever jumps to any byte of domain_call's stub, with an undeclared entry and addresses of its own in all
    registers, does not come into the vault with its own code.
    """
    report = boot_domains("forger", role="jumps", a=96, guest_seconds=6).finish()
    assert report["tried"] == 96
    assert report["harmful"] == 0, "the jumper's own code ran in the vault"
    assert report["vault"] == made_of(secret)
    assert report["main"] == E_PERMISSION


@graded(
    stage=3,
    points=2,
    handout="domain-call",
    usually="nothing bounds the nesting, or an error leaves its level taken",
)
def test_calls_nest_eight_deep_and_no_deeper(boot_domains: Start, secret: bytes) -> None:
    """Eight calls in one another work; the ninth is E_FULL in its caller, which goes on; and so a second time."""
    report = boot_domains("modules", role="depth").finish()
    assert report.all("deepest") == [8, 8]
    assert report.all("error") == [E_FULL, E_FULL]
    assert report.all("result") == [0, 0]
    assert report["main"] == E_PERMISSION
    assert report["vault"] == made_of(secret)


@graded(
    stage=3,
    points=2,
    handout="threads",
    usually="the current domain, or the view, is the process's and not the thread's",
)
def test_each_thread_is_in_a_domain_of_its_own(boot_domains: Start, secret: bytes) -> None:
    """Four threads sleep in the vault, each on its own stack there, while the first thread outside gets neither the
    secret nor a view of the vault; threads in different domains are judged each by its own, new ones by that of their
    creator; and more threads than a domain has stacks for share none.
    """
    machine = boot_domains("modules", role="threads", guest_seconds=4)
    machine.run_to("in_domain", program="modules")
    check_view(machine, MAIN)
    report = machine.finish()
    assert report["denied"] == 4
    assert report.all("slept") == [0, 1000, 2000, 3000]
    assert report.all("after") == [E_PERMISSION] * 4
    assert report.all("right") == [6] * 4
    assert report.all("outside") == [6] * 4
    born = report["born_in_vault"]
    assert born == made_of(secret), f"a thread that the vault has made is not in the vault: {named(born)}"
    check_are_denied(report, "born_in_module")
    assert report["crowd"] == 0, "with many threads in two domains, some calls returned neither their result nor E_FULL"


def borders_of_a_call(machine: Machine, entry: int) -> list[int]:
    """The second domain call of `modules`: where it crosses from one ring, or one domain, to another, in order."""
    for _ in range(2):
        machine.run_to("call_begins", program="modules")
    end = machine.symbol("call_ends", "modules")
    traps = [place for place, _ in machine.table("modules").matches(re.compile(b"\xcd\x80"))]
    found: list[int] = []
    with contextlib.ExitStack() as points:
        for place in (*traps, entry, machine.symbol("entry_look", "modules"), end):
            points.enter_context(machine.breakpoint(place))
        while not found or found[-1] != end:
            place = machine.run().address
            found += [place] if machine.runs_program("modules", place) else []
    return found


@graded(
    stage=3,
    points=1,
    handout="threads",
    usually="a switch to another process forgets, or overwrites, in which domain the interrupted thread was",
)
def test_a_domain_call_may_be_interrupted(boot_domains: Start, entry_of: EntryOf) -> None:
    """A timer interrupt at each border that a domain call crosses, into the monitor, at each of its kernel calls, into
    the entry and back, does it no harm, although another process runs meanwhile.
    """
    machine = boot_domains("plain", role="bystander", a=ROUNDS, guest_seconds=6)
    crossed = borders_of_a_call(machine, entry_of(machine, "modules"))
    assert len(crossed) > 4, "a domain call never comes to the monitor"
    for number, border in enumerate(crossed[: ROUNDS - 3]):
        machine.run_to("call_begins", program="modules")
        machine.run_to(border, program="modules", times=crossed[: number + 1].count(border))
        machine.inject_irq(0)
    report = machine.finish()
    assert report["modules"] == 2 * ROUNDS, "some calls returned another result, or left their caller with other rights"
    assert report["wrong"] == 0


@graded(
    stage=3,
    points=2,
    handout="handles",
    usually="a handle is judged by its number, or keeps the owner that its number had before",
)
def test_a_handle_is_its_domains_own(boot_domains: Start, secret: bytes) -> None:
    """What one domain opened or duplicated, another cannot read, duplicate, name, delete or close, although it knows
    the number; a number that is used anew belongs to its new owner alone.
    """
    machine = boot_domains("borrower", role="handles")
    report = machine.finish()
    assert report["refusals"] == report["attempts"] == 35
    assert report["first"] == report["second"] == PART
    assert report["close"] == 0
    assert report["reused"] == PART
    assert not holds(machine, secret), "the secret lies where the main program can read it"


@graded(
    stage=3,
    points=2,
    handout="deputy",
    usually="the monitor, which sees all memory, takes a buffer that its caller could not touch",
)
def test_another_domains_memory_is_no_buffer(boot_domains: Start) -> None:
    """Whatever call a domain makes with a buffer in another's region, or to map or unmap there, is refused: nothing is
    printed, written, or moved; its own region and ordinary memory are good.
    """
    machine = boot_domains("borrower", role="buffers")
    treasure = b"hoard %08x" % (machine.nonce ^ 0xFFFFFFFF)
    machine.run_to("in_domain", program="borrower")
    check_view(machine, VAULT)
    place = machine.walk(machine.symbol("vault_buffer", "borrower")).physical
    assert place is not None
    machine.write_physical(place, treasure)
    report = machine.finish()
    assert report["refusals"] == report["attempts"] == 83
    assert report["unused"] == HARMLESS, f"memory was mapped over a region that nobody uses: way {report['unused']}"
    assert treasure not in machine.serial
    assert treasure not in machine.disk()
    assert machine.read_physical(place, len(treasure)) == treasure, "the vault's memory was written or moved"
    assert report["kept"] == int.from_bytes(treasure[:4], "little")
    assert report["own"] == report["common"] == PART
    assert report["write"] == len(b"a line of the vault's\n")
    assert b"a line of the vault's\n" in machine.serial
    assert report["map"] == report["unmap"] == 0


@graded(
    stage=3,
    points=2,
    handout="kernel-calls",
    usually="the kernel looks at the number alone, and not at the ring that calls",
)
def test_the_monitors_kernel_calls_are_nothing_to_ring_3(boot_domains: Start, secret: bytes) -> None:
    """The numbers 50 to 63, with whatever arguments, are errors to a program without monitor, and to a mediated one
    whose policy allows all numbers; neither its view nor its rights change.
    """
    report = boot_domains("plain", role="numbers").finish()
    assert report["refused"] == 70
    assert report.all("touch") == [fault_status(14)] * 2
    assert report["vault"] == made_of(secret)
    assert KILLED_STATUS not in report.all("touch")
