"""Stage 2, for instructors only: the heartbeat's seal once more, of what no test that students have ever sends.

An answer fitted to the public test, whose client says `hello`, does not pass this one; any that seals what it is given
does.
"""

from __future__ import annotations

import random
import string

from privuser import plant
from test_gate import mac, response

from grader.testing.boots import Boots
from grader.testing.plugin import graded

PROGRAM = "secure_heartbeat"


@graded(stage=2, points=1, handout="heartbleed", usually="a seal is of other bytes than those that are sent back")
def test_whatever_the_client_sends_comes_back_sealed(boot: Boots, seed: int) -> None:
    """Words of every length come back as they are, each sealed with the key that is in PrivUser now."""
    draw = random.Random(seed)
    machine = boot(None, first=PROGRAM)
    machine.run_to("main", program=PROGRAM)
    key = draw.randbytes(16)
    plant(machine, "key", PROGRAM, key)
    machine.wait_for_serial(b"heartbeat ready")
    for length in (1, draw.randrange(2, 12), 12):
        said = "".join(draw.choices(string.ascii_letters, k=length)).encode()
        machine.send(b"%d %s\n" % (length, said))
        answer, seal = response(machine)
        assert answer == said, "an honest client does not get back what it sent"
        assert seal == mac(key, said), f"the seal of {length} byte{'s' if length > 1 else ''} is wrong"
