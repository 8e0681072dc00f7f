#!/bin/bash
# Builds both images from the Dockerfile, and the example that builds upon the worker's, and runs them from their file systems as
# the manifests do: user 1000 without any capability, a root that cannot be written, settings and secrets as rendered, the limits
# of memory and CPU. Ends with the line "N passed, N failed".
#
#   tests/image/run.sh
#
# No container engine is needed; root is, to make the Debian that it builds upon (by debootstrap), to build and to set limits.
# JOBGATE_IMAGE_CACHE (~/.cache/jobgate-image) keeps that Debian for a week. Images it makes are removed at the end.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/kubernetes/tools.sh
. tests/kubernetes/tools.sh

cache=${JOBGATE_IMAGE_CACHE:-${HOME:-/root}/.cache/jobgate-image}
version=0.0.0-test
tag=$$
passed=0
failed=0
pids=()

die() {
    printf 'image: %s\n' "$*" >&2
    echo "$passed passed, $((failed + 1)) failed"
    exit 1
}

[ "$(id -u)" -eq 0 ] || die 'root is needed, to build images and to set limits'
tests/setup.sh image </dev/null || die 'what is needed is missing'
unpack_tools || die 'kubectl could not be unpacked'
directory=$(mktemp -d /tmp/jobgate-image.XXXXXX) || exit 1
chmod 755 "$directory"
export TMPDIR=$directory

clean_up() {
    trap '' INT TERM
    [ ${#pids[@]} -eq 0 ] || kill -KILL "${pids[@]}" 2>/dev/null
    wait 2>/dev/null
    for name in base api worker example; do
        buildah rmi --force "localhost/jobgate-test-$name:$tag" >/dev/null 2>&1
    done
    for group in "${groups[@]}"; do
        rmdir "$group" 2>/dev/null
    done
    rm -rf --one-file-system "$directory"
}
groups=()
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# step NAME COMMAND…: one test; its output is shown when it fails.
step() {
    local name=$1
    local start=$SECONDS
    shift
    if "$@" >"$directory/step.log" 2>&1; then
        echo "image: $name: ok ($((SECONDS - start)) s)"
        passed=$((passed + 1))
        return 0
    fi
    echo "image: $name: FAILED ($((SECONDS - start)) s)"
    tail -n 40 "$directory/step.log" | sed 's/^/    /'
    failed=$((failed + 1))
    return 1
}

# ---- building ----

# As slim as Debian's own image: without documents, translations and what apt keeps.
make_base() {
    if [ -z "$(find "$cache" -maxdepth 1 -name trixie.tar -mtime -7 2>/dev/null)" ]; then
        mkdir -p "$cache" && unshare --mount debootstrap --variant=minbase trixie "$directory/trixie" || return 1
        rm -rf "$directory"/trixie/{var/cache/apt,var/lib/apt/lists}/* "$directory"/trixie/usr/share/{doc,man,locale,info}/*
        tar -C "$directory/trixie" --one-file-system -cf "$cache/trixie.tar.new" . && mv "$cache/trixie.tar.new" "$cache/trixie.tar"
        rm -rf --one-file-system "$directory/trixie"
    fi
    local container mount
    container=$(buildah from scratch) && mount=$(buildah mount "$container") && tar -C "$mount" -xpf "$cache/trixie.tar" &&
        carry_settings "$mount" && buildah commit --quiet --rm "$container" "localhost/jobgate-test-base:$tag"
}

# What leads this machine to packages: its proxies and authorities.
carry_settings() {
    apt-config dump | grep -E '^Acquire::(https?|Check-|Retries)' | grep -v '""' >"$1/etc/apt/apt.conf.d/90host"
    mkdir -p "$1/usr/local/share/ca-certificates"
    find /usr/local/share/ca-certificates -name '*.crt' -exec cp -t "$1/usr/local/share/ca-certificates" {} + 2>/dev/null
    return 0
}

build() { # NAME OPTION…
    local name=$1
    shift
    buildah bud --isolation chroot --layers --tag "localhost/jobgate-test-$name:$tag" \
        --build-arg "DEBIAN=localhost/jobgate-test-base:$tag" --build-arg VERSION=$version --build-arg REVISION=abc "$@"
}

# unpack NAME: its file system, as somebody else can read it.
unpack() {
    local container mount
    # the last ones are what a container engine makes to mount upon
    mkdir -p "$directory/$1"/{proc,dev,tmp,mnt/secrets} && container=$(buildah from "localhost/jobgate-test-$1:$tag") && mount=$(buildah mount "$container") &&
        tar -C "$mount" --one-file-system -cf - . | tar -C "$directory/$1" -xpf - && buildah rm "$container" >/dev/null
}

# ---- looking ----

config_of() { buildah inspect --type image "localhost/jobgate-test-$1:$tag" | jq -e ".OCIv1.config$2"; }

labelled() {
    config_of "$1" ".Labels.\"org.opencontainers.image.version\" == \"$version\"" && config_of "$1" '.User == "1000:1000"' &&
        config_of "$1" '.Labels."org.opencontainers.image.revision" == "abc"' &&
        config_of "$1" ".Entrypoint == [\"/usr/bin/jobgate-$1\"]"
}

no_shell() {
    [ -z "$(find "$directory/api" \( -name sh -o -name bash -o -name dash -o -name apt -o -name dpkg -o -name perl \) ! -type d)" ] &&
        [ "$(find "$directory/api" -type f -perm /111 -path '*bin/*' -printf '%P\n')" = usr/bin/jobgate-api ]
}

no_privilege() { [ -z "$(find "$directory/api" -perm /6000)" ] && [ -z "$(getcap -r "$directory/$1" 2>/dev/null)" ]; }

stripped() { ! readelf -SW "$directory/$1/usr/bin/jobgate-$1" | grep -E '\.debug_|\.symtab'; }

# SPDX, and no package of the image is missing in it.
billed() {
    local bill=$directory/$1/usr/share/jobgate/jobgate-$1.spdx.json
    jq -e --arg version $version '.spdxVersion == "SPDX-2.3" and .packages[0].versionInfo == $version and
        (.packages | length) > 20 and ([.packages[].name] | contains(["libssl3t64", "libcurl4t64", "libc6"])) and
        ([.packages[] | select(.versionInfo == "" or (.externalRefs | length) == 0)] | length) == 0 and
        ([.packages[].SPDXID] | length) == ([.packages[].SPDXID] | unique | length) and
        (.relationships | length) == (.packages | length)' "$bill" || return 1
    [ "$1" != api ] || [ "$(jq -r '.packages[1:][].name' "$bill" | sort)" = "$(find "$directory/api/var/lib/dpkg/status.d" -type f -printf '%f\n' | sort)" ]
}

# Sizes are of what is in the image, as `du` counts it.
small() { # NAME MIB
    local size
    size=$(du -sm --apparent-size "$directory/$1" | cut -f1)
    echo "$size MiB"
    [ "$size" -le "$2" ]
}

# ---- running ----

# limit NAME CPU_MS_PER_S BYTES: makes cgroups with these limits; `groups_of[NAME]` lists them.
declare -A groups_of=()
limit() {
    local name=jobgate-test-$tag-$1
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        mkdir "/sys/fs/cgroup/$name" && echo "$(($2 * 100)) 100000" >"/sys/fs/cgroup/$name/cpu.max" &&
            echo "$3" >"/sys/fs/cgroup/$name/memory.max" || return 1
        groups_of[$1]=/sys/fs/cgroup/$name
    else
        mkdir "/sys/fs/cgroup/cpu/$name" "/sys/fs/cgroup/memory/$name" &&
            echo 100000 >"/sys/fs/cgroup/cpu/$name/cpu.cfs_period_us" &&
            echo $(($2 * 100)) >"/sys/fs/cgroup/cpu/$name/cpu.cfs_quota_us" &&
            echo "$3" >"/sys/fs/cgroup/memory/$name/memory.limit_in_bytes" || return 1
        groups_of[$1]="/sys/fs/cgroup/cpu/$name /sys/fs/cgroup/memory/$name"
    fi
    # shellcheck disable=SC2206 # a list of folders
    groups+=(${groups_of[$1]})
}

# start NAME IMAGE NAME=VALUE…: the image's entry point as a container of the manifests runs it. Its output is NAME.log.
start() {
    local name=$1
    local image=$2
    local part=${2/example/worker}
    local -a environment=()
    local line
    shift 2
    while IFS= read -r line; do
        environment+=(--setenv "${line%%=*}" "${line#*=}")
    done < <(
        echo PATH=/usr/bin:/bin
        settings "$part"
        config_of "$image" '.Env[]' | jq -r 'select(startswith("HANDLERS_FILE="))'
        printf '%s\n' "$@"
    )
    # shellcheck disable=SC2016 # the inner shell expands it
    bash -c 'for group in $0; do echo $$ >"$group/cgroup.procs" || exit 1; done; exec "$@"' "${groups_of[$name]}" \
        setpriv --reuid=1000 --regid=1000 --clear-groups --no-new-privs \
        bwrap --unshare-ipc --unshare-uts --hostname "$name" --die-with-parent --cap-drop ALL --ro-bind "$directory/$image" / \
        --proc /proc --dev /dev --tmpfs /tmp --ro-bind "$directory/secrets" /mnt/secrets --clearenv "${environment[@]}" \
        "/usr/bin/jobgate-$part" >"$directory/$name.log" 2>&1 </dev/null &
    pids+=($!)
    started[$name]=$!
}
declare -A started=()

settings() { node tests/kubernetes/environment.mjs "$directory/prod.yaml" settings "jobgate-$1"; }
number() { node tests/kubernetes/environment.mjs "$directory/dev.yaml" numbers "jobgate-$1" | sed -n "s/^$2=//p"; }

# The process itself, below bwrap's.
inner() { pgrep -P "${started[$1]}"; }

# stop NAME: as the kubelet does; the exit status is the program's.
stop() {
    kill -TERM "$(inner "$1")" && wait "${started[$1]}"
}

wait_until() { # SECONDS COMMAND…
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.1
    done
}

address() { jq -enr "first(inputs | select(.message == \"listening\") | .$2)" "$directory/$1.log"; }
answers() { curl --silent --fail --max-time 5 "http://$(address "$1" "$2")$3"; }

show_logs() {
    tail -n 15 "$directory"/{api,worker,example,redis,azurite}.log
    return 1
}

# Redis with the configuration and the users of the manifests.
start_redis() {
    mkdir "$directory/redis" && chmod 777 "$directory/redis"
    node tests/kubernetes/environment.mjs "$directory/local.yaml" secret jobgate-redis-local redis-users >"$directory/secrets/redis-users"
    node tests/kubernetes/environment.mjs "$directory/local.yaml" file jobgate-redis redis.conf |
        sed "s|/data|$directory/redis|; s|/mnt/secrets|$directory/secrets|; /^port /d" >"$directory/redis.conf"
    for _ in 1 2 3 4 5; do
        redis_port=$((20000 + RANDOM % 12000))
        redis-server "$directory/redis.conf" --port "$redis_port" --bind 127.0.0.1 --maxmemory 192mb >"$directory/redis.log" 2>&1 &
        pids+=($!)
        wait_until 20 redis-cli -p "$redis_port" -e ping && kill -0 $! 2>/dev/null && return
    done
    return 1
}

start_azurite() {
    local port=$((20000 + RANDOM % 12000))
    node tests/node_modules/azurite/dist/src/blob/main.js --silent --disableTelemetry --inMemoryPersistence --disableProductStyleUrl \
        --blobKeepAliveTimeout=65 --blobHost 127.0.0.1 --blobPort $port >"$directory/azurite.log" 2>&1 &
    pids+=($!)
    wait_until 60 bash -c "</dev/tcp/127.0.0.1/$port" || return 1
    node tests/kubernetes/environment.mjs "$directory/local.yaml" secret jobgate-local connection-string |
        sed "s|azurite:10000|127.0.0.1:$port|" | tr -d '\n' >"$directory/secrets/connection-string"
}

# The secrets that Key Vault would give, with the addresses of here. The key is made by the image itself.
make_secrets() {
    node tests/kubernetes/environment.mjs "$directory/local.yaml" secret jobgate-local redis-url |
        sed "s|jobgate-redis:6379|127.0.0.1:$redis_port|" | tr -d '\n' >"$directory/secrets/redis-url"
    chmod 777 "$directory/secrets"
    key=$(setpriv --reuid=1000 --regid=1000 --clear-groups bwrap --ro-bind "$directory/api" / --proc /proc --dev /dev --tmpfs /tmp \
        --bind "$directory/secrets" /mnt/secrets --clearenv --setenv API_KEYS_FILE /mnt/secrets/api-keys \
        /usr/bin/jobgate-api --new-key test --scopes submit,read)
    chmod 644 "$directory"/secrets/*
    [ -n "$key" ]
}

# What differs here from a cluster in Azure: ports, and the emulator.
here=(AZURE_AUTH=connection_string BLOB_URL= AZURE_STORAGE_CONNECTION_STRING_FILE=/mnt/secrets/connection-string DRAIN_S=5)

run_programs() {
    limit api "$(number api cpu_ms_per_s)" "$(number api memory_bytes)" &&
        limit worker "$(number worker cpu_ms_per_s)" "$(number worker memory_bytes)" &&
        limit example "$(number worker cpu_ms_per_s)" "$(number worker memory_bytes)" || return 1
    start api api API_LISTEN=0.0.0.0:0 OPS_LISTEN=0.0.0.0:0 "${here[@]}"
    start worker worker OPS_LISTEN=0.0.0.0:0 "${here[@]}"
    start example example OPS_LISTEN=0.0.0.0:0 WORKER_QUEUES=lines "${here[@]}"
    { wait_until "$(number api start_failures)" answers api ops "$(number api start_path)" &&
        wait_until 30 answers api ops "$(number api ready_path)" &&
        wait_until 30 answers worker ops "$(number worker ready_path)" &&
        wait_until 30 answers example ops "$(number worker ready_path)"; } || show_logs
}

call() { curl --silent --show-error --max-time 20 -H "Authorization: Bearer $key" "$@"; }

# job QUERY PAYLOAD: submits, waits, prints the result.
job() {
    local id state
    id=$(call --fail "http://$(address api api)/v1/jobs?$1" -H 'Content-Type: text/plain' --data-binary "$2" | jq -er .id) || return 1
    for _ in $(seq 300); do
        state=$(call "http://$(address api api)/v1/jobs/$id" | jq -r .state)
        [ "$state" != succeeded ] || break
        sleep 0.1
    done
    call --fail "http://$(address api api)/v1/jobs/$id/result"
}

end_to_end() { [ "$(job type=echo 'to be or not to be')" = 'to be or not to be' ] || show_logs; }
own_handler() { [ "$(job 'type=line-count&queue=lines' $'one\ntwo\nthree\n')" = 3 ] || show_logs; }
key_needed() { [ "$(curl --silent -o /dev/null -w '%{http_code}' "http://$(address api api)/v1/jobs?type=echo" -d x)" = 401 ]; }

as_intended() {
    local name status
    for name in api worker example; do
        status=/proc/$(inner $name)/status
        grep -qP '^Uid:\t1000\t1000\t1000\t1000$' "$status" && grep -qP '^CapEff:\t0+$' "$status" && grep -qP '^NoNewPrivs:\t1$' "$status" || return 1
        grep -qE '^([^ ]+ ){4}/ ro,' "/proc/$(inner $name)/mountinfo" || return 1
        ! touch "/proc/$(inner $name)/root/etc/x" 2>/dev/null || return 1
    done
}

# Peak resident memory under load stays below what the manifests request.
within_memory() {
    local name peak
    for name in api worker; do
        peak=$(awk '/^VmHWM:/ { print $2 * 1024 }' "/proc/$(inner $name)/status")
        echo "$name: $((peak >> 20)) MiB"
        [ "$peak" -lt $((128 << 20)) ] || return 1
    done
}

under_load() {
    local url wrong
    url="http://$(address api api)/v1/jobs?type=echo"
    wrong=$(seq 500 | xargs -P 20 -I '{}' curl --silent -o /dev/null -w '%{http_code}\n' --max-time 30 -H "Authorization: Bearer $key" "$url" -d x |
        grep -cv '^202$')
    [ "$wrong" = 0 ] || show_logs
}

stops_well() {
    local name
    for name in api worker example; do
        stop $name || { show_logs && return 1; }
    done
}

# ---- all of it ----

mkdir "$directory/secrets"
for overlay in local dev prod; do
    # shellcheck disable=SC2154 # tools.sh sets it
    "$kubectl" kustomize "kubernetes/overlays/$overlay" >"$directory/$overlay.yaml" || die "the overlay $overlay does not render"
done
if step 'a bare Debian 13' make_base && step 'the api is built, with its tests' build api --target api . &&
    step 'the worker is built' build worker --target worker . &&
    step 'the example is built upon the worker' buildah bud --isolation chroot --tag "localhost/jobgate-test-example:$tag" \
        --build-arg "WORKER=localhost/jobgate-test-worker:$tag" kubernetes/image/example; then
    for name in api worker example; do
        step "the file system of $name" unpack $name
    done
    for name in api worker; do
        step "$name: labels, user, entry point" labelled $name
        step "$name: nothing gives rights" no_privilege $name
        step "$name: stripped" stripped $name
        step "$name: a bill of materials" billed $name
    done
    step 'api: no shell, no package manager, one program' no_shell
    step 'api: 40 MiB at the most' small api 40
    step 'worker: 130 MiB at the most' small worker 130
    du -sm --apparent-size "$directory/api" "$directory/worker" | sed 's|/.*/|MiB |'
    step 'Redis with the configuration of the manifests' start_redis
    step 'a blob store' start_azurite
    step 'a key made by the image' make_secrets
    if step 'started as the manifests do, with their limits' run_programs; then
        step 'user 1000, no capabilities, a root that cannot be written' as_intended
        step 'a job from end to end' end_to_end
        step 'a handler of the example' own_handler
        step 'who has no key gets 401' key_needed
        step '500 submissions with the limits of the manifests' under_load
        step 'memory under load' within_memory
        step 'they stop well' stops_well
    fi
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
