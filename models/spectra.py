"""What is computed from a block of a fast signal, as nodes of ONNX: levels, octave bands, orders, and bearing fault lines.

level       natural logarithm of the rms
kurtosis    natural logarithm of the kurtosis: 3 for noise, more for impacts
crest       natural logarithm of the largest value over the rms
octave n    natural logarithm of the power in octave bands, down from half the sample rate
order n     natural logarithm of the power at multiples of the measured shaft speed
line        by how much the lines of a bearing part stand out of the spectrum of the squared envelope (natural logarithm,
            mean of two harmonics), the larger of two bands of resonance

Lines lie where geometry and the measured speed put them, so they follow a machine whose speed changes. Source: R. B. Randall,
J. Antoni: Rolling element bearing diagnostics, a tutorial. Mechanical Systems and Signal Processing 25(2), 2011.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.errors import KullagerError
from edge.contracts.plant import Asset, Bearing

N_OCTAVES: Final = 7
ORDERS: Final = (1.0, 2.0, 3.0)
N_HARMONICS: Final = 2
PARTS: Final = ("bearing-outer-race", "bearing-inner-race", "bearing-ball", "bearing-cage")
# bands of resonance for the envelope, as shares of the sample rate
ENVELOPE_BANDS: Final = ((1 / 16, 1 / 5.6), (1 / 8, 0.47))
# rolling elements slip: a line is looked for so far from where geometry puts it
SLIP: Final = 0.02
# of the spectrum round a line, so many of its bins to each side are what it stands out of
AROUND_BINS: Final = 10

LEVELS: Final = """
    {w}_mean = ReduceMean<keepdims = 1>({input}, axis_1)
    {w}_centred = Sub({input}, {w}_mean)
    {w}_square = Mul({w}_centred, {w}_centred)
    {w}_power = ReduceMean<keepdims = 1>({w}_square, axis_1)
    {w}_power_above = Add({w}_power, tiny)
    {w}_power_logarithm = Log({w}_power_above)
    {w}_level = Mul({w}_power_logarithm, half)
    {w}_fourth = ReduceSumSquare<keepdims = 1>({w}_square, axis_1)
    {w}_fourth_mean = Div({w}_fourth, {w}_n_points)
    {w}_power_square = Mul({w}_power_above, {w}_power_above)
    {w}_kurtosis_ratio = Div({w}_fourth_mean, {w}_power_square)
    {w}_kurtosis_above = Add({w}_kurtosis_ratio, tiny)
    {w}_kurtosis = Log({w}_kurtosis_above)
    {w}_size = Abs({w}_centred)
    {w}_peak = ReduceMax<keepdims = 1>({w}_size, axis_1)
    {w}_peak_above = Add({w}_peak, tiny)
    {w}_peak_logarithm = Log({w}_peak_above)
    {w}_crest = Sub({w}_peak_logarithm, {w}_level)
    {w}_tapered = Mul({w}_centred, {w}_taper)
    {w}_column = Unsqueeze({w}_tapered, axis_2)
    {w}_spectrum_pair = DFT<onesided = 1>({w}_column, , dft_axis)
    {w}_spectrum = ReduceSumSquare<keepdims = 0>({w}_spectrum_pair, axis_2)
    {w}_octave_power = MatMul({w}_spectrum, {w}_octave_of)
    {w}_octave_above = Add({w}_octave_power, tiny)
    {w}_octaves = Log({w}_octave_above)
"""
# power at the multiples `orders` of the speed: the largest bin near each of them
ORDERS_TEXT: Final = """
    {w}_order_hz = Mul({w}_speed_hz, {w}_orders)
    {w}_order_column = Unsqueeze({w}_order_hz, axis_2)
    {w}_order_apart = Sub({w}_low_bins, {w}_order_column)
    {w}_order_distance = Abs({w}_order_apart)
    {w}_order_near = LessOrEqual({w}_order_distance, {w}_bin_hz)
    {w}_order_mask = Cast<to = 1>({w}_order_near)
    {w}_low_spectrum = Slice({w}_spectrum, from_0, {w}_n_low, axis_1)
    {w}_low_row = Unsqueeze({w}_low_spectrum, axis_1)
    {w}_order_masked = Mul({w}_low_row, {w}_order_mask)
    {w}_order_power = ReduceMax<keepdims = 0>({w}_order_masked, axis_2)
    {w}_order_above = Add({w}_order_power, tiny)
    {w}_order_levels = Log({w}_order_above)
    {w}_line_hz = Mul({w}_speed_hz, {w}_lines)
    {w}_line_slip = Mul({w}_line_hz, {w}_slip)
    {w}_line_tolerance_flat = Max({w}_line_slip, {w}_bin_hz)
    {w}_line_tolerance = Unsqueeze({w}_line_tolerance_flat, axis_2)
    {w}_line_column = Unsqueeze({w}_line_hz, axis_2)
    {w}_line_apart = Sub({w}_low_bins, {w}_line_column)
    {w}_line_distance = Abs({w}_line_apart)
    {w}_line_near = LessOrEqual({w}_line_distance, {w}_line_tolerance)
    {w}_line_mask = Cast<to = 1>({w}_line_near)
    {w}_line_reach = Add({w}_line_tolerance, {w}_around)
    {w}_line_within = LessOrEqual({w}_line_distance, {w}_line_reach)
    {w}_line_far = Not({w}_line_near)
    {w}_line_round = And({w}_line_within, {w}_line_far)
    {w}_round_mask = Cast<to = 1>({w}_line_round)
    {w}_round_found = ReduceSum<keepdims = 0>({w}_round_mask, axis_2)
    {w}_round_count = Max({w}_round_found, one)
    {w}_whole_pair = DFT<onesided = 0>({w}_column_raw, , dft_axis)
"""
ENVELOPE: Final = """
    {w}_band_pair = Mul({w}_whole_pair, {w}_band_mask_{b})
    {w}_analytic = DFT<inverse = 1>({w}_band_pair, , dft_axis)
    {w}_envelope = ReduceSumSquare<keepdims = 0>({w}_analytic, axis_2)
    {w}_envelope_mean = ReduceMean<keepdims = 1>({w}_envelope, axis_1)
    {w}_envelope_above = Add({w}_envelope_mean, tiny)
    {w}_envelope_relative = Div({w}_envelope, {w}_envelope_above)
    {w}_envelope_centred = Sub({w}_envelope_relative, one)
    {w}_envelope_tapered = Mul({w}_envelope_centred, {w}_taper)
    {w}_envelope_column = Unsqueeze({w}_envelope_tapered, axis_2)
    {w}_envelope_spectrum_pair = DFT<onesided = 1>({w}_envelope_column, , dft_axis)
    {w}_envelope_spectrum = ReduceSumSquare<keepdims = 0>({w}_envelope_spectrum_pair, axis_2)
    {w}_envelope_low = Slice({w}_envelope_spectrum, from_0, {w}_n_low, axis_1)
    {w}_envelope_low_above = Add({w}_envelope_low, tiny)
    {w}_envelope_logarithm = Log({w}_envelope_low_above)
    {w}_envelope_row = Unsqueeze({w}_envelope_logarithm, axis_1)
    {w}_envelope_shifted = Add({w}_envelope_row, {w}_lift)
    {w}_line_masked = Mul({w}_envelope_shifted, {w}_line_mask)
    {w}_line_peak = ReduceMax<keepdims = 0>({w}_line_masked, axis_2)
    {w}_round_masked = Mul({w}_envelope_shifted, {w}_round_mask)
    {w}_round_sum = ReduceSum<keepdims = 0>({w}_round_masked, axis_2)
    {w}_round_level = Div({w}_round_sum, {w}_round_count)
    {w}_line_above = Sub({w}_line_peak, {w}_round_level)
    {w}_part_above_{b} = MatMul({w}_line_above, {w}_part_of_line)
"""
# whatever the logarithm of a power, it is positive with this added, so that a mask of zeros hides it
LIFT: Final = 100.0


class WaveformError(KullagerError):
    """A fast signal cannot be learnt from as it is."""


def part_orders(bearing: Bearing) -> dict[str, float]:
    """How often a damage is met in a turn of the shaft: BPFO, BPFI, BSF and FTF over the shaft frequency, inner ring turning.

    >>> cwru = Bearing(balls=9, ball_mm=7.94, pitch_mm=39.04)
    >>> [round(order, 3) for order in part_orders(cwru).values()]
    [3.585, 5.415, 2.357, 0.398]
    """
    ratio = bearing.ball_mm / bearing.pitch_mm * math.cos(math.radians(bearing.contact_deg))
    orders = (
        bearing.balls / 2 * (1 - ratio),
        bearing.balls / 2 * (1 + ratio),
        bearing.pitch_mm / (2 * bearing.ball_mm) * (1 - ratio**2),
        (1 - ratio) / 2,
    )
    return dict(zip(PARTS, orders, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectrumGraph:
    """The features of one fast signal.

    speed_column: of the window, the signal that tells the shaft speed [/min]; None where none does
    usual_speed:  [/min], where the measured one is missing
    """

    name: str
    unit: str
    rate_hz: float
    n_points: int
    speed_column: int | None
    usual_speed: float | None
    bearing: Bearing | None

    @classmethod
    def of(cls, name: str, asset: Asset, columns: list[str]) -> "SpectrumGraph":
        """After the plant file; `columns` are the signals of the window. Raises `WaveformError`."""
        wave, plate = asset.waveforms[name], asset.nameplate
        if wave.points & (wave.points - 1):
            raise WaveformError(
                f"waveform '{name}' has blocks of {wave.points} points; models need a power of two, such as "
                f"{1 << (wave.points.bit_length() - 1)}: others are slow, and lose precision"
            )
        speeds = [number for number, column in enumerate(columns) if asset.signals[column].unit == "/min"]
        return cls(
            name=name,
            unit=wave.unit,
            rate_hz=wave.rate_hz,
            n_points=wave.points,
            speed_column=speeds[0] if speeds else None,
            usual_speed=plate.rated_speed if plate else None,
            bearing=plate.bearing if plate else None,
        )

    @property
    def input(self) -> str:
        return f"waveform_{self.name}"

    @property
    def knows_speed(self) -> bool:
        return self.speed_column is not None or self.usual_speed is not None

    @property
    def names(self) -> tuple[str, ...]:
        """What each feature is of."""
        found = ["level", "kurtosis", "crest", *(f"octave {number + 1}" for number in range(N_OCTAVES))]
        if self.knows_speed:
            found += [f"order {order:g}" for order in ORDERS]
            found += PARTS if self.bearing else ()
        return tuple(found)

    @property
    def parts(self) -> tuple[str, ...]:
        """The bearing parts whose lines are looked for."""
        return PARTS if self.knows_speed and self.bearing else ()

    @property
    def text(self) -> str:
        """Nodes from the waveform, and the window where that tells the speed, to `<name>_features` (n_assets, n_features)."""
        blocks = [LEVELS]
        outputs = ["{w}_level", "{w}_kurtosis", "{w}_crest", "{w}_octaves"]
        if self.knows_speed:
            lines = ORDERS_TEXT.replace("{w}_column_raw", "{w}_untapered")
            blocks += [self._speed_text(), "    {w}_untapered = Unsqueeze({w}_centred, axis_2)\n", lines]
            outputs.append("{w}_order_levels")
            if self.bearing:
                for number in range(len(ENVELOPE_BANDS)):
                    # node names are told apart by the band; those that both share stand above
                    blocks.append(_for_band(number))
                blocks.append("    {w}_part_lines = Max({w}_part_above_0, {w}_part_above_1)\n")
                outputs.append("{w}_part_lines")
        blocks.append(f"    {{w}}_features = Concat<axis = 1>({', '.join(outputs)})\n")
        return "".join(blocks).replace("{input}", self.input).replace("{w}", f"w_{self.name}")

    @property
    def output(self) -> str:
        return f"w_{self.name}_features"

    def _speed_text(self) -> str:
        if self.speed_column is None:
            # one row for each asset
            return """
    {w}_nothing = Mul({w}_level, zero)
    {w}_speed_hz = Add({w}_nothing, {w}_usual_hz)
"""
        return """
    {w}_newest = Slice(window, to_last, to_end, axis_1)
    {w}_newest_row = Squeeze({w}_newest, axis_1)
    {w}_speed = Gather<axis = 1>({w}_newest_row, {w}_speed_column)
    {w}_speed_missing = IsNaN({w}_speed)
    {w}_speed_there = Where({w}_speed_missing, {w}_usual_speed, {w}_speed)
    {w}_speed_hz = Div({w}_speed_there, {w}_per_minute)
"""

    @property
    def constants(self) -> dict[str, Any]:
        bins = np.arange(self.n_points // 2 + 1) * self.rate_hz / self.n_points
        octave_of = np.zeros((len(bins), N_OCTAVES))
        for number in range(N_OCTAVES):
            high = self.rate_hz / 2 / 2**number
            octave_of[(bins > high / 2) & (bins <= high), number] = 1.0 / self.n_points
        found: dict[str, Any] = {
            "axis_2": np.array([2], np.int64),
            "dft_axis": np.array(1, np.int64),
            "tiny": 1e-20,
            "n_points": float(self.n_points),
            "taper": np.hanning(self.n_points)[None],
            "octave_of": octave_of,
        }
        if self.knows_speed:
            found |= self._speed_constants(bins)
        shared = ("axis_2", "dft_axis", "tiny")
        return {name if name in shared else f"w_{self.name}_{name}": value for name, value in found.items()}

    def _speed_constants(self, bins: NDArray[np.float64]) -> dict[str, Any]:
        orders = np.array(list(part_orders(self.bearing).values()) if self.bearing else [1.0])
        lines = np.concatenate([orders * harmonic for harmonic in range(1, N_HARMONICS + 1)])
        bin_hz = self.rate_hz / self.n_points
        # speeds up to a half above the usual one have their lines in what is looked at
        fastest = 1.5 * (self.usual_speed or 3000.0) / 60.0
        n_low = min(len(bins), int(fastest * max(lines.max(), ORDERS[-1]) / bin_hz) + 2 * AROUND_BINS)
        masks = {}
        for number, (low, high) in enumerate(ENVELOPE_BANDS):
            mask = np.zeros(self.n_points)
            mask[: len(bins)] = np.where((bins >= low * self.rate_hz) & (bins < high * self.rate_hz), 2.0, 0.0)
            masks[f"band_mask_{number}"] = mask[None, :, None]
        return {
            "orders": np.array(ORDERS)[None],
            "lines": lines[None],
            "part_of_line": np.tile(np.eye(len(orders)), (N_HARMONICS, 1)) / N_HARMONICS,
            "bin_hz": 1.01 * bin_hz,
            "low_bins": bins[None, None, :n_low],
            "n_low": np.array([n_low], np.int64),
            "slip": SLIP,
            "around": AROUND_BINS * bin_hz,
            "lift": LIFT,
            "usual_hz": (self.usual_speed or 0.0) / 60.0,
            "usual_speed": self.usual_speed or 0.0,
            "per_minute": 60.0,
            "speed_column": np.array([self.speed_column or 0], np.int64),
            **masks,
        }


def _for_band(number: int) -> str:
    """The nodes of one band of resonance, with names of their own."""
    text = ENVELOPE.replace("{b}", str(number))
    for own in ("band_pair", "analytic", "envelope", "line_masked", "line_peak", "round_masked", "round_sum", "round_level"):
        text = text.replace(f"{{w}}_{own}", f"{{w}}_{own}_{number}")
    return text.replace("{w}_line_above", f"{{w}}_line_above_{number}")
