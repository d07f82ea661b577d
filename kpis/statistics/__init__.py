"""The formulas behind every number: pure functions with published sources, tested against published numbers.

No database, no clock and no third-party library: what goes in and what comes out is all there is. Results are typed
dictionaries whose keys are part of the definition of each KPI; `None` means not defined.
"""

from kpis.statistics.buckets import bucket_of, bucket_percentile, value_of
from kpis.statistics.calibration import Foretold, area_under_curve, calibration, effective_size
from kpis.statistics.comparisons import (
    benjamini_hochberg,
    chi_square_homogeneity,
    cohen_kappa,
    direct_standardised_rate,
    funnel_poisson,
    shrink,
    standardised_ratio,
)
from kpis.statistics.control_charts import (
    c_chart,
    cusum,
    ewma_chart,
    individuals_chart,
    laney_p,
    laney_u,
    p_chart,
    run_limits,
    runs,
    u_chart,
)
from kpis.statistics.intervals import (
    clopper_pearson,
    mean_ci,
    mean_difference,
    newcombe_difference,
    percentile,
    poisson_ci,
    rate_ratio_exact,
    rate_ratio_wald,
    wilson,
)
from kpis.statistics.labelling import kappa_interval, rogan_gladen, weighted_share
from kpis.statistics.lifecycle import lifecycle
from kpis.statistics.scores import nps, nps_difference
from kpis.statistics.series import change_point, interrupted_time_series, seasonal_indices
from kpis.statistics.survival import cumulative_incidence, kaplan_meier, logrank

__all__ = [
    "Foretold",
    "area_under_curve",
    "benjamini_hochberg",
    "bucket_of",
    "bucket_percentile",
    "c_chart",
    "calibration",
    "change_point",
    "chi_square_homogeneity",
    "clopper_pearson",
    "cohen_kappa",
    "cumulative_incidence",
    "cusum",
    "direct_standardised_rate",
    "effective_size",
    "ewma_chart",
    "funnel_poisson",
    "individuals_chart",
    "interrupted_time_series",
    "kaplan_meier",
    "kappa_interval",
    "laney_p",
    "laney_u",
    "lifecycle",
    "logrank",
    "mean_ci",
    "mean_difference",
    "newcombe_difference",
    "nps",
    "nps_difference",
    "p_chart",
    "percentile",
    "poisson_ci",
    "rate_ratio_exact",
    "rate_ratio_wald",
    "rogan_gladen",
    "run_limits",
    "runs",
    "seasonal_indices",
    "shrink",
    "standardised_ratio",
    "u_chart",
    "value_of",
    "weighted_share",
    "wilson",
]
