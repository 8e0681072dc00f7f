# The cluster. Not the Azure Verified Module: its production pattern insists on zones, which a free subscription lacks.

locals {
  # One pool carries all in a small environment; with two, only what the cluster needs itself runs in the system pool.
  is_shared = var.user_pool == null
}

resource "azurerm_user_assigned_identity" "cluster" {
  name                = "id-aks-${var.name}"
  location            = var.location
  resource_group_name = var.resource_group.name
  tags                = var.tags
}

# The kubelets' identity is ours and not made by the cluster, so that it may pull before the first node asks.
resource "azurerm_user_assigned_identity" "kubelet" {
  name                = "id-kubelet-${var.name}"
  location            = var.location
  resource_group_name = var.resource_group.name
  tags                = var.tags
}

resource "azurerm_role_assignment" "cluster_gives_kubelet" {
  scope                = azurerm_user_assigned_identity.kubelet.id
  role_definition_name = "Managed Identity Operator"
  principal_id         = azurerm_user_assigned_identity.cluster.principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_role_assignment" "cluster_joins_subnet" {
  scope                = var.subnet_id
  role_definition_name = "Network Contributor"
  principal_id         = azurerm_user_assigned_identity.cluster.principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_kubernetes_cluster" "this" {
  name                = "aks-${var.name}"
  location            = var.location
  resource_group_name = var.resource_group.name
  node_resource_group = "rg-${var.name}-nodes"
  dns_prefix          = var.name
  tags                = var.tags

  kubernetes_version        = var.kubernetes_version
  sku_tier                  = var.sku_tier
  automatic_upgrade_channel = "patch"
  node_os_upgrade_channel   = "NodeImage"

  local_account_disabled       = true
  oidc_issuer_enabled          = true
  workload_identity_enabled    = true
  run_command_enabled          = false
  azure_policy_enabled         = var.sku_tier != "Free" # its pods take room that a single node has not
  image_cleaner_enabled        = true
  image_cleaner_interval_hours = 48
  cost_analysis_enabled        = var.sku_tier != "Free"

  default_node_pool {
    name                         = "system"
    vm_size                      = var.system_pool.vm_size
    vnet_subnet_id               = var.subnet_id
    zones                        = length(var.zones) > 0 ? var.zones : null
    auto_scaling_enabled         = true
    min_count                    = var.system_pool.min_count
    max_count                    = var.system_pool.max_count
    only_critical_addons_enabled = !local.is_shared
    os_sku                       = "AzureLinux3"
    temporary_name_for_rotation  = "systemtmp"
    tags                         = var.tags

    upgrade_settings {
      max_surge                     = "1"
      drain_timeout_in_minutes      = 30
      node_soak_duration_in_minutes = 0
    }
  }

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.cluster.id]
  }

  kubelet_identity {
    user_assigned_identity_id = azurerm_user_assigned_identity.kubelet.id
    client_id                 = azurerm_user_assigned_identity.kubelet.client_id
    object_id                 = azurerm_user_assigned_identity.kubelet.principal_id
  }

  node_provisioning_profile {
    mode = "Manual"
  }

  network_profile {
    network_plugin      = "azure"
    network_plugin_mode = "overlay"
    network_data_plane  = "cilium"
    network_policy      = "cilium"
    load_balancer_sku   = "standard"
    outbound_type       = var.outbound_type
    pod_cidr            = var.network.pod_cidr
    service_cidr        = var.network.service_cidr
    dns_service_ip      = var.network.dns_service_ip
  }

  azure_active_directory_role_based_access_control {
    azure_rbac_enabled     = true
    tenant_id              = var.tenant_id
    admin_group_object_ids = var.admin_group_ids
  }

  dynamic "api_server_access_profile" {
    for_each = length(var.authorized_ip_ranges) > 0 ? [var.authorized_ip_ranges] : []

    content {
      authorized_ip_ranges = api_server_access_profile.value
    }
  }

  key_vault_secrets_provider {
    secret_rotation_enabled  = true
    secret_rotation_interval = "2m"
  }

  workload_autoscaler_profile {
    keda_enabled = true
  }

  auto_scaler_profile {
    balance_similar_node_groups   = true
    expander                      = "least-waste"
    skip_nodes_with_local_storage = false
    # A worker's drain may take as long as its longest job.
    max_graceful_termination_sec = "600"
  }

  oms_agent {
    log_analytics_workspace_id      = var.log_analytics_id
    msi_auth_for_monitoring_enabled = true
  }

  dynamic "monitor_metrics" {
    for_each = var.prometheus_enabled ? [1] : []

    content {}
  }

  # Sunday night, when the fewest wait for a result.
  maintenance_window_auto_upgrade {
    frequency   = "Weekly"
    interval    = 1
    day_of_week = "Sunday"
    start_time  = "01:00"
    utc_offset  = "+00:00"
    duration    = 4
  }

  maintenance_window_node_os {
    frequency   = "Weekly"
    interval    = 1
    day_of_week = "Sunday"
    start_time  = "01:00"
    utc_offset  = "+00:00"
    duration    = 4
  }

  # The autoscaler owns the number of nodes.
  lifecycle {
    ignore_changes = [default_node_pool[0].node_count]
  }

  depends_on = [azurerm_role_assignment.cluster_joins_subnet, azurerm_role_assignment.cluster_gives_kubelet]
}

resource "azurerm_kubernetes_cluster_node_pool" "user" {
  count = local.is_shared ? 0 : 1

  name                        = "user"
  kubernetes_cluster_id       = azurerm_kubernetes_cluster.this.id
  mode                        = "User"
  vm_size                     = var.user_pool.vm_size
  vnet_subnet_id              = var.subnet_id
  zones                       = length(var.zones) > 0 ? var.zones : null
  auto_scaling_enabled        = true
  min_count                   = var.user_pool.min_count
  max_count                   = var.user_pool.max_count
  os_sku                      = "AzureLinux3"
  temporary_name_for_rotation = "usertmp"
  tags                        = var.tags

  upgrade_settings {
    max_surge                     = "33%"
    drain_timeout_in_minutes      = 30
    node_soak_duration_in_minutes = 0
  }

  lifecycle {
    ignore_changes = [node_count]
  }
}

# The managed Gateway API (class approuting-istio): azurerm has no argument for it.
resource "azapi_update_resource" "gateway_api" {
  type        = "Microsoft.ContainerService/managedClusters@2026-05-01"
  resource_id = azurerm_kubernetes_cluster.this.id

  body = {
    properties = {
      ingressProfile = {
        gatewayAPI = { installation = "Standard" }
        webAppRouting = {
          gatewayAPIImplementations = { appRoutingIstio = { mode = "Enabled" } }
        }
      }
    }
  }
}

# Whoever administers gets in by Entra: there are no local accounts.
resource "azurerm_role_assignment" "admin_user" {
  count = var.admin_user_id == null ? 0 : 1

  scope                = azurerm_kubernetes_cluster.this.id
  role_definition_name = "Azure Kubernetes Service RBAC Cluster Admin"
  principal_id         = var.admin_user_id
}

resource "azurerm_role_assignment" "admin_groups" {
  for_each = toset(var.admin_group_ids)

  scope                = azurerm_kubernetes_cluster.this.id
  role_definition_name = "Azure Kubernetes Service RBAC Cluster Admin"
  principal_id         = each.value
  principal_type       = "Group"
}

resource "azurerm_monitor_diagnostic_setting" "cluster" {
  name                           = "control-plane"
  target_resource_id             = azurerm_kubernetes_cluster.this.id
  log_analytics_workspace_id     = var.log_analytics_id
  log_analytics_destination_type = "Dedicated"

  # kube-audit-admin leaves out reads, which are most of the audit and most of its cost.
  dynamic "enabled_log" {
    for_each = toset(["kube-apiserver", "kube-audit-admin", "kube-controller-manager", "kube-scheduler", "cluster-autoscaler", "guard"])

    content {
      category = enabled_log.value
    }
  }
}

resource "azurerm_management_lock" "cluster" {
  count = var.lock ? 1 : 0

  name       = "keep"
  scope      = azurerm_kubernetes_cluster.this.id
  lock_level = "CanNotDelete"
  notes      = "make destroy removes it"
}
