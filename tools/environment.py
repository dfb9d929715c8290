"""Make the virtual environment that `./lab` runs in, from the pinned requirements.

Uses the standard library only, since it runs before anything is installed. The copy of the requirements that it leaves
in the environment is written last: it says that the environment is whole, and for which pins. Interrupted or failed
work is removed; a killed run leaves no such copy, so the next run starts afresh. A lock lets several start at once.
"""

import argparse
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import venv
from pathlib import Path

READY = "requirements.txt"


class EnvironmentFailed(Exception):
    """The environment could not be made; the text is for the person at the terminal."""


def is_ready(directory: Path, requirements: Path) -> bool:
    """Tell whether the environment is whole and has the packages of these requirements, whatever else it has."""
    try:
        made_from, wanted = (file.read_text().splitlines() for file in (directory / READY, requirements))
    except OSError:
        return False
    return set(wanted) <= set(made_from) and (directory / "bin/python").exists()


def make(directory: Path, requirements: Path) -> None:
    """Make the environment anew; raises EnvironmentFailed with the reason when pip refuses."""
    if directory.exists() and not (directory / "pyvenv.cfg").exists():
        strangers = {entry.name for entry in directory.iterdir()} - {"bin", "include", "lib", "lib64"}
        if strangers:
            raise EnvironmentFailed(f"{directory} is not an environment; it is left alone")
    shutil.rmtree(directory, ignore_errors=True)
    # The interpreter's real path, so that an upgrade to another Python leaves a dangling link, which is seen.
    builder = venv.EnvBuilder(symlinks=True, with_pip=True)
    sys._base_executable = os.path.realpath(sys._base_executable)  # type: ignore[attr-defined]
    builder.create(directory)
    command = [str(directory / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-input", "--no-deps", "--prefer-binary", "--requirement", str(requirements)]
    # A person's own pip settings may say `user = true`, which pip refuses inside an environment.
    finished = subprocess.run(command, env={**os.environ, "PIP_USER": "0"}, stdin=subprocess.DEVNULL, check=False)
    if finished.returncode != 0:
        raise EnvironmentFailed(
            "pip could not install the packages (its words are above).\n"
            "Is there a network, and room on the disk? Run the same command again when there is."
        )
    unfinished = directory / (READY + ".new")
    shutil.copyfile(requirements, unfinished)
    unfinished.replace(directory / READY)


def interrupted(signum: int, _frame: object) -> None:
    """Turn a signal that ends us into an exception, so that what is half-made is removed."""
    raise KeyboardInterrupt(signum)


def main() -> int:
    """Make the environment named on the command line unless it is ready; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("directory", type=Path)
    parser.add_argument("requirements", type=Path)
    arguments = parser.parse_args()
    directory = Path.cwd() / arguments.directory
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with directory.with_name(directory.name + ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if is_ready(directory, arguments.requirements):
                return 0
            print(f"kernelist: installing the pinned Python packages into {directory} (once)", file=sys.stderr)
            try:
                make(directory, arguments.requirements)
            except BaseException:
                shutil.rmtree(directory, ignore_errors=True)
                raise
    except KeyboardInterrupt:
        print("kernelist: interrupted; nothing half-made is left", file=sys.stderr)
        return 130
    except (EnvironmentFailed, OSError, subprocess.CalledProcessError) as failure:
        print(f"kernelist: no Python environment: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
