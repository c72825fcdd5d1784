"""One package per architecture: reads its checkpoints and names its stages."""
