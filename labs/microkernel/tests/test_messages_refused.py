"""Stage 1: bad buffers, circles, deaths and false endpoints: what a process does cannot hurt another or the kernel."""

from __future__ import annotations

from crew import ENDPOINTS, WORDS, names, played

from grader.machine import Machine
from grader.testing.boots import Boots
from grader.testing.kernel_error import KernelError
from grader.testing.message import Every, must
from grader.testing.plugin import graded

E_INVALID, E_FAULT, E_DEAD = KernelError.E_INVALID, KernelError.E_FAULT, KernelError.E_DEAD
E_BLOCKED, E_DEADLOCK = KernelError.E_BLOCKED, KernelError.E_DEADLOCK

BAD_BUFFERS = (
    "the one at address 0",
    "the one whose second half is not mapped",
    "the one whose first half is not mapped",
    "the one in the kernel's code",
    "the one that reaches into the kernel's half",
    "the one whose end wraps around to 0",
    "the one far from all mapped pages",
    "the one in the program's code, which cannot be written",
)
"""Those of probes/buffers.c; the last one is bad for writing alone."""


@graded(
    stage=1,
    points=2,
    handout="buffers",
    usually="only the first byte of a buffer is checked, or start + length wraps around",
    schedules=True,
)
def test_bad_buffers_are_refused(boot: Boots) -> None:
    """A buffer that is not wholly the caller's own gives E_FAULT, transfers nothing, and leaves the partner as it
    was.
    """
    read, written = Every(BAD_BUFFERS[:-1]), Every(BAD_BUFFERS)
    played(
        boot("buffers", role="bad"),
        send=(read, "of bad buffers, a send refused with E_FAULT"),
        call=(written, "of bad buffers, a call refused with E_FAULT"),
        good_send=(0, "a send from a good buffer, after some from bad ones, returned"),
        receive=(written, "of bad buffers, a receive for which a caller waited refused with E_FAULT"),
        good_receive=(
            0,
            "a caller waited while receives into bad buffers were refused; then one into a good buffer returned",
        ),
        request=(WORDS, "of the 14 words of the call that was received after bad receives, the receiver got right"),
        reply=(read, "of bad buffers, a reply refused with E_FAULT"),
        good_reply=(0, "a reply from a good buffer, after some from bad ones, returned"),
        words=(2 * WORDS, "of the 28 words that came from good buffers, after bad ones, the partner got right"),
    )


@graded(
    stage=1,
    points=1,
    handout="buffers",
    usually="the copy takes the first page's frame for the whole message",
    schedules=True,
)
def test_a_message_may_lie_across_two_pages(boot: Boots) -> None:
    """Any memory of a process's own will do as a buffer: at an odd address, and across two pages."""
    played(
        boot("buffers", role="straddle"),
        result=(0, "a receive into a buffer across two pages returned"),
        words=(WORDS, "of the 14 words that went from one buffer across two pages into another, got right were"),
        reply=(0, "a reply from a buffer across two pages returned"),
        reply_words=(WORDS, "of the 14 words of a reply into a caller's buffer across two pages, got right were"),
    )


@graded(
    stage=1,
    points=1,
    handout="buffers",
    usually="the buffer is checked when the receiver comes, not when the message does",
    schedules=True,
)
def test_a_buffer_that_vanishes_while_its_owner_waits_is_noticed(boot: Boots) -> None:
    """Who waits to receive, for a reply or for a notification, and whose buffer is gone when it comes, gets E_FAULT,
    and can ask again; a sender's buffer may go while it waits, too.
    """
    gone = "after its buffer was gone while it waited"
    played(
        boot("buffers", role="taken"),
        take_pages_away,
        first=((0, E_FAULT), "a send to a receiver whose buffer was gone returned"),
        sent=(0, "a send to a receiver that asked again with a good buffer returned"),
        receiver=(WORDS, f"a receiver that asked again {gone} got right, of 14 words,", first_wait("in a receive")),
        caller=(WORDS, f"a caller that called again {gone} got right, of 14 words,", first_wait("for a reply")),
        notified=(
            WORDS,
            f"a process that was notified again {gone} ended with",
            first_wait("for a notification"),
        ),
        received=(WORDS, "of 14 words of a sender whose buffer went away, maybe sent again, the receiver got right"),
        sender=(WORDS, f"a sender that sent again {gone} ended with", first_wait("in a send")),
        no_call="a receive of the call of a process whose buffer is to go away returned",
        no_second_call="a receive of a second call, after the caller's first buffer was gone, returned",
    )


def take_pages_away(machine: Machine) -> None:
    """Unmap the buffer of each of four processes while it waits, from outside."""
    for _ in range(4):
        machine.run_to("loser_waits", program="buffers", awaited="the next wait with a buffer that is to go away")
        loser = machine.registers().cr3
        machine.run_to("page_goes", program="buffers", awaited="the moment when the waiting process's buffer goes")
        unmap(machine, loser, 0x20000000)


def first_wait(where: str) -> dict[int, str]:
    """What the exit status of a process whose buffer went away says of its first wait (probes/buffers.c)."""
    told = f"a process whose buffer went away while it waited {where} was told"
    return {-200: f"{told} 0 (success) instead of E_FAULT"} | {
        -200 + error - (1 << 32): f"{told} {error.name} instead of E_FAULT" for error in KernelError
    }


def unmap(machine: Machine, cr3: int, virtual: int) -> None:
    """Clear the page-table entry of a page, from outside. The processor must not be using that address space."""
    directory_entry = int.from_bytes(machine.read_physical((cr3 & ~0xFFF) + (virtual >> 22) * 4, 4), "little")
    machine.write_physical((directory_entry & ~0xFFF) + (virtual >> 12 & 1023) * 4, bytes(4))


@graded(
    stage=1,
    points=1,
    handout="queues",
    usually="nobody looks for a cycle, or only for a process that sends to itself",
    schedules=True,
)
def test_a_cycle_of_two_is_refused(boot: Boots) -> None:
    """Who would close a circle of processes that wait for one another gets E_DEADLOCK, and the others go on."""
    closing = Every(
        ("a send before A's call was received", "a call before that", "a send after that", "a call after that")
    )
    played(
        boot("cycles", role="two"),
        result=(0, "A waits for B's reply, and B tries to send to A and to call A first; then A's call returned"),
        words=(WORDS, "of the 14 words of B's reply, A, which B had tried to call, got right"),
        refusals=(
            closing,
            "of B's sends and calls to A, which waits for B's reply, E_DEADLOCK was the answer to",
            {-1: "B's receive of A's call, after B had tried to send to A and to call A, returned an error"},
        ),
        send_to_itself=(E_DEADLOCK, "a send of a process to itself returned"),
        call_to_itself=(E_DEADLOCK, "a call of a process to itself returned"),
        to_another=(0, "a call to another process, after one to itself was refused, returned"),
        answer=(WORDS, "of the 14 words of the reply to a call, after one to itself was refused, got right were"),
    )


@graded(
    stage=1,
    points=1,
    handout="queues",
    usually="only short cycles are found, or a process that receives is taken for one that waits to send",
    schedules=True,
)
def test_longer_cycles_are_refused_and_nothing_else(boot: Boots) -> None:
    """A waits for B waits for C is no cycle, until C turns to A: then C alone is refused; the same with six. Somebody
    who receives from another closes no cycle.
    """
    no_circle = "A receives from B, B calls C, C sends to A, which closes no circle"
    played(
        boot("cycles", role="rings"),
        third=(E_DEADLOCK, "A waits for B's reply and B for C's; then C's call to A returned"),
        words_of_three=(2 * WORDS, "A called B and B called C; of the 28 words of both replies, got right were"),
        sixth=(
            E_DEADLOCK,
            "five processes wait each for the next one's reply, and the sixth calls the first: it was told",
        ),
        words_of_six=(5 * WORDS, "of the 70 words of five replies along a row of six processes, got right were"),
        from_the_killed=(E_DEAD, f"{no_circle}, and B is killed: A's receive returned"),
        late_sent=(0, f"{no_circle}: C's send returned"),
        late_words=(WORDS, f"{no_circle}: of the 14 words of C's message, A got right"),
    )


@graded(
    stage=1, points=1, handout="death", usually="whoever waited for the dead process is never woken", schedules=True
)
def test_the_death_of_a_receiver_wakes_all_who_wait_for_it(boot: Boots) -> None:
    """Senders, callers, those who wait for its reply or its message: all are told E_DEAD when a process is killed."""
    killed = "a process that was killed meanwhile"
    played(
        boot("death", role="receiver_dies"),
        killed=(0, "kill of a process for which five others wait returned"),
        wait_for_reply=(E_DEAD, f"a call that was received, but not yet answered, by {killed} returned"),
        first_sender=(E_DEAD, f"a send that waited for {killed} returned"),
        second_sender=(E_DEAD, f"a second send that waited for {killed} returned"),
        queued_caller=(E_DEAD, f"a call that was not yet received by {killed} returned"),
        receiver=(E_DEAD, f"a receive that waited for a message of {killed} returned"),
        no_wait="a wait for a child that was killed, or that waited for the killed one, returned",
    )


@graded(stage=1, points=1, handout="death", usually="a killed sender stays in the receiver's queue", schedules=True)
def test_a_dead_sender_leaves_no_ghost(boot: Boots) -> None:
    """Senders killed while they wait, first, middle or last, are gone from the queue; the others' messages still
    arrive.
    """
    killed = "five processes, 0 to 4, waited to send; 0, 2 and 4 were killed; then the receiver got, of their messages,"
    played(
        boot("death", role="sender_dies"),
        no_receive="of five waiting senders three were killed; a nonblocking receive of one of the others returned",
        arrived=(0b01010, killed, names("01234")),
        words=(2 * WORDS, "of the 28 words of two waiting senders between killed ones, the receiver got right"),
        then=(E_BLOCKED, "a nonblocking receive, when the living senders were served and the others killed, returned"),
        sent=(0, "the sends of two waiting processes, between others that were killed, returned"),
        new_sender=(WORDS, "of the 14 words of a new sender, after killed ones in the queue, the receiver got right"),
        new_sent=(0, "a new sender's send, after killed ones in the queue, returned"),
    )


@graded(stage=1, points=1, handout="death", usually="reply trusts that who called is still there", schedules=True)
def test_a_reply_to_a_dead_caller_is_an_error(boot: Boots) -> None:
    """A server whose client was killed in the meantime gets an error, and serves the next one."""
    played(
        boot("death", role="caller_dies"),
        no_receive="a receive of a call returned",
        reply_to_dead=((E_INVALID, E_DEAD), "a reply to a caller that was killed meanwhile returned"),
        reply_to_living=(0, "a reply to the next caller, after one to a dead one, returned"),
        words=(WORDS, "of the 14 words of a reply, after one to a dead caller, the living caller got right"),
    )


@graded(
    stage=1,
    points=1,
    handout="endpoints",
    usually="the generation is not compared, or does not grow when a slot is used again",
    schedules=True,
)
def test_a_stale_endpoint_never_means_the_slots_next_process(boot: Boots) -> None:
    """The endpoint of a dead process says E_DEAD for ever, also when another process sits in its slot."""
    same = "a process that came into the slot of a dead one has an endpoint whose generation is no higher than before"
    stale = "the endpoint of a dead process, whose slot another process has now,"
    report = played(
        boot("death", role="stale", guest_seconds=6),
        slot_not_reused="of 160 processes, one after the other, those that came into the slot of an ended one were",
        old=(ENDPOINTS, "the sender of a process's first message was"),
        new=(ENDPOINTS, "the sender of a later process's first message was"),
        grown=(1, "the next process in the slot got a higher generation:", {0: same}),
        send=(E_DEAD, f"a send to {stale} returned"),
        call=(E_DEAD, f"a call to {stale} returned"),
        reply=((E_INVALID, E_DEAD), f"a reply to {stale} returned"),
        notify=(E_DEAD, f"a notify of {stale} returned"),
        receive=(E_DEAD, f"a receive from {stale} returned"),
        sent_to_new=(0, "a send to the slot's new process, by its own endpoint, returned"),
        words=(
            WORDS,
            "of the 14 words sent to the slot's new process, which nothing sent to the old one may reach, right were",
        ),
    )
    must(report["new"] % 64, report["old"] % 64, "the slot of the process that was to come into the old one's was")


@graded(
    stage=1,
    points=1,
    handout="endpoints",
    usually="the slot of an endpoint is used without a look at its generation",
    schedules=True,
)
def test_a_number_that_never_was_an_endpoint_is_refused(boot: Boots) -> None:
    """Made-up endpoints are errors for every operation, and a true one works."""
    numbers = Every(
        ("a generation still to come", "generation 0", "slot 63 of generation 0", "0x7fffffff", "0xfffffffe")
    )
    never = "of five numbers that never were endpoints, those refused with E_INVALID or E_DEAD by"
    played(
        boot("death", role="never"),
        sends=(numbers, f"{never} send were"),
        calls=(numbers, f"{never} call were"),
        replies=(numbers, f"{never} reply were"),
        notices=(numbers, f"{never} notify were"),
        to_a_real_one=(0, "a send to a true endpoint, after some to false ones, returned"),
        words=(WORDS, "of the 14 words of a message, after some to false endpoints, the receiver got right"),
    )
