# The small environment: terraform test -filter=tests/dev.tftest.hcl -var-file=environments/dev.tfvars

mock_provider "azurerm" {
  source = "./tests/mocks/azurerm"
}

mock_provider "azapi" {}

variables {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}

run "small" {
  command = apply

  # The modules of others answer as they would; how they make it is not ours to test.
  override_module {
    target = module.network.module.virtual_network
    outputs = {
      resource_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-jobgate-test/providers/Microsoft.Network/virtualNetworks/vnet-test"
      subnets = {
        nodes     = { resource_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-jobgate-test/providers/Microsoft.Network/virtualNetworks/vnet-test/subnets/snet-nodes" }
        endpoints = { resource_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-jobgate-test/providers/Microsoft.Network/virtualNetworks/vnet-test/subnets/snet-endpoints" }
        gateway   = { resource_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-jobgate-test/providers/Microsoft.Network/virtualNetworks/vnet-test/subnets/snet-gateway" }
      }
    }
  }

  override_module {
    target = module.storage.module.account
    outputs = {
      resource_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-jobgate-test/providers/Microsoft.Storage/storageAccounts/sttest"
      name        = "sttest"
    }
  }

  assert {
    condition     = length(module.redis) == 0 && output.redis_url == null
    error_message = "Redis runs in the cluster."
  }

  assert {
    condition     = output.gateway == null && output.outbound_address == null
    error_message = "Neither Application Gateway nor NAT gateway."
  }

  assert {
    condition     = output.grafana_endpoint == null
    error_message = "No managed Grafana."
  }

  assert {
    condition     = output.blob_url == "https://sttest.blob.core.windows.net/jobgate"
    error_message = "BLOB_URL names the container."
  }

  assert {
    condition     = length(local.private_dns_zones) == 2
    error_message = "Private endpoints are those of blobs and of the vault alone."
  }

  assert {
    condition     = azurerm_consumption_budget_subscription.this.amount == 150 && length(azurerm_consumption_budget_subscription.this.notification) == 3
    error_message = "A budget of 150, with three notifications."
  }

  assert {
    condition     = length(azurerm_role_assignment.pipeline) == 0
    error_message = "Without subjects the pipeline has no identity, and no role."
  }

  assert {
    condition     = azurerm_resource_group.this.tags["managed-by"] == "terraform" && azurerm_resource_group.this.tags["environment"] == "dev"
    error_message = "Everything is tagged."
  }
}

# Terraform and the scripts compute the names apart; tests/deploy expects these too.
run "names" {
  command = plan

  assert {
    condition     = local.suffix == "80e4b9" && local.unique == "jobgatedev80e4b9"
    error_message = "The names that must be unique follow from the subscription, the project and the environment."
  }
}
