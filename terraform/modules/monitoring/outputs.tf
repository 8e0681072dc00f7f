output "log_analytics_id" {
  description = "The workspace of the logs."
  value       = module.log_analytics.resource_id
}

output "prometheus_id" {
  description = "The workspace of the metrics, where there is one."
  value       = one(azurerm_monitor_workspace.this[*].id)
}

output "prometheus_query_endpoint" {
  description = "Where PromQL is asked, where there is a managed Prometheus."
  value       = one(azurerm_monitor_workspace.this[*].query_endpoint)
}

output "grafana_endpoint" {
  description = "Grafana's address, where there is one."
  value       = one(azurerm_dashboard_grafana.this[*].endpoint)
}

output "action_group_id" {
  description = "Who is told; for the budget too."
  value       = azurerm_monitor_action_group.this.id
}
