#!/bin/bash
# The alerts: their form, what they say to made-up series, and whether what they, the dashboards and the autoscaler ask for is really
# exported. Ends with "counts <passed> <failed>" for tests/run.sh.
set -u
cd "$(dirname "$0")/../.." || exit 1
rules=terraform/modules/monitoring/rules/jobgate.rules.yaml
# shellcheck source=tests/support/try.sh
. tests/support/try.sh alerts

# Each alert has a test in which it comes.
every_alert_comes() {
    local alert
    while read -r alert; do
        grep -A1 "alertname: $alert$" tests/alerts/jobgate.test.yaml | grep -q exp_alerts || { echo "no test in which $alert comes" && return 1; }
    done < <(sed -n 's/^ *- alert: //p' "$rules")
}

# Whoever is woken by an alert finds it on the page for them.
every_alert_is_explained() {
    local alert
    while read -r alert; do
        grep -q "$alert" docs/operations.md || { echo "docs/operations.md does not name $alert" && return 1; }
    done < <(sed -n 's/^ *- alert: //p' "$rules")
}

# What Azure cannot take: a duration of two units, a rule without "for", a severity that Terraform knows no number for.
azure_takes_them() {
    local rules_count
    rules_count=$(grep -c '^ *- alert: ' "$rules")
    [ "$(grep -cE '^ *for: [0-9]+[smh]$' "$rules")" -eq "$rules_count" ] && [ "$(grep -cE '^ *severity: (critical|warning)$' "$rules")" -eq "$rules_count" ]
}

# A name that nobody exports is found: ours, one of Kubernetes that the managed Prometheus drops, and one that is no name at all.
finds() { # FROM TO
    sed "s/$1/$2/" "$rules" >"$directory/broken.rules.yaml"
    ! cmp -s "$rules" "$directory/broken.rules.yaml" && ! node tests/alerts/names.mjs "$directory/broken.rules.yaml" >"$directory/said" &&
        grep -q "nobody exports $2\$" "$directory/said"
}

try 'form' promtool check rules --lint=all --lint-fatal "$rules"
try 'alerts' promtool test rules tests/alerts/jobgate.test.yaml
try 'every alert has a test' every_alert_comes
try 'every alert is explained' every_alert_is_explained
try 'Azure takes them' azure_takes_them
try 'names' node tests/alerts/names.mjs
try 'finds a wrong name' finds jobgate_redis_up jobgate_redis_is_up
try 'finds a name that is not kept' finds kube_deployment_status_replicas_available kube_deployment_status_replicas_unavailable
try 'finds a name of nobody' finds node_memory_MemTotal_bytes memory
end_of_tries
