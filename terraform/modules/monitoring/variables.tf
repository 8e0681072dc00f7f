variable "name" {
  type        = string
  description = "What the names of the resources end with, for example jobgate-dev."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,16}[a-z0-9]$", var.name))
    error_message = "The name is made of 3 to 18 lower case letters, digits and dashes (Grafana's name holds no more), and begins with a letter."
  }
}

variable "location" {
  type        = string
  description = "The Azure region."
}

variable "resource_group" {
  type        = object({ id = string, name = string })
  description = "The resource group that everything goes into."
}

variable "log_retention_days" {
  type        = number
  description = "How long Log Analytics keeps logs; the first 31 days cost nothing."

  validation {
    condition     = var.log_retention_days >= 30 && var.log_retention_days <= 730
    error_message = "Log Analytics keeps logs for 30 to 730 days."
  }
}

variable "log_daily_quota_gb" {
  type        = number
  description = "The most that Log Analytics takes in a day, in GB, against a bill that nobody expects; -1 for no limit."

  validation {
    condition     = var.log_daily_quota_gb == -1 || var.log_daily_quota_gb >= 0.1
    error_message = "The quota must be -1 (no limit) or at least 0.1 GB."
  }
}

variable "prometheus_enabled" {
  type        = bool
  description = "Whether there are a managed Prometheus and the alerts on it."
}

variable "grafana_enabled" {
  type        = bool
  description = "Whether there is a managed Grafana."
}

variable "grafana_admin_group_ids" {
  type        = list(string)
  description = "Object ids of the Entra groups that may administer Grafana."
}

variable "zone_redundant" {
  type        = bool
  description = "Whether Grafana is spread over zones."
}

variable "alert_emails" {
  type        = list(string)
  description = "Who gets the alerts."

  validation {
    condition     = alltrue([for address in var.alert_emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", address))])
    error_message = "Each must be an e-mail address."
  }
}

variable "cluster" {
  type        = object({ id = string, name = string })
  description = "The cluster to watch."
}

variable "private_link" {
  type        = object({ subnet_id = string, private_dns_zone_ids = list(string) })
  nullable    = true
  description = "Where the private endpoint of Azure Monitor goes; null for logs and metrics over Azure's public endpoints."
}

variable "lock" {
  type        = bool
  description = "Whether the workspace of the logs is locked against deletion."
}

variable "tags" {
  type        = map(string)
  description = "Tags of all resources."
}
