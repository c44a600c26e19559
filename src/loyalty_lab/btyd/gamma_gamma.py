"""Gamma-Gamma: what a purchase day of a customer is worth."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import gammaln, psi
from sklearn.utils.validation import check_is_fitted

from loyalty_lab.btyd.likelihood import BOUND, BoundedLikelihood, Distinct, columns_of


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

    _names = ("p", "q", "gamma")
    _middle = (4.0, 4.0, 0.75)
    _starts = ((2.0, 3.0, 1.0), (6.0, 4.0, 0.5), (1.0, 2.0, 2.0), (20.0, 10.0, 1.0))

    def fit(self, summary: pd.DataFrame, y=None) -> GammaGammaModel:
        """Estimate the parameters from `frequency` and `monetary_value` of those who bought again.

        Raises
        ------
        InputError
            If a column is missing, a number is missing, infinite or negative, or a customer stands there twice.
        """
        frequency, value = columns_of(summary, ("frequency", "monetary_value"))
        seen = (frequency > 0) & (value > 0)
        scale = float(value[seen].mean()) if seen.any() else 1.0
        bounds = [(-BOUND, BOUND), (np.log(1.01), BOUND), (-BOUND, BOUND)]
        likelihood = self._fit_rows(Distinct.of([frequency[seen], value[seen] / scale]), bounds, [1.0, 1.0, scale])
        self.log_likelihood_ = float(likelihood - seen.sum() * np.log(scale))
        if not seen.any():
            self.params_["gamma"] = 0.0
        return self

    def _log_likelihood(self, log_params: np.ndarray) -> tuple[float, np.ndarray]:
        """Log-likelihood of the scaled means and its gradient by the log parameters; what hangs on the frequency alone by lookup."""
        p, q, gamma = np.exp(log_params)
        visits, n, counts = self._data.levels[0], self._data.count_of(0), self._data.counts
        x, value = self._data.column(0), self._data.column(1)
        spent = gamma + x * value
        total, log_value = np.log(spent), np.log(self._data.levels[1])
        all_log, all_spent, all_total = self._data.count_of(1) @ log_value, counts * x @ log_value[self._data.at[1]], counts @ total
        weighted = counts * x @ total
        log_visits = np.log(visits)
        by_visits = gammaln(p * visits + q) - gammaln(p * visits) - gammaln(q) + q * np.log(gamma) + p * visits * log_visits
        rows = n @ by_visits + p * all_spent - all_log - p * weighted - q * all_total
        d_p = n @ (visits * (psi(p * visits + q) - psi(p * visits) + log_visits)) + all_spent - weighted
        d_q = n @ (psi(p * visits + q) - psi(q) + np.log(gamma)) - all_total
        d_gamma = counts.sum() * q / gamma - (counts * (p * x + q)) @ (1 / spent)
        return float(rows), np.array([d_p * p, d_q * q, d_gamma * gamma])

    def expected_average_value(self, summary: pd.DataFrame) -> pd.Series:
        """Return the expected mean value of a customer's future purchase days: own mean, shrunk towards the shop's.

        0.0 for everybody where nobody has bought again, since the shop's mean is then unknown.
        """
        check_is_fitted(self, "params_")
        frequency, value = columns_of(summary, ("frequency", "monetary_value"))
        p, q, gamma = self.params_
        mean = p * (gamma + frequency * value) / (p * frequency + q - 1)
        return pd.Series(mean, index=summary.index, name="expected_average_value")
