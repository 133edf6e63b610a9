"""VAMP scores of the state probabilities of lagged pairs, for training and validation.

Scores are uncentred: the softmax holds the constant function, so VAMP-2 lies in [1, n_states] and is one more than
the mean-free score. Equations: Wu and Noé, J. Nonlinear Sci. 30, 23 (2020); Mardt et al., Nat. Commun. 9, 5 (2018).
"""

from typing import Any

import keras
from keras import ops

from gdynet_tf.networks.layers import Tensor

__all__ = ["SCORES", "VAMPLoss", "chain_pairs", "covariances", "vamp1", "vamp2", "vamp2_slopes", "vamp_e"]

RIDGE = 1e-6  # added to the covariances' diagonal: an empty or doubled state has no inverse


def chain_pairs(chi: Tensor) -> tuple[Tensor, Tensor]:
    """Both sides of all pairs of chains of frames.

    Parameters
    ----------
    chi : tensor (B, length + 1, n_targets, n)
        Of frames t, t + tau, ..., t + length tau.

    Returns
    -------
    chi_0, chi_t : tensors (B, length, n_targets, n)
    """
    return chi[:, :-1], chi[:, 1:]


def covariances(chi_0: Tensor, chi_t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Uncentred covariances over all samples, in float64.

    Parameters
    ----------
    chi_0, chi_t : tensor (..., n)
        State probabilities at t and t + tau.

    Returns
    -------
    c00, c0t, ctt : tensors (n, n)
    """
    n = chi_0.shape[-1]
    x, y = (ops.reshape(ops.cast(chi, "float64"), (-1, n)) for chi in (chi_0, chi_t))
    scale = 1.0 / ops.cast(ops.shape(x)[0], "float64")
    xt, yt = ops.transpose(x), ops.transpose(y)
    return ops.matmul(xt, x) * scale, ops.matmul(xt, y) * scale, ops.matmul(yt, y) * scale


def _whitened(c00: Tensor, c0t: Tensor, ctt: Tensor, ridge: float) -> tuple[Tensor, Tensor, Tensor]:
    """L_0^-1 C_0t L_t^-T and the two Cholesky factors; its singular values are those of C00^-1/2 C0t Ctt^-1/2."""
    eye = ridge * ops.eye(c00.shape[0], dtype="float64")
    l0, lt = ops.cholesky(c00 + eye), ops.cholesky(ctt + eye)
    half = ops.solve_triangular(l0, c0t, lower=True)
    return ops.transpose(ops.solve_triangular(lt, ops.transpose(half), lower=True)), l0, lt


def vamp2(c00: Tensor, c0t: Tensor, ctt: Tensor, ridge: float = RIDGE) -> Tensor:
    """VAMP-2 score, tr(C00^-1 C0t Ctt^-1 Ct0), by Cholesky factors: no singular vectors, no NaN gradient.

    Parameters
    ----------
    c00, c0t, ctt : tensors (n, n) float64

    Returns
    -------
    scalar float64
    """
    return ops.sum(ops.square(_whitened(c00, c0t, ctt, ridge)[0]))


def vamp2_slopes(
    chi: Tensor, c00: Tensor, c0t: Tensor, ctt: Tensor, n_samples: int, ridge: float = RIDGE
) -> tuple[Tensor, Tensor]:
    """VAMP-2 score of many samples and its derivative with respect to the state probabilities of some of them.

    Of R = tr(A^-1 C B^-1 C^T) with A = C00, C = C0t, B = Ctt: dR/dC = 2 A^-1 C B^-1, dR/dA = -A^-1 C B^-1 C^T A^-1 and
    likewise for B.

    Parameters
    ----------
    chi : tensor (B, length + 1, n_targets, n)
        Of chains of frames.
    c00, c0t, ctt : tensors (n, n) float64
        Covariances of all samples.
    n_samples : int
        How many pairs these are.

    Returns
    -------
    score : scalar float64
        As `vamp2`.
    slopes : tensor (B, length + 1, n_targets, n) float64
    """
    x, y = chain_pairs(ops.cast(chi, "float64"))
    eye = ridge * ops.eye(c00.shape[0], dtype="float64")
    inverse_0, inverse_t = ops.inv(c00 + eye), ops.inv(ctt + eye)
    both = ops.matmul(ops.matmul(inverse_0, c0t), inverse_t)
    own_0 = ops.matmul(ops.matmul(both, ops.transpose(c0t)), inverse_0)
    own_t = ops.matmul(ops.matmul(inverse_t, ops.transpose(c0t)), both)
    slope_x = ops.matmul(y, ops.transpose(both)) - ops.matmul(x, own_0)
    slope_y = ops.matmul(x, both) - ops.matmul(y, own_t)
    none = ops.zeros_like(slope_x[:, :1])  # a chain's last frame begins no pair, its first one ends none
    slopes = ops.concatenate([slope_x, none], 1) + ops.concatenate([none, slope_y], 1)
    return ops.sum(both * c0t), 2.0 / n_samples * slopes


def vamp1(c00: Tensor, c0t: Tensor, ctt: Tensor, ridge: float = RIDGE) -> Tensor:
    """VAMP-1 score, the sum of the singular values of C00^-1/2 C0t Ctt^-1/2.

    With A = U S V^T, d(sum S)/dA = U V^T, so holding U and V fixed gives the exact gradient where the singular
    values differ and a finite one where they do not.
    """
    a, _, _ = _whitened(c00, c0t, ctt, ridge)
    u, _, vt = ops.svd(ops.stop_gradient(a), full_matrices=False)
    return ops.sum(ops.matmul(u, vt) * a)


def vamp_e(c00: Tensor, c0t: Tensor, ctt: Tensor, ridge: float = RIDGE) -> Tensor:
    """VAMP-E score, tr(2 S U^T C0t V - S U^T C00 U S V^T Ctt V), of the data's own singular functions.

    U, S, V maximise the expression, so its gradient is the one at fixed U, S, V.
    """
    eye = ridge * ops.eye(c00.shape[0], dtype="float64")
    a, l0, lt = (ops.stop_gradient(x) for x in _whitened(c00, c0t, ctt, ridge))
    u, s, vt = ops.svd(a, full_matrices=False)
    u = ops.solve_triangular(ops.transpose(l0), u, lower=False)
    v = ops.solve_triangular(ops.transpose(lt), ops.transpose(vt), lower=False)
    us = u * s
    cross = ops.sum(us * ops.matmul(c0t, v))
    norm = ops.matmul(ops.transpose(us), ops.matmul(c00 + eye, us))
    return 2.0 * cross - ops.sum(norm * ops.matmul(ops.transpose(v), ops.matmul(ctt + eye, v)))


SCORES = {"vamp1": vamp1, "vamp2": vamp2, "vampe": vamp_e}


@keras.saving.register_keras_serializable("gdynet_tf")
class VAMPLoss(keras.losses.Loss):
    """Minus the VAMP score of a batch of pairs, given as chains.

    Parameters
    ----------
    score : {"vamp2", "vamp1", "vampe"}
    """

    def __init__(self, score: str = "vamp2", name: str = "vamp_loss") -> None:
        super().__init__(name=name, reduction=None)
        if score not in SCORES:
            raise ValueError(f"score must be one of {', '.join(SCORES)}, got {score!r}")
        self.score = score

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """``y_pred`` (B, length + 1, n_targets, n_states), of chains of frames; ``y_true`` is not used."""
        value = SCORES[self.score](*covariances(*chain_pairs(y_pred)))
        return -ops.cast(value, "float32")

    def get_config(self) -> dict[str, Any]:
        return {"score": self.score, "name": self.name}
