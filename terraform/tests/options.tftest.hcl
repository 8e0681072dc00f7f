# All options at once, and each mistake that the variables must refuse.
# terraform test -filter=tests/options.tftest.hcl -var-file=environments/prod.tfvars

mock_provider "azurerm" {
  source = "./tests/mocks/azurerm"
}

mock_provider "azapi" {}

variables {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}

run "everything" {
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

  variables {
    redis                          = { sku_name = "Balanced_B1", high_availability_enabled = true }
    nat_gateway_enabled            = true
    application_gateway_enabled    = true
    monitor_private_link_enabled   = true
    registry_public_access_enabled = false
    result_links_enabled           = true
    authorized_ip_ranges           = ["203.0.113.7/32"]
    admin_group_ids                = ["88888888-8888-8888-8888-888888888888"]
    admin_user_id                  = "99999999-9999-9999-9999-999999999999"
    pipeline_administers_cluster   = true
    pipeline_subjects              = { deploy = "repo:someone/jobgate:environment:prod" }
  }

  assert {
    condition     = output.redis_url == "rediss://redis-test.westeurope.redis.azure.net:10000"
    error_message = "Azure Managed Redis is reached with TLS on port 10000."
  }

  assert {
    condition     = length(local.private_dns_zones) == 8
    error_message = "Blobs, vault, registry, Redis and four zones of Azure Monitor."
  }

  assert {
    condition     = contains(keys(output.client_ids), "alb") && length(azurerm_role_assignment.gateway_controller) == 2
    error_message = "The gateway's controller has an identity."
  }

  assert {
    condition     = endswith(azurerm_role_assignment.pipeline["deploy_changes_cluster"].scope, "/managedClusters/aks-jobgate-test")
    error_message = "Asked for, the pipeline may change all of the cluster."
  }
}

run "taken_by_others_modules" {
  command = plan

  variables {
    redis                        = { sku_name = "Balanced_B1", high_availability_enabled = true }
    application_gateway_enabled  = true
    monitor_private_link_enabled = true
    result_links_enabled         = true
  }

  assert {
    condition     = length(module.redis) == 1
    error_message = "The modules of others take what they are given."
  }
}

run "premium_only" {
  command = plan

  variables {
    registry_sku = "Basic"
  }

  expect_failures = [var.registry_private_endpoint_enabled]
}

run "nothing_could_pull" {
  command = plan

  variables {
    registry_private_endpoint_enabled = false
    registry_public_access_enabled    = false
  }

  expect_failures = [var.registry_public_access_enabled]
}

run "wrong_forms" {
  command = plan

  variables {
    subscription_id      = "my subscription"
    project              = "a-name-too-long"
    location             = "West Europe"
    zones                = ["1", "1"]
    tags                 = { environment = "other" }
    budget_amount        = 0
    alert_emails         = ["nobody"]
    authorized_ip_ranges = ["203.0.113.7"]
    admin_group_ids      = ["administrators"]
    kubernetes_version   = "1.36.2"
    host_name            = "Jobs"
    container            = "with--dashes"
    retention_days       = 1.5
    log_daily_quota_gb   = 0
    log_retention_days   = 7
    pipeline_subjects    = { deploy = "someone/jobgate" }
    redis                = { sku_name = "FlashOptimized_A250", high_availability_enabled = true }
    user_pool            = { vm_size = "Standard_D4as_v5", min_count = 3, max_count = 2 }
  }

  expect_failures = [
    var.subscription_id,
    var.project,
    var.location,
    var.zones,
    var.tags,
    var.budget_amount,
    var.alert_emails,
    var.authorized_ip_ranges,
    var.admin_group_ids,
    var.kubernetes_version,
    var.host_name,
    var.container,
    var.retention_days,
    var.log_daily_quota_gb,
    var.log_retention_days,
    var.pipeline_subjects,
    var.redis,
    var.user_pool,
  ]
}
