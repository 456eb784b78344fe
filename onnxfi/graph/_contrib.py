"""Element types that onnx's shape inference doesn't know: outputs of onnxruntime's operators."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from onnx import NodeProto

# The input whose element type the first output has; the first of them that is there.
# From onnxruntime's ContribOperators.md.
_LIKE_INPUT: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "EmbedLayerNormalization": (2,),
        "MatMulIntegerToFloat": (2,),
        "DequantizeLinear": (1,),
        "QuantizeLinear": (2,),
        "QEmbedLayerNormalization": (8,),
        "QGemm": (8, 1),
        "QLinearConcat": (1,),
        "QLinearConv": (7,),
        "QLinearWhere": (1,),
        "QAttention": (2,),
        "GatherBlockQuantized": (2,),
        "GemmaRotaryEmbedding": (1,),
        "NGramRepeatBlock": (1,),
        "SparseToDenseMatMul": (1,),
        "WordConvEmbedding": (1,),
    }
)
# The same for outputs behind the first, by their slot.
_LIKE_FURTHER: Mapping[str, Mapping[int, int]] = MappingProxyType(
    {
        "Attention": {1: 0},
        "AttnLSTM": {1: 0, 2: 0},
        "CausalConvWithState": {1: 0},
        "DecoderAttention": {1: 0, 2: 0},
        "DecoderMaskedMultiHeadAttention": {1: 0, 2: 0},
        "DecoderMaskedSelfAttention": {1: 0},
        "DynamicQuantizeLSTM": {1: 0, 2: 0},
        "EmbedLayerNormalization": {2: 2},
        "GemmaRotaryEmbedding": {1: 1},
        "MatMulNBitsMlp": {1: 0},
        "MatMulNBitsQkv": {1: 0, 2: 0, 3: 0},
        "MultiHeadAttention": {1: 0, 2: 0},
        "QAttention": {1: 3},
        "SkipGroupNorm": {1: 0},
        "SkipLayerNormalization": {3: 0},
        "SkipSimplifiedLayerNormalization": {3: 0},
        "SparseAttention": {1: 0, 2: 0},
    }
)
_LIKE_FIRST = frozenset(
    """
    Attention AttnLSTM BiasAdd BiasDropout BiasGelu BiasSoftmax BiasSplitGelu
    BitmaskBiasDropout BitmaskDropout BranchwiseRMSNorm CDist ComplexMul ComplexMulConj
    ConvTransposeWithDynamicPads CropAndResize DecoderAttention
    DecoderMaskedMultiHeadAttention DecoderMaskedSelfAttention DynamicQuantizeLSTM
    DynamicQuantizeMatMul ExpandDims FastGelu FusedConv FusedGemm FusedMatMul
    FusedMatMulActivation GatedAdd GatedRMSNorm GatedRelativePositionBias GatherND Gelu
    GemmFastGelu GroupNorm GroupQueryAttention Inverse Irfft LinearAttention
    LongformerAttention MRotaryEmbedding MatMulBnb4 MatMulFpQ4 MatMulNBits MatMulNBitsMlp
    MatMulNBitsQkv MaxpoolWithMask MoE MultiHeadAttention NhwcConv NhwcFusedConv NhwcMaxPool
    PackedAttention PackedMultiHeadAttention Pad PagedAttention QLinearAdd QLinearAveragePool
    QLinearGlobalAveragePool QLinearLeakyRelu QLinearMul QLinearReduceMean QLinearSigmoid
    QLinearSoftmax QMoE QOrderedAttention QOrderedGelu QOrderedLayerNormalization
    QOrderedLongformerAttention QOrderedMatMul QuickGelu Range RelativePositionBias
    RemovePadding RestorePadding Rfft RotaryEmbedding SampleOp ScaledSiLU SkipGroupNorm
    SkipLayerNormalization SkipSimplifiedLayerNormalization SparseAttention TorchEmbedding
    TransposeMatMul Trilu UnfoldTensor Unique
    """.split()  # noqa: SIM905 - ninety quoted names are harder to read
)
# onnxruntime takes these in ai.onnx's own domain too, at opsets that lack them.
_IN_ONNX_DOMAIN = frozenset({"LayerNormalization", "SimplifiedLayerNormalization", "FusedConv"})
_DOMAINS = frozenset({"com.microsoft", "com.microsoft.nchwc"})


def typed_like(node: NodeProto, output: int = 0) -> str | None:
    """The input whose element type a node's output has; None if that isn't known here.

    Args:
        node: The node.
        output: Slot of the output.
    """
    if output:
        further = _LIKE_FURTHER.get(node.op_type, {}) if node.domain in _DOMAINS else {}
        like: tuple[int, ...] = (further[output],) if output in further else ()
    elif node.domain in ("", "ai.onnx"):
        like = (0,) if node.op_type in _IN_ONNX_DOMAIN else ()
    elif node.domain not in _DOMAINS:
        like = ()
    elif node.domain == "com.microsoft.nchwc" or node.op_type in _LIKE_FIRST:
        like = (0,)
    else:
        like = _LIKE_INPUT.get(node.op_type, ())
    present = [node.input[slot] for slot in like if slot < len(node.input)]
    return next(filter(None, present), None)
