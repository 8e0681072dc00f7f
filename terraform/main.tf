# jobgate's platform. Read on in modules/; what each identity may do beyond its own store stands in roles.tf.

locals {
  name = "${var.project}-${var.environment}"

  # Some names must be unique in all of Azure. They follow from the subscription, so that who knows it knows them:
  # terraform/scripts/common.sh computes the same.
  suffix = substr(sha256("${var.subscription_id}/${var.project}/${var.environment}"), 0, 6)
  unique = "${var.project}${var.environment}${local.suffix}"

  tags = merge(var.tags, { project = var.project, environment = var.environment, managed-by = "terraform" })

  resource_group = { id = azurerm_resource_group.this.id, name = azurerm_resource_group.this.name }
  zone_redundant = length(var.zones) > 1

  private_dns_zones = merge(
    {
      blob  = "privatelink.blob.core.windows.net"
      vault = "privatelink.vaultcore.azure.net"
    },
    var.registry_private_endpoint_enabled ? { registry = "privatelink.azurecr.io" } : {},
    var.redis == null ? {} : { redis = "privatelink.redis.azure.net" },
    var.monitor_private_link_enabled ? local.monitor_dns_zones : {},
  )

  # Azure Monitor's endpoint has names in five zones; the fifth is that of blobs.
  monitor_dns_zones = {
    monitor = "privatelink.monitor.azure.com"
    oms     = "privatelink.oms.opinsights.azure.com"
    ods     = "privatelink.ods.opinsights.azure.com"
    agents  = "privatelink.agentsvc.azure-automation.net"
  }
}

data "azurerm_client_config" "current" {}

resource "azurerm_resource_group" "this" {
  name     = "rg-${local.name}"
  location = var.location
  tags     = local.tags
}

module "network" {
  source = "./modules/network"

  name                   = local.name
  location               = var.location
  resource_group         = local.resource_group
  address_space          = var.address_space
  subnet_prefixes        = var.subnet_prefixes
  private_dns_zones      = local.private_dns_zones
  nat_gateway_enabled    = var.nat_gateway_enabled
  gateway_subnet_enabled = var.application_gateway_enabled
  zones                  = var.zones
  tags                   = local.tags
}

module "monitoring" {
  source = "./modules/monitoring"

  name                    = local.name
  location                = var.location
  resource_group          = local.resource_group
  log_retention_days      = var.log_retention_days
  log_daily_quota_gb      = var.log_daily_quota_gb
  prometheus_enabled      = var.prometheus_enabled
  grafana_enabled         = var.grafana_enabled
  grafana_admin_group_ids = var.admin_group_ids
  zone_redundant          = local.zone_redundant
  alert_emails            = var.alert_emails
  cluster                 = module.aks.cluster
  lock                    = var.locks_enabled
  tags                    = local.tags

  private_link = var.monitor_private_link_enabled ? {
    subnet_id            = module.network.subnet_ids["endpoints"]
    private_dns_zone_ids = [for key in concat(keys(local.monitor_dns_zones), ["blob"]) : module.network.private_dns_zone_ids[key]]
  } : null
}

module "aks" {
  source = "./modules/aks"

  name                 = local.name
  location             = var.location
  resource_group       = local.resource_group
  tenant_id            = data.azurerm_client_config.current.tenant_id
  kubernetes_version   = var.kubernetes_version
  sku_tier             = var.cluster_tier
  subnet_id            = module.network.subnet_ids["nodes"]
  zones                = var.zones
  system_pool          = var.system_pool
  user_pool            = var.user_pool
  network              = var.cluster_network
  outbound_type        = var.nat_gateway_enabled ? "userAssignedNATGateway" : "loadBalancer"
  authorized_ip_ranges = var.authorized_ip_ranges
  admin_group_ids      = var.admin_group_ids
  admin_user_id        = var.admin_user_id
  log_analytics_id     = module.monitoring.log_analytics_id
  prometheus_enabled   = var.prometheus_enabled
  namespace            = var.namespace
  backup               = var.backup
  lock                 = var.locks_enabled
  tags                 = local.tags

  backup_storage = var.backup == null ? null : {
    account_id   = module.storage.id
    account_name = module.storage.name
    container    = "${var.container}-backup"
  }
}

module "identity" {
  source = "./modules/identity"

  name                = local.name
  location            = var.location
  resource_group_name = local.resource_group.name
  workload_issuer     = module.aks.oidc_issuer_url
  pipeline_issuer     = var.pipeline_issuer
  pipeline_subjects   = local.pipeline_subjects
  tags                = local.tags

  workload_subjects = merge(
    {
      api    = "system:serviceaccount:${var.namespace}:jobgate-api"
      worker = "system:serviceaccount:${var.namespace}:jobgate-worker"
      redis  = "system:serviceaccount:${var.namespace}:jobgate-redis"
      keda   = "system:serviceaccount:kube-system:keda-operator"

      # The gateway reads its certificate from the vault.
      gateway = "system:serviceaccount:${var.namespace}-gateway:jobgate-gateway"
    },
    var.application_gateway_enabled ? { alb = "system:serviceaccount:azure-alb-system:alb-controller-sa" } : {},
  )
}

module "registry" {
  source = "./modules/registry"

  name                          = local.unique
  location                      = var.location
  resource_group_name           = local.resource_group.name
  sku                           = var.registry_sku
  zone_redundant                = local.zone_redundant
  public_network_access_enabled = var.registry_public_access_enabled
  pull_principal_ids            = { kubelet = module.aks.kubelet_principal_id }
  push_principal_ids            = local.has_deploy ? { deploy = module.identity.principal_ids["deploy"] } : {}
  log_analytics_id              = module.monitoring.log_analytics_id
  lock                          = var.locks_enabled
  tags                          = local.tags

  private_endpoint = var.registry_private_endpoint_enabled ? {
    subnet_id           = module.network.subnet_ids["endpoints"]
    private_dns_zone_id = module.network.private_dns_zone_ids["registry"]
  } : null
}

module "keyvault" {
  source = "./modules/keyvault"

  name                          = "kv-${local.name}-${local.suffix}"
  location                      = var.location
  resource_group_name           = local.resource_group.name
  tenant_id                     = data.azurerm_client_config.current.tenant_id
  purge_protection_enabled      = var.vault_purge_protection_enabled
  soft_delete_days              = var.vault_soft_delete_days
  public_network_access_enabled = var.vault_public_access_enabled
  log_analytics_id              = module.monitoring.log_analytics_id
  lock                          = var.locks_enabled
  tags                          = local.tags

  # The pipeline reads the smoke test's key. It puts programs into the namespace, so that what those may read it may too.
  reader_principal_ids = {
    for name in concat(["api", "worker", "redis"], local.has_deploy ? ["deploy"] : []) : name => module.identity.principal_ids[name]
  }

  administrators = merge(
    { for id in var.admin_group_ids : id => { id = id, type = "Group" } },
    var.admin_user_id == null ? {} : { user = { id = var.admin_user_id, type = "User" } },
  )

  certificate_reader_principal_ids = { gateway = module.identity.principal_ids["gateway"] }

  private_endpoint = {
    subnet_id           = module.network.subnet_ids["endpoints"]
    private_dns_zone_id = module.network.private_dns_zone_ids["vault"]
  }
}

module "storage" {
  source = "./modules/storage"

  name                          = "st${local.unique}"
  location                      = var.location
  resource_group_id             = local.resource_group.id
  sku                           = var.storage_sku
  container                     = var.container
  backup_container              = var.backup == null ? null : "${var.container}-backup"
  retention_days                = var.retention_days
  cool_after_days               = var.cool_after_days
  soft_delete_days              = var.blob_soft_delete_days
  versioning_enabled            = var.blob_versioning_enabled
  public_network_access_enabled = var.result_links_enabled
  worker_principal_id           = module.identity.principal_ids["worker"]
  api_principal_id              = module.identity.principal_ids["api"]
  api_writes                    = ["payloads/*"]
  api_signs_links               = var.result_links_enabled
  log_analytics_id              = module.monitoring.log_analytics_id
  lock                          = var.locks_enabled
  tags                          = local.tags

  private_endpoint = {
    subnet_id           = module.network.subnet_ids["endpoints"]
    private_dns_zone_id = module.network.private_dns_zone_ids["blob"]
  }
}

module "redis" {
  source = "./modules/redis"
  count  = var.redis == null ? 0 : 1

  name                      = "${local.name}-${local.suffix}"
  location                  = var.location
  resource_group_name       = local.resource_group.name
  sku_name                  = var.redis.sku_name
  high_availability_enabled = var.redis.high_availability_enabled
  principal_ids             = { for name in ["api", "worker"] : name => module.identity.principal_ids[name] }
  lock                      = var.locks_enabled
  tags                      = local.tags

  private_endpoint = {
    subnet_id           = module.network.subnet_ids["endpoints"]
    private_dns_zone_id = module.network.private_dns_zone_ids["redis"]
  }
}
