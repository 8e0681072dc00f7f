# What the pipeline, KEDA and the gateway's controller may do. Each identity exists only where a subject is given for it.
#
#   deploy          pushes images, and changes what lies in jobgate's namespaces
#   plan            reads, for the plan that a pull request shows
#   infrastructure  applies Terraform: changes resources of this group, and gives the roles that this configuration gives

locals {
  pipeline_subjects = { for name, subject in var.pipeline_subjects : name => subject if subject != null }

  has_deploy         = contains(keys(local.pipeline_subjects), "deploy")
  has_plan           = contains(keys(local.pipeline_subjects), "plan")
  has_infrastructure = contains(keys(local.pipeline_subjects), "infrastructure")
  has_state          = var.state_container_id != null

  cluster_id   = module.aks.cluster.id
  subscription = "/subscriptions/${var.subscription_id}"

  # jobgate and its gateway have a namespace each.
  deploy_scopes = var.pipeline_administers_cluster ? { cluster = local.cluster_id } : {
    namespace = "${local.cluster_id}/namespaces/${var.namespace}"
    gateway   = "${local.cluster_id}/namespaces/${var.namespace}-gateway"
  }

  deploy_roles = local.has_deploy ? merge(
    {
      deploy_finds_cluster = { who = "deploy", role = "Azure Kubernetes Service Cluster User Role", scope = local.cluster_id }
    },
    {
      for name, scope in local.deploy_scopes : "deploy_changes_${name}" => { who = "deploy", role = "Azure Kubernetes Service RBAC Cluster Admin", scope = scope }
    },
    local.has_state ? { deploy_reads_state = { who = "deploy", role = "Storage Blob Data Reader", scope = var.state_container_id } } : {},
  ) : {}

  # Terraform reads the cluster's credentials whenever it reads the cluster; they are worth nothing without a role in it.
  plan_roles = local.has_plan ? merge(
    {
      plan_reads_group   = { who = "plan", role = "Reader", scope = azurerm_resource_group.this.id }
      plan_reads_cluster = { who = "plan", role = "Azure Kubernetes Service Cluster User Role", scope = local.cluster_id }
      plan_reads_budget  = { who = "plan", role = "Cost Management Reader", scope = local.subscription }
    },
    local.has_state ? { plan_reads_state = { who = "plan", role = "Storage Blob Data Reader", scope = var.state_container_id } } : {},
  ) : {}

  infrastructure_roles = local.has_infrastructure ? merge(
    {
      infrastructure_changes_group  = { who = "infrastructure", role = "Contributor", scope = azurerm_resource_group.this.id }
      infrastructure_changes_budget = { who = "infrastructure", role = "Cost Management Contributor", scope = local.subscription }
    },
    local.has_state ? { infrastructure_writes_state = { who = "infrastructure", role = "Storage Blob Data Contributor", scope = var.state_container_id } } : {},
  ) : {}

  # The roles that this configuration gives, and no others, may the pipeline give: it can't make itself an owner.
  given_roles = [
    "AcrPull",
    "AcrPush",
    "Azure Kubernetes Service Cluster User Role",
    "Key Vault Certificate User",
    "Key Vault Secrets User",
    "Managed Identity Operator",
    "Monitoring Data Reader",
    "Network Contributor",
    "Reader",
    "Storage Blob Data Contributor",
    "Storage Blob Delegator",
  ]
}

resource "azurerm_role_assignment" "pipeline" {
  for_each = merge(local.deploy_roles, local.plan_roles, local.infrastructure_roles)

  scope                            = each.value.scope
  role_definition_name             = each.value.role
  principal_id                     = module.identity.principal_ids[each.value.who]
  principal_type                   = "ServicePrincipal"
  skip_service_principal_aad_check = true
}

data "azurerm_role_definition" "given" {
  for_each = local.has_infrastructure ? toset(local.given_roles) : []

  name  = each.value
  scope = local.subscription
}

locals {
  given_role_ids = join(", ", [for role in data.azurerm_role_definition.given : role.role_definition_id])
}

resource "azurerm_role_assignment" "infrastructure_gives_roles" {
  count = local.has_infrastructure ? 1 : 0

  scope                            = azurerm_resource_group.this.id
  role_definition_name             = "Role Based Access Control Administrator"
  principal_id                     = module.identity.principal_ids["infrastructure"]
  principal_type                   = "ServicePrincipal"
  skip_service_principal_aad_check = true

  condition_version = "2.0"
  condition = join(" AND ", [
    "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {${local.given_role_ids}}))",
    "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/delete'})) OR (@Resource[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {${local.given_role_ids}}))",
  ])
}

# jobgate's own scaler asks the api and needs no identity; this is for scalers on Prometheus queries of one's own.
resource "azurerm_role_assignment" "keda_reads_metrics" {
  count = var.prometheus_enabled ? 1 : 0

  scope                            = module.monitoring.prometheus_id
  role_definition_name             = "Monitoring Data Reader"
  principal_id                     = module.identity.principal_ids["keda"]
  principal_type                   = "ServicePrincipal"
  skip_service_principal_aad_check = true
}

resource "azurerm_role_assignment" "gateway_controller" {
  for_each = var.application_gateway_enabled ? {
    configures   = { role = "AppGw for Containers Configuration Manager", scope = azurerm_resource_group.this.id }
    joins_subnet = { role = "Network Contributor", scope = module.network.subnet_ids["gateway"] }
  } : {}

  scope                            = each.value.scope
  role_definition_name             = each.value.role
  principal_id                     = module.identity.principal_ids["alb"]
  principal_type                   = "ServicePrincipal"
  skip_service_principal_aad_check = true
}
