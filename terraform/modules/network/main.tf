# The virtual network: nodes in one subnet, private endpoints in another. Nothing from the Internet reaches a node but the
# gateway's HTTP and HTTPS; nothing but the nodes reaches the endpoints. Nodes have no default way out: it goes through the
# cluster's load balancer or the NAT gateway. Pods have addresses of their own (overlay), so they need no room here.

locals {
  # What comes over the load balancer keeps its destination port. 80 is there for the redirect to HTTPS and for ACME.
  node_rules = {
    allow-web           = { priority = 100, access = "Allow", protocol = "Tcp", source = "Internet", ports = ["80", "443"] }
    allow-network       = { priority = 200, access = "Allow", protocol = "*", source = "VirtualNetwork", ports = ["*"] }
    allow-load-balancer = { priority = 300, access = "Allow", protocol = "*", source = "AzureLoadBalancer", ports = ["*"] }
    deny-all            = { priority = 4096, access = "Deny", protocol = "*", source = "*", ports = ["*"] }
  }

  # 443 is Blob Storage, Key Vault, the registry and Azure Monitor; 10000 is Azure Managed Redis.
  endpoint_rules = {
    allow-nodes = { priority = 100, access = "Allow", protocol = "Tcp", source = var.subnet_prefixes.nodes, ports = ["443", "10000"] }
    deny-all    = { priority = 4096, access = "Deny", protocol = "*", source = "*", ports = ["*"] }
  }

  security_groups = { nodes = local.node_rules, endpoints = local.endpoint_rules }

  base_subnets = {
    nodes = {
      name                   = "snet-nodes"
      address_prefixes       = [var.subnet_prefixes.nodes]
      network_security_group = { id = azurerm_network_security_group.this["nodes"].id }
      nat_gateway            = var.nat_gateway_enabled ? { id = azurerm_nat_gateway.this[0].id } : null
      delegations            = null
    }
    endpoints = {
      name                   = "snet-endpoints"
      address_prefixes       = [var.subnet_prefixes.endpoints]
      network_security_group = { id = azurerm_network_security_group.this["endpoints"].id }
      nat_gateway            = null
      delegations            = null
    }
  }

  gateway_subnet = {
    gateway = {
      name                   = "snet-gateway"
      address_prefixes       = [var.subnet_prefixes.gateway]
      network_security_group = null
      nat_gateway            = null
      delegations = [{
        name               = "traffic-controllers"
        service_delegation = { name = "Microsoft.ServiceNetworking/trafficControllers" }
      }]
    }
  }
}

resource "azurerm_network_security_group" "this" {
  for_each = local.security_groups

  name                = "nsg-${each.key}-${var.name}"
  location            = var.location
  resource_group_name = var.resource_group.name
  tags                = var.tags

  dynamic "security_rule" {
    for_each = each.value

    content {
      name                       = security_rule.key
      priority                   = security_rule.value.priority
      direction                  = "Inbound"
      access                     = security_rule.value.access
      protocol                   = security_rule.value.protocol
      source_address_prefix      = security_rule.value.source
      source_port_range          = "*"
      destination_address_prefix = "*"
      destination_port_range     = length(security_rule.value.ports) == 1 ? security_rule.value.ports[0] : null
      destination_port_ranges    = length(security_rule.value.ports) > 1 ? security_rule.value.ports : null
    }
  }
}

resource "azurerm_public_ip" "nat" {
  count = var.nat_gateway_enabled ? 1 : 0

  name                = "pip-nat-${var.name}"
  location            = var.location
  resource_group_name = var.resource_group.name
  allocation_method   = "Static"
  sku                 = "Standard"
  zones               = length(var.zones) > 0 ? [var.zones[0]] : null
  tags                = var.tags
}

resource "azurerm_nat_gateway" "this" {
  count = var.nat_gateway_enabled ? 1 : 0

  name                    = "ng-${var.name}"
  location                = var.location
  resource_group_name     = var.resource_group.name
  sku_name                = "Standard"
  idle_timeout_in_minutes = 4
  zones                   = length(var.zones) > 0 ? [var.zones[0]] : null
  tags                    = var.tags
}

resource "azurerm_nat_gateway_public_ip_association" "this" {
  count = var.nat_gateway_enabled ? 1 : 0

  nat_gateway_id       = azurerm_nat_gateway.this[0].id
  public_ip_address_id = azurerm_public_ip.nat[0].id
}

module "virtual_network" {
  source  = "Azure/avm-res-network-virtualnetwork/azurerm"
  version = "0.22.1"

  name             = "vnet-${var.name}"
  location         = var.location
  parent_id        = var.resource_group.id
  address_space    = [var.address_space]
  subnets          = merge(local.base_subnets, var.gateway_subnet_enabled ? local.gateway_subnet : {})
  enable_telemetry = false
  tags             = var.tags

  # A subnet takes only a NAT gateway that has an address.
  depends_on = [azurerm_nat_gateway_public_ip_association.this]
}

resource "azurerm_private_dns_zone" "this" {
  for_each = var.private_dns_zones

  name                = each.value
  resource_group_name = var.resource_group.name
  tags                = var.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "this" {
  for_each = var.private_dns_zones

  name                  = "link-${var.name}"
  private_dns_zone_name = azurerm_private_dns_zone.this[each.key].name
  resource_group_name   = var.resource_group.name
  virtual_network_id    = module.virtual_network.resource_id
  registration_enabled  = false
  tags                  = var.tags
}
