#!/bin/sh
# Looks for the programs that a task needs and installs what is missing: by apt where there is apt, after saying what
# and why; elsewhere it lists what to install. Then makes the Python environment. When all is there it takes a few
# milliseconds and prints nothing.
#
# usage: tools/set_up.sh [build] [debug] [check]     groups of programs, then the environment
#        tools/set_up.sh python                      the environment only, never a system package; prints its folder
set -u

# Where Homebrew puts programs: an editor that was not started from a terminal has a PATH without it.
[ "$(uname -s)" != Darwin ] || PATH=$PATH:/opt/homebrew/bin:/usr/local/bin

top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 1
missing=''   # packages' names in Debian
reasons=''   # one line for each missing thing
python=''    # the interpreter for the environment

say() { printf 'kernelist: %s\n' "$*" >&2; }

lack() { # PACKAGE... -- REASON
    case " $missing " in *" $1 "*) return ;; esac
    while [ "$1" != -- ]; do
        missing="$missing $1"
        shift
    done
    reasons="$reasons  - $2
"
}

have() { command -v "$1" >/dev/null 2>&1; }

# The first Python that is new enough, whatever the system calls it.
find_python() {
    for python in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
        have "$python" && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return 0
    done
    python=''
    return 1
}

need_python() {
    if ! find_python; then
        lack python3 python3-venv -- 'Python 3.11 or newer, with its venv module: the grader is written in it'
    elif ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        lack "$("$python" -c 'import sys; print("python3.%d-venv" % sys.version_info[1])')" -- \
            "the venv module of $python: the grader's packages go into an environment of their own"
    fi
}

need_build() {
    have i686-linux-gnu-gcc || have i686-elf-gcc ||
        lack gcc-i686-linux-gnu -- 'a C compiler for i686 (i686-linux-gnu-gcc or i686-elf-gcc): compiles the kernel'
    have nasm || lack nasm -- 'nasm: assembles the kernel'
    if [ "$(uname -s)" = Darwin ]; then
        have gmake || lack make -- 'GNU make 4 (gmake): builds the kernel; the make of macOS is too old for it'
    else
        have make || have gmake || lack make -- 'GNU make: builds the kernel'
    fi
    have qemu-system-i386 || lack qemu-system-x86 -- 'QEMU 7.2 or newer (qemu-system-i386): the machine the kernel runs on'
    [ "$(uname -s)" != Linux ] || have bwrap ||
        lack bubblewrap -- "bubblewrap (bwrap): keeps a hand-in's code away from this machine"
    need_python
}

need_debug() {
    if [ "$(uname -s)" = Darwin ]; then
        have i686-elf-gdb || have x86_64-elf-gdb || have gdb || lack i686-elf-gdb -- 'GDB: make debug, ./lab debug'
    elif [ "$(uname -m)" = x86_64 ]; then
        have gdb || lack gdb -- 'GDB with Python: make debug, ./lab debug'
    else
        have gdb-multiarch || have i386-elf-gdb || have i686-elf-gdb ||
            lack gdb-multiarch -- 'a GDB that knows i386, with Python: make debug, ./lab debug'
    fi
}

need_check() {
    need_debug
    have shellcheck || lack shellcheck -- 'shellcheck: checks the shell scripts'
    have chromium || have chromium-browser || have google-chrome ||
        lack chromium -- "Chromium (or google-chrome): the report's page is checked in a real browser"
    have bochs || lack bochs bochs-term bochsbios vgabios -- 'Bochs 2.7 or newer: the second machine that the disk image must boot on'
}

list_for_other_systems() {
    say 'this is what is missing:'
    printf '%s' "$reasons" >&2
    case $(uname -s) in
    Darwin)
        cat >&2 <<'END'
With Homebrew:
    brew install python@3.12 make nasm qemu i686-elf-gcc i686-elf-gdb shellcheck bochs chromium
There is no bubblewrap on macOS: answers run unsandboxed, and the grader says so. Grade nobody else's there:
docs/macos.md says how to do that in a container.
END
        ;;
    *)
        if have dnf; then
            cat >&2 <<'END'
With dnf:
    sudo dnf install python3 make nasm qemu-system-x86 bubblewrap gdb ShellCheck bochs chromium
and a GCC for i686 called i686-elf-gcc or i686-linux-gnu-gcc, from a package or built from GCC's sources.
END
        elif have pacman; then
            cat >&2 <<'END'
With pacman:
    sudo pacman -S --needed python make nasm qemu-system-x86 bubblewrap gdb shellcheck bochs chromium
and i686-elf-gcc with i686-elf-binutils from the AUR.
END
        else
            say "install them with your system's package manager; Debian calls them:$missing"
        fi
        ;;
    esac
    say 'then run the same command again.'
}

# Debian's python3 may be older than 3.11 where a newer one is packaged beside it (Ubuntu 22.04: python3.11).
choose_python_package() {
    case " $missing " in *' python3 '*) ;; *) return 0 ;; esac
    minor=$(LC_ALL=C apt-cache policy python3 | sed -n 's/^ *Candidate: 3\.\([0-9]*\).*/\1/p')
    [ "${minor:-0}" -ge 11 ] && return 0
    for newer in python3.14 python3.13 python3.12 python3.11; do
        if LC_ALL=C apt-cache show "$newer-venv" >/dev/null 2>&1; then
            missing=$(printf '%s ' "$missing" | sed "s/ python3 python3-venv / $newer $newer-venv /")
            return 0
        fi
    done
    say "this system has Python 3.${minor:-?} and no package of a newer one; Kernelist needs Python 3.11 or newer."
    say 'Use Debian 12, Ubuntu 22.04 or newer, or install a Python 3.11 and call with PYTHON=/path/to/python3.11.'
    exit 1
}

apt_install() {
    say 'missing on this system:'
    printf '%s' "$reasons" >&2
    as_root=''
    if [ "$(id -u)" != 0 ]; then
        if have sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
            as_root=sudo
        else
            say 'installing them needs root. Run this as root (or let an administrator do it), then the same command again:'
            say "    apt-get update && apt-get install --no-install-recommends$missing"
            exit 1
        fi
    fi
    $as_root apt-get -qq update || say 'apt-get update failed; going on with the lists that are there'
    choose_python_package
    say "installing with apt-get:$missing"
    # shellcheck disable=SC2086  # $missing is a list of words
    if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $missing >&2 </dev/null; then
        say 'apt-get could not install them (its words are above).'
        exit 1
    fi
}

get_packages() {
    [ -n "$missing" ] || return 0
    if ! have apt-get; then
        list_for_other_systems
        exit 1
    fi
    apt_install
    missing='' reasons=''
}

# Where the environment lies: beside the project, or in the user's cache when the checkout cannot be written.
environment_directory() {
    if [ -n "${KERNELIST_ENVIRONMENT:-}" ]; then
        printf '%s' "$KERNELIST_ENVIRONMENT"
    elif [ -w "$top" ]; then
        printf '%s' "$top/.venv"
    else
        sum=$(cksum <"$top/requirements.txt")
        printf '%s' "${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/kernelist/environment-${sum%% *}"
    fi
}

# An environment serves when it was made from all of these requirements: an author's, who has more, for a course too.
is_ready() {
    [ -x "$directory/bin/python" ] &&
        awk 'FILENAME == ARGV[1] { had[$0]; next } !($0 in had) { exit 1 }' \
            "$directory/requirements.txt" "$top/requirements.txt" 2>/dev/null
}

make_environment() {
    is_ready && return
    if ! find_python || ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        say 'no Python 3.11 or newer with its venv module was found. "make setup" installs what is missing.'
        exit 1
    fi
    "$python" "$top/tools/environment.py" "$directory" "$top/requirements.txt"
}

[ $# -gt 0 ] || set -- build
for group; do
    case $group in
    build) need_build ;;
    debug) need_debug ;;
    check) need_check ;;
    python) ;;
    *)
        say "unknown group $group (build, debug, check, python)"
        exit 2
        ;;
    esac
done
get_packages
directory=$(environment_directory)
make_environment || exit
[ "$1" != python ] || printf '%s\n' "$directory"
