locals {
  clusters = concat(["global"], [for number in range(1, var.shards + 1) : "shard-${number}"])

  # What moves and replicas need of deploy/fleet/postgres.py; rds.logical_replication is its
  # wal_level=logical. Sizes are megabytes.
  at_start = {
    "rds.logical_replication"         = "1"
    "max_replication_slots"           = "24"
    "max_wal_senders"                 = "24"
    "max_logical_replication_workers" = "16"
    "max_worker_processes"            = "24"
  }
  at_once = {
    "rds.force_ssl"          = "1"
    "password_encryption"    = "scram-sha-256"
    "max_slot_wal_keep_size" = "4096"
  }
}

resource "aws_db_subnet_group" "databases" {
  name       = "docshard-${var.fleet}"
  subnet_ids = var.subnet_ids
}

resource "aws_security_group" "databases" {
  name_prefix = "docshard-${var.fleet}-databases-"
  description = "PostgreSQL of docshard"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "from_services" {
  security_group_id            = aws_security_group.databases.id
  referenced_security_group_id = var.service_security_group_id
  from_port                    = 5432
  to_port                      = 5432
  ip_protocol                  = "tcp"
  description                  = "Routers, workers, poolers"
}

# In a move one shard subscribes to another.
resource "aws_vpc_security_group_ingress_rule" "from_each_other" {
  security_group_id            = aws_security_group.databases.id
  referenced_security_group_id = aws_security_group.databases.id
  from_port                    = 5432
  to_port                      = 5432
  ip_protocol                  = "tcp"
  description                  = "Moves of tenants"
}

resource "aws_vpc_security_group_egress_rule" "to_each_other" {
  security_group_id            = aws_security_group.databases.id
  referenced_security_group_id = aws_security_group.databases.id
  from_port                    = 5432
  to_port                      = 5432
  ip_protocol                  = "tcp"
  description                  = "Moves of tenants"
}

resource "aws_db_parameter_group" "databases" {
  name_prefix = "docshard-${var.fleet}-"
  family      = "postgres17"

  dynamic "parameter" {
    for_each = merge(local.at_start, local.at_once)

    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = contains(keys(local.at_start), parameter.key) ? "pending-reboot" : "immediate"
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_db_instance" "cluster" {
  for_each = toset(local.clusters)

  identifier     = "docshard-${var.fleet}-${each.key}"
  engine         = "postgres"
  engine_version = "17"
  instance_class = var.instance_class

  # A standby in another zone that confirms every write; RDS fails over to it.
  multi_az = true

  storage_type          = "gp3"
  allocated_storage     = var.storage_gib.first
  max_allocated_storage = var.storage_gib.most
  storage_encrypted     = true
  kms_key_id            = aws_kms_key.databases.arn

  username                      = "postgres"
  manage_master_user_password   = true
  master_user_secret_kms_key_id = aws_kms_key.databases.arn

  db_subnet_group_name   = aws_db_subnet_group.databases.name
  vpc_security_group_ids = [aws_security_group.databases.id]
  parameter_group_name   = aws_db_parameter_group.databases.name
  publicly_accessible    = false
  ca_cert_identifier     = "rds-ca-rsa2048-g1"

  # As far back as blobs of purged documents are kept: DOCSHARD_PURGE_AFTER_DAYS.
  backup_retention_period = 35
  copy_tags_to_snapshot   = true
  deletion_protection     = true
  skip_final_snapshot     = false

  final_snapshot_identifier  = "docshard-${var.fleet}-${each.key}-final"
  auto_minor_version_upgrade = true

  performance_insights_enabled    = true
  performance_insights_kms_key_id = aws_kms_key.databases.arn
  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]

  lifecycle {
    prevent_destroy = true
  }
}
