mock_provider "azurerm" {}
mock_provider "azapi" {}

variables {
  name              = "jobgate-test"
  location          = "westeurope"
  resource_group    = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-test", name = "rg-test" }
  address_space     = "10.0.0.0/16"
  subnet_prefixes   = { nodes = "10.0.1.0/24", endpoints = "10.0.2.0/24", gateway = "10.0.3.0/24" }
  private_dns_zones = { blob = "privatelink.blob.core.windows.net" }
  zones             = []
  tags              = {}

  nat_gateway_enabled    = false
  gateway_subnet_enabled = false
}

run "closed_by_default" {
  command = plan

  assert {
    condition     = [for rule in azurerm_network_security_group.this["nodes"].security_rule : rule.access if rule.priority == 4096] == ["Deny"]
    error_message = "The last rule of the nodes must deny everything."
  }

  assert {
    condition = toset(flatten([
      for rule in azurerm_network_security_group.this["nodes"].security_rule : rule.destination_port_ranges if rule.source_address_prefix == "Internet"
    ])) == toset(["80", "443"])
    error_message = "Only HTTP and HTTPS may come from the Internet."
  }

  assert {
    condition     = length([for rule in azurerm_network_security_group.this["endpoints"].security_rule : rule if rule.access == "Allow" && rule.source_address_prefix != "10.0.1.0/24"]) == 0
    error_message = "Only the nodes may reach the private endpoints."
  }

  assert {
    condition     = length(azurerm_nat_gateway.this) == 0
    error_message = "There must be no NAT gateway unless it was asked for."
  }
}

run "with_nat_and_gateway" {
  command = plan

  variables {
    nat_gateway_enabled    = true
    gateway_subnet_enabled = true
    zones                  = ["1", "2", "3"]
  }

  assert {
    condition     = azurerm_public_ip.nat[0].allocation_method == "Static" && azurerm_public_ip.nat[0].zones == toset(["1"])
    error_message = "The NAT gateway's address must be fixed, and in the gateway's zone."
  }

  assert {
    condition     = local.gateway_subnet.gateway.delegations[0].service_delegation.name == "Microsoft.ServiceNetworking/trafficControllers"
    error_message = "The gateway's subnet must be delegated."
  }
}

run "small_gateway_subnet" {
  command = plan

  variables {
    subnet_prefixes = { nodes = "10.0.1.0/24", endpoints = "10.0.2.0/24", gateway = "10.0.3.0/26" }
  }

  expect_failures = [var.subnet_prefixes]
}

run "no_range" {
  command = plan

  variables {
    address_space = "10.0.0.0"
  }

  expect_failures = [var.address_space]
}
