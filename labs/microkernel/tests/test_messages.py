"""Stage 1: two processes exchange messages, and nothing that either does can hurt the other or the kernel."""

from __future__ import annotations

from grader.machine import Machine
from grader.testing.boots import Boots
from grader.testing.kernel_error import KernelError, fault_status
from grader.testing.plugin import graded

WORDS = 14
"""Payload words of a message; a probe counts those that arrived right."""

KERNEL = 0xC0000000
"""Where the kernel's half of every address space begins."""

E_INVALID, E_FAULT, E_DEAD = KernelError.E_INVALID, KernelError.E_FAULT, KernelError.E_DEAD
E_BLOCKED, E_DEADLOCK = KernelError.E_BLOCKED, KernelError.E_DEADLOCK
E_PERMISSION = KernelError.E_PERMISSION


@graded(
    stage=1,
    points=2,
    handout="rendezvous",
    usually="the send does not find the receiver that waits, or forgets to wake it",
    schedules=True,
)
def test_a_waiting_receiver_gets_the_message(boot: Boots) -> None:
    """A receiver that waits is woken by the send, with the whole message and the sender's true endpoint."""
    machine = boot("rendezvous", role="receiver_first")
    report = machine.finish()
    assert report["result"] == 0
    assert report["waited"] >= 2
    assert report["received"] == machine.nonce
    assert report["words"] == WORDS
    assert report["sender"] == report["endpoint"]
    assert report["endpoint"] // 64 >= 1


@graded(
    stage=1,
    points=1,
    handout="rendezvous",
    usually="the send returns before anybody has received the message",
    schedules=True,
)
def test_a_sender_that_comes_first_waits_for_its_receiver(boot: Boots) -> None:
    """A send returns only when the message was received: there are no buffers in between."""
    machine = boot("rendezvous", role="sender_first")
    report = machine.finish()
    assert report["result"] == 0
    assert report["received"] == machine.nonce
    assert report["words"] == WORDS
    assert report["sent"] == 0
    assert report["waited"] == 1


@graded(
    stage=1,
    points=1,
    handout="queues",
    usually="waiting senders are searched for by slot, or kept as a stack",
    schedules=True,
)
def test_waiting_senders_are_served_in_the_order_they_came(boot: Boots) -> None:
    """Who waited longest is received first, so that no sender can be overtaken for ever."""
    report = boot("rendezvous", role="order").finish()
    assert report["order"] == 0x1234
    assert report["words"] == 4 * WORDS


@graded(
    stage=1,
    points=1,
    handout="queues",
    usually="receive looks at the first of the queue only, or takes anybody's message",
    schedules=True,
)
def test_receiving_from_one_leaves_the_others_waiting(boot: Boots) -> None:
    """Receiving from X takes X's message, waits for X if need be, and keeps Y's for later."""
    report = boot("rendezvous", role="receive_from").finish()
    assert report["order"] == 0x241
    assert report["tick"] >= 8


@graded(
    stage=1,
    points=1,
    handout="rendezvous",
    usually="the sender's field is copied from the sender's buffer",
    schedules=True,
)
def test_the_sender_cannot_be_forged(boot: Boots) -> None:
    """The kernel writes who sent a message: neither send, call nor reply can pass for somebody else's."""
    report = boot("rendezvous", role="forged").finish()
    assert report["endpoint"] // 64 >= 1
    assert report["first"] == report["endpoint"]
    assert report["second"] == report["endpoint"]
    assert report["called"] == report["endpoint"]


@graded(
    stage=1,
    points=1,
    handout="rendezvous",
    usually="IPC_NONBLOCKING is not looked at, or what was refused stays in a queue",
    schedules=True,
)
def test_nonblocking_operations_never_wait(boot: Boots) -> None:
    """With IPC_NONBLOCKING an operation that would wait says E_BLOCKED, leaves nothing behind, and works when it
    need not wait.
    """
    machine = boot("rendezvous", role="nonblocking")
    report = machine.finish()
    for refused in ("receive_any", "receive_from", "send", "call"):
        assert report[refused] == E_BLOCKED
    assert report["send_to_waiting"] == 0
    assert report["call_to_waiting"] == 0
    assert report["reply_words"] == WORDS
    assert report["words"] == 2 * WORDS
    assert report["from_waiting"] == 0
    assert report["received"] == machine.nonce


@graded(stage=1, points=2, handout="rendezvous", usually="the caller takes any message for the reply", schedules=True)
def test_a_call_returns_the_reply_of_the_process_it_was_sent_to(boot: Boots) -> None:
    """A call brings the request there and its reply back; a third process's message waits until it is asked for."""
    report = boot("calls", role="call").finish()
    assert report["result"] == 0
    assert report["words"] == WORDS
    assert report["from_server"] == 1
    assert report["replied"] == 0
    assert report["received"] == 0
    assert report["intruder_words"] == WORDS
    assert report["intruder_sent"] == 0


@graded(
    stage=1,
    points=1,
    handout="rendezvous",
    usually="call is a send and then a receive: between the two the reply finds nobody",
    schedules=True,
)
def test_a_caller_always_waits_when_the_reply_comes(boot: Boots) -> None:
    """Call is atomic: a server that replies at once, without waiting, always finds its caller ready for the reply."""
    report = boot("calls", role="atomic").finish()
    assert report["words"] == 40 * WORDS
    assert report["refused"] == 0


@graded(
    stage=1,
    points=1,
    handout="rendezvous",
    usually="reply does not check that the caller waits for this very process",
    schedules=True,
)
def test_a_reply_reaches_only_a_caller_that_waits_for_it(boot: Boots) -> None:
    """A reply to a sender, to oneself, to another's caller, before its call was received, or a second one is refused,
    and disturbs nobody.
    """
    report = boot("calls", role="reply_rules").finish()
    for refused in ("to_sender", "to_itself", "too_early", "of_another", "twice"):
        assert report[refused] in (E_INVALID, E_DEAD)
    assert report["letter"] == WORDS
    assert report["letter_sent"] == 0
    assert report["reply"] == 0
    assert report["reply_words"] == WORDS


@graded(
    stage=1,
    points=1,
    handout="registers",
    usually="a blocked process's state in the kernel is kept in one place for all",
    schedules=True,
)
def test_processes_that_call_through_others_in_turn_keep_their_state(boot: Boots) -> None:
    """Two chains of calls, blocked deep in the kernel, answered in the other order than they came, stay apart."""
    report = boot("calls", role="turns").finish()
    assert report["first_words"] == 40 * WORDS
    assert report["second_words"] == 40 * WORDS
    assert report["back"] == 0
    assert report["relays"] == 0


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
    report = boot("buffers", role="bad").finish()
    assert report["send"] == 0b0111_1111
    assert report["call"] == 0b1111_1111
    assert report["receive"] == 0b1111_1111
    assert report["reply"] == 0b0111_1111
    assert report["good_send"] == 0
    assert report["good_receive"] == 0
    assert report["request"] == WORDS
    assert report["good_reply"] == 0
    assert report["words"] == 2 * WORDS


@graded(
    stage=1,
    points=1,
    handout="buffers",
    usually="the copy takes the first page's frame for the whole message",
    schedules=True,
)
def test_a_message_may_lie_across_two_pages(boot: Boots) -> None:
    """Any memory of a process's own will do as a buffer: at an odd address, and across two pages."""
    report = boot("buffers", role="straddle").finish()
    assert report["result"] == 0
    assert report["words"] == WORDS
    assert report["reply"] == 0
    assert report["reply_words"] == WORDS


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
    machine = boot("buffers", role="taken")
    waits = ("receiver", "caller", "notified", "sender")
    for _ in waits:
        machine.run_to("loser_waits", program="buffers")
        loser = machine.registers().cr3
        machine.run_to("page_goes", program="buffers")
        unmap(machine, loser, 0x20000000)
    report = machine.finish()
    assert report["first"] in (0, E_FAULT)
    assert report["sent"] == 0
    assert report["received"] == WORDS
    for wait in waits:
        assert report[wait] == WORDS


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
    report = boot("cycles", role="two").finish()
    assert report["result"] == 0
    assert report["words"] == WORDS
    assert report["refusals"] == 0b1111
    assert report["send_to_itself"] == E_DEADLOCK
    assert report["call_to_itself"] == E_DEADLOCK
    assert report["to_another"] == 0
    assert report["answer"] == WORDS


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
    report = boot("cycles", role="rings").finish()
    assert report["third"] == E_DEADLOCK
    assert report["words_of_three"] == 2 * WORDS
    assert report["sixth"] == E_DEADLOCK
    assert report["words_of_six"] == 5 * WORDS
    assert report["from_the_killed"] == E_DEAD
    assert report["late_words"] == WORDS
    assert report["late_sent"] == 0


@graded(
    stage=1, points=1, handout="death", usually="whoever waited for the dead process is never woken", schedules=True
)
def test_the_death_of_a_receiver_wakes_all_who_wait_for_it(boot: Boots) -> None:
    """Senders, callers, those who wait for its reply or its message: all are told E_DEAD when a process is killed."""
    report = boot("death", role="receiver_dies").finish()
    assert report["killed"] == 0
    for waiting in ("first_sender", "second_sender", "queued_caller", "wait_for_reply", "receiver"):
        assert report[waiting] == E_DEAD


@graded(stage=1, points=1, handout="death", usually="a killed sender stays in the receiver's queue", schedules=True)
def test_a_dead_sender_leaves_no_ghost(boot: Boots) -> None:
    """Senders killed while they wait, first, middle or last, are gone from the queue; the others' messages still
    arrive.
    """
    report = boot("death", role="sender_dies").finish()
    assert report["arrived"] == 0b01010
    assert report["words"] == 2 * WORDS
    assert report["then"] == E_BLOCKED
    assert report["sent"] == 0
    assert report["new_sender"] == WORDS
    assert report["new_sent"] == 0


@graded(stage=1, points=1, handout="death", usually="reply trusts that who called is still there", schedules=True)
def test_a_reply_to_a_dead_caller_is_an_error(boot: Boots) -> None:
    """A server whose client was killed in the meantime gets an error, and serves the next one."""
    report = boot("death", role="caller_dies").finish()
    assert report["reply_to_dead"] in (E_INVALID, E_DEAD)
    assert report["reply_to_living"] == 0
    assert report["words"] == WORDS


@graded(
    stage=1,
    points=1,
    handout="endpoints",
    usually="the generation is not compared, or does not grow when a slot is used again",
    schedules=True,
)
def test_a_stale_endpoint_never_means_the_slots_next_process(boot: Boots) -> None:
    """The endpoint of a dead process says E_DEAD for ever, also when another process sits in its slot."""
    report = boot("death", role="stale", guest_seconds=6).finish()
    assert report["new"] % 64 == report["old"] % 64
    assert report["new"] // 64 > report["old"] // 64 >= 1
    for operation in ("send", "call", "notify", "receive"):
        assert report[operation] == E_DEAD
    assert report["reply"] in (E_INVALID, E_DEAD)
    assert report["sent_to_new"] == 0
    assert report["words"] == WORDS


@graded(
    stage=1,
    points=1,
    handout="endpoints",
    usually="the slot of an endpoint is used without a look at its generation",
    schedules=True,
)
def test_a_number_that_never_was_an_endpoint_is_refused(boot: Boots) -> None:
    """Made-up endpoints are errors for every operation, and a true one works."""
    report = boot("death", role="never").finish()
    for operation in ("sends", "calls", "replies", "notices"):
        assert report[operation] == 0b11111
    assert report["to_a_real_one"] == 0
    assert report["words"] == WORDS


@graded(
    stage=1,
    points=1,
    handout="notifications",
    usually="notifications are queued, or receive looks for senders first",
    schedules=True,
)
def test_notifications_are_bits_that_add_up(boot: Boots) -> None:
    """Bits from several notifies come as one message of the kernel's, before any sender's, and once."""
    machine = boot("notify", role="bits")
    report = machine.finish()
    assert report["first"] == 0
    assert report["sender"] == 0
    assert report["type"] == 1
    assert report["bits"] == 0x80000004 | 1 << (8 + machine.nonce % 16)
    assert report["again"] == E_BLOCKED
    assert report["second"] == 0
    assert report["words"] == WORDS
    assert report["writer"] == 0
    assert report["ringer"] == 0


@graded(
    stage=1,
    points=1,
    handout="notifications",
    usually="the `from` of a waiting receiver is not compared when a message comes",
    schedules=True,
)
def test_waiting_for_the_kernel_or_for_one_process_takes_nothing_else(boot: Boots) -> None:
    """From ENDPOINT_KERNEL only notifications come, and they do not end a wait for one process's message."""
    report = boot("notify", role="kinds").finish()
    assert report["kernel_only"] == 0
    assert report["bits"] == 0x10
    assert report["from_one"] == 0
    assert report["from_words"] == WORDS
    assert report["bits_kept"] == 0x20
    assert report["any"] == 0
    assert report["any_words"] == WORDS


@graded(
    stage=1,
    points=1,
    handout="notifications",
    usually="a wake-up is lost between the look for bits and the going to sleep",
    schedules=True,
)
def test_a_storm_of_notifications_loses_no_wake_up(boot: Boots) -> None:
    """Two processes wake one another 300 times, then 1,000 notifications come at once: none is lost, nothing
    overflows.
    """
    report = boot("notify", role="storm").finish()
    assert report["rounds"] == 299
    assert report["player"] == 0
    assert report["flood"] == 0xFFFFFFFF
    assert report["then"] == E_BLOCKED


@graded(
    stage=1, points=1, handout="notifications", usually="the timer's interrupt does not notify its subscriber each time"
)
def test_a_storm_of_interrupts_loses_no_wake_up(boot: Boots) -> None:
    """A subscriber of the timer gets every interrupt while it listens, and 1,000 that came meanwhile as one."""
    machine = boot("notify", role="interrupts", a=100, b=1000, guest_seconds=14)
    report = machine.finish()
    assert report["keyboard"] == E_PERMISSION
    assert report["no_such_line"] in (E_PERMISSION, E_INVALID)
    assert report["subscribe"] == 0
    assert report["wrong"] == 0
    assert report["ticks"] == 100
    assert report["all_at_once"] == 0x40
    assert report["then"] == E_BLOCKED
    assert report["next"] == 0x40


@graded(
    stage=1,
    points=1,
    handout="registers",
    usually="a switch in the middle of a call saves too little, or gives results in more than EAX",
    schedules=True,
)
def test_all_registers_but_eax_are_preserved(boot: Boots) -> None:
    """Every call keeps its caller's registers, blocked or not: what is no message carries nothing of anyone else's."""
    report = boot("registers", role="preserved").finish()
    assert report["words"] == 3 * WORDS
    assert report["partner"] == 0
    assert report["changed"] == 0


@graded(
    stage=1,
    points=1,
    handout="registers",
    usually="the kernel copies with the direction flag as the program left it",
    schedules=True,
)
def test_a_programs_flags_do_not_disturb_the_kernel(boot: Boots) -> None:
    """DF, NT, AC or TF set by a program change nothing in the kernel: messages arrive whole, and a trap ends its
    own program only.
    """
    report = boot("registers", role="flags").finish()
    assert report["traced"] == fault_status(1)
    assert report["words"] == 3 * WORDS
    assert report["partner"] == 0
    assert report["flags_changed"] == 0


@graded(
    stage=1,
    points=1,
    handout="registers",
    usually="the kernel can be interrupted in the middle of a copy, and is then not ready for it",
)
def test_a_timer_interrupt_anywhere_in_a_send_does_no_harm(boot: Boots) -> None:
    """Wherever in a send the timer's interrupt arrives, every message is delivered whole and once."""
    rounds, sends = 24, 60
    machine = boot("rendezvous", role="sweep", a=sends)
    machine.run_to("sweep_round", program="rendezvous")  # a first send may do what the others need not
    places = instructions_of_a_send(machine)
    assert len(places) >= rounds
    interrupted = 0
    for place in places[:: len(places) // rounds][:rounds]:
        machine.run_to("sweep_round", program="rendezvous")
        with machine.breakpoint(place), machine.breakpoint("sweep_round", program="rendezvous"):
            if machine.run().address == place:  # else this send went another way
                machine.inject_irq(0)
                interrupted += 1
    report = machine.finish()
    assert interrupted >= rounds // 2
    assert report["refused"] == 0
    assert report["words"] == sends * WORDS


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
