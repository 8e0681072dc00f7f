# What Azure would answer, where the form of an answer matters.

mock_data "azurerm_client_config" {
  defaults = {
    tenant_id       = "11111111-1111-1111-1111-111111111111"
    subscription_id = "00000000-0000-0000-0000-000000000000"
    object_id       = "22222222-2222-2222-2222-222222222222"
  }
}

mock_data "azurerm_role_definition" {
  defaults = { role_definition_id = "33333333-3333-3333-3333-333333333333" }
}

mock_resource "azurerm_resource_group" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-jobgate-test" }
}

mock_resource "azurerm_kubernetes_cluster" {
  defaults = {
    id              = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-jobgate-test/providers/Microsoft.ContainerService/managedClusters/aks-jobgate-test"
    oidc_issuer_url = "https://westeurope.oic.prod-aks.azure.com/11111111-1111-1111-1111-111111111111/44444444-4444-4444-4444-444444444444/"
  }
}

mock_resource "azurerm_user_assigned_identity" {
  defaults = {
    id           = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-jobgate-test/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-test"
    client_id    = "66666666-6666-6666-6666-666666666666"
    principal_id = "77777777-7777-7777-7777-777777777777"
  }
}

mock_resource "azurerm_key_vault" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-jobgate-test/providers/Microsoft.KeyVault/vaults/kv-test" }
}

mock_resource "azurerm_log_analytics_workspace" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-jobgate-test/providers/Microsoft.OperationalInsights/workspaces/log-test" }
}

mock_resource "azurerm_container_registry" {
  defaults = {
    id           = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-jobgate-test/providers/Microsoft.ContainerRegistry/registries/jobgatetest"
    login_server = "jobgatetest.azurecr.io"
  }
}

mock_resource "azurerm_monitor_workspace" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-jobgate-test/providers/Microsoft.Monitor/accounts/amw-test" }
}

mock_resource "azurerm_monitor_data_collection_endpoint" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-jobgate-test/providers/Microsoft.Insights/dataCollectionEndpoints/dce-test" }
}

mock_resource "azurerm_monitor_data_collection_rule" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-jobgate-test/providers/Microsoft.Insights/dataCollectionRules/dcr-test" }
}

mock_resource "azurerm_monitor_action_group" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-jobgate-test/providers/Microsoft.Insights/actionGroups/ag-test" }
}

mock_resource "azurerm_dashboard_grafana" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-jobgate-test/providers/Microsoft.Dashboard/grafana/graf-test" }
}

mock_resource "azurerm_managed_redis" {
  defaults = {
    id       = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-jobgate-test/providers/Microsoft.Cache/redisEnterprise/redis-test"
    hostname = "redis-test.westeurope.redis.azure.net"
  }
}

mock_resource "azurerm_private_dns_zone" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-jobgate-test/providers/Microsoft.Network/privateDnsZones/privatelink.test" }
}

mock_resource "azurerm_network_security_group" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-jobgate-test/providers/Microsoft.Network/networkSecurityGroups/nsg-test" }
}

mock_resource "azurerm_nat_gateway" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-jobgate-test/providers/Microsoft.Network/natGateways/ng-test" }
}

mock_resource "azurerm_public_ip" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-jobgate-test/providers/Microsoft.Network/publicIPAddresses/pip-test" }
}

mock_resource "azurerm_monitor_private_link_scope" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-jobgate-test/providers/Microsoft.Insights/privateLinkScopes/ampls-test" }
}

mock_resource "azurerm_application_load_balancer" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-jobgate-test/providers/Microsoft.ServiceNetworking/trafficControllers/alb-test" }
}

mock_resource "azurerm_web_application_firewall_policy" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-jobgate-test/providers/Microsoft.Network/applicationGatewayWebApplicationFirewallPolicies/waf-test" }
}

mock_resource "azurerm_data_protection_backup_vault" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-jobgate-test/providers/Microsoft.DataProtection/backupVaults/bvault-test" }
}

mock_resource "azurerm_data_protection_backup_policy_kubernetes_cluster" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-jobgate-test/providers/Microsoft.DataProtection/backupVaults/bvault-test/backupPolicies/daily" }
}

mock_resource "azurerm_kubernetes_cluster_extension" {
  defaults = {
    aks_assigned_identity = [{ type = "SystemAssigned", principal_id = "55555555-5555-5555-5555-555555555555", tenant_id = "11111111-1111-1111-1111-111111111111" }]
  }
}
