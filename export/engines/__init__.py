"""TensorRT plans of a voice's stages. Nothing here needs PyTorch or the checkpoint: plans are built where they are
served, of the exported ONNX files and what their manifests say."""
