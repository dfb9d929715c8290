"""Write compile_commands.json, by which clangd (and so most editors) knows how each C file is compiled.

The baseline's commands are asked of its Makefile. A lab's own files, its reference and the grader's probes are compiled
in a composed tree that an editor never sees; their commands are the baseline's, with the folders a tree is made of.
"""

import json
import shlex
import sys
from pathlib import Path

from project import TOP, run

from grader.host.toolchain import find_toolchain

KERNEL = TOP / "kernel"


def baseline_flags() -> list[str]:
    """The compiler and its flags, as the kernel's Makefile uses them, without input and output."""
    output = TOP / ".cache" / "editor"
    made = run([find_toolchain().make, "--always-make", "--dry-run", f"OUT={output}"], quiet=True, folder=KERNEL)
    for line in made.stdout.splitlines():
        words = shlex.split(line)
        if "-c" in words and words[-1].endswith(".c"):
            flags = [word for word in words[: words.index("-c")] if word not in ("-MMD", "-MP")]
            return [flag for flag in flags if not flag.startswith("-ffile-prefix-map")]
    print(made.stdout, file=sys.stderr)
    raise SystemExit("kernel/Makefile compiles no C file")


def include_folders(file: Path) -> list[Path]:
    """Where the tree that this file ends in finds its headers, the nearest first."""
    lab = file.relative_to(TOP).parts[1] if file.is_relative_to(TOP / "labs") or "solutions" in file.parts else ""
    folders = [TOP / "solutions" / lab / "kernel", TOP / "labs" / lab / "kernel"] if lab else []
    folders = [*folders, KERNEL]
    return [*folders, *(folder / "user" for folder in folders), TOP / "grader" / "probes"]


def commands() -> list[dict[str, object]]:
    """One entry a C file."""
    flags = baseline_flags()
    files = [file for folder in ("kernel", "labs", "solutions", "grader") for file in (TOP / folder).rglob("*.c")]
    # A student's checkout has what its lab starts from beside the lab: the same functions once more.
    files = [file for file in files if file.relative_to(TOP).parts[2:3] != ("base",)]
    return [
        {
            "directory": str(KERNEL),
            "file": str(file),
            "arguments": [*flags, *(f"-I{folder}" for folder in include_folders(file)), "-c", str(file)],
        }
        for file in sorted(files)
    ]


def main() -> int:
    """Write the file; returns the exit status."""
    entries = commands()
    (TOP / "compile_commands.json").write_text(json.dumps(entries, indent=2) + "\n")
    print(f"compile_commands.json: {len(entries)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
