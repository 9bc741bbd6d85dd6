"""Accuracy, sensitivity, specificity, predictive values, ROC: with intervals."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Share:
    """A proportion, or an area under a ROC curve, with its 95 % interval.

    Attributes:
        value: 0 to 1.
        low, high: ends of the interval.
        count: scans that it is of.
    """

    value: float
    low: float
    high: float
    count: int

    def as_dict(self) -> dict:
        """As `evaluation.json` has it, `n` being the count."""
        return {"value": self.value, "low": self.low, "high": self.high, "n": self.count}


def share(successes: int, count: int) -> Share | None:
    """A proportion with its exact interval (Clopper and Pearson); None where there is nothing to count."""
    from scipy.stats import binomtest

    if count == 0:
        return None
    interval = binomtest(int(successes), int(count)).proportion_ci(0.95, method="exact")
    return Share(successes / count, float(interval.low), float(interval.high), int(count))


def share_of(flags) -> dict | None:
    """The share of true ones among flags as JSON data; None without flags."""
    found = share(int(np.sum(flags)), len(flags))
    return found.as_dict() if found else None


def classification_metrics(truth: np.ndarray, answer: np.ndarray) -> dict[str, Share | None]:
    """Accuracy, sensitivity, specificity and predictive values; `reduced` is True in both bool arrays."""
    truth, answer = np.asarray(truth, bool), np.asarray(answer, bool)
    right = truth == answer
    return {
        "accuracy": share(right.sum(), right.size),
        "sensitivity": share(right[truth].sum(), truth.sum()),
        "specificity": share(right[~truth].sum(), (~truth).sum()),
        "positive_predictive_value": share(right[answer].sum(), answer.sum()),
        "negative_predictive_value": share(right[~answer].sum(), (~answer).sum()),
    }


def roc_auc(truth: np.ndarray, score: np.ndarray) -> Share | None:
    """Area under the ROC curve with Newcombe's 95 % interval; None with a single class.

    The interval (method 5 of Newcombe 2006, Statistics in Medicine 25:559) holds all areas that the observed one does
    not contradict, with the variance of Hanley and McNeil (1982) at the area in question rather than at the observed
    one. So it keeps a width where all scans are separated: 3 against 3 give 0.50 to 1, and DeLong's 1 to 1.
    """
    truth, score = np.asarray(truth, bool), np.asarray(score, float)
    positive, negative = score[truth], score[~truth]
    if positive.size == 0 or negative.size == 0:
        return None
    area = float(np.heaviside(positive[:, None] - negative[None, :], 0.5).mean())
    low = _contradicted_from(area, 0.0, positive.size, negative.size)
    high = _contradicted_from(area, 1.0, positive.size, negative.size)
    return Share(area, low, high, int(truth.size))


def _contradicted_from(area, bound, positives, negatives):
    """The area towards `bound` (0 or 1) whose 95 % interval has the observed one at its end."""
    from scipy.optimize import brentq

    def excess(other):
        concordance = (1 - other) / (2 - other) + other / (1 + other)
        variance = other * (1 - other) * (1 + ((positives + negatives) / 2 - 1) * concordance)
        return (other - area) ** 2 - 1.959964**2 * variance / (positives * negatives)

    if area == bound:
        return bound
    # Within the interval the excess is negative; at an observed area of 0 or 1 it is zero, hence the step inside.
    return float(brentq(excess, area + 1e-9 * (bound - area), bound))


def youden_cutoff(truth: np.ndarray, score: np.ndarray) -> float:
    """Cut on the score that maximizes sensitivity + specificity, `score >= cut` meaning reduced.

    The middle of the gap between two observed scores, so that a cut fits new scans as well as it can.
    """
    truth, score = np.asarray(truth, bool), np.asarray(score, float)
    values = np.unique(score)
    cuts = np.concatenate([[values[0]], (values[1:] + values[:-1]) / 2, [np.nextafter(values[-1], np.inf)]])
    answers = score[None, :] >= cuts[:, None]
    youden = answers[:, truth].mean(axis=1) - answers[:, ~truth].mean(axis=1)
    return float(cuts[youden.argmax()])


def fit_platt(difference: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> tuple[float, float]:
    """(slope, intercept) of sigmoid(slope * difference + intercept) (Platt 1999, with his smoothed targets).

    The smoothed targets keep the slope finite where the classes are separated.

    Args:
        weights: of the images, for copies of one scan that count as one; None for 1 each.
    """
    from scipy.optimize import minimize

    difference, labels = np.asarray(difference, float), np.asarray(labels)
    weights = np.ones(len(labels)) if weights is None else np.asarray(weights, float)
    positive, negative = weights[labels == 1].sum(), weights[labels == 0].sum()
    target = np.where(labels == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))
    unit = max(float(np.std(difference)), 1e-9)

    def loss(parameters):
        z = parameters[0] * difference / unit + parameters[1]
        probability = 1 / (1 + np.exp(-np.clip(z, -500, 500)))
        gradient = weights * (probability - target)
        value = np.sum(weights * (np.logaddexp(0, z) - target * z))
        return value, np.array([np.sum(gradient * difference / unit), np.sum(gradient)])

    best = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B").x
    return float(best[0] / unit), float(best[1])


def expected_calibration_error(truth: np.ndarray, probability: np.ndarray, bins: int = 10) -> float:
    """Mean distance between stated probability and observed share, over bins of equal width, weighted by size."""
    truth, probability = np.asarray(truth, float), np.asarray(probability, float)
    place = np.minimum((probability * bins).astype(int), bins - 1)
    return float(
        sum(
            (place == k).mean() * abs(truth[place == k].mean() - probability[place == k].mean())
            for k in range(bins)
            if (place == k).any()
        )
    )
