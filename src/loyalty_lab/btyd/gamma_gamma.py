"""Gamma-Gamma: what a purchase day of a customer is worth."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import gammaln, polygamma, psi
from sklearn.utils.validation import check_is_fitted

from loyalty_lab.btyd.distinct import Distinct
from loyalty_lab.btyd.likelihood import BOUND, BoundedLikelihood, columns_of


class GammaGammaModel(BoundedLikelihood):
    """Gamma-Gamma: what a customer spends on a purchase day varies around an own mean; the means vary between customers.

    It assumes that how much somebody spends does not hang on how often they come.

    Parameters
    ----------
    prior_weight : float, default 0.0
        Weight, in customers, of a weak normal prior on the log parameters (middle p = 4, q = 4, gamma = 0.75 of
        the mean purchase, so that the prior mean is the shop's; standard deviation 1).

    Attributes
    ----------
    params_ : pandas.Series
        p, q, gamma (currency). q is kept above 1, where the mean exists.
    standard_errors_ : pandas.Series
        Of the same, by the curvature at the estimate; infinite where the data do not hold a parameter.
    log_likelihood_ : float
        Without the prior, of the customers with `frequency` and `monetary_value` above 0.
    converged_ : bool

    References
    ----------
    Fader, Hardie (2013), The Gamma-Gamma model of monetary value, brucehardie.com/notes/025.

    Examples
    --------
    >>> summary = pd.DataFrame({"frequency": [0, 1, 4, 2], "monetary_value": [0.0, 12.0, 30.0, 21.0]}, index=list("abcd"))
    >>> value = GammaGammaModel(prior_weight=1.0).fit(summary).expected_average_value(summary)
    >>> bool(value["b"] < value["a"] < value["c"])
    True
    """

    columns = ("frequency", "monetary_value")
    _names = ("p", "q", "gamma")
    _middle = (4.0, 4.0, 0.75)
    _starts = ((2.0, 3.0, 1.0), (6.0, 4.0, 0.5), (1.0, 2.0, 2.0), (20.0, 10.0, 1.0))

    def _estimate(self, columns: list[np.ndarray], weights: np.ndarray | None) -> None:
        """Of those who bought again; money is counted in multiples of its mean."""
        frequency, value = columns
        seen = (frequency > 0) & (value > 0)
        counts = (np.ones(len(value)) if weights is None else weights)[seen]
        scale = float(np.average(value[seen], weights=counts)) if seen.any() else 1.0
        bounds = [(-BOUND, BOUND), (np.log(1.01), BOUND), (-BOUND, BOUND)]
        likelihood = self._fit_rows(Distinct.each([frequency[seen], value[seen] / scale], counts), bounds, [1.0, 1.0, scale])
        self.log_likelihood_ = float(likelihood - counts.sum() * np.log(scale))
        if not seen.any():
            self.params_["gamma"] = 0.0

    def _derivatives(self, params: np.ndarray, second: bool) -> tuple[float, np.ndarray, np.ndarray | None]:
        """Log-likelihood of the scaled means and its derivatives; what hangs on the frequency alone is worked out once for each."""
        p, q, gamma = params
        visits, n, counts = self._data.levels[0], self._data.count_of(0), self._data.counts
        spent, bought, all_log, all_spent = self._data.once("spent", self._spent)
        shape, total, per_total = p * visits, np.log(gamma + spent), 1 / (gamma + spent)
        all_total, weighted = counts @ total, bought @ total
        by_visits = gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * np.log(gamma) + shape * np.log(visits)
        value = float(n @ by_visits + p * all_spent - all_log - p * weighted - q * all_total)
        by_shop, by_visit = counts @ per_total, bought @ per_total
        d_p = n @ (visits * (psi(shape + q) - psi(shape) + np.log(visits))) + all_spent - weighted
        d_q = n @ (psi(shape + q) - psi(q) + np.log(gamma)) - all_total
        slope = np.array([d_p, d_q, n.sum() * q / gamma - p * by_visit - q * by_shop])
        if not second:
            return value, slope, None
        bend = polygamma(1, shape + q)
        p_p, p_q, q_q = n @ (visits**2 * (bend - polygamma(1, shape))), n @ (visits * bend), n @ (bend - polygamma(1, q))
        q_gamma, gamma_gamma = n.sum() / gamma - by_shop, (p * bought + q * counts) @ per_total**2 - n.sum() * q / gamma**2
        return value, slope, np.array([[p_p, p_q, -by_visit], [p_q, q_q, q_gamma], [-by_visit, q_gamma, gamma_gamma]])

    def _spent(self) -> tuple[np.ndarray, np.ndarray, float, float]:
        """Total spend and purchases of the rows, and the sums of log value over customers and over purchases."""
        x, log_value = self._data.column(0), np.log(self._data.column(1))
        bought = self._data.counts * x
        return x * self._data.column(1), bought, float(self._data.counts @ log_value), float(bought @ log_value)

    def expected_average_value(self, summary: pd.DataFrame) -> pd.Series:
        """Return the expected mean value of a customer's future purchase days: own mean, shrunk towards the shop's.

        0.0 for everybody where nobody has bought again, since the shop's mean is then unknown.
        """
        check_is_fitted(self, "params_")
        frequency, value = columns_of(summary, self.columns)
        p, q, gamma = self.params_
        mean = p * (gamma + frequency * value) / (p * frequency + q - 1)
        return pd.Series(mean, index=summary.index, name="expected_average_value")
