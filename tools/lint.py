"""Check the style of every file, or with --fix format what a formatter can.

Formatters and checkers of C and Python are pinned in requirements.txt, so they say the same on every machine;
shellcheck is used where it is found.
"""

import argparse
import importlib.util
import re
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

from project import TOP, Outcome, ending, python, report, run

# Folders with C files; in them, what the machine builds is below .cache and never listed.
C_FOLDERS = ("kernel", "labs", "solutions", "grader")

EVERYWHERE = ("lab", "Makefile", "tools/*.mk", "tools/*.sh", "kernel/Makefile", "labs/*/kernel/Makefile")
"""Scripts that run on macOS too, whose tools are those of the BSDs. What is in docker/ runs on Debian alone."""
GNU_ONLY = re.compile(
    r"\b(?:sed\s+(?:-\w*[irsz]|--)|readlink\s+-\w*[efm]|date\s+(?:-\w*d|--)|grep\s+(?:-\w*P|--)|cp\s+(?:-\w*[adlstu]|--)"
    r"|stat\s+(?:-\w*c|--)|find\b.*-printf|xargs\s+-\w*[rd]|sort\s+(?:-\w*[Vhz]|--)|mktemp\s+--|tar\s+-?\w*i\w*\s"
    r"|ln\s+-\w*[rT]|touch\s+-\w*d|head\s+-n\s*-|base64\s+-\w*w|echo\s+-[ne]|(?:timeout|nproc|tac|realpath|setsid)\s)"
)
"""Flags and programs that GNU's tools have and POSIX has not."""


def packaged(package: str, program: str) -> Path:
    """Path of a native program that a pinned Python package carries."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise SystemExit(f"{package} is not installed: run `make setup`")
    return Path(found.origin).parent / "data" / "bin" / program


def c_files() -> list[Path]:
    """All C sources and headers, sorted."""
    return sorted(path for folder in C_FOLDERS for path in (TOP / folder).rglob("*.[ch]"))


def total(checks: Iterator[Outcome]) -> Outcome:
    """Run checks one after another, and add them up."""
    return sum(checks, Outcome())


def check(name: str, *command: str | Path, folder: Path = TOP) -> Outcome:
    """Run one checker and report it."""
    finished = run(command, quiet=True, folder=folder)
    return report(name, finished.returncode == 0, finished.stdout)


def python_style() -> Iterator[Outcome]:
    """Style of the Python files."""
    yield check("ruff check", *python("-m", "ruff", "check", "."))
    yield check("ruff format", *python("-m", "ruff", "format", "--check", "."))


def python_types() -> Iterator[Outcome]:
    """Types of the Python files: the package first, since what is found out about it serves the others."""
    yield check("mypy grader", *python("-m", "mypy", "--strict", "-p", "grader"))
    yield check("mypy tools", *python("-m", "mypy", "--strict", *sorted((TOP / "tools").glob("*.py"))))
    # One run a lab: labs' tests are no package, and two labs may have files of one name.
    for tests in sorted(TOP.glob("labs/*/tests")):
        files = sorted(tests.rglob("*.py"))
        if files:
            yield check(f"mypy {tests.relative_to(TOP)}", *python("-m", "mypy", "--strict", *files))


def clang_tidy() -> Outcome:
    """Clang's analyser over the baseline, with the headers of the compiler that builds it."""
    compiler = next(filter(shutil.which, ("i686-linux-gnu-gcc", "i686-elf-gcc")), None)
    if compiler is None:
        return report("clang-tidy: no i686 compiler found, so no headers", False)
    headers = run([compiler, "-print-file-name=include"], quiet=True).stdout.strip()
    flags = ["--target=i686-linux-gnu", "-std=gnu17", "-ffreestanding", "-nostdinc", "-isystem", headers]
    files = sorted([*(TOP / "kernel").glob("*.c"), *(TOP / "kernel" / "user").glob("*.c")])
    includes: list[str | Path] = ["-I", TOP / "kernel", "-I", TOP / "kernel" / "user"]
    return check("clang-tidy", packaged("clang_tidy", "clang-tidy"), "--quiet", *files, "--", *flags, *includes)


def c_checks() -> Iterator[Outcome]:
    """Format and analysis of the C files."""
    files = c_files()
    if files:
        yield check("clang-format", packaged("clang_format", "clang-format"), "--dry-run", "-Werror", *files)
        yield clang_tidy()


def shell_checks() -> Iterator[Outcome]:
    """The shell scripts, where shellcheck is installed."""
    if shutil.which("shellcheck") is None:
        print("--    shellcheck is not installed: skipped")
        return
    yield check(
        "shellcheck", "shellcheck", "lab", ".ci/run", *TOP.glob("docker/grade"), *sorted((TOP / "tools").glob("*.sh"))
    )


def portable(text: str) -> list[str]:
    """The lines of a script or makefile that a Mac would not understand."""
    return [line.strip() for line in text.splitlines() if GNU_ONLY.search(line.partition(" #")[0])]


def portability() -> Iterator[Outcome]:
    """Whether scripts and makefiles use no flag that only GNU's tools have."""
    files = [file for pattern in EVERYWHERE for file in sorted(TOP.glob(pattern))]
    found = [f"{file.relative_to(TOP)}: {line}" for file in files for line in portable(file.read_text())]
    yield report("no flags of GNU's tools alone", not found, "\n".join(found))


def lint() -> Outcome:
    """Run all checks, each whatever the others say: types, which take longest, beside the rest."""
    others = chain(python_style(), c_checks(), shell_checks(), portability())
    with ThreadPoolExecutor() as side_by_side:
        return sum(side_by_side.map(total, (python_types(), others)), Outcome())


def fix() -> int:
    """Format all files; returns the exit status."""
    statuses = [run(python("-m", "ruff", "check", "--fix", "--quiet", ".")).returncode]
    statuses.append(run(python("-m", "ruff", "format", ".")).returncode)
    files = c_files()
    if files:
        statuses.append(run([packaged("clang_format", "clang-format"), "-i", *files]).returncode)
    return max(statuses)


def main() -> int:
    """Check or fix; the exit status is 1 when a check failed."""
    parser = argparse.ArgumentParser(description="check the style of every file")
    parser.add_argument("--fix", action="store_true", help="format C and Python files instead")
    if parser.parse_args().fix:
        return fix()
    outcome = lint()
    print(outcome.closing_line())
    return 1 if outcome.failed else 0


if __name__ == "__main__":
    sys.exit(ending(main))
