"""Seeds, secret keys, and the commitment to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np

from crewe import _core
from crewe.exceptions import DesignError, fault


class Key:
    """A secret of 256 bits in place of a seed, which conceals the allocation.

    It is redacted in print and cannot be pickled. Keep :meth:`reveal` apart from the design:
    without it the assignment cannot be drawn again, and with it anybody can compute it.

    Examples
    --------
    >>> import crewe as cw
    >>> cw.Key.from_hex("00" * 32)
    Key(redacted)
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        if not isinstance(secret, bytes) or len(secret) != 32:
            raise fault(DesignError, "a key is 32 bytes", remedy="Make one with crewe.new_key()")
        self._secret = secret

    @classmethod
    def from_hex(cls, text: str) -> Key:
        """Give the key that :meth:`reveal` wrote down."""
        try:
            secret = bytes.fromhex(text.strip())
        except ValueError:
            secret = b""
        return cls(secret)

    def reveal(self) -> str:
        """Give the secret as 64 hexadecimal digits, to be kept safe."""
        return self._secret.hex()

    def __repr__(self) -> str:
        return "Key(redacted)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self._secret == other._secret

    def __hash__(self) -> int:
        return hash(self._secret)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a crewe Key is left out of pickles; use reveal() and from_hex()")

    def __copy__(self) -> Key:
        return self

    def __deepcopy__(self, memo: object) -> Key:
        return self


def new_key() -> Key:
    """Draw a secret key from the operating system."""
    return Key(_core.new_key())


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

    def __str__(self) -> str:
        return f"{self.digest} ({self.label})"


def read_seed(seed: object) -> int | Key:
    """Read a seed: an integer or a key."""
    if isinstance(seed, Key):
        return seed
    if isinstance(seed, int | np.integer) and not isinstance(seed, bool) and 0 <= seed < 2**64:
        return int(seed)
    # The value itself is not shown: it may be a secret.
    raise fault(
        DesignError,
        f"a seed is an integer from 0 to 2^64 - 1 or a Key, not this {type(seed).__name__}",
        remedy="Pass seed=2017, or seed=crewe.new_key() for a trial that must conceal its allocation",
    )


def secret(seed: int | Key | None) -> int | bytes | None:
    """Give a seed as the core takes it."""
    return seed._secret if isinstance(seed, Key) else seed
