"""Messages of the neighbours in a convolution, with little arithmetic an edge.

The edge term u(d) W of a convolution is a function of one distance. It is tabulated once a step on a grid, as its Taylor
series about every point, and read off for each edge: three rows of F + 1 numbers instead of a product with G Gaussians.
What a derivative needs is computed again from the distances, and the derivative with respect to W is collected on the
grid first. Values differ from those of the product by rounding, the derivative by less than 1e-4 of its length.
"""

from typing import Any

import numpy as np
from keras import ops

from gdynet_tf.graphs.expansion import gaussian_centers

__all__ = ["GaussianTable", "attend"]

Tensor = Any  # of the backend that Keras runs on

_POINTS_PER_SIGMA = 40  # the third order that is left out is then below 2e-6
_REACH = 4.2  # sigma beyond the outermost centres, where a Gaussian is below 3e-8


class GaussianTable:
    """The Gaussian expansion of distances on a grid: u, its slope, and half its curvature, in steps of the grid.

    Parameters
    ----------
    dmin, dmax, step, sigma : float
        Å, as for `GaussianExpansion`.

    Attributes
    ----------
    start, spacing : float
        First point of the grid, and the distance between two, in Å.
    orders : (3, K, G) float32
        h^p / p! times the p-th derivative of u_t(d) = exp(-(d - mu_t)^2 / sigma^2) at the points, h being the spacing.
    """

    def __init__(self, dmin: float = 0.0, dmax: float = 7.0, step: float = 0.2, sigma: float = 0.2) -> None:
        self.centers, self.sigma = gaussian_centers(dmin, dmax, step).astype(np.float32), sigma
        centers = gaussian_centers(dmin, dmax, step)
        self.start = max(0.0, dmin - _REACH * sigma)
        self.spacing = sigma / _POINTS_PER_SIGMA
        n_points = int(np.ceil((centers[-1] + _REACH * sigma - self.start) / self.spacing)) + 1
        y = (self.start + self.spacing * np.arange(n_points)[:, None] - centers) / sigma  # (K, G)
        h, u = 1 / _POINTS_PER_SIGMA, np.exp(-(y**2))
        self.orders = np.stack([u, -2 * h * y * u, h**2 * (2 * y**2 - 1) * u]).astype(np.float32)

    def slopes(self, distances: Tensor) -> Tensor:
        """du / dd, 1/Å: (...) -> (..., G)."""
        y = (ops.expand_dims(distances, -1) - self.centers) / self.sigma
        return -2 / self.sigma * y * ops.exp(-ops.square(y))

    def place(self, distances: Tensor) -> tuple[Tensor, Tensor]:
        """Nearest point and what is left, in steps of the grid; what is outside is put at its end.

        Parameters
        ----------
        distances : tensor (...)
            Å.

        Returns
        -------
        point : int tensor (...)
        offset : tensor (...)
            In [-0.5, 0.5].
        """
        steps = ops.clip((distances - self.start) * (1 / self.spacing), 0.0, float(self.orders.shape[1] - 1))
        point = ops.cast(steps + 0.5, "int32")
        return point, steps - ops.cast(point, steps.dtype)


def attend(own: Tensor, other: Tensor, kernel: Tensor, distances: Tensor, rows: Tensor, table: GaussianTable) -> Tensor:
    """Sum over the neighbours of alpha_ij ReLU(core_ij), of one convolution.

    With s = other_j + u(d_ij) W of F + 1 columns, core = own_i + the first F of them and alpha is the softmax of the last
    (to which the centre adds the same for all its neighbours).

    Parameters
    ----------
    own : tensor (B, R, F)
    other : tensor (S, F + 1)
    kernel : tensor (G, F + 1)
        W.
    distances : tensor (B, R, M)
        Å.
    rows : int tensor (B, R, M)
        Of ``other``: which neighbour.
    table : GaussianTable

    Returns
    -------
    tensor (B, R, F)
    """
    n_rows, n_features = ops.shape(other)[0], own.shape[-1]
    n_points = table.orders.shape[1]

    def add_series(start: Tensor, terms: list[Tensor], point: Tensor, offset: Tensor) -> Tensor:
        """``start`` and the Taylor series. In this order XLA makes one array of it, in another one of each term."""
        value, slope, bend = (ops.take(term, point, axis=0) for term in terms)
        return start + value + offset * (slope + offset * bend)

    @ops.custom_gradient
    def aggregate(own: Tensor, other: Tensor, kernel: Tensor, distances: Tensor) -> tuple[Tensor, Any]:
        orders = [ops.convert_to_tensor(order) for order in table.orders]
        terms = [ops.matmul(order, kernel) for order in orders]  # (K, F+1)
        point, offset = table.place(distances)
        last = ops.take(other[:, n_features], rows, axis=0)
        alpha = ops.softmax(add_series(last, [term[:, n_features] for term in terms], point, offset), axis=2)
        wide = ops.expand_dims(offset, -1)
        core = ops.expand_dims(own, 2) + ops.take(other[:, :n_features], rows, axis=0)  # (B, R, M, F)
        core = add_series(core, [term[:, :n_features] for term in terms], point, wide)
        total = ops.sum(ops.expand_dims(alpha, -1) * ops.relu(core), axis=2)

        def gradient(*args: Tensor, upstream: Tensor | None = None) -> tuple[Tensor, ...]:
            slope = args[0] if upstream is None else upstream  # (B, R, F)
            d_core = ops.where(core > 0, ops.expand_dims(alpha, -1) * ops.expand_dims(slope, 2), 0.0)
            d_last = ops.sum(d_core * core, axis=-1) - alpha * ops.sum(slope * total, axis=-1, keepdims=True)
            flat, last = ops.reshape(d_core, (-1, n_features)), ops.reshape(d_last, (-1,))

            def collect(values: Tensor, last: Tensor, index: Tensor, n: int) -> Tensor:
                columns = [ops.segment_sum(x, ops.reshape(index, (-1,)), n) for x in (values, last)]
                return ops.concatenate([columns[0], ops.expand_dims(columns[1], 1)], axis=1)

            d_other = collect(flat, last, rows, n_rows)
            along = ops.reshape(offset, (-1,))
            moments = [
                collect(flat, last, point, n_points),
                collect(ops.expand_dims(along, 1) * flat, along * last, point, n_points),
            ]
            # The square of the offset by its mean, 1/12: what it differs by has no part that adds up.
            d_kernel = ops.matmul(ops.transpose(orders[0] + orders[2] / 12), moments[0])
            d_kernel = d_kernel + ops.matmul(ops.transpose(orders[1]), moments[1])
            # Of the Gaussians themselves; a compiled training step, which does not need it, leaves it out.
            d_edges = ops.concatenate([d_core, ops.expand_dims(d_last, -1)], axis=-1)
            d_distances = ops.sum(d_edges * ops.matmul(table.slopes(distances), kernel), axis=-1)
            return ops.sum(d_core, axis=2), d_other, d_kernel, d_distances

        return total, gradient

    return aggregate(own, other, kernel, distances)
