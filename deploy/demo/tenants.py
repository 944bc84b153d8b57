"""The demo's tenants and how large their collections are. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant of the demo; the first has the largest collection."""

    code: str
    name: str


TENANTS = (
    Tenant("harbour-legal", "Harbour & Finch Legal"),
    Tenant("meridian-press", "Meridian Press"),
    Tenant("oakfield-clinic", "Oakfield Clinic"),
    Tenant("tessera-museum", "Tessera Museum of Print"),
    Tenant("nordlys-energy", "Nordlys Energy"),
    Tenant("quarry-bank", "Quarry Lane Bank"),
    Tenant("bellweather-air", "Bellweather Airways"),
    Tenant("saffron-kitchens", "Saffron Kitchens"),
    Tenant("ironbridge-works", "Ironbridge Works"),
    Tenant("lumen-school", "Lumen School"),
    Tenant("pinewood-surveyors", "Pinewood Surveyors"),
    Tenant("corner-bakery", "The Corner Bakery"),
)


def zipf_sizes(total: int, count: int) -> list[int]:
    """Split a total into sizes proportional to 1/1, 1/2, 1/3, …, each at least 1.

    Zipf's law is how real tenants are spread: a few hold most. The sizes sum to the total.
    Raises ValueError when there is not one for each.
    """
    if not 0 < count <= total:
        raise ValueError(f"{total} cannot be split into {count} parts")
    shares = [1 / rank for rank in range(1, count + 1)]
    spare, scale = total - count, sum(shares)
    sizes = [1 + int(spare * share / scale) for share in shares]
    for rank in range(total - sum(sizes)):  # what rounding left over, fewer than count
        sizes[rank] += 1
    return sizes
