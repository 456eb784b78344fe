"""All that this package knows of operators: one row an operator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, get_args

Trait = Literal[
    "heavy",  # does the bulk of the work: a part of a graph begins with it
    "random",  # gives other results from call to call
    "moves",  # only moves or re-types values
    "faithful",  # keeps different values apart, but for rounding
    "packs",  # packs constant inputs for its kernel when a session starts
    "product",  # multiplies by a matrix or a kernel of weights
    "transparent",  # converts or moves its first input: layers are seen through it
    "comparison",  # compares numbers by size
    "elementwise",  # takes each element for itself
    "varies",  # is no constant, even if all that it reads is
    "low_bit",  # has weights of few bits in a float model
    "redresses",  # hands a value on in another layout or precision, put in by onnxruntime
    "ranged",  # takes the range of its numbers over all samples of a run
    "passes",  # lets shifts of its input pass, up to their size
    "keeps_bytes",  # leaves the order of a tensor's bytes alone
    "convolution",  # its weights meet each place of an image
]

Layout = Literal[
    "",
    "convolution",
    "transposed_convolution",
    "gemm",
    "matmul",
    "quantized_convolution",
    "quantized_gemm",
    "quantized_matmul",
    "normalization",
    "layer_normalization",
    "elementwise",
]
"""How an operator lays out its weights and their channels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """What is known of an operator; all of it is empty for one that is not in the table.

    Attributes:
        traits: What it is and does, see :data:`Trait`.
        slots: What its inputs are for, a letter each: ``.`` data, ``b`` bias, ``s`` scale, ``z``
            zero point, ``c`` constant, ``i`` structure. Inputs beyond the end are data.
        weights: The input that holds its weights, for the multiply-accumulates that it takes.
        layout: How its weights and channels lie.
        gates: The gates that its weights are packed by, in order.
        bounds: The lowest and highest value that it gives.
        dip: How deep it goes below 0, where it cuts off what is negative.
        slope: What it multiplies negative values by, unless a node says otherwise.
    """

    traits: frozenset[str] = frozenset()
    slots: str = ""
    weights: int | None = None
    layout: Layout = ""
    gates: str = ""
    bounds: tuple[float, float] | None = None
    dip: float | None = None
    slope: float | None = None


def operator(op_type: str, domain: str = "") -> Operator:
    """What is known of an operator: the row of its domain, if it has one, else that of its name."""
    return OPERATORS.get(f"{domain}:{op_type}") or OPERATORS.get(op_type) or _UNKNOWN


def is_a(op_type: str, trait: Trait) -> bool:
    """Whether an operator has a trait."""
    return trait in operator(op_type).traits


@cache
def having(trait: Trait) -> frozenset[str]:
    """The operators that have a trait."""
    return frozenset(name for name, row in OPERATORS.items() if trait in row.traits)


def _op(traits: str = "", **known: Any) -> Operator:
    unknown = set(traits.split()).difference(get_args(Trait))
    if unknown:
        raise ValueError(f"an operator has the unknown trait {min(unknown)!r}")
    return Operator(traits=frozenset(traits.split()), **known)


_UNKNOWN = Operator()

_ROWS: Mapping[str, Operator] = {
    "Abs": _op("elementwise"),
    "Add": _op("faithful elementwise passes", layout="elementwise"),
    "AffineGrid": _op(slots=".i"),
    "And": _op("elementwise"),
    "ArrayFeatureExtractor": _op(slots=".i"),
    "Attention": _op("heavy packs", slots="...c..i"),
    "com.microsoft:Attention": _op("heavy packs", slots="..bc.ci"),
    "AveragePool": _op("faithful passes"),
    "BatchNormalization": _op("faithful", slots="..b", layout="normalization"),
    "Bernoulli": _op("random varies"),
    "BiasAdd": _op(slots=".b"),
    "BiasDropout": _op(slots=".b"),
    "BiasGelu": _op(slots=".b"),
    "BiasSplitGelu": _op(slots=".b"),
    "BitShift": _op("elementwise"),
    "BitmaskBiasDropout": _op(slots=".b"),
    "BlackmanWindow": _op(slots="i"),
    "Cast": _op("moves transparent redresses passes"),
    "CastLike": _op("transparent"),
    "CausalConvWithState": _op(slots="..b"),
    "Ceil": _op("elementwise"),
    "CenterCropPad": _op(slots=".i"),
    "Clip": _op("elementwise", slots=".cc"),
    "Col2Im": _op(slots=".ii"),
    "Compress": _op(slots=".i"),
    "Concat": _op("faithful passes"),
    "ConstantOfShape": _op(slots="i"),
    "Conv": _op("heavy faithful product convolution", slots="..b", weights=1, layout="convolution"),
    "ConvInteger": _op("heavy packs product convolution", slots="..zz", weights=1),
    "ConvTranspose": _op(
        "heavy faithful packs product convolution",
        slots="..b",
        weights=1,
        layout="transposed_convolution",
    ),
    "ConvTransposeWithDynamicPads": _op(slots="..ib"),
    "CropAndResize": _op(slots="...i"),
    "CumProd": _op(slots=".i"),
    "CumSum": _op(slots=".i"),
    "DFT": _op(slots=".ii"),
    "DecoderMaskedMultiHeadAttention": _op(slots="...cc..iiib"),
    "DecoderMaskedSelfAttention": _op(slots="..bc.ci"),
    "DeformConv": _op(slots="...b"),
    "DequantizeLinear": _op("faithful transparent passes", slots=".sz"),
    "Div": _op("faithful elementwise"),
    "Dropout": _op("random", slots=".ii"),
    "DynamicQuantizeLSTM": _op("heavy packs ranged", slots="...bi...szsz", gates="iofc"),
    "DynamicQuantizeLinear": _op("ranged"),
    "DynamicQuantizeMatMul": _op("heavy packs ranged", slots="..szb", weights=1),
    "Elu": _op(dip=1.0),
    "EmbedLayerNormalization": _op(slots="ii....b.i"),
    "Equal": _op("elementwise"),
    "Erf": _op(bounds=(-1.0, 1.0)),
    "Exp": _op("elementwise"),
    "Expand": _op(slots=".i"),
    "ExpandDims": _op(slots=".i"),
    "FastGelu": _op(slots=".b"),
    "Flatten": _op("moves faithful transparent passes keeps_bytes"),
    "Floor": _op("elementwise"),
    "FusedConv": _op("heavy faithful product convolution", slots="..b", weights=1),
    "FusedGemm": _op("heavy faithful packs product", slots="..b", weights=1),
    "FusedMatMul": _op("heavy faithful packs product", weights=1),
    "GRU": _op("heavy packs", slots="...bi", gates="zrh"),
    "Gather": _op(slots=".i"),
    "GatherBlockQuantized": _op("low_bit", slots=".isz"),
    "GatherElements": _op(slots=".i"),
    "GatherND": _op(slots=".i"),
    "Gelu": _op(dip=0.17),
    "Gemm": _op("heavy faithful packs product", slots="..b", weights=1, layout="gemm"),
    "GemmFastGelu": _op(slots="..b"),
    "GemmFloat8": _op(slots="..bsss"),
    "GlobalAveragePool": _op("faithful passes"),
    "Greater": _op("comparison elementwise", bounds=(0.0, 1.0)),
    "GreaterOrEqual": _op("comparison elementwise", bounds=(0.0, 1.0)),
    "GroupNorm": _op(slots="..b"),
    "GroupNormalization": _op(slots="..b"),
    "GroupQueryAttention": _op(slots=".....iiccic.ss"),
    "HammingWindow": _op(slots="i"),
    "HannWindow": _op(slots="i"),
    "HardSigmoid": _op(bounds=(0.0, 1.0)),
    "HardSwish": _op(dip=0.38),
    "Identity": _op("moves faithful transparent passes keeps_bytes"),
    "If": _op("heavy varies", slots="i"),
    "InstanceNormalization": _op("faithful", slots="..b", layout="normalization"),
    "LSTM": _op("heavy packs", slots="...bi", gates="iofc"),
    "LayerNormalization": _op("faithful", slots="..b", layout="layer_normalization"),
    "LeakyRelu": _op(slope=0.01),
    "Less": _op("comparison elementwise", bounds=(0.0, 1.0)),
    "LessOrEqual": _op("comparison elementwise", bounds=(0.0, 1.0)),
    "LongformerAttention": _op(slots="..b..b"),
    "Loop": _op("heavy varies", slots="ii"),
    "MatMul": _op("heavy faithful packs product", weights=1, layout="matmul"),
    "MatMulBlockQuantizedFp4Weight": _op(slots="..sssb"),
    "MatMulBlockQuantizedFp8Weight": _op(slots="..ssb"),
    "MatMulBnb4": _op("low_bit", slots="..s"),
    "MatMulFpQ4": _op(slots="..i"),
    "MatMulInteger": _op("heavy packs product", slots="..zz", weights=1),
    "MatMulIntegerToFloat": _op("heavy packs", slots="..sszzb", weights=1),
    "MatMulNBits": _op("heavy packs product low_bit", slots="..szib"),
    "Max": _op("elementwise"),
    "MaxPool": _op("passes"),
    "MaxUnpool": _op(slots=".ii"),
    "MelWeightMatrix": _op(slots="iiiii"),
    "Min": _op("elementwise"),
    "MoE": _op(slots="...b.b.b"),
    "Mul": _op("faithful elementwise", layout="elementwise"),
    "MulInteger": _op(slots=".z.z"),
    "MultiHeadAttention": _op("heavy", slots="...bcc..ii"),
    "Multinomial": _op("random varies"),
    "Neg": _op("faithful elementwise"),
    "NhwcConv": _op(slots="..b"),
    "NhwcFusedConv": _op(slots="..b"),
    "NonMaxSuppression": _op(slots="..i"),
    "Not": _op("elementwise"),
    "OneHot": _op(slots=".ic"),
    "Or": _op("elementwise"),
    "PRelu": _op(slope=0.25),
    "PackedAttention": _op(slots="..biic"),
    "PackedMultiHeadAttention": _op(slots="...biic"),
    "Pad": _op(slots=".ici"),
    "Pow": _op("elementwise", slots=".c"),
    "QAttention": _op("heavy packs", slots="..bssczz"),
    "QEmbedLayerNormalization": _op(slots="ii....b.ssssszzzzz"),
    "QGemm": _op("heavy packs product", slots=".sz.szbsz", weights=3, layout="quantized_gemm"),
    "QLinearAdd": _op("elementwise", slots=".sz.szsz"),
    "QLinearAveragePool": _op(slots=".szsz"),
    "QLinearConv": _op(
        "heavy packs product convolution",
        slots=".sz.szszb",
        weights=3,
        layout="quantized_convolution",
    ),
    "QLinearConvTranspose": _op(slots=".sz.szszb"),
    "QLinearGlobalAveragePool": _op(slots=".szsz"),
    "QLinearLeakyRelu": _op(slots=".szsz"),
    "QLinearMatMul": _op(
        "heavy packs product", slots=".sz.szsz", weights=3, layout="quantized_matmul"
    ),
    "QLinearMul": _op("elementwise", slots=".sz.szsz"),
    "QLinearReduceMean": _op(slots=".szsz"),
    "QLinearSigmoid": _op(slots=".szsz"),
    "QLinearSoftmax": _op(slots=".szsz"),
    "QLinearWhere": _op(slots="..sz.szsz"),
    "QMoE": _op("low_bit", slots="...sb.sb.sbzzz"),
    "QuantizeLinear": _op("transparent", slots=".sz"),
    "RNN": _op("heavy", slots="...bi", gates="i"),
    "RandomNormal": _op("random varies"),
    "RandomNormalLike": _op("random varies"),
    "RandomUniform": _op("random varies"),
    "RandomUniformLike": _op("random varies"),
    "Range": _op(slots="iii"),
    "Reciprocal": _op("elementwise"),
    "ReduceMean": _op("faithful passes"),
    "ReduceSum": _op("faithful"),
    "Relu": _op("elementwise", dip=0.0),
    "ReorderInput": _op("faithful transparent redresses"),
    "ReorderOutput": _op("faithful transparent redresses"),
    "Reshape": _op("moves faithful transparent passes keeps_bytes", slots=".i"),
    "Resize": _op(slots=".iii"),
    "ReverseSequence": _op(slots=".i"),
    "RoiAlign": _op(slots="..i"),
    "RotaryEmbedding": _op(slots=".cci"),
    "com.microsoft:RotaryEmbedding": _op(slots=".icc"),
    "Round": _op("elementwise"),
    "STFT": _op(slots=".ici"),
    "Scan": _op("heavy varies"),
    "Scatter": _op(slots=".i"),
    "ScatterElements": _op(slots=".i"),
    "ScatterND": _op(slots=".i"),
    "SequenceAt": _op(slots=".i"),
    "SequenceErase": _op(slots=".i"),
    "SequenceInsert": _op(slots="..i"),
    "SequenceMap": _op("varies"),
    "Shape": _op(slots="i"),
    "Sigmoid": _op("elementwise", bounds=(0.0, 1.0)),
    "Sign": _op("elementwise"),
    "Size": _op(slots="i"),
    "SkipGroupNorm": _op(slots="..b.b"),
    "SkipLayerNormalization": _op(slots="...bb"),
    "SkipSimplifiedLayerNormalization": _op(slots="...b"),
    "Slice": _op(slots=".iiii"),
    "Softmax": _op(bounds=(0.0, 1.0)),
    "Softplus": _op(dip=0.0),
    "SparseAttention": _op(slots=".....iiiicc"),
    "Split": _op("faithful", slots=".i"),
    "SplitToSequence": _op(slots=".i"),
    "Sqrt": _op("elementwise"),
    "Squeeze": _op("moves faithful transparent passes keeps_bytes", slots=".i"),
    "Sub": _op("faithful elementwise passes", layout="elementwise"),
    "Sum": _op("elementwise passes"),
    "Swish": _op(dip=0.28),
    "Tanh": _op("elementwise", bounds=(-1.0, 1.0)),
    "TensorScatter": _op(slots="..i"),
    "Tile": _op(slots=".ii"),
    "TopK": _op(slots=".i"),
    "TorchEmbedding": _op(slots=".i"),
    "Transpose": _op("moves faithful transparent redresses passes"),
    "Trilu": _op(slots=".i"),
    "Unsqueeze": _op("moves faithful transparent passes keeps_bytes", slots=".i"),
    "Upsample": _op(slots=".i"),
    "Where": _op("elementwise"),
    "WordConvEmbedding": _op(slots="..b"),
    "Xor": _op("elementwise"),
}

OPERATORS: Mapping[str, Operator] = MappingProxyType(_ROWS)
"""Each operator by its name, or by ``domain:name`` where domains differ."""
