"""Simulation results of Ahmad & Hawkins (arXiv 1601.00720v2), from their data files; 1e8 comparisons per point."""

DRAWS = 10**8
"""Comparisons per point."""

FIGURE_4A: dict[int, dict[int, float]] = {
    64: {300: 0.00109318, 500: 5.74e-6, 700: 1.1e-7},
    128: {300: 0.292048, 500: 0.00737836, 700: 0.00032014, 900: 2.585e-5, 1100: 2.95e-6, 1300: 5.9e-7, 1500: 1.3e-7,
          1700: 1e-8, 1900: 1e-8},
    256: {
        300: 0.997368, 500: 0.629267, 700: 0.121048, 900: 0.0193688, 1100: 0.00350879, 1300: 0.00074956, 1500: 0.00018659, 1700: 5.332e-5,
        1900: 1.65e-5, 2100: 5.58e-6, 2300: 2.23e-6, 2500: 9.3e-7, 2700: 3.2e-7, 2900: 2.7e-7, 3100: 7e-8, 3300: 4e-8, 3500: 2e-8,
    },
}  # fmt: skip
"""False positive rate by a and n; s = 24, theta = 12. The first point of a = 256 is 0.26 % too low, because its counters were float32."""

FIGURE_4B_NOISE = (6, 13, 19, 26, 32, 38, 45, 51, 58, 64, 70, 77, 83, 90, 96, 102)
"""Number of moved bits of a = 128: 5 % to 80 % in steps of 5 %."""

FIGURE_4B_SIMULATED = (
    0, 0, 0, 0, 1.7e-7, 1.11e-5, 0.00031558, 0.0027716, 0.0198583, 0.0716827, 0.190397, 0.426699, 0.664547, 0.880767, 0.970354, 0.99638
)  # fmt: skip
"""False negative rate for these numbers of moved bits; s = 30, theta = 12."""
