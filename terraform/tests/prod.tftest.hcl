# The large environment: terraform test -filter=tests/prod.tftest.hcl -var-file=environments/prod.tfvars

mock_provider "azurerm" {
  source = "./tests/mocks/azurerm"
}

mock_provider "azapi" {}

variables {
  subscription_id    = "00000000-0000-0000-0000-000000000000"
  alert_emails       = ["oncall@example.com"]
  state_container_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-state/providers/Microsoft.Storage/storageAccounts/state/blobServices/default/containers/prod"

  pipeline_subjects = {
    deploy         = "repo:someone-1/jobgate-2:environment:prod"
    plan           = "repo:someone-1/jobgate-2:pull_request"
    infrastructure = "repo:someone-1/jobgate-2:environment:prod-infrastructure"
  }
}

run "kept" {
  command = plan

  assert {
    condition     = var.locks_enabled && var.vault_purge_protection_enabled && !var.vault_public_access_enabled && var.blob_versioning_enabled
    error_message = "What holds data is locked, protected and kept."
  }

  assert {
    condition     = local.zone_redundant && length(var.zones) == 3 && var.user_pool.min_count >= 3
    error_message = "Three zones, and a node of jobgate for each."
  }
}

run "pipeline" {
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
    condition     = toset([for role in azurerm_role_assignment.pipeline : role.role_definition_name if role.scope == "/subscriptions/00000000-0000-0000-0000-000000000000"]) == toset(["Cost Management Reader", "Cost Management Contributor"])
    error_message = "On the subscription the pipeline has roles for the budget alone."
  }

  assert {
    condition     = length([for role in azurerm_role_assignment.pipeline : role if contains(["Owner", "User Access Administrator"], role.role_definition_name)]) == 0
    error_message = "Nobody in the pipeline is an owner."
  }

  assert {
    condition     = toset(keys(local.deploy_roles)) == toset(["deploy_finds_cluster", "deploy_changes_namespace", "deploy_changes_gateway", "deploy_reads_state"])
    error_message = "The deploy identity finds the cluster, changes its namespace and reads the state."
  }

  assert {
    condition     = length(regexall("ForAnyOfAnyValues:GuidEquals", azurerm_role_assignment.infrastructure_gives_roles[0].condition)) == 2
    error_message = "Who applies may give and take only the roles that are listed."
  }

  assert {
    condition     = endswith(azurerm_role_assignment.pipeline["deploy_changes_namespace"].scope, "/managedClusters/aks-jobgate-test/namespaces/jobgate")
    error_message = "The deploy identity may change its namespace alone."
  }

  assert {
    condition     = toset(keys(output.client_ids)) == toset(["api", "worker", "redis", "gateway", "keda", "deploy", "plan", "infrastructure"])
    error_message = "An identity each for api, worker, Redis, gateway, KEDA, and three for the pipeline."
  }
}
