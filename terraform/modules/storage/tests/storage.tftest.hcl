mock_provider "azurerm" {}
mock_provider "azapi" {}

variables {
  name                          = "stjobgatetest000000"
  location                      = "westeurope"
  resource_group_id             = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-test"
  sku                           = "Standard_LRS"
  container                     = "jobgate"
  backup_container              = null
  retention_days                = 30
  cool_after_days               = 0
  soft_delete_days              = 7
  versioning_enabled            = false
  public_network_access_enabled = false
  worker_principal_id           = "77777777-7777-7777-7777-777777777777"
  api_principal_id              = "66666666-6666-6666-6666-666666666666"
  api_writes                    = ["payloads/*"]
  api_signs_links               = false
  log_analytics_id              = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-test/providers/Microsoft.OperationalInsights/workspaces/log"
  lock                          = false
  tags                          = {}

  private_endpoint = {
    subnet_id           = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-test/providers/Microsoft.Network/virtualNetworks/vnet/subnets/endpoints"
    private_dns_zone_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-test/providers/Microsoft.Network/privateDnsZones/privatelink.blob.core.windows.net"
  }
}

run "least_privilege" {
  command = plan

  assert {
    condition     = local.containers.results.role_assignments.worker.condition == null && local.containers.results.role_assignments.worker.role_definition_id_or_name == "Storage Blob Data Contributor"
    error_message = "The worker reads and writes the container."
  }

  assert {
    condition     = local.containers.results.role_assignments.api.condition == "((!(ActionMatches{'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write'}) AND !(ActionMatches{'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action'}) AND !(ActionMatches{'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete'}) AND !(ActionMatches{'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/move/action'})) OR (@Resource[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:path] StringLike 'payloads/*'))"
    error_message = "The api writes and deletes payloads alone."
  }

  assert {
    condition     = local.containers.results.role_assignments.api.condition_version == "2.0"
    error_message = "Without a version the condition is not looked at."
  }

  assert {
    condition     = !contains(local.folders, "payloads")
    error_message = "A payload is needed as long as its job, which a rule does not know."
  }

  assert {
    condition     = length(local.containers) == 1
    error_message = "One container, unless there are backups."
  }
}

run "address" {
  command = apply

  override_module {
    target  = module.account
    outputs = { resource_id = "/subscriptions/x", name = "stjobgatetest000000" }
  }

  assert {
    condition     = output.blob_url == "https://stjobgatetest000000.blob.core.windows.net/jobgate"
    error_message = "BLOB_URL names the container."
  }
}

run "cool_after_deletion" {
  command = plan

  variables {
    cool_after_days = 60
  }

  expect_failures = [var.cool_after_days]
}
