output "virtual_network_id" {
  description = "The virtual network."
  value       = module.virtual_network.resource_id
}

output "subnet_ids" {
  description = "The subnets by key: nodes, endpoints, and gateway where there is one."
  value       = { for key, subnet in module.virtual_network.subnets : key => subnet.resource_id }
}

output "private_dns_zone_ids" {
  description = "The private DNS zones by their keys."
  value       = { for key, zone in azurerm_private_dns_zone.this : key => zone.id }
}

output "nat_address" {
  description = "The address that the cluster's requests come from, where there is a NAT gateway; for the allow lists of others."
  value       = one(azurerm_public_ip.nat[*].ip_address)
}

output "gateway" {
  description = "Application Gateway for Containers, where there is one: its id and the host name of its frontend."
  value = var.gateway_subnet_enabled ? {
    id        = azurerm_application_load_balancer.this[0].id
    host_name = azurerm_application_load_balancer_frontend.this[0].fully_qualified_domain_name
  } : null
}
