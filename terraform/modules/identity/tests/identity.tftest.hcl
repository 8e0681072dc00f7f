mock_provider "azurerm" {
  mock_resource "azurerm_user_assigned_identity" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-test/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-test" }
  }
}

variables {
  name                = "jobgate-test"
  location            = "westeurope"
  resource_group_name = "rg-test"
  workload_subjects   = { api = "system:serviceaccount:jobgate:jobgate-api" }
  workload_issuer     = "https://issuer.example/tenant/cluster/"
  pipeline_subjects   = { deploy = "repo:someone-1/jobgate-2:environment:dev" }
  pipeline_issuer     = "https://token.actions.githubusercontent.com"
  tags                = {}
}

run "who_signs_for_whom" {
  command = apply

  assert {
    condition     = azurerm_federated_identity_credential.this["api"].issuer == "https://issuer.example/tenant/cluster/"
    error_message = "The cluster signs for pods; its trailing slash stays."
  }

  assert {
    condition     = azurerm_federated_identity_credential.this["deploy"].issuer == "https://token.actions.githubusercontent.com" && azurerm_federated_identity_credential.this["deploy"].subject == "repo:someone-1/jobgate-2:environment:dev"
    error_message = "GitHub signs for the pipeline, in the form of the subject that was given."
  }

  assert {
    condition     = alltrue([for credential in azurerm_federated_identity_credential.this : credential.audience == tolist(["api://AzureADTokenExchange"])])
    error_message = "The audience is Entra's."
  }
}

run "no_subject" {
  command = plan

  variables {
    pipeline_subjects = { deploy = "someone/jobgate" }
  }

  expect_failures = [var.pipeline_subjects]
}

run "no_service_account" {
  command = plan

  variables {
    workload_subjects = { api = "jobgate-api" }
  }

  expect_failures = [var.workload_subjects]
}
