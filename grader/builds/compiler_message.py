"""What the compiler, the assemblers and the linker said, put in order for a student: the first error first.

Several compilers run at once and go on after a failure, so their messages come in any order; here they are cut into
one block an error, named relative to the hand-in (kernel/message.c:12), without repetitions, compiling before linking,
sorted, and made harmless to show (a hand-in can put escape sequences into a message). The same hand-in gives the
same text every time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from grader.untrusted import opening, plain

SHOWN_LINES = 60
LINE = 1000  # characters that are looked at; a hand-in can make a line of any length
PLACE = r"(?P<file>[^\s:]+\.(?:c|h|asm|inc|S|ld|o)):(?P<line>\d+)(?::\d+)?"
# gcc, as and nasm: file:line: error: text. gas writes Error with a capital.
LOCATED = re.compile(rf"^(?:nasm: )?{PLACE}: (?P<kind>fatal error|error|[Ee]rror|fatal|panic): (?P<text>.*)$")
WARNING = re.compile(rf"^(?:nasm: )?{PLACE}: (?P<kind>[Ww]arning|note): ")
# ld, with debug information: file:line: undefined reference; without: file.o:(.text+0x1): undefined reference.
LINKED = re.compile(
    r"(?P<file>[^\s:]+):(?:(?P<line>\d+)|\([^)]*\)): "
    r"(?P<text>(?:undefined reference|multiple definition|relocation truncated|first defined|more undefined).*)$"
)
LINKER = re.compile(r"^\S*\bld(?:\.bfd)?: (?P<text>.*)$")
MAKE = re.compile(r"^g?make(?:\[\d+\])?: (?:\*\*\* )?\[[^]]*?: (?P<target>\S+)\] (?P<text>.*)$")
CONTEXT = re.compile(r"^(?:In file included from|\s+from) |^[^\s:]+: (?:In function|At top level)")
NO_INFORMATION = re.compile(r"^compilation terminated|: Assembler messages:$")

TOOL = re.compile(r"^(?:\S*(?:gcc|as|ld|ar|objcopy|\.s)|cc1|nasm|collect2|g?make(?:\[\d+\])?): ")
STARVED = re.compile(r"\bKilled\b|Resource temporarily unavailable")
LIMITS = (
    (
        re.compile(r"CPU time limit|SIGXCPU"),
        "takes more CPU time than is allowed: is there a macro or an include without end?",
    ),
    (
        re.compile(r"File size limit|File too large|SIGXFSZ"),
        "becomes larger than is allowed: is there a huge table or file in it?",
    ),
    (
        re.compile(r"virtual memory exhausted|out of memory|Cannot allocate memory|memory exhausted"),
        "takes more memory than is allowed: is there a huge table or a macro without end?",
    ),
    (re.compile(r"No space left on device"), "becomes larger than is allowed: is there a huge table in it?"),
)


@dataclass(frozen=True, order=True)
class CompilerError:
    """One error. `rank`: 0 an exceeded limit, 1 compiling, 2 linking. `file` is relative to the hand-in, or empty."""

    rank: int
    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return self.text


def explain(errors: bytes, folder: str) -> str:
    """All errors as one text, the first error in its first line. `folder`: where the tree lay when it was compiled."""
    found = read_errors(errors, folder)
    if not found:
        return opening(errors, SHOWN_LINES) or "the build failed without a message"
    return opening("\n".join(str(error) for error in found), SHOWN_LINES)


def was_starved(errors: bytes) -> bool:
    """Whether a compiler was ended by SIGKILL, or could not start its next part: no limit of ours does that first, a
    machine without memory does, or a user who may have no more processes.
    """
    lines = errors.decode("utf-8", "replace").split("\n")
    return any(TOOL.match(line) and STARVED.search(line[:LINE]) for line in lines)


def read_errors(errors: bytes, folder: str) -> list[CompilerError]:
    """The errors, each once, sorted: exceeded limits, then by file and line, compiling before linking."""
    found: list[CompilerError] = []
    context: list[str] = []
    block: list[str] | None = None  # the lines of the last error, which may go on
    limit = ""  # was exceeded; which file it was is in make's line that follows
    for raw in plain(errors).split("\n"):
        line = _relative(raw[:LINE], folder)
        limit = _limit(line) or limit
        made = MAKE.match(line)
        error = _located(line) or _linked(line)
        if made is not None and limit:
            file, sentence, limit = _source_of(made["target"]), limit, ""
            found.append(CompilerError(0, file, 0, f"{file}: compiling it {sentence}"))
            block = None
        elif error is not None:
            block = [error.text, *(f"  {said}" for said in context)]
            found.append(error)
            context = []
        elif CONTEXT.match(line):
            context, block = [*context, line][-4:], None
        elif WARNING.match(line) or TOOL.match(line) or NO_INFORMATION.search(line):
            context, block = [], None
        elif block is not None and line.strip() and len(block) < 8:
            block.append(line)
        if block is not None:
            found[-1] = replace(found[-1], text="\n".join(block))
    if limit:
        found.append(CompilerError(0, "", 0, f"compiling {limit}"))
    return _ordered(found)


def _ordered(found: list[CompilerError]) -> list[CompilerError]:
    first = {(error.rank, error.file, error.line, error.text.split("\n")[0]): error for error in reversed(found)}
    return sorted(first.values())


def _limit(line: str) -> str:
    """The sentence for an exceeded limit, if that is what a tool says (not a source line that it shows)."""
    if TOOL.match(line) is None or LOCATED.match(line) is not None:
        return ""
    return next((sentence for pattern, sentence in LIMITS if pattern.search(line)), "")


def _located(line: str) -> CompilerError | None:
    match = LOCATED.match(line)
    if match is None:
        return None
    text = line.removeprefix("nasm: ")
    return CompilerError(1, match["file"], int(match["line"]), text)


def _linked(line: str) -> CompilerError | None:
    match = LINKED.search(line)
    if match is not None:
        file, number = _source_of(match["file"]), int(match["line"] or 0)
        place = f"{file}:{number}" if number else file
        return CompilerError(2, file, number, f"{place}: {match['text']}")
    match = LINKER.match(line)
    if match is not None and "in function" not in line and "warning" not in line:
        return CompilerError(2, "", 0, f"linking: {match['text']}")
    return None


def _source_of(target: str) -> str:
    """objects/kernel/message.c.o was made of kernel/message.c; other targets are named as they are."""
    match = re.search(r"objects/(.*)\.o$", target)
    return match[1] if match else re.sub(r"^(?:\.\./)+(?:out/)?", "", target)


def _relative(line: str, folder: str) -> str:
    """Paths as the student knows them: compilers work in kernel/, and name files from there or absolutely."""
    line = line.replace(folder.rstrip("/") + "/", "./")
    line = re.sub(r"(?:\.\./)+out/objects/(\S+?)\.o\b(?!\])", r"\1", line)
    line = line.replace("kernel/kernel/", "kernel/")  # the linker joins a debug folder and a name that has it already
    line = re.sub(r"(^|[\s:'`(])(?:\./)?kernel/\.\./", r"\1./", line)
    match = re.match(r"(nasm: |In file included from |\s+from )?([^\s:]+)(:.*)$", line)
    if match is None:
        return line.replace(" ./", " ")
    prefix, file, rest = match[1] or "", match[2], match[3]
    if file.startswith("./"):
        file = file[2:] if file.startswith(("./kernel/", "./probes/")) else "kernel/" + file[2:]
    elif file.startswith("../probes/"):
        file = file[3:]
    elif re.search(r"\.(?:c|h|asm|inc|S|ld)$", file) and not file.startswith(("/", "..", "kernel/", "probes/")):
        file = "kernel/" + file
    return prefix + file + rest.replace(" ./", " ")
