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

variable "resource_group_name" {
  type        = string
  description = "The resource group of Redis."
}

variable "sku_name" {
  type        = string
  description = "The size of Azure Managed Redis, for example Balanced_B1 (1 GB)."

  validation {
    condition     = can(regex("^(Balanced_B|MemoryOptimized_M|ComputeOptimized_X)[0-9]+$", var.sku_name))
    error_message = "The size is a Balanced_B…, MemoryOptimized_M… or ComputeOptimized_X… one. FlashOptimized keeps part of the keys on disk: not for a queue."
  }
}

variable "high_availability_enabled" {
  type        = bool
  description = "Whether there is a replica, without which there is no uptime agreement and a failure forgets what was not on disk."
}

variable "private_endpoint" {
  type        = object({ subnet_id = string, private_dns_zone_id = string })
  description = "Where the private endpoint goes."
}

variable "principal_ids" {
  type        = map(string)
  description = "Object ids of the identities that may use it, by a key of one's own: api and worker."
}

variable "lock" {
  type        = bool
  description = "Whether Redis is locked against deletion."
}

variable "tags" {
  type        = map(string)
  description = "Tags of all resources."
}
