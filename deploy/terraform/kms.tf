# Three keys, so that whoever may use one may not use the others.

# Wraps docshard's own data keys: DOCSHARD_KMS_KEY_ID. Nothing but the service's role uses it, and
# without it no sealed field opens; hence the longest delay that there is.
resource "aws_kms_key" "fields" {
  description             = "docshard ${var.fleet}: wraps the data keys of sealed fields"
  deletion_window_in_days = 30
  enable_key_rotation     = true
}

resource "aws_kms_key" "databases" {
  description             = "docshard ${var.fleet}: volumes, snapshots and superusers' passwords"
  deletion_window_in_days = 30
  enable_key_rotation     = true
}

resource "aws_kms_key" "blobs" {
  description             = "docshard ${var.fleet}: blobs"
  deletion_window_in_days = 30
  enable_key_rotation     = true
}

# A key does not leave its region: copies are sealed by one of theirs.
resource "aws_kms_key" "blobs_replica" {
  provider = aws.replica

  description             = "docshard ${var.fleet}: copies of blobs"
  deletion_window_in_days = 30
  enable_key_rotation     = true
}
