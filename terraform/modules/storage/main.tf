# The account of the results. It has no keys that work (shared_access_key_enabled), so whoever reads or writes has a role.

locals {
  # A rule counts days and knows nothing of jobs. Payloads are needed as long as theirs: workers remove those.
  folders = ["results", "logs", "status"]

  # The api reads all of the container, but writes only where payloads go: what a worker stored is out of its reach.
  write_actions = ["write", "add/action", "delete", "move/action"]
  blobs         = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
  api_condition = join("", [
    "((",
    join(" AND ", [for action in local.write_actions : "!(ActionMatches{'${local.blobs}/${action}'})"]),
    ") OR (",
    join(" OR ", [for pattern in var.api_writes : "@Resource[${local.blobs}:path] StringLike '${pattern}'"]),
    "))",
  ])

  containers = merge(
    {
      results = {
        name = var.container
        role_assignments = {
          worker = {
            role_definition_id_or_name = "Storage Blob Data Contributor"
            principal_id               = var.worker_principal_id
            principal_type             = "ServicePrincipal"
            condition                  = null
            condition_version          = null
          }
          api = {
            role_definition_id_or_name = "Storage Blob Data Contributor"
            principal_id               = var.api_principal_id
            principal_type             = "ServicePrincipal"
            condition                  = local.api_condition
            condition_version          = "2.0"
          }
        }
      }
    },
    var.backup_container == null ? {} : { backup = { name = var.backup_container, role_assignments = {} } },
  )

  base_blob_actions = {
    delete_after_days_since_modification_greater_than       = var.retention_days > 0 ? var.retention_days : null
    tier_to_cool_after_days_since_modification_greater_than = var.cool_after_days > 0 ? var.cool_after_days : null
  }
}

module "account" {
  source  = "Azure/avm-res-storage-storageaccount/azurerm"
  version = "0.9.0"

  name             = var.name
  location         = var.location
  parent_id        = var.resource_group_id
  account_kind     = "StorageV2"
  account_sku_name = var.sku
  access_tier      = "Hot"

  shared_access_key_enabled        = false
  default_to_oauth_authentication  = true
  allow_nested_items_to_be_public  = false
  cross_tenant_replication_enabled = false
  min_tls_version                  = "TLS1_2"
  https_traffic_only_enabled       = true
  public_network_access_enabled    = var.public_network_access_enabled
  network_rules                    = { bypass = ["None"], default_action = var.public_network_access_enabled ? "Allow" : "Deny" }

  blob_properties = {
    versioning_enabled                = var.versioning_enabled
    delete_retention_policy           = { enabled = true, days = var.soft_delete_days }
    container_delete_retention_policy = { enabled = true, days = var.soft_delete_days }
  }

  containers = local.containers

  # The api's role to make signed links is on the account, because a link's key is the account's; it gives no access by itself:
  # a link can do no more than the identity that signed it.
  role_assignments = var.api_signs_links ? {
    api_signs = {
      role_definition_id_or_name = "Storage Blob Delegator"
      principal_id               = var.api_principal_id
      principal_type             = "ServicePrincipal"
    }
  } : {}

  storage_management_policy_rule = merge(
    var.retention_days > 0 || var.cool_after_days > 0 ? {
      finished = {
        enabled = true
        name    = "finished"
        filters = {
          blob_types   = ["blockBlob"]
          prefix_match = [for folder in local.folders : "${var.container}/${folder}/"]
        }
        actions = { base_blob = local.base_blob_actions, version = null }
      }
    } : {},
    var.versioning_enabled ? {
      versions = {
        enabled = true
        name    = "versions"
        filters = { blob_types = ["blockBlob"], prefix_match = ["${var.container}/"] }
        actions = { base_blob = null, version = { delete_after_days_since_creation = var.soft_delete_days } }
      }
    } : {},
  )

  private_endpoints = {
    blob = {
      name                          = "pep-${var.name}"
      subnet_resource_id            = var.private_endpoint.subnet_id
      subresource_name              = "blob"
      private_dns_zone_resource_ids = [var.private_endpoint.private_dns_zone_id]
      tags                          = var.tags
    }
  }

  diagnostic_settings_blob = {
    audit = {
      name                  = "audit"
      logs                  = [{ category = "StorageWrite" }, { category = "StorageDelete" }]
      metrics               = []
      workspace_resource_id = var.log_analytics_id
    }
  }

  lock             = var.lock ? { kind = "CanNotDelete", name = "keep" } : null
  enable_telemetry = false
  tags             = var.tags
}
