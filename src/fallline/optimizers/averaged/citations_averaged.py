"""The publications behind averages of the parameters, and FTRL."""

from __future__ import annotations

from fallline.optimizers.spec import Citation

POLYAK_JUDITSKY = Citation(
    "polyak1992",
    "Polyak, Boris T. and Juditsky, Anatoli B.",
    "Acceleration of Stochastic Approximation by Averaging",
    "SIAM Journal on Control and Optimization 30(4), 838-855",
    1992,
    "https://doi.org/10.1137/0330046",
)
DEFAZIO_2024 = Citation(
    "defazio2024",
    "Defazio, Aaron and Yang, Xingyu and Mehta, Harsh and Mishchenko, Konstantin and "
    "Khaled, Ahmed and Cutkosky, Ashok",
    "The Road Less Scheduled",
    "NeurIPS 2024",
    2024,
    "https://arxiv.org/abs/2405.15682",
)
MCMAHAN = Citation(
    "mcmahan2013",
    "McMahan, H. Brendan and Holt, Gary and Sculley, D. and Young, Michael and Ebner, Dietmar and "
    "Grady, Julian and Nie, Lan and Phillips, Todd and Davydov, Eugene and Golovin, Daniel and "
    "Chikkerur, Sharat and Liu, Dan and Wattenberg, Martin and Hrafnkelsson, Arnar Mar and "
    "Boulos, Tom and Kubica, Jeremy",
    "Ad Click Prediction: a View from the Trenches",
    "KDD 2013",
    2013,
    "https://doi.org/10.1145/2487575.2488200",
)
