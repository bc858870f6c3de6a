"""Seeds, secret keys, and the commitment to them."""

from __future__ import annotations

from dataclasses import dataclass, field

from crewe import _core


class Key(_core.Secret):
    """A secret of 256 bits in place of a seed, which conceals the allocation.

    ``Key(secret)`` takes 32 bytes, ``Key.from_hex(text)`` the 64 hexadecimal digits that
    ``reveal()`` gives, :func:`new_key` draws one. Keep what ``reveal()`` gives apart from the
    design: without it the assignment cannot be drawn again, and with it anybody can compute it.

    It is redacted in print and cannot be pickled, and its bytes are held by the core, out of reach
    of tracebacks that show variables.

    Raises
    ------
    DesignError
        For anything but 32 bytes, or their digits.

    Examples
    --------
    >>> import crewe as cw
    >>> cw.Key.from_hex("00" * 32)
    Key(redacted)
    """

    # Whatever is given to it is read in the core: a function here would have it among its variables.
    __slots__ = ()


def new_key() -> Key:
    """Draw a secret key from the operating system."""
    return Key.draw()


@dataclass(frozen=True)
class Commitment:
    """A hash that fixes the design and its seed, to be lodged before the first unit is randomised.

    Attributes
    ----------
    digest : str
        SHA-256 over the design in canonical JSON and the seed, 64 hexadecimal digits.
    label : str
        "concealed by a 256-bit key", or "reproducible, not concealed" for an integer seed, since
        who holds the design can try all small integers until the hash fits.
    design : str
        The canonical JSON, which never holds the seed.
    """

    digest: str
    label: str
    design: str = field(repr=False)

    @classmethod
    def of(cls, made: _core.Commitment) -> Commitment:
        """Give what the core committed to."""
        return cls(made.digest, made.label, made.design)

    def __str__(self) -> str:
        return f"{self.digest} ({self.label})"
