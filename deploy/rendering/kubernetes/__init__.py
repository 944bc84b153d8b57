"""Kubernetes: a kustomize base and two overlays; PostgreSQL and PgBouncer under CloudNativePG."""

from deploy.rendering.kubernetes.kustomization import TARGET, render

__all__ = ["TARGET", "render"]
