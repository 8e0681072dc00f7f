# One identity for each program and each task of the pipeline, and no secret for any: each is taken with a token that the
# cluster or GitHub signs. What an identity may do stands with what it may do it to.

locals {
  subjects = merge(var.workload_subjects, var.pipeline_subjects)
}

resource "azurerm_user_assigned_identity" "this" {
  for_each = local.subjects

  name                = "id-${each.key}-${var.name}"
  location            = var.location
  resource_group_name = var.resource_group_name
  tags                = var.tags
}

resource "azurerm_federated_identity_credential" "this" {
  for_each = local.subjects

  name                      = each.key
  user_assigned_identity_id = azurerm_user_assigned_identity.this[each.key].id
  audience                  = ["api://AzureADTokenExchange"]
  issuer                    = contains(keys(var.pipeline_subjects), each.key) ? var.pipeline_issuer : var.workload_issuer
  subject                   = each.value
}
