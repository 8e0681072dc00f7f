#!/bin/bash
# Does what the README promises on systems that have nothing but git and make: `make demo`, then `make test`, as root, without
# a terminal, on Debian 12 and 13. Ends with the line "N passed, N failed".
#
#   tests/bare/run.sh [RELEASE…]
#
# Each system is made by debootstrap in a directory of its own; it gets this checkout as it lies here, changes included, and
# from this machine only what leads to packages: the mirror, proxies, certificate authorities and npm's registry.
# JOBGATE_BARE_CACHE (~/.cache/jobgate-bare) keeps the bare systems for the next run, for a week, and the last logs.
#
# Root is needed: to chroot, and for mount and process namespaces, which take every mount and process with them at the end.
set -u
cd "$(dirname "$0")/../.." || exit 1

releases=("$@")
[ $# -gt 0 ] || releases=(bookworm trixie)
cache=${JOBGATE_BARE_CACHE:-${HOME:-/root}/.cache/jobgate-bare}
passed=0
failed=0
running= # the process id of the namespaces' owner

die() {
    printf 'bare: %s\n' "$*" >&2
    echo "$passed passed, $((failed + 1)) failed"
    exit 1
}

[ "$(id -u)" -eq 0 ] || die 'root is needed, to make a bare system and to chroot into it'
tests/setup.sh bare </dev/null || die 'what is needed to make a bare system is missing'
unshare --mount --pid --fork true || die 'this root may not make namespaces: a container without the rights to?'
{ mkdir -p "$cache" && cache=$(realpath "$cache"); } || die "there is no directory $cache"
directory=$(mktemp -d /tmp/jobgate-bare.XXXXXX) || die 'there is no room in /tmp'

clean_up() {
    trap '' INT TERM PIPE
    if [ -n "$running" ]; then
        kill -KILL "$running" 2>/dev/null
        wait "$running" 2>/dev/null
        sleep 1
    fi
    rm -rf --one-file-system "$directory"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 141' PIPE # who reads along may be stopped first

# ---- what leads to packages ----

host_release() { sed -n 's/^VERSION_CODENAME=//p' /etc/os-release; }

# "URI RELEASE COMPONENT" of what this machine installs from, for another release. Nothing where it is no Debian.
sources() {
    local host
    host=$(host_release)
    grep -qx 'ID=debian' /etc/os-release || return 0
    apt-get indextargets --format "\$(REPO_URI) \$(RELEASE) \$(COMPONENT)" 'Created-By: Packages' |
        sed -n "s/ $host\(-updates\|-security\)\? main\$/ $1\1 main/p" | sort -u
}

# debootstrap knows Debian's own mirror, should there be no other.
mirror() { sources "$1" | sed -n "s/ $1 main\$//p" | head -n 1; }

# Into the environment of every command in the bare system.
settings() {
    local name
    for name in {http,https,no}_proxy {HTTP,HTTPS,NO}_PROXY NODE_EXTRA_CA_CERTS; do
        [ -z "${!name:-}" ] || echo "$name=${!name}"
    done
    ! command -v npm >/dev/null || echo "npm_config_registry=$(npm config get registry 2>/dev/null)"
}

carry_settings() {
    local root=$1
    local release=$2
    if [ -n "$(mirror "$release")" ]; then
        sources "$release" | sed 's/^/deb /' >"$root/etc/apt/sources.list"
    fi
    apt-config dump | grep -E '^Acquire::(https?|Check-|Retries)' | grep -v '""' >"$root/etc/apt/apt.conf.d/90host"
    cp /etc/resolv.conf /etc/hosts "$root/etc/"
    mkdir -p "$root/usr/local/share/ca-certificates"
    find /usr/local/share/ca-certificates -name '*.crt' -exec cp -t "$root/usr/local/share/ca-certificates" {} + 2>/dev/null
    return 0
}

# ---- a bare system ----

make_base() {
    local release=$1
    local root=$directory/base
    local -a from=()
    mapfile -t from < <(mirror "$release")
    unshare --mount debootstrap --variant=minbase --include=git,make "$release" "$root" "${from[@]}" &&
        rm -rf "$root"/var/cache/apt/archives/*.deb &&
        tar -C "$root" --one-file-system -cf "$cache/$release.tar.new" . &&
        mv "$cache/$release.tar.new" "$cache/$release.tar" &&
        rm -rf --one-file-system "$root"
}

# As git has it and as it lies here, without what git ignores.
copy_checkout() {
    git clone --quiet --no-checkout --no-hardlinks . "$1" && git -C "$1" reset --quiet &&
        git ls-files -coz --exclude-standard | while IFS= read -rd '' file; do
            [ ! -e "$file" ] || printf '%s\0' "$file"
        done | tar --null -T - --warning=no-file-changed -cf - | tar -C "$1" --no-same-owner -xf - &&
        [ -e "$1/Makefile" ]
}

prepare() {
    local release=$1
    local root=$directory/$release
    if [ -z "$(find "$cache" -maxdepth 1 -name "$release.tar" -mtime -7)" ]; then
        make_base "$release" || return 1
    fi
    mkdir "$root" && tar -C "$root" -xpf "$cache/$release.tar" && carry_settings "$root" "$release" &&
        copy_checkout "$root/root/jobgate"
}

# ---- the steps ----

# The first process of the new namespaces. What still runs when the command has ended, or lies in /tmp, counts as a failure.
# shellcheck disable=SC2016 # the inner shell expands it
first_process='
    root=$1
    shift
    left() {
        for process in "$root"/proc/[0-9]*; do
            case ${process##*/} in
            1 | "$BASHPID") ;;
            *) tr "\0" " " <"$process/cmdline" ;;
            esac
        done 2>/dev/null
        find "$root/tmp" -mindepth 1
    }
    mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" || exit 1
    chroot "$root" env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
    status=$?
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        [ -n "$(left)" ] || break
        sleep 0.2
    done
    [ -z "$(left)" ] || { echo "Left behind: $(left)" && exit 1; }
    exit "$status"'

# A shell ignores SIGINT in what it starts in the background; the programs under test shall find it as usual.
inside() {
    local root=$directory/$1
    local -a environment
    local status
    shift
    mapfile -t environment < <(settings)
    env --default-signal=INT,QUIT unshare --mount --pid --fork --kill-child=KILL \
        bash -c "$first_process" bash "$root" "${environment[@]}" "$@" </dev/null &
    running=$!
    wait "$running"
    status=$?
    running=
    return "$status"
}

# step RELEASE NAME COMMAND…: one line about it.
step() {
    local release=$1
    local name=$2
    local log="$cache/$1-${2// /-}.log"
    local start=$SECONDS
    local counts
    shift 2
    if "$@" >"$log" 2>&1 </dev/null; then
        counts=$(tail -n 1 "$log" | grep -xE '[0-9]+ passed, [0-9]+ failed')
        echo "$release: $name: ok ($((SECONDS - start)) s)${counts:+: $counts}"
        passed=$((passed + 1))
        return 0
    fi
    echo "$release: $name: FAILED ($((SECONDS - start)) s), all of it is in $log:"
    tail -n 40 "$log" | sed 's/^/    /'
    failed=$((failed + 1))
    return 1
}

for release in "${releases[@]}"; do
    if step "$release" 'bare system' prepare "$release"; then
        step "$release" 'make demo' inside "$release" env -C /root/jobgate make demo
        step "$release" 'make test' inside "$release" env -C /root/jobgate make test
    fi
    rm -rf --one-file-system "${directory:?}/$release" "$directory/base"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
