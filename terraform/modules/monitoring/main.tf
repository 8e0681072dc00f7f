# Logs (Log Analytics, with Container Insights), metrics (managed Prometheus), dashboards (Grafana) and alerts.

locals {
  is_private = var.private_link != null
}

module "log_analytics" {
  source  = "Azure/avm-res-operationalinsights-workspace/azurerm"
  version = "0.5.1"

  name                = "log-${var.name}"
  location            = var.location
  resource_group_name = var.resource_group.name

  log_analytics_workspace_sku                          = "PerGB2018"
  log_analytics_workspace_retention_in_days            = var.log_retention_days
  log_analytics_workspace_daily_quota_gb               = var.log_daily_quota_gb
  log_analytics_workspace_local_authentication_enabled = false

  # Closed to the Internet, agents reach it only through a private link scope.
  log_analytics_workspace_internet_ingestion_enabled = local.is_private ? "false" : "true"
  log_analytics_workspace_internet_query_enabled     = "true"

  lock             = var.lock ? { kind = "CanNotDelete", name = "keep" } : null
  enable_telemetry = false
  tags             = var.tags
}

# ---- Container Insights: what the containers write to stdout ----

locals {
  insights_streams = ["Microsoft-ContainerLogV2", "Microsoft-KubeEvents", "Microsoft-KubePodInventory", "Microsoft-KubeNodeInventory"]
}

resource "azurerm_monitor_data_collection_rule" "logs" {
  name                        = "dcr-logs-${var.name}"
  location                    = var.location
  resource_group_name         = var.resource_group.name
  data_collection_endpoint_id = one(azurerm_monitor_data_collection_endpoint.this[*].id)
  tags                        = var.tags

  destinations {
    log_analytics {
      name                  = "logs"
      workspace_resource_id = module.log_analytics.resource_id
    }
  }

  data_flow {
    streams      = local.insights_streams
    destinations = ["logs"]
  }

  data_sources {
    extension {
      name           = "ContainerInsightsExtension"
      extension_name = "ContainerInsights"
      streams        = local.insights_streams
      extension_json = jsonencode({
        dataCollectionSettings = {
          interval               = "1m"
          namespaceFilteringMode = "Off"
          enableContainerLogV2   = true
        }
      })
    }
  }
}

resource "azurerm_monitor_data_collection_rule_association" "logs" {
  name                    = "ContainerInsightsExtension"
  target_resource_id      = var.cluster.id
  data_collection_rule_id = azurerm_monitor_data_collection_rule.logs.id
}

# ---- managed Prometheus ----

resource "azurerm_monitor_workspace" "this" {
  count = var.prometheus_enabled ? 1 : 0

  name                          = "amw-${var.name}"
  location                      = var.location
  resource_group_name           = var.resource_group.name
  public_network_access_enabled = true
  tags                          = var.tags
}

resource "azurerm_monitor_data_collection_endpoint" "this" {
  count = var.prometheus_enabled || local.is_private ? 1 : 0

  name                          = "dce-${var.name}"
  location                      = var.location
  resource_group_name           = var.resource_group.name
  kind                          = "Linux"
  public_network_access_enabled = !local.is_private
  tags                          = var.tags
}

resource "azurerm_monitor_data_collection_rule" "metrics" {
  count = var.prometheus_enabled ? 1 : 0

  name                        = "dcr-metrics-${var.name}"
  location                    = var.location
  resource_group_name         = var.resource_group.name
  kind                        = "Linux"
  data_collection_endpoint_id = azurerm_monitor_data_collection_endpoint.this[0].id
  tags                        = var.tags

  destinations {
    monitor_account {
      name               = "metrics"
      monitor_account_id = azurerm_monitor_workspace.this[0].id
    }
  }

  data_flow {
    streams      = ["Microsoft-PrometheusMetrics"]
    destinations = ["metrics"]
  }

  data_sources {
    prometheus_forwarder {
      name    = "PrometheusDataSource"
      streams = ["Microsoft-PrometheusMetrics"]
    }
  }
}

resource "azurerm_monitor_data_collection_rule_association" "metrics" {
  count = var.prometheus_enabled ? 1 : 0

  name                    = "prometheus"
  target_resource_id      = var.cluster.id
  data_collection_rule_id = azurerm_monitor_data_collection_rule.metrics[0].id
}

# The name is Azure's: by it the agents find their endpoint.
resource "azurerm_monitor_data_collection_rule_association" "endpoint" {
  count = local.is_private ? 1 : 0

  name                        = "configurationAccessEndpoint"
  target_resource_id          = var.cluster.id
  data_collection_endpoint_id = azurerm_monitor_data_collection_endpoint.this[0].id
}

# ---- Grafana ----

resource "azurerm_dashboard_grafana" "this" {
  count = var.grafana_enabled ? 1 : 0

  name                    = "graf-${var.name}"
  location                = var.location
  resource_group_name     = var.resource_group.name
  sku                     = "Standard"
  grafana_major_version   = "12"
  api_key_enabled         = false
  zone_redundancy_enabled = var.zone_redundant
  tags                    = var.tags

  identity {
    type = "SystemAssigned"
  }

  dynamic "azure_monitor_workspace_integrations" {
    for_each = azurerm_monitor_workspace.this

    content {
      resource_id = azure_monitor_workspace_integrations.value.id
    }
  }
}

resource "azurerm_role_assignment" "grafana_reads_metrics" {
  count = var.grafana_enabled && var.prometheus_enabled ? 1 : 0

  scope                = azurerm_monitor_workspace.this[0].id
  role_definition_name = "Monitoring Data Reader"
  principal_id         = azurerm_dashboard_grafana.this[0].identity[0].principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_role_assignment" "grafana_admins" {
  for_each = var.grafana_enabled ? toset(var.grafana_admin_group_ids) : []

  scope                = azurerm_dashboard_grafana.this[0].id
  role_definition_name = "Grafana Admin"
  principal_id         = each.value
  principal_type       = "Group"
}
