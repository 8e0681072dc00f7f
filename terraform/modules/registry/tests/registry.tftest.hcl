mock_provider "azurerm" {
  mock_resource "azurerm_container_registry" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-test/providers/Microsoft.ContainerRegistry/registries/jobgatetest" }
  }
}

variables {
  name                          = "jobgatetest"
  location                      = "westeurope"
  resource_group_name           = "rg-test"
  sku                           = "Basic"
  zone_redundant                = true
  private_endpoint              = null
  public_network_access_enabled = true
  pull_principal_ids            = { kubelet = "55555555-5555-5555-5555-555555555555" }
  push_principal_ids            = {}
  log_analytics_id              = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-test/providers/Microsoft.OperationalInsights/workspaces/log"
  lock                          = false
  tags                          = {}
}

run "no_password" {
  command = apply

  assert {
    condition     = !azurerm_container_registry.this.admin_enabled && !azurerm_container_registry.this.anonymous_pull_enabled
    error_message = "There is no password, and nobody pulls unnamed."
  }

  assert {
    condition     = azurerm_role_assignment.pull["kubelet"].role_definition_name == "AcrPull" && length(azurerm_role_assignment.push) == 0
    error_message = "The kubelets pull, nobody pushes."
  }

  assert {
    condition     = !azurerm_container_registry.this.zone_redundancy_enabled
    error_message = "A Basic registry has no zones."
  }
}

run "endpoint_without_premium" {
  command = plan

  variables {
    private_endpoint = { subnet_id = "/subscriptions/x", private_dns_zone_id = "/subscriptions/y" }
  }

  expect_failures = [var.private_endpoint]
}
