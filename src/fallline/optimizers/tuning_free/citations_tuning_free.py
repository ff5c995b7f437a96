"""The publications behind step lengths that are found from distances and losses."""

from __future__ import annotations

from fallline.optimizers.spec import Citation

MISHCHENKO = Citation(
    "mishchenko2023",
    "Mishchenko, Konstantin and Defazio, Aaron",
    "Prodigy: An Expeditiously Adaptive Parameter-Free Learner",
    "ICML 2024",
    2023,
    "https://arxiv.org/abs/2306.06101",
)
DEFAZIO_2023 = Citation(
    "defazio2023",
    "Defazio, Aaron and Mishchenko, Konstantin",
    "Learning-Rate-Free Learning by D-Adaptation",
    "ICML 2023",
    2023,
    "https://arxiv.org/abs/2301.07733",
)
IVGI = Citation(
    "ivgi2023",
    "Ivgi, Maor and Hinder, Oliver and Carmon, Yair",
    "DoG is SGD's Best Friend: A Parameter-Free Dynamic Step Size Schedule",
    "ICML 2023",
    2023,
    "https://arxiv.org/abs/2302.12022",
)
KHALED = Citation(
    "khaled2023",
    "Khaled, Ahmed and Mishchenko, Konstantin and Jin, Chi",
    "DoWG Unleashed: An Efficient Universal Parameter-Free Gradient Descent Method",
    "NeurIPS 2023",
    2023,
    "https://arxiv.org/abs/2305.16284",
)
ORABONA = Citation(
    "orabona2017",
    "Orabona, Francesco and Tommasi, Tatiana",
    "Training Deep Networks without Learning Rates Through Coin Betting",
    "NIPS 2017",
    2017,
    "https://arxiv.org/abs/1705.07795",
)
ORABONA_PAL = Citation(
    "orabona2016",
    "Orabona, Francesco and Pál, Dávid",
    "Coin Betting and Parameter-Free Online Learning",
    "NIPS 2016",
    2016,
    "https://arxiv.org/abs/1602.04128",
)
SCHAIPP = Citation(
    "schaipp2023",
    "Schaipp, Fabian and Ohana, Ruben and Eickenberg, Michael and Defazio, Aaron and "
    "Gower, Robert M.",
    "MoMo: Momentum Models for Adaptive Learning Rates",
    "ICML 2024",
    2023,
    "https://arxiv.org/abs/2305.07583",
)
CUTKOSKY = Citation(
    "cutkosky2023",
    "Cutkosky, Ashok and Defazio, Aaron and Mehta, Harsh",
    "Mechanic: A Learning Rate Tuner",
    "NeurIPS 2023",
    2023,
    "https://arxiv.org/abs/2306.00144",
)
