"""The publications behind layer-wise steps, other momenta, and steps of signs."""

from __future__ import annotations

from fallline.optimizers.spec import Citation

LARS = Citation(
    "you2017",
    "You, Yang and Gitman, Igor and Ginsburg, Boris",
    "Large Batch Training of Convolutional Networks",
    "arXiv:1708.03888",
    2017,
    "https://arxiv.org/abs/1708.03888",
)
LAMB = Citation(
    "you2020",
    "You, Yang and Li, Jing and Reddi, Sashank and Hseu, Jonathan and Kumar, Sanjiv and "
    "Bhojanapalli, Srinadh and Song, Xiaodan and Demmel, James and Keutzer, Kurt and "
    "Hsieh, Cho-Jui",
    "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes",
    "ICLR 2020",
    2020,
    "https://arxiv.org/abs/1904.00962",
)
FROMAGE = Citation(
    "bernstein2020",
    "Bernstein, Jeremy and Vahdat, Arash and Yue, Yisong and Liu, Ming-Yu",
    "On the distance between two neural networks and the stability of learning",
    "NeurIPS 2020",
    2020,
    "https://arxiv.org/abs/2002.03432",
)
NOVOGRAD = Citation(
    "ginsburg2019",
    "Ginsburg, Boris and Castonguay, Patrice and Hrinchuk, Oleksii and Kuchaiev, Oleksii and "
    "Lavrukhin, Vitaly and Leary, Ryan and Li, Jason and Nguyen, Huyen and Zhang, Yang and "
    "Cohen, Jonathan M.",
    "Stochastic Gradient Methods with Layer-wise Adaptive Moments for Training of Deep Networks",
    "arXiv:1905.11286",
    2019,
    "https://arxiv.org/abs/1905.11286",
)
ADAMP = Citation(
    "heo2021",
    "Heo, Byeongho and Chun, Sanghyuk and Oh, Seong Joon and Han, Dongyoon and Yun, Sangdoo and "
    "Kim, Gyuwan and Uh, Youngjung and Ha, Jung-Woo",
    "AdamP: Slowing Down the Slowdown for Momentum Optimizers on Scale-invariant Weights",
    "ICLR 2021",
    2021,
    "https://arxiv.org/abs/2006.08217",
)
QHM = Citation(
    "ma2019",
    "Ma, Jerry and Yarats, Denis",
    "Quasi-hyperbolic momentum and Adam for deep learning",
    "ICLR 2019",
    2019,
    "https://arxiv.org/abs/1810.06801",
)
AGGMO = Citation(
    "lucas2019",
    "Lucas, James and Sun, Shengyang and Zemel, Richard and Grosse, Roger",
    "Aggregated Momentum: Stability Through Passive Damping",
    "ICLR 2019",
    2019,
    "https://arxiv.org/abs/1804.00325",
)
ACCSGD = Citation(
    "kidambi2018",
    "Kidambi, Rahul and Netrapalli, Praneeth and Jain, Prateek and Kakade, Sham M.",
    "On the insufficiency of existing momentum schemes for Stochastic Optimization",
    "ICLR 2018",
    2018,
    "https://arxiv.org/abs/1803.05591",
)
PNM = Citation(
    "xie2021",
    "Xie, Zeke and Yuan, Li and Zhu, Zhanxing and Sugiyama, Masashi",
    "Positive-Negative Momentum: Manipulating Stochastic Gradient Noise to Improve Generalization",
    "ICML 2021",
    2021,
    "https://arxiv.org/abs/2103.17182",
)
PID = Citation(
    "an2018",
    "An, Wangpeng and Wang, Haoqian and Sun, Qingyun and Xu, Jun and Dai, Qionghai and Zhang, Lei",
    "A PID Controller Approach for Stochastic Optimization of Deep Networks",
    "CVPR 2018",
    2018,
    "https://openaccess.thecvf.com/content_cvpr_2018/html/An_A_PID_Controller_CVPR_2018_paper.html",
)
OPTIMISTIC = Citation(
    "mokhtari2020",
    "Mokhtari, Aryan and Ozdaglar, Asuman and Pattathil, Sarath",
    "A Unified Analysis of Extra-gradient and Optimistic Gradient Methods for Saddle Point "
    "Problems: Proximal Point Approach",
    "AISTATS 2020",
    2020,
    "https://arxiv.org/abs/1901.08511",
)
NOISE = Citation(
    "neelakantan2015",
    "Neelakantan, Arvind and Vilnis, Luke and Le, Quoc V. and Sutskever, Ilya and "
    "Kaiser, Lukasz and Kurach, Karol and Martens, James",
    "Adding Gradient Noise Improves Learning for Very Deep Networks",
    "arXiv:1511.06807",
    2015,
    "https://arxiv.org/abs/1511.06807",
)
SPS = Citation(
    "loizou2021",
    "Loizou, Nicolas and Vaswani, Sharan and Laradji, Issam and Lacoste-Julien, Simon",
    "Stochastic Polyak Step-size for SGD: An Adaptive Learning Rate for Fast Convergence",
    "AISTATS 2021",
    2021,
    "https://arxiv.org/abs/2002.10542",
)
SIGNSGD = Citation(
    "bernstein2018",
    "Bernstein, Jeremy and Wang, Yu-Xiang and Azizzadenesheli, Kamyar and Anandkumar, Animashree",
    "signSGD: Compressed Optimisation for Non-Convex Problems",
    "ICML 2018",
    2018,
    "https://arxiv.org/abs/1802.04434",
)
LION = Citation(
    "chen2023",
    "Chen, Xiangning and Liang, Chen and Huang, Da and Real, Esteban and Wang, Kaiyuan and "
    "Liu, Yao and Pham, Hieu and Dong, Xuanyi and Luong, Thang and Hsieh, Cho-Jui and "
    "Lu, Yifeng and Le, Quoc V.",
    "Symbolic Discovery of Optimization Algorithms",
    "NeurIPS 2023",
    2023,
    "https://arxiv.org/abs/2302.06675",
)
CAUTIOUS = Citation(
    "liang2024",
    "Liang, Kaizhao and Chen, Lizhang and Liu, Bo and Liu, Qiang",
    "Cautious Optimizers: Improving Training with One Line of Code",
    "arXiv:2411.16085",
    2024,
    "https://arxiv.org/abs/2411.16085",
)
TIGER = Citation(
    "su2023",
    "Su, Jianlin",
    "Tiger: A Tight-fisted Optimizer",
    "bojone/tiger, software",
    2023,
    "https://github.com/bojone/tiger",
)
ADAPTATION = Citation(
    "defazio2023",
    "Defazio, Aaron and Mishchenko, Konstantin",
    "Learning-Rate-Free Learning by D-Adaptation",
    "ICML 2023",
    2023,
    "https://arxiv.org/abs/2301.07733",
)
