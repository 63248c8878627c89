"""How damage grows: laws as pure functions from the share of a life that has passed to the share of the damage.

Each law maps [0, 1] onto [0, 1] and never falls; `np.ndarray`s in, `np.ndarray`s out.
"""

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Law = Callable[[Floats], Floats]

PARIS_EXPONENT: Final = 3.0  # of steel: 2.7 to 3.3 (Barsom 1971, ferrite-pearlite: 3.0)
CRACK_GROWTH: Final = 20.0  # from the first crack to the critical one, times its length (assumption)
BOLTZMANN_EV: Final = 8.617333e-5  # [eV/K]


def paris(share: Floats) -> Floats:
    """Fatigue cracks and spalls, slow for long and fast at the end.

    da/dN = C·ΔK^m with ΔK ~ √a has a(t) = a₀·(1 - t·(1 - g^-(m/2-1)))^(-1/(m/2-1)), g = a_end/a₀
    (Paris and Erdogan, Journal of Basic Engineering 85, 1963). Here (a - a₀)/(a_end - a₀), m = 3, g = 20.

    >>> [round(float(paris(np.array(t))), 2) for t in (0.0, 0.5, 0.9, 1.0)]
    [0.0, 0.09, 0.53, 1.0]
    """
    power = PARIS_EXPONENT / 2.0 - 1.0
    length = (1.0 - _inside(share) * (1.0 - CRACK_GROWTH**-power)) ** (-1.0 / power)
    return np.asarray(np.minimum((length - 1.0) / (CRACK_GROWTH - 1.0), 1.0))


def archard(share: Floats) -> Floats:
    """Wear in proportion to the way slid under load: V = k·F·s/H (Archard, Journal of Applied Physics 24, 1953)."""
    return _inside(share)


def fouling(share: Floats) -> Floats:
    """Deposits that grow fast at first and level off: R = R∞·(1 - e^(-3t)), scaled to reach 1 (Kern and Seaton 1959).

    >>> round(float(fouling(np.array(0.5))), 2)
    0.82
    """
    return np.asarray(np.expm1(-3.0 * _inside(share)) / math.expm1(-3.0))


def self_accelerating(share: Floats) -> Floats:
    """Damage whose rate grows with itself: ds/dt = k·(s + s₀), so (e^(3t) - 1)/(e³ - 1).

    Exponential degradation, as bearing life tests show (Gebraeel et al., IIE Transactions 37, 2005).

    >>> [round(float(self_accelerating(np.array(t))), 2) for t in (0.0, 0.5, 0.9, 1.0)]
    [0.0, 0.18, 0.73, 1.0]
    """
    return np.asarray(np.expm1(3.0 * _inside(share)) / math.expm1(3.0))


def sudden(share: Floats) -> Floats:
    """Whole at once: a broken tool, a collision."""
    return np.ones_like(np.asarray(share, np.float64))


def arrhenius_acceleration(celsius: Floats | float, reference_c: float, activation_ev: float) -> Floats:
    """How many times faster a thermally activated ageing runs at `celsius` than at `reference_c`.

    k/k₀ = exp(E/k_B·(1/T₀ - 1/T)); with E = 1 eV and 155 °C, ten kelvins more halve an insulation's life
    (Dakin, AIEE Transactions 67, 1948).

    >>> round(float(arrhenius_acceleration(165.0, 155.0, 1.1)), 1)
    2.0
    """
    kelvin = np.asarray(celsius) + 273.15
    return np.asarray(np.exp(activation_ev / BOLTZMANN_EV * (1.0 / (reference_c + 273.15) - 1.0 / kelvin)))


def weibull_life(characteristic_h: float, shape: float, uniform: Floats | float) -> Floats:
    """A life [h] by inversion of F(t) = 1 - e^(-(t/η)^β); β > 1 wears out, β = 1 is chance (Weibull 1951).

    >>> round(float(weibull_life(1000.0, 2.0, 1.0 - math.exp(-1.0))), 6)
    1000.0
    """
    return np.asarray(characteristic_h * (-np.log1p(-np.asarray(uniform))) ** (1.0 / shape))


def _inside(share: Floats) -> Floats:
    return np.clip(np.asarray(share, np.float64), 0.0, 1.0)
