"""The publications that the catalogue cites."""

from __future__ import annotations

from fallline.optimizers.spec import Citation

CAUCHY = Citation(
    "cauchy1847",
    "Cauchy, Augustin-Louis",
    "Méthode générale pour la résolution des systèmes d'équations simultanées",
    "Comptes rendus de l'Académie des sciences 25, 536-538",
    1847,
    "https://gallica.bnf.fr/ark:/12148/bpt6k2982c",
)
NOCEDAL = Citation(
    "nocedal2006",
    "Nocedal, Jorge and Wright, Stephen J.",
    "Numerical Optimization, chapter 3: Line Search Methods",
    "Springer, 2nd edition",
    2006,
    "https://doi.org/10.1007/978-0-387-40065-5",
)
ARMIJO = Citation(
    "armijo1966",
    "Armijo, Larry",
    "Minimization of functions having Lipschitz continuous first partial derivatives",
    "Pacific Journal of Mathematics 16(1), 1-3",
    1966,
    "https://doi.org/10.2140/pjm.1966.16.1",
)
ROBBINS = Citation(
    "robbins1951",
    "Robbins, Herbert and Monro, Sutton",
    "A Stochastic Approximation Method",
    "Annals of Mathematical Statistics 22(3), 400-407",
    1951,
    "https://doi.org/10.1214/aoms/1177729586",
)
POLYAK = Citation(
    "polyak1964",
    "Polyak, Boris T.",
    "Some methods of speeding up the convergence of iteration methods",
    "USSR Computational Mathematics and Mathematical Physics 4(5), 1-17",
    1964,
    "https://doi.org/10.1016/0041-5553(64)90137-5",
)
SUTSKEVER = Citation(
    "sutskever2013",
    "Sutskever, Ilya and Martens, James and Dahl, George and Hinton, Geoffrey",
    "On the importance of initialization and momentum in deep learning",
    "ICML 2013",
    2013,
    "https://proceedings.mlr.press/v28/sutskever13.html",
)
RIEDMILLER = Citation(
    "riedmiller1993",
    "Riedmiller, Martin and Braun, Heinrich",
    "A direct adaptive method for faster backpropagation learning: the RPROP algorithm",
    "IEEE International Conference on Neural Networks",
    1993,
    "https://doi.org/10.1109/ICNN.1993.298623",
)
DUCHI = Citation(
    "duchi2011",
    "Duchi, John and Hazan, Elad and Singer, Yoram",
    "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization",
    "Journal of Machine Learning Research 12, 2121-2159",
    2011,
    "https://jmlr.org/papers/v12/duchi11a.html",
)
ZEILER = Citation(
    "zeiler2012",
    "Zeiler, Matthew D.",
    "ADADELTA: An Adaptive Learning Rate Method",
    "arXiv:1212.5701",
    2012,
    "https://arxiv.org/abs/1212.5701",
)
TIELEMAN = Citation(
    "tieleman2012",
    "Tieleman, Tijmen and Hinton, Geoffrey",
    "Lecture 6.5, rmsprop: Divide the gradient by a running average of its recent magnitude",
    "COURSERA: Neural Networks for Machine Learning",
    2012,
    "https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf",
)
KINGMA = Citation(
    "kingma2015",
    "Kingma, Diederik P. and Ba, Jimmy",
    "Adam: A Method for Stochastic Optimization",
    "ICLR 2015",
    2015,
    "https://arxiv.org/abs/1412.6980",
)
LOSHCHILOV = Citation(
    "loshchilov2019",
    "Loshchilov, Ilya and Hutter, Frank",
    "Decoupled Weight Decay Regularization",
    "ICLR 2019",
    2019,
    "https://arxiv.org/abs/1711.05101",
)
REDDI = Citation(
    "reddi2018",
    "Reddi, Sashank J. and Kale, Satyen and Kumar, Sanjiv",
    "On the Convergence of Adam and Beyond",
    "ICLR 2018",
    2018,
    "https://arxiv.org/abs/1904.09237",
)
DOZAT = Citation(
    "dozat2016",
    "Dozat, Timothy",
    "Incorporating Nesterov Momentum into Adam",
    "ICLR 2016 workshop",
    2016,
    "https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ",
)
LUO = Citation(
    "luo2019",
    "Luo, Liangchen and Xiong, Yuanhao and Liu, Yan and Sun, Xu",
    "Adaptive Gradient Methods with Dynamic Bound of Learning Rate",
    "ICLR 2019",
    2019,
    "https://arxiv.org/abs/1902.09843",
)
ZHUANG = Citation(
    "zhuang2020",
    "Zhuang, Juntang and Tang, Tommy and Ding, Yifan and Tatikonda, Sekhar and Dvornek, Nicha "
    "and Papademetris, Xenophon and Duncan, James S.",
    "AdaBelief Optimizer: Adapting Stepsizes by the Belief in Observed Gradients",
    "NeurIPS 2020",
    2020,
    "https://arxiv.org/abs/2010.07468",
)
YUAN = Citation(
    "yuan2020",
    "Yuan, Wei and Gao, Kai-Xin",
    "EAdam Optimizer: How ε Impact Adam",
    "arXiv:2011.02150",
    2020,
    "https://arxiv.org/abs/2011.02150",
)
EVERETT = Citation(
    "everett2024",
    "Everett, Katie and Xiao, Lechao and Wortsman, Mitchell and Alemi, Alexander A. and "
    "Novak, Roman and Liu, Peter J. and Gur, Izzeddin and Sohl-Dickstein, Jascha and "
    "Kaelbling, Leslie Pack and Lee, Jaehoon and Pennington, Jeffrey",
    "Scaling Exponents Across Parameterizations and Optimizers",
    "ICML 2024",
    2024,
    "https://arxiv.org/abs/2407.05872",
)
SGDR = Citation(
    "loshchilov2017",
    "Loshchilov, Ilya and Hutter, Frank",
    "SGDR: Stochastic Gradient Descent with Warm Restarts",
    "ICLR 2017",
    2017,
    "https://arxiv.org/abs/1608.03983",
)
SIVAPRASAD = Citation(
    "sivaprasad2020",
    "Sivaprasad, Prabhu Teja and Mai, Florian and Vogels, Thijs and Jaggi, Martin and "
    "Fleuret, François",
    "Optimizer Benchmarking Needs to Account for Hyperparameter Tuning",
    "ICML 2020",
    2020,
    "https://arxiv.org/abs/1910.11758",
)
DAHL = Citation(
    "dahl2023",
    "Dahl, George E. and Schneider, Frank and Nado, Zachary and Agarwal, Naman and "
    "Sastry, Chandramouli Shama and Hennig, Philipp and Medapati, Sourabh and "
    "Eschenhagen, Runa and Kasimbeg, Priya and Suo, Daniel and Bae, Juhan and Gilmer, Justin and "
    "Peirson, Abel L. and Khan, Bilal and Anil, Rohan and Rabbat, Mike and Krishnan, Shankar and "
    "Snider, Daniel and Amid, Ehsan and Chen, Kongtao and Maddison, Chris J. and "
    "Vasudev, Rakshith and Badura, Michal and Garg, Ankush and Mattson, Peter",
    "Benchmarking Neural Network Training Algorithms",
    "arXiv:2306.07179",
    2023,
    "https://arxiv.org/abs/2306.07179",
)
