#!/bin/sh
# Make a virtual environment: tools/venv.sh FOLDER
# PYTHON names the interpreter; else it is the newest of 3.11 or newer that is here.
set -eu

folder=$1
newest=14   # beyond it, locked packages may have no wheels yet; PYTHON overrides
oldest=11

say() { printf '%s\n' "$*" >&2; }

fits() { "$1" -c "import sys; sys.exit(sys.version_info < (3, $oldest))" >/dev/null 2>&1; }
has_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

# The interpreters to try, the best first. Of one version a distribution's goes first: it is built
# with optimisation, and one that a version manager compiled here often is not (docs/performance.md).
candidates() {
    minor=$newest
    while [ "$minor" -ge "$oldest" ]; do
        echo "/usr/bin/python3.$minor"
        echo "python3.$minor"
        minor=$((minor - 1))
    done
    echo python3
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

# Debian and Ubuntu keep ensurepip in a package of its own.
install_venv() {
    package="$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    if ! command -v apt-get >/dev/null 2>&1 || ! as_root true >/dev/null 2>&1; then
        say "$1 cannot make virtual environments. Install its venv module (on Debian and Ubuntu:" \
            "sudo apt-get install $package), then run make again."
        exit 1
    fi
    say "Installing the Debian package $package, which $1 needs to make a virtual environment."
    log="$(mktemp)"
    if ! { as_root apt-get update && as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "$package"; } >"$log" 2>&1 </dev/null; then
        tail -n 15 "$log" >&2
        rm -f "$log"
        say "apt-get could not install $package: see above. Install it, then run make again."
        exit 1
    fi
    rm -f "$log"
}

python=
if [ -n "${PYTHON:-}" ]; then
    if ! fits "$PYTHON"; then
        say "PYTHON=$PYTHON is not a Python 3.$oldest or newer that runs. Name one that is."
        exit 1
    fi
    python=$PYTHON
else
    without=
    for candidate in $(candidates); do
        fits "$candidate" || continue
        if has_venv "$candidate"; then
            python=$candidate
            break
        fi
        without=${without:-$candidate}
    done
    python=${python:-$without}
fi
if [ -z "$python" ]; then
    say "Tandem needs Python 3.$oldest or newer, and there is none here. Install python3 (on Debian" \
        "and Ubuntu: sudo apt-get install python3 python3-venv), or name one: make PYTHON=..."
    exit 1
fi

has_venv "$python" || install_venv "$python"
say "Making $folder with $("$python" --version)."
"$python" -m venv --clear "$folder"
