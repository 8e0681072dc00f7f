variable "name" {
  type        = string
  description = "The registry's name, unique in all of Azure."

  validation {
    condition     = can(regex("^[a-z0-9]{5,50}$", var.name))
    error_message = "A registry's name is made of 5 to 50 lower case letters and digits."
  }
}

variable "location" {
  type        = string
  description = "The Azure region."
}

variable "resource_group_name" {
  type        = string
  description = "The resource group of the registry."
}

variable "sku" {
  type        = string
  description = "Basic, Standard or Premium; only Premium has private endpoints, zones and a retention."

  validation {
    condition     = contains(["Basic", "Standard", "Premium"], var.sku)
    error_message = "The SKU is Basic, Standard or Premium."
  }
}

variable "zone_redundant" {
  type        = bool
  description = "Whether a Premium registry is spread over zones."
}

variable "private_endpoint" {
  type        = object({ subnet_id = string, private_dns_zone_id = string })
  nullable    = true
  description = "Where the private endpoint goes; null for none. It needs Premium."

  validation {
    condition     = var.private_endpoint == null || var.sku == "Premium"
    error_message = "Only a Premium registry has private endpoints."
  }
}

variable "public_network_access_enabled" {
  type        = bool
  description = "Whether the registry is reached over the Internet too; GitHub's own runners need that to push."

  validation {
    condition     = var.public_network_access_enabled || var.private_endpoint != null
    error_message = "Without public access there must be a private endpoint, or nothing could pull."
  }
}

variable "pull_principal_ids" {
  type        = map(string)
  description = "Object ids of the identities that may pull, by a key of one's own."
}

variable "push_principal_ids" {
  type        = map(string)
  description = "Object ids of the identities that may push, by a key of one's own."
}

variable "log_analytics_id" {
  type        = string
  description = "Where pulls, pushes and log-ins are recorded."
}

variable "lock" {
  type        = bool
  description = "Whether the registry is locked against deletion."
}

variable "tags" {
  type        = map(string)
  description = "Tags of all resources."
}
