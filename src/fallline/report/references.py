"""The sources of the statistics and of the search, as BibTeX, and which of them a study used."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fallline.analysis.reading import Reading

SOURCES = {
    "student1908": """@article{student1908,
  author = {Student},
  title = {The Probable Error of a Mean},
  journal = {Biometrika},
  volume = {6},
  number = {1},
  pages = {1--25},
  year = {1908}
}""",
    "holm1979": """@article{holm1979,
  author = {Holm, Sture},
  title = {A Simple Sequentially Rejective Multiple Test Procedure},
  journal = {Scandinavian Journal of Statistics},
  volume = {6},
  number = {2},
  pages = {65--70},
  year = {1979}
}""",
    "schuirmann1987": """@article{schuirmann1987,
  author = {Schuirmann, Donald J.},
  title = {A Comparison of the Two One-Sided Tests Procedure and the Power Approach for Assessing
    the Equivalence of Average Bioavailability},
  journal = {Journal of Pharmacokinetics and Biopharmaceutics},
  volume = {15},
  number = {6},
  pages = {657--680},
  year = {1987}
}""",
    "dolan2002": """@article{dolan2002,
  author = {Dolan, Elizabeth D. and Mor{\\'e}, Jorge J.},
  title = {Benchmarking Optimization Software with Performance Profiles},
  journal = {Mathematical Programming},
  volume = {91},
  number = {2},
  pages = {201--213},
  year = {2002}
}""",
    "agarwal2021": """@inproceedings{agarwal2021,
  author = {Agarwal, Rishabh and Schwarzer, Max and Castro, Pablo Samuel and Courville, Aaron and
    Bellemare, Marc G.},
  title = {Deep Reinforcement Learning at the Edge of the Statistical Precipice},
  booktitle = {Advances in Neural Information Processing Systems 34},
  year = {2021}
}""",
    "dodge2019": """@inproceedings{dodge2019,
  author = {Dodge, Jesse and Gururangan, Suchin and Card, Dallas and Schwartz, Roy and
    Smith, Noah A.},
  title = {Show Your Work: Improved Reporting of Experimental Results},
  booktitle = {Proceedings of EMNLP-IJCNLP 2019},
  pages = {2185--2194},
  year = {2019}
}""",
    "tang2020": """@inproceedings{tang2020,
  author = {Tang, Raphael and Lee, Jaejun and Xin, Ji and Liu, Xinyu and Yu, Yaoliang and
    Lin, Jimmy},
  title = {Showing Your Work Doesn't Always Work},
  booktitle = {Proceedings of ACL 2020},
  pages = {2766--2772},
  year = {2020}
}""",
    "sobol1967": """@article{sobol1967,
  author = {Sobol', I. M.},
  title = {On the Distribution of Points in a Cube and the Approximate Evaluation of Integrals},
  journal = {USSR Computational Mathematics and Mathematical Physics},
  volume = {7},
  number = {4},
  pages = {86--112},
  year = {1967}
}""",
    "choi2019": """@misc{choi2019,
  author = {Choi, Dami and Shallue, Christopher J. and Nado, Zachary and Lee, Jaehoon and
    Maddison, Chris J. and Dahl, George E.},
  title = {On Empirical Comparisons of Optimizers for Deep Learning},
  howpublished = {arXiv:1910.05446},
  year = {2019}
}""",
    "sivaprasad2020": """@inproceedings{sivaprasad2020,
  author = {Sivaprasad, Prabhu Teja and Mai, Florian and Vogels, Thijs and Jaggi, Martin and
    Fleuret, Fran{\\c{c}}ois},
  title = {Optimizer Benchmarking Needs to Account for Hyperparameter Tuning},
  booktitle = {Proceedings of the 37th International Conference on Machine Learning},
  year = {2020}
}""",
    "bergstra2011": """@inproceedings{bergstra2011,
  author = {Bergstra, James and Bardenet, R{\\'e}mi and Bengio, Yoshua and K{\\'e}gl, Bal{\\'a}zs},
  title = {Algorithms for Hyper-Parameter Optimization},
  booktitle = {Advances in Neural Information Processing Systems 24},
  year = {2011}
}""",
    "jamieson2016": """@inproceedings{jamieson2016,
  author = {Jamieson, Kevin and Talwalkar, Ameet},
  title = {Non-stochastic Best Arm Identification and Hyperparameter Optimization},
  booktitle = {Proceedings of the 19th International Conference on Artificial Intelligence and
    Statistics},
  year = {2016}
}""",
    "akiba2019": """@inproceedings{akiba2019,
  author = {Akiba, Takuya and Sano, Shotaro and Yanase, Toshihiko and Ohta, Takeru and
    Koyama, Masanori},
  title = {Optuna: A Next-generation Hyperparameter Optimization Framework},
  booktitle = {Proceedings of the 25th ACM SIGKDD International Conference on Knowledge Discovery
    and Data Mining},
  pages = {2623--2631},
  year = {2019}
}""",
}
"""By key. Every source that a report of a study can be made with."""


def used(reading: Reading, tables: Collection[str]) -> tuple[str, ...]:
    """The keys of the `SOURCES` of what was done in ``reading`` and is in ``tables``."""
    return tuple(dict.fromkeys(_used(reading, tables)))


def _used(reading: Reading, tables: Collection[str]) -> Iterator[str]:
    measured = reading.measured
    seeds = int(measured["seeds"].max()) if len(measured) else 0
    if seeds > 1:
        yield "student1908"
        if len(measured) > 2:
            yield "holm1979"
    if "pairwise" in tables:
        # The bound of "no difference larger than", and the probability of improvement.
        yield from ("schuirmann1987", "agarwal2021")
    if "measures" in tables and seeds > 1:
        yield "agarwal2021"
    if "profile" in tables:
        yield "dolan2002"
    if "expected_best" in tables:
        yield from ("dodge2019", "tang2020")
    if reading.document.protocol.points:
        yield from ("sobol1967", "choi2019", "sivaprasad2020")
    words = reading.document.protocol.rule.split()
    if "tpe" in words:
        yield from ("bergstra2011", "akiba2019")
    if "halving" in words:
        yield "jamieson2016"
