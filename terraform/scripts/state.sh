# Makes the account of Terraform's state, once for all environments. Sourced by deploy.sh, behind common.sh.
# shellcheck shell=bash disable=SC2154 # common.sh sets them

# Each part only where it is missing, so that a second run changes nothing. The account has no keys that work, keeps what is
# overwritten or deleted, and whoever makes it may use it.
prepare_state() {
    local me
    title "Terraform's state"
    if ! az storage account show --name "$state_account" --resource-group "$state_group" --output none 2>/dev/null; then
        az group create --name "$state_group" --location "$location" --tags "project=$project" managed-by=deploy --output none
        az storage account create --name "$state_account" --resource-group "$state_group" --location "$location" --sku Standard_LRS \
            --allow-shared-key-access false --allow-blob-public-access false --min-tls-version TLS1_2 --output none ||
            die "the account $state_account could not be made"
        az storage account blob-service-properties update --account-name "$state_account" --resource-group "$state_group" \
            --enable-versioning true --enable-delete-retention true --delete-retention-days 30 --output none
        show "made $state_account"
    fi
    if ! az storage container-rm show --name "$environment" --storage-account "$state_account" --resource-group "$state_group" --output none 2>/dev/null; then
        az storage container-rm create --name "$environment" --storage-account "$state_account" --resource-group "$state_group" --output none
        me=$(az ad signed-in-user show --query id --output tsv 2>/dev/null) || me=
        if [ -n "$me" ]; then
            az role assignment create --assignee-object-id "$me" --assignee-principal-type User --role 'Storage Blob Data Contributor' \
                --scope "$state_container_id" --output none || die 'the role on the state could not be given' 'Owner or User Access Administrator is needed for it, once'
            # A new role is known everywhere only after some minutes.
            sleep "${ROLE_DELAY_S:-60}"
        fi
        show "made the container $environment"
    fi
    terraform_init
    show "$state_account/$environment/$project.tfstate"
}
