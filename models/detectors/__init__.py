"""Detectors: estimators of scikit-learn that learn what is normal from the features of healthy windows."""

from models.detectors.autoencoder import AutoencoderDetector
from models.detectors.base import Detector
from models.detectors.covariance import CovarianceDetector, ForwardDetector
from models.detectors.forest import ForestDetector
from models.detectors.kernel_regression import KernelRegressionDetector
from models.detectors.mixture import MixtureDetector
from models.detectors.pca import PcaDetector

__all__ = [
    "FAMILIES",
    "AutoencoderDetector",
    "CovarianceDetector",
    "Detector",
    "ForestDetector",
    "ForwardDetector",
    "KernelRegressionDetector",
    "MixtureDetector",
    "PcaDetector",
]

FAMILIES: dict[str, type[Detector]] = {
    "pca": PcaDetector,
    "covariance": CovarianceDetector,
    "forward": ForwardDetector,
    "kernel": KernelRegressionDetector,
    "autoencoder": AutoencoderDetector,
    "mixture": MixtureDetector,
    "forest": ForestDetector,
}
