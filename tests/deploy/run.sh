#!/bin/bash
# Deploys, rolls back and destroys with stand-ins for az, terraform, kubectl and the rest (stand_in.sh), which note how they are
# called and fail on demand. In one test the manifests are really rendered. Ends with "counts <passed> <failed>" for tests/run.sh.
# shellcheck disable=SC2016,SC2030,SC2031,SC2317 # the tests are called by name, each in a shell of its own
set -u
cd "$(dirname "$0")/../.." || exit 1
top=$PWD
# shellcheck source=tests/kubernetes/tools.sh
. tests/kubernetes/tools.sh
unpack_tools || exit 1
# shellcheck disable=SC2154 # tools.sh sets it
export REAL_KUBECTL=$kubectl

directory=$(mktemp -d "${TMPDIR:-/tmp}/jobgate-deploy.XXXXXX") || exit 1
trap 'rm -rf "$directory"' EXIT

# ---- a world, and a checkout in it ----

make_world() {
    export WORLD=$directory/$1/world OUTPUTS=$directory/$1/outputs.json
    mkdir -p "$WORLD" "$directory/$1/bin" "$directory/$1/checkout/terraform"
    cd "$directory/$1/checkout" || exit 1
    cp -R "$top/terraform/scripts" "$top/terraform/environments" terraform
    rm -f terraform/environments/*.local.*
    cp -R "$top/kubernetes" .
    cp "$top/tests/deploy/outputs.json" "$OUTPUTS"
    for tool in az terraform kubectl kubelogin docker git curl; do
        ln -s "$top/tests/deploy/stand_in.sh" "../bin/$tool"
    done
    export PATH=$directory/$1/bin:$PATH
    export ROLE_DELAY_S=0 YES=1
    unset FAIL API_IMAGE WORKER_IMAGE JOBGATE_API_KEY NO_ROLLBACK JOBGATE_PROJECT
    touch "$WORLD/logged-in" "$WORLD/person"
    echo Microsoft.ContainerService >"$WORLD/providers"
}

# A world in which everything runs already, in version v1; the calls that led there are forgotten.
make_running_world() {
    make_world "$1"
    cp -R "$directory/running/world/." "$WORLD"
    cp -R "$directory/running/checkout/build" .
    cp "$directory/running/checkout/terraform/environments/"*.local.* terraform/environments
    : >"$WORLD/calls"
}

script=
run() { # SCRIPT ARGUMENT…
    script=$1
    shift
    "terraform/scripts/$script.sh" "$@" </dev/null >"$WORLD/out" 2>"$WORLD/err"
    status=$?
}

# ---- what is expected; the first that is not so ends the test ----

broken() {
    printf '%s\n' "$*" '--- calls:' "$(cat "$WORLD/calls")" '--- stdout:' "$(cat "$WORLD/out")" '--- stderr:' "$(cat "$WORLD/err")"
    exit 1
}

expect_status() { [ "$status" -eq "$1" ] || broken "$script ended with status $status, not $1"; }
expect_said() { grep -qF -- "$1" "$WORLD/err" || broken "$script did not say \"$1\""; }
expect_call() { grep -qE -- "$1" "$WORLD/calls" || broken "no call matches \"$1\""; }
expect_no_call() { ! grep -E -- "$1" "$WORLD/calls" >"$WORLD/found" || broken "there was a call: $(cat "$WORLD/found")"; }

# Calls in this order, each behind the one before; others may stand between.
expect_order() {
    local pattern at line=0
    for pattern in "$@"; do
        at=$(awk -v from="$line" -v pattern="$pattern" 'NR > from && $0 ~ pattern { print NR; exit }' "$WORLD/calls")
        [ -n "$at" ] || broken "no call matches \"$pattern\" behind line $line"
        line=$at
    done
}

secret() { jq -rj .properties.value "$WORLD/secret-$1"; }

# ---- tests ----

test_first_deployment() {
    local password
    make_world "$1"
    run deploy dev
    expect_status 0
    expect_order 'az account show' 'az provider list' 'az provider register --namespace Microsoft.KeyVault --wait' \
        'az acr check-name --name jobgatedev80e4b9' 'az storage account check-name --name stjobgatedev80e4b9' \
        'az keyvault check-name --name kv-jobgate-dev-80e4b9' 'az vm list-skus --location westeurope' 'az vm list-usage' \
        'az group create --name rg-jobgate-state' 'az storage account create .*--allow-shared-key-access false' \
        'az storage container-rm create --name dev' 'az role assignment create .*Storage Blob Data Contributor.*/containers/dev' \
        'terraform -chdir=terraform init .*container_name=dev' \
        'terraform -chdir=terraform plan .*-out=.*-var-file=environments/dev.tfvars -var=subscription_id=0' \
        'terraform -chdir=terraform apply .*plan.tfplan' 'terraform -chdir=terraform output' \
        'az aks get-credentials --resource-group rg-jobgate-dev --name aks-jobgate-dev' 'kubelogin convert-kubeconfig' \
        'az rest --method put .*/secrets/redis-users' 'az rest --method put .*/secrets/redis-url' \
        'az rest --method put .*/secrets/smoke-key' 'az rest --method put .*/secrets/api-keys' \
        'az acr login --name jobgatedev80e4b9' 'docker build --target api' 'docker push jobgatedev80e4b9.azurecr.io/jobgate-api:v1' \
        'docker build --target worker' 'docker push' 'kubectl kustomize' 'kubectl diff' 'kubectl apply' \
        'rollout status statefulset/jobgate-redis' 'rollout status deployment/jobgate-api' 'rollout status deployment/jobgate-worker' \
        'port-forward service/jobgate-api' 'curl .*/v1/jobs$' 'curl .*/v1/jobs/default.0.X$' 'curl .*/result$'
    password=$(secret redis-url)
    password=${password#redis://jobgate:} password=${password%@*}
    grep -qF "user jobgate on >$password ~jobgate:*" <(secret redis-users) || broken 'redis-users and redis-url have not the same password'
    grep -qxF "$(secret redis-users | sed -n "s/$password/<password>/p")" "$top/docs/operations.md" || broken 'docs/operations.md has another form of redis-users'
    [ ${#password} -eq 43 ] || broken "the password has ${#password} characters"
    [ "$(secret api-keys | jq -r '.keys[0].sha256')" = "$(secret smoke-key | sha256sum | cut -d' ' -f1)" ] || broken 'api-keys has not the hash of smoke-key'
    grep -qF "\"admin_user_id\": \"99999999" terraform/environments/dev.local.tfvars.json || broken 'nobody administers the cluster'
}

test_secrets_are_shown_to_nobody() {
    local name
    make_world "$1"
    run deploy dev
    expect_status 0
    for name in redis-url smoke-key; do
        ! grep -rqF "$(secret "$name")" "$WORLD/calls" "$WORLD/out" "$WORLD/err" build || broken "$name is in a call, in what was said or in a file that was left"
    done
}

test_what_is_applied() {
    make_world "$1"
    touch "$WORLD/renders"
    run deploy dev
    expect_status 0
    grep -qE 'image: jobgatedev80e4b9.azurecr.io/jobgate-api@sha256:[0-9a-f]{64}$' "$WORLD/applied" || broken 'the api is not run by digest'
    grep -qE 'image: jobgatedev80e4b9.azurecr.io/jobgate-worker@sha256:[0-9a-f]{64}$' "$WORLD/applied" || broken 'the worker is not run by digest'
    for text in aaaaaaaa-0000-0000-0000-00000000000{1,2,3,4} 11111111-1111-1111-1111-111111111111 kv-jobgate-dev-80e4b9 \
        https://stjobgatedev80e4b9.blob.core.windows.net/jobgate 10.9.2.0/24 jobgate-dev.example.org; do
        grep -qF "$text" "$WORLD/applied" || broken "$text does not reach the manifests"
    done
    ! grep -F 00000000-0000-0000-0000-000000000000 "$WORLD/applied" || broken 'something was not replaced'
    cmp -s kubernetes/overlays/dev/platform.yaml "$top/kubernetes/overlays/dev/platform.yaml" || broken 'the checkout was changed'
}

test_second_run_changes_nothing() {
    make_running_world "$1"
    run deploy dev
    expect_status 0
    expect_no_call 'az .*(create|update|register|--method put)|terraform .* apply|docker|kubectl (apply|.*(annotate|undo|delete))'
    expect_call 'rollout status deployment/jobgate-api'
    expect_call 'curl .*/result$'
}

test_new_version() {
    make_running_world "$1"
    echo v2 >"$WORLD/version"
    run deploy dev
    expect_status 0
    expect_no_call 'terraform .* apply|--method put'
    expect_order 'docker push .*jobgate-api:v2' 'annotate deployment jobgate-api jobgate/previous-revision=1' 'kubectl apply'
}

test_images_of_the_pipeline() {
    make_running_world "$1"
    export API_IMAGE WORKER_IMAGE
    API_IMAGE=r.azurecr.io/jobgate-api@sha256:$(printf a | sha256sum | cut -d' ' -f1)
    WORKER_IMAGE=r.azurecr.io/jobgate-worker@sha256:$(printf b | sha256sum | cut -d' ' -f1)
    run deploy dev application
    expect_status 0
    expect_no_call 'docker|az (provider|acr|vm|group)|terraform .* (plan|apply)|--method put'
    grep -qF "image: $WORKER_IMAGE" "$WORLD/applied" || broken 'the image is not what was given'
}

test_image_without_digest() {
    make_running_world "$1"
    API_IMAGE=r.azurecr.io/jobgate-api:latest WORKER_IMAGE=r.azurecr.io/jobgate-worker:latest run deploy dev application
    expect_status 3
    expect_said 'names no image by digest'
    expect_no_call 'kubectl apply'
}

test_managed_redis() {
    make_world "$1"
    jq '.redis_url.value = "rediss://r.redis.azure.net:10000"' "$top/tests/deploy/outputs.json" >"$OUTPUTS"
    run deploy dev
    expect_status 0
    [ "$(secret redis-url)" = rediss://r.redis.azure.net:10000 ] || broken 'redis-url does not lead to the managed Redis'
    expect_no_call 'put .*/secrets/redis-users'
}

# The secrets that a deployment makes are right, and so is the smoke test: with them a real Redis, api and worker run a real job.
test_real_job() {
    local port api
    make_running_world "$1"
    cd "$directory/$1" || exit 1
    secret redis-users >users.acl
    secret api-keys >keys.json
    trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
    for port in $(shuf -i 20000-31999 -n 5); do
        redis-server --bind 127.0.0.1 --port "$port" --aclfile "$PWD/users.acl" --save '' --appendonly no --dir "$PWD" >redis.log 2>&1 &
        for _ in $(seq 100); do
            redis-cli -p "$port" ping 2>&1 | grep -q PONG && kill -0 $! 2>/dev/null && break 2
            kill -0 $! 2>/dev/null || break
            sleep 0.1
        done
    done
    start_real api API_LISTEN=127.0.0.1:0 AUTH=keys API_KEYS_FILE="$PWD/keys.json"
    start_real worker HANDLERS_FILE="$top/kubernetes/image/handlers.json"
    for _ in $(seq 200); do
        api=$(jq -r 'select(.message == "listening") | .api' api.log 2>/dev/null) && [ -n "$api" ] && break
        sleep 0.1
    done
    [ -n "$api" ] || { status=- && broken "the api does not listen: $(cat api.log)"; }
    printf '%s' "$api" >"$WORLD/api-address"
    rm bin/curl
    cd checkout || exit 1
    run deploy dev
    expect_status 0
    grep -q 'the result is what was sent' "$WORLD/out" || broken 'no result'
    JOBGATE_API_KEY=jobgate_of_nobody run deploy dev
    expect_status 3
    expect_said 401
}

start_real() { # PROGRAM SETTING…
    local program=$1
    shift
    env -i PATH="$PATH" REDIS_URL="$(secret redis-url | sed "s/@jobgate-redis:6379/@127.0.0.1:$port/")" BLOB_URL="file://$PWD/blobs" \
        OPS_LISTEN=127.0.0.1:0 "$@" "${JOBGATE_BIN:-$top/build/release/bin}/jobgate-$program" >"$program.log" 2>&1 </dev/null &
}

# FAIL | what is said | what must not be called any more
failures() {
    cat <<'ROWS'
az provider list|cannot be listed|az group
az provider register|could not be registered|az group
az storage account create|could not be made|terraform .* init
az role assignment create|the role on the state could not be given|terraform .* init
terraform .* init|terraform init failed|terraform .* plan
terraform .* plan|terraform plan failed|terraform .* apply
terraform .* apply|terraform apply failed|get-credentials
terraform .* output|Terraform has no outputs|get-credentials
az aks get-credentials|gives no credentials|--method put
kubelogin|failed at "the cluster"|--method put
kubectl auth|may not change the namespace|--method put
az rest --method get|does not say whether it has|--method put
az rest --method put|could not be written|docker
az acr login|lets nobody in|docker
docker build|could not be built|kubectl apply
docker push|could not be pushed|kubectl apply
az acr manifest|the registry does not know|kubectl apply
kubectl kustomize|could not be rendered|kubectl apply
kubectl apply|could not be applied|rollout status
ROWS
}

test_each_failure() {
    local pattern said never row=0
    while IFS='|' read -r pattern said never; do
        row=$((row + 1))
        (
            make_world "$1-$row"
            export FAIL="^$pattern"
            run deploy dev
            [ "$status" -ne 0 ] || broken "$script did not fail with $pattern"
            expect_said "$said"
            expect_said 'failed at "'
            expect_no_call "$never"
            [ ! -e build/deploy/dev/secret.json ] || broken 'a secret was left'
        ) || exit 1
    done < <(failures)
}

test_diff_fails() {
    make_running_world "$1"
    export FAIL='^kubectl diff'
    echo v2 >"$WORLD/version"
    # A comparison that differs and one that fails have the same status in the stand-in: what it says tells them apart.
    run deploy dev
    expect_status 0
    expect_call 'kubectl apply'
}

test_rollout_fails() {
    make_running_world "$1"
    echo v2 >"$WORLD/version"
    export FAIL='rollout status deployment/jobgate-worker'
    run deploy dev
    expect_status 3
    expect_order 'kubectl apply' 'get events' 'rollout undo deployment/jobgate-api --to-revision 1' 'rollout undo deployment/jobgate-worker --to-revision 1'
    expect_no_call 'curl .*/v1/jobs$'
}

test_smoke_fails() {
    make_running_world "$1"
    echo v2 >"$WORLD/version"
    echo dead >"$WORLD/job-state"
    run deploy dev
    expect_status 3
    expect_said 'smoke test failed; rolled back to what ran before'
    expect_order 'kubectl apply' 'curl .*/v1/jobs$' 'rollout undo deployment/jobgate-api --to-revision 1' 'annotate deployment jobgate-api jobgate/previous-revision=2' \
        'rollout undo deployment/jobgate-worker --to-revision 1' 'rollout status deployment/jobgate-api' 'rollout status deployment/jobgate-worker'
}

test_wrong_result() {
    make_running_world "$1"
    echo v2 >"$WORLD/version"
    touch "$WORLD/wrong-result"
    run deploy dev
    expect_status 3
    expect_said 'the result is not what was sent'
    expect_call 'rollout undo'
}

test_slow_job() {
    make_running_world "$1"
    echo queued >"$WORLD/job-state"
    SMOKE_TIMEOUT_S=1 run deploy dev
    expect_status 3
    expect_said 'the job is still queued after 1 s'
    # Nothing was applied, so nothing is undone.
    expect_no_call 'rollout undo'
}

test_no_rollback() {
    make_running_world "$1"
    echo v2 >"$WORLD/version"
    echo dead >"$WORLD/job-state"
    NO_ROLLBACK=1 run deploy dev
    expect_status 3
    expect_no_call 'rollout undo'
}

test_first_deployment_fails() {
    make_world "$1"
    echo dead >"$WORLD/job-state"
    run deploy dev
    expect_status 3
    expect_said 'there was nothing to roll back to'
    expect_no_call 'rollout undo'
}

test_only_the_worker_changed() {
    make_running_world "$1"
    export API_IMAGE WORKER_IMAGE
    API_IMAGE=$(sed -n 's/.*image: \(.*jobgate-api@.*\)/\1/p' "$WORLD/applied" | head -n 1)
    WORKER_IMAGE=r.azurecr.io/jobgate-worker@sha256:$(printf b | sha256sum | cut -d' ' -f1)
    run deploy dev application
    expect_status 0
    run rollback dev
    expect_status 0
    expect_no_call 'undo deployment/jobgate-api'
    expect_call 'undo deployment/jobgate-worker --to-revision 1'
}

test_rollback_there_and_back() {
    make_running_world "$1"
    echo v2 >"$WORLD/version"
    run deploy dev
    expect_status 0
    : >"$WORLD/calls"
    run rollback dev
    expect_status 0
    expect_order 'terraform .* init' 'get-credentials' 'undo deployment/jobgate-api --to-revision 1' 'undo deployment/jobgate-worker --to-revision 1' \
        'rollout status deployment/jobgate-api' 'curl .*/result$'
    expect_no_call 'terraform .* (plan|apply)|kubectl apply|docker'
    run rollback dev
    expect_status 0
    expect_call 'undo deployment/jobgate-api --to-revision 2'
}

test_nothing_to_roll_back_to() {
    make_running_world "$1"
    run rollback dev
    expect_status 3
    expect_said 'there is nothing to roll back to'
}

test_rollback_fails() {
    make_running_world "$1"
    echo v2 >"$WORLD/version"
    run deploy dev
    FAIL='rollout undo' run rollback dev
    expect_status 3
    expect_said 'could not be rolled back to revision 1'
    FAIL='get deployment' run rollback dev
    expect_status 3
    expect_said 'does not say which revision'
}

destroy() { printf '%s\n' "$@" | "terraform/scripts/destroy.sh" dev >"$WORLD/out" 2>"$WORLD/err" && status=0 || status=$?; }

test_destroy_asks_twice() {
    make_running_world "$1"
    script=destroy
    destroy ''
    expect_status 3
    expect_no_call 'terraform .* (plan|apply)'
    destroy prod
    expect_status 3
    expect_no_call 'terraform .* (plan|apply)'
    destroy dev yes
    expect_status 3
    expect_call 'terraform .* plan .*-destroy'
    expect_no_call 'terraform .* apply'
    destroy dev 'destroy rg-jobgate-dev'
    expect_status 0
    expect_order 'terraform .* plan .*-destroy' 'terraform .* apply .*destroy.tfplan'
    [ ! -e "$WORLD/made" ] || broken 'it is still there'
}

test_destroy_fails() {
    make_running_world "$1"
    script=destroy
    export FAIL='terraform .* apply'
    destroy dev 'destroy rg-jobgate-dev'
    expect_status 3
    expect_said 'ScopeLocked'
}

test_plan_is_not_agreed_to() {
    make_world "$1"
    YES='' run deploy dev
    expect_status 3
    expect_said 'the plan was not agreed to'
    expect_no_call 'terraform .* apply'
}

# What is wrong in the world | what is said
test_preflight() {
    local wrong said
    while IFS='|' read -r wrong said; do
        (
            make_world "$1-${wrong%% *}"
            case $wrong in
            not-logged-in) rm "$WORLD/logged-in" ;;
            no-tool) rm ../bin/kubelogin ;;
            old-terraform) echo 1.11.4 >"$WORLD/terraform-version" ;;
            deleted-vault) echo northeurope >"$WORLD/deleted-vault" ;;
            no-cores) echo 4 >"$WORLD/cores-used" ;;
            nobody) rm "$WORLD/person" ;;
            *) touch "$WORLD/$wrong" ;;
            esac
            PATH=$directory/$1-${wrong%% *}/bin:/usr/bin:/bin run deploy dev
            expect_status 3
            expect_said "$said"
            expect_no_call 'az group|terraform .* (init|plan)'
        ) || exit 1
    done <<'ROWS'
not-logged-in|nobody is logged in to Azure
no-tool|not on the PATH: kubelogin
old-terraform|Terraform 1.12 or newer is needed, this is 1.11.4
taken|jobgatedev80e4b9 is taken by somebody else
deleted-vault|az keyvault purge --name kv-jobgate-dev-80e4b9 --location northeurope
no-size|this subscription gets no Standard_B2ms in westeurope
no-cores|the nodes take 2 cores, and westeurope has 0 left
nobody|nobody is named who administers the cluster
ROWS
}

test_wrong_environment() {
    make_world "$1"
    : >"$WORLD/calls"
    run deploy staging
    expect_status 3
    expect_said 'there is no environment "staging"'
    expect_said 'dev prod'
    run deploy
    expect_status 3
    expect_said 'which environment?'
    run deploy dev everything
    expect_status 3
    expect_said 'neither infrastructure nor application'
    expect_no_call .
}

test_half_of_the_secrets() {
    make_running_world "$1"
    rm "$WORLD/secret-redis-url"
    run deploy dev
    expect_status 3
    expect_said 'the vault has redis-users and no redis-url'
    expect_no_call '--method put'
}

test_no_key_for_the_smoke_test() {
    make_running_world "$1"
    echo v2 >"$WORLD/version"
    export FAIL='keyvault secret show'
    run deploy dev
    expect_status 3
    expect_said 'the smoke test has no key'
    expect_no_call 'kubectl apply'
    JOBGATE_API_KEY=jobgate_given run deploy dev
    expect_status 0
}

test_plan_of_the_pipeline() {
    make_running_world "$1"
    run terraform dev plan
    expect_status 0
    expect_call 'terraform .* plan .*-lock=false'
    expect_no_call 'apply|az (group|provider)'
    grep -qx 'the plan' build/deploy/dev/plan.txt || broken 'plan.txt has not the plan'
    rm "$WORLD/made"
    run terraform dev apply
    expect_status 0
    expect_call 'terraform .* apply'
    FAIL='terraform .* plan' run terraform dev plan
    expect_status 3
}

# Settings that are named by example exist; of a secret its file does too.
test_example_of_settings() {
    local name
    WORLD=$directory/$1
    mkdir -p "$WORLD"
    touch "$WORLD/calls" "$WORLD/out" "$WORLD/err"
    while read -r name; do
        grep -q "\"$name\"" "$top/common/base/config.def" || broken ".env.example names $name, which is no setting"
    done < <(sed -n 's/^#\{0,1\}\([A-Z][A-Z_]*\)=.*/\1/p' "$top/.env.example")
    (
        set -a
        # shellcheck source=/dev/null
        . "$top/.env.example" && [ -n "$REDIS_URL" ]
    ) || broken '.env.example is not read by a shell'
}

# What the page of the deployment tells to type exists.
test_page() {
    local name
    WORLD=$directory/$1
    mkdir -p "$WORLD"
    touch "$WORLD/calls" "$WORLD/out" "$WORLD/err"
    while read -r name; do
        grep -qE "^([a-z-]+ )*$name( [a-z-]+)*:" "$top/Makefile" || broken "docs/deployment.md names make $name"
    done < <(grep -oE '(^|`|… )make [a-z-]+' "$top/docs/deployment.md" | sed 's/.*make //' | sort -u)
    while read -r name; do
        grep -rqE "\b$name\b" "$top/terraform" "$top/kubernetes" || broken "docs/deployment.md names $name"
    done < <(sed -n 's/`\([a-z_]*\)\( = [^`]*\)\{0,1\}`/\n@\1\n/gp' "$top/docs/deployment.md" | sed -n 's/^@\([a-z]*_[a-z_]*\)$/\1/p' | sort -u)
    for name in "$top"/docs/decisions/*-*.md; do
        grep -qF "(${name##*/})" "$top/docs/decisions/README.md" || broken "docs/decisions/README.md does not list ${name##*/}"
    done
}

# ---- all of them, two at a time ----

one() {
    if ("$1" "$1") >"$directory/$1.log" 2>&1; then
        echo ok >>"$directory/results"
    else
        echo bad >>"$directory/results"
        printf 'deploy: %s: FAILED\n%s\n' "$1" "$(cat "$directory/$1.log")"
    fi
}

: >"$directory/results"
(make_world running && run deploy dev && expect_status 0) || exit 1
tests=$(declare -F | sed -n "s/^declare -f \(test_${1:-}.*\)/\1/p")
for test in $tests; do
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do
        wait -n
    done
    one "$test" &
done
wait
echo "counts $(grep -c ok "$directory/results") $(grep -c bad "$directory/results")"
! grep -q bad "$directory/results"
