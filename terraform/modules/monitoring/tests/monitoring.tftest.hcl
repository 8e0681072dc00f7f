mock_provider "azurerm" {
  source = "../../tests/mocks/azurerm"
}

mock_provider "azapi" {}

variables {
  name                    = "jobgate-test"
  location                = "westeurope"
  resource_group          = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-test", name = "rg-test" }
  log_retention_days      = 30
  log_daily_quota_gb      = 1
  prometheus_enabled      = true
  grafana_enabled         = true
  grafana_admin_group_ids = []
  zone_redundant          = false
  alert_emails            = ["oncall@example.com"]
  cluster                 = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-test/providers/Microsoft.ContainerService/managedClusters/aks-test", name = "aks-test" }
  private_link            = null
  lock                    = false
  tags                    = {}
}

run "alerts" {
  command = apply

  assert {
    condition = alltrue([
      for alert in ["JobgateRestartLoop", "JobgateNodeCpu", "JobgateNodeMemory", "JobgateReplicasUnavailable", "JobgateServerErrors", "JobgateOldestJob", "JobgateDeadJobs", "JobgateWorkersGone"] :
      contains([for rule in azurerm_monitor_alert_prometheus_rule_group.this["jobgate"].rule : rule.alert], alert)
    ])
    error_message = "Each alert of the file reaches Azure."
  }

  assert {
    condition     = azurerm_monitor_alert_prometheus_rule_group.this["jobgate"].interval == "PT1M" && alltrue([for rule in azurerm_monitor_alert_prometheus_rule_group.this["jobgate"].rule : can(regex("^PT[0-9]+[SMH]$", rule.for))])
    error_message = "Durations are in ISO 8601."
  }

  assert {
    condition     = length(azurerm_monitor_alert_prometheus_rule_group.this["jobgate"].rule) <= 20
    error_message = "Azure takes 20 rules in a group at the most."
  }

  assert {
    condition     = alltrue([for rule in azurerm_monitor_alert_prometheus_rule_group.this["jobgate"].rule : rule.action[0].action_group_id == azurerm_monitor_action_group.this.id])
    error_message = "Somebody is told."
  }
}

run "logs_alone" {
  command = apply

  variables {
    prometheus_enabled = false
    grafana_enabled    = false
  }

  assert {
    condition     = length(azurerm_monitor_alert_prometheus_rule_group.this) == 0 && length(azurerm_dashboard_grafana.this) == 0 && output.prometheus_query_endpoint == null
    error_message = "Without Prometheus there are neither rules nor Grafana."
  }
}

run "private" {
  command = apply

  variables {
    private_link = {
      subnet_id            = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-test/providers/Microsoft.Network/virtualNetworks/vnet/subnets/endpoints"
      private_dns_zone_ids = ["/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-test/providers/Microsoft.Network/privateDnsZones/privatelink.monitor.azure.com"]
    }
  }

  assert {
    condition     = azurerm_monitor_private_link_scope.this[0].ingestion_access_mode == "PrivateOnly" && !azurerm_monitor_data_collection_endpoint.this[0].public_network_access_enabled
    error_message = "Nothing is taken in over the Internet."
  }

  assert {
    condition     = azurerm_monitor_data_collection_rule_association.endpoint[0].name == "configurationAccessEndpoint"
    error_message = "The agents find their endpoint by this name."
  }
}

run "no_address" {
  command = plan

  variables {
    alert_emails = ["nobody"]
  }

  expect_failures = [var.alert_emails]
}
