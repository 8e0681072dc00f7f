mock_provider "azurerm" {
  mock_resource "azurerm_kubernetes_cluster" {
    defaults = {
      id              = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-test/providers/Microsoft.ContainerService/managedClusters/aks-jobgate-test"
      oidc_issuer_url = "https://issuer.example/"
    }
  }

  mock_resource "azurerm_user_assigned_identity" {
    defaults = {
      id           = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-test/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-test"
      principal_id = "77777777-7777-7777-7777-777777777777"
    }
  }
}

mock_provider "azapi" {}

variables {
  name               = "jobgate-test"
  location           = "westeurope"
  resource_group     = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-test", name = "rg-test" }
  tenant_id          = "11111111-1111-1111-1111-111111111111"
  kubernetes_version = "1.36"
  sku_tier           = "Free"
  subnet_id          = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-test/providers/Microsoft.Network/virtualNetworks/vnet/subnets/nodes"
  zones              = []
  system_pool        = { vm_size = "Standard_B2ms", min_count = 1, max_count = 2 }
  user_pool          = null
  network            = { pod_cidr = "10.244.0.0/16", service_cidr = "10.245.0.0/16", dns_service_ip = "10.245.0.10" }
  log_analytics_id   = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-test/providers/Microsoft.OperationalInsights/workspaces/log"

  outbound_type        = "loadBalancer"
  authorized_ip_ranges = []
  admin_group_ids      = []
  admin_user_id        = null
  prometheus_enabled   = false
  backup               = null
  backup_storage       = null
  namespace            = "jobgate"
  lock                 = false
  tags                 = {}
}

run "one_node" {
  command = apply

  assert {
    condition     = azurerm_kubernetes_cluster.this.local_account_disabled && azurerm_kubernetes_cluster.this.azure_active_directory_role_based_access_control[0].azure_rbac_enabled
    error_message = "Nobody gets in but by Entra."
  }

  assert {
    condition     = azurerm_kubernetes_cluster.this.oidc_issuer_enabled && azurerm_kubernetes_cluster.this.workload_identity_enabled
    error_message = "Pods have identities."
  }

  assert {
    condition     = azurerm_kubernetes_cluster.this.network_profile[0].network_plugin_mode == "overlay" && azurerm_kubernetes_cluster.this.network_profile[0].network_policy == "cilium"
    error_message = "Overlay with Cilium."
  }

  assert {
    condition     = azurerm_kubernetes_cluster.this.key_vault_secrets_provider[0].secret_rotation_enabled
    error_message = "Mounted secrets follow their rotation."
  }

  assert {
    condition     = azurerm_kubernetes_cluster.this.workload_autoscaler_profile[0].keda_enabled
    error_message = "KEDA is there."
  }

  assert {
    condition     = !azurerm_kubernetes_cluster.this.default_node_pool[0].only_critical_addons_enabled && length(azurerm_kubernetes_cluster_node_pool.user) == 0
    error_message = "The only pool must take jobgate too."
  }

  assert {
    condition     = azapi_update_resource.gateway_api.body.properties.ingressProfile.gatewayAPI.installation == "Standard"
    error_message = "The Gateway API is there."
  }

  assert {
    condition     = length(azurerm_management_lock.cluster) == 0 && length(azurerm_data_protection_backup_vault.this) == 0
    error_message = "Neither lock nor backup unless asked for."
  }
}

run "zones_and_pools" {
  command = apply

  variables {
    sku_tier             = "Standard"
    zones                = ["1", "2", "3"]
    user_pool            = { vm_size = "Standard_D4as_v5", min_count = 3, max_count = 12 }
    authorized_ip_ranges = ["203.0.113.7/32"]
    admin_group_ids      = ["88888888-8888-8888-8888-888888888888"]
    lock                 = true
  }

  assert {
    condition     = azurerm_kubernetes_cluster.this.default_node_pool[0].only_critical_addons_enabled && azurerm_kubernetes_cluster_node_pool.user[0].zones == toset(["1", "2", "3"])
    error_message = "jobgate has nodes of its own, in all zones."
  }

  assert {
    condition     = azurerm_kubernetes_cluster.this.api_server_access_profile[0].authorized_ip_ranges == toset(["203.0.113.7/32"])
    error_message = "The API server is reached from the named ranges."
  }

  assert {
    condition     = azurerm_management_lock.cluster[0].lock_level == "CanNotDelete"
    error_message = "The cluster is locked."
  }
}

run "dns_outside_of_services" {
  command = plan

  variables {
    network = { pod_cidr = "10.244.0.0/16", service_cidr = "10.245.0.0/16", dns_service_ip = "10.246.0.10" }
  }

  expect_failures = [var.network]
}
