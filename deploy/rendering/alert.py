"""One alert, whoever tells the figure it looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deploy.rendering import yaml

Severity = Literal["page", "ticket"]
"""`page`: somebody is called now; `ticket`: somebody looks today."""


@dataclass(frozen=True)
class Alert:
    """One rule. `lasts` is how long it must hold; `told` says what it means and what to do first;
    docs/runbooks.md has a section of its name."""

    name: str
    expression: str
    lasts: str
    severity: Severity
    told: str
    cluster: str | None = None

    def rule(self) -> dict[str, yaml.Value]:
        """As Prometheus reads it."""
        labels = {"severity": self.severity} | ({"cluster": self.cluster} if self.cluster else {})
        return {
            "alert": self.name,
            "annotations": {
                "description": self.told,
                "runbook": f"docs/runbooks.md#{self.name.lower()}",
            },
            "expr": self.expression,
            "for": self.lasts,
            "labels": labels,
        }
