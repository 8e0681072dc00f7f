variable "name" {
  type        = string
  description = "The account's name, unique in all of Azure."

  validation {
    condition     = can(regex("^[a-z0-9]{3,24}$", var.name))
    error_message = "A storage account's name is made of 3 to 24 lower case letters and digits."
  }
}

variable "location" {
  type        = string
  description = "The Azure region."
}

variable "resource_group_id" {
  type        = string
  description = "The resource group of the account."
}

variable "sku" {
  type        = string
  description = "How often and where each blob is kept: Standard_LRS (one data centre), Standard_ZRS (three zones), Standard_GZRS (and another region)."

  validation {
    condition     = contains(["Standard_LRS", "Standard_ZRS", "Standard_GRS", "Standard_RAGRS", "Standard_GZRS", "Standard_RAGZRS"], var.sku)
    error_message = "The SKU is one of Standard_LRS, _ZRS, _GRS, _RAGRS, _GZRS and _RAGZRS."
  }
}

variable "container" {
  type        = string
  description = "The container of results, logs and payloads."

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{1,61})[a-z0-9]$", var.container)) && !can(regex("--", var.container))
    error_message = "A container's name is made of 3 to 63 lower case letters, digits and single dashes."
  }
}

variable "backup_container" {
  type        = string
  nullable    = true
  description = "Another container, for the descriptions of AKS's backups; null for none."
}

variable "retention_days" {
  type        = number
  description = "After how many days results, logs and status blobs are deleted, whatever jobgate thinks of them (RESULT_CLEANUP=lifecycle); 0 for never: then workers remove what has expired. Longer than RETENTION_S, and than the retention of each type."

  validation {
    condition     = var.retention_days >= 0 && var.retention_days <= 36500 && floor(var.retention_days) == var.retention_days
    error_message = "A whole number of days, 0 to 36500."
  }
}

variable "cool_after_days" {
  type        = number
  description = "After how many days results move to the cool tier; 0 for never."

  validation {
    condition     = var.cool_after_days >= 0 && (var.cool_after_days == 0 || var.retention_days == 0 || var.cool_after_days < var.retention_days)
    error_message = "Blobs must move before they are deleted: fewer days than retention_days."
  }
}

variable "soft_delete_days" {
  type        = number
  description = "How long a deleted blob or container can be had back."

  validation {
    condition     = var.soft_delete_days >= 1 && var.soft_delete_days <= 365
    error_message = "Soft delete keeps for 1 to 365 days."
  }
}

variable "versioning_enabled" {
  type        = bool
  description = "Whether what is overwritten is kept as a version, for soft_delete_days."
}

variable "public_network_access_enabled" {
  type        = bool
  description = "Whether blobs are read over the Internet too, by those with a role or a signed link: needed where results are delivered by links (RESULT_DELIVERY=redirect) to callers outside."
}

variable "private_endpoint" {
  type        = object({ subnet_id = string, private_dns_zone_id = string })
  description = "Where the private endpoint goes."
}

variable "worker_principal_id" {
  type        = string
  description = "Object id of the worker's identity: it reads, writes and deletes blobs of the container."
}

variable "api_principal_id" {
  type        = string
  description = "Object id of the api's identity: it reads blobs of the container, and writes payloads."
}

variable "api_writes" {
  type        = list(string)
  description = "Where in the container the api may write and delete, as patterns of blob names."

  validation {
    condition     = alltrue([for pattern in var.api_writes : can(regex("^[A-Za-z0-9/_.*-]+$", pattern))])
    error_message = "A pattern is made of letters, digits, slashes, dots, dashes, underscores and asterisks."
  }
}

variable "api_signs_links" {
  type        = bool
  description = "Whether the api may make signed links to results (RESULT_DELIVERY=redirect)."
}

variable "log_analytics_id" {
  type        = string
  description = "Where writes and deletions are recorded."
}

variable "lock" {
  type        = bool
  description = "Whether the account is locked against deletion."
}

variable "tags" {
  type        = map(string)
  description = "Tags of all resources."
}
