output "id" {
  description = "The account."
  value       = module.account.resource_id
}

output "name" {
  description = "Its name."
  value       = module.account.name
}

output "container" {
  description = "The container of results, logs and payloads."
  value       = var.container
}

output "blob_url" {
  description = "The container's address: BLOB_URL of api and worker."
  value       = "https://${module.account.name}.blob.core.windows.net/${var.container}"
}
