#!/bin/bash
# Installs what is missing. On Debian (12 and 13 are tried) the packages come by apt-get, with sudo for those who are not root.
#
#   tests/setup.sh build    to build and for the demo
#   tests/setup.sh test     to test too (the default)
#   tests/setup.sh lint     for `make lint`
#   tests/setup.sh bench    for `make bench`
#   tests/setup.sh bare     for tests/bare/run.sh
#   tests/setup.sh image    for tests/image/run.sh
#   tests/setup.sh dockerfile   for what the Dockerfile builds, tests and puts together
#
# A tool counts as present when its command is on the PATH, wherever it came from.
set -euo pipefail
cd "$(dirname "$0")/.."

# package, and behind the colon the command that stands for it (- : only the package itself will do)
compile="gcc:gcc libc6-dev:- make:make pkg-config:pkg-config libevent-dev:- libjansson-dev:- libhiredis-dev:-
         libcurl4-openssl-dev:- libexpat1-dev:- libssl-dev:- libjose-dev:- zlib1g-dev:-"
build="$compile redis-server:redis-server curl:curl ca-certificates:- tzdata:- jq:jq procps:ps imagemagick:identify"
# shellcheck disable=SC2034 # used by name
dockerfile="$compile check:- openssl:openssl redis-server:redis-server ca-certificates:- tzdata:- jq:jq procps:ps"
test="$build check:- openssl:openssl nodejs:node npm:npm spin:spin unzip:unzip haproxy:haproxy prometheus:promtool git:git"
test="$test clang:clang libclang-rt-dev:-" # for tests/fuzz
# shellcheck disable=SC2034 # used by name
lint="$test clang-tidy:clang-tidy clang-format:clang-format cppcheck:cppcheck shellcheck:shellcheck"
# shellcheck disable=SC2034
bench="$build wrk:wrk"
# shellcheck disable=SC2034
browser="$build nodejs:node npm:npm chromium:chromium"
# shellcheck disable=SC2034
bare="git:git debootstrap:debootstrap debian-archive-keyring:-"
# shellcheck disable=SC2034
image="$test debootstrap:debootstrap debian-archive-keyring:- buildah:buildah bubblewrap:bwrap binutils:readelf libcap2-bin:getcap"

# The clients of docs/handlers.md and the handlers of the tests.
test="$test python3:python3"
dockerfile="$dockerfile nodejs:node python3:python3"
bench="$bench python3:python3"

die() {
    printf 'setup.sh: %s\n' "$*" >&2
    exit 1
}

missing_packages() {
    local need package command
    local -A installed=()
    while read -r package; do
        installed[${package%%:*}]=1
    done < <(dpkg-query -W -f '${db:Status-Status} ${binary:Package}\n' 2>/dev/null | sed -n 's/^installed //p')
    for need in "$@"; do
        package=${need%%:*}
        command=${need##*:}
        if [ "$command" = - ]; then
            [ -n "${installed[$package]:-}" ] || echo "$package"
        else
            command -v "$command" >/dev/null || echo "$package"
        fi
    done
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# The packages of servers would start them, now and at each boot; the tests start their own.
forbid_services() {
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        as_root sh -c 'printf "#!/bin/sh\nexit 101\n" >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d'
        trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
    fi
}

allow_services() {
    local service
    for service in redis-server haproxy prometheus; do
        if [[ " $* " == *" $service "* && -d /run/systemd/system ]]; then
            as_root systemctl disable --now --quiet "$service" || true
        fi
    done
}

install_packages() {
    command -v apt-get >/dev/null || die "these are missing, and there is no apt-get to install them: $*"
    [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null ||
        die "as root, please: apt-get install --no-install-recommends $*"
    echo "setup.sh: installing $*"
    forbid_services
    as_root apt-get update -q || die "apt-get update failed, see above. Missing: $*"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" ||
        die "apt-get could not install what is missing, see above: $*"
    allow_services "$@"
}

install_npm_packages() {
    local stamp=tests/node_modules/.installed-lock
    local version
    cmp -s tests/package-lock.json "$stamp" && return
    [ ! -L tests/node_modules ] || rm tests/node_modules # somebody else's packages: they stay as they are
    version=$(node -p 'process.versions.node.split(".")[0]')
    [ "$version" -ge 18 ] || die "Node.js 18 or newer is needed; the node on the PATH is $version"
    echo "setup.sh: installing npm packages in tests/node_modules"
    npm ci --prefix tests --no-audit --no-fund --ignore-scripts --loglevel=error ||
        die "npm ci --prefix tests failed, see above"
    cp tests/package-lock.json "$stamp"
}

purpose=${1:-test}
case $purpose in
build | test | lint | bench | bare | browser | image | dockerfile) needs=${!purpose} ;;
*) die "what for? build, test, lint, bench, bare, image or dockerfile, not \"$purpose\"" ;;
esac
# shellcheck disable=SC2086 # lists of words
missing=$(missing_packages $needs)
# shellcheck disable=SC2086
[ -z "$missing" ] || install_packages $missing
case $purpose in
test | lint | image | browser) install_npm_packages ;;
esac
