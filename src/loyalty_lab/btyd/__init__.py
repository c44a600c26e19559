"""Buy-till-you-die models on the customer summary: BG/NBD, MBG/NBD, Pareto/NBD and Gamma-Gamma, as scikit-learn estimators.

Time is in days. Inside the fit it is counted in weeks and money in multiples of the mean, so that
bounds, starts and priors mean the same in every shop; `params_` are in days and the shop's currency.
"""

from loyalty_lab.btyd.beta_geo import BetaGeoModel, ModifiedBetaGeoModel
from loyalty_lab.btyd.gamma_gamma import GammaGammaModel
from loyalty_lab.btyd.pareto import ParetoNBDModel

__all__ = ["BetaGeoModel", "GammaGammaModel", "ModifiedBetaGeoModel", "ParetoNBDModel"]
