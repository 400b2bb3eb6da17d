"""The same training step in JAX: one jitted function over a `lax.scan` for each layer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.shapes import BETAS, CLIP, EPSILON, GATES, RATE, Setting, Shape, chunks_of

Tree = Any
"""Arrays in nested dictionaries, lists and tuples."""


VARIANTS = {"": 1, "unroll 5": 5}
"""How many time steps the compiler unrolls. Which is faster depends on the shape."""


def build(shape: Shape, setting: Setting) -> Callable[[], float]:
    """One whole step. JAX has read its number of threads from the environment."""
    params = initialized(shape)
    # The call donates its buffers, so no two arguments may share one.
    moments = tuple(jax.tree.map(jnp.zeros_like, params) for _ in range(2))
    state = start(shape)
    unroll = VARIANTS[setting.variant]
    train = jax.jit(partial(update, shape.cell, unroll), donate_argnums=(0, 1, 2))
    chunks = chunks_of(shape)
    count, loss = 0, jnp.zeros(())

    def step() -> float:
        nonlocal params, moments, state, count, loss
        ids, targets = (part.astype(np.int32) for part in next(chunks))
        count += 1
        before = loss
        params, moments, state, loss = train(params, moments, state, ids, targets, count)
        # Waiting for the previous step keeps JAX's calls asynchronous. On average there is still
        # one step per call.
        return float(before)

    return step


def initialized(shape: Shape) -> Tree:
    """Random parameters, with the names of charrnn's equations."""
    rng = np.random.default_rng(1)
    wide, bound = GATES[shape.cell] * shape.hidden, shape.hidden**-0.5

    def uniform(*size: int) -> jax.Array:
        return jnp.asarray(rng.uniform(-bound, bound, size).astype(np.float32))

    layers = []
    for n in range(shape.layers):
        inputs = shape.hidden if n else shape.symbols
        p = {"W": uniform(inputs, wide), "U": uniform(shape.hidden, wide), "b": uniform(wide)}
        if shape.cell == "gru":
            p["q"] = uniform(shape.hidden)
        layers.append(p)
    V, c = uniform(shape.hidden, shape.symbols), uniform(shape.symbols)
    return {"layers": layers, "V": V, "c": c}


def start(shape: Shape) -> Tree:
    """The state of all layers before the first symbol."""
    count = 2 if shape.cell == "lstm" else 1
    zeros = partial(jnp.zeros, (shape.batch, shape.hidden))
    return [tuple(zeros() for _ in range(count)) for _ in range(shape.layers)]


def cell(name: str, p: Tree, state: Tree, a: jax.Array) -> tuple[Tree, jax.Array]:
    """One time step from the input drive a `(B, gates * H)`."""
    h = state[0]
    u = h @ p["U"]
    if name == "rnn":
        h = jnp.tanh(a + u)
        return (h,), h
    if name == "gru":
        (ar, az, an), (ur, uz, un) = jnp.split(a, 3, axis=1), jnp.split(u, 3, axis=1)
        r, z = jax.nn.sigmoid(ar + ur), jax.nn.sigmoid(az + uz)
        n = jnp.tanh(an + r * (un + p["q"]))
        h = n + z * (h - n)
        return (h,), h
    i, f, g, o = jnp.split(a + u, 4, axis=1)
    c = jax.nn.sigmoid(f) * state[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
    h = jax.nn.sigmoid(o) * jnp.tanh(c)
    return (h, c), h


def loss_of(
    params: Tree, name: str, unroll: int, state: Tree, ids: jax.Array, targets: jax.Array
) -> tuple[jax.Array, Tree]:
    """Mean cross-entropy of a chunk, and the new state."""
    x, after = None, []
    for p, first in zip(params["layers"], state, strict=True):
        a = (p["W"][ids] if x is None else x @ p["W"]) + p["b"]
        last, x = jax.lax.scan(partial(cell, name, p), first, a, unroll=unroll)
        after.append(last)
    log_p = jax.nn.log_softmax(x @ params["V"] + params["c"])
    return -jnp.take_along_axis(log_p, targets[..., None], axis=-1).mean(), after


def update(
    name: str,
    unroll: int,
    params: Tree,
    moments: Tree,
    state: Tree,
    ids: jax.Array,
    targets: jax.Array,
    count: jax.Array,
) -> tuple[Tree, Tree, Tree, jax.Array]:
    """Gradient, clipping and Adam."""
    gradient = jax.value_and_grad(loss_of, has_aux=True)
    (loss, state), grads = gradient(params, name, unroll, state, ids, targets)
    norm = jnp.sqrt(sum(jnp.vdot(g, g) for g in jax.tree.leaves(grads)))
    scale = jnp.minimum(1.0, CLIP / norm)
    (b1, b2), (m, v) = BETAS, moments
    m = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * scale * g, m, grads)
    v = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * (scale * g) ** 2, v, grads)
    rate, unbias = RATE / (1 - b1**count), 1 / (1 - b2**count)
    params = jax.tree.map(
        lambda w, m, v: w - rate * m / (jnp.sqrt(v * unbias) + EPSILON), params, m, v
    )
    return params, (m, v), state, loss
