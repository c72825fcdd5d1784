"""One-dimensional layers in the form that ONNX Runtime computes fastest; measured in docs/benchmarks.md.

* Convolutions along one axis are 2-D convolutions of height 1: only those get ONNX Runtime's blocked layout.
* A transposed convolution of stride s is a convolution whose output channels are s samples each (sub-pixel convolution,
  Shi et al. 2016, arXiv 1609.05158).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


def flat_conv(weight: Tensor, bias: Tensor | None, dilation: int = 1) -> nn.Conv2d:
    """A convolution of height 1 with the weight [out, in, kernel] of one along a single axis."""
    outputs, inputs, kernel = weight.shape
    conv = nn.Conv2d(inputs, outputs, (1, kernel), dilation=(1, dilation), bias=bias is not None)
    conv.weight = nn.Parameter(weight.detach().unsqueeze(2).contiguous())
    if bias is not None:
        conv.bias = nn.Parameter(bias.detach().clone())
    return conv


class SubPixelUpsample(nn.Module):
    """What a transposed convolution of `stride` computes, cropped to exactly `stride` samples for each input.

    `weight` is [in, out, kernel], any kernel. The first `crop` samples of the transposed convolution are dropped, and
    what is surplus after the last. `replicated` copies of the first input go before it.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, stride: int, crop: int, replicated: int = 0) -> None:
        super().__init__()
        inputs, self.outputs, kernel = weight.shape
        self.stride = stride
        self.replicated = replicated
        reach = -(-kernel // stride)
        # Output sample s·q + j hears input q - i through tap s·i + j; the first one that is kept has this q:
        first = crop // stride
        self.padding = (reach - 1 - first, -(-crop // stride) - replicated)
        self.crop = crop - first * stride
        taps = F.pad(weight.detach(), (0, reach * stride - kernel)).reshape(inputs, self.outputs, reach, stride)
        self.conv = flat_conv(
            taps.flip(2).permute(1, 3, 0, 2).reshape(self.outputs * stride, inputs, reach),
            None if bias is None else bias.detach().repeat_interleave(stride),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, 1, T] → [B, out, 1, stride·T]."""
        length = x.shape[3]
        if self.replicated:
            x = F.pad(x, (self.replicated, 0, 0, 0), mode="replicate")
        y = self.conv(F.pad(x, self.padding))
        blocks = y.shape[3]
        y = y.reshape(x.shape[0], self.outputs, self.stride, blocks).transpose(2, 3)
        y = y.reshape(x.shape[0], self.outputs, 1, blocks * self.stride)
        cropped: Tensor = y[..., self.crop : self.crop + self.stride * length]
        return cropped
