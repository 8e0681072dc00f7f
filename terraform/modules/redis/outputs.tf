output "url" {
  description = "REDIS_URL of api and worker: TLS, no password; they log in with their identity's token."
  value       = "rediss://${azurerm_managed_redis.this.hostname}:10000"
}
