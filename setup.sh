#!/bin/sh
# Usage: setup.sh PYTHON VENV. Makes the virtual environment, and installs system packages that are missing.
set -eu
python=$1
venv=$2

missing=
command -v g++ >/dev/null || missing="$missing g++"
command -v make >/dev/null || missing="$missing make"
command -v iverilog >/dev/null || missing="$missing iverilog"
command -v ngspice >/dev/null || missing="$missing ngspice"
command -v "$python" >/dev/null || missing="$missing python3"
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"

if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ]; then as_root=; elif sudo -n true 2>/dev/null; then as_root=sudo; else as_root=none; fi
    if [ "$as_root" = none ] || ! command -v apt-get >/dev/null; then
        echo "setup: these packages are missing, and you may not install them here: apt-get install$missing" >&2
        exit 3
    fi
    echo "setup: installing$missing"
    $as_root apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -qq -y $missing >/dev/null
fi

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "setup: Python 3.11 or newer is needed, $python is $("$python" -V); try: make PYTHON=python3.12" >&2
    exit 3
fi
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
echo "setup: installing Python packages into $venv"
"$venv/bin/python" -m pip install --quiet --editable '.[dev]'
