variable "name" {
  type        = string
  description = "What the names of the identities end with, for example jobgate-dev."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name))
    error_message = "The name is made of 3 to 40 lower case letters, digits and dashes, and begins with a letter."
  }
}

variable "location" {
  type        = string
  description = "The Azure region."
}

variable "resource_group_name" {
  type        = string
  description = "The resource group of the identities."
}

variable "workload_subjects" {
  type        = map(string)
  description = "The identities of what runs in the cluster: a name, and the service account that may take it (system:serviceaccount:<namespace>:<name>)."

  validation {
    condition     = alltrue([for subject in values(var.workload_subjects) : can(regex("^system:serviceaccount:[a-z0-9-]+:[a-z0-9-]+$", subject))])
    error_message = "A subject is system:serviceaccount:<namespace>:<name>."
  }
}

variable "workload_issuer" {
  type        = string
  description = "The cluster's issuer of service account tokens."
}

variable "pipeline_subjects" {
  type        = map(string)
  description = "The identities of the pipeline: a name, and the subject of the token that may take it."

  validation {
    condition     = alltrue([for subject in values(var.pipeline_subjects) : can(regex("^repo:[^/: ]+/[^/: ]+:(environment:[^: ]+|pull_request|ref:refs/.+)$", subject))])
    error_message = "A subject is repo:OWNER/REPO:environment:NAME, …:pull_request or …:ref:refs/heads/BRANCH; in repositories made after 2026-06-18, repo:OWNER-<id>/REPO-<id>:…. Case counts."
  }
}

variable "pipeline_issuer" {
  type        = string
  description = "The issuer of the pipeline's tokens."

  validation {
    condition     = startswith(var.pipeline_issuer, "https://")
    error_message = "An issuer is an https address."
  }
}

variable "tags" {
  type        = map(string)
  description = "Tags of all resources."
}
