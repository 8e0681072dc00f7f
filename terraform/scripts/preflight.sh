# Looks whether a deployment can succeed, before anything is changed. Sourced by deploy.sh, behind common.sh.
# shellcheck shell=bash disable=SC2154 # common.sh sets them

providers='Microsoft.ContainerService Microsoft.ContainerRegistry Microsoft.KeyVault Microsoft.Storage Microsoft.Network
           Microsoft.ManagedIdentity Microsoft.OperationalInsights Microsoft.Insights Microsoft.Monitor Microsoft.AlertsManagement
           Microsoft.Dashboard Microsoft.Consumption Microsoft.Cache Microsoft.DataProtection Microsoft.KubernetesConfiguration
           Microsoft.ServiceNetworking Microsoft.PolicyInsights'

check_terraform() {
    local version
    version=$(terraform version -json | jq -r .terraform_version)
    printf '1.12.0\n%s\n' "$version" | sort -CV ||
        die "Terraform 1.12 or newer is needed, this is $version" 'the storage and network modules rely on it'
}

# A subscription must know a resource provider before anything of it is made. Only what is missing is registered.
register_providers() {
    local known provider
    known=$(az provider list --query "[?registrationState=='Registered'].namespace" --output tsv) ||
        die 'the resource providers of the subscription cannot be listed'
    for provider in $providers; do
        grep -qixF "$provider" <<<"$known" && continue
        show "registering $provider"
        az provider register --namespace "$provider" --wait >/dev/null ||
            die "$provider could not be registered" 'the role Contributor on the subscription is needed for it, once'
    done
}

exists() { az resource show --ids "$1" --query id --output tsv >/dev/null 2>&1; }

# A name that must be unique in all of Azure is ours already, or free; a vault that was deleted keeps its name for a while.
check_names() {
    local scope=/subscriptions/$subscription/resourceGroups/$group/providers deleted
    exists "$scope/Microsoft.ContainerRegistry/registries/$registry" ||
        [ "$(az acr check-name --name "$registry" --query nameAvailable --output tsv)" = true ] ||
        die "the registry's name $registry is taken by somebody else" 'choose another project name: JOBGATE_PROJECT=…'
    exists "$scope/Microsoft.Storage/storageAccounts/$storage" ||
        [ "$(az storage account check-name --name "$storage" --query nameAvailable --output tsv)" = true ] ||
        die "the storage account's name $storage is taken by somebody else" 'choose another project name: JOBGATE_PROJECT=…'
    exists "$scope/Microsoft.KeyVault/vaults/$vault" && return
    deleted=$(az keyvault list-deleted --resource-type vault --query "[?name=='$vault'].properties.location" --output tsv)
    [ -z "$deleted" ] || [ "$deleted" = "$location" ] ||
        die "a deleted key vault in $deleted holds the name $vault" "az keyvault purge --name $vault --location $deleted"
    [ -n "$deleted" ] || [ "$(az keyvault check-name --name "$vault" --query nameAvailable --output tsv)" = true ] ||
        die "the key vault's name $vault is taken by somebody else" 'choose another project name: JOBGATE_PROJECT=…'
}

# "size min" of each node pool, from the file of the environment.
pools() { sed -n 's/^[a-z]*_pool *= *{ *vm_size *= *"\([^"]*\)", *min_count *= *\([0-9]*\),.*/\1 \2/p' "$variables"; }

# Whether the region sells the sizes to this subscription, and whether as many cores are left as the smallest cluster takes.
check_quota() {
    local size count cores need=0 left
    exists "/subscriptions/$subscription/resourceGroups/$group/providers/Microsoft.ContainerService/managedClusters/$cluster" && return
    while read -r size count; do
        cores=$(az vm list-skus --location "$location" --resource-type virtualMachines --size "$size" --output json |
            jq -r --arg size "$size" '[.[] | select(.name == $size and ([.restrictions[]? | select(.type == "Location")] | length) == 0)][0]
                | .capabilities // [] | map(select(.name == "vCPUs"))[0].value // empty')
        [ -n "$cores" ] || die "this subscription gets no $size in $location" \
            "see what there is: az vm list-skus --location $location --resource-type virtualMachines --output table" \
            "and set vm_size, or another location, in $variables"
        need=$((need + cores * count))
    done < <(pools)
    left=$(az vm list-usage --location "$location" --output json |
        jq -r '.[] | select(.name.value == "cores") | (.limit | tonumber) - (.currentValue | tonumber)')
    [ "${left:-0}" -ge "$need" ] || die "the nodes take $need cores, and $location has ${left:-0} left for this subscription" \
        'smaller or fewer nodes, another location, or a larger quota: https://aka.ms/ProdportalCRP/?#blade/Microsoft_Azure_Capacity/UsageAndQuota.ReactView'
    show "$need cores of $left"
}

# Somebody must be able to administer the cluster. Where no file names anybody, whoever deploys first does, from then on.
name_administrator() {
    local me file=terraform/environments/$environment.local.tfvars.json
    ! grep -qsE '^ *"?admin_(user_id|group_ids)"? *[=:]' "$variables" "${file%.json}" "$file" || return 0
    me=$(az ad signed-in-user show --query id --output tsv 2>/dev/null) ||
        die 'nobody is named who administers the cluster' "set admin_group_ids or admin_user_id in $variables"
    jq -n --arg me "$me" '{admin_user_id: $me}' >"$file"
    show "you administer the cluster from now on: $file"
}

preflight() {
    title 'preflight'
    need_tools az terraform kubectl kubelogin jq curl openssl git sha256sum
    check_terraform
    find_account
    show "subscription $subscription, $location"
    register_providers
    check_names
    check_quota
    name_administrator
}
