# Three zones, nodes of its own for jobgate, everything with data locked and kept.

environment = "prod"
location    = "westeurope"
host_name   = "jobgate.example.com"
zones       = ["1", "2", "3"]

cluster_tier = "Standard"
system_pool  = { vm_size = "Standard_D2as_v5", min_count = 2, max_count = 3 }
user_pool    = { vm_size = "Standard_D4as_v5", min_count = 3, max_count = 12 }
backup       = { vault_redundancy = "ZoneRedundant", retention_days = 14 }

budget_amount = 1500
locks_enabled = true

nat_gateway_enabled = true

registry_sku                      = "Premium"
registry_private_endpoint_enabled = true

vault_purge_protection_enabled = true
vault_soft_delete_days         = 90
vault_public_access_enabled    = false

storage_sku             = "Standard_ZRS"
cool_after_days         = 30
blob_soft_delete_days   = 14
blob_versioning_enabled = true

log_retention_days = 90
log_daily_quota_gb = 10
prometheus_enabled = true
grafana_enabled    = true
