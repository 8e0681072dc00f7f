# Who is asking comes from the environment: `az login` on one's own machine, GitHub's token (ARM_USE_OIDC) in the pipeline.
provider "azurerm" {
  subscription_id     = var.subscription_id
  storage_use_azuread = true

  # Registering resource providers takes rights on the whole subscription, which the pipeline has not: `make deploy` does it.
  resource_provider_registrations = "none"

  features {
    key_vault {
      purge_soft_delete_on_destroy    = false
      recover_soft_deleted_key_vaults = true
    }

    resource_group {
      prevent_deletion_if_contains_resources = true
    }
  }
}

provider "azapi" {
  subscription_id = var.subscription_id
}
