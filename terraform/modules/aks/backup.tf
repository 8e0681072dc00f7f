# AKS Backup: the namespace and the disks of its volumes, daily. Blobs have soft delete and versions of their own.

locals {
  is_backed_up = var.backup != null
}

resource "azurerm_data_protection_backup_vault" "this" {
  count = local.is_backed_up ? 1 : 0

  name                = "bvault-${var.name}"
  location            = var.location
  resource_group_name = var.resource_group.name
  datastore_type      = "VaultStore"
  redundancy          = var.backup.vault_redundancy
  soft_delete         = "On"
  tags                = var.tags

  identity {
    type = "SystemAssigned"
  }
}

resource "azurerm_data_protection_backup_policy_kubernetes_cluster" "daily" {
  count = local.is_backed_up ? 1 : 0

  name                            = "daily"
  resource_group_name             = var.resource_group.name
  vault_name                      = azurerm_data_protection_backup_vault.this[0].name
  backup_repeating_time_intervals = ["R/2026-01-01T02:30:00+00:00/P1D"]

  default_retention_rule {
    life_cycle {
      data_store_type = "OperationalStore"
      duration        = "P${var.backup.retention_days}D"
    }
  }
}

resource "azurerm_kubernetes_cluster_extension" "backup" {
  count = local.is_backed_up ? 1 : 0

  name              = "azure-aks-backup"
  cluster_id        = azurerm_kubernetes_cluster.this.id
  extension_type    = "microsoft.dataprotection.kubernetes"
  release_train     = "stable"
  release_namespace = "dataprotection-microsoft"

  configuration_settings = {
    "configuration.backupStorageLocation.bucket"                = var.backup_storage.container
    "configuration.backupStorageLocation.config.resourceGroup"  = var.resource_group.name
    "configuration.backupStorageLocation.config.storageAccount" = var.backup_storage.account_name
    "configuration.backupStorageLocation.config.subscriptionId" = split("/", var.resource_group.id)[2]
    "configuration.backupStorageLocation.config.useAAD"         = "true"
    "credentials.tenantId"                                      = var.tenant_id
  }
}

# Who does the backup needs these: the extension the container, the vault the cluster and the snapshots, the cluster the disks.
resource "azurerm_role_assignment" "backup" {
  for_each = local.is_backed_up ? {
    extension_writes_container = { scope = var.backup_storage.account_id, role = "Storage Account Contributor", principal = azurerm_kubernetes_cluster_extension.backup[0].aks_assigned_identity[0].principal_id }
    extension_writes_blobs     = { scope = var.backup_storage.account_id, role = "Storage Blob Data Contributor", principal = azurerm_kubernetes_cluster_extension.backup[0].aks_assigned_identity[0].principal_id }
    vault_reads_cluster        = { scope = azurerm_kubernetes_cluster.this.id, role = "Reader", principal = azurerm_data_protection_backup_vault.this[0].identity[0].principal_id }
    vault_reads_snapshots      = { scope = var.resource_group.id, role = "Reader", principal = azurerm_data_protection_backup_vault.this[0].identity[0].principal_id }
    cluster_makes_snapshots    = { scope = var.resource_group.id, role = "Contributor", principal = azurerm_user_assigned_identity.cluster.principal_id }
  } : {}

  scope                = each.value.scope
  role_definition_name = each.value.role
  principal_id         = each.value.principal
  principal_type       = "ServicePrincipal"
}

resource "azurerm_kubernetes_cluster_trusted_access_role_binding" "backup" {
  count = local.is_backed_up ? 1 : 0

  name                  = "backup"
  kubernetes_cluster_id = azurerm_kubernetes_cluster.this.id
  roles                 = ["Microsoft.DataProtection/backupVaults/backup-operator"]
  source_resource_id    = azurerm_data_protection_backup_vault.this[0].id
}

resource "azurerm_data_protection_backup_instance_kubernetes_cluster" "this" {
  count = local.is_backed_up ? 1 : 0

  name                         = "aks-${var.name}"
  location                     = var.location
  vault_id                     = azurerm_data_protection_backup_vault.this[0].id
  kubernetes_cluster_id        = azurerm_kubernetes_cluster.this.id
  snapshot_resource_group_name = var.resource_group.name
  backup_policy_id             = azurerm_data_protection_backup_policy_kubernetes_cluster.daily[0].id

  backup_datasource_parameters {
    included_namespaces              = [var.namespace]
    cluster_scoped_resources_enabled = true
    volume_snapshot_enabled          = true
  }

  depends_on = [
    azurerm_role_assignment.backup,
    azurerm_kubernetes_cluster_trusted_access_role_binding.backup,
  ]
}
