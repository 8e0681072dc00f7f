# A small environment, for a free subscription too: one node in one zone, Redis in the cluster, nothing that costs by the hour
# but the node, its address and two private endpoints. docs/deployment.md has the bill.

environment = "dev"
location    = "westeurope"
host_name   = "jobgate-dev.example.com"

cluster_tier = "Free"
system_pool  = { vm_size = "Standard_B2ms", min_count = 1, max_count = 2 }

budget_amount = 150
locks_enabled = false

# A vault that is protected from purging keeps its name for months: no way to destroy and to begin anew.
vault_purge_protection_enabled = false
vault_soft_delete_days         = 7
vault_public_access_enabled    = true

log_daily_quota_gb = 1
prometheus_enabled = true
grafana_enabled    = false
