"""`scripts/bench sculptor`: a designed voice of random weights, small and of CosyVoice2-0.5B's size."""
