"""The publications of optimizers that factor, turn or curve."""

from __future__ import annotations

from fallline.optimizers.spec import Citation

SHAZEER = Citation(
    "shazeer2018",
    "Shazeer, Noam and Stern, Mitchell",
    "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost",
    "ICML 2018",
    2018,
    "https://arxiv.org/abs/1804.04235",
)
ANIL = Citation(
    "anil2019",
    "Anil, Rohan and Gupta, Vineet and Koren, Tomer and Singer, Yoram",
    "Memory-Efficient Adaptive Optimization",
    "NeurIPS 2019",
    2019,
    "https://arxiv.org/abs/1901.11150",
)
LUO_CAME = Citation(
    "luo2023",
    "Luo, Yang and Ren, Xiaozhe and Zheng, Zangwei and Jiang, Zhuo and Jiang, Xin and You, Yang",
    "CAME: Confidence-guided Adaptive Memory Efficient Optimization",
    "ACL 2023",
    2023,
    "https://arxiv.org/abs/2307.02047",
)
JORDAN = Citation(
    "jordan2024",
    "Jordan, Keller and Jin, Yuchen and Boza, Vlado and You, Jiacheng and Cesista, Franz and "
    "Newhouse, Laker and Bernstein, Jeremy",
    "Muon: An optimizer for hidden layers in neural networks",
    "kellerjordan.github.io",
    2024,
    "https://kellerjordan.github.io/posts/muon/",
)
GUPTA = Citation(
    "gupta2018",
    "Gupta, Vineet and Koren, Tomer and Singer, Yoram",
    "Shampoo: Preconditioned Stochastic Tensor Optimization",
    "ICML 2018",
    2018,
    "https://arxiv.org/abs/1802.09568",
)
VYAS = Citation(
    "vyas2024",
    "Vyas, Nikhil and Morwani, Depen and Zhao, Rosie and Kwun, Mujin and Shapira, Itai and "
    "Brandfonbrener, David and Janson, Lucas and Kakade, Sham",
    "SOAP: Improving and Stabilizing Shampoo using Adam",
    "arXiv 2409.11321",
    2024,
    "https://arxiv.org/abs/2409.11321",
)
LI = Citation(
    "li2018",
    "Li, Xi-Lin",
    "Preconditioned Stochastic Gradient Descent",
    "IEEE Transactions on Neural Networks and Learning Systems 29(5), 1454-1466",
    2018,
    "https://arxiv.org/abs/1512.04202",
)
ZHAO = Citation(
    "zhao2024",
    "Zhao, Jiawei and Zhang, Zhenyu and Chen, Beidi and Wang, Zhangyang and Anandkumar, Anima and "
    "Tian, Yuandong",
    "GaLore: Memory-Efficient LLM Training by Gradient Low-Rank Projection",
    "ICML 2024",
    2024,
    "https://arxiv.org/abs/2403.03507",
)
YAO = Citation(
    "yao2021",
    "Yao, Zhewei and Gholami, Amir and Shen, Sheng and Mustafa, Mustafa and Keutzer, Kurt and "
    "Mahoney, Michael W.",
    "ADAHESSIAN: An Adaptive Second Order Optimizer for Machine Learning",
    "AAAI 2021",
    2021,
    "https://arxiv.org/abs/2006.00719",
)
LIU_SOPHIA = Citation(
    "liu2023",
    "Liu, Hong and Li, Zhiyuan and Hall, David and Liang, Percy and Ma, Tengyu",
    "Sophia: A Scalable Stochastic Second-order Optimizer for Language Model Pre-training",
    "arXiv 2305.14342",
    2023,
    "https://arxiv.org/abs/2305.14342",
)
MA = Citation(
    "ma2020",
    "Ma, Xuezhe",
    "Apollo: An Adaptive Parameter-wise Diagonal Quasi-Newton Method for Nonconvex Stochastic "
    "Optimization",
    "arXiv 2009.13586",
    2020,
    "https://arxiv.org/abs/2009.13586",
)
LIU_NOCEDAL = Citation(
    "liu1989",
    "Liu, Dong C. and Nocedal, Jorge",
    "On the limited memory BFGS method for large scale optimization",
    "Mathematical Programming 45, 503-528",
    1989,
    "https://doi.org/10.1007/BF01589116",
)
