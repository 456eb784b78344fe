"""Roles: what the input slots of operators are for, by operator."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from onnxfi.graph import Node

_TRANSPARENT = frozenset(
    {
        "Cast",
        "CastLike",
        "DequantizeLinear",
        "Flatten",
        "Identity",
        "QuantizeLinear",
        "ReorderInput",
        "ReorderOutput",
        "Reshape",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
    }
)


class Role(enum.Enum):
    """What an operator takes a value for."""

    DATA = "."
    BIAS = "b"
    SCALE = "s"
    ZERO_POINT = "z"
    CONSTANT = "c"
    """Bound, mask, exponent, table of angles, filling: a number that is no parameter."""
    STRUCTURE = "i"
    """Shape, axis, index, size or condition: it decides where numbers go, and is none itself."""


def transparent(node: Node) -> bool:
    """Whether a node only converts or moves its first input; layers are seen through it."""
    # A damaged file can have such a node without inputs.
    whole = bool(node.inputs) and bool(node.outputs)
    return whole and node.op_type in _TRANSPARENT and node.domain in _DOMAINS


def role_of(node: Node, slot: int) -> Role:
    """What a node takes its input ``slot`` (0-based) for."""
    if node.domain not in _DOMAINS:
        return Role.DATA
    if node.op_type == "QLinearConcat":
        return (Role.DATA, Role.SCALE, Role.ZERO_POINT)[(slot + 1) % 3]
    if node.op_type.startswith("Reduce"):
        return Role.STRUCTURE if slot == 1 else Role.DATA
    slots = SLOT_ROLES.get(f"{node.domain}:{node.op_type}", SLOT_ROLES.get(node.op_type, ""))
    return Role(slots[slot]) if slot < len(slots) else Role.DATA


_DOMAINS = ("", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc")

_GROUPS: Mapping[str, str] = {
    # One letter an input slot, as in Role; slots beyond the end are data.
    "..b": "Conv ConvTranspose Gemm LayerNormalization InstanceNormalization BatchNormalization"
    " GroupNormalization FusedConv FusedGemm NhwcConv NhwcFusedConv GroupNorm GemmFastGelu"
    " CausalConvWithState WordConvEmbedding",
    "..bc.ci": "com.microsoft:Attention DecoderMaskedSelfAttention",
    "..biic": "PackedAttention",
    "...b": "DeformConv SkipSimplifiedLayerNormalization",
    "...bcc..ii": "MultiHeadAttention",
    "...biic": "PackedMultiHeadAttention",
    "...c..i": "Attention",
    "...bi": "LSTM GRU RNN",
    "...bb": "SkipLayerNormalization",
    "...b.b.b": "MoE",
    "..b.b": "SkipGroupNorm",
    "..b..b": "LongformerAttention",
    "...cc..iiib": "DecoderMaskedMultiHeadAttention",
    "..ib": "ConvTransposeWithDynamicPads",
    ".b": "BiasAdd BiasGelu FastGelu BiasSplitGelu BiasDropout BitmaskBiasDropout",
    "ii....b.i": "EmbedLayerNormalization",
    "ii....b.ssssszzzzz": "QEmbedLayerNormalization",
    ".sz": "QuantizeLinear DequantizeLinear",
    ".szsz": "QLinearAveragePool QLinearGlobalAveragePool QLinearLeakyRelu QLinearReduceMean"
    " QLinearSigmoid QLinearSoftmax",
    ".sz.szsz": "QLinearMatMul QLinearAdd QLinearMul",
    ".sz.szszb": "QLinearConv QLinearConvTranspose",
    ".sz.szbsz": "QGemm",
    "..sz.szsz": "QLinearWhere",
    "..zz": "ConvInteger MatMulInteger",
    ".z.z": "MulInteger",
    "..szb": "DynamicQuantizeMatMul",
    "..sszzb": "MatMulIntegerToFloat",
    "..szib": "MatMulNBits",
    "..s": "MatMulBnb4",
    "..ssb": "MatMulBlockQuantizedFp8Weight",
    "..sssb": "MatMulBlockQuantizedFp4Weight",
    "..bsss": "GemmFloat8",
    "..bssczz": "QAttention",
    "...bi...szsz": "DynamicQuantizeLSTM",
    "...sb.sb.sbzzz": "QMoE",
    ".isz": "GatherBlockQuantized",
    ".....iiccic.ss": "GroupQueryAttention",
    ".....iiiicc": "SparseAttention",
    ".cci": "RotaryEmbedding",
    ".icc": "com.microsoft:RotaryEmbedding",
    ".c": "Pow",
    ".cc": "Clip",
    ".ic": "OneHot",
    "i": "ConstantOfShape If Shape Size HannWindow HammingWindow BlackmanWindow",
    "ii": "Loop",
    "iii": "Range",
    "iiiii": "MelWeightMatrix",
    ".i": "Reshape Expand Gather GatherElements GatherND Scatter ScatterElements ScatterND Squeeze"
    " Unsqueeze Upsample Split SplitToSequence TopK CumSum CumProd Trilu CenterCropPad"
    " AffineGrid Compress SequenceAt SequenceErase ReverseSequence ArrayFeatureExtractor"
    " ExpandDims TorchEmbedding",
    ".ii": "Tile DFT Col2Im MaxUnpool Dropout",
    ".iii": "Resize",
    ".iiii": "Slice",
    ".ici": "Pad STFT",
    "..i": "RoiAlign NonMaxSuppression SequenceInsert TensorScatter MatMulFpQ4",
    "...i": "CropAndResize",
}

SLOT_ROLES: Mapping[str, str] = MappingProxyType(
    {name: slots for slots, names in _GROUPS.items() for name in names.split()}
)
"""The role of each input slot, by operator: a letter a slot; slots beyond the end are data."""
