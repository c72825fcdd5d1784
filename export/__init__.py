"""Checkpoint → PyTorch modules → ONNX stages → Triton model repository."""
