"""The publications behind :mod:`fallline.optimizers.adam.adam_moments`."""

from __future__ import annotations

from fallline.optimizers.spec import Citation

DASKALAKIS = Citation(
    "daskalakis2018",
    "Daskalakis, Constantinos and Ilyas, Andrew and Syrgkanis, Vasilis and Zeng, Haoyang",
    "Training GANs with Optimism",
    "ICLR 2018",
    2018,
    "https://arxiv.org/abs/1711.00141",
)
ZAHEER = Citation(
    "zaheer2018",
    "Zaheer, Manzil and Reddi, Sashank J. and Sachan, Devendra and Kale, Satyen and Kumar, Sanjiv",
    "Adaptive Methods for Nonconvex Optimization",
    "NeurIPS 2018",
    2018,
    "https://proceedings.neurips.cc/paper/2018/hash/90365351ccc7437a1309dc64e4db32a3-Abstract.html",
)
MA = Citation(
    "ma2019",
    "Ma, Jerry and Yarats, Denis",
    "Quasi-hyperbolic momentum and Adam for deep learning",
    "ICLR 2019",
    2019,
    "https://arxiv.org/abs/1810.06801",
)
ZIYIN = Citation(
    "ziyin2020",
    "Ziyin, Liu and Wang, Zhikang T. and Ueda, Masahito",
    "LaProp: Separating Momentum and Adaptivity in Adam",
    "arXiv:2002.04839",
    2020,
    "https://arxiv.org/abs/2002.04839",
)
DEFAZIO = Citation(
    "defazio2021",
    "Defazio, Aaron and Jelassi, Samy",
    "Adaptivity without Compromise: A Momentumized, Adaptive, Dual Averaged Gradient Method for "
    "Stochastic Optimization",
    "arXiv:2101.11075",
    2021,
    "https://arxiv.org/abs/2101.11075",
)
XIE_PNM = Citation(
    "xie2021",
    "Xie, Zeke and Yuan, Li and Zhu, Zhanxing and Sugiyama, Masashi",
    "Positive-Negative Momentum: Manipulating Stochastic Gradient Noise to Improve Generalization",
    "ICML 2021",
    2021,
    "https://arxiv.org/abs/2103.17182",
)
ZHUANG_CENTRED = Citation(
    "zhuang2021",
    "Zhuang, Juntang and Ding, Yifan and Tang, Tommy and Dvornek, Nicha and "
    "Tatikonda, Sekhar and Duncan, James S.",
    "Momentum Centering and Asynchronous Update for Adaptive Gradient Methods",
    "NeurIPS 2021",
    2021,
    "https://arxiv.org/abs/2110.05454",
)
XIE_ADAN = Citation(
    "xie2022",
    "Xie, Xingyu and Zhou, Pan and Li, Huan and Lin, Zhouchen and Yan, Shuicheng",
    "Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep Models",
    "arXiv:2208.06677",
    2022,
    "https://arxiv.org/abs/2208.06677",
)
ADLY = Citation(
    "adly2024",
    "Adly, Ahmed M.",
    "EXAdam: The Power of Adaptive Cross-Moments",
    "arXiv:2412.20302",
    2024,
    "https://arxiv.org/abs/2412.20302",
)
PAGLIARDINI = Citation(
    "pagliardini2024",
    "Pagliardini, Matteo and Ablin, Pierre and Grangier, David",
    "The AdEMAMix Optimizer: Better, Faster, Older",
    "arXiv:2409.03137",
    2024,
    "https://arxiv.org/abs/2409.03137",
)
TANIGUCHI = Citation(
    "taniguchi2024",
    "Taniguchi, Shohei and Harada, Keno and Minegishi, Gouki and Oshima, Yuta and "
    "Jeong, Seong Cheol and Nagahara, Go and Iiyama, Tomoshi and Suzuki, Masahiro and "
    "Iwasawa, Yusuke and Matsuo, Yutaka",
    "ADOPT: Modified Adam Can Converge with Any β₂ with the Optimal Rate",
    "NeurIPS 2024",
    2024,
    "https://arxiv.org/abs/2411.02853",
)
YUAN_MARS = Citation(
    "yuan2024",
    "Yuan, Huizhuo and Liu, Yifeng and Wu, Shuang and Zhou, Xun and Gu, Quanquan",
    "MARS: Unleashing the Power of Variance Reduction for Training Large Models",
    "arXiv:2411.10438",
    2024,
    "https://arxiv.org/abs/2411.10438",
)
MORWANI = Citation(
    "morwani2025",
    "Morwani, Depen and Vyas, Nikhil and Zhang, Hanlin and Kakade, Sham",
    "Connections between Schedule-Free Optimizers, AdEMAMix, and Accelerated SGD Variants",
    "arXiv:2502.02431",
    2025,
    "https://arxiv.org/abs/2502.02431",
)
