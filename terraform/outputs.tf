# What the deployment needs to know. Nothing here is secret.

output "tenant_id" {
  description = "The Entra tenant."
  value       = data.azurerm_client_config.current.tenant_id
}

output "resource_group" {
  description = "The resource group of the environment."
  value       = azurerm_resource_group.this.name
}

output "cluster" {
  description = "The name of the cluster."
  value       = module.aks.cluster.name
}

output "namespace" {
  description = "The namespace of jobgate."
  value       = var.namespace
}

output "registry" {
  description = "The registry's name."
  value       = module.registry.name
}

output "registry_server" {
  description = "What the names of images begin with."
  value       = module.registry.login_server
}

output "vault" {
  description = "The key vault's name."
  value       = module.keyvault.name
}

output "vault_id" {
  description = "The key vault."
  value       = module.keyvault.id
}

output "host_name" {
  description = "The host name that callers use."
  value       = var.host_name
}

output "private_endpoints" {
  description = "The range of the private endpoints, for the network policies."
  value       = var.subnet_prefixes.endpoints
}

output "blob_url" {
  description = "BLOB_URL of api and worker."
  value       = module.storage.blob_url
}

output "redis_url" {
  description = "REDIS_URL of api and worker with Azure Managed Redis; nothing when Redis runs in the cluster."
  value       = one(module.redis[*].url)
}

output "client_ids" {
  description = "The client ids of the identities: api, worker, redis, gateway, keda, and the pipeline's."
  value       = module.identity.client_ids
}

output "outbound_address" {
  description = "The address that the cluster's requests come from, with a NAT gateway."
  value       = module.network.nat_address
}

output "gateway" {
  description = "Application Gateway for Containers, where there is one."
  value       = module.network.gateway
}

output "prometheus_query_endpoint" {
  description = "Where PromQL is asked, with a managed Prometheus."
  value       = module.monitoring.prometheus_query_endpoint
}

output "grafana_endpoint" {
  description = "Grafana's address, with a managed Grafana."
  value       = module.monitoring.grafana_endpoint
}
