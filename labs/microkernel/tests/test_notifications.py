"""Stage 1: notifications, and what interrupts, registers and flags must not disturb."""

from __future__ import annotations

from crew import WORDS, in_hexadecimal, names, played

from grader.machine import Machine
from grader.testing.boots import Boots
from grader.testing.kernel_error import KernelError, fault_status
from grader.testing.plugin import graded

KERNEL = 0xC0000000
"""Where the kernel's half of every address space begins."""

E_BLOCKED, E_INVALID, E_PERMISSION = KernelError.E_BLOCKED, KernelError.E_INVALID, KernelError.E_PERMISSION

CHANGED = names(
    [
        *("EAX", "EBX", "ECX", "EDX", "ESI", "EDI", "EBP", "ESP", "a segment register", ""),
        *("DF", "", "", "", "NT", "", "", "", "AC"),
    ]
)
"""The bits of a report of probes/registers.c."""


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
    schedules=True,
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
            "a receive from one process, to whose caller a notification came first, brought of its 14 words",
        ),
        bits_kept=(
            0x20,
            "of the bits 0x20, notified during a wait for one process, a later receive brought",
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
    schedules=True,
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
        no_wait="1,000 notifications came during a wait for a child, which returned, instead of its id,",
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


def changed(word: int) -> str:
    """What a report of probes/registers.c says of registers and flags."""
    return "unknown, since its messages did not arrive" if word >> 31 else CHANGED(word)


@graded(
    stage=1,
    points=1,
    handout="registers",
    usually="a switch in the middle of a call saves too little, or gives results in more than EAX",
    schedules=True,
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
        changed=(0, "the registers that system calls changed in the process that began it, EAX aside, were", changed),
    )


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
    played(
        boot("registers", role="flags"),
        traced=(
            fault_status(1),
            "a program made a system call with the trap flag set; the status that its parent was told was",
        ),
        words=(3 * WORDS, "of the 42 words of three messages between programs with DF, NT and AC set, got right were"),
        partner=(
            0,
            "with DF, NT and AC set, the registers and flags that system calls changed in the partner were",
            CHANGED,
        ),
        flags_changed=(0, "the flags of its own that a program lost or got in system calls were", changed),
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
    machine.run_to("sweep_round", program="rendezvous", awaited="the second send to a receiver that waits")
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
