"""The style stage of voices with controls: a Mandarin instruction → speed, pitch, contour and energy.

`lexicon/` says what words do, `grammar` makes instructions of them whose effect is known, `train` fits `network` to
these and writes `weights.npz`, and `stage` loads that for the exporter.
"""
