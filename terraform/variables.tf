# ---- what and where ----

variable "subscription_id" {
  type        = string
  description = "The subscription that everything goes into. `make deploy` gives the one of `az login`."

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.subscription_id))
    error_message = "A subscription's id is a GUID in lower case: az account show --query id."
  }
}

variable "project" {
  type        = string
  default     = "jobgate"
  description = "What all names begin with."

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,7}$", var.project))
    error_message = "The project is made of 2 to 8 lower case letters and digits: a key vault's name holds no more."
  }
}

variable "environment" {
  type        = string
  description = "Which environment this is: dev, test or prod. Each has a state, a resource group and identities of its own."

  validation {
    condition     = contains(["dev", "test", "prod"], var.environment)
    error_message = "The environment is dev, test or prod."
  }
}

variable "location" {
  type        = string
  description = "The Azure region, by its short name, for example westeurope."

  validation {
    condition     = can(regex("^[a-z]+[0-9]?$", var.location))
    error_message = "A region's short name is written in lower case without spaces: az account list-locations --query '[].name'."
  }
}

variable "zones" {
  type        = list(string)
  default     = []
  description = "The availability zones to spread over; empty for a region or a subscription without."

  validation {
    condition     = length(setsubtract(var.zones, ["1", "2", "3"])) == 0 && length(distinct(var.zones)) == length(var.zones)
    error_message = "Zones are \"1\", \"2\" and \"3\", each once."
  }
}

variable "tags" {
  type        = map(string)
  default     = {}
  description = "Tags of all resources, besides project, environment and managed-by."

  validation {
    condition     = length(setintersection(keys(var.tags), ["project", "environment", "managed-by"])) == 0
    error_message = "project, environment and managed-by are set already."
  }
}

variable "locks_enabled" {
  type        = bool
  default     = true
  description = "Whether what holds data is locked against deletion."
}

# ---- money ----

variable "budget_amount" {
  type        = number
  description = "How much a month may cost, in the subscription's currency. At 80 % and at 100 %, and when it is foreseen, those of alert_emails are told; nothing is stopped."

  validation {
    condition     = var.budget_amount >= 1
    error_message = "The budget must be at least 1."
  }
}

variable "alert_emails" {
  type        = list(string)
  default     = []
  description = "Who gets the alerts and the word about the budget."

  validation {
    condition     = alltrue([for address in var.alert_emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", address))])
    error_message = "Each must be an e-mail address."
  }
}

# ---- network ----

variable "address_space" {
  type        = string
  default     = "10.0.0.0/16"
  description = "The address range of the virtual network."

  validation {
    condition     = can(cidrnetmask(var.address_space))
    error_message = "The range is written in CIDR notation, for example 10.0.0.0/16."
  }
}

variable "subnet_prefixes" {
  type        = object({ nodes = string, endpoints = string, gateway = string })
  default     = { nodes = "10.0.1.0/24", endpoints = "10.0.2.0/24", gateway = "10.0.3.0/24" }
  description = "The ranges of the subnets: nodes, private endpoints, and Application Gateway for Containers."

  validation {
    condition     = alltrue([for prefix in values(var.subnet_prefixes) : can(cidrnetmask(prefix))])
    error_message = "Each range is written in CIDR notation, for example 10.0.1.0/24."
  }
}

variable "cluster_network" {
  type        = object({ pod_cidr = string, service_cidr = string, dns_service_ip = string })
  default     = { pod_cidr = "10.244.0.0/16", service_cidr = "10.245.0.0/16", dns_service_ip = "10.245.0.10" }
  description = "Ranges inside the cluster, which nobody outside sees: of pods and of services, and the address of its DNS."

  validation {
    condition     = can(cidrnetmask(var.cluster_network.pod_cidr)) && can(cidrnetmask(var.cluster_network.service_cidr))
    error_message = "Both ranges are written in CIDR notation."
  }
}

variable "nat_gateway_enabled" {
  type        = bool
  default     = false
  description = "Whether requests of the cluster go out from a fixed address, which others can put on their allow lists."
}

variable "application_gateway_enabled" {
  type        = bool
  default     = false
  description = "Whether there is an Application Gateway for Containers with a web application firewall. Its controller is installed with Helm: docs/deployment.md."
}

# ---- cluster ----

variable "kubernetes_version" {
  type        = string
  default     = "1.36"
  description = "The minor version of Kubernetes; patches come by themselves."

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version))
    error_message = "The version is a minor one such as 1.36: az aks get-versions --location LOCATION."
  }
}

variable "cluster_tier" {
  type        = string
  description = "Free, or Standard for an uptime agreement of the API server, or Premium for long-term support."

  validation {
    condition     = contains(["Free", "Standard", "Premium"], var.cluster_tier)
    error_message = "The tier is Free, Standard or Premium."
  }
}

variable "system_pool" {
  type        = object({ vm_size = string, min_count = number, max_count = number })
  description = "The nodes of the cluster's own pods; with no user pool, of all."

  validation {
    condition     = var.system_pool.min_count >= 1 && var.system_pool.max_count >= var.system_pool.min_count
    error_message = "At least one node, and max_count not below min_count."
  }
}

variable "user_pool" {
  type        = object({ vm_size = string, min_count = number, max_count = number })
  default     = null
  description = "The nodes of jobgate; null to let it run on the system pool."

  validation {
    condition     = var.user_pool == null ? true : var.user_pool.min_count >= 1 && var.user_pool.max_count >= var.user_pool.min_count
    error_message = "At least one node, and max_count not below min_count."
  }
}

variable "authorized_ip_ranges" {
  type        = list(string)
  default     = []
  description = "Who may reach the API server, in CIDR notation; empty for everybody with an identity that may. GitHub's own runners have no fixed address."

  validation {
    condition     = alltrue([for range in var.authorized_ip_ranges : can(cidrnetmask(range))])
    error_message = "Each range must be IPv4 in CIDR notation, for example 203.0.113.7/32."
  }
}

variable "admin_group_ids" {
  type        = list(string)
  default     = []
  description = "Object ids of the Entra groups that administer the cluster and Grafana."

  validation {
    condition     = alltrue([for id in var.admin_group_ids : can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", id))])
    error_message = "Each must be an object id, a GUID in lower case: az ad group show --group NAME --query id."
  }
}

variable "admin_user_id" {
  type        = string
  default     = null
  description = "Object id of a user who administers the cluster, where there is no group for it: az ad signed-in-user show --query id."

  validation {
    condition     = var.admin_user_id == null ? true : can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.admin_user_id))
    error_message = "It must be an object id, a GUID in lower case."
  }
}

variable "namespace" {
  type        = string
  default     = "jobgate"
  description = "The namespace of jobgate: its service accounts may take the identities, and the pipeline may change it."

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.namespace))
    error_message = "A namespace's name is made of lower case letters, digits and dashes."
  }
}

variable "host_name" {
  type        = string
  description = "The host name that callers use: the gateway serves it, with the certificate jobgate-tls of the key vault."

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", var.host_name))
    error_message = "It must be a host name in lower case, for example jobs.example.com."
  }
}

variable "backup" {
  type        = object({ vault_redundancy = string, retention_days = number })
  default     = null
  description = "A daily backup of the namespace and its volumes (Redis); null for none."

  validation {
    condition     = var.backup == null ? true : contains(["LocallyRedundant", "ZoneRedundant", "GeoRedundant"], var.backup.vault_redundancy)
    error_message = "The redundancy is LocallyRedundant, ZoneRedundant or GeoRedundant."
  }
}

# ---- registry ----

variable "registry_sku" {
  type        = string
  default     = "Basic"
  description = "Basic, Standard or Premium; only Premium has private endpoints and zones."

  validation {
    condition     = contains(["Basic", "Standard", "Premium"], var.registry_sku)
    error_message = "The SKU is Basic, Standard or Premium."
  }
}

variable "registry_private_endpoint_enabled" {
  type        = bool
  default     = false
  description = "Whether the cluster pulls over a private endpoint. It needs registry_sku Premium."

  validation {
    condition     = !var.registry_private_endpoint_enabled || var.registry_sku == "Premium"
    error_message = "A private endpoint needs registry_sku = \"Premium\"."
  }
}

variable "registry_public_access_enabled" {
  type        = bool
  default     = true
  description = "Whether the registry is reached over the Internet too; GitHub's own runners need that to push."

  validation {
    condition     = var.registry_public_access_enabled || var.registry_private_endpoint_enabled
    error_message = "Without public access it needs registry_private_endpoint_enabled, or nothing could pull."
  }
}

# ---- secrets ----

variable "vault_purge_protection_enabled" {
  type        = bool
  default     = true
  description = "Whether a deleted key vault can't be purged before its time. It can't be switched off again, and the vault's name is taken meanwhile."
}

variable "vault_soft_delete_days" {
  type        = number
  default     = 90
  description = "How long a deleted vault or secret can be had back."

  validation {
    condition     = var.vault_soft_delete_days >= 7 && var.vault_soft_delete_days <= 90
    error_message = "Soft delete keeps for 7 to 90 days."
  }
}

variable "vault_public_access_enabled" {
  type        = bool
  default     = false
  description = "Whether secrets are read over the Internet too, by those with a role: the smoke test of a pipeline on GitHub's own runners reads its key so."
}

# ---- results ----

variable "storage_sku" {
  type        = string
  default     = "Standard_LRS"
  description = "How often and where each blob is kept: Standard_LRS (one data centre), Standard_ZRS (three zones), Standard_GZRS (and another region)."

  validation {
    condition     = contains(["Standard_LRS", "Standard_ZRS", "Standard_GRS", "Standard_RAGRS", "Standard_GZRS", "Standard_RAGZRS"], var.storage_sku)
    error_message = "The SKU is one of Standard_LRS, _ZRS, _GRS, _RAGRS, _GZRS and _RAGZRS."
  }
}

variable "container" {
  type        = string
  default     = "jobgate"
  description = "The container of results, logs and payloads."

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{1,61})[a-z0-9]$", var.container)) && !can(regex("--", var.container))
    error_message = "A container's name is made of 3 to 63 lower case letters, digits and single dashes."
  }
}

variable "retention_days" {
  type        = number
  default     = 0
  description = "After how many days results, logs and status blobs are deleted, whatever jobgate thinks of them (RESULT_CLEANUP=lifecycle); 0 for never: then workers remove what has expired. Longer than RETENTION_S, and than the retention of each type."

  validation {
    condition     = var.retention_days >= 0 && floor(var.retention_days) == var.retention_days
    error_message = "A whole number of days, 0 or more."
  }
}

variable "cool_after_days" {
  type        = number
  default     = 0
  description = "After how many days results move to the cool tier, which is cheaper to keep and dearer to read; 0 for never."

  validation {
    condition     = var.cool_after_days >= 0 && floor(var.cool_after_days) == var.cool_after_days
    error_message = "A whole number of days, 0 or more."
  }
}

variable "blob_soft_delete_days" {
  type        = number
  default     = 7
  description = "How long a deleted blob can be had back."

  validation {
    condition     = var.blob_soft_delete_days >= 1 && var.blob_soft_delete_days <= 365
    error_message = "Soft delete keeps for 1 to 365 days."
  }
}

variable "blob_versioning_enabled" {
  type        = bool
  default     = false
  description = "Whether what is overwritten is kept as a version, for blob_soft_delete_days."
}

variable "result_links_enabled" {
  type        = bool
  default     = false
  description = "Whether the api may answer with signed links to results (RESULT_DELIVERY=redirect). The account is then open to the Internet, for those with a link or a role."
}

# ---- Redis ----

variable "redis" {
  type        = object({ sku_name = string, high_availability_enabled = bool })
  default     = null
  description = "Azure Managed Redis; null when Redis runs in the cluster."

  validation {
    condition     = var.redis == null ? true : can(regex("^(Balanced_B|MemoryOptimized_M|ComputeOptimized_X)[0-9]+$", var.redis.sku_name))
    error_message = "The size is a Balanced_B…, MemoryOptimized_M… or ComputeOptimized_X… one."
  }
}

# ---- watching ----

variable "log_retention_days" {
  type        = number
  default     = 30
  description = "How long logs are kept; the first 31 days cost nothing."

  validation {
    condition     = var.log_retention_days >= 30 && var.log_retention_days <= 730
    error_message = "Log Analytics keeps logs for 30 to 730 days."
  }
}

variable "log_daily_quota_gb" {
  type        = number
  default     = -1
  description = "The most that is logged in a day, in GB; -1 for no limit."

  validation {
    condition     = var.log_daily_quota_gb == -1 || var.log_daily_quota_gb >= 0.1
    error_message = "The quota must be -1 (no limit) or at least 0.1 GB."
  }
}

variable "prometheus_enabled" {
  type        = bool
  default     = true
  description = "Whether there is a managed Prometheus with the alerts."
}

variable "grafana_enabled" {
  type        = bool
  default     = true
  description = "Whether there is a managed Grafana."
}

variable "monitor_private_link_enabled" {
  type        = bool
  default     = false
  description = "Whether logs and metrics leave the cluster over a private endpoint only."
}

# ---- pipeline ----

variable "pipeline_subjects" {
  type = object({
    deploy         = optional(string)
    plan           = optional(string)
    infrastructure = optional(string)
  })
  default     = {}
  description = "Which tokens of GitHub may take which identity: deploy (images and manifests), plan (reads only), infrastructure (applies Terraform). repo:OWNER/REPO:environment:NAME, or in repositories made after 2026-06-18 repo:OWNER-<id>/REPO-<id>:environment:NAME. What is left out does not exist."

  validation {
    condition     = alltrue([for subject in values(var.pipeline_subjects) : subject == null ? true : can(regex("^repo:[^/: ]+/[^/: ]+:(environment:[^: ]+|pull_request|ref:refs/.+)$", subject))])
    error_message = "A subject is repo:OWNER/REPO:environment:NAME, …:pull_request or …:ref:refs/heads/BRANCH. Case counts."
  }
}

variable "pipeline_issuer" {
  type        = string
  default     = "https://token.actions.githubusercontent.com"
  description = "Who signs the pipeline's tokens; another one with GitHub Enterprise."

  validation {
    condition     = startswith(var.pipeline_issuer, "https://")
    error_message = "An issuer is an https address."
  }
}

variable "pipeline_administers_cluster" {
  type        = bool
  default     = false
  description = "Whether the deploy identity may change all of the cluster and not its namespace alone: for a pipeline that does the first installation too."
}

variable "state_container_id" {
  type        = string
  default     = null
  description = "The container of Terraform's state, for the pipeline's roles on it. `make deploy` gives it."

  validation {
    condition     = var.state_container_id == null ? true : can(regex("^/subscriptions/.+/blobServices/default/containers/[^/]+$", var.state_container_id))
    error_message = "It must be a container's resource id."
  }
}
