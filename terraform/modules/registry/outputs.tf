output "id" {
  description = "The registry."
  value       = azurerm_container_registry.this.id
}

output "name" {
  description = "Its name."
  value       = azurerm_container_registry.this.name
}

output "login_server" {
  description = "What the names of its images begin with."
  value       = azurerm_container_registry.this.login_server
}
