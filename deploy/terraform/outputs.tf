output "cluster_hosts" {
  description = "For [[cluster.node]] of the fleet file: one node for each, without patroni_port."
  value       = { for name, instance in aws_db_instance.cluster : name => instance.address }
}

output "superuser_secrets" {
  description = "Where Secrets Manager keeps each superuser's password, for `docshard shard prepare`."
  value       = { for name, instance in aws_db_instance.cluster : name => instance.master_user_secret[0].secret_arn }
}

output "bucket" {
  description = "For [storage] of the fleet file."
  value       = aws_s3_bucket.blobs.bucket
}

output "field_key" {
  description = "For DOCSHARD_KMS_KEY_ID in [service.settings]."
  value       = aws_kms_key.fields.arn
}

output "service_policy" {
  description = "To attach to the role or user of routers, workers and commands."
  value       = aws_iam_policy.service.arn
}

output "operator_policy" {
  description = "To attach to who runs commands, and to DOCSHARD_BACKUP_ACCESS_KEY's user: every version."
  value       = aws_iam_policy.operator.arn
}
