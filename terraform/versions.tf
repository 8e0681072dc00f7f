# azurerm 4.81 is the one line that all four Azure Verified Modules can be had with: see docs/decisions.
terraform {
  required_version = ">= 1.12, < 2.0"

  required_providers {
    azapi = {
      source  = "Azure/azapi"
      version = "~> 2.12"
    }
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 4.81"
    }
    time = {
      source  = "hashicorp/time"
      version = "~> 0.13"
    }
  }
}
