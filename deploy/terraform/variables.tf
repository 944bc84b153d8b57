variable "fleet" {
  description = "The fleet's name, as in [fleet] of its fleet file."
  type        = string
  default     = "example"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,39}$", var.fleet))
    error_message = "Small letters, digits and dashes, a letter first."
  }
}

variable "region" {
  description = "Where the fleet runs."
  type        = string
  default     = "eu-central-1"
}

variable "replica_region" {
  description = "Where blobs are copied to: another region, so that one region's loss loses none."
  type        = string
  default     = "eu-west-1"
}

variable "shards" {
  description = "How many shards; each is an instance of its own, as is the global database."
  type        = number
  default     = 2

  validation {
    condition     = var.shards >= 1 && var.shards <= 64
    error_message = "1 to 64."
  }
}

variable "vpc_id" {
  description = "The network that everything is in."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets in at least two zones: the standby stands in another one."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "At least two, in different zones."
  }
}

variable "service_security_group_id" {
  description = "The security group of routers, workers and poolers: nobody else reaches the databases."
  type        = string
}

variable "instance_class" {
  description = "The servers' size."
  type        = string
  default     = "db.m7g.large"
}

variable "storage_gib" {
  description = "The first size of each server's volume, and how far it may grow."
  type        = object({ first = number, most = number })
  default     = { first = 100, most = 1000 }
}
