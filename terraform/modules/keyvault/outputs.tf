output "id" {
  description = "The vault."
  value       = module.vault.resource_id
}

output "name" {
  description = "Its name, as the CSI driver wants it."
  value       = module.vault.name
}

output "uri" {
  description = "Its address."
  value       = module.vault.uri
}
