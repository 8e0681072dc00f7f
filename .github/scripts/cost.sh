#!/bin/bash
# What the environments would cost a month, by Infracost, where INFRACOST_API_KEY is set; `make cost`.
set -euo pipefail
[ -n "${INFRACOST_API_KEY:-}" ] || { echo 'INFRACOST_API_KEY is not set: no estimate' && exit 0; }
for environment in dev prod; do
    printf '\n== %s\n' "$environment"
    infracost breakdown --path terraform --terraform-var-file "environments/$environment.tfvars" \
        --terraform-var subscription_id=00000000-0000-0000-0000-000000000000
done
