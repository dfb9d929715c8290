"""Stage 1: two processes exchange messages, and nothing that either does can hurt the other or the kernel."""

from __future__ import annotations

from crew import ENDPOINTS, WORDS, digits, in_hexadecimal, names, played

from grader.machine import Machine
from grader.testing.boots import Boots
from grader.testing.kernel_error import KernelError, fault_status
from grader.testing.message import Every, at_least, must
from grader.testing.plugin import graded

KERNEL = 0xC0000000
"""Where the kernel's half of every address space begins."""

E_INVALID, E_FAULT, E_DEAD = KernelError.E_INVALID, KernelError.E_FAULT, KernelError.E_DEAD
E_BLOCKED, E_DEADLOCK = KernelError.E_BLOCKED, KernelError.E_DEADLOCK
E_PERMISSION = KernelError.E_PERMISSION

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

CHANGED = names(
    [
        *("EAX", "EBX", "ECX", "EDX", "ESI", "EDI", "EBP", "ESP", "a segment register", ""),
        *("DF", "", "", "", "NT", "", "", "", "AC"),
    ]
)
"""What a report of probes/registers.c says of registers and flags."""


@graded(
    stage=1,
    points=2,
    handout="rendezvous",
    usually="the send does not find the receiver that waits, or forgets to wake it",
)
def test_a_waiting_receiver_gets_the_message(boot: Boots) -> None:
    """A receiver that waits is woken by the send, with the whole message and the sender's true endpoint."""
    machine = boot("rendezvous", role="receiver_first")
    report = played(
        machine,
        result=(0, "a receive from anybody, which waited for its sender, returned"),
        waited=(at_least(2), "a receive, whose only sender slept for 30 ticks first, came back after ticks numbering"),
        received=(machine.nonce, "a receiver that waited got a message whose first word was"),
        words=(WORDS, "of the message's 14 words, a receiver that waited got right"),
        endpoint=(ENDPOINTS, "after a send to a receiver that waits, its sender got from that or from ipc_endpoint()"),
    )
    must(report["sender"], report["endpoint"], "a receiver that waited got a message whose field `sender` was")


@graded(stage=1, points=1, handout="rendezvous", usually="the send returns before anybody has received the message")
def test_a_sender_that_comes_first_waits_for_its_receiver(boot: Boots) -> None:
    """A send returns only when the message was received: there are no buffers in between."""
    machine = boot("rendezvous", role="sender_first")
    early = "a send returned before anybody had received its message"
    played(
        machine,
        result=(0, "a receive, for which a sender waited already, returned"),
        received=(machine.nonce, "a message whose sender had waited arrived with the first word"),
        words=(WORDS, "of the 14 words of a message whose sender had waited, the receiver got right"),
        sent=(0, "a send that had to wait for its receiver returned"),
        waited=(1, "a send that had to wait came back", {0: early}),
    )


@graded(stage=1, points=1, handout="queues", usually="waiting senders are searched for by slot, or kept as a stack")
def test_waiting_senders_are_served_in_the_order_they_came(boot: Boots) -> None:
    """Who waited longest is received first, so that no sender can be overtaken for ever."""
    order = "four processes that began to send in the order 1 2 3 4 were received in the order"
    played(
        boot("rendezvous", role="order"),
        order=(0x1234, order, digits),
        words=(4 * WORDS, "of the 56 words of four waiting messages, the receiver got right"),
    )


@graded(
    stage=1,
    points=1,
    handout="queues",
    usually="receive looks at the first of the queue only, or takes anybody's message",
)
def test_receiving_from_one_leaves_the_others_waiting(boot: Boots) -> None:
    """Receiving from X takes X's message, waits for X if need be, and keeps Y's for later."""
    three = "Y waits with message 1, X sends 2 later and then 4: receives from X, from X and from anybody brought"
    played(
        boot("rendezvous", role="receive_from"),
        order=(0x241, three, digits),
        tick=(at_least(8), "X sent 8 ticks after the start, but a receive from X came back after ticks numbering"),
        no_receive="a receive from X, or after it from anybody, returned",
    )


@graded(stage=1, points=1, handout="rendezvous", usually="the sender's field is copied from the sender's buffer")
def test_the_sender_cannot_be_forged(boot: Boots) -> None:
    """The kernel writes who sent a message: neither send, call nor reply can pass for somebody else's."""
    forgeries = names(["a send that named the receiver", "a send that named the kernel", "a call that named another"])
    report = played(
        boot("rendezvous", role="forged"),
        believed=(0, "the receiver was told the false sender that stood in the buffer of", forgeries),
        endpoint=(
            ENDPOINTS,
            "a process that sent and called with false senders in its buffers got as its own endpoint",
            {
                -1: "a send whose buffer named another sender returned an error",
                -2: "a call whose buffer named another sender returned an error",
                -3: "the reply to a call arrived damaged, or with another sender than the process that replied",
            },
        ),
        no_receive="a receive from anybody, to whom a forger sends, returned",
    )
    for key, operation in (("first", "a send"), ("second", "a second send"), ("called", "a call")):
        must(report[key], report["endpoint"], f"{operation} with a false sender in its buffer arrived from the sender")


@graded(
    stage=1,
    points=1,
    handout="rendezvous",
    usually="IPC_NONBLOCKING is not looked at, or what was refused stays in a queue",
)
def test_nonblocking_operations_never_wait(boot: Boots) -> None:
    """With IPC_NONBLOCKING an operation that would wait says E_BLOCKED, leaves nothing behind, and works when it
    need not wait.
    """
    machine = boot("rendezvous", role="nonblocking")
    played(
        machine,
        receive_any=(E_BLOCKED, "a nonblocking receive from anybody, while nobody sends, returned"),
        receive_from=(E_BLOCKED, "a nonblocking receive from a process that does not send returned"),
        send=(E_BLOCKED, "a nonblocking send to a process that does not receive returned"),
        call=(E_BLOCKED, "a nonblocking call to a process that does not receive returned"),
        send_to_waiting=(0, "a nonblocking send to a process that waits in a receive returned"),
        call_to_waiting=(0, "a nonblocking call to a process that waits in a receive returned"),
        reply_words=(WORDS, "of the 14 words of the reply to a nonblocking call, the caller got right"),
        words=(
            2 * WORDS,
            "of the 28 words of a nonblocking send and a nonblocking call, the receiver got right",
            {
                -1: "a send or call that was refused with E_BLOCKED left something behind: a later nonblocking receive "
                "of its receiver did not return E_BLOCKED",
                -2: "a receive that waited for a nonblocking send returned an error",
                -3: "a receive that waited for a nonblocking call returned an error",
                -4: "a reply to a nonblocking call returned an error",
            },
        ),
        from_waiting=(0, "a nonblocking receive, for which a sender waited, returned"),
        received=(machine.nonce, "a nonblocking receive took from a waiting sender a message with the first word"),
    )


@graded(stage=1, points=2, handout="rendezvous", usually="the caller takes any message for the reply")
def test_a_call_returns_the_reply_of_the_process_it_was_sent_to(boot: Boots) -> None:
    """A call brings the request there and its reply back; a third process's message waits until it is asked for."""
    another = "a call came back with a message from another sender than the process that was called"
    played(
        boot("calls", role="call"),
        result=(0, "a call, which its receiver answers 6 ticks later, returned"),
        from_server=(1, "a call came back with a message from", {0: another}),
        words=(WORDS, "of the reply's 14 words, a caller to whom a third process sent meanwhile got right"),
        replied=(0, "the reply to a caller to whom a third process sends returned"),
        received=(0, "a receive, for which a third process had waited since before the reply, returned"),
        intruder_words=(WORDS, "of the 14 words that a third process sent to a caller, got right after the reply were"),
        intruder_sent=(0, "a third process's send to a process that waits for a reply returned"),
    )


@graded(
    stage=1,
    points=1,
    handout="rendezvous",
    usually="call is a send and then a receive: between the two the reply finds nobody",
)
def test_a_caller_always_waits_when_the_reply_comes(boot: Boots) -> None:
    """Call is atomic: a server that replies at once, without waiting, always finds its caller ready for the reply."""
    played(
        boot("calls", role="atomic"),
        words=(40 * WORDS, "of the 560 words of 40 replies, each made at once, the caller got right"),
        refused=(0, "of 40 replies, each made as soon as the call was received, refused were"),
        no_call="a call to a server that replies at once returned",
    )


@graded(
    stage=1, points=1, handout="rendezvous", usually="reply does not check that the caller waits for this very process"
)
def test_a_reply_reaches_only_a_caller_that_waits_for_it(boot: Boots) -> None:
    """A reply to a sender, to oneself, to another's caller, before its call was received, or a second one is refused,
    and disturbs nobody.
    """
    refused = (E_INVALID, E_DEAD)
    played(
        boot("calls", role="reply_rules"),
        to_sender=(refused, "a reply to a process that waits in a send, not in a call, returned"),
        to_itself=(refused, "a reply of a process to itself returned"),
        letter=(WORDS, "of the 14 words of a sender to whom somebody had replied, the receiver got right"),
        letter_sent=(0, "a send, to whose sender somebody had replied meanwhile, returned"),
        too_early=(refused, "a reply to a caller whose call was not received yet returned"),
        of_another=(refused, "a reply of a third process to a caller that waits for another's reply returned"),
        reply=(0, "the reply of the process that was called returned"),
        twice=(refused, "a second reply to the same call returned"),
        reply_words=(WORDS, "of the right reply's 14 words, the caller got right"),
        no_request="a receive of a call, whose caller had been sent a reply too early, did not bring it but returned",
    )


@graded(
    stage=1,
    points=1,
    handout="registers",
    usually="a blocked process's state in the kernel is kept in one place for all",
)
def test_processes_that_call_through_others_in_turn_keep_their_state(boot: Boots) -> None:
    """Two chains of calls, blocked deep in the kernel, answered in the other order than they came, stay apart."""
    chain = "of the 560 words that 40 calls through a process in the middle brought back, right were those of the"
    played(
        boot("calls", role="turns"),
        first_words=(40 * WORDS, f"{chain} first caller numbering"),
        second_words=(40 * WORDS, f"{chain} second caller numbering"),
        back=(0, "the process that both chains of calls lead to, which answers the later call first, ended with"),
        relays=(0, "the two processes in the middle, each of which calls on before it replies, ended with"),
    )


@graded(
    stage=1,
    points=2,
    handout="buffers",
    usually="only the first byte of a buffer is checked, or start + length wraps around",
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
        good_receive=(0, "a receive into a good buffer, for which a caller waited during some into bad ones, returned"),
        request=(WORDS, "of the 14 words of the call that was received after bad receives, the receiver got right"),
        reply=(read, "of bad buffers, a reply refused with E_FAULT"),
        good_reply=(0, "a reply from a good buffer, after some from bad ones, returned"),
        words=(2 * WORDS, "of the 28 words that came from good buffers, after bad ones, the partner got right"),
    )


@graded(stage=1, points=1, handout="buffers", usually="the copy takes the first page's frame for the whole message")
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
            f"a notification, to a process that asked again {gone}, brought",
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
    stage=1, points=1, handout="queues", usually="nobody looks for a cycle, or only for a process that sends to itself"
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


@graded(stage=1, points=1, handout="death", usually="whoever waited for the dead process is never woken")
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


@graded(stage=1, points=1, handout="death", usually="a killed sender stays in the receiver's queue")
def test_a_dead_sender_leaves_no_ghost(boot: Boots) -> None:
    """Senders killed while they wait, first, middle or last, are gone from the queue; the others' messages still
    arrive.
    """
    killed = "five processes, 0 to 4, waited to send; 0, 2 and 4 were killed; then the receiver got, of their messages,"
    played(
        boot("death", role="sender_dies"),
        no_receive="of five waiting senders three were killed; a nonblocking receive of one of the others returned",
        arrived=(
            0b01010,
            "five processes, 0 to 4, waited to send, 0, 2 and 4 were killed: received was from",
            names("01234"),
        ),
        words=(2 * WORDS, "of the 28 words of two waiting senders between killed ones, the receiver got right"),
        then=(E_BLOCKED, "a nonblocking receive, when the living senders were served and the others killed, returned"),
        sent=(0, "the sends of two waiting processes, between others that were killed, returned"),
        new_sender=(WORDS, "of the 14 words of a new sender, after killed ones in the queue, the receiver got right"),
        new_sent=(0, "a new sender's send, after killed ones in the queue, returned"),
    )


@graded(stage=1, points=1, handout="death", usually="reply trusts that who called is still there")
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
)
def test_a_stale_endpoint_never_means_the_slots_next_process(boot: Boots) -> None:
    """The endpoint of a dead process says E_DEAD for ever, also when another process sits in its slot."""
    same = "a process that came into the slot of a dead one has an endpoint whose generation is no higher than before"
    stale = "the endpoint of a dead process, whose slot another process has now,"
    report = played(
        boot("death", role="stale", guest_seconds=6),
        slot_not_reused="none of 160 processes, one after the other, got the slot of one that had ended: they were",
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
    stage=1, points=1, handout="endpoints", usually="the slot of an endpoint is used without a look at its generation"
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


@graded(
    stage=1, points=1, handout="notifications", usually="notifications are queued, or receive looks for senders first"
)
def test_notifications_are_bits_that_add_up(boot: Boots) -> None:
    """Bits from several notifies come as one message of the kernel's, before any sender's, and once."""
    machine = boot("notify", role="bits")
    both = "a process waits to send, and another has notified of three bits:"
    played(
        machine,
        first=(0, f"{both} a receive from anybody returned"),
        sender=(0, f"{both} a receive from anybody brought first a message of", endpoint),
        type=(1, f"{both} a receive from anybody brought first a message of the type (1 is a notification)"),
        bits=(
            0x80000004 | 1 << (8 + machine.nonce % 16),
            "the bits of four notifies, one after the other, arrived together as",
            in_hexadecimal,
        ),
        again=(E_BLOCKED, "a nonblocking receive from ENDPOINT_KERNEL, when all bits had been received, returned"),
        second=(0, "a receive from anybody, after the notification, with a sender waiting, returned"),
        words=(WORDS, "of the 14 words of the message that was received after a notification, right were"),
        writer=(0, "the send that waited while a notification was received returned"),
        ringer=(0, "four notifies of a process that did not receive returned errors, or took so many ticks each:"),
    )


def endpoint(word: int) -> str:
    """A sender."""
    return f"endpoint {word}" if word else "the kernel"


@graded(
    stage=1,
    points=1,
    handout="notifications",
    usually="the `from` of a waiting receiver is not compared when a message comes",
)
def test_waiting_for_the_kernel_or_for_one_process_takes_nothing_else(boot: Boots) -> None:
    """From ENDPOINT_KERNEL only notifications come, and they do not end a wait for one process's message."""
    played(
        boot("notify", role="kinds"),
        kernel_only=(0, "a receive from ENDPOINT_KERNEL, with a sender waiting, and notified later, returned"),
        bits=(0x10, "a receive from ENDPOINT_KERNEL, with a sender waiting, brought the notified bits", in_hexadecimal),
        from_one=(0, "a receive from one process, to whose caller a notification came first, returned"),
        from_words=(
            WORDS,
            "of 14 words of the process that was waited for, while a notification came first, right were",
        ),
        bits_kept=(
            0x20,
            "of a notification that came during a wait for one process, received later were",
            in_hexadecimal,
        ),
        any=(0, "a receive from anybody, with a sender waiting all the time, returned"),
        any_words=(WORDS, "of the 14 words of a sender that waited all the time, the receiver got right"),
        no_bits="a notification came during a wait for one process; a later receive from ENDPOINT_KERNEL returned",
    )


@graded(
    stage=1,
    points=1,
    handout="notifications",
    usually="a wake-up is lost between the look for bits and the going to sleep",
)
def test_a_storm_of_notifications_loses_no_wake_up(boot: Boots) -> None:
    """Two processes wake one another 300 times, then 1,000 notifications come at once: none is lost, nothing
    overflows.
    """
    lost = "of two processes that notify one another 300 times, in turn, both wait: a wake-up was lost"
    played(
        boot("notify", role="storm"),
        rounds=(299, "of 299 notifications that were answered by another one, the answer was right for", {None: lost}),
        player=(0, "the notifies of a process that answers 300 and then makes 1,000 more returned"),
        flood=(0xFFFFFFFF, "the bits of 1,000 notifies, which set each one often, arrived together as", in_hexadecimal),
        then=(E_BLOCKED, "a nonblocking receive from ENDPOINT_KERNEL, when all bits had been received, returned"),
        no_wait="1,000 notifications came to a process while it waited for its child's end: instead of the child's id its wait returned",
    )


@graded(
    stage=1, points=1, handout="notifications", usually="the timer's interrupt does not notify its subscriber each time"
)
def test_a_storm_of_interrupts_loses_no_wake_up(boot: Boots) -> None:
    """A subscriber of the timer gets every interrupt while it listens, and 1,000 that came meanwhile as one."""
    machine = boot("notify", role="interrupts", a=100, b=1000, guest_seconds=14)
    never = "a subscriber of the timer, which receives once for each of 100 ticks, waited for one that never came"
    played(
        machine,
        keyboard=(E_PERMISSION, "an ordinary process's subscription to the keyboard's interrupt returned"),
        no_such_line=((E_PERMISSION, E_INVALID), "a subscription to an interrupt that there is none of returned"),
        subscribe=(0, "a subscription to the timer's interrupt returned"),
        wrong=(
            0,
            "of 100 notifications of the timer, those with other bits than were subscribed to were",
            {None: never},
        ),
        ticks=(100, "for 100 notifications of the timer, received one after the other, the ticks that passed were"),
        all_at_once=(0x40, "1,000 ticks came while their subscriber slept; then it received the bits", in_hexadecimal),
        then=(E_BLOCKED, "a nonblocking receive at once after the notification of 1,000 ticks returned"),
        next=(0x40, "at the next tick a subscriber that had slept received the bits", in_hexadecimal),
    )


@graded(
    stage=1,
    points=1,
    handout="registers",
    usually="a switch in the middle of a call saves too little, or gives results in more than EAX",
)
def test_all_registers_but_eax_are_preserved(boot: Boots) -> None:
    """Every call keeps its caller's registers, blocked or not: what is no message carries nothing of anyone else's."""
    played(
        boot("registers", role="preserved"),
        words=(3 * WORDS, "of the 42 words of three messages in a conversation, got right were"),
        partner=(
            0,
            "the registers that system calls changed in the partner of a conversation, EAX aside, were",
            CHANGED,
        ),
        changed=(0, "the registers that system calls changed in the process that began it, EAX aside, were", CHANGED),
    )


@graded(
    stage=1, points=1, handout="registers", usually="the kernel copies with the direction flag as the program left it"
)
def test_a_programs_flags_do_not_disturb_the_kernel(boot: Boots) -> None:
    """DF, NT, AC or TF set by a program change nothing in the kernel: messages arrive whole, and a trap ends its
    own program only.
    """
    played(
        boot("registers", role="flags"),
        traced=(fault_status(1), "a program that made a system call with the trap flag set ended with"),
        words=(3 * WORDS, "of the 42 words of three messages between programs with DF, NT and AC set, got right were"),
        partner=(0, "what system calls changed in the partner, which has set DF, NT and AC, was", CHANGED),
        flags_changed=(0, "the flags of its own that a program lost or got in system calls were", CHANGED),
    )


@graded(
    stage=1,
    points=1,
    handout="registers",
    usually="the kernel can be interrupted in the middle of a copy, and is then not ready for it",
)
def test_a_timer_interrupt_anywhere_in_a_send_does_no_harm(boot: Boots) -> None:
    """Wherever in a send the timer's interrupt arrives, every message is delivered whole and once."""
    rounds, sends = 24, 60
    interrupted = 0

    def interrupt_sends(machine: Machine) -> None:
        nonlocal interrupted
        # A first send may do what the others need not.
        machine.run_to("sweep_round", program="rendezvous", awaited="the first send to a receiver that waits")
        places = instructions_of_a_send(machine)
        assert len(places) >= rounds, (
            f"the kernel did a send in {len(places)} instructions: it cannot have copied 64 bytes"
        )
        for place in places[:: len(places) // rounds][:rounds]:
            machine.run_to("sweep_round", program="rendezvous", awaited="the send after an interrupted one")
            with machine.breakpoint(place), machine.breakpoint("sweep_round", program="rendezvous"):
                if machine.run("the send after an interrupted one").address == place:  # else it went another way
                    machine.inject_irq(0)
                    interrupted += 1

    played(
        boot("rendezvous", role="sweep", a=sends),
        interrupt_sends,
        first_refusal=(
            0,
            f"of {sends} sends, in {rounds} of which a timer interrupt arrived, one returned",
            {None: f"{sends} sends, with a timer interrupt in the middle of {rounds}, did not all come back"},
        ),
        words=(
            sends * WORDS,
            f"of the {sends * WORDS} words of {sends} sends, {rounds} of them interrupted by the timer, right were",
        ),
    )
    assert interrupted >= rounds // 2, (
        f"only {interrupted} of {rounds} sends went the way through the kernel of the one before"
    )


def instructions_of_a_send(machine: Machine) -> list[int]:
    """Step through the kernel's part of one send: the address of each different instruction, in their order."""
    machine.run_to("sweep_round", program="rendezvous")
    while machine.eip() < KERNEL:
        machine.step()
    places = [0]
    while (place := machine.eip()) >= KERNEL:
        if place == places[-1] and machine.registers().halted:
            break  # nobody can run: the send waits
        places.append(place)
        machine.step()
    del places[0]
    return list(dict.fromkeys(places))
