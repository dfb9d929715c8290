"""What `./lab prove` found, as a table: every answer, what must hold, whether it does, and then what is wrong, in
sentences.
"""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from grader.testing.prove import Prover
from grader.untrusted import no_commands, plain


def show(prover: Prover, console: Console) -> None:
    """Print the table and the problems."""
    tests = prover.requirements
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    table.add_column("")
    table.add_column("answer", overflow="fold")
    table.add_column("score", justify="right")
    table.add_column("runs", justify="right")
    table.add_column("must hold", overflow="fold", ratio=1)
    for answer, proof in prover.proofs.items():
        found = proof.problems(tests)
        mark = Text("WRONG", style="bold red") if found else Text("ok", style="green")
        runs = max((len(outcomes) for outcomes in proof.outcomes.values()), default=0)
        score = proof.score(tests)
        points = "" if score is None else f"{score:g}"
        table.add_row(mark, answer, points, str(runs), Text(proof.expectation.says, style="dim"))
    console.print()
    console.print(Text(f"{prover.lab.title}: {len(tests)} tests, {len(prover.proofs)} answers", style="bold"))
    console.print(table)
    _verdict(prover, console)


def show_messages(prover: Prover, console: Console) -> None:
    """Print what each answer's failed tests say, each message read by itself, as a student does; then the problems."""
    for answer, proof in prover.proofs.items():
        console.print(Text(f"\n{answer}", style="bold"), Text(proof.expectation.says, style="dim"), soft_wrap=True)
        for test, (outcome, *_) in proof.outcomes.items():
            console.print(Text.assemble((f"  {test}: ", "cyan"), no_commands(outcome.message)), soft_wrap=True)
    console.print()
    _verdict(prover, console)


def _verdict(prover: Prover, console: Console) -> None:
    """What is wrong, in sentences, and the last line."""
    problems = [("the lab", problem) for problem in prover.problems]
    for answer, proof in prover.proofs.items():
        problems += [(answer, problem) for problem in proof.problems(prover.requirements)]
    for where, problem in problems:
        console.print(Text.assemble(("WRONG ", "bold red"), (f"{where}: ", "bold"), no_commands(plain(problem))))
    runs = sum(len(outcomes) for proof in prover.proofs.values() for outcomes in proof.outcomes.values())
    verdict = "the lab proves itself" if not problems else f"{len(problems)} things are wrong"
    console.print(Text(f"\n{verdict}   ({runs} tests run in {prover.seconds:.0f} s)", style="bold"))
