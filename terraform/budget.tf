# What this environment may cost in a month. Most of it arises in the nodes' resource group, which is why the budget is the
# subscription's with a filter and not that of one group.

resource "time_static" "created" {}

resource "azurerm_consumption_budget_subscription" "this" {
  name            = "budget-${local.name}"
  subscription_id = "/subscriptions/${var.subscription_id}"
  amount          = var.budget_amount
  time_grain      = "Monthly"

  time_period {
    start_date = formatdate("YYYY-MM-01'T'00:00:00Z", time_static.created.rfc3339)
  }

  filter {
    dimension {
      name   = "ResourceGroupName"
      values = [azurerm_resource_group.this.name, module.aks.node_resource_group]
    }
  }

  dynamic "notification" {
    for_each = [
      { threshold = 80, type = "Actual" },
      { threshold = 100, type = "Actual" },
      { threshold = 100, type = "Forecasted" },
    ]

    content {
      operator       = "GreaterThanOrEqualTo"
      threshold      = notification.value.threshold
      threshold_type = notification.value.type
      contact_groups = [module.monitoring.action_group_id]
    }
  }
}
