"""The operations in plain NumPy, gradients included: the float64 reference of every family, and the NumPy peer.

Written from the formulas and from nothing of ours, in the dtype of the inputs. Layouts are those of dlbd.ops.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def sigmoid(x: Array) -> Array:
    return (1 / (1 + np.exp(-x))).astype(x.dtype)


def _padded(x: Array, kernel: tuple[int, int], stride: int, padding: str, value: float = 0.0) -> tuple[Array, Any]:
    """x (N, H, W, C) padded as Keras's "same" or "valid", and the slice that cuts x out again."""
    pads = []
    for n, k in zip(x.shape[1:3], kernel, strict=True):
        total = max((-(-n // stride) - 1) * stride + k - n, 0) if padding == "same" else 0
        pads.append((total // 2, total - total // 2))
    cut = np.s_[:, pads[0][0] : pads[0][0] + x.shape[1], pads[1][0] : pads[1][0] + x.shape[2]]
    return np.pad(x, ((0, 0), *pads, (0, 0)), constant_values=value), cut


def _taps(x: Array, kernel: tuple[int, int], stride: int) -> Any:
    """(i, j, index of the elements of x that tap (i, j) of the window meets)."""
    rows, cols = ((n - k) // stride + 1 for n, k in zip(x.shape[1:3], kernel, strict=True))
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            yield i, j, np.s_[:, i : i + (rows - 1) * stride + 1 : stride, j : j + (cols - 1) * stride + 1 : stride]


def conv(x: Array, w: Array, b: Array, stride: int = 1, padding: str = "valid") -> Array:
    """x (N, H, W, C), w (kh, kw, C, F), b (F): one product per tap of the kernel."""
    x, _ = _padded(x, w.shape[:2], stride, padding)
    return sum((x[at] @ w[i, j] for i, j, at in _taps(x, w.shape[:2], stride)), b)


def conv_gradients(x: Array, w: Array, dy: Array, stride: int = 1, padding: str = "valid") -> tuple[Array, ...]:
    x, cut = _padded(x, w.shape[:2], stride, padding)
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for i, j, at in _taps(x, w.shape[:2], stride):
        dx[at] += dy @ w[i, j].T
        dw[i, j] = np.tensordot(x[at], dy, ((0, 1, 2), (0, 1, 2)))
    return dx[cut], dw, dy.sum((0, 1, 2))


def max_pool(x: Array, size: int, stride: int) -> Array:
    return np.max([x[at] for _, _, at in _taps(x, (size, size), stride)], axis=0)


def max_pool_gradient(x: Array, dy: Array, size: int, stride: int) -> Array:
    """The first maximum of each window takes all."""
    y, dx, free = max_pool(x, size, stride), np.zeros_like(x), np.ones(dy.shape, bool)
    for _, _, at in _taps(x, (size, size), stride):
        hit = free & (x[at] == y)
        dx[at] += dy * hit
        free &= ~hit
    return dx


def average_pool(x: Array, size: int, stride: int) -> Array:
    return sum(x[at] for _, _, at in _taps(x, (size, size), stride)) / np.asarray(size * size, x.dtype)


def average_pool_gradient(x: Array, dy: Array, size: int, stride: int) -> Array:
    dx = np.zeros_like(x)
    for _, _, at in _taps(x, (size, size), stride):
        dx[at] += dy / np.asarray(size * size, x.dtype)
    return dx


def rnn(x: Array, w: Array, u: Array, b: Array, dy: Array | None = None) -> tuple[Array, ...]:
    """tanh RNN over x (B, T, D); w (D, H), u (H, H), b (H). Returns y (B, T, H), and dx dw du db if dy is given."""
    steps = x.shape[1]
    z, y = x @ w + b, np.zeros((*x.shape[:2], u.shape[0]), x.dtype)
    h = y[:, 0] * 0
    for t in range(steps):
        y[:, t] = h = np.tanh(z[:, t] + h @ u)
    if dy is None:
        return (y,)
    dz, dh = np.zeros_like(z), np.zeros_like(h)
    for t in reversed(range(steps)):
        dz[:, t] = (dy[:, t] + dh) * (1 - y[:, t] ** 2)
        dh = dz[:, t] @ u.T
    return y, *_projection_gradients(x, _before(y), w, dz, dz)


def lstm(x: Array, w: Array, u: Array, b: Array, dy: Array | None = None) -> tuple[Array, ...]:
    """Gates in the order i f c o: w (D, 4H), u (H, 4H), b (4H)."""
    steps, units = x.shape[1], u.shape[0]
    z, y = x @ w + b, np.zeros((*x.shape[:2], units), x.dtype)
    c = np.zeros_like(y)
    h, cell = y[:, 0], c[:, 0]
    for t in range(steps):
        z[:, t] += h @ u
        i, f, g, o = np.split(z[:, t], 4, axis=-1)
        i[...], f[...], g[...], o[...] = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c[:, t] = cell = f * cell + i * g
        y[:, t] = h = o * np.tanh(cell)
    if dy is None:
        return (y,)
    dz, dh, dc = np.zeros_like(z), np.zeros_like(h), np.zeros_like(h)
    for t in reversed(range(steps)):
        i, f, g, o = np.split(z[:, t], 4, axis=-1)
        dh = dh + dy[:, t]
        tanh_c = np.tanh(c[:, t])
        dc = dc + dh * o * (1 - tanh_c**2)
        before = c[:, t - 1] if t else 0 * dc
        gates = dc * g * i * (1 - i), dc * before * f * (1 - f), dc * i * (1 - g**2), dh * tanh_c * o * (1 - o)
        dz[:, t] = np.concatenate(gates, axis=-1)
        dc, dh = dc * f, dz[:, t] @ u.T
    return y, *_projection_gradients(x, _before(y), w, dz, dz)


def gru(x: Array, w: Array, u: Array, b: Array, dy: Array | None = None) -> tuple[Array, ...]:
    """Gates in the order z r h, reset after the product: w (D, 3H), u (H, 3H), b (2, 3H)."""
    steps, units = x.shape[1], u.shape[0]
    a, y = x @ w + b[0], np.zeros((*x.shape[:2], units), x.dtype)
    inner = np.zeros_like(y)
    h = y[:, 0]
    for t in range(steps):
        r = h @ u + b[1]
        gate, reset, candidate = np.split(a[:, t], 3, axis=-1)
        inner[:, t] = r[:, 2 * units :]
        gate[...] = sigmoid(gate + r[:, :units])
        reset[...] = sigmoid(reset + r[:, units : 2 * units])
        candidate[...] = np.tanh(candidate + reset * inner[:, t])
        y[:, t] = h = gate * h + (1 - gate) * candidate
    if dy is None:
        return (y,)
    da, dr, dh = np.zeros_like(a), np.zeros_like(a), np.zeros_like(h)
    for t in reversed(range(steps)):
        gate, reset, candidate = np.split(a[:, t], 3, axis=-1)
        dh = dh + dy[:, t]
        before = y[:, t - 1] if t else 0 * dh
        dcandidate = dh * (1 - gate) * (1 - candidate**2)
        dgate = dh * (before - candidate) * gate * (1 - gate)
        dreset = dcandidate * inner[:, t] * reset * (1 - reset)
        da[:, t] = np.concatenate((dgate, dreset, dcandidate), axis=-1)
        dr[:, t] = np.concatenate((dgate, dreset, dcandidate * reset), axis=-1)
        dh = dh * gate + dr[:, t] @ u.T
    dx, dw, du, db = _projection_gradients(x, _before(y), w, da, dr)
    return y, dx, dw, du, np.stack((db, dr.sum((0, 1))))


def _before(y: Array) -> Array:
    return np.concatenate((0 * y[:, :1], y[:, :-1]), axis=1)


def _projection_gradients(x: Array, before: Array, w: Array, dz: Array, dr: Array) -> tuple[Array, ...]:
    over = ((0, 1), (0, 1))
    return dz @ w.T, np.tensordot(x, dz, over), np.tensordot(before, dr, over), dz.sum((0, 1))


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    e /= e.sum(-1, keepdims=True)
    return e


def softmax_gradient(y: Array, dy: Array) -> Array:
    return y * (dy - (y * dy).sum(-1, keepdims=True))


def attention(q: Array, k: Array, v: Array, causal: bool, dy: Array | None = None) -> tuple[Array, ...]:
    """q k v (B, T, heads, D). Returns y, and dq dk dv if dy is given. One head at a time: T x T at most."""
    scale = np.asarray(q.shape[-1] ** -0.5, q.dtype)
    y = np.empty_like(q)
    grads = [np.empty_like(a) for a in (q, k, v)]
    hidden = np.triu(np.ones((q.shape[1], k.shape[1]), bool), 1) if causal else None
    for b in range(q.shape[0]):
        for head in range(q.shape[2]):
            at = np.s_[b, :, head]
            s = q[at] @ k[at].T * scale
            if hidden is not None:
                s[hidden] = -np.inf
            p = softmax(s)
            y[at] = p @ v[at]
            if dy is None:
                continue
            dp = dy[at] @ v[at].T
            ds = softmax_gradient(p, dp) * scale
            grads[0][at], grads[1][at], grads[2][at] = ds @ k[at], ds.T @ q[at], p.T @ dy[at]
    return (y,) if dy is None else (y, *grads)


def layer_norm(x: Array, gamma: Array, beta: Array, epsilon: float) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + np.asarray(epsilon, x.dtype)) * gamma + beta


def layer_norm_gradients(x: Array, gamma: Array, dy: Array, epsilon: float) -> tuple[Array, ...]:
    centred = x - x.mean(-1, keepdims=True)
    inverse = 1 / np.sqrt((centred**2).mean(-1, keepdims=True) + np.asarray(epsilon, x.dtype))
    normal, dn = centred * inverse, dy * gamma
    dx = inverse * (dn - dn.mean(-1, keepdims=True) - normal * (dn * normal).mean(-1, keepdims=True))
    return dx, (dy * normal).sum(0), dy.sum(0)


def gelu(x: Array) -> Array:
    """The tanh form."""
    c = np.asarray(np.sqrt(2 / np.pi), x.dtype)
    return x / 2 * (1 + np.tanh(c * (x + np.asarray(0.044715, x.dtype) * x**3)))


def adam(p: Array, g: Array, steps: int, rate: float = 1e-3, beta1: float = 0.9, beta2: float = 0.999) -> Array:
    """``steps`` updates with the same gradient from zero moments, as Keras writes them."""
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t in range(1, steps + 1):
        m += (g - m) * np.asarray(1 - beta1, p.dtype)
        v += (g * g - v) * np.asarray(1 - beta2, p.dtype)
        alpha = np.asarray(rate * np.sqrt(1 - beta2**t) / (1 - beta1**t), p.dtype)
        p = p - m * alpha / (np.sqrt(v) + np.asarray(1e-7, p.dtype))
    return p
