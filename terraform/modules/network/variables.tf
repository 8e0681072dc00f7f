variable "name" {
  type        = string
  description = "What the names of the network's resources end with, for example jobgate-dev."

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
  description = "The resource group that everything goes into."
}

variable "address_space" {
  type        = string
  description = "The address range of the virtual network, in CIDR notation."

  validation {
    condition     = can(cidrnetmask(var.address_space))
    error_message = "The address space must be an IPv4 range in CIDR notation, for example 10.0.0.0/16."
  }
}

variable "subnet_prefixes" {
  type        = object({ nodes = string, endpoints = string, gateway = string })
  description = "The ranges of the subnets: the cluster's nodes, the private endpoints, and Application Gateway for Containers (which wants a /24)."

  validation {
    condition     = alltrue([for prefix in values(var.subnet_prefixes) : can(cidrnetmask(prefix))])
    error_message = "Each prefix must be an IPv4 range in CIDR notation, for example 10.0.1.0/24."
  }

  validation {
    condition     = try(tonumber(split("/", var.subnet_prefixes.gateway)[1]), 24) == 24
    error_message = "The gateway's prefix must be a /24: Application Gateway for Containers takes no other with overlay networking."
  }
}

variable "private_dns_zones" {
  type        = map(string)
  description = "The private DNS zones to make and to link to the network, by a key of one's own."

  validation {
    condition     = alltrue([for zone in values(var.private_dns_zones) : startswith(zone, "privatelink.")])
    error_message = "A zone of private endpoints begins with \"privatelink.\"."
  }
}

variable "nat_gateway_enabled" {
  type        = bool
  description = "Whether what leaves the nodes goes through a NAT gateway with a fixed address."
}

variable "gateway_subnet_enabled" {
  type        = bool
  description = "Whether there is a subnet for Application Gateway for Containers."
}

variable "zones" {
  type        = list(string)
  description = "Availability zones of the NAT gateway's address; empty where the region or the subscription has none."

  validation {
    condition     = length(setsubtract(var.zones, ["1", "2", "3"])) == 0
    error_message = "Zones are \"1\", \"2\" and \"3\"."
  }
}

variable "tags" {
  type        = map(string)
  description = "Tags of all resources."
}
