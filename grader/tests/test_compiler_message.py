"""Compilers' messages: the first error first, named as the student knows the file, harmless to show."""

from __future__ import annotations

from grader.builds.compiler_message import explain, read_errors, was_starved

FOLDER = "/tmp/tree"


def test_the_first_error_comes_first() -> None:
    """Whatever order two compilers wrote in, the text is the same, with the compiler's context under its error."""
    first = b"""message.c: In function 'send':
message.c:12:5: error: 'x' undeclared (first use in this function)
   12 |     x = 1;
      |     ^
message.c:12:5: note: each undeclared identifier is reported only once
make: *** [Makefile:80: ../../out/objects/kernel/message.c.o] Error 1
"""
    second = b"""user/server.c:3:1: error: expected ';' before 'int'
make: *** [Makefile:80: ../../out/objects/kernel/user/server.c.o] Error 1
make: Target 'all' not remade because of errors.
"""
    text = explain(first + second, FOLDER)
    assert text == explain(second + first, FOLDER)
    assert text.split("\n") == [
        "kernel/message.c:12:5: error: 'x' undeclared (first use in this function)",
        "  kernel/message.c: In function 'send':",
        "   12 |     x = 1;",
        "      |     ^",
        "kernel/user/server.c:3:1: error: expected ';' before 'int'",
    ]


def test_an_error_in_a_header_is_told_once() -> None:
    """Every file that includes it reports it."""
    errors = b""
    for name in (b"a.c", b"b.c"):
        errors += b"In file included from " + name + b":1:\ntypes.h:4:1: error: unknown type name 'foo'\n"
    found = read_errors(errors, FOLDER)
    assert [(error.file, error.line) for error in found] == [("kernel/types.h", 4)]
    assert "In file included from kernel/a.c:1:" in found[0].text


def test_assemblers_and_linker_are_understood() -> None:
    """nasm, gas, ld with and without debug information."""
    errors = b"""idt.asm:7: error: symbol `foo' not defined
/tmp/ccXYZ.s: Assembler messages:
main.c:9: Error: no such instruction: `foo'
/usr/bin/i686-linux-gnu-ld: ../../out/objects/kernel/main.c.o: in function `kernel_main':
/tmp/tree/kernel/main.c:20: undefined reference to `missing'
/usr/bin/i686-linux-gnu-ld: ../../out/objects/kernel/a.c.o:(.data+0x4): undefined reference to `gone'
collect2: error: ld returned 1 exit status
"""
    assert explain(errors, FOLDER).split("\n") == [
        "kernel/idt.asm:7: error: symbol `foo' not defined",
        "kernel/main.c:9: Error: no such instruction: `foo'",
        "kernel/a.c: undefined reference to `gone'",
        "kernel/main.c:20: undefined reference to `missing'",
    ]


def test_an_exceeded_limit_is_a_sentence() -> None:
    """Instead of the compiler's own words about signals."""
    errors = b"""i686-linux-gnu-gcc: fatal error: CPU time limit exceeded signal terminated program cc1
compilation terminated.
make: *** [Makefile:80: ../../out/objects/kernel/message.c.o] Error 1
"""
    assert explain(errors, FOLDER).startswith("kernel/message.c: compiling it takes more CPU time than is allowed")


def test_messages_are_harmless() -> None:
    """A hand-in can put escape sequences and bytes that are no text into what a compiler prints."""
    text = explain(b'message.c:1:2: error: #error \x1b[2J\xff\xe2\x80\xae "x"\n', FOLDER)
    assert text.startswith("kernel/message.c:1:2: error: #error ")
    assert not set(text) & set("\x1b\u202e")


def test_an_unknown_message_is_shown_as_it_is() -> None:
    """Nothing is swallowed."""
    assert explain(b"something odd\n", FOLDER) == "something odd"
    assert explain(b"", FOLDER) == "the build failed without a message"


def test_a_flood_is_cut() -> None:
    """A screenful is shown."""
    flood = b"".join(b"message.c:%d:1: error: e%d\n" % (line, line) for line in range(1, 5000))
    assert len(explain(flood, FOLDER).split("\n")) < 70


def test_a_compiler_killed_from_outside_is_told_apart() -> None:
    """That is the machine's fault, and a source line that says so is not it."""
    assert was_starved(b"i686-linux-gnu-gcc: fatal error: Killed signal terminated program cc1\n")
    assert was_starved(b"make: *** [Makefile:80: ../../out/objects/kernel/more.asm.o] Killed\n")
    assert was_starved(
        b"i686-linux-gnu-gcc: fatal error: cannot execute 'cc1': vfork: Resource temporarily unavailable\n"
    )
    assert not was_starved(b"message.c:1:2: error: #error Killed\n    1 | #error Killed\n")
