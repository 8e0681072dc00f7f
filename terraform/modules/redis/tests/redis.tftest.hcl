mock_provider "azurerm" {
  mock_resource "azurerm_managed_redis" {
    defaults = {
      id       = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-test/providers/Microsoft.Cache/redisEnterprise/redis-test"
      hostname = "redis-test.westeurope.redis.azure.net"
    }
  }
}

variables {
  name                      = "jobgate-test-000000"
  location                  = "westeurope"
  resource_group_name       = "rg-test"
  sku_name                  = "Balanced_B1"
  high_availability_enabled = true
  principal_ids             = { api = "66666666-6666-6666-6666-666666666666", worker = "77777777-7777-7777-7777-777777777777" }
  lock                      = true
  tags                      = {}

  private_endpoint = {
    subnet_id           = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-test/providers/Microsoft.Network/virtualNetworks/vnet/subnets/endpoints"
    private_dns_zone_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-test/providers/Microsoft.Network/privateDnsZones/privatelink.redis.azure.net"
  }
}

run "a_queue_and_no_cache" {
  command = apply

  assert {
    condition     = azurerm_managed_redis.this.default_database[0].eviction_policy == "NoEviction" && azurerm_managed_redis.this.default_database[0].clustering_policy == "NoCluster"
    error_message = "Nothing is evicted, and a client that knows no cluster is served."
  }

  assert {
    condition     = !azurerm_managed_redis.this.default_database[0].access_keys_authentication_enabled && azurerm_managed_redis.this.public_network_access == "Disabled"
    error_message = "No keys, and nothing over the Internet."
  }

  assert {
    condition     = toset([for assignment in azurerm_managed_redis_access_policy_assignment.this : assignment.object_id]) == toset(["66666666-6666-6666-6666-666666666666", "77777777-7777-7777-7777-777777777777"])
    error_message = "api and worker log in, nobody else."
  }

  assert {
    condition     = output.url == "rediss://redis-test.westeurope.redis.azure.net:10000"
    error_message = "TLS on port 10000."
  }
}

run "keys_on_disk" {
  command = plan

  variables {
    sku_name = "FlashOptimized_A250"
  }

  expect_failures = [var.sku_name]
}
