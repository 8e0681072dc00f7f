# The alerts come from rules/jobgate.rules.yaml, the file that a Prometheus of one's own loads too. Azure wants the same
# with ISO 8601 durations and a number for the severity.

locals {
  rule_groups = yamldecode(file("${path.module}/rules/jobgate.rules.yaml")).groups
  severities  = { critical = 1, warning = 2 }
}

resource "azurerm_monitor_action_group" "this" {
  name                = "ag-${var.name}"
  resource_group_name = var.resource_group.name
  short_name          = "jobgate"
  tags                = var.tags

  dynamic "email_receiver" {
    for_each = toset(var.alert_emails)

    content {
      name                    = email_receiver.value
      email_address           = email_receiver.value
      use_common_alert_schema = true
    }
  }
}

resource "azurerm_monitor_alert_prometheus_rule_group" "this" {
  for_each = var.prometheus_enabled ? { for group in local.rule_groups : group.name => group } : {}

  name                = "${each.key}-${var.name}"
  location            = var.location
  resource_group_name = var.resource_group.name
  cluster_name        = var.cluster.name
  scopes              = [azurerm_monitor_workspace.this[0].id, var.cluster.id]
  interval            = "PT${upper(each.value.interval)}"
  rule_group_enabled  = true
  tags                = var.tags

  dynamic "rule" {
    for_each = each.value.rules

    content {
      alert       = rule.value.alert
      expression  = rule.value.expr
      for         = "PT${upper(rule.value.for)}"
      severity    = local.severities[rule.value.labels.severity]
      labels      = rule.value.labels
      annotations = rule.value.annotations

      action {
        action_group_id = azurerm_monitor_action_group.this.id
      }

      alert_resolution {
        auto_resolved   = true
        time_to_resolve = "PT5M"
      }
    }
  }
}
