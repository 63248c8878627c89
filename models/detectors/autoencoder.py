"""A small neural network that has learnt to reproduce what is normal through a bottleneck."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from models.detectors.base import Detector, Fragment, Matrix, Modes

GRAPH = """
    encoded_sum = MatMul(z, encoder)
    encoded_shifted = Add(encoded_sum, encoder_bias)
    encoded = Tanh(encoded_shifted)
    decoded_sum = MatMul(encoded, decoder)
    decoded = Add(decoded_sum, decoder_bias)
    residual = Sub(z, decoded)
    scaled_residual = Div(residual, residual_scale)
    part = Mul(scaled_residual, scaled_residual)
    statistic = ReduceSum<keepdims = 1>(part, axis_1)

    within_reach = Clip(z, least_reach, reach)
    reach_sum = MatMul(within_reach, encoder)
    reach_shifted = Add(reach_sum, encoder_bias)
    reach_encoded = Tanh(reach_shifted)
    reach_decoded = MatMul(reach_encoded, decoder)
    modelled = Add(reach_decoded, decoder_bias)
"""


class AutoencoderDetector(Detector):
    """Residuals of a multilayer perceptron with one narrow hidden layer of tanh units.

    The non-linear relative of principal components: what does not fit through the bottleneck is no part of what is normal.
    Contributions are the squared residuals of the features, each in its healthy spread; they sum to the statistic.

    Parameters
    ----------
    share : width of the bottleneck, of the number of features
    max_iter : epochs at most
    quantile : quantile of the statistics of healthy samples at which the limit lies, in (0, 1]

    References
    ----------
    M. A. Kramer: Nonlinear principal component analysis using autoassociative neural networks. AIChE Journal 37(2), 1991.
    """

    def __init__(self, *, share: float = 0.5, max_iter: int = 200, quantile: float = 0.99) -> None:
        self.share = share
        self.max_iter = max_iter
        self.quantile = quantile

    def _learn(self, z: Matrix, mode: Modes) -> None:
        width = max(1, round(self.share * z.shape[1]))
        self.network_ = MLPRegressor(
            hidden_layer_sizes=(width,), activation="tanh", alpha=1e-3, max_iter=self.max_iter, random_state=0, tol=1e-5
        )
        with warnings.catch_warnings():
            # stopping early is a choice here, and costs a little accuracy at most
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.network_.fit(z, z if z.shape[1] > 1 else z.ravel())
        self.n_iter_ = self.network_.n_iter_
        residual = z - self._modelled(z)
        spread = np.sqrt(np.mean(residual**2, axis=0))
        self.residual_scale_: Matrix = np.where(spread > 1e-4, spread, 1.0)

    def _modelled(self, z: Matrix) -> Matrix:
        (encoder, decoder), (encoder_bias, decoder_bias) = self.network_.coefs_, self.network_.intercepts_
        return np.asarray(np.tanh(z @ encoder + encoder_bias) @ decoder + decoder_bias)

    def _parts(self, z: Matrix) -> Matrix:
        return np.asarray(((z - self._modelled(z)) / self.residual_scale_) ** 2)

    def _statistics(self, z: Matrix) -> Matrix:
        return np.asarray(self._parts(z).sum(axis=1, keepdims=True))

    def fragment(self) -> Fragment:
        (encoder, decoder), (encoder_bias, decoder_bias) = self.network_.coefs_, self.network_.intercepts_
        return Fragment(
            GRAPH,
            {
                "encoder": encoder,
                "encoder_bias": encoder_bias,
                "decoder": decoder,
                "decoder_bias": decoder_bias,
                "residual_scale": self.residual_scale_,
            },
        )
