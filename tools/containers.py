"""Build the images of docker/ and try them: grading as an ordinary user without privileges, with and without user
namespaces, and attacks where the container itself is the sandbox.

Needs a Docker engine; without one it says so and checks nothing. KERNELIST_DOCKER_BUILD has more options for `docker
build`, such as --network=host where containers have no network of their own.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from project import TOP, Outcome, ending, python, report, run

LAB = "boot"
IMAGES = {target: f"kernelist-{target}" for target in ("autograder", "student")}
BARE = ("--network=none", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges")
"""How an autograder is run: no network, nothing to be written but /tmp and the results, no right of any kind."""
NAMESPACES = ("--security-opt=seccomp=unconfined", "--security-opt=systempaths=unconfined")
CONTAINED = "the container is the sandbox"
SECRETS = (
    f"/opt/kernelist/labs/{LAB}/tests/test_uptime.py",
    f"/opt/kernelist/solutions/{LAB}/kernel/lab_calls.c",
    "/handin/kernel/lab_calls.c",
    "/results/result.json",
    "/etc/passwd",
    "/proc/1/environ",
)

TAKEN_OVER = """
import sys
from grader.host.sandbox import Sandbox, unsandboxed
sandbox = Sandbox.detect() if sys.argv[1] == "confined" else unsandboxed("for comparison")
done = sandbox.run(["/bin/sh", "-c", sys.argv[2]], wall_seconds=60)
print(done.output.decode())
"""
"""What a compiler could do that a hand-in had taken over altogether: a shell in its place."""


def engine() -> str:
    """Why no container can be started here; empty when one can."""
    if shutil.which("docker") is None:
        return "docker is not installed"
    answer = run(["docker", "info", "--format", "{{.ServerVersion}}"], quiet=True)
    return "" if answer.returncode == 0 else f"no Docker engine answers ({answer.stdout.strip().splitlines()[-1]})"


def build(target: str) -> Outcome:
    """Build one image, as docker/README.md says."""
    options = shlex.split(os.environ.get("KERNELIST_DOCKER_BUILD", ""))
    command = ["docker", "build", *options, "-f", "docker/Dockerfile", "--target", target, "-t", IMAGES[target], "."]
    print("$", shlex.join(command), flush=True)
    finished = run(command, quiet=True)
    hint = "" if options else "\n(where containers have no network of their own: KERNELIST_DOCKER_BUILD=--network=host)"
    return report(f"the image {IMAGES[target]} is built", finished.returncode == 0, finished.stdout + hint)


class Trial:
    """One container that grades one hand-in, and what came of it."""

    def __init__(self, handin: Path, options: Sequence[str], *arguments: str, writable: bool = True) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=handin.parent, prefix="results-"))
        self.folder.chmod(0o777 if writable else 0o555)
        binds = ["-v", f"{handin}:/handin:ro", "-v", f"{self.folder}:/results"]
        words = ["docker", "run", "--rm", *options, *binds, IMAGES["autograder"], *(arguments or (LAB,))]
        finished = run(words, quiet=True)
        self.status, self.said = finished.returncode, finished.stdout
        file = self.folder / "result.json"
        self.result: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        self.owner = file.stat().st_uid if file.exists() else None

    def scored(self, points: int) -> bool:
        """Whether it was graded, with so many points, and every form was written."""
        forms = all((self.folder / name).exists() for name in ("junit.xml", "report/index.html"))
        return self.status == 0 and self.result.get("gradable") is True and self.result["score"] == points and forms

    def contained(self) -> bool:
        """Whether it says, once, that the container is the sandbox."""
        return self.result["sandboxed"] is True and sum(CONTAINED in note for note in self.result["notes"]) == 1

    def everything(self) -> str:
        """All that a student could get to read of it."""
        files = [file.read_text() for file in sorted(self.folder.rglob("*")) if file.is_file()]
        return "\n".join([self.said, *files])


def hand_ins(folder: Path) -> None:
    """The reference and the starter as folders, the starter as an archive too, all readable by everybody."""
    for answer in ("reference", "starter"):
        run(python("-m", "grader", "tree", LAB, "--answer", answer, "--output", folder / answer), quiet=True)
    with zipfile.ZipFile(folder / "starter.zip", "w") as archive:
        for file in sorted((folder / "starter/kernel").glob("*.[ch]")):
            archive.write(file, f"kernel/{file.name}")
    subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)


def grading(folder: Path) -> Outcome:
    """Right and wrong hand-ins, with and without user namespaces, as whoever the container is started as."""
    reference = folder / "reference"
    right = Trial(reference, BARE)
    total = report("the reference gets 100 points, without privileges", right.scored(100), right.said)
    total += report("the container is the sandbox, and it says so", right.scored(100) and right.contained(), right.said)
    wrong = Trial(folder / "starter.zip", (*BARE, "--user=4242:4242"))
    total += report(
        "the starter, as an archive and for any user, gets 0", wrong.scored(0) and wrong.contained(), wrong.said
    )
    inside = Trial(reference, (*BARE, *NAMESPACES))
    own = inside.scored(100) and inside.result["sandboxed"] is True and not inside.result["notes"]
    total += report("where user namespaces are allowed it has a sandbox of its own", own, inside.said)
    one = ("--only", right.result["tests"][0]["name"] if right.result else "*")
    root = Trial(reference, ("--network=none", "--user=0"), LAB, *one)
    dropped = root.status == 0 and root.owner not in (0, None) and root.contained()
    total += report("started as root it becomes an ordinary user", dropped, root.said)
    stuck = Trial(reference, (*BARE, "--user=0"))
    total += report("root that may not become one is refused", stuck.status == 2 and "--user" in stuck.said, stuck.said)
    shut = Trial(reference, BARE, writable=False)
    told = shut.status == 2 and "may not write to /results" in shut.said
    return total + report("results that cannot be written are said at once", told, shut.said)


def attacks(folder: Path) -> Outcome:
    """What a hand-in must not see or change where no user namespace keeps it away."""
    evil = folder / "evil"
    shutil.copytree(folder / "reference", evil)
    calls = evil / "kernel/lab_calls.c"
    honest = calls.read_text()

    def included(*paths: str) -> str:
        return honest + "".join(f'asm(".pushsection .rodata; .incbin \\"{path}\\"; .popsection");\n' for path in paths)

    calls.write_text(included(*SECRETS))
    trial = Trial(evil, BARE)
    total = Outcome()
    for secret in SECRETS:
        told = trial.scored(0) and f"{secret}\n" in trial.result["build_output"] + "\n"
        total += report(f"{secret} cannot be built into a kernel", told, trial.said)
    calls.write_text(included("lab_calls.c"))
    own = Trial(evil, BARE)
    total += report("(a file of its own can)", own.scored(100), own.said)
    calls.write_text(f'{honest}\n#include "{SECRETS[0]}"\n')
    quoted = Trial(evil, BARE)
    kept = quoted.scored(0) and "from grader" not in quoted.everything()
    return total + report("nothing of a test is quoted by the compiler", kept, quoted.said) + taken_over(folder)


def taken_over(folder: Path) -> Outcome:
    """The same for a shell in the compiler's place, beside one that nothing confines."""
    results = folder / "taken"
    results.mkdir()
    results.chmod(0o777)
    script = [f"head -c 1 {path} >/dev/null 2>&1 && echo read {path}" for path in SECRETS if "/result" not in path]
    script += [f"(echo evil > {path}/x) 2>/dev/null && echo wrote {path}" for path in ("/results", "/tmp", "/dev/shm")]
    script += ["kill -0 1 2>/dev/null && echo signals", "exit 0"]
    words = ["docker", "run", "--rm", *BARE, "-v", f"{folder}/reference:/handin:ro", "-v", f"{results}:/results"]
    words += ["-e", "PYTHONPATH=/opt/kernelist", "--entrypoint", "/opt/environment/bin/python", IMAGES["autograder"]]
    confined, free = (
        run([*words, "-c", TAKEN_OVER, how, "\n".join(script)], quiet=True).stdout.strip()
        for how in ("confined", "free")
    )
    total = report("a shell in the compiler's place reads, writes and signals nothing", confined == "", confined)
    return total + report("(unconfined it does all of that)", len(free.splitlines()) == len(script) - 1, free)


STUDENTS = {
    "is an ordinary user with GDB and git": "test $(id -u) != 0 && gdb --version && git --version",
    "has all that ./lab doctor asks for": "set -o pipefail; ./lab doctor | grep -C99 '^ok .*Bochs bears'",
    "grades": f"./lab grade {LAB} --answer reference --only an_unmapped_buffer_is_refused | grep '^Score: 10 of 10 '",
    "lists the graded tests for an editor": f'"$KERNELIST_ENVIRONMENT/bin/python" -m pytest --collect-only labs/{LAB}',
}
"""What the student's image must do on a checkout: commands for its shell."""


def student() -> Outcome:
    """The student's image on this checkout, which it may not write."""
    words = ["docker", "run", "--rm", "--network=none", "-v", f"{TOP}:/course:ro", IMAGES["student"], "bash", "-c"]
    total = Outcome()
    for name, command in STUDENTS.items():
        finished = run([*words, command], quiet=True)
        total += report(f"the student's image {name}", finished.returncode == 0, finished.stdout)
    return total


def containers() -> Outcome:
    """Build and try both images, or say why that is left out."""
    lacking = engine()
    if lacking:
        print(f"--    left out, since {lacking}: the images of docker/ are neither built nor tried")
        return Outcome()
    total = Outcome()
    for target in IMAGES:
        total += build(target)
    if total.failed:
        return total
    with tempfile.TemporaryDirectory(prefix="kernelist-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        hand_ins(folder)
        try:
            return total + grading(folder) + attacks(folder) + student()
        finally:  # what other users wrote is not ours to remove
            words = ["docker", "run", "--rm", "--user=0", "-v", f"{folder}:/there", "--entrypoint", "sh"]
            run([*words, IMAGES["autograder"], "-c", "rm -rf /there/results-* /there/taken"], quiet=True)


def main() -> int:
    """Run all of it; the exit status is 1 when a check failed."""
    total = containers()
    print(total.closing_line())
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(ending(main))
