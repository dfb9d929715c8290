"""Stage 1: two processes exchange messages, in every order in which they can meet."""

from __future__ import annotations

from crew import ENDPOINTS, WORDS, digits, names, played

from grader.testing.boots import Boots
from grader.testing.kernel_error import KernelError
from grader.testing.message import at_least, must
from grader.testing.plugin import graded

E_BLOCKED, E_DEAD, E_INVALID = KernelError.E_BLOCKED, KernelError.E_DEAD, KernelError.E_INVALID


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
    report = played(
        machine,
        result=(0, "a receive from anybody, which waited for its sender, returned"),
        waited=(at_least(2), "a receive, whose only sender slept for 30 ticks first, came back after ticks numbering"),
        received=(machine.nonce, "a receiver that waited got a message whose first word was"),
        words=(WORDS, "of the message's 14 words, a receiver that waited got right"),
        endpoint=(ENDPOINTS, "after a send to a receiver that waits, its sender got from that or from ipc_endpoint()"),
    )
    must(report["sender"], report["endpoint"], "a receiver that waited got a message whose field `sender` was")


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
    early = "a send returned before anybody had received its message"
    played(
        machine,
        result=(0, "a receive, for which a sender waited already, returned"),
        received=(machine.nonce, "a message whose sender had waited arrived with the first word"),
        words=(WORDS, "of the 14 words of a message whose sender had waited, the receiver got right"),
        sent=(0, "a send that had to wait for its receiver returned"),
        waited=(1, "a send that had to wait came back", {0: early}),
    )


@graded(
    stage=1,
    points=1,
    handout="queues",
    usually="waiting senders are searched for by slot, or kept as a stack",
    schedules=True,
)
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
    schedules=True,
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


@graded(
    stage=1,
    points=1,
    handout="rendezvous",
    usually="the sender's field is copied from the sender's buffer",
    schedules=True,
)
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
    schedules=True,
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


@graded(stage=1, points=2, handout="rendezvous", usually="the caller takes any message for the reply", schedules=True)
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
    schedules=True,
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
    schedules=True,
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
