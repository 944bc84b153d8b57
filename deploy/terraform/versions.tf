terraform {
  required_version = ">= 1.6"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.60"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { service = "docshard", fleet = var.fleet }
  }
}

# Where the copies of blobs lie.
provider "aws" {
  alias  = "replica"
  region = var.replica_region

  default_tags {
    tags = { service = "docshard", fleet = var.fleet }
  }
}
