"""Trains a HiFi-GAN for the demo voice on what that voice says (docs/vocoders.md)."""
