# Sourced, not run:  source setup.sh core|dev     leaves $root (the checkout) and $python (its ready interpreter).
#
# An environment is ready when its stamp, written last, names the lock file as it is now. Where it is not, the
# first Python >= 3.11 that works runs setup.py. PYTHON=… chooses another one, with an environment of its own.

root=$(readlink -f -- "${BASH_SOURCE[0]}")
root=${root%/scripts/setup.sh}

sha256() { { sha256sum || shasum -a 256 || echo unknown; } <"$1" 2>/dev/null; }

# Prints the version and the interpreter behind a command, or fails. A command on PATH may be a shim that leads
# nowhere, and a system's Python may lack venv: only running it tells.
probe() {
    local answer
    answer=$("$1" -I -c '
import sys
if sys.version_info < (3, 11): sys.exit(1)
import ensurepip, os, venv
print("%d.%d" % sys.version_info[:2], os.path.realpath(sys._base_executable))' 2>/dev/null </dev/null) || return
    [[ $answer == 3.*" /"* ]] && echo "$answer"
}

find_interpreter() {
    local candidate
    while read -r candidate; do
        probe "$candidate" && return
    done < <(
        type -aP python3.11 python3.12 python3.13 python3.14 python3 python
        compgen -G "${PYENV_ROOT:-${HOME:-}/.pyenv}/versions/3.*/bin/python"
    )
    return 1
}

setup() {
    local level=$1 lock=$root/requirements/$1.txt venv=$root/.venv found="" hash
    if [[ -n ${PYTHON:-} ]]; then
        found=$(probe "$PYTHON") || {
            echo "dcsim: PYTHON=$PYTHON is not a working Python 3.11 or later with venv and ensurepip" >&2
            return 2
        }
        venv=$venv-${found%% *}
    fi
    python=$venv/bin/python
    hash=$(sha256 "$lock")
    [[ -x $python && -r $venv/stamp && $(<"$venv/stamp") == *"$level ${hash%% *}"* ]] && return
    [[ -n $found ]] || found=$(find_interpreter) || {
        echo "dcsim: no Python 3.11 or later with venv and ensurepip found (Debian: apt install python3-venv);" \
            "name one with PYTHON=/path/to/python" >&2
        return 2
    }
    "${found#* }" -I "$root/scripts/setup.py" "$level" "$venv" >&2
}

setup "$1" || exit
