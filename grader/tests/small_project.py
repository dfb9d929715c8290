"""A project of a few lines, for tests of what composes and builds: the real Makefile, a kernel that does nothing.

It has one lab, `small`, with two stages, a solution, a mutant and a probe.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from grader.labs.lab_file import Lab, load_lab
from grader.paths import Project

HERE = Project.here()

LAB_TOML = """
title = "A small lab"
summary = "For tests."
remove = ["kernel/old.c"]

[handin]
files = ["kernel/message.c", "kernel/message*.h", "kernel/extra*.c", "kernel/more*.asm", "kernel/user/server*.c"]

[[stage]]
number = 1
title = "First"
points = 40

[[stage]]
number = 2
title = "Second"
points = 60
"""

MESSAGE_C = """#include "types.h"

int message_send(int value)
{
    // STAGE 1 {
    //: // TASK 1: give the value back.
    //: (void)value;
    //: return -1;
    // STAGE 2 {
    value += 1;
    // STAGE 2 }
    return value;
    // STAGE 1 }
}
"""

MUTANT_TOML = """
misconception = "The value is taken for its double."
fails = ["test_value"]
patch = '''
--- a/kernel/message.c
+++ b/kernel/message.c
@@
     value += 1;
-    return value;
+    return value * 2;
'''
"""

FILES = {
    "kernel/bootstrap.asm": "times 510 - ($ - $$) db 0\ndw 0xAA55\n",
    "kernel/starter.asm": "section .starter\nglobal starter\nextern kernel_main\nstarter: call kernel_main\nhlt\n",
    "kernel/types.h": "#pragma once\n#include <stdint.h>\nint message_send(int value);\nextern int other;\n",
    "kernel/main.c": '#include "types.h"\nint kernel_main(void);\nint kernel_main(void)\n{\n    return other;\n}\n',
    "kernel/other.c": '#include "types.h"\nint other = 5;\n',
    "kernel/old.c": "int old;\n",
    "kernel/user/start.asm": "global _start\nextern main\nsection .text\n_start: call main\n",
    "kernel/user/library.h": "#pragma once\nint library(void);\n",
    "kernel/user/library.c": '#include "library.h"\nint library(void)\n{\n    return 7;\n}\n',
    "kernel/user/shell.c": '#include "library.h"\nint main(void)\n{\n    return library();\n}\n',
    "grader/probes/probe.h": "#pragma once\nvoid probe_finish(void);\n",
    "grader/probes/probe.c": '#include "probe.h"\nvoid probe_finish(void)\n{\n}\n',
    "labs/small/lab.toml": LAB_TOML,
    "labs/small/kernel/given.c": "int given = 1;\n",
    "labs/small/probes/knock.c": '#include "probe.h"\nint main(void)\n{\n    probe_finish();\n    return 0;\n}\n',
    "solutions/small/kernel/message.c": MESSAGE_C,
    "solutions/small/mutants/doubled.toml": MUTANT_TOML,
    "solutions/small/README.md": "Not an answer's file.\n",
}


def small_project(folder: Path) -> Project:
    """Make the project below `folder`, which may have a space in its name."""
    put(folder, FILES)
    for name in ("kernel/Makefile", "kernel/link.ld", "kernel/user/user.ld"):
        shutil.copy(HERE.root / name, folder / name)
    return Project(folder)


def small_lab(project: Project) -> Lab:
    """The one lab of a small project."""
    return load_lab(project, "small")


def put(folder: Path, files: dict[str, str]) -> Path:
    """Write some texts below a folder, which is made; gives it back."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder
