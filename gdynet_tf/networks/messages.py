"""Messages of the neighbours in a convolution, with little arithmetic for each edge.

The edge term u(d) W of a convolution is a function of one distance. It is tabulated once a step, as its Taylor series
about the points of a fine grid, and read off for each edge, in place of a product with G Gaussians. Its derivative with
respect to W is collected on the grid first. For each edge, F numbers are kept until the derivative is taken.
"""

import math
from functools import cached_property
from typing import Any

import numpy as np
from keras import ops
from numpy.polynomial.hermite import hermval

from gdynet_tf.graphs.expansion import gaussian_centers

__all__ = ["GaussianTable", "attend"]

Tensor = Any  # of the backend that Keras runs on

_POINTS_PER_SIGMA = 50  # `attend` then leaves out 3e-5 of the derivative of an edge, at most 8e-5
_ORDERS = 5  # of the series: exact to rounding; compilers make vector code of five, and none of three
_REACH = 4.2  # sigma beyond the outermost centres, where a Gaussian is below 3e-8


class GaussianTable:
    """The Gaussian expansion u_t(d) = exp(-(d - mu_t)^2 / sigma^2) as Taylor series about the points of a grid.

    Parameters
    ----------
    dmin, dmax, step, sigma : float
        Å, as for `GaussianExpansion`.

    Attributes
    ----------
    centers : (G,) float64
        Å.
    start, spacing : float
        First point of the grid, and h, the distance between two, in Å.
    n_points : int
        K.
    """

    def __init__(self, dmin: float = 0.0, dmax: float = 7.0, step: float = 0.2, sigma: float = 0.2) -> None:
        centers = gaussian_centers(dmin, dmax, step)
        self.centers, self.sigma = centers, sigma
        self.start, self.spacing = max(0.0, dmin - _REACH * sigma), sigma / _POINTS_PER_SIGMA
        self.n_points = math.ceil((centers[-1] + _REACH * sigma - self.start) / self.spacing) + 1

    @cached_property
    def orders(self) -> np.ndarray:
        """h^p / p! times the p-th derivative of u_t at the points, p = 0 to 4: (5, K, G) float32."""
        points = self.start + self.spacing * np.arange(self.n_points)[:, None]
        y = (points - self.centers) / self.sigma  # (K, G)
        # The p-th derivative of exp(-y^2) is (-1)^p H_p(y) exp(-y^2), with Hermite's polynomials.
        factors = [(-1 / _POINTS_PER_SIGMA) ** p / math.factorial(p) for p in range(_ORDERS)]
        polynomials = [hermval(y, np.eye(_ORDERS)[p]) for p in range(_ORDERS)]
        return (np.reshape(factors, (-1, 1, 1)) * polynomials * np.exp(-(y**2))).astype(np.float32)

    def place(self, distances: Tensor) -> tuple[Tensor, Tensor]:
        """Nearest point of the grid, and where from there; what is outside is put at an end.

        Parameters
        ----------
        distances : tensor (...)
            Å.

        Returns
        -------
        point : int tensor (...)
        offset : tensor (...)
            In steps of the grid, -0.5 to 0.5.
        """
        last = self.n_points - 1
        steps = ops.clip((distances - self.start) * (1 / self.spacing), 0.0, float(last))
        point = ops.clip(ops.cast(steps + 0.5, "int32"), 0, last)  # no number may be any integer
        return point, steps - ops.cast(point, steps.dtype)

    def slopes(self, distances: Tensor) -> Tensor:
        """Derivatives of the Gaussians, 1/Å: (...) -> (..., G)."""
        y = (ops.expand_dims(distances, -1) - self.centers.astype(np.float32)) / self.sigma
        return (-2 / self.sigma) * y * ops.exp(-ops.square(y))


def attend(
    own: Tensor, other: Tensor, score: Tensor, kernel: Tensor, distances: Tensor, rows: Tensor, table: GaussianTable
) -> Tensor:
    """Sum over the neighbours of alpha_ij ReLU(core_ij) in one convolution.

    core_ij = own_i + other_j + u(d_ij) W_n, and alpha is the softmax over j of score_j + u(d_ij) w_a. (What the centre
    adds to that is the same for all its neighbours, and has no effect.)

    Parameters
    ----------
    own : tensor (B, R, F)
    other : tensor (S, F)
    score : tensor (S,)
    kernel : tensor (G, F + 1)
        W_n and w_a.
    distances : tensor (B, R, M)
        Å.
    rows : int tensor (B, R, M)
        Of ``other`` and ``score``: which neighbour.
    table : GaussianTable

    Returns
    -------
    tensor (B, R, F)
        Its derivatives with respect to all arguments but the last two are known to automatic differentiation: that for
        ``kernel`` differs by some 1e-5 of its length, the others by rounding.
    """
    n_rows, n_features, n_points = ops.shape(other)[0], own.shape[-1], table.n_points

    def subtract_series(start: Tensor, terms: list[Tensor], point: Tensor, offset: Tensor) -> Tensor:
        """``start`` without the series. In this order XLA makes one array of it, in another one of each term.

        Not a sum: TensorFlow adds in another order where it knows more of the shapes, and rounds otherwise.
        """
        value, *higher = (ops.take(term, point, axis=0) for term in terms)
        series = higher[-1]
        for term in higher[-2::-1]:
            series = term + offset * series
        return start - value - offset * series

    @ops.custom_gradient
    def aggregate(own: Tensor, other: Tensor, score: Tensor, kernel: Tensor, distances: Tensor) -> tuple[Tensor, Any]:
        orders = [ops.convert_to_tensor(order) for order in table.orders]
        point, offset = table.place(distances)  # (B, R, M)
        last = [ops.reshape(ops.matmul(order, -kernel[:, n_features:]), (-1,)) for order in orders]
        alpha = ops.softmax(subtract_series(ops.take(score, rows, axis=0), last, point, offset), axis=2)
        core = ops.expand_dims(own, 2) + ops.take(other, rows, axis=0)
        first = [ops.matmul(order, -kernel[:, :n_features]) for order in orders]
        core = subtract_series(core, first, point, ops.expand_dims(offset, -1))  # (B, R, M, F)
        total = ops.sum(ops.expand_dims(alpha, -1) * ops.relu(core), axis=2)

        def gradient(*args: Tensor, upstream: Tensor | None = None) -> tuple[Tensor, ...]:
            slope = args[0] if upstream is None else upstream  # (B, R, F)
            d_core = ops.where(core > 0, ops.expand_dims(alpha, -1) * ops.expand_dims(slope, 2), 0.0)
            d_score = ops.sum(d_core * core, axis=-1) - alpha * ops.sum(slope * total, axis=-1, keepdims=True)
            flat = [ops.reshape(x, (-1,)) for x in (rows, point, offset, d_score)]
            to_other, to_point, along, d_last = flat
            d_first = ops.reshape(d_core, (-1, n_features))
            # The square of the offset by its mean, 1/12: deviations from it have no part that adds up.
            even, odd = (ops.transpose(order) for order in (orders[0] + orders[2] / 12, orders[1]))
            d_kernel = []
            for values, x in ((d_first, ops.expand_dims(along, 1)), (d_last, along)):
                moments = (ops.segment_sum(moment, to_point, n_points) for moment in (values, x * values))
                zeroth, first_moment = (ops.reshape(moment, (n_points, -1)) for moment in moments)
                d_kernel.append(ops.matmul(even, zeroth) + ops.matmul(odd, first_moment))
            # Of the Gaussians themselves. Compiled training steps leave it out, where nothing depends on it.
            d_edges = ops.concatenate([d_core, ops.expand_dims(d_score, -1)], axis=-1)
            d_distances = ops.sum(d_edges * ops.matmul(table.slopes(distances), kernel), axis=-1)
            return (
                ops.sum(d_core, axis=2),
                ops.segment_sum(d_first, to_other, n_rows),
                ops.segment_sum(d_last, to_other, n_rows),
                ops.concatenate(d_kernel, axis=1),
                d_distances,
            )

        return total, gradient

    return aggregate(own, other, score, kernel, distances)
