output "client_ids" {
  description = "The identities' client ids, by name: what a pod or a workflow asks for."
  value       = { for name, identity in azurerm_user_assigned_identity.this : name => identity.client_id }
}

output "principal_ids" {
  description = "The identities' object ids, by name: what roles are given to."
  value       = { for name, identity in azurerm_user_assigned_identity.this : name => identity.principal_id }
}
