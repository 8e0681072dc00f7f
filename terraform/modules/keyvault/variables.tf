variable "name" {
  type        = string
  description = "The vault's name, unique in all of Azure."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}[a-z0-9]$", var.name)) && !can(regex("--", var.name))
    error_message = "A vault's name is made of 3 to 24 lower case letters, digits and single dashes, begins with a letter and does not end with a dash."
  }
}

variable "location" {
  type        = string
  description = "The Azure region."
}

variable "resource_group_name" {
  type        = string
  description = "The resource group of the vault."
}

variable "tenant_id" {
  type        = string
  description = "The Entra tenant whose identities may read it."
}

variable "purge_protection_enabled" {
  type        = bool
  description = "Whether a deleted vault can't be purged before its time. It can't be switched off again, and blocks the name meanwhile."
}

variable "soft_delete_days" {
  type        = number
  description = "How long a deleted vault or secret can be had back."

  validation {
    condition     = var.soft_delete_days >= 7 && var.soft_delete_days <= 90
    error_message = "Soft delete keeps for 7 to 90 days."
  }
}

variable "public_network_access_enabled" {
  type        = bool
  description = "Whether secrets are read over the Internet too, by those with a role; the cluster uses the private endpoint either way."
}

variable "private_endpoint" {
  type        = object({ subnet_id = string, private_dns_zone_id = string })
  description = "Where the private endpoint goes."
}

variable "reader_principal_ids" {
  type        = map(string)
  description = "Object ids of the identities that may read secrets, by a key of one's own."
}

variable "certificate_reader_principal_ids" {
  type        = map(string)
  description = "Object ids of the identities that may read certificates with their keys, by a key of one's own."
}

variable "administrators" {
  type        = map(object({ id = string, type = string }))
  description = "Who puts secrets and certificates in: object id and kind (User or Group), by a key of one's own."

  validation {
    condition     = alltrue([for who in values(var.administrators) : contains(["User", "Group"], who.type)])
    error_message = "An administrator is a User or a Group."
  }
}

variable "log_analytics_id" {
  type        = string
  description = "Where each read of a secret is recorded."
}

variable "lock" {
  type        = bool
  description = "Whether the vault is locked against deletion."
}

variable "tags" {
  type        = map(string)
  description = "Tags of all resources."
}
