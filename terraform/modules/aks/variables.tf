variable "name" {
  type        = string
  description = "What the names of the resources end with, for example jobgate-dev."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name))
    error_message = "The name is made of 3 to 40 lower case letters, digits and dashes, and begins with a letter."
  }
}

variable "location" {
  type        = string
  description = "The Azure region."
}

variable "resource_group" {
  type        = object({ id = string, name = string })
  description = "The resource group of the cluster; its nodes get one of their own."
}

variable "tenant_id" {
  type        = string
  description = "The Entra tenant whose identities may use the cluster."
}

variable "kubernetes_version" {
  type        = string
  description = "The minor version of Kubernetes; patches come by themselves."

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version))
    error_message = "The version is a minor one such as 1.36, without the patch."
  }
}

variable "sku_tier" {
  type        = string
  description = "Free, or Standard for an uptime agreement of the API server, or Premium for long-term support."

  validation {
    condition     = contains(["Free", "Standard", "Premium"], var.sku_tier)
    error_message = "The tier is Free, Standard or Premium."
  }
}

variable "subnet_id" {
  type        = string
  description = "The subnet of the nodes."
}

variable "zones" {
  type        = list(string)
  description = "The availability zones of the nodes; empty where the region or the subscription has none."

  validation {
    condition     = length(setsubtract(var.zones, ["1", "2", "3"])) == 0
    error_message = "Zones are \"1\", \"2\" and \"3\"."
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
  nullable    = true
  description = "The nodes of jobgate; null to let it run on the system pool."

  validation {
    condition     = var.user_pool == null ? true : var.user_pool.min_count >= 1 && var.user_pool.max_count >= var.user_pool.min_count
    error_message = "At least one node, and max_count not below min_count."
  }
}

variable "network" {
  type        = object({ pod_cidr = string, service_cidr = string, dns_service_ip = string })
  description = "Ranges inside the cluster: of pods and of services, and the address of its DNS, which lies in the latter. None may overlap the virtual network."

  validation {
    condition     = can(cidrnetmask(var.network.pod_cidr)) && can(cidrnetmask(var.network.service_cidr))
    error_message = "Both ranges are written in CIDR notation."
  }

  validation {
    condition     = try(cidrhost("${var.network.dns_service_ip}/${split("/", var.network.service_cidr)[1]}", 0) == cidrhost(var.network.service_cidr, 0), false)
    error_message = "The DNS address must lie in the range of the services."
  }
}

variable "outbound_type" {
  type        = string
  description = "How the nodes reach the Internet: loadBalancer, or userAssignedNATGateway when the subnet has one."

  validation {
    condition     = contains(["loadBalancer", "userAssignedNATGateway"], var.outbound_type)
    error_message = "The outbound type is loadBalancer or userAssignedNATGateway."
  }
}

variable "authorized_ip_ranges" {
  type        = list(string)
  description = "Who may reach the API server, in CIDR notation; empty for everybody with an identity that may."

  validation {
    condition     = alltrue([for range in var.authorized_ip_ranges : can(cidrnetmask(range))])
    error_message = "Each range must be IPv4 in CIDR notation, for example 203.0.113.7/32."
  }
}

variable "admin_group_ids" {
  type        = list(string)
  description = "Object ids of the Entra groups that administer the cluster."

  validation {
    condition     = alltrue([for id in var.admin_group_ids : can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", id))])
    error_message = "Each must be an object id, a GUID in lower case."
  }
}

variable "admin_user_id" {
  type        = string
  nullable    = true
  description = "Object id of a user who administers the cluster, for a subscription without groups; null for nobody."
}

variable "log_analytics_id" {
  type        = string
  description = "Where the cluster's logs go."
}

variable "prometheus_enabled" {
  type        = bool
  description = "Whether the agents of the managed Prometheus run in the cluster."
}

variable "backup" {
  type        = object({ vault_redundancy = string, retention_days = number })
  nullable    = true
  description = "A daily backup of the namespace and its volumes (Redis); null for none."

  validation {
    condition     = var.backup == null ? true : contains(["LocallyRedundant", "ZoneRedundant", "GeoRedundant"], var.backup.vault_redundancy) && var.backup.retention_days >= 1 && var.backup.retention_days <= 360
    error_message = "The redundancy is LocallyRedundant, ZoneRedundant or GeoRedundant; backups are kept for 1 to 360 days."
  }
}

variable "backup_storage" {
  type        = object({ account_id = string, account_name = string, container = string })
  nullable    = true
  description = "The blob container that the backups' descriptions go into; needed with a backup."
}

variable "namespace" {
  type        = string
  description = "The namespace that is backed up."
}

variable "lock" {
  type        = bool
  description = "Whether the cluster is locked against deletion."
}

variable "tags" {
  type        = map(string)
  description = "Tags of all resources."
}
