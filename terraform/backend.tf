# The state lies in a storage account of its own, which `make deploy` makes before anything else and whose name follows from
# the subscription. Whoever uses it logs in to Entra; the account has no keys that work. Which account and which blob:
# terraform/scripts/common.sh.
terraform {
  backend "azurerm" {
    use_azuread_auth = true
  }
}
