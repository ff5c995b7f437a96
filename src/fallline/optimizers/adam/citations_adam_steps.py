"""The publications behind Adam's kin that take a step of another length."""

from __future__ import annotations

from fallline.optimizers.spec import Citation

LIU = Citation(
    "liu2020",
    "Liu, Liyuan and Jiang, Haoming and He, Pengcheng and Chen, Weizhu and Liu, Xiaodong and "
    "Gao, Jianfeng and Han, Jiawei",
    "On the Variance of the Adaptive Learning Rate and Beyond",
    "ICLR 2020",
    2020,
    "https://arxiv.org/abs/1908.03265",
)
CHEN = Citation(
    "chen2018",
    "Chen, Jinghui and Zhou, Dongruo and Tang, Yiqi and Yang, Ziyan and Cao, Yuan and Gu, Quanquan",
    "Closing the Generalization Gap of Adaptive Gradient Methods in Training Deep Neural Networks",
    "arXiv:1806.06763",
    2018,
    "https://arxiv.org/abs/1806.06763",
)
KESKAR = Citation(
    "keskar2017",
    "Keskar, Nitish Shirish and Socher, Richard",
    "Improving Generalization Performance by Switching from Adam to SGD",
    "arXiv:1712.07628",
    2017,
    "https://arxiv.org/abs/1712.07628",
)
DING = Citation(
    "ding2019",
    "Ding, Jianbang and Ren, Xuancheng and Luo, Ruixuan and Sun, Xu",
    "An Adaptive and Momental Bound Method for Stochastic Learning",
    "arXiv:1910.12249",
    2019,
    "https://arxiv.org/abs/1910.12249",
)
DUBEY_DIFFERENCE = Citation(
    "dubey2019",
    "Dubey, Shiv Ram and Chakraborty, Soumendu and Roy, Swalpa Kumar and Mukherjee, Snehasis and "
    "Singh, Satish Kumar and Chaudhuri, Bidyut Baran",
    "diffGrad: An Optimization Method for Convolutional Neural Networks",
    "arXiv:1909.11015",
    2019,
    "https://arxiv.org/abs/1909.11015",
)
ZHOU = Citation(
    "zhou2019",
    "Zhou, Zhiming and Zhang, Qingru and Lu, Guansong and Wang, Hongwei and Zhang, Weinan and "
    "Yu, Yong",
    "AdaShift: Decorrelation and Convergence of Adaptive Learning Rate Methods",
    "ICLR 2019",
    2019,
    "https://arxiv.org/abs/1810.00143",
)
DUBEY_NORM = Citation(
    "dubey2023",
    "Dubey, Shiv Ram and Singh, Satish Kumar and Chaudhuri, Bidyut Baran",
    "AdaNorm: Adaptive Gradient Norm Correction based Optimizer for CNNs",
    "WACV 2023",
    2023,
    "https://arxiv.org/abs/2210.06364",
)
WORTSMAN = Citation(
    "wortsman2023",
    "Wortsman, Mitchell and Dettmers, Tim and Zettlemoyer, Luke and Morcos, Ari and "
    "Farhadi, Ali and Schmidt, Ludwig",
    "Stable and low-precision training for large-scale vision-language models",
    "NeurIPS 2023",
    2023,
    "https://arxiv.org/abs/2304.13013",
)
LIANG = Citation(
    "liang2024",
    "Liang, Kaizhao and Chen, Lizhang and Liu, Bo and Liu, Qiang",
    "Cautious Optimizers: Improving Training with One Line of Code",
    "arXiv:2411.16085",
    2024,
    "https://arxiv.org/abs/2411.16085",
)
WRIGHT = Citation(
    "wright2019",
    "Wright, Less",
    "Ranger: a synergistic optimizer",
    "GitHub repository lessw2020/Ranger-Deep-Learning-Optimizer",
    2019,
    "https://github.com/lessw2020/Ranger-Deep-Learning-Optimizer",
)
PANG = Citation(
    "pang2024",
    "Pang, Yijiang and Yu, Shuyang and Hoang, Bao and Zhou, Jiayu",
    "Towards Stability of Parameter-free Optimization",
    "arXiv:2405.04376",
    2024,
    "https://arxiv.org/abs/2405.04376",
)
CAO = Citation(
    "cao2024",
    "Cao, Yang and Li, Xiaoyu and Song, Zhao",
    "Grams: Gradient Descent with Adaptive Momentum Scaling",
    "arXiv:2412.17107",
    2024,
    "https://arxiv.org/abs/2412.17107",
)
