# What the scripts share; each begins with it. ENV names the environment, and everything of a run lies in build/deploy/$ENV.
# shellcheck shell=bash disable=SC2034 # what is set here, the other scripts read
set -Eeuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

project=${JOBGATE_PROJECT:-jobgate}
step=start

die() {
    printf '%s: failed at "%s": %s\n' "${0##*/}" "$step" "$1" >&2
    shift
    [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
    exit 3 # by which on_error knows that all was said
}

title() {
    step=$1
    printf '\n== %s\n' "$1"
}

show() { printf '   %s\n' "$*"; }

# Every failure says at which step, also one that no line of ours expected.
on_error() {
    local status=$?
    [ "$status" -eq 3 ] || printf '%s: failed at "%s": a command ended with status %d\n' "${0##*/}" "$step" "$status" >&2
    exit "$status"
}
trap on_error ERR

begin() {
    environment=${1:-}
    [ -n "$environment" ] || die 'which environment? ENV=dev, or another that has a file in terraform/environments'
    variables=terraform/environments/$environment.tfvars
    [ -f "$variables" ] || die "there is no environment \"$environment\"" "known: $(cd terraform/environments && echo *.tfvars | sed 's/\.tfvars//g')"
    directory=$PWD/build/deploy/$environment
    mkdir -p "$directory"
    export KUBECONFIG=$directory/kubeconfig
}

# A question that only a person answers; YES=1 answers for the pipeline.
confirm() {
    local answer
    [ "${YES:-}" != 1 ] || return 0
    printf '   %s [y/N] ' "$1"
    read -r answer || answer=
    [ "$answer" = y ] || [ "$answer" = yes ]
}

need_tools() {
    local tool missing=()
    for tool in "$@"; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    [ ${#missing[@]} -eq 0 ] || die "not on the PATH: ${missing[*]}" 'docs/deployment.md says where each comes from'
}

# The subscription of the login, and the names that follow from it; Terraform computes the same (local.suffix in main.tf).
find_account() {
    subscription=$(az account show --query id --output tsv 2>/dev/null) ||
        die 'nobody is logged in to Azure' 'az login, then az account set --subscription NAME'
    suffix=$(printf '%s' "$subscription/$project/$environment" | sha256sum | cut -c1-6)
    group=rg-$project-$environment
    registry=$project$environment$suffix
    vault=kv-$project-$environment-$suffix
    storage=st$project$environment$suffix
    cluster=aks-$project-$environment
    state_group=rg-$project-state
    state_account=st${project}tf$(printf '%s' "$subscription/$project" | sha256sum | cut -c1-6)
    state_container_id=/subscriptions/$subscription/resourceGroups/$state_group/providers/Microsoft.Storage/storageAccounts/$state_account/blobServices/default/containers/$environment
    location=$(sed -n 's/^location *= *"\(.*\)"$/\1/p' "$variables")
}

# ---- Terraform ----

terraform_here() { terraform -chdir=terraform "$@"; }

terraform_variables() {
    local more
    printf '%s\n' "-var-file=environments/$environment.tfvars" "-var=subscription_id=$subscription" \
        "-var=project=$project" "-var=state_container_id=$state_container_id"
    for more in "$environment.local.tfvars" "$environment.local.tfvars.json"; do
        [ ! -f "terraform/environments/$more" ] || printf '%s\n' "-var-file=environments/$more"
    done
}

terraform_init() {
    terraform_here init -input=false -reconfigure -backend-config="resource_group_name=$state_group" \
        -backend-config="storage_account_name=$state_account" -backend-config="container_name=$environment" \
        -backend-config="key=$project.tfstate" -backend-config="subscription_id=$subscription" >"$directory/init.log" 2>&1 || {
        tail -n 20 "$directory/init.log" >&2
        die 'terraform init failed, see above' "its state lies in $state_account, container $environment; whoever uses it needs Storage Blob Data Contributor there, and a new role takes up to ten minutes to be known"
    }
}

# Outputs, as JSON; `output NAME` prints one, or nothing when it is null.
read_outputs() {
    terraform_here output -json >"$directory/outputs.json" || die 'Terraform has no outputs' 'has the environment been made? make deploy'
    [ "$(output resource_group)" != '' ] || die 'Terraform has no outputs: the environment has not been made' "make deploy ENV=$environment"
}

output() { jq -r --arg name "$1" '.[$name].value // empty' "$directory/outputs.json"; }
client_id() { jq -r --arg name "$1" '.client_ids.value[$name] // empty' "$directory/outputs.json"; }

# ---- the cluster ----

find_cluster() {
    title 'the cluster'
    az aks get-credentials --resource-group "$(output resource_group)" --name "$(output cluster)" --overwrite-existing \
        --file "$KUBECONFIG" --only-show-errors >/dev/null ||
        die 'the cluster gives no credentials' 'the role "Azure Kubernetes Service Cluster User Role" on the cluster is needed'
    chmod 600 "$KUBECONFIG"
    kubelogin convert-kubeconfig -l azurecli --kubeconfig "$KUBECONFIG"
    namespace=$(output namespace)
    kubectl auth can-i patch deployments --namespace "$namespace" >/dev/null 2>&1 || die "this login may not change the namespace $namespace" \
        'the role "Azure Kubernetes Service RBAC Cluster Admin" is needed (admin_user_id, admin_group_ids, pipeline_subjects); a new role takes up to ten minutes to be known'
    show "$(output cluster), namespace $namespace"
}

k() { kubectl --namespace "$namespace" "$@"; }
