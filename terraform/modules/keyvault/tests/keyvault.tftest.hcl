mock_provider "azurerm" {
  mock_resource "azurerm_key_vault" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-test/providers/Microsoft.KeyVault/vaults/kv-test" }
  }
}

mock_provider "azapi" {}

variables {
  name                             = "kv-jobgate-test-000000"
  location                         = "westeurope"
  resource_group_name              = "rg-test"
  tenant_id                        = "11111111-1111-1111-1111-111111111111"
  purge_protection_enabled         = true
  soft_delete_days                 = 90
  public_network_access_enabled    = false
  reader_principal_ids             = { api = "77777777-7777-7777-7777-777777777777" }
  certificate_reader_principal_ids = {}
  administrators                   = { user = { id = "99999999-9999-9999-9999-999999999999", type = "User" } }
  log_analytics_id                 = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-test/providers/Microsoft.OperationalInsights/workspaces/log"
  lock                             = true
  tags                             = {}

  private_endpoint = {
    subnet_id           = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-test/providers/Microsoft.Network/virtualNetworks/vnet/subnets/endpoints"
    private_dns_zone_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-test/providers/Microsoft.Network/privateDnsZones/privatelink.vaultcore.azure.net"
  }
}

run "made" {
  command = apply

  assert {
    condition     = output.name == "kv-jobgate-test-000000"
    error_message = "The CSI driver finds the vault by its name."
  }
}

run "name_too_long" {
  command = plan

  variables {
    name = "kv-jobgate-production-000000"
  }

  expect_failures = [var.name]
}

run "kept_too_short" {
  command = plan

  variables {
    soft_delete_days = 1
  }

  expect_failures = [var.soft_delete_days]
}
