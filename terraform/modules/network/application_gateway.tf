# Application Gateway for Containers with a web application firewall, for those who want one in front. Its controller in the
# cluster turns Gateways of the class azure-alb-external into what this gateway does.

locals {
  gateway_count = var.gateway_subnet_enabled ? 1 : 0
}

resource "azurerm_application_load_balancer" "this" {
  count = local.gateway_count

  name                = "alb-${var.name}"
  location            = var.location
  resource_group_name = var.resource_group.name
  tags                = var.tags
}

resource "azurerm_application_load_balancer_subnet_association" "this" {
  count = local.gateway_count

  name                         = "snet-gateway"
  application_load_balancer_id = azurerm_application_load_balancer.this[0].id
  subnet_id                    = module.virtual_network.subnets["gateway"].resource_id
  tags                         = var.tags
}

resource "azurerm_application_load_balancer_frontend" "this" {
  count = local.gateway_count

  name                         = "jobgate"
  application_load_balancer_id = azurerm_application_load_balancer.this[0].id
  tags                         = var.tags
}

resource "azurerm_web_application_firewall_policy" "this" {
  count = local.gateway_count

  name                = "waf-${var.name}"
  location            = var.location
  resource_group_name = var.resource_group.name
  tags                = var.tags

  # A payload is whatever a caller's job needs, so bodies are not searched for attacks; the api bounds their size.
  policy_settings {
    enabled            = true
    mode               = "Prevention"
    request_body_check = false
  }

  managed_rules {
    managed_rule_set {
      type    = "Microsoft_DefaultRuleSet"
      version = "2.1"
    }
  }
}

resource "azurerm_application_load_balancer_security_policy" "this" {
  count = local.gateway_count

  name                               = "waf"
  location                           = var.location
  application_load_balancer_id       = azurerm_application_load_balancer.this[0].id
  web_application_firewall_policy_id = azurerm_web_application_firewall_policy.this[0].id
  tags                               = var.tags
}
