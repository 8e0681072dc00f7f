# The vault of the secrets. Terraform makes the vault and says who may read; no secret passes through it, so that none lies in
# its state: `make deploy` makes those that are missing.

module "vault" {
  source  = "Azure/avm-res-keyvault-vault/azurerm"
  version = "0.11.0"

  name                = var.name
  location            = var.location
  resource_group_name = var.resource_group_name
  tenant_id           = var.tenant_id
  sku_name            = "standard"

  legacy_access_policies_enabled = false
  purge_protection_enabled       = var.purge_protection_enabled
  soft_delete_retention_days     = var.soft_delete_days

  public_network_access_enabled = var.public_network_access_enabled
  network_acls                  = { bypass = "None", default_action = var.public_network_access_enabled ? "Allow" : "Deny" }

  private_endpoints = {
    vault = {
      name                          = "pep-${var.name}"
      subnet_resource_id            = var.private_endpoint.subnet_id
      private_dns_zone_resource_ids = [var.private_endpoint.private_dns_zone_id]
      tags                          = var.tags
    }
  }

  role_assignments = merge(
    {
      for key, id in var.reader_principal_ids : key => {
        role_definition_id_or_name = "Key Vault Secrets User"
        principal_id               = id
        principal_type             = "ServicePrincipal"
      }
    },
    {
      for key, who in var.administrators : "${key}-secrets" => {
        role_definition_id_or_name = "Key Vault Secrets Officer"
        principal_id               = who.id
        principal_type             = who.type
      }
    },
    {
      for key, who in var.administrators : "${key}-certificates" => {
        role_definition_id_or_name = "Key Vault Certificates Officer"
        principal_id               = who.id
        principal_type             = who.type
      }
    },
    {
      for key, id in var.certificate_reader_principal_ids : key => {
        role_definition_id_or_name = "Key Vault Certificate User"
        principal_id               = id
        principal_type             = "ServicePrincipal"
      }
    },
  )

  diagnostic_settings = {
    audit = {
      name                  = "audit"
      log_groups            = ["audit"]
      metric_categories     = []
      workspace_resource_id = var.log_analytics_id
    }
  }

  lock             = var.lock ? { kind = "CanNotDelete", name = "keep" } : null
  enable_telemetry = false
  tags             = var.tags
}
