# Azure Managed Redis, for those who do not want one in the cluster. There are no keys: api and worker come with Entra tokens.
# One shard behind one address (NoCluster, up to 25 GB), nothing evicted, each second on disk: a queue forgets nothing.

resource "azurerm_managed_redis" "this" {
  name                      = "redis-${var.name}"
  location                  = var.location
  resource_group_name       = var.resource_group_name
  sku_name                  = var.sku_name
  high_availability_enabled = var.high_availability_enabled
  public_network_access     = "Disabled"
  tags                      = var.tags

  default_database {
    access_keys_authentication_enabled            = false
    client_protocol                               = "Encrypted"
    clustering_policy                             = "NoCluster"
    eviction_policy                               = "NoEviction"
    persistence_append_only_file_backup_frequency = "1s"
  }
}

resource "azurerm_managed_redis_access_policy_assignment" "this" {
  for_each = var.principal_ids

  managed_redis_id = azurerm_managed_redis.this.id
  object_id        = each.value
}

resource "azurerm_private_endpoint" "this" {
  name                = "pep-redis-${var.name}"
  location            = var.location
  resource_group_name = var.resource_group_name
  subnet_id           = var.private_endpoint.subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = "redis"
    is_manual_connection           = false
    private_connection_resource_id = azurerm_managed_redis.this.id
    subresource_names              = ["redisEnterprise"]
  }

  private_dns_zone_group {
    name                 = "default"
    private_dns_zone_ids = [var.private_endpoint.private_dns_zone_id]
  }
}

resource "azurerm_management_lock" "this" {
  count = var.lock ? 1 : 0

  name       = "keep"
  scope      = azurerm_managed_redis.this.id
  lock_level = "CanNotDelete"
  notes      = "make destroy removes it"
}
