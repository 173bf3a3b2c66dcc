"""Fits of scikit-learn for the logistic regression of probes: few columns, more columns than examples, classes that a line parts.

    python tools/truth/classify.py        writes tests/truth/classify.json
"""
import json
import pathlib

import numpy
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHAPES = [(60, 3, 1.0), (40, 8, 0.01), (12, 30, 1.0), (30, 2, 100.0)]


def main():
    draw, cases = numpy.random.default_rng(5), []
    for n, d, c in SHAPES:
        x = draw.normal(size=(n, d)).round(3)
        y = (x[:, 0] + (0 if c == 100 else draw.normal(size=n)) > .3).astype(int)
        fit = LogisticRegression(C=c, solver="newton-cg", tol=1e-13, max_iter=100000).fit(x, y)
        score = fit.decision_function(x)
        cases.append({"n": n, "d": d, "c": c, "x": x.ravel().tolist(), "y": y.tolist(), "w": fit.coef_[0].tolist(), "b": fit.intercept_[0],
                      "auc": roc_auc_score(y, score.round(1)), "rounded": score.round(1).tolist()})
    intervals = [[k, n, *binomtest(k, n).proportion_ci(method="wilson")] for k, n in ((0, 1), (7, 10), (40, 40), (500, 1234))]
    (ROOT / "tests/truth/classify.json").write_text(json.dumps({"fits": cases, "wilson": intervals}, indent=0) + "\n")


if __name__ == "__main__":
    main()
