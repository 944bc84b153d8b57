"""What must always hold (I5 to I8), proven from what a living fleet has stored.

`findings`, `documents` and `archived` judge plain facts; `proof` gathers these, tenant by tenant.
"""
