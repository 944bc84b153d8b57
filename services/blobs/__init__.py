"""Blobs in S3, streamed in bounded memory."""
