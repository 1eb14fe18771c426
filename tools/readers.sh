#!/bin/sh
# Install what contactless readers need into a virtual environment: tools/readers.sh FOLDER
# pyscard is compiled against the system's PC/SC library. As root on Debian or Ubuntu its packages are
# installed as well; elsewhere one line says what is missing. Everything but readers works without,
# so this never fails.
set -eu

folder=$1
packages='libpcsclite-dev pkg-config swig gcc libc6-dev'

say() { printf '%s\n' "$*" >&2; }

without() {
    say "Contactless readers are left out: $*. Everything else works."
    exit 0
}

"$folder/bin/python" -c 'import smartcard.scard' >/dev/null 2>&1 && exit 0

missing=
command -v cc >/dev/null 2>&1 && command -v swig >/dev/null 2>&1 \
    && [ -e /usr/include/PCSC/winscard.h ] || missing=$packages
log="$(mktemp)"
trap 'rm -f "$log"' EXIT
if [ -n "$missing" ]; then
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        without "pyscard needs the Debian packages $packages (then: rm $folder/.readers; make)"
    fi
    say "Installing the Debian packages that contactless readers need."
    # shellcheck disable=SC2086 -- several packages
    if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y \
        --no-install-recommends $missing; } >"$log" 2>&1 </dev/null; then
        without "apt-get could not install $packages ($(tail -n 1 "$log"))"
    fi
fi
if ! "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
    --no-build-isolation --require-hashes -r requirements/tap.txt >"$log" 2>&1 </dev/null; then
    without "pip could not install them ($(tail -n 1 "$log"))"
fi
