"""The marker language: one file holds a finished answer and what stood there before each stage.

A file of `solutions/NAME/` is an ordinary, finished source that a compiler accepts as it is. Comments in it
say which lines belong to which stage, and what a student finds in their place:

    int message_send(endpoint_t to, const message_t *message)
    {
        // STAGE 1 {
        //: // TASK 1: deliver the message if the receiver waits, else join its queue of senders.
        //: return E_NO_CALL;
        process_t *receiver = endpoint_process(to);
        ...
        // STAGE 1 }
    }

- `STAGE k {` and `STAGE k }`, each alone in a comment on a line of its own, enclose the lines of stage k.
- Lines between them that begin with `//:` (after any spaces) are the text *before* stage k; all other lines
  are the finished ones. The text begins after the mark and one space, at the comment's own indentation, so a
  formatter that moves the comment moves the text with it. A bare `//:` stands for an empty line.
- `STAGE k FILE` on the first line: the whole file belongs to stage k and does not exist before it.
- In nasm the comment sign is `;` (`; STAGE 2 {`, `;: mov eax, -10`), in scripts and makefiles `#`. In C both
  `// STAGE 1 {` and `/* STAGE 1 { */` are markers; the text before always takes `//:`.
- Blocks nest, the inner with the higher number: a line that stage 3 adds to a function written in stage 1.

`render(text, stage)` gives the file as it is when stages 1..`stage` are done: for each block with k <= stage
the finished lines, for each later one the text before. Markers are never in the output, and where a block
vanishes between two empty lines, one of these goes too. So stage 0 is the starter, the last one the reference.

A marker that is not understood is an error with file and line (`MarkerError`): a mistyped marker would
otherwise give a part of the solution away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from grader.faults import ProjectFault

COMMENT = r"(?://|/\*|;|\#|--)"
MARKER = re.compile(rf"^\s*{COMMENT}+\s*STAGE\s+([1-9][0-9]?)\s*([{{}}]|FILE)\s*(?:\*/)?\s*$")
LOOKS_LIKE_MARKER = re.compile(rf"{COMMENT}.*\bSTAGE\b\s*[0-9{{}}]")
BEFORE = re.compile(r"^(\s*)(?://|;|\#|--):(?: (.*)|)$")
LOOKS_LIKE_BEFORE = re.compile(r"^\s*(?://|;|\#|--):")


class MarkerError(ProjectFault):
    """A stage marker of the project's own files is wrong. The message begins with `file:line:`."""

    def __init__(self, name: str, line: int, reason: str) -> None:
        super().__init__(f"{name}:{line}: {reason}")


@dataclass(frozen=True)
class Finished:
    """A line of the finished file."""

    text: str


@dataclass(frozen=True)
class Before:
    """A line that stands there until its block's stage is done."""

    text: str


@dataclass
class Block:
    """The lines of one stage, in order; `first_line` is the number of the line that opens it."""

    stage: int
    first_line: int
    parts: list[Finished | Before | Block] = field(default_factory=list)


@dataclass(frozen=True)
class StagedFile:
    """A file that was read: its blocks, and the stage before which it does not exist (0: it always does)."""

    name: str
    exists_from: int
    body: Block

    def stages(self) -> frozenset[int]:
        """Every stage that has a line in this file."""
        found = {self.exists_from} if self.exists_from else set()
        pending = [self.body]
        while pending:
            block = pending.pop()
            pending += [part for part in block.parts if isinstance(part, Block)]
            found |= {block.stage} if block.stage else set()
        return frozenset(found)

    def at(self, stage: int) -> str | None:
        """The text when stages 1..`stage` are done; None where the file does not exist yet."""
        if stage < self.exists_from:
            return None
        return "".join(line + "\n" for line in _without_double_gaps(_lines(self.body, stage)))


def parse(text: str, name: str) -> StagedFile:
    """Read a marked file. `name` is for messages only. Raises MarkerError."""
    root = Block(stage=0, first_line=0)
    stack = [root]
    exists_from = 0
    for number, line in enumerate(text.splitlines(), start=1):
        marker = MARKER.match(line)
        if marker is None:
            stack[-1].parts.append(_plain_line(line, len(stack) > 1, name, number))
            continue
        stage, kind = int(marker[1]), marker[2]
        if kind == "FILE":
            if number != 1:
                raise MarkerError(name, number, f"STAGE {stage} FILE must stand on the first line")
            exists_from = stage
        elif kind == "{":
            outer = max(stack[-1].stage, exists_from)
            if stage <= outer:
                raise MarkerError(name, number, f"STAGE {stage} inside of stage {outer}: an inner stage must be later")
            block = Block(stage, number)
            stack[-1].parts.append(block)
            stack.append(block)
        else:
            if len(stack) == 1:
                raise MarkerError(name, number, f"STAGE {stage} }} closes nothing")
            if stack[-1].stage != stage:
                reason = f"STAGE {stage} }} closes stage {stack[-1].stage}, opened in line {stack[-1].first_line}"
                raise MarkerError(name, number, reason)
            stack.pop()
    if len(stack) > 1:
        raise MarkerError(name, stack[-1].first_line, f"STAGE {stack[-1].stage} {{ is never closed")
    return StagedFile(name, exists_from, root)


def render(text: str, stage: int, name: str = "text") -> str | None:
    """The file when stages 1..`stage` are done, None where it does not exist yet. Raises MarkerError."""
    return parse(text, name).at(stage)


def _plain_line(line: str, in_block: bool, name: str, number: int) -> Finished | Before:
    if LOOKS_LIKE_MARKER.search(line):
        raise MarkerError(name, number, "looks like a stage marker but is none: STAGE k {, STAGE k }, STAGE k FILE")
    before = BEFORE.match(line)
    if before is not None and in_block:
        return Before((before[1] + before[2]).rstrip() if before[2] else "")
    if before is not None:
        raise MarkerError(name, number, "text before a stage (//:) outside of any stage")
    if LOOKS_LIKE_BEFORE.match(line):
        raise MarkerError(name, number, "text before a stage needs a space after the mark (//: text)")
    return Finished(line)


def _lines(block: Block, stage: int) -> Iterator[str | None]:
    """The lines of a block, with None wherever markers or lines were left out."""
    done = block.stage <= stage
    for part in block.parts:
        if isinstance(part, Block):
            yield None
            if done:
                yield from _lines(part, stage)
            yield None
        elif isinstance(part, Finished) == done:
            yield part.text
        else:
            yield None


def _without_double_gaps(lines: Iterator[str | None]) -> Iterator[str]:
    """Drop the Nones, and an empty line that follows one and would double the empty line before it."""
    last_empty, something_left_out = True, False
    for line in lines:
        if line is None:
            something_left_out = True
            continue
        empty = not line.strip()
        if empty and last_empty and something_left_out:
            continue
        yield line
        last_empty, something_left_out = empty, False
