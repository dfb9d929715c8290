"""Stage 3: subprocesses inside one process, each with memory, rights and entries of its own."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import pytest
from mediated import (
    DOMAIN_SIZE,
    DOMAIN_START,
    E_FULL,
    GAVE_UP,
    HARMFUL,
    HARMLESS,
    PART,
    EntryOf,
    Start,
    content,
    denied,
    ended,
    place_of,
    refused,
    told_of_the_last,
)

from grader.machine import Machine
from grader.machine.registers import DIRECTION
from grader.machine.witness import Witness
from grader.testing import seeds
from grader.testing.boots import Boots
from grader.testing.kernel_error import fault_status
from grader.testing.message import Every, must
from grader.testing.plugin import graded
from grader.testing.reported import must_report

MAIN, VAULT, MODULE, FIFTH = 0, 1, 2, 5
"""Domains of the probe `modules` (probes/modules.h): VAULT alone may read the secret."""

ROUNDS = 20
"""Domain calls that are interrupted, each at another place, at most."""

TOUCHES = [
    "read domain 1's variable from domain 0",
    "read domain 1's variable from domain 0 (right after domain 1 had written it)",
    "wrote domain 1's variable from domain 0",
    "wrote domain 1's variable from domain 0 (right after domain 1 had read it)",
    "read domain 1's variable from domain 2 (right after domain 1 had read it)",
    "wrote domain 1's variable from domain 2",
    "jumped to domain 1's variable from domain 2",
    "read address 0 from domain 2 (which domain 1 had called)",
    "read PrivUser from domain 1",
]
"""The ways of the role `touches` of probes/modules.c."""

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

UNUSED = [
    *("domain 1's first page", "the page before domain 1's region and its first one"),
    *("two pages before domain 1's region and its first one", "domain 4's first page", "domain 7's first page"),
    "the last page of all regions and the one after it",
]
"""What the role `maps` of probes/filer.c maps, in its order."""

VALUES = "0", "1", "2", "0xffffffff", "domain 1's address"


def handle_attempts() -> list[str]:
    """What the role `handles` of probes/borrower.c tries, in its order."""
    calls = ("read_handle", "duplicate_handle", "handle_name", "delete_handle", "close_handle")
    cases = [
        *("domain 0, of a handle that domain 1 has opened,", "domain 2, of a handle that domain 1 has opened,"),
        *("domain 0, of a handle that domain 1 has duplicated,", "domain 2, of a handle that domain 1 has duplicated,"),
        "domain 1, of a number that was its handle and is domain 2's now,",
        "domain 0, of a number that was domain 1's handle and is domain 2's now,",
        "domain 2, of a number that was its handle and is domain 1's now,",
    ]
    return [f"{call} by {case}" for case in cases for call in calls]


def buffer_attempts() -> list[str]:
    """What the role `buffers` of probes/borrower.c tries, in its order."""
    calls = [
        *("write", "list_processes", "parameter", "spawn's argument", "read_file", "read_handle", "handle_name"),
        *(
            "create_file",
            "list_files",
            "read",
            "answer",
            "thread_create's stack",
            "parameter's key",
            "link_file's alias",
        ),
        "open_file's name",
    ]
    places = [
        *("domain 0, with a buffer in domain 1's region,", "domain 2, with a buffer in domain 1's region,"),
        "domain 2, with a buffer at the beginning of domain 1's region,",
    ]
    ranges = [
        *("domain 1's first page", "domain 1's last page", "a page in the middle of domain 1's region"),
        *("the page before domain 1's region and its first one", "domain 2's last page and domain 3's first one"),
        *("PrivUser's first page", "domain 6's first page", "domain 7's first page, which no domain has,"),
        "the last page of all regions and the one after it",
    ]
    return [
        *(f"{call}, by {place}" for place in places for call in calls),
        "write, by domain 2, of a buffer that ends in domain 1's region,",
        "write, by domain 2, of a buffer from ordinary memory into domain 1's region,",
        *(
            f"{call} by domain {domain}, of {pages},"
            for domain in (0, 2)
            for pages in ranges
            for call in ("memory_map", "memory_unmap")
        ),
    ]


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


def region(domain: int) -> int:
    """Where a domain's memory begins."""
    return DOMAIN_START + domain * DOMAIN_SIZE


def pages_of(machine: Machine, domain: int) -> list[str]:
    """The pages of a domain's region that ring 3 can touch now, by their addresses."""
    pages = machine.mappings(start=region(domain), end=region(domain + 1))
    return [f"{page.virtual:#010x}" for page in pages if page.user]


def check_view(machine: Machine, domain: int) -> None:
    """Ring 3 can touch the pages of this domain's region, and of no other's."""
    must(machine.registers().cpl, 3, f"a thread in domain {domain} runs in ring")
    for other in range(1, 8):
        pages = pages_of(machine, other)
        if other == domain:
            assert pages, f"while a thread is in domain {domain}, ring 3 cannot touch that domain's own memory"
        else:
            page = pages[0] if pages else ""
            assert not pages, f"while a thread is in domain {domain}, ring 3 can touch domain {other}'s page at {page}"


def holds(machine: Machine, secret: bytes, start: int = 0, end: int = 0xC0000000) -> list[str]:
    """The pages between two addresses that ring 3 can read now and that hold a part of the secret."""
    pieces = [secret[at : at + 16] for at in range(0, len(secret), 16)]
    found = []
    for page in machine.mappings(start=start, end=end):
        if page.user:
            with contextlib.suppress(ValueError):
                held = machine.read_physical(page.physical, page.page_bytes)
                found += [f"{page.virtual:#010x}"] if any(piece in held for piece in pieces) else []
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

    def look_into_the_vault(machine: Machine) -> None:
        machine.run_to("vault_has_read", program="modules", awaited="the read of the secret by domain 1")
        check_view(machine, VAULT)
        read = holds(machine, secret, region(VAULT), region(VAULT + 1))
        assert read, "domain 1, which may read the secret, read it, and it does not lie in that domain's region"

    made = "domain 1, which may read the secret, returned of what it made of it"
    reads = "open_file of the secret by"
    report = must_report(
        machine,
        look_into_the_vault,
        main_before=denied(f"{reads} domain 0, before any domain call,"),
        vault=(made_of(secret), f"called by domain 0, {made}"),
        main=denied(f"{reads} domain 0, after domain 1 has returned,"),
        module=denied(f"{reads} domain 2, which domain 0 called,"),
        module_asks=(made_of(secret), f"called by domain 2, which domain 0 called, {made}"),
        vault_asks=denied(f"{reads} domain 2, which domain 1 called,"),
        called_back=denied(f"{reads} domain 0, which domain 1 called back,"),
        vault_itself=(made_of(secret), f"called by itself, {made}"),
        vault_again=(made_of(secret), f"called once more, {made}"),
        public=(
            PART,
            "open_file and read_handle of 100 bytes by domain 2, of a file that it may read, brought right bytes:",
        ),
        vaults_public=denied("open_file by domain 1, of a file that only domain 2 may read,"),
        vaults_pid=denied("getpid by domain 1, which has no bit for it,"),
        modules_ticks=denied("ticks by domain 2, which has no bit for it,"),
        **GAVE_UP,
    )
    must(report["modules_pid"], report["pid"], "getpid by domain 2, which has a bit for it, returned")
    places = holds(machine, secret)
    assert not places, (
        f"after domain 1 has read the secret, domain 0 can read it in memory, at {places[0] if places else ''}"
    )


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
        sent = f"vault, sent '{claimed} hello',"
        must(answer[:5], b"hello", f"{sent} responded with bytes that begin with")
        must(len(answer), claimed, f"{sent} responded with so many bytes:")
        right = heartbeat_mac(key, answer)
        must(f"{seal:08x}", f"{right:08x}", f"{sent} sealed its response with another key than the file's: the seal is")
        assert key[:8] not in answer, f"{sent} responded with bytes that hold the key"
    assert not holds(machine, key, 0, DOMAIN_START), "the key of vault lies in memory that is common to all its domains"


@graded(
    stage=3,
    points=2,
    handout="memory",
    usually="the view is switched on the way into a domain and not on the way back, or never",
)
def test_each_domain_sees_its_own_memory_alone(boot_domains: Start) -> None:
    """While a domain runs, the page tables give ring 3 its own region, writable, and none of another; before and after,
    none at all.
    """
    machine = boot_domains("modules", role="views")
    for domain in (MAIN, *range(1, FIFTH + 1), MAIN):
        machine.run_to("in_domain", program="modules", awaited=f"a thread's arrival in domain {domain}")
        check_view(machine, domain)
        if domain:
            own = machine.walk(machine.symbol(f"mark{domain}", "modules"))
            assert own.writable, f"while a thread is in domain {domain}, ring 3 cannot write its region: {own}"
            held = int.from_bytes(machine.read_physical(own.physical or 0, 4), "little")
            must(
                held, 0x101 * domain + 1, f"domain {domain} added 1 to {0x101 * domain:#x} in its region, where now is"
            )
    marks = {
        f"mark{domain}": (
            0x101 * domain + 1,
            f"domain {domain} added 1 to {0x101 * domain:#x} in its region, and returned",
        )
        for domain in range(1, FIFTH + 1)
    }
    must_report(machine, **marks, **GAVE_UP)


@graded(
    stage=3,
    points=2,
    handout="memory",
    usually="the page tables are changed and the processor is not told, so that it goes by what it remembers",
    witnesses=(Witness.QEMU, Witness.BOCHS),
)
def test_to_touch_another_domains_memory_is_a_page_fault(boot_domains: Start) -> None:
    """Reading, writing and calling what is another domain's ends the process with vector 14, also when that memory was
    in use just before; what is one's own, or common to all, is there.
    """
    touches = {
        f"touch{number}": (fault_status(14), f"a process that {touch} ended", ended)
        for number, touch in enumerate(TOUCHES)
    }
    must_report(
        boot_domains("modules", role="touches"),
        **touches,
        own=(0x101, "domain 1 read a variable of its region, and returned"),
        ordinary=(77, "domain 2 read a variable in ordinary memory, and returned"),
        poked=(539, "domain 2 wrote 539 to a variable of its region, read it in another call, and returned"),
        **GAVE_UP,
    )


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
            ),
            numbers=(
                NO_ENTRIES,
                "of domain calls to these entries, which there are not, the ones that returned E_NO_CALL are",
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
        machine.run_to(look, program="modules", awaited=f"the entry that a domain call to domain {domain} names")
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
        denied=(4, f"of four times {reads} domain 0 meanwhile, those that were denied are"),
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
    must_report(
        machine,
        taken=refused(handle_attempts()),
        first=(PART, "read_handle by domain 1, of a handle that it has opened, returned"),
        close=(0, "close_handle by domain 1, of a handle that it has opened, returned"),
        reused=(PART, "read_handle by domain 2, of a handle that it has opened, returned"),
        second=(PART, "read_handle by domain 1, of a handle that it has duplicated, returned"),
        **GAVE_UP,
    )
    places = holds(machine, secret)
    assert not places, (
        f"a file that domain 1 alone may read lies where domain 0 can read it, at {places[0] if places else ''}"
    )


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
    machine.run_to("in_domain", program="borrower", awaited="a thread's arrival in domain 1")
    check_view(machine, VAULT)
    place = place_of(machine, "vault_buffer", "borrower")
    machine.write_physical(place, treasure)
    line = b"a line of the vault's\n"
    unused = {
        number: f"memory_map of {what}, in a program of two domains, was not refused"
        for number, what in enumerate(UNUSED)
    }
    must_report(
        machine,
        taken=refused(buffer_attempts()),
        unused=(HARMLESS, "a process that maps memory over regions and beside them ended with", unused),
        own=(PART, "read_handle by domain 2, with a buffer in its own region, returned"),
        common=(PART, "read_handle by domain 2, with a buffer in ordinary memory, returned"),
        write=(len(line), "write by domain 1, of a line in its own region, returned"),
        kept=(int.from_bytes(treasure[:4], "little"), "after such calls of others, domain 1 reads in its own region"),
        map=(0, "memory_map by domain 2, of a page of ordinary memory, returned"),
        unmap=(0, "memory_unmap by domain 0, of a page of ordinary memory that domain 2 has mapped, returned"),
        **GAVE_UP,
    )
    calls = "calls of others with buffers in domain 1's region were errors, but"
    assert treasure not in machine.serial, f"{calls} what lies there was printed"
    assert treasure not in machine.disk(), f"{calls} what lies there is on the disk"
    kept = machine.read_physical(place, len(treasure)) == treasure
    assert kept, f"{calls} what lies there was written or moved"
    assert line in machine.serial, (
        "write by domain 1, of a line in its own region, returned its length and printed nothing"
    )


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
    attempts = [
        f"system call {number} with {value} in all its arguments, by a program without a PrivUser,"
        for number in range(50, 64)
        for value in VALUES
    ]
    tried = "a process, whose policy allows all numbers, made system calls 50 to 63 in domain"
    taken: dict[int | None, str] = {
        HARMFUL: "a mediated process made system calls 50 to 63, and one was not refused, or the secret could be opened then"
    }
    must_report(
        boot_domains("plain", role="numbers"),
        taken=refused(attempts),
        touch0=(fault_status(14), f"{tried} 0, then read domain 1's variable there, and ended with", taken),
        touch2=(fault_status(14), f"{tried} 2, then read domain 1's variable there, and ended with", taken),
        vault=(made_of(secret), "after that domain 1, which may read the secret, returned of what it made of it"),
        **GAVE_UP,
    )
