"""The operators that a model may use, and what else its graph may not have.

Allowed is what the exports of scikit-learn, PyTorch, TensorFlow and of kullager itself need for numbers. Not allowed are texts,
sequences, optional values and pictures, which no window holds; operators that draw random numbers, as the same window must give
the same score; losses, which are for training; and all domains but those of ONNX, as onnxruntime brings hundreds of operators
that no standard describes.

If, Loop and Scan are allowed. A Scan ends with its input, and a Loop must say in the graph how often it runs at most.
"""

from typing import Final

from edge.contracts.errors import ModelError
from edge.contracts.model_spec import GOLDEN_KEY, SPEC_KEY
from edge.model_trial.graph import Graph

MAX_LOOP: Final = 10_000
# bytes of what a model says of itself
MAX_METADATA: Final = {SPEC_KEY: 1 << 20, GOLDEN_KEY: 16 << 20}
DOMAINS: Final = ("", "ai.onnx.ml")

_ALLOWED: Final = {
    "": """
        Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike Ceil Clip
        Cos Cosh CumSum Div Equal Erf Exp Floor Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual Log Max Mean Min Mod Mul Neg
        Not Or Pow Reciprocal Round Sign Sin Sinh Sqrt Sub Sum Tan Tanh Where Xor

        ArgMax ArgMin ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
        ReduceSumSquare TopK

        Compress Concat Constant ConstantOfShape DepthToSpace Expand EyeLike Flatten Gather GatherElements GatherND Identity
        NonZero OneHot Pad Range Reshape ReverseSequence Scatter ScatterElements ScatterND Shape Size Slice SpaceToDepth Split
        Squeeze Tile Transpose Trilu Unique Unsqueeze

        Det Einsum Gemm MatMul

        Celu Elu Gelu HardSigmoid HardSwish Hardmax LeakyRelu LogSoftmax Mish PRelu Relu Selu Shrink Sigmoid Softmax Softplus
        Softsign Swish ThresholdedRelu

        Attention AveragePool BatchNormalization Conv ConvTranspose Dropout GlobalAveragePool GlobalLpPool GlobalMaxPool
        GroupNormalization GRU InstanceNormalization LayerNormalization LpNormalization LpPool LRN LSTM MaxPool
        MeanVarianceNormalization Resize RMSNormalization RNN RotaryEmbedding Upsample

        BlackmanWindow DFT HammingWindow HannWindow MelWeightMatrix STFT

        ConvInteger DequantizeLinear DynamicQuantizeLinear MatMulInteger QLinearConv QLinearMatMul QuantizeLinear

        If Loop Scan
    """,
    "ai.onnx.ml": """
        ArrayFeatureExtractor Binarizer FeatureVectorizer Imputer LinearClassifier LinearRegressor Normalizer OneHotEncoder
        Scaler SVMClassifier SVMRegressor TreeEnsemble TreeEnsembleClassifier TreeEnsembleRegressor
    """,
}
ALLOWED: Final = {domain: frozenset(names.split()) for domain, names in _ALLOWED.items()}
RANDOM: Final = frozenset(
    ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")
)
TEXT: Final = frozenset(
    (
        *("RegexFullMatch", "StringConcat", "StringNormalizer", "StringSplit", "TfIdfVectorizer"),
        *("CategoryMapper", "DictVectorizer", "LabelEncoder"),
    )
)


def check_graph(graph: Graph, path: str) -> None:
    """Raise `ModelError` with the first thing that a model may not have."""
    if graph.external:
        raise ModelError(
            f"{path}: keeps weights in another file ('{graph.external[0]}'): export it as one file, without external data"
        )
    if graph.sparse:
        raise ModelError(f"{path}: has sparse tensors; store them dense")
    if graph.claimed < 0:
        raise ModelError(f"{path}: has a tensor with dimensions below 0")
    # two numbers of 4 bits in a byte are the densest that ONNX has
    if graph.claimed > 2 * graph.held:
        raise ModelError(f"{path}: claims a tensor of {graph.claimed} numbers, more than its {graph.held} bytes can hold")
    for domain, operator in sorted(graph.operators):
        _check_operator(domain, operator, path)
    if graph.strings:
        raise ModelError(f"{path}: works on text ('{graph.strings[0]}'); a model takes and gives numbers")
    if graph.training:
        raise ModelError(f"{path}: holds {graph.training[0]}; export it for inference")
    if graph.functions:
        raise ModelError(f"{path}: defines a function of its own ('{graph.functions[0]}'); export it with functions inlined")
    for n_turns in graph.loops:
        if n_turns is None:
            raise ModelError(f"{path}: has a Loop that may never end: the graph should say how often it runs at most")
        if n_turns > MAX_LOOP:
            raise ModelError(f"{path}: has a Loop of up to {n_turns} turns; {MAX_LOOP} are allowed")
    for key, most in MAX_METADATA.items():
        if graph.metadata.get(key, 0) > most:
            raise ModelError(f"{path}: '{key}' in its metadata has {graph.metadata[key]} bytes; {most} are allowed")


def _check_operator(domain: str, operator: str, path: str) -> None:
    if domain not in DOMAINS:
        raise ModelError(
            f"{path}: uses the operator '{operator}' of '{domain}'; those of ONNX itself and ai.onnx.ml are served"
        )
    if operator in RANDOM:
        raise ModelError(f"{path}: draws random numbers ('{operator}'): the same window must give the same score")
    if operator in TEXT:
        raise ModelError(f"{path}: works on text ('{operator}'); a model takes and gives numbers")
    if operator not in ALLOWED[domain]:
        raise ModelError(f"{path}: uses the operator '{operator}', which is not among those that a model may use")
