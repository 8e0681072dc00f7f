output "cluster" {
  description = "The cluster: its id and name."
  value       = { id = azurerm_kubernetes_cluster.this.id, name = azurerm_kubernetes_cluster.this.name }
}

output "oidc_issuer_url" {
  description = "Who signs the service accounts' tokens; with its trailing slash, as federated credentials want it."
  value       = azurerm_kubernetes_cluster.this.oidc_issuer_url
}

output "kubelet_principal_id" {
  description = "The identity that pulls images."
  value       = azurerm_user_assigned_identity.kubelet.principal_id
}

output "node_resource_group" {
  description = "The resource group of the nodes, where most of the cost arises."
  value       = azurerm_kubernetes_cluster.this.node_resource_group
}
