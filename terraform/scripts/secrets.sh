# Makes the secrets that are missing in the key vault. Sourced by deploy.sh, behind common.sh.
#
#   redis-url     how api and worker reach Redis
#   redis-users   the users of the Redis in the cluster, with their passwords
#   api-keys      who may call the api: names, scopes and hashes of keys
#   smoke-key     the key of the smoke test, and of whoever tries out the new environment
#
# They go through Azure's management plane, which reaches a vault behind a private endpoint too, and which hands out no secret:
# what is there already is left alone. No secret is an argument of a command, and none is printed.
# shellcheck shell=bash disable=SC2154 # common.sh sets them

secret_path() { printf 'https://management.azure.com%s/secrets/%s?api-version=2023-07-01' "$(output vault_id)" "$1"; }

has_secret() {
    local answer
    if answer=$(az rest --method get --url "$(secret_path "$1")" --output none 2>&1); then
        return 0
    fi
    grep -qE 'SecretNotFound|ResourceNotFound|Not ?Found|404' <<<"$answer" || die "the vault does not say whether it has $1" "${answer//$'\n'/ }"
    return 1
}

# put_secret NAME <value
put_secret() {
    local body=$directory/secret.json status=0
    (umask 077 && jq -Rsc '{properties: {value: .}}' >"$body")
    az rest --method put --url "$(secret_path "$1")" --body "@$body" --headers Content-Type=application/json --output none || status=$?
    rm -f "$body"
    [ "$status" -eq 0 ] || die "the secret $1 could not be written" 'the role Contributor on the resource group is needed for it'
    show "made $1"
}

random_text() { openssl rand -base64 32 | tr '+/' '-_' | tr -d '=\n'; }

redis_secrets() {
    local url password
    url=$(output redis_url)
    if [ -n "$url" ]; then
        has_secret redis-url || printf '%s' "$url" | put_secret redis-url
        return
    fi
    if has_secret redis-users; then
        has_secret redis-url || die 'the vault has redis-users and no redis-url' 'the password is in redis-users: write redis://jobgate:PASSWORD@jobgate-redis:6379 into the secret redis-url'
        return
    fi
    ! has_secret redis-url || die 'the vault has redis-url and no redis-users' 'the password is in redis-url: docs/operations.md has the form of redis-users'
    password=$(random_text)
    # The users first: a run that is cut off in between is told of by the next.
    printf 'user default on nopass -@all +ping\nuser jobgate on >%s ~jobgate:* &jobgate:* +@all -@admin -@dangerous +info +client|id +client|setname +client|unblock\n' "$password" |
        put_secret redis-users
    printf 'redis://jobgate:%s@jobgate-redis:6379' "$password" | put_secret redis-url
}

# The smoke test's key is made with the file of keys; a file that is there may have others in it, so it stays as it is.
key_secrets() {
    if has_secret api-keys; then
        return
    fi
    smoke_key=jobgate_$(random_text)
    printf '%s' "$smoke_key" | put_secret smoke-key
    jq -nc --arg hash "$(printf '%s' "$smoke_key" | sha256sum | cut -d' ' -f1)" \
        '{keys: [{name: "smoke", sha256: $hash, scopes: ["submit", "read"], types: ["echo"]}]}' | put_secret api-keys
}

make_secrets() {
    title 'secrets'
    redis_secrets
    key_secrets
    show "in $(output vault)"
}
