"""FarmHash64 and SipHash of a few bytes: the hashes that Keras's layers use, so that the same bins come out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

_MASK = (1 << 64) - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def hash_key(salt: int | Sequence[int] | None, layer: str) -> list[int] | None:
    """The two integers of a layer's argument ``salt``; None for none."""
    key = salt if salt is None else [salt, salt] if isinstance(salt, int) else list(salt)
    if key is not None and (len(key) != 2 or not all(isinstance(k, int) for k in key)):
        raise ValueError(f"[{layer}] salt must be an integer or two of them; received {salt!r}")
    return key


def hash64(text: str, key: Sequence[int] | None) -> int:
    """FarmHash64 of the text, or SipHash with a key."""
    data = text.encode()
    return farmhash64(data) if key is None else siphash64(data, (key[0], key[1]))


@lru_cache(maxsize=1 << 16)
def farmhash64(data: bytes) -> int:
    """Fingerprint64 of Google's FarmHash (its variant "na"): 64 bits, the same on every machine.

    Example:
        >>> hex(dlbd.layers.preprocessing.hashes.farmhash64(b"hello"))
        '0xb48be5a931380ce8'
    """
    n = len(data)
    if n <= 16:
        return _up_to_16(data, n)
    if n <= 32:
        return _up_to_32(data, n)
    if n <= 64:
        return _up_to_64(data, n)
    return _long(data, n)


def _word(data: bytes, at: int, size: int = 8) -> int:
    return int.from_bytes(data[at : at + size], "little")


def _rotate(x: int, bits: int) -> int:
    """To the right; of the lower 64 bits."""
    x &= _MASK
    return (x >> bits | x << (64 - bits)) & _MASK


def _mixed(x: int) -> int:
    x &= _MASK
    return x ^ x >> 47


def _two(u: int, v: int, multiplier: int) -> int:
    a = _mixed(((u ^ v) & _MASK) * multiplier)
    return _mixed((v ^ a) * multiplier) * multiplier & _MASK


def _up_to_16(s: bytes, n: int) -> int:
    m = _K2 + 2 * n
    if n >= 8:
        a, b = _word(s, 0) + _K2, _word(s, n - 8)
        return _two((_rotate(b, 37) * m + a) & _MASK, (_rotate(a, 25) + b) * m & _MASK, m)
    if n >= 4:
        return _two(n + (_word(s, 0, 4) << 3), _word(s, n - 4, 4), m)
    if n:
        y, z = s[0] + (s[n // 2] << 8), n + (s[-1] << 2)
        return _mixed(y * _K2 ^ z * _K0) * _K2 & _MASK
    return _K2


def _up_to_32(s: bytes, n: int) -> int:
    m = _K2 + 2 * n
    a, b, c, d = _word(s, 0) * _K1, _word(s, 8), _word(s, n - 8) * m, _word(s, n - 16) * _K2
    u = (_rotate(a + b, 43) + _rotate(c, 30) + d) & _MASK
    return _two(u, (a + _rotate(b + _K2, 18) + c) & _MASK, m)


def _up_to_64(s: bytes, n: int) -> int:
    m = _K2 + 2 * n
    a, b, c, d = _word(s, 0) * _K2, _word(s, 8), _word(s, n - 8) * m, _word(s, n - 16) * _K2
    y = (_rotate(a + b, 43) + _rotate(c, 30) + d) & _MASK
    z = _two(y, (a + _rotate(b + _K2, 18) + c) & _MASK, m)
    e, f = _word(s, 16) * m, _word(s, 24)
    g, h = (y + _word(s, n - 32)) * m, (z + _word(s, n - 24)) * m
    u = (_rotate(e + f, 43) + _rotate(g, 30) + h) & _MASK
    return _two(u, (e + _rotate(f + a, 18) + g) & _MASK, m)


def _weak(s: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = (_word(s, at + 8 * i) for i in range(4))
    a += w
    b = _rotate(b + a + z, 21)
    c = a
    a += x + y
    return (a + z) & _MASK, (b + _rotate(a, 44) + c) & _MASK


def _long(s: bytes, n: int) -> int:
    x, y = 81, (81 * _K1 + 113) & _MASK
    z = _mixed(y * _K2 + 113) * _K2 & _MASK
    v, w = (0, 0), (0, 0)
    x = (x * _K2 + _word(s, 0)) & _MASK

    def step(at: int, m: int, w_factor: int, v_factor: int) -> None:
        nonlocal x, y, z, v, w
        x = _rotate(x + y + v[0] + _word(s, at + 8), 37) * m & _MASK
        y = _rotate(y + v[1] + _word(s, at + 48), 42) * m & _MASK
        x ^= w[1] * w_factor & _MASK
        y = (y + v[0] * v_factor + _word(s, at + 40)) & _MASK
        z = _rotate(z + w[0], 33) * m & _MASK
        v = _weak(s, at, v[1] * m, x + w[0])
        w = _weak(s, at + 32, z + w[1], y + _word(s, at + 16))
        z, x = x, z

    for at in range(0, (n - 1) // 64 * 64, 64):
        step(at, _K1, 1, 1)
    m = _K1 + ((z & 0xFF) << 1)
    w = (w[0] + ((n - 1) & 63), w[1])
    v = (v[0] + w[0], v[1])
    w = (w[0] + v[0], w[1])
    step(n - 64, m, 9, 9)
    u = (_two(v[0], w[0], m) + _mixed(y) * _K0 + z) & _MASK
    return _two(u, (_two(v[1], w[1], m) + x) & _MASK, m)


@lru_cache(maxsize=1 << 16)
def siphash64(data: bytes, key: tuple[int, int]) -> int:
    """SipHash-2-4 (Aumasson and Bernstein, 2012) with a key of two 64-bit numbers.

    Example:
        >>> key = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
        >>> hex(dlbd.layers.preprocessing.hashes.siphash64(bytes(range(15)), key))
        '0xa129ca6149be45e5'
    """
    k0, k1 = key[0] & _MASK, key[1] & _MASK
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]
    padded = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) & 0xFF])
    for at in range(0, len(padded), 8):
        word = _word(padded, at)
        v[3] ^= word
        _rounds(v, 2)
        v[0] ^= word
    v[2] ^= 0xFF
    _rounds(v, 4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _rounds(v: list[int], count: int) -> None:
    a, b, c, d = v
    for _ in range(count):
        a, c = (a + b) & _MASK, (c + d) & _MASK
        b, d = _rotate(b, 51) ^ a, _rotate(d, 48) ^ c
        a, c = _rotate(a, 32), c
        c, a = (c + b) & _MASK, (a + d) & _MASK
        b, d = _rotate(b, 47) ^ c, _rotate(d, 43) ^ a
        c = _rotate(c, 32)
    v[:] = a, b, c, d
