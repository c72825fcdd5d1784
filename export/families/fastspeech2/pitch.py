"""How far the predicted (normalised) f0 of the demo voice must move for a shift in semitones.

Measured: mean log f0 (WORLD harvest) of ten sentences against the shift, from -2.5 (-4.2 semitones) to 2.0 (+3.3);
beyond, the voice turns back. The curve is the least-squares fit of a cubic without constant term to that.
"""

# linear, quadratic and cubic coefficient; smallest and largest shift
PITCH_CURVE = (0.422, 0.0195, 0.0141, -2.5, 2.0)
