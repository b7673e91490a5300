# Sourced, not run:  source browser.sh     installs Debian's Chromium where there is none on PATH, or exits with 2.
#
# Who asks for it wants the tests in tests/browser to run: DCSIM_BROWSER=required makes them fail where they would skip.

export DCSIM_BROWSER=required

install_chromium() {
    local as_root=""
    type -P chromium >/dev/null && return
    type -P apt-get >/dev/null || {
        echo "dcsim: --install-browser installs with apt-get, which this machine lacks; any chromium on PATH will do" >&2
        return 2
    }
    if [[ $(id -u) != 0 ]]; then
        type -P sudo >/dev/null && sudo -n true 2>/dev/null || {
            echo "dcsim: --install-browser needs root, or sudo without a password; as root: apt-get install chromium" >&2
            return 2
        }
        as_root="sudo -n"
    fi
    echo "dcsim: installing Debian's chromium with apt-get" >&2
    # Lists may be missing or name files that are gone; where they cannot be renewed, installing says what is wrong.
    $as_root apt-get -qq update </dev/null >&2 || true
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 \
        install --no-install-recommends -y chromium fonts-dejavu-core fonts-liberation </dev/null >&2 || {
        echo "dcsim: apt-get could not install chromium (its words above)" >&2
        return 2
    }
    type -P chromium >/dev/null || {
        echo "dcsim: apt-get installed chromium, but there is none on PATH" >&2
        return 2
    }
}

install_chromium || exit
