"""The publications that the wrappers cite, beside those of the catalogue's other entries."""

from __future__ import annotations

from fallline.optimizers.spec import Citation

HE = Citation(
    "he2016",
    "He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian",
    "Deep Residual Learning for Image Recognition",
    "CVPR 2016",
    2016,
    "https://arxiv.org/abs/1512.03385",
)
SENIOR = Citation(
    "senior2013",
    "Senior, Andrew and Heigold, Georg and Ranzato, Marc'Aurelio and Yang, Ke",
    "An Empirical Study of Learning Rates in Deep Neural Networks for Speech Recognition",
    "ICASSP 2013",
    2013,
    "https://doi.org/10.1109/ICASSP.2013.6638963",
)
CHEN = Citation(
    "chen2018deeplab",
    "Chen, Liang-Chieh and Papandreou, George and Kokkinos, Iasonas and Murphy, Kevin and "
    "Yuille, Alan L.",
    "DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, Atrous Convolution, and "
    "Fully Connected CRFs",
    "IEEE Transactions on Pattern Analysis and Machine Intelligence 40(4)",
    2018,
    "https://arxiv.org/abs/1606.00915",
)
GOYAL = Citation(
    "goyal2017",
    "Goyal, Priya and Dollár, Piotr and Girshick, Ross and Noordhuis, Pieter and "
    "Wesolowski, Lukasz and Kyrola, Aapo and Tulloch, Andrew and Jia, Yangqing and He, Kaiming",
    "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour",
    "arXiv:1706.02677",
    2017,
    "https://arxiv.org/abs/1706.02677",
)
SMITH = Citation(
    "smith2018",
    "Smith, Leslie N. and Topin, Nicholay",
    "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates",
    "arXiv:1708.07120",
    2018,
    "https://arxiv.org/abs/1708.07120",
)
HU = Citation(
    "hu2024",
    "Hu, Shengding and Tu, Yuge and Han, Xu and He, Chaoqun and others",
    "MiniCPM: Unveiling the Potential of Small Language Models with Scalable Training Strategies",
    "COLM 2024",
    2024,
    "https://arxiv.org/abs/2404.06395",
)
MIKOLOV = Citation(
    "mikolov2012",
    "Mikolov, Tomáš",
    "Statistical Language Models Based on Neural Networks",
    "PhD thesis, Brno University of Technology",
    2012,
    "https://www.fit.vut.cz/study/phd-thesis/283/",
)
PASCANU = Citation(
    "pascanu2013",
    "Pascanu, Razvan and Mikolov, Tomas and Bengio, Yoshua",
    "On the difficulty of training Recurrent Neural Networks",
    "ICML 2013",
    2013,
    "https://arxiv.org/abs/1211.5063",
)
BROCK = Citation(
    "brock2021",
    "Brock, Andrew and De, Soham and Smith, Samuel L. and Simonyan, Karen",
    "High-Performance Large-Scale Image Recognition Without Normalization",
    "ICML 2021",
    2021,
    "https://arxiv.org/abs/2102.06171",
)
YONG = Citation(
    "yong2020",
    "Yong, Hongwei and Huang, Jianqiang and Hua, Xiansheng and Zhang, Lei",
    "Gradient Centralization: A New Optimization Technique for Deep Neural Networks",
    "ECCV 2020",
    2020,
    "https://arxiv.org/abs/2004.01461",
)
NEELAKANTAN = Citation(
    "neelakantan2015",
    "Neelakantan, Arvind and Vilnis, Luke and Le, Quoc V. and Sutskever, Ilya and "
    "Kaiser, Lukasz and Kurach, Karol and Martens, James",
    "Adding Gradient Noise Improves Learning for Very Deep Networks",
    "arXiv:1511.06807",
    2015,
    "https://arxiv.org/abs/1511.06807",
)
TIBSHIRANI = Citation(
    "tibshirani1996",
    "Tibshirani, Robert",
    "Regression Shrinkage and Selection via the Lasso",
    "Journal of the Royal Statistical Society B 58(1), 267-288",
    1996,
    "https://doi.org/10.1111/j.2517-6161.1996.tb02080.x",
)
KROGH = Citation(
    "krogh1991",
    "Krogh, Anders and Hertz, John A.",
    "A Simple Weight Decay Can Improve Generalization",
    "NIPS 1991",
    1991,
    "https://papers.nips.cc/paper/1991/hash/8eefcfdf5990e441f0fb6f3fad709e21-Abstract.html",
)
FORET = Citation(
    "foret2021",
    "Foret, Pierre and Kleiner, Ariel and Mobahi, Hossein and Neyshabur, Behnam",
    "Sharpness-Aware Minimization for Efficiently Improving Generalization",
    "ICLR 2021",
    2021,
    "https://arxiv.org/abs/2010.01412",
)
ZHANG = Citation(
    "zhang2019lookahead",
    "Zhang, Michael R. and Lucas, James and Hinton, Geoffrey and Ba, Jimmy",
    "Lookahead Optimizer: k steps forward, 1 step back",
    "NeurIPS 2019",
    2019,
    "https://arxiv.org/abs/1907.08610",
)
JUDITSKY = Citation(
    "polyak1992",
    "Polyak, Boris T. and Juditsky, Anatoli B.",
    "Acceleration of Stochastic Approximation by Averaging",
    "SIAM Journal on Control and Optimization 30(4), 838-855",
    1992,
    "https://doi.org/10.1137/0330046",
)
LIANG = Citation(
    "liang2024",
    "Liang, Kaizhao and Chen, Lizhang and Liu, Bo and Liu, Qiang",
    "Cautious Optimizers: Improving Training with One Line of Code",
    "arXiv:2411.16085",
    2024,
    "https://arxiv.org/abs/2411.16085",
)
LEE = Citation(
    "lee2024",
    "Lee, Jaerin and Kang, Bong Gyun and Kim, Kihoon and Lee, Kyoung Mu",
    "Grokfast: Accelerated Grokking by Amplifying Slow Gradients",
    "arXiv:2405.20233",
    2024,
    "https://arxiv.org/abs/2405.20233",
)
ZHU = Citation(
    "zhu2017",
    "Zhu, Michael and Gupta, Suyog",
    "To Prune, or Not to Prune: Exploring the Efficacy of Pruning for Model Compression",
    "arXiv:1710.01878",
    2017,
    "https://arxiv.org/abs/1710.01878",
)
EVCI = Citation(
    "evci2020",
    "Evci, Utku and Gale, Trevor and Menick, Jacob and Castro, Pablo Samuel and Elsen, Erich",
    "Rigging the Lottery: Making All Tickets Winners",
    "ICML 2020",
    2020,
    "https://arxiv.org/abs/1911.11134",
)
KRISHNAMOORTHI = Citation(
    "krishnamoorthi2018",
    "Krishnamoorthi, Raghuraman",
    "Quantizing Deep Convolutional Networks for Efficient Inference: A Whitepaper",
    "arXiv:1806.08342",
    2018,
    "https://arxiv.org/abs/1806.08342",
)
