"""Stage 3: subprocesses inside one process, each with memory, rights and entries of its own."""

from __future__ import annotations

import re

from domains import FIFTH, MAIN, VAULT, check_view, holds, made_of, region
from mediated import (
    DOMAIN_START,
    GAVE_UP,
    HARMFUL,
    HARMLESS,
    PART,
    Start,
    denied,
    ended,
    place_of,
    refused,
)

from grader.machine import Machine
from grader.machine.witness import Witness
from grader.testing import seeds
from grader.testing.boots import Boots
from grader.testing.kernel_error import fault_status
from grader.testing.message import must
from grader.testing.plugin import graded
from grader.testing.reported import must_report

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
        wanted, clause = f"{heartbeat_mac(key, answer):#010x}", "sealed its response, by the key in the file, with"
        must(f"{seal:#010x}", wanted, f"{sent} {clause}")
        assert key[:8] not in answer, f"{sent} responded with bytes that hold the key"
    assert not holds(machine, key, 0, DOMAIN_START), "the key of vault lies in memory that is common to all its domains"


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
    schedules=True,
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
        HARMFUL: "a mediated process made system calls 50 to 63, and one was not refused, or opened it the secret"
    }
    must_report(
        boot_domains("plain", role="numbers"),
        taken=refused(attempts),
        touch0=(fault_status(14), f"{tried} 0, then read domain 1's variable there, and ended with", taken),
        touch2=(fault_status(14), f"{tried} 2, then read domain 1's variable there, and ended with", taken),
        vault=(made_of(secret), "after that domain 1, which may read the secret, returned of what it made of it"),
        **GAVE_UP,
    )
