"""How far the predicted (normalised) f0 of the demo voice must move for a shift in semitones.

Measured: mean log f0 (WORLD harvest) of four sentences against the shift, from -2.5 (-4.2 semitones) to 2.0 (+3.5);
beyond, the voice turns back. The curve is the least-squares fit of an odd cubic to that.
"""

# linear and cubic coefficient, smallest and largest shift
PITCH_CURVE = (0.413, 0.01068, -2.5, 2.0)
