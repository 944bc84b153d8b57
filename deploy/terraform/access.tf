# What S3 may do to copy blobs, and nothing else.
data "aws_iam_policy_document" "s3_assumes" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "replication" {
  name_prefix        = "docshard-${var.fleet}-replication-"
  assume_role_policy = data.aws_iam_policy_document.s3_assumes.json
}

data "aws_iam_policy_document" "replication" {
  statement {
    actions   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
    resources = [aws_s3_bucket.blobs.arn]
  }

  statement {
    actions = [
      "s3:GetObjectVersionForReplication",
      "s3:GetObjectVersionAcl",
      "s3:GetObjectVersionTagging",
    ]
    resources = ["${aws_s3_bucket.blobs.arn}/*"]
  }

  statement {
    actions   = ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"]
    resources = ["${aws_s3_bucket.replica.arn}/*"]
  }

  statement {
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.blobs.arn]
  }

  statement {
    actions   = ["kms:Encrypt"]
    resources = [aws_kms_key.blobs_replica.arn]
  }
}

resource "aws_iam_role_policy" "replication" {
  name_prefix = "copies-"
  role        = aws_iam_role.replication.id
  policy      = data.aws_iam_policy_document.replication.json
}

# What routers, workers and commands may do; attach it to their role or user.
data "aws_iam_policy_document" "service" {
  statement {
    actions = [
      "s3:ListBucket",
      "s3:ListBucketMultipartUploads",
    ]
    resources = [aws_s3_bucket.blobs.arn]
  }

  statement {
    actions = [
      "s3:AbortMultipartUpload",
      "s3:DeleteObject",
      "s3:GetObject",
      "s3:ListMultipartUploadParts",
      "s3:PutObject",
    ]
    resources = ["${aws_s3_bucket.blobs.arn}/*"]
  }

  statement {
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.blobs.arn]
  }

  statement {
    actions   = ["kms:Decrypt", "kms:Encrypt"]
    resources = [aws_kms_key.fields.arn]
  }
}

resource "aws_iam_policy" "service" {
  name_prefix = "docshard-${var.fleet}-service-"
  policy      = data.aws_iam_policy_document.service.json
}

# What an operator's command may do besides: `docshard client erase` removes every version in both
# buckets, `docshard backup restore-client` reads earlier ones. No router or worker has a use for it.
data "aws_iam_policy_document" "operator" {
  statement {
    actions = [
      "s3:ListBucket",
      "s3:ListBucketMultipartUploads",
      "s3:ListBucketVersions",
    ]
    resources = [aws_s3_bucket.blobs.arn, aws_s3_bucket.replica.arn]
  }

  statement {
    actions = [
      "s3:AbortMultipartUpload",
      "s3:DeleteObject",
      "s3:DeleteObjectVersion",
      "s3:GetObject",
      "s3:GetObjectVersion",
    ]
    resources = ["${aws_s3_bucket.blobs.arn}/*", "${aws_s3_bucket.replica.arn}/*"]
  }

  statement {
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.blobs.arn, aws_kms_key.blobs_replica.arn]
  }
}

resource "aws_iam_policy" "operator" {
  name_prefix = "docshard-${var.fleet}-operator-"
  policy      = data.aws_iam_policy_document.operator.json
}
