# Logs and metrics through a private endpoint, for those who let nothing leave the network.

resource "azurerm_monitor_private_link_scope" "this" {
  count = local.is_private ? 1 : 0

  name                  = "ampls-${var.name}"
  resource_group_name   = var.resource_group.name
  ingestion_access_mode = "PrivateOnly"
  query_access_mode     = "Open"
  tags                  = var.tags
}

resource "azurerm_monitor_private_link_scoped_service" "logs" {
  count = local.is_private ? 1 : 0

  name                = "logs"
  resource_group_name = var.resource_group.name
  scope_name          = azurerm_monitor_private_link_scope.this[0].name
  linked_resource_id  = module.log_analytics.resource_id
}

resource "azurerm_monitor_private_link_scoped_service" "endpoint" {
  count = local.is_private ? 1 : 0

  name                = "endpoint"
  resource_group_name = var.resource_group.name
  scope_name          = azurerm_monitor_private_link_scope.this[0].name
  linked_resource_id  = azurerm_monitor_data_collection_endpoint.this[0].id
}

resource "azurerm_private_endpoint" "this" {
  count = local.is_private ? 1 : 0

  name                = "pep-monitor-${var.name}"
  location            = var.location
  resource_group_name = var.resource_group.name
  subnet_id           = var.private_link.subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = "monitor"
    is_manual_connection           = false
    private_connection_resource_id = azurerm_monitor_private_link_scope.this[0].id
    subresource_names              = ["azuremonitor"]
  }

  private_dns_zone_group {
    name                 = "default"
    private_dns_zone_ids = var.private_link.private_dns_zone_ids
  }

  # The endpoint takes its names from what the scope holds when it is made.
  depends_on = [azurerm_monitor_private_link_scoped_service.logs, azurerm_monitor_private_link_scoped_service.endpoint]
}
