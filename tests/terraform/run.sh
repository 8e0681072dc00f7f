#!/bin/bash
# Terraform's configuration against the rules of check.mjs, and those against configurations that break them, which must be found.
# Ends with "counts <passed> <failed>" for tests/run.sh.
#
# With JOBGATE_TERRAFORM_CHECKER set (see terraform/scripts/check.sh) Terraform itself validates and tests everything too, which takes
# some minutes; without it that is left to the pipeline.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/support/try.sh
. tests/support/try.sh terraform

# What a file is changed to, by sed, and the complaint that must come of it.
mistakes() {
    cat <<'ROWS'
modules/redis/variables.tf|s/^  description = "The size of.*$//|variable sku_name is not described
modules/redis/variables.tf|s/^variable "sku_name"/variable "unused" { \n type = bool \n description = "x" \n}\n&/|variable unused is not used
modules/storage/variables.tf|/^variable "sku"/,/^}/{/validation {/,/^  }/d}|variable sku takes any value
variables.tf|/^variable "host_name"/,/^}/{/validation {/,/^  }/d}|variable host_name takes any value
variables.tf|$a variable "redis_password" {\n type = string\n default = "x"\n description = "x"\n}|variable redis_password is a secret with a default
modules/registry/outputs.tf|$a output "login" {\n description = "x"\n value = azurerm_container_registry.this.admin_password\n}|output login tells a secret
outputs.tf|s/description = "The Entra tenant."/description = ""/|output tenant_id is not described
modules/storage/main.tf|s/version = "0.9.0"/version = ">= 0.9.0"/|module account is not pinned
modules/network/main.tf|s/enable_telemetry = false/enable_telemetry = true/|module virtual_network tells its maker
versions.tf|s/"~> 4.81"/">= 4.0"/|provider azurerm may be of any version
modules/aks/versions.tf|s/">= 1.12/">= 1.9/|does not ask for Terraform 1.12
environments/dev.tfvars|s/^location /regoin /|there is no variable regoin
environments/prod.tfvars|/^budget_amount/d|does not say budget_amount
modules/aks/main.tf|s/^  sku_tier  /  sku_tier/|is not as terraform fmt writes it
ROWS
}

# All mistakes are made in one copy, which is looked at once: the tools take seconds to start.
make_mistakes() {
    local file script complaint
    cp -R terraform "$directory/copy"
    while IFS='|' read -r file script complaint; do
        change_copy "$file" "$script"
    done < <(mistakes)
    ! node tests/terraform/check.mjs "$directory/copy" >"$directory/said"
}

try 'rules' node tests/terraform/check.mjs
try 'mistakes are found' make_mistakes
while IFS='|' read -r _ _ complaint; do
    try "finds: $complaint" grep -F "$complaint" "$directory/said"
done < <(mistakes)

if [ -n "${JOBGATE_TERRAFORM_CHECKER:-}" ]; then
    terraform/scripts/check.sh | tee "$directory/checked" | grep -v -e '^counts ' -e ': ok$'
    read -r _ good bad < <(grep '^counts ' "$directory/checked" || echo counts 0 1)
    passed=$((passed + good))
    failed=$((failed + bad))
fi
end_of_tries
