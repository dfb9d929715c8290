"""Stage 3: one domain calls another, at declared entries only, and gets back nothing but the result."""

from __future__ import annotations

import contextlib
import re

from domains import MAIN, check_view, made_of, region
from mediated import (
    E_FULL,
    GAVE_UP,
    HARMFUL,
    PART,
    EntryOf,
    Start,
    arrive,
    denied,
    told_of_the_last,
)

from grader.machine import Machine
from grader.machine.registers import DIRECTION
from grader.testing.message import Every, must
from grader.testing.plugin import graded
from grader.testing.reported import must_report

ROUNDS = 20
"""Domain calls that are interrupted, each at another place, at most."""


NO_DOMAINS = Every(
    (
        *("6, which has no entries", "7", "8", "9", "255", "0x10000001", "0x20000001", "0x40000001", "0x7fffffff"),
        *("0x80000000", "0x80000001", "0xffffffff"),
    )
)
NO_ENTRIES = Every(
    (
        *("2", "3", "4", "16", "255", "0x10000000", "0x20000000", "0x40000000", "0x40000001", "0x7fffffff"),
        *("0x80000000", "0xc0000000", "0xffffffff"),
    )
)
"""What the role `entries` calls: domain_count is 7, and the entry_count of domain 1 is 2."""


FORGERIES = [
    "jumped from domain 0 to where an entry returns to, when nobody was owed a return",
    "overwrote its stack in domain 2, but for its return address, and returned to domain 1",
    "overwrote its stack in domain 2, with its return address, and returned to domain 1",
    "made a system call with the stack pointer in domain 1's region",
    "had a second thread jump to where an entry returns to, while the first one was in domain 2",
    "had an entry of domain 2 jump to code of its own",
    "made system call 47 without the stub, with domain 1 and an address of its own",
    "made system call 48 without the stub, with domain 1 and an address of its own",
    "made system call 49 without the stub, with domain 1 and an address of its own",
    "had a second thread make system call 47 without the stub, while the first one was in domain 2",
    "had a second thread make system call 48 without the stub, while the first one was in domain 2",
    "had a second thread make system call 49 without the stub, while the first one was in domain 2",
    "had a thread end two calls deep, and the next one jump to where an entry returns to",
]
"""The ways of probes/forger.c; domain 1 may read the secret, and its caller may not."""


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
    machine = boot_domains("modules", role="entries")
    with told_of_the_last(machine, "a program made a domain call with domain or entry {}, which there is not"):
        must_report(
            machine,
            domains=(
                NO_DOMAINS,
                "of domain calls to these domains, which there are not, the ones that returned E_NO_CALL are",
                {None: "not all calls of domains that there are not came back"},
            ),
            numbers=(
                NO_ENTRIES,
                "of domain calls to these entries, which there are not, the ones that returned E_NO_CALL are",
                {None: "not all calls of entries that there are not came back"},
            ),
            runs=(0, "domain calls to domains and entries that there are not were refused; the entries that ran are"),
            secret=denied("after these calls open_file of the secret by domain 0, which may not read it,"),
            look=(1 + 3 * 2 + 5 * 3, "a domain call to an entry of domain 5 returned"),
            do=(PART, "a domain call to an entry of domain 2, which reads 100 bytes of a file, returned"),
            **GAVE_UP,
        )


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
        arrive(machine, look, "modules", f"the entry that a domain call to domain {domain} names")
        check_view(machine, domain)
        now = machine.registers()
        begins = f"an entry of domain {domain} begins"
        own = region(domain) <= now.esp < region(domain + 1)
        assert own, f"{begins} with ESP {now.esp:#010x}, which is not in its domain's region"
        traces = " and ".join(name.upper() for name, value in now.general().items() if value & 0xFFFFFF00 == 0xC0FFEE00)
        assert not traces, f"{begins} with values of its caller's still in {traces}"
        assert not now.eflags & DIRECTION, f"{begins} with DF set: EFLAGS is {now.eflags:#x}"
        for place, name in enumerate("abc"):
            right = (machine.nonce + (domain - 1 + place) * 0x9E3779B1 & 0xFFFFFFFF) | 1
            must(machine.read_u32(now.esp + 4 + 4 * place), right, f"{begins} with its argument {name} on the stack as")
        page = machine.read_virtual(now.esp & ~0xFFF, 4096)
        assert b"\xee\xff\xc0" not in page, f"{begins} on a stack where values of its caller's registers lie"
    must_report(
        machine,
        kept=(3, "of 3 domain calls, those that came back with EBX, ESI, EDI, EBP and ESP as before are"),
        right=(3, "of 3 domain calls, those that returned what the entry computed are"),
        **GAVE_UP,
    )


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
    must_report(
        boot_domains("modules", role="patterns", a=1000, guest_seconds=4),
        kept=(1000, "of 1000 domain calls, those that came back with EBX, ESI, EDI, EBP and ESP as before are"),
        right=(1000, "of 1000 domain calls, those that returned what the entry computed are"),
        secret=denied("after 1000 domain calls open_file of the secret by domain 0, which may not read it,"),
        **GAVE_UP,
    )


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
    went_through = {
        f"forgery{number}": {HARMFUL: f"a process {what}, and then opened the secret, which only another domain may"}
        for number, what in enumerate(FORGERIES)
    }
    must_report(
        machine,
        **{
            key: (range(1 << 32), "a process that forged a return ended with", words)
            for key, words in went_through.items()
        },
        vault=(made_of(secret), "after that domain 1, which may read the secret, returned of what it made of it"),
        **GAVE_UP,
    )
    early = b"returned to too early" in machine.serial
    assert not early, "a thread jumped to where an entry returns to, and another one's domain call came back too early"
    took = b"took another's rights" in machine.serial
    assert not took, (
        "a thread made system calls 47 to 49 without the stub, and then opened the secret, as another one may"
    )


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
    jumps = "96 processes jumped into domain_call's stub, with addresses of their own code in all registers"
    must_report(
        boot_domains("forger", role="jumps", a=96, guest_seconds=6),
        tried=(96, f"{jumps}; the number of them that came to an end is"),
        harmful=(0, f"{jumps}; the number whose own code then ran with domain 1's rights is"),
        vault=(made_of(secret), "after that domain 1, which may read the secret, returned of what it made of it"),
        main=denied("after that open_file of the secret by domain 0, which may not read it,"),
        **GAVE_UP,
    )


@graded(
    stage=3,
    points=2,
    handout="domain-call",
    usually="nothing bounds the nesting, or an error leaves its level taken",
)
def test_calls_nest_eight_deep_and_no_deeper(boot_domains: Start, secret: bytes) -> None:
    """Eight calls in one another work; the ninth is E_FULL in its caller, which goes on; and so a second time."""
    wanted: dict[str, tuple[object, str]] = {}
    for turn, when in enumerate(("", "a second time, ")):
        nested = f"{when}domains called one another until an error came"
        wanted |= {
            f"result{turn}": (0, f"{nested}; the outermost call returned"),
            f"deepest{turn}": (8, f"{nested}; the number of calls that were nested is"),
            f"error{turn}": (E_FULL, f"{nested}; the error is"),
        }
    must_report(
        boot_domains("modules", role="depth"),
        **wanted,
        main=denied("after nested calls open_file of the secret by domain 0, which may not read it,"),
        vault=(
            made_of(secret),
            "after nested calls domain 1, which may read the secret, returned of what it made of it",
        ),
        **GAVE_UP,
    )


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

    def look_outside(machine: Machine) -> None:
        awaited = "the moment when four threads sleep in domain 1"
        machine.run_to("in_domain", program="modules", awaited=awaited)
        check_view(machine, MAIN)

    slept = "four threads slept in domain 1 at once, each with words on its stack;"
    reads = "open_file of domain 1's secret by"
    wanted: dict[str, tuple[object, str]] = {}
    for number in range(4):
        wanted[f"slept{number}"] = (
            1000 * number,
            f"{slept} the call of the one that slept with {1000 * number} returned",
        )
        wanted[f"after{number}"] = denied(f"{reads} a thread that has come back to domain 0,")
    for number in range(4, 8):
        where, what = ("1", "read the secret") if number % 2 == 0 else ("2", "were denied the secret")
        clause = f"of six calls of a thread into domain {where}, beside others in other domains, those that {what} are"
        wanted[f"right{number}"] = (6, clause)
        wanted[f"outside{number}"] = (
            6,
            f"of six times {reads} that thread back in domain 0, those that were denied are",
        )
    must_report(
        machine,
        look_outside,
        denied=(
            4,
            f"of four times {reads} domain 0 meanwhile, those that were denied are",
            {None: "the first thread, in domain 0, never came to its own calls"},
        ),
        **wanted,
        born_in_vault=(made_of(secret), "a thread that domain 1 has made read the secret, as domain 1 may, and got"),
        born_in_module=denied(f"{reads} a thread that domain 2 has made,"),
        crowd=(0, "of 40 threads' calls into two domains, those that returned neither their result nor E_FULL are"),
        **GAVE_UP,
    )


def borders_of_a_call(machine: Machine, entry: int) -> list[int]:
    """The second domain call of `modules`: where it crosses from one ring, or one domain, to another, in order."""
    for _ in range(2):
        machine.run_to("call_begins", program="modules", awaited="the beginning of a domain call")
    end = machine.symbol("call_ends", "modules")
    traps = [place for place, _ in machine.table("modules").matches(re.compile(b"\xcd\x80"))]
    found: list[int] = []
    with contextlib.ExitStack() as points:
        for place in (*traps, entry, machine.symbol("entry_look", "modules"), end):
            points.enter_context(machine.breakpoint(place))
        while not found or found[-1] != end:
            place = machine.run("the return of a domain call").address
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
    assert len(crossed) > 4, "a domain call made no int 0x80, or did not come to the monitor's entry and to its own"

    def interrupt_each(machine: Machine) -> None:
        for number, border in enumerate(crossed[: ROUNDS - 3]):
            machine.run_to("call_begins", program="modules", awaited="the beginning of a domain call")
            awaited = "a border that each domain call crosses, after timer interrupts at those before it,"
            times = crossed[: number + 1].count(border)
            machine.run_to(border, program="modules", times=times, awaited=awaited)
            machine.inject_irq(0)

    calls = f"{ROUNDS} domain calls, in which a timer interrupt came at one border each"
    must_report(
        machine,
        interrupt_each,
        wrong=(0, "another process ran meanwhile; the number of its getpid calls that gave another id is"),
        modules=(2 * ROUNDS, f"of {calls}, the right results, and the denials of the secret afterwards, were together"),
        **GAVE_UP,
    )
